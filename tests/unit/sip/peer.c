/* The rig of the stack's tests: see peer.h. */
#include "peer.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void on_progress(struct sip_call *c, const struct sip_msg *m, void *arg)
{
	((struct rig *)arg)->progress++;
}
static void on_answer(struct sip_call *c, const struct sip_msg *m, void *arg)
{
	struct rig *r = arg;
	r->answer++;
	if (r->on_answer)
		r->on_answer(r, m);
}
static void on_ack(struct sip_call *c, const struct sip_msg *m, void *arg)
{
	struct rig *r = arg;
	r->ack++;
	snprintf(r->body, sizeof(r->body), "%.*s", SVF(m->body));
}
static void on_reinvite(struct sip_call *c, struct sip_stx *tx, const struct sip_msg *m, void *arg)
{
	struct rig *r = arg;
	r->reinvite++;
	r->call_tx = tx;
}
static void on_reinvite_done(struct sip_call *c, int code, const struct sip_msg *m, void *arg)
{
	struct rig *r = arg;
	r->reinvite_done++;
	r->reinvite_code = code;
}
static void on_update(struct sip_call *c, struct sip_stx *tx, const struct sip_msg *m, void *arg)
{
	struct rig *r = arg;
	r->update++;
	r->call_tx = tx;
}
static void on_update_done(struct sip_call *c, int code, const struct sip_msg *m, void *arg)
{
	((struct rig *)arg)->update_done++;
}
static void on_call_request(struct sip_call *c, struct sip_stx *tx, const struct sip_msg *m, void *arg)
{
	role_assert_ctl();
	struct rig *r = arg;
	r->request++;
	sip_call_reply(c, tx, 200, NULL, NULL, NULL, SV_NONE);
}
static void on_cancel(struct sip_call *c, const struct sip_msg *m, void *arg)
{
	((struct rig *)arg)->cancel++;
}
static void on_closed(struct sip_call *c, const struct sip_close *why, void *arg)
{
	struct rig *r = arg;
	r->closed++;
	r->close = *why;
	snprintf(r->close_reason, sizeof(r->close_reason), "%.*s", SVF(why->reason));
}
const struct sip_call_handlers rig_handlers = {on_progress, on_answer, on_ack, on_reinvite, on_reinvite_done, on_update,
    on_update_done, on_call_request, on_cancel, on_closed};

void rig_response(struct sip_ctx *c, int code, const struct sip_msg *resp, void *arg)
{
	struct rig *r = arg;
	r->response_code = code;
	r->response_count++;
}

static void on_request(struct sip_stack *s, struct sip_stx *tx, const struct sip_msg *m, void *arg)
{
	role_assert_ctl();
	struct rig *r = arg;
	r->request_count++;
	snprintf(r->method, sizeof(r->method), "%.*s", SVF(m->method_text));
	if (r->on_request && r->on_request(r, tx, m))
		return;
	if (r->is_accepting && m->method == SIP_INVITE) {
		sip_call_accept(&r->call, tx, m, &rig_handlers, r);
		return;
	}
	if (m->method == SIP_INVITE) {
		r->tx = sip_stx_ref(tx);
		r->is_kept = true;
	} else {
		sip_stx_reply(tx, 200, NULL, NULL, NULL, SV_NONE);
	}
}

static void on_malformed(struct sip_stack *s, const struct addr *src, struct sv data, const char *why, void *arg)
{
	((struct rig *)arg)->malformed_count++;
}

static bool may_send(struct sip_stack *s, enum sip_transport t, const struct addr *dst, void *arg)
{
	return addr_is_loopback(dst);
}

static void on_trace(struct sip_stack *s, const struct sip_trace *t, void *arg)
{
	((struct rig *)arg)->trace_count++;
}

int rig_open(struct rig *r, const struct sip_stack_config *cfg)
{
	struct sip_stack_handlers h = {
	    .on_request = on_request, .may_send = may_send, .on_trace = on_trace, .on_malformed = on_malformed};
	struct addr bind;
	memset(r, 0, sizeof(*r));
	clock_fake_start(1700000000000000LL);
	EXPECT_INT(addr_parse(&bind, SV("127.0.0.1"), 0), 0);
	EXPECT_INT(sip_stack_new(&r->s, cfg, &h, r), 0);
	EXPECT_INT(sip_stack_listen(r->s, SIP_UDP, &bind, &r->addr), 0);
	return peer_open(&r->p, addr_port(&r->addr));
}

void rig_close(struct rig *r)
{
	if (r->is_kept)
		sip_stx_unref(r->tx);
	sip_stack_close(r->s);
	mem_unref(r->call);
	rig_pump();
	peer_close(&r->p);
	clock_fake_stop();
}

void rig_pump(void)
{
	for (int i = 0; i < 4; i++)
		loop_run_nowait();
}

void rig_advance_ms(struct rig *r, int ms)
{
	for (; ms > 0; ms -= 10) {
		clock_fake_advance(10000);
		loop_run_nowait();
		loop_run_nowait();
	}
}

int peer_open(struct peer *p, uint16_t stack_port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);
	p->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	EXPECT(p->fd >= 0);
	EXPECT_INT(bind(p->fd, (struct sockaddr *)&a, n), 0);
	EXPECT_INT(getsockname(p->fd, (struct sockaddr *)&a, &n), 0);
	p->port = ntohs(a.sin_port);
	p->stack_port = stack_port;
	return 0;
}

void peer_close(struct peer *p)
{
	close(p->fd);
}

int peer_send(struct peer *p, const char *text)
{
	struct sockaddr_in a = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(p->stack_port)};
	struct buf b;
	buf_init(&b);
	for (; *text; text++) {
		if (text[0] == '@' && (text[1] == 'L' || text[1] == 'P')) {
			buf_printf(&b, "%u", text[1] == 'L' ? p->stack_port : p->port);
			text++;
		} else {
			if (*text == '\n')
				buf_addc(&b, '\r');
			buf_addc(&b, *text);
		}
	}
	ssize_t n = sendto(p->fd, b.p, b.n, 0, (struct sockaddr *)&a, sizeof(a));
	buf_fini(&b);
	rig_pump();
	return n > 0 ? 0 : -1;
}

bool peer_recv(struct peer *p)
{
	rig_pump();
	ssize_t n = recv(p->fd, p->in, sizeof(p->in) - 1, 0);
	p->n = n > 0 ? (size_t)n : 0;
	p->in[p->n] = '\0';
	return n > 0;
}

bool peer_expect(struct peer *p, const char *start)
{
	if (!peer_recv(p)) {
		fprintf(stderr, "# nothing came, wanted %s\n", start);
		return false;
	}
	if (strncmp(p->in, start, strlen(start))) {
		fprintf(stderr, "# wanted %s, got %.200s\n", start, p->in);
		return false;
	}
	return true;
}

bool peer_has(const struct peer *p, const char *text)
{
	return strstr(p->in, text) != NULL;
}

const char *peer_header(const struct peer *p, const char *name)
{
	static char value[4][1024];
	static int turn;
	char *out = value[turn++ & 3], key[64];
	snprintf(key, sizeof(key), "\r\n%s: ", name);
	const char *at = strstr(p->in, key);
	*out = '\0';
	if (at) {
		at += strlen(key);
		snprintf(out, 1024, "%.*s", (int)strcspn(at, "\r"), at);
	}
	return out;
}

int peer_reply(struct peer *p, int code, const char *tag, const char *extra, const char *sdp)
{
	struct buf b;
	char via[1024], from[1024], to[1024], id[1024], cseq[1024];
	snprintf(via, sizeof(via), "%s", peer_header(p, "Via"));
	snprintf(from, sizeof(from), "%s", peer_header(p, "From"));
	snprintf(to, sizeof(to), "%s", peer_header(p, "To"));
	snprintf(id, sizeof(id), "%s", peer_header(p, "Call-ID"));
	snprintf(cseq, sizeof(cseq), "%s", peer_header(p, "CSeq"));
	buf_init(&b);
	buf_printf(&b, "SIP/2.0 %d %s\nVia: %s\nFrom: %s\nTo: %s%s%s\nCall-ID: %s\nCSeq: %s\n%s", code,
	    sip_reason_phrase(code), via, from, to, tag && !strstr(to, ";tag=") ? ";tag=" : "",
	    tag && !strstr(to, ";tag=") ? tag : "", id, cseq, extra);
	if (sdp)
		buf_printf(&b, "Content-Type: application/sdp\nContent-Length: %zu\n\n%s", strlen(sdp), sdp);
	else
		buf_adds(&b, "Content-Length: 0\n\n");
	int st = peer_send(p, b.p);
	buf_fini(&b);
	return st;
}
