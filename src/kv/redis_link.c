/* A line to Redis, on the control loop: commands go out as they come, one behind the other, and are answered in that
 * order. hiredis makes the commands and reads the answers; sockets and deadlines are ours (its asynchronous half aborts
 * the program at an answer that nobody asked for).
 *
 *   ask -> queued (not connected) -> server by server: name, dial, AUTH and TIME -> sent -> answered
 *       \-> sent (connected) -----------------------------------------------------^
 *
 * One that is silent past its timeout, or talks no Redis, is left alone for a second; the next is tried for whoever is
 * queued. What had been sent then fails: nobody knows whether it was done. An answer is bounded in bytes and in
 * elements. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "kv/redis_i.h"
#include "net/addr.h"
#include "net/dns.h"
#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	ALONE_US = 1000000,
	ASKS_MAX = 4096,
	READ_BYTES = 16384,
	READS_A_TURN = 4,
	REPLY_MAX_BYTES = 4 << 20,
	ELEMENTS_MAX = 65536,
	ARGS_MAX = 20,
};

struct ask { /* on the stack of who waits */
	struct lnode link;
	struct redis_link *owner;
	struct ltimer timer;
	struct co_wait wait;
	int count;
	const char *const *args;
	const size_t *sizes;
	redis_reply_fn fn;
	void *arg;
};

static ON_CTL void server_next(struct redis_link *l);

static ON_CTL void ask_end(struct ask *a, int status)
{
	list_remove(&a->link);
	loop_timer_cancel(&a->timer);
	co_signal(&a->wait, status);
}

static ON_CTL void asks_end(struct list *asks, int status)
{
	struct lnode *n, *next;

	list_each (asks, n, next)
		ask_end(list_entry(n, struct ask, link), status);
}

/* The connection ends, and with it what had been sent. */
static ON_CTL void drop(struct redis_link *l, int status)
{
	dns_cancel(l->name);
	l->name = NULL;
	loop_timer_cancel(&l->timer);
	loop_poll_close(l->poll);
	l->poll = NULL;
	if (l->c)
		redisFree(l->c);
	l->c = NULL;
	l->step = REDIS_AWAY;
	asks_end(&l->sent, status);
}

static ON_CTL void fail(struct redis_link *l, int status, const char *why)
{
	struct redis_server *s = &l->servers[l->place];
	bool was_up = l->step == REDIS_UP;

	snprintf(l->why, sizeof(l->why), "%s:%u: %s", s->host, s->port, why);
	if (!was_up || status != ST_CLOSED) /* one that closes is there: it may have been idle for long */
		s->left_alone_until_us = clock_mono_us() + ALONE_US;
	drop(l, status);
	if (was_up)
		return;
	l->place++;
	server_next(l);
}

/* ---- what goes out ---- */

static ON_CTL void on_silence(void *arg)
{
	struct ask *a = arg;

	role_assert_ctl();
	fail(a->owner, ST_TIMEOUT, "no answer");
}

/* ST_NOMEM */
static ON_CTL int put(struct redis_link *l, int count, const char *const *args, const size_t *sizes)
{
	const char *a[ARGS_MAX];
	size_t n[ARGS_MAX];
	char when[24];
	int64_t timeout_us = l->servers[l->place].timeout_us;
	int length = snprintf(
	    when, sizeof(when), "%" PRIi64, l->is_time_known ? (clock_mono_us() + l->ahead_us + timeout_us) / 1000 : 0);

	for (int i = 0; i < count; i++) {
		a[i] = args[i] ? args[i] : when;
		n[i] = args[i] ? sizes[i] : (size_t)length;
	}
	if (redisAppendCommandArgv(l->c, count, a, n))
		return ST_NOMEM;
	return loop_poll_set(l->poll, LOOP_READ | LOOP_WRITE);
}

static ON_CTL void ask_send(struct redis_link *l, struct ask *a)
{
	int st = put(l, a->count, a->args, a->sizes);

	if (st) {
		ask_end(a, st);
		return;
	}
	list_remove(&a->link);
	list_push(&l->sent, &a->link);
	loop_timer_set(&a->timer, l->servers[l->place].timeout_us, "redis answer", on_silence, a);
}

/* ---- what comes in ---- */

/* hiredis reserves room for as many elements as the server announces. */
static redisReplyObjectFunctions objects;
static void *(*array_make)(const redisReadTask *, int);

static void *array_make_bounded(const redisReadTask *task, int elements)
{
	struct redis_link *l = task->privdata;

	if (elements < 0 || (l->element_count += (size_t)elements) > ELEMENTS_MAX)
		return NULL;
	return array_make(task, elements);
}

/* AUTH (if there is a password), then TIME. */
static ON_CTL void hello_read(struct redis_link *l, const redisReply *r)
{
	struct lnode *n, *next;

	if (r->type == REDIS_REPLY_ERROR &&
	    (l->hello_count > 1 || (strncmp(r->str, "NOPERM", 6) != 0 && strncmp(r->str, "ERR unknown", 11) != 0))) {
		fail(l, ST_DENIED, r->str);
		return;
	}
	if (--l->hello_count)
		return;
	l->is_time_known = r->type == REDIS_REPLY_ARRAY && r->elements == 2 &&
	                   r->element[0]->type == REDIS_REPLY_STRING && r->element[1]->type == REDIS_REPLY_STRING;
	if (l->is_time_known) {
		int64_t s = str_number(r->element[0]->str, 0, INT64_MAX / 2000000);
		int64_t us = str_number(r->element[1]->str, 0, 999999);
		l->is_time_known = s >= 0 && us >= 0;
		l->ahead_us = clock_us_of_s(s) + us - clock_mono_us();
	}
	loop_timer_cancel(&l->timer);
	l->step = REDIS_UP;
	list_each (&l->queued, n, next)
		ask_send(l, list_entry(n, struct ask, link));
}

/* One answer. The connection may be gone afterwards. */
static ON_CTL void reply_read(struct redis_link *l, const redisReply *r)
{
	struct ask *a = (void *)list_first(&l->sent);

	l->reply_bytes = l->element_count = 0;
	if (l->step == REDIS_HELLO)
		hello_read(l, r);
	else if (!a)
		fail(l, ST_PARSE, "an answer that nobody asked for");
	else
		ask_end(a, a->fn(r, a->arg));
}

static ON_CTL void take_in(struct redis_link *l)
{
	char bytes[READ_BYTES];

	for (int i = 0; i < READS_A_TURN; i++) {
		ssize_t n = recv(l->c->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		void *reply = NULL;

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			fail(l, ST_CLOSED, n ? strerror(errno) : "the connection was closed");
			return;
		}
		l->reply_bytes += (size_t)n;
		if (l->reply_bytes > REPLY_MAX_BYTES || redisReaderFeed(l->c->reader, bytes, (size_t)n)) {
			fail(l, ST_PARSE, "an answer that is too long");
			return;
		}
		do {
			if (redisReaderGetReply(l->c->reader, &reply)) {
				char why[sizeof(l->c->reader->errstr)];
				memcpy(why, l->c->reader->errstr, sizeof(why));
				fail(l, ST_PARSE, why);
				return;
			}
			if (reply) {
				reply_read(l, reply);
				freeReplyObject(reply);
			}
		} while (reply && l->step >= REDIS_HELLO);
		if (l->step < REDIS_HELLO)
			return;
	}
}

/* ---- the connection ---- */

static ON_CTL void hello(struct redis_link *l)
{
	const struct redis_server *s = &l->servers[l->place];
	const char *auth[] = {"AUTH", s->password}, *when[] = {"TIME"};
	size_t auth_sizes[] = {4, s->password ? strlen(s->password) : 0}, when_sizes[] = {4};

	l->step = REDIS_HELLO;
	l->hello_count = s->password ? 2 : 1;
	l->reply_bytes = l->element_count = 0;
	if ((s->password && put(l, 2, auth, auth_sizes)) || put(l, 1, when, when_sizes))
		fail(l, ST_NOMEM, "out of memory");
}

static void on_poll(int events, void *arg)
{
	struct redis_link *l = arg;
	int wrong = 0, is_done = 0;
	socklen_t n = sizeof(wrong);

	role_assert_ctl();
	if (l->step == REDIS_DIALLING) {
		if (getsockopt(l->c->fd, SOL_SOCKET, SO_ERROR, &wrong, &n) || wrong)
			fail(l, ST_CLOSED, strerror(wrong ? wrong : errno));
		else
			hello(l);
		return;
	}
	if (events & LOOP_WRITE) {
		if (redisBufferWrite(l->c, &is_done)) {
			fail(l, ST_CLOSED, l->c->errstr);
			return;
		}
		if (is_done)
			(void)loop_poll_set(l->poll, LOOP_READ);
	}
	if (events & LOOP_READ)
		take_in(l);
}

static void on_late(void *arg)
{
	role_assert_ctl();
	fail(arg, ST_TIMEOUT, "no connection within its timeout");
}

static ON_CTL int dial(struct redis_link *l, const struct dns_record *r)
{
	char text[ADDR_TEXT_MAX];

	l->c = redisConnectNonBlock(addr_host(&r->addr, text), l->servers[l->place].port);
	if (!l->c || l->c->err || fcntl(l->c->fd, F_SETFD, FD_CLOEXEC))
		return ST_IO;
	if (!array_make) {
		objects = *l->c->reader->fn;
		array_make = objects.createArray;
		objects.createArray = array_make_bounded;
	}
	l->c->reader->fn = &objects;
	l->c->reader->privdata = l;
	l->step = REDIS_DIALLING;
	return loop_poll_open(&l->poll, l->c->fd, "redis", on_poll, l) ? ST_NOMEM : loop_poll_set(l->poll, LOOP_WRITE);
}

static void on_name(const struct dns_answer *a, void *arg)
{
	struct redis_link *l = arg;

	role_assert_ctl();
	l->name = NULL;
	if (a->status)
		fail(l, a->status, "its name has no address");
	else if (dial(l, &a->records[0]))
		fail(l, ST_CLOSED, l->c && l->c->err ? l->c->errstr : "no socket");
}

static ON_CTL void server_begin(struct redis_link *l)
{
	const struct redis_server *s = &l->servers[l->place];
	struct dns_answer a;
	int st;

	l->step = REDIS_NAME;
	loop_timer_set(&l->timer, s->timeout_us, "redis connection", on_late, l);
	st = dns_ask(&l->name, DNS_ADDRESS, sv_of(s->host), NULL, s->timeout_us, &a, on_name, l);
	if (st != ST_AGAIN) {
		a.status = st;
		on_name(&a, l);
	}
}

/* From its place on, the next that is not left alone; none: whoever is queued hears it. Bounded: each fails once. */
static void server_next(struct redis_link *l)
{
	while (l->place < l->server_count && l->servers[l->place].left_alone_until_us > clock_mono_us())
		l->place++;
	if (l->place < l->server_count) {
		server_begin(l);
		return;
	}
	l->place = 0;
	asks_end(&l->queued, ST_CLOSED);
}

void redis_link_init(struct redis_link *l)
{
	list_init(&l->queued);
	list_init(&l->sent);
}

void redis_link_close(struct redis_link *l)
{
	drop(l, ST_CLOSED);
	asks_end(&l->queued, ST_CLOSED);
}

void redis_link_fini(struct redis_link *l)
{
	redis_link_close(l);
	for (unsigned i = 0; i < l->server_count; i++)
		mem_free(l->servers[i].host), mem_free(l->servers[i].password);
}

int redis_link_ask(
    struct redis_link *l, int count, const char *const *args, const size_t *sizes, redis_reply_fn fn, void *arg)
{
	struct ask a = {.owner = l, .count = count, .args = args, .sizes = sizes, .fn = fn, .arg = arg};
	int st;

	if (count > ARGS_MAX)
		return ST_INVAL;
	if (l->ask_count >= ASKS_MAX)
		return ST_LIMIT;
	l->ask_count++;
	list_push(&l->queued, &a.link);
	if (l->step == REDIS_UP) {
		ask_send(l, &a);
	} else if (l->step == REDIS_AWAY) {
		l->place = 0;
		server_next(l);
	}
	st = co_wait(&a.wait, -1);
	l->ask_count--;
	return st;
}
