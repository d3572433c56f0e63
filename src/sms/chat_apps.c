/* Applications of the chatplan. Their data is expanded when they run, and what came from outside in it is data: a
 * header's name, a carrier or a shell's word that such text would be is refused. */
#include "base/log.h"
#include "base/mem.h"
#include "core/event/event.h"
#include "core/registry/chat.h"
#include "proc/shell.h"
#include "sms/sms_i.h"
#include "text/mark.h"
#include <strings.h>

/* The text as one word of ours; NULL: it is from outside, and logged. */
static ON_CTL bool is_ours(const char *app, const char *text)
{
	if (!mark_has(sv_of(text)))
		return true;
	log_warning("chatplan: %s: a name from outside is not used", app);
	return false;
}

static ON_CTL int app_info(struct chat_run *r, const char *data)
{
	struct event *e = event_dup(r->message);

	if (e)
		log_info("CHANNEL_DATA:\n%.*s", SVF(event_render(e, EVENT_PLAIN_RAW)));
	mem_unref(e);
	return ST_OK;
}

/* name=value; nothing behind the = removes it. */
static ON_CTL int app_set(struct chat_run *r, const char *data)
{
	struct sv name, value;
	char *key, *text;
	bool is_set = sv_split(sv_of(data), '=', &name, &value);

	name = sv_trim(name);
	if (!name.n || mark_has(name)) {
		log_warning("chatplan: set: usage: <name>=<value>; a name from outside is not used");
		return ST_OK;
	}
	key = sv_dup(name), text = is_set ? sv_dup(value) : NULL;
	if (key)
		chat_run_set(r, key, text);
	mem_free(key);
	mem_free(text);
	return ST_OK;
}

static ON_CTL int app_unset(struct chat_run *r, const char *data)
{
	if (*data && is_ours("unset", data))
		chat_run_set(r, data, NULL);
	return ST_OK;
}

/* On, by the carrier named or its own: the plan does not see it again. */
static ON_CTL int app_send(struct chat_run *r, const char *data)
{
	struct event *e;

	if (*data && !is_ours("send", data))
		return ST_DENIED;
	if (!(e = event_dup(r->message)))
		return ST_NOMEM;
	if (*data)
		event_set(e, "dest_proto", data);
	event_set(e, CHAT_SKIP_PLAN, "true");
	chat_carry(e, NULL, NULL);
	mem_unref(e);
	return ST_OK;
}

static ON_CTL void swapped(struct event *to, const struct event *from, const char *to_name, const char *from_name)
{
	const char *value = event_get(from, from_name);

	if (value && *value)
		event_add(to, to_name, value);
}

/* Back to who wrote, from whom he wrote to, with this text (or his own). */
static ON_CTL int app_reply(struct chat_run *r, const char *data)
{
	static const char *const pairs[][2] = {{"from", "to"}, {"from_user", "to_user"}, {"from_host", "to_host"},
	    {"to", "from"}, {"to_user", "from_user"}, {"to_host", "from_host"}, {"dest_proto", "proto"},
	    {"type", "type"}, {"context", "context"}, {"sip_profile", "sip_profile"}};
	struct event *e = event_new(EVENT_MESSAGE, NULL);
	char *plain = mark_strip_dup(sv_of(data));

	if (e && plain && event_get(r->message, "proto")) {
		event_add(e, "proto", "GLOBAL_SMS");
		for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
			swapped(e, r->message, pairs[i][0], pairs[i][1]);
		event_add(e, "replying", "true");
		event_add(e, CHAT_SKIP_PLAN, "true");
		event_set_body(e, *plain ? sv_of(plain) : event_body(r->message));
		chat_carry(e, NULL, NULL);
	} else {
		log_error("chatplan: reply: a message without proto");
	}
	mem_free(plain);
	mem_unref(e);
	return ST_OK;
}

static ON_CTL int app_fire(struct chat_run *r, const char *data)
{
	event_fire(event_dup(r->message));
	return ST_OK;
}

static ON_CTL int app_stop(struct chat_run *r, const char *data)
{
	r->is_stopped = true;
	return ST_OK;
}

static ON_CTL int app_log(struct chat_run *r, const char *data)
{
	char *plain = mark_strip_dup(sv_of(data));

	log_info("chatplan: %s", plain ? plain : "");
	mem_free(plain);
	return ST_OK;
}

static CO int app_system(struct chat_run *r, const char *data)
{
	struct buf line;
	int code = 0, st;

	buf_init(&line);
	st = mark_strip_shell(&line, sv_of(data));
	if (!st) {
		log_notice("Executing command: %s", line.p ? line.p : "");
		st = shell_run(&(struct shell_conf){.command = line.p ? line.p : ""}, NULL, &code);
	}
	if (st || code)
		log_error("chatplan: system: %s", st == ST_DENIED ? shell_off_text
		                                  : st            ? status_text(st)
		                                                  : "it failed");
	buf_fini(&line);
	return st;
}

static const struct chat_app {
	const char *name;
	int (*fn)(struct chat_run *r, const char *data); /* CO */
} apps[] = {{"info", app_info}, {"log", app_log}, {"reply", app_reply}, {"send", app_send}, {"block", app_stop},
    {"stop", app_stop}, {"final", app_stop}, {"fire", app_fire}, {"set", app_set}, {"unset", app_unset},
    {"system", app_system}};

static const struct chat_app *app_of(const char *name)
{
	for (size_t i = 0; i < sizeof(apps) / sizeof(apps[0]); i++)
		if (!strcasecmp(name, apps[i].name))
			return &apps[i];
	return NULL;
}

bool chat_app_is(const char *name)
{
	return app_of(name) != NULL;
}

int chat_app_run(struct chat_run *r, const char *name, const char *data)
{
	const struct chat_app *app = app_of(name);
	char *text = NULL;
	int st;

	if (!app) {
		log_error("chatplan: invalid application %s", name);
		return ST_NOTFOUND;
	}
	if (++r->steps > CHAT_STEPS_MAX) {
		log_error("chatplan: more than %d applications for one message", CHAT_STEPS_MAX);
		return ST_LIMIT;
	}
	st = chat_run_expand(r, data ? data : "", &text);
	if (!st)
		st = app->fn(r, text ? text : "");
	mem_free(text);
	return st;
}
