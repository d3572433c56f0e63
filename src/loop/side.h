/* A thread beside the workers, for a library that waits in calls of its own for as long as it is used (a broker's). It
 * is spoken to by two mailboxes, one each way, and told to end by a descriptor that it waits for beside what it does.
 */
#pragma once
#include "base/role.h"
#include "loop/mailbox.h"
#include <stdbool.h>
#include <stddef.h>

struct side;
struct side_ops {
	const char *name; /* a constant: "amqp" */
	void (*run)(
	    struct side *s, void *arg); /* on the thread (role: work), until side_is_ending; all signals blocked */
	mailbox_fn on_message;          /* on control: what the thread put into side_out */
	void (*destroy)(
	    struct side *s, void *arg); /* on control, when the thread is over: frees arg and what the mailboxes hold */
};

/* Slots: powers of two. *out is there before the thread runs. ST_NOMEM, ST_IO: nothing is left, destroy is not called.
 */
ON_CTL int side_new(struct side **out, const struct side_ops *ops, size_t in_slots, size_t out_slots, void *arg);
/* It is to end; for who has to wake its library, too, before side_free. */
ON_CTL void side_end(struct side *s);
/* Ends it, and frees all. Inside loop callbacks it returns at once (destroy comes later), outside it waits. */
ON_CTL void side_free(struct side *s);
ANY struct mailbox *side_in(const struct side *s);
ANY struct mailbox *side_out(const struct side *s);
ANY int side_end_fd(const struct side *s); /* readable from side_end on */
ANY bool side_is_ending(const struct side *s);
