/* mod_billing: on-line charging. Accounts, decks and a ledger in a database; calls that reserve before they ring
 * (docs/billing.md). The rating is pure (rate.h), the ledger is SQL (ledger.c), a call is call.c. */
#include "core/registry/module.h"
#include "base/list.h"
#include "base/log.h"
#include "billing/billing_i.h"
#include "core/conf/config.h"
#include "core/event/event.h"
#include "core/registry/app_words.h"
#include "core/registry/metrics.h"
#include "core/value/self.h"
#include "loop/co.h"

#include <string.h>

enum { START_PAUSE_US = 2 * 1000 * 1000, START_WAIT_US = 5 * 1000 * 1000 };

struct billing_counts billing_counts;
static unsigned generation; /* of loads: a coroutine of an older one goes */
static bool is_starting;
static struct list starting_waits; /* of struct waiter */
struct waiter {
	struct lnode link;
	struct co_wait wait;
};

static const struct conf_desc confs[] = {
    {"billing.conf", "dsn", "text", NULL, "billing", "the database of accounts, calls, entries, rates and vouchers"},
    {"billing.conf", "fee-seconds", "number", "s", "300",
        "fees that are due are charged so often; 0: by billing charge"},
    {"billing.conf", "groups/group", "name, prefixes, forbidden, max_hour, max_calls, max_calls_hour", "", "",
        "destinations with bounds of their own for each account: money and calls an hour, calls at once; 0: none"},
    {"billing.conf", "reserve-seconds", "number", "s", "60", "a call reserves the money of so long at a time"},
    {"billing.conf", "warn-seconds", "number", "s", "30", "so long before the end the caller is warned; 0: never"},
    {"billing.conf", "warn-action", "text", NULL, "playback tone_stream://%(200,100,800);loops=2",
        "application and data of the warning"},
    {NULL},
};

const char *billing_param(const char *name)
{
	for (const struct conf_desc *d = confs; d->key; d++)
		if (!strcmp(d->key, name))
			return config_param(xml_child(config_conf("billing.conf"), "settings"), name, d->fallback);
	return "";
}

void billing_event(
    const char *action, const char *account, const char *uuid, const char *call_id, int64_t amount, const char *why)
{
	static const char subclass[] = "billing::event";
	struct event *e;
	struct buf money;
	if (!event_is_wanted(EVENT_CUSTOM, subclass) || !(e = event_new(EVENT_CUSTOM, subclass)))
		return;
	buf_init(&money);
	rate_money_put(&money, amount);
	event_add(e, "Billing-Action", action);
	event_add(e, "Billing-Account", account);
	if (uuid)
		event_add(e, "Unique-ID", uuid);
	if (call_id)
		event_add(e, "Billing-Call-ID", call_id);
	if (money.p)
		event_add(e, "Billing-Amount", money.p);
	if (why)
		event_add(e, "Billing-Reason", why);
	event_fire(e);
	buf_fini(&money);
}

void billing_wait_ready(void)
{
	struct waiter w = {0};
	if (!is_starting)
		return;
	list_push(&starting_waits, &w.link);
	(void)co_wait(&w.wait, START_WAIT_US);
	list_remove(&w.link);
}

static ON_CTL void starting_end(void)
{
	struct lnode *it, *tmp;
	is_starting = false;
	list_each (&starting_waits, it, tmp) {
		list_remove(it);
		co_signal(&list_entry(it, struct waiter, link)->wait, ST_OK);
	}
}

/* The tables, the decks, the calls of a process that died: again until the database answers. */
static void co_start(void *arg)
{
	const unsigned mine = generation;
	int st = ST_AGAIN;
	role_assert_co();
	while (lines_are_open() && mine == generation && st && st != ST_UNSUPPORTED) {
		is_starting = true;
		st = ledger_open();
		if (!st)
			st = decks_load();
		if (!st)
			st = calls_recover();
		if (mine == generation)
			starting_end();
		if (st && co_sleep(START_PAUSE_US))
			break;
	}
	if (!st && mine == generation)
		fees_start(), recover_start();
}

static int load(void)
{
	role_assert_ctl();
	list_init(&starting_waits);
	int st = calls_load();
	if (!st)
		st = groups_load();
	if (!st && core_dirs() && core_dirs()->db && lines_open(billing_param("dsn"), core_dirs()->db))
		log_error("billing.conf: dsn: no such database; no call of an account is let in");
	return !st && lines_are_open() ? co_spawn("billing start", co_start, NULL, NULL) : st;
}

static int unload(void)
{
	role_assert_ctl();
	if (calls_are_up())
		return ST_BUSY;
	generation++;
	starting_end();
	fees_stop();
	recover_stop();
	calls_unload();
	groups_unload();
	holds_forget();
	lines_close();
	decks_free();
	return ST_OK;
}

static void fill(struct metric_out *out, int which)
{
	const uint64_t n[] = {billing_counts.reserved, billing_counts.extended, billing_counts.settled,
	    billing_counts.refused, billing_counts.failed, billing_counts.recovered, billing_counts.fees};
	role_assert_ctl();
	metric_put(out, (double)n[which], NULL);
}

static const struct metric_desc metrics[] = {
    {"tandem_billing_reservations_total", METRIC_COUNTER, 0, "Calls that reserved money.", fill, 0},
    {"tandem_billing_extensions_total", METRIC_COUNTER, 0, "Reservations made longer.", fill, 1},
    {"tandem_billing_settlements_total", METRIC_COUNTER, 0, "Calls settled.", fill, 2},
    {"tandem_billing_refusals_total", METRIC_COUNTER, 0, "Calls refused.", fill, 3},
    {"tandem_billing_failures_total", METRIC_COUNTER, 0, "Statements that the database did not answer.", fill, 4},
    {"tandem_billing_recoveries_total", METRIC_COUNTER, 0, "Calls of a dead process settled.", fill, 5},
    {"tandem_billing_fees_total", METRIC_COUNTER, 0, "Periods of fees charged.", fill, 6},
    {NULL},
};
static const struct app_desc apps[] = {
    {"billing", "Charge the call to an account", "[<number>|-] [<account>]", APP_NO_MEDIA, app_billing},
    {NULL},
};
static const char *const words[] = {"billing account", "billing topup", "billing voucher", "billing redeem",
    "billing import", "billing reload", "billing rate", "billing calls", "billing statement", "billing reconcile",
    "billing rerate", "billing fee", "billing fees", "billing charge", "billing groups", "billing status", NULL};
static const struct api_desc apis[] = {
    {"billing", "Accounts, decks and charges",
        "account|topup|voucher|redeem|fee|fees|charge|groups|import|reload|rate|calls|statement|reconcile|rerate|"
        "status ...",
        API_MAY_WAIT, api_billing, words},
    {NULL},
};
static const struct var_desc vars[] = {
    {"billing_account", "text", "the account that pays, of the directory's user", true, false},
    {"billing_call_id", "text", "the call's row in billing_calls", true, true},
    {"billing_max_seconds", "s", "how long the account's money lasts for this call", false, true},
    {"billing_result", "text", "ok, or why the call is refused", false, true},
    {NULL},
};
extern const struct module mod_billing;
const struct module mod_billing = {.abi = MODULE_ABI,
    .name = "mod_billing",
    .load = load,
    .unload = unload,
    .apps = apps,
    .apis = apis,
    .vars = vars,
    .confs = confs,
    .metrics = metrics};
