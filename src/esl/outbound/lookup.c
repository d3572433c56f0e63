/* Host names of the `socket` application: the resolver's answer for a coroutine that belongs to a leg. Numeric
 * addresses and names that are known need no wait; the leg's end ends it. */
#include "base/clock.h"
#include "base/mem.h"
#include "core/leg/leg.h"
#include "core/run/exec.h"
#include "esl/outbound/outbound_i.h"
#include "net/dns.h"

static const int64_t wait_max_us = 5 * 1000000LL;

struct lookup {
	struct dns_answer answer;
	bool is_done;
	struct leg *leg; /* a reference: woken at the end */
};

static void lookup_free(void *obj)
{
	struct lookup *l = obj;
	mem_unref(l->leg);
}

static void on_answer(const struct dns_answer *a, void *arg)
{
	struct lookup *l = arg;
	role_assert_ctl();
	l->answer = *a;
	l->is_done = true;
	leg_wake(l->leg);
	mem_unref(l);
}

/* The object is counted: an answer told in the loop's turn in which the leg was hung up finds it still. */
static CO int ask(struct leg *leg, const char *host, struct lookup *l)
{
	struct dns_ask *q = NULL;
	int64_t deadline = clock_mono_us() + wait_max_us;
	int st = dns_ask(&q, DNS_ADDRESS, sv_of(host), NULL, wait_max_us, &l->answer, on_answer, l);
	if (st != ST_AGAIN)
		return st;
	mem_ref(l); /* the resolver's */
	for (st = ST_OK; !st && !l->is_done;) {
		int64_t left = deadline - clock_mono_us();
		st = left > 0 ? leg_wait(leg, left) : ST_TIMEOUT;
	}
	if (!l->is_done) {
		dns_cancel(q);
		mem_unref(l);
		return st;
	}
	return st ? st : leg_is_up(leg) ? l->answer.status : ST_HANGUP;
}

int esl_lookup(struct leg *leg, const char *host, uint16_t port, struct addr *out)
{
	struct lookup *l = mem_new(sizeof(*l), lookup_free, "esl.lookup");
	if (!l)
		return ST_NOMEM;
	l->leg = mem_ref(leg);
	int st = ask(leg, host, l);
	if (!st) {
		*out = l->answer.records[0].addr;
		addr_set_port(out, port);
	}
	mem_unref(l);
	return st;
}
