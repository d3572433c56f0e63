/* The table of functions that modules from files call (include/tandem/module.h): each is a thin cover of core's own.
 * What a module subscribed to or set a timer for belongs to it and goes with it; while its code runs, it is in use. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/event/event.h"
#include "core/host/module_i.h"
#include "core/keys/digits.h"
#include "core/keys/dtmf.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "core/run/api.h"
#include "core/run/exec.h"
#include "core/sound/play.h"
#include "core/sound/record.h"
#include "core/value/cause.h"
#include "core/value/self.h"
#include "loop/co.h"
#include <stdio.h>
#include <string.h>

/* The public names of our own objects. */
static struct leg *leg_of(struct tandem_leg *leg)
{
	return (struct leg *)(void *)leg;
}
static struct event *event_of(const struct tandem_event *event)
{
	return (struct event *)(uintptr_t)event;
}

/* load, unload, and callbacks of events and timers run within whatever caused them, which may be a coroutine; nothing
 * else runs before they return. */
static unsigned at_once;

void module_host_at_once(bool has_begun)
{
	at_once += has_begun ? 1 : -1u;
}

static ON_CTL bool may_wait(const char *function)
{
	if (co_self() && !at_once)
		return true;
	log_error("a module called %s where nothing may wait", function);
	return false;
}

/* ---- log, configuration ---- */

static void host_log(struct tandem_leg *leg, int level, const char *format, ...)
{
	char text[2000];
	va_list ap;

	if (leg) /* without one any thread may log */
		role_assert_ctl();
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (level < LOG_CRIT || level > LOG_DEBUG)
		level = LOG_DEBUG;
	log_uuid((enum log_level)level, leg ? leg_of(leg)->uuid : NULL, "%s", text);
}

static const char *host_config_param(const char *file, const char *name, const char *otherwise)
{
	role_assert_ctl();
	return config_param(xml_child(config_conf(file), "settings"), name, otherwise);
}

static const char *host_global_get(const char *name)
{
	role_assert_ctl();
	return globals_get(name);
}

/* ---- legs ---- */

static const char *host_leg_uuid(struct tandem_leg *leg)
{
	return leg_of(leg)->uuid;
}

static struct tandem_leg *host_leg_find(const char *uuid)
{
	role_assert_ctl();
	return (struct tandem_leg *)(void *)leg_find(uuid);
}

static struct tandem_leg *host_leg_ref(struct tandem_leg *leg)
{
	return mem_ref(leg);
}

static void host_leg_unref(struct tandem_leg *leg)
{
	mem_unref(leg);
}

static int host_leg_is_up(struct tandem_leg *leg)
{
	role_assert_ctl();
	return leg_is_up(leg_of(leg));
}

static const char *host_leg_get(struct tandem_leg *leg, const char *variable)
{
	role_assert_ctl();
	return leg_var(leg_of(leg), variable);
}

static void host_leg_set(struct tandem_leg *leg, const char *variable, const char *value)
{
	role_assert_ctl();
	leg_var_set(leg_of(leg), variable, value);
}

static int host_leg_answer(struct tandem_leg *leg)
{
	role_assert_ctl();
	return leg_answer(leg_of(leg));
}

static int host_leg_pre_answer(struct tandem_leg *leg)
{
	role_assert_ctl();
	return leg_pre_answer(leg_of(leg));
}

static void host_leg_hangup(struct tandem_leg *leg, const char *cause)
{
	role_assert_ctl();
	leg_hangup(leg_of(leg), cause && *cause ? cause_parse(cause) : CAUSE_NORMAL_CLEARING);
}

/* What a module composed of a leg's values is marked as what a script composed is. */
static int host_leg_transfer(struct tandem_leg *leg, const char *extension, const char *dialplan, const char *context)
{
	role_assert_ctl();
	char *traced = extension ? leg_text_traced(leg_of(leg), extension) : NULL;
	int st = leg_transfer(leg_of(leg), traced ? traced : extension, dialplan, context);
	mem_free(traced);
	return st;
}

static int host_leg_send_digits(struct tandem_leg *leg, const char *digits)
{
	role_assert_ctl();
	return leg_dtmf_send(leg_of(leg), digits);
}

static int host_leg_play(struct tandem_leg *leg, const char *source, const char *terminators, char *digit)
{
	role_assert_ctl();
	if (!may_wait("leg_play"))
		return ST_INVAL;
	role_assert_co();
	char *traced = leg_text_traced(leg_of(leg), source);
	int st = leg_play(leg_of(leg), traced ? traced : source, terminators, digit);
	mem_free(traced);
	return st;
}

static int host_leg_read(struct tandem_leg *leg, unsigned min, unsigned max, const char *prompt, unsigned timeout_ms,
    const char *terminators, char *digits, size_t cap)
{
	struct leg_digits d = {.prompt = prompt, .terminators = terminators ? terminators : "#"};
	int st;

	role_assert_ctl();
	if (!may_wait("leg_read") || !digits || !cap)
		return ST_INVAL;
	role_assert_co();
	leg_digits_limit(&d, min, max, timeout_ms, 0);
	char *traced = prompt ? leg_text_traced(leg_of(leg), prompt) : NULL;
	if (traced)
		d.prompt = traced;
	st = leg_digits_read(leg_of(leg), &d);
	mem_free(traced);
	snprintf(digits, cap, "%s", d.digits);
	return st == ST_TIMEOUT ? ST_OK : st == ST_LIMIT ? ST_TIMEOUT : st;
}

static int host_leg_record(struct tandem_leg *leg, const char *path, unsigned limit_s, const char *terminators)
{
	struct media_record_conf conf = {.has_read = true, .limit_ms = limit_s > 4000000 ? 0 : clock_ms_of_s(limit_s)};

	role_assert_ctl();
	if (!may_wait("leg_record"))
		return ST_INVAL;
	role_assert_co();
	char *traced = leg_text_traced(leg_of(leg), path);
	int st = leg_record(leg_of(leg), traced ? traced : path, &conf, terminators);
	mem_free(traced);
	return st;
}

static int host_leg_sleep(struct tandem_leg *leg, unsigned ms)
{
	role_assert_ctl();
	if (!may_wait("leg_sleep"))
		return ST_INVAL;
	role_assert_co();
	return leg_sleep(leg_of(leg), clock_us_of_ms(ms));
}

static int host_leg_execute(struct tandem_leg *leg, const char *app, const char *data)
{
	role_assert_ctl();
	if (!may_wait("leg_execute"))
		return ST_INVAL;
	role_assert_co();
	char *traced = data ? leg_text_traced(leg_of(leg), data) : NULL;
	int st = leg_exec_app(leg_of(leg), app, traced ? traced : data);
	mem_free(traced);
	return st;
}

/* ---- commands ---- */

static void host_reply(struct tandem_command *command, const char *format, ...)
{
	struct api_call *c = (struct api_call *)(void *)command;
	va_list ap;

	va_start(ap, format);
	buf_vprintf(c->out, format, ap);
	va_end(ap);
}

static int host_command_run(const char *name, const char *args, char *out, size_t cap)
{
	struct buf reply;
	int st;

	role_assert_ctl();
	if (!may_wait("command_run"))
		return ST_INVAL;
	buf_init(&reply);
	st = api_run(name, args, NULL, &reply);
	if (out && cap)
		snprintf(out, cap, "%s", reply.p ? reply.p : "");
	buf_fini(&reply);
	return st;
}

static int host_sleep(unsigned ms)
{
	role_assert_ctl();
	if (!may_wait("sleep"))
		return ST_INVAL;
	role_assert_co();
	return co_sleep(clock_us_of_ms(ms));
}

static int host_work(struct tandem_self *self, void (*function)(void *argument), void *argument)
{
	int st;

	role_assert_ctl();
	if (!may_wait("work"))
		return ST_INVAL;
	role_assert_co();
	self->use_count++;
	st = co_work(WORK_MODULE, "module", function, argument);
	self->use_count--;
	return st;
}

/* ---- events ---- */

static struct tandem_event *host_event_new(const char *name, const char *subclass)
{
	enum event_id id;

	role_assert_ctl();
	if (event_id_parse(sv_of(name), &id) || id == EVENT_ALL)
		return NULL;
	return (struct tandem_event *)(void *)event_new(id, id == EVENT_CUSTOM ? subclass : NULL);
}

static void host_event_add(struct tandem_event *event, const char *name, const char *value)
{
	role_assert_ctl();
	event_add(event_of(event), name, value);
}

static void host_event_add_leg(struct tandem_event *event, struct tandem_leg *leg)
{
	role_assert_ctl();
	leg_event_headers(leg_of(leg), event_of(event));
}

static void host_event_set_body(struct tandem_event *event, const char *body)
{
	role_assert_ctl();
	event_set_body(event_of(event), sv_of(body));
}

static void host_event_fire(struct tandem_event *event)
{
	role_assert_ctl();
	event_fire(event_of(event));
}

static void host_event_drop(struct tandem_event *event)
{
	mem_unref(event);
}

static const char *host_event_name(const struct tandem_event *event)
{
	role_assert_ctl();
	return event_name(event_id(event_of(event)));
}

static const char *host_event_get(const struct tandem_event *event, const char *name)
{
	role_assert_ctl();
	return event_get(event_of(event), name);
}

static const char *host_event_body(const struct tandem_event *event)
{
	struct sv body;

	role_assert_ctl();
	body = event_body(event_of(event));
	return body.p ? body.p : "";
}

struct tandem_subscription {
	struct lnode link;
	struct event_sub *sub;
	struct tandem_self *self;
	void (*function)(const struct tandem_event *event, void *argument);
	void *argument;
	bool is_running, is_dropped;
};

static ON_CTL void subscription_end(struct tandem_subscription *s)
{
	event_sub_free(s->sub);
	s->sub = NULL;
	list_remove(&s->link);
	s->is_dropped = true;
	if (!s->is_running)
		mem_free(s);
}

static void on_event(struct event *e, void *arg)
{
	struct tandem_subscription *s = arg;
	struct tandem_self *self = s->self;
	bool was_running = s->is_running;

	role_assert_ctl();
	s->is_running = true;
	self->use_count++;
	module_host_at_once(true);
	s->function((const struct tandem_event *)(const void *)e, s->argument);
	module_host_at_once(false);
	self->use_count--;
	s->is_running = was_running;
	if (s->is_dropped && !was_running)
		mem_free(s);
}

static struct tandem_subscription *host_subscribe(struct tandem_self *self, const char *name, const char *subclass,
    void (*function)(const struct tandem_event *event, void *argument), void *argument)
{
	struct tandem_subscription *s;
	enum event_id id;

	role_assert_ctl();
	if (event_id_parse(sv_of(name), &id) || !(s = mem_zalloc(sizeof(*s))))
		return NULL;
	s->self = self, s->function = function, s->argument = argument;
	if (event_sub_new(&s->sub, on_event, s)) {
		mem_free(s);
		return NULL;
	}
	if (id == EVENT_CUSTOM && subclass && *subclass)
		event_sub_want_subclass(s->sub, subclass, true);
	else
		event_sub_want(s->sub, id, true);
	list_push(&self->subscriptions, &s->link);
	return s;
}

static void host_unsubscribe(struct tandem_subscription *s)
{
	role_assert_ctl();
	if (s)
		subscription_end(s);
}

/* ---- timers ---- */

struct tandem_timer {
	struct lnode link;
	struct ltimer timer;
	struct tandem_self *self;
	int64_t interval_us; /* 0: once */
	void (*function)(void *argument);
	void *argument;
};

static ON_CTL void timer_end(struct tandem_timer *t)
{
	loop_timer_cancel(&t->timer);
	list_remove(&t->link);
	mem_free(t);
}

static void on_timer(void *arg)
{
	struct tandem_timer *t = arg;
	struct tandem_self *self = t->self;
	void (*function)(void *) = t->function;
	void *argument = t->argument;

	role_assert_ctl();
	if (t->interval_us)
		loop_timer_set(&t->timer, t->interval_us, "module timer", on_timer, t);
	else
		timer_end(t);
	self->use_count++;
	module_host_at_once(true);
	function(argument);
	module_host_at_once(false);
	self->use_count--;
}

static struct tandem_timer *host_timer_new(
    struct tandem_self *self, unsigned ms, int is_repeated, void (*function)(void *argument), void *argument)
{
	struct tandem_timer *t = mem_zalloc(sizeof(*t));

	role_assert_ctl();
	if (!t)
		return NULL;
	t->self = self, t->function = function, t->argument = argument;
	t->interval_us = is_repeated ? clock_us_of_ms(ms ? ms : 1) : 0;
	list_push(&self->timers, &t->link);
	loop_timer_set(&t->timer, clock_us_of_ms(ms), "module timer", on_timer, t);
	return t;
}

static void host_timer_cancel(struct tandem_timer *t)
{
	role_assert_ctl();
	if (t)
		timer_end(t);
}

void module_host_drop(struct tandem_self *m)
{
	while (!list_empty(&m->subscriptions))
		subscription_end(list_entry(list_first(&m->subscriptions), struct tandem_subscription, link));
	while (!list_empty(&m->timers))
		timer_end(list_entry(list_first(&m->timers), struct tandem_timer, link));
}

const struct tandem_host module_host = {
    .abi = TANDEM_MODULE_ABI,
    .bytes = sizeof(struct tandem_host),
    .version = TANDEM_VERSION,
    .log = host_log,
    .config_param = host_config_param,
    .global_get = host_global_get,
    .leg_uuid = host_leg_uuid,
    .leg_find = host_leg_find,
    .leg_ref = host_leg_ref,
    .leg_unref = host_leg_unref,
    .leg_is_up = host_leg_is_up,
    .leg_get = host_leg_get,
    .leg_set = host_leg_set,
    .leg_answer = host_leg_answer,
    .leg_pre_answer = host_leg_pre_answer,
    .leg_hangup = host_leg_hangup,
    .leg_transfer = host_leg_transfer,
    .leg_send_digits = host_leg_send_digits,
    .leg_play = host_leg_play,
    .leg_read = host_leg_read,
    .leg_record = host_leg_record,
    .leg_sleep = host_leg_sleep,
    .leg_execute = host_leg_execute,
    .reply = host_reply,
    .command_run = host_command_run,
    .sleep = host_sleep,
    .work = host_work,
    .event_new = host_event_new,
    .event_add = host_event_add,
    .event_add_leg = host_event_add_leg,
    .event_set_body = host_event_set_body,
    .event_fire = host_event_fire,
    .event_drop = host_event_drop,
    .event_name = host_event_name,
    .event_get = host_event_get,
    .event_body = host_event_body,
    .subscribe = host_subscribe,
    .unsubscribe = host_unsubscribe,
    .timer_new = host_timer_new,
    .timer_cancel = host_timer_cancel,
    .codec_add = module_codec_add,
    .recogniser_add = module_recogniser_add,
};
