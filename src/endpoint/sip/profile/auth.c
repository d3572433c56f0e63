/* Digest authentication of a request against the directory. Answers 401/407, 400 or 403 itself; tells the caller who it
 * was otherwise. What it answers is not kept (sip_stx_reply_once): an address that never answers costs no memory, and
 * is sent nothing twice. An unknown user takes the same way as a wrong password. Failed answers are counted by source;
 * challenges never. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "core/conf/acl.h"
#include "core/conf/dir.h"
#include "core/value/vars.h"
#include "endpoint/sip/profile/profile_i.h"
#include "guard/guard.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { FAILURES_MAX_SOURCES = 4096, UNLISTED_NAME_MAX = 64 };
static bool is_proxy_kind(const struct sip_msg *m)
{
	return m->method != SIP_REGISTER;
}

struct auth_failures {
	uint64_t count;
	int64_t last_us;
};

void auth_fini(struct auth *a)
{
	mem_unref(a->user);
	mem_free(a->username);
	mem_free(a->realm);
	vars_free(a->vars);
	memset(a, 0, sizeof(*a));
}

/* Whose source may be forged bans nobody: over UDP a nonce that we sent to this address has to come back with it. */
static ON_CTL bool is_proved(struct profile *p, const struct sip_stx *tx, const struct sip_msg *m)
{
	struct sip_auth a;
	if (sip_transport_is_reliable(sip_stx_transport(tx)))
		return true;
	return m && !digest_answer_get(m, is_proxy_kind(m), SV_NONE, &a) &&
	       digest_is_given_to(p->digest, a.nonce, sip_stx_peer(tx));
}

void auth_failed_tell(struct profile *p, const struct sip_stx *tx, const struct sip_msg *m)
{
	struct sip_auth a;
	bool has_name = !digest_answer_get(m, is_proxy_kind(m), SV_NONE, &a);
	auth_failed_count(p, sip_stx_peer(tx));
	guard_failed(&(struct guard_failure){.door = "sip",
	    .src = sip_stx_peer(tx),
	    .user = has_name ? a.username : m->from.uri.user,
	    .is_proved = is_proved(p, tx, m)});
}

void auth_failed_count(struct profile *p, const struct addr *src)
{
	char host[ADDR_TEXT_MAX];
	struct sv key = sv_of(addr_host(src, host));
	struct auth_failures *f = hash_get(p->failures, key);
	if (!f) {
		struct hash_it it = {0};
		if (hash_count(p->failures) >= FAILURES_MAX_SOURCES && hash_next(p->failures, &it))
			hash_del(p->failures, it.key); /* the oldest source makes room */
		if (!(f = mem_zalloc(sizeof(*f))))
			return;
		if (hash_set(p->failures, key, f) < 0) {
			mem_free(f);
			return;
		}
	}
	f->count++;
	f->last_us = clock_mono_us();
}

uint64_t auth_failures_of(struct profile *p, const struct addr *src)
{
	char host[ADDR_TEXT_MAX];
	const struct auth_failures *f = hash_get(p->failures, sv_of(addr_host(src, host)));
	return f ? f->count : 0;
}

void auth_realm_put(const struct profile *p, const struct sip_msg *m, struct buf *out)
{
	const char *how = p->conf.challenge_realm;
	if (!strcasecmp(how, "auto_from"))
		buf_addv(out, m->from.uri.host);
	else if (!strcasecmp(how, "auto_to"))
		buf_addv(out, m->to.uri.host);
	else
		buf_adds(out, how);
}

void auth_challenge_put(
    struct profile *p, const char *realm, bool is_proxy, bool is_stale, const struct addr *to, struct buf *out)
{
	struct sv rest = sv_of(p->conf.auth_algorithms), one;
	size_t start = out->n;
	if (sv_isi(rest, "all"))
		rest = SV("SHA-256,MD5");
	while (rest.n) {
		sv_split(rest, ',', &one, &rest);
		one = sv_trim(one);
		if (sv_isi(one, "SHA-256"))
			digest_challenge_put(p->digest, out, is_proxy, realm, DIGEST_SHA256, is_stale, to);
		else if (sv_isi(one, "MD5"))
			digest_challenge_put(p->digest, out, is_proxy, realm, DIGEST_MD5, is_stale, to);
	}
	if (out->n == start)
		digest_challenge_put(p->digest, out, is_proxy, realm, DIGEST_MD5, is_stale, to);
}

bool auth_has_answer(const struct profile *p, const struct sip_msg *m)
{
	struct sip_auth answer;
	struct buf realm;
	buf_init(&realm);
	auth_realm_put(p, m, &realm);
	bool has = realm.p && digest_answer_get(m, is_proxy_kind(m), buf_sv(&realm), &answer) == ST_OK;
	buf_fini(&realm);
	return has;
}

static ON_CTL void challenge(
    struct profile *p, struct sip_stx *tx, const struct sip_msg *m, const char *realm, bool is_stale)
{
	bool is_proxy = is_proxy_kind(m);
	struct buf b;
	char host[ADDR_TEXT_MAX];
	buf_init(&b);
	auth_challenge_put(p, realm, is_proxy, is_stale, sip_stx_peer(tx), &b);
	if (p->conf.logs_auth_failures)
		log_debug("SIP auth challenge (%.*s) on sofia profile '%s' for [%.*s@%.*s] from ip %s",
		    SVF(m->method_text), p->conf.name, SVF(m->to.uri.user), SVF(m->to.uri.host),
		    addr_host(sip_stx_peer(tx), host));
	sip_stx_reply_once(tx, is_proxy ? 407 : 401, NULL, b.p);
	buf_fini(&b);
}

/* is_wrong: it did not know the password; who knew it and is refused all the same guesses nothing. */
static ON_CTL enum auth_outcome refuse(
    struct profile *p, struct sip_stx *tx, const struct sip_msg *m, const char *why, bool is_wrong)
{
	char host[ADDR_TEXT_MAX];
	if (is_wrong)
		auth_failed_tell(p, tx, m);
	else
		auth_failed_count(p, sip_stx_peer(tx));
	addr_host(sip_stx_peer(tx), host);
	if (p->conf.logs_auth_failures)
		log_warning("SIP auth failure (%.*s) on sofia profile '%s' for [%.*s@%.*s] from ip %s",
		    SVF(m->method_text), p->conf.name, SVF(m->to.uri.user), SVF(m->to.uri.host), host);
	else
		log_debug("sofia: %s: %.*s from %s refused: %s", p->conf.name, SVF(m->method_text), host, why);
	sip_stx_reply_once(tx, 403, NULL, NULL);
	return AUTH_REFUSED;
}

/* A password that was never changed opens the extension to the loopback only, unless the profile says otherwise. */
static ON_CTL bool is_default_password_refused(struct profile *p, const struct addr *src, const struct dir_user *u)
{
	const char *password = dir_user_param(u, "password");
	if (!password || strcmp(password, "1234") != 0 || p->conf.allows_default_passwords || addr_is_loopback(src))
		return false;
	struct sv id = sv_of(dir_user_id(u));
	if (!hash_get(p->default_password_told, id) && hash_set(p->default_password_told, id, p) == ST_OK)
		log_warning("sofia: extension %.*s still has the default password: it is served from this machine "
		            "only. Change it, or set "
		            "allow-default-passwords in profile %s",
		    SVF(id), p->conf.name);
	return true;
}

static ON_CTL bool user_acl_allows(const struct dir_user *u, const struct addr *src)
{
	const char *acl = dir_user_param(u, "auth-acl");
	return !acl || !*acl || acl_allows(sv_of(acl), src, NULL, NULL);
}

/* ---- somebody else knows the passwords ------------------------------------------------------------------------- */
static struct {
	const struct sip_stx *tx;
	int status;
	const struct vars *vars;
} verdict;

void auth_verdict_set(const struct sip_stx *tx, int status, struct vars *vars)
{
	verdict.tx = tx, verdict.status = status, verdict.vars = vars;
}

static ON_CTL const char *authenticator_of(const struct profile *p, const struct dir_user *u)
{
	const char *name = u ? dir_user_param(u, "authenticator") : NULL;
	if (!name)
		name = p->conf.authenticator;
	return *name && strcmp(name, "directory") != 0 ? name : NULL;
}

/* All but the response: whose nonce it is, how old, for what; DIGEST_BAD is what remains to be asked. */
static ON_CTL enum digest_result check_around(
    struct profile *p, const struct sip_msg *m, const char *realm, const struct addr *src)
{
	return digest_check(p->digest, m, is_proxy_kind(m), realm, &(struct digest_secret){.ha1 = ""}, src);
}

const char *auth_authenticator_of(
    struct profile *p, const struct sip_stx *tx, const struct sip_msg *m, struct sip_auth *answer)
{
	struct dir_user *user = NULL;
	const struct addr *src = sip_stx_peer(tx);
	const char *name = NULL;
	struct buf realm;
	buf_init(&realm);
	auth_realm_put(p, m, &realm);
	if (realm.p && !realm.failed && !digest_answer_get(m, is_proxy_kind(m), buf_sv(&realm), answer) &&
	    answer->username.n && !guard_is_user_barred(src, answer->username)) {
		const char *domain = *p->conf.force_register_domain ? p->conf.force_register_domain : realm.p;
		if (dir_user_find(answer->username, sv_of(domain), &user) < 0)
			user = NULL;
		name = authenticator_of(p, user);
	}
	bool is_datagram = !sip_transport_is_reliable(sip_stx_transport(tx));
	if (name && check_around(p, m, realm.p, is_datagram ? src : NULL) != DIGEST_BAD)
		name = NULL; /* auth_check says what is wrong */
	mem_unref(user);
	buf_fini(&realm);
	return name;
}

/* The verdict in place of a password. *is_unknown: nobody can say. */
static ON_CTL enum digest_result check_verdict(struct profile *p, const struct sip_stx *tx, const struct sip_msg *m,
    const char *realm, const struct dir_user *u, const struct addr *src, bool *is_unknown)
{
	if (verdict.tx == tx && !verdict.status && u)
		return digest_check(
		    p->digest, m, is_proxy_kind(m), realm, &(struct digest_secret){.is_right = true}, src);
	if (verdict.tx == tx && !verdict.status)
		log_warning("sofia: %s: the authenticator accepts a user whom the directory does not know: refused",
		    p->conf.name);
	enum digest_result r = check_around(p, m, realm, src);
	*is_unknown = r == DIGEST_BAD && (verdict.tx != tx || (verdict.status && verdict.status != ST_DENIED));
	return r;
}

/* It is a name in logs, variables, counters and files: nothing else than a name. */
static bool is_plain_name(struct sv name)
{
	static const char also[] = "._+-@";

	for (size_t i = 0; i < name.n; i++)
		if (!isalnum((unsigned char)name.p[i]) && !memchr(also, name.p[i], sizeof(also) - 1))
			return false;
	return name.n > 0 && name.n <= UNLISTED_NAME_MAX && name.p[0] != '.';
}

/* Whom the authenticator accepts and the directory does not know is like the user whom the profile names for that
 * (authenticator-user): a new reference; NULL: refused. */
static ON_CTL struct dir_user *user_unlisted(
    const struct profile *p, const struct sip_stx *tx, struct sv name, struct sv domain)
{
	struct dir_user *like = NULL, *user = NULL;

	if (!*p->conf.authenticator_user || verdict.tx != tx || verdict.status)
		return NULL;
	if (!is_plain_name(name))
		log_warning(
		    "sofia: %s: the authenticator accepts a user whose name has more than letters, digits and ._+-@: "
		    "refused",
		    p->conf.name);
	else if (dir_user_find(sv_of(p->conf.authenticator_user), domain, &like) < 0)
		log_error("sofia: %s: authenticator-user: the directory has no %s@%.*s", p->conf.name,
		    p->conf.authenticator_user, SVF(domain));
	else if (dir_user_like(like, name, &user))
		user = NULL;
	mem_unref(like);
	return user;
}

/* A user that is not there, or has no password, is looked at as one whose password nobody can know: the same work. */
static ON_CTL enum digest_result check_answer(
    struct profile *p, const struct sip_msg *m, const char *realm, const struct dir_user *u, const struct addr *src)
{
	struct digest_secret secret = {0};
	static char nobody[33];
	bool is_user = u != NULL;
	if (u)
		secret = (struct digest_secret){dir_user_param(u, "password"), dir_user_param(u, "a1-hash")};
	if (secret.ha1 && !*secret.ha1)
		secret.ha1 = NULL;
	if (secret.ha1)
		secret.password = NULL;
	if ((!secret.password || !*secret.password) && !secret.ha1 &&
	    !(u && str_is_true(dir_user_param(u, "allow-empty-password")))) {
		is_user = false;
		if (!*nobody)
			rand_token(nobody, sizeof(nobody) - 1);
		secret.password = nobody;
	}
	if (!secret.password && !secret.ha1)
		secret.password = "";
	enum digest_result r = digest_check(p->digest, m, is_proxy_kind(m), realm, &secret, src);
	if (r == DIGEST_BAD && p->conf.has_broken_auth_hash && m->method != SIP_REGISTER && m->method != SIP_INVITE) {
		struct sip_msg as_invite = *m; /* phones that always hash INVITE (NDLB-broken-auth-hash) */
		as_invite.method_text = SV("INVITE");
		r = digest_check(p->digest, &as_invite, is_proxy_kind(m), realm, &secret, src);
	}
	return r == DIGEST_OK && !is_user ? DIGEST_NO_USER : r;
}

enum auth_outcome auth_check(struct profile *p, struct sip_stx *tx, const struct sip_msg *m, struct auth *out)
{
	struct buf realm;
	struct sip_auth answer;
	struct dir_user *user = NULL;
	enum auth_outcome outcome = AUTH_REFUSED;
	const struct addr *src = sip_stx_peer(tx);
	buf_init(&realm);
	auth_realm_put(p, m, &realm);
	if (realm.failed || !realm.p)
		goto done;
	int st = digest_answer_get(m, is_proxy_kind(m), buf_sv(&realm), &answer);
	if (st == ST_NOTFOUND) {
		challenge(p, tx, m, realm.p, false);
		outcome = AUTH_CHALLENGED;
		goto done;
	}
	if (st < 0) {
		sip_stx_reply_once(tx, 400, "Bad Authorization Header", NULL);
		goto done;
	}
	if (guard_is_user_barred(src, answer.username)) {
		log_debug("sofia: %s: %.*s is banned at its address: refused", p->conf.name, SVF(answer.username));
		goto done; /* 403, as a wrong password; nothing is counted */
	}
	const char *domain = *p->conf.force_register_domain ? p->conf.force_register_domain : realm.p;
	if (dir_user_find(answer.username, sv_of(domain), &user) < 0)
		user = NULL;
	bool is_datagram = !sip_transport_is_reliable(sip_stx_transport(tx));
	const char *authenticator = authenticator_of(p, user);
	bool is_unknown = false;
	if (authenticator && !user) {
		user = user_unlisted(p, tx, answer.username, sv_of(domain));
		out->is_unlisted = user != NULL;
	}
	enum digest_result r = authenticator
	                           ? check_verdict(p, tx, m, realm.p, user, is_datagram ? src : NULL, &is_unknown)
	                           : check_answer(p, m, realm.p, user, is_datagram ? src : NULL);
	if (is_unknown) { /* it guessed nothing: it is not counted */
		log_debug("sofia: %s: authenticator %s does not say who %.*s is", p->conf.name, authenticator,
		    SVF(answer.username));
		sip_stx_reply_once(tx, 503, NULL, "Retry-After: 5\r\n");
	} else if (r == DIGEST_STALE || r == DIGEST_REPLAY || r == DIGEST_NO_HEADER || r == DIGEST_WRONG_REALM) {
		challenge(p, tx, m, realm.p, r == DIGEST_STALE || r == DIGEST_REPLAY);
		outcome = AUTH_CHALLENGED;
	} else if (r == DIGEST_MALFORMED) {
		sip_stx_reply_once(tx, 400, "Bad Authorization Header", NULL);
	} else if (r != DIGEST_OK) {
		outcome = refuse(p, tx, m, user ? digest_result_text(r) : "no such user", true);
	} else if (!user_acl_allows(user, src)) {
		outcome = refuse(p, tx, m, "auth-acl", false);
	} else if (!authenticator && is_default_password_refused(p, src, user)) {
		outcome = refuse(p, tx, m, "default password", false);
	} else {
		if (authenticator && verdict.vars && !vars_new(&out->vars))
			(void)vars_copy(out->vars, verdict.vars);
		out->user = mem_ref(user);
		out->username = sv_dup(answer.username);
		/* force-register-domain: a realm of the caller's choice is not to look like another domain's login */
		out->realm = sv_isi(buf_sv(&realm), dir_user_domain(user)) || !dir_domain_exists(buf_sv(&realm))
		                 ? sv_dup(buf_sv(&realm))
		                 : mem_strdup(dir_user_domain(user));
		sip_stx_trust(tx);
		guard_succeeded(src);
		outcome = AUTH_OK;
	}
done:
	if (outcome == AUTH_REFUSED && !sip_stx_is_done(tx))
		sip_stx_reply_once(tx, 403, NULL, NULL);
	buf_fini(&realm);
	mem_unref(user);
	return outcome;
}
