/* One dialog fed with arbitrary descriptions: parsed, written and parsed again to the same; answered under several
 * policies; our offer answered by them. Whatever is written must parse, and an answer must be as long in lines as its
 * offer.
 * Parser: sdp/readdress.c, sdp/sdp.c, sdp/codecs.c, sdp/match.c, sdp/offer.c, sdp/answer.c,
 * sdp/text.c */
#include "base/mem.h"
#include "sdp/sdp.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void want(bool is_true)
{
	if (!is_true)
		abort();
}
static void round_trip(struct sv text, size_t *lines)
{
	struct sdp *a = NULL, *b = NULL;
	struct buf out;

	*lines = 0;
	if (sdp_parse_new(text, &a))
		return;
	*lines = a->media_count;
	buf_init(&out);
	want(sdp_write(a, &out) == ST_OK);
	if (!a->is_cut && out.n <= SDP_TEXT_MAX) {
		want(sdp_parse_new(buf_sv(&out), &b) == ST_OK);
		want(a->media_count == b->media_count && a->format_count == b->format_count &&
		     a->attr_count == b->attr_count);
	}
	buf_fini(&out);
	mem_free(a);
	mem_free(b);
}
static void check_text(const struct buf *b, size_t lines)
{
	struct sdp *s = NULL;
	want(sdp_parse_new(buf_sv(b), &s) == ST_OK);
	want(s->media_count == lines);
	mem_free(s);
}
/* Passed on with our address: it parses, has the same lines, and at most one of them has a port: ours. */
static void readdressed(struct sv text, size_t lines)
{
	struct sdp *s = NULL;
	struct buf out;
	size_t open_count = 0;

	buf_init(&out);
	if (!sdp_readdress(text, SV("192.0.2.1"), 4000, &out) && out.n <= SDP_TEXT_MAX &&
	    !sdp_parse_new(buf_sv(&out), &s)) {
		want(s->media_count <= lines);
		for (size_t i = 0; i < s->media_count; i++) {
			struct sv at = s->media[i].conn.host;
			want(!s->media[i].port || s->media[i].port == 4000);
			want(!at.n || sv_is(at, "192.0.2.1") || sdp_is_nowhere(at));
			open_count += s->media[i].port != 0;
		}
		want(open_count <= 1);
	}
	mem_free(s);
	buf_fini(&out);
}
static void dialog(struct sv text, const struct sdp_policy *p, size_t lines)
{
	struct sdp_running r = {0};
	struct sdp_plan plan;
	struct buf out;

	buf_init(&out);
	if (!sdp_answer_make(text, p, &r, &plan, &out)) {
		struct buf again;
		check_text(&out, lines);
		want(plan.codecs.count > 0 && plan.line < lines && plan.remote_port);
		buf_init(&again);
		want(!sdp_answer_make(text, p, &r, &plan, &again));
		want(sv_eq(buf_sv(&out), buf_sv(&again)));
		buf_fini(&again);
		buf_clear(&out);
		want(!sdp_offer_make(p, &r, &out));
		check_text(&out, lines);
	} else {
		want(out.n == 0 && plan.why && !r.version);
		want(!sdp_offer_make(p, &r, &out));
		check_text(&out, 1);
	}
	if (!sdp_answer_accept(text, p, &r, &plan))
		want(plan.codecs.count > 0 && plan.send.pt_send >= 0 && plan.recv.pt_recv >= 0);
	buf_fini(&out);
}

/* The same with a line of video and one of text beside: whatever becomes of them, every line is answered once. */
static void dialog_of_lines(struct sv text, const struct sdp_policy *of_audio, size_t lines)
{
	struct sdp_codecs video, t140 = {.count = 1};
	struct sdp_policy p = *of_audio, parts_p[2];
	struct sdp_running r = {0}, parts_r[2] = {0};
	struct sdp_plan plan, plans[2] = {0};
	struct sdp_part parts[2];
	struct sv mid;
	struct buf out;

	sdp_codecs_parse_video(SV("H264,VP8,VP9"), &video);
	sdp_codec_init(&t140.v[0], SV("t140"));
	for (size_t i = 0; i < 2; i++) {
		parts_p[i] = (struct sdp_policy){.kind = i ? "text" : "video",
		    .prefs = i ? &t140 : &video,
		    .host = p.host,
		    .port = (uint16_t)(5000 + i),
		    .dtmf_pt = -1,
		    .dir = SDP_SENDRECV,
		    .fb = i ? 0 : 63,
		    .exts = {0, 1, 2, 3, 4},
		    .has_red = true,
		    .has_fec = i == 0,
		    .is_bundled = sdp_offer_is_bundled(text, i ? "text" : "video", &mid)};
		parts[i] = (struct sdp_part){.p = &parts_p[i], .r = &parts_r[i], .plan = &plans[i]};
	}
	p.parts = parts, p.part_count = 2;
	buf_init(&out);
	if (!sdp_answer_make(text, &p, &r, &plan, &out)) {
		check_text(&out, lines);
		for (size_t i = 0; i < 2; i++)
			want(!parts[i].is_taken ||
			     (plans[i].line < lines && plans[i].line != plan.line && plans[i].codecs.count));
		want(!parts[0].is_taken || !parts[1].is_taken || plans[0].line != plans[1].line);
	}
	buf_clear(&out);
	want(!sdp_offer_make(&p, &r, &out));
	buf_clear(&out);
	want(!sdp_offer_make(&p, &r, &out));
	(void)sdp_answer_accept(text, &p, &r, &plan);
	buf_fini(&out);
}

/* A codec string of the configuration: written as FreeSWITCH shows it, it means the same. */
static void codec_string(struct sv text)
{
	struct sdp_codecs a, b;
	struct sdp_codec one;
	enum sdp_mode mode;
	struct sv bad = SV_NONE;
	bool has_video;
	struct buf out;

	sdp_mode_parse(text, &mode);
	if (text.n < 32)
		sdp_codec_init(&one, text);
	if (sdp_codecs_parse(text, &a, &has_video, &bad)) {
		want(bad.n && bad.p >= text.p && bad.p + bad.n <= text.p + text.n);
		return;
	}
	buf_init(&out);
	want(a.count <= SDP_CODECS_MAX && !sdp_codecs_write(&a, &out));
	want(!sdp_codecs_parse(buf_sv(&out), &b, NULL, NULL) && b.count == a.count);
	for (size_t i = 0; i < a.count; i++)
		want(!strcmp(a.v[i].name, b.v[i].name) && a.v[i].ptime_ms == b.v[i].ptime_ms);
	buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv text = {(const char *)data, size};
	struct sdp_codecs prefs, first;
	struct sdp_policy p = {.prefs = &prefs,
	    .host = SV("10.0.0.1"),
	    .port = 4000,
	    .dir = SDP_SENDRECV,
	    .cn_pt = 13,
	    .is_rtcp_mux_allowed = true};
	size_t lines;
	struct buf out;

	sdp_codecs_parse(SV("OPUS,G722,PCMU,PCMA,AMR,iLBC,G729,speex@16000h,L16@16000h"), &prefs, NULL, NULL);
	round_trip(text, &lines);
	readdressed(text, lines);
	dialog(text, &p, lines);
	dialog_of_lines(text, &p, lines);
	if (!sdp_offer_codecs(text, &first)) {
		p.first = &first;
		p.mode = SDP_SCROOGE;
		p.is_all_answered = true;
		dialog(text, &p, lines);
		buf_init(&out);
		sdp_codecs_write(&first, &out);
		buf_fini(&out);
	}
	codec_string(text);
	return 0;
}
