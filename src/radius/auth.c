/* Authentication and authorisation: the application rad_auth for calls, the authenticator "radius" for digests of
 * registrations and calls (RFC 5090: the switch gives the nonces out, the server knows the passwords), and what becomes
 * of the attributes of an answer. Those are values and nothing else: no server's word is a command, a dial string or a
 * name of anything. Each waits on its coroutine, for auth-timeout at most. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/registry/app_words.h"
#include "core/run/exec.h"
#include "core/run/expand.h"
#include "core/value/vars.h"
#include "radius/radius_i.h"
#include "text/mark.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

enum { SERVICE_CALL_CHECK = 10, SERVICE_LOGIN = 1, SERVICE_SIP = 15, PORT_VIRTUAL = 5 };
static unsigned asking_count;

/* ---- what a request says -------------------------------------------------------------------------------------- */
int rad_nas_put(struct buf *attrs)
{
	const struct addr *a = &rad_conf.nas_ip;
	int st = rad_put(attrs, RAD_NAS_IDENTIFIER, sv_of(rad_conf.nas_identifier));
	if (!st && a->sa.sa_family == AF_INET)
		st = rad_put(attrs, RAD_NAS_IP_ADDRESS, (struct sv){(const char *)&a->in4.sin_addr, 4});
	else if (!st && a->sa.sa_family == AF_INET6)
		st = rad_put(attrs, RAD_NAS_IPV6_ADDRESS, (struct sv){(const char *)&a->in6.sin6_addr, 16});
	return st ? st : rad_put_u32(attrs, RAD_NAS_PORT_TYPE, PORT_VIRTUAL);
}

int rad_fields_put(struct buf *attrs, const struct rad_fields *fields, struct leg *leg)
{
	for (size_t i = 0; i < fields->count; i++) {
		const struct rad_field *f = &fields->rows[i];
		char *text = NULL;
		int st = expand(leg, f->text, &text);
		if (!st) {
			size_t n = mark_strip_in_place(text);
			st = rad_dict_put(attrs, &f->what, (struct sv){text, n});
		}
		mem_free(text);
		if (st && leg)
			leg_log(leg, LOG_WARNING, "radius: attribute %s: %s", f->what.name ? f->what.name : f->text,
			    status_text(st));
		if (st == ST_LIMIT || st == ST_NOMEM)
			return st;
	}
	return ST_OK;
}

/* ---- what an answer says -------------------------------------------------------------------------------------- */

/* Several of one attribute are one variable, parted by commas. */
static void reply_text(struct sv attrs, const struct rad_dict *d, struct buf *out)
{
	struct rad_it it = {.rest = attrs};
	struct rad_attr a;
	while (rad_next(&it, &a))
		if (a.vendor == d->vendor && a.type == d->type) {
			if (out->n)
				buf_addc(out, d->type == RAD_REPLY_MESSAGE && !d->vendor ? ' ' : ',');
			rad_value_text(d, a.value, out);
		}
}

static const struct rad_field built_in[] = {
    {{"Reply-Message", 0, RAD_REPLY_MESSAGE, RAD_TEXT}, "radius_reply_message"},
    {{"Filter-Id", 0, RAD_FILTER_ID, RAD_TEXT}, "radius_filter_id"},
    {{"Session-Timeout", 0, RAD_SESSION_TIMEOUT, RAD_NUMBER}, "radius_session_timeout"},
    {{"Class", 0, RAD_CLASS, RAD_BYTES}, "radius_class"},
    {{"h323-credit-time", RAD_VENDOR_CISCO, 102, RAD_TEXT}, "radius_credit_time"},
};

/* Calls fn with each variable that the answer sets; a refusal has something to say and nothing else. */
static void reply_each(
    struct sv attrs, bool is_accepted, void (*fn)(const char *name, struct sv value, void *arg), void *arg)
{
	size_t built_in_count = sizeof(built_in) / sizeof(built_in[0]);
	size_t count = is_accepted ? built_in_count + rad_conf.reply.count : 1;
	struct buf value;
	buf_init(&value);
	for (size_t i = 0; i < count; i++) {
		const struct rad_field *f =
		    i < built_in_count ? &built_in[i] : &rad_conf.reply.rows[i - built_in_count];
		buf_clear(&value);
		reply_text(attrs, &f->what, &value);
		if (value.n)
			fn(f->text, buf_sv(&value), arg);
	}
	buf_fini(&value);
}

static void leg_set(const char *name, struct sv value, void *arg)
{
	role_assert_ctl();
	leg_var_set_sv(arg, name, value);
}

void rad_reply_use(struct leg *leg, struct sv attrs)
{
	struct rad_it it = {.rest = attrs};
	struct rad_attr a;
	uint32_t limit = UINT32_MAX, n;
	bool has_class = false;
	struct sv v;
	reply_each(attrs, true, leg_set, leg);
	if (rad_find_u32(attrs, 0, RAD_SESSION_TIMEOUT, &n))
		limit = n;
	if (rad_find(attrs, RAD_VENDOR_CISCO, 102, &v)) {
		struct buf text;
		struct rad_dict d = {"h323-credit-time", RAD_VENDOR_CISCO, 102, RAD_TEXT};
		buf_init(&text);
		rad_value_text(&d, v, &text);
		if (!sv_u32(buf_sv(&text), &n) && n < limit)
			limit = n;
		buf_fini(&text);
	}
	if (limit != UINT32_MAX)
		rad_leg_limit(leg, limit);
	if (rad_find_u32(attrs, 0, RAD_ACCT_INTERIM_INTERVAL, &n))
		rad_leg_interim(leg, n);
	if (rad_find(attrs, 0, RAD_USER_NAME, &v) && v.n && !memchr(v.p, 0, v.n)) /* RFC 2865 section 5.1 */
		rad_leg_user(leg, v);
	while (rad_next(&it, &a))
		if (!a.vendor && a.type == RAD_CLASS) {
			if (!has_class)
				rad_leg_class_clear(leg);
			has_class = true;
			rad_leg_class(leg, a.value);
		}
}

/* ---- asking --------------------------------------------------------------------------------------------------- */
static CO int ask(struct leg *leg, struct buf *attrs, struct sv password, struct buf *bytes, struct rad_packet *answer)
{
	struct rad_question q = {
	    .kind = RAD_AUTH, .attrs = buf_sv(attrs), .password = password, .deadline_us = rad_conf.auth_timeout_us};
	struct co_wait wait = {0};
	asking_count++;
	if (leg)
		rad_leg_asking_set(leg, &wait);
	int st = rad_ask_wait(&wait, &q, bytes, answer);
	if (leg)
		rad_leg_asking_set(leg, NULL);
	asking_count--;
	if (st)
		return st;
	return answer->code == RAD_ACCESS_ACCEPT ? ST_OK : ST_DENIED;
}

/* ---- rad_auth ------------------------------------------------------------------------------------------------- */
static ON_CTL int call_attrs(struct buf *b, struct leg *leg, const char *user, bool has_password)
{
	(void)rad_put(b, RAD_USER_NAME, sv_of(user));
	(void)rad_nas_put(b);
	(void)rad_put_u32(b, RAD_SERVICE_TYPE, has_password ? SERVICE_LOGIN : SERVICE_CALL_CHECK);
	(void)rad_put(b, RAD_CALLING_STATION_ID, sv_of(leg->profile->caller_id_number));
	(void)rad_put(b, RAD_CALLED_STATION_ID, sv_of(leg->profile->destination_number));
	(void)rad_put(b, RAD_ACCT_SESSION_ID, sv_of(leg->uuid));
	int st = rad_fields_put(b, &rad_conf.request, leg);
	return st ? st : b->failed ? ST_NOMEM : ST_OK;
}

static ON_CTL void result_use(struct leg *leg, int st, const struct rad_packet *answer)
{
	const char *result = st == ST_OK        ? "accept"
	                     : st == ST_DENIED  ? "reject"
	                     : st == ST_TIMEOUT ? "timeout"
	                                        : "error";
	leg_var_set(leg, "radius_auth_result", result);
	if (st == ST_OK)
		rad_reply_use(leg, answer->attrs);
	else if (st == ST_DENIED)
		reply_each(answer->attrs, false, leg_set, leg);
	if (st == ST_OK)
		return;
	bool goes_on = leg_var_is_true(leg, "radius_auth_continue");
	leg_log(leg, LOG_NOTICE, "rad_auth: %s%s%s", result, st == ST_DENIED ? "" : ": ",
	    st == ST_DENIED ? "" : status_text(st));
	if (!goes_on)
		leg_hangup(leg, st == ST_DENIED ? CAUSE_CALL_REJECTED : CAUSE_NORMAL_TEMPORARY_FAILURE);
}

/* Whom to ask about: a copy. */
static ON_CTL char *user_dup(struct leg *leg, const char *given)
{
	const char *user = given && *given ? given : leg_var(leg, "radius_user");
	if (!user || !*user)
		user = leg_var(leg, "sip_auth_username");
	if (!user || !*user)
		user = leg->profile->caller_id_number;
	return mem_strdup(user ? user : "");
}

/* [user [password]] */
int rad_app_auth(struct leg *leg, const char *data)
{
	struct app_words w;
	struct buf attrs, bytes;
	struct rad_packet answer = {0};
	role_assert_co();
	int st = app_words_init(&w, leg_exec_text(leg, data ? data : ""), 2);
	char *user = user_dup(leg, !st && w.n ? w.w[0] : NULL);
	bool has_password = !st && w.n > 1;
	buf_init(&attrs);
	buf_init(&bytes);
	if (!st)
		st = call_attrs(&attrs, leg, user, has_password);
	if (!st) {
		rad_leg_user(leg, sv_of(user));
		st = ask(leg, &attrs, sv_of(has_password ? w.w[1] : rad_conf.default_password), &bytes, &answer);
	}
	if (leg_is_up(leg))
		result_use(leg, st, &answer);
	buf_fini(&attrs);
	buf_fini(&bytes);
	mem_free(user);
	app_words_fini(&w);
	return leg_is_up(leg) ? ST_OK : ST_HANGUP;
}

/* ---- the authenticator ---------------------------------------------------------------------------------------- */
static void vars_put(const char *name, struct sv value, void *arg)
{
	(void)vars_set_outside_sv(arg, name, value);
}

static void sterman_put(struct buf *b, uint8_t type, struct sv value)
{
	uint8_t inner[RAD_VALUE_MAX_BYTES] = {type, (uint8_t)(value.n + 2)};
	if (!value.n)
		return;
	memcpy(inner + 2, value.p, value.n);
	(void)rad_put(b, RAD_STERMAN_ATTRIBUTES, (struct sv){(char *)inner, value.n + 2});
}

static void sterman_attrs(struct buf *b, const struct authenticator_question *q)
{
	const struct sv values[] = {q->realm, q->nonce, q->method, q->uri, q->qop,
	    q->algorithm.n ? q->algorithm : SV("MD5"), SV_NONE /* body */, q->cnonce, q->nc, q->username};
	(void)rad_put(b, RAD_STERMAN_RESPONSE, q->response);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		sterman_put(b, (uint8_t)(i + 1), values[i]);
}

static void rfc5090_attrs(struct buf *b, const struct authenticator_question *q)
{
	(void)rad_put(b, RAD_DIGEST_RESPONSE, q->response);
	(void)rad_put(b, RAD_DIGEST_REALM, q->realm);
	(void)rad_put(b, RAD_DIGEST_NONCE, q->nonce);
	(void)rad_put(b, RAD_DIGEST_METHOD, q->method);
	(void)rad_put(b, RAD_DIGEST_URI, q->uri);
	(void)rad_put(b, RAD_DIGEST_QOP, q->qop);
	(void)rad_put(b, RAD_DIGEST_ALGORITHM, q->algorithm.n ? q->algorithm : SV("MD5"));
	(void)rad_put(b, RAD_DIGEST_CNONCE, q->cnonce);
	(void)rad_put(b, RAD_DIGEST_NONCE_COUNT, q->nc);
	(void)rad_put(b, RAD_DIGEST_USERNAME, q->username);
	(void)rad_put(b, RAD_DIGEST_OPAQUE, q->opaque);
}

void rad_digest_put(struct buf *b, const struct authenticator_question *q)
{
	struct buf aor;
	(void)rad_put(b, RAD_USER_NAME, q->username);
	(void)rad_nas_put(b);
	(void)rad_put_u32(b, RAD_SERVICE_TYPE, SERVICE_SIP);
	if (rad_conf.has_rfc5090)
		rfc5090_attrs(b, q);
	if (rad_conf.has_sterman)
		sterman_attrs(b, q);
	(void)rad_put(b, RAD_CALLING_STATION_ID, sv_of(q->network_addr));
	buf_init(&aor);
	buf_printf(&aor, "sip:%.*s@%.*s", SVF(q->user), SVF(q->host));
	(void)rad_put(b, RAD_SIP_AOR, buf_sv(&aor));
	buf_fini(&aor);
}

/* A cut value would ask about something else than the phone said. */
static bool is_too_long(const struct authenticator_question *q)
{
	const struct sv all[] = {q->username, q->realm, q->nonce, q->method, q->uri, q->response, q->qop, q->cnonce,
	    q->nc, q->algorithm, q->opaque};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i].n > RAD_VALUE_MAX_BYTES - 2)
			return true;
	return false;
}

static int authenticate(const struct authenticator_question *q, struct vars *vars, void *arg)
{
	struct buf attrs, bytes;
	struct rad_packet answer = {0};
	role_assert_co();
	if (is_too_long(q))
		return ST_DENIED;
	buf_init(&attrs);
	buf_init(&bytes);
	rad_digest_put(&attrs, q);
	int st = attrs.failed ? ST_NOMEM : ask(NULL, &attrs, SV_NONE, &bytes, &answer);
	if (!st && vars)
		reply_each(answer.attrs, true, vars_put, vars);
	buf_fini(&attrs);
	buf_fini(&bytes);
	return st;
}

int rad_auth_start(void)
{
	return authenticator_add("radius", authenticate, NULL);
}

void rad_auth_stop(void)
{
	authenticator_del("radius");
}

unsigned rad_auth_asking_count(void)
{
	return asking_count;
}

/* ---- radius test ---------------------------------------------------------------------------------------------- */
static void attr_tell(const struct rad_attr *a, struct buf *out)
{
	struct rad_dict d;
	if (!a->vendor && a->type == RAD_MESSAGE_AUTHENTICATOR)
		return;
	if (rad_dict_of(a->vendor, a->type, &d))
		buf_printf(out, "%s = ", d.name);
	else if (a->vendor)
		buf_printf(out, "Attr-26.%u.%u = ", a->vendor, a->type), d.form = RAD_BYTES, d.name = NULL;
	else
		buf_printf(out, "Attr-%u = ", a->type), d.form = RAD_BYTES, d.name = NULL;
	rad_value_text(&d, a->value, out);
	buf_addc(out, '\n');
}

int rad_test(const char *user, const char *password, struct buf *out)
{
	struct buf attrs, bytes;
	struct rad_packet answer = {0};
	struct rad_attr a;
	int64_t began_us = clock_mono_us();
	buf_init(&attrs);
	buf_init(&bytes);
	(void)rad_put(&attrs, RAD_USER_NAME, sv_of(user));
	(void)rad_nas_put(&attrs);
	(void)rad_put_u32(&attrs, RAD_SERVICE_TYPE, SERVICE_LOGIN);
	int st = ask(NULL, &attrs, sv_of(password), &bytes, &answer);
	if (st && st != ST_DENIED) {
		buf_printf(out, "-ERR %s\n",
		    st == ST_TIMEOUT    ? "no server answers"
		    : st == ST_NOTFOUND ? "no server is configured for authentication"
		    : st == ST_LIMIT    ? "the password is too long"
		                        : status_text(st));
	} else {
		buf_printf(out, "%s in %.1f ms\n",
		    !st                                   ? "+OK accepted"
		    : answer.code == RAD_ACCESS_CHALLENGE ? "-ERR challenged, which is no answer here"
		                                          : "-ERR rejected",
		    (double)(clock_mono_us() - began_us) / 1000);
		struct rad_it it = {.rest = answer.attrs};
		while (rad_next(&it, &a))
			attr_tell(&a, out);
	}
	buf_fini(&attrs);
	buf_fini(&bytes);
	return ST_OK;
}
