/* Handshakes cost a millisecond of CPU each, so they are done in steps by workers, and whoever wants many of them must
 * not have all workers: a step waits in a list until it may run (STEPS_MAX in all, HOST_STEPS_MAX for one host).
 *
 *   media thread: ring of datagrams -> MEDIA_PLUG_CRYPT -> mdtls_heard -> ready list -> a worker: dtls_step for each
 *   control: what is to be sent goes back as a command; keys as a new crypt; the timer of retransmission runs here
 *
 * An association has one step at a time, which takes all its ring holds: a flood of datagrams costs its own call one
 * worker's turn now and then. While a step runs the association is the worker's.
 *
 * An association that has been up for long enough is settled: nobody has anything to say any more but good-bye, so
 * OpenSSL's part of it goes, and the ring gives way to one of a few alerts; other datagrams that come later are dropped
 * where they come in. */
#include "media/ctl/dtls.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "loop/work.h"
#include "media/ctl/ctl_i.h"
#include "media/rt/crypt.h"
#include "media/rt/dtls.h"
#include <string.h>

enum { STEPS_MAX = 8, HOST_STEPS_MAX = 4, STEP_DATAGRAMS_MAX = 32, DONE_WITHIN_US = 30000000 };

/* When an association is settled, from the moment that it is up. The server sent the last flight, and answers a client
 * that did not get it for twice the MSL (RFC 6347 4.2.4); to a client nobody turns for that any more. */
enum { SETTLED_SERVER_US = 240000000, SETTLED_CLIENT_US = 60000000, SETTLED_RETRY_US = 1000000 };

struct mdtls {
	struct lnode link; /* in ready */
	struct mstream *s;
	struct rt_ring *ring; /* NULL: it is settled, and there was no memory for one of alerts */
	struct dtls *assoc;   /* the worker's while it is busy */
	struct addr host;
	mdtls_fn fn;
	void *arg;
	struct ltimer again, end;
	enum dtls_state state, now /* as the last step left it */;
	enum srtp_suite suite;
	bool is_client, is_ready, is_busy, is_wanted /* a step, when this one is over */, is_begun, is_dead;
	/* of the step */
	struct buf in, out; /* datagrams behind their lengths */
	enum dtls_state step_now;
	int64_t due_us;
};

static struct {
	struct dtls_ident *ident;
	struct list ready;
	struct mdtls *running[STEPS_MAX];
	size_t running_count, ready_count;
	uint64_t up, failed, late, closed;
	bool is_on;
} all;

/* ---- our certificate ---- */

struct ident_job {
	char *path;
	struct dtls_ident *ident;
	struct buf why;
};

static void ident_work(void *arg)
{
	struct ident_job *j = arg;
	role_assert_work();
	(void)dtls_ident_new(&j->ident, j->path, &j->why);
}

static void ident_done(int st, void *arg)
{
	struct ident_job *j = arg;
	role_assert_ctl();
	if (j->ident && all.is_on) {
		mem_unref(all.ident);
		all.ident = mem_ref(j->ident);
	} else if (!st && !j->ident) {
		log_error("DTLS-SRTP is not to be had: %s", j->why.n ? j->why.p : "out of memory");
	}
	mem_unref(j->ident);
	buf_fini(&j->why);
	mem_free(j->path);
	mem_free(j);
}

void mctl_dtls_start(const char *path)
{
	struct ident_job *j = mem_zalloc(sizeof(*j));

	list_init(&all.ready);
	all.is_on = true;
	if (!j)
		return;
	j->path = mem_strdup(path);
	buf_init(&j->why);
	if (!j->path || work_submit(WORK_FILE, "DTLS certificate", ident_work, ident_done, j))
		ident_done(ST_CANCELLED, j);
}

void mctl_dtls_stop(void)
{
	all.is_on = false;
	all.ident = mem_unref(all.ident);
}

const char *mctl_dtls_print(void)
{
	return all.ident ? dtls_ident_print(all.ident) : NULL;
}

void mctl_dtls_counts(struct mdtls_counts *out)
{
	*out = (struct mdtls_counts){.up = all.up,
	    .failed = all.failed,
	    .late = all.late,
	    .closed = all.closed,
	    .steps_running = all.running_count,
	    .steps_waiting = all.ready_count};
}

/* ---- steps ---- */

static void step_work(void *arg)
{
	struct mdtls *d = arg;
	struct sv rest = buf_sv(&d->in), one;
	role_assert_work();

	d->step_now = dtls_step(d->assoc, NULL, 0, &d->out); /* begins, or sends again what is late */
	while (dtls_out_next(&rest, &one))
		d->step_now = dtls_step(d->assoc, (const uint8_t *)one.p, one.n, &d->out);
	d->due_us = dtls_due_us(d->assoc);
}

ON_CTL static void destroy(struct mdtls *d)
{
	loop_timer_cancel(&d->again);
	loop_timer_cancel(&d->end);
	dtls_free(d->assoc);
	mem_unref(d->ring);
	buf_fini(&d->in);
	buf_fini(&d->out);
	mem_free(d);
}

ON_CTL static void datagrams_send(struct mdtls *d)
{
	struct rt_told *told;
	if (!d->out.n || d->out.failed || !d->s || d->s->is_closing || rt_dtls_out_new(&told, buf_sv(&d->out)))
		return;
	struct rt_cmd c = {.kind = RT_C_CRYPT_TELL, .ptr = told};
	if (mstream_post(d->s, &c))
		told->free(told);
}

ON_CTL static int crypt_set(struct mdtls *d, struct rt_crypt *keys)
{
	struct rt_crypt *c;
	int st = rt_crypt_dtls_new(&c, d->ring, keys);
	if (st) {
		rt_crypt_free(keys);
		return st;
	}
	st = mstream_set_crypt(d->s, c);
	if (st)
		rt_crypt_free(c);
	return st;
}

ON_CTL static int keys_set(struct mdtls *d)
{
	uint8_t key_out[SRTP_KEY_MAX], key_in[SRTP_KEY_MAX];
	struct rt_crypt *keys = NULL;

	dtls_keys(d->assoc, &d->suite, key_out, key_in);
	int st = rt_crypt_srtp_new(&keys, d->suite, key_out, key_in);
	explicit_bzero(key_out, sizeof(key_out));
	explicit_bzero(key_in, sizeof(key_in));
	return st ? st : crypt_set(d, keys);
}

ON_CTL static void settle_later(struct mdtls *d, int64_t us);

/* Not while a step runs or is about to: there is something to be heard. */
static void settle(void *arg)
{
	struct mdtls *d = arg;
	struct rt_ring *late = NULL;
	struct rt_told *told;

	role_assert_ctl();
	if (d->is_busy || d->is_ready || !dtls_settle(d->assoc)) {
		settle_later(d, SETTLED_RETRY_US);
		return;
	}
	struct rt_cmd c = {.kind = RT_C_CRYPT_TELL};
	(void)rt_ring_new(&late, RT_DTLS_LATE_BYTES);
	if (!d->s->is_closing && !rt_dtls_settled_new(&told, d->ring, late)) {
		c.ptr = told;
		if (mstream_post(d->s, &c))
			told->free(told);
	}
	mem_unref(d->ring);
	d->ring = late;
	buf_fini(&d->in);
	buf_fini(&d->out);
	buf_init(&d->in);
	buf_init(&d->out);
}

static void settle_later(struct mdtls *d, int64_t us)
{
	loop_timer_set(&d->end, us, "dtls settle", settle, d);
}

ON_CTL static void state_set(struct mdtls *d, enum dtls_state now)
{
	if (now == d->state)
		return;
	if (now == DTLS_UP && keys_set(d))
		now = DTLS_FAILED;
	else if (now == DTLS_CLOSED) /* no key of it counts any more */
		(void)crypt_set(d, NULL);
	d->state = now;
	loop_timer_cancel(&d->end);
	if (now == DTLS_UP)
		all.up++, settle_later(d, d->is_client ? SETTLED_CLIENT_US : SETTLED_SERVER_US);
	else if (now == DTLS_FAILED)
		all.failed++;
	else if (now == DTLS_CLOSED)
		all.closed++;
	d->fn(d, now, d->arg); /* may free d */
}

ON_CTL static void ready(struct mdtls *d);
ON_CTL static void pump(void);

static void again(void *arg)
{
	role_assert_ctl();
	ready(arg);
}

static void too_late(void *arg)
{
	struct mdtls *d = arg;
	role_assert_ctl();
	all.late++;
	loop_timer_cancel(&d->again);
	state_set(d, DTLS_FAILED);
}

static void step_done(int st, void *arg)
{
	struct mdtls *d = arg;
	size_t i = 0;
	role_assert_ctl();

	while (i < all.running_count && all.running[i] != d)
		i++;
	if (i < all.running_count)
		all.running[i] = all.running[--all.running_count];
	d->is_busy = false;
	if (d->is_dead || st) {
		if (d->is_dead)
			destroy(d);
		pump();
		return;
	}
	d->now = d->step_now;
	datagrams_send(d);
	if (d->state == DTLS_FAILED) { /* it took too long */
		pump();
		return;
	}
	if (d->due_us >= 0)
		loop_timer_set(&d->again, d->due_us + 1000, "dtls again", again, d);
	else
		loop_timer_cancel(&d->again);
	if (d->is_wanted)
		ready(d);
	state_set(d, d->now);
	pump();
}

ON_CTL static void input_take(struct mdtls *d)
{
	uint8_t p[RT_DTLS_RECORD_MAX];
	size_t n, count = 0;

	buf_clear(&d->in);
	buf_clear(&d->out);
	while (count++ < STEP_DATAGRAMS_MAX && (n = rt_dtls_take(d->ring, p))) {
		uint8_t head[2] = {(uint8_t)(n >> 8), (uint8_t)n};
		buf_add(&d->in, head, sizeof(head));
		buf_add(&d->in, p, n);
	}
}

ON_CTL static bool may_run(const struct mdtls *d)
{
	size_t of_host = 0;
	for (size_t i = 0; i < all.running_count; i++)
		of_host += addr_is_set(&d->host) && addr_eq_host(&all.running[i]->host, &d->host);
	return of_host < HOST_STEPS_MAX;
}

ON_CTL static void run(struct mdtls *d)
{
	d->is_busy = true, d->is_wanted = false;
	input_take(d);
	all.running[all.running_count++] = d;
	if (work_submit(WORK_FILE, "DTLS", step_work, step_done, d)) {
		all.running_count--;
		d->is_busy = false;
	}
}

ON_CTL static void pump(void)
{
	struct lnode *n = all.ready.head.next;
	while (n != &all.ready.head && all.running_count < STEPS_MAX) {
		struct mdtls *d = list_entry(n, struct mdtls, link);
		n = n->next;
		if (!may_run(d))
			continue;
		list_remove(&d->link);
		d->is_ready = false;
		all.ready_count--;
		run(d);
	}
}

ON_CTL static void ready(struct mdtls *d)
{
	if (d->state == DTLS_FAILED || d->state == DTLS_CLOSED || !d->ring)
		return;
	d->is_wanted = true;
	if (d->is_busy || d->is_ready)
		return;
	d->is_ready = true;
	all.ready_count++;
	list_push(&all.ready, &d->link);
	pump();
}

/* ---- what a call does ---- */

int mstream_dtls_start(
    struct mstream *s, const struct dtls_conf *c, const struct addr *host, mdtls_fn fn, void *arg, struct mdtls **out)
{
	struct dtls_conf conf = *c;
	struct mdtls *d;
	int st;

	if (!all.ident)
		return ST_AGAIN;
	d = mem_zalloc(sizeof(*d));
	if (!d)
		return ST_NOMEM;
	d->s = s, d->host = *host, d->fn = fn, d->arg = arg;
	d->is_client = c->is_client;
	buf_init(&d->in);
	buf_init(&d->out);
	conf.ident = all.ident;
	st = rt_ring_new(&d->ring, RT_DTLS_RING_BYTES);
	if (!st)
		st = dtls_new(&d->assoc, &conf);
	if (!st)
		st = crypt_set(d, NULL);
	if (st) {
		destroy(d);
		return st;
	}
	*out = d;
	return ST_OK;
}

void mdtls_go(struct mdtls *d)
{
	if (!d->is_client || d->is_begun)
		return;
	d->is_begun = true;
	ready(d);
}

void mdtls_hurry(struct mdtls *d)
{
	if (d->state == DTLS_UNDER_WAY && !loop_timer_is_set(&d->end))
		loop_timer_set(&d->end, DONE_WITHIN_US, "dtls too late", too_late, d);
}

void mdtls_heard(struct mdtls *d)
{
	if (d->is_client && !d->is_begun)
		return; /* nobody was asked anything; it waits in the ring */
	ready(d);
}

enum dtls_state mdtls_state(const struct mdtls *d)
{
	return d->state;
}
const char *mdtls_why(const struct mdtls *d)
{
	return d->now != DTLS_FAILED ? "it was not done in time" : dtls_why(d->assoc);
}
enum srtp_suite mdtls_suite(const struct mdtls *d)
{
	return d->suite;
}

void mdtls_free(struct mdtls *d)
{
	if (!d)
		return;
	if (d->is_ready) {
		list_remove(&d->link);
		d->is_ready = false;
		all.ready_count--;
	}
	loop_timer_cancel(&d->again);
	loop_timer_cancel(&d->end);
	if (d->is_busy) {
		d->is_dead = true;
		d->s = NULL;
		return;
	}
	if (d->state == DTLS_UP && d->s) {
		buf_clear(&d->out);
		dtls_close(d->assoc, &d->out);
		datagrams_send(d);
	}
	destroy(d);
}
