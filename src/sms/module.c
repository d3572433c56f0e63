/* mod_sms: the chatplan between who writes a message and who carries it. Each message that comes runs through the plan
 * on a coroutine of its own, so many at a time; what the plan has nothing for goes on to its carrier. A program's
 * message (sendevent CUSTOM, subclass SMS::SEND_MESSAGE) goes to its carrier at once, and SMS::DELIVERY_REPORT tells
 * that it was taken.
 *
 *   chat_send (core) -> plan_take -> chat_run.c: hunt, applications -> chat_carry (core)
 */
#include "core/registry/module.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/event/event.h"
#include "core/registry/chat.h"
#include "core/value/vars.h"
#include "loop/co.h"
#include "loop/loop.h"
#include "sms/sms_i.h"

enum { AT_ONCE_MAX = 200, ASKED_MAX = 5000, HOPS_MAX = 70 };
#define SEND_MESSAGE "SMS::SEND_MESSAGE"
#define DELIVERY_REPORT "SMS::DELIVERY_REPORT"

static struct event_sub *sub;
static unsigned running_count, asked_count;
static uint64_t taken_count, refused_count;

/* ---- the plan ---- */

/* One hop less; false: none is left. */
static ON_CTL bool hops_take(struct event *message)
{
	const char *text = event_get(message, "max_forwards");
	uint32_t hops = HOPS_MAX;

	if (text && (sv_u32(sv_of(text), &hops) || hops > HOPS_MAX))
		hops = 0;
	else if (text && hops)
		hops--;
	if (!hops)
		return false;
	event_del(message, "max_forwards");
	event_addf(message, "max_forwards", "%u", (unsigned)hops);
	return true;
}

static void plan_main(void *arg)
{
	struct chat_run r = {.message = arg};

	role_assert_co();
	if (!hops_take(r.message))
		log_error("chatplan: Max forwards reached");
	else if (vars_new(&r.own) == ST_OK && chat_plan_run(&r) == ST_NOTFOUND)
		chat_carry(r.message, NULL, NULL);
	vars_free(r.own);
	mem_unref(r.message);
	running_count--;
}

static int plan_take(struct event *message)
{
	role_assert_ctl();
	if (running_count >= AT_ONCE_MAX) {
		refused_count++;
		return ST_FULL;
	}
	running_count++, taken_count++;
	if (co_spawn("chatplan", plan_main, mem_ref(message), NULL) == ST_OK)
		return ST_OK;
	running_count--;
	mem_unref(message);
	return ST_FULL;
}

/* ---- programs' messages ---- */

static ON_CTL struct event *report_of(const struct event *message)
{
	struct event *e = event_new(EVENT_CUSTOM, DELIVERY_REPORT);
	size_t base = e ? event_header_count(e) : 0;
	const char *name, *value;

	if (!e)
		return NULL;
	event_add(e, "Status", "Accepted");
	for (size_t i = base; i < event_header_count(message); i++) {
		event_header_at(message, i, &name, &value);
		event_add(e, name, value);
	}
	return e;
}

/* As FreeSWITCH tells it: the message once more, as it was given on, and that it was taken. */
static ON_CTL void tell(const struct event *message)
{
	struct event *sent = event_dup(message), *report;

	if (!sent)
		return;
	event_add(sent, "Nonblocking-Delivery", "true");
	event_add(sent, CHAT_SKIP_PLAN, "true");
	report = report_of(sent);
	event_fire(sent);
	if (report)
		event_fire(report);
}

/* After the event itself was told to everybody. */
struct asked {
	struct ldefer defer;
	struct event *message;
};

static void give_on(void *arg)
{
	struct asked *a = arg;
	const char *proto;
	const struct chat_ops *ops;

	role_assert_ctl();
	proto = event_get(a->message, "dest_proto");
	if ((ops = proto ? chat_carrier_find(sv_of(proto)) : NULL)) {
		event_add(a->message, "dest_proto", ops->proto);
		ops->send(a->message, NULL, NULL);
		tell(a->message);
	} else {
		log_error(
		    "sms: " SEND_MESSAGE ": dest_proto is missing, or names no carrier: '%s'", proto ? proto : "");
	}
	mem_unref(a->message);
	mem_free(a);
	asked_count--;
}

static void on_event(struct event *e, void *arg)
{
	struct asked *a;

	role_assert_ctl();
	if (event_get(e, "Delivery-Failure") || str_is_true(event_get(e, "Nonblocking-Delivery")))
		return; /* what tell fired, or a report given back */
	if (asked_count >= ASKED_MAX || !(a = mem_zalloc(sizeof(*a)))) {
		refused_count++;
		return;
	}
	if (!(a->message = event_dup(e))) {
		mem_free(a);
		return;
	}
	asked_count++;
	event_add(a->message, CHAT_SKIP_PLAN, "true");
	loop_defer(&a->defer, "sms.send", give_on, a);
}

/* ---- the module ---- */

static int sms_load(void)
{
	role_assert_ctl();
	int st = chat_plan_stage_init();

	if (!st)
		st = event_sub_new(&sub, on_event, NULL);
	if (st)
		return st;
	event_sub_want_subclass(sub, SEND_MESSAGE, true);
	chat_plan_set(plan_take);
	return ST_OK;
}

static int sms_unload(void)
{
	role_assert_ctl();
	if (running_count || asked_count)
		return ST_BUSY;
	chat_plan_set(NULL);
	event_sub_free(sub);
	sub = NULL;
	return ST_OK;
}

static void fill_count(struct metric_out *out, int which)
{
	role_assert_ctl();
	metric_put(out, (double)(which ? refused_count : taken_count), NULL);
}

static const struct metric_desc metrics[] = {
    {"tandem_chatplan_messages_total", METRIC_COUNTER, 0, "Messages that went through the chatplan.", fill_count, 0},
    {"tandem_chatplan_refused_total", METRIC_COUNTER, 0, "Messages refused because too many ran at once.", fill_count,
        1},
    {0}};

static const struct name_desc names[] = {{"chat", "GLOBAL_SMS"}, {0}};

const struct module mod_sms = {
    .abi = MODULE_ABI, .name = "mod_sms", .load = sms_load, .unload = sms_unload, .names = names, .metrics = metrics};
