/* mod_lcr: the tables in memory, for profiles that say so (source=memory). They are read page by page into a deck of
 * its own, which takes the old one's place when it is whole: calls go on meanwhile, by the old one. Read at the first
 * need, by `lcr_admin reload`, and again every deck-reload seconds. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "core/conf/config.h"
#include "loop/co.h"
#include "loop/loop.h"
#include "routing/deck.h"
#include "routing/lcr_i.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PAGE_ROWS = 1000, RELOAD_S = 300, BAD_TOLD = 5 };
static struct {
	struct deck *deck;
	int64_t loaded_us; /* monotonic */
	struct ltimer timer;
	struct loading *loading; /* who waits for the one under way joins it */
} decks;
struct loading {
	struct deck *made;
	unsigned bad_count;
	struct buf rates_sql;
	struct co_wait *waiters[64];
	size_t waiter_count;
};

/* ---- rows ---------------------------------------------------------------------------------------------------- */

enum {
	C_ID,
	C_DIGITS,
	C_RATE,
	C_STATE,
	C_LATA,
	C_CARRIER,
	C_LEAD,
	C_TRAIL,
	C_PREFIX,
	C_SUFFIX,
	C_PROFILE,
	C_START,
	C_END,
	C_QUALITY,
	C_RELIABILITY,
	C_CID,
	C_LRN,
	COLUMN_COUNT
};

static double money_of(struct sv text)
{
	return text.n ? strtod(text.p, NULL) : -1;
}

static uint32_t whole_of(struct sv text)
{
	uint32_t n;
	return sv_u32(text, &n) ? 0 : n;
}

/* "2026-11-27 05:00:00", the time may be missing; UTC, as the databases' CURRENT_TIMESTAMP. otherwise: it is none. */
static int64_t time_of(struct sv text, int64_t otherwise)
{
	struct tm tm = {.tm_mday = 1};
	char copy[32];
	if (!text.n || text.n >= sizeof(copy))
		return otherwise;
	memcpy(copy, text.p, text.n);
	copy[text.n] = 0;
	if (!strptime(copy, "%Y-%m-%d %H:%M:%S", &tm) && !strptime(copy, "%Y-%m-%d", &tm))
		return otherwise;
	return (int64_t)timegm(&tm);
}

static void rate_read(struct loading *l, const struct sv *c)
{
	bool is_true = sv_is(c[C_LRN], "1") || sv_is(c[C_LRN], "t") || sv_isi(c[C_LRN], "true");
	struct deck_rate r = {.rate = money_of(c[C_RATE]),
	    .intrastate = money_of(c[C_STATE]),
	    .intralata = money_of(c[C_LATA]),
	    .quality = c[C_QUALITY].n ? strtod(c[C_QUALITY].p, NULL) : 0,
	    .reliability = c[C_RELIABILITY].n ? strtod(c[C_RELIABILITY].p, NULL) : 0,
	    .start_s = time_of(c[C_START], 0),
	    .end_s = time_of(c[C_END], INT64_MAX),
	    .profile = whole_of(c[C_PROFILE]),
	    .lead_strip = (uint16_t)whole_of(c[C_LEAD]),
	    .trail_strip = (uint16_t)whole_of(c[C_TRAIL]),
	    .is_lrn = is_true};
	int st = deck_rate_add(l->made, c[C_DIGITS], c[C_CARRIER], c[C_PREFIX], c[C_SUFFIX], c[C_CID], r);
	if (st == ST_NOTFOUND) /* of a carrier that is not enabled */
		return;
	if (st && l->bad_count++ < BAD_TOLD)
		log_error("lcr: row %.*s of lcr: digits \"%.*s\": %s", (int)c[C_ID].n, c[C_ID].p, (int)c[C_DIGITS].n,
		    c[C_DIGITS].p, status_text(st));
}

static CO bool has(const char *sql)
{
	struct store_rows rows;
	int st = store_sql_run(lcr_db.store, sql, NULL, 0, &rows);
	store_rows_fini(&rows);
	return !st;
}

static CO int carriers_read(struct loading *l)
{
	struct store_rows rows;
	struct routing_row row;
	int st = routing_ask(lcr_db.store, "lcr", "SELECT id, carrier_name FROM carriers WHERE enabled = '1'", &rows);
	if (!st) {
		routing_rows_begin(&row, &rows);
		while (!st && routing_row_next(&row))
			st = deck_carrier_add(l->made, row.cells[0], row.cells[1]);
	}
	store_rows_fini(&rows);
	return st;
}

static CO int gateways_read(struct loading *l)
{
	struct store_rows rows;
	struct routing_row row;
	char sql[256];
	bool has_share = has("SELECT share FROM carrier_gateway LIMIT 1"),
	     has_max = has("SELECT max_calls FROM carrier_gateway LIMIT 1");
	snprintf(sql, sizeof(sql),
	    "SELECT carrier_id, prefix, suffix, %s, %s, %s FROM carrier_gateway WHERE enabled = '1' ORDER BY id",
	    lcr_db.has_codec ? "codec" : "''", has_share ? "share" : "1", has_max ? "max_calls" : "0");
	int st = routing_ask(lcr_db.store, "lcr", sql, &rows);
	if (!st) {
		routing_rows_begin(&row, &rows);
		while (!st && routing_row_next(&row)) {
			const struct sv *c = row.cells;
			st = deck_gateway_add(l->made, c[0], c[1], c[2], c[3], whole_of(c[4]), whole_of(c[5]));
			if (st == ST_NOTFOUND)
				st = ST_OK;
		}
	}
	store_rows_fini(&rows);
	return st;
}

/* The page behind a row; *last: its last row's id. *count: how many there were. */
static CO int page_read(struct loading *l, int64_t *last, size_t *count)
{
	struct store_rows rows;
	struct routing_row row;
	char sql[700];
	snprintf(sql, sizeof(sql),
	    "SELECT id, digits, rate, %s, %s, carrier_id, lead_strip, trail_strip, prefix, suffix, lcr_profile, "
	    "date_start, "
	    "date_end, quality, reliability, %s, %s FROM lcr WHERE enabled = '1' AND id > %" PRId64
	    " AND CURRENT_TIMESTAMP <= date_end ORDER BY id LIMIT %d",
	    lcr_db.has_intrastate ? "intrastate_rate" : "NULL", lcr_db.has_intralata ? "intralata_rate" : "NULL",
	    lcr_db.has_cid ? "cid" : "NULL", lcr_db.has_lrn ? "lrn" : "'0'", *last, PAGE_ROWS);
	int st = routing_ask(lcr_db.store, "lcr", sql, &rows);
	*count = rows.row_count;
	if (!st && rows.row_count && rows.column_count != COLUMN_COUNT)
		st = ST_PARSE;
	if (!st) {
		routing_rows_begin(&row, &rows);
		while (routing_row_next(&row)) {
			rate_read(l, row.cells);
			(void)sv_i64(row.cells[C_ID], last);
		}
	}
	store_rows_fini(&rows);
	return st;
}

/* ---- loading ------------------------------------------------------------------------------------------------- */

static ON_CTL uint32_t reload_s(void)
{
	uint32_t n;
	const char *v = config_param(xml_child(config_conf("lcr.conf"), "settings"), "deck-reload", "");
	return sv_u32(sv_of(v), &n) ? RELOAD_S : n;
}

static void load_main(void *arg)
{
	role_assert_co();
	(void)lcr_deck_reload();
}

static void on_timer(void *arg)
{
	role_assert_ctl();
	if (co_spawn("lcr deck", load_main, NULL, NULL))
		log_error("lcr: the deck is not read again: no memory");
}

static CO int everything_read(struct loading *l)
{
	int64_t last = INT64_MIN;
	size_t count = PAGE_ROWS;
	lcr_probe();
	int st = lcr_db.is_known ? deck_new(&l->made) : ST_IO;
	if (!st)
		st = carriers_read(l);
	if (!st)
		st = gateways_read(l);
	while (!st && count == PAGE_ROWS)
		st = page_read(l, &last, &count);
	return st;
}

int lcr_deck_reload(void)
{
	struct loading l = {0};
	if (decks.loading) { /* one is under way: its end is ours */
		struct co_wait wait = {0};
		if (decks.loading->waiter_count == sizeof(l.waiters) / sizeof(*l.waiters))
			return ST_FULL;
		decks.loading->waiters[decks.loading->waiter_count++] = &wait;
		return co_wait(&wait, -1);
	}
	decks.loading = &l;
	int64_t since_us = clock_mono_us();
	int st = everything_read(&l);
	decks.loading = NULL;
	if (!st && lcr_db.store) { /* not unloaded meanwhile */
		deck_free(decks.deck);
		decks.deck = l.made, l.made = NULL;
		decks.loaded_us = clock_mono_us();
		log_info("lcr: %zu rates of %zu carriers in memory, read in %" PRId64 " ms%s",
		    deck_rate_count(decks.deck), deck_carrier_count(decks.deck), (decks.loaded_us - since_us) / 1000,
		    l.bad_count ? "; rows with faults were left out" : "");
	} else if (st) {
		log_error("lcr: the deck is not read: %s; %s", status_text(st),
		    decks.deck ? "the old one stays" : "there is none");
	}
	deck_free(l.made);
	if (lcr_db.store && reload_s())
		loop_timer_set(&decks.timer, clock_us_of_s(reload_s()), "lcr deck", on_timer, NULL);
	for (size_t i = 0; i < l.waiter_count; i++)
		co_signal(l.waiters[i], st);
	return st;
}

const struct deck *lcr_deck(int64_t *age_s)
{
	if (!decks.deck)
		(void)lcr_deck_reload();
	if (age_s)
		*age_s = decks.deck ? (clock_mono_us() - decks.loaded_us) / 1000000 : 0;
	return decks.deck;
}

void lcr_deck_stop(void)
{
	loop_timer_cancel(&decks.timer);
	deck_free(decks.deck);
	decks.deck = NULL;
}

/* ---- choosing ------------------------------------------------------------------------------------------------ */

struct candidate {
	const struct deck_rate *rate;
	const struct deck_gateway *gateway;
	const char *carrier;
	const struct lcr_quality *quality;
	double price;
	uint8_t digits;
	bool is_ported; /* a price of the network that the number is in now: before those of where it was */
	double chance;  /* by share: the greater comes first among equals */
};

/* What the profile compares by; a name that is none of these is left out when the profile is read. */
static double worth(const struct candidate *c, struct sv by)
{
	if (sv_isi(by, "rate"))
		return c->price;
	if (sv_isi(by, "quality"))
		return -c->rate->quality;
	if (sv_isi(by, "reliability"))
		return -c->rate->reliability;
	const struct lcr_quality *q = c->quality;
	if (sv_isi(by, "asr"))
		return q ? -q->asr : -1; /* of whom nothing is known gets a chance */
	if (sv_isi(by, "acd"))
		return q ? -q->acd_s : -1e9;
	if (sv_isi(by, "pdd"))
		return q ? q->pdd_s : 0;
	return 0;
}

static bool is_before(const struct candidate *a, const struct candidate *b, const char *order)
{
	struct sv rest = sv_of(order), by;
	if (a->is_ported != b->is_ported)
		return a->is_ported;
	if (a->digits != b->digits)
		return a->digits > b->digits;
	while (rest.n) {
		sv_split(rest, ',', &by, &rest);
		double x = worth(a, sv_trim(by)), y = worth(b, sv_trim(by));
		if (x < y || x > y)
			return x < y;
	}
	return a->chance > b->chance;
}

static ON_CTL size_t candidates_find(const struct lcr_ask *a, const struct deck *d, const char *digits, bool is_lrn,
    enum lcr_field field, struct candidate *out, size_t max)
{
	const struct deck_rate *rates[LCR_ROUTES_MAX];
	uint8_t lengths[LCR_ROUTES_MAX];
	size_t n = deck_find(d, digits, rates, lengths, LCR_ROUTES_MAX), count = 0;
	int64_t now_s = clock_wall_us() / 1000000;
	for (size_t i = 0; i < n; i++) {
		const struct deck_rate *r = rates[i];
		double price = field == LCR_INTRALATA    ? r->intralata
		               : field == LCR_INTRASTATE ? r->intrastate
		                                         : r->rate;
		bool is_other = a->profile->id && r->profile != a->profile->id;
		if (price < 0 || r->is_lrn != is_lrn || is_other || now_s < r->start_s || now_s > r->end_s)
			continue;
		const struct deck_carrier *c = deck_carrier_at(d, r->carrier);
		const struct deck_gateway *g = deck_gateway_at(d, c->first_gateway);
		for (; g && count < max; g = deck_gateway_at(d, g->next)) {
			char prefix[DECK_DIGITS_MAX + 1];
			snprintf(prefix, sizeof(prefix), "%.*s", lengths[i], digits);
			double dice = (double)(rand_u64() >> 11) / 9007199254740992.0; /* 2^53 */
			out[count++] = (struct candidate){.rate = r,
			    .gateway = g,
			    .carrier = c->name,
			    .quality = lcr_quality_of(c->name, prefix),
			    .price = price,
			    .digits = lengths[i],
			    .chance = g->share ? pow(dice, 1.0 / g->share) : -1};
		}
	}
	return count;
}

int lcr_deck_look(struct lcr_ask *a, const char *digits, const char *lrn, enum lcr_field field, double max_rate)
{
	const struct deck *d = lcr_deck(NULL);
	struct candidate *list = d ? mem_zalloc(LCR_ROUTES_MAX * sizeof(*list)) : NULL;
	int st = ST_OK;
	if (!list)
		return d ? ST_NOMEM : ST_IO;
	size_t count = candidates_find(a, d, digits, false, field, list, LCR_ROUTES_MAX);
	size_t own = count;
	count += candidates_find(a, d, *lrn ? lrn : digits, true, field, list + count, LCR_ROUTES_MAX - count);
	for (size_t i = own; i < count; i++)
		list[i].is_ported = *lrn;
	for (size_t i = 1; i < count; i++) { /* few of them, and nearly in order */
		struct candidate c = list[i];
		size_t at = i;
		for (; at && is_before(&c, &list[at - 1], a->profile->order); at--)
			list[at] = list[at - 1];
		list[at] = c;
	}
	for (size_t i = 0; i < count && !st; i++) {
		const struct candidate *c = &list[i];
		char prefix[DECK_DIGITS_MAX + 1];
		snprintf(prefix, sizeof(prefix), "%.*s", c->digits, c->rate->is_lrn && *lrn ? lrn : digits);
		const struct lcr_offer offer = {.digits = sv_of(prefix),
		    .carrier = sv_of(c->carrier),
		    .price = c->price,
		    .gw_prefix = sv_of(c->gateway->prefix),
		    .gw_suffix = sv_of(c->gateway->suffix),
		    .codec = sv_of(c->gateway->codec),
		    .prefix = sv_of(deck_text(d, c->rate, 0)),
		    .suffix = sv_of(deck_text(d, c->rate, 1)),
		    .cid = sv_of(deck_text(d, c->rate, 2)),
		    .lead_strip = c->rate->lead_strip,
		    .trail_strip = c->rate->trail_strip,
		    .limit_realm = c->gateway->max_calls ? sv_of("lcr") : SV_NONE,
		    .limit_id = c->gateway->max_calls ? sv_of(c->carrier) : SV_NONE,
		    .limit_max = (int)c->gateway->max_calls,
		    .quality = c->quality,
		    .is_measured = true};
		st = lcr_offer_use(a, &offer, max_rate);
	}
	mem_free(list);
	return st;
}
