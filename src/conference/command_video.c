/* Video sub-commands: conferences have sound only, so they answer as FreeSWITCH's do in a conference without video. */
#include "conference/command_i.h"
#include <stdlib.h>
#include <strings.h>

struct row {
	const char *name;
	const char *without, *with; /* the reply without and with words; NULL: the usage; "": none */
	bool is_for_member;         /* the first word names one */
};
static const char no_mixing[] = "-ERR Conference is not in mixing mode\n", bad_input[] = "-ERR Invalid input\n",
                  no_canvas[] = "-ERR Invalid canvas\n", no_personal[] = "-ERR conference is not in mixing mode\n";
static const struct row rows[] = {
    {"canvas-auto-clear", NULL, no_mixing, false},
    {"cam", no_mixing, no_mixing, false},
    {"clear-vid-floor", "+OK floor Cleared\n", "+OK floor Cleared\n", false},
    {"vid-floor", NULL, "", true},
    {"vid-banner", NULL, "+OK\n", true},
    {"vid-mute-img", NULL, "", true},
    {"vid-logo-img", NULL, "", true},
    {"vid-codec-group", NULL, "", true},
    {"vid-res-id", NULL, "", true},
    {"vid-role-id", NULL, "", true},
    {"vid-layout", bad_input, no_mixing, false},
    {"vid-write-png", bad_input, no_mixing, false},
    {"vid-fps", no_mixing, no_mixing, false},
    {"vid-res", no_mixing, no_mixing, false},
    {"vid-fgimg", no_canvas, no_canvas, false},
    {"vid-bgimg", no_canvas, no_canvas, false},
    {"vid-bandwidth", bad_input, "-ERR Bandwidth not set\n", false},
    {"vid-personal", no_personal, no_personal, false},
    {NULL, NULL, NULL, false},
};

void cmd_video(struct conf_call *x)
{
	const struct row *r = rows;
	while (r->name && strcasecmp(r->name, x->cmd->name))
		r++;
	const char *reply = x->n ? r->with : r->without;
	if (r->is_for_member && x->n && strcasecmp(x->w[0], "all") && !conf_call_member(x, x->w[0]))
		return;
	if (reply)
		buf_adds(x->out, reply);
	else
		conf_usage(x);
}

void cmd_video_member(struct conf_call *x, struct conf_member *m)
{
	const char *name = x->cmd->name;
	struct buf *out = x->out;
	if (!strcasecmp(name, "vid-canvas") || !strcasecmp(name, "vid-watching-canvas") ||
	    !strcasecmp(name, "vid-layer"))
		buf_adds(out, "-ERR Invalid DATA\n");
	else if (!strcasecmp(name, "vid-border"))
		buf_printf(out, "-ERR Channel %s is not in a video layer\n", m->leg->name ? m->leg->name : "");
	else if (!strcasecmp(name, "vid-flip"))
		buf_printf(out, "+OK flipped %u\n", m->id);
	else if (!strcasecmp(name, "tvmute") || !strcasecmp(name, "tvblind")) {
		bool *is = !strcasecmp(name, "tvmute") ? &m->is_vmuted : &m->is_blind;
		*is = !*is;
		buf_printf(out, "+OK %s%s %u\n", *is ? "" : "un", name + 1, m->id);
	} else if (!strcasecmp(name, "vmute") || !strcasecmp(name, "unvmute") || !strcasecmp(name, "vblind") ||
	           !strcasecmp(name, "unvblind")) {
		bool is_on = *name == 'v';
		*(strcasestr(name, "mute") ? &m->is_vmuted : &m->is_blind) = is_on;
		conf_event_member(m, strcasestr(name, "mute") ? (is_on ? "vmute-member" : "unvmute-member")
		                                              : (is_on ? "vblind-member" : "unvblind-member"));
		buf_printf(out, "+OK %s %u\n", name, m->id);
	} else {
		buf_printf(out, "+OK %s %u\n", name, m->id);
	}
}
