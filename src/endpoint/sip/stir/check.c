/* One call's judgement. What can be said of the tokens alone is said first (readable, fresh, for these numbers); then
 * their certificates are waited for, all at once; then a worker checks chains, numbers and signatures. A "div" token
 * (RFC 8946) leads from the number that was signed for to the one that is called, when it was signed as well. The
 * deadline ends it wherever it is. An object of several references: the caller's wait, each certificate's, the
 * worker's. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "endpoint/sip/stir/attest_i.h"
#include "loop/loop.h"
#include "loop/work.h"

#include <stdio.h>
#include <string.h>

enum { CHECKS_MAX = 1000 };
static size_t checks_now;

struct token {
	struct stir_check *c;
	char *text;
	struct stir_passport p;
	struct stir_cert *cert;
	struct cert_wait wait;
	bool is_waiting;
};
struct stir_check { /* counted */
	stir_check_fn fn;
	void *arg;
	struct ltimer timer;
	struct ldefer defer;
	struct token tokens[STIR_IDENTITIES_MAX];
	size_t count, waiting_count;
	char orig[STIR_TN_MAX], dest[STIR_TN_MAX], src[ADDR_TEXT_MAX];
	char *call_id;
	unsigned max_age_s;
	int64_t now_s;
	bool checks_path, is_over;
	struct stir_ca *ca;
	struct stir_verdict v;
};

const char *stir_verdict_verstat(const struct stir_verdict *v)
{
	return v->kind == STIR_V_PASSED   ? "TN-Validation-Passed"
	       : v->kind == STIR_V_FAILED ? "TN-Validation-Failed"
	                                  : "No-TN-Validation";
}

static void check_dtor(void *obj)
{
	struct stir_check *c = obj;
	for (size_t i = 0; i < c->count; i++) {
		mem_free(c->tokens[i].text);
		mem_unref(c->tokens[i].cert);
	}
	mem_unref(c->ca);
	mem_free(c->call_id);
	checks_now--;
}

static int verdict(struct stir_check *c, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int verdict(struct stir_check *c, int code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(c->v.reason, sizeof(c->v.reason), fmt, ap);
	va_end(ap);
	c->v.kind = code == 428 ? STIR_V_NONE : code ? STIR_V_FAILED : STIR_V_PASSED;
	c->v.code = code;
	return ST_DENIED;
}

static ON_CTL void waits_end(struct stir_check *c)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->tokens[i].is_waiting) {
			c->tokens[i].is_waiting = false;
			cert_wait_cancel(&c->tokens[i].wait);
			mem_unref(c); /* its reference */
		}
	loop_timer_cancel(&c->timer);
	loop_defer_cancel(&c->defer);
}

/* Tells, once; the caller's reference ends. */
static ON_CTL void check_end(struct stir_check *c)
{
	if (c->is_over)
		return;
	c->is_over = true;
	mem_ref(c);
	waits_end(c);
	*(c->v.kind == STIR_V_PASSED   ? &stir_counts.passed
	    : c->v.kind == STIR_V_NONE ? &stir_counts.unsigned_in
	                               : &stir_counts.failed) += 1;
	if (c->fn)
		c->fn(&c->v, c->arg);
	mem_unref(c);
	mem_unref(c);
}

static void on_end(void *arg)
{
	role_assert_ctl();
	check_end(arg);
}

static void on_deadline(void *arg)
{
	struct stir_check *c = arg;
	role_assert_ctl();
	verdict(c, 436, "the certificate did not come in time");
	check_end(c);
}

/* ---- the worker ---- */

static const char *signer_of(const struct token *t)
{
	return t->p.kind == STIR_DIV ? t->p.div : t->p.orig;
}

static int token_judge(struct stir_check *c, const struct token *t)
{
	char error[STIR_ERROR_CHARS] = "", number[STIR_TN_MAX];
	if (c->checks_path && stir_cert_check(t->cert, c->ca, c->now_s, error))
		return verdict(c, 437, "the certificate does not hold: %s", error);
	if (c->checks_path && (!stir_number(sv_of(signer_of(t)), number) || !stir_cert_covers(t->cert, number)))
		return verdict(c, 437, "the certificate is not for this number");
	if (stir_passport_verify(&t->p, t->cert))
		return verdict(c, 438, "the signature is wrong");
	return ST_OK;
}

static void judge_job(void *arg)
{
	struct stir_check *c = arg;
	role_assert_work();
	for (size_t i = 0; i < c->count; i++)
		if (token_judge(c, &c->tokens[i]))
			return;
	verdict(c, 0, "%s", "");
}

/* What was signed for the caller came in another call before. */
static ON_CTL bool is_replayed(struct stir_check *c)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->tokens[i].p.kind == STIR_SHAKEN)
			return stir_is_replayed(c->tokens[i].p.signed_text, c->dest, sv_of(c->call_id), sv_of(c->src),
			    c->now_s, c->max_age_s);
	return false;
}

static void on_judged(int status, void *arg)
{
	struct stir_check *c = arg;
	role_assert_ctl();
	if (status)
		verdict(c, 436, "%s", status_text(status));
	else if (c->v.kind == STIR_V_PASSED && is_replayed(c))
		verdict(c, 403, "the token was used in another call");
	check_end(c);
	mem_unref(c); /* the worker's */
}

static ON_CTL void judge(struct stir_check *c)
{
	loop_timer_cancel(&c->timer); /* the verdict is the worker's from here */
	mem_ref(c);
	if (work_submit(WORK_FILE, "stir", judge_job, on_judged, c)) {
		mem_unref(c);
		verdict(c, 436, "too much is to be done");
		loop_defer(&c->defer, "stir", on_end, c);
	}
}

/* ---- certificates ---- */

static void on_cert(struct stir_cert *cert, const char *error, void *arg)
{
	struct token *t = arg;
	struct stir_check *c = t->c;
	role_assert_ctl();
	t->is_waiting = false;
	t->cert = cert;
	c->waiting_count--;
	if (!cert) {
		verdict(c, 436, "no certificate: %s", error);
		check_end(c);
	} else if (!c->waiting_count && !c->is_over) {
		judge(c);
	}
	mem_unref(c);
}

static ON_CTL int certs_ask(struct stir_check *c)
{
	char error[STIR_ERROR_CHARS];
	for (size_t i = 0; i < c->count; i++) {
		struct token *t = &c->tokens[i];
		t->wait = (struct cert_wait){.fn = on_cert, .arg = t};
		t->c = c;
		int st = cert_get(&t->cert, t->p.url, &t->wait, error);
		if (st == ST_AGAIN) {
			t->is_waiting = true;
			c->waiting_count++;
			mem_ref(c);
		} else if (st) {
			return verdict(c, 436, "no certificate: %s", error);
		}
	}
	return ST_OK;
}

/* ---- the tokens ---- */

static bool number_is(const char *text, const char *number)
{
	char own[STIR_TN_MAX];
	return stir_number(sv_of(text), own) && !strcmp(own, number);
}

static bool dests_have(const struct stir_passport *p, const char *number)
{
	for (size_t i = 0; i < p->dest_count; i++)
		if (number_is(p->dests[i], number))
			return true;
	return false;
}

/* From the number that was signed for by each diversion to the one that is called. */
static bool is_for(struct stir_check *c, const struct stir_passport *shaken)
{
	const struct stir_passport *at = shaken;
	for (size_t step = 0; step <= c->count; step++) {
		const struct stir_passport *next = NULL;
		char div[STIR_TN_MAX];
		if (dests_have(at, c->dest))
			return true;
		for (size_t i = 0; i < c->count && !next; i++) {
			const struct stir_passport *p = &c->tokens[i].p;
			if (p->kind == STIR_DIV && p != at && stir_number(sv_of(p->div), div) && dests_have(at, div) &&
			    number_is(p->orig, c->orig))
				next = p;
		}
		if (!next)
			return false;
		at = next;
	}
	return false;
}

static int token_read(struct stir_check *c, struct sv value, unsigned max_age_s)
{
	struct token *t = &c->tokens[c->count];
	struct stir_identity id;
	char error[STIR_ERROR_CHARS] = "";
	if (stir_identity_parse(&id, value))
		return verdict(c, 438, "the Identity header cannot be read");
	if (id.alg.n && !sv_is(id.alg, "ES256"))
		return verdict(c, 438, "the Identity header's alg is not ES256");
	if (!(t->text = sv_dup(id.token)))
		return verdict(c, 436, "out of memory");
	c->count++;
	int st = stir_passport_parse(&t->p, sv_of(t->text), error);
	if (st)
		return verdict(c, 438, "%s", error);
	if (t->p.kind == STIR_OTHER) { /* of another kind: not ours to judge */
		mem_free(t->text);
		memset(t, 0, sizeof(*t));
		c->count--;
		return ST_OK;
	}
	if (t->p.kind == STIR_SHAKEN && !c->v.attest) {
		c->v.attest = t->p.attest;
		snprintf(c->v.origid, sizeof(c->v.origid), "%s", t->p.origid);
	}
	if (!sv_is(id.info, t->p.url))
		return verdict(c, 436, "info and x5u are not the same");
	if (t->p.iat_s > c->now_s + max_age_s || t->p.iat_s < c->now_s - (int64_t)max_age_s)
		return verdict(c, 403, "the token is stale");
	return ST_OK;
}

static int date_check(struct stir_check *c, const struct stir_check_params *p, bool is_required, unsigned max_age_s)
{
	struct tm tm = {0};
	char text[64];
	if (!p->date.n)
		return is_required ? verdict(c, 403, "there is no Date") : ST_OK;
	snprintf(text, sizeof(text), "%.*s", (int)(p->date.n < 63 ? p->date.n : 63), p->date.p);
	const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	if (!end)
		return verdict(c, 438, "the Date cannot be read");
	int64_t s = (int64_t)timegm(&tm);
	if (s > c->now_s + max_age_s || s < c->now_s - (int64_t)max_age_s)
		return verdict(c, 403, "the Date is stale");
	return ST_OK;
}

static ON_CTL int tokens_judge(struct stir_check *c, const struct stir_check_params *p)
{
	const struct stir_settings *s = stir_settings();
	unsigned max_age_s = c->max_age_s = p->max_age_s ? p->max_age_s : s->max_age_s;
	const struct stir_passport *shaken = NULL;
	if (!p->count)
		return verdict(c, 428, "there is no Identity");
	if (p->has_more)
		return verdict(c, 438, "there are too many Identity headers");
	for (size_t i = 0; i < p->count; i++)
		if (token_read(c, p->identities[i], max_age_s))
			return ST_DENIED;
	for (size_t i = 0; i < c->count && !shaken; i++)
		if (c->tokens[i].p.kind == STIR_SHAKEN)
			shaken = &c->tokens[i].p;
	if (!shaken)
		return verdict(c, 428, "there is no token of the kind shaken");
	if (date_check(c, p, p->requires_date < 0 ? s->requires_date : p->requires_date, max_age_s))
		return ST_DENIED;
	if (!stir_number(p->orig, c->orig) || !number_is(shaken->orig, c->orig))
		return verdict(c, 438, "the token is for another caller");
	if (!stir_number(p->dest, c->dest) || !is_for(c, shaken))
		return verdict(c, 438, "the token is for another number called");
	return ST_OK;
}

int stir_check_start(struct stir_check **out, const struct stir_check_params *p, stir_check_fn fn, void *arg)
{
	const struct stir_settings *s = stir_settings();
	if (checks_now >= CHECKS_MAX)
		return ST_FULL;
	struct stir_check *c = mem_new(sizeof(*c), check_dtor, "stir.check");
	if (!c)
		return ST_NOMEM;
	checks_now++;
	c->fn = fn, c->arg = arg;
	c->now_s = clock_wall_us() / 1000000;
	c->checks_path = p->checks_path < 0 ? s->checks_path : p->checks_path;
	c->ca = mem_ref(s->ca);
	c->call_id = sv_dup(p->call_id);
	if (p->src)
		addr_host(p->src, c->src);
	if (tokens_judge(c, p) || certs_ask(c)) {
		for (size_t i = 0; i < c->count; i++) /* some may be waited for */
			if (c->tokens[i].is_waiting) {
				c->tokens[i].is_waiting = false;
				cert_wait_cancel(&c->tokens[i].wait);
				mem_unref(c);
			}
		loop_defer(&c->defer, "stir", on_end, c);
	} else if (c->waiting_count) {
		loop_timer_set(&c->timer, clock_us_of_ms(p->timeout_ms), "stir", on_deadline, c);
	} else {
		judge(c);
	}
	if (out)
		*out = c;
	return ST_OK;
}

void stir_check_cancel(struct stir_check *c)
{
	if (!c || c->is_over)
		return;
	c->fn = NULL;
	c->is_over = true;
	mem_ref(c);
	waits_end(c);
	mem_unref(c);
	mem_unref(c);
}
