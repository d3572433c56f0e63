/* Commands that tell the far end something: digits, displays, messages, redirections. An endpoint that lacks a way to
 * say it leaves it; the reply is FreeSWITCH's, which counts the leg being there as success. */
#include "api/api_i.h"
#include "core/keys/dtmf.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "core/value/vars.h"
#include "text/url.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- digits ---- */

void on_send_dtmf(struct api_call *c, struct leg *leg, struct api_words *w)
{
	role_assert_ctl();
	leg_dtmf_send(leg, w->w[1]);
	buf_printf(c->out, "+OK %s sent DTMF %s.\n", leg->uuid, w->w[1]);
}

void on_recv_dtmf(struct api_call *c, struct leg *leg, struct api_words *w)
{
	const char *digits = w->w[1];
	role_assert_ctl();
	leg_dtmf_queue(leg, digits);
	buf_printf(c->out, "+OK %s received DTMF %s.\n", leg->uuid, digits);
}

void on_flush_dtmf(struct api_call *c, struct leg *leg, struct api_words *w)
{
	role_assert_ctl();
	leg_dtmf_flush(leg);
	buf_adds(c->out, "+OK\n");
}

/* Digits are not told to the leg, or others are in their place, or it hears a file. Media relays telephone-events by
 * itself: those of its partner come here first from then on. */
void on_drop_dtmf(struct api_call *c, struct leg *leg, struct api_words *w)
{
	role_assert_ctl();
	bool is_digits = !strcasecmp(w->w[2], "mask_digits"), is_file = !strcasecmp(w->w[2], "mask_file");
	if (!is_digits && !is_file) {
		api_leg_usage(c, w->command);
		return;
	}
	if (is_file && !api_word_check(c, w, 3, API_DOOR_SOUND))
		return;
	bool is_on = !strcasecmp(w->w[1], "on");
	leg_var_set(leg, "drop_dtmf_masking_digits", is_digits ? w->w[3] : NULL);
	leg_var_set_text(leg, "drop_dtmf_masking_file", is_file ? w->m[3] : NULL);
	leg_var_set(leg, "drop_dtmf", is_on ? "true" : "false");
	leg_dtmf_capture_check(leg);
	buf_printf(c->out, "+OK %s is %s DTMF. mask_file: %s mask_digits: %s\n", w->w[0],
	    is_on ? "dropping" : "not dropping", is_file ? w->w[3] : "NONE", is_digits ? w->w[3] : "NONE");
}

/* ---- displays, messages ---- */

void on_display(struct api_call *c, struct leg *leg, struct api_words *w)
{
	char *number = strchr(w->w[1], '|');
	role_assert_ctl();
	if (number)
		*number++ = 0;
	(void)leg_display(leg, w->w[1], number ? number : w->w[1]);
	buf_adds(c->out, "+OK Success\n");
}

/* A token of RFC 3261, section 25.1: no line end makes another header of it. */
static bool is_mime_word(const char *text)
{
	return *text && !text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~")];
}

void on_send_info(struct api_call *c, struct leg *leg, struct api_words *w)
{
	char ctype[128] = "freeswitch/data";
	if (w->n == 3) { /* neither a body nor a type with one */
		role_assert_ctl();
		api_leg_usage(c, w->command);
		return;
	}
	struct sv body = w->n == 2 ? sv_of(w->w[1]) : w->n == 4 ? sv_of(w->w[3]) : SV("");
	role_assert_ctl();
	if (w->n == 4 && (!is_mime_word(w->w[1]) || !is_mime_word(w->w[2]))) {
		buf_adds(c->out, "-ERR Operation Failed\n");
		return;
	}
	if (w->n == 4 && strlen(w->w[1]) < 60 && strlen(w->w[2]) < 60)
		snprintf(ctype, sizeof(ctype), "%.60s/%.60s", w->w[1], w->w[2]);
	/* an endpoint that has no such thing takes it without a word */
	bool is_done = leg->ops && (!leg->ops->send_info || !leg->ops->send_info(leg, ctype, body));
	buf_adds(c->out, is_done ? "+OK Success\n" : "-ERR Operation Failed\n");
}

void on_send_message(struct api_call *c, struct leg *leg, struct api_words *w)
{
	role_assert_ctl();
	bool is_done =
	    leg->ops && (!leg->ops->send_message || !leg->ops->send_message(leg, "text/plain", sv_of(w->w[1])));
	buf_adds(c->out, is_done ? "+OK Success\n" : "-ERR Operation Failed\n");
}

void on_chat(struct api_call *c, struct leg *leg, struct api_words *w)
{
	role_assert_ctl();
	bool is_done = leg->ops && leg->ops->send_message && !leg->ops->send_message(leg, "text/html", sv_of(w->w[1]));
	buf_adds(c->out, is_done ? "+OK\n" : "-ERR Send failed\n");
}

void on_phone_event(struct api_call *c, struct leg *leg, struct api_words *w)
{
	const char *event = w->n > 1 && !strcasecmp(w->w[1], "hold") ? "hold" : "talk";
	role_assert_ctl();
	if (leg->ops && leg->ops->phone_event)
		leg->ops->phone_event(leg, event);
	buf_adds(c->out, "+OK Success\n");
}

/* ---- elsewhere ---- */

static ON_CTL void redirect(struct api_call *c, struct leg *leg, const char *uri, const char *done)
{
	bool is_done = leg->ops && leg->ops->redirect && !leg->ops->redirect(leg, uri);
	buf_adds(c->out, is_done ? done : "-ERR Operation failed\n");
}

void on_deflect(struct api_call *c, struct leg *leg, struct api_words *w)
{
	role_assert_ctl();
	redirect(c, leg, w->w[1], "+OK:no reply\n");
}

void on_redirect(struct api_call *c, struct leg *leg, struct api_words *w)
{
	role_assert_ctl();
	redirect(c, leg, w->w[1], "+OK:\n");
}

/* The phone is asked to call its partner's phone in our place (REFER with Replaces), so that both are one call without
 * us. The partner's dialog is known from its variables; one that lacks them, and a leg that is not bridged, is left as
 * it is: FreeSWITCH calls that success. */
void on_simplify(struct api_call *c, struct leg *leg, struct api_words *w)
{
	struct leg *peer;
	struct buf dialog, target;
	role_assert_ctl();
	buf_adds(c->out, "+OK Success\n");
	peer = leg->peer;
	if (!peer || !leg->is_answered || !leg->ops || !leg->ops->redirect)
		return;
	const char *phone = vars_get(peer->vars, "sip_contact_uri"), *call_id = vars_get(peer->vars, "sip_call_id"),
	           *theirs = vars_get(peer->vars, peer->is_outbound ? "sip_to_tag" : "sip_from_tag"),
	           *ours = vars_get(peer->vars, peer->is_outbound ? "sip_from_tag" : "sip_to_tag");
	if (!phone || !call_id || !theirs || !ours)
		return;
	buf_init(&dialog);
	buf_init(&target);
	buf_printf(&dialog, "%s;to-tag=%s;from-tag=%s", call_id, theirs, ours);
	buf_printf(&target, "<sip:%s?Replaces=", phone);
	url_encode(&target, buf_sv(&dialog), 0);
	buf_addc(&target, '>');
	if (!target.failed)
		leg->ops->redirect(leg, target.p);
	buf_fini(&dialog);
	buf_fini(&target);
}
