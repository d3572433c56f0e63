/* The parser by tables, codec strings, and the offer/answer transcripts. */
#include "base/check.h"
#include "base/mem.h"
#include "cases.h"
#include "harness.h"
#include "sdp/sdp.h"
#include <stdio.h>
#include <string.h>

static int test_cases(void)
{
	char dir[1024];
	int count = 0;
	snprintf(dir, sizeof(dir), "%s/sdp", test_data_dir());
	if (sdp_cases_run(dir, &count))
		return -1;
	EXPECT(count >= 80);
	return 0;
}

static int test_parse_status(void)
{
	static const struct {
		const char *text;
		int status;
	} rows[] = {
	    {"", ST_PARSE},
	    {"\r\n\r\n", ST_PARSE},
	    {"v=1\r\n", ST_PARSE},
	    {"v=0", ST_OK},
	    {"o=- 1 1 IN IP4 1.1.1.1\r\nv=0\r\n", ST_PARSE},
	    {"v=0\r\nm=audio 65536 RTP/AVP 0\r\n", ST_PARSE},
	    {"v=0\r\nm=audio -1 RTP/AVP 0\r\n", ST_PARSE},
	    {"v=0\r\nm=audio 1\r\n", ST_PARSE},
	    {"v=0\r\nm=audio 1 RTP/AVP\r\n", ST_OK},
	    {"v=0\r\nm=audio 1/2 RTP/AVP 0\r\n", ST_OK},
	    {"v=0\r\nc=IN IP4\r\n", ST_PARSE},
	    {"v=0\r\nc=ATM NSAP 47.0091\r\n", ST_PARSE},
	    {"v=0\r\nX=upper\r\n", ST_PARSE},
	    {"v=0\r\nno equal sign\r\n", ST_PARSE},
	    {"v=0\r\na=x\ry\r\n", ST_PARSE},
	    {"v=0\nx=unknown\n\na=y\n", ST_OK},
	};
	struct sdp s;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		if (sdp_parse(sv_of(rows[i].text), &s) != rows[i].status) {
			test_fail(__FILE__, __LINE__, "row %zu is not %s", i, status_text(rows[i].status));
			return -1;
		}
	EXPECT_INT(sdp_parse((struct sv){"v=0\r\ns=\0\r\n", 9}, &s), ST_PARSE);
	return 0;
}

static int test_parse_fields(void)
{
	static const char text[] =
	    "v=0\r\no=alice 289 290 IN IP6 2001:db8::1\r\ns=Call\r\nc=IN IP6 2001:db8::1\r\nt=0 0\r\n"
	    "a=sendonly\r\na=tool:x y\r\n"
	    "m=audio 4000 RTP/AVP 0 96 9 x\r\nb=AS:64\r\na=rtpmap:96 opus/48000/2\r\n"
	    "a=fmtp:96  useinbandfec=1; stereo=0 \r\na=ptime:30\r\na=maxptime:60\r\n"
	    "a=rtcp:53020 IN IP4 126.16.64.4\r\na=rtcp-mux\r\n"
	    "m=video 0 RTP/SAVPF 97\r\nc=IN IP4 224.2.1.1/127/3\r\na=recvonly\r\na=rtpmap:97 H264/90000\r\n"
	    "m=image 5002 udptl t38\r\n";
	struct sdp s;
	struct sv v;

	EXPECT_INT(sdp_parse(sv_of(text), &s), ST_OK);
	EXPECT(sv_is(s.origin_user, "alice") && sv_is(s.origin_id, "289") && sv_is(s.origin_version, "290"));
	EXPECT(sv_is(s.origin_host, "2001:db8::1") && sv_is(s.name, "Call"));
	EXPECT_INT(s.media_count, 3);
	EXPECT(sv_is(s.media[0].conn.host, "2001:db8::1") && s.media[0].conn.is_ip6);
	EXPECT_INT(s.media[0].dir, SDP_SENDONLY);
	EXPECT_INT(s.media[0].ptime_ms, 30);
	EXPECT_INT(s.media[0].maxptime_ms, 60);
	EXPECT_INT(s.media[0].rtcp_port, 53020);
	EXPECT(sv_is(s.media[0].rtcp_host, "126.16.64.4") && s.media[0].is_rtcp_mux);
	EXPECT_INT(s.media[0].bandwidth_as_kbit, 64);
	EXPECT_INT(s.media[0].format_count, 4);
	EXPECT(sv_is(s.formats[0].name, "PCMU") && s.formats[0].clock_hz == 8000);
	EXPECT(sv_is(s.formats[1].name, "opus") && s.formats[1].clock_hz == 48000 && s.formats[1].channels == 2);
	EXPECT(sv_is(s.formats[1].fmtp, "useinbandfec=1; stereo=0"));
	EXPECT(sv_is(s.formats[2].name, "G722") && s.formats[2].clock_hz == 8000);
	EXPECT_INT(s.formats[3].pt, -1);
	EXPECT_INT(s.media[1].dir, SDP_RECVONLY);
	EXPECT(sv_is(s.media[1].conn.host, "224.2.1.1"));
	EXPECT(sv_is(s.formats[s.media[2].format_first].text, "t38") && s.formats[s.media[2].format_first].pt == -1);
	EXPECT(sdp_attr_get(&s, -1, "tool", &v) && sv_is(v, "x y"));
	EXPECT(!sdp_attr_get(&s, 0, "tool", &v));
	return 0;
}

/* What is written parses to the same. */
static int test_write(void)
{
	static const char text[] =
	    "v=0\r\no=- 1 2 IN IP4 1.2.3.4\r\ns=-\r\nc=IN IP4 1.2.3.4\r\nt=0 0\r\na=group:BUNDLE 0\r\n"
	    "m=audio 9 RTP/SAVPF 111 0\r\nc=IN IP4 0.0.0.0\r\nb=AS:80\r\na=mid:0\r\n"
	    "a=candidate:1 1 udp 2122260223 192.0.2.1 54400 typ host\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 "
	    "inline:abc\r\na=setup:actpass\r\na=ssrc:5 cname:x\r\n";
	struct sdp s;
	struct buf b;

	buf_init(&b);
	EXPECT_INT(sdp_parse(sv_of(text), &s), ST_OK);
	EXPECT_INT(sdp_write(&s, &b), ST_OK);
	EXPECT_STR(b.p, text);
	buf_fini(&b);
	return 0;
}

static int test_bounds(void)
{
	struct sdp *s = NULL;
	struct buf b;
	int st[4];

	buf_init(&b);
	buf_adds(&b, "v=0\r\n");
	for (int i = 0; i < SDP_MEDIA_MAX; i++)
		buf_adds(&b, "m=audio 0 RTP/AVP 0\r\n");
	st[0] = sdp_parse_new(buf_sv(&b), &s);
	mem_free(s);
	buf_adds(&b, "m=audio 0 RTP/AVP 0\r\n");
	st[1] = sdp_parse_new(buf_sv(&b), &s);
	buf_clear(&b);
	buf_adds(&b, "v=0\r\nm=audio 4 RTP/AVP");
	for (int i = 0; i < 500; i++)
		buf_printf(&b, " %d", i % 128);
	buf_adds(&b, "\r\n");
	for (int i = 0; i < 2000; i++)
		buf_printf(&b, "a=x%d:y\r\n", i);
	st[2] = sdp_parse_new(buf_sv(&b), &s);
	EXPECT_INT(st[2], ST_OK);
	EXPECT_INT(s->media[0].format_count, SDP_FORMATS_MAX);
	EXPECT_INT(s->attr_count, SDP_ATTRS_MAX);
	EXPECT(s->is_cut);
	mem_free(s);
	while (b.n <= SDP_TEXT_MAX)
		buf_adds(&b, "a=filling the text up to its bound\r\n");
	st[3] = sdp_parse_new(buf_sv(&b), &s);
	buf_fini(&b);
	EXPECT_INT(st[0], ST_OK);
	EXPECT_INT(st[1], ST_PARSE);
	EXPECT_INT(st[3], ST_PARSE);
	return 0;
}

static int test_hosts(void)
{
	static const struct {
		const char *text;
		int kind;
	} rows[] = {{"1.2.3.4", 4}, {"0.0.0.0", 4}, {"1.2.3", 0}, {"256.1.1.1", 0}, {"::", 6}, {"2001:db8::1", 6},
	    {"fe80::1%eth0", 0}, {"", 0}, {"pbx.example.com", 0}, {"1.2.3.4 ", 0}};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		EXPECT_INT(sdp_host_kind(sv_of(rows[i].text)), rows[i].kind);
	return 0;
}

static int test_codec_strings(void)
{
	static const struct {
		const char *text, *want; /* want NULL = ST_PARSE */
	} rows[] = {
	    {"", ""},
	    {" , ,", ""},
	    {"OPUS,G722,PCMU,PCMA,H264,VP8", "opus@48000h@2c,G722@8000h@1c,PCMU@8000h@1c,PCMA@8000h@1c"},
	    {"PCMU@20i", "PCMU@8000h@20i@1c"},
	    {"PCMA@8000h@20i@64000b@1c", "PCMA@8000h@20i@64000b@1c"},
	    {"CORE_PCM_MODULE.PCMU@8000h@20i@64000b", "PCMU@8000h@20i@64000b@1c"},
	    {"mod_opus.opus@48000h@10i@1c", "opus@48000h@10i@2c"},
	    {"opus@16000h", "opus@48000h@2c"},
	    {"G722@16000h", "G722@8000h@1c"},
	    {"speex@16000h,SPEEX", "speex@16000h@1c,speex@8000h@1c"},
	    {"L16@16000h,L16@44100h@2c", "L16@16000h@1c,L16@44100h@2c"},
	    {"AMR~octet-align=1;mode-set=7@30i", "AMR~octet-align=1;mode-set=7@8000h@30i@1c"},
	    {"AAL2-G726-32", "AAL2-G726-32@8000h@1c"},
	    {"FOO@12000h", "FOO@12000h@1c"},
	    {"PCMU@20", NULL},
	    {"PCMU@", "PCMU@8000h@1c"},
	    {"PCMU@20x", NULL},
	    {"PCMU@0i", NULL},
	    {"PCMU@99999i", NULL},
	    {"PCMU@4294967296h", NULL},
	    {"PCMU@h", NULL},
	    {"@20i", NULL},
	    {"PC MU", NULL},
	    {"a/b", NULL},
	    {"name-that-is-much-too-long-for-a-codec", NULL},
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct sdp_codecs list;
		struct buf b;
		int st = sdp_codecs_parse(sv_of(rows[i].text), &list, NULL, NULL);
		buf_init(&b);
		if (!st)
			sdp_codecs_write(&list, &b);
		if ((st == ST_OK) != (rows[i].want != NULL) || (!st && !sv_is(buf_sv(&b), rows[i].want))) {
			test_fail(__FILE__, __LINE__, "\"%s\" gives %s \"%.*s\"", rows[i].text, status_text(st),
			    SVF(buf_sv(&b)));
			buf_fini(&b);
			return -1;
		}
		buf_fini(&b);
	}
	return 0;
}
static int test_codec_string_more(void)
{
	struct sdp_codecs list;
	struct sv bad = SV_NONE;
	bool has_video = true;
	struct buf b;
	int st;

	EXPECT_INT(sdp_codecs_parse(SV("PCMU,PCMA@oops"), &list, &has_video, &bad), ST_PARSE);
	EXPECT(sv_is(bad, "PCMA@oops"));
	EXPECT_INT(sdp_codecs_parse(SV("PCMU"), &list, &has_video, &bad), ST_OK);
	EXPECT(!has_video);
	EXPECT_INT(sdp_codecs_parse(SV("PCMU,vp8"), &list, &has_video, &bad), ST_OK);
	EXPECT(has_video && list.count == 1);
	EXPECT_INT(list.v[0].pt_recv, 0);
	sdp_codecs_parse(SV("G722,opus@16000h"), &list, NULL, NULL);
	EXPECT_INT(list.v[0].rate_hz, 16000);
	EXPECT_INT(list.v[0].clock_hz, 8000);
	EXPECT_INT(list.v[1].rate_hz, 16000);
	EXPECT_INT(list.v[1].pt_recv, -1);
	buf_init(&b);
	for (int i = 0; i < 100; i++)
		buf_printf(&b, "C%d,", i);
	st = sdp_codecs_parse(buf_sv(&b), &list, NULL, NULL);
	buf_fini(&b);
	EXPECT_INT(st, ST_OK);
	EXPECT_INT(list.count, SDP_CODECS_MAX);
	return 0;
}
static int test_same(void)
{
	static const struct {
		const char *a, *b;
		bool is_same;
	} rows[] = {
	    {"PCMU", "pcmu@30i", true},
	    {"PCMU", "PCMA", false},
	    {"L16@8000h", "L16@16000h", false},
	    {"L16@44100h", "L16@44100h@2c", false},
	    {"opus~useinbandfec=1", "opus", true},
	    {"G729~annexb=yes", "G729", true},
	    {"AMR~octet-align=1", "AMR", false},
	    {"AMR~octet-align=0", "AMR", true},
	    {"AMR~mode-set=7; octet-align=1", "AMR~octet-align=1", true},
	    {"iLBC~mode=30", "iLBC", true},
	    {"iLBC~mode=20", "iLBC", false},
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct sdp_codecs a, b;
		sdp_codecs_parse(sv_of(rows[i].a), &a, NULL, NULL);
		sdp_codecs_parse(sv_of(rows[i].b), &b, NULL, NULL);
		if (sdp_codec_is_same(&a.v[0], &b.v[0]) != rows[i].is_same ||
		    sdp_codec_is_same(&b.v[0], &a.v[0]) != rows[i].is_same) {
			test_fail(__FILE__, __LINE__, "%s and %s", rows[i].a, rows[i].b);
			return -1;
		}
	}
	return 0;
}

static const char plain_offer[] = "v=0\r\no=- 1 1 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\n"
                                  "m=audio 8000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n";

/* Forms that differ on the wire have different numbers; what is said without a form is its default. */
static int test_variants(void)
{
	static const char *const rows[][6] = {
	    {"AMR", "octet-align=0", "octet-align=1", "octet-align=1;interleaving=30", NULL},
	    {"iLBC", "mode=30", "mode=20", NULL},
	    {"G7221", "bitrate=32000", "bitrate=24000", "bitrate=48000", NULL},
	    {"CODEC2", "mode=2400", "mode=3200", "mode=1300", "mode=700C", NULL},
	};
	struct sdp_codec c, d;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		sdp_codec_init(&c, sv_of(rows[i][0]));
		d = c;
		EXPECT(sdp_codec_has_variants(&c));
		snprintf(d.fmtp, sizeof(d.fmtp), "%s", rows[i][1]);
		EXPECT_INT(sdp_codec_variant(&c), sdp_codec_variant(&d));
		for (size_t k = 1; rows[i][k]; k++)
			for (size_t n = k + 1; rows[i][n]; n++) {
				snprintf(c.fmtp, sizeof(c.fmtp), "%s", rows[i][k]);
				snprintf(d.fmtp, sizeof(d.fmtp), "%s", rows[i][n]);
				EXPECT(sdp_codec_variant(&c) != sdp_codec_variant(&d));
				EXPECT(!sdp_codec_is_same(&c, &d));
			}
	}
	sdp_codec_init(&c, SV("H264"));
	EXPECT(!sdp_codec_has_variants(&c) && !sdp_codec_variant(&c));
	sdp_codec_init(&c, SV("iLBC"));
	sdp_codec_form(&c);
	EXPECT(sv_is(sv_of(c.fmtp), "mode=30"));
	return 0;
}

static int test_failure_leaves_all(void)
{
	struct sdp_codecs prefs;
	struct sdp_policy p = {.prefs = &prefs, .host = SV("10.0.0.1"), .port = 4000, .dir = SDP_SENDRECV};
	struct sdp_running r, zero;
	struct sdp_plan plan;
	struct buf out;

	memset(&r, 0, sizeof(r)); /* padding too: it is compared */
	memset(&zero, 0, sizeof(zero));
	EXPECT(sizeof(r) < 1024);
	sdp_codecs_parse(SV("G729"), &prefs, NULL, NULL);
	buf_init(&out);
	EXPECT_INT(sdp_answer_make(sv_of(plain_offer), &p, &r, &plan, &out), ST_UNSUPPORTED);
	EXPECT(!memcmp(&r, &zero, sizeof(r)) && out.n == 0 && plan.why);
	p.host = SV("name.example");
	EXPECT_INT(sdp_offer_make(&p, &r, &out), ST_INVAL);
	p.host = SV("10.0.0.1");
	p.port = 0;
	EXPECT_INT(sdp_offer_make(&p, &r, &out), ST_INVAL);
	p.port = 4000;
	prefs.count = 0;
	EXPECT_INT(sdp_offer_make(&p, &r, &out), ST_INVAL);
	EXPECT_INT(sdp_answer_accept(sv_of(plain_offer), &p, &r, &plan), ST_INVAL);
	EXPECT(!memcmp(&r, &zero, sizeof(r)) && out.n == 0);
	buf_fini(&out);
	return 0;
}
static int test_plan_only(void)
{
	struct sdp_codecs prefs, list;
	struct sdp_policy p = {.prefs = &prefs, .host = SV("10.0.0.1"), .port = 4000, .dir = SDP_SENDRECV};
	const struct sdp_running r = {0};
	struct sdp_plan plan;
	struct buf b;

	sdp_codecs_parse(SV("PCMA,PCMU"), &prefs, NULL, NULL);
	EXPECT_INT(sdp_answer_plan(sv_of(plain_offer), &p, &r, &plan), ST_OK);
	EXPECT_STR(plan.send.name, "PCMU");
	EXPECT_INT(plan.dtmf_send_pt, 101);
	EXPECT_INT(sdp_offer_codecs(sv_of(plain_offer), &list), ST_OK);
	buf_init(&b);
	sdp_codecs_write(&list, &b);
	EXPECT_STR(b.p, "PCMU@8000h@20i@1c");
	buf_fini(&b);
	return 0;
}
/* Out of memory anywhere: an error or a result, no leak, nothing half done. */
static int test_oom(void)
{
	struct sdp_codecs prefs;
	struct sdp_policy p = {.prefs = &prefs, .host = SV("10.0.0.1"), .port = 4000, .dir = SDP_SENDRECV};
	struct sdp_running r, zero;
	struct sdp_plan plan;
	struct buf out;
	int st, st2;
	bool is_clean;

	memset(&r, 0, sizeof(r)); /* padding too: it is compared */
	memset(&zero, 0, sizeof(zero));
	sdp_codecs_parse(SV("PCMA,PCMU"), &prefs, NULL, NULL);
	buf_init(&out);
	st = sdp_answer_make(sv_of(plain_offer), &p, &r, &plan, &out);
	is_clean = !st || !memcmp(&r, &zero, sizeof(r));
	st2 = sdp_offer_make(&p, &r, &out);
	buf_fini(&out);
	EXPECT(is_clean);
	EXPECT_INT(st, ST_OK);
	EXPECT_INT(st2, ST_OK);
	return 0;
}

/* ---- against what FreeSWITCH answered in recorded calls ---- */

struct scene {
	struct sdp_running running;
	struct buf ours, theirs;
	int compared;
};
/* The text of one message's body with the numbers that differ from run to run taken over from the recording. */
static int compare(struct scene *z, struct sv offer, struct sv recorded)
{
	struct sdp_codecs prefs;
	struct sdp_plan plan;
	struct sdp *s = NULL;
	uint64_t id = 0, version = 0;
	bool is_same;

	EXPECT_INT(sdp_parse_new(recorded, &s), ST_OK);
	sv_u64(s->origin_id, &id);
	sv_u64(s->origin_version, &version);
	sdp_codecs_parse(SV("OPUS,G722,PCMU,PCMA,H264,VP8"), &prefs, NULL, NULL);
	{
		struct sdp_policy p = {.prefs = &prefs,
		    .host = s->conn.host,
		    .port = s->media_count ? s->media[0].port : 0,
		    .dir = SDP_SENDRECV,
		    .session_id = id};
		buf_clear(&z->ours);
		EXPECT_INT(sdp_answer_make(offer, &p, &z->running, &plan, &z->ours), ST_OK);
	}
	is_same = sv_eq(buf_sv(&z->ours), recorded);
	if (!is_same)
		test_fail(__FILE__, __LINE__, "ours:\n%.*s\nrecorded:\n%.*s", SVF(buf_sv(&z->ours)), SVF(recorded));
	mem_free(s);
	z->compared++;
	return is_same ? 0 : -1;
}
/* Walks the recording of one phone: each INVITE it sends with a body, then the 200 it receives. */
static int walk_scene(struct scene *z, struct sv text, const char *who)
{
	struct sv line, offer = SV_NONE;
	char sends[64], receives[64];
	bool is_invite = false, is_ok = false;
	int where = 0; /* 1 = the phone sends, 2 = it receives */

	snprintf(sends, sizeof(sends), "(%s sends)", who);
	snprintf(receives, sizeof(receives), "(%s receives)", who);
	while (text.n) {
		sv_split(text, '\n', &line, &text);
		if (sv_starts(line, SV("---- "))) {
			bool is_out = memmem(line.p, line.n, sends, strlen(sends)) != NULL;
			where = is_out ? 1 : memmem(line.p, line.n, receives, strlen(receives)) ? 2 : 0;
			sv_split(text, '\n', &line, &text);
			is_invite = sv_starts(line, SV("INVITE "));
			is_ok = sv_starts(line, SV("SIP/2.0 200"));
		} else if (sv_starts(line, SV("v=0"))) {
			buf_clear(&z->theirs);
			for (; line.n && !sv_starts(line, SV("----")); sv_split(text, '\n', &line, &text))
				buf_printf(&z->theirs, "%.*s\r\n", SVF(sv_trim(line)));
			if (where == 1 && is_invite) {
				mem_free((void *)(uintptr_t)offer.p);
				offer = (struct sv){sv_dup(buf_sv(&z->theirs)), z->theirs.n};
			} else if (where == 2 && is_ok && offer.n && compare(z, offer, buf_sv(&z->theirs))) {
				mem_free((void *)(uintptr_t)offer.p);
				return -1;
			}
		}
	}
	mem_free((void *)(uintptr_t)offer.p);
	return 0;
}
static int test_recorded(void)
{
	static const char *const scenes[] = {"hold-resume.txt", "call-caller-hangs-up.txt", "call-callee-hangs-up.txt"};
	struct buf text;

	if (!test_shared_dir()) {
		test_skip(TEST_NO_SHARED);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_COUNT(scenes); i++) {
		struct scene z = {0};
		char path[1024], chunk[4096];
		size_t n;
		int rc;
		FILE *f;
		snprintf(path, sizeof(path), "%s/golden/sip/%s", test_shared_dir(), scenes[i]);
		f = fopen(path, "rb");
		EXPECT(f);
		buf_init(&text);
		buf_init(&z.ours);
		buf_init(&z.theirs);
		while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
			buf_add(&text, chunk, n);
		fclose(f);
		rc = walk_scene(&z, buf_sv(&text), "UA-1000");
		buf_fini(&text);
		buf_fini(&z.ours);
		buf_fini(&z.theirs);
		if (rc)
			return -1;
		EXPECT(z.compared >= (i == 0 ? 3 : 1));
	}
	return 0;
}

/* Passed on by us: no address, port or candidate of the far side's goes through, however its line is written. */
static int test_readdress(void)
{
	static const char text[] =
	    "v=0\r\no=-\t1  1 IN IP4 10.0.0.2\r\ns= \r\n\rc=IN  IP4 10.0.0.2\r\nt=0 0\r\nm= audio\t4002 RTP/AVP 0\r\n"
	    "a= candidate:1 1 UDP 1 10.0.0.3 5 typ host\r\na=record:off\n\rm=audio 7078 RTP/AVP 8\r\n a=rtcp:5 IN IP4 "
	    "10.0.0.4\r\n";
	struct buf out;
	buf_init(&out);
	EXPECT_INT(sdp_readdress(SV(text), SV("192.0.2.1"), 4000, &out), ST_OK);
	EXPECT(sv_is(buf_sv(&out), "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns= \r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
	                           "m=audio 4000 RTP/AVP 0\r\na=record:off\r\nm=audio 0 RTP/AVP 8\r\n"));
	buf_fini(&out);
	return 0;
}

/* An address that holds goes through as it is, in either family. */
static int test_readdress_hold(void)
{
	static const struct {
		const char *conn;
		bool stays;
	} cases[] = {{"IN IP4 0.0.0.0", true}, {"IN IP6 ::", true}, {"IN IP6 0::0", true},
	    {"IN IP6 0:0:0:0:0:0:0:0", true}, {"IN IP6 ::1", false}, {"IN IP4 0.0.0.1", false}, {"IN IP6 ", false}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf in, out, want;
		buf_init(&in), buf_init(&out), buf_init(&want);
		buf_printf(&in, "v=0\r\no=- 1 1 IN IP4 10.0.0.2\r\ns=-\r\nt=0 0\r\nm=audio 4002 RTP/AVP 0\r\nc=%s\r\n",
		    cases[i].conn);
		buf_printf(&want, "\r\nc=%s\r\n", cases[i].stays ? cases[i].conn : "IN IP4 192.0.2.1");
		int st = sdp_readdress(buf_sv(&in), SV("192.0.2.1"), 4000, &out);
		EXPECT(st == ST_PARSE || memmem(out.p, out.n, want.p, want.n));
		EXPECT(!st || !cases[i].stays);
		buf_fini(&in), buf_fini(&out), buf_fini(&want);
	}
	return 0;
}

#define ONE "v=0\r\no=- 1 1 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\nm=audio 4002 RTP/AVP 0\r\n"

/* What is passed on has as many lines as were said before, the added ones refused. */
static int test_lines_keep(void)
{
	const struct sv before[] = {
	    SV(ONE), SV_NONE, SV(ONE "m=video 4 RTP/AVP 96\r\nm=image 5 udptl t38\r\n"), SV("none")};
	struct buf out;

	buf_init(&out);
	EXPECT_INT(sdp_lines_keep(sv_sub(SV(ONE), 0, sizeof(ONE) - 3), before, 4, &out), ST_OK); /* without its CRLF */
	EXPECT(sv_is(buf_sv(&out), ONE "m=video 0 RTP/AVP 19\r\nm=image 0 udptl t38\r\n"));
	buf_fini(&out);
	buf_init(&out);
	EXPECT_INT(sdp_lines_keep(before[2], before, 4, &out), ST_OK);
	EXPECT(sv_eq(buf_sv(&out), before[2]));
	buf_fini(&out);
	return 0;
}

/* An offer of ours in a dialog in which others spoke: sound where theirs was, the other lines refused. */
static int test_lines_passed(void)
{
	static const struct {
		const char *said, *want;
		enum sdp_secure_mode mode;
	} cases[] = {
	    {ONE "m=video 4 RTP/AVP 96\r\n", "m=audio 9 RTP/AVP 0;m=video 0 RTP/AVP 19;", SDP_SECURE_NONE},
	    {"v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\nc=IN IP4 1.2.3.4\r\nt=0 0\r\nm=video 4 RTP/AVP 96\r\n"
	     "m=audio 0 RTP/AVP 0\r\nm=audio 6 UDP/TLS/RTP/SAVPF 0\r\n",
	        "m=video 0 RTP/AVP 19;m=audio 0 RTP/AVP 19;m=audio 9 RTP/AVP 0;", SDP_SECURE_NONE},
	    {ONE "m=video 4 RTP/AVP 96\r\n", "m=audio 9 RTP/SAVP 0;m=video 0 RTP/AVP 19;m=audio 9 RTP/AVP 0;",
	        SDP_SECURE_OPTIONAL},
	    {ONE, "m=audio 9 RTP/SAVP 0;", SDP_SECURE_ONLY},
	};
	struct sdp_codecs prefs = {.count = 1};
	struct sdp_secure secure = {.count = 1,
	    .keys = {{.tag = 1,
	        .suite = SV("AES_CM_128_HMAC_SHA1_80"),
	        .also = SV("AES_CM_128_HMAC_SHA1_80"),
	        .key_n = 30}}};

	sdp_codec_init(&prefs.v[0], SV("PCMU"));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sdp_policy p = {
		    .prefs = &prefs, .host = SV("192.0.2.1"), .port = 9, .dtmf_pt = -1, .dir = SDP_SENDRECV};
		struct sdp_running r = {0};
		struct buf out, lines;
		struct sv line, rest;
		secure.mode = cases[i].mode;
		p.secure = secure.mode ? &secure : NULL;
		buf_init(&out), buf_init(&lines);
		sdp_running_passed(&r, sv_of(cases[i].said));
		EXPECT_INT(sdp_offer_make(&p, &r, &out), ST_OK);
		for (rest = buf_sv(&out); rest.n;) {
			sv_split(rest, '\n', &line, &rest);
			if (sv_starts(line, SV("m=")))
				buf_printf(&lines, "%.*s;", SVF(sv_trim(line)));
		}
		EXPECT(sv_is(buf_sv(&lines), cases[i].want));
		buf_fini(&out), buf_fini(&lines);
	}
	return 0;
}

TEST_MAIN({"parse status", test_parse_status}, {"parse fields", test_parse_fields}, {"write", test_write},
    {"bounds", test_bounds}, {"hosts", test_hosts}, {"codec strings", test_codec_strings},
    {"codec string more", test_codec_string_more}, {"same codecs", test_same}, {"variants", test_variants},
    {"failure leaves all", test_failure_leaves_all}, {"plan only", test_plan_only}, {"passed on", test_readdress},
    {"passed on, holding", test_readdress_hold}, {"as many lines", test_lines_keep},
    {"lines of others", test_lines_passed}, {"oom", test_oom, TEST_OOM}, {"cases", test_cases},
    {"recorded", test_recorded})
