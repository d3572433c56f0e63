/* The loop waits for the socket, and each time there is something a worker goes one step on (a plain connection's step
 * costs nothing and is done here). While a worker has it nobody else touches it; who gives up meanwhile leaves it
 * behind, and it is freed when the worker comes back. */
#include "media/ctl/turn_dial.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "loop/work.h"

struct turn_dial {
	struct dial_conn *conn;
	struct lpoll *poll;
	struct ltimer timer, again; /* again: a flight of DTLS that may be lost */
	bool is_tls, is_left;       /* left: nobody waits for it, the worker's end frees it */
	turn_dial_fn fn;
	void *arg;
	bool is_stepping; /* the worker's: conn, status, want */
	int status;
	unsigned want;
};

static ON_CTL void dial_part(struct turn_dial *d)
{
	loop_poll_close(d->poll);
	d->poll = NULL;
	loop_timer_cancel(&d->timer);
	loop_timer_cancel(&d->again);
}

static ON_CTL void dial_free(struct turn_dial *d)
{
	dial_part(d);
	dial_close(d->conn);
	mem_free(d);
}

void turn_dial_cancel(struct turn_dial *d)
{
	if (d && d->is_stepping) {
		dial_part(d);
		d->is_left = true;
	} else if (d) {
		dial_free(d);
	}
}

/* The last word to who asked. */
static ON_CTL void dial_end(struct turn_dial *d, const char *why)
{
	struct dial_conn *c = why ? NULL : d->conn;
	dial_part(d); /* the descriptor may get another owner */
	d->conn = why ? d->conn : NULL;
	d->fn(c, why, d->arg);
	turn_dial_cancel(d);
}

static void on_timer(void *arg)
{
	role_assert_ctl();
	dial_end(arg, "no connection to it is made in time");
}

static void on_again(void *arg);

static ON_CTL void stepped(struct turn_dial *d)
{
	if (d->status != ST_AGAIN) {
		dial_end(d, d->status ? dial_error(d->conn) : NULL);
		return;
	}
	int64_t due_us = dial_due_us(d->conn);
	if (due_us >= 0)
		loop_timer_set(&d->again, due_us + 1000, "turn.dial", on_again, d);
	(void)loop_poll_set(d->poll, d->want & DIAL_WRITE ? LOOP_WRITE : LOOP_READ);
}

static void step_job(void *arg)
{
	struct turn_dial *d = arg;
	role_assert_work();
	d->status = dial_step(d->conn, &d->want);
}

static void step_done(int status, void *arg)
{
	struct turn_dial *d = arg;
	role_assert_ctl();
	d->is_stepping = false;
	if (d->is_left)
		dial_free(d);
	else if (status)
		dial_end(d, "the program ends");
	else
		stepped(d);
}

static ON_CTL void step(struct turn_dial *d)
{
	loop_timer_cancel(&d->again);
	(void)loop_poll_set(d->poll, 0);
	d->is_stepping = d->is_tls;
	if (d->is_tls && !work_submit(WORK_FILE, "media.turn_tls", step_job, step_done, d))
		return;
	d->is_stepping = false;
	d->status = d->is_tls ? ST_NOMEM : dial_step(d->conn, &d->want);
	stepped(d);
}

static void on_ready(int events, void *arg)
{
	role_assert_ctl();
	step(arg);
}

static void on_again(void *arg)
{
	role_assert_ctl();
	step(arg);
}

int turn_dial_begin(struct turn_dial **out, const struct turn_dial_conf *conf, turn_dial_fn fn, void *arg)
{
	struct turn_dial *d = mem_zalloc(sizeof(*d));
	if (!d)
		return ST_NOMEM;
	d->fn = fn, d->arg = arg, d->is_tls = conf->trust != NULL;
	int st = dial_open(&d->conn, conf->from, conf->to, conf->trust, conf->host, 0);
	if (!st)
		st = loop_poll_open(&d->poll, dial_fd(d->conn), "turn.dial", on_ready, d);
	if (st) {
		dial_free(d);
		return st;
	}
	(void)loop_poll_set(d->poll, LOOP_WRITE);
	loop_timer_set(&d->timer, conf->timeout_us, "turn.dial", on_timer, d);
	*out = d;
	return ST_OK;
}
