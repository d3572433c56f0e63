/* From a request to its handler: CORS, the route by path and method, the token and its role, the body. All of it is
 * decided when the head is there, so that a body nobody may send is not read. */
#include "base/mem.h"
#include "core/conf/acl.h"
#include "core/registry/principal.h"
#include "core/value/self.h"
#include "guard/guard.h"
#include "web/web_i.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- paths ---- */
/* "/v1/jobs/{id}" against a path; the part that {..} stands for goes to param. */
static bool path_matches(const char *pattern, struct sv path, char param[WEB_PARAM_CHARS])
{
	struct sv p = sv_of(pattern), want, have;
	if (!p.n || !path.n || path.p[0] != '/')
		return false;
	p = sv_sub(p, 1, p.n), path = sv_sub(path, 1, path.n);
	for (;;) {
		bool more = sv_split(p, '/', &want, &p), has_more = sv_split(path, '/', &have, &path);
		if (want.n && want.p[0] == '{') {
			if (!have.n || have.n >= WEB_PARAM_CHARS)
				return false;
			memcpy(param, have.p, have.n);
			param[have.n] = 0;
		} else if (!sv_eq(want, have)) {
			return false;
		}
		if (more != has_more)
			return false;
		if (!more)
			return true;
	}
}

static bool method_is(const struct http_request *q, const char *method)
{
	return sv_is(q->method, method) || (!strcmp(method, "GET") && sv_is(q->method, "HEAD"));
}

/* The methods of a path, for Allow. */
static ON_CTL void allow_put(struct http_exchange *x, const struct http_request *q)
{
	char param[WEB_PARAM_CHARS];
	struct buf b;
	buf_init(&b);
	for (const struct web_route *r = web_routes; r->method; r++)
		if (path_matches(r->path, q->path, param))
			buf_printf(&b, "%s%s, ", r->method, !strcmp(r->method, "GET") ? ", HEAD" : "");
	buf_adds(&b, "OPTIONS");
	http_exchange_header(x, "Allow", b.p);
	buf_fini(&b);
}

static ON_CTL const struct web_route *route_find(struct http_exchange *x, struct web_call *c)
{
	bool is_path_known = false;
	for (const struct web_route *r = web_routes; r->method; r++) {
		if (!path_matches(r->path, c->q->path, c->param))
			continue;
		is_path_known = true;
		if (method_is(c->q, r->method))
			return r;
	}
	if (is_path_known) {
		allow_put(x, c->q);
		web_problem(x, 405, "%.*s has no %.*s", SVF(c->q->path), SVF(c->q->method));
	} else {
		web_problem(x, 404, "there is no %.*s; /openapi.json tells what there is", SVF(c->q->path));
	}
	return NULL;
}

/* ---- who asks ---- */
static bool list_has(const char *list, const char *name)
{
	while (list && *list) {
		list += strspn(list, " ,");
		size_t n = strcspn(list, " ,");
		bool is_open_ended = n && list[n - 1] == '*';
		if (is_open_ended ? !strncasecmp(list, name, n - 1) : n == strlen(name) && !strncasecmp(list, name, n))
			return n > 0;
		list += n;
	}
	return false;
}

/* The same without '*' at the end of a word. */
static bool list_names(const char *list, const char *name)
{
	while (list && *list) {
		list += strspn(list, " ,");
		size_t n = strcspn(list, " ,");
		if (n && n == strlen(name) && !strncasecmp(list, name, n) && list[n - 1] != '*')
			return true;
		list += n;
	}
	return false;
}

bool web_command_allowed(enum web_role role, const char *name)
{
	return role == WEB_ADMIN || (role >= WEB_OPERATOR && list_has(web_conf.operator_commands, name)) ||
	       (role == WEB_AGENT && list_has(web_conf.agent_commands, name)) ||
	       (role >= WEB_READ && list_has(web_conf.read_commands, name));
}

/* What was begun with a token (a job, a task for later) may no more than the token may now. */
static bool may_run(const struct principal *p, const char *command)
{
	role_assert_ctl();
	return web_command_allowed(web_token_role(p->list), command);
}

struct principal *web_principal_new(const struct web_call *c, int *st)
{
	char name[TOKEN_NAME_MAX + 32];
	struct principal *p = NULL;
	*st = ST_OK;
	if (c->role == WEB_ADMIN)
		return NULL;
	snprintf(name, sizeof(name), "the HTTP %s %s", c->session ? "session" : "token", c->token_name);
	p = principal_new(name, c->token_name, may_run);
	*st = p ? ST_OK : ST_NOMEM;
	return p;
}

static ON_CTL bool is_open_metrics(const struct web_call *c)
{
	return c->route->fn == web_metrics && web_conf.is_metrics_open && addr_is_loopback(http_exchange_peer(c->x));
}

/* A wrong token: where its address has shown several, the answer waits for its turn, and where many wait already there
 * is none. A right one is never kept waiting: proxies bring everybody from one address. False: it was answered. */
static ON_CTL bool is_guess_slowed(struct web_call *c)
{
	int64_t wait_us = 0;
	login_delay_failed(web_login_delay, http_exchange_peer(c->x));
	guard_failed(&(struct guard_failure){.door = "http", .src = http_exchange_peer(c->x), .is_proved = true});
	if (login_delay_turn(web_login_delay, http_exchange_peer(c->x), &wait_us)) {
		http_exchange_header(c->x, "Retry-After", "10");
		web_problem(c->x, 429, "too many wrong tokens from this address");
		return false;
	}
	if (wait_us)
		http_exchange_delay(c->x, wait_us);
	return true;
}

/* A browser that signed in. False: it was answered. */
static ON_CTL bool session_check(struct web_call *c)
{
	const struct web_session *s = web_session_get(c->q);
	if (!s)
		return true;
	if (!web_session_is_intended(s, c->q)) {
		web_problem(
		    c->x, 403, "with a session, a request comes from the console's own page and carries X-Tandem-CSRF");
		return false;
	}
	c->session = s;
	c->role = s->role;
	c->token_name = s->name;
	return true;
}

static ON_CTL bool token_check(struct web_call *c)
{
	struct sv header = http_header_get(c->q, "Authorization");
	struct buf query;
	c->token_name = "";
	if (c->route->role == WEB_NOBODY || is_open_metrics(c))
		return true;
	buf_init(&query);
	if (sv_startsi(header, SV("Bearer ")))
		c->role = web_token_check(sv_trim(sv_sub(header, 7, header.n)), &c->token_name);
	else if (c->route->flags & WEB_QUERY_TOKEN && !http_query_get(c->q, "access_token", &query))
		c->role = web_token_check(buf_sv(&query), &c->token_name);
	bool has_one = header.n || query.n;
	buf_fini(&query);
	if (!has_one && !session_check(c))
		return false;
	if (c->role != WEB_NOBODY)
		http_exchange_trust(c->x);
	else if (has_one && !is_guess_slowed(c))
		return false;
	if (c->role >= c->route->role)
		return true;
	if (c->role != WEB_NOBODY) {
		web_problem(c->x, 403, "this needs the role %s", web_role_name(c->route->role));
		return false;
	}
	http_exchange_header(c->x, "WWW-Authenticate",
	    has_one ? "Bearer realm=\"tandem\", error=\"invalid_token\"" : "Bearer realm=\"tandem\"");
	web_problem(c->x, 401, has_one ? "the token is not known" : "a bearer token is needed");
	return false;
}

/* ---- bodies ---- */
static ON_CTL bool body_type_check(struct web_call *c)
{
	struct sv type = http_header_get(c->q, "Content-Type"), encoding = http_header_get(c->q, "Content-Encoding");
	if (!c->q->has_body)
		return true;
	if (!(c->route->flags & WEB_TAKES_BODY)) {
		web_problem(c->x, 400, "%.*s takes no body here", SVF(c->q->method));
		return false;
	}
	struct sv length = http_header_get(c->q, "Content-Length");
	uint64_t n = 0;
	if (c->route->flags & WEB_SMALL_BODY && (sv_u64(length, &n) || n > WEB_SMALL_BODY_BYTES)) {
		web_problem(
		    c->x, 413, "the body must be of a length that is told, at most %d bytes", WEB_SMALL_BODY_BYTES);
		return false;
	}
	if ((type.n && !http_header_has(c->q, "Content-Type", "application/json")) || encoding.n) {
		web_problem(c->x, 415, "only application/json is taken, without a content encoding");
		return false;
	}
	return true;
}

static ON_CTL bool body_read(struct web_call *c)
{
	char error[JSON_ERROR_CHARS];
	if (!c->q->body.n && !(c->route->flags & WEB_NEEDS_BODY))
		return true;
	if (json_parse(&c->body, c->q->body, HTTP_BODY_MAX_BYTES, error)) {
		web_problem(c->x, 400, "the body is no JSON: %s", c->q->body.n ? error : "it is empty");
		return false;
	}
	if (json_is_object(c->body))
		return true;
	web_problem(c->x, 400, "the body must be a JSON object");
	return false;
}

/* ---- CORS ---- */
static ON_CTL bool cors_put(struct http_exchange *x, const struct http_request *q)
{
	struct sv origin = http_header_get(q, "Origin");
	char text[256];
	if (!origin.n || origin.n >= sizeof(text) || !web_conf.cors_origins || !*web_conf.cors_origins)
		return false;
	memcpy(text, origin.p, origin.n);
	text[origin.n] = 0;
	if (!list_has(web_conf.cors_origins, text))
		return false;
	http_exchange_header(x, "Access-Control-Allow-Origin", text);
	http_exchange_header(x, "Vary", "Origin");
	http_exchange_header(x, "Access-Control-Expose-Headers", "Location, Allow, Retry-After");
	return true;
}

/* What a browser may be told to be: our address as a number, or a name of this machine. Any other name could be an
 * attacker's, pointed at us (DNS rebinding), and is allowed by cors-origins only. */
static ON_CTL bool is_own_host(struct sv host)
{
	struct addr a;
	struct sv name = host, port;
	if (!addr_parse_hostport(&a, host, 80))
		return true;
	sv_split(host, ':', &name, &port);
	return sv_isi(name, "localhost") || sv_isi(name, core_hostname());
}

static ON_CTL bool origin_is_allowed(const struct http_request *q, bool takes_any)
{
	struct sv origin = {0}, host = http_header_get(q, "Host"), rest;
	size_t count = 0;
	char text[256];
	for (size_t i = 0; i < q->header_count; i++)
		if (sv_isi(q->headers[i].name, "Origin"))
			origin = q->headers[i].value, count++;
	if (!count)
		return true; /* no browser */
	if (count > 1 || !origin.n || origin.n >= sizeof(text))
		return false;
	snprintf(text, sizeof(text), "%.*s", SVF(origin));
	if (takes_any ? list_has(web_conf.cors_origins, text) : list_names(web_conf.cors_origins, text))
		return true;
	if (sv_startsi(origin, SV("http://")))
		rest = sv_sub(origin, 7, origin.n);
	else if (sv_startsi(origin, SV("https://")))
		rest = sv_sub(origin, 8, origin.n);
	else
		return false;
	return rest.n && sv_eqi(rest, host) && is_own_host(host);
}

bool web_origin_is_allowed(const struct http_request *q)
{
	return origin_is_allowed(q, true);
}

bool web_origin_is_own(const struct http_request *q)
{
	return origin_is_allowed(q, false);
}

static ON_CTL void options_answer(struct http_exchange *x, const struct http_request *q, bool has_cors)
{
	allow_put(x, q);
	if (has_cors) {
		http_exchange_header(x, "Access-Control-Allow-Methods", "GET, HEAD, POST, DELETE, OPTIONS");
		http_exchange_header(x, "Access-Control-Allow-Headers", "Authorization, Content-Type, Last-Event-ID");
		http_exchange_header(x, "Access-Control-Max-Age", "600");
	}
	http_exchange_reply(x, 204, NULL, SV_NONE);
}

/* ---- from the server ---- */
/* False when it was answered. */
static ON_CTL bool call_open(struct web_call *c, struct http_exchange *x)
{
	*c = (struct web_call){.x = x, .q = http_exchange_request(x)};
	bool has_cors = cors_put(x, c->q);
	http_exchange_header(x, "Cache-Control", "no-store");
	http_exchange_header(x, "X-Content-Type-Options", "nosniff");
	if (sv_is(c->q->method, "OPTIONS")) {
		options_answer(x, c->q, has_cors);
		return false;
	}
	c->route = route_find(x, c);
	return c->route && token_check(c) && body_type_check(c);
}

static void on_head(struct http_exchange *x, void *arg)
{
	struct web_call c;
	role_assert_ctl();
	call_open(&c, x); /* what is wrong is answered; on_request asks again */
	if (http_exchange_is_open(x))
		http_exchange_headers_clear(x);
}

static ON_CTL void route_run(struct web_call *c)
{
	int st;
	c->who = web_principal_new(c, &st);
	if (st)
		web_problem(c->x, 503, "out of memory");
	else
		c->route->fn(c);
	mem_unref(c->who);
}

static void on_request(struct http_exchange *x, void *arg)
{
	struct web_call c;
	role_assert_ctl();
	if (!call_open(&c, x))
		return;
	if (c.route->flags & WEB_STREAM && sv_is(c.q->method, "HEAD"))
		http_exchange_reply(x, 200, c.route->response_type, SV_NONE);
	else if (body_read(&c))
		route_run(&c);
	json_decref(c.body);
}

static void on_error(struct http_exchange *x, int status, const char *why, void *arg)
{
	role_assert_ctl();
	if (status == 503)
		http_exchange_header(x, "Retry-After", "5");
	web_problem(x, status, "%s", why);
}

static bool may_connect(const struct addr *peer, void *arg)
{
	const struct buf *acls = arg;
	role_assert_ctl();
	return !guard_is_barred(peer) &&
	       acl_allows(acls && acls->n ? buf_sv(acls) : SV("loopback.auto"), peer, NULL, NULL);
}

const struct http_handlers web_handlers = {
    .may_connect = may_connect, .on_head = on_head, .on_request = on_request, .on_error = on_error};
