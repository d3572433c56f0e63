/* ICE lines of a session description, both ways. A candidate we cannot use (TCP, a name such as a browser's mDNS one,
 * another component) is passed over and counted, never an error: the far side may have better ones. Characters of
 * credentials are ice-char's (RFC 8839 section 5.4), so that they can stand in a STUN user name and in our own SDP. */
#include "sdp/ice.h"
#include "base/mem.h"
#include "sdp/sdp_i.h"
#include <string.h>

static const char *const kinds[] = {
    [SDP_ICE_HOST] = "host", [SDP_ICE_SRFLX] = "srflx", [SDP_ICE_PRFLX] = "prflx", [SDP_ICE_RELAY] = "relay"};

static bool is_ice_text(struct sv v, size_t min)
{
	for (size_t i = 0; i < v.n; i++) {
		char c = v.p[i];
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' ||
		        c == '/' || c == '-' || c == '_' || c == '=')) /* the last three: seen in the field */
			return false;
	}
	return v.n >= min && v.n <= 256;
}

/* foundation component transport priority host port typ kind ... (RFC 8839 section 5.1) */
bool sdp_ice_candidate_read(struct sv value, struct sdp_ice_candidate *out)
{
	struct sv rest = value, foundation = sdp_word(&rest), component = sdp_word(&rest), transport = sdp_word(&rest);
	struct sv priority = sdp_word(&rest), host = sdp_word(&rest), port = sdp_word(&rest), typ = sdp_word(&rest);
	struct sv kind = sdp_word(&rest);
	uint32_t n;

	if (!foundation.n || foundation.n > 32 || !sv_is(component, "1") || !sv_isi(transport, "UDP") ||
	    !sv_isi(typ, "typ") || !sdp_host_kind(host) || sv_u32(port, &n) || !n || n > 65535)
		return false;
	*out = (struct sdp_ice_candidate){.host = host, .port = (uint16_t)n};
	if (sv_u32(priority, &out->priority) || !out->priority)
		return false;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (sv_isi(kind, kinds[i])) {
			out->kind = (enum sdp_ice_kind)i;
			return true;
		}
	return false;
}

static struct sv attr_of(const struct sdp *s, int line, const char *name)
{
	struct sv v = SV_NONE;
	if (!sdp_attr_get(s, line, name, &v))
		(void)sdp_attr_get(s, -1, name, &v);
	return sv_trim(v);
}

static bool has_word(struct sv list, struct sv word)
{
	for (struct sv w = sdp_word(&list); w.n; w = sdp_word(&list))
		if (sv_eq(w, word))
			return true;
	return false;
}

static bool is_bundled(const struct sdp *s, struct sv mid)
{
	for (size_t i = 0; i < s->attr_count && mid.n; i++) {
		struct sv v = s->attrs[i].value, semantics = sdp_word(&v);
		if (s->attrs[i].media < 0 && sv_isi(s->attrs[i].name, "group") && sv_isi(semantics, "BUNDLE") &&
		    has_word(v, mid))
			return true;
	}
	return false;
}

static bool is_token(struct sv v)
{
	for (size_t i = 0; i < v.n; i++)
		if (!sdp_is_token_char(v.p[i]))
			return false;
	return v.n > 0 && v.n <= 64;
}

bool sdp_ice_read(const struct sdp *s, int line, struct sdp_ice *out)
{
	struct sv none;

	memset(out, 0, offsetof(struct sdp_ice, v));
	out->ufrag = attr_of(s, line, "ice-ufrag");
	out->pwd = attr_of(s, line, "ice-pwd");
	if (!is_ice_text(out->ufrag, 4) || !is_ice_text(out->pwd, 22))
		return false;
	(void)sdp_attr_get(s, line, "mid", &out->mid);
	out->mid = sv_trim(out->mid);
	if (!is_token(out->mid))
		out->mid = SV_NONE;
	out->is_bundled = is_bundled(s, out->mid);
	out->is_lite = sdp_attr_get(s, -1, "ice-lite", &none);
	for (size_t i = 0; i < s->attr_count; i++) {
		if (s->attrs[i].media != line || !sv_isi(s->attrs[i].name, "candidate"))
			continue;
		if (out->count < SDP_ICE_CANDIDATES_MAX &&
		    sdp_ice_candidate_read(s->attrs[i].value, &out->v[out->count]))
			out->count++;
		else
			out->passed_over++;
	}
	return true;
}

int sdp_frag_parse(struct sv body, char **text, struct sdp **s)
{
	struct buf b;
	int st;

	buf_init(&b);
	b.max = SDP_TEXT_MAX;
	buf_adds(&b, "v=0\r\n");
	buf_addv(&b, body);
	st = b.failed ? ST_PARSE : sdp_parse_new(buf_sv(&b), s);
	if (st) {
		buf_fini(&b);
		return st;
	}
	*text = buf_take(&b);
	return ST_OK;
}

void sdp_ice_put_session(struct buf *b, const struct sdp_ice_local *l, struct sv mids, bool has_others)
{
	if (l->is_bundled && l->mid.n && !has_others)
		buf_printf(b, "a=group:BUNDLE %.*s%.*s\r\n", SVF(l->mid), SVF(mids));
	if (l->msid.n)
		buf_printf(b, "a=msid-semantic: WMS %.*s\r\n", SVF(l->msid));
	if (l->is_lite)
		buf_adds(b, "a=ice-lite\r\n");
}

/* raddr of a reflexive one is nobody's business (RFC 8839 section 5.1 allows the zeros). */
void sdp_ice_put_media(struct buf *b, const struct sdp_ice_local *l)
{
	if (l->mid.n)
		buf_printf(b, "a=mid:%.*s\r\n", SVF(l->mid));
	if (l->msid.n)
		buf_printf(b, "a=msid:%.*s %c0\r\n", SVF(l->msid), l->track ? l->track : 'a');
	buf_printf(b, "a=ice-ufrag:%.*s\r\na=ice-pwd:%.*s\r\n", SVF(l->ufrag), SVF(l->pwd));
	if (l->is_trickle)
		buf_adds(b, "a=ice-options:trickle\r\n");
	for (size_t i = 0; i < l->count; i++) {
		bool is_6 = sdp_host_kind(l->v[i].host) == 6;
		buf_printf(b, "a=candidate:%zu 1 udp %u %.*s %u typ %s", i + 1, l->v[i].priority, SVF(l->v[i].host),
		    l->v[i].port, kinds[l->v[i].kind]);
		if (l->v[i].kind != SDP_ICE_HOST)
			buf_printf(b, " raddr %s rport 9", is_6 ? "::" : "0.0.0.0");
		buf_adds(b, "\r\n");
	}
	buf_adds(b, "a=end-of-candidates\r\n");
}
