/* The ring behind every message between threads: slots with sequence numbers, many producers claim by compare-and-swap,
 * one consumer takes in order. A consumer that found nothing says so (is_asleep) and looks once more; the producer that
 * takes that word back to 0 writes the eventfd, so there is one write per sleep, not per message. No libuv here: media
 * threads use this file. */
#include "loop/mailbox.h"
#include "base/check.h"
#include "base/mem.h"
#include "loop/mailbox_i.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct slot {
	_Atomic uint32_t seq; /* = position: free for it; = position + 1: written */
	uint32_t n;
	unsigned char msg[MAILBOX_MSG_BYTES];
};
_Static_assert(sizeof(struct slot) == 128, "two cache lines");

struct mailbox {
	struct slot *slots;
	uint32_t mask;
	int fd;
	struct mailbox_ctl *ctl; /* mailbox_ctl.c's */
	/* Padded by hand: blocks are aligned to 16 only. */
	char pad1[64];
	_Atomic uint32_t head; /* producers */
	char pad2[64];
	_Atomic uint32_t tail; /* written by the consumer only */
	bool is_armed;         /* consumer's: it left is_asleep set */
	uint64_t owed_count;   /* consumer's: writes to the eventfd, made or on their way, that were not read yet */
	char pad3[64];
	atomic_bool is_asleep;
};

int mailbox_new(struct mailbox **out, size_t slot_count)
{
	if (slot_count < 2 || slot_count > 1u << 24 || slot_count & (slot_count - 1))
		return ST_INVAL;
	struct mailbox *m = mem_zalloc(sizeof(*m));
	struct slot *slots = mem_zalloc(slot_count * sizeof(*slots));
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (!m || !slots || fd < 0)
		goto fail;
	m->slots = slots, m->mask = (uint32_t)slot_count - 1, m->fd = fd;
	for (size_t i = 0; i < slot_count; i++)
		atomic_init(&slots[i].seq, (uint32_t)i);
	m->is_armed = true;
	atomic_init(&m->is_asleep, true);
	*out = m;
	return ST_OK;
fail:
	if (fd >= 0)
		close(fd);
	mem_free(slots);
	mem_free(m);
	return fd < 0 ? ST_IO : ST_NOMEM;
}

void mailbox_free(struct mailbox *m)
{
	if (!m)
		return;
	DCHECK(!m->ctl);
	close(m->fd);
	mem_free(m->slots);
	mem_free(m);
}

static void fd_write(int fd)
{
	uint64_t one = 1;
	while (write(fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

int mailbox_put(struct mailbox *m, const void *msg, size_t n)
{
	if (n > MAILBOX_MSG_BYTES)
		return ST_INVAL;
	uint32_t at = atomic_load_explicit(&m->head, memory_order_relaxed);
	struct slot *s;
	for (;;) {
		s = &m->slots[at & m->mask];
		int32_t ahead = (int32_t)(atomic_load_explicit(&s->seq, memory_order_acquire) - at);
		if (ahead < 0)
			return ST_FULL;
		if (ahead > 0)
			at = atomic_load_explicit(&m->head, memory_order_relaxed);
		else if (atomic_compare_exchange_weak_explicit(
		             &m->head, &at, at + 1, memory_order_relaxed, memory_order_relaxed))
			break;
	}
	if (n)
		memcpy(s->msg, msg, n);
	s->n = (uint32_t)n;
	/* Publish, then look at is_asleep; the consumer sets is_asleep, then looks at the slot. Sequentially consistent
	 * on both sides: one of them sees the other. */
	atomic_store(&s->seq, at + 1);
	return ST_OK;
}

void mailbox_wake(struct mailbox *m)
{
	if (atomic_load(&m->is_asleep) && atomic_exchange(&m->is_asleep, false))
		fd_write(m->fd);
}

int mailbox_post(struct mailbox *m, const void *msg, size_t n)
{
	int st = mailbox_put(m, msg, n);
	if (st == ST_OK)
		mailbox_wake(m);
	return st;
}

int mailbox_fd(const struct mailbox *m)
{
	return m->fd;
}

static bool is_written(const struct mailbox *m, uint32_t at)
{
	return atomic_load(&m->slots[at & m->mask].seq) == at + 1;
}

/* Nothing is there: empties the eventfd and arms the wake-up; true when the consumer may sleep. */
static bool mailbox_arm(struct mailbox *m, uint32_t at)
{
	uint64_t count;
	/* A producer that won is_asleep may not have written yet, and while it is on its way others win it anew: each
	 * owes a write, and a write that nobody reads would leave the descriptor readable for ever. */
	if (m->owed_count && read(m->fd, &count, sizeof(count)) == sizeof(count))
		m->owed_count -= count < m->owed_count ? count : m->owed_count;
	atomic_store(&m->is_asleep, true);
	m->is_armed = true;
	return !is_written(m, at);
}

bool mailbox_take(struct mailbox *m, void *msg, size_t *n)
{
	uint32_t at = atomic_load_explicit(&m->tail, memory_order_relaxed);
	for (;;) {
		if (m->is_armed) {
			m->is_armed = false;
			if (!atomic_exchange(&m->is_asleep, false))
				m->owed_count++;
		}
		if (is_written(m, at))
			break;
		if (mailbox_arm(m, at))
			return false;
	}
	struct slot *s = &m->slots[at & m->mask];
	*n = s->n;
	memcpy(msg, s->msg, s->n);
	atomic_store_explicit(&s->seq, at + m->mask + 1, memory_order_release);
	atomic_store_explicit(&m->tail, at + 1, memory_order_relaxed);
	return true;
}

size_t mailbox_fill(const struct mailbox *m)
{
	uint32_t tail = atomic_load_explicit(&m->tail, memory_order_relaxed);
	uint32_t n = atomic_load_explicit(&m->head, memory_order_relaxed) - tail;
	return n > m->mask + 1 ? 0 : n;
}

void mailbox_kick(struct mailbox *m)
{
	fd_write(m->fd);
	m->owed_count++;
}

struct mailbox_ctl **mailbox_ctl_slot(struct mailbox *m)
{
	return &m->ctl;
}
