/* mod_curl: the command and application curl, and curl_sendfile: a dialplan, a script or an operator asks a web server.
 * The server is named by the configuration or an operator; what came from outside may stand in the path and behind it,
 * percent-coded, never in the host. Whoever asks waits on his coroutine; an answer has a bound and a deadline. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "core/conf/config.h"
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "core/registry/app_words.h"
#include "core/registry/module.h"
#include "core/run/exec.h"
#include "fetch/fetch.h"
#include "loop/co.h"
#include "text/json.h"
#include "text/mark.h"
#include "text/multipart.h"
#include "text/url.h"
#include "text/xml.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CURL_SYNTAX \
	"curl url [headers|json|content-type <mime-type>|connect-timeout <seconds>|timeout <seconds>|append_headers " \
	"<header_name:header_value>[|append_headers <header_name:header_value>]|insecure|secure] " \
	"[get|head|post|delete|put [data]]"
#define SENDFILE_SYNTAX \
	"<url> <filenameParamName=filepath> [nopost|postparam1=foo&postparam2=bar... [event|stream|both|none  " \
	"[identifier ]]]"

enum { TIMEOUT_MS = 10000, REDIRECTS = 10, FILE_MAX_BYTES = 64 << 20 };

struct asked {
	struct fetch_params p;
	struct buf url, headers, data;
	const char *sent; /* the word of the data, marked; NULL: the method has none */
	bool has_headers, is_json;
	const char *why; /* what is wrong, or NULL */
};

static void asked_fini(struct asked *a)
{
	buf_fini(&a->url), buf_fini(&a->headers), buf_fini(&a->data);
}

static bool header_put(struct buf *out, const char *line)
{
	const char *colon = strchr(line, ':');
	if (!colon || colon == line || strpbrk(line, "\r\n"))
		return false;
	return !buf_printf(out, "%s\r\n", line);
}

static bool is_hex(struct mark_it it, unsigned *value, bool *is_outside)
{
	char digits[3] = "";

	for (int i = 0; i < 2; i++) {
		if (!mark_next(&it) || !isxdigit((unsigned char)it.byte))
			return false;
		digits[i] = it.byte;
		*is_outside |= it.is_outside;
	}
	*value = (unsigned)strtoul(digits, NULL, 16);
	return true;
}

/* A form is what nothing else is said of; JSON and XML are told by how they begin. */
static bool is_form(const struct asked *a)
{
	return a->p.ctype ? sv_startsi(sv_of(a->p.ctype), SV("application/x-www-form-urlencoded"))
	                  : !*a->sent || !strchr("{[<", *a->sent);
}

/* What is sent. FreeSWITCH decodes the word, which cannot have a blank otherwise; what came from outside is a value all
 * the same: of a form it is coded (and stays so where url_encode did it), of JSON a part of a string, of XML text. */
static void data_put(struct asked *a)
{
	bool is_of_form = is_form(a), is_json = *a->sent == '{' || *a->sent == '[';
	struct mark_it it = {.rest = sv_of(a->sent)};

	while (mark_next(&it)) {
		unsigned value = 0;
		bool is_outside = it.is_outside;
		if (!it.is_outside && it.byte == '%' && is_hex(it, &value, &is_outside) &&
		    !(is_of_form && is_outside)) {
			mark_next(&it), mark_next(&it);
			it.byte = (char)value;
		} else {
			is_outside = it.is_outside;
		}
		if (is_outside && is_of_form)
			url_encode(&a->data, (struct sv){&it.byte, 1}, 0);
		else if (is_outside && is_json)
			mark_put_json(&a->data, it.byte);
		else if (is_outside && *a->sent == '<')
			xml_escape(&a->data, (struct sv){&it.byte, 1}, true);
		else
			buf_addc(&a->data, it.byte);
	}
	a->p.body = (struct sv){a->data.p ? a->data.p : "", a->data.n};
}

/* A method, and the word behind it as its data when it may have some. */
static bool method_take(struct asked *a, const struct app_words *w, int *i)
{
	static const char *const methods[] = {"get", "head", "post", "delete", "put"};
	static const char *const sent[] = {NULL, "HEAD", NULL, "DELETE", "PUT"};
	size_t m = 0;

	while (m < 5 && strcasecmp(w->w[*i], methods[m]) != 0)
		m++;
	if (m == 5)
		return false;
	a->p.method = sent[m];
	if (m < 2)
		return true;
	a->sent = *i + 1 < w->n ? w->m[++*i] : "";
	return true;
}

static int64_t ms_of(const char *word)
{
	return word ? clock_ms_of_s((uint64_t)str_number(word, 0, 300)) : 0;
}

static ON_CTL const char *conf_param(const char *name, const char *otherwise)
{
	return config_param(xml_child(config_conf("curl.conf"), "settings"), name, otherwise);
}

static void options_take(struct asked *a, const struct app_words *w)
{
	for (int i = 1; i < w->n && !a->why; i++) {
		const char *next = i + 1 < w->n ? w->w[i + 1] : NULL;
		if (method_take(a, w, &i))
			continue;
		if (!strcasecmp(w->w[i], "headers"))
			a->has_headers = true;
		else if (!strcasecmp(w->w[i], "json"))
			a->is_json = true;
		else if (!strcasecmp(w->w[i], "insecure"))
			a->p.skips_verify = true;
		else if (!strcasecmp(w->w[i], "secure"))
			a->p.skips_verify = false;
		else if (!next)
			a->why = "there is a word it does not know, or nothing behind one";
		else if (!strcasecmp(w->w[i], "content-type"))
			a->p.ctype = w->w[++i];
		else if (!strcasecmp(w->w[i], "timeout"))
			a->p.timeout_ms = ms_of(w->w[++i]);
		else if (!strcasecmp(w->w[i], "connect-timeout"))
			a->p.connect_timeout_ms = ms_of(w->w[++i]);
		else if (!strcasecmp(w->w[i], "append_headers"))
			a->why = header_put(&a->headers, w->w[++i]) ? NULL : "a header is <name>:<value>";
		else if (!strcasecmp(w->w[i], "proxy"))
			a->why = "proxies are not available here";
		else
			a->why = "there is a word it does not know";
	}
	if (a->p.ctype && strpbrk(a->p.ctype, "\r\n"))
		a->why = "that is no content-type";
}

static ON_CTL int asked_init(struct asked *a, const struct app_words *w)
{
	memset(a, 0, sizeof(*a));
	buf_init(&a->url), buf_init(&a->headers), buf_init(&a->data);
	a->p.timeout_ms = TIMEOUT_MS;
	a->p.allows_http = a->p.allows_inside = true; /* the configuration or an operator names the server */
	a->p.agent = "freeswitch-curl/1.0";
	a->p.max_redirects = REDIRECTS;
	a->p.max_bytes = (size_t)str_number(conf_param("max-bytes", "64000"), 1, 64 << 20);
	a->p.skips_verify = !str_is_true(conf_param("validate-certs", "true"));
	a->p.keeps_head = true;
	options_take(a, w);
	if (a->sent)
		data_put(a);
	int st = a->why ? ST_INVAL : mark_strip_url(&a->url, sv_of(w->m[0]));
	if (st == ST_DENIED)
		a->why = "a server named from outside is not called, and no other path of one";
	a->p.url = a->url.p ? a->url.p : "";
	a->p.headers = a->headers.n ? a->headers.p : NULL;
	return st;
}

/* ---- what is given back ---- */

static int curl_code(int st)
{
	return !st ? 0 : st == ST_TIMEOUT ? 28 : st == ST_NOTFOUND ? 6 : st == ST_LIMIT ? 63 : st == ST_DENIED ? 60 : 7;
}

static void text_kv(struct json_writer *j, const char *key, struct sv value)
{
	jw_key(j, key);
	jw_sv(j, value);
}

static void put_json(struct buf *out, const struct fetch_got *g)
{
	struct sv rest = buf_sv(&g->head), line, version, phrase, name, value;
	struct json_writer j;
	char number[16];

	jw_init(&j, out, false);
	jw_begin_object(&j);
	snprintf(number, sizeof(number), "%d", curl_code(g->status));
	jw_kv_str(&j, "exit_code", number);
	snprintf(number, sizeof(number), "%d", g->code);
	jw_kv_str(&j, "status_code", number);
	text_kv(&j, "body", buf_sv(&g->body));
	if (rest.n) {
		sv_split(rest, '\n', &line, &rest);
		sv_split(sv_trim(line), ' ', &version, &phrase);
		sv_split(phrase, ' ', &name, &phrase);
		text_kv(&j, "version", version);
		text_kv(&j, "phrase", phrase);
		jw_key(&j, "headers");
		jw_begin_array(&j);
		while (rest.n) {
			sv_split(rest, '\n', &line, &rest);
			if (!sv_split(line, ':', &name, &value))
				continue;
			jw_begin_object(&j);
			text_kv(&j, "key", sv_trim(name));
			text_kv(&j, "value", sv_trim(value));
			jw_end_object(&j);
		}
		jw_end_array(&j);
	}
	jw_end_object(&j);
}

static void put_answer(struct buf *out, const struct asked *a, const struct fetch_got *g)
{
	struct sv rest = buf_sv(&g->head), line;

	if (a->is_json) {
		put_json(out, g);
		return;
	}
	for (bool more = a->has_headers; more && rest.n;) {
		sv_split(rest, '\n', &line, &rest);
		line = sv_trim(line);
		more = line.n > 0;
		buf_printf(out, "%.*s\n", SVF(line));
	}
	if (a->has_headers && g->head.n)
		buf_addc(out, '\n');
	buf_addv(out, buf_sv(&g->body));
}

static CO int ask(const struct app_words *w, struct buf *out, struct fetch_got *g, const char **why)
{
	struct asked a;
	int st = asked_init(&a, w);

	*why = a.why;
	memset(g, 0, sizeof(*g));
	if (!st) {
		st = fetch_wait(&a.p, g);
		if (st && st != ST_CANCELLED)
			log_warning("curl: %s: %s", a.p.url, g->error);
		if (!st || a.is_json)
			put_answer(out, &a, g);
	}
	asked_fini(&a);
	return st;
}

static int api_curl(struct api_call *c)
{
	struct app_words w;
	struct fetch_got *g;
	const char *why = NULL;
	int st;

	role_assert_co();
	if (!*c->args)
		return buf_adds(c->out, "-ERR\n" CURL_SYNTAX "\n");
	st = app_words_init(&w, c->text, APP_WORDS_MAX);
	g = st ? NULL : mem_zalloc(sizeof(*g));
	if (g) {
		(void)ask(&w, c->out, g, &why);
		if (why)
			buf_printf(c->out, "-ERR %s\n", why);
		fetch_got_fini(g);
	}
	mem_free(g);
	app_words_fini(&w);
	return st;
}

static int app_curl(struct leg *leg, const char *data)
{
	struct app_words w;
	struct fetch_got *g = mem_zalloc(sizeof(*g));
	struct buf out;
	const char *why = NULL;
	int st = g ? app_words_init(&w, leg_exec_text(leg, data ? data : ""), APP_WORDS_MAX) : ST_NOMEM;

	role_assert_co();
	if (st || !w.n) {
		if (!st)
			app_words_fini(&w);
		mem_free(g);
		leg_log(leg, LOG_ERR, "curl: usage: " CURL_SYNTAX);
		return ST_INVAL;
	}
	buf_init(&out);
	(void)ask(&w, &out, g, &why);
	if (why)
		leg_log(leg, LOG_ERR, "curl: %s", why);
	leg_var_set_int(leg, "curl_response_code", g->code);
	leg_var_set_sv(leg, "curl_response_data", buf_sv(&out));
	leg_var_set(leg, "curl_content_type", g->ctype);
	buf_fini(&out);
	fetch_got_fini(g);
	mem_free(g);
	app_words_fini(&w);
	return leg_is_up(leg) ? ST_OK : ST_HANGUP;
}

/* ---- curl_sendfile ---- */

struct sending {
	struct buf form, path;
	char boundary[48];
	struct sv field;
	const char *post; /* "a=b&c=d", marked, or NULL */
	int status;
};

static void form_make(void *arg)
{
	struct sending *s = arg;
	struct sv rest = sv_of(s->post), one, name, value;
	const char *slash;
	struct buf plain, decoded;

	role_assert_work();
	buf_init(&plain), buf_init(&decoded);
	while (rest.n) { /* a sign from outside parts nothing: marked, it is no such byte */
		sv_split(rest, '&', &one, &rest);
		sv_split(one, '=', &name, &value);
		buf_clear(&plain), buf_clear(&decoded);
		mark_strip(&plain, name);
		size_t n = plain.n;
		mark_strip(&plain, value);
		url_decode(&decoded, sv_sub(buf_sv(&plain), n, plain.n));
		multipart_field(&s->form, s->boundary, sv_sub(buf_sv(&plain), 0, n), buf_sv(&decoded));
	}
	buf_fini(&plain), buf_fini(&decoded);
	slash = strrchr(s->path.p, '/');
	multipart_file(&s->form, s->boundary, s->field, sv_of(slash ? slash + 1 : s->path.p));
	s->status = multipart_read(&s->form, s->path.p, FILE_MAX_BYTES);
	multipart_file_end(&s->form);
	multipart_end(&s->form, s->boundary);
}

static ON_CTL void tell_ack(const struct sending *s, const char *who, int code)
{
	struct event *e;

	if (!event_is_wanted(EVENT_CUSTOM, "curl_sendfile::ack") ||
	    !(e = event_new(EVENT_CUSTOM, "curl_sendfile::ack")))
		return;
	event_add(e, "Command-Execution-Identifier", who);
	event_add(e, "Filename", s->path.p);
	event_add(e, "File-Access", s->status ? "Failure" : "Success");
	event_addf(e, "REST-HTTP-Code", "%d", code);
	event_fire(e);
}

/* w: url, name=path, post, how, identifier. */
static CO int send_file(const struct app_words *w, struct buf *out, const char *who)
{
	const char *eq = w->n > 1 ? strchr(w->m[1], '=') : NULL, *how = w->n > 3 ? w->w[3] : "stream";
	bool has_event = !strcasecmp(how, "event") || !strcasecmp(how, "both");
	bool has_stream = !strcasecmp(how, "stream") || !strcasecmp(how, "both");
	struct sending *s = eq && eq > w->m[1] ? mem_zalloc(sizeof(*s)) : NULL;
	struct fetch_got *g = s ? mem_zalloc(sizeof(*g)) : NULL;
	struct buf url;
	int st;

	if (!g) {
		mem_free(s);
		return ST_INVAL;
	}
	buf_init(&s->form), buf_init(&s->path), buf_init(&url);
	s->form.max = FILE_MAX_BYTES + (1 << 20);
	s->field = (struct sv){w->m[1], (size_t)(eq - w->m[1])};
	s->post = w->n > 2 && strcasecmp(w->w[2], "nopost") != 0 ? w->m[2] : NULL;
	snprintf(s->boundary, sizeof(s->boundary), "------------------------%08x%08x", rand_u32(), rand_u32());
	st = mark_has(s->field) ? ST_DENIED : mark_strip_path(&s->path, sv_of(eq + 1));
	if (!st)
		st = mark_strip_url(&url, sv_of(w->m[0]));
	if (!st)
		st = co_work(WORK_FILE, "curl_sendfile", form_make, s);
	if (!st)
		st = s->status;
	if (!st) {
		char ctype[96];
		snprintf(ctype, sizeof(ctype), "multipart/form-data; boundary=%s", s->boundary);
		st = fetch_wait(&(struct fetch_params){.url = url.p,
		                    .body = buf_sv(&s->form),
		                    .ctype = ctype,
		                    .timeout_ms = 60000,
		                    .allows_http = true,
		                    .allows_inside = true,
		                    .max_redirects = REDIRECTS,
		                    .skips_verify = !str_is_true(conf_param("validate-certs", "true")),
		                    .agent = "freeswitch-curl/1.0"},
		    g);
	}
	if (has_event)
		tell_ack(s, w->n > 4 ? w->w[4] : who, g->code);
	if (has_stream && g->code >= 200 && g->code < 300)
		buf_printf(out, "+%d Ok\n", g->code);
	else if (has_stream)
		buf_printf(out, "-%d Err %s\n", g->code, st ? status_text(st) : "");
	fetch_got_fini(g);
	buf_fini(&s->form), buf_fini(&s->path), buf_fini(&url);
	mem_free(g), mem_free(s);
	return st;
}

static int api_curl_sendfile(struct api_call *c)
{
	struct app_words w;
	int st = app_words_init(&w, c->text, 5);

	role_assert_co();
	if (!st && (w.n < 2 || send_file(&w, c->out, c->job_uuid) == ST_INVAL))
		buf_adds(c->out, "-USAGE\n" SENDFILE_SYNTAX "\n");
	app_words_fini(&w);
	return st;
}

static int app_curl_sendfile(struct leg *leg, const char *data)
{
	struct app_words w;
	struct buf out;
	int st = app_words_init(&w, leg_exec_text(leg, data ? data : ""), 5);

	role_assert_co();
	if (st)
		return st;
	buf_init(&out);
	st = w.n < 2 ? ST_INVAL : send_file(&w, &out, leg->uuid);
	if (st)
		leg_log(
		    leg, LOG_ERR, "curl_sendfile: %s", st == ST_INVAL ? "usage: " SENDFILE_SYNTAX : status_text(st));
	leg_var_set_sv(leg, "curl_sendfile_report", buf_sv(&out));
	buf_fini(&out);
	app_words_fini(&w);
	return leg_is_up(leg) ? ST_OK : ST_HANGUP;
}

static const struct app_desc apps[] = {
    {"curl", "Perform a http request", CURL_SYNTAX, APP_ROUTING_EXEC | APP_NO_MEDIA, app_curl},
    {"curl_sendfile", "Send a file and some optional post variables via HTTP", SENDFILE_SYNTAX,
        APP_ROUTING_EXEC | APP_NO_MEDIA, app_curl_sendfile},
    {NULL},
};
static const struct api_desc apis[] = {
    {"curl", "curl API", CURL_SYNTAX, API_MAY_WAIT, api_curl, NULL},
    {"curl_sendfile", "curl_sendfile API", SENDFILE_SYNTAX, API_MAY_WAIT, api_curl_sendfile, NULL},
    {NULL},
};
static const struct var_desc vars[] = {
    {"curl_response_code", "number", "what the web server of curl answered; 0: it did not", .is_written = true},
    {"curl_response_data", "text", "its answer", .is_written = true},
    {"curl_content_type", "text", "and its Content-Type", .is_written = true},
    {"curl_sendfile_report", "text", "how curl_sendfile went: +200 Ok, or -CODE Err", .is_written = true},
    {NULL},
};
static const struct conf_desc confs[] = {
    {"curl.conf", "max-bytes", "number", "bytes", "64000", "an answer that is longer is none"},
    {"curl.conf", "validate-certs", "boolean", NULL, "true", "the server must show a certificate of its name"},
    {NULL},
};

extern const struct module mod_curl;
const struct module mod_curl = {
    .abi = MODULE_ABI, .name = "mod_curl", .apps = apps, .apis = apis, .vars = vars, .confs = confs};
