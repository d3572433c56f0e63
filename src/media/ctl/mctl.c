/* Control and media share no state: commands go down, reports come up, and what a message points to changes owner with
 * it (drawn above struct mstream). Here threads are started and joined, commands are kept in order (and back, while a
 * stream moves between threads or a ring is full), and reports are sorted to plays, records and the stream's owner. A
 * stream is freed when its media thread has let go of it, its files are closed, and nobody holds a reference. */
#include "media/ctl/mctl.h"
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/codec.h"
#include "loop/loop.h"
#include "loop/mailbox.h"
#include "media/ctl/ctl_i.h"
#include "media/rt/kernel.h"

#include <string.h>

enum { REPORT_SLOTS = 2048, RETRY_US = 2000, CACHE_DEFAULT_BYTES = 32 << 20 };

struct mctl mctl;
static struct ltimer retry_timer;

void cmd_queue_add(struct cmd_queue *q, unsigned thread, const struct rt_cmd *cmd)
{
	struct held_cmd *h = mem_alloc(sizeof(*h));
	CHECK(h);
	*h = (struct held_cmd){.thread = thread, .cmd = *cmd};
	if (!q->first)
		q->last = &q->first;
	*q->last = h;
	q->last = &h->next;
}

bool cmd_queue_take(struct cmd_queue *q, unsigned *thread, struct rt_cmd *cmd)
{
	struct held_cmd *h = q->first;
	if (!h)
		return false;
	*thread = h->thread, *cmd = h->cmd;
	q->first = h->next;
	if (!q->first)
		q->last = &q->first;
	mem_free(h);
	return true;
}

/* One wake-up an iteration of the loop: a call's set-up is a handful of commands, and each wake-up of its own is a
 * switch of threads where control and media share a core. */
static struct ldefer wake_defer;
static bool must_wake[MCTL_THREADS_MAX];

static void wake_run(void *arg)
{
	role_assert_ctl();
	for (unsigned i = 0; i < MCTL_THREADS_MAX; i++) {
		if (must_wake[i] && mctl.threads[i].rt)
			rt_thread_wake(mctl.threads[i].rt);
		must_wake[i] = false;
	}
}

ON_CTL static int thread_tell(unsigned thread, const struct rt_cmd *cmd)
{
	must_wake[thread] = true;
	loop_defer(&wake_defer, "media.wake", wake_run, NULL);
	return rt_thread_put(mctl.threads[thread].rt, cmd);
}

static void overflow_retry(void *arg)
{
	role_assert_ctl();
	struct held_cmd *h;
	while ((h = mctl.overflow.first)) {
		if (thread_tell(h->thread, &h->cmd)) {
			loop_timer_set(&retry_timer, RETRY_US, "media.overflow", overflow_retry, NULL);
			return;
		}
		struct rt_cmd cmd;
		unsigned thread;
		(void)cmd_queue_take(&mctl.overflow, &thread, &cmd);
	}
}

int mstream_post(struct mstream *s, struct rt_cmd *cmd)
{
	cmd->s = s->rt;
	if (s->is_moving) {
		cmd_queue_add(&s->held, s->thread, cmd);
		return ST_OK;
	}
	if (mctl.overflow.first || thread_tell(s->thread, cmd)) {
		cmd_queue_add(&mctl.overflow, s->thread, cmd);
		if (!loop_timer_is_set(&retry_timer))
			loop_timer_set(&retry_timer, RETRY_US, "media.overflow", overflow_retry, NULL);
	}
	return ST_OK;
}

void mstream_report(struct mstream *s, const struct media_report *r)
{
	if ((!s->is_closing || r->kind == MEDIA_R_RECORD_DONE) && s->fn)
		s->fn(s, r, s->arg);
}

void mstream_closed_try(struct mstream *s)
{
	if (!s->is_rt_closed || !list_empty(&s->records) || !s->fn)
		return;
	struct media_report r = {.kind = MEDIA_R_CLOSED, .stats = *s->final_stats};
	media_report_fn fn = s->fn;
	s->fn = NULL;
	list_remove(&s->link);
	mctl.stream_count--;
	fn(s, &r, s->arg);
	mem_unref(s);
}

ON_CTL static void stream_moved(struct mstream *s)
{
	struct rt_cmd cmd;
	unsigned thread;
	s->is_moving = false;
	while (cmd_queue_take(&s->held, &thread, &cmd))
		(void)mstream_post(s, &cmd);
	if (s->is_closing)
		return;
	bundle_apply(s);
	join_apply(s);
	taps_moved(s);
}

ON_CTL static void stream_closed(struct mstream *s)
{
	s->final_stats = mem_zalloc(sizeof(*s->final_stats));
	rt_stream_stats(s->rt, s->final_stats);
	rt_stream_free(s->rt);
	s->rt = NULL;
	s->is_rt_closed = true;
	load_stream_went(s->thread);
	if (s->port)
		ports_give(s->port);
	mstream_closed_try(s);
}

ON_CTL static void stream_event(struct mstream *s, const struct rt_report *m)
{
	struct media_report r = {.kind = m->event,
	    .bits = m->number,
	    .digit = m->digit,
	    .duration = m->duration,
	    .is_captured = m->is_captured,
	    .is_inband = m->is_inband,
	    .addr = m->addr};
	if (m->event == MEDIA_R_LEARNED)
		s->learned = m->addr, s->is_learned = true;
	mstream_report(s, &r);
}

ON_CTL static void stream_stats(struct mstream *s, struct rt_stats *st)
{
	struct media_report r = {.kind = MEDIA_R_STATS, .stats = st->stats};
	mem_free(st);
	mstream_report(s, &r);
}

ON_CTL static void stream_rtcp(struct mstream *s, const struct rt_report *m)
{
	struct media_report r = {.kind = MEDIA_R_RTCP, .rtcp = m->rtcp, .addr = m->addr, .local = s->local};
	if (!s->params.is_rtcp_mux)
		addr_set_port(&r.local, (uint16_t)(addr_port(&r.local) + 1));
	mstream_report(s, &r);
}

void mctl_rtcp_watch(bool is_on)
{
	rt_rtcp_watch(is_on);
}

static void report_in(const void *msg, size_t n, void *arg)
{
	role_assert_ctl();
	const struct rt_report *m = msg;
	DCHECK(n == sizeof(*m));
	struct mstream *s = mem_ref(m->owner); /* fn may close it and drop its reference */
	switch (m->kind) {
	case RT_R_NONE:
		break;
	case RT_R_EVENT:
		stream_event(s, m);
		break;
	case RT_R_PLAY_DONE:
		play_returned(s, m->ptr);
		break;
	case RT_R_PLAY_REFILL:
		play_refill(s, m->number);
		break;
	case RT_R_RECORD_DONE:
		record_reported(s, m->ptr);
		break;
	case RT_R_RECORD_DRAIN:
		record_drain(s, m->number);
		break;
	case RT_R_TAP_DONE:
		tap_reported(s, m->ptr);
		break;
	case RT_R_TAP_EVENT:
		tap_event(s, m->number, m->duration);
		break;
	case RT_R_STATS:
		stream_stats(s, m->ptr);
		break;
	case RT_R_RTCP:
		stream_rtcp(s, m);
		break;
	case RT_R_MOVED:
		stream_moved(s);
		break;
	case RT_R_CLOSED:
		stream_closed(s);
		break;
	}
	mem_unref(s);
}

int mctl_start(const struct mctl_conf *conf)
{
	if (mctl.is_on || conf->thread_count > MCTL_THREADS_MAX)
		return ST_INVAL;
	memset(&mctl, 0, sizeof(mctl));
	mctl.conf = *conf;
	list_init(&mctl.streams);
	mctl.is_on = true;
	unsigned want = conf->thread_count ? conf->thread_count : mctl_threads_default();
	clips_init(conf->prompt_cache_max_bytes ? conf->prompt_cache_max_bytes : CACHE_DEFAULT_BYTES);
	int st = ports_init(conf->port_min, conf->port_max);
	if (!st)
		st = mailbox_new(&mctl.reports, REPORT_SLOTS);
	if (!st)
		st = mailbox_attach_ctl(mctl.reports, "media.reports", report_in, NULL);
	if (!st && conf->kernel_interfaces)
		(void)rt_kernel_start(&(struct rt_kernel_conf){
		    .interfaces = conf->kernel_interfaces, .mode = conf->kernel_mode, .port_min = conf->port_min});
	mctl.conf.kernel_interfaces = mctl.conf.kernel_mode = NULL; /* the caller's */
	while (!st && mctl.thread_count < want) {
		st = rt_thread_start(&mctl.threads[mctl.thread_count].rt, mctl.thread_count, mctl.reports);
		mctl.thread_count += !st;
	}
	if (st)
		mctl_stop();
	return st;
}

void mctl_stop(void)
{
	struct lnode *it, *tmp;
	size_t forgotten_count = 0;
	if (!mctl.is_on)
		return;
	list_each (&mctl.streams, it, tmp) {
		forgotten_count += !list_entry(it, struct mstream, link)->is_closing;
		mstream_close(list_entry(it, struct mstream, link));
	}
	if (forgotten_count)
		log_error("still alive at the end: %zu media streams", forgotten_count);
	mctl_local_stream_clear();
	while (mctl.stream_count || mctl.job_count)
		loop_run_once();
	loop_timer_cancel(&retry_timer);
	loop_defer_cancel(&wake_defer);
	for (unsigned i = 0; i < mctl.thread_count; i++)
		rt_thread_stop(mctl.threads[i].rt);
	for (unsigned i = 0; i < mctl.thread_count; i++)
		rt_thread_free(mctl.threads[i].rt);
	rt_kernel_stop();
	if (mctl.reports) {
		mailbox_detach_ctl(mctl.reports);
		mailbox_free(mctl.reports);
	}
	clips_fini();
	ports_fini();
	memset(&mctl, 0, sizeof(mctl));
}

void mctl_counts(size_t *streams_open, size_t *ports_free, uint64_t *rtp_in, uint64_t *rtp_out, uint64_t *rtp_dropped)
{
	struct rt_counts c = {0};
	for (unsigned i = 0; i < mctl.thread_count; i++)
		rt_thread_counts(mctl.threads[i].rt, &c);
	*streams_open = mctl.stream_count;
	*ports_free = ports_free_count();
	*rtp_in = c.rtp_in, *rtp_out = c.rtp_out, *rtp_dropped = c.rtp_dropped;
}

unsigned mctl_thread_count(void)
{
	return mctl.thread_count;
}

int mctl_thread_counts(unsigned i, struct mctl_thread_counts *out)
{
	struct rt_counts c = {0};
	if (i >= mctl.thread_count)
		return ST_NOTFOUND;
	rt_thread_counts(mctl.threads[i].rt, &c);
	*out = (struct mctl_thread_counts){
	    .streams = mctl.threads[i].streams,
	    .commands_fill = rt_thread_commands_fill(mctl.threads[i].rt),
	    .commands_cap = RT_COMMAND_SLOTS,
	    .rtp_in = c.rtp_in,
	    .rtp_out = c.rtp_out,
	    .rtp_dropped = c.rtp_dropped,
	    .ticks = c.ticks,
	    .ticks_late = c.ticks_late,
	    .tick_late_us = c.tick_late_us,
	    .tick_late_max_us = c.tick_late_max_us,
	    .moves = mctl.threads[i].moves,
	    .kernel_flows = c.kernel_flows,
	    .kernel_packets = c.kernel_packets,
	    .kernel_xdp_packets = c.kernel_xdp_packets,
	    .cpu_ns = (uint64_t)rt_thread_cpu_ns(mctl.threads[i].rt),
	};
	return ST_OK;
}

void mctl_ring_counts(size_t *reports_fill, size_t *reports_cap, size_t *commands_held)
{
	*reports_fill = mctl.reports ? mailbox_fill(mctl.reports) : 0;
	*reports_cap = REPORT_SLOTS;
	*commands_held = 0;
	for (const struct held_cmd *h = mctl.overflow.first; h; h = h->next)
		++*commands_held;
}

uint64_t mctl_cpu_ns(void)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < mctl.thread_count; i++)
		sum += (uint64_t)rt_thread_cpu_ns(mctl.threads[i].rt);
	return sum;
}

bool mctl_codec_fmtp(const char *name, uint32_t clock_hz, unsigned channels, bool is_offer, char *out, size_t cap)
{
	const struct codec_ops *ops = codec_find(name, clock_hz, channels);
	return ops && ops->offer_fmtp && (is_offer || !ops->variant) && !ops->offer_fmtp(ops, out, cap);
}

bool mctl_codec_has_two(const char *name, uint32_t clock_hz, unsigned channels, const char *fmtp, bool takes)
{
	const struct codec_ops *ops = codec_find(name, clock_hz, channels);
	return takes ? codec_takes_two(ops, fmtp) : codec_sends_two(ops, fmtp);
}

bool mctl_codec_is_cheap(const char *name)
{
	const struct codec_ops *ops = codec_find(name, 0, 0);
	return ops && ops->sample_bytes;
}

bool mctl_codec_is_known(const char *name)
{
	return codec_find(name, 0, 0) != NULL;
}
