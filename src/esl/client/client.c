/* One connection of the event socket. Bytes come in on_data, requests are taken from the reader one at a time and run
 * by the ops; while one waits (an api on a coroutine) the following stay in the reader, and reading pauses when much is
 * buffered. Going out, replies come first and are never dropped (no further command runs while many wait); events and
 * log lines wait in the bounded queue. Both are staged into chunks and given to the connection while it takes them, so
 * that nobody waits for a slow client. Until it has logged in a connection is a stranger's (net/conn_limit.h): it may
 * be closed to make room, holds little, and says a few commands at most. Owned by the list of clients; a waiting
 * command holds a reference too. */
#include "esl/client/client.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "core/event/event.h"
#include "core/run/exec.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum {
	CONN_OUT_MAX_BYTES = 1 << 20,
	CONN_HIGH_BYTES = CONN_OUT_MAX_BYTES / 2, /* where on_drain tells us */
	CHUNK_BYTES = 128 << 10,
	TURN_MAX_BYTES = 512 << 10, /* given to one connection at a time: others wait meanwhile */
	REPLIES_HIGH_BYTES = 1 << 20,
	READ_AHEAD_BYTES = 64 << 10,
	STRANGER_COMMANDS_MAX = 16
};
static const int64_t closing_timeout_us = 10 * 1000000LL;
static const char *const format_types[] = {"text/event-plain", "text/event-xml", "text/event-json", "text/event-plain"};

static const struct esl_client_ops *ops;
static struct list clients;
static size_t client_count, outbound_count;

void esl_clients_init(const struct esl_client_ops *o)
{
	ops = o;
}

size_t esl_client_count(void)
{
	return client_count;
}

static ON_CTL void client_free(void *obj)
{
	struct esl_client *c = obj;
	stanza_reader_fini(&c->reader);
	esl_queue_fini(&c->queue);
	buf_fini(&c->replies);
	buf_fini(&c->staged);
	esl_filters_fini(&c->filters);
	hash_free(c->subclasses);
	mem_free(c->login_args);
	mem_unref(c->rights);
}

/* The connection is gone or given up: nothing is sent or read any more. */
static ON_CTL void client_detach(struct esl_client *c, bool is_closed_by_peer)
{
	if (!c->conn)
		return;
	struct tcp_conn *conn = c->conn;
	c->conn = NULL;
	loop_timer_cancel(&c->timer);
	loop_timer_cancel(&c->login_timer);
	loop_defer_cancel(&c->flush);
	loop_defer_cancel(&c->leg_over);
	conn_guard_leave(&c->guard);
	ops->on_gone(c);
	esl_client_unsubscribe(c);
	c->log_level = LOG_DISABLE;
	ops->on_log_level();
	if (!is_closed_by_peer)
		tcp_conn_close(conn);
	mem_unref(conn);
	list_remove(&c->link);
	client_count--;
	outbound_count -= c->is_outbound;
	mem_unref(c);
}

/* ---- out ----------------------------------------------------------------------------------------------------- */
/* Fills the staging buffer from replies, then from the queue; false when there is nothing. */
static ON_CTL bool stage(struct esl_client *c)
{
	if (c->staged_sent < c->staged.n)
		return true;
	c->staged_sent = 0;
	buf_clear(&c->staged);
	if (c->staged.cap > 4 * CHUNK_BYTES)
		buf_fini(&c->staged);
	if (c->replies.n) {
		struct buf t = c->staged;
		c->staged = c->replies;
		c->replies = t;
		return true;
	}
	if (!c->holds_events)
		esl_queue_render(&c->queue, &c->staged, CHUNK_BYTES);
	return c->staged.n > 0;
}

static ON_CTL void push_gap(struct esl_client *c, size_t next_bytes)
{
	if (!esl_queue_needs_gap(&c->queue, next_bytes))
		return;
	uint64_t missed = c->queue.dropped_now;
	struct event *e = event_new(EVENT_CUSTOM, "tandem::gap");
	if (!e)
		return;
	event_addf(e, "Missed-Count", "%llu", (unsigned long long)missed);
	event_addf(e, "Missed-Total", "%llu", (unsigned long long)c->queue.dropped_count);
	esl_queue_gap_done(&c->queue);
	esl_queue_push(&c->queue, e, event_render(e, c->format), format_types[c->format]);
	mem_unref(e);
}

static ON_CTL void flush_soon(struct esl_client *c);
static ON_CTL void client_flush(struct esl_client *c)
{
	size_t done = 0;
	if (c->is_outbound && !c->is_open)
		return;
	while (c->conn && tcp_conn_queued_bytes(c->conn) < CONN_HIGH_BYTES) {
		if (done >= TURN_MAX_BYTES) {
			flush_soon(c);
			break;
		}
		if (!stage(c)) {
			push_gap(c, 0);
			if (!stage(c))
				break;
		}
		size_t n = c->staged.n - c->staged_sent;
		if (n > CHUNK_BYTES)
			n = CHUNK_BYTES;
		const char *p = c->staged.p + c->staged_sent;
		c->staged_sent += n;
		done += n;
		if (tcp_conn_send(c->conn, p, n)) {
			client_detach(c, false);
			return;
		}
	}
	if (c->conn && c->is_ending && c->staged_sent == c->staged.n && !c->replies.n)
		client_detach(c, false);
}

static void on_flush(void *arg)
{
	role_assert_ctl();
	struct esl_client *c = mem_ref(arg);
	client_flush(c);
	mem_unref(c);
}

static ON_CTL void flush_soon(struct esl_client *c)
{
	if (c->conn && !lnode_is_linked(&c->flush.link))
		loop_defer(&c->flush, "esl.flush", on_flush, c);
}

bool esl_client_queue(struct esl_client *c, void *ref, struct sv body, const char *ctype)
{
	if (!c->conn || c->is_ending)
		return true;
	push_gap(c, body.n);
	bool is_kept = esl_queue_push(&c->queue, ref, body, ctype);
	flush_soon(c);
	return is_kept;
}

void esl_client_send(struct esl_client *c, struct sv frame)
{
	if (!c->conn)
		return;
	buf_addv(&c->replies, frame);
	flush_soon(c);
}

void esl_client_reply(struct esl_client *c, const char *fmt, ...)
{
	if (!c->conn)
		return;
	va_list ap;
	va_start(ap, fmt);
	buf_adds(&c->replies, "Content-Type: command/reply\nReply-Text: ");
	buf_vprintf(&c->replies, fmt, ap);
	buf_adds(&c->replies, "\n\n");
	va_end(ap);
	flush_soon(c);
}

void esl_client_api_response(struct esl_client *c, struct sv body)
{
	if (!c->conn)
		return;
	if (!body.n)
		body = SV("-ERR no reply\n");
	buf_printf(&c->replies, "Content-Type: api/response\nContent-Length: %zu\n\n", body.n);
	buf_addv(&c->replies, body);
	flush_soon(c);
}

static void on_deadline(void *arg)
{
	role_assert_ctl();
	struct esl_client *c = arg;
	if (c->is_ending)
		client_detach(c, false);
	else
		esl_client_end(c);
}

void esl_client_end(struct esl_client *c)
{
	static const char text[] = "Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n";
	if (!c->conn || c->is_ending)
		return;
	buf_adds(&c->replies, "Content-Type: text/disconnect-notice\n");
	if (c->is_outbound)
		buf_printf(&c->replies, "Controlled-Session-UUID: %s\nContent-Disposition: disconnect\n", c->leg_uuid);
	buf_printf(&c->replies, "Content-Length: %zu\n\n%s", sizeof(text) - 1, text);
	c->is_ending = true;
	esl_client_unsubscribe(c);
	esl_queue_clear(&c->queue);
	loop_timer_set(&c->timer, closing_timeout_us, "esl.closing", on_deadline, c);
	flush_soon(c);
	loop_defer_cancel(&c->leg_over);
	ops->on_gone(c);
}

/* What waits in the bounded queue becomes replies, so that what is said next comes behind it. */
static ON_CTL void queue_to_replies(struct esl_client *c)
{
	c->holds_events = false;
	push_gap(c, 0);
	esl_queue_render(&c->queue, &c->replies, SIZE_MAX);
}

void esl_client_end_after_events(struct esl_client *c)
{
	if (!c->conn || c->is_ending)
		return;
	queue_to_replies(c);
	esl_client_end(c);
}

void esl_client_linger(struct esl_client *c)
{
	if (!c->conn || c->is_ending || !c->leg)
		return;
	queue_to_replies(c);
	buf_printf(&c->replies,
	    "Content-Type: text/disconnect-notice\nControlled-Session-UUID: %s\nContent-Disposition: linger\n"
	    "Channel-Name: %s\nLinger-Time: %d\nContent-Length: 0\n\n",
	    c->leg_uuid, c->leg->name ? c->leg->name : "", c->linger_s);
	if (c->linger_s > 0)
		loop_timer_set(&c->timer, clock_us_of_s(c->linger_s), "esl.linger", on_deadline, c);
	flush_soon(c);
}

void esl_client_drop(struct esl_client *c)
{
	client_detach(c, false);
}

/* ---- in ------------------------------------------------------------------------------------------------------ */
static size_t replies_waiting(const struct esl_client *c)
{
	return c->replies.n + c->staged.n - c->staged_sent;
}

static bool may_run(const struct esl_client *c)
{
	return c->conn && !c->is_busy && !c->is_ending && replies_waiting(c) < REPLIES_HIGH_BYTES;
}

/* What a stranger's connection takes is told to its guard. */
static ON_CTL void hold_tell(struct esl_client *c)
{
	if (c->conn)
		conn_guard_hold(&c->guard,
		    stanza_reader_held_bytes(&c->reader) + c->replies.cap + c->staged.cap +
		        tcp_conn_queued_bytes(c->conn),
		    stanza_reader_buffered_bytes(&c->reader) > 0 && !c->is_busy);
}

/* A stranger has a few words to log in with. */
static ON_CTL bool is_welcome(struct esl_client *c)
{
	if (c->is_authed || ++c->stranger_count <= STRANGER_COMMANDS_MAX)
		return true;
	esl_client_reply(c, "-ERR command not found");
	esl_client_end(c);
	return false;
}

/* Runs what is complete; a command that begins to wait ends the loop by is_busy. */
static ON_CTL void client_process(struct esl_client *c)
{
	if (c->is_processing)
		return;
	c->is_processing = true;
	mem_ref(c);
	while (may_run(c)) {
		struct stanza r = {0};
		int st = stanza_reader_next(&c->reader, &r);
		if (st == ST_AGAIN)
			break;
		if (st) {
			log_notice("Event socket client %s sent a request that cannot be read (%s), closing", c->id,
			    status_text(st));
			esl_client_reply(c, "-ERR bad request");
			esl_client_end(c);
			break;
		}
		conn_guard_message(&c->guard);
		if (is_welcome(c))
			ops->on_request(c, &r);
		stanza_fini(&r);
	}
	c->is_processing = false;
	if (c->conn)
		tcp_conn_pause(c->conn,
		    c->is_ending || (!may_run(c) && stanza_reader_buffered_bytes(&c->reader) > READ_AHEAD_BYTES));
	hold_tell(c);
	mem_unref(c);
}

void esl_client_resume(struct esl_client *c)
{
	c->is_busy = false;
	client_process(c);
}

static void on_data(struct tcp_conn *conn, const char *data, size_t n, void *arg)
{
	role_assert_ctl();
	struct esl_client *c = arg;
	if (c->is_ending)
		return;
	if (stanza_reader_feed(&c->reader, data, n)) {
		log_warning("Event socket client %s sends more than is read ahead, closing", c->id);
		esl_client_end(c);
		return;
	}
	client_process(c);
}

static void on_close(struct tcp_conn *conn, int status, void *arg)
{
	role_assert_ctl();
	client_detach(arg, true);
}

static void on_drain(struct tcp_conn *conn, void *arg)
{
	role_assert_ctl();
	struct esl_client *c = mem_ref(arg);
	client_flush(c);
	client_process(c);
	mem_unref(c);
}

static void on_connect(struct tcp_conn *conn, int status, void *arg)
{
	role_assert_ctl();
	struct esl_client *c = arg;
	c->is_open = status == ST_OK;
	c->open_status = status;
	if (status) {
		client_detach(c, true);
		return;
	}
	tcp_conn_set_limits(conn, CONN_OUT_MAX_BYTES, 0);
	if (c->leg)
		leg_wake(c->leg);
}

static const struct tcp_handlers handlers = {
    .on_data = on_data, .on_connect = on_connect, .on_close = on_close, .on_drain = on_drain};

/* A client in the list, of one reference, without a connection. */
static ON_CTL struct esl_client *client_new(void)
{
	struct esl_client *c = mem_new(sizeof(*c), client_free, "esl.client");
	if (!c)
		return NULL;
	if (!clients.head.next)
		list_init(&clients);
	stanza_reader_init(&c->reader, STANZA_COMMAND);
	esl_queue_init(&c->queue, esl_conf.max_queue_bytes);
	buf_init(&c->replies);
	buf_init(&c->staged);
	c->log_level = LOG_DISABLE;
	return c;
}

static ON_CTL void client_enter(struct esl_client *c)
{
	list_push(&clients, &c->link);
	client_count++;
	outbound_count += c->is_outbound;
}

int esl_client_connect(struct esl_client **out, const struct addr *dst, int64_t timeout_us)
{
	struct esl_client *c = client_new();
	int st;
	if (!c)
		return ST_NOMEM;
	c->is_outbound = c->is_authed = true;
	stanza_reader_trust(&c->reader);
	addr_text(dst, c->id);
	st = tcp_connect(&c->conn, dst, timeout_us, &handlers, c);
	if (st) {
		mem_unref(c);
		return st;
	}
	client_enter(c);
	*out = mem_ref(c);
	return ST_OK;
}

static void on_guard_end(enum conn_end why, void *arg)
{
	role_assert_ctl();
	struct esl_client *c = arg;
	tcp_conn_abort(c->conn);
	client_detach(c, true);
}

void esl_client_accept(struct tcp_conn *conn)
{
	struct esl_client *c = client_new();
	if (!c)
		return;
	if (conn_guard_enter(&c->guard, esl_limit, tcp_conn_peer(conn), false, on_guard_end, c)) {
		mem_unref(c);
		esl_client_reject(conn);
		return;
	}
	c->conn = mem_ref(conn);
	addr_text(tcp_conn_peer(conn), c->id);
	tcp_conn_set(conn, &handlers, c);
	tcp_conn_set_limits(conn, CONN_OUT_MAX_BYTES, 0);
	tcp_conn_set_guard(conn, &c->guard);
	client_enter(c);
	loop_timer_set(&c->timer, esl_conf.login_timeout_us, "esl.login", on_deadline, c);
	esl_client_send(c, SV("Content-Type: auth/request\n\n"));
}

void esl_client_reject(struct tcp_conn *conn)
{
	struct sv text = SV("Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n");
	tcp_conn_send(conn, text.p, text.n);
	mem_ref(conn);
	tcp_conn_close(conn);
	mem_unref(conn);
}

void esl_client_each(void (*fn)(struct esl_client *c, void *arg), void *arg)
{
	struct lnode *it, *tmp;
	if (!clients.head.next)
		return;
	list_each (&clients, it, tmp)
		fn(list_entry(it, struct esl_client, link), arg);
}

static void end_now(struct esl_client *c, void *arg)
{
	role_assert_ctl();
	mem_ref(c);
	esl_client_end(c);
	client_flush(c);
	client_detach(c, false);
	mem_unref(c);
}

void esl_client_end_all(void)
{
	esl_client_each(end_now, NULL);
}

void esl_client_event(struct esl_client *c, struct event *e)
{
	bool is_dropped = c->conn && !c->is_ending && esl_queue_drops(&c->queue);
	if (is_dropped || !esl_client_queue(c, e, event_render(e, c->format), format_types[c->format]))
		event_count_dropped(event_id(e));
}

/* ---- events -------------------------------------------------------------------------------------------------- */
static ON_CTL bool is_event_allowed(const struct esl_client *c, const struct event *e)
{
	const char *sub = event_subclass(e);
	return ops->may_hear(c, sub && *sub ? sub : event_name(event_id(e)));
}

static void on_event(struct event *e, void *arg)
{
	role_assert_ctl();
	struct esl_client *c = arg;
	if (!c->conn || !is_event_allowed(c, e) || !esl_filters_pass(&c->filters, e))
		return;
	esl_client_event(c, e);
}

int esl_client_subscribe(struct esl_client *c)
{
	return c->sub ? ST_OK : event_sub_new(&c->sub, on_event, c);
}

void esl_client_unsubscribe(struct esl_client *c)
{
	if (c->sub)
		event_sub_free(c->sub);
	c->sub = NULL;
	c->is_listening = false;
	memset(c->wants, 0, sizeof(c->wants));
	hash_free(c->subclasses);
	c->subclasses = NULL;
}
