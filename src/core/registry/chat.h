/* Text messages between users (MESSAGE of SIP, the command chat, programs): who carries them, by the name of a
 * protocol, and the chatplan that may look at each one before. A message is an event MESSAGE with FreeSWITCH's headers:
 * dest_proto, from, to, from_full, type, subject, context, sip_profile; its text is the body.
 *
 *   endpoint, command, program -> chat_send -> the plan (a module), if any -> chat_carry -> the carrier -> MESSAGE
 *
 * What stands in it is from outside, whoever made it: data only. Control thread. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"

struct event;

/* Headers that tell the way of a message. */
#define CHAT_SKIP_PLAN "skip_global_process"

/* How it went: ST_OK, with the carrier's code where it has one (SIP's 200), or a failure. Once, never from within. */
typedef void (*chat_done_fn)(int status, int code, void *arg);

struct chat_ops {
	const char *proto; /* "sip" */
	bool is_outside;   /* phones may name it themselves (proto+user) */
	/* Brings the message (borrowed) to whom its header `to` names. done (may be NULL) is called when it is known
	 * how it went; with a failure returned it is not called: ST_NOTFOUND nobody of that name is there, ST_FULL too
	 * many are under way. */
	int (*send)(struct event *message, chat_done_fn done, void *arg);
};
ON_CTL int chat_carrier_add(const struct chat_ops *ops); /* ops stay until chat_carrier_del; ST_EXISTS, ST_FULL */
ON_CTL void chat_carrier_del(const struct chat_ops *ops);
ON_CTL const struct chat_ops *chat_carrier_find(struct sv proto); /* NULL: none */

/* The chatplan: takes a reference to the message and answers later by chat_carry, or keeps it to itself. Any failure
 * but ST_FULL: it goes on as if there were none. One at a time; NULL: none. */
typedef int (*chat_plan_fn)(struct event *message);
ON_CTL void chat_plan_set(chat_plan_fn fn);

/* Through the plan (unless its header CHAT_SKIP_PLAN is true, or done wants to know how it went), then carried. The
 * message is borrowed. Whoever listens to MESSAGE gets it, with the headers of its delivery. */
ON_CTL int chat_send(struct event *message, chat_done_fn done, void *arg);
/* The same without the plan. */
ON_CTL int chat_carry(struct event *message, chat_done_fn done, void *arg);
