/* Usages beside one another in one dialog: who gets which request, what outlives what, and what ends a subscription. */
#include "peer.h"
#include "sip/sip_i.h"
#include "sip/sub.h"
#include <stdio.h>
#include <stdlib.h>

#define END "Content-Length: 0\n\n"
#define FRAG "Content-Type: message/sipfrag\nContent-Length: 0\n\n"

static struct {
	int notify, last, ended, code;
} seen;

static void on_notify(struct sip_sub *u, const struct sip_msg *m, bool is_last, void *arg)
{
	seen.notify++;
	seen.last += is_last;
}
static void on_ended(struct sip_sub *u, int code, void *arg)
{
	seen.ended++;
	seen.code = code;
}
static const struct sip_sub_handlers handlers = {.on_notify = on_notify, .on_ended = on_ended};

static ON_CTL int in_dialog(struct rig *r, const char *method, int cseq, const char *rest)
{
	char text[2048];
	snprintf(text, sizeof(text),
	    "%s sip:1001@127.0.0.1:@L SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.1:@P;rport;branch=z9hG4bK%d%s\nMax-Forwards: "
	    "70\n"
	    "From: <sip:1000@127.0.0.1>;tag=ft\nTo: <sip:1001@127.0.0.1>;tag=%s\nCall-ID: k1@lab\nCSeq: %d %s\n"
	    "Contact: <sip:1000@127.0.0.1:@P>\n%s",
	    method, cseq, method, sip_call_local_tag(r->call), cseq, method, rest);
	return peer_send(&r->p, text);
}

/* An answered call, with everything received so far taken off. */
static ON_CTL int open_call(struct rig *r)
{
	memset(&seen, 0, sizeof(seen));
	EXPECT_INT(rig_open(r, NULL), 0);
	r->is_accepting = true;
	EXPECT_INT(peer_send(&r->p, "INVITE sip:1001@127.0.0.1:@L SIP/2.0\n"
	                            "Via: SIP/2.0/UDP 127.0.0.1:@P;rport;branch=z9hG4bKi1\nMax-Forwards: 70\n"
	                            "From: <sip:1000@127.0.0.1>;tag=ft\nTo: <sip:1001@127.0.0.1>\nCall-ID: k1@lab\n"
	                            "CSeq: 10 INVITE\nContact: <sip:1000@127.0.0.1:@P>\n" END),
	    0);
	EXPECT(r->call != NULL);
	EXPECT_INT(sip_call_answer(r->call, NULL, SV("v=0\n")), 0);
	EXPECT(peer_expect(&r->p, "SIP/2.0 200 OK"));
	EXPECT_INT(in_dialog(r, "ACK", 10, END), 0);
	return 0;
}

static ON_CTL int count(struct rig *r, size_t dialogs, size_t calls)
{
	struct sip_stack_stats st;
	rig_pump();
	sip_stack_stats_get(r->s, &st);
	EXPECT_INT(st.dialogs, dialogs);
	EXPECT_INT(st.calls, calls);
	return 0;
}

static int test_notifier_outlives_call(void)
{
	struct rig r;
	struct sip_sub *u;
	const struct sip_sub_params p = {.event = "refer", .id = "11", .is_notifier = true};
	role_assert_ctl();
	EXPECT_INT(open_call(&r), 0);
	EXPECT_INT(sip_sub_new(&u, r.call, &p, &handlers, NULL), 0);
	EXPECT_INT(sip_sub_notify(u, "active;expires=60", "message/sipfrag", SV("SIP/2.0 100 Trying\r\n")), 0);
	EXPECT(peer_expect(&r.p, "NOTIFY sip:1000@127.0.0.1:"));
	EXPECT(peer_has(&r.p, "Event: refer;id=11\r\nSubscription-State: active;expires=60\r\n"));
	EXPECT(peer_has(&r.p, "Contact: <sip:tandem@127.0.0.1:"));
	int cseq = atoi(peer_header(&r.p, "CSeq"));
	EXPECT_INT(peer_reply(&r.p, 200, NULL, "", NULL), 0);
	EXPECT_INT(sip_sub_notify(u, "terminated;reason=noresource", "message/sipfrag", SV("SIP/2.0 200 OK\r\n")), 0);
	EXPECT(peer_expect(&r.p, "NOTIFY sip:1000@127.0.0.1:"));
	EXPECT_INT(atoi(peer_header(&r.p, "CSeq")), cseq + 1); /* one order for the whole dialog */
	EXPECT_INT(sip_sub_notify(u, "active", NULL, SV_NONE), ST_INVAL);
	char notify[sizeof(r.p.in)];
	memcpy(notify, r.p.in, sizeof(notify));
	/* the call ends; the dialog waits for the NOTIFY's answer */
	EXPECT_INT(in_dialog(&r, "BYE", 11, END), 0);
	EXPECT(peer_expect(&r.p, "SIP/2.0 200 OK"));
	EXPECT_INT(count(&r, 1, 0), 0);
	EXPECT_INT(r.closed, 1);
	EXPECT_INT(seen.ended, 0);
	/* what needs the call finds none; order counts on; the stranger's method is the user's */
	EXPECT_INT(in_dialog(&r, "BYE", 12, END), 0);
	EXPECT(peer_expect(&r.p, "SIP/2.0 481 "));
	EXPECT_INT(in_dialog(&r, "INFO", 13, END), 0);
	EXPECT(peer_expect(&r.p, "SIP/2.0 481 "));
	EXPECT_INT(in_dialog(&r, "INFO", 5, END), 0);
	EXPECT(peer_expect(&r.p, "SIP/2.0 500 "));
	memcpy(r.p.in, notify, sizeof(notify));
	EXPECT_INT(peer_reply(&r.p, 200, NULL, "", NULL), 0);
	EXPECT_INT(seen.ended, 1);
	EXPECT_INT(seen.code, 200);
	EXPECT_INT(count(&r, 0, 0), 0);
	rig_close(&r);
	return 0;
}

static int test_481_ends_usage_only(void)
{
	struct rig r;
	struct sip_sub *u;
	const struct sip_sub_params p = {.event = "refer", .is_notifier = true};
	role_assert_ctl();
	EXPECT_INT(open_call(&r), 0);
	EXPECT_INT(sip_sub_new(&u, r.call, &p, &handlers, NULL), 0);
	EXPECT_INT(sip_sub_notify(u, "active", NULL, SV_NONE), 0);
	EXPECT(peer_expect(&r.p, "NOTIFY "));
	EXPECT_INT(peer_reply(&r.p, 500, NULL, "", NULL), 0); /* the transaction's affair */
	EXPECT_INT(seen.ended, 0);
	EXPECT_INT(sip_sub_notify(u, "active", NULL, SV_NONE), 0);
	EXPECT(peer_expect(&r.p, "NOTIFY "));
	EXPECT_INT(peer_reply(&r.p, 481, NULL, "", NULL), 0);
	EXPECT_INT(seen.ended, 1);
	EXPECT_INT(seen.code, 481);
	EXPECT_INT(count(&r, 1, 1), 0);
	EXPECT_INT(sip_call_state(r.call), SIP_CALL_CONFIRMED);
	/* nobody answers: gone by the time-out */
	EXPECT_INT(sip_sub_new(&u, r.call, &p, &handlers, NULL), 0);
	EXPECT_INT(sip_sub_notify(u, "terminated", NULL, SV_NONE), 0);
	rig_advance_ms(&r, 33000);
	EXPECT_INT(seen.ended, 2);
	EXPECT_INT(seen.code, 408);
	rig_close(&r);
	return 0;
}

static int test_subscriber(void)
{
	struct rig r;
	struct sip_sub *u, *v;
	role_assert_ctl();
	EXPECT_INT(open_call(&r), 0);
	EXPECT_INT(sip_sub_new(&u, r.call, &(struct sip_sub_params){.event = "refer", .id = "21"}, &handlers, NULL), 0);
	EXPECT_INT(sip_sub_new(&v, r.call, &(struct sip_sub_params){.event = "refer", .id = "22"}, &handlers, NULL), 0);
	EXPECT_INT(sip_sub_notify(u, "active", NULL, SV_NONE), ST_INVAL);
	EXPECT_INT(in_dialog(&r, "NOTIFY", 11, "Event: refer;id=22\nSubscription-State: terminated\n" FRAG), 0);
	EXPECT(peer_expect(&r.p, "SIP/2.0 200 OK"));
	EXPECT_INT(seen.last, 1);
	EXPECT_INT(seen.ended, 1);
	EXPECT_INT(r.request, 0);
	/* another event, and an id that is over: the call's */
	EXPECT_INT(in_dialog(&r, "NOTIFY", 12, "Event: talk\nSubscription-State: active\n" END), 0);
	EXPECT_INT(in_dialog(&r, "NOTIFY", 13, "Event: refer;id=22\nSubscription-State: active\n" FRAG), 0);
	EXPECT_INT(r.request, 2);
	EXPECT(peer_recv(&r.p) && peer_recv(&r.p));
	/* after the call's end its subscription goes on until it is told over */
	EXPECT_INT(in_dialog(&r, "BYE", 14, END), 0);
	EXPECT(peer_expect(&r.p, "SIP/2.0 200 OK"));
	EXPECT_INT(count(&r, 1, 0), 0);
	EXPECT_INT(in_dialog(&r, "NOTIFY", 15, "Event: refer\nSubscription-State: active\n" FRAG), 0);
	EXPECT(peer_expect(&r.p, "SIP/2.0 200 OK"));
	EXPECT_INT(seen.notify, 2);
	sip_sub_end(u);
	EXPECT_INT(count(&r, 0, 0), 0);
	EXPECT_INT(seen.ended, 1);
	EXPECT_INT(in_dialog(&r, "BYE", 16, END), 0);
	EXPECT(peer_expect(&r.p, "SIP/2.0 481 "));
	rig_close(&r);
	return 0;
}

static int test_stack_closes(void)
{
	struct rig r;
	struct sip_sub *u, *v;
	const struct sip_sub_params p = {.event = "refer", .id = "1", .is_notifier = true};
	role_assert_ctl();
	EXPECT_INT(open_call(&r), 0);
	EXPECT_INT(sip_sub_new(&u, r.call, &p, &handlers, NULL), 0);
	EXPECT_INT(sip_sub_new(&v, r.call, &(struct sip_sub_params){.event = "refer"}, &handlers, NULL), 0);
	EXPECT_INT(sip_sub_notify(u, "terminated", NULL, SV_NONE), 0);
	rig_close(&r);
	EXPECT_INT(seen.ended, 2);
	EXPECT_INT(seen.code, 503);
	return 0;
}

static int test_bad_params(void)
{
	struct rig r;
	struct sip_sub *u = NULL;
	static const struct sip_sub_params bad[] = {{.event = ""}, {.event = "a b"}, {.event = "refer", .id = "x\r\ny"},
	    {.event = "a23456789012345678901234567890123"}, {.event = "refer", .id = ""}};
	role_assert_ctl();
	EXPECT_INT(open_call(&r), 0);
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		EXPECT_INT(sip_sub_new(&u, r.call, &bad[i], &handlers, NULL), ST_INVAL);
	EXPECT_INT(sip_end_of(481), SIP_END_USAGE);
	EXPECT_INT(sip_end_of(404), SIP_END_DIALOG);
	EXPECT_INT(sip_end_of(500), SIP_END_NONE);
	EXPECT_INT(sip_call_hangup(r.call, 0, NULL, NULL, NULL), 0);
	EXPECT_INT(sip_sub_new(&u, r.call, &(struct sip_sub_params){.event = "refer"}, &handlers, NULL), ST_INVAL);
	rig_close(&r);
	return 0;
}

TEST_MAIN({"notifier", test_notifier_outlives_call, TEST_LOOP}, {"481", test_481_ends_usage_only, TEST_LOOP},
    {"subscriber", test_subscriber, TEST_LOOP}, {"stack", test_stack_closes, TEST_LOOP},
    {"params", test_bad_params, TEST_LOOP})
