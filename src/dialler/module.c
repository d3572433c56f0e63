/* mod_dialler: the tables, start and stop, events. What each part does: dialler_i.h. */
#include "core/registry/module.h"
#include "base/log.h"
#include "core/conf/config.h"
#include "core/event/event.h"
#include "core/registry/ready.h"
#include "dialler/dialler_i.h"
#include "loop/co.h"

#include <string.h>

static const struct conf_desc confs[] = {
    {"dialler.conf", "dsn", "text", NULL, "core-db-dsn, else dialler", "the database of numbers, calls and answers"},
    {"dialler.conf", "country-code", "text", NULL, "", "of national numbers; none: numbers stay as they are"},
    {"dialler.conf", "international-prefix", "text", NULL, "00", "in front of a country code"},
    {"dialler.conf", "national-prefix", "text", NULL, "0", "in front of a number of the own country"},
    {"dialler.conf", "timezone", "text", NULL, "UTC", "of numbers that no <zone> names"},
    {"dialler.conf", "mode", "text", NULL, "progressive", "of a campaign: preview, progressive, predictive, survey"},
    {"dialler.conf", "queue", "text", NULL, "", "of a campaign: mod_callcenter's queue that has its agents"},
    {"dialler.conf", "trunks", "text", NULL, "all", "of a campaign: names of trunks, the first with room is taken"},
    {"dialler.conf", "caller-id-pool", "text", NULL, "", "of a campaign: whose numbers it shows"},
    {"dialler.conf", "lines", "number", NULL, "30", "of a campaign: calls at once"},
    {"dialler.conf", "ring-time", "number", "s", "25", "of a campaign: how long a number is rung"},
    {"dialler.conf", "tries", "number", NULL, "5", "of a campaign: calls of one number at most"},
    {"dialler.conf", "windows", "text", NULL, "", "of a campaign: when it calls, by the number's clock; none: always"},
    {"dialler.conf", "wrap-up-time", "number", "s", "10", "of a campaign: own agents rest so long after a talk"},
    {"dialler.conf", "abandon-max", "number", "%", "3", "of a campaign: abandoned calls, of those answered"},
    {"dialler.conf", "abandon-after", "number", "s", "2", "of a campaign: who has no agent then is abandoned"},
    {"dialler.conf", "wait-max", "number", "s", "10", "of a campaign: nobody waits longer for an agent"},
    {"dialler.conf", "abandon-sound", "source", NULL, "", "of a campaign: what he hears then"},
    {"dialler.conf", "answering-machine", "text", NULL, "off", "of a campaign: off, hangup, message, connect"},
    {"dialler.conf", "machine-wait", "number", "s", "6", "of a campaign: how long amd is waited for"},
    {"dialler.conf", "machine-sound", "source", NULL, "", "of a campaign: the message for machines"},
    {"dialler.conf", "agent-music", "source", NULL, "", "of a campaign: what own agents hear between calls"},
    {"dialler.conf", "agent-sound", "source", NULL, "tone_stream://%(150,0,600)",
        "of a campaign: what an agent hears before a customer"},
    {"dialler.conf", "greeting", "source", NULL, "", "of a survey: before its questions"},
    {"dialler.conf", "thanks", "source", NULL, "", "of a survey: behind them"},
    {"dialler.conf", "wrong-sound", "source", NULL, "", "of a survey: after keys that do not fit"},
    {"dialler.conf", "extension", "text", NULL, "", "of a survey: where its calls go in place of its own questions"},
    {"dialler.conf", "context", "text", NULL, "default", "of a survey: that extension's context"},
    {NULL},
};

const char *dl_param(const char *name)
{
	return config_param(xml_child(config_conf("dialler.conf"), "settings"), name, "");
}

/* ---- events ---- */

struct event *dl_event(const struct dl_campaign *c, const char *action)
{
	static const char subclass[] = "dialler::info";
	struct event *e = event_is_wanted(EVENT_CUSTOM, subclass) ? event_new(EVENT_CUSTOM, subclass) : NULL;
	if (!e)
		return NULL;
	event_add(e, "Dialler-Action", action);
	event_add(e, "Dialler-Campaign", c->name);
	return e;
}

void dl_tell_call(const struct dl_call *k, const char *action)
{
	struct event *e = dl_event(k->c, action);
	if (!e)
		return;
	event_add(e, "Dialler-Call-ID", k->id);
	event_add(e, "Dialler-Number", k->n->number);
	event_addf(e, "Dialler-Attempt", "%u", k->attempt);
	event_add(e, "Dialler-Trunk", k->trunk);
	if (k->agent)
		event_add(e, "Dialler-Agent", k->agent->name);
	if (k->result)
		event_add(e, "Dialler-Result", k->result);
	if (k->ended_us)
		event_add(e, "Dialler-Cause", cause_name(k->cause));
	if (*k->uuid)
		event_add(e, "Unique-ID", k->uuid);
	event_fire(e);
}

/* ---- start and stop ---- */

/* /readyz waits for what is read back, but not for a database that is away. */
enum { READY_US = 5000000 };
static struct ltimer ready_timer;
static bool is_held, is_read;

static ON_CTL void ready_release(void)
{
	loop_timer_cancel(&ready_timer);
	if (is_held)
		core_ready_release("campaigns");
	is_held = false;
}

static void ready_late(void *arg)
{
	role_assert_ctl();
	ready_release();
}

void dl_recovered(void)
{
	struct lnode *it, *tmp;
	bool is_all = is_read && dl_keep_is_ready();
	list_each (dl_campaigns(), it, tmp)
		is_all &= list_entry(it, struct dl_campaign, link)->is_recovered;
	if (is_all)
		ready_release();
}

static void co_start(void *arg)
{
	role_assert_co();
	if (dl_store && dl_conf_load() == ST_NOTFOUND)
		log_warning("dialler: there is no dialler.conf: no campaigns");
	is_read = true;
	dl_recovered();
}

static int load(void)
{
	role_assert_ctl();
	int st = dl_calls_start();
	if (!st)
		st = dl_keep_open();
	if (!st) {
		core_ready_hold("campaigns");
		is_held = true;
		is_read = false;
		loop_timer_set(&ready_timer, READY_US, "dialler start", ready_late, NULL);
	}
	return st ? st : co_spawn("dialler start", co_start, NULL, NULL);
}

static int unload(void)
{
	role_assert_ctl();
	if (dl_campaigns_are_up())
		return ST_BUSY;
	ready_release();
	dl_campaigns_stop();
	dl_calls_stop();
	dl_keep_close();
	dl_conf_free();
	return ST_OK;
}

static void fill(struct metric_out *out, int which)
{
	struct lnode *it, *tmp;
	role_assert_ctl();
	list_each (dl_campaigns(), it, tmp) {
		const struct dl_campaign *c = list_entry(it, struct dl_campaign, link);
		struct dl_hour day;
		dl_day(c, &day);
		const double n[] = {c->counts[DL_BEGINS] + c->counts[DL_RINGING] + c->counts[DL_SCREENED],
		    c->counts[DL_WAITING], c->counts[DL_TALKING], day.dialled, day.answered, day.abandoned};
		metric_put(out, n[which], "campaign", c->name, NULL);
	}
}

static const struct metric_desc metrics[] = {
    {"tandem_dialler_ringing", METRIC_GAUGE, 0, "Calls of a campaign that begin, ring, or are listened to.", fill, 0},
    {"tandem_dialler_waiting", METRIC_GAUGE, 0, "Answered calls that no agent has yet.", fill, 1},
    {"tandem_dialler_talking", METRIC_GAUGE, 0, "Calls with an agent or a survey.", fill, 2},
    {"tandem_dialler_dialled_day", METRIC_GAUGE, 0, "Calls of the last 24 hours.", fill, 3},
    {"tandem_dialler_answered_day", METRIC_GAUGE, 0, "Those that people answered.", fill, 4},
    {"tandem_dialler_abandoned_day", METRIC_GAUGE, 0, "Those that had no agent in time.", fill, 5},
    {NULL},
};
static const struct app_desc apps[] = {
    {"dialler_agent", "Be on line as an agent of a campaign", "<campaign> <agent>", 0, app_dialler_agent},
    {"dialler_answer", "Keep an answer of a survey", "<question> <answer>", APP_NO_MEDIA, app_dialler_answer},
    {NULL},
};
static const char *const complete[] = {"dialler list", "dialler show", "dialler explain", "dialler start",
    "dialler pause", "dialler resume", "dialler stop", "dialler recycle", "dialler add", "dialler import",
    "dialler results", "dialler answers", "dialler agents", "dialler agent", "dialler dnc list", "dialler dnc add",
    "dialler dnc del", "dialler dnc import", "dialler reload", NULL};
static const struct api_desc apis[] = {
    {"dialler", "Campaigns: lists of numbers that are called",
        "[json] "
        "list|show|explain|start|pause|resume|stop|recycle|add|import|text|results|answers|agents|agent|dnc|reload ...",
        API_MAY_WAIT, api_dialler, complete},
    {NULL},
};
static const struct var_desc vars[] = {
    {"dialler_agent", "text", "the campaign's agent who has the call; on an agent's own leg his name", false, true},
    {"dialler_attempt", "number", "which call of this number it is", false, true},
    {"dialler_call_id", "text", "the call's row in dialler_calls", false, true},
    {"dialler_campaign", "text", "the campaign that calls", false, true},
    {"dialler_field_*", "text", "a column of the list: data, whatever it says", false, true},
    {"dialler_machine", "boolean", "amd heard a machine, and the campaign connects it all the same", false, true},
    {"dialler_name", "text", "the list's column name", false, true},
    {"dialler_number", "text", "the number that is called, in digits", false, true},
    {NULL},
};
extern const struct module mod_dialler;
const struct module mod_dialler = {.abi = MODULE_ABI,
    .name = "mod_dialler",
    .load = load,
    .unload = unload,
    .apps = apps,
    .apis = apis,
    .vars = vars,
    .confs = confs,
    .metrics = metrics};
