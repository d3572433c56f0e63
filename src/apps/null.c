/* null/NAME, mod_loopback's other endpoint: a leg without a far side. It answers by itself, takes what is sent to it
 * and never sends. null_enable_auto_answer=false keeps it silent, null_auto_answer_delay (ms) lets it wait,
 * null_pre_answer=true gives early media first, null_hangup_cause refuses the call. */
#include "apps/apps_i.h"
#include "base/clock.h"
#include "base/mem.h"
#include "loop/loop.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DELAY_MAX_MS = 60000 };

struct null_leg {
	struct leg *leg;
	struct ltimer answer;
	struct ldefer begin;
	char originator_uuid[UUID_CHARS + 1];
};

static const char *var_of(const struct leg *leg, const char *name)
{
	return vars_get(leg->vars, name);
}

static ON_CTL int media_init(struct leg *leg)
{
	static const struct leg_media_conf conf = {.is_wired = true,
	    .rtp_host = "127.0.0.1",
	    .inbound_codecs = "L16@8000h",
	    .outbound_codecs = "L16@8000h",
	    .negotiation = "generous",
	    .sdp_username = "null",
	    .dtmf_pt = -1,
	    .cn_pt = -1};
	return leg_media_init(leg, &conf);
}

static int outgoing(const struct originate_target *t, struct leg **out, enum cause *cause);

/* Our own offer is answered as by somebody who only sends, and sends nothing: nothing goes out. */
static ON_CTL int far_answer(struct leg *leg)
{
	struct leg *originator = leg_find(((struct null_leg *)leg->endpoint)->originator_uuid);
	struct buf offer, answer;
	unsigned port = 0, pt = 0;
	const char *m;
	int st;

	buf_init(&offer);
	buf_init(&answer);
	st = leg_media_offer(leg, originator, &offer);
	m = st ? NULL : strstr(offer.p, "m=audio ");
	if (!st && (!m || sscanf(m, "m=audio %u RTP/AVP %u", &port, &pt) != 2))
		st = ST_UNSUPPORTED;
	if (!st) {
		buf_printf(&answer,
		    "v=0\r\no=null 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP "
		    "%u\r\n"
		    "a=rtpmap:%u L16/8000\r\na=ptime:20\r\na=sendonly\r\n",
		    pt, pt);
		st = leg_media_remote_answer(leg, buf_sv(&answer));
	}
	buf_fini(&offer);
	buf_fini(&answer);
	return st;
}

static void answer_now(void *arg)
{
	struct null_leg *n = arg;
	role_assert_ctl();
	leg_mark_answered(n->leg);
}

static void begin(void *arg)
{
	struct null_leg *n = arg;
	const char *wish = var_of(n->leg, "null_enable_auto_answer"), *delay = var_of(n->leg, "null_auto_answer_delay");
	const char *refusal = var_of(n->leg, "null_hangup_cause");
	bool answers = !wish || str_is_true(wish); /* early media sets variables */
	long ms = delay ? strtol(delay, NULL, 10) : 0;

	role_assert_ctl();
	if (!leg_is_up(n->leg))
		return;
	if (refusal) {
		leg_hangup(n->leg, cause_parse(refusal));
		return;
	}
	if (str_is_true(var_of(n->leg, "null_pre_answer")))
		leg_mark_early_media(n->leg);
	if (!answers)
		return;
	if (ms > 0)
		loop_timer_set(
		    &n->answer, clock_us_of_ms(ms < DELAY_MAX_MS ? ms : DELAY_MAX_MS), "null answer", answer_now, n);
	else
		answer_now(n);
}

static int on_init(struct leg *leg)
{
	struct null_leg *n = leg->endpoint;
	int st;

	role_assert_ctl();
	/* whatever codecs the dial string asks for, nobody is there to mind them */
	static const char *const wishes[] = {"absolute_codec_string", "codec_string"};
	char *wish[2];
	for (size_t i = 0; i < 2; i++) {
		wish[i] = leg_text_dup(leg, wishes[i]);
		leg_var_set(leg, wishes[i], NULL);
	}
	st = far_answer(leg);
	for (size_t i = 0; i < 2; i++) {
		if (wish[i])
			leg_var_set_text(leg, wishes[i], wish[i]);
		mem_free(wish[i]);
	}
	if (!st)
		loop_defer(&n->begin, "null", begin, n);
	return st;
}

static ON_CTL void null_stop(struct null_leg *n)
{
	loop_timer_cancel(&n->answer);
	loop_defer_cancel(&n->begin);
}

static void on_hangup(struct leg *leg)
{
	role_assert_ctl();
	if (leg->endpoint)
		null_stop(leg->endpoint);
}

static void on_destroy(struct leg *leg)
{
	struct null_leg *n = leg->endpoint;

	role_assert_ctl();
	if (!n)
		return;
	leg->endpoint = NULL;
	null_stop(n);
	mem_free(n);
}

const struct endpoint_ops null_ops = {.name = "null",
    .operator_dials = OPERATOR_DIALS_DATA,
    .outgoing = outgoing,
    .on_init = on_init,
    .on_hangup = on_hangup,
    .on_destroy = on_destroy};

static int outgoing(const struct originate_target *t, struct leg **out, enum cause *cause)
{
	struct null_leg *n = mem_zalloc(sizeof(*n));
	struct leg_profile *p;
	struct leg *leg = NULL;
	struct buf name;
	int st;

	role_assert_ctl();
	*cause = CAUSE_DESTINATION_OUT_OF_ORDER; /* no room */
	p = t->profile ? leg_profile_dup(t->profile) : leg_profile_new();
	st = n && p ? leg_new(&leg, &null_ops, true, t->vars ? vars_get(t->vars, "origination_uuid") : NULL) : ST_NOMEM;
	if (st) {
		leg_profile_free(p);
		mem_free(n);
		return st;
	}
	n->leg = leg;
	leg->endpoint = n;
	if (t->originator)
		snprintf(n->originator_uuid, sizeof(n->originator_uuid), "%s", t->originator->uuid);
	buf_init(&name);
	buf_printf(&name, "null/%s", *t->data ? t->data : "service");
	leg_set_name(leg, name.p);
	buf_fini(&name);
	leg_profile_destination_set(p, *t->text ? t->text : "service");
	leg_profile_set(&p->source, "mod_loopback");
	leg_set_profile(leg, p);
	if ((st = media_init(leg))) {
		leg_hangup(leg, CAUSE_SWITCH_CONGESTION);
		return st;
	}
	*cause = CAUSE_NONE;
	*out = leg;
	return ST_OK;
}
