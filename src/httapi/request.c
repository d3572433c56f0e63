/* One request and its answer, on the call's coroutine: it waits for the web server and for the call's end, whichever is
 * first. A recording goes along as a part of a form (RFC 7578); its file is read on a worker and then removed. */
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "core/event/event.h"
#include "core/run/exec.h"
#include "fetch/fetch.h"
#include "httapi/httapi_i.h"
#include "loop/co.h"
#include "text/multipart.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { REDIRECTS = 5, ANSWER_MAX_BYTES = 1 << 20, FILE_MAX_BYTES = 64 << 20 };

struct asking {
	struct fetch *fetch;
	struct leg *leg; /* NULL: co is signalled */
	struct co_wait co;
	bool is_done;
	int status, code;
	struct buf body;
	struct xml_doc *doc;
	char error[XML_ERROR_CHARS];
	/* of an attachment */
	const struct event *params;
	struct buf form;
	char boundary[48];
};

static void on_answer(const struct fetch_result *r, void *arg)
{
	struct asking *a = arg;
	role_assert_ctl();
	a->fetch = NULL;
	a->status = r->status, a->code = r->code, a->is_done = true;
	if (!r->status)
		buf_addv(&a->body, r->body);
	else
		snprintf(a->error, sizeof(a->error), "%s", r->error);
	if (a->leg)
		leg_wake(a->leg);
	else
		co_signal(&a->co, ST_OK);
}

/* ---- attachments: "attach_file:NAME:FILENAME" -> path ---- */

static ON_CTL bool has_attachment(const struct event *params)
{
	const char *name, *value;
	for (size_t i = 0; i < event_header_count(params); i++) {
		event_header_at(params, i, &name, &value);
		if (!strncmp(name, "attach_file:", 12))
			return true;
	}
	return false;
}

static void form_make(void *arg) NO_ROLE_CHECK /* the params are the waiting coroutine's, which does not touch them */
{
	struct asking *a = arg;
	const char *name, *value;

	role_assert_work();
	for (size_t i = 0; i < event_header_count(a->params); i++) {
		event_header_at(a->params, i, &name, &value);
		const char *slash = strrchr(value, '/');
		struct sv field, rest;
		if (strncmp(name, "attach_file:", 12) != 0) {
			multipart_field(&a->form, a->boundary, sv_of(name), sv_of(value));
			continue;
		}
		sv_split(sv_of(name + 12), ':', &field, &rest);
		multipart_file(&a->form, a->boundary, field, sv_of(slash ? slash + 1 : value));
		int st = multipart_read(&a->form, value, FILE_MAX_BYTES);
		if (st)
			log_warning("httapi: %s: %s", value, status_text(st));
		multipart_file_end(&a->form);
		(void)unlink(value);
	}
	multipart_end(&a->form, a->boundary);
}

static void answer_read(void *arg)
{
	struct asking *a = arg;
	role_assert_work();
	a->status = xml_parse_lenient(
	    &a->doc, a->body.p ? a->body.p : "", a->body.n, "httapi document", NULL, 0, NULL, NULL, a->error);
}

/* ---- the request ---- */

static CO int wait_for(struct asking *a)
{
	int st = ST_OK;
	while (!a->is_done && !st)
		st = a->leg ? leg_wait(a->leg, -1) : co_wait_or_stop(&a->co, -1);
	if (!a->is_done) {
		fetch_cancel(a->fetch);
		return st;
	}
	return ST_OK;
}

static ON_CTL int begin(struct ha_session *s, struct asking *a, const struct event *params)
{
	const struct ha_profile *p = s->profile;
	const char *own = event_get(params, "url"), *method = event_get(params, "method"), *agent;
	bool is_form = a->form.n > 0, is_post;
	struct buf url, user, password, query, origin;
	char ctype[96];
	int st;

	buf_init(&url), buf_init(&user), buf_init(&password), buf_init(&query), buf_init(&origin);
	method = method && *method ? method : p->method;
	is_post = method && !strcasecmp(method, "post");
	agent = event_get(params, "user_agent");
	st = ha_url_split(own ? own : "", &url, &user, &password);
	ha_origin(url.p ? url.p : "", &origin);
	if (!is_form)
		ha_query(&query, params, p->post_vars);
	if (!is_form && !is_post)
		buf_printf(&url, "%c%s", url.p && strchr(url.p, '?') ? '&' : '?', query.p ? query.p : "");
	bool gets_password = s->first_origin && origin.p && !strcmp(origin.p, s->first_origin);
	snprintf(ctype, sizeof(ctype), "multipart/form-data; boundary=%s", a->boundary);
	struct fetch_params f = {.url = url.p,
	    .body = is_form   ? buf_sv(&a->form)
	            : is_post ? buf_sv(&query)
	                      : SV_NONE,
	    .ctype = is_form ? ctype : NULL,
	    .headers = "Cookie;\r\n",
	    .timeout_ms = p->timeout_ms,
	    .connect_timeout_ms = p->connect_ms,
	    .max_bytes = ANSWER_MAX_BYTES,
	    .allows_http = true,
	    .allows_inside = true, /* the page is named by the configuration */
	    .skips_verify = p->skips_verify,
	    .skips_verify_host = p->skips_verify_host,
	    .ca_file = p->ca_file,
	    .cert_file = gets_password ? p->cert_file : NULL,
	    .key_file = gets_password ? p->key_file : NULL,
	    .key_password = gets_password ? p->key_password : NULL,
	    .user = user.n          ? user.p
	            : gets_password ? p->user
	                            : NULL,
	    .password = user.n          ? (password.p ? password.p : "")
	                : gets_password ? p->password
	                                : NULL,
	    .auth = p->auth,
	    .max_redirects = REDIRECTS,
	    .agent = agent && *agent ? agent : p->agent,
	    .bind_local = p->bind_local,
	    .cookie_file = gets_password ? p->cookie_file : NULL};
	if (f.cookie_file)
		f.headers = NULL;
	if (url.failed || query.failed)
		st = ST_NOMEM;
	if (!st)
		st = fetch_start(&a->fetch, &f, on_answer, a);
	buf_fini(&url), buf_fini(&user), buf_fini(&password), buf_fini(&query), buf_fini(&origin);
	return st;
}

/* The lasting parameters and those of this request, session_id in front. */
static ON_CTL struct event *params_of(const struct ha_session *s)
{
	struct event *e = event_dup(s->params);
	const char *name, *value;

	if (!e)
		return NULL;
	for (size_t i = 0; i < event_header_count(s->once); i++) {
		event_header_at(s->once, i, &name, &value);
		event_set(e, name, value);
	}
	event_del(e, "session_id");
	event_unshift(e, "session_id", s->uuid);
	return e;
}

static CO int answered(struct ha_session *s, struct asking *a, struct xml_doc **doc)
{
	int st = a->status;

	if (!st && (a->code < 200 || a->code > 299)) {
		snprintf(a->error, sizeof(a->error), "the page answers %d", a->code);
		st = ST_IO;
	}
	if (s->profile->tells && a->body.n)
		log_uuid(LOG_CRIT, s->uuid, "Debugging Return Data:\n%.*s", (int)(a->body.n < 8000 ? a->body.n : 8000),
		    a->body.p);
	if (!st && doc) {
		st = co_work(WORK_FILE, "httapi document", answer_read, a);
		if (!st)
			st = a->status;
	}
	if (st && st != ST_CANCELLED)
		log_uuid(LOG_ERR, s->uuid, "httapi: Error encountered! [%s] %s", event_get(s->params, "url"),
		    *a->error ? a->error : status_text(st));
	if (!st && doc)
		*doc = mem_ref(a->doc);
	return st;
}

int ha_request(struct ha_session *s, struct leg *leg, struct xml_doc **doc)
{
	struct asking *a = mem_zalloc(sizeof(*a)); /* not on the coroutine's small stack */
	struct event *params = a ? params_of(s) : NULL;
	int st = params ? ST_OK : ST_NOMEM;

	role_assert_co();
	if (!a)
		return ST_NOMEM;
	buf_init(&a->body);
	buf_init(&a->form);
	a->form.max = FILE_MAX_BYTES;
	a->leg = leg;
	mem_unref(s->once);
	s->once = event_new_plain(EVENT_CLONE);
	if (!s->once)
		st = ST_NOMEM;
	if (!st && has_attachment(params)) {
		a->params = params;
		snprintf(a->boundary, sizeof(a->boundary), "------------------------%08x%08x", rand_u32(), rand_u32());
		st = co_work(WORK_FILE, "httapi form", form_make, a);
		if (!st && a->form.failed)
			st = ST_LIMIT;
	}
	if (!st) {
		st = begin(s, a, params);
		if (st)
			log_uuid(LOG_ERR, s->uuid, "httapi: [%s] cannot be asked: %s",
			    event_get(params, "url") ? event_get(params, "url") : "", status_text(st));
	}
	if (!st)
		st = wait_for(a);
	if (!st)
		st = answered(s, a, doc);
	mem_unref(a->doc);
	mem_unref(params);
	buf_fini(&a->body);
	buf_fini(&a->form);
	mem_free(a);
	return st;
}
