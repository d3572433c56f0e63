/* Calls over connections that are there: whoever is called answers at once and keeps nothing, the caller acknowledges
 * and hangs up at once. A call is found again by the number in its Call-ID,
 * which has the process's, too: a switch remembers the calls of the run before. Nothing is repeated, as TLS loses
 * nothing.
 */
#include "streams.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CALLS = 65536 };
struct stream_call {
	bool is_used, is_up;
	uint32_t number;
	int64_t begin_us;
};
static struct stream_call table[CALLS];
static uint32_t last_number;
static const char sdp[] =
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9000 RTP/AVP 0\r\n"
    "a=rtpmap:0 PCMU/8000\r\n";

void stream_call_start(struct phone *from, int port, unsigned to_user, int64_t due_us)
{
	char text[2048];
	uint32_t number = ++last_number;
	struct stream_call *c = &table[number % CALLS];
	n_.started++;
	if (c->is_used) {
		n_.failed++;
		n_.codes[5]++;
		return;
	}
	*c = (struct stream_call){.is_used = true, .number = number, .begin_us = due_us};
	n_.under_way++;
	int n = snprintf(text, sizeof(text),
	    "INVITE sip:7%u@127.0.0.1:%d SIP/2.0\r\nVia: SIP/2.0/TLS "
	    "127.0.0.1:%u;branch=z9hG4bKi%u-%d;rport\r\nMax-Forwards: 70\r\n"
	    "From: <sip:caller@127.0.0.1>;tag=c%u-%d\r\nTo: <sip:7%u@127.0.0.1>\r\nCall-ID: %u-%d@tls\r\nCSeq: 1 "
	    "INVITE\r\n"
	    "Contact: <sip:caller@127.0.0.1:%u;transport=tls>\r\nUser-Agent: bench\r\nContent-Type: application/sdp\r\n"
	    "Content-Length: %zu\r\n\r\n%s",
	    to_user, port, 10000 + from->id % 50000, number, getpid(), number, getpid(), to_user, number, getpid(),
	    10000 + from->id % 50000, sizeof(sdp) - 1, sdp);
	phone_put(from, text, n);
}

static void dialog_send(struct phone *p, const struct message *m, uint32_t number, const char *method, unsigned cseq)
{
	char text[2048];
	struct span uri = span_uri(m->contact);
	int n = snprintf(text, sizeof(text),
	    "%s %.*s SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:%u;branch=z9hG4bK%c%u-%d;rport\r\nMax-Forwards: 70\r\nFrom: "
	    "%.*s\r\nTo: %.*s\r\n"
	    "Call-ID: %u-%d@tls\r\nCSeq: %u %s\r\nContent-Length: 0\r\n\r\n",
	    method, SPAN(uri), 10000 + p->id % 50000, method[0], number, getpid(), SPAN(m->from), SPAN(m->to), number,
	    getpid(), cseq, method);
	if (n < (int)sizeof(text))
		phone_put(p, text, n);
}

static void failure_ack(struct phone *p, const struct message *m, uint32_t number)
{
	char text[2048];
	int n = snprintf(text, sizeof(text),
	    "ACK sip:7@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:%u;branch=z9hG4bKi%u-%d;rport\r\nMax-Forwards: "
	    "70\r\nFrom: %.*s\r\n"
	    "To: %.*s\r\nCall-ID: %u-%d@tls\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n",
	    10000 + p->id % 50000, number, getpid(), SPAN(m->from), SPAN(m->to), number, getpid());
	if (n < (int)sizeof(text))
		phone_put(p, text, n);
}

static void answer_take(struct phone *p, const struct message *m)
{
	uint32_t number = (uint32_t)strtoul(m->call_id.p, NULL, 10);
	struct stream_call *c = &table[number % CALLS];
	bool is_invite = m->cseq_method.n == 6 && !memcmp(m->cseq_method.p, "INVITE", 6);
	if (m->code < 200 || !c->is_used || c->number != number || c->is_up == is_invite)
		return;
	if (is_invite && m->code == 200) {
		phone_seen(clock_us() - c->begin_us);
		c->is_up = true;
		dialog_send(p, m, number, "ACK", 1);
		dialog_send(p, m, number, "BYE", 2);
		return;
	}
	if (is_invite)
		failure_ack(p, m, number);
	c->is_used = false;
	n_.under_way--;
	if (m->code == 200)
		n_.ok++;
	else
		n_.failed++, n_.codes[m->code]++;
}

static void request_answer(struct phone *p, const struct message *m)
{
	char text[4096];
	int n;
	bool is_invite = m->method.n == 6 && !memcmp(m->method.p, "INVITE", 6),
	     has_tag = span_param(m->to, "tag").n > 0;
	if (m->method.n == 3 && !memcmp(m->method.p, "ACK", 3))
		return;
	n = snprintf(text, sizeof(text), "SIP/2.0 200 OK\r\n");
	for (int i = 0; i < m->via_count && n < 2000; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "Via: %.*s\r\n", SPAN(m->vias[i]));
	if (n >= 2000 || m->from.n + m->to.n + m->call_id.n > 1000)
		return;
	n += snprintf(text + n, sizeof(text) - (size_t)n,
	    "From: %.*s\r\nTo: %.*s%s\r\nCall-ID: %.*s\r\nCSeq: %u %.*s\r\n", SPAN(m->from), SPAN(m->to),
	    has_tag ? "" : ";tag=b", SPAN(m->call_id), m->cseq, SPAN(m->cseq_method));
	if (is_invite)
		n += snprintf(text + n, sizeof(text) - (size_t)n,
		    "Contact: <sip:b@127.0.0.1:%u;transport=tls>\r\nContent-Type: application/sdp\r\nContent-Length: "
		    "%zu\r\n\r\n%s",
		    10000 + p->id % 50000, sizeof(sdp) - 1, sdp);
	else
		n += snprintf(text + n, sizeof(text) - (size_t)n, "Content-Length: 0\r\n\r\n");
	phone_put(p, text, n);
}

void stream_call_message(struct phone *p, const struct message *m)
{
	if (m->code)
		answer_take(p, m);
	else
		request_answer(p, m);
}
