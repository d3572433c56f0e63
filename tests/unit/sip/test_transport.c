/* Adding a transport takes one file with ops: this one is in memory, under the name TLS. Requests go out and come in
 * over it, connections are used again, nothing is sent twice, its loss fails what waits; and the ops of UDP bound a
 * message. */
#include "peer.h"
#include "sip/sip_i.h"
#include <stdio.h>

/* ---- the toy: what is written is kept, what the far side says is given by the test ---- */
struct toy_line {
	struct sip_conn c;
};
static struct {
	struct sip_listener *listener;
	struct sip_conn *conn;
	int connects, closes, writes;
	bool is_aborted;
	char out[8192];
	size_t n;
} toy;

static int toy_listen(struct sip_listener *l, const struct addr *bind)
{
	toy.listener = l;
	l->local = *bind;
	return ST_OK;
}
static void toy_unlisten(struct sip_listener *l)
{
	toy.listener = NULL;
}
static int toy_connect(struct sip_conn *c)
{
	toy.connects++;
	toy.conn = c;
	return ST_OK;
}
static int toy_write(struct sip_conn *c, const char *p, size_t n)
{
	toy.writes++;
	if (n > sizeof(toy.out) - 1 - toy.n)
		return ST_FULL;
	memcpy(toy.out + toy.n, p, n);
	toy.n += n;
	toy.out[toy.n] = '\0';
	return ST_OK;
}
static size_t toy_queued_bytes(const struct sip_conn *c)
{
	return 0;
}
static void toy_set_limits(struct sip_conn *c, size_t queue_bytes, int64_t idle_us) {}
static void toy_close(struct sip_conn *c, bool is_abort)
{
	toy.closes++;
	toy.is_aborted = is_abort;
}
static const struct sip_transport_ops toy_ops = {
    .id = SIP_TLS,
    .listener_bytes = sizeof(struct sip_listener),
    .conn_bytes = sizeof(struct toy_line),
    .queue_bytes = 8192,
    .stranger_queue_bytes = 8192,
    .listen = toy_listen,
    .unlisten = toy_unlisten,
    .connect = toy_connect,
    .write = toy_write,
    .queued_bytes = toy_queued_bytes,
    .set_limits = toy_set_limits,
    .close = toy_close,
};
static const struct sip_transport_ops *const with_toy[] = {&sip_udp_ops, &toy_ops, NULL};

static ON_CTL int open_rig(struct rig *r, struct addr *far)
{
	struct addr bind;
	memset(&toy, 0, sizeof(toy));
	EXPECT_INT(rig_open(r, &(struct sip_stack_config){.transports = with_toy, .trying_delay_ms = -1}), 0);
	EXPECT_INT(addr_parse(&bind, SV("127.0.0.1"), 5061), 0);
	EXPECT_INT(addr_parse(far, SV("127.0.0.1"), 40000), 0);
	EXPECT(sip_stack_has_transport(r->s, SIP_TLS) && !sip_stack_has_transport(r->s, SIP_TCP));
	EXPECT_INT(sip_stack_listen(r->s, SIP_TLS, &bind, NULL), 0);
	EXPECT_INT(sip_stack_listen(r->s, SIP_TCP, &bind, NULL), ST_UNSUPPORTED);
	return 0;
}

/* The far side's answer to the request in toy.out. */
static ON_CTL void toy_reply(const char *status)
{
	char msg[2048], head[2048] = "";
	const char *names[] = {"\r\nVia: ", "\r\nFrom: ", "\r\nTo: ", "\r\nCall-ID: ", "\r\nCSeq: "};
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		const char *at = strstr(toy.out, names[i]);
		size_t n = at ? strcspn(at + 2, "\r") : 0;
		snprintf(head + strlen(head), sizeof(head) - strlen(head), "%.*s%s\r\n", (int)n, at ? at + 2 : "",
		    i == 2 ? ";tag=far" : "");
	}
	int n = snprintf(msg, sizeof(msg), "SIP/2.0 %s\r\n%sContent-Length: 0\r\n\r\n", status, head);
	toy.n = 0;
	toy.out[0] = '\0';
	sip_conn_input(toy.conn, msg, 20); /* in two pieces: framed by conn.c */
	sip_conn_input(toy.conn, msg + 20, (size_t)n - 20);
}

static const struct sip_request_params message = {.method = "MESSAGE",
    .uri = "sip:x@127.0.0.1:40000;transport=tls",
    .from = "sip:me@here",
    .contact = "",
    .ctype = "text/plain",
    .body = {"hi", 2}};

static int test_client(void)
{
	struct rig r;
	struct addr far;
	role_assert_ctl();
	EXPECT_INT(open_rig(&r, &far), 0);
	EXPECT_INT(sip_request_send(NULL, r.s, &message, rig_response, &r), 0);
	EXPECT_INT(toy.connects, 1);
	EXPECT_INT(toy.writes, 0); /* kept until it stands */
	sip_conn_opened(toy.conn, &far);
	EXPECT_INT(toy.writes, 1);
	EXPECT(strstr(toy.out, "Via: SIP/2.0/TLS 127.0.0.1:5061;") && strstr(toy.out, "5061;transport=tls>\r\n"));
	rig_advance_ms(&r, 3000);
	EXPECT_INT(toy.writes, 1); /* reliable: not sent again */
	toy_reply("200 OK");
	EXPECT_INT(r.response_code, 200);
	/* the same connection; it is lost: what waits fails */
	EXPECT_INT(sip_request_send(NULL, r.s, &message, rig_response, &r), 0);
	EXPECT_INT(toy.connects, 1);
	EXPECT_INT(toy.writes, 2);
	sip_conn_lost(toy.conn);
	rig_advance_ms(&r, 20);
	EXPECT_INT(r.response_code, 503);
	EXPECT_INT(toy.closes, 1);
	/* a transport that is not there is said so, never another one used in its place */
	struct sip_request_params p = message;
	p.uri = "sip:x@127.0.0.1:40000;transport=tcp";
	EXPECT_INT(sip_request_send(NULL, r.s, &p, rig_response, &r), ST_UNSUPPORTED);
	p.uri = "sip:x@127.0.0.1:40000";
	p.dst = (struct sip_dst){.addr = far, .transport = SIP_WS};
	r.response_code = 0;
	EXPECT_INT(sip_request_send(NULL, r.s, &p, rig_response, &r), 0);
	rig_advance_ms(&r, 20);
	EXPECT_INT(r.response_code, 503);
	EXPECT(!peer_recv(&r.p));
	rig_close(&r);
	return 0;
}

static int test_server(void)
{
	struct rig r;
	struct addr far;
	static const char request[] =
	    "OPTIONS sip:a@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1;branch=z9hG4bKt1\r\n"
	    "From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: q1\r\nCSeq: 1 OPTIONS\r\n"
	    "Content-Length: 0\r\n\r\n";
	role_assert_ctl();
	EXPECT_INT(open_rig(&r, &far), 0);
	toy.conn = sip_conn_accepted(toy.listener, &far, &toy.listener->local);
	EXPECT(toy.conn != NULL);
	sip_conn_input(toy.conn, request, sizeof(request) - 1);
	EXPECT_STR(r.method, "OPTIONS");
	EXPECT(!strncmp(toy.out, "SIP/2.0 200 OK\r\n", 16));
	EXPECT_INT(toy.connects, 0);
	struct sip_stack_stats st;
	sip_stack_stats_get(r.s, &st);
	EXPECT_INT(st.conns, 1);
	EXPECT_INT(st.server_transactions, 0);
	rig_close(&r);
	EXPECT_INT(toy.closes, 1);
	EXPECT(!toy.listener);
	return 0;
}

static int test_bound(void)
{
	struct rig r;
	struct addr far;
	struct sip_flow f;
	static char long_text[70000];
	role_assert_ctl();
	EXPECT_INT(open_rig(&r, &far), 0);
	EXPECT_INT(sip_flow_open(&f, r.s, &(struct sip_dst){far, SIP_UDP}, SV_NONE), 0);
	EXPECT(!sip_flow_is_reliable(&f) && !f.conn && f.listener);
	EXPECT_INT(sip_flow_send(r.s, &f, long_text, sizeof(long_text)), ST_LIMIT);
	EXPECT_INT(sip_flow_open(&f, r.s, &(struct sip_dst){far, SIP_WSS}, SV_NONE), ST_UNSUPPORTED);
	rig_close(&r);
	return 0;
}

/* Who reads nothing, so that not even a keep-alive fits any more, is as silent as any other. */
static int test_silent_and_full(void)
{
	struct rig r;
	struct addr bind, far;
	struct sip_stack_config cfg = {
	    .transports = with_toy, .trying_delay_ms = -1, .conn_ping_ms = 1000, .conn_pong_ms = 500};
	role_assert_ctl();
	memset(&toy, 0, sizeof(toy));
	EXPECT_INT(rig_open(&r, &cfg), 0);
	EXPECT_INT(addr_parse(&bind, SV("127.0.0.1"), 5061), 0);
	EXPECT_INT(addr_parse(&far, SV("127.0.0.1"), 40000), 0);
	EXPECT_INT(sip_stack_listen(r.s, SIP_TLS, &bind, NULL), 0);
	toy.conn = sip_conn_accepted(toy.listener, &far, &toy.listener->local);
	EXPECT(toy.conn != NULL);
	toy.n = sizeof(toy.out) - 1;
	rig_advance_ms(&r, 1100);
	EXPECT(toy.writes == 1 && toy.closes == 0);
	rig_advance_ms(&r, 600);
	EXPECT_INT(toy.closes, 1);
	rig_close(&r);
	return 0;
}

/* Whoever connects from the address that a name has is not that name: what is sent to it goes over a connection that
 * was opened for it. What is sent to an address that is known otherwise (a phone's) goes over any. */
static int test_names(void)
{
	static struct sip_transport_ops named_ops;
	static const struct sip_transport_ops *const with_named[] = {&sip_udp_ops, &named_ops, NULL};
	struct rig r;
	struct sip_dst dst = {.transport = SIP_TLS};
	struct sip_flow f;
	struct addr bind;
	role_assert_ctl();
	named_ops = toy_ops;
	named_ops.needs_tls = true;
	memset(&toy, 0, sizeof(toy));
	struct sip_stack_config cfg = {.transports = with_named, .has_tls = true, .trying_delay_ms = -1};
	EXPECT_INT(rig_open(&r, &cfg), 0);
	EXPECT_INT(addr_parse(&bind, SV("127.0.0.1"), 5061), 0);
	EXPECT_INT(addr_parse(&dst.addr, SV("127.0.0.1"), 40000), 0);
	EXPECT_INT(sip_stack_listen(r.s, SIP_TLS, &bind, NULL), 0);
	struct sip_conn *theirs = sip_conn_accepted(toy.listener, &dst.addr, &toy.listener->local), *ours;
	EXPECT(theirs != NULL);
	EXPECT(!sip_flow_open(&f, r.s, &dst, SV("carrier.example")) && f.conn == theirs);
	dst.is_by_name = true;
	EXPECT(!sip_flow_open(&f, r.s, &dst, SV("carrier.example")) && f.conn != theirs);
	ours = f.conn;
	EXPECT(!sip_flow_open(&f, r.s, &dst, SV("Carrier.Example")) && f.conn == ours);
	EXPECT(!sip_flow_open(&f, r.s, &dst, SV("other.example")) && f.conn != ours && f.conn != theirs);
	EXPECT_INT(toy.connects, 2);
	rig_close(&r);
	return 0;
}

/* Connections wait for certificates only until it is said that there are none. */
static int test_no_certificates(void)
{
	static const enum sip_transport secure[] = {SIP_TLS, SIP_WSS};
	struct rig r;
	struct addr far;
	struct sip_flow f;
	struct sip_stack_stats st;
	role_assert_ctl();
	EXPECT_INT(rig_open(&r, &(struct sip_stack_config){.has_tls = true, .trying_delay_ms = -1}), 0);
	for (size_t i = 0; i < ARRAY_COUNT(secure); i++) {
		EXPECT_INT(addr_parse(&far, SV("127.0.0.1"), 40000), 0);
		EXPECT_INT(sip_flow_open(&f, r.s, &(struct sip_dst){far, secure[i]}, SV_NONE), 0);
		sip_stack_stats_get(r.s, &st);
		EXPECT_INT(st.conns, 1);
		sip_stack_set_tls(r.s, secure[i], NULL);
		for (uint16_t port = 40000; port < 40010; port++) {
			addr_set_port(&far, port);
			EXPECT_INT(sip_flow_open(&f, r.s, &(struct sip_dst){far, secure[i]}, SV_NONE), ST_UNSUPPORTED);
		}
		sip_stack_stats_get(r.s, &st);
		EXPECT_INT(st.conns, 0);
	}
	rig_close(&r);
	return 0;
}

TEST_MAIN({"names", test_names, TEST_LOOP}, {"silent and full", test_silent_and_full, TEST_LOOP},
    {"no certificates", test_no_certificates, TEST_LOOP}, {"client", test_client, TEST_LOOP},
    {"server", test_server, TEST_LOOP}, {"bound", test_bound, TEST_LOOP})
