/* The speech engine that is a web server. Only the configuration says where it is; what is spoken is data and never
 * more: a string of a JSON body, so that no text can name another server, a header or a file. What comes back is held
 * to be a sound only by its type and size here, and opened before it is kept (synth.c). A few are asked at a time and
 * the rest wait in a row. The deadline of each counts from its place in the row, and whoever is ahead came earlier, so
 * the row moves on by itself: a server that never answers costs each text one timeout, however many there are.
 *
 *   http_say -> row -> fetch -> answer judged -> said */
#include "base/clock.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/status.h"
#include "fetch/fetch.h"
#include "say/prompt_i.h"
#include "text/json.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
	ANSWER_MAX_MB = 10,
	RUNNING_MAX = 64,
	WAITING_MAX = 1024,
	TIMEOUT_MS = 10000,
	TIMEOUT_MAX_MS = 600000,
	TYPE_MAX = 48
};

struct request {
	struct lnode link; /* in the row, or among those that run */
	const struct prompt_plan *plan;
	http_said_fn said;
	void *arg;
	int64_t until_us;
	struct fetch *fetch; /* NULL: in the row */
};
static struct {
	struct list row, running;
	size_t row_count, running_count;
} http = {.row = {{&http.row.head, &http.row.head}}, .running = {{&http.running.head, &http.running.head}}};

/* The extension by which the file's reader knows the format; NULL: no type of sound that is asked for. */
static const char *ext_of(const char *ctype)
{
	static const struct {
		const char *type, *ext;
	} known[] = {{"audio/wav", "wav"}, {"audio/x-wav", "wav"}, {"audio/wave", "wav"}, {"audio/vnd.wave", "wav"},
	    {"audio/mpeg", "mp3"}, {"audio/mp3", "mp3"}, {"audio/ogg", "ogg"}, {"application/ogg", "ogg"}};
	struct sv type = {ctype, strcspn(ctype, ";")};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (sv_isi(sv_trim(type), known[i].type))
			return known[i].ext;
	return NULL;
}

static bool is_printable(const char *text)
{
	while (*text >= ' ' && *text <= '~')
		text++;
	return !*text;
}

/* The server's own words, for the log: short, and nothing that a terminal obeys. */
static void type_told(const char *ctype, char out[TYPE_MAX])
{
	snprintf(out, TYPE_MAX, "%s", *ctype ? ctype : "no Content-Type");
	for (char *p = out; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
}

static ON_CTL int64_t timeout_ms(void)
{
	int64_t n = str_number(http_param("timeout"), 0, TIMEOUT_MAX_MS);
	return n >= 100 && n <= TIMEOUT_MAX_MS ? n : TIMEOUT_MS;
}

static ON_CTL void end(struct request *r, int status, const char *ext, struct sv sound, const char *err)
{
	struct request was = *r;

	list_remove(&r->link);
	if (r->fetch)
		http.running_count--;
	else
		http.row_count--;
	mem_free(r);
	was.said(status, ext, sound, err, was.arg);
}

/* ST_OK: it is a sound by its looks. Else err says what came instead. */
static ON_CTL int judge(const struct fetch_result *r, const char **ext, char err[SPEECH_ERR_MAX])
{
	char type[TYPE_MAX];

	*ext = ext_of(r->ctype);
	type_told(r->ctype, type);
	if (r->status == ST_TIMEOUT)
		snprintf(err, SPEECH_ERR_MAX, "the server of tts_http.conf gave no answer in time (its timeout: %d ms)",
		    (int)timeout_ms());
	else if (r->status == ST_LIMIT)
		snprintf(
		    err, SPEECH_ERR_MAX, "the server of tts_http.conf answers with more than %d MB", ANSWER_MAX_MB);
	else if (r->status)
		snprintf(err, SPEECH_ERR_MAX, "the server of tts_http.conf: %.100s", r->error);
	else if (r->code != 200 || !*ext || !r->body.n)
		snprintf(err, SPEECH_ERR_MAX,
		    "the server of tts_http.conf answers %d with %s, %zu bytes, not 200 with a sound", r->code, type,
		    r->body.n);
	else
		return ST_OK;
	return r->status ? r->status : ST_IO;
}

static ON_CTL void row_go(void);

static void answered(const struct fetch_result *result, void *arg)
{
	struct request *r = arg;
	char err[SPEECH_ERR_MAX] = "";
	const char *ext;

	role_assert_ctl();
	int st = judge(result, &ext, err);
	end(r, st, ext, result->body, err);
	row_go();
}

static ON_CTL void write_body(const struct prompt_plan *p, struct buf *out)
{
	struct json_writer w;

	jw_init(&w, out, false);
	jw_begin_object(&w);
	jw_kv_str(&w, "text", p->text);
	jw_kv_str(&w, "voice", p->voice);
	jw_kv_str(&w, "language", p->language);
	jw_end_object(&w);
}

static ON_CTL int write_headers(struct buf *out)
{
	const char *authorization = http_param("authorization");

	buf_adds(out, "Accept: audio/wav, audio/mpeg, audio/ogg\r\n");
	if (*authorization)
		buf_printf(out, "Authorization: %s\r\n", authorization);
	return is_printable(authorization) ? ST_OK : ST_INVAL;
}

static ON_CTL int ask(struct request *r)
{
	int64_t left_ms = (r->until_us - clock_mono_us()) / 1000;
	struct buf body, headers;

	if (left_ms <= 0)
		return ST_TIMEOUT;
	buf_init(&body);
	buf_init(&headers);
	write_body(r->plan, &body);
	int st = write_headers(&headers);
	struct fetch_params p = {.url = r->plan->command,
	    .headers = headers.p,
	    .ctype = "application/json",
	    .body = buf_sv(&body),
	    .timeout_ms = left_ms,
	    .max_bytes = ANSWER_MAX_MB << 20,
	    .allows_http = true,
	    .allows_inside = true}; /* the server is named by the configuration */
	if (!st)
		st = body.failed || headers.failed ? ST_NOMEM : fetch_start(&r->fetch, &p, answered, r);
	buf_fini(&body);
	buf_fini(&headers);
	return st;
}

static const char *why_not_asked(int st)
{
	return st == ST_INVAL    ? "url or authorization in tts_http.conf cannot be used"
	       : st == ST_DENIED ? "url in tts_http.conf is none of http:// or https:// without a password in it"
	       : st == ST_TIMEOUT
	           ? "the server of tts_http.conf is too slow: the time was over before it could be asked"
	           : status_text(st);
}

static ON_CTL void row_go(void)
{
	while (http.running_count < RUNNING_MAX && !list_empty(&http.row)) {
		struct request *r = list_entry(list_first(&http.row), struct request, link);
		int st = ask(r);
		if (st) {
			end(r, st, NULL, SV_NONE, why_not_asked(st));
			continue;
		}
		list_remove(&r->link);
		http.row_count--;
		list_push(&http.running, &r->link);
		http.running_count++;
	}
}

void http_say(const struct prompt_plan *plan, http_said_fn said, void *arg)
{
	struct request *r = http.row_count < WAITING_MAX ? mem_zalloc(sizeof(*r)) : NULL;

	if (!r) {
		said(ST_FULL, NULL, SV_NONE, "too many texts wait for the server of tts_http.conf", arg);
		return;
	}
	*r = (struct request){
	    .plan = plan, .said = said, .arg = arg, .until_us = clock_mono_us() + clock_us_of_ms(timeout_ms())};
	list_push(&http.row, &r->link);
	http.row_count++;
	row_go();
}

static ON_CTL void drop_all(struct list *requests)
{
	while (!list_empty(requests)) {
		struct request *r = list_entry(list_first(requests), struct request, link);
		fetch_cancel(r->fetch);
		end(r, ST_CANCELLED, NULL, SV_NONE, "");
	}
}

void http_say_close(void)
{
	drop_all(&http.row);
	drop_all(&http.running);
}
