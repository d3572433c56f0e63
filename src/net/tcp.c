/* TCP on the control loop with plain descriptors. A connection holds one reference to itself while its socket is open.
 * In: readable -> recv into one shared buffer -> on_data. Out: send at once; what the kernel does not take waits in a
 * bounded buffer for the socket to become writable. A failure found inside tcp_conn_send is told by a deferred call, so
 * on_close never runs inside a call of the owner's. After tcp_conn_close the socket lives on for at most 2 s to flush.
 * Out of descriptors a listener first ends a silent connection (net/conn_limit.h), and refuses only where there is
 * none.
 */
#include "net/tcp.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "loop/loop.h"
#include "net/conn_limit.h"
#include "net/sock_i.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
	OUT_MAX_DEFAULT = 1 << 20,
	READ_BYTES = 16384,
	READ_US = 1000,      /* and no longer in a wake, but for the piece under way */
	STRANGERS_US = 2000, /* that all strangers' reads may take in a turn of the loop before they get little each */
	STRANGER_BYTES = 2048,
	ACCEPTS_PER_WAKE = 64,
	ACCEPT_US = 2000, /* and no longer in a wake: what a connection costs is its owner's */
	BACKLOG = 1024,
	LINGER_US = 2000000,
	/* a far side that is gone without a word is found out after two minutes */
	KEEPALIVE_IDLE_S = 60,
	KEEPALIVE_STEP_S = 15,
	KEEPALIVE_COUNT = 4
};

struct tcp_conn {
	int fd; /* -1: closed */
	struct lpoll *poll;
	const struct tcp_handlers *h; /* NULL: nobody is told any more */
	void *arg;
	struct conn_guard *guard;
	struct addr peer, local;
	struct buf out;
	size_t out_at, out_max; /* sent up to; bound */
	struct ltimer timer;    /* connecting: deadline; open: idle; lingering: the end */
	struct ldefer failure;
	int failure_status;
	int64_t idle_us, active_us;
	bool is_connecting, is_lingering, is_paused, is_shut;
};

struct tcp_listener {
	int fd, reserve_fd;
	int64_t refused_us; /* when that was last logged */
	struct lpoll *poll;
	struct addr local;
	tcp_accept_fn fn;
	void *arg;
};

static char read_buffer[READ_BYTES];

static void conn_dtor(void *obj)
{
	struct tcp_conn *c = obj;
	buf_fini(&c->out);
}

static size_t queued(const struct tcp_conn *c)
{
	return c->out.n - c->out_at;
}

/* Gives up the socket and the connection's reference to itself. */
static ON_CTL void conn_destroy(struct tcp_conn *c)
{
	if (c->fd < 0)
		return;
	loop_timer_cancel(&c->timer);
	loop_defer_cancel(&c->failure);
	loop_poll_close(c->poll);
	close(c->fd);
	c->fd = -1, c->h = NULL, c->guard = NULL;
	mem_unref(c);
}

static void conn_destroy_cb(void *arg)
{
	role_assert_ctl();
	conn_destroy(arg);
}

static ON_CTL void poll_update(struct tcp_conn *c)
{
	int events = c->is_paused || c->is_connecting ? 0 : LOOP_READ;
	if (c->is_connecting || queued(c))
		events |= LOOP_WRITE;
	loop_poll_set(c->poll, events);
}

/* The owner is not told any more. Unread input would make the kernel reset the connection and lose our last words, so
 * it is read away, too. */
static ON_CTL void conn_linger(struct tcp_conn *c)
{
	int unread = 0;
	c->h = NULL, c->guard = NULL;
	ioctl(c->fd, FIONREAD, &unread);
	if (c->is_connecting || (!queued(c) && !unread)) {
		conn_destroy(c);
		return;
	}
	c->is_lingering = true, c->is_paused = false;
	loop_defer_cancel(&c->failure);
	loop_timer_set(&c->timer, LINGER_US, "tcp linger", conn_destroy_cb, c);
	loop_poll_on_fini(c->poll, conn_destroy_cb, c);
	if (!queued(c)) {
		shutdown(c->fd, SHUT_WR);
		c->is_shut = true;
	}
	poll_update(c);
}

/* The one way a connection ends other than by its owner. */
static ON_CTL void conn_fail(struct tcp_conn *c, int status)
{
	const struct tcp_handlers *h = c->h;
	bool was_connecting = c->is_connecting, was_lingering = c->is_lingering;
	mem_ref(c);
	c->h = NULL, c->guard = NULL;
	if (h && was_connecting && h->on_connect)
		h->on_connect(c, status, c->arg);
	else if (h && h->on_close)
		h->on_close(c, status, c->arg);
	if (c->fd < 0)
		goto out;
	if (was_lingering && queued(c)) {
		c->is_paused = true; /* the far side has said all; ours is still on the way */
		poll_update(c);
	} else if (was_lingering || was_connecting || status != ST_CLOSED) {
		conn_destroy(c);
	} else if (!c->is_lingering) {
		conn_linger(c); /* a far side that only finished sending may still read our answer */
	}
out:
	mem_unref(c);
}

static void conn_fail_cb(void *arg)
{
	struct tcp_conn *c = arg;
	role_assert_ctl();
	buf_clear(&c->out);
	c->out_at = 0;
	conn_fail(c, c->failure_status);
}

static void idle_check(void *arg)
{
	struct tcp_conn *c = arg;
	role_assert_ctl();
	int64_t left_us = c->active_us + c->idle_us - clock_mono_us();
	if (left_us <= 0)
		conn_fail(c, ST_TIMEOUT);
	else
		loop_timer_set(&c->timer, left_us, "tcp idle", idle_check, c);
}

static ON_CTL void idle_start(struct tcp_conn *c)
{
	c->active_us = loop_now_us();
	if (c->is_connecting || c->is_lingering)
		return;
	if (c->idle_us > 0)
		loop_timer_set(&c->timer, c->idle_us, "tcp idle", idle_check, c);
	else
		loop_timer_cancel(&c->timer);
}

static void connect_timed_out(void *arg)
{
	role_assert_ctl();
	conn_fail(arg, ST_TIMEOUT);
}

/* Sends what waits. A negative status when the connection is broken. */
static ON_CTL int conn_flush(struct tcp_conn *c)
{
	bool was_high = queued(c) >= c->out_max / 2;
	while (queued(c)) {
		ssize_t n = send(c->fd, c->out.p + c->out_at, queued(c), MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0)
			return ST_CLOSED;
		c->out_at += (size_t)n;
		c->active_us = loop_now_us();
	}
	if (c->out_at && c->out_at >= c->out.n / 2) {
		buf_drop(&c->out, c->out_at);
		c->out_at = 0;
	}
	if (c->is_lingering && !queued(c) && !c->is_shut) {
		if (c->is_paused) {
			conn_destroy(c);
			return ST_OK;
		}
		shutdown(c->fd, SHUT_WR);
		c->is_shut = true;
	}
	poll_update(c);
	if (was_high && queued(c) < c->out_max / 2 && c->h && c->h->on_drain)
		c->h->on_drain(c, c->arg);
	return ST_OK;
}

static ON_CTL void conn_connected(struct tcp_conn *c)
{
	int error = 0;
	socklen_t n = sizeof(error);
	char text[ADDR_TEXT_MAX];
	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &n);
	if (error) {
		log_info("cannot connect to %s: %s", addr_text(&c->peer, text), strerror(error));
		conn_fail(c, error == ECONNREFUSED || error == ECONNRESET ? ST_CLOSED : ST_IO);
		return;
	}
	c->is_connecting = false;
	sock_local(c->fd, &c->local);
	idle_start(c);
	poll_update(c);
	if (c->h && c->h->on_connect)
		c->h->on_connect(c, ST_OK, c->arg);
}

/* However many flood, who has shown who he is is soon read again: what strangers' reads took in this turn. */
static int64_t strangers_turn_us, strangers_us;

static ON_CTL void conn_read(struct tcp_conn *c)
{
	int64_t begin_us = clock_mono_us();
	bool is_stranger = c->guard && !conn_guard_is_trusted(c->guard);
	if (strangers_turn_us != loop_now_us())
		strangers_turn_us = loop_now_us(), strangers_us = 0;
	size_t most = is_stranger && strangers_us > STRANGERS_US ? STRANGER_BYTES : READ_BYTES;
	while (c->fd >= 0 && !c->is_paused) {
		ssize_t n = recv(c->fd, read_buffer, most, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n <= 0) {
			conn_fail(c, ST_CLOSED);
			break;
		}
		c->active_us = loop_now_us();
		if (c->h && c->h->on_data)
			c->h->on_data(c, read_buffer, (size_t)n, c->arg);
		if (n < READ_BYTES || clock_mono_us() - begin_us >= READ_US)
			break;
	}
	if (is_stranger)
		strangers_us += clock_mono_us() - begin_us;
}

static void conn_ready(int events, void *arg)
{
	struct tcp_conn *c = mem_ref(arg);
	role_assert_ctl();
	int64_t start_ns = c->guard ? conn_cpu_ns() : 0;
	if (c->is_connecting && c->fd >= 0)
		conn_connected(c);
	if (c->fd >= 0 && !c->is_connecting && events & LOOP_WRITE && queued(c) && conn_flush(c)) {
		buf_clear(&c->out); /* nobody will read it */
		c->out_at = 0;
		conn_fail(c, ST_CLOSED);
	}
	if (c->fd >= 0 && !c->is_connecting && events & LOOP_READ)
		conn_read(c);
	if (c->guard && start_ns)
		conn_guard_used(c->guard, conn_cpu_ns() - start_ns);
	mem_unref(c);
}

static void keepalive_set(int fd)
{
	static const int options[][2] = {{TCP_NODELAY, 1}, {TCP_KEEPIDLE, KEEPALIVE_IDLE_S},
	    {TCP_KEEPINTVL, KEEPALIVE_STEP_S}, {TCP_KEEPCNT, KEEPALIVE_COUNT}};
	int one = 1;
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		setsockopt(fd, IPPROTO_TCP, options[i][0], &options[i][1], sizeof(options[i][1]));
}

/* Takes fd, also on failure. The reference is the connection's own. */
static ON_CTL int conn_new(struct tcp_conn **out, int fd, const struct addr *peer)
{
	int rc;
	struct tcp_conn *c = mem_new(sizeof(*c), conn_dtor, "net.tcp_conn");
	if (!c) {
		close(fd);
		return ST_NOMEM;
	}
	c->fd = fd, c->peer = *peer, c->out_max = OUT_MAX_DEFAULT;
	buf_init(&c->out);
	keepalive_set(fd);
	rc = loop_poll_open(&c->poll, fd, "tcp", conn_ready, c);
	if (rc) {
		close(fd);
		mem_unref(c);
		return rc;
	}
	*out = c;
	return ST_OK;
}

int tcp_connect(
    struct tcp_conn **out, const struct addr *dst, int64_t timeout_us, const struct tcp_handlers *h, void *arg)
{
	char text[ADDR_TEXT_MAX];
	struct tcp_conn *c;
	int fd = socket(dst->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), rc;
	if (fd < 0 || (connect(fd, &dst->sa, addr_len(dst)) && errno != EINPROGRESS)) {
		log_info("cannot connect to %s: %s", addr_text(dst, text), strerror(errno));
		if (fd >= 0)
			close(fd);
		return ST_IO;
	}
	rc = conn_new(&c, fd, dst);
	if (rc)
		return rc;
	c->h = h, c->arg = arg, c->is_connecting = true;
	if (timeout_us > 0)
		loop_timer_set(&c->timer, timeout_us, "tcp connect", connect_timed_out, c);
	poll_update(c);
	*out = mem_ref(c);
	return ST_OK;
}

void tcp_conn_set(struct tcp_conn *c, const struct tcp_handlers *h, void *arg)
{
	if (c->fd < 0 || c->is_lingering)
		return;
	c->h = h, c->arg = arg;
}

int tcp_conn_send(struct tcp_conn *c, const void *p, size_t n)
{
	const char *at = p;
	if (c->fd < 0 || c->is_lingering || c->failure_status)
		return ST_CLOSED;
	if (n > c->out_max || queued(c) > c->out_max - n)
		return ST_FULL;
	while (n && !queued(c) && !c->is_connecting) {
		ssize_t sent = send(c->fd, at, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && errno != EAGAIN) {
			c->failure_status = ST_CLOSED;
			loop_defer(&c->failure, "tcp failure", conn_fail_cb, c);
			return ST_CLOSED;
		}
		if (sent < 0)
			break;
		at += sent, n -= (size_t)sent;
		c->active_us = loop_now_us();
	}
	if (!n)
		return ST_OK;
	if (buf_add(&c->out, at, n))
		return ST_NOMEM;
	poll_update(c);
	return ST_OK;
}

void tcp_conn_set_limits(struct tcp_conn *c, size_t out_queue_max_bytes, int64_t idle_timeout_us)
{
	if (c->fd < 0 || c->is_lingering)
		return;
	c->out_max = out_queue_max_bytes;
	c->idle_us = idle_timeout_us;
	idle_start(c);
}

void tcp_conn_pause(struct tcp_conn *c, bool is_paused)
{
	if (c->fd < 0 || c->is_lingering)
		return;
	c->is_paused = is_paused;
	poll_update(c);
}

size_t tcp_conn_queued_bytes(const struct tcp_conn *c)
{
	return queued(c);
}

const struct addr *tcp_conn_peer(const struct tcp_conn *c)
{
	return &c->peer;
}

const struct addr *tcp_conn_local(const struct tcp_conn *c)
{
	return &c->local;
}

void tcp_conn_close(struct tcp_conn *c)
{
	if (!c || c->fd < 0 || c->is_lingering)
		return;
	if (c->failure_status)
		conn_destroy(c);
	else
		conn_linger(c);
}

void tcp_conn_abort(struct tcp_conn *c)
{
	if (c)
		conn_destroy(c);
}

void tcp_conn_set_guard(struct tcp_conn *c, struct conn_guard *g)
{
	if (c->fd >= 0 && !c->is_lingering)
		c->guard = g;
}

/* ---- listeners ---- */

/* Out of descriptors: the reserve takes the connection off the queue and refuses it; else the loop would spin on it. */
static ON_CTL void refuse_one(struct tcp_listener *l)
{
	if (!l->refused_us || loop_now_us() - l->refused_us > 1000000) {
		l->refused_us = loop_now_us();
		log_warning("out of file descriptors: connections are refused");
	}
	close(l->reserve_fd);
	int fd = accept(l->fd, NULL, NULL);
	if (fd >= 0)
		close(fd);
	l->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void accept_ready(int events, void *arg)
{
	struct tcp_listener *l = mem_ref(arg);
	role_assert_ctl();
	int64_t until_us = clock_mono_us() + ACCEPT_US;
	for (int i = 0; i < ACCEPTS_PER_WAKE && l->fd >= 0 && clock_mono_us() < until_us; i++) {
		struct addr peer;
		struct tcp_conn *c;
		socklen_t n = sizeof(peer);
		memset(&peer, 0, sizeof(peer));
		int fd = accept4(l->fd, &peer.sa, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
			if (conn_limit_relieve())
				continue;
			refuse_one(l);
			errno = EAGAIN;
		}
		if (fd < 0 && errno == EAGAIN)
			break;
		if (fd < 0 || conn_new(&c, fd, &peer))
			continue;
		sock_local(fd, &c->local);
		mem_ref(c);
		l->fn(c, l->arg);
		if (c->fd >= 0 && !c->is_lingering) {
			if (c->h)
				poll_update(c);
			else
				conn_linger(c);
		}
		mem_unref(c);
	}
	mem_unref(l);
}

int tcp_listen(struct tcp_listener **out, const struct addr *bind_addr, tcp_accept_fn fn, void *arg)
{
	struct tcp_listener *l = mem_new(sizeof(*l), NULL, "net.tcp_listener");
	if (!l)
		return ST_NOMEM;
	l->fn = fn, l->arg = arg;
	l->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int rc = sock_open(&l->fd, SOCK_STREAM, bind_addr);
	if (rc)
		goto fail;
	if (listen(l->fd, BACKLOG)) {
		rc = errno == EADDRINUSE ? ST_EXISTS : ST_IO;
		log_error("cannot listen: %s", strerror(errno));
		goto fail;
	}
	sock_local(l->fd, &l->local);
	rc = loop_poll_open(&l->poll, l->fd, "tcp listener", accept_ready, l);
	if (!rc)
		rc = loop_poll_set(l->poll, LOOP_READ);
	if (rc)
		goto fail;
	*out = l;
	return ST_OK;
fail:
	loop_poll_close(l->poll);
	if (l->fd >= 0)
		close(l->fd);
	close(l->reserve_fd);
	mem_unref(l);
	return rc;
}

void tcp_listener_local(const struct tcp_listener *l, struct addr *out)
{
	*out = l->local;
}

void tcp_listener_close(struct tcp_listener *l)
{
	if (!l || l->fd < 0)
		return;
	loop_poll_close(l->poll);
	close(l->fd);
	close(l->reserve_fd);
	l->fd = -1;
	mem_unref(l);
}
