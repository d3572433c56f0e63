/* The thread of a link and its connection. It sleeps on the socket, its mailbox and the order to end; dials one server
 * after the other with a pause between two rounds; publishes what comes, keeps what it could not (the mailbox fills,
 * and who posts hears ST_FULL). Every wait can be cut off: the look-up and the dialling watch the order to end, and a
 * shut socket ends whatever librabbitmq waits for, so that joining the thread takes no time. */
#include "amqp/amqp_i.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/side.h"
#include "net/addr.h"
#include "net/dns.h"

#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	CONNECT_US = 5000000,
	RPC_S = 5,
	SILENCE_MS = 10000,
	CONFIRM_US = 15000000, /* the oldest that is not confirmed: then the broker is taken for gone */
	POLL_MS = 1000,
	CONFIRMS_MAX = 512,
	COMMANDS_SLOTS = 256
};

struct message {
	char *exchange, *key, *body, *message_id, *correlation;
	size_t n;
	uint32_t id;
};
struct outcome { /* to control */
	struct amqp_command *command;
	uint32_t id;
	int status;
};
struct amqp_link {
	struct amqp_settings s;
	struct amqp_callbacks callbacks;
	void *arg;
	struct side *side;
	atomic_int fd; /* of the connection, to be shut; -1 */
	atomic_bool is_up;
	_Atomic uint64_t sent, dropped;
	/* the thread's */
	amqp_connection_state_t conn, left;
	struct message *held; /* taken and not published yet */
	size_t server_at;
	bool is_told;
	uint64_t sequence; /* of the last message published with confirms */
	struct {
		uint64_t sequence;
		uint32_t id;
		int64_t sent_us;
	} confirms[CONFIRMS_MAX];
	size_t confirm_count;
};

static void message_free(struct message *m)
{
	if (!m)
		return;
	mem_free(m->exchange), mem_free(m->key), mem_free(m->body), mem_free(m->message_id), mem_free(m->correlation);
	mem_free(m);
}

void amqp_command_free(struct amqp_command *c)
{
	mem_free(c->text), mem_free(c->reply_exchange), mem_free(c->reply_key), mem_free(c->reply_to);
	mem_free(c->correlation);
	mem_free(c);
}

void amqp_settings_fini(struct amqp_settings *s)
{
	for (size_t i = 0; i < s->server_count; i++) {
		struct amqp_server *v = &s->servers[i];
		mem_free(v->host), mem_free(v->vhost), mem_free(v->user), mem_free(v->password);
	}
	mem_free(s->name), mem_free(s->exchange), mem_free(s->exchange_type), mem_free(s->queue);
	mem_free(s->binding_key);
	memset(s, 0, sizeof(*s));
}

/* ---- the connection, on the thread ---- */

static void outcome_post(struct amqp_link *l, const struct outcome *o)
{
	if (mailbox_post(side_out(l->side), o, sizeof(*o)) && o->command) {
		log_warning("amqp: %s: too many commands at once; one is left out", l->s.name);
		amqp_command_free(o->command);
	}
}

static void hang_up(struct amqp_link *l)
{
	atomic_store(&l->is_up, false);
	atomic_store(&l->fd, -1);
	if (l->conn && side_is_ending(l->side)) /* control may be shutting this socket: it closes it, too */
		l->left = l->conn;
	else if (l->conn)
		amqp_destroy_connection(l->conn);
	l->conn = NULL;
	for (size_t i = 0; i < l->confirm_count; i++)
		outcome_post(l, &(struct outcome){.id = l->confirms[i].id, .status = ST_CLOSED});
	l->confirm_count = 0, l->sequence = 0;
}

static void lost(struct amqp_link *l, const char *why)
{
	if (!l->is_told && !side_is_ending(l->side))
		log_error("amqp: %s: %s; it is tried again", l->s.name, why);
	l->is_told = true;
	hang_up(l);
}

static const char *reply_why(amqp_rpc_reply_t r, char out[160])
{
	const amqp_connection_close_t *c = r.reply.decoded;
	if (r.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION)
		snprintf(out, 160, "%s", amqp_error_string2(r.library_error));
	else if (r.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION && c)
		snprintf(out, 160, "the broker says %u %.*s", c->reply_code,
		    (int)(c->reply_text.len < 100 ? c->reply_text.len : 100), (const char *)c->reply_text.bytes);
	else
		snprintf(out, 160, "no reply");
	return out;
}

/* A connected socket, or -1. */
static int dial(struct amqp_link *l, const struct amqp_server *v)
{
	struct dns_answer a;
	struct pollfd fds[2] = {{.events = POLLOUT}, {.fd = side_end_fd(l->side), .events = POLLIN}};
	int fd, error = 0, ms = SILENCE_MS;
	socklen_t n = sizeof(error);

	if (dns_lookup_blocking(DNS_ADDRESS, sv_of(v->host), CONNECT_US, side_end_fd(l->side), &a) || !a.count)
		return -1;
	struct addr to = a.records[0].addr;
	addr_set_port(&to, v->port);
	fd = socket(to.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	fds[0].fd = fd;
	if (connect(fd, &to.sa, addr_len(&to)) && errno == EINPROGRESS) {
		if (poll(fds, 2, CONNECT_US / 1000) <= 0 || fds[1].revents ||
		    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n))
			error = ETIMEDOUT;
	} else if (errno && errno != EINPROGRESS && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n)) {
		error = errno;
	}
	if (error) {
		close(fd);
		return -1;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	return fd;
}

static amqp_bytes_t bytes_of(const char *text)
{
	return text ? amqp_cstring_bytes(text) : amqp_empty_bytes;
}

static bool rpc_is_ok(struct amqp_link *l, const char *what)
{
	char why[160], text[300];
	amqp_rpc_reply_t r = amqp_get_rpc_reply(l->conn);
	if (r.reply_type == AMQP_RESPONSE_NORMAL)
		return true;
	snprintf(text, sizeof(text), "%s: %s", what, reply_why(r, why));
	lost(l, text);
	return false;
}

static bool consume_begin(struct amqp_link *l)
{
	const struct amqp_settings *s = &l->s;
	amqp_queue_declare_ok_t *q = amqp_queue_declare(l->conn, 1, bytes_of(s->queue), s->queue_is_passive,
	    s->queue_is_durable, s->queue_is_exclusive, s->queue_is_auto_delete, amqp_empty_table);
	if (!rpc_is_ok(l, "the queue") || !q)
		return false;
	amqp_bytes_t name = amqp_bytes_malloc_dup(q->queue);
	amqp_queue_bind(l->conn, 1, name, bytes_of(s->exchange), bytes_of(s->binding_key), amqp_empty_table);
	bool is_ok = rpc_is_ok(l, "the binding");
	if (is_ok) {
		amqp_basic_consume(l->conn, 1, name, amqp_empty_bytes, 0, 1, 0, amqp_empty_table);
		is_ok = rpc_is_ok(l, "the consumer");
	}
	amqp_bytes_free(name);
	return is_ok;
}

static bool channel_begin(struct amqp_link *l)
{
	const struct amqp_settings *s = &l->s;
	amqp_channel_open(l->conn, 1);
	if (!rpc_is_ok(l, "the channel"))
		return false;
	amqp_exchange_declare(l->conn, 1, bytes_of(s->exchange), bytes_of(s->exchange_type), s->exchange_is_passive,
	    s->exchange_is_durable, 0, 0, amqp_empty_table);
	if (!rpc_is_ok(l, "the exchange"))
		return false;
	if (s->confirms) {
		amqp_confirm_select(l->conn, 1);
		if (!rpc_is_ok(l, "confirms"))
			return false;
	}
	return !s->consumes || consume_begin(l);
}

static bool connect_to(struct amqp_link *l, const struct amqp_server *v)
{
	char why[160], text[300];
	int fd = dial(l, v);
	if (fd < 0) {
		snprintf(text, sizeof(text), "%.100s:%u cannot be reached", v->host, v->port);
		lost(l, text);
		return false;
	}
	l->conn = amqp_new_connection();
	amqp_socket_t *socket = amqp_tcp_socket_new(l->conn);
	amqp_tcp_socket_set_sockfd(socket, fd);
	atomic_store(&l->fd, fd);
	struct timeval tv = {RPC_S, 0};
	amqp_set_handshake_timeout(l->conn, &tv);
	amqp_set_rpc_timeout(l->conn, &tv);
	amqp_rpc_reply_t r =
	    amqp_login(l->conn, v->vhost, 0, 131072, v->heartbeat_s, AMQP_SASL_METHOD_PLAIN, v->user, v->password);
	if (r.reply_type != AMQP_RESPONSE_NORMAL) {
		snprintf(text, sizeof(text), "%.100s:%u: %s", v->host, v->port, reply_why(r, why));
		lost(l, text);
		return false;
	}
	if (!channel_begin(l))
		return false;
	if (l->is_told)
		log_notice("amqp: %s is connected again", l->s.name);
	l->is_told = false;
	atomic_store(&l->is_up, true);
	return true;
}

/* ---- what is sent ---- */

static bool publish(struct amqp_link *l, struct message *m)
{
	amqp_basic_properties_t p = {
	    ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG, .content_type = bytes_of(l->s.content_type)};
	if (l->s.delivery_mode)
		p._flags |= AMQP_BASIC_DELIVERY_MODE_FLAG, p.delivery_mode = (uint8_t)l->s.delivery_mode;
	if (l->s.has_timestamp)
		p._flags |= AMQP_BASIC_TIMESTAMP_FLAG, p.timestamp = (uint64_t)clock_wall_us() / 1000000;
	if (m->message_id)
		p._flags |= AMQP_BASIC_MESSAGE_ID_FLAG, p.message_id = bytes_of(m->message_id);
	if (m->correlation)
		p._flags |= AMQP_BASIC_CORRELATION_ID_FLAG, p.correlation_id = bytes_of(m->correlation);
	int rc = amqp_basic_publish(l->conn, 1, bytes_of(m->exchange ? m->exchange : l->s.exchange), bytes_of(m->key),
	    0, 0, &p, (amqp_bytes_t){m->n, m->body});
	if (rc != AMQP_STATUS_OK) {
		lost(l, amqp_error_string2(rc));
		return false;
	}
	if (l->s.confirms) {
		l->confirms[l->confirm_count].sequence = ++l->sequence;
		l->confirms[l->confirm_count].sent_us = clock_mono_us();
		l->confirms[l->confirm_count++].id = m->id;
	}
	atomic_fetch_add(&l->sent, 1);
	return true;
}

static void messages_send(struct amqp_link *l)
{
	size_t n;
	while (
	    l->conn && l->confirm_count < CONFIRMS_MAX && (l->held || mailbox_take(side_in(l->side), &l->held, &n))) {
		if (!publish(l, l->held))
			return;
		message_free(l->held);
		l->held = NULL;
	}
}

/* ---- what comes ---- */

static void confirmed(struct amqp_link *l, uint64_t tag, bool is_multiple, int status)
{
	size_t kept = 0;
	for (size_t i = 0; i < l->confirm_count; i++) {
		uint64_t q = l->confirms[i].sequence;
		if (q == tag || (is_multiple && q <= tag))
			outcome_post(l, &(struct outcome){.id = l->confirms[i].id, .status = status});
		else
			l->confirms[kept++] = l->confirms[i];
	}
	l->confirm_count = kept;
}

static char *text_dup(amqp_bytes_t b)
{
	return b.len && b.len <= AMQP_COMMAND_MAX_BYTES && !memchr(b.bytes, 0, b.len) ? mem_strndup(b.bytes, b.len)
	                                                                              : NULL;
}

static char *header_dup(const amqp_table_t *t, const char *name)
{
	for (int i = 0; i < t->num_entries; i++)
		if (t->entries[i].key.len == strlen(name) && !memcmp(t->entries[i].key.bytes, name, strlen(name)) &&
		    t->entries[i].value.kind == AMQP_FIELD_KIND_UTF8)
			return text_dup(t->entries[i].value.value.bytes);
	return NULL;
}

static void command_take(struct amqp_link *l, const amqp_envelope_t *e)
{
	const amqp_basic_properties_t *p = &e->message.properties;
	struct amqp_command *c = mem_zalloc(sizeof(*c));
	if (!c)
		return;
	c->text = text_dup(e->message.body);
	if (p->_flags & AMQP_BASIC_HEADERS_FLAG) {
		c->reply_exchange = header_dup(&p->headers, "x-fs-api-resp-exchange");
		c->reply_key = header_dup(&p->headers, "x-fs-api-resp-key");
	}
	if (p->_flags & AMQP_BASIC_REPLY_TO_FLAG)
		c->reply_to = text_dup(p->reply_to);
	if (p->_flags & AMQP_BASIC_CORRELATION_ID_FLAG)
		c->correlation = text_dup(p->correlation_id);
	if (c->text)
		outcome_post(l, &(struct outcome){.command = c});
	else
		amqp_command_free(c);
}

/* Everything that has come; false: the connection is gone. */
static bool frames_read(struct amqp_link *l)
{
	struct timeval none = {0, 0};
	amqp_frame_t f;
	for (;;) {
		if (l->s.consumes) {
			amqp_envelope_t e;
			amqp_maybe_release_buffers(l->conn);
			amqp_rpc_reply_t r = amqp_consume_message(l->conn, &e, &none, 0);
			if (r.reply_type == AMQP_RESPONSE_NORMAL) {
				command_take(l, &e);
				amqp_destroy_envelope(&e);
				continue;
			}
			if (r.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION && r.library_error == AMQP_STATUS_TIMEOUT)
				return true;
			if (r.reply_type != AMQP_RESPONSE_LIBRARY_EXCEPTION ||
			    r.library_error != AMQP_STATUS_UNEXPECTED_STATE) {
				lost(l, amqp_error_string2(r.library_error));
				return false;
			}
		}
		int rc = amqp_simple_wait_frame_noblock(l->conn, &f, &none);
		if (rc == AMQP_STATUS_TIMEOUT) {
			amqp_maybe_release_buffers(l->conn);
			return true;
		}
		if (rc != AMQP_STATUS_OK) {
			lost(l, amqp_error_string2(rc));
			return false;
		}
		if (f.frame_type != AMQP_FRAME_METHOD)
			continue;
		if (f.payload.method.id == AMQP_BASIC_ACK_METHOD) {
			const amqp_basic_ack_t *a = f.payload.method.decoded;
			confirmed(l, a->delivery_tag, a->multiple, ST_OK);
		} else if (f.payload.method.id == AMQP_BASIC_NACK_METHOD) {
			const amqp_basic_nack_t *a = f.payload.method.decoded;
			confirmed(l, a->delivery_tag, a->multiple, ST_IO);
		} else if (f.payload.method.id == AMQP_CHANNEL_CLOSE_METHOD ||
		           f.payload.method.id == AMQP_CONNECTION_CLOSE_METHOD) {
			lost(l, "the broker closed the connection");
			return false;
		}
	}
}

/* ---- the thread ---- */

static void sleep_a_while(struct amqp_link *l, int64_t us)
{
	struct pollfd fds[3] = {
	    {.fd = side_end_fd(l->side), .events = POLLIN}, {.fd = -1, .events = POLLIN}, {.fd = -1, .events = POLLIN}};
	if (l->conn) {
		fds[1].fd = atomic_load(&l->fd);
		fds[2].fd = mailbox_fd(side_in(l->side));
	}
	(void)poll(fds, 3, (int)(us / 1000));
}

static void run(struct side *side, void *arg)
{
	struct amqp_link *l = arg;
	while (!side_is_ending(side)) {
		if (!l->conn) {
			if (!connect_to(l, &l->s.servers[l->server_at])) {
				l->server_at = (l->server_at + 1) % l->s.server_count;
				sleep_a_while(l, l->s.pause_us);
			}
			continue;
		}
		messages_send(l);
		if (l->conn && l->confirm_count && clock_mono_us() - l->confirms[0].sent_us > CONFIRM_US)
			lost(l, "it confirms nothing");
		if (l->conn && frames_read(l) && !amqp_frames_enqueued(l->conn) && !amqp_data_in_buffer(l->conn))
			sleep_a_while(l, POLL_MS * 1000);
	}
	hang_up(l);
}

/* ---- control ---- */

static void on_outcome(const void *msg, size_t n, void *arg)
{
	struct amqp_link *l = arg;
	struct outcome o;
	role_assert_ctl();
	memcpy(&o, msg, sizeof(o));
	if (o.command && !l->callbacks.on_command)
		amqp_command_free(o.command);
	else if (o.command)
		l->callbacks.on_command(o.command, l->arg);
	else if (l->callbacks.on_done)
		l->callbacks.on_done(o.id, o.status, l->arg);
}

static size_t slots_of(size_t n)
{
	size_t slots = 64;
	while (slots < n && slots < 65536)
		slots *= 2;
	return slots;
}

static void destroy(struct side *side, void *arg)
{
	struct amqp_link *l = arg;
	struct message *m;
	struct outcome o;
	size_t n;
	role_assert_ctl();
	if (l->left)
		amqp_destroy_connection(l->left);
	while (mailbox_take(side_out(side), &o, &n))
		if (o.command)
			amqp_command_free(o.command);
	message_free(l->held);
	while (mailbox_take(side_in(side), &m, &n))
		message_free(m);
	amqp_settings_fini(&l->s);
	mem_free(l);
}

int amqp_link_new(struct amqp_link **out, struct amqp_settings *s, const struct amqp_callbacks *callbacks, void *arg)
{
	static const struct side_ops ops = {"amqp", run, on_outcome, destroy};
	struct amqp_link *l = mem_zalloc(sizeof(*l));
	if (!l)
		return ST_NOMEM;
	l->s = *s, l->callbacks = *callbacks, l->arg = arg;
	memset(s, 0, sizeof(*s));
	atomic_init(&l->fd, -1);
	int st =
	    side_new(&l->side, &ops, slots_of(l->s.queue_max), l->s.confirms ? 2 * CONFIRMS_MAX : COMMANDS_SLOTS, l);
	if (!st) {
		*out = l;
		return ST_OK;
	}
	amqp_settings_fini(&l->s);
	mem_free(l);
	return st;
}

void amqp_link_free(struct amqp_link *l)
{
	if (!l)
		return;
	l->callbacks = (struct amqp_callbacks){NULL, NULL};
	side_end(l->side);
	int fd = atomic_load(&l->fd);
	if (fd >= 0)
		shutdown(fd, SHUT_RDWR);
	side_free(l->side);
}

int amqp_link_post(struct amqp_link *l, const char *exchange, const char *key, struct sv body, const char *message_id,
    const char *correlation, uint32_t id)
{
	struct message *m = mem_zalloc(sizeof(*m));
	int st = !m ? ST_NOMEM : mailbox_fill(side_in(l->side)) >= l->s.queue_max ? ST_FULL : ST_OK;
	if (st) {
		mem_free(m);
		atomic_fetch_add(&l->dropped, 1);
		return st;
	}
	m->exchange = mem_strdup(exchange), m->key = mem_strdup(key), m->body = sv_dup(body), m->n = body.n;
	m->message_id = mem_strdup(message_id), m->correlation = mem_strdup(correlation), m->id = id;
	st = mailbox_post(side_in(l->side), &m, sizeof(m));
	if (st) {
		message_free(m);
		atomic_fetch_add(&l->dropped, 1);
	}
	return st;
}

void amqp_link_counts(const struct amqp_link *l, struct amqp_counts *out)
{
	*out = (struct amqp_counts){.sent = atomic_load(&l->sent),
	    .dropped = atomic_load(&l->dropped),
	    .is_up = atomic_load(&l->is_up),
	    .waiting = mailbox_fill(side_in(l->side))};
}
