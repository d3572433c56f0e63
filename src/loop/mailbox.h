/* Bounded multi-producer single-consumer ring of fixed-size messages with an eventfd wake-up: the only way to talk to
 * another thread. A pointer inside a message changes owner with it. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAILBOX_MSG_BYTES 120

struct mailbox;
ANY int mailbox_new(struct mailbox **out, size_t slot_count /* power of two */);
ANY void mailbox_free(struct mailbox *m);
/* Copies n <= MAILBOX_MSG_BYTES bytes in. ST_FULL when full: the caller decides what that costs, and whom. Wakes the
 * consumer only when it may be asleep. */
ANY int mailbox_post(struct mailbox *m, const void *msg, size_t n);
/* The two halves of it, for several messages in a row: a consumer that sleeps sees what was put only after the wake. */
ANY int mailbox_put(struct mailbox *m, const void *msg, size_t n);
ANY void mailbox_wake(struct mailbox *m);
/* Consumer side. fd is readable when messages wait. mailbox_take returns false when empty; after false the consumer may
 * sleep. */
ANY int mailbox_fd(const struct mailbox *m);
ANY bool mailbox_take(struct mailbox *m, void *msg, size_t *n);
ANY size_t mailbox_fill(const struct mailbox *m); /* approximate, for `show rings` */

/* Control side of it: fn for each message on the control loop, at most 32 an iteration. */
typedef void (*mailbox_fn)(const void *msg, size_t n, void *arg);
ON_CTL int mailbox_attach_ctl(struct mailbox *m, const char *name, mailbox_fn fn, void *arg);
ON_CTL void mailbox_detach_ctl(struct mailbox *m);
