/* The `sofia` command: profiles started, stopped, flushed and traced, levels kept. Status texts are in status.c,
 * look-ups in reg/lookup.c. Replies are FreeSWITCH's to the byte where clients parse them. */
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/registry/api.h"
#include "core/registry/complete.h"
#include "endpoint/sip/module_i.h"
#include "loop/co.h"
#include "text/xml.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char usage[] =
    "USAGE:\n"
    "--------------------------------------------------------------------------------\n"
    "sofia global siptrace <on|off>\n"
    "sofia        capture  <on|off>\n"
    "             watchdog <on|off>\n"
    "\n"
    "sofia profile <name> [start | stop | restart | rescan] [wait]\n"
    "                     flush_inbound_reg [<call_id> | <[user]@domain>] [reboot]\n"
    "                     check_sync [<call_id> | <[user]@domain>]\n"
    "                     [register | unregister] [<gateway name> | all]\n"
    "                     killgw <gateway name>\n"
    "                     [stun-auto-disable | stun-enabled] [true | false]]\n"
    "                     siptrace <on|off>\n"
    "                     capture  <on|off>\n"
    "                     watchdog <on|off>\n"
    "\n"
    "sofia <status|xmlstatus> profile <name> [reg [<contact str>]] | [pres <pres str>] | [user <user@domain>]\n"
    "sofia <status|xmlstatus> gateway <name>\n"
    "\n"
    "sofia loglevel <all|default|tport|iptsec|nea|nta|nth_client|nth_server|nua|soa|sresolv|stun> [0-9]\n"
    "sofia tracelevel <console|alert|crit|err|warning|notice|info|debug>\n"
    "\n"
    "sofia help\n"
    "--------------------------------------------------------------------------------\n";

struct words {
	struct sv w[10];
	size_t n;
};

static struct words words_of(struct sv text)
{
	struct words out = {.n = 0};
	struct sv one;
	for (text = sv_trim(text); text.n && out.n < 10; text = sv_trim(text)) {
		sv_split(text, ' ', &one, &text);
		out.w[out.n++] = one;
	}
	return out;
}

static bool is_on(struct sv v)
{
	char text[8];
	snprintf(text, sizeof(text), "%.*s", (int)(v.n < sizeof(text) ? v.n : sizeof(text) - 1), v.p ? v.p : "");
	return str_is_true(text);
}

static ON_CTL int global_cmd(struct api_call *c, const struct words *w)
{
	if (w->n < 2 || (!sv_isi(w->w[1], "siptrace") && !sv_isi(w->w[1], "capture") && !sv_isi(w->w[1], "watchdog") &&
	                    !sv_isi(w->w[1], "debug")))
		return buf_adds(c->out,
		    "-ERR Usage: siptrace <on|off>|capture <on|off>|watchdog <on|off>|debug <sla|presence|none");
	if (w->n < 3)
		return buf_adds(c->out,
		    "-ERR Usage: siptrace <on|off>|capture <on|off>|watchdog <on|off>|debug <sla|presence|none");
	bool on = is_on(w->w[2]);
	if (sv_isi(w->w[1], "siptrace"))
		profiles_trace_set(on);
	if (sv_isi(w->w[1], "capture"))
		profiles_capture_set(on);
	return buf_printf(c->out, "+OK Global %.*s %s", SVF(w->w[1]), on ? "on" : "off");
}

/* ---- the configuration is read again before a profile starts or is rescanned ---- */

struct reload_wait {
	struct co_wait wait;
	int status;
};

static void on_reloaded(int status, const char *message, void *arg)
{
	struct reload_wait *w = arg;
	role_assert_ctl();
	w->status = status;
	co_signal(&w->wait, ST_OK);
}

/* On an error the configuration that is there is used. */
static CO void reload_put(struct buf *out)
{
	struct reload_wait w = {.status = ST_OK};
	int st = config_reload(on_reloaded, &w);
	if (st == ST_OK) {
		co_wait(&w.wait, -1);
		st = w.status;
	}
	buf_printf(out, "Reload XML [%s]\n", st == ST_OK ? "Success" : status_text(st));
}

static ON_CTL bool profile_start_by_name(struct sv name)
{
	struct profile_conf conf;
	const struct xml_node *node = profile_conf_node(name);
	profile_retry_cancel(name);
	return node && profile_conf_parse(&conf, node) == ST_OK && profile_start(&conf, NULL) == ST_OK;
}

static CO int start_cmd(struct api_call *c, struct sv name)
{
	reload_put(c->out);
	if (profile_find_exact(name))
		return buf_printf(c->out, "Profile [%.*s] already running\n", SVF(name)); /* nothing to start */
	return profile_start_by_name(name) ? buf_printf(c->out, "%.*s started successfully\n", SVF(name))
	                                   : buf_printf(c->out, "Failure starting %.*s\n", SVF(name));
}

static ON_CTL int trace_cmd(struct api_call *c, struct profile *p, const struct words *w)
{
	if (w->n < 4)
		return buf_adds(c->out, "Usage: sofia profile <name> siptrace <on/off>\n");
	bool on = is_on(w->w[3]);
	profile_trace_set(p, on);
	return buf_printf(c->out, "%s sip debugging on %s", on ? "Enabled" : "Disabled", p->conf.name);
}

static ON_CTL int capture_cmd(struct api_call *c, struct profile *p, const struct words *w)
{
	if (w->n < 4)
		return buf_adds(c->out, "Usage: sofia profile <name> capture <on/off>\n");
	bool on = is_on(w->w[3]);
	profile_capture_set(p, on);
	return buf_printf(c->out, "%s sip capturing on %s", on ? "Enabled" : "Disabled", p->conf.name);
}

/* Gateways that are new, and every parameter that sockets were not made with; calls and registrations go on. */
static ON_CTL int rescan_cmd(struct api_call *c, struct profile *p)
{
	struct profile_conf fresh;
	const struct xml_node *node = profile_conf_node(sv_of(p->conf.name));
	if (node && profile_conf_parse(&fresh, node) == ST_OK) {
		profile_conf_adopt(&p->conf, &fresh);
		border_filters_set(p);
	}
	gateways_load(p);
	return buf_adds(c->out, "+OK scan complete\n");
}

/* [WHICH] [reboot]: registrations are forgotten; with reboot their phones are told to restart. */
static ON_CTL int flush_cmd(struct api_call *c, struct profile *p, const struct words *w)
{
	bool is_reboot = w->n > 3 && sv_isi(w->w[w->n - 1], "reboot");
	bool has_which = w->n > (is_reboot ? 4u : 3u);
	struct sv which = has_which ? w->w[3] : SV_NONE;
	if (is_reboot)
		reg_sync(p, which, true);
	reg_table_flush(reg_table_of(p), which);
	return buf_printf(c->out, "+OK %s all registrations%s\n", is_reboot ? "rebooting" : "flushing",
	    has_which ? " matching specified call_id" : "");
}

static CO int profile_cmd(struct api_call *c, const struct words *w)
{
	if (w->n < 3)
		return buf_adds(c->out, "Invalid Args!\n");
	struct sv name = w->w[1], verb = w->w[2];
	if (sv_isi(verb, "start"))
		return start_cmd(c, name);
	struct profile *p = profile_find(name);
	if (!p)
		return buf_printf(c->out, "Invalid Profile [%.*s]", SVF(name));
	if (sv_isi(verb, "stop") || sv_isi(verb, "restart") || sv_isi(verb, "rescan")) {
		reload_put(c->out);
		if (!(p = profile_find(name))) /* somebody else stopped it */
			return buf_printf(c->out, "Invalid Profile [%.*s]", SVF(name));
	}
	if (sv_isi(verb, "stop") || sv_isi(verb, "restart")) {
		char *own = mem_strdup(p->conf.name);
		bool is_restart = sv_isi(verb, "restart");
		if (is_restart)
			buf_printf(c->out, "restarting: %s", own);
		else
			buf_printf(c->out, "stopping: %s", own);
		profile_stop(p);
		if (is_restart && !profile_start_by_name(sv_of(own)))
			log_error("sofia: profile %s did not come back", own);
		mem_free(own);
		return ST_OK;
	}
	if (sv_isi(verb, "rescan"))
		return rescan_cmd(c, p);
	if (sv_isi(verb, "siptrace"))
		return trace_cmd(c, p, w);
	if (sv_isi(verb, "capture"))
		return capture_cmd(c, p, w);
	if (gateway_profile_cmd(c, p, verb, w->n > 3 ? w->w[3] : SV_NONE))
		return ST_OK;
	if (sv_isi(verb, "flush_inbound_reg"))
		return flush_cmd(c, p, w);
	if (sv_isi(verb, "check_sync")) {
		reg_sync(p, w->n > 3 ? w->w[3] : SV_NONE, false);
		return buf_printf(
		    c->out, "+OK syncing all registrations%s\n", w->n > 3 ? " matching specified call_id" : "");
	}
	return buf_adds(c->out, "-ERR Unknown command!\n");
}

static ON_CTL int loglevel_cmd(struct api_call *c, const struct words *w)
{
	static const char *const components[] = {"all", "default", "tport", "iptsec", "nea", "nta", "nth_client",
	    "nth_server", "nua", "soa", "sresolv", "stun"};
	if (w->n < 3 || w->w[2].n != 1 || w->w[2].p[0] < '0' || w->w[2].p[0] > '9')
		return buf_adds(c->out, usage);
	for (size_t i = 0; i < sizeof(components) / sizeof(components[0]); i++)
		if (sv_isi(w->w[1], components[i]))
			return buf_printf(c->out, "Sofia log level for component [%s] has been set to [%c]",
			    components[i], w->w[2].p[0]);
	return buf_adds(c->out, usage);
}

static int trace_level = LOG_CONSOLE;

static ON_CTL int tracelevel_cmd(struct api_call *c, const struct words *w)
{
	enum log_level level;
	char text[16];
	if (w->n > 1) {
		snprintf(text, sizeof(text), "%.*s", (int)(w->w[1].n < 15 ? w->w[1].n : 15), w->w[1].p);
		if (log_level_parse(text, &level) == ST_OK) {
			trace_level = level;
			profiles_trace_level_set(level);
		}
	}
	return buf_printf(c->out, "+OK tracelevel is %s", log_level_name((enum log_level)trace_level));
}

static int sofia_cmd(struct api_call *c)
{
	struct words w = words_of(sv_of(c->args));
	role_assert_co();
	if (!w.n || sv_isi(w.w[0], "help"))
		return buf_adds(c->out, usage);
	struct sv rest = sv_trim(sv_sub(sv_of(c->args), (size_t)(w.w[0].p + w.w[0].n - c->args), SIZE_MAX));
	if (sv_isi(w.w[0], "status"))
		return status_cmd(c, rest, false);
	if (sv_isi(w.w[0], "xmlstatus"))
		return status_cmd(c, rest, true);
	if (sv_isi(w.w[0], "jsonstatus"))
		return jsonstatus_cmd(c);
	if (sv_isi(w.w[0], "profile"))
		return profile_cmd(c, &w);
	if (sv_isi(w.w[0], "global"))
		return global_cmd(c, &w);
	if (sv_isi(w.w[0], "loglevel"))
		return loglevel_cmd(c, &w);
	if (sv_isi(w.w[0], "tracelevel"))
		return tracelevel_cmd(c, &w);
	if (sv_isi(w.w[0], "trace"))
		return trace_cmd_run(c, w.n > 1 ? w.w[1] : SV_NONE, w.n > 2 ? w.w[2] : SV_NONE);
	if (sv_isi(w.w[0], "ladder"))
		return ladder_cmd_run(c, w.n > 1 ? w.w[1] : SV_NONE, w.n > 2 ? w.w[2] : SV_NONE);
	if (sv_isi(w.w[0], "recover"))
		return buf_adds(c->out, "No calls to recover.\n");
	return buf_printf(c->out, "Unknown Command [%.*s]\n", SVF(w.w[0]));
}

static const char *const sofia_complete[] = {"sofia ::[help:status",
    "sofia status profile ::sofia::list_profiles ::[reg:user:pres", "sofia status gateway ::sofia::list_gateways",
    "sofia xmlstatus profile ::sofia::list_profiles reg", "sofia xmlstatus gateway ::sofia::list_gateways",
    "sofia jsonstatus",
    ("sofia loglevel ::[all:default:tport:iptsec:nea:nta:nth_client:nth_server:nua:soa:sresolv:stun "
     "::[0:1:2:3:4:5:6:7:8:9"),
    "sofia tracelevel ::[console:alert:crit:err:warning:notice:info:debug", "sofia global siptrace ::[on:off",
    "sofia global capture ::[on:off", "sofia ladder", "sofia trace ::[address:call:gateway:off:list",
    "sofia profile ::sofia::list_profiles capture ::[on:off",
    "sofia profile ::sofia::list_profiles ::[start:rescan:restart:stop",
    "sofia profile ::sofia::list_profiles siptrace ::[on:off",
    "sofia profile ::sofia::list_profiles ::[register:unregister all",
    "sofia profile ::sofia::list_profiles ::[register:unregister:killgw:startgw ::sofia::list_profile_gateway",
    "sofia profile ::sofia::list_profiles flush_inbound_reg reboot",
    "sofia profile ::sofia::list_profiles gwlist ::[up:down", "sofia profile ::sofia::list_profiles killgw _all_",
    "sofia profile ::sofia::list_profiles startgw _all_", "sofia profile ::sofia::list_profiles stop wait",
    "sofia profile restart all", "sofia recover flush", NULL};

/* ---- live words ---- */

static ON_CTL void list_profiles(
    const char *const *before, int count, void (*add)(const char *word, void *arg), void *arg)
{
	for (const struct profile *p = profile_next(NULL); p; p = profile_next(p))
		add(p->conf.name, arg);
}

static ON_CTL void add_gateways(struct profile *p, void (*add)(const char *word, void *arg), void *arg)
{
	struct lnode *it, *tmp;
	list_each (gateways_of(p), it, tmp)
		add(list_entry(it, struct gateway, link)->name, arg);
}

static ON_CTL void list_gateways(
    const char *const *before, int count, void (*add)(const char *word, void *arg), void *arg)
{
	for (struct profile *p = profile_next(NULL); p; p = profile_next(p))
		add_gateways(p, add, arg);
}

/* Of the profile named before: "sofia profile NAME killgw ..." */
static ON_CTL void list_profile_gateways(
    const char *const *before, int count, void (*add)(const char *word, void *arg), void *arg)
{
	struct profile *p = count > 2 ? profile_find(sv_of(before[2])) : NULL;
	if (p)
		add_gateways(p, add, arg);
}

const struct complete_list sofia_lists[] = {{"sofia::list_profiles", list_profiles},
    {"sofia::list_gateways", list_gateways}, {"sofia::list_profile_gateway", list_profile_gateways}, {NULL, NULL}};

const struct api_desc sofia_apis[] = {
    {"sofia", "Sofia Controls", "<cmd> <args>", API_MAY_WAIT, sofia_cmd, sofia_complete},
    {"sofia_gateway_data", "Get data from a sofia gateway", "<gateway_name> [ivar|ovar|var] <name>", API_OWN_REPLY,
        gateway_cmd, NULL},
    {"sofia_username_of", "Sofia Username Lookup", "[profile/]<user>@<domain>", API_OWN_REPLY, username_cmd, NULL},
    {"sofia_contact", "Sofia Contacts", "[profile/]<user>@<domain>", 0, contact_cmd, NULL},
    {"sofia_dig", "SIP DIG", "<url>", API_MAY_WAIT, dig_cmd, NULL},
    {"sofia_count_reg", "Count Sofia registration", "[profile/]<user>@<domain>", 0, count_cmd, NULL},
    {"sofia_presence_data", "Sofia Presence Data", "[list|status|rpid|user_agent] [profile/]<user>@domain", 0,
        presence_cmd, NULL},
    {0},
};
