/* INFO inside a call: digits that come (application/dtmf-relay, application/dtmf), and digits that go to a phone which
 * takes them so. They go one at a time, the next when the one before was answered, since over UDP requests overtake
 * each other and a late one is refused (RFC 3261 12.2.2); w and W only wait. A phone that refuses one is told it, and
 * those to come, in the media. */
#include "base/log.h"
#include "base/mem.h"
#include "core/event/event.h"
#include "core/keys/dtmf.h"
#include "core/leg/leg.h"
#include "core/sound/media.h"
#include "endpoint/sip/call/call_i.h"

#include <stdio.h>
#include <string.h>

enum { PAUSE_US = 500000, DIGIT_MS = 160 };

/* ---- in ---- */

static bool digit_char(char ch)
{
	return ch && strchr("0123456789*#ABCDabcd", ch) != NULL;
}

static ON_CTL void recv_info_event(struct call *c, const struct sip_msg *m)
{
	struct sip_nameaddr contact = {0};
	struct event *e;
	if (!event_is_wanted(EVENT_RECV_INFO, NULL) || !(e = event_new(EVENT_RECV_INFO, NULL)))
		return;
	if (sip_msg_contact(m, &contact) < 0 || contact.is_star)
		contact = (struct sip_nameaddr){.is_star = false};
	const struct {
		const char *name;
		struct sv value;
	} headers[] = {{"SIP-Content-Type", m->content_type}, {"SIP-From-User", m->from.uri.user},
	    {"SIP-From-Host", m->from.uri.host}, {"SIP-To-User", m->to.uri.user}, {"SIP-To-Host", m->to.uri.host},
	    {"SIP-Contact-User", contact.uri.user}, {"SIP-Contact-Host", contact.uri.host},
	    {"SIP-Call-Info", sip_msg_value_named(m, "Call-Info")},
	    {"SIP-User-Agent", sip_msg_value(m, SIP_HDR_USER_AGENT)}};
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		if (headers[i].value.n)
			event_addf(e, headers[i].name, "%.*s", SVF(headers[i].value));
	leg_event_headers(c->leg, e);
	event_set_body(e, m->body);
	event_fire(e);
}

void info_in(struct call *c, struct sip_call *sc, struct sip_stx *tx, const struct sip_msg *m)
{
	char digit;
	unsigned duration = c->p->conf.dtmf_duration;
	if (body_request_passed(c, sc, tx, m))
		return;
	if (sv_startsi(m->content_type, SV("application/trickle-ice-sdpfrag"))) {
		sip_call_reply(
		    sc, tx, leg_media_trickle(c->leg, m->body) == ST_OK ? 200 : 400, NULL, NULL, NULL, SV_NONE);
		return;
	}
	bool is_digit = info_digit_parse(m->content_type, m->body, &digit, &duration);
	sip_call_reply(sc, tx, 200, NULL, NULL, NULL, SV_NONE);
	recv_info_event(c, m);
	body_info_copied(c, m);
	if (sv_startsi(m->content_type, SV("message/update_display")))
		call_display_read(c, m);
	if (sv_startsi(m->content_type, SV("application/media_control+xml")) &&
	    memmem(m->body.p, m->body.n, "picture_fast_update", 19)) /* RFC 5168 */
		(void)leg_video_asked(c->leg);
	if (isup_info_in(c, m) || !is_digit)
		return;
	leg_dtmf_own_received(c->leg);
	leg_dtmf_received(c->leg, digit, duration, DTMF_ENDPOINT);
}

/* ---- out ---- */

static ON_CTL void info_next(struct call *c);

static void on_pause(void *arg)
{
	struct call *c = arg;
	role_assert_ctl();
	info_next(c);
}

static bool is_refusal(int code)
{
	return code == 405 || code == 415 || code == 489 || code == 501;
}

static void on_info_answer(struct sip_ctx *ctx, int code, const struct sip_msg *resp, void *arg)
{
	struct call *c = arg;
	struct info_digits *q = c->info;
	role_assert_ctl();
	if (code < 200)
		return;
	q->is_busy = false;
	if (c->leg && leg_is_up(c->leg) && is_refusal(code)) {
		leg_log(c->leg, LOG_NOTICE, "digits by INFO are refused (%d); they go in the media now", code);
		leg_dtmf_own_refused(c->leg, q->sent, q->sent_ms);
		for (; q->count; q->count--, q->head = (q->head + 1) % INFO_DIGITS_MAX)
			leg_dtmf_own_refused(c->leg, q->digits[q->head], q->durations_ms[q->head]);
		return;
	}
	info_next(c);
}

static void info_next(struct call *c)
{
	struct info_digits *q = c->info;
	char body[48];
	while (q->count && !q->is_busy && !loop_timer_is_set(&q->pause)) {
		if (!c->sip || c->is_closed) {
			q->count = 0;
			return;
		}
		q->sent = q->digits[q->head], q->sent_ms = q->durations_ms[q->head];
		q->head = (q->head + 1) % INFO_DIGITS_MAX;
		q->count--;
		if (q->sent == 'w' || q->sent == 'W') {
			loop_timer_set(
			    &q->pause, q->sent == 'w' ? PAUSE_US : 2 * PAUSE_US, "sofia.digits", on_pause, c);
			return;
		}
		snprintf(body, sizeof(body), "Signal=%c\r\nDuration=%u\r\n", q->sent, q->sent_ms);
		q->is_busy = sip_call_request(c->sip, "INFO", NULL, "application/dtmf-relay", sv_of(body),
		                 on_info_answer, c) == ST_OK;
	}
}

int call_send_dtmf(struct leg *leg, const char *digits, unsigned duration_ms)
{
	struct call *c = call_of(leg);
	role_assert_ctl();
	if (!c || !c->sip || c->is_closed)
		return ST_INVAL;
	struct info_digits *q = c->info ? c->info : (c->info = mem_zalloc(sizeof(*q)));
	if (!q)
		return ST_NOMEM;
	for (; *digits; digits++) {
		if (*digits != 'w' && *digits != 'W' && !digit_char(*digits))
			continue;
		if (q->count == INFO_DIGITS_MAX)
			return ST_FULL;
		unsigned at = (q->head + q->count++) % INFO_DIGITS_MAX;
		q->digits[at] = *digits;
		q->durations_ms[at] = (uint16_t)(duration_ms ? duration_ms : DIGIT_MS);
	}
	info_next(c);
	return ST_OK;
}

void info_end(struct call *c)
{
	if (!c->info)
		return;
	loop_timer_cancel(&c->info->pause);
	c->info->count = 0;
}

int call_send_info(struct leg *leg, const char *ctype, struct sv body)
{
	struct call *c = call_of(leg);
	role_assert_ctl();
	if (!c || !c->sip || c->is_closed)
		return ST_INVAL;
	struct buf headers;
	buf_init(&headers);
	call_headers_put(c, &headers, "sip_info_h_");
	int st = headers.failed ? ST_NOMEM : sip_call_request(c->sip, "INFO", headers.p, ctype, body, NULL, NULL);
	buf_fini(&headers);
	return st;
}
