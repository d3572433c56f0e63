/* Requests that open no call: who may send what, and the answers. REGISTER and INVITE have files of their own. Whatever
 * is not answered in the open (OPTIONS, INFO) needs the same digest as a call; nothing here reaches the command
 * registry. */
#include "base/clock.h"
#include "base/log.h"
#include "endpoint/sip/call/message.h"
#include "endpoint/sip/module_i.h"

/* How many came in this second: a profile's part. */
struct request_rate {
	int64_t second;
	unsigned count;
	uint64_t refused;
};
static const struct profile_slot slot = {"requests", sizeof(struct request_rate)};
const struct profile_part request_part = {.slot = &slot};

uint64_t requests_refused(const struct profile *p)
{
	return ((const struct request_rate *)profile_slot_of(p, &slot))->refused;
}

/* To whoever asks: nothing is kept. */
static ON_CTL void reply(struct sip_stx *tx, int code, const char *headers)
{
	sip_stx_reply_once(tx, code, NULL, headers);
}

static ON_CTL void options_in(struct profile *p, struct sip_stx *tx, const struct sip_msg *m)
{
	struct buf b, uri;
	buf_init(&b);
	buf_init(&uri);
	if (sip_stack_contact_uri(p->stack, NULL, sip_stx_transport(tx), sip_stx_peer(tx), &uri) == ST_OK)
		buf_printf(&b, "Contact: <%s>\r\n", uri.p);
	buf_adds(&b, "Accept: application/sdp\r\n");
	reply(tx, 200, b.p);
	buf_fini(&b);
	buf_fini(&uri);
}

/* True when the sender has shown who it is (or need not); otherwise the answer went out. */
static ON_CTL bool is_authenticated(struct profile *p, struct sip_stx *tx, const struct sip_msg *m)
{
	struct auth a = {0};
	bool is_ok = auth_check(p, tx, m, &a) == AUTH_OK;
	auth_fini(&a);
	return is_ok;
}

/* Beyond max-recv-requests-per-second those are still served whose address is known to be theirs, up to a tenth of it
 * each: a flood of others does not take their share. */
static ON_CTL bool is_over_rate(struct profile *p, const struct sip_stx *tx)
{
	int64_t second = clock_mono_us() / 1000000;
	if (!p->conf.max_rps)
		return false;
	struct request_rate *rate = profile_slot_of(p, &slot);
	if (second != rate->second)
		rate->second = second, rate->count = 0;
	if (++rate->count <= p->conf.max_rps)
		return false;
	bool is_over = !sip_stx_is_known(tx) || sip_stx_sender_rate(tx) > p->conf.max_rps / 10 + 1;
	rate->refused += is_over;
	return is_over;
}

static bool is_keep_alive(const struct sip_msg *m)
{
	struct sv type, params;
	sv_split(sip_msg_value(m, SIP_HDR_EVENT), ';', &type, &params);
	return sv_isi(sv_trim(type), "keep-alive");
}

/* RFC 6665 8.2.1, RFC 3903 11.1.2: of what event it is about. */
static bool lacks_event(const struct sip_msg *m)
{
	return (m->method == SIP_SUBSCRIBE || m->method == SIP_NOTIFY || m->method == SIP_PUBLISH) &&
	       !sip_msg_hdr(m, SIP_HDR_EVENT);
}

static ON_CTL void other_in(struct profile *p, struct sip_stx *tx, const struct sip_msg *m)
{
	/* the others are asked first who they are */
	bool is_of_no_event = lacks_event(m) && (m->method == SIP_NOTIFY || is_authenticated(p, tx, m));
	if (is_of_no_event)
		sip_stx_reply_once(tx, 400, "Missing Event", NULL);
	if (lacks_event(m))
		return;
	switch (m->method) {
	case SIP_OPTIONS:
		options_in(p, tx, m);
		break;
	case SIP_INFO:
		reply(tx, 200, NULL);
		break;
	case SIP_PRACK:
	case SIP_BYE:
	case SIP_UPDATE:
		sip_stx_reply_once(tx, 481, "Call Does Not Exist", NULL);
		break;
	case SIP_NOTIFY:
		/* Ours to get only inside a subscription; but by "keep-alive" a phone only wants an answer, for its
		 * address translator (some register anew without one). */
		if (gateway_notify_in(p, tx, m))
			break;
		if (is_keep_alive(m))
			reply(tx, 200, NULL);
		else
			sip_stx_reply_once(tx, 481, "Subscription Does Not Exist", NULL);
		break;
	case SIP_MESSAGE:
		message_in(p, tx, m, NULL, NULL);
		break;
	case SIP_SUBSCRIBE:
		if (is_authenticated(p, tx, m))
			reply(tx, 489, "Allow-Events: \r\n");
		break;
	case SIP_PUBLISH:
		if (is_authenticated(p, tx, m))
			reply(tx, 489, "Allow-Events: \r\n");
		break;
	case SIP_REFER:
		refer_outside_in(p, tx, m);
		break;
	default:
		reply(tx, 501, NULL);
		break;
	}
}

/* To whoever serves its method. */
static void request_go(struct profile *p, struct sip_stx *tx, const struct sip_msg *m)
{
	role_assert_ctl();
	if (m->method == SIP_REGISTER)
		register_in(p, tx, m);
	else if (m->method == SIP_INVITE)
		invite_in(p, tx, m);
	else
		other_in(p, tx, m);
}

void request_in(struct sip_stack *s, struct sip_stx *tx, const struct sip_msg *m, void *arg)
{
	struct profile *p = arg;
	role_assert_ctl();
	if (is_over_rate(p, tx)) {
		sip_stx_reply_once(tx, 503, "Maximum Requests Exceeded", "Retry-After: 1\r\n");
		return;
	}
	if (m->max_forwards == 0 && m->method != SIP_OPTIONS) {
		reply(tx, 483, NULL);
		return;
	}
	if (!request_waits(p, tx, m, request_go))
		request_go(p, tx, m);
}
