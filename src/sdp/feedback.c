/* What a line says beside its codecs that matters to whoever passes its packets on: RTCP feedback (a=rtcp-fb, RFC 4585
 * and 5104), header extensions by number (a=extmap, RFC 8285), redundancy (RFC 2198), RTCP of reduced size (RFC
 * 5506), bundles (RFC 8843). Only what we pass is known; the rest is not agreed to and so never comes. */
#include "base/check.h"
#include "base/mem.h"
#include "sdp/match_i.h"
#include <string.h>

static const struct {
	uint8_t bit;
	const char *text;
} feedbacks[] = {{SDP_FB_REMB, "goog-remb"}, {SDP_FB_TCC, "transport-cc"}, {SDP_FB_FIR, "ccm fir"},
    {SDP_FB_TMMBR, "ccm tmmbr"}, {SDP_FB_NACK, "nack"}, {SDP_FB_PLI, "nack pli"}};

static const char *const uris[SDP_EXT_COUNT] = {[SDP_EXT_MID] = "urn:ietf:params:rtp-hdrext:sdes:mid",
    [SDP_EXT_ABS_TIME] = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    [SDP_EXT_TCC] = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
    [SDP_EXT_ORIENTATION] = "urn:3gpp:video-orientation",
    [SDP_EXT_TOFFSET] = "urn:ietf:params:rtp-hdrext:toffset"};

/* "96 nack pli" of this payload number or of all */
uint8_t sdp_fb_read(const struct sdp *s, int line, int pt)
{
	uint8_t fb = 0;

	for (size_t i = 0; i < s->attr_count; i++) {
		struct sv rest = s->attrs[i].value, word;
		uint32_t n;
		if (s->attrs[i].media != line || !sv_isi(s->attrs[i].name, "rtcp-fb"))
			continue;
		word = sdp_word(&rest);
		if (!sv_is(word, "*") && (sv_u32(word, &n) || (int)n != pt))
			continue;
		rest = sv_trim(rest);
		for (size_t k = 0; k < ARRAY_COUNT(feedbacks); k++)
			if (sv_isi(rest, feedbacks[k].text) ||
			    (feedbacks[k].bit == SDP_FB_TMMBR && sv_startsi(rest, SV("ccm tmmbr "))))
				fb |= feedbacks[k].bit;
	}
	return fb;
}

/* "3/recvonly URI parameters"; a number that is used twice means the first. */
void sdp_exts_read(const struct sdp *s, int line, uint8_t out[SDP_EXT_COUNT])
{
	uint32_t taken = 0;

	memset(out, 0, SDP_EXT_COUNT);
	for (size_t i = 0; i < s->attr_count; i++) {
		struct sv rest = s->attrs[i].value, id, dir;
		uint32_t n;
		if (s->attrs[i].media != line || !sv_isi(s->attrs[i].name, "extmap"))
			continue;
		sv_split(sdp_word(&rest), '/', &id, &dir);
		if (sv_u32(id, &n) || !n || n > SDP_EXT_ID_MAX || taken >> n & 1)
			continue;
		taken |= 1u << n;
		struct sv uri = sdp_word(&rest);
		for (size_t k = 0; k < SDP_EXT_COUNT; k++)
			if (!out[k] && sv_is(uri, uris[k]))
				out[k] = (uint8_t)n;
	}
}

int sdp_helper_pt(const struct sdp *s, const struct sdp_media *m, const char *name, uint32_t clock_hz)
{
	for (unsigned i = 0; i < m->format_count; i++) {
		const struct sdp_format *f = &s->formats[m->format_first + i];
		if (f->pt >= 0 && sv_isi(f->name, name) && f->clock_hz == clock_hz)
			return f->pt;
	}
	return -1;
}

void sdp_beside_read(const struct sdp *s, size_t line, const struct sdp_policy *p, struct sdp_plan *plan)
{
	const struct sdp_media *m = &s->media[line];
	uint32_t clock_hz = plan->send.clock_hz;
	struct sv none;

	if (!p->kind && !p->has_red) { /* audio has nothing of it */
		plan->fb = 0, plan->is_rsize = false;
		plan->red_send = plan->red_recv = plan->fec_send = plan->fec_recv = -1;
		memset(plan->exts, 0, sizeof(plan->exts));
		return;
	}
	plan->fb = plan->send.pt_send >= 0 ? sdp_fb_read(s, (int)line, plan->send.pt_send) & p->fb : 0;
	sdp_exts_read(s, (int)line, plan->exts);
	for (size_t i = 0; i < SDP_EXT_COUNT; i++)
		if (!p->exts[i])
			plan->exts[i] = 0;
	plan->red_send = (int16_t)(p->has_red ? sdp_helper_pt(s, m, "red", clock_hz) : -1);
	plan->fec_send = (int16_t)(p->has_red && p->has_fec ? sdp_helper_pt(s, m, "ulpfec", clock_hz) : -1);
	if (p->has_fec && (plan->red_send < 0 || plan->fec_send < 0)) /* one is nothing without the other */
		plan->red_send = plan->fec_send = -1;
	plan->red_recv = plan->red_send, plan->fec_recv = plan->fec_send;
	plan->is_rsize = plan->fb && sdp_attr_get(s, (int)line, "rtcp-rsize", &none);
}

void sdp_beside_put(struct buf *b, int pt, uint8_t fb, const uint8_t exts[SDP_EXT_COUNT], bool is_rsize)
{
	for (size_t i = 0; i < ARRAY_COUNT(feedbacks); i++)
		if (fb & feedbacks[i].bit)
			buf_printf(b, "a=rtcp-fb:%d %s\r\n", pt, feedbacks[i].text);
	for (size_t i = 0; i < SDP_EXT_COUNT; i++)
		if (exts[i])
			buf_printf(b, "a=extmap:%u %s\r\n", exts[i], uris[i]);
	if (is_rsize)
		buf_adds(b, "a=rtcp-rsize\r\n");
}

bool sdp_is_bundled(const struct sdp *s, int line, int with)
{
	struct sv mid = SV_NONE, first = SV_NONE;

	if (!sdp_attr_get(s, line, "mid", &mid) || !sdp_attr_get(s, with, "mid", &first))
		return false;
	mid = sv_trim(mid), first = sv_trim(first);
	for (size_t i = 0; i < s->attr_count; i++) {
		struct sv v = s->attrs[i].value, w, semantics = sdp_word(&v);
		bool has_mid = false, has_first = false;
		if (s->attrs[i].media >= 0 || !sv_isi(s->attrs[i].name, "group") || !sv_isi(semantics, "BUNDLE"))
			continue;
		while ((w = sdp_word(&v)).n)
			has_mid |= sv_eq(w, mid), has_first |= sv_eq(w, first);
		if (has_mid && has_first && !sv_eq(mid, first))
			return true;
	}
	return false;
}

/* -1: there is none */
static int open_line(const struct sdp *s, const char *kind)
{
	struct sv none;
	for (size_t i = 0; i < s->media_count; i++)
		if (sv_isi(s->media[i].kind, kind) &&
		    (s->media[i].port || sdp_attr_get(s, (int)i, "bundle-only", &none)))
			return (int)i;
	return -1;
}

bool sdp_offer_is_bundled(struct sv offer, const char *kind, struct sv *mid)
{
	struct sdp *s;
	bool is_it;

	if (sdp_parse_new(offer, &s))
		return false;
	int audio = open_line(s, "audio"), line = open_line(s, kind);
	is_it = audio >= 0 && line >= 0 && sdp_is_bundled(s, line, audio) && sdp_attr_get(s, line, "mid", mid);
	if (is_it)
		*mid = sv_trim(*mid);
	for (unsigned i = 0; is_it && i < s->media[audio].format_count; i++)
		for (unsigned k = 0; k < s->media[line].format_count; k++)
			is_it &= s->formats[s->media[audio].format_first + i].pt < 0 ||
			         s->formats[s->media[audio].format_first + i].pt !=
			             s->formats[s->media[line].format_first + k].pt;
	mem_free(s);
	return is_it;
}
