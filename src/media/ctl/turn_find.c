/* Questions one after another, from a list of leads that answers grow:
 *
 *   host:port, an address    -> that place
 *   domain                   -> NAPTR: "RELAY" with turn.udp, turn.tcp (turns: turn.tls, turn.dtls); flag s -> SRV, a
 * -> a host, none -> NAPTR again (RFC 3958) domain?transport=..., or nothing came of those
 *                            -> SRV of each transport, the first preferred
 *   still nothing            -> the domain is the host, with the usual port
 *
 * All of it is bounded, leads, places and time: the records are a stranger's. A server's certificate is to be for the
 * domain of the configuration all the same, whatever its records say. */
#include "media/ctl/turn_find.h"
#include "base/check.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "net/addr.h"
#include <stdio.h>
#include <string.h>

enum { LEADS_MAX = 12, WITHIN_US = 8000000 };

struct lead {
	enum dns_kind kind; /* DNS_NONE: it is a host */
	enum turn_by by;
	char name[DNS_NAME_MAX + 1];
};
struct turn_find {
	const struct turn_server *s;
	turn_find_fn fn;
	void *arg;
	struct dns_ask *ask;
	struct ltimer told;
	int64_t deadline_us;
	bool is_guessing, is_denied; /* an SRV record says that the service is not there */
	size_t lead_at, lead_count, place_count;
	struct lead leads[LEADS_MAX];
	struct turn_place places[TURN_PLACES_MAX];
};

static bool may_speak(const struct turn_server *s, enum turn_by by)
{
	return s->has_transport ? by == s->by : turn_is_secure(by) == turn_is_secure(s->by);
}

static void place_add(struct turn_find *f, const char *name, uint16_t port, enum turn_by by)
{
	struct turn_place *p = &f->places[f->place_count];
	size_t n = strlen(name) + 1;

	if (f->place_count == TURN_PLACES_MAX || n > sizeof(p->name))
		return;
	memcpy(p->name, name, n);
	p->port = port, p->by = by;
	f->place_count++;
}

/* Before those that are not asked yet, behind the others of the same answer (*at). */
static void lead_add(
    struct turn_find *f, size_t *at, enum dns_kind kind, enum turn_by by, const char *prefix, const char *name)
{
	struct lead l = {.kind = kind, .by = by};
	int n = snprintf(l.name, sizeof(l.name), "%s%s", prefix, name);

	if (f->lead_count == LEADS_MAX || n < 0 || (size_t)n >= sizeof(l.name))
		return;
	memmove(&f->leads[*at + 1], &f->leads[*at], (f->lead_count - *at) * sizeof(l));
	f->leads[(*at)++] = l;
	f->lead_count++;
}

static void guesses_add(struct turn_find *f)
{
	static const struct {
		enum turn_by by;
		const char *prefix;
	} known[] = {{TURN_BY_UDP, "_turn._udp."}, {TURN_BY_TCP, "_turn._tcp."}, {TURN_BY_TLS, "_turns._tcp."},
	    {TURN_BY_DTLS, "_turns._udp."}};
	size_t at = f->lead_count;

	f->is_guessing = true;
	for (size_t i = 0; i < ARRAY_COUNT(known); i++)
		if (may_speak(f->s, known[i].by))
			lead_add(f, &at, DNS_SRV, known[i].by, known[i].prefix, f->s->host);
}

/* ---- answers ---- */

static bool by_read(struct sv protocol, enum turn_by *out)
{
	if (sv_is(protocol, "turn.udp"))
		*out = TURN_BY_UDP;
	else if (sv_is(protocol, "turn.tcp"))
		*out = TURN_BY_TCP;
	else if (sv_is(protocol, "turn.tls"))
		*out = TURN_BY_TLS;
	else if (sv_is(protocol, "turn.dtls"))
		*out = TURN_BY_DTLS;
	else
		return false;
	return true;
}

/* "relay:turn.udp:turn.tcp" */
static void naptr_take(struct turn_find *f, const struct dns_answer *a, const struct dns_record *r, size_t *at)
{
	struct sv rest = sv_of(dns_record_service(a, r)), one;
	const char *name = dns_record_name(a, r);
	enum turn_by by;

	(void)sv_split(rest, ':', &one, &rest);
	if (!*name || !sv_is(one, "relay") || (r->flag && r->flag != 's' && r->flag != 'a'))
		return;
	while (rest.n) {
		(void)sv_split(rest, ':', &one, &rest);
		if (!by_read(one, &by) || !may_speak(f->s, by))
			continue;
		lead_add(f, at, r->flag == 's' ? DNS_SRV : r->flag ? DNS_NONE : DNS_NAPTR, by, "", name);
		if (!r->flag)
			return; /* one question for all its protocols */
	}
}

static bool is_before(const struct dns_record *a, const struct dns_record *b)
{
	return a->first != b->first ? a->first < b->first : a->second < b->second;
}

static void naptrs_take(struct turn_find *f, const struct dns_answer *a)
{
	bool is_used[DNS_RECORDS_MAX] = {false};
	size_t at = f->lead_at;

	for (size_t k = 0; k < a->count; k++) {
		size_t best = a->count;
		for (size_t i = 0; i < a->count; i++)
			if (!is_used[i] && (best == a->count || is_before(&a->records[i], &a->records[best])))
				best = i;
		is_used[best] = true;
		naptr_take(f, a, &a->records[best], &at);
	}
}

static ON_CTL void heard(struct turn_find *f, struct dns_answer *a)
{
	const struct lead *l = &f->leads[f->lead_at - 1];

	if (a->status)
		return;
	if (l->kind == DNS_NAPTR) {
		naptrs_take(f, a);
		return;
	}
	dns_srv_sort(a);
	for (size_t i = 0; i < a->count; i++) {
		const struct dns_record *r = &a->records[i];
		const char *name = dns_record_name(a, r);
		f->is_denied |= !*name;
		if (*name && r->port)
			place_add(f, name, r->port, l->by);
	}
}

/* ---- questions ---- */

static void on_told(void *arg)
{
	struct turn_find *f = arg;
	role_assert_ctl();
	f->fn(f->places, f->place_count, f->arg);
	turn_find_cancel(f);
}

static ON_CTL void next(struct turn_find *f);

static void on_answer(const struct dns_answer *a, void *arg)
{
	struct turn_find *f = arg;
	struct dns_answer *own = mem_alloc(sizeof(*own));
	role_assert_ctl();
	f->ask = NULL;
	if (own)
		*own = *a, heard(f, own); /* sorted there */
	mem_free(own);
	next(f);
}

/* Who does not know these types may be silent: half of what is left for each. */
static ON_CTL int64_t wait_us(const struct turn_find *f)
{
	int64_t left_us = (f->deadline_us - loop_now_us()) / 2;
	return left_us < 1 ? 1 : left_us;
}

/* False: the answer comes later. */
static ON_CTL bool lead_follow(struct turn_find *f)
{
	const struct lead *l = &f->leads[f->lead_at++];
	struct dns_answer *a;

	if (l->kind == DNS_NONE) {
		place_add(f, l->name, turn_port_usual(l->by), l->by);
		return true;
	}
	a = mem_alloc(sizeof(*a));
	if (!a)
		return true;
	int st = dns_ask(&f->ask, l->kind, sv_of(l->name), NULL, wait_us(f), a, on_answer, f);
	if (st != ST_AGAIN)
		heard(f, a);
	mem_free(a);
	return st != ST_AGAIN;
}

static ON_CTL void next(struct turn_find *f)
{
	for (;;) {
		while (f->lead_at < f->lead_count)
			if (!lead_follow(f))
				return;
		if (f->is_guessing || f->place_count)
			break;
		guesses_add(f);
	}
	if (!f->place_count && !f->is_denied)
		place_add(f, f->s->host, f->s->port, f->s->by);
	loop_timer_set(&f->told, 0, "turn.found", on_told, f);
}

int turn_find_begin(struct turn_find **out, const struct turn_server *s, turn_find_fn fn, void *arg)
{
	struct turn_find *f = mem_zalloc(sizeof(*f));
	struct addr a;
	size_t at = 0;

	if (!f)
		return ST_NOMEM;
	f->s = s, f->fn = fn, f->arg = arg;
	f->deadline_us = loop_now_us() + WITHIN_US;
	if (s->has_port || !addr_parse(&a, sv_of(s->host), 0))
		place_add(f, s->host, s->port, s->by);
	else if (!s->has_transport)
		lead_add(f, &at, DNS_NAPTR, s->by, "", s->host);
	*out = f;
	next(f);
	return ST_OK;
}

void turn_find_cancel(struct turn_find *f)
{
	if (!f)
		return;
	dns_cancel(f->ask);
	loop_timer_cancel(&f->told);
	mem_free(f);
}
