/* The money that a call holds: how much to ask of the ledger for, and what is asked when the account has less than
 * that. Pure but for the ledger: no clock of its own, no leg; whoever settles it says for how many seconds.
 *
 * Between what an account said and the reservation another call may have taken the money; the ledger then refuses, says
 * how the account stands now, and what that is enough for is asked, a few times. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/rand.h"
#include "billing/billing_i.h"

#include <stdio.h>
#include <string.h>

enum { ATTEMPTS = 3, KNOWN_MAX = 100000 };

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* What may still be reserved: by money, by the hour's bound, by the group's. */
static int64_t room_of(const struct ledger_state *s, const struct billing_group *g)
{
	int64_t room = s->balance + s->credit_limit - s->reserved;
	if (s->max_hour)
		room = least(room, s->max_hour - s->hour);
	if (g->max_hour)
		room = least(room, g->max_hour - s->group_hour);
	return room > 0 ? room : 0;
}

/* Why not one second of it may be; NULL: it may. */
static const char *refusal(
    const struct ledger_state *s, const struct billing_group *g, const struct rate *r, int64_t most_s)
{
	if (!s->is_enabled)
		return "the account is shut";
	if (g->is_forbidden && !groups_has(s->open_groups, g->name))
		return "the destination is forbidden";
	if (s->max_calls && s->open_calls >= s->max_calls)
		return "the account has as many calls as it may";
	if (g->max_calls && s->group_open >= g->max_calls)
		return "the account has as many calls to this destination as it may";
	if (g->max_calls_hour && s->group_begun >= g->max_calls_hour)
		return "the account has called this destination as often as it may in an hour";
	if (most_s > 0)
		return NULL;
	int64_t one = rate_cost(r, 1);
	if (s->balance + s->credit_limit - s->reserved < one)
		return "no money is left";
	return g->max_hour && g->max_hour - s->group_hour < one
	           ? "the account has spent what it may at this destination in an hour"
	           : "the account has spent what it may in an hour";
}

/* Which deck an account had when it was last asked. The ledger reserves only by the deck that the account has, so an
 * old one costs a second question, never a wrong price. */
static struct hash *decks_known; /* account -> name */

static void known_free(void *deck)
{
	mem_free(deck);
}

void holds_forget(void)
{
	hash_free(decks_known);
	decks_known = NULL;
}

static ON_CTL void known_set(const char *account, const char *deck)
{
	const char *was = decks_known ? hash_get(decks_known, sv_of(account)) : NULL;
	if (was && !strcmp(was, deck))
		return;
	if (decks_known && hash_count(decks_known) >= KNOWN_MAX)
		holds_forget();
	char *copy = decks_known || !hash_new(&decks_known, 0, known_free) ? mem_strdup(deck) : NULL;
	if (copy && hash_set(decks_known, sv_of(account), copy))
		mem_free(copy);
}

/* What is asked for by whom. */
struct wish {
	struct hold *h;
	const char *account, *leg, *number;
	struct rate_found found;
};

/* Asks for so many seconds. *s: how the account stands after it. */
static CO int reserve(const struct wish *w, const char *deck, int64_t seconds, struct ledger_state *s)
{
	struct hold *h = w->h;
	char name[RATE_NAME_MAX + 1]; /* deck may be of *s */
	snprintf(name, sizeof(name), "%s", deck);
	h->rate = w->found.rate;
	h->reserved = rate_cost(&h->rate, seconds);
	h->paid_s = rate_seconds(&h->rate, h->reserved);
	const struct ledger_call c = {.id = h->id,
	    .account = w->account,
	    .leg = w->leg,
	    .number = w->number,
	    .deck = name,
	    .found = &w->found,
	    .group = &h->group,
	    .amount = h->reserved};
	int st = ledger_reserve(&c, s);
	h->is_unsure = st != ST_OK;
	if (!st && s->is_granted) {
		h->most_s = rate_seconds(&h->rate, h->reserved + room_of(s, &h->group));
		known_set(w->account, name);
	}
	return st;
}

static ON_CTL bool rate_find(struct wish *w, const char *deck)
{
	return !decks_find(deck, w->number, clock_wall_us() / clock_us_of_s(1), &w->found);
}

const char *hold_open(struct hold *h, const char *account, const char *leg, const char *number, int64_t piece_s)
{
	static const char silent[] = "the database does not answer";
	struct wish w = {.h = h, .account = account, .leg = leg, .number = number};
	struct ledger_state s = {0};
	*h = (struct hold){.group = groups_find(number)};
	uuid_make(h->id);
	const char *known = decks_known && !*h->group.name ? hash_get(decks_known, sv_of(account)) : NULL;
	if (known && rate_find(&w, known)) {
		if (reserve(&w, known, piece_s, &s))
			return silent;
		if (s.is_granted)
			return NULL;
	} else if (ledger_account(account, h->group.name, false, &s)) {
		return silent;
	}
	for (int i = 0; i < ATTEMPTS; i++) {
		if (!s.exists)
			return "there is no such account";
		if (!rate_find(&w, s.deck))
			return "the deck has no rate for the number";
		int64_t most_s = rate_seconds(&w.found.rate, room_of(&s, &h->group));
		const char *why = refusal(&s, &h->group, &w.found.rate, most_s);
		if (why)
			return why;
		if (reserve(&w, s.deck, least(most_s, piece_s), &s))
			return silent;
		if (s.is_granted)
			return NULL;
	}
	return "others use the account's money";
}

int hold_extend(struct hold *h, const char *account, int64_t used_s, int64_t target_s, bool *is_last)
{
	struct ledger_state s = {0};
	*is_last = false;
	for (int i = 0; i < ATTEMPTS; i++) {
		const struct ledger_more m = {.id = h->id,
		    .account = account,
		    .group = &h->group,
		    .amount = rate_cost(&h->rate, target_s),
		    .used_s = used_s,
		    .used = rate_cost(&h->rate, used_s)};
		int st = ledger_extend(&m, &s);
		if (st)
			return st;
		if (s.is_granted) {
			h->reserved = m.amount > h->reserved ? m.amount : h->reserved;
			h->paid_s = rate_seconds(&h->rate, h->reserved);
			billing_counts.extended++;
			return ST_OK;
		}
		int64_t most_s = s.is_enabled ? rate_seconds(&h->rate, h->reserved + room_of(&s, &h->group)) : 0;
		*is_last = most_s <= h->paid_s;
		if (*is_last)
			return ST_OK;
		target_s = least(most_s, target_s);
	}
	return ST_OK;
}
