/* TCP: framing over cut segments, answers on the same connection, keep-alives, connections used again, broken streams.
 */
#include "net/dns.h"
#include "peer.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static int dial(uint16_t port)
{
	struct sockaddr_in a = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	EXPECT_INT(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static ON_CTL int read_some(int fd, char *out, size_t size)
{
	ssize_t n = -1;
	for (int i = 0; i < 50 && n < 0; i++) {
		rig_pump();
		n = recv(fd, out, size - 1, MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN)
			break;
	}
	out[n > 0 ? n : 0] = '\0';
	return (int)n;
}

static const char options[] =
    "OPTIONS sip:a@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKt1\r\nFrom: <sip:a@b>;tag=1\r\n"
    "To: <sip:a@b>\r\nCall-ID: q1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 3\r\n\r\nabc";

static int test_server(void)
{
	struct rig r;
	struct addr bind, bound;
	char in[4096];
	role_assert_ctl();
	EXPECT_INT(rig_open(&r, NULL), 0);
	EXPECT_INT(addr_parse(&bind, SV("127.0.0.1"), 0), 0);
	EXPECT_INT(sip_stack_listen(r.s, SIP_TCP, &bind, &bound), 0);
	int fd = dial(addr_port(&bound));
	for (size_t i = 0; i < sizeof(options) - 1; i += 50) {
		size_t n = sizeof(options) - 1 - i < 50 ? sizeof(options) - 1 - i : 50;
		EXPECT_INT(send(fd, options + i, n, 0), n);
		rig_pump();
	}
	EXPECT(read_some(fd, in, sizeof(in)) > 0);
	EXPECT(!strncmp(in, "SIP/2.0 200 OK\r\n", 16));
	EXPECT(strstr(in, "Content-Length: 0\r\n\r\n") != NULL);
	EXPECT_INT(send(fd, "\r\n\r\n", 4, 0), 4);
	EXPECT_INT(read_some(fd, in, sizeof(in)), 2);
	EXPECT_STR(in, "\r\n");
	/* a stream without Content-Length cannot be followed: it is closed */
	EXPECT(send(fd, "OPTIONS sip:a SIP/2.0\r\nX: y\r\n\r\n", 31, 0) > 0);
	EXPECT_INT(read_some(fd, in, sizeof(in)), 0);
	EXPECT_INT(r.malformed_count, 1);
	close(fd);
	struct sip_stack_stats st;
	sip_stack_stats_get(r.s, &st);
	EXPECT_INT(st.conns, 0);
	EXPECT_INT(st.server_transactions, 0); /* timer J is 0 on TCP */
	rig_close(&r);
	return 0;
}

static int test_client(void)
{
	struct rig r;
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);
	struct addr bind_to;
	char uri[80], in[4096];
	role_assert_ctl();
	EXPECT_INT(rig_open(&r, NULL), 0);
	EXPECT_INT(addr_parse(&bind_to, SV("127.0.0.1"), 0), 0);
	EXPECT_INT(sip_stack_listen(r.s, SIP_TCP, &bind_to, NULL), 0);
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	EXPECT(!bind(l, (struct sockaddr *)&a, n) && !listen(l, 5) && !getsockname(l, (struct sockaddr *)&a, &n));
	snprintf(uri, sizeof(uri), "sip:x@127.0.0.1:%u;transport=tcp", ntohs(a.sin_port));
	struct sip_request_params p = {.method = "MESSAGE",
	    .uri = uri,
	    .from = "sip:me@here",
	    .contact = "",
	    .ctype = "text/plain",
	    .body = SV("hi")};
	EXPECT_INT(sip_request_send(NULL, r.s, &p, rig_response, &r), 0);
	EXPECT_INT(sip_request_send(NULL, r.s, &p, rig_response, &r), 0); /* the same connection */
	rig_pump();
	int fd = accept(l, NULL, NULL);
	EXPECT(fd >= 0);
	int got = 0;
	for (int i = 0; i < 20 && got < 800; i++) {
		int k = read_some(fd, in + got, sizeof(in) - (size_t)got);
		got += k > 0 ? k : 0;
	}
	EXPECT(strstr(in, "Via: SIP/2.0/TCP 127.0.0.1:") && strstr(in, ";transport=tcp>\r\n") &&
	       strstr(in, "\r\n\r\nhiMESSAGE "));
	/* the far side closes: both requests fail at once */
	close(fd);
	close(l);
	for (int i = 0; i < 50 && r.response_count < 2; i++) {
		clock_fake_advance(1000);
		rig_pump();
	}
	EXPECT_INT(r.response_count, 2);
	EXPECT_INT(r.response_code, 503);
	/* nobody listens any more */
	EXPECT_INT(sip_request_send(NULL, r.s, &p, rig_response, &r), 0);
	for (int i = 0; i < 50 && r.response_count < 3; i++) {
		clock_fake_advance(1000);
		rig_pump();
	}
	EXPECT_INT(r.response_count, 3);
	rig_close(&r);
	return 0;
}

static int test_names(void)
{
	struct rig r;
	char uri[80];
	role_assert_ctl();
	EXPECT_INT(dns_start(), 0);
	EXPECT_INT(rig_open(&r, NULL), 0);
	snprintf(uri, sizeof(uri), "sip:x@localhost:%u", r.p.port);
	struct sip_request_params p = {.method = "OPTIONS", .uri = uri, .from = "sip:me@here"};
	EXPECT_INT(sip_request_send(NULL, r.s, &p, rig_response, &r), 0);
	bool came = false;
	for (int i = 0; i < 200 && !came; i++) {
		loop_run_once();
		came = peer_recv(&r.p);
	}
	EXPECT(came);
	EXPECT_INT(peer_reply(&r.p, 200, "t", "", NULL), 0);
	EXPECT_INT(r.response_code, 200);
	/* a name that is known not to exist fails like one that is found not to: later, with 503 */
	p.uri = "sip:x@nowhere.invalid";
	EXPECT_INT(sip_request_send(NULL, r.s, &p, rig_response, &r), 0);
	EXPECT_INT(r.response_count, 1);
	for (int i = 0; i < 10 && r.response_count < 2; i++) {
		clock_fake_advance(1000);
		rig_pump();
	}
	EXPECT_INT(r.response_count, 2);
	EXPECT_INT(r.response_code, 503);
	EXPECT_INT(sip_request_send(NULL, r.s,
	               &(struct sip_request_params){.method = "OPTIONS", .uri = "sips:x@h", .from = "sip:a@b"},
	               rig_response, &r),
	    ST_UNSUPPORTED);
	EXPECT_INT(sip_request_send(NULL, r.s,
	               &(struct sip_request_params){.method = "OPTIONS", .uri = "sip:x@h\r\nX: y", .from = "sip:a@b"},
	               rig_response, &r),
	    ST_INVAL);
	rig_close(&r);
	dns_stop();
	return 0;
}

TEST_MAIN({"server", test_server, TEST_LOOP}, {"client", test_client, TEST_LOOP}, {"names", test_names, TEST_LOOP})
