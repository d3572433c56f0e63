/* What a dialog remembers of its negotiations, at rest. While it is worked with it has room for all that could be
 * (1 kB); between two negotiations, which is nearly always, one codec or five and one line or two are worth a tenth of
 * that. */
#include "base/mem.h"
#include "base/status.h"
#include "sdp/sdp.h"
#include <stddef.h>
#include <string.h>

enum { HEAD_BYTES = offsetof(struct sdp_running, codecs) };
/* A codec behind its name. */
enum { TAIL_BYTES = sizeof(struct sdp_run_codec) - offsetof(struct sdp_run_codec, pt_recv) };

static uint8_t *put(uint8_t *p, const void *from, size_t n)
{
	memcpy(p, from, n);
	return p + n;
}

static const uint8_t *take(const uint8_t *p, void *to, size_t n)
{
	memcpy(to, p, n);
	return p + n;
}

static size_t packed_bytes(const struct sdp_running *r)
{
	size_t n = HEAD_BYTES;

	for (size_t i = 0; i < r->codec_count; i++)
		n += strlen(r->codecs[i].name) + 1 + TAIL_BYTES;
	for (size_t i = 0; i < r->line_count; i++)
		n += strlen(r->lines[i].kind) + 1 + strlen(r->lines[i].proto) + 1 + sizeof(r->lines[i].is_open);
	return n;
}

int sdp_running_pack(const struct sdp_running *r, uint8_t **packed)
{
	uint8_t *p = mem_realloc(*packed, packed_bytes(r));

	if (!p)
		return ST_NOMEM;
	*packed = p;
	p = put(p, r, HEAD_BYTES);
	for (size_t i = 0; i < r->codec_count; i++) {
		p = put(p, r->codecs[i].name, strlen(r->codecs[i].name) + 1);
		p = put(p, &r->codecs[i].pt_recv, TAIL_BYTES);
	}
	for (size_t i = 0; i < r->line_count; i++) {
		p = put(p, r->lines[i].kind, strlen(r->lines[i].kind) + 1);
		p = put(p, r->lines[i].proto, strlen(r->lines[i].proto) + 1);
		p = put(p, &r->lines[i].is_open, sizeof(r->lines[i].is_open));
	}
	return ST_OK;
}

void sdp_running_unpack(const uint8_t *p, struct sdp_running *r)
{
	memset(r, 0, sizeof(*r));
	if (!p)
		return;
	p = take(p, r, HEAD_BYTES);
	for (size_t i = 0; i < r->codec_count; i++) {
		p = take(p, r->codecs[i].name, strlen((const char *)p) + 1);
		p = take(p, &r->codecs[i].pt_recv, TAIL_BYTES);
	}
	for (size_t i = 0; i < r->line_count; i++) {
		p = take(p, r->lines[i].kind, strlen((const char *)p) + 1);
		p = take(p, r->lines[i].proto, strlen((const char *)p) + 1);
		p = take(p, &r->lines[i].is_open, sizeof(r->lines[i].is_open));
	}
}
