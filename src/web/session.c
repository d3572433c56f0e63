/* Sessions of the web console: people of the directory (their parameter console-role says what they may) or holders of
 * a token sign in once and are known by a cookie then (HttpOnly, SameSite=Strict). Kept is the SHA-256 sum of the
 * cookie, in memory only: a restart ends every session. A request that changes something must also carry the session's
 * word (X-Tandem-CSRF), which only a page of ours can read. Sign-ins of an address take their turn by login_delay
 * before the password is looked at, right or wrong, for passwords can be guessed where tokens cannot. Once a minute,
 * and after a reloadxml, what became of each session's user is looked up: who is gone, has another role or password is
 * signed out. */
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "core/conf/config.h"
#include "core/conf/dir.h"
#include "guard/guard.h"
#include "loop/co.h"
#include "text/digest.h"
#include "web/web_i.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { SESSIONS_MAX = 2000, SESSIONS_OF_USER_MAX = 20, COOKIE_CHARS = 43, PASSWORD_MAX = 256, SWEEP_US = 60000000 };

static struct list sessions = {{&sessions.head, &sessions.head}};
static size_t session_count;
static struct ltimer sweep_timer;

size_t web_session_count(void)
{
	return session_count;
}

/* ---- the table ---- */
static ON_CTL void session_end(struct web_session *s)
{
	char name[TOKEN_NAME_MAX];
	snprintf(name, sizeof(name), "%s", s->name);
	list_remove(&s->link);
	session_count--;
	mem_free(s);
	web_readers_end(name);
}

void web_sessions_end(const char *token_name)
{
	struct lnode *it, *tmp;
	list_each (&sessions, it, tmp) {
		struct web_session *s = list_entry(it, struct web_session, link);
		if (!token_name || !strcmp(s->token_name, token_name))
			session_end(s);
	}
	if (!token_name)
		loop_timer_cancel(&sweep_timer);
}

static ON_CTL struct web_session *session_named(const char *name)
{
	struct lnode *it, *tmp;
	list_each (&sessions, it, tmp) {
		struct web_session *s = list_entry(it, struct web_session, link);
		if (!strcmp(s->name, name))
			return s;
	}
	return NULL;
}

static ON_CTL bool is_over(const struct web_session *s)
{
	return loop_now_us() - s->seen_us > web_conf.session_idle_us ||
	       loop_now_us() - s->opened_us > web_conf.session_max_us;
}

enum web_role web_session_role(const char *name)
{
	const struct web_session *s = session_named(name);
	return s && !is_over(s) ? s->role : WEB_NOBODY;
}

static ON_CTL const char *cookie_name(void)
{
	static char name[32];
	struct addr local = {0};
	if (web_server())
		http_server_local(web_server(), &local);
	/* cookies know no ports: another switch on this machine has its own */
	snprintf(name, sizeof(name), "tandem_session_%u", addr_port(&local));
	return name;
}

const struct web_session *web_session_get(const struct http_request *q)
{
	struct sv cookie = web_cookie_find(http_header_get(q, "Cookie"), cookie_name());
	uint8_t sum[DIGEST_SHA256_BYTES];
	struct web_session *found = NULL;
	struct lnode *it, *tmp;
	if (cookie.n != COOKIE_CHARS)
		return NULL;
	digest_sha256(cookie.p, cookie.n, sum);
	list_each (&sessions, it, tmp) {
		struct web_session *s = list_entry(it, struct web_session, link);
		if (digest_equal(sum, s->sum, sizeof(sum)))
			found = s;
	}
	if (!found || is_over(found))
		return NULL;
	found->seen_us = loop_now_us();
	return found;
}

bool web_session_is_intended(const struct web_session *s, const struct http_request *q)
{
	struct sv word = http_header_get(q, "X-Tandem-CSRF"), site = http_header_get(q, "Sec-Fetch-Site");
	if (site.n && !sv_isi(site, "same-origin") && !sv_isi(site, "none"))
		return false;
	if (!web_origin_is_own(q))
		return false;
	return sv_is(q->method, "GET") || sv_is(q->method, "HEAD") ||
	       (word.n == SESSION_CSRF_CHARS && digest_equal(word.p, s->csrf, SESSION_CSRF_CHARS));
}

/* ---- who may sign in ---- */
static ON_CTL const char *user_param(const struct dir_user *u, const char *name)
{
	const char *v = dir_user_param(u, name);
	return v ? v : dir_user_var(u, name);
}

/* His role; WEB_NOBODY: he has none. secret: the sum of what his password is checked against. */
static ON_CTL enum web_role user_role(const struct dir_user *u, uint8_t secret[DIGEST_SHA256_BYTES])
{
	enum web_role role = WEB_NOBODY;
	const char *own = dir_user_param(u, "console-password"), *hash = dir_user_param(u, "a1-hash"),
	           *password = own && *own     ? own
	                       : hash && *hash ? hash
	                                       : dir_user_param(u, "password");
	digest_sha256(password ? password : "", password ? strlen(password) : 0, secret);
	if (!password || !*password || web_role_parse(user_param(u, "console-role"), &role))
		return WEB_NOBODY;
	return role;
}

static ON_CTL bool password_is_right(const struct dir_user *u, const char *given)
{
	const char *own = dir_user_param(u, "console-password"), *hash = dir_user_param(u, "a1-hash"),
	           *password = dir_user_param(u, "password");
	uint8_t want[DIGEST_SHA256_BYTES], have[DIGEST_SHA256_BYTES], md5[DIGEST_MD5_BYTES];
	char hex[DIGEST_HEX_CHARS(DIGEST_MD5_BYTES) + 1];
	if ((!own || !*own) && hash && *hash) {
		const char *id = dir_user_id(u), *domain = dir_user_domain(u);
		const struct digest_piece pieces[] = {
		    {id, strlen(id)}, {":", 1}, {domain, strlen(domain)}, {":", 1}, {given, strlen(given)}};
		digest_md5_pieces(pieces, sizeof(pieces) / sizeof(pieces[0]), md5);
		digest_hex(md5, sizeof(md5), hex);
		return strlen(hash) + 1 == sizeof(hex) && !strcasecmp(hex, hash);
	}
	password = own && *own ? own : password;
	if (!password || !*password)
		return false;
	digest_sha256(password, strlen(password), want);
	digest_sha256(given, strlen(given), have);
	return digest_equal(want, have, sizeof(want));
}

/* ---- looking after them ---- */
static ON_CTL bool is_still_good(const char *name, const struct dir_user *u)
{
	uint8_t secret[DIGEST_SHA256_BYTES];
	const struct web_session *s = session_named(name);
	return s && u && user_role(u, secret) == s->role && digest_equal(secret, s->secret, sizeof(secret));
}

static void sweep_later(void *arg);

static void sweep(void *arg)
{
	role_assert_co();
	char(*names)[TOKEN_NAME_MAX] = mem_zalloc((session_count + 1) * sizeof(*names));
	struct lnode *it, *tmp;
	size_t n = 0;
	if (names)
		list_each (&sessions, it, tmp)
			memcpy(names[n++], list_entry(it, struct web_session, link)->name, TOKEN_NAME_MAX);
	for (size_t i = 0; i < n; i++) {
		struct web_session *s = session_named(names[i]);
		struct dir_user *u = NULL;
		char user[SESSION_USER_MAX], domain[SESSION_USER_MAX];
		if (!s)
			continue;
		if (is_over(s)) {
			session_end(s);
			continue;
		}
		if (*s->token_name)
			continue;
		memcpy(user, s->user, sizeof(user));
		memcpy(domain, s->domain, sizeof(domain));
		int st = dir_user_get(sv_of(user), sv_of(domain), "web-console", &u);
		s = session_named(names[i]);
		if (s && (st == ST_OK || st == ST_NOTFOUND) && !is_still_good(names[i], u)) {
			log_notice("http: %s is signed out: his account has changed", s->name);
			session_end(s);
		}
		mem_unref(u);
	}
	mem_free(names);
	if (session_count && !loop_timer_is_set(&sweep_timer))
		loop_timer_set(&sweep_timer, SWEEP_US, "http sessions", sweep_later, NULL);
}

static void sweep_later(void *arg)
{
	role_assert_ctl();
	if (session_count && co_spawn("http sessions", sweep, NULL, NULL))
		loop_timer_set(&sweep_timer, SWEEP_US, "http sessions", sweep_later, NULL);
}

/* A new configuration may say something else of them. */
static void on_swap(void *arg)
{
	role_assert_ctl();
	if (session_count)
		loop_timer_set(&sweep_timer, 0, "http sessions", sweep_later, NULL);
}

int web_sessions_start(void)
{
	return config_on_swap(on_swap, NULL);
}

void web_sessions_stop(void)
{
	config_on_swap_del(on_swap, NULL);
	web_sessions_end(NULL);
}

/* ---- opening one ---- */
static ON_CTL void user_make_room(const char *user, const char *domain, const char *token_name)
{
	struct lnode *it, *tmp;
	struct web_session *oldest = NULL;
	size_t n = 0;
	list_each (&sessions, it, tmp) {
		struct web_session *s = list_entry(it, struct web_session, link);
		if (is_over(s)) {
			session_end(s);
		} else if (!strcmp(s->user, user) && !strcmp(s->domain, domain) && !strcmp(s->token_name, token_name)) {
			oldest = oldest ? oldest : s;
			n++;
		}
	}
	if (n >= SESSIONS_OF_USER_MAX)
		session_end(oldest);
}

static ON_CTL void session_put(
    struct buf *b, const char *user, const char *domain, enum web_role role, const char *csrf)
{
	struct json_writer w;
	jw_init(&w, b, false);
	jw_begin_object(&w);
	jw_kv_str(&w, "user", user);
	jw_kv_str(&w, "domain", domain);
	jw_kv_str(&w, "role", web_role_name(role));
	jw_kv_str(&w, "csrf", csrf);
	jw_end_object(&w);
}

/* Makes the session and answers with it. */
static ON_CTL void session_open(struct http_exchange *x, struct web_session *s)
{
	char cookie[COOKIE_CHARS + 1], id[17], header[256];
	struct buf b;
	user_make_room(s->user, s->domain, s->token_name);
	if (session_count >= SESSIONS_MAX) {
		mem_free(s);
		http_exchange_header(x, "Retry-After", "60");
		web_problem(x, 503, "too many sessions");
		return;
	}
	rand_token(cookie, COOKIE_CHARS);
	rand_token(id, sizeof(id) - 1);
	rand_token(s->csrf, SESSION_CSRF_CHARS);
	digest_sha256(cookie, COOKIE_CHARS, s->sum);
	snprintf(s->name, sizeof(s->name), "@%s %.*s", id, (int)(sizeof(s->name) - sizeof(id) - 2),
	    *s->user ? s->user : s->token_name);
	s->opened_us = s->seen_us = loop_now_us();
	list_push(&sessions, &s->link);
	session_count++;
	if (!loop_timer_is_set(&sweep_timer))
		loop_timer_set(&sweep_timer, SWEEP_US, "http sessions", sweep_later, NULL);
	/* a proxy's page is https, and then so is the cookie */
	bool is_secure = sv_startsi(http_header_get(http_exchange_request(x), "Origin"), SV("https://"));
	snprintf(header, sizeof(header), "%s=%s; Path=/; HttpOnly; SameSite=Strict%s", cookie_name(), cookie,
	    is_secure ? "; Secure" : "");
	http_exchange_trust(x);
	guard_succeeded(http_exchange_peer(x));
	http_exchange_header(x, "Set-Cookie", header);
	buf_init(&b);
	session_put(&b, s->user, s->domain, s->role, s->csrf);
	web_reply_json(x, 201, &b);
}

struct sign_in {
	struct http_exchange *x; /* a reference */
	char user[SESSION_USER_MAX], domain[SESSION_USER_MAX], password[PASSWORD_MAX];
	bool is_token;
	int64_t wait_us;
};

static ON_CTL void sign_in_refuse(struct sign_in *in)
{
	const struct addr *peer = http_exchange_peer(in->x);
	login_delay_failed(web_login_delay, peer);
	guard_failed(&(struct guard_failure){
	    .door = "http", .src = peer, .user = in->is_token ? SV_NONE : sv_of(in->user), .is_proved = true});
	web_problem(in->x, 401, in->is_token ? "the token is not known" : "the name or the password is wrong");
}

static CO struct web_session *session_of_user(struct sign_in *in)
{
	struct web_session *s = mem_zalloc(sizeof(*s));
	struct dir_user *u = NULL;
	int st = s ? dir_user_get(sv_of(in->user), sv_of(in->domain), "web-console", &u) : ST_NOMEM;
	bool is_right = !st && !guard_is_user_barred(http_exchange_peer(in->x), sv_of(in->user)) &&
	                password_is_right(u, in->password);
	if (is_right)
		s->role = user_role(u, s->secret);
	if (is_right && s->role != WEB_NOBODY && strlen(dir_user_id(u)) < SESSION_USER_MAX) {
		snprintf(s->user, sizeof(s->user), "%s", dir_user_id(u));
		snprintf(s->domain, sizeof(s->domain), "%s", dir_user_domain(u));
	} else {
		mem_free(s);
		s = NULL;
	}
	mem_unref(u);
	return s;
}

static ON_CTL struct web_session *session_of_token(struct sign_in *in)
{
	const char *name;
	enum web_role role = web_token_check(sv_of(in->password), &name);
	struct web_session *s = role != WEB_NOBODY ? mem_zalloc(sizeof(*s)) : NULL;
	if (!s)
		return NULL;
	s->role = role;
	snprintf(s->token_name, sizeof(s->token_name), "%s", name);
	snprintf(s->domain, sizeof(s->domain), "%s", in->domain);
	return s;
}

static void sign_in_run(void *arg)
{
	struct sign_in *in = arg;
	role_assert_co();
	if (!(in->wait_us && co_sleep(in->wait_us)) && http_exchange_is_open(in->x)) {
		struct web_session *s = in->is_token ? session_of_token(in) : session_of_user(in);
		if (!http_exchange_is_open(in->x)) /* the directory was waited for */
			mem_free(s);
		else if (s)
			session_open(in->x, s);
		else
			sign_in_refuse(in);
	}
	mem_unref(in->x);
	memset(in, 0, sizeof(*in));
	mem_free(in);
}

static ON_CTL bool sign_in_read(struct web_call *c, struct sign_in *in)
{
	const char *user = json_string_value(json_object_get(c->body, "user")),
	           *domain = json_string_value(json_object_get(c->body, "domain")),
	           *password = json_string_value(json_object_get(c->body, "password")),
	           *token = json_string_value(json_object_get(c->body, "token"));
	const char *at = user && !domain ? strchr(user, '@') : NULL;
	in->is_token = token != NULL;
	password = token ? token : password;
	if (!password || strlen(password) >= PASSWORD_MAX ||
	    (!token && (!user || !*user || strlen(user) >= SESSION_USER_MAX)) ||
	    (domain && strlen(domain) >= SESSION_USER_MAX)) {
		web_problem(c->x, 400, "user and password, or token, are needed");
		return false;
	}
	const char *fallback = globals_get("domain");
	snprintf(in->user, sizeof(in->user), "%.*s", at ? (int)(at - user) : SESSION_USER_MAX - 1, user ? user : "");
	snprintf(in->domain, sizeof(in->domain), "%s",
	    at                  ? at + 1
	    : domain && *domain ? domain
	    : fallback          ? fallback
	                        : "");
	snprintf(in->password, sizeof(in->password), "%s", password);
	return true;
}

void web_session_open(struct web_call *c)
{
	int64_t wait_us = 0;
	/* a form of another page cannot send JSON; a page of another origin may not sign anybody in */
	if (!web_origin_is_own(c->q)) {
		web_problem(c->x, 403, "pages of this origin may not sign in here (cors-origins)");
		return;
	}
	struct sign_in *in = mem_zalloc(sizeof(*in));
	if (!in) {
		web_problem(c->x, 503, "out of memory");
		return;
	}
	if (!sign_in_read(c, in)) {
		mem_free(in);
		return;
	}
	if (guard_is_barred(http_exchange_peer(c->x)) ||
	    login_delay_turn(web_login_delay, http_exchange_peer(c->x), &wait_us)) {
		mem_free(in);
		http_exchange_header(c->x, "Retry-After", "10");
		web_problem(c->x, 429, "too many wrong sign-ins from this address");
		return;
	}
	in->wait_us = wait_us;
	in->x = mem_ref(c->x);
	if (co_spawn("http sign-in", sign_in_run, in, NULL)) {
		mem_unref(in->x);
		mem_free(in);
		web_problem(c->x, 503, "out of memory");
	}
}

/* ---- seeing and closing it ---- */
void web_session_show(struct web_call *c)
{
	struct buf b;
	buf_init(&b);
	session_put(&b, c->session ? c->session->user : "", c->session ? c->session->domain : "", c->role,
	    c->session ? c->session->csrf : "");
	web_reply_json(c->x, 200, &b);
}

void web_session_close(struct web_call *c)
{
	char header[128];
	struct web_session *s = c->session ? session_named(c->session->name) : NULL;
	snprintf(header, sizeof(header), "%s=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0", cookie_name());
	http_exchange_header(c->x, "Set-Cookie", header);
	c->session = NULL;
	c->token_name = "";
	if (s)
		session_end(s);
	http_exchange_reply(c->x, 204, NULL, SV_NONE);
}
