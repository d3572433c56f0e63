/* Fingerprint and setup lines, both ways. Of several fingerprints the strongest hash counts and a certificate has to
 * match one of that hash (RFC 8122 section 5.1). Roles: an offer says actpass; we answer active, so that the far side's
 * firewall sees us begin, unless it wants that itself; who has a role in an association that goes on keeps it. */
#include "sdp/dtls.h"
#include "sdp/sdp_i.h"
#include <string.h>

static const struct {
	const char *name;
	size_t bytes;
} hashes[] = {[SDP_SHA256] = {"sha-256", 32}, [SDP_SHA384] = {"sha-384", 48}, [SDP_SHA512] = {"sha-512", 64}};
static const char *const setups[] = {[SDP_SETUP_NONE] = "",
    [SDP_SETUP_ACTPASS] = "actpass",
    [SDP_SETUP_ACTIVE] = "active",
    [SDP_SETUP_PASSIVE] = "passive",
    [SDP_SETUP_HOLDCONN] = "holdconn"};

size_t sdp_hash_bytes(enum sdp_hash h)
{
	return hashes[h].bytes;
}

enum sdp_setup sdp_setup_of(struct sv text)
{
	for (int i = SDP_SETUP_ACTPASS; i <= SDP_SETUP_HOLDCONN; i++)
		if (sv_isi(sv_trim(text), setups[i]))
			return (enum sdp_setup)i;
	return SDP_SETUP_NONE;
}

bool sdp_is_dtls_proto(struct sv proto)
{
	return sv_isi(proto, "UDP/TLS/RTP/SAVPF") || sv_isi(proto, "UDP/TLS/RTP/SAVP");
}

static int hex(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
	                              : -1;
}

bool sdp_print_read(struct sv value, enum sdp_hash *hash, uint8_t out[SDP_PRINT_MAX])
{
	struct sv rest = value, name = sdp_word(&rest), text = sdp_word(&rest);
	size_t h = 0;

	while (h < sizeof(hashes) / sizeof(hashes[0]) && !sv_isi(name, hashes[h].name))
		h++;
	if (h == sizeof(hashes) / sizeof(hashes[0]) || text.n != hashes[h].bytes * 3 - 1 || sv_trim(rest).n)
		return false;
	for (size_t i = 0; i < hashes[h].bytes; i++) {
		int high = hex(text.p[3 * i]), low = hex(text.p[3 * i + 1]);
		if (high < 0 || low < 0 || (3 * i + 2 < text.n && text.p[3 * i + 2] != ':'))
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	*hash = (enum sdp_hash)h;
	return true;
}

/* All of one level. */
static bool prints_read(const struct sdp *s, int line, struct sdp_dtls *out, bool *has_any)
{
	for (size_t i = 0; i < s->attr_count; i++) {
		uint8_t bytes[SDP_PRINT_MAX] = {0};
		enum sdp_hash h;
		if (s->attrs[i].media != line || !sv_isi(s->attrs[i].name, "fingerprint"))
			continue;
		*has_any = true;
		if (!sdp_print_read(s->attrs[i].value, &h, bytes) || (out->count && h < out->hash))
			continue;
		if (out->count && h > out->hash)
			out->count = 0;
		out->hash = h;
		if (out->count < SDP_PRINTS_MAX)
			memcpy(out->prints[out->count++], bytes, sizeof(bytes));
	}
	return out->count > 0;
}

static struct sv attr_of(const struct sdp *s, int line, const char *name)
{
	struct sv v = SV_NONE;
	if (!sdp_attr_get(s, line, name, &v))
		(void)sdp_attr_get(s, -1, name, &v);
	return sv_trim(v);
}

bool sdp_dtls_read(const struct sdp *s, int line, struct sdp_dtls *out, const char **why)
{
	bool has_any = false;
	struct sv setup = attr_of(s, line, "setup");
	const char *reason = NULL;

	memset(out, 0, sizeof(*out));
	if (!prints_read(s, line, out, &has_any) && !has_any)
		prints_read(s, -1, out, &has_any);
	out->setup = sdp_setup_of(setup);
	out->tls_id = attr_of(s, line, "tls-id");
	if (!has_any)
		reason = "the secure audio line has no a=fingerprint";
	else if (!out->count)
		reason = "no a=fingerprint of sha-256, sha-384 or sha-512";
	else if (setup.n && !out->setup)
		reason = "a=setup is none of actpass, active, passive";
	else if (out->setup == SDP_SETUP_HOLDCONN)
		reason = "a=setup:holdconn";
	else if (out->tls_id.n > SDP_TLS_ID_MAX)
		reason = "a=tls-id is too long";
	if (why)
		*why = reason;
	return !reason;
}

enum sdp_setup sdp_setup_answer(enum sdp_setup theirs, enum sdp_setup now)
{
	if (theirs == SDP_SETUP_ACTIVE)
		return SDP_SETUP_PASSIVE;
	if (theirs == SDP_SETUP_PASSIVE)
		return SDP_SETUP_ACTIVE;
	return now ? now : SDP_SETUP_ACTIVE;
}

enum sdp_setup sdp_setup_accept(enum sdp_setup theirs)
{
	switch (theirs) {
	case SDP_SETUP_ACTIVE:
	case SDP_SETUP_NONE: /* RFC 4145 section 4: then it begins */
		return SDP_SETUP_PASSIVE;
	case SDP_SETUP_PASSIVE:
		return SDP_SETUP_ACTIVE;
	default:
		return SDP_SETUP_NONE;
	}
}

void sdp_dtls_put(struct buf *b, const struct sdp_dtls_local *l, enum sdp_setup setup)
{
	buf_printf(b, "a=fingerprint:%.*s\r\na=setup:%s\r\n", SVF(l->print), setups[setup]);
}
