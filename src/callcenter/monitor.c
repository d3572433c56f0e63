/* Supervisors at an agent's call: DEST is rung, and who answers hears both (listen), speaks to the agent alone
 * (whisper) or to both (barge). It is the application eavesdrop, with its keys 0 to 3, and ends with the call. */
#include "base/mem.h"
#include "base/status.h"
#include "callcenter/callcenter_i.h"
#include "core/door/door.h"
#include "core/registry/api.h"
#include "core/registry/principal.h"
#include "core/run/exec.h"
#include "core/value/cause.h"
#include "core/value/vars.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { MONITORS_MAX = 500, RING_S = 30 };
struct monitor {
	char *dest, *agent; /* dest with marks */
	char uuid[UUID_CHARS + 1];
	bool to_agent, to_caller;
};
static unsigned running_count;

unsigned cc_monitors_running(void)
{
	return running_count;
}

static void monitor_free(struct monitor *m)
{
	mem_free(m->dest);
	mem_free(m->agent);
	mem_free(m);
}

static CO void ring(struct monitor *m)
{
	struct vars *vars = NULL;
	struct leg *leg = NULL;
	enum cause cause = CAUSE_NONE;
	struct originate_conf conf = {.dialstring = m->dest, .caller_id_name = m->agent, .timeout_s = RING_S};
	int st = vars_new(&vars);
	if (!st)
		st = vars_set(vars, "eavesdrop_whisper_bleg", m->to_agent ? "true" : "false");
	if (!st)
		st = vars_set(vars, "eavesdrop_whisper_aleg", m->to_caller ? "true" : "false");
	if (!st)
		st = vars_set(vars, "ignore_early_media", "true");
	conf.vars = vars;
	if (!st)
		st = originate_run(&conf, &leg, &cause);
	if (!st && leg) {
		leg_exec_clear(leg);
		if (leg_find(m->uuid) && !leg_exec_add(leg, "eavesdrop", m->uuid, NULL))
			leg_exec_resume(leg, NULL);
		else
			leg_hangup(leg, CAUSE_NORMAL_CLEARING); /* the call is over */
	}
	mem_unref(leg);
	vars_free(vars);
}

static void monitor_main(void *arg)
{
	struct monitor *m = arg;
	role_assert_co();
	ring(m);
	monitor_free(m);
	running_count--;
}

const char *cc_monitor(struct api_call *c, struct cc_agent *a, const char *dest, const char *mode)
{
	bool is_whisper = !strcasecmp(mode, "whisper"), is_barge = !strcasecmp(mode, "barge");
	const char *why = "";
	struct buf checked;
	if (!is_whisper && !is_barge && strcasecmp(mode, "listen"))
		return "-ERR It is listen, whisper or barge!\n";
	if (!a->uuid || !*a->uuid || a->state != CC_IN_CALL || !leg_find(a->uuid))
		return "-ERR Agent has no call!\n";
	if (running_count >= MONITORS_MAX)
		return "-ERR Too many are rung!\n";
	buf_init(&checked);
	if (c->who && principal_put_dial(&checked, dest, &why)) {
		buf_fini(&checked);
		buf_printf(c->out, "-ERR %s\n", why);
		return "";
	}
	struct monitor *m = mem_zalloc(sizeof(*m));
	if (m) {
		m->dest = mem_strdup(c->who ? checked.p : dest);
		m->agent = mem_strdup(a->name);
		m->to_agent = is_whisper || is_barge;
		m->to_caller = is_barge;
		snprintf(m->uuid, sizeof(m->uuid), "%s", a->uuid);
	}
	buf_fini(&checked);
	if (!m || !m->dest || !m->agent || co_spawn("callcenter monitor", monitor_main, m, NULL)) {
		if (m)
			monitor_free(m);
		return "-ERR Unknown Error!\n";
	}
	running_count++;
	return "+OK\n";
}
