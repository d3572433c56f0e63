/* The commands of this room: ban, rates, fraud. Replies are tables of a line each, with a head, and a count at the end.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "guard/guard_i.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct sv guard_word(struct sv *rest)
{
	struct sv word;
	*rest = sv_trim(*rest);
	sv_split(*rest, ' ', &word, rest);
	return word;
}

void guard_put_span(struct buf *out, int64_t us)
{
	int64_t s = us > 0 ? us / 1000000 : 0;
	if (s >= 3600)
		buf_printf(out, "%" PRId64 "h %" PRId64 "m", s / 3600, s / 60 % 60);
	else if (s >= 60)
		buf_printf(out, "%" PRId64 "m %" PRId64 "s", s / 60, s % 60);
	else
		buf_printf(out, "%" PRId64 "s", s);
}

/* ---- ban ---- */

static bool put_ban(const struct ban *b, void *arg)
{
	struct buf *out = arg;
	char stamp[CLOCK_STAMP_CHARS];
	role_assert_ctl();
	buf_printf(out, "%s,%s,%s,", b->address, b->user, clock_stamp(bans_wall_us(b->since_us) / 1000000, stamp));
	if (b->until_us == INT64_MAX)
		buf_adds(out, "until removed");
	else
		guard_put_span(out, b->until_us - clock_mono_us());
	buf_printf(out, ",%" PRIu64 ",%s\n", b->dropped, b->reason);
	return false;
}

static ON_CTL void ban_list(struct buf *out)
{
	buf_adds(out, "address,user,since,left,dropped,reason\n");
	ban_each(bans_table(), put_ban, out);
	buf_printf(out, "\n%zu total.\n", ban_count(bans_table()));
}

static ON_CTL void ban_status(struct buf *out)
{
	const struct ban_conf *c = bans_conf();
	const struct bans_counts *n = bans_counts();
	buf_printf(out, "%s\n", c->is_on ? "on" : "off: failures are counted, nobody is banned");
	buf_printf(
	    out, "a user at an address: %u failures within %u s, %u s\n", c->user_failures, c->window_s, c->user_ban_s);
	buf_printf(out, "an address: %u failures of %u users within %u s, %u s; %u times as many where users log in\n",
	    c->address_failures, c->address_users, c->window_s, c->address_ban_s, c->known_factor);
	buf_printf(out, "never: %s and gateways\n", *bans_allow() ? bans_allow() : "(nobody)");
	buf_printf(out, "failures %" PRIu64 ", of these from addresses that were not proved %" PRIu64 "\n", n->failed,
	    n->unproved);
	buf_printf(out, "bans now %zu, begun %" PRIu64 "; not read %" PRIu64 ", logins refused %" PRIu64 "\n",
	    ban_count(bans_table()), n->begun, n->dropped, n->refused);
	buf_printf(out, "watched %zu of %d\n", ban_watched_count(bans_table()), BAN_ROWS_MAX);
}

static ON_CTL void ban_add(struct sv rest, struct buf *out)
{
	struct sv spec = guard_word(&rest), user, seconds_text, after = rest;
	struct addr src;
	uint32_t seconds = bans_conf()->address_ban_s;
	int st = ban_spec_parse(spec, &src, &user);
	seconds_text = guard_word(&after);
	if (!st && seconds_text.n && !sv_u32(seconds_text, &seconds))
		rest = after;
	rest = sv_trim(rest);
	char *reason = sv_dup(rest.n ? rest : SV("by command"));
	if (!st)
		st = reason ? bans_add(&src, user, reason, seconds) : ST_NOMEM;
	mem_free(reason);
	if (!st)
		buf_adds(out, "+OK\n");
	else if (st == ST_DENIED)
		buf_adds(out, "-ERR this address is never banned (ban.conf: allow; gateways)\n");
	else if (st == ST_FULL)
		buf_adds(out, "-ERR the table is full\n");
	else
		buf_printf(out, "-ERR \"%.*s\" is no ADDRESS and no USER@ADDRESS\n", SVF(spec));
}

static ON_CTL void ban_remove_word(struct sv rest, struct buf *out)
{
	struct sv spec = guard_word(&rest), user;
	struct addr src;
	if (ban_spec_parse(spec, &src, &user))
		buf_printf(out, "-ERR \"%.*s\" is no ADDRESS and no USER@ADDRESS\n", SVF(spec));
	else
		buf_adds(out, bans_remove(&src, user) ? "+OK\n" : "-ERR not banned\n");
}

int api_ban(struct api_call *c)
{
	struct sv rest = sv_of(c->args), verb = guard_word(&rest);
	role_assert_ctl();
	if (!bans_table())
		return ST_NOTFOUND;
	if (!verb.n || sv_isi(verb, "list"))
		ban_list(c->out);
	else if (sv_isi(verb, "status"))
		ban_status(c->out);
	else if (sv_isi(verb, "add"))
		ban_add(rest, c->out);
	else if (sv_isi(verb, "remove"))
		ban_remove_word(rest, c->out);
	else if (sv_isi(verb, "flush"))
		buf_printf(c->out, "+OK %zu removed\n", bans_flush());
	else
		buf_adds(c->out, "-USAGE: list | status | add ADDRESS|USER@ADDRESS [SECONDS] [REASON] | remove "
		                 "ADDRESS|USER@ADDRESS | flush\n");
	return ST_OK;
}

/* ---- rates ---- */

static void put_rate(const char *what, struct sv who, unsigned now, unsigned in_minute, uint64_t refused, void *arg)
{
	role_assert_ctl();
	buf_printf(arg, "%s,%.*s,%u,%u,%" PRIu64 "\n", what, SVF(who), now, in_minute, refused);
}

int api_rates(struct api_call *c)
{
	role_assert_ctl();
	buf_adds(c->out, "what,who,now,in a minute,refused\n");
	rates_each(put_rate, c->out);
	buf_printf(c->out, "\n%zu total.\n", rates_count());
	return ST_OK;
}

/* ---- fraud ---- */

static void put_use(struct fraud_row *r, void *arg)
{
	unsigned calls, seconds;
	role_assert_ctl();
	fraud_row_sums(r, &calls, &seconds);
	const struct fraud_rule *rule = &frauds_conf()->rules[r->rule];
	bool is_all = !*r->account;
	buf_printf(arg, "%s,%s,%u,%u,%u,%u,%u\n", is_all ? "(all)" : r->account, rule->name, r->call_count, calls,
	    is_all ? rule->all_calls : rule->calls, (seconds + 59) / 60, is_all ? rule->all_minutes : rule->minutes);
}

static void put_block(struct sv account, int64_t since_s, int64_t until_s, void *arg)
{
	char stamp[CLOCK_STAMP_CHARS];
	role_assert_ctl();
	buf_printf(
	    arg, "%.*s,%s,%s\n", SVF(account), clock_stamp(since_s, stamp), until_s ? "for a time" : "until released");
}

static ON_CTL void fraud_status(struct buf *out)
{
	const struct fraud_conf *c = frauds_conf();
	static const char *const actions[] = {"told", "refused", "refused, and the account is blocked"};
	buf_printf(out, "%s; over a limit calls are %s\n", c->is_on ? "on" : "off", actions[c->action]);
	buf_adds(out, "rule,calls,minutes,all calls,all minutes\n");
	for (int i = 0; i < c->rule_count; i++)
		buf_printf(out, "%s,%u,%u,%u,%u\n", c->rules[i].name, c->rules[i].calls, c->rules[i].minutes,
		    c->rules[i].all_calls, c->rules[i].all_minutes);
	buf_printf(out, "at night %u %%; calls refused %" PRIu64 "\n", c->night_percent, frauds_refused());
}

int api_fraud(struct api_call *c)
{
	struct sv rest = sv_of(c->args), verb = guard_word(&rest), who = sv_trim(rest);
	role_assert_ctl();
	if (!frauds_table())
		return ST_NOTFOUND;
	if (!verb.n || sv_isi(verb, "list")) {
		buf_adds(c->out, "account,rule,running,calls,of,minutes,of\n");
		fraud_each(frauds_table(), put_use, c->out);
		buf_adds(c->out, "\nblocked,since,until\n");
		frauds_blocks_each(put_block, c->out);
	} else if (sv_isi(verb, "status")) {
		fraud_status(c->out);
	} else if (sv_isi(verb, "release") && who.n) {
		size_t n = frauds_release(sv_isi(who, "all") ? SV_NONE : who);
		buf_printf(c->out, "+OK %zu released\n", n);
	} else if (sv_isi(verb, "check") && who.n) {
		int rule = fraud_rule_of(frauds_conf(), who);
		buf_printf(c->out, "%s\n", rule < 0 ? "no rule" : frauds_conf()->rules[rule].name);
	} else {
		buf_adds(c->out, "-USAGE: list | status | release ACCOUNT|all | check NUMBER\n");
	}
	return ST_OK;
}
