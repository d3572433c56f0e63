/* ICE lines of arbitrary descriptions and of trickled fragments: every candidate taken is numeric, of component 1 and
 * has a port, credentials are of allowed lengths, and what we write of them is read back. Parser: sdp/ice.c */
#include "base/mem.h"
#include "sdp/ice.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(const struct sdp *s)
{
	static struct sdp_ice ice;
	for (int line = -1; line < (int)s->media_count; line++) {
		if (!sdp_ice_read(s, line, &ice))
			continue;
		if (ice.ufrag.n < 4 || ice.ufrag.n > 256 || ice.pwd.n < 22 || ice.pwd.n > 256 || ice.mid.n > 64 ||
		    ice.count > SDP_ICE_CANDIDATES_MAX)
			abort();
		for (size_t i = 0; i < ice.count; i++)
			if (!sdp_host_kind(ice.v[i].host) || !ice.v[i].port || !ice.v[i].priority)
				abort();
		struct sdp_ice_local l = {
		    .ufrag = ice.ufrag, .pwd = ice.pwd, .mid = ice.mid, .is_bundled = ice.is_bundled};
		struct sdp *again;
		struct buf b;
		buf_init(&b);
		buf_adds(&b, "v=0\r\n");
		sdp_ice_put_session(&b, &l, SV_NONE, false);
		buf_adds(&b, "m=audio 9 RTP/AVP 0\r\n");
		sdp_ice_put_media(&b, &l);
		if (b.failed || sdp_parse_new(buf_sv(&b), &again))
			abort();
		static struct sdp_ice back;
		if (!sdp_ice_read(again, 0, &back) || !sv_eq(back.ufrag, ice.ufrag) || !sv_eq(back.mid, ice.mid))
			abort();
		mem_free(again);
		buf_fini(&b);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv text = {(const char *)data, size};
	struct sdp_ice_candidate c;
	char *copy;
	struct sdp *s;

	if (!sdp_parse_new(text, &s)) {
		judge(s);
		mem_free(s);
	}
	if (!sdp_frag_parse(text, &copy, &s)) {
		judge(s);
		mem_free(s);
		mem_free(copy);
	}
	if (sdp_ice_candidate_read(text, &c) && (!sdp_host_kind(c.host) || !c.port))
		abort();
	return 0;
}
