/* mod_fifo: queues of callers. The tables; what each part does: fifo_i.h. */
#include "core/registry/module.h"
#include "base/status.h"
#include "core/conf/config.h"
#include "core/registry/api.h"
#include "core/registry/app.h"
#include "core/registry/app_words.h"
#include "core/run/exec.h"
#include "fifo/fifo_i.h"

#include <string.h>
#include <strings.h>

static const char usage[] =
    "<fifo name>[!<importance_number>] [in [<announce file>|undef] [<music file>|undef] [early|noans] | out "
    "[wait|nowait] [<announce file>|undef] [<music file>|undef]]";
static unsigned user_count; /* applications that run */

static int app_fifo(struct leg *leg, const char *data)
{
	struct app_words w;
	role_assert_co();
	int st = app_words_init(&w, leg_exec_text(leg, data), 5);
	user_count++;
	if (!st && w.n > 1 && !strcasecmp(w.w[1], "in"))
		st = fifo_in(leg, &w);
	else if (!st && w.n > 1 && !strcasecmp(w.w[1], "out"))
		st = fifo_out(leg, &w);
	else
		st = ST_INVAL;
	user_count--;
	if (st == ST_INVAL)
		leg_log(leg, LOG_ERR, "fifo: usage: %s", usage);
	app_words_fini(&w);
	return st;
}

static const struct app_desc apps[] = {
    {"fifo", "Park with FIFO", usage, 0, app_fifo},
    {"fifo_track_call", "Count a call as a fifo call in the manual_calls queue", "<fifo_outbound_uuid>", APP_NO_MEDIA,
        app_fifo_track_call},
    {NULL},
};
static const char *const fifo_complete[] = {"fifo list", "fifo list_verbose", "fifo count", "fifo has_outbound",
    "fifo importance", "fifo reparse", "fifo status", "fifo debug", NULL};
static const char *const member_complete[] = {"fifo_member add", "fifo_member del", NULL};
static const struct api_desc apis[] = {
    {"fifo", "Return data about a fifo",
        "list|list_verbose|count|debug|status|has_outbound|importance [<fifo name>]|reparse [del_all]", 0, api_fifo,
        fifo_complete},
    {"fifo_add_outbound", "Add outbound members to a fifo", "<node> <url> [<priority>]", 0, api_fifo_add_outbound,
        NULL},
    {"fifo_check_bridge", "check if uuid is in a bridge", "<uuid>|<outbound_id>", 0, api_fifo_check_bridge, NULL},
    {"fifo_member", "Add members to a fifo",
        "[add <fifo_name> <originate_string> [<simo_count>] [<timeout>] [<lag>] [<expires>] [<taking_calls>] | del "
        "<fifo_name> <originate_string>]",
        0, api_fifo_member, member_complete},
    {NULL},
};
static const struct conf_desc confs[] = {
    {"fifo.conf", "dbname", "text", NULL, "fifo", "database in which members of fifo_member are kept"},
    {"fifo.conf", "odbc-dsn", "text", NULL, "", "the same, by a data source; wins over dbname"},
    {"fifo.conf", "delete-all-outbound-member-on-startup", "boolean", NULL, "false",
        "members of fifo_member are forgotten at the start"},
    {"fifo.conf", "outbound-strategy", "text", NULL, "ringall",
        "ringall or enterprise: how members are rung in queues that do not say"},
    {NULL},
};
static const struct var_desc vars[] = {
    {"fifo_announce", "source", "what is heard before the two are joined; the argument wins", true, false},
    {"fifo_music", "source", "what who waits hears; the argument wins; none: silence", true, false},
    {"fifo_priority", "number", "0 to 9: the slot in which a caller waits; lower is served first", true, true},
    {"fifo_chime_list", "sources", "separated by commas: played to who waits, one after the other", true, false},
    {"fifo_chime_freq", "seconds", "between two of fifo_chime_list; default 30", true, false},
    {"fifo_caller_exit_key", "digits", "keys by which a caller leaves the queue", true, false},
    {"fifo_caller_exit_to_orbit", "boolean", "he goes to fifo_orbit_exten then", true, false},
    {"fifo_orbit_exten", "extension[:seconds]", "where a caller goes whose time is over; default 60 s", true, false},
    {"fifo_orbit_dialplan", "dialplan", "of fifo_orbit_exten", true, false},
    {"fifo_orbit_context", "context", "of fifo_orbit_exten", true, false},
    {"fifo_orbit_announce", "source", "what he hears before", true, false},
    {"fifo_override_announce", "source", "of a caller: what his consumer hears in place of its announcement", true,
        false},
    {"fifo_consumer_exit_key", "digits", "keys by which a waiting consumer leaves; default *", true, false},
    {"fifo_consumer_wrapup_sound", "source", "what a consumer hears after a call", true, false},
    {"fifo_consumer_wrapup_key", "digits", "keys that end the time after a call", true, false},
    {"fifo_consumer_wrapup_time", "ms", "how long that is at most", true, false},
    {"fifo_strategy", "text", "of a consumer of several queues: more_ppl or waiting_longer", true, false},
    {"fifo_pop_order", "numbers", "slots in the order in which a consumer serves them, separated by commas", true,
        false},
    {"fifo_bridge_uuid", "uuid", "the caller that a consumer takes, nobody else", true, true},
    {"fifo_record_template", "path", "each call is recorded to it; expanded for the caller", true, false},
    {"fifo_member_wait", "text", "of a member's dial string: nowait (one call, the default) or wait", true, false},
    {"fifo_outbound_uuid", "text", "the member that a consumer is", true, true},
    {"fifo_originate_uuid", "uuid", "the ringing by which a consumer came", true, true},
    {"fifo_name", "text", "the queue for which it was rung", false, true},
    {"fifo_status", "text", "WAITING, TALKING, WRAPUP, ABORTED, TIMEOUT", false, true},
    {"fifo_timestamp", "date", "when that began", false, true},
    {"fifo_push_timestamp", "date", "when a caller came", false, true},
    {"fifo_position", "number", "his place when he came", false, true},
    {"fifo_target", "uuid", "whom it talks to", false, true},
    {"fifo_epoch_start_bridge", "seconds", "since when", false, true},
    {"fifo_role", "text", "caller or consumer", false, true},
    {"fifo_bridge_role", "text", "the same", false, true},
    {"fifo_initiated_bridge", "boolean", "a queue joined it", false, true},
    {"fifo_tracked_uuid", "text", "the member as whose call fifo_track_call counts this one", true, true},
    {"fifo_track_start", "us", "since when", true, true},
    {"fifo_serviced_by", "uuid", "a caller's consumer", false, true},
    {"fifo_serviced_uuid", "uuid", "the same", false, true},
    {NULL},
};

static void on_swap(void *arg)
{
	role_assert_ctl();
	fifo_configure(false);
}

static int load(void)
{
	role_assert_ctl();
	int st = fifo_tables_start();
	if (!st)
		st = fifo_members_start();
	if (!st)
		st = leg_hook_add(LEG_HOOK_HANGUP, fifo_track_end, NULL);
	if (!st)
		st = config_on_swap(on_swap, NULL);
	if (!st)
		fifo_configure(false);
	return st;
}

static int unload(void)
{
	role_assert_ctl();
	if (user_count || fifo_dial_stop())
		return ST_BUSY;
	config_on_swap_del(on_swap, NULL);
	leg_hook_del(LEG_HOOK_HANGUP, fifo_track_end, NULL);
	fifo_members_stop();
	fifo_tables_stop();
	return ST_OK;
}

extern const struct module mod_fifo;
const struct module mod_fifo = {.abi = MODULE_ABI,
    .name = "mod_fifo",
    .load = load,
    .unload = unload,
    .apps = apps,
    .apis = apis,
    .vars = vars,
    .confs = confs};
