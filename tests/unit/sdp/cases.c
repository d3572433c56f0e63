/* Runs the transcripts described in cases.h. */
#include "cases.h"
#include "harness.h"
#include "sdp/sdp.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct run {
	struct sdp_policy p;
	struct sdp_codecs prefs, first;
	char host[SDP_HOST_MAX], user[64];
	struct sdp_running running;
	struct buf out;
};

static enum sdp_dir dir_of(struct sv v)
{
	for (int d = SDP_INACTIVE; d < SDP_SENDRECV; d++)
		if (sv_is(v, sdp_dir_name((enum sdp_dir)d)))
			return (enum sdp_dir)d;
	return SDP_SENDRECV;
}
static void set(struct run *r, struct sv key, struct sv v)
{
	int64_t n = 0;
	sv_i64(v, &n);
	if (sv_is(key, "prefs")) {
		sdp_codecs_parse(v, &r->prefs, NULL, NULL);
		r->p.prefs = &r->prefs;
	} else if (sv_is(key, "first")) {
		sdp_codecs_parse(v, &r->first, NULL, NULL);
		r->p.first = r->first.count ? &r->first : NULL;
	} else if (sv_is(key, "mode")) {
		sdp_mode_parse(v, &r->p.mode);
	} else if (sv_is(key, "host")) {
		snprintf(r->host, sizeof(r->host), "%.*s", SVF(v));
		r->p.host = sv_of(r->host);
	} else if (sv_is(key, "user")) {
		snprintf(r->user, sizeof(r->user), "%.*s", SVF(v));
		r->p.user = sv_of(r->user);
	} else if (sv_is(key, "port")) {
		r->p.port = (uint16_t)n;
	} else if (sv_is(key, "rtcp")) {
		r->p.rtcp_port = (uint16_t)n;
	} else if (sv_is(key, "dtmf")) {
		r->p.dtmf_pt = (int16_t)n;
	} else if (sv_is(key, "cn")) {
		r->p.cn_pt = (int16_t)n;
	} else if (sv_is(key, "ptime")) {
		r->p.ptime_ms = (uint16_t)n;
	} else if (sv_is(key, "dir")) {
		r->p.dir = dir_of(v);
	} else if (sv_is(key, "id")) {
		r->p.session_id = (uint64_t)n;
	} else if (sv_is(key, "mux")) {
		r->p.is_rtcp_mux_allowed = n;
	} else if (sv_is(key, "all")) {
		r->p.is_all_answered = n;
	} else if (sv_is(key, "keep")) {
		r->p.is_ptime_kept = n;
	} else {
		buf_printf(&r->out, "unknown policy key %.*s\n", SVF(key));
	}
}
static void set_policy(struct run *r, struct sv line)
{
	struct sv item, key, value;
	while (line.n) {
		sv_split(line, ' ', &item, &line);
		sv_split(item, '=', &key, &value);
		if (key.n)
			set(r, key, value);
	}
}
static void say_text(struct run *r, const char *head, const struct buf *text)
{
	buf_printf(&r->out, "%s\n", head);
	for (size_t i = 0; i < text->n; i++)
		if (text->p[i] != '\r')
			buf_addc(&r->out, text->p[i]);
}
static void say_codec(struct run *r, const struct sdp_codec *c)
{
	buf_printf(&r->out, "%s/%u/%u", c->name, c->clock_hz, c->channels);
}
static void say_plan(struct run *r, const struct sdp_plan *p)
{
	buf_adds(&r->out, "@plan codec=");
	say_codec(r, &p->send);
	buf_printf(&r->out, " rate=%u pt=%d/%d ptime=%u all=", p->send.rate_hz, p->send.pt_send, p->recv.pt_recv,
	    p->send.ptime_ms);
	for (size_t i = 0; i < p->codecs.count; i++) {
		if (i)
			buf_addc(&r->out, ',');
		say_codec(r, &p->codecs.v[i]);
	}
	buf_printf(&r->out, " dtmf=%d/%d/%u cn=%d rtp=%s:%u rtcp=%s:%u dir=%s/%s line=%u%s%s%s%s%s", p->dtmf_send_pt,
	    p->dtmf_recv_pt, p->dtmf_clock_hz, p->cn_pt, p->remote_host, p->remote_port, p->remote_rtcp_host,
	    p->remote_rtcp_port, sdp_dir_name(p->remote_dir), sdp_dir_name(p->local_dir), p->line,
	    p->is_hold ? " hold" : "", p->has_video ? " video" : "", p->has_t38 ? " t38" : "",
	    p->is_rtcp_mux ? " mux" : "", p->is_remote_name ? " name" : "");
	if (p->send.fmtp[0])
		buf_printf(&r->out, " fmtp=%s", p->send.fmtp);
	buf_addc(&r->out, '\n');
}
static void say_refused(struct run *r, int status, const char *why)
{
	buf_printf(&r->out, "@refused %s%s%s\n", status_text(status), why ? ": " : "", why ? why : "");
}
static void run_offer(struct run *r, struct sv text)
{
	struct sdp_plan plan;
	struct buf answer;
	int st;

	buf_init(&answer);
	st = sdp_answer_make(text, &r->p, &r->running, &plan, &answer);
	if (st) {
		say_refused(r, st, plan.why);
	} else {
		say_text(r, "@answer", &answer);
		say_plan(r, &plan);
	}
	buf_fini(&answer);
}
static void run_make(struct run *r)
{
	struct buf offer;
	int st;

	buf_init(&offer);
	st = sdp_offer_make(&r->p, &r->running, &offer);
	if (st)
		say_refused(r, st, NULL);
	else
		say_text(r, "@out", &offer);
	buf_fini(&offer);
}
static void run_accept(struct run *r, struct sv text)
{
	struct sdp_plan plan;
	int st = sdp_answer_accept(text, &r->p, &r->running, &plan);
	if (st)
		say_refused(r, st, plan.why);
	else
		say_plan(r, &plan);
}
/* Lines up to the next "@", each with CR LF. */
static struct sv take_text(struct sv *rest, struct buf *text)
{
	struct sv line;
	buf_clear(text);
	while (rest->n && rest->p[0] != '@' && rest->p[0] != '#') {
		sv_split(*rest, '\n', &line, rest);
		if (line.n)
			buf_printf(text, "%.*s\r\n", SVF(line));
	}
	return buf_sv(text);
}
static void echo(struct run *r, const char *head, struct sv text)
{
	buf_printf(&r->out, "%s\n", head);
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] != '\r')
			buf_addc(&r->out, text.p[i]);
}
static void run_case(struct run *r, struct sv rest)
{
	struct buf text;
	buf_init(&text);
	while (rest.n) {
		struct sv line;
		sv_split(rest, '\n', &line, &rest);
		if (sv_starts(line, SV("#"))) {
			buf_printf(&r->out, "%.*s\n", SVF(line));
		} else if (sv_starts(line, SV("@policy "))) {
			buf_printf(&r->out, "%.*s\n", SVF(line));
			set_policy(r, sv_sub(line, 8, line.n));
		} else if (sv_is(line, "@offer")) {
			struct sv t = take_text(&rest, &text);
			echo(r, "@offer", t);
			run_offer(r, t);
		} else if (sv_is(line, "@accept")) {
			struct sv t = take_text(&rest, &text);
			echo(r, "@accept", t);
			run_accept(r, t);
		} else if (sv_is(line, "@make")) {
			buf_adds(&r->out, "@make\n");
			run_make(r);
		}
	}
	buf_fini(&text);
}
static int read_file(const char *path, struct buf *b)
{
	char chunk[4096];
	size_t n;
	FILE *f = fopen(path, "rb");
	if (!f)
		return -1;
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_add(b, chunk, n);
	fclose(f);
	return 0;
}
/* The first line that differs, for the message. */
static void tell(const char *name, struct sv want, struct sv got)
{
	int no = 1;
	while (want.n || got.n) {
		struct sv w, g;
		sv_split(want, '\n', &w, &want);
		sv_split(got, '\n', &g, &got);
		if (!sv_eq(w, g)) {
			test_fail(name, no, "is \"%.*s\", not \"%.*s\"", SVF(g), SVF(w));
			return;
		}
		no++;
	}
}
static int run_file(const char *dir, const char *name)
{
	struct run r = {.p = {.dir = SDP_SENDRECV, .port = 4000, .cn_pt = -1, .session_id = 1000}};
	char path[1024];
	struct buf text;
	int rc = 0;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	buf_init(&text);
	buf_init(&r.out);
	if (read_file(path, &text)) {
		test_fail(name, 0, "cannot be read");
		rc = -1;
	} else {
		set_policy(&r, SV("prefs=PCMU,PCMA host=10.0.0.1"));
		run_case(&r, buf_sv(&text));
		if (!sv_eq(buf_sv(&text), buf_sv(&r.out))) {
			FILE *f = getenv("SDP_BLESS") ? fopen(path, "wb") : NULL;
			if (f) {
				fwrite(r.out.p, 1, r.out.n, f);
				fclose(f);
			} else {
				tell(name, buf_sv(&text), buf_sv(&r.out));
				rc = -1;
			}
		}
	}
	buf_fini(&r.out);
	buf_fini(&text);
	return rc;
}
static int is_case(const struct dirent *e)
{
	return strstr(e->d_name, ".txt") != NULL;
}
int sdp_cases_run(const char *dir, int *count)
{
	struct dirent **list;
	int n = scandir(dir, &list, is_case, alphasort), rc = 0;

	*count = n;
	for (int i = 0; i < n; i++) {
		rc |= run_file(dir, list[i]->d_name);
		free(list[i]);
	}
	if (n >= 0)
		free(list);
	return rc;
}
