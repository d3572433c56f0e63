/* `billing ...`: accounts, money, decks, proofs. Amounts are minor units with up to four decimals. Words go to the
 * database as values; what names a file is an operator's. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "billing/billing_i.h"
#include "core/registry/app_words.h"
#include "text/mark.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 8, ID_MAX = 64, GROUPS_MAX_BYTES = 255 };
struct verb {
	const char *name;
	int least;
	int (*fn)(struct api_call *c, const struct app_words *w);
	const char *usage;
};

static CO int simple(struct api_call *c, const char *text, const struct sv *p, size_t n, const char *none)
{
	struct store_rows rows;
	int st = ledger_sql(text, p, n, &rows);
	if (st)
		buf_printf(c->out, "-ERR %s\n", rows.error.n ? rows.error.p : status_text(st));
	else if (!rows.change_count)
		buf_printf(c->out, "-ERR %s\n", none);
	else
		buf_adds(c->out, "+OK\n");
	store_rows_fini(&rows);
	return ST_OK;
}

static bool is_name(const char *s)
{
	return *s && strlen(s) <= ID_MAX && !mark_has(sv_of(s));
}

static CO int account_set(struct api_call *c, const struct app_words *w)
{
	static const struct {
		const char *name, *sql;
		char kind;
	} fields[] = {{"deck", "UPDATE billing_accounts SET deck=$2 WHERE id=$1", 't'},
	    {"credit", "UPDATE billing_accounts SET credit_limit=CAST($2 AS BIGINT) WHERE id=$1", 'm'},
	    {"max_hour", "UPDATE billing_accounts SET max_hour=CAST($2 AS BIGINT) WHERE id=$1", 'm'},
	    {"max_calls", "UPDATE billing_accounts SET max_calls=CAST($2 AS BIGINT) WHERE id=$1", 'n'},
	    {"groups", "UPDATE billing_accounts SET open_groups=$2 WHERE id=$1", 'l'},
	    {"enabled", "UPDATE billing_accounts SET enabled=CAST($2 AS INTEGER) WHERE id=$1", 'n'}};
	for (size_t i = 0; w->n == 5 && i < sizeof(fields) / sizeof(fields[0]); i++) {
		struct store_number n;
		int64_t v = 0;
		struct sv value = sv_of(w->w[4]);
		if (strcmp(fields[i].name, w->w[3]) != 0)
			continue;
		int st = fields[i].kind == 'm'   ? rate_money_parse(value, &v)
		         : fields[i].kind == 'n' ? sv_i64(value, &v)
		                                 : ST_OK;
		if (st || v < 0 || v > RATE_MONEY_MAX || value.n > (fields[i].kind == 'l' ? GROUPS_MAX_BYTES : ID_MAX))
			break;
		bool is_text = fields[i].kind == 't' || fields[i].kind == 'l';
		if (fields[i].kind == 'l' && sv_is(value, "-"))
			value = SV("");
		struct sv p[] = {sv_of(w->w[1]), is_text ? value : store_number_put(&n, v)};
		return simple(c, fields[i].sql, p, 2, "no such account");
	}
	buf_adds(c->out, "-ERR set deck|credit|max_hour|max_calls|groups|enabled <value>\n");
	return ST_OK;
}

static CO int account_show(struct api_call *c, const char *id)
{
	struct ledger_state s = {0};
	int st = ledger_account(id, NULL, true, &s);
	if (st || !s.exists) {
		buf_printf(c->out, "-ERR %s\n", st ? status_text(st) : "no such account");
		return ST_OK;
	}
	buf_printf(c->out, "account: %s\ncurrency: %s\ndeck: %s\nenabled: %d\ncalls: %lld of %lld\nbalance: ", id,
	    s.currency, s.deck, s.is_enabled, (long long)s.open_calls, (long long)s.max_calls);
	rate_money_put(c->out, s.balance);
	buf_adds(c->out, "\ncredit: ");
	rate_money_put(c->out, s.credit_limit);
	buf_adds(c->out, "\nreserved: ");
	rate_money_put(c->out, s.reserved);
	buf_adds(c->out, "\nhour: ");
	rate_money_put(c->out, s.hour);
	buf_adds(c->out, " of ");
	rate_money_put(c->out, s.max_hour);
	buf_printf(c->out, "\nopen groups: %s\n", s.open_groups);
	return ST_OK;
}

static CO int do_account(struct api_call *c, const struct app_words *w)
{
	struct store_number n;
	int64_t credit = 0;
	if (w->n == 2)
		return account_show(c, w->w[1]);
	if (!strcmp(w->w[2], "set"))
		return account_set(c, w);
	bool is_prepaid = w->n > 3 && !strcmp(w->w[3], "prepaid"),
	     is_postpaid = w->n > 3 && !strcmp(w->w[3], "postpaid");
	if (strcmp(w->w[2], "create") != 0 || w->n < 6 || !(is_prepaid || is_postpaid) || strlen(w->w[4]) > 7 ||
	    !is_name(w->w[1]) || strlen(w->w[5]) > RATE_NAME_MAX ||
	    (w->n > 6 && (is_prepaid || rate_money_parse(sv_of(w->w[6]), &credit) || credit < 0))) {
		buf_adds(
		    c->out, "-ERR account <id> [create prepaid|postpaid <currency> <deck> [<credit>] | set ...]\n");
		return ST_OK;
	}
	struct sv p[] = {sv_of(w->w[1]), sv_of(w->w[3]), sv_of(w->w[4]), sv_of(w->w[5]), store_number_put(&n, credit)};
	return simple(c,
	    "INSERT INTO billing_accounts (id,kind,currency,deck,credit_limit) VALUES ($1,$2,$3,$4,CAST($5 AS BIGINT)) "
	    "ON CONFLICT (id) DO NOTHING",
	    p, 5, "the account exists");
}

static ON_CTL void money_reply(struct api_call *c, int st, int64_t balance, const char *none)
{
	if (st) {
		buf_printf(c->out, "-ERR %s\n",
		    st == ST_NOTFOUND ? none
		    : st == ST_EXISTS ? "that reference was booked"
		                      : status_text(st));
		return;
	}
	buf_adds(c->out, "+OK ");
	rate_money_put(c->out, balance);
	buf_addc(c->out, '\n');
}

/* Calls at their end go on, fees that are due are paid. */
static CO void money_came(const char *account)
{
	calls_refresh(account);
	(void)fees_run(account, NULL);
}

static CO int do_topup(struct api_call *c, const struct app_words *w)
{
	int64_t amount = 0, balance = 0;
	char ref[ID_MAX + 16], uuid[UUID_CHARS + 1];
	uuid_make(uuid);
	if (rate_money_parse(sv_of(w->w[2]), &amount) || !amount || (w->n > 3 && strlen(w->w[3]) > ID_MAX)) {
		buf_adds(c->out, "-ERR topup <account> <amount> [<reference>]\n");
		return ST_OK;
	}
	snprintf(ref, sizeof(ref), "topup:%s", w->n > 3 ? w->w[3] : uuid);
	int st = ledger_topup(w->w[1], ref, amount, "topup", &balance);
	if (!st) {
		billing_event("topup", w->w[1], NULL, NULL, amount, NULL);
		money_came(w->w[1]);
	}
	money_reply(c, st, balance, "no such account");
	return ST_OK;
}

static CO int do_voucher(struct api_call *c, const struct app_words *w)
{
	struct store_number n;
	int64_t amount = 0;
	if (rate_money_parse(sv_of(w->w[2]), &amount) || amount <= 0 || !is_name(w->w[1]) || strlen(w->w[3]) > 7) {
		buf_adds(c->out, "-ERR voucher <code> <amount> <currency>\n");
		return ST_OK;
	}
	struct sv p[] = {sv_of(w->w[1]), sv_of(w->w[3]), store_number_put(&n, amount)};
	return simple(c,
	    "INSERT INTO billing_vouchers (code,currency,amount) VALUES ($1,$2,CAST($3 AS BIGINT)) ON CONFLICT (code) "
	    "DO "
	    "NOTHING",
	    p, 3, "the voucher exists");
}

static CO int do_redeem(struct api_call *c, const struct app_words *w)
{
	int64_t balance = 0;
	int st = ledger_voucher(w->w[1], w->w[2], &balance);
	if (!st)
		money_came(w->w[1]);
	money_reply(c, st, balance, "no such account or voucher, or it is used");
	return ST_OK;
}

static CO int do_import(struct api_call *c, const struct app_words *w)
{
	if (c->who || mark_has(sv_of(w->m[2])) || strlen(w->w[1]) > RATE_NAME_MAX) {
		buf_adds(c->out, "-ERR the file is for an operator to name\n");
		return ST_OK;
	}
	return decks_import(w->w[1], w->w[2], c->out);
}

static CO int do_reload(struct api_call *c, const struct app_words *w)
{
	int st = decks_load();
	if (st)
		buf_printf(c->out, "-ERR %s\n", status_text(st));
	else
		buf_printf(c->out, "+OK %zu rates\n", decks_count());
	return ST_OK;
}

static CO int do_rate(struct api_call *c, const struct app_words *w)
{
	struct rate_found f;
	int64_t seconds = 60;
	if (w->n > 3)
		(void)sv_i64(sv_of(w->w[3]), &seconds);
	if (decks_find(w->w[1], w->w[2], clock_wall_us() / 1000000, &f)) {
		buf_adds(c->out, "-ERR the deck has no rate for the number\n");
		return ST_OK;
	}
	buf_printf(c->out, "prefix %s, %lld s cost ", f.prefix, (long long)seconds);
	rate_money_put(c->out, rate_cost(&f.rate, seconds));
	buf_addc(c->out, '\n');
	return ST_OK;
}

static CO int do_calls(struct api_call *c, const struct app_words *w)
{
	calls_show(c->out);
	return ST_OK;
}

static CO int do_statement(struct api_call *c, const struct app_words *w)
{
	struct store_number n;
	int64_t count = 50;
	struct sv cells[5] = {{0}};
	struct store_rows rows;
	size_t at = 0;
	if (w->n > 2 && (sv_i64(sv_of(w->w[2]), &count) || count < 1 || count > 10000))
		count = 50;
	struct sv p[] = {sv_of(w->w[1]), store_number_put(&n, count)};
	int st = ledger_sql(
	    "SELECT e.at_us,e.kind,e.amount,e.balance,CASE WHEN e.call_id='' THEN e.id ELSE (SELECT c.number FROM "
	    "billing_calls c WHERE c.id=e.call_id) END FROM billing_entries e WHERE e.account=$1 ORDER BY e.at_us DESC "
	    "LIMIT "
	    "CAST($2 AS BIGINT)",
	    p, 2, &rows);
	if (st)
		buf_printf(c->out, "-ERR %s\n", status_text(st));
	while (!st && store_rows_row(&rows, &at, cells, 5)) {
		buf_printf(
		    c->out, "%lld %.*s ", (long long)(store_number(cells[0]) / 1000000), (int)cells[1].n, cells[1].p);
		rate_money_put(c->out, store_number(cells[2]));
		buf_addc(c->out, ' ');
		rate_money_put(c->out, store_number(cells[3]));
		buf_addc(c->out, ' ');
		buf_addv(c->out, cells[4]);
		buf_addc(c->out, '\n');
	}
	store_rows_fini(&rows);
	return ST_OK;
}

static CO int do_reconcile(struct api_call *c, const struct app_words *w)
{
	return reconcile_command(c);
}

static CO int do_rerate(struct api_call *c, const struct app_words *w)
{
	return rerate_command(c, w->w[1]);
}

static CO int do_fee(struct api_call *c, const struct app_words *w)
{
	return fees_command(c, w->n, (const char *const *)w->w);
}

static CO int do_fees(struct api_call *c, const struct app_words *w)
{
	return fees_show(c, w->n > 1 ? w->w[1] : NULL);
}

static CO int do_charge(struct api_call *c, const struct app_words *w)
{
	size_t charged = 0;
	int st = fees_run(w->n > 1 ? w->w[1] : NULL, &charged);
	if (st)
		buf_printf(c->out, "-ERR %s after %zu fees\n", status_text(st), charged);
	else
		buf_printf(c->out, "+OK %zu fees charged\n", charged);
	return ST_OK;
}

/* The groups, or what the one of a number is and how an account stands with it. */
static CO int do_groups(struct api_call *c, const struct app_words *w)
{
	struct ledger_state s = {0};
	if (w->n < 3) {
		groups_show(c->out);
		return ST_OK;
	}
	struct billing_group g = groups_find(w->w[2]);
	int st = ledger_account(w->w[1], g.name, false, &s);
	if (st || !s.exists) {
		buf_printf(c->out, "-ERR %s\n", st ? status_text(st) : "no such account");
		return ST_OK;
	}
	buf_printf(c->out, "group: %s\n", *g.name ? g.name : "none");
	if (*g.name) {
		bool is_open = !g.is_forbidden || groups_has(s.open_groups, g.name);
		buf_printf(c->out, "open: %s\nhour: ", is_open ? "yes" : "no");
		rate_money_put(c->out, s.group_hour);
		buf_adds(c->out, " of ");
		rate_money_put(c->out, g.max_hour);
		buf_printf(c->out, "\ncalls: %lld of %lld\ncalls an hour: %lld of %lld\n", (long long)s.group_open,
		    (long long)g.max_calls, (long long)s.group_begun, (long long)g.max_calls_hour);
	}
	return ST_OK;
}

static CO int do_status(struct api_call *c, const struct app_words *w)
{
	buf_printf(c->out,
	    "rates: %zu\nreserved: %llu\nextended: %llu\nsettled: %llu\nrefused: %llu\nfailed: %llu\nrecovered: "
	    "%llu\nfees: "
	    "%llu\n",
	    decks_count(), (unsigned long long)billing_counts.reserved, (unsigned long long)billing_counts.extended,
	    (unsigned long long)billing_counts.settled, (unsigned long long)billing_counts.refused,
	    (unsigned long long)billing_counts.failed, (unsigned long long)billing_counts.recovered,
	    (unsigned long long)billing_counts.fees);
	return ST_OK;
}

static const struct verb verbs[] = {{"account", 2, do_account, "account <id> [create ... | set ...]"},
    {"topup", 3, do_topup, "topup <account> <amount> [<reference>]"},
    {"voucher", 4, do_voucher, "voucher <code> <amount> <currency>"},
    {"redeem", 3, do_redeem, "redeem <account> <code>"},
    {"fee", 3, do_fee, "fee <account> <name> [<amount> [month|week|day] | off]"},
    {"fees", 1, do_fees, "fees [<account>]"}, {"charge", 1, do_charge, "charge [<account>]"},
    {"groups", 1, do_groups, "groups [<account> <number>]"}, {"import", 3, do_import, "import <deck> <file>"},
    {"reload", 1, do_reload, "reload"}, {"rate", 3, do_rate, "rate <deck> <number> [<seconds>]"},
    {"calls", 1, do_calls, "calls"}, {"statement", 2, do_statement, "statement <account> [<count>]"},
    {"reconcile", 1, do_reconcile, "reconcile"}, {"rerate", 2, do_rerate, "rerate <YYYY-MM-DD>"},
    {"status", 1, do_status, "status"}};

int api_billing(struct api_call *c)
{
	struct app_words w;
	role_assert_co();
	billing_wait_ready();
	int st = app_words_init(&w, c->text, WORDS);
	bool is_known = false;
	for (size_t i = 0; !st && w.n && i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (!strcmp(verbs[i].name, w.w[0])) {
			is_known = true;
			if (w.n > 1 && !c->who && mark_has(sv_of(w.m[1]))) {
				buf_adds(c->out, "-ERR the account or deck is named from outside\n");
				break;
			}
			if (w.n < verbs[i].least)
				buf_printf(c->out, "-USAGE: billing %s\n", verbs[i].usage);
			else
				st = verbs[i].fn(c, &w);
		}
	if (!st && !is_known)
		for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
			buf_printf(c->out, "%s billing %s\n", i ? "       " : "-USAGE:", verbs[i].usage);
	app_words_fini(&w);
	return st;
}
