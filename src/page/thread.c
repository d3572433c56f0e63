/* The thread of all pages: asleep without one; else every 20 ms it takes what the rings have, encodes it and sends it.
 * It never waits for a socket: what the kernel has no room for is lost, as it would be on the network. A ring that ran
 * ahead (the thread was not scheduled) is caught up with, its oldest sound left out. */
#include "base/log.h"
#include "base/mem.h"
#include "codec/codec.h"
#include "loop/mailbox.h"
#include "media/rt/port.h"
#include "media/rt/rt.h"
#include "page/page_i.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
	SLOTS = 256,
	TICK_NS = PAGE_FRAME_MS * 1000000,
	FRAMES_A_TICK = 4,
	FRAMES_BEHIND = 10,
	FRAME_SAMPLES_MAX = 320,
	CONTROL_TIMES = 2,
	ALERT_TIMES = 32,
	END_TIMES = 12
};
struct page {
	struct page_conf conf;
	struct codec_enc enc;
};
struct order {
	struct page *page; /* NULL: the end of id */
	uint64_t id;
};
static struct {
	bool is_on;
	struct mailbox *orders;
	pthread_t pthread;
	atomic_bool is_ending;
	/* the thread's */
	int timer_fd;
	struct page *pages[PAGE_MAX];
	unsigned count;
} pages;

static void page_free(struct page *p)
{
	codec_enc_close(&p->enc);
	close(p->conf.fd);
	mem_unref(p->conf.port);
	mem_free(p);
}

/* ---- on the thread ---- */

static void put(const struct page *p, const struct sockaddr_in *to, const uint8_t *packet, size_t n)
{
	(void)sendto(p->conf.fd, packet, n, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)to, sizeof(*to));
}

static void control_say(struct page *p, enum page_control what)
{
	uint8_t packet[PAGE_PACKET_MAX];
	size_t n = page_control_put(packet, what, p->conf.epoch, p->conf.sound.sin_addr, ntohs(p->conf.sound.sin_port));
	for (int i = 0; i < CONTROL_TIMES; i++)
		put(p, &p->conf.control, packet, n);
}

static void polycom_say(struct page *p, enum page_polycom_op op, int times)
{
	uint8_t packet[PAGE_PACKET_MAX];
	size_t n = page_polycom_put(packet, &p->conf.to_polycom, op, NULL);
	for (int i = 0; i < times; i++)
		put(p, &p->conf.polycom, packet, n);
}

static void frame_send(struct page *p, const int16_t *samples, size_t count)
{
	uint8_t sound[PAGE_SOUND_BYTES], packet[PAGE_PACKET_MAX];
	if (codec_encode(&p->enc, samples, count, sound, sizeof(sound)) != PAGE_SOUND_BYTES)
		return;
	put(p, &p->conf.sound, packet, page_rtp_put(packet, &p->conf.rtp, sound));
	put(p, &p->conf.polycom, packet, page_polycom_put(packet, &p->conf.to_polycom, PAGE_POLYCOM_SOUND, sound));
}

static void tick(struct page *p)
{
	struct rt_ring *r = p->conf.port->out;
	int16_t samples[FRAME_SAMPLES_MAX];
	size_t count = codec_frame_samples(p->conf.codec, PAGE_FRAME_MS), bytes = count * sizeof(samples[0]);
	uint64_t at = atomic_load_explicit(&r->read, memory_order_relaxed),
	         written = atomic_load_explicit(&r->written, memory_order_acquire);
	while (written - at > FRAMES_BEHIND * bytes)
		at += bytes;
	for (int i = 0; i < FRAMES_A_TICK && written - at >= bytes; i++, at += bytes) {
		rt_ring_copy(r, at, samples, bytes);
		frame_send(p, samples, count);
	}
	atomic_store_explicit(&r->read, at, memory_order_release);
}

static void tick_every(long ns)
{
	struct itimerspec every = {.it_interval = {.tv_nsec = ns}, .it_value = {.tv_nsec = ns}};
	(void)timerfd_settime(pages.timer_fd, 0, &every, NULL);
}

static void end(uint64_t id)
{
	for (unsigned i = 0; i < pages.count; i++) {
		struct page *p = pages.pages[i];
		if (p->conf.id != id)
			continue;
		tick(p);
		control_say(p, PAGE_CONTROL_STOP);
		polycom_say(p, PAGE_POLYCOM_END, END_TIMES);
		page_free(p);
		pages.pages[i] = pages.pages[--pages.count];
		return;
	}
}

static void orders_take(void)
{
	struct order o;
	size_t n;
	while (mailbox_take(pages.orders, &o, &n)) {
		if (!o.page) {
			end(o.id);
		} else if (pages.count < PAGE_MAX) {
			control_say(o.page, PAGE_CONTROL_START);
			polycom_say(o.page, PAGE_POLYCOM_ALERT, ALERT_TIMES);
			pages.pages[pages.count++] = o.page;
		} else {
			page_free(o.page);
		}
	}
	tick_every(pages.count ? TICK_NS : 0);
}

static void *thread_main(void *arg) NO_ROLE_CHECK;
static void *thread_main(void *arg)
{
	struct pollfd fds[2] = {
	    {.fd = mailbox_fd(pages.orders), .events = POLLIN}, {.fd = pages.timer_fd, .events = POLLIN}};
	uint64_t times;
	role_set(ROLE_WORK);
	while (!atomic_load(&pages.is_ending)) {
		(void)poll(fds, 2, -1);
		if (fds[1].revents && read(pages.timer_fd, &times, sizeof(times)) > 0)
			for (unsigned i = 0; i < pages.count; i++)
				tick(pages.pages[i]);
		if (fds[0].revents)
			orders_take();
	}
	while (pages.count)
		page_free(pages.pages[--pages.count]);
	return NULL;
}

/* ---- control's side ---- */

static ON_CTL int thread_start(void)
{
	sigset_t all, was;
	int st = mailbox_new(&pages.orders, SLOTS);
	if (st)
		return st;
	pages.timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &was);
	st = pages.timer_fd < 0 || pthread_create(&pages.pthread, NULL, thread_main, NULL) ? ST_IO : ST_OK;
	pthread_sigmask(SIG_SETMASK, &was, NULL);
	pages.is_on = !st;
	if (st) {
		if (pages.timer_fd >= 0)
			close(pages.timer_fd);
		mailbox_free(pages.orders);
		memset(&pages, 0, sizeof(pages));
	}
	return st;
}

int page_thread_open(const struct page_conf *conf)
{
	struct page *p = NULL;
	int st = pages.is_on ? ST_OK : thread_start();
	if (!st && !(p = mem_zalloc(sizeof(*p))))
		st = ST_NOMEM;
	if (!st)
		st = codec_enc_open(&p->enc, conf->codec, NULL);
	if (!st) {
		p->conf = *conf;
		st = mailbox_post(pages.orders, &(struct order){.page = p, .id = conf->id}, sizeof(struct order));
	}
	if (st && p) {
		codec_enc_close(&p->enc);
		mem_free(p);
	}
	return st;
}

void page_thread_close(uint64_t id)
{
	if (pages.is_on && mailbox_post(pages.orders, &(struct order){.id = id}, sizeof(struct order)))
		log_error("page: the thread does not keep up, a page goes on");
}

void page_thread_stop(void)
{
	struct order o = {0};
	size_t n;
	if (!pages.is_on)
		return;
	atomic_store(&pages.is_ending, true);
	(void)mailbox_post(pages.orders, &o, sizeof(o)); /* wakes it */
	pthread_join(pages.pthread, NULL);
	while (mailbox_take(pages.orders, &o, &n))
		if (o.page)
			page_free(o.page);
	close(pages.timer_fd);
	mailbox_free(pages.orders);
	memset(&pages, 0, sizeof(pages));
}
