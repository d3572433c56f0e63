/* `conference`: the command, its table, its help, and whom a command is for. Replies are FreeSWITCH's. */
#include "base/mem.h"
#include "conference/command_i.h"
#include "core/registry/principal.h"
#include "text/mark.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MEMBERS "<member_id|all|last|non_moderator>"
#define MEMBERS_IN "<[member_id|all|last|non_moderator]>"
#define MEMBERS_OLD "<[member_id|all]|last|non_moderator>"
#define NEWVAL MEMBERS " [<newval>]"
#define QUIET MEMBERS_OLD " [<quiet>]"

static const struct conf_cmd commands[] = {
    {"canvas-auto-clear", "<canvas_id> <true|false>", .room = cmd_video, .args = 2},
    {"count", "", .room = cmd_count},
    {"list", "[delim <string>]|[count]", .room = cmd_list},
    {"xml_list", "", .room = cmd_xml_list},
    {"json_list", "[compact]", .room = cmd_json_list},
    {"energy", NEWVAL, .member = cmd_energy},
    {"auto-energy", NEWVAL, .member = cmd_auto_energy},
    {"max-energy", NEWVAL, .member = cmd_max_energy},
    {"agc", NEWVAL, .member = cmd_agc},
    {"vid-canvas", NEWVAL, .member = cmd_video_member},
    {"vid-watching-canvas", NEWVAL, .member = cmd_video_member},
    {"vid-layer", NEWVAL, .member = cmd_video_member},
    {"volume_in", NEWVAL, .member = cmd_volume_in},
    {"volume_out", NEWVAL, .member = cmd_volume_out},
    {"position", "<member_id> <x>:<y>:<z>", .room = cmd_position, .args = 1},
    {"auto-3d-position", "[on|off]", .room = cmd_auto_3d},
    {"play", "<file_path> [async|<member_id> [nomux]]", .waits = cmd_play, .args = 1},
    {"moh", "<file_path>|toggle|[on|off]", .room = cmd_moh},
    {"pause", "[<member_id>]", .room = cmd_pause_record},
    {"play_status", "[<member_id>]", .room = cmd_play_status},
    {"file_seek", "[+-]<val> [<member_id>]", .room = cmd_file_seek, .args = 1},
    {"say", "<text>", .room = cmd_say},
    {"saymember", "<member_id> <text>", .room = cmd_saymember},
    {"cam", "", .room = cmd_video},
    {"stop", "<[current|all|async|last]> [<member_id>]", .room = cmd_stop},
    {"dtmf", MEMBERS_IN " <digits>", .member = cmd_dtmf},
    {"kick", MEMBERS_IN " [<optional sound file>]", .member = cmd_kick},
    {"vid-flip", MEMBERS_IN, .member = cmd_video_member},
    {"vid-border", MEMBERS_IN, .member = cmd_video_member},
    {"hup", MEMBERS_IN, .member = cmd_hup},
    {"hold", MEMBERS_OLD " [file]", .member = cmd_hold},
    {"unhold", MEMBERS_OLD, .member = cmd_unhold},
    {"mute", QUIET, .member = cmd_mute},
    {"tmute", QUIET, .member = cmd_tmute},
    {"unmute", QUIET, .member = cmd_unmute},
    {"vmute", QUIET, .member = cmd_video_member},
    {"tvmute", QUIET, .member = cmd_video_member},
    {"vmute-snap", MEMBERS_OLD, .member = cmd_video_member},
    {"unvmute", QUIET, .member = cmd_video_member},
    {"vblind", QUIET, .member = cmd_video_member},
    {"tvblind", QUIET, .member = cmd_video_member},
    {"unvblind", QUIET, .member = cmd_video_member},
    {"deaf", MEMBERS_OLD, .member = cmd_deaf},
    {"undeaf", MEMBERS_OLD, .member = cmd_undeaf},
    {"vid-filter", MEMBERS_OLD " <string>", .member = cmd_video_member},
    {"relate", "<member_id>[,<member_id>] <other_member_id>[,<other_member_id>] [nospeak|nohear|clear]",
        .room = cmd_relate},
    {"getvar", "<varname>", .room = cmd_getvar},
    {"setvar", "<varname> <value>", .room = cmd_setvar},
    {"lock", "", .room = cmd_lock},
    {"unlock", "", .room = cmd_unlock},
    {"dial", "<endpoint_module_name>/<destination> <callerid number> <callerid name>", .waits = cmd_dial,
        .needs_no_room = true},
    {"bgdial", "<endpoint_module_name>/<destination> <callerid number> <callerid name>", .room = cmd_bgdial,
        .needs_no_room = true},
    {"transfer", "<conference_name> <member id> [...<member id>]", .room = cmd_transfer, .args = 2},
    {"record", "<filename>", .room = cmd_record, .args = 1},
    {"chkrecord", "<confname>", .room = cmd_chkrecord},
    {"norecord", "<[filename|all]>", .room = cmd_norecord, .args = 1},
    {"pause", "<filename>", .room = cmd_pause_record, .args = 1},
    {"resume", "<filename>", .room = cmd_resume_record, .args = 1},
    {"recording", "[start|stop|check|pause|resume] [<filename>|all]", .room = cmd_recording, .args = 1},
    {"exit_sound", "on|off|none|file <filename>", .room = cmd_exit_sound},
    {"enter_sound", "on|off|none|file <filename>", .room = cmd_enter_sound},
    {"pin", "<pin#>", .room = cmd_pin},
    {"nopin", "", .room = cmd_nopin},
    {"get", "<parameter-name>", .room = cmd_get, .args = 1},
    {"set", "<max_members|sound_prefix|caller_id_name|caller_id_number|endconference_grace_time> <value>",
        .room = cmd_set, .args = 2},
    {"file-vol", "<vol#>", .room = cmd_file_vol},
    {"floor", "<member_id|last>", .room = cmd_floor, .args = 1},
    {"vid-floor", "<member_id|last> [force]", .room = cmd_video, .args = 1},
    {"vid-banner", "<member_id|last> <text>", .room = cmd_video, .args = 1},
    {"vid-mute-img", "<member_id|last> [<path>|clear]", .room = cmd_video, .args = 1},
    {"vid-logo-img", "<member_id|last> [<path>|clear]", .room = cmd_video, .args = 1},
    {"vid-codec-group", "<member_id|last> [<group>|clear]", .room = cmd_video, .args = 1},
    {"vid-res-id", "<member_id>|all <val>|clear [force]", .room = cmd_video, .args = 1},
    {"vid-role-id", "<member_id|last> <val>|clear", .room = cmd_video, .args = 1},
    {"get-uuid", "<member_id|last>", .room = cmd_get_uuid, .args = 1},
    {"clear-vid-floor", "", .room = cmd_video},
    {"vid-layout", "<layout name>|group <group name> [<canvas id>]", .room = cmd_video},
    {"vid-write-png", "<path>", .room = cmd_video},
    {"vid-fps", "<fps>", .room = cmd_video},
    {"vid-res", "<WxH>", .room = cmd_video},
    {"vid-fgimg", "<file> | clear [<canvas-id>]", .room = cmd_video},
    {"vid-bgimg", "<file> | clear [<canvas-id>]", .room = cmd_video},
    {"vid-bandwidth", "<BW>", .room = cmd_video},
    {"vid-personal", "[on|off]", .room = cmd_video},
    {NULL, NULL},
};
/* Known, and not in the list above: FreeSWITCH's help lacks them, too. */
static const struct conf_cmd hidden[] = {
    {"pause_play", "[<member_id>]", .room = cmd_pause_play},
    {"cdr", "", .room = cmd_cdr},
    {NULL, NULL},
};

static const struct conf_cmd *find_in(const struct conf_cmd *table, const char *name)
{
	const struct conf_cmd *found = NULL;
	for (; table->name; table++)
		if (!strcasecmp(table->name, name))
			found = table; /* of two of a name the last: "pause" is for recordings, as in FreeSWITCH */
	return found;
}

void conf_usage(struct conf_call *x)
{
	buf_printf(x->out, "%s %s", x->cmd->name, x->cmd->syntax);
}

static ON_CTL void help(struct buf *out, const char *before)
{
	for (const struct conf_cmd *c = commands; c->name; c++)
		buf_printf(out, "%s%s%s%s\n", before, c->name, *c->syntax || *before == '<' ? " " : "", c->syntax);
}

/* ---- whom it is for ---- */

static ON_CTL void none_of(struct conf_call *x, const char *word)
{
	buf_printf(x->out, "-ERR Non-Existant ID %u\n", (unsigned)strtoul(word, NULL, 10));
}

struct conf_member *conf_call_member(struct conf_call *x, const char *word)
{
	struct conf_member *m = NULL;
	if (!strcasecmp(word, "last"))
		m = list_empty(&x->room->members) ? NULL : conf_member_of(list_first(&x->room->members));
	else
		m = conf_member_find(x->room, (unsigned)strtoul(word, NULL, 10));
	if (!m)
		none_of(x, word);
	return m;
}

/* fn may mark members, not take them out of the room: they leave on their own coroutines. */
static ON_CTL void for_members(struct conf_call *x)
{
	const char *who = x->n ? x->w[0] : "";
	bool is_non_moderator = !strcasecmp(who, "non_moderator");
	struct lnode *it, *tmp;
	struct conf_member *m;
	if (!strcasecmp(who, "all") || is_non_moderator) {
		conf_members_each(x->room, it, tmp)
		{
			m = conf_member_of(it);
			if (is_non_moderator && conf_member_is(m, CM_MODERATOR))
				buf_printf(x->out, "Skipping moderator (member id %u).\n", m->id);
			else
				x->cmd->member(x, m);
		}
		return;
	}
	if (strcasecmp(who, "last") && !isdigit((unsigned char)*who)) {
		conf_usage(x);
		return;
	}
	m = conf_call_member(x, who);
	if (m)
		x->cmd->member(x, m);
}

static CO void run(struct conf_call *x)
{
	if (x->n < x->cmd->args)
		conf_usage(x);
	else if (x->cmd->member)
		for_members(x);
	else if (x->cmd->waits)
		x->cmd->waits(x);
	else
		x->cmd->room(x);
}

/* `conference list|xml_list|json_list|count ...`: no name, all rooms. */
struct all_call {
	struct conf_call *x;
	bool is_summary, is_pretty;
	const char *delim;
	unsigned count;
};
static void list_one(struct conf_room *room, void *arg)
{
	struct all_call *a = arg;
	role_assert_ctl();
	a->count += room->count;
	conf_list_head(room, a->x->out);
	if (a->is_pretty)
		conf_list_pretty(room, a->x->out);
	else if (!a->is_summary)
		conf_list_members(room, a->x->out, a->delim);
}
static void count_one(struct conf_room *room, void *arg)
{
	*(unsigned *)arg += room->count;
}

static ON_CTL bool run_for_all(struct conf_call *x, const char *name)
{
	struct all_call a = {.x = x, .delim = ";"};
	if (!strcasecmp(name, "xml_list")) {
		conf_list_xml(NULL, x->out);
	} else if (!strcasecmp(name, "json_list")) {
		conf_list_json(NULL, x->out, x->n && !strcasecmp(x->w[0], "compact"));
	} else if (!strcasecmp(name, "count")) {
		unsigned n = 0;
		conf_rooms_each(count_one, &n);
		buf_printf(x->out, "%u", n);
	} else if (!strcasecmp(name, "list")) {
		a.is_summary = x->n && !strcasecmp(x->w[0], "summary");
		a.is_pretty = x->n && !strcasecmp(x->w[0], "pretty");
		if (x->n > 1 && !strcasecmp(x->w[0], "delim"))
			a.delim = x->w[1];
		if (!conf_rooms_count())
			buf_adds(x->out, "+OK No active conferences.\n");
		conf_rooms_each(list_one, &a);
	} else {
		return false;
	}
	return true;
}

int api_conference(struct api_call *c)
{
	struct app_words all, head;
	struct conf_call x = {.api = c, .out = c->out, .rest = ""};
	role_assert_co();
	int st = app_words_init(&all, c->text, APP_WORDS_MAX);
	int st2 = app_words_init(&head, c->text, 3);
	if (st || st2)
		goto out;
	if (!all.n) {
		help(c->out, "<conf name> ");
		goto out;
	}
	if (!strcasecmp(all.w[0], "help")) {
		help(c->out, "\t\t");
		goto out;
	}
	x.w = all.w + 1, x.m = all.m + 1, x.n = all.n - 1;
	if (run_for_all(&x, all.w[0]))
		goto out;
	x.room_name = all.w[0], x.room_text = all.m[0];
	x.room = mem_ref(conf_room_find(all.w[0]));
	if (all.n > 1) {
		x.cmd = find_in(commands, all.w[1]);
		x.cmd = x.cmd ? x.cmd : find_in(hidden, all.w[1]);
		x.w++, x.m++, x.n--;
		x.rest = head.n > 2 ? head.m[2] : "";
	}
	if (!x.room && !(x.cmd && x.cmd->needs_no_room))
		buf_printf(c->out, "-ERR Conference %s not found\n", all.w[0]);
	else if (all.n < 2)
		buf_adds(c->out, "Conference command, not specified.\nTry 'help'\n");
	else if (!x.cmd)
		buf_printf(c->out, "-ERR Conference command '%s' not found.\n", all.w[1]);
	else
		run(&x);
	mem_unref(x.room);
out:
	app_words_fini(&all);
	app_words_fini(&head);
	return st ? st : st2;
}
