/* Phones. Each calling side or registering phone is one slot of a table, found again by the Call-ID we gave it; its
 * life is schedule -> REGISTER or INVITE (again with digest when challenged) -> ACK -> BYE, with one timer in a wheel
 * of 1 ms slots for retransmission, giving up and hanging up. The called side keeps nothing: it answers every INVITE at
 * once with 180 and 200, and learns from the dialled number whose call that is. */
#include "load.h"
#include "srtp.h"
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WHEEL = 65536, NONE = UINT32_MAX, HELD_MAX_US = 60000000 /* and as long as is measured */ };

int uac_fd, uas_fd;
unsigned busy_calls, up_calls;
static uint32_t wheel[WHEEL], free_head, free_tail;
static int64_t wheel_ms; /* everything before is done */
static unsigned user_counter;
static uint32_t run_id;

void calls_init(void)
{
	calls = calloc(SLOTS, sizeof(*calls));
	if (!calls)
		exit(1);
	for (uint32_t i = 0; i < WHEEL; i++)
		wheel[i] = NONE;
	for (uint32_t i = 0; i < SLOTS; i++)
		calls[i].next = i + 1 < SLOTS ? i + 1 : NONE;
	free_tail = SLOTS - 1;
	now_us = clock_us();
	wheel_ms = now_us / 1000;
	run_id = (uint32_t)now_us;
	if (opt.has_srtp)
		phone_keys_init();
	uac_fd = wire_socket(&opt.uac_port, false);
	uas_fd = wire_socket(&opt.uas_port, false);
}

/* ---- the wheel ---- */

static void timer_stop(struct call *c)
{
	if (!c->is_queued)
		return;
	if (c->prev != NONE)
		calls[c->prev].next = c->next;
	else
		wheel[c->due_us / 1000 % WHEEL] = c->next;
	if (c->next != NONE)
		calls[c->next].prev = c->prev;
	c->is_queued = false;
}

static void timer_set(struct call *c, int64_t due_us)
{
	uint32_t i = (uint32_t)(c - calls), *head;

	timer_stop(c);
	if (due_us / 1000 <= wheel_ms)
		due_us = (wheel_ms + 1) * 1000;
	c->due_us = due_us;
	head = &wheel[due_us / 1000 % WHEEL];
	c->next = *head;
	c->prev = NONE;
	if (c->next != NONE)
		calls[c->next].prev = i;
	*head = i;
	c->is_queued = true;
}

int64_t calls_next_due(void)
{
	for (int64_t ms = wheel_ms + 1; ms <= wheel_ms + 20; ms++) /* looking further is not worth it */
		if (wheel[ms % WHEEL] != NONE)
			return ms * 1000;
	return (wheel_ms + 20) * 1000;
}

/* ---- one call's end ---- */

static void slot_free(struct call *c)
{
	uint32_t i = (uint32_t)(c - calls);

	timer_stop(c);
	if (c->state == CALL_UP || c->state == CALL_BYE)
		up_calls--;
	c->state = CALL_FREE;
	c->next = NONE;
	if (free_head == NONE)
		free_head = i;
	else
		calls[free_tail].next = i;
	free_tail = i;
	busy_calls--;
}

static void fail(struct call *c, int code)
{
	counts.failed++;
	counts.codes[code]++;
	slot_free(c);
}

/* ---- requests ---- */

static unsigned user_of(const struct call *c)
{
	return opt.first_user + c->gen % opt.users;
}

static void send_request(struct call *c)
{
	wire_send(uac_fd, &opt.to, c->sent, c->sent_bytes);
	c->sent_us = now_us;
	c->interval_us = T1_US;
	timer_set(c, now_us + T1_US);
}

static void text_put(char *out, size_t size, int *n, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
static void text_put(char *out, size_t size, int *n, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (*n >= 0) {
		int more = vsnprintf(out + *n, size - (size_t)*n, fmt, ap);
		*n = more < 0 || (size_t)(*n + more) >= size ? -1 : *n + more;
	}
	va_end(ap);
}

static void sdp_make(char *out, size_t size, unsigned side, uint32_t slot, unsigned crypto_tag)
{
	int n = snprintf(out, size,
	    "v=0\r\no=bench 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio %u RTP/%s 0 101\r\n"
	    "a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n",
	    media_port[side], crypto_tag ? "SAVP" : "AVP");
	if (crypto_tag)
		phone_key_line(out + n, size - (size_t)n, side, slot, crypto_tag);
}

/* One request of a slot: `tail` are the lines that differ. */
static int request(struct call *c, char *out, size_t size, const char *method, const char *uri, const char *branch,
    const char *tail, const char *body)
{
	uint32_t i = (uint32_t)(c - calls);
	unsigned user = user_of(c);
	int n = 0;

	text_put(out, size, &n, "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%u;branch=z9hG4bK%s-%x-%x-%u;rport\r\n",
	    method, uri, opt.uac_port, branch, i, c->gen, c->cseq);
	text_put(out, size, &n, "Max-Forwards: 70\r\nFrom: <sip:%u@%s>;tag=f%x-%x\r\n", user, opt.domain, i, c->gen);
	if (opt.mode == MODE_REGISTER)
		text_put(out, size, &n, "To: <sip:%u@%s>\r\n", user, opt.domain);
	else
		text_put(out, size, &n, "To: <sip:%s@%s>%s%s\r\n", opt.number, opt.domain, *c->to_tag ? ";tag=" : "",
		    c->to_tag);
	text_put(out, size, &n, "Call-ID: %x-%x-%x@bench\r\nCSeq: %u %s\r\nContact: <sip:%u@127.0.0.1:%u>\r\n%s", i,
	    c->gen, run_id, c->cseq, method, user, opt.uac_port, tail);
	text_put(out, size, &n, "%sContent-Length: %zu\r\n\r\n%s", *body ? "Content-Type: application/sdp\r\n" : "",
	    strlen(body), body);
	if (n < 0) {
		fprintf(stderr, "bench_load: a %s does not fit in %zu bytes\n", method, size);
		exit(1);
	}
	return n;
}

static void uri_make(const struct call *c, char *uri, size_t size)
{
	if (opt.mode == MODE_REGISTER)
		snprintf(uri, size, "sip:%s", opt.domain);
	else if (opt.mode == MODE_CALL)
		snprintf(uri, size, "sip:%s@127.0.0.1:%u", opt.number, ntohs(opt.to.sin_port));
	else
		snprintf(uri, size, "sip:%s%u@127.0.0.1:%u", opt.number,
		    (unsigned)(c - calls) % (opt.mode == MODE_CONFERENCE ? opt.rooms : SLOTS), ntohs(opt.to.sin_port));
}

/* The first request of a slot, or with a challenge the second. */
static void send_first(struct call *c, const struct message *challenge)
{
	char uri[160], tail[900] = "", sdp[400] = "", user[16];
	const char *method = opt.mode == MODE_REGISTER ? "REGISTER" : "INVITE";
	int n = 0;

	uri_make(c, uri, sizeof(uri));
	c->cseq++;
	if (challenge) {
		snprintf(user, sizeof(user), "%u", user_of(c));
		n = auth_line(tail, sizeof(tail), challenge, method, uri, user, opt.password);
		c->has_auth = true;
	}
	if (opt.mode == MODE_REGISTER)
		snprintf(tail + n, sizeof(tail) - (size_t)n, "Expires: 3600\r\n");
	else
		sdp_make(sdp, sizeof(sdp), 0, (uint32_t)(c - calls), opt.has_srtp);
	c->sent_bytes = (uint16_t)request(c, c->sent, sizeof(c->sent), method, uri, "i", tail, sdp);
	send_request(c);
}

void calls_start_one(int64_t scheduled_us)
{
	uint32_t i = free_head;
	struct call *c;

	counts.started++;
	if (i == NONE) { /* the table is full of calls that nobody answers */
		counts.failed++;
		counts.codes[0]++;
		return;
	}
	c = &calls[i];
	free_head = c->next;
	busy_calls++;
	c->state = opt.mode == MODE_REGISTER ? CALL_REGISTER : CALL_INVITE;
	c->gen = user_counter++;
	c->cseq = 0;
	c->has_auth = false;
	c->to_tag[0] = c->contact[0] = 0;
	c->begin_us = scheduled_us;
	send_first(c, NULL);
}

static void send_ack(struct call *c, bool is_2xx)
{
	char text[SENT_MAX], uri[200];
	int n;

	if (is_2xx)
		snprintf(uri, sizeof(uri), "%s", c->contact);
	else
		uri_make(c, uri, sizeof(uri));
	n = request(c, text, sizeof(text), "ACK", uri, is_2xx ? "a" : "i", "", "");
	wire_send(uac_fd, &opt.to, text, (size_t)n);
}

static void send_bye(struct call *c)
{
	c->state = CALL_BYE;
	c->cseq++;
	c->sent_bytes = (uint16_t)request(c, c->sent, sizeof(c->sent), "BYE", c->contact, "b", "", "");
	c->begin_us = now_us;
	send_request(c);
}

/* What nobody answered in time must not ring on in the switch. */
static void send_cancel(struct call *c)
{
	char text[SENT_MAX], uri[200];
	int n;

	uri_make(c, uri, sizeof(uri));
	n = request(c, text, sizeof(text), "CANCEL", uri, "i", "", "");
	wire_send(uac_fd, &opt.to, text, (size_t)n);
}

void calls_hang_up_all(void)
{
	unsigned count = 0;
	for (uint32_t i = 0; i < SLOTS; i++) { /* spread over time: a storm of BYEs is another measurement */
		if (calls[i].state == CALL_UP)
			timer_set(&calls[i], now_us + (int64_t)count++ * 1000);
	}
	opt.hold_us = 0;
}

static void timer_fired(struct call *c)
{
	c->is_queued = false;
	if (c->state == CALL_UP) {
		send_bye(c);
		return;
	}
	if (now_us - c->sent_us >= GIVE_UP_US || is_winding_up) {
		counts.timeouts++;
		if (c->state == CALL_INVITE)
			send_cancel(c);
		fail(c, 0);
		return;
	}
	if (!c->interval_us) { /* provisionally answered: only the giving up is left */
		timer_set(c, c->sent_us + GIVE_UP_US);
		return;
	}
	counts.retransmissions++;
	wire_send(uac_fd, &opt.to, c->sent, c->sent_bytes);
	c->interval_us *= 2;
	timer_set(c, now_us + c->interval_us);
}

void calls_timers(void)
{
	for (int64_t end = now_us / 1000; wheel_ms < end;) {
		wheel_ms++;
		for (uint32_t i = wheel[wheel_ms % WHEEL], next; i != NONE; i = next) {
			next = calls[i].next;
			if (calls[i].due_us / 1000 > wheel_ms)
				continue; /* a turn later */
			timer_stop(&calls[i]);
			timer_fired(&calls[i]);
		}
	}
}

/* ---- what the switch answers ---- */

static struct call *call_find(const struct message *m)
{
	unsigned i, gen, run;
	char text[64];

	if (m->call_id.n >= (int)sizeof(text))
		return NULL;
	snprintf(text, sizeof(text), "%.*s", SPAN(m->call_id));
	if (sscanf(text, "%x-%x-%x@bench", &i, &gen, &run) != 3 || run != run_id || i >= SLOTS || calls[i].gen != gen ||
	    calls[i].state == CALL_FREE)
		return NULL;
	return &calls[i];
}

static void invite_answered(struct call *c, const struct message *m)
{
	struct span tag = span_param(m->to, "tag"), contact = span_uri(m->contact);
	struct sockaddr_in media;

	snprintf(c->to_tag, sizeof(c->to_tag), "%.*s", SPAN(tag));
	snprintf(c->contact, sizeof(c->contact), "%.*s", SPAN(contact));
	hist_add(&setup_hist, clock_us() - c->begin_us);
	counts.answered++;
	up_calls++;
	if (opt.mode >= MODE_MEDIA && sdp_media(m->body, &media))
		media_remote(0, (uint32_t)(c - calls), &media);
	if (opt.has_srtp)
		(void)phone_key_take(0, (uint32_t)(c - calls), m->body);
	send_ack(c, true);
	c->state = CALL_UP;
	if (opt.hold_us)
		timer_set(c, now_us + (opt.calls ? HELD_MAX_US + (int64_t)(opt.seconds * 1e6) : opt.hold_us));
	else
		send_bye(c);
}

static void final_answer(struct call *c, const struct message *m)
{
	if (c->state == CALL_INVITE && m->code >= 300)
		send_ack(c, false);
	if ((m->code == 401 || m->code == 407) && c->state != CALL_BYE && !c->has_auth && opt.password) {
		send_first(c, m);
		return;
	}
	if (m->code >= 300) {
		fail(c, m->code);
		return;
	}
	if (c->state == CALL_INVITE) {
		invite_answered(c, m);
		return;
	}
	hist_add(c->state == CALL_BYE ? &bye_hist : &setup_hist, clock_us() - c->begin_us);
	counts.ok++;
	slot_free(c);
}

static void on_response(const struct message *m)
{
	struct call *c = call_find(m);
	bool is_invite = m->cseq_method.n == 6 && !memcmp(m->cseq_method.p, "INVITE", 6);

	if (!c) {
		counts.strays++;
	} else if (is_invite && c->state > CALL_INVITE) { /* our ACK was lost or late */
		counts.strays++;
		if (m->code >= 200 && m->code < 300 && c->state == CALL_UP)
			send_ack(c, true);
	} else if (m->cseq != c->cseq || (!is_invite && c->state == CALL_INVITE)) {
		counts.strays++;
	} else if (m->code >= 200) {
		final_answer(c, m);
	} else if (c->interval_us) {
		c->interval_us = 0;
		timer_set(c, c->sent_us + GIVE_UP_US);
	}
}

/* ---- what the switch asks ---- */

static void respond(int fd, const struct sockaddr_in *to, const struct message *m, const char *status, const char *sdp)
{
	char text[MSG_MAX];
	struct span user = span_uri(m->to);
	int n = 0;

	text_put(text, sizeof(text), &n, "SIP/2.0 %s\r\n", status);
	for (int i = 0; i < m->via_count; i++)
		text_put(text, sizeof(text), &n, "Via: %.*s\r\n", SPAN(m->vias[i]));
	text_put(text, sizeof(text), &n, "From: %.*s\r\nTo: %.*s%s\r\n", SPAN(m->from), SPAN(m->to),
	    span_param(m->to, "tag").n ? "" : ";tag=uas");
	text_put(text, sizeof(text), &n, "Call-ID: %.*s\r\nCSeq: %u %.*s\r\n", SPAN(m->call_id), m->cseq,
	    SPAN(m->cseq_method));
	if (user.n > 4)
		text_put(text, sizeof(text), &n, "Contact: <sip:bench@127.0.0.1:%u>\r\n",
		    fd == uas_fd ? opt.uas_port : opt.uac_port);
	text_put(text, sizeof(text), &n, "%sContent-Length: %zu\r\n\r\n%s",
	    *sdp ? "Content-Type: application/sdp\r\n" : "", strlen(sdp), sdp);
	if (n > 0)
		wire_send(fd, to, text, (size_t)n);
}

static void on_invite(int fd, const struct sockaddr_in *from, const struct message *m)
{
	char sdp[400];
	struct sockaddr_in media;
	unsigned slot = 0, crypto_tag = 0;

	if (fd == uas_fd && !span_param(m->to, "tag").n) {
		counts.uas_invites++;
		if (opt.mode == MODE_MEDIA && sscanf(m->uri.p, "sip:%u@", &slot) == 1 && slot < SLOTS &&
		    sdp_media(m->body, &media)) {
			media_remote(1, slot, &media);
			if (opt.has_srtp)
				crypto_tag = phone_key_take(1, slot, m->body);
		}
		respond(fd, from, m, "180 Ringing", "");
	}
	sdp_make(sdp, sizeof(sdp), fd == uas_fd, slot, crypto_tag);
	respond(fd, from, m, "200 OK", sdp);
}

static void on_request(int fd, const struct sockaddr_in *from, const struct message *m)
{
	struct call *c;
#define IS(word) (m->method.n == (int)sizeof(word) - 1 && !memcmp(m->method.p, word, sizeof(word) - 1))
	if (IS("INVITE")) {
		on_invite(fd, from, m);
	} else if (IS("ACK")) {
		counts.uas_acks += fd == uas_fd;
	} else if (IS("BYE")) {
		respond(fd, from, m, "200 OK", "");
		counts.uas_byes += fd == uas_fd;
		if (fd == uac_fd && (c = call_find(m)) && c->state == CALL_UP) { /* the switch hung up a call of ours */
			counts.early_byes++;
			fail(c, 0);
		}
	} else {
		respond(fd, from, m, "200 OK", "");
	}
#undef IS
}

void calls_message(int fd, const struct sockaddr_in *from, const char *p, size_t n)
{
	struct message m;

	if (!message_parse(&m, p, n))
		counts.strays++;
	else if (m.code)
		on_response(&m);
	else
		on_request(fd, from, &m);
}
