/* Packets are answered when they come, everything else in its time: a media thread is one epoll loop over its streams'
 * sockets (level-triggered, one receive per wake), the command mailbox, a wheel of 2 ms slots for streams that need a
 * tick, and a look at each stream once a second (house_run). With no stream that needs a tick it sleeps until a packet
 * comes; with no stream at all it sleeps for ever. Threads share nothing on the way of a packet; a stream that is
 * needed elsewhere is handed over whole. Order inside one turn: commands, packets, ticks, housekeeping, reports. What
 * control has put into the ring by the time a packet is there comes first, whether or not it has woken this thread
 * yet: who was told of an answer sends at once, and his first packet finds his call joined. So a row may be empty, or
 * another stream's, when its event is looked at: a read that finds nothing. After a stall all that waits in the sockets
 * is read before the first tick. */
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/mailbox.h"
#include "media/rt/fetch_i.h"
#include "media/rt/ice.h"
#include "media/rt/rt_i.h"
#include "media/rt/turn_wire.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { EVENT_MAX = 256, REPORT_RETRY_US = 4000 };
enum { HOUSE_ROUND_US = 1000000, HOUSE_TURNS_MIN = 4, HOUSE_TURNS_MAX = 500, HOUSE_ROWS = 32 };
enum { STALL_US = 20000, STALL_PACKET_US = 5000 }; /* a packet in so many us of a stall, at most, for each stream */
enum { NICE = -10 }; /* a packet does not wait behind the control thread's or another program's work */
enum event_tag { TAG_RTP, TAG_RTCP, TAG_BOX, TAG_TURN };

static uint64_t tag_of(uint32_t slot, enum event_tag tag)
{
	return (uint64_t)slot << 2 | tag;
}

void thread_sockets_watch(struct rt_stream *s)
{
	int epoll_fd = s->t->epoll_fd;
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = tag_of(s->slot, TAG_RTP)};
	struct epoll_event cev = {.events = EPOLLIN, .data.u64 = tag_of(s->slot, TAG_RTCP)};
	if ((s->f->fd >= 0 && epoll_ctl(epoll_fd, EPOLL_CTL_ADD, s->f->fd, &ev)) ||
	    (s->rtcp_fd >= 0 && epoll_ctl(epoll_fd, EPOLL_CTL_ADD, s->rtcp_fd, &cev)))
		log_error("media: epoll_ctl: %s", strerror(errno));
	if (s->turn)
		thread_turn_watch(s);
}

void thread_turn_watch(struct rt_stream *s)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = tag_of(s->slot, TAG_TURN)};
	if (s->turn->wire)
		turn_wire_watch(s->turn->wire, s->t->epoll_fd, ev.data.u64);
	else
		(void)epoll_ctl(s->t->epoll_fd, EPOLL_CTL_ADD, s->turn->fd, &ev);
}

void thread_turn_unwatch(struct rt_stream *s)
{
	if (s->turn->wire)
		turn_wire_watch(s->turn->wire, -1, 0);
	else
		(void)epoll_ctl(s->t->epoll_fd, EPOLL_CTL_DEL, s->turn->fd, NULL);
}

void thread_sockets_unwatch(struct rt_stream *s)
{
	if (s->f->fd >= 0)
		(void)epoll_ctl(s->t->epoll_fd, EPOLL_CTL_DEL, s->f->fd, NULL);
	if (s->rtcp_fd >= 0)
		(void)epoll_ctl(s->t->epoll_fd, EPOLL_CTL_DEL, s->rtcp_fd, NULL);
	if (s->turn)
		thread_turn_unwatch(s);
}

/* Gives the stream a row of the flow table and its sockets a place in epoll. */
int thread_flow_take(struct rt_thread *t, struct rt_stream *s)
{
	uint32_t slot = t->flow_free;
	if (slot == FLOW_NONE && t->flow_top == FLOW_MAX)
		return ST_FULL;
	if (slot == FLOW_NONE)
		slot = t->flow_top++;
	else
		t->flow_free = t->flows[slot].to;
	struct rt_flow *f = &t->flows[slot];
	*f = s->parked;
	f->s = s, f->to = FLOW_NONE, f->how = HOW_NONE;
	s->f = f, s->slot = slot, s->t = t;
	thread_sockets_watch(s);
	if (t->stream_count++ == 0)
		t->house_us = t->now_us + HOUSE_ROUND_US / HOUSE_TURNS_MIN, t->house_turn = t->house_turns = 0;
	return ST_OK;
}

void thread_flow_release(struct rt_thread *t, struct rt_stream *s)
{
	struct rt_flow *f = s->f;
	DCHECK(f->s == s && !s->tick_needs);
	thread_sockets_unwatch(s);
	s->parked = *f;
	s->f = &s->parked, s->t = NULL;
	memset(f, 0, sizeof(*f));
	f->to = t->flow_free, t->flow_free = s->slot;
	t->stream_count--;
}

static void count_store(_Atomic uint64_t *to, uint64_t value)
{
	atomic_store_explicit(to, value, memory_order_relaxed);
}

ON_MEDIA static void counts_tell(struct rt_thread *t)
{
	count_store(&t->count_in, t->packets_in), count_store(&t->count_out, t->packets_out);
	count_store(&t->count_dropped, t->dropped);
	count_store(&t->count_ticks, t->counts.ticks), count_store(&t->count_late, t->counts.ticks_late);
	count_store(&t->count_late_us, t->counts.tick_late_us),
	    count_store(&t->count_late_max_us, t->counts.tick_late_max_us);
	count_store(&t->count_kernel_packets, t->kernel_packets);
	count_store(&t->count_kernel_xdp_packets, t->kernel_xdp_packets);
}

/* A round of a second looks at all rows. Packets wait while it does, so it goes in turns of few rows, as many as the
 * table's size asks for: with few rows there are few turns, since each wakes the thread. */
ON_MEDIA static void house_run(struct rt_thread *t)
{
	if (!t->stream_count || t->now_us < t->house_us)
		return;
	if (t->house_turn == t->house_turns) {
		uint32_t turns = t->flow_top / HOUSE_ROWS;
		t->house_turns = turns < HOUSE_TURNS_MIN   ? HOUSE_TURNS_MIN
		                 : turns > HOUSE_TURNS_MAX ? HOUSE_TURNS_MAX
		                                           : turns;
		t->house_rows = (t->flow_top + t->house_turns - 1) / t->house_turns;
		t->house_turn = 0;
	}
	t->house_us = t->now_us + HOUSE_ROUND_US / t->house_turns;
	uint32_t i = t->house_turn++ * t->house_rows, end = i + t->house_rows;
	for (kernel_turn(t, t->house_turns); i < end && i < t->flow_top; i++)
		if (t->flows[i].s)
			stream_house(t->flows[i].s);
	counts_tell(t);
}

/* INT64_MAX: there is nothing to be done. */
static int64_t wake_us(const struct rt_thread *t)
{
	int64_t due_us = wheel_due_us(t);
	if (!list_empty(&t->rooms) && t->room_due_us < due_us)
		due_us = t->room_due_us;
	if (t->stream_count && t->house_us < due_us)
		due_us = t->house_us;
	if ((!list_empty(&t->reporting) || !list_empty(&t->leaving)) && t->now_us + REPORT_RETRY_US < due_us)
		due_us = t->now_us + REPORT_RETRY_US;
	return due_us;
}

static int wait_ms(int64_t due_us)
{
	if (due_us == INT64_MAX)
		return -1;
	int64_t left = due_us - clock_mono_us();
	return left <= 0 ? 0 : (int)((left + 999) / 1000);
}

ON_MEDIA static void commands_run(struct rt_thread *t)
{
	struct rt_cmd c;
	size_t n;
	while (mailbox_take(t->box, &c, &n)) {
		DCHECK(n == sizeof(c));
		if (c.kind == RT_C_QUIT)
			t->is_quitting = true;
		else
			stream_cmd(t, &c);
	}
}

/* Streams on their way to a thread whose ring was full. */
static void leaving_retry(struct rt_thread *t)
{
	struct lnode *it, *tmp;
	list_each (&t->leaving, it, tmp) {
		struct rt_stream *s = list_entry(it, struct rt_stream, leaving);
		struct rt_cmd c = {.kind = RT_C_OPEN, .s = s};
		struct rt_thread *to = s->leaving_to;
		list_remove(it);
		if (rt_thread_post(to, &c)) {
			list_insert(it, tmp->prev, tmp);
			return;
		}
	}
}

ON_MEDIA static void event_run(struct rt_thread *t, const struct epoll_event *ev)
{
	uint32_t slot = (uint32_t)(ev->data.u64 >> 2);
	enum event_tag tag = (enum event_tag)(ev->data.u64 & 3);
	if (tag != TAG_BOX && !t->flows[slot].s)
		return;
	switch (tag) {
	case TAG_BOX:
		commands_run(t); /* empties its descriptor */
		break;
	case TAG_RTP:
		flow_readable(t, &t->flows[slot]);
		break;
	case TAG_RTCP:
		rtcp_readable(t, t->flows[slot].s);
		break;
	case TAG_TURN:
		turn_readable(t, t->flows[slot].s);
		break;
	}
}

/* What a packet's walk needs is as cold as what a tick needs (next_fetch): the row of the event after the next is asked
 * for, and of the next one, whose row is here by now, its stream's first lines and the row it goes to. */
ON_MEDIA static inline __attribute__((always_inline)) void event_fetch(
    const struct rt_thread *t, const struct epoll_event *next, const struct epoll_event *end)
{
	if (end - next > 1)
		lines_fetch(&t->flows[next[1].data.u64 >> 2], sizeof(struct rt_flow));
	if (next == end)
		return;
	const struct rt_flow *f = &t->flows[next->data.u64 >> 2];
	if (!f->s)
		return;
	lines_fetch(f->s, offsetof(struct rt_stream, parked));
	if (f->crypt)
		__builtin_prefetch(f->crypt);
	if (f->to != FLOW_NONE)
		lines_fetch(&t->flows[f->to], sizeof(struct rt_flow));
}

ON_MEDIA static void events_run(struct rt_thread *t, const struct epoll_event *events, int n)
{
	for (int i = 0; i < n; i++) {
		event_fetch(t, &events[i + 1], &events[n]);
		event_run(t, &events[i]);
	}
}

/* This thread was not run for a while: what waits in the sockets came before the ticks that are due now. */
ON_MEDIA static void sockets_empty(struct rt_thread *t, struct epoll_event *events, int64_t late_us)
{
	int64_t left = (late_us / STALL_PACKET_US + 1) * (int64_t)(t->stream_count + 1);
	int n;
	while (left > 0 && (n = epoll_wait(t->epoll_fd, events, EVENT_MAX, 0)) > 0) {
		events_run(t, events, n);
		left -= n;
	}
}

static void *thread_main(void *arg) NO_ROLE_CHECK
{
	struct rt_thread *t = arg;
	role_set(ROLE_MEDIA);
	char name[16];
	snprintf(name, sizeof(name), "tandem-media-%u", t->index);
	(void)pthread_setname_np(pthread_self(), name);
	(void)setpriority(PRIO_PROCESS, 0, NICE); /* this thread; where it is not allowed, it stays as it is */
	struct epoll_event events[EVENT_MAX];
	t->now_us = clock_mono_us();
	while (!t->is_quitting) {
		int64_t due_us = wake_us(t);
		int n = epoll_wait(t->epoll_fd, events, EVENT_MAX, wait_ms(due_us));
		t->now_us = clock_mono_us();
		if (n > 0 && mailbox_fill(t->box))
			commands_run(t);
		events_run(t, events, n);
		if (due_us != INT64_MAX && t->now_us - due_us > STALL_US)
			sockets_empty(t, events, t->now_us - due_us);
		wheel_run(t);
		rooms_run(t);
		house_run(t);
		if (!list_empty(&t->leaving))
			leaving_retry(t);
		if (!list_empty(&t->reporting))
			reports_flush(t);
	}
	return NULL;
}

void rt_thread_free(struct rt_thread *t)
{
	if (t->flows)
		munmap(t->flows, FLOW_MAX * sizeof(struct rt_flow));
	mailbox_free(t->box);
	if (t->epoll_fd >= 0)
		close(t->epoll_fd);
	mem_unref(t);
}

static int thread_spawn(struct rt_thread *t)
{
	sigset_t all, was;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &was); /* signals are control's */
	int e = pthread_create(&t->pthread, NULL, thread_main, t);
	pthread_sigmask(SIG_SETMASK, &was, NULL);
	return e ? ST_IO : ST_OK;
}

int rt_thread_start(struct rt_thread **out, unsigned index, struct mailbox *reports)
{
	struct rt_thread *t = mem_new(sizeof(*t), NULL, "media.thread"); /* aligned to 16 bytes */
	if (!t)
		return ST_NOMEM;
	int st = ST_IO;
	t->index = index, t->reports = reports, t->flow_free = FLOW_NONE;
	wheel_init(t);
	list_init(&t->reporting);
	list_init(&t->leaving);
	list_init(&t->rooms);
	/* Reserved, not used: rows cost memory when they are first taken. */
	t->flows = mmap(NULL, FLOW_MAX * sizeof(struct rt_flow), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (t->flows == MAP_FAILED)
		t->flows = NULL;
	t->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!t->flows || t->epoll_fd < 0)
		goto out;
	st = mailbox_new(&t->box, RT_COMMAND_SLOTS);
	if (st)
		goto out;
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = TAG_BOX};
	st = epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, mailbox_fd(t->box), &ev) ? ST_IO : thread_spawn(t);
out:
	if (st)
		rt_thread_free(t);
	else
		*out = t;
	return st;
}

int rt_thread_post(struct rt_thread *t, const struct rt_cmd *cmd)
{
	return mailbox_post(t->box, cmd, sizeof(*cmd));
}

int rt_thread_put(struct rt_thread *t, const struct rt_cmd *cmd)
{
	return mailbox_put(t->box, cmd, sizeof(*cmd));
}

void rt_thread_wake(struct rt_thread *t)
{
	mailbox_wake(t->box);
}

void rt_thread_stop(struct rt_thread *t)
{
	struct rt_cmd quit = {.kind = RT_C_QUIT};
	while (rt_thread_post(t, &quit) == ST_FULL)
		(void)sched_yield(); /* the thread is draining its ring */
	pthread_join(t->pthread, NULL);
}

static uint64_t count_load(const _Atomic uint64_t *from)
{
	return atomic_load_explicit(from, memory_order_relaxed);
}

void rt_thread_counts(const struct rt_thread *t, struct rt_counts *add_to)
{
	uint64_t max_us = count_load(&t->count_late_max_us);
	add_to->rtp_in += count_load(&t->count_in);
	add_to->rtp_out += count_load(&t->count_out);
	add_to->rtp_dropped += count_load(&t->count_dropped);
	add_to->ticks += count_load(&t->count_ticks);
	add_to->ticks_late += count_load(&t->count_late);
	add_to->tick_late_us += count_load(&t->count_late_us);
	add_to->kernel_flows += count_load(&t->count_kernel_flows);
	add_to->kernel_packets += count_load(&t->count_kernel_packets);
	add_to->kernel_xdp_packets += count_load(&t->count_kernel_xdp_packets);
	add_to->tick_late_max_us = max_us > add_to->tick_late_max_us ? max_us : add_to->tick_late_max_us;
}

size_t rt_thread_commands_fill(const struct rt_thread *t)
{
	return mailbox_fill(t->box);
}

int64_t rt_thread_cpu_ns(const struct rt_thread *t)
{
	clockid_t id;
	struct timespec ts;
	if (pthread_getcpuclockid(t->pthread, &id) || clock_gettime(id, &ts))
		return 0;
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}
