/* What core knows of calls: the operations of a leg whose far end is a SIP dialog, and the dial strings that make one.
 */
#include "endpoint/sip/call/call_i.h"

const struct endpoint_ops sofia_ops = {.name = "sofia",
    .operator_dials = OPERATOR_DIALS_ADDRESS,
    .outgoing = call_out_outgoing,
    .on_init = call_out_dial,
    .ring_ready = call_op_ring_ready,
    .pre_answer = call_op_pre_answer,
    .answer = call_op_answer,
    .on_hangup = call_op_on_hangup,
    .on_destroy = call_op_on_destroy,
    .hold = call_hold,
    .reinvite = call_reinvite,
    .await_free = call_await_free,
    .reinvite_reply = call_reinvite_reply,
    .reinvite_ack = call_reinvite_ack,
    .send_dtmf = call_send_dtmf,
    .send_info = call_send_info,
    .send_message = call_send_message,
    .phone_event = call_phone_event,
    .display = call_display,
    .redirect = call_redirect,
    .respond = call_respond,
    .transfer_told = call_transfer_told};

/* ---- sip:user@host as a dial string of its own ---- */

static int sip_outgoing(const struct originate_target *o, struct leg **out, enum cause *cause)
{
	struct buf b;
	struct originate_target copy = *o;
	struct sv data = sv_of(o->text);
	role_assert_ctl();
	buf_init(&b);
	buf_printf(&b, sv_startsi(data, SV("sip:")) ? "%s" : "sip:%s", o->text);
	copy.text = b.p ? b.p : "";
	int st = call_out_outgoing(&copy, out, cause);
	buf_fini(&b);
	return st;
}

const struct endpoint_ops sip_ops = {.name = "sip", .operator_dials = OPERATOR_DIALS_ADDRESS, .outgoing = sip_outgoing};

void calls_init(void)
{
	call_endpoint_set(&sofia_ops);
}
