/* A connection of the HTTP server. In: on_data -> `in`, a bounded buffer -> the reader -> on_head, on_request. While an
 * exchange is open the rest stays in `in` (reading pauses when much has come), so answers keep their order. Out: an
 * answer is rendered into `out` and handed to the connection in pieces that fit its queue. One timer a connection: the
 * deadline of what it is waiting for (head, body, next request), or, while something is to be sent, a look whether the
 * client took any. */
#include "base/log.h"
#include "base/mem.h"
#include "net/http_i.h"

/* ---- life of a connection -------------------------------------------------------------------------------------- */
static ON_CTL void conn_free(void *obj)
{
	struct http_conn *c = obj;
	http_reader_free(c->reader);
	buf_fini(&c->in);
	buf_fini(&c->out);
}

void http_conn_end(struct http_conn *c, bool is_closed_by_peer)
{
	if (!c->tcp)
		return;
	struct tcp_conn *tcp = c->tcp;
	c->tcp = NULL;
	loop_timer_cancel(&c->timer);
	loop_timer_cancel(&c->turn);
	loop_defer_cancel(&c->again);
	conn_guard_leave(&c->guard);
	if (c->server) {
		list_remove(&c->link);
		c->server->counts.conns--;
		c->server->refusing_count -= c->is_refusing;
	}
	if (!is_closed_by_peer)
		tcp_conn_close(tcp);
	mem_unref(tcp);
	http_exchange_drop(c, true);
	mem_unref(c);
}

/* ---- out ------------------------------------------------------------------------------------------------------- */
size_t http_conn_waiting_bytes(const struct http_conn *c)
{
	return c->out.n - c->out_at + (c->tcp ? tcp_conn_queued_bytes(c->tcp) : 0);
}

static ON_CTL int64_t stage_timeout_us(const struct http_conn *c)
{
	const struct http_server_conf *f = &c->server->conf;
	switch (c->stage) {
	case STAGE_IDLE:
		return f->idle_timeout_us;
	case STAGE_HEAD:
		return f->head_timeout_us;
	case STAGE_BODY:
		return f->body_timeout_us;
	default:
		return 0;
	}
}

static void on_timer(void *arg);

/* What is to be sent is watched first: a client that does not read will not ask either. */
static ON_CTL void timer_choose(struct http_conn *c)
{
	c->is_write_watched = http_conn_waiting_bytes(c) > 0;
	if (c->is_write_watched) {
		c->sent_seen = c->queued_bytes_total - http_conn_waiting_bytes(c);
		loop_timer_set(&c->timer, c->server->conf.write_timeout_us, "http write", on_timer, c);
	} else if (stage_timeout_us(c)) {
		loop_timer_set(&c->timer, stage_timeout_us(c), "http", on_timer, c);
	} else {
		loop_timer_cancel(&c->timer);
	}
}

void http_conn_stage(struct http_conn *c, enum stage stage)
{
	if (c->stage == stage && stage != STAGE_IDLE)
		return;
	c->stage = stage;
	timer_choose(c);
}

/* Something was handed over: the timer looks whether it is taken, or goes back to what the stage waits for. */
static ON_CTL void write_watch(struct http_conn *c)
{
	if (c->stage != STAGE_HEAD && c->stage != STAGE_BODY && c->is_write_watched != (http_conn_waiting_bytes(c) > 0))
		timer_choose(c);
}

int http_conn_out(struct http_conn *c, struct sv v)
{
	c->queued_bytes_total += v.n;
	c->server->counts.bytes_out += v.n;
	return buf_addv(&c->out, v);
}

void http_conn_flush(struct http_conn *c)
{
	while (c->tcp && c->out_at < c->out.n) {
		size_t n = c->out.n - c->out_at;
		if (n > PIECE_BYTES)
			n = PIECE_BYTES;
		if (tcp_conn_queued_bytes(c->tcp) + n > TCP_OUT_MAX_BYTES)
			break;
		int st = tcp_conn_send(c->tcp, c->out.p + c->out_at, n);
		if (st)
			break; /* ST_CLOSED: on_close follows */
		c->out_at += n;
	}
	if (c->out_at == c->out.n) {
		c->out_at = 0;
		buf_clear(&c->out);
		if (c->out.cap > PIECE_BYTES)
			buf_fini(&c->out);
	}
	if (!c->tcp)
		return;
	if (c->stage != STAGE_CLOSING || c->out_at < c->out.n)
		write_watch(c);
	else if (tcp_conn_queued_bytes(c->tcp))
		tcp_conn_set_limits(c->tcp, 2, 0); /* on_drain tells when less than half of 2 waits: nothing */
	else
		http_conn_end(c, false);
}

/* The answer is complete: the next request, or the end. */
void http_conn_answer_done(struct http_conn *c)
{
	http_exchange_drop(c, false);
	mem_ref(c);
	if (c->is_last) {
		http_conn_stage(c, STAGE_CLOSING);
		http_conn_flush(c);
	} else {
		http_reader_next(c->reader);
		http_conn_stage(c, STAGE_IDLE);
		http_conn_flush(c);
		http_conn_read_on(c);
	}
	mem_unref(c);
}

static void on_held(void *arg)
{
	struct http_conn *c = arg;
	role_assert_ctl();
	c->is_held = false;
	http_conn_answer_done(c);
}

void http_conn_hold(struct http_conn *c, int64_t delay_us)
{
	c->is_held = true;
	tcp_conn_pause(c->tcp, true);
	loop_timer_set(&c->timer, delay_us, "http held", on_held, c);
}

/* ---- in -------------------------------------------------------------------------------------------------------- */
/* The request is refused in the owner's form; the connection closes. */
void http_conn_refuse(struct http_conn *c, int status, const char *why)
{
	http_exchange_make(c);
	c->is_last = true;
	c->server->counts.errors++;
	if (!c->x) {
		http_conn_end(c, false);
		return;
	}
	struct http_exchange *x = mem_ref(c->x);
	c->server->h->on_error(x, status, why, c->server->arg);
	if (http_exchange_is_open(x))
		http_exchange_reply(x, status, "text/plain", sv_of(why));
	mem_unref(x);
}

static ON_CTL void request_take(struct http_conn *c, bool is_whole)
{
	struct http_server *s = c->server;
	const struct http_request *q = http_reader_request(c->reader);
	http_exchange_make(c);
	if (!c->x) {
		http_conn_end(c, false);
		return;
	}
	struct http_exchange *x = mem_ref(c->x);
	x->is_head_only = sv_is(q->method, "HEAD");
	conn_guard_message(&c->guard);
	c->is_last = !q->keeps_alive;
	if (!is_whole) {
		http_conn_stage(c, STAGE_BODY);
		if (s->h->on_head)
			s->h->on_head(x, s->arg);
		if (http_exchange_is_open(x) && q->expects_continue) {
			http_conn_out(c, SV("HTTP/1.1 100 Continue\r\n\r\n"));
			http_conn_flush(c);
		}
	} else {
		s->counts.requests++;
		http_conn_stage(c, STAGE_ANSWER);
		s->h->on_request(x, s->arg);
	}
	mem_unref(x);
}

static ON_CTL void in_clear(struct http_conn *c)
{
	buf_clear(&c->in);
	c->in_at = 0;
}

/* What was read goes, seldom enough that a byte is moved once or twice in all. */
static ON_CTL void in_drop(struct http_conn *c)
{
	if (c->in_at < c->in.n / 2)
		return;
	buf_drop(&c->in, c->in_at);
	c->in_at = 0;
	if (!c->in.n && c->in.cap > IN_PAUSE_BYTES / 8)
		buf_fini(&c->in);
}

static ON_CTL void feed(struct http_conn *c)
{
	size_t used = 0;
	const char *why;
	int st = http_reader_feed(c->reader, c->in.p + c->in_at, c->in.n - c->in_at, &used);
	c->in_at += used;
	if (st == ST_PARSE) {
		int status = http_reader_error(c->reader, &why);
		in_clear(c);
		http_conn_refuse(c, status, why);
	} else if (st == ST_AGAIN) {
		if (!http_reader_is_idle(c->reader))
			http_conn_stage(c, c->stage == STAGE_BODY ? STAGE_BODY : STAGE_HEAD);
	} else {
		request_take(c, st == ST_OK);
	}
}

static ON_CTL void data_pass(struct http_conn *c)
{
	struct buf got = c->in;
	size_t at = c->in_at;
	struct http_exchange *x = mem_ref(c->x);
	buf_init(&c->in);
	c->in_at = 0;
	if (x->h && x->h->on_data)
		x->h->on_data(x, got.p + at, got.n - at, x->arg);
	buf_fini(&got);
	mem_unref(x);
}

static void turn_next(void *arg);

static ON_CTL bool has_more(const struct http_conn *c)
{
	return c->tcp && c->in.n > c->in_at;
}

static ON_CTL void conn_process(struct http_conn *c)
{
	if (c->is_processing || loop_timer_is_set(&c->turn))
		return;
	c->is_processing = true;
	mem_ref(c);
	uint64_t last = c->server->counts.requests + TURN_MAX_REQUESTS;
	while (has_more(c) && c->stage <= STAGE_BODY && c->server->counts.requests < last)
		feed(c);
	if (has_more(c) && c->stage <= STAGE_BODY)
		loop_timer_set(&c->turn, 0, "http", turn_next, c);
	if (has_more(c) && c->stage == STAGE_UPGRADED && c->x)
		data_pass(c);
	if (c->tcp && (c->stage == STAGE_STREAM || c->stage == STAGE_CLOSING))
		in_clear(c); /* nothing more is expected */
	c->is_processing = false;
	if (c->tcp) {
		in_drop(c);
		tcp_conn_pause(
		    c->tcp, c->in.n - c->in_at > IN_PAUSE_BYTES || c->is_held || loop_timer_is_set(&c->turn));
		conn_guard_hold(
		    &c->guard, c->in.cap + http_reader_held_bytes(c->reader) + http_conn_waiting_bytes(c), false);
	}
	mem_unref(c);
}

/* The next loop turn; its time is the connection's, too. */
static void turn_next(void *arg)
{
	struct http_conn *c = mem_ref(arg);
	role_assert_ctl();
	int64_t start_ns = conn_cpu_ns();
	conn_process(c);
	conn_guard_used(&c->guard, conn_cpu_ns() - start_ns);
	mem_unref(c);
}

static void process_again(void *arg)
{
	role_assert_ctl();
	conn_process(arg);
}

void http_conn_read_on(struct http_conn *c)
{
	if (has_more(c) && !c->is_processing)
		loop_defer(&c->again, "http", process_again, c);
}

static void on_data(struct tcp_conn *tcp, const char *data, size_t n, void *arg)
{
	role_assert_ctl();
	struct http_conn *c = arg;
	if (c->in.n - c->in_at + n > IN_MAX_BYTES || buf_add(&c->in, data, n)) {
		http_conn_end(c, false);
		return;
	}
	conn_process(c);
}

static void on_close(struct tcp_conn *tcp, int status, void *arg)
{
	role_assert_ctl();
	http_conn_end(arg, true);
}

static void on_drain(struct tcp_conn *tcp, void *arg)
{
	struct http_conn *c = mem_ref(arg);
	role_assert_ctl();
	http_conn_flush(c);
	if (c->tcp && c->x && c->x->h && c->x->h->on_drain && http_conn_waiting_bytes(c) < STREAM_QUEUE_MAX_BYTES) {
		struct http_exchange *x = mem_ref(c->x);
		x->h->on_drain(x, x->arg);
		mem_unref(x);
	}
	mem_unref(c);
}

static void on_timer(void *arg)
{
	struct http_conn *c = arg;
	role_assert_ctl();
	if (http_conn_waiting_bytes(c)) {
		uint64_t sent = c->queued_bytes_total - http_conn_waiting_bytes(c);
		if (sent > c->sent_seen) {
			c->sent_seen = sent;
			loop_timer_set(&c->timer, c->server->conf.write_timeout_us, "http write", on_timer, c);
			return;
		}
		c->server->counts.timeouts++;
		log_info("HTTP client %s does not read: closed", c->host);
		http_conn_end(c, false);
		return;
	}
	if (c->is_write_watched) {
		timer_choose(c); /* all is taken, and nobody told us when */
		return;
	}
	if (!stage_timeout_us(c))
		return;
	if (c->stage == STAGE_IDLE) {
		http_conn_end(c, false);
		return;
	}
	c->server->counts.timeouts++;
	mem_ref(c);
	http_conn_refuse(c, 408, c->stage == STAGE_BODY ? "the body took too long" : "the request took too long");
	mem_unref(c);
}

static const struct tcp_handlers tcp_handlers = {.on_data = on_data, .on_close = on_close, .on_drain = on_drain};

struct http_conn *http_conn_new(struct http_server *s, struct tcp_conn *tcp)
{
	struct http_conn *c = mem_new(sizeof(*c), conn_free, "net.http_conn");
	if (!c)
		return NULL;
	buf_init(&c->in);
	buf_init(&c->out);
	if (http_reader_new(&c->reader, s->conf.max_body_bytes)) {
		mem_unref(c);
		return NULL;
	}
	c->server = s;
	c->tcp = mem_ref(tcp);
	addr_host(tcp_conn_peer(tcp), c->host);
	list_push(&s->conns, &c->link);
	s->counts.conns++;
	s->counts.accepted++;
	tcp_conn_set(tcp, &tcp_handlers, c);
	tcp_conn_set_limits(tcp, TCP_OUT_MAX_BYTES, 0);
	return c;
}
