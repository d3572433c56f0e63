/* A mailbox read by the control loop: its eventfd is watched; each time it is readable, up to 32 messages are handed
 * over, as each may end a call. What is left over comes in the next iteration. */
#include "base/check.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "loop/mailbox.h"
#include "loop/mailbox_i.h"

enum { MESSAGES_PER_PASS = 32 };

struct mailbox_ctl {
	struct mailbox *mailbox;
	struct lpoll *poll;
	mailbox_fn fn;
	void *arg;
	const char *name;
	bool is_detached;
};

static void readable(int events, void *arg)
{
	struct mailbox_ctl *c = mem_ref(arg);
	_Alignas(16) unsigned char msg[MAILBOX_MSG_BYTES];
	size_t n;
	int count = 0;
	while (!c->is_detached && mailbox_take(c->mailbox, msg, &n)) {
		if (++count == MESSAGES_PER_PASS)
			mailbox_kick(c->mailbox); /* before fn, which may free the mailbox */
		c->fn(msg, n, c->arg);
		if (count == MESSAGES_PER_PASS)
			break;
	}
	mem_unref(c);
}

int mailbox_attach_ctl(struct mailbox *m, const char *name, mailbox_fn fn, void *arg)
{
	struct mailbox_ctl **slot = mailbox_ctl_slot(m);
	CHECK(!*slot);
	struct mailbox_ctl *c = mem_new(sizeof(*c), NULL, "loop.mailbox");
	if (!c)
		return ST_NOMEM;
	c->mailbox = m, c->fn = fn, c->arg = arg, c->name = name;
	int rc = loop_poll_open(&c->poll, mailbox_fd(m), name, readable, c);
	if (!rc) {
		rc = loop_poll_set(c->poll, LOOP_READ);
		if (rc)
			loop_poll_close(c->poll);
	}
	if (rc) {
		mem_unref(c);
		return rc;
	}
	*slot = c;
	return ST_OK;
}

void mailbox_detach_ctl(struct mailbox *m)
{
	struct mailbox_ctl **slot = mailbox_ctl_slot(m), *c = *slot;
	if (!c)
		return;
	*slot = NULL;
	c->is_detached = true;
	loop_poll_close(c->poll);
	mem_unref(c);
}
