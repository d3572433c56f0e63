/* The thread of all connections: epoll, a tick of 20 ms, and a mailbox each way. Sound is moved on by the tick, so what
 * comes between two of them is not worth a wake each: the thread looks every 5 ms while there is something. A link that
 * is over goes when all that it had to report has found room in control's mailbox; BOT_DOWN is its last. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "bot/bot_i.h"
#include "loop/mailbox.h"
#include "net/dial.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { SLOTS = 4096, TICK_NS = 20000000, EVENTS_MAX = 512, NAP_US = 5000 };
enum order_kind { ORDER_OPEN, ORDER_SAY, ORDER_CLEAR, ORDER_CLOSE };
struct order {
	enum order_kind kind;
	uint64_t id;
	struct bot_link_conf *conf; /* ORDER_OPEN */
	char *text;
};
struct entry {
	struct bot_link *link;
	uint64_t id;
	unsigned dials, wants; /* as epoll knows them; dials 0: it knows nothing of it */
	bool is_open, is_over;
};
static struct {
	bool is_on;
	struct mailbox *orders, *reports;
	bot_report_fn fn;
	pthread_t pthread;
	atomic_bool is_ending;
	/* the thread's */
	int epoll_fd, timer_fd;
	int64_t tick_us; /* the last one's time */
	struct entry **entries;
	size_t count, cap, open_count;
} bots;

/* ---- on the thread ---- */

static bool report(const struct bot_report *r)
{
	return mailbox_post(bots.reports, r, sizeof(*r)) == ST_OK;
}

static struct entry *entry_of(uint64_t id)
{
	for (size_t i = 0; i < bots.count; i++) /* orders are few beside ticks */
		if (bots.entries[i]->id == id)
			return bots.entries[i];
	return NULL;
}

/* epoll follows what the link waits for, and on which descriptor; one that was closed left epoll by itself. */
static void follow(struct entry *e)
{
	int fd = bot_link_fd(e->link);
	unsigned wants = bot_link_wants(e->link), dials = bot_link_dials(e->link);
	struct epoll_event ev = {
	    .events = (wants & DIAL_READ ? (uint32_t)EPOLLIN : 0) | (wants & DIAL_WRITE ? (uint32_t)EPOLLOUT : 0),
	    .data.ptr = e};
	if (e->is_over) { /* nothing of it is waited for */
		if (fd >= 0 && dials == e->dials)
			(void)epoll_ctl(bots.epoll_fd, EPOLL_CTL_DEL, fd, &ev);
		return;
	}
	if (fd < 0 || (dials == e->dials && wants == e->wants))
		return;
	(void)epoll_ctl(bots.epoll_fd, dials == e->dials ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &ev);
	e->dials = dials, e->wants = wants;
}

static void go(struct entry *e, int64_t now_us, bool is_tick)
{
	if (e->is_over)
		return;
	e->is_over = bot_link_go(e->link, now_us, is_tick) != ST_OK;
	if (bot_link_is_open(e->link) != e->is_open) {
		bots.open_count += e->is_open ? (size_t)-1 : 1;
		e->is_open = !e->is_open;
	}
	follow(e);
}

/* True: nothing of it is left. */
static bool is_gone(struct entry *e)
{
	struct bot_report r = {.id = e->id, .kind = BOT_DOWN};
	if (!bot_link_reports(e->link, report) || !e->is_over)
		return false;
	r.text = mem_strdup(bot_link_why(e->link, &r.number, &r.was_up));
	if (!report(&r)) {
		mem_free(r.text);
		return false;
	}
	bot_link_free(e->link);
	mem_free(e);
	return true;
}

static void sweep(void)
{
	size_t kept = 0;
	for (size_t i = 0; i < bots.count; i++)
		if (!is_gone(bots.entries[i]))
			bots.entries[kept++] = bots.entries[i];
	bots.count = kept;
}

static void open_one(struct bot_link_conf *conf, int64_t now_us)
{
	struct entry *e = mem_zalloc(sizeof(*e)), **grown = bots.entries;
	uint64_t id = conf->id;
	if (bots.count == bots.cap) {
		grown = mem_realloc(bots.entries, (bots.cap + 64) * sizeof(*grown));
		if (grown)
			bots.entries = grown, bots.cap += 64;
	}
	if (!e || !grown || bot_link_new(&e->link, conf, now_us)) {
		struct bot_report r = {.id = id, .kind = BOT_DOWN};
		(void)report(&r);
		if (!e || !grown)
			bot_link_conf_free(conf);
		mem_free(e);
	} else {
		e->id = id;
		bots.entries[bots.count++] = e;
		go(e, now_us, false);
	}
	mem_free(conf);
}

static void orders_take(int64_t now_us)
{
	struct order o;
	size_t n;
	while (mailbox_take(bots.orders, &o, &n)) {
		struct entry *e = o.kind == ORDER_OPEN ? NULL : entry_of(o.id);
		if (o.kind == ORDER_OPEN) {
			open_one(o.conf, now_us);
		} else if (e && !e->is_over) {
			if (o.kind == ORDER_SAY)
				bot_link_say(e->link, sv_of(o.text));
			else if (o.kind == ORDER_CLEAR)
				bot_link_clear(e->link);
			else
				bot_link_close(e->link, o.text ? sv_of(o.text) : SV_NONE, now_us);
			go(e, now_us, false);
		}
		mem_free(o.text);
	}
}

/* More came together the longer it waits; but not into the next tick, and not while somebody waits to be connected. */
static void nap(void)
{
	int64_t now_us = clock_mono_us();
	if (bots.count && bots.open_count == bots.count && now_us - bots.tick_us < TICK_NS / 1000 - NAP_US)
		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_nsec = 1000 * NAP_US}, NULL);
}

static void turn(void)
{
	struct epoll_event events[EVENTS_MAX];
	int n = epoll_wait(bots.epoll_fd, events, EVENTS_MAX, -1);
	int64_t now_us = clock_mono_us();
	bool is_tick = false;
	uint64_t times;
	for (int i = 0; i < n; i++) {
		if (events[i].data.ptr == &bots.timer_fd)
			is_tick = read(bots.timer_fd, &times, sizeof(times)) > 0, bots.tick_us = now_us;
		else if (events[i].data.ptr != &bots.orders)
			go(events[i].data.ptr, now_us, false);
	}
	orders_take(now_us);
	for (size_t i = 0; is_tick && i < bots.count; i++)
		go(bots.entries[i], now_us, true);
	sweep(); /* after the events, which point to entries */
	if (n < EVENTS_MAX)
		nap();
}

static void *thread_main(void *arg) NO_ROLE_CHECK;
static void *thread_main(void *arg)
{
	role_set(ROLE_WORK);
	while (!atomic_load(&bots.is_ending))
		turn();
	for (size_t i = 0; i < bots.count; i++) {
		bot_link_free(bots.entries[i]->link);
		mem_free(bots.entries[i]);
	}
	mem_free(bots.entries);
	bots.entries = NULL, bots.count = bots.cap = 0;
	return NULL;
}

/* ---- control's side ---- */

static void on_report(const void *msg, size_t n, void *arg)
{
	role_assert_ctl();
	bots.fn(msg);
}

static int watch(int fd, void *ptr)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = ptr};
	return epoll_ctl(bots.epoll_fd, EPOLL_CTL_ADD, fd, &ev) ? ST_IO : ST_OK;
}

static ON_CTL int poll_make(void)
{
	struct itimerspec every = {.it_interval = {.tv_nsec = TICK_NS}, .it_value = {.tv_nsec = TICK_NS}};
	bots.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	bots.timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (bots.epoll_fd < 0 || bots.timer_fd < 0 || timerfd_settime(bots.timer_fd, 0, &every, NULL))
		return ST_IO;
	int st = watch(bots.timer_fd, &bots.timer_fd);
	return st ? st : watch(mailbox_fd(bots.orders), &bots.orders);
}

static ON_CTL void boxes_free(void)
{
	if (bots.reports)
		mailbox_detach_ctl(bots.reports);
	mailbox_free(bots.orders);
	mailbox_free(bots.reports);
	if (bots.epoll_fd > 0)
		close(bots.epoll_fd);
	if (bots.timer_fd > 0)
		close(bots.timer_fd);
	memset(&bots, 0, sizeof(bots));
}

int bot_thread_start(bot_report_fn fn)
{
	sigset_t all, was;
	int st = bots.is_on ? ST_EXISTS : mailbox_new(&bots.orders, SLOTS);
	if (st)
		return st == ST_EXISTS ? ST_OK : st;
	bots.fn = fn;
	st = mailbox_new(&bots.reports, SLOTS);
	if (!st)
		st = mailbox_attach_ctl(bots.reports, "bots", on_report, NULL);
	if (!st)
		st = poll_make();
	if (!st) {
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &was);
		st = pthread_create(&bots.pthread, NULL, thread_main, NULL) ? ST_IO : ST_OK;
		pthread_sigmask(SIG_SETMASK, &was, NULL);
	}
	bots.is_on = !st;
	if (st)
		boxes_free();
	return st;
}

static ON_CTL int post(struct order *o)
{
	int st = bots.is_on ? mailbox_post(bots.orders, o, sizeof(*o)) : ST_CLOSED;
	if (st) {
		mem_free(o->text);
		log_warning("bots: the thread does not keep up");
	}
	return st;
}

void bot_thread_stop(void)
{
	struct order o;
	struct bot_report r;
	size_t n;
	if (!bots.is_on)
		return;
	atomic_store(&bots.is_ending, true);
	pthread_join(bots.pthread, NULL); /* its tick ends its sleep */
	while (mailbox_take(bots.orders, &o, &n)) {
		if (o.conf)
			bot_link_conf_free(o.conf);
		mem_free(o.conf);
		mem_free(o.text);
	}
	while (mailbox_take(bots.reports, &r, &n))
		mem_free(r.text);
	boxes_free();
}

int bot_thread_open(struct bot_link_conf *conf)
{
	struct order o = {.kind = ORDER_OPEN, .id = conf->id, .conf = mem_alloc(sizeof(*conf))};
	if (!o.conf)
		return ST_NOMEM;
	*o.conf = *conf;
	int st = post(&o);
	if (st)
		mem_free(o.conf);
	return st;
}

int bot_thread_say(uint64_t id, struct sv text)
{
	struct order o = {.kind = ORDER_SAY, .id = id, .text = sv_dup(text)};
	return o.text ? post(&o) : ST_NOMEM;
}

int bot_thread_clear(uint64_t id)
{
	struct order o = {.kind = ORDER_CLEAR, .id = id};
	return post(&o);
}

int bot_thread_close(uint64_t id, struct sv last)
{
	struct order o = {.kind = ORDER_CLOSE, .id = id, .text = last.n ? sv_dup(last) : NULL};
	return post(&o);
}
