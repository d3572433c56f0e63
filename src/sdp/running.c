/* What a dialog remembers of its negotiations: every payload number that was ever agreed keeps its meaning (RFC 3264
 * 8.3.2), so each is kept, until the room is needed by one that is in use. While it is worked with it has room for all
 * that could be (1 kB); at rest, between two negotiations, which is nearly always, one codec or five and one line or
 * two are worth a tenth of that. */
#include "base/mem.h"
#include "base/status.h"
#include "sdp/offer_i.h"
#include <stddef.h>
#include <string.h>

/* ---- payload numbers ---- */

/* Names longer than the slot are compared by what fits. */
static bool is_named(const struct sdp_run_codec *k, const struct sdp_codec *c)
{
	return sv_isi(sv_sub(sv_of(c->name), 0, sizeof(k->name) - 1), k->name) && k->clock_hz == c->clock_hz &&
	       k->channels == c->channels;
}
struct sdp_codec sdp_helper_codec(const char *name, uint32_t clock_hz)
{
	struct sdp_codec c = {.clock_hz = clock_hz, .channels = 1};
	sdp_copy(c.name, sizeof(c.name), sv_of(name));
	return c;
}
struct sdp_run_codec *sdp_run_find(struct sdp_running *r, const struct sdp_codec *c)
{
	for (size_t i = 0; i < r->codec_count; i++)
		if (is_named(&r->codecs[i], c) && r->codecs[i].variant == sdp_codec_variant(c))
			return &r->codecs[i];
	return NULL;
}
static void run_drop(struct sdp_running *r, size_t i)
{
	memmove(&r->codecs[i], &r->codecs[i + 1], (r->codec_count - i - 1u) * sizeof(r->codecs[0]));
	r->codec_count--;
}
void sdp_run_set(struct sdp_running *r, const struct sdp_codec *codec, int pt_recv, int pt_send)
{
	struct sdp_run_codec *c = sdp_run_find(r, codec);
	if (!c || c->pt_recv != pt_recv)
		for (size_t i = 0; i < r->codec_count; i++)
			if (&r->codecs[i] != c && r->codecs[i].pt_recv == pt_recv &&
			    !(r->codecs[i].flags & SDP_RUN_USED)) {
				run_drop(r, i);
				c = sdp_run_find(r, codec);
				break;
			}
	for (size_t i = 0; !c && r->codec_count == SDP_RUN_CODECS && i < r->codec_count; i++)
		if (!(r->codecs[i].flags & SDP_RUN_USED))
			run_drop(r, i);
	if (!c) {
		if (r->codec_count == SDP_RUN_CODECS)
			return;
		c = &r->codecs[r->codec_count++];
		memset(c, 0, sizeof(*c));
		sdp_copy(c->name, sizeof(c->name), sv_of(codec->name));
		c->variant = sdp_codec_variant(codec);
		c->clock_hz = codec->clock_hz;
		c->channels = codec->channels;
	}
	c->pt_recv = (int16_t)pt_recv;
	c->pt_send = (int16_t)pt_send;
	c->flags |= SDP_RUN_USED;
}
void sdp_run_unuse(struct sdp_running *r)
{
	for (size_t i = 0; i < r->codec_count; i++)
		r->codecs[i].flags &= (uint8_t)~SDP_RUN_USED;
}
void sdp_run_answered(struct sdp_running *r, const struct sdp_codec *c)
{
	for (size_t i = 0; i < r->codec_count; i++) {
		struct sdp_run_codec *k = &r->codecs[i];
		if (k->flags & SDP_RUN_USED && k->pt_recv == c->pt_recv && is_named(k, c)) {
			k->pt_send = c->pt_send;
			k->variant = sdp_codec_variant(c);
			return;
		}
	}
}
void sdp_run_choose(struct sdp_running *r, const struct sdp_codec *c)
{
	for (size_t i = 0; i < r->codec_count; i++) {
		struct sdp_run_codec *k = &r->codecs[i];
		k->flags &= (uint8_t)~SDP_RUN_CHOSEN;
		if (k->flags & SDP_RUN_USED && k->pt_recv == c->pt_recv && is_named(k, c))
			k->flags |= SDP_RUN_CHOSEN;
	}
}

/* ---- at rest ---- */

enum { HEAD_BYTES = offsetof(struct sdp_running, codecs) };
/* A codec behind its name. */
enum { TAIL_BYTES = sizeof(struct sdp_run_codec) - offsetof(struct sdp_run_codec, variant) };

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
		p = put(p, &r->codecs[i].variant, TAIL_BYTES);
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
		p = take(p, &r->codecs[i].variant, TAIL_BYTES);
	}
	for (size_t i = 0; i < r->line_count; i++) {
		p = take(p, r->lines[i].kind, strlen((const char *)p) + 1);
		p = take(p, r->lines[i].proto, strlen((const char *)p) + 1);
		p = take(p, &r->lines[i].is_open, sizeof(r->lines[i].is_open));
	}
}
