/* A message as the chatplan sees it: headers are fields and variables, and all of them, body included, are from
 * outside, even of a program's message, so nothing in it is read as a language; only what the plan itself sets is text.
 * The hunt is the XML dialplan's own, with this message in place of a leg. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/event/event.h"
#include "core/run/expand.h"
#include "core/value/vars.h"
#include "dialplan/dialplan.h"
#include "sms/sms_i.h"
#include "text/mark.h"
#include <string.h>
#include <strings.h>

/* ---- values ---- */

static bool is_body(const char *name)
{
	return !strcasecmp(name, "body") || !strcasecmp(name, "_body");
}

const char *chat_run_text(struct chat_run *r, const char *name, struct buf *scratch)
{
	const char *value = vars_text(r->own, name, scratch);

	if (value)
		return value;
	if (!is_body(name) && !(value = event_get(r->message, name)))
		return NULL;
	buf_clear(scratch);
	if (mark_put(scratch, is_body(name) ? event_body(r->message) : sv_of(value)))
		return NULL;
	return scratch->p ? scratch->p : "";
}

void chat_run_set(struct chat_run *r, const char *name, const char *text)
{
	char *plain;

	if (!text || !*text) {
		vars_set(r->own, name, NULL);
		event_del(r->message, name);
		return;
	}
	vars_set(r->own, name, text);
	if (!(plain = mark_strip_dup(sv_of(text))))
		return;
	if (is_body(name))
		event_set_body(r->message, sv_of(plain));
	else
		event_set(r->message, name, plain);
	mem_free(plain);
}

/* ---- expansion ---- */

struct lookup {
	struct chat_run *r;
	struct buf scratch;
};

static const char *look_up(const char *name, void *arg)
{
	struct lookup *l = arg;
	role_assert_ctl();
	return chat_run_text(l->r, name, &l->scratch);
}

int chat_run_expand(struct chat_run *r, const char *data, char **out)
{
	struct lookup l = {.r = r};
	int st;

	buf_init(&l.scratch);
	st = expand_aside(look_up, NULL, &l, data, out);
	if (st)
		log_warning("chatplan: expansion goes too deep or gets too long: %.80s", data);
	buf_fini(&l.scratch);
	return st;
}

/* ---- the hunt ---- */

static const char *env_field(void *arg, const char *name, struct buf *scratch)
{
	role_assert_ctl();
	return chat_run_text(arg, name, scratch);
}

static const char *env_var(void *arg, const char *name)
{
	struct chat_run *r = arg;
	const char *value;
	role_assert_ctl();
	value = vars_get(r->own, name);
	return value ? value : event_get(r->message, name);
}

static int env_expand(void *arg, const char *text, struct buf *out)
{
	char *value = NULL;
	int st;

	role_assert_co();
	st = chat_run_expand(arg, text, &value);
	if (!st && value)
		st = buf_adds(out, value);
	mem_free(value);
	return st;
}

static void env_set_var(void *arg, const char *name, const char *text)
{
	struct chat_run *r = arg;
	role_assert_ctl();
	vars_set(r->own, name, text);
}

static void env_push_var(void *arg, const char *name, const char *text)
{
	struct chat_run *r = arg;
	role_assert_ctl();
	vars_push(r->own, name, text);
}

static int env_run_inline(void *arg, const char *app, const char *data)
{
	role_assert_co();
	return chat_app_run(arg, app, data);
}

static CO void actions_run(struct chat_run *r, const struct dp_actions *found)
{
	for (size_t i = 0; i < found->count && !r->is_stopped; i++)
		if (chat_app_run(r, found->list[i].app, found->list[i].data))
			break;
}

int chat_plan_run(struct chat_run *r)
{
	struct dp_env env = {.arg = r,
	    .field = env_field,
	    .var = env_var,
	    .expand = env_expand,
	    .set_var = env_set_var,
	    .push_var = env_push_var,
	    .run_inline = env_run_inline,
	    .local_time = dp_local_time,
	    .wall_us = clock_wall_us()};
	const char *named = event_get(r->message, "context"), *from = event_get(r->message, "from"),
	           *to = event_get(r->message, "to");
	char *context = mem_strdup(named && *named ? named : "default"), *dest = mem_strdup(to ? to : "nobody");
	struct dp_actions found = {0};
	struct config *held = NULL;
	const struct dialplan *plan;
	int st = ST_NOMEM;

	if (!context || !dest)
		goto out;
	log_info("Processing text message %s->%s in context %s", from ? from : "", dest, context);
	held = mem_ref(config_current()); /* the hunt may wait */
	plan = chat_plan_current();
	st = plan ? dialplan_xml_hunt(plan, &env, context, dest, &found) : ST_NOTFOUND;
	if (!st)
		actions_run(r, &found);
out:
	dp_actions_fini(&found);
	mem_unref(held);
	mem_free(context);
	mem_free(dest);
	return st;
}
