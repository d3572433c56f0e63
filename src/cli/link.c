/* The connection: a non-blocking socket that is polled with a deadline. A reply is the next command/reply or
 * api/response; everything else that comes before it is handed to on_async at once. */
#include "cli/link.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

bool link_is(const struct stanza *f, const char *content_type)
{
	const char *v = stanza_get(f, "content-type");
	return v && !strcasecmp(v, content_type);
}

void link_init(struct link *l, link_async_fn fn, void *arg)
{
	*l = (struct link){.fd = -1, .on_async = fn, .arg = arg};
	stanza_reader_init(&l->reader, STANZA_REPLY);
}

void link_close(struct link *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	stanza_reader_fini(&l->reader);
	stanza_reader_init(&l->reader, STANZA_REPLY);
}

static int fail(struct link *l, int status, const char *why)
{
	snprintf(l->why, sizeof(l->why), "%s", why);
	return status;
}

/* Waits for the socket; deadline_ms < 0: for ever. */
static int wait_for(struct link *l, short events, int64_t deadline_ms)
{
	for (;;) {
		int64_t left = deadline_ms < 0 ? -1 : deadline_ms - clock_mono_ms();
		if (deadline_ms >= 0 && left <= 0)
			return fail(l, ST_TIMEOUT, "timed out");
		struct pollfd p = {.fd = l->fd, .events = events};
		int n = poll(&p, 1, left > 1000000 ? 1000000 : (int)left);
		if (n > 0)
			return ST_OK;
		if (n < 0 && errno != EINTR)
			return fail(l, ST_IO, strerror(errno));
	}
}

static int connect_one(struct link *l, const struct addrinfo *ai, int64_t deadline_ms)
{
	int error = 0, one = 1;
	socklen_t n = sizeof(error);
	l->fd = socket(ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, ai->ai_protocol);
	if (l->fd < 0)
		return fail(l, ST_IO, strerror(errno));
	setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(l->fd, ai->ai_addr, ai->ai_addrlen) && errno != EINPROGRESS) {
		error = errno;
		goto refused;
	}
	int st = wait_for(l, POLLOUT, deadline_ms);
	if (st) {
		link_close(l);
		return st;
	}
	getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &error, &n);
	if (!error)
		return ST_OK;
refused:
	link_close(l);
	return fail(l, ST_IO, strerror(error));
}

/* The next frame, whatever it is. */
static int next_frame(struct link *l, struct stanza *out, int64_t deadline_ms)
{
	char bytes[65536];
	for (;;) {
		int st = stanza_reader_next(&l->reader, out);
		if (st == ST_PARSE)
			return fail(l, st, "this is no event socket");
		if (st != ST_AGAIN)
			return st;
		st = wait_for(l, POLLIN, deadline_ms);
		if (st)
			return st;
		ssize_t n = recv(l->fd, bytes, sizeof(bytes), 0);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			return fail(l, ST_CLOSED, "the connection was closed");
		if (n > 0)
			stanza_reader_feed(&l->reader, bytes, (size_t)n);
	}
}

int link_send(struct link *l, const char *lines)
{
	struct buf b;
	int st = ST_OK;
	buf_init(&b);
	buf_adds(&b, lines);
	buf_adds(&b, b.n && b.p[b.n - 1] == '\n' ? "\n" : "\n\n");
	for (size_t at = 0; at < b.n && !st;) {
		ssize_t n = send(l->fd, b.p + at, b.n - at, MSG_NOSIGNAL);
		if (n > 0)
			at += (size_t)n;
		else if (n < 0 && errno == EAGAIN)
			st = wait_for(l, POLLOUT, -1);
		else if (n < 0 && errno != EINTR)
			st = fail(l, ST_CLOSED, strerror(errno));
	}
	buf_fini(&b);
	return st;
}

int link_ask(struct link *l, const char *lines, struct stanza *reply, int timeout_ms)
{
	int64_t deadline_ms = timeout_ms > 0 ? clock_mono_ms() + timeout_ms : -1;
	if (l->fd < 0)
		return fail(l, ST_CLOSED, "not connected");
	int st = link_send(l, lines);
	while (!st) {
		st = next_frame(l, reply, deadline_ms);
		if (st || link_is(reply, "command/reply") || link_is(reply, "api/response"))
			break;
		l->on_async(reply, l->arg);
		stanza_fini(reply);
	}
	return st;
}

int link_dispatch(struct link *l)
{
	struct stanza f;
	int st;
	while (!(st = stanza_reader_next(&l->reader, &f))) {
		l->on_async(&f, l->arg);
		stanza_fini(&f);
	}
	return st == ST_AGAIN ? ST_OK : fail(l, st, "this is no event socket");
}

int link_read(struct link *l)
{
	char bytes[65536];
	ssize_t n = recv(l->fd, bytes, sizeof(bytes), 0);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		return fail(l, ST_CLOSED, "the connection was closed");
	if (n > 0)
		stanza_reader_feed(&l->reader, bytes, (size_t)n);
	return link_dispatch(l);
}

static int login(struct link *l, const char *user, const char *password, int64_t deadline_ms)
{
	struct stanza f = {0};
	struct buf lines;
	buf_init(&lines);
	int st = next_frame(l, &f, deadline_ms);
	if (!st && !link_is(&f, "auth/request"))
		st = fail(l, ST_DENIED, f.body.n ? f.body.p : "refused");
	stanza_fini(&f);
	if (st)
		goto out;
	if (user)
		buf_printf(&lines, "userauth %s:%s", user, password);
	else
		buf_printf(&lines, "auth %s", password);
	int64_t left = deadline_ms < 0 ? 0 : deadline_ms - clock_mono_ms();
	st = link_ask(l, lines.p, &f, deadline_ms < 0 ? 0 : left > 0 ? (int)left : 1);
	const char *text = st ? NULL : stanza_get(&f, "reply-text");
	if (!st && (!text || strncmp(text, "+OK", 3)))
		st = fail(l, ST_DENIED, "Authentication Error");
	stanza_fini(&f);
out:
	buf_fini(&lines);
	return st;
}

int link_open(struct link *l, const char *host, unsigned port, const char *user, const char *password, int timeout_ms)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
	char service[16];
	int64_t deadline_ms = timeout_ms > 0 ? clock_mono_ms() + timeout_ms : -1;
	snprintf(service, sizeof(service), "%u", port);
	int error = getaddrinfo(host, service, &hints, &list);
	if (error)
		return fail(l, ST_IO, gai_strerror(error));
	int st = ST_IO;
	for (struct addrinfo *ai = list; ai && st; ai = ai->ai_next)
		st = connect_one(l, ai, deadline_ms);
	freeaddrinfo(list);
	if (!st)
		st = login(l, user, password, deadline_ms);
	if (st)
		link_close(l);
	return st;
}
