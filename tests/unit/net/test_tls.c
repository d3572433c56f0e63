/* TLS over real sockets on loopback: much data both ways, bounds, pauses, sessions taken up again, certificates that
 * are refused, far sides that are plain or silent; whose turn a handshake is; certificates made; the opening of
 * WebSocket. */
#include "base/clock.h"
#include "base/mem.h"
#include "harness.h"
#include "loop/loop.h"
#include "net/cert.h"
#include "net/http_reader.h"
#include "net/tcp.h"
#include "net/tls.h"
#include "net/tls_turn.h"
#include "net/ws_open.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BULK = 3000000 };
static char folder[] = "/tmp/tandem-tls-XXXXXX", cert_path[64];
static struct tls_ctx *ctx;
static struct tls_listener *listener;
static struct tls_conn *server, *client;
static size_t received_count, sent_count;
static int connect_status, close_status, wrong_count;

static struct addr loopback(void)
{
	struct addr a;
	addr_parse(&a, SV("127.0.0.1"), 0);
	return a;
}

/* Made once a process. */
static ON_CTL int setup(unsigned verify)
{
	static const char *const names[] = {"tls.example", "127.0.0.1", NULL};
	struct buf why;
	struct addr any = loopback();
	bool was_made;
	buf_init(&why);
	EXPECT(mkdtemp(folder) != NULL);
	snprintf(cert_path, sizeof(cert_path), "%s/x/own.pem", folder);
	EXPECT_INT(cert_ensure(cert_path, CERT_EC, names, &was_made), 0);
	EXPECT(was_made);
	struct stat s;
	EXPECT(!stat(cert_path, &s) && (s.st_mode & 0777) == 0600);
	EXPECT_INT(cert_ensure(cert_path, CERT_EC, names, &was_made), 0);
	EXPECT(!was_made);
	struct tls_conf conf = {.cert_path = cert_path, .session_life_s = 300, .verify = verify};
	EXPECT_INT(tls_ctx_new(&ctx, &conf, &why), 0);
	buf_fini(&why);
	received_count = sent_count = 0;
	connect_status = close_status = 1;
	wrong_count = 0;
	(void)any;
	return 0;
}

static ON_CTL void teardown(void)
{
	tls_listener_close(listener);
	mem_unref(ctx);
	listener = NULL, ctx = NULL;
	for (int i = 0; i < 20; i++)
		loop_run_nowait();
	unlink(cert_path);
	*strrchr(cert_path, '/') = 0;
	rmdir(cert_path);
	rmdir(folder);
}

/* ---- an echo ---- */

static void echo_data(struct tls_conn *c, const char *p, size_t n, void *arg)
{
	role_assert_ctl();
	if (tls_conn_send(c, p, n))
		wrong_count++;
}
static void echo_close(struct tls_conn *c, int status, void *arg)
{
	role_assert_ctl();
	server = mem_unref(server);
	close_status = status;
	loop_stop();
}
static const struct tls_handlers echo = {.on_data = echo_data, .on_close = echo_close};

static void on_accept(struct tls_conn *c, void *arg)
{
	role_assert_ctl();
	server = mem_ref(c);
	tls_conn_set_limits(c, 16 << 20, 0);
	tls_conn_set(c, &echo, NULL);
}

static void client_data(struct tls_conn *c, const char *p, size_t n, void *arg)
{
	role_assert_ctl();
	for (size_t i = 0; i < n; i++)
		wrong_count += (uint8_t)p[i] != (uint8_t)((received_count + i) * 7);
	received_count += n;
	if (received_count == *(size_t *)arg)
		loop_stop();
}
static void client_connect(struct tls_conn *c, int status, void *arg)
{
	role_assert_ctl();
	connect_status = status;
	if (status)
		loop_stop();
}
static void client_close(struct tls_conn *c, int status, void *arg)
{
	role_assert_ctl();
	close_status = status;
	loop_stop();
}
static const struct tls_handlers speaker = {
    .on_data = client_data, .on_connect = client_connect, .on_close = client_close};

static ON_CTL int open_both(struct tls_ctx *mine, struct tls_ctx *theirs, const char *name, size_t *want)
{
	struct addr any = loopback(), to;
	EXPECT_INT(tls_listen(&listener, &any, theirs, on_accept, NULL), 0);
	tls_listener_local(listener, &to);
	EXPECT_INT(tls_connect(&client, &to, mine, name, 0, &speaker, want), 0);
	return 0;
}

static ON_CTL void speak(size_t n)
{
	static char text[50000];
	for (size_t at = 0; at < n;) {
		size_t some = n - at < sizeof(text) ? n - at : sizeof(text);
		for (size_t i = 0; i < some; i++)
			text[i] = (char)((sent_count + i) * 7);
		if (tls_conn_send(client, text, some))
			wrong_count++;
		sent_count += some;
		at += some;
	}
}

static ON_CTL int bulk(struct tls_ctx *mine, struct tls_ctx *theirs)
{
	size_t want = BULK;
	if (open_both(mine, theirs, "tls.example", &want))
		return 1;
	tls_conn_set_limits(client, 16 << 20, 0);
	speak(BULK / 2); /* before it stands: kept */
	EXPECT(received_count == 0);
	tls_conn_pause(client, true);
	tls_conn_pause(client, false);
	want = BULK / 2;
	loop_run();
	want = BULK;
	speak(BULK / 2);
	loop_run();
	EXPECT_INT(connect_status, 0);
	EXPECT_INT(received_count, BULK);
	EXPECT_INT(wrong_count, 0);
	tls_conn_close(client);
	EXPECT_INT(tls_conn_send(client, "x", 1), ST_CLOSED);
	client = mem_unref(client);
	loop_run(); /* the server hears of it */
	EXPECT_INT(close_status, ST_CLOSED);
	EXPECT(!server);
	return 0;
}

NO_ROLE_CHECK static int test_bulk(void)
{
	EXPECT_INT(setup(0), 0);
	EXPECT_INT(bulk(ctx, ctx), 0);
	teardown();
	return 0;
}

NO_ROLE_CHECK static int test_plain(void)
{
	EXPECT_INT(setup(0), 0);
	EXPECT_INT(bulk(NULL, NULL), 0);
	teardown();
	return 0;
}

NO_ROLE_CHECK static int test_resumed(void)
{
	struct tls_counts before, after;
	EXPECT_INT(setup(0), 0);
	size_t want = 10;
	struct addr to;
	EXPECT_INT(open_both(ctx, ctx, "tls.example", &want), 0);
	tls_listener_local(listener, &to);
	for (int i = 0; i < 2; i++) {
		received_count = sent_count = 0;
		if (i)
			EXPECT_INT(tls_connect(&client, &to, ctx, "tls.example", 0, &speaker, &want), 0);
		tls_counts(&before);
		speak(10);
		loop_run(); /* the ticket came before the echo */
		tls_counts(&after);
		EXPECT_INT(after.handshakes - before.handshakes, 2);
		EXPECT_INT(after.resumed - before.resumed, i ? 2 : 0);
		tls_conn_close(client);
		client = mem_unref(client);
		loop_run();
	}
	EXPECT_INT(after.under_way + after.waiting, 0);
	teardown();
	return 0;
}

NO_ROLE_CHECK static int test_refused(void)
{
	size_t want = 1;
	EXPECT_INT(setup(TLS_VERIFY_OUT), 0);
	EXPECT_INT(open_both(ctx, ctx, NULL, &want), 0);
	loop_run(); /* nobody we know has signed it */
	if (connect_status == 1)
		loop_run(); /* the server's end was told first */
	EXPECT_INT(connect_status, ST_DENIED);
	client = mem_unref(client);
	for (int i = 0; i < 100 && server; i++)
		loop_run_once();
	teardown();
	return 0;
}

NO_ROLE_CHECK static int test_bounds(void)
{
	static char text[100000];
	size_t want = 1;
	EXPECT_INT(setup(0), 0);
	EXPECT_INT(open_both(ctx, ctx, NULL, &want), 0);
	tls_conn_set_limits(client, 20000, 0);
	EXPECT_INT(tls_conn_send(client, text, 20001), ST_FULL);
	EXPECT_INT(tls_conn_send(client, text, 15000), 0);
	EXPECT_INT(tls_conn_send(client, text, 15000), ST_FULL);
	EXPECT(tls_conn_queued_bytes(client) >= 15000);
	tls_conn_abort(client);
	client = mem_unref(client);
	for (int i = 0; i < 100 && (server || !i); i++)
		loop_run_once();
	teardown();
	return 0;
}

/* ---- turns ---- */

static unsigned granted_count, taken_count;
static void granted(void *arg)
{
	role_assert_ctl();
	granted_count++;
}
static void taken(void *arg)
{
	role_assert_ctl();
	taken_count++;
	tls_turn_leave(arg);
}

NO_ROLE_CHECK static int test_turns(void)
{
	static struct tls_turn many[TLS_TURNS_PER_HOST + 10], other;
	struct addr a = loopback(), b;
	size_t held, waiting;
	addr_parse(&b, SV("127.0.0.2"), 0);
	for (size_t i = 0; i < sizeof(many) / sizeof(many[0]); i++) {
		many[i].granted = granted, many[i].taken = taken, many[i].arg = &many[i];
		EXPECT(tls_turn_ask(&many[i], &a) == (i < TLS_TURNS_PER_HOST));
	}
	other.granted = granted, other.taken = taken, other.arg = &other;
	EXPECT(tls_turn_ask(&other, &b)); /* another host is not kept waiting */
	tls_turn_counts(&held, &waiting);
	EXPECT_INT(held, TLS_TURNS_PER_HOST + 1);
	EXPECT_INT(waiting, 10);
	tls_turn_leave(&many[0]);
	EXPECT_INT(granted_count, 1);
	/* silent ones give their turn back where others wait */
	for (size_t i = 1; i < 5; i++)
		tls_turn_waits(&many[i], true);
	tls_turn_waits(&other, true);
	for (int i = 0; i < 1000 && taken_count < 4; i++)
		loop_run_once();
	EXPECT_INT(taken_count, 4);
	EXPECT_INT(granted_count, 5);
	tls_turn_leave(&other);
	for (size_t i = 0; i < sizeof(many) / sizeof(many[0]); i++)
		tls_turn_leave(&many[i]);
	tls_turn_counts(&held, &waiting);
	EXPECT_INT(held + waiting, 0);
	return 0;
}

static void taken_slowly(void *arg)
{
	role_assert_ctl();
	taken_count++;
	tls_turn_leave(arg);
	clock_fake_advance(1500);
}

/* Many at once that are to give theirs back: a slice of them in one go, the rest in the next iterations. */
NO_ROLE_CHECK static int test_turns_in_slices(void)
{
	static struct tls_turn many[2 * TLS_TURNS_PER_HOST];
	struct addr a = loopback();
	size_t held, waiting;
	taken_count = 0;
	clock_fake_start(clock_wall_us());
	for (size_t i = 0; i < 2 * TLS_TURNS_PER_HOST; i++) {
		many[i].granted = granted, many[i].taken = taken_slowly, many[i].arg = &many[i];
		if (tls_turn_ask(&many[i], &a))
			tls_turn_waits(&many[i], true);
	}
	clock_fake_advance(1100000);
	for (int i = 0; i < 1000 && taken_count < TLS_TURNS_PER_HOST; i++) {
		unsigned before = taken_count;
		loop_run_nowait();
		EXPECT(taken_count - before <= 4);
	}
	EXPECT_INT(taken_count, TLS_TURNS_PER_HOST);
	tls_turn_counts(&held, &waiting);
	EXPECT_INT(held, TLS_TURNS_PER_HOST);
	EXPECT_INT(waiting, 0);
	for (size_t i = 0; i < 2 * TLS_TURNS_PER_HOST; i++)
		tls_turn_leave(&many[i]);
	clock_fake_stop();
	return 0;
}

static struct tcp_conn *raw;
static void raw_connect(struct tcp_conn *c, int status, void *arg)
{
	static const char text[] = "\x16\x03\x01\x00\x01\x01zzzzz"; /* a record, and no second one */
	role_assert_ctl();
	tcp_conn_send(c, text, sizeof(text) - 1);
}
static void raw_data(struct tcp_conn *c, const char *p, size_t n, void *arg) {}
static void raw_close(struct tcp_conn *c, int status, void *arg) {}
static const struct tcp_handlers raw_handlers = {.on_connect = raw_connect, .on_data = raw_data, .on_close = raw_close};

/* Who gives a turn back is in a call of his owner's: the one that gets it does not end in there. */
NO_ROLE_CHECK static int test_turn_of_no_tls(void)
{
	static struct tls_turn many[TLS_TURNS_PER_HOST];
	struct addr a = loopback(), to;
	size_t held, waiting = 0;
	EXPECT_INT(setup(0), 0);
	for (size_t i = 0; i < TLS_TURNS_PER_HOST; i++) {
		many[i].granted = granted, many[i].taken = taken, many[i].arg = &many[i];
		EXPECT(tls_turn_ask(&many[i], &a));
	}
	EXPECT_INT(tls_listen(&listener, &a, ctx, on_accept, NULL), 0);
	tls_listener_local(listener, &to);
	EXPECT_INT(tcp_connect(&raw, &to, 0, &raw_handlers, NULL), 0);
	for (int i = 0; i < 1000 && !waiting; i++) {
		loop_run_once();
		tls_turn_counts(&held, &waiting);
	}
	EXPECT_INT(waiting, 1);
	close_status = 1;
	tls_turn_leave(&many[0]);
	EXPECT(close_status == 1 && server);
	for (int i = 0; i < 1000 && server; i++)
		loop_run_once();
	EXPECT_INT(close_status, ST_IO);
	for (size_t i = 1; i < TLS_TURNS_PER_HOST; i++)
		tls_turn_leave(&many[i]);
	tls_turn_counts(&held, &waiting);
	EXPECT_INT(held + waiting, 0);
	tcp_conn_abort(raw);
	raw = mem_unref(raw);
	teardown();
	return 0;
}

/* ---- WebSocket's opening: what one side asks the other answers ---- */

static int test_ws_open(void)
{
	struct buf request, answer;
	struct http_reader *r;
	char key[WS_KEY_CHARS + 1];
	size_t used = 0;
	int code;
	buf_init(&request);
	buf_init(&answer);
	ws_open_request(&request, "sip.example", "/", "sip", NULL, key);
	EXPECT_INT(http_reader_new(&r, 0), 0);
	EXPECT_INT(http_reader_feed(r, request.p, request.n, &used), ST_OK);
	EXPECT_INT(ws_open_answer(http_reader_request(r), "chat", NULL, &answer), ST_DENIED);
	EXPECT(!strncmp(answer.p, "HTTP/1.1 400 ", 13));
	EXPECT_INT(ws_open_answered(buf_sv(&answer), key, "sip", &used, &code), ST_DENIED);
	EXPECT_INT(code, 400);
	buf_clear(&answer);
	EXPECT_INT(ws_open_answer(http_reader_request(r), "sip", "https://a", &answer), 0); /* no page: no origin */
	for (size_t i = 0; i < answer.n; i++)
		EXPECT_INT(ws_open_answered(sv_sub(buf_sv(&answer), 0, i), key, "sip", &used, &code), ST_AGAIN);
	EXPECT_INT(ws_open_answered(buf_sv(&answer), key, "sip", &used, &code), 0);
	EXPECT_INT(used, answer.n);
	EXPECT_INT(ws_open_answered(buf_sv(&answer), key, "chat", &used, &code), ST_DENIED);
	key[3] ^= 1;
	EXPECT_INT(ws_open_answered(buf_sv(&answer), key, "sip", &used, &code), ST_DENIED);
	http_reader_free(r);
	buf_fini(&request);
	buf_fini(&answer);
	return 0;
}

TEST_MAIN({"tls_bulk", test_bulk, TEST_LOOP}, {"tls_plain", test_plain, TEST_LOOP},
    {"tls_resumed", test_resumed, TEST_LOOP}, {"tls_refused", test_refused, TEST_LOOP},
    {"tls_bounds", test_bounds, TEST_LOOP}, {"tls_turns", test_turns, TEST_LOOP},
    {"tls_turns_in_slices", test_turns_in_slices, TEST_LOOP}, {"turn_of_no_tls", test_turn_of_no_tls, TEST_LOOP},
    {"ws_open", test_ws_open, 0})
