/* Who a client is: a user of the directory with his password. Guesses are held back by address; the directory may be
 * asked elsewhere, so a login runs on a coroutine of its own. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "core/conf/config.h"
#include "core/conf/dir.h"
#include "core/event/event.h"
#include "endpoint/verto/verto_i.h"
#include "guard/guard.h"
#include "loop/co.h"
#include "net/login_delay.h"
#include "text/digest.h"

#include <string.h>

struct attempt {
	struct verto_line *line; /* a reference */
	json_t *params, *id;
	char *user, *domain;
};

static struct login_delay *delays;

int verto_login_start(void)
{
	return login_delay_new(&delays);
}

void verto_login_stop(void)
{
	login_delay_free(delays);
	delays = NULL;
}

struct verto_line *verto_line_of(const char *sessid)
{
	struct lnode *n, *tmp;
	list_each (&verto_lines, n, tmp) {
		struct verto_line *l = list_entry(n, struct verto_line, link);
		if (l->is_authed && !strcmp(l->sessid, sessid))
			return l;
	}
	return NULL;
}

static ON_CTL void tell(struct verto_line *l, const char *subclass, const char *login, bool is_good, const char *result)
{
	struct event *e;
	if (!event_is_wanted(EVENT_CUSTOM, subclass) || !(e = event_new(EVENT_CUSTOM, subclass)))
		return;
	event_add(e, "verto_profile_name", l->profile->name);
	event_add(e, "verto_client_address", l->peer);
	event_add(e, "verto_login", login);
	event_add(e, "verto_sessid", l->sessid);
	event_add(e, "verto_success", is_good ? "1" : "0");
	event_add(e, "verto_result_txt", result);
	event_fire(e);
}

static bool is_right(const char *password, const char *given)
{
	return strlen(password) == strlen(given) && digest_equal(password, given, strlen(given));
}

/* It may now send requests, and is told which of its calls are still there. */
static void on_ready(void *arg)
{
	struct verto_line *l = mem_ref(arg);
	struct verto_out o;
	role_assert_ctl();
	verto_request_begin(&o, l, "verto.clientReady");
	jw_key(&o.w, "reattached_sessions");
	jw_begin_array(&o.w);
	verto_calls_attach(l, &o.w);
	jw_end_array(&o.w);
	verto_request_end(&o);
	mem_unref(l);
}

static ON_CTL char *param_dup(const struct dir_user *u, const char *name)
{
	const char *v = u ? dir_user_param(u, name) : NULL;
	return v ? mem_strdup(v) : NULL;
}

static bool is_sessid(const char *s)
{
	size_t n = strlen(s);
	return n && n <= VERTO_SESSID_CHARS && strspn(s, "0123456789abcdefABCDEF-") == n;
}

static ON_CTL void let_in(struct verto_line *l, const struct attempt *a, const struct dir_user *u)
{
	const char *wanted = verto_text(a->params, "sessid"), *context = u ? dir_user_var(u, "user_context") : NULL;
	bool is_new = !l->is_authed;
	if (is_new) {
		if (is_sessid(wanted))
			memcpy(l->sessid, wanted, strlen(wanted) + 1);
		else
			uuid_make(l->sessid);
		struct verto_line *other = verto_line_of(l->sessid);
		/* the same session elsewhere: it came back before its old connection was seen to be gone; another
		 * user's is not to be taken */
		if (other && !strcmp(other->user, a->user) && !strcmp(other->domain, a->domain))
			verto_line_end(other, 1000, "the session is elsewhere now");
		else if (other)
			uuid_make(l->sessid);
		l->user = mem_strdup(a->user), l->domain = mem_strdup(a->domain);
		l->methods = param_dup(u, "jsonrpc-allowed-methods");
		l->channels = param_dup(u, "jsonrpc-allowed-event-channels");
		l->jsapi = param_dup(u, "jsonrpc-allowed-jsapi");
		l->fsapi = param_dup(u, "jsonrpc-allowed-fsapi");
		l->context = param_dup(u, "verto-context");
		l->dialplan = param_dup(u, "verto-dialplan");
		if (!l->context)
			l->context = mem_strdup(context ? context : l->profile->context);
		if (!u && !l->methods) /* blind-reg */
			l->methods = mem_strdup("verto");
		l->user_vars = json_incref(json_object_get(a->params, "userVariables"));
	}
	if (!l->user || !l->domain || !l->context) {
		verto_reply_text(l, a->id, true, "no memory", -32603);
		return;
	}
	l->is_authed = true;
	verto_line_trust(l);
	verto_reply_text(l, a->id, false, "logged in", 0);
	guard_succeeded(&l->addr);
	tell(l, "verto::login", verto_text(a->params, "login"), true, "Logged in");
	if (is_new)
		loop_timer_set(&l->ready, clock_us_of_ms(100), "verto ready", on_ready, l);
}

static ON_CTL void refuse(struct verto_line *l, const struct attempt *a, const char *why)
{
	const struct guard_failure f = {.door = "verto", .src = &l->addr, .user = sv_of(a->user), .is_proved = true};
	login_delay_failed(delays, &l->addr);
	guard_failed(&f);
	verto_reply_text(l, a->id, true, why, -32001);
	tell(l, "verto::login", verto_text(a->params, "login"), false, why);
	log_warning("verto: %s: login of %.60s: %s", l->peer, verto_text(a->params, "login"), why);
}

static CO void attempt_run(struct attempt *a)
{
	struct verto_line *l = a->line;
	struct dir_user *u = NULL;
	int64_t wait_us = 0;
	int st = login_delay_turn(delays, &l->addr, &wait_us);
	if (!st && wait_us)
		st = co_sleep(wait_us);
	if (st || l->is_over || !delays)
		return;
	st = dir_user_get(sv_of(a->user), sv_of(a->domain), NULL, &u);
	const char *password = !st ? dir_user_param(u, "password") : NULL;
	if (l->is_over)
		;
	else if (guard_is_user_barred(&l->addr, sv_of(a->user)))
		refuse(l, a, "Authentication Failure"); /* right or wrong: that is not to be learnt now */
	else if (st && l->profile->is_blind)
		let_in(l, a, NULL);
	else if (st)
		refuse(l, a, "Login Incorrect");
	else if (l->profile->wants_password && (!password || !is_right(password, verto_text(a->params, "passwd"))))
		refuse(l, a, "Authentication Failure");
	else if (l->is_authed && (strcmp(l->user, a->user) != 0 || strcmp(l->domain, a->domain) != 0))
		refuse(l, a, "Authentication Failure"); /* a connection is one user's */
	else
		let_in(l, a, u);
	mem_unref(u);
}

static void attempt_main(void *arg)
{
	struct attempt *a = arg;
	role_assert_co();
	attempt_run(a);
	a->line->is_logging_in = false;
	mem_unref(a->line);
	json_decref(a->params);
	json_decref(a->id);
	mem_free(a->user);
	mem_free(a->domain);
	mem_free(a);
}

void verto_login(struct verto_line *l, const json_t *params, const json_t *id)
{
	struct sv user, domain, login = sv_of(verto_text(params, "login"));
	if (!json_is_string(json_object_get(params, "passwd")) || !login.n) {
		verto_reply_text(l, id, true, login.n ? "Missing passwd" : "Missing login", -32001);
		return;
	}
	struct attempt *a = l->is_logging_in ? NULL : mem_zalloc(sizeof(*a));
	if (!a) {
		verto_reply_text(l, id, true, "another login is under way", -32001);
		return;
	}
	sv_split(login, '@', &user, &domain);
	const char *own = globals_get("domain");
	if (l->profile->force_domain)
		domain = sv_of(l->profile->force_domain);
	else if (!domain.n)
		domain = sv_of(own ? own : "");
	a->line = mem_ref(l);
	a->params = json_incref((json_t *)params), a->id = json_incref((json_t *)id);
	a->user = sv_dup(user), a->domain = sv_dup(domain);
	l->is_logging_in = true;
	if (!a->user || !a->domain || co_spawn("verto login", attempt_main, a, NULL)) {
		l->is_logging_in = false;
		verto_reply_text(l, id, true, "no memory", -32603);
		mem_unref(a->line);
		json_decref(a->params);
		json_decref(a->id);
		mem_free(a->user);
		mem_free(a->domain);
		mem_free(a);
	}
}
