/* The INVITE usage against a scripted far side: both directions, lost messages, collisions, forks, routes. */
#include "peer.h"
#include <stdio.h>

#define SDP "v=0\n"
#define REQ(method, branch, cseq, to_tag) \
	method " sip:1001@127.0.0.1:@L SIP/2.0\n" \
	       "Via: SIP/2.0/UDP 127.0.0.1:@P;rport;branch=z9hG4bK" branch "\n" \
	       "Max-Forwards: 70\n" \
	       "From: \"A\" <sip:1000@127.0.0.1>;tag=ft\n" \
	       "To: <sip:1001@127.0.0.1>" to_tag "\n" \
	       "Call-ID: k1@lab\n" \
	       "CSeq: " cseq "\n" \
	       "Contact: <sip:1000@127.0.0.1:@P>\n"
#define END "Content-Length: 0\n\n"
#define WITH_SDP "Content-Type: application/sdp\nContent-Length: 4\n\nv=0\n"

/* A request inside the dialog of the UAS tests. */
static ON_CTL int in_dialog(struct rig *r, const char *method, const char *branch, int cseq, const char *rest)
{
	char text[2048];
	snprintf(text, sizeof(text),
	    "%s sip:1001@127.0.0.1:@L SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.1:@P;rport;branch=z9hG4bK%s\nMax-Forwards: 70\n"
	    "From: \"A\" <sip:1000@127.0.0.1>;tag=ft\nTo: <sip:1001@127.0.0.1>;tag=%s\nCall-ID: k1@lab\nCSeq: %d %s\n"
	    "Contact: <sip:1000@127.0.0.1:@P>\n%s",
	    method, branch, sip_call_local_tag(r->call), cseq, method, rest);
	return peer_send(&r->p, text);
}

static ON_CTL int uas_answered(struct rig *r)
{
	r->is_accepting = true;
	EXPECT_INT(peer_send(&r->p, REQ("INVITE", "i1", "10 INVITE", "") WITH_SDP), 0);
	EXPECT(r->call != NULL);
	EXPECT_INT(sip_call_progress(r->call, 180, NULL, NULL, SV_NONE), 0);
	EXPECT(peer_expect(&r->p, "SIP/2.0 180 "));
	EXPECT_INT(sip_call_answer(r->call, "X-A: b\r\n", SV(SDP)), 0);
	EXPECT(peer_expect(&r->p, "SIP/2.0 200 OK"));
	EXPECT(peer_has(&r->p, "Contact: <sip:tandem@127.0.0.1:"));
	EXPECT(peer_has(&r->p, "Content-Length: 4\r\n"));
	EXPECT_INT(sip_call_state(r->call), SIP_CALL_ANSWERED);
	return 0;
}

static ON_CTL int no_calls_left(struct rig *r)
{
	struct sip_stack_stats st;
	rig_pump();
	sip_stack_stats_get(r->s, &st);
	EXPECT_INT(st.calls, 0);
	EXPECT_INT(r->closed, 1);
	return 0;
}

static int test_uas_bye_from_peer(void)
{
	struct rig r;
	role_assert_ctl();
	EXPECT_INT(rig_open(&r, NULL), 0);
	EXPECT_INT(uas_answered(&r), 0);
	EXPECT_INT(in_dialog(&r, "ACK", "a1", 10, END), 0);
	EXPECT_INT(r.ack, 1);
	EXPECT_INT(sip_call_state(r.call), SIP_CALL_CONFIRMED);
	EXPECT(sip_call_invite_msg(r.call) == NULL);
	rig_advance_ms(&r, 2000);
	EXPECT(!peer_recv(&r.p));
	EXPECT_INT(in_dialog(&r, "BYE", "b1", 11, "Reason: Q.850;cause=16\n" END), 0);
	EXPECT(peer_expect(&r.p, "SIP/2.0 200 OK"));
	EXPECT(peer_has(&r.p, "CSeq: 11 BYE"));
	EXPECT_INT(r.close.kind, SIP_CLOSE_BYE);
	EXPECT(r.close.is_remote);
	EXPECT_STR(r.close_reason, "Q.850;cause=16");
	EXPECT_INT(no_calls_left(&r), 0);
	rig_close(&r);
	return 0;
}

static int test_uas_bye_from_us(void)
{
	struct rig r;
	role_assert_ctl();
	EXPECT_INT(rig_open(&r, NULL), 0);
	EXPECT_INT(uas_answered(&r), 0);
	/* before the ACK: BYE must wait */
	EXPECT_INT(sip_call_hangup(r.call, 0, NULL, "Q.850;cause=16", NULL), 0);
	EXPECT_INT(r.closed, 0);
	rig_pump();
	EXPECT_INT(r.closed, 1);
	EXPECT(!r.close.is_remote);
	EXPECT(!peer_recv(&r.p));
	EXPECT_INT(in_dialog(&r, "ACK", "a1", 10, END), 0);
	EXPECT(peer_expect(&r.p, "BYE sip:1000@127.0.0.1:"));
	EXPECT(peer_has(&r.p, "Reason: Q.850;cause=16\r\n"));
	EXPECT(peer_has(&r.p, "To: \"A\" <sip:1000@127.0.0.1>;tag=ft\r\n"));
	EXPECT_INT(peer_reply(&r.p, 200, NULL, "", NULL), 0);
	EXPECT_INT(no_calls_left(&r), 0);
	rig_close(&r);
	return 0;
}

static int test_uas_lost_200_and_invite_again(void)
{
	struct rig r;
	role_assert_ctl();
	EXPECT_INT(rig_open(&r, NULL), 0);
	EXPECT_INT(uas_answered(&r), 0);
	/* T1, 2 T1, ... T2 */
	rig_advance_ms(&r, 510);
	EXPECT(peer_expect(&r.p, "SIP/2.0 200 OK"));
	rig_advance_ms(&r, 1010);
	EXPECT(peer_expect(&r.p, "SIP/2.0 200 OK"));
	/* a repeated INVITE makes no second call */
	EXPECT_INT(peer_send(&r.p, REQ("INVITE", "i1", "10 INVITE", "") WITH_SDP), 0);
	EXPECT_INT(r.request_count, 1);
	rig_advance_ms(&r, 2010);
	EXPECT(peer_expect(&r.p, "SIP/2.0 200 OK"));
	EXPECT_INT(in_dialog(&r, "ACK", "a1", 10, END), 0);
	rig_advance_ms(&r, 5000);
	EXPECT(!peer_recv(&r.p));
	EXPECT_INT(in_dialog(&r, "ACK", "a1", 10, END), 0); /* repeated ACK */
	EXPECT_INT(r.ack, 1);
	rig_close(&r);
	EXPECT_INT(r.closed, 1);
	EXPECT_INT(r.close.kind, SIP_CLOSE_STACK);
	return 0;
}

static int test_uas_no_ack(void)
{
	struct rig r;
	role_assert_ctl();
	EXPECT_INT(rig_open(&r, NULL), 0);
	EXPECT_INT(uas_answered(&r), 0);
	int copies = 0;
	for (int i = 0; i < 64 && !r.closed; i++) {
		rig_advance_ms(&r, 500);
		while (!r.closed && peer_recv(&r.p))
			copies++;
	}
	EXPECT_INT(copies, 10);
	EXPECT_INT(r.close.kind, SIP_CLOSE_NO_ACK);
	EXPECT(peer_expect(&r.p, "BYE "));
	EXPECT_INT(peer_reply(&r.p, 481, NULL, "", NULL), 0);
	EXPECT_INT(no_calls_left(&r), 0);
	rig_close(&r);
	return 0;
}

static int test_uas_cancel(void)
{
	struct rig r;
	role_assert_ctl();
	EXPECT_INT(rig_open(&r, NULL), 0);
	r.is_accepting = true;
	EXPECT_INT(peer_send(&r.p, REQ("INVITE", "i1", "10 INVITE", "") WITH_SDP), 0);
	EXPECT_INT(sip_call_progress(r.call, 183, NULL, NULL, SV(SDP)), 0);
	EXPECT(peer_expect(&r.p, "SIP/2.0 183 "));
	EXPECT_INT(peer_send(&r.p, REQ("CANCEL", "i1", "10 CANCEL", "") "Reason: SIP;cause=200\n" END), 0);
	EXPECT(peer_expect(&r.p, "SIP/2.0 200 OK"));
	EXPECT(peer_expect(&r.p, "SIP/2.0 487 "));
	EXPECT_INT(r.cancel, 1);
	EXPECT_INT(r.close.kind, SIP_CLOSE_CANCEL);
	EXPECT_STR(r.close_reason, "SIP;cause=200");
	EXPECT_INT(sip_call_answer(r.call, NULL, SV_NONE), ST_INVAL);
	EXPECT_INT(peer_send(&r.p, REQ("ACK", "i1", "10 ACK", "") END), 0);
	EXPECT_INT(no_calls_left(&r), 0);
	rig_close(&r);
	return 0;
}

/* The CANCEL crosses our 200: it is answered 200 and changes nothing. */
static int test_uas_cancel_race(void)
{
	struct rig r;
	role_assert_ctl();
	EXPECT_INT(rig_open(&r, NULL), 0);
	EXPECT_INT(uas_answered(&r), 0);
	EXPECT_INT(peer_send(&r.p, REQ("CANCEL", "i1", "10 CANCEL", "") END), 0);
	EXPECT(peer_expect(&r.p, "SIP/2.0 200 OK"));
	EXPECT(peer_has(&r.p, "CSeq: 10 CANCEL"));
	EXPECT_INT(r.cancel, 0);
	EXPECT_INT(r.closed, 0);
	rig_close(&r);
	return 0;
}

static int test_uas_reject(void)
{
	struct rig r;
	role_assert_ctl();
	EXPECT_INT(rig_open(&r, NULL), 0);
	r.is_accepting = true;
	EXPECT_INT(peer_send(&r.p, REQ("INVITE", "i1", "10 INVITE", "") END), 0);
	EXPECT_INT(sip_call_reject(r.call, 486, NULL, "Retry-After: 3\r\n"), 0);
	EXPECT(peer_expect(&r.p, "SIP/2.0 486 Busy Here"));
	EXPECT(peer_has(&r.p, "Retry-After: 3"));
	EXPECT_INT(no_calls_left(&r), 0);
	EXPECT_INT(r.close.code, 486);
	rig_close(&r);
	return 0;
}

/* No Contact: BYE goes to where the INVITE came from. And a BYE instead of a CANCEL ends the INVITE, too. */
static int test_uas_odd_peer(void)
{
	struct rig r;
	char bye[1024];
	role_assert_ctl();
	EXPECT_INT(rig_open(&r, NULL), 0);
	r.is_accepting = true;
	EXPECT_INT(
	    peer_send(&r.p,
	        "INVITE sip:1001@127.0.0.1:@L SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.1:@P;branch=z9hG4bKo\n"
	        "From: sip:1000@127.0.0.1;tag=ft\nTo: <sip:1001@127.0.0.1>\nCall-ID: k1@lab\nCSeq: 10 INVITE\n\n"),
	    0);
	EXPECT_STR(sip_call_remote_uri(r.call), "sip:1000@127.0.0.1");
	EXPECT_INT(sip_call_answer(r.call, NULL, SV(SDP)), 0);
	EXPECT(peer_expect(&r.p, "SIP/2.0 200 "));
	EXPECT_INT(in_dialog(&r, "ACK", "a1", 10, END), 0);
	EXPECT_INT(sip_call_hangup(r.call, 0, NULL, NULL, NULL), 0);
	snprintf(bye, sizeof(bye), "BYE sip:127.0.0.1:%u SIP/2.0\r\n", r.p.port);
	EXPECT(peer_expect(&r.p, bye));
	rig_close(&r);
	EXPECT_INT(rig_open(&r, NULL), 0);
	r.is_accepting = true;
	EXPECT_INT(peer_send(&r.p, REQ("INVITE", "i1", "10 INVITE", "") WITH_SDP), 0);
	EXPECT_INT(sip_call_progress(r.call, 180, NULL, NULL, SV_NONE), 0);
	EXPECT(peer_expect(&r.p, "SIP/2.0 180 "));
	EXPECT_INT(in_dialog(&r, "BYE", "b1", 11, END), 0);
	EXPECT(peer_expect(&r.p, "SIP/2.0 200 "));
	EXPECT(peer_expect(&r.p, "SIP/2.0 487 "));
	EXPECT_INT(r.close.kind, SIP_CLOSE_BYE);
	EXPECT_INT(no_calls_left(&r), 0);
	rig_close(&r);
	return 0;
}

static int test_uas_in_dialog(void)
{
	struct rig r;
	role_assert_ctl();
	EXPECT_INT(rig_open(&r, NULL), 0);
	EXPECT_INT(uas_answered(&r), 0);
	/* a re-INVITE before the ACK: 491 */
	EXPECT_INT(in_dialog(&r, "INVITE", "r0", 11, WITH_SDP), 0);
	EXPECT(peer_expect(&r.p, "SIP/2.0 491 "));
	EXPECT_INT(in_dialog(&r, "ACK", "r0", 11, END), 0);
	EXPECT_INT(in_dialog(&r, "ACK", "a1", 10, END), 0);
	/* order of CSeq */
	EXPECT_INT(in_dialog(&r, "INFO", "n1", 20, END), 0);
	EXPECT(peer_expect(&r.p, "SIP/2.0 200 "));
	EXPECT_INT(in_dialog(&r, "INFO", "n2", 19, END), 0);
	EXPECT(peer_expect(&r.p, "SIP/2.0 500 "));
	EXPECT_INT(r.request, 1);
	/* re-INVITE with a second one before it is answered, hold, its lost 200 and its ACK */
	EXPECT_INT(in_dialog(&r, "INVITE", "r1", 21, WITH_SDP), 0);
	EXPECT_INT(r.reinvite, 1);
	EXPECT_INT(sip_call_reinvite(r.call, NULL, SV(SDP)), ST_BUSY);
	EXPECT_INT(in_dialog(&r, "INVITE", "r2", 22, WITH_SDP), 0);
	EXPECT(peer_expect(&r.p, "SIP/2.0 500 "));
	EXPECT(peer_has(&r.p, "Retry-After: "));
	EXPECT_INT(sip_call_reply(r.call, r.call_tx, 200, NULL, NULL, NULL, SV(SDP)), 0);
	EXPECT(peer_expect(&r.p, "SIP/2.0 200 OK"));
	EXPECT(peer_has(&r.p, "CSeq: 21 INVITE"));
	rig_advance_ms(&r, 510);
	EXPECT(peer_expect(&r.p, "SIP/2.0 500 ")); /* unacknowledged yet */
	EXPECT(peer_expect(&r.p, "SIP/2.0 200 OK"));
	EXPECT_INT(in_dialog(&r, "ACK", "r2", 22, END), 0);
	EXPECT_INT(in_dialog(&r, "ACK", "r3", 21, WITH_SDP), 0);
	EXPECT_INT(r.ack, 2);
	EXPECT_STR(r.body, "v=0\r"); /* the rig makes CRLF of the line end: Content-Length cuts it */
	rig_close(&r);
	return 0;
}

static int test_uas_update(void)
{
	struct rig r;
	role_assert_ctl();
	EXPECT_INT(rig_open(&r, NULL), 0);
	EXPECT_INT(uas_answered(&r), 0);
	EXPECT_INT(in_dialog(&r, "ACK", "a1", 10, END), 0);
	EXPECT_INT(in_dialog(&r, "UPDATE", "u1", 12, WITH_SDP), 0);
	EXPECT_INT(r.update, 1);
	EXPECT_INT(in_dialog(&r, "UPDATE", "u2", 13, WITH_SDP), 0);
	EXPECT(peer_expect(&r.p, "SIP/2.0 500 "));
	EXPECT_INT(sip_call_reply(r.call, r.call_tx, 200, NULL, NULL, NULL, SV(SDP)), 0);
	EXPECT(peer_expect(&r.p, "SIP/2.0 200 "));
	EXPECT(peer_has(&r.p, "Contact: "));
	EXPECT_INT(sip_call_update(r.call, NULL, SV(SDP)), 0);
	EXPECT(peer_expect(&r.p, "UPDATE sip:1000@"));
	EXPECT_INT(in_dialog(&r, "UPDATE", "u3", 14, WITH_SDP), 0);
	EXPECT(peer_expect(&r.p, "SIP/2.0 491 "));
	rig_close(&r);
	return 0;
}

/* ---- UAC ---- */

static ON_CTL int uac_start(struct rig *r, struct sv sdp)
{
	char uri[64];
	snprintf(uri, sizeof(uri), "sip:1001@127.0.0.1:%u", r->p.port);
	struct sip_invite_params p = {.uri = uri, .from_uri = "sip:1000@lab", .from_display = "Say \"A\"", .sdp = sdp};
	EXPECT_INT(sip_call_invite(&r->call, r->s, &p, &rig_handlers, r), 0);
	EXPECT(peer_expect(&r->p, "INVITE sip:1001@127.0.0.1:"));
	EXPECT(peer_has(&r->p, "From: \"Say \\\"A\\\"\" <sip:1000@lab>;tag="));
	return 0;
}

#define CONTACT "Contact: <sip:1001@127.0.0.1:@P>\n"

static int test_uac_answered(void)
{
	struct rig r;
	struct peer other;
	role_assert_ctl();
	EXPECT_INT(rig_open(&r, NULL), 0);
	EXPECT_INT(uac_start(&r, SV(SDP)), 0);
	memcpy(&other, &r.p, sizeof(other)); /* keeps the INVITE's text for later answers */
	EXPECT_INT(peer_reply(&r.p, 100, NULL, "", NULL), 0);
	EXPECT_INT(peer_reply(&r.p, 180, "t1", CONTACT, NULL), 0);
	EXPECT_INT(r.progress, 1);
	EXPECT_INT(sip_call_state(r.call), SIP_CALL_EARLY);
	rig_advance_ms(&r, 5000);
	EXPECT(!peer_recv(&r.p));
	memcpy(r.p.in, other.in, other.n + 1);
	EXPECT_INT(peer_reply(&r.p, 200, "t1", CONTACT, SDP), 0);
	EXPECT_INT(r.answer, 1);
	EXPECT(peer_expect(&r.p, "ACK sip:1001@127.0.0.1:"));
	EXPECT(peer_has(&r.p, ";tag=t1\r\n"));
	EXPECT_INT(sip_call_state(r.call), SIP_CALL_CONFIRMED);
	EXPECT_STR(sip_call_remote_tag(r.call), "t1");
	/* lost ACK: the 200 comes again, the same ACK goes out again, nothing is told */
	memcpy(r.p.in, other.in, other.n + 1);
	EXPECT_INT(peer_reply(&r.p, 200, "t1", CONTACT, SDP), 0);
	EXPECT(peer_expect(&r.p, "ACK sip:1001@"));
	EXPECT_INT(r.answer, 1);
	EXPECT_INT(sip_call_hangup(r.call, 0, NULL, NULL, NULL), 0);
	EXPECT(peer_expect(&r.p, "BYE sip:1001@"));
	EXPECT_INT(peer_reply(&r.p, 200, NULL, "", NULL), 0);
	EXPECT_INT(no_calls_left(&r), 0);
	rig_close(&r);
	return 0;
}

static int test_uac_rejected(void)
{
	struct rig r;
	role_assert_ctl();
	EXPECT_INT(rig_open(&r, NULL), 0);
	EXPECT_INT(uac_start(&r, SV(SDP)), 0);
	EXPECT_INT(peer_reply(&r.p, 486, "t1", "Reason: Q.850;cause=17\n", NULL), 0);
	EXPECT(peer_expect(&r.p, "ACK sip:1001@"));
	EXPECT(peer_has(&r.p, ";tag=t1"));
	EXPECT_INT(r.close.kind, SIP_CLOSE_REJECT);
	EXPECT_INT(r.close.code, 486);
	EXPECT_STR(r.close_reason, "Q.850;cause=17");
	EXPECT_INT(no_calls_left(&r), 0);
	rig_close(&r);
	return 0;
}

static int test_uac_cancel(void)
{
	struct rig r;
	struct peer other;
	role_assert_ctl();
	EXPECT_INT(rig_open(&r, NULL), 0);
	EXPECT_INT(uac_start(&r, SV(SDP)), 0);
	memcpy(&other, &r.p, sizeof(other));
	/* no provisional yet: the CANCEL waits for one */
	EXPECT_INT(sip_call_hangup(r.call, 0, NULL, "SIP;cause=200;text=\"Call completed elsewhere\"", NULL), 0);
	rig_pump();
	EXPECT_INT(r.closed, 1);
	EXPECT(!peer_recv(&r.p));
	memcpy(r.p.in, other.in, other.n + 1);
	EXPECT_INT(peer_reply(&r.p, 180, "t1", CONTACT, NULL), 0);
	EXPECT(peer_expect(&r.p, "CANCEL sip:1001@"));
	EXPECT(peer_has(&r.p, "Reason: SIP;cause=200"));
	EXPECT_STR(peer_header(&r.p, "Via"), peer_header(&other, "Via"));
	EXPECT_INT(peer_reply(&r.p, 200, "t1", "", NULL), 0);
	memcpy(r.p.in, other.in, other.n + 1);
	EXPECT_INT(peer_reply(&r.p, 487, "t1", "", NULL), 0);
	EXPECT(peer_expect(&r.p, "ACK "));
	EXPECT_INT(no_calls_left(&r), 0);
	EXPECT_INT(r.progress, 0);
	rig_close(&r);
	return 0;
}

/* The 200 crosses our CANCEL: ACK, then BYE. */
static int test_uac_cancel_glare(void)
{
	struct rig r;
	struct peer other;
	role_assert_ctl();
	EXPECT_INT(rig_open(&r, NULL), 0);
	EXPECT_INT(uac_start(&r, SV(SDP)), 0);
	memcpy(&other, &r.p, sizeof(other));
	EXPECT_INT(peer_reply(&r.p, 180, "t1", CONTACT, NULL), 0);
	EXPECT_INT(sip_call_hangup(r.call, 0, NULL, NULL, NULL), 0);
	EXPECT(peer_expect(&r.p, "CANCEL "));
	memcpy(r.p.in, other.in, other.n + 1);
	EXPECT_INT(peer_reply(&r.p, 200, "t1", CONTACT, SDP), 0);
	EXPECT(peer_expect(&r.p, "ACK sip:1001@"));
	EXPECT(peer_expect(&r.p, "BYE sip:1001@"));
	EXPECT(peer_has(&r.p, ";tag=t1"));
	EXPECT_INT(r.answer, 0);
	EXPECT_INT(no_calls_left(&r), 0);
	rig_close(&r);
	return 0;
}

static int test_uac_forks(void)
{
	struct rig r;
	struct peer other;
	role_assert_ctl();
	EXPECT_INT(rig_open(&r, NULL), 0);
	EXPECT_INT(uac_start(&r, SV(SDP)), 0);
	memcpy(&other, &r.p, sizeof(other));
	EXPECT_INT(peer_reply(&r.p, 180, "fork1", "Contact: <sip:one@127.0.0.1:@P>\n", NULL), 0);
	EXPECT_INT(peer_reply(&r.p, 180, "fork2", "Contact: <sip:two@127.0.0.1:@P>\n", NULL), 0);
	EXPECT_INT(peer_reply(&r.p, 180, "fork1", "Contact: <sip:one@127.0.0.1:@P>\n", NULL), 0);
	EXPECT_INT(r.progress, 3);
	EXPECT(
	    sip_call_find(r.s, sv_of(sip_call_id(r.call)), sv_of(sip_call_local_tag(r.call)), SV("fork2")) == r.call);
	EXPECT_INT(peer_reply(&r.p, 200, "fork2", "Contact: <sip:two@127.0.0.1:@P>\n", SDP), 0);
	EXPECT(peer_expect(&r.p, "ACK sip:two@"));
	memcpy(r.p.in, other.in, other.n + 1);
	EXPECT_INT(peer_reply(&r.p, 200, "fork1", "Contact: <sip:one@127.0.0.1:@P>\n", SDP), 0);
	EXPECT(peer_expect(&r.p, "ACK sip:one@"));
	EXPECT(peer_expect(&r.p, "BYE sip:one@"));
	EXPECT(peer_has(&r.p, ";tag=fork1"));
	EXPECT_INT(r.answer, 1);
	EXPECT_STR(sip_call_remote_tag(r.call), "fork2");
	EXPECT_INT(sip_call_state(r.call), SIP_CALL_CONFIRMED);
	rig_close(&r);
	return 0;
}

static ON_CTL int uac_confirmed(struct rig *r, const char *extra)
{
	EXPECT_INT(uac_start(r, SV(SDP)), 0);
	EXPECT_INT(peer_reply(&r->p, 200, "t1", extra, SDP), 0);
	EXPECT(peer_expect(&r->p, "ACK "));
	return 0;
}

/* A request of the callee inside the dialog of a UAC test. */
static ON_CTL int from_callee(struct rig *r, const char *method, const char *branch, int cseq, const char *rest)
{
	char text[2048];
	snprintf(text, sizeof(text),
	    "%s sip:x@127.0.0.1:@L SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.1:@P;rport;branch=z9hG4bK%s\nMax-Forwards: 70\n"
	    "From: <sip:1001@127.0.0.1>;tag=t1\nTo: <sip:1000@lab>;tag=%s\nCall-ID: %s\nCSeq: %d %s\n%s",
	    method, branch, sip_call_local_tag(r->call), sip_call_id(r->call), cseq, method, rest);
	return peer_send(&r->p, text);
}

static int test_uac_glare_from_peer(void)
{
	struct rig r;
	role_assert_ctl();
	EXPECT_INT(rig_open(&r, NULL), 0);
	EXPECT_INT(uac_confirmed(&r, CONTACT), 0);
	EXPECT_INT(sip_call_reinvite(r.call, NULL, SV(SDP)), 0);
	EXPECT(peer_expect(&r.p, "INVITE "));
	struct peer ours = r.p;
	EXPECT_INT(from_callee(&r, "INVITE", "g1", 5, CONTACT WITH_SDP), 0);
	EXPECT(peer_expect(&r.p, "SIP/2.0 491 "));
	EXPECT_INT(from_callee(&r, "ACK", "g1", 5, END), 0);
	EXPECT_INT(r.reinvite, 0);
	/* ours is answered, and its 200 comes again: acknowledged again */
	for (int i = 0; i < 2; i++) {
		memcpy(r.p.in, ours.in, ours.n + 1);
		EXPECT_INT(peer_reply(&r.p, 200, NULL, CONTACT, SDP), 0);
		EXPECT(peer_expect(&r.p, "ACK sip:1001@"));
	}
	EXPECT_INT(r.reinvite_done, 1);
	/* theirs again, accepted; their BYE before the ACK ends it all */
	EXPECT_INT(from_callee(&r, "INVITE", "g2", 6, CONTACT WITH_SDP), 0);
	EXPECT_INT(r.reinvite, 1);
	EXPECT_INT(sip_call_reply(r.call, r.call_tx, 200, NULL, NULL, NULL, SV(SDP)), 0);
	EXPECT(peer_expect(&r.p, "SIP/2.0 200 "));
	EXPECT_INT(from_callee(&r, "BYE", "g3", 7, END), 0);
	EXPECT(peer_expect(&r.p, "SIP/2.0 200 "));
	EXPECT_INT(r.close.kind, SIP_CLOSE_BYE);
	EXPECT_INT(no_calls_left(&r), 0);
	rig_close(&r);
	return 0;
}

/* Behind NAT: the Contact leads nowhere, the source address does. */
static int test_use_source_address(void)
{
	struct rig r;
	role_assert_ctl();
	EXPECT_INT(rig_open(&r, NULL), 0);
	r.is_accepting = true;
	EXPECT_INT(peer_send(&r.p,
	               "INVITE sip:1001@127.0.0.1:@L SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bKn\n"
	               "From: <sip:1000@127.0.0.1>;tag=ft\nTo: <sip:1001@127.0.0.1>\nCall-ID: k1@lab\nCSeq: 10 INVITE\n"
	               "Contact: <sip:1000@192.0.2.1:5060>\n\n"),
	    0);
	sip_call_set_use_source_address(r.call, true);
	EXPECT_INT(sip_call_set_contact_user(r.call, "gw+1"), 0);
	EXPECT_INT(sip_call_answer(r.call, NULL, SV(SDP)), 0);
	EXPECT(peer_expect(&r.p, "SIP/2.0 200 "));
	EXPECT(peer_has(&r.p, "Contact: <sip:gw+1@127.0.0.1:"));
	EXPECT(peer_has(&r.p, ";received=127.0.0.1"));
	EXPECT_INT(in_dialog(&r, "ACK", "a1", 10, END), 0);
	EXPECT_INT(sip_call_hangup(r.call, 0, NULL, NULL, NULL), 0);
	EXPECT(peer_expect(&r.p, "BYE sip:1000@192.0.2.1:5060 SIP/2.0\r\n"));
	EXPECT_INT(peer_reply(&r.p, 408, NULL, "", NULL), 0);
	EXPECT_INT(no_calls_left(&r), 0);
	rig_close(&r);
	return 0;
}

static int test_uac_reinvite_glare(void)
{
	struct rig r;
	role_assert_ctl();
	EXPECT_INT(rig_open(&r, NULL), 0);
	EXPECT_INT(uac_confirmed(&r, CONTACT), 0);
	EXPECT_INT(sip_call_reinvite(r.call, "X-Hold: 1\r\n", SV("v=0\r\na=sendonly\r\n")), 0);
	EXPECT_INT(sip_call_reinvite(r.call, NULL, SV(SDP)), ST_BUSY);
	EXPECT(peer_expect(&r.p, "INVITE sip:1001@"));
	EXPECT_INT(peer_reply(&r.p, 491, NULL, "", NULL), 0);
	EXPECT(peer_expect(&r.p, "ACK "));
	rig_advance_ms(&r, 2000); /* we own the Call-ID: 2.1 to 4 s */
	EXPECT(!peer_recv(&r.p));
	int ms = 2000;
	for (; ms < 4100 && !peer_recv(&r.p); ms += 10)
		rig_advance_ms(&r, 10);
	EXPECT(ms >= 2100 && ms < 4100);
	EXPECT(peer_has(&r.p, "INVITE sip:1001@"));
	EXPECT(peer_has(&r.p, "X-Hold: 1"));
	EXPECT(peer_has(&r.p, "a=sendonly"));
	EXPECT_INT(r.reinvite_done, 0);
	EXPECT_INT(peer_reply(&r.p, 200, NULL, "Contact: <sip:moved@127.0.0.1:@P>\n", SDP), 0);
	EXPECT_INT(r.reinvite_done, 1);
	EXPECT_INT(r.reinvite_code, 200);
	EXPECT(peer_expect(&r.p, "ACK sip:moved@"));
	/* refused: the call goes on; 481: it does not */
	EXPECT_INT(sip_call_reinvite(r.call, NULL, SV(SDP)), 0);
	EXPECT(peer_expect(&r.p, "INVITE sip:moved@"));
	EXPECT_INT(peer_reply(&r.p, 488, NULL, "", NULL), 0);
	EXPECT(peer_expect(&r.p, "ACK "));
	EXPECT_INT(r.reinvite_code, 488);
	EXPECT_INT(r.closed, 0);
	EXPECT_INT(sip_call_reinvite(r.call, NULL, SV(SDP)), 0);
	EXPECT(peer_expect(&r.p, "INVITE sip:moved@"));
	EXPECT_INT(peer_reply(&r.p, 481, NULL, "", NULL), 0);
	EXPECT_INT(r.close.kind, SIP_CLOSE_TIMEOUT);
	EXPECT_INT(no_calls_left(&r), 0);
	rig_close(&r);
	return 0;
}

static int test_uac_routes(void)
{
	struct rig r;
	role_assert_ctl();
	EXPECT_INT(rig_open(&r, NULL), 0);
	EXPECT_INT(
	    uac_confirmed(&r, CONTACT "Record-Route: <sip:127.0.0.1:9;lr>\nRecord-Route: <sip:127.0.0.1:@P;lr>\n"), 0);
	EXPECT(peer_has(&r.p, "Route: <sip:127.0.0.1:"));
	EXPECT(peer_has(&r.p, ";lr>, <sip:127.0.0.1:9;lr>\r\n"));
	EXPECT_INT(
	    sip_call_request(r.call, "INFO", NULL, "application/dtmf-relay", SV("Signal=5\r\n"), rig_response, &r), 0);
	EXPECT(peer_expect(&r.p, "INFO sip:1001@"));
	EXPECT(peer_has(&r.p, "Content-Type: application/dtmf-relay\r\n"));
	EXPECT_INT(peer_reply(&r.p, 200, NULL, "", NULL), 0);
	EXPECT_INT(r.response_code, 200);
	rig_close(&r);
	EXPECT_INT(rig_open(&r, NULL), 0);
	EXPECT_INT(uac_confirmed(&r, CONTACT "Record-Route: <sip:127.0.0.1:9>, <sip:strict@127.0.0.1:@P>\n"), 0);
	EXPECT(peer_has(&r.p, "ACK sip:strict@127.0.0.1:"));
	EXPECT(peer_has(&r.p, "Route: <sip:127.0.0.1:9>, <sip:1001@127.0.0.1:"));
	rig_close(&r);
	return 0;
}

static int hang_up_inside(struct rig *r, const struct sip_msg *m)
{
	role_assert_ctl();
	return sip_call_hangup(r->call, 0, NULL, NULL, NULL);
}

static int give_ack_body(struct rig *r, const struct sip_msg *m)
{
	role_assert_ctl();
	return sip_call_set_ack_body(r->call, SV("v=0\r\na=answer\r\n"));
}

static int test_uac_in_answer(void)
{
	struct rig r;
	role_assert_ctl();
	EXPECT_INT(rig_open(&r, NULL), 0);
	r.on_answer = hang_up_inside;
	EXPECT_INT(uac_confirmed(&r, CONTACT), 0);
	EXPECT(peer_expect(&r.p, "BYE "));
	EXPECT_INT(peer_reply(&r.p, 200, NULL, "", NULL), 0);
	EXPECT_INT(no_calls_left(&r), 0);
	rig_close(&r);
	/* delayed offer: our answer goes into the ACK */
	EXPECT_INT(rig_open(&r, NULL), 0);
	r.on_answer = give_ack_body;
	EXPECT_INT(uac_confirmed(&r, CONTACT), 0);
	EXPECT(peer_has(&r.p, "a=answer"));
	EXPECT_INT(sip_call_set_ack_body(r.call, SV(SDP)), ST_INVAL);
	rig_close(&r);
	return 0;
}

static int test_uac_timeout(void)
{
	struct rig r;
	role_assert_ctl();
	EXPECT_INT(rig_open(&r, NULL), 0);
	EXPECT_INT(uac_start(&r, SV_NONE), 0);
	rig_advance_ms(&r, 32100);
	EXPECT_INT(r.close.kind, SIP_CLOSE_TIMEOUT);
	EXPECT_INT(r.close.code, 408);
	EXPECT_INT(no_calls_left(&r), 0);
	rig_close(&r);
	return 0;
}

static bool credentials(const struct sip_challenge *ch, struct sip_credentials *out, void *arg)
{
	++*(int *)arg;
	*out = (struct sip_credentials){.user = SV("u"), .password = SV("p")};
	return true;
}

/* The INVITE is challenged, and so is the BYE that follows the end of the user's interest. */
static int test_uac_auth(void)
{
	struct rig r;
	struct peer other;
	char uri[64];
	int asked = 0;
	static const char challenge[] = "WWW-Authenticate: Digest realm=\"gw\", nonce=\"n1\", qop=\"auth\"\n";
	role_assert_ctl();
	EXPECT_INT(rig_open(&r, NULL), 0);
	snprintf(uri, sizeof(uri), "sip:1001@127.0.0.1:%u", r.p.port);
	struct sip_invite_params p = {.uri = uri,
	    .from_uri = "sip:1000@lab",
	    .sdp = SV(SDP),
	    .credentials = credentials,
	    .credentials_arg = &asked};
	EXPECT_INT(sip_call_invite(&r.call, r.s, &p, &rig_handlers, &r), 0);
	EXPECT(peer_expect(&r.p, "INVITE "));
	uint32_t cseq = sip_call_local_cseq(r.call);
	memcpy(&other, &r.p, sizeof(other));
	EXPECT_INT(peer_reply(&r.p, 401, "t0", challenge, NULL), 0);
	EXPECT(peer_expect(&r.p, "ACK "));
	EXPECT(peer_expect(&r.p, "INVITE "));
	EXPECT(peer_has(&r.p, "Authorization: Digest username=\"u\", realm=\"gw\""));
	EXPECT(peer_has(&r.p, "\r\n\r\nv=0"));
	EXPECT_INT(sip_call_local_cseq(r.call), cseq + 1);
	struct peer second = r.p;
	/* the 401 comes again: the old transaction acknowledges it, nothing else happens */
	memcpy(r.p.in, other.in, other.n + 1);
	EXPECT_INT(peer_reply(&r.p, 401, "t0", challenge, NULL), 0);
	EXPECT(peer_expect(&r.p, "ACK "));
	EXPECT(!peer_recv(&r.p));
	memcpy(r.p.in, second.in, second.n + 1);
	EXPECT_INT(peer_reply(&r.p, 200, "t1", CONTACT, SDP), 0);
	EXPECT(peer_expect(&r.p, "ACK "));
	EXPECT_INT(sip_call_hangup(r.call, 0, NULL, NULL, NULL), 0);
	rig_pump();
	EXPECT_INT(r.closed, 1);
	EXPECT(peer_expect(&r.p, "BYE "));
	EXPECT_INT(peer_reply(&r.p, 401, NULL, challenge, NULL), 0);
	EXPECT(peer_expect(&r.p, "BYE "));
	EXPECT(peer_has(&r.p, "Authorization: Digest username=\"u\""));
	EXPECT_INT(peer_reply(&r.p, 200, NULL, "", NULL), 0);
	EXPECT_INT(asked, 1);
	EXPECT_INT(no_calls_left(&r), 0);
	rig_close(&r);
	return 0;
}

/* The rejection comes again after the call is freed. */
static int test_uac_rejected_twice(void)
{
	struct rig r;
	struct peer other;
	role_assert_ctl();
	EXPECT_INT(rig_open(&r, NULL), 0);
	EXPECT_INT(uac_start(&r, SV(SDP)), 0);
	memcpy(&other, &r.p, sizeof(other));
	EXPECT_INT(peer_reply(&r.p, 486, "t1", "", NULL), 0);
	EXPECT(peer_expect(&r.p, "ACK "));
	r.call = mem_unref(r.call);
	memcpy(r.p.in, other.in, other.n + 1);
	EXPECT_INT(peer_reply(&r.p, 486, "t1", "", NULL), 0);
	EXPECT(peer_expect(&r.p, "ACK "));
	EXPECT_INT(no_calls_left(&r), 0);
	rig_close(&r);
	return 0;
}

static int test_memory(void)
{
	struct rig r;
	role_assert_ctl();
	EXPECT_INT(rig_open(&r, NULL), 0);
	EXPECT_INT(uac_confirmed(&r, CONTACT), 0);
	rig_advance_ms(&r, 33000); /* the transactions are over: what is left is the call */
	struct sip_stack_stats st;
	sip_stack_stats_get(r.s, &st);
	EXPECT_INT(st.client_transactions, 0);
	EXPECT_INT(st.calls, 1);
	rig_close(&r);
	return 0;
}

TEST_MAIN({"uas, bye from peer", test_uas_bye_from_peer, TEST_LOOP | TEST_OOM},
    {"uas, bye from us", test_uas_bye_from_us, TEST_LOOP},
    {"uas, lost 200", test_uas_lost_200_and_invite_again, TEST_LOOP}, {"uas, no ack", test_uas_no_ack, TEST_LOOP},
    {"uas, cancel", test_uas_cancel, TEST_LOOP}, {"uas, cancel race", test_uas_cancel_race, TEST_LOOP},
    {"uas, reject", test_uas_reject, TEST_LOOP}, {"uas, odd peer", test_uas_odd_peer, TEST_LOOP},
    {"uas, in dialog", test_uas_in_dialog, TEST_LOOP}, {"uas, update", test_uas_update, TEST_LOOP},
    {"uac, answered", test_uac_answered, TEST_LOOP}, {"uac, rejected", test_uac_rejected, TEST_LOOP},
    {"uac, cancel", test_uac_cancel, TEST_LOOP}, {"uac, cancel glare", test_uac_cancel_glare, TEST_LOOP},
    {"uac, forks", test_uac_forks, TEST_LOOP | TEST_OOM},
    {"uac, re-INVITE and 491", test_uac_reinvite_glare, TEST_LOOP | TEST_OOM},
    {"uac, glare from peer", test_uac_glare_from_peer, TEST_LOOP},
    {"source address", test_use_source_address, TEST_LOOP}, {"uac, routes", test_uac_routes, TEST_LOOP},
    {"uac, inside on_answer", test_uac_in_answer, TEST_LOOP}, {"uac, timeout", test_uac_timeout, TEST_LOOP},
    {"uac, challenged", test_uac_auth, TEST_LOOP}, {"uac, rejected twice", test_uac_rejected_twice, TEST_LOOP},
    {"established call", test_memory, TEST_LOOP})
