/* A stack under a fake clock, driven by a script: blocks separated by a line "%%". A block's first byte says what it
 * is: M message in (the rest; @b @f @t @i stand for branch, From tag, To tag and Call-ID of the last message we sent,
 * @l for our tag of the current call), T time (next byte times 100 ms), I our INVITE, A answer, P progress, J reject,
 * H hang up, R re-INVITE, U update, N INFO. Watches memory, callbacks after the end and on_closed's count.
 * Parser: sip/stack.c, sip/tx_server.c, sip/tx_server_in.c, sip/tx_server_text.c, sip/tx_client.c, sip/dialog.c,
 * sip/far.c, sip/call.c, sip/call_in.c, sip/call_uac.c, sip/call_uas.c */
#include "base/check.h"
#include "base/clock.h"
#include "sip/sip_i.h"
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
	struct sip_stack *s;
	struct sip_call *call;
	struct sip_stx *tx;
	char branch[80], from_tag[80], to_tag[80], call_id[128];
	int calls, closed;
} run;

static void closed(struct sip_call *c, const struct sip_close *why, void *arg)
{
	role_assert_ctl();
	run.closed++;
	CHECK(why->kind != SIP_CLOSE_NONE && sip_call_state(c) == SIP_CALL_CLOSED);
}
static void reinvite(struct sip_call *c, struct sip_stx *tx, const struct sip_msg *m, void *arg)
{
	role_assert_ctl();
	sip_call_reply(c, tx, m->cseq % 3 ? 200 : 488, NULL, NULL, NULL, SV("v=0\r\n"));
}
static void answer(struct sip_call *c, const struct sip_msg *m, void *arg)
{
	role_assert_ctl();
	if (m->body.n == 1)
		sip_call_hangup(c, 0, NULL, NULL, NULL);
	else
		sip_call_set_ack_body(c, SV("v=0\r\n"));
}
static void request(struct sip_call *c, struct sip_stx *tx, const struct sip_msg *m, void *arg)
{
	role_assert_ctl();
	sip_call_reply(c, tx, 200, NULL, NULL, NULL, SV_NONE);
}
static const struct sip_call_handlers handlers = {
    .on_closed = closed, .on_reinvite = reinvite, .on_answer = answer, .on_request = request, .on_update = reinvite};

static void on_request(struct sip_stack *s, struct sip_stx *tx, const struct sip_msg *m, void *arg)
{
	role_assert_ctl();
	struct sip_call *c;
	if (m->method == SIP_INVITE && !sip_call_accept(&c, tx, m, &handlers, NULL)) {
		run.calls++;
		mem_unref(run.call);
		run.call = c;
	} else {
		sip_stx_reply(tx, 200, NULL, "X: y\r\n", NULL, SV_NONE);
	}
}

static void keep(char *out, size_t size, struct sv v)
{
	snprintf(out, size, "%.*s", (int)(v.n < size ? v.n : size - 1), v.p ? v.p : "");
}

/* The fuzzer's traffic stays on this machine. */
static bool may_send(struct sip_stack *s, enum sip_transport t, const struct addr *dst, void *arg)
{
	return t == SIP_UDP && addr_is_loopback(dst) && addr_port(dst) == 9;
}

static void on_trace(struct sip_stack *s, const struct sip_trace *t, void *arg)
{
	static struct sip_hdr hdrs[SIP_MSG_HDRS_MAX];
	struct sip_msg m;
	if (!t->is_outgoing || sip_msg_parse(&m, hdrs, SIP_MSG_HDRS_MAX, t->data.p, t->data.n, 0))
		return;
	keep(run.branch, sizeof(run.branch), m.via.branch);
	keep(run.from_tag, sizeof(run.from_tag), m.from_tag);
	keep(run.to_tag, sizeof(run.to_tag), m.to_tag);
	keep(run.call_id, sizeof(run.call_id), m.call_id);
}

static ON_CTL void message(const struct sip_source *src, const char *p, size_t n)
{
	struct buf b;
	buf_init(&b);
	for (size_t i = 0; i < n; i++) {
		char kind = p[i] == '@' && i + 1 < n ? p[i + 1] : '\0';
		const char *with = kind == 'b'               ? run.branch
		                   : kind == 'f'             ? run.from_tag
		                   : kind == 't'             ? run.to_tag
		                   : kind == 'i'             ? run.call_id
		                   : kind == 'l' && run.call ? sip_call_local_tag(run.call)
		                                             : NULL;
		if (with) {
			buf_adds(&b, with);
			i++;
		} else {
			if (p[i] == '\n' && (!i || p[i - 1] != '\r'))
				buf_addc(&b, '\r');
			buf_addc(&b, p[i]);
		}
	}
	if (b.n)
		sip_stack_input(run.s, src, b.p, b.n, false);
	buf_fini(&b);
}

static ON_CTL void act(const struct sip_source *src, char what, const char *p, size_t n)
{
	struct sip_call *c = run.call;
	struct sip_invite_params ip = {
	    .uri = "sip:x@127.0.0.1:9", .from_uri = "sip:me@lab", .sdp = n ? SV("v=0\r\n") : SV_NONE};
	if (what == 'M') {
		message(src, p, n);
	} else if (what == 'T') {
		clock_fake_advance((n ? (uint8_t)p[0] : 5) * 100000LL);
	} else if (what == 'I' && !sip_call_invite(&c, run.s, &ip, &handlers, NULL)) {
		run.calls++;
		mem_unref(run.call);
		run.call = c;
	} else if (c && what == 'A') {
		sip_call_answer(c, NULL, SV("v=0\r\n"));
	} else if (c && what == 'P') {
		sip_call_progress(c, 183, NULL, NULL, SV("v=0\r\n"));
	} else if (c && what == 'J') {
		sip_call_reject(c, 486, NULL, NULL);
	} else if (c && what == 'H') {
		sip_call_hangup(c, 486, NULL, "Q.850;cause=16", NULL);
	} else if (c && what == 'R') {
		sip_call_reinvite(c, NULL, SV("v=0\r\n"));
	} else if (c && what == 'U') {
		sip_call_update(c, NULL, SV("v=0\r\n"));
	} else if (c && what == 'N') {
		sip_call_request(c, "INFO", NULL, NULL, SV_NONE, NULL, NULL);
	}
}

static void setup(void)
{
	static bool is_ready;
	if (is_ready)
		return;
	CHECK(!loop_init());
	clock_fake_start(1700000000000000LL);
	is_ready = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sip_stack_handlers h = {.on_request = on_request, .may_send = may_send, .on_trace = on_trace};
	struct sip_source src = {.flow = {.ops = &sip_udp_ops}};
	struct addr bind;
	setup();
	role_assert_ctl();
	memset(&run, 0, sizeof(run));
	CHECK(!addr_parse(&bind, SV("127.0.0.1"), 0) && !addr_parse(&src.flow.peer, SV("127.0.0.1"), 9));
	CHECK(!sip_stack_new(&run.s,
	    &(struct sip_stack_config){.supported = "replaces", .max_transactions = 64, .numeric_hosts_only = true}, &h,
	    NULL));
	CHECK(!sip_stack_listen(run.s, SIP_UDP, &bind, &src.flow.local));
	src.flow.listener = sip_listener_for(run.s, SIP_UDP, &src.flow.peer);
	sip_stack_set_trace(run.s, true);
	const char *p = (const char *)data, *end = p + size;
	while (p < end) {
		const char *sep = memmem(p, (size_t)(end - p), "\n%%\n", 4), *stop = sep ? sep + 1 : end;
		act(&src, *p, p + 1, (size_t)(stop - p - 1));
		loop_run_nowait();
		p = sep ? sep + 4 : end;
	}
	clock_fake_advance(200000000);
	for (int i = 0; i < 3; i++)
		loop_run_nowait();
	sip_stack_close(run.s);
	CHECK(run.calls == run.closed);
	mem_unref(run.call);
	loop_run_nowait();
	return 0;
}
