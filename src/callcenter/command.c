/* callcenter_config and callcenter_break: which part of the command it is. Replies are FreeSWITCH's, word by word. */
#include "base/status.h"
#include "callcenter/callcenter_i.h"
#include "core/registry/api.h"
#include "core/registry/app_words.h"

#include <string.h>
#include <strings.h>

static const char usage[] = "-USAGE: \n"
                            "callcenter_config <target> <args>,\n"
                            "\tcallcenter_config agent add [name] [type] | \n"
                            "\tcallcenter_config agent del [name] | \n"
                            "\tcallcenter_config agent reload [name] | \n"
                            "\tcallcenter_config agent set status [agent_name] [status] | \n"
                            "\tcallcenter_config agent set state [agent_name] [state] | \n"
                            "\tcallcenter_config agent set contact [agent_name] [contact] | \n"
                            "\tcallcenter_config agent set ready_time [agent_name] [wait till epoch] | \n"
                            "\tcallcenter_config agent set reject_delay_time [agent_name] [wait second] | \n"
                            "\tcallcenter_config agent set busy_delay_time [agent_name] [wait second] | \n"
                            "\tcallcenter_config agent set no_answer_delay_time [agent_name] [wait second] | \n"
                            "\tcallcenter_config agent get status [agent_name] | \n"
                            "\tcallcenter_config agent get state [agent_name] | \n"
                            "\tcallcenter_config agent get uuid [agent_name] | \n"
                            "\tcallcenter_config agent list [[agent_name]] | \n"
                            "\tcallcenter_config tier add [queue_name] [agent_name] [[level]] [[position]] | \n"
                            "\tcallcenter_config tier set state [queue_name] [agent_name] [state] | \n"
                            "\tcallcenter_config tier set level [queue_name] [agent_name] [level] | \n"
                            "\tcallcenter_config tier set position [queue_name] [agent_name] [position] | \n"
                            "\tcallcenter_config tier del [queue_name] [agent_name] | \n"
                            "\tcallcenter_config tier reload [queue_name] [agent_name] | \n"
                            "\tcallcenter_config tier list | \n"
                            "\tcallcenter_config queue load [queue_name] | \n"
                            "\tcallcenter_config queue unload [queue_name] | \n"
                            "\tcallcenter_config queue reload [queue_name] | \n"
                            "\tcallcenter_config queue list | \n"
                            "\tcallcenter_config queue list agents [queue_name] [status] [state] | \n"
                            "\tcallcenter_config queue list members [queue_name] | \n"
                            "\tcallcenter_config queue list tiers [queue_name] | \n"
                            "\tcallcenter_config queue count | \n"
                            "\tcallcenter_config queue count agents [queue_name] [status] [state] | \n"
                            "\tcallcenter_config queue count members [queue_name] | \n"
                            "\tcallcenter_config queue count tiers [queue_name]\n";

int api_callcenter_config(struct api_call *c)
{
	static const struct {
		const char *name;
		void (*fn)(struct api_call *c, const struct app_words *w);
	} parts[] = {{"agent", cc_command_agent}, {"tier", cc_command_tier}, {"queue", cc_command_queue}};
	struct app_words w;
	role_assert_ctl();
	if (!*c->args)
		return buf_adds(c->out, usage);
	/* the words of who may not do everything are all from outside: what is read as a language has a door */
	int st = app_words_init(&w, c->who ? c->args : c->text, 8);
	if (!st && w.n < 2) {
		buf_adds(c->out, "-ERR Invalid!\n");
	} else if (!st) {
		for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
			if (!strcasecmp(w.w[0], parts[i].name))
				parts[i].fn(c, &w);
	}
	app_words_fini(&w);
	return st;
}

/* agent UUID: the switch looks after that call no longer; the agent is free. */
int api_callcenter_break(struct api_call *c)
{
	struct app_words w;
	role_assert_ctl();
	int st = app_words_init(&w, c->args, 3);
	if (!st && w.n < 2) {
		buf_adds(c->out, "-ERR Usage: callcenter_break agent <uuid>\n");
	} else if (!st && !leg_find(w.w[1])) {
		buf_printf(c->out, "-ERR Session not found for uuid %s\n", w.w[1]);
	} else if (!st) {
		struct cc_offer *o = strcasecmp(w.w[0], "agent") ? NULL : cc_offer_of(w.w[1]);
		if (o)
			cc_offer_release(o);
		buf_adds(c->out, "+OK\n");
	}
	app_words_fini(&w);
	return st;
}
