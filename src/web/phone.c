/* The browser phone: a SIP phone in the page, over the WebSocket of a SIP profile (phone-url of http.conf). It
 * registers as the user who signed in. What it needs for that, the sum A1 of his password (RFC 7616, 3.4.2), is told to
 * his session only, and only when he could have written it himself: he signed in with the very password his phones have
 * (no console-password), or console-phone says that he may. */
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/dir.h"
#include "loop/co.h"
#include "text/digest.h"
#include "web/web_i.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { URLS_MAX_CHARS = 1000 };

/* One address of phone-url; no byte of it may mean anything in a header. */
static bool is_url(struct sv url)
{
	size_t skip = sv_startsi(url, SV("ws://")) ? 5 : sv_startsi(url, SV("wss://")) ? 6 : 0;
	static const char plain[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-_:/[]";
	if (!skip || url.n == skip)
		return false;
	for (size_t i = skip; i < url.n; i++)
		if (!url.p[i] || !strchr(plain, url.p[i]))
			return false;
	return true;
}

/* The next of a list parted by blanks or commas; SV_NONE at the end. */
static struct sv url_next(const char **at)
{
	*at += strspn(*at, " ,");
	struct sv url = {*at, strcspn(*at, " ,")};
	*at += url.n;
	return url;
}

char *web_phone_urls_read(const char *text)
{
	struct buf good;
	struct sv url;
	buf_init(&good);
	while ((url = url_next(&text)).n) {
		if (is_url(url) && good.n + url.n < URLS_MAX_CHARS)
			buf_printf(&good, "%s%.*s", good.n ? " " : "", SVF(url));
		else
			log_error("http.conf: phone-url has '%.*s', which is no ws:// or wss:// address", SVF(url));
	}
	return good.n ? buf_take(&good) : mem_strdup("");
}

/* ---- who may ---- */
static ON_CTL bool a1_of(const struct dir_user *u, char hex[DIGEST_HEX_CHARS(DIGEST_MD5_BYTES) + 1])
{
	const char *hash = dir_user_param(u, "a1-hash"), *password = dir_user_param(u, "password"),
	           *id = dir_user_id(u), *domain = dir_user_domain(u);
	uint8_t md5[DIGEST_MD5_BYTES];
	if (hash && strlen(hash) == DIGEST_HEX_CHARS(DIGEST_MD5_BYTES)) {
		memcpy(hex, hash, strlen(hash) + 1);
		return true;
	}
	if (!password || !*password)
		return false;
	const struct digest_piece pieces[] = {
	    {id, strlen(id)}, {":", 1}, {domain, strlen(domain)}, {":", 1}, {password, strlen(password)}};
	digest_md5_pieces(pieces, sizeof(pieces) / sizeof(pieces[0]), md5);
	digest_hex(md5, sizeof(md5), hex);
	return true;
}

static ON_CTL bool may_have(const struct dir_user *u)
{
	const char *own = dir_user_param(u, "console-password"), *said = dir_user_param(u, "console-phone");
	said = said ? said : dir_user_var(u, "console-phone");
	return said && *said ? str_is_true(said) : !own || !*own;
}

struct phone_ask {
	struct http_exchange *x; /* a reference */
	char user[SESSION_USER_MAX], domain[SESSION_USER_MAX];
};

static ON_CTL void phone_tell(struct http_exchange *x, const struct dir_user *u)
{
	char hex[DIGEST_HEX_CHARS(DIGEST_MD5_BYTES) + 1];
	const char *at = web_conf.phone_urls, *name = dir_user_var(u, "effective_caller_id_name");
	struct json_writer w;
	struct sv url;
	struct buf b;
	if (!may_have(u)) {
		web_problem(x, 403, "%s may not have a phone in the browser (console-phone)", dir_user_id(u));
		return;
	}
	if (!a1_of(u, hex)) {
		web_problem(x, 403, "%s has no password to register with", dir_user_id(u));
		return;
	}
	buf_init(&b);
	jw_init(&w, &b, false);
	jw_begin_object(&w);
	jw_key(&w, "urls");
	jw_begin_array(&w);
	while ((url = url_next(&at)).n)
		jw_sv(&w, url);
	jw_end_array(&w);
	jw_kv_str(&w, "user", dir_user_id(u));
	jw_kv_str(&w, "domain", dir_user_domain(u));
	jw_kv_str(&w, "name", name ? name : "");
	jw_kv_str(&w, "a1", hex);
	jw_end_object(&w);
	memset(hex, 0, sizeof(hex));
	web_reply_json(x, 200, &b);
}

static void phone_run(void *arg)
{
	struct phone_ask *a = arg;
	struct dir_user *u = NULL;
	role_assert_co();
	int st = dir_user_get(sv_of(a->user), sv_of(a->domain), "web-console", &u);
	if (http_exchange_is_open(a->x) && !st)
		phone_tell(a->x, u);
	else if (http_exchange_is_open(a->x))
		web_problem(a->x, 404, "there is no user %s", a->user);
	mem_unref(u);
	mem_unref(a->x);
	mem_free(a);
}

void web_phone(struct web_call *c)
{
	if (!*web_conf.phone_urls) {
		web_problem(c->x, 404, "there is no browser phone: phone-url of http.conf is not set");
		return;
	}
	if (!c->session || !*c->session->user) {
		web_problem(c->x, 403, "a phone is a user's: sign in as one");
		return;
	}
	struct phone_ask *a = mem_zalloc(sizeof(*a));
	if (a) {
		memcpy(a->user, c->session->user, sizeof(a->user));
		memcpy(a->domain, c->session->domain, sizeof(a->domain));
		a->x = mem_ref(c->x);
	}
	if (a && !co_spawn("http phone", phone_run, a, NULL))
		return;
	if (a)
		mem_unref(a->x);
	mem_free(a);
	web_problem(c->x, 503, "out of memory");
}
