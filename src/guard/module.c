/* The module: always there, whatever modules.conf names, since doors rely on it. Its store is guard.db. */
#include "core/registry/module.h"
#include "base/log.h"
#include "core/conf/config.h"
#include "core/conf/dsn.h"
#include "core/value/self.h"
#include "guard/guard_i.h"
#include "store/store.h"

static struct store *store;

unsigned guard_number(const struct xml_node *settings, const char *file, const char *name, unsigned fallback)
{
	uint32_t v;
	const char *text = config_param(settings, name, NULL);
	if (!text)
		return fallback;
	if (!sv_u32(sv_of(text), &v))
		return v;
	log_error("%s: %s: \"%s\" is no number; it is %u", file, name, text, fallback);
	return fallback;
}

static void conf_changed(void *arg)
{
	role_assert_ctl();
	bans_conf_read();
	frauds_conf_read();
}

static int load(void)
{
	role_assert_ctl();
	if (core_dirs() && core_dirs()->db &&
	    store_open(&store, config_dsn(NULL, "guard"), core_dirs()->db, STORE_KEEPS, NULL)) {
		log_error("guard: bans and blocks do not outlive a restart");
		store = NULL;
	}
	int st = bans_start(store);
	if (!st)
		st = rates_start();
	if (!st)
		st = frauds_start(store);
	return st ? st : config_on_swap(conf_changed, NULL);
}

static int unload(void)
{
	role_assert_ctl();
	config_on_swap_del(conf_changed, NULL);
	store_close(store);
	store = NULL;
	frauds_stop();
	rates_stop();
	bans_stop();
	return ST_OK;
}

enum { M_BANS, M_BEGUN, M_FAILED, M_UNPROVED, M_DROPPED, M_REFUSED, M_RATES, M_FRAUD };
static void fill(struct metric_out *out, int which)
{
	role_assert_ctl();
	const struct bans_counts *n = bans_counts();
	const double values[] = {bans_table() ? (double)ban_count(bans_table()) : 0, (double)n->begun,
	    (double)n->failed, (double)n->unproved, (double)n->dropped, (double)n->refused, (double)rates_refused(),
	    (double)frauds_refused()};
	metric_put(out, values[which], NULL);
}

/* clang-format off */
static const struct metric_desc metrics[] = {
    {"tandem_bans", METRIC_GAUGE, 0, "Addresses, and users at addresses, that are banned now.", fill, M_BANS},
    {"tandem_bans_begun_total", METRIC_COUNTER, 0, "Bans that began.", fill, M_BEGUN},
    {"tandem_login_failures_total", METRIC_COUNTER, 0, "Wrong passwords and refused sources, at every door.", fill, M_FAILED},
    {"tandem_login_failures_unproved_total", METRIC_COUNTER, 0, "Of these such whose source may be forged: they ban nobody.", fill, M_UNPROVED},
    {"tandem_ban_dropped_total", METRIC_COUNTER, 0, "Messages and connections of banned addresses, not read.", fill, M_DROPPED},
    {"tandem_ban_refused_total", METRIC_COUNTER, 0, "Logins of users banned at their address, refused.", fill, M_REFUSED},
    {"tandem_rates_refused_total", METRIC_COUNTER, 0, "Calls over a bound of their address or user.", fill, M_RATES},
    {"tandem_fraud_refused_total", METRIC_COUNTER, 0, "Calls to expensive destinations over a limit.", fill, M_FRAUD},
    {0},
};

static const struct conf_desc confs[] = {
    {"ban.conf", "enabled", "boolean", "", "true", "failures ban; false: they are only counted"},
    {"ban.conf", "allow", "list", "", "loopback.auto", "access lists and networks that are never banned, with commas; gateways never are"},
    {"ban.conf", "window", "number", "s", "600", "how long a failure counts"},
    {"ban.conf", "user-failures", "number", "", "5", "wrong passwords of one user at one address, until he is banned there; 0: never"},
    {"ban.conf", "user-ban-time", "number", "s", "300", "for how long; each ban of the same lasts twice as long as the one before"},
    {"ban.conf", "address-failures", "number", "", "20", "wrong passwords of an address until all of it is banned; 0: never"},
    {"ban.conf", "address-users", "number", "", "3", "of how many users these must be at least (five times the failures ban whatever the users)"},
    {"ban.conf", "address-ban-time", "number", "s", "3600", "for how long"},
    {"ban.conf", "max-ban-time", "number", "s", "86400", "the longest"},
    {"ban.conf", "known-factor", "number", "", "10", "an address from which a right password came within the hour may fail so many times as often"},
    {"fraud.conf", "enabled", "boolean", "", "false", "limits calls to expensive destinations"},
    {"fraud.conf", "action", "tell|refuse|block", "", "block", "over a limit: an event and the log, and the call is refused, and the account blocked"},
    {"fraud.conf", "block-time", "number", "s", "0", "0: until `fraud release`"},
    {"fraud.conf", "cut-calls", "boolean", "", "false", "calls that run when the minutes are used up are hung up"},
    {"fraud.conf", "night", "text", "", "22:00-06:00", "local time; empty: no night"},
    {"fraud.conf", "night-percent", "number", "%", "50", "so much of each limit counts at night"},
    {"fraud.conf", "except", "list", "", "", "prefixes that no rule is about"},
    {"fraud.conf", "rule", "element", "", "", "in <rules>: name, prefixes, except, calls, minutes, all-calls, all-minutes (an hour); none: international, premium, satellite"},
    {0},
};
/* clang-format on */

static const char *const ban_words[] = {"ban list", "ban status", "ban add", "ban remove", "ban flush", NULL};
static const char *const fraud_words[] = {"fraud list", "fraud status", "fraud release", "fraud check", NULL};
static const struct api_desc apis[] = {
    {"ban", "Who is kept out", "[list|status|add|remove|flush] [address|user@address] [seconds] [reason]", 0, api_ban,
        ban_words},
    {"fraud", "Limits of calls to expensive destinations", "[list|status|release <account>|check <number>]", 0,
        api_fraud, fraud_words},
    {"rates", "Calls by address and user, where they are bounded", "", 0, api_rates, NULL},
    {0},
};

extern const struct module mod_guard;
const struct module mod_guard = {.abi = MODULE_ABI,
    .name = "mod_guard",
    .load = load,
    .unload = unload,
    .apis = apis,
    .confs = confs,
    .metrics = metrics};
