/* net/udp and net/tcp on loopback. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "harness.h"
#include "loop/loop.h"
#include "net/tcp.h"
#include "net/udp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static struct addr loopback(const char *host)
{
	struct addr a;
	if (addr_parse(&a, sv_of(host), 0))
		abort();
	return a;
}

/* ---- UDP ---- */

static struct udp *echo, *client;
static int received_count, wrong_count;

static void echo_recv(const char *data, size_t n, const struct addr *src, void *arg)
{
	role_assert_ctl();
	udp_send(echo, src, data, n);
}

static void client_recv(const char *data, size_t n, const struct addr *src, void *arg)
{
	role_assert_ctl();
	wrong_count += data[n] != 0 || n != 5 + (size_t)received_count % 100 || memcmp(data, "hello", 5);
	if (++received_count == *(int *)arg)
		loop_stop();
}

static int udp_pair(const char *host, int want)
{
	struct addr any = loopback(host), to;
	static char text[200];
	role_assert_ctl();
	memset(text, 0, sizeof(text));
	memcpy(text, "hello", 5);
	EXPECT_INT(udp_open(&echo, &any, 0, echo_recv, NULL), 0);
	EXPECT_INT(udp_open(&client, &any, 0, client_recv, &want), 0);
	udp_local(echo, &to);
	EXPECT(addr_port(&to) != 0);
	struct udp *second;
	EXPECT_INT(udp_open(&second, &to, 0, echo_recv, NULL), ST_EXISTS);
	for (int i = 0; i < want; i++)
		EXPECT_INT(udp_send(client, &to, text, 5 + (size_t)i % 100), 0);
	loop_run();
	EXPECT_INT(received_count, want);
	EXPECT_INT(wrong_count, 0);
	udp_close(echo);
	/* The port is closed now: the ICMP error of this send is nobody's failure. */
	for (int i = 0; i < 3; i++) {
		EXPECT_INT(udp_send(client, &to, text, 5), 0);
		loop_run_nowait();
	}
	udp_close(client);
	udp_close(NULL);
	return 0;
}

static int test_udp(void)
{
	return udp_pair("127.0.0.1", 500);
}

static int test_udp6(void)
{
	if (access("/proc/net/if_inet6", R_OK)) {
		test_skip("no IPv6 here");
		return 0;
	}
	return udp_pair("::1", 50);
}

static void closing_recv(const char *data, size_t n, const struct addr *src, void *arg)
{
	role_assert_ctl();
	received_count++;
	udp_close(client);
	loop_stop();
}

NO_ROLE_CHECK static int test_udp_close_in_callback(void)
{
	struct addr any = loopback("127.0.0.1"), to;
	EXPECT_INT(udp_open(&client, &any, 0, closing_recv, NULL), 0);
	udp_local(client, &to);
	for (int i = 0; i < 5; i++)
		EXPECT_INT(udp_send(client, &to, "x", 1), 0);
	loop_run();
	loop_run_nowait();
	EXPECT_INT(received_count, 1);
	return 0;
}

/* ---- TCP ---- */

enum { BULK = 12000000 };
static struct tcp_listener *listener;
static struct tcp_conn *server_side, *client_side;
static int accept_count, connect_status = 99, close_status = 99, drain_count, close_count;
static size_t server_bytes;
static unsigned server_sum;
static int close_on_data, stop_on_close;

static void on_data(struct tcp_conn *c, const char *data, size_t n, void *arg)
{
	role_assert_ctl();
	for (size_t i = 0; i < n; i++)
		server_sum = server_sum * 31 + (unsigned char)data[i];
	server_bytes += n;
	if (close_on_data) {
		tcp_conn_send(c, "bye", 3);
		tcp_conn_close(c);
	}
}

static void on_close(struct tcp_conn *c, int status, void *arg)
{
	role_assert_ctl();
	if (!close_count++)
		close_status = status;
	if (stop_on_close)
		loop_stop();
}

static void on_connect(struct tcp_conn *c, int status, void *arg)
{
	role_assert_ctl();
	connect_status = status;
	if (status || !arg)
		loop_stop();
}

static void on_drain(struct tcp_conn *c, void *arg)
{
	role_assert_ctl();
	drain_count++;
}

static const struct tcp_handlers server_handlers = {.on_data = on_data, .on_close = on_close};
static const struct tcp_handlers client_handlers = {
    .on_data = on_data, .on_connect = on_connect, .on_close = on_close, .on_drain = on_drain};

static void on_accept(struct tcp_conn *c, void *arg)
{
	role_assert_ctl();
	accept_count++;
	if (arg)
		return; /* not kept */
	server_side = mem_ref(c);
	tcp_conn_set(c, &server_handlers, NULL);
}

/* Connects the two sides. */
static int tcp_pair(void *accept_arg)
{
	struct addr any = loopback("127.0.0.1"), to;
	role_assert_ctl();
	EXPECT_INT(tcp_listen(&listener, &any, on_accept, accept_arg), 0);
	tcp_listener_local(listener, &to);
	EXPECT_INT(tcp_connect(&client_side, &to, 5000000, &client_handlers, NULL), 0);
	while (connect_status == 99 || !accept_count)
		loop_run_once();
	EXPECT_INT(connect_status, 0);
	tcp_listener_close(listener);
	EXPECT(addr_eq(tcp_conn_peer(client_side), &to));
	if (server_side)
		EXPECT(addr_eq(tcp_conn_peer(server_side), tcp_conn_local(client_side)));
	return 0;
}

/* More than the kernel takes at once arrives whole, is drained, and close flushes what is queued. */
NO_ROLE_CHECK static int test_tcp_bulk(void)
{
	static char bulk[BULK];
	unsigned sum = 0;
	EXPECT_INT(tcp_pair(NULL), 0);
	for (size_t i = 0; i < BULK; i++) {
		bulk[i] = (char)(i * 7 + i / 1000);
		sum = sum * 31 + (unsigned char)bulk[i];
	}
	tcp_conn_set_limits(client_side, 4 * BULK, 0);
	tcp_conn_pause(server_side, true);
	for (size_t at = 0; at < BULK; at += BULK / 3)
		EXPECT_INT(tcp_conn_send(client_side, bulk + at, BULK / 3), 0);
	for (int i = 0; i < 5; i++)
		loop_run_nowait();
	EXPECT_INT(server_bytes, 0);
	EXPECT(tcp_conn_queued_bytes(client_side) > 0);
	tcp_conn_pause(server_side, false);
	while (tcp_conn_queued_bytes(client_side) > 100000)
		loop_run_once();
	tcp_conn_close(client_side);
	stop_on_close = 1;
	loop_run();
	EXPECT_INT(server_bytes, BULK);
	EXPECT_INT(server_sum, sum);
	EXPECT_INT(close_status, ST_CLOSED);
	EXPECT_INT(close_count, 1);
	EXPECT_INT(tcp_conn_send(client_side, "x", 1), ST_CLOSED);
	mem_unref(client_side);
	mem_unref(server_side);
	return 0;
}

NO_ROLE_CHECK static int test_tcp_queue_full(void)
{
	static char bulk[100000];
	int rc = 0, sent = 0;
	EXPECT_INT(tcp_pair(NULL), 0);
	tcp_conn_set_limits(client_side, 200000, 0);
	tcp_conn_pause(server_side, true);
	while (!rc && sent < 1000) {
		rc = tcp_conn_send(client_side, bulk, sizeof(bulk));
		sent += !rc;
		loop_run_nowait();
	}
	EXPECT_INT(rc, ST_FULL);
	EXPECT(tcp_conn_queued_bytes(client_side) <= 200000);
	EXPECT_INT(tcp_conn_send(client_side, bulk, 0), 0);
	EXPECT_INT(drain_count, 0);
	tcp_conn_pause(server_side, false);
	while (server_bytes < (size_t)sent * sizeof(bulk))
		loop_run_once();
	EXPECT(drain_count >= 1);
	tcp_conn_close(client_side);
	tcp_conn_close(server_side);
	mem_unref(client_side);
	mem_unref(server_side);
	return 0;
}

NO_ROLE_CHECK static int test_tcp_close_in_callback(void)
{
	EXPECT_INT(tcp_pair(NULL), 0);
	close_on_data = 1;
	EXPECT_INT(tcp_conn_send(client_side, "hello", 5), 0);
	while (server_bytes < 8) /* hello one way, bye the other: both sides close in on_data */
		loop_run_once();
	loop_run_nowait();
	EXPECT_INT(close_count, 0);
	mem_unref(client_side);
	mem_unref(server_side);
	return 0;
}

/* A connection the listener's owner does not keep is closed. */
NO_ROLE_CHECK static int test_tcp_not_kept(void)
{
	EXPECT_INT(tcp_pair(&accept_count), 0);
	while (!close_count)
		loop_run_once();
	EXPECT_INT(close_status, ST_CLOSED);
	mem_unref(client_side);
	return 0;
}

NO_ROLE_CHECK static int test_tcp_refused(void)
{
	struct addr any = loopback("127.0.0.1"), to;
	EXPECT_INT(tcp_listen(&listener, &any, on_accept, NULL), 0);
	tcp_listener_local(listener, &to);
	struct tcp_listener *second;
	EXPECT_INT(tcp_listen(&second, &to, on_accept, NULL), ST_EXISTS);
	tcp_listener_close(listener);
	EXPECT_INT(tcp_connect(&client_side, &to, 5000000, &client_handlers, NULL), 0);
	loop_run();
	EXPECT_INT(connect_status, ST_CLOSED);
	EXPECT_INT(close_count, 0);
	mem_unref(client_side);
	return 0;
}

NO_ROLE_CHECK static int test_tcp_idle(void)
{
	clock_fake_start(0);
	EXPECT_INT(tcp_pair(NULL), 0);
	tcp_conn_set_limits(server_side, 1000, 1000000);
	clock_fake_advance(900000);
	EXPECT_INT(tcp_conn_send(client_side, "x", 1), 0);
	while (!server_bytes)
		loop_run_once();
	clock_fake_advance(900000);
	loop_run_once();
	EXPECT_INT(close_count, 0);
	clock_fake_advance(100000);
	while (!close_count)
		loop_run_once();
	EXPECT_INT(close_status, ST_TIMEOUT);
	tcp_conn_close(client_side);
	mem_unref(client_side);
	mem_unref(server_side);
	clock_fake_stop();
	return 0;
}

/* A far side that reads nothing delays the end by two seconds and no more. */
NO_ROLE_CHECK static int test_tcp_linger(void)
{
	static char bulk[8 << 20];
	clock_fake_start(0);
	EXPECT_INT(tcp_pair(NULL), 0);
	tcp_conn_pause(server_side, true);
	tcp_conn_set_limits(client_side, 16 << 20, 0);
	EXPECT_INT(tcp_conn_send(client_side, bulk, sizeof(bulk)), 0);
	EXPECT(tcp_conn_queued_bytes(client_side) > 0);
	tcp_conn_close(client_side);
	loop_run_once();
	EXPECT_INT(mem_refs(client_side), 2);
	clock_fake_advance(2000000);
	loop_run_once();
	EXPECT_INT(mem_refs(client_side), 1);
	tcp_conn_close(server_side); /* unread input: lingers, and loop_fini ends it */
	mem_unref(client_side);
	mem_unref(server_side);
	clock_fake_stop();
	return 0;
}

/* Out of descriptors, a connection is refused at once instead of left waiting, and the loop does not spin. */
NO_ROLE_CHECK static int test_tcp_out_of_fds(void)
{
	struct rlimit limit, low;
	struct addr any = loopback("127.0.0.1"), to;
	EXPECT_INT(tcp_listen(&listener, &any, on_accept, NULL), 0);
	tcp_listener_local(listener, &to);
	EXPECT_INT(tcp_connect(&client_side, &to, 5000000, &client_handlers, &to), 0);
	int next = dup(0);
	EXPECT(next > 0 && !close(next) && !getrlimit(RLIMIT_NOFILE, &limit));
	low = limit;
	low.rlim_cur = (rlim_t)next;
	EXPECT(!setrlimit(RLIMIT_NOFILE, &low));
	while (!close_count)
		loop_run_once();
	EXPECT(!setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_INT(accept_count, 0);
	EXPECT_INT(connect_status, 0);
	EXPECT_INT(close_status, ST_CLOSED);
	tcp_listener_close(listener);
	mem_unref(client_side);
	return 0;
}

NO_ROLE_CHECK static int test_oom(void)
{
	struct addr any = loopback("127.0.0.1"), to;
	int rc = udp_open(&client, &any, 0, client_recv, NULL);
	if (!rc) {
		udp_close(client);
		rc = tcp_listen(&listener, &any, on_accept, &any);
	}
	if (!rc) {
		tcp_listener_local(listener, &to);
		rc = tcp_connect(&client_side, &to, 5000000, &client_handlers, &to);
		if (!rc) {
			while (!close_count)
				loop_run_once();
			mem_unref(client_side);
		}
		tcp_listener_close(listener);
	}
	EXPECT_INT(rc, 0);
	return 0;
}

TEST_MAIN({"udp", test_udp, TEST_LOOP}, {"udp6", test_udp6, TEST_LOOP},
    {"udp_close_in_callback", test_udp_close_in_callback, TEST_LOOP}, {"tcp_bulk", test_tcp_bulk, TEST_LOOP},
    {"tcp_queue_full", test_tcp_queue_full, TEST_LOOP},
    {"tcp_close_in_callback", test_tcp_close_in_callback, TEST_LOOP}, {"tcp_not_kept", test_tcp_not_kept, TEST_LOOP},
    {"tcp_refused", test_tcp_refused, TEST_LOOP}, {"tcp_idle", test_tcp_idle, TEST_LOOP},
    {"tcp_linger", test_tcp_linger, TEST_LOOP}, {"tcp_out_of_fds", test_tcp_out_of_fds, TEST_LOOP},
    {"oom", test_oom, TEST_LOOP | TEST_OOM})
