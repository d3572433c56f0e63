/* The way of a text message: the plan where there is one, then the carrier that its dest_proto names, then the event
 * that tells of it. What is under way here is only what somebody waits for; a carrier bounds its own. */
#include "core/registry/chat.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/event/event.h"
#include <stdio.h>
#include <strings.h>

enum { CARRIERS_MAX = 16 };

static const struct chat_ops *carriers[CARRIERS_MAX];
static size_t carrier_count;
static chat_plan_fn plan;

int chat_carrier_add(const struct chat_ops *ops)
{
	if (chat_carrier_find(sv_of(ops->proto)))
		return ST_EXISTS;
	if (carrier_count == CARRIERS_MAX)
		return ST_FULL;
	carriers[carrier_count++] = ops;
	return ST_OK;
}

void chat_carrier_del(const struct chat_ops *ops)
{
	for (size_t i = 0; i < carrier_count; i++)
		if (carriers[i] == ops) {
			carriers[i] = carriers[--carrier_count];
			return;
		}
}

const struct chat_ops *chat_carrier_find(struct sv proto)
{
	for (size_t i = 0; i < carrier_count; i++)
		if (sv_isi(proto, carriers[i]->proto))
			return carriers[i];
	return NULL;
}

void chat_plan_set(chat_plan_fn fn)
{
	plan = fn;
}

/* ---- one delivery ---- */

struct delivery {
	struct event *message; /* a reference */
	chat_done_fn done;
	void *arg;
};

/* The event, with how it went. */
static ON_CTL void told(struct event *message, int status, int code)
{
	struct event *e;
	char text[16];

	if (!event_is_wanted(EVENT_MESSAGE, NULL) || !(e = event_dup(message)))
		return;
	if (code) {
		snprintf(text, sizeof(text), "%d", code);
		event_add(e, "Delivery-Result-Code", text);
	}
	event_add(e, "Delivery-Failure", status ? "true" : "false");
	event_fire(e);
}

static void on_carried(int status, int code, void *arg)
{
	struct delivery *d = arg;

	role_assert_ctl();
	told(d->message, status, code);
	d->done(status, code, d->arg);
	mem_unref(d->message);
	mem_free(d);
}

static ON_CTL int carry(struct event *message, chat_done_fn done, void *arg)
{
	const char *proto = event_get(message, "dest_proto");
	const struct chat_ops *ops = proto ? chat_carrier_find(sv_of(proto)) : NULL;

	if (ops)
		return ops->send(message, done, arg);
	log_notice("chat: nothing here carries messages by '%s'", proto ? proto : "");
	return ST_NOTFOUND;
}

static ON_CTL int carry_blind(struct event *message)
{
	struct event *e;
	int st = carry(message, NULL, NULL);

	if (event_is_wanted(EVENT_MESSAGE, NULL) && (e = event_dup(message))) {
		event_add(e, "Nonblocking-Delivery", "true");
		event_fire(e);
	}
	return st;
}

int chat_carry(struct event *message, chat_done_fn done, void *arg)
{
	struct delivery *d;
	int st;

	if (!done)
		return carry_blind(message);
	if (!(d = mem_zalloc(sizeof(*d))))
		return ST_NOMEM;
	*d = (struct delivery){.message = mem_ref(message), .done = done, .arg = arg};
	st = carry(message, on_carried, d);
	if (st) {
		told(message, st, 0);
		mem_unref(d->message);
		mem_free(d);
	}
	return st;
}

int chat_send(struct event *message, chat_done_fn done, void *arg)
{
	bool is_planned = plan && !done && !str_is_true(event_get(message, CHAT_SKIP_PLAN));
	int st = is_planned ? plan(message) : ST_NOTFOUND;

	return st == ST_OK || st == ST_FULL ? st : chat_carry(message, done, arg);
}
