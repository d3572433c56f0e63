/* Whole calls through a fake endpoint. */
#include "base/check.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/status.h"
#include "core/bridge/bridge.h"
#include "core/dial/originate.h"
#include "core/dial/originate_i.h"
#include "core/leg/leg.h"
#include "core/run/exec.h"
#include "core/value/cause.h"
#include "fake.h"
#include <stdio.h>
#include <string.h>

/* The order recorded from FreeSWITCH, without what its threads let float (CODEC repeats, presence). */
static const char bridged_trace[] = "A CHANNEL_STATE CS_NEW 0 DOWN ringing\n"
                                    "A CHANNEL_STATE CS_INIT 1 DOWN ringing\n"
                                    "A CHANNEL_CREATE CS_INIT 2 DOWN ringing\n"
                                    "A CHANNEL_CALLSTATE CS_ROUTING 2 RINGING ringing\n"
                                    "A CHANNEL_STATE CS_ROUTING 2 RINGING ringing\n"
                                    "A CHANNEL_STATE CS_EXECUTE 4 RINGING ringing\n"
                                    "A CHANNEL_EXECUTE CS_EXECUTE 4 RINGING ringing set\n"
                                    "A CHANNEL_EXECUTE_COMPLETE CS_EXECUTE 4 RINGING ringing set\n"
                                    "A CHANNEL_EXECUTE CS_EXECUTE 4 RINGING ringing bridge\n"
                                    "B CHANNEL_OUTGOING CS_NONE 1 DOWN ringing\n"
                                    "B CHANNEL_STATE CS_INIT 1 DOWN ringing\n"
                                    "B CHANNEL_CREATE CS_INIT 2 DOWN ringing\n"
                                    "B CHANNEL_ORIGINATE CS_INIT 2 DOWN ringing\n"
                                    "B CHANNEL_STATE CS_ROUTING 2 DOWN ringing\n"
                                    "B CHANNEL_STATE CS_CONSUME_MEDIA 7 DOWN ringing\n"
                                    "B CHANNEL_PROGRESS CS_CONSUME_MEDIA 7 DOWN ringing\n"
                                    "B CHANNEL_CALLSTATE CS_CONSUME_MEDIA 7 RINGING ringing\n"
                                    "A CHANNEL_PROGRESS CS_EXECUTE 4 RINGING ringing\n"
                                    "B CODEC CS_CONSUME_MEDIA 7 RINGING ringing\n"
                                    "B CODEC CS_CONSUME_MEDIA 7 RINGING ringing\n"
                                    "B CHANNEL_ANSWER CS_CONSUME_MEDIA 7 RINGING answered\n"
                                    "B CHANNEL_CALLSTATE CS_CONSUME_MEDIA 7 ACTIVE answered\n"
                                    "A CODEC CS_EXECUTE 4 RINGING ringing\n"
                                    "A CODEC CS_EXECUTE 4 RINGING ringing\n"
                                    "A CHANNEL_ANSWER CS_EXECUTE 4 RINGING answered\n"
                                    "A CHANNEL_CALLSTATE CS_EXECUTE 4 ACTIVE answered\n"
                                    "A CHANNEL_BRIDGE CS_EXECUTE 4 ACTIVE answered\n"
                                    "B CHANNEL_STATE CS_EXCHANGE_MEDIA 5 ACTIVE answered\n"
                                    "B CALL_UPDATE CS_EXCHANGE_MEDIA 5 ACTIVE answered\n"
                                    "A CALL_UPDATE CS_EXECUTE 4 ACTIVE answered\n";

static const struct fake_route routes[] = {
    {"call", "set:hangup_after_bridge=true;bridge:fake/ring-answer"},
    {"call-far-end", "set:hangup_after_bridge=true;bridge:fake/ring-answer-wait-hangup"},
    {"busy", "bridge:fake/ring-busy;set:went_on=1"},
    {"busy-on", "set:continue_on_fail=true;bridge:fake/busy;answer;set:went_on=1;sleep:10000"},
    {"silent", "set:call_timeout=1;bridge:fake/silent;set:went_on=1;answer;sleep:10000"},
    {"both", "bridge:fake/ring-answer,fake/ring"},
    {"then", "bridge:fake/busy|fake/reject|fake/answer"},
    {"alias", "bridge:{outer=2}alias/x"},
    {"nobody", "bridge:error/user_not_registered"},
    {"pcma", "bridge:fake/answer-pcma"},
    {"early", "bridge:fake/early-wait-wait-wait-answer"},
    {"ringback", "set:ringback=%(2000,4000,440,480);bridge:fake/ring-wait-wait-wait-wait-answer"},
    {"echo", "echo"},
    {"park", "park"},
    {"sleep", "answer;sleep:10000"},
    {"end", "answer"},
    {"bad", "answer;nosuchapp"},
    {"play", "answer;playback:tone_stream://%(20,0,440);hangup:CALL_REJECTED"},
    {"hop", "answer;transfer:park"},
    {"threads", "bridge:<x=1>fake/busy|fake/ring-wait-answer:_:fake/ring-answer-wait-hangup:_:fake/early-wait-reject"},
    {"threads-fail", "bridge:fake/busy:_:fake/reject:_:fake/fail"},
    {"threads-ring", "bridge:fake/ring:_:fake/ring"},
    {"retries", "bridge:{originate_retries=3,originate_retry_sleep_ms=500}fake/ring-busy"},
    {"picky", "bridge:{fail_on_single_reject=true}fake/ring-wait-wait-answer,fake/reject"},
    {"confirm", "bridge:{group_confirm_key=5}fake/ring-answer,fake/answer-wait-wait-hangup"},
    {"early-first", "bridge:fake/ring-wait-answer,fake/early-wait-answer-wait-hangup"},
    {"nested", "nested:a=${upper(bc)};park"},
    {0},
};

static NO_ROLE_CHECK bool is_bridged(void *arg)
{
	return ((struct leg *)arg)->peer != NULL;
}
static NO_ROLE_CHECK bool are_two_legs(void *arg)
{
	(void)arg;
	return leg_count() == 2;
}
static bool is_answered(void *arg)
{
	return ((struct leg *)arg)->is_answered;
}
static bool is_parked(void *arg)
{
	return !strcmp(((struct leg *)arg)->last_app, "park");
}

static NO_ROLE_CHECK int begin(void)
{
	fake_routes(routes);
	return fake_start();
}

static NO_ROLE_CHECK int end(void)
{
	EXPECT(fake_until(fake_no_legs, NULL, 3000));
	fake_stop();
	EXPECT_INT(fake_stats.made, fake_stats.destroyed);
	EXPECT_INT(fake_stats.made, fake_stats.hangups_told);
	return 0;
}

static NO_ROLE_CHECK int test_bridged_events(void)
{
	struct leg *a;
	char *end_part;

	EXPECT_INT(begin(), 0);
	fake_trace_start();
	a = fake_inbound("call", "PCMU");
	EXPECT(a && fake_until(is_bridged, a, 2000));
	EXPECT_STR(fake_trace(), bridged_trace);
	EXPECT_STR(leg_var(a, "originate_disposition"), "SUCCESS");
	EXPECT_STR(leg_var(a, "bridge_uuid"), a->peer->uuid);
	EXPECT_STR(leg_var(a, "bleg_uuid"), a->peer->uuid);
	EXPECT(!leg_var(a, "aleg_uuid") && !leg_var(a->peer, "bleg_uuid"));
	EXPECT_STR(leg_var(a->peer, "aleg_uuid"), a->uuid);
	EXPECT_STR(leg_var(a->peer, "max_forwards"), "69");
	EXPECT_STR(a->peer->profile->caller_id_number, "1000");
	leg_hangup(a, CAUSE_NORMAL_CLEARING);
	EXPECT(fake_until(fake_no_legs, NULL, 2000));
	end_part = strstr(fake_trace(), "A CHANNEL_HANGUP CS_EXECUTE 10 ACTIVE hangup\n");
	EXPECT(end_part);
	EXPECT(!strncmp(end_part,
	    "A CHANNEL_HANGUP CS_EXECUTE 10 ACTIVE hangup\n"
	    "B CHANNEL_HANGUP CS_EXCHANGE_MEDIA 10 ACTIVE hangup\n"
	    "A CHANNEL_UNBRIDGE CS_EXECUTE 10 ACTIVE hangup\n"
	    "A CHANNEL_EXECUTE_COMPLETE CS_EXECUTE 10 ACTIVE hangup bridge\n"
	    "A CHANNEL_STATE CS_HANGUP 10 ACTIVE hangup\n"
	    "A CHANNEL_CALLSTATE CS_HANGUP 10 HANGUP hangup\n",
	    250));
	EXPECT(strstr(
	    end_part, "B CHANNEL_STATE CS_HANGUP 10 ACTIVE hangup\nB CHANNEL_CALLSTATE CS_HANGUP 10 HANGUP hangup\n"));
	EXPECT(strstr(end_part,
	    "A CHANNEL_STATE CS_REPORTING 11 HANGUP hangup\nA CHANNEL_HANGUP_COMPLETE CS_REPORTING 11 HANGUP hangup\n"
	    "A CHANNEL_DESTROY CS_REPORTING 12 HANGUP hangup\nA CHANNEL_STATE CS_DESTROY 12 HANGUP hangup\n"));
	fake_trace_stop();
	return end();
}

static NO_ROLE_CHECK int test_far_end_hangs_up(void)
{
	const char *at;

	EXPECT_INT(begin(), 0);
	fake_trace_start();
	EXPECT(fake_inbound("call-far-end", "PCMU"));
	EXPECT(fake_until(fake_no_legs, NULL, 2000));
	at = strstr(fake_trace(), "B CHANNEL_HANGUP CS_EXCHANGE_MEDIA");
	EXPECT(at && (at = strstr(at, "A CHANNEL_UNBRIDGE CS_EXECUTE 4 ACTIVE answered")));
	EXPECT((at = strstr(at, "A CHANNEL_HANGUP CS_EXECUTE")) && strstr(at, "A CHANNEL_EXECUTE_COMPLETE"));
	fake_trace_stop();
	return end();
}

static NO_ROLE_CHECK int test_failures(void)
{
	struct leg *a;

	EXPECT_INT(begin(), 0);
	a = mem_ref(fake_inbound("busy", "PCMU"));
	EXPECT(fake_until(fake_no_legs, NULL, 2000));
	EXPECT_INT(a->cause, CAUSE_USER_BUSY);
	EXPECT_STR(leg_var(a, "last_bridge_proto_specific_hangup_cause"), "sip:486");
	EXPECT_STR(leg_var(a, "DIALSTATUS"), "BUSY");
	EXPECT(!leg_var(a, "went_on"));
	mem_unref(a);
	a = fake_inbound("busy-on", "PCMU");
	EXPECT(fake_until(is_answered, a, 2000));
	leg_hangup(a, CAUSE_NORMAL_CLEARING);
	a = mem_ref(fake_inbound("nobody", "PCMU"));
	EXPECT(fake_until(fake_no_legs, NULL, 2000));
	EXPECT_INT(a->cause, CAUSE_USER_NOT_REGISTERED);
	mem_unref(a);
	a = mem_ref(fake_inbound("no-such-extension", "PCMU"));
	EXPECT(fake_until(fake_no_legs, NULL, 2000));
	EXPECT_INT(a->cause, CAUSE_NO_ROUTE_DESTINATION);
	mem_unref(a);
	a = mem_ref(fake_inbound("bad", "PCMU"));
	EXPECT(fake_until(fake_no_legs, NULL, 2000));
	EXPECT_INT(a->cause, CAUSE_DESTINATION_OUT_OF_ORDER);
	mem_unref(a);
	return end();
}

static NO_ROLE_CHECK int test_timeout(void)
{
	struct leg *a;

	EXPECT_INT(begin(), 0);
	a = fake_inbound("silent", "PCMU");
	EXPECT(fake_until(is_answered, a, 3000)); /* NO_ANSWER goes on without continue_on_fail */
	EXPECT_STR(leg_var(a, "originate_disposition"), "NO_ANSWER");
	leg_hangup(a, CAUSE_NORMAL_CLEARING);
	return end();
}

static NO_ROLE_CHECK int test_forks(void)
{
	struct leg *a;

	EXPECT_INT(begin(), 0);
	a = fake_inbound("both", "PCMU");
	EXPECT(fake_until(is_bridged, a, 2000));
	EXPECT_STR(a->peer->name, "fake/ring-answer");
	EXPECT(fake_until(are_two_legs, NULL, 2000)); /* the loser is gone */
	leg_hangup(a, CAUSE_NORMAL_CLEARING);
	a = fake_inbound("then", "PCMU");
	EXPECT(fake_until(is_bridged, a, 2000));
	EXPECT_STR(a->peer->name, "fake/answer");
	leg_hangup(a->peer, CAUSE_NORMAL_CLEARING);
	a = fake_inbound("alias", "PCMU");
	EXPECT(fake_until(is_bridged, a, 2000));
	EXPECT_STR(leg_var(a->peer, "inner"), "1");
	EXPECT_STR(leg_var(a->peer, "outer"), "2");
	leg_hangup(a, CAUSE_NORMAL_CLEARING);
	return end();
}

static NO_ROLE_CHECK int test_codecs(void)
{
	struct leg *a;

	EXPECT_INT(begin(), 0);
	a = fake_inbound("pcma", "PCMU,PCMA"); /* A takes what B chose */
	EXPECT(fake_until(is_bridged, a, 2000));
	EXPECT_STR(a->codec->name, "PCMA");
	leg_hangup(a, CAUSE_NORMAL_CLEARING);
	a = fake_inbound("pcma", "PCMU"); /* transcoded */
	EXPECT(fake_until(is_bridged, a, 2000));
	EXPECT_STR(a->codec->name, "PCMU");
	EXPECT_STR(a->peer->codec->name, "PCMA");
	leg_hangup(a, CAUSE_NORMAL_CLEARING);
	a = mem_ref(fake_inbound("pcma", "G729")); /* cannot be joined: B refuses what is left to offer */
	EXPECT(fake_until(fake_no_legs, NULL, 2000));
	EXPECT_INT(a->cause, CAUSE_INCOMPATIBLE_DESTINATION);
	mem_unref(a);
	a = fake_inbound("sleep", "G729,PCMU"); /* alone: one the engine knows */
	EXPECT(fake_until(is_answered, a, 2000));
	EXPECT_STR(a->codec->name, "PCMU");
	leg_hangup(a, CAUSE_NORMAL_CLEARING);
	a = fake_inbound("echo", "G729");
	EXPECT(fake_until(is_answered, a, 2000));
	EXPECT_STR(a->codec->name, "G729");
	leg_hangup(a, CAUSE_NORMAL_CLEARING);
	return end();
}

static NO_ROLE_CHECK int test_early_and_ringback(void)
{
	struct leg *a;

	EXPECT_INT(begin(), 0);
	a = fake_inbound("early", "PCMU");
	EXPECT(fake_until(is_bridged, a, 2000));
	EXPECT(a->is_early && a->profile->times.progress_media);
	EXPECT_INT(fake_stats.early, 1);
	leg_hangup(a, CAUSE_NORMAL_CLEARING);
	a = fake_inbound("ringback", "PCMU");
	EXPECT(fake_until(is_bridged, a, 2000));
	EXPECT_INT(fake_stats.early, 2);
	EXPECT_INT(fake_stats.rings, 0);
	leg_hangup(a, CAUSE_NORMAL_CLEARING);
	return end();
}

static NO_ROLE_CHECK int test_apps(void)
{
	struct leg *a;

	EXPECT_INT(begin(), 0);
	a = mem_ref(fake_inbound("play", "PCMU"));
	EXPECT(fake_until(fake_no_legs, NULL, 2000));
	EXPECT_INT(a->cause, CAUSE_CALL_REJECTED);
	EXPECT_STR(leg_var(a, "last_app"), "hangup");
	EXPECT(leg_var(a, "rtp_audio_out_packet_count"));
	mem_unref(a);
	a = mem_ref(fake_inbound("end", "PCMU"));
	EXPECT(fake_until(fake_no_legs, NULL, 2000));
	EXPECT_INT(a->cause, CAUSE_NORMAL_CLEARING);
	mem_unref(a);
	a = fake_inbound("hop", "PCMU");
	EXPECT(fake_until(is_parked, a, 2000));
	EXPECT_STR(a->profile->destination_number, "park");
	EXPECT_INT(a->profile->index, 2);
	EXPECT_INT(co_live_count(), 0); /* a parked leg holds none */
	EXPECT_INT(leg_transfer(a, "sleep", NULL, NULL), 0);
	fake_run_ms(20);
	EXPECT_STR(a->last_app, "sleep");
	leg_hangup(a, CAUSE_NORMAL_CLEARING);
	a = fake_inbound("nested", "PCMU");
	EXPECT(fake_until(is_parked, a, 2000));
	EXPECT_STR(leg_var(a, "a"), "BC");
	leg_hangup(a, CAUSE_NORMAL_CLEARING);
	return end();
}

static NO_ROLE_CHECK int test_requests(void)
{
	struct leg_exec_request r = {.app = "set", .data = "x=1"};
	struct leg *a, *b;

	EXPECT_INT(begin(), 0);
	a = fake_inbound("sleep", "PCMU"); /* inside a wait */
	EXPECT(fake_until(is_answered, a, 2000));
	EXPECT_INT(leg_exec_request(a, &r), 0);
	fake_run_ms(20);
	EXPECT_STR(leg_var(a, "x"), "1");
	leg_break(a, false);
	EXPECT(fake_until(fake_no_legs, NULL, 2000)); /* the sleep was the last of its list */
	a = fake_inbound("call", "PCMU");             /* on a bridged leg */
	EXPECT(fake_until(is_bridged, a, 2000));
	b = a->peer;
	EXPECT_INT(leg_exec_request(a, &r), 0);
	r.app = "playback", r.data = "tone_stream://%(30,0,440)";
	EXPECT_INT(leg_exec_request(b, &r), 0);
	fake_run_ms(100);
	EXPECT_STR(leg_var(a, "x"), "1");
	EXPECT_STR(b->last_app, "playback");
	EXPECT(a->peer == b);
	EXPECT_INT(leg_transfer(b, "park", "test", "default"), 0); /* A's bridge ends and hangs A up */
	fake_run_ms(30);
	EXPECT_INT(leg_count(), 1);
	EXPECT_STR(b->last_app, "park");
	leg_hangup(b, CAUSE_NORMAL_CLEARING);
	return end();
}

static NO_ROLE_CHECK int test_two(void)
{
	struct leg *a, *b;

	EXPECT_INT(begin(), 0);
	a = fake_inbound("park", "PCMU");
	b = fake_inbound("sleep", "PCMU");
	fake_run_ms(20);
	EXPECT_INT(bridge_two(a, b), 0);
	EXPECT(fake_until(is_bridged, a, 2000));
	EXPECT(a->peer == b);
	EXPECT_INT(a->state, CS_SOFT_EXECUTE);
	EXPECT_INT(b->state, CS_EXCHANGE_MEDIA);
	EXPECT_INT(leg_park(a), 0); /* B is left alone and goes */
	fake_run_ms(30);
	EXPECT_INT(leg_count(), 1);
	EXPECT_INT(a->state, CS_PARK);
	leg_hangup(a, CAUSE_NORMAL_CLEARING);
	return end();
}

struct command {
	const char *dialstring;
	const struct dial *targets;
	struct leg *leg;
	enum cause cause;
	int st;
	bool is_done;
};
static NO_ROLE_CHECK void originate_co(void *arg)
{
	struct command *c = arg;
	struct originate_conf conf = {.dialstring = c->dialstring, .targets = c->targets, .timeout_s = 2};
	c->st = originate_run(&conf, &c->leg, &c->cause);
	if (!c->st) {
		leg_exec_add(c->leg, "park", "", NULL);
		mem_unref(c->leg);
	}
	c->is_done = true;
}
static bool command_done(void *arg)
{
	return ((struct command *)arg)->is_done;
}

/* A list of targets that was never text: separators in it mean nothing. */
static NO_ROLE_CHECK int test_targets(void)
{
	struct command c = {0};
	struct dial d, copy;
	struct vars *own = NULL;

	EXPECT_INT(begin(), 0);
	EXPECT_INT(vars_new(&own), 0);
	EXPECT_INT(vars_set(own, "list", "a,b|c]}"), 0);
	EXPECT_INT(dial_init(&d), 0);
	EXPECT_INT(vars_set(d.vars, "of", "all"), 0);
	EXPECT_INT(dial_part_add(&d, NULL), 0);
	EXPECT_INT(dial_leg_add(&d, SV("fake"), SV("busy"), 0, NULL), 0);
	EXPECT_INT(dial_leg_add(&d, SV("fake"), SV("ring-answer"), 1, own), 0);
	EXPECT_INT(d.parts[0].group_count, 2);
	EXPECT_INT(dial_copy(&copy, &d), 0);
	dial_free(&d);
	vars_free(own);
	c.targets = &copy;
	co_spawn("test", originate_co, &c, NULL);
	EXPECT(fake_until(command_done, &c, 2000));
	EXPECT_INT(c.st, 0);
	EXPECT_STR(leg_var(c.leg, "list"), "a,b|c]}");
	EXPECT_STR(leg_var(c.leg, "of"), "all");
	EXPECT_INT(copy.count, 1); /* the caller's list is as it was */
	dial_free(&copy);
	EXPECT_INT(dial_init(&d), 0);
	EXPECT_INT(dial_part_add(&d, NULL), 0);
	for (int i = 0; i < DIAL_LEGS_MAX; i++)
		EXPECT_INT(dial_leg_add(&d, SV("fake"), SV("busy"), 0, NULL), 0);
	EXPECT_INT(dial_leg_add(&d, SV("fake"), SV("busy"), 0, NULL), ST_LIMIT);
	dial_free(&d);
	leg_hangup_all(CAUSE_MANAGER_REQUEST, NULL, NULL);
	return end();
}

static NO_ROLE_CHECK int test_originate(void)
{
	struct command ok = {.dialstring = "{origination_uuid=12345678-aaaa,a='x,y'}fake/ring-answer,fake/silent"},
	               busy = {.dialstring = "fake/busy,fake/reject"}, bad = {.dialstring = "nonsense"},
	               late = {.dialstring = "{originate_timeout=1}fake/ring|fake/answer"},
	               early = {.dialstring = "fake/early-wait"};

	EXPECT_INT(begin(), 0);
	co_spawn("test", originate_co, &ok, NULL);
	EXPECT(fake_until(command_done, &ok, 2000));
	EXPECT_INT(ok.st, 0);
	fake_run_ms(20);
	EXPECT_STR(ok.leg->uuid, "12345678-aaaa");
	EXPECT_STR(leg_var(ok.leg, "a"), "x,y");
	EXPECT_STR(ok.leg->last_app, "park");
	EXPECT_STR(ok.leg->profile->caller_id_name, "Outbound Call");
	EXPECT_STR(ok.leg->profile->callee_id_number, "0000000000");
	leg_hangup(ok.leg, CAUSE_MANAGER_REQUEST);
	co_spawn("test", originate_co, &busy, NULL);
	EXPECT(fake_until(command_done, &busy, 2000));
	EXPECT_INT(busy.cause, CAUSE_USER_BUSY);
	co_spawn("test", originate_co, &bad, NULL);
	EXPECT(fake_until(command_done, &bad, 2000));
	EXPECT_INT(bad.cause, CAUSE_CHAN_NOT_IMPLEMENTED);
	co_spawn("test", originate_co, &late, NULL);
	EXPECT(fake_until(command_done, &late, 3000));
	EXPECT_INT(late.cause, CAUSE_NO_ANSWER);
	co_spawn("test", originate_co, &early, NULL);
	EXPECT(fake_until(command_done, &early, 3000));
	EXPECT_INT(early.st, 0);
	leg_hangup(early.leg, CAUSE_NORMAL_CLEARING);
	return end();
}

/* Parts between ":_:" are dialled by threads of their own: one wins, or all fail, or the caller goes. */
static NO_ROLE_CHECK int test_threads(void)
{
	struct leg *a;

	EXPECT_INT(begin(), 0);
	a = mem_ref(fake_inbound("threads", "PCMU"));
	EXPECT(fake_until(is_bridged, a, 2000));
	EXPECT_STR(leg_var(a, "originate_disposition"), "SUCCESS");
	EXPECT_STR(leg_var(a->peer, "x"), "1");
	EXPECT_STR(leg_var(a->peer, "originating_leg_uuid"), a->uuid);
	EXPECT(!dialling_of(a->peer)->of);
	leg_hangup(a, CAUSE_NORMAL_CLEARING);
	mem_unref(a);
	EXPECT(fake_until(fake_no_legs, NULL, 2000));
	a = mem_ref(fake_inbound("threads-fail", "PCMU"));
	EXPECT(fake_until(fake_no_legs, NULL, 2000));
	EXPECT_INT(a->cause, CAUSE_USER_BUSY);
	mem_unref(a);
	a = mem_ref(fake_inbound("threads-ring", "PCMU"));
	fake_run_ms(20);
	EXPECT_INT(leg_count(), 3);
	EXPECT(a->is_ringing);
	leg_hangup(a, CAUSE_NORMAL_CLEARING);
	EXPECT(fake_until(fake_no_legs, NULL, 2000));
	EXPECT_INT(fake_stats.last_cause, CAUSE_ORIGINATOR_CANCEL);
	EXPECT_INT(co_live_count(), 0);
	mem_unref(a);
	return end();
}

static NO_ROLE_CHECK bool hang_random(struct leg *leg, void *arg)
{
	if (rand_below(20) == 0)
		leg_hangup(leg, CAUSE_NORMAL_CLEARING);
	else if (rand_below(60) == 0)
		leg_transfer(leg, "park", "test", NULL);
	else if (rand_below(60) == 0)
		leg_break(leg, true);
	return true;
}

/* A thousand calls of every kind, hung up, moved and broken at random moments. */
static NO_ROLE_CHECK int test_storm(void)
{
	static const char *const kinds[] = {"call", "call-far-end", "busy", "busy-on", "both", "then", "alias",
	    "nobody", "pcma", "early", "ringback", "echo", "park", "sleep", "end", "bad", "play", "hop", "nested",
	    "nowhere", "threads", "threads-fail", "threads-ring", "retries", "picky", "confirm", "early-first"};

	EXPECT_INT(begin(), 0);
	for (int i = 0; i < 1000; i++) {
		EXPECT(fake_inbound(kinds[rand_below(ARRAY_COUNT(kinds))], rand_below(2) ? "PCMU" : "PCMA,G729"));
		if (rand_below(3) == 0)
			loop_run_nowait();
		leg_each(hang_random, NULL);
	}
	fake_run_ms(50);
	EXPECT_INT(leg_hangup_all(CAUSE_MANAGER_REQUEST, "no_such_variable", "x"), 0);
	leg_hangup_all(CAUSE_MANAGER_REQUEST, NULL, NULL);
	EXPECT(fake_until(fake_no_legs, NULL, 5000));
	EXPECT_INT(co_live_count(), 0);
	return end();
}

static NO_ROLE_CHECK int test_stop_in_call(void)
{
	EXPECT_INT(begin(), 0);
	struct leg *a = fake_inbound("call", "PCMU");
	EXPECT(fake_until(is_bridged, a, 2000));
	fake_stop();
	EXPECT_INT(leg_count(), 0);
	EXPECT_INT(fake_stats.made, fake_stats.destroyed);
	return 0;
}

TEST_MAIN({"events of a bridged call", test_bridged_events, TEST_LOOP},
    {"far end hangs up", test_far_end_hangs_up, TEST_LOOP}, {"failures", test_failures, TEST_LOOP},
    {"timeout", test_timeout, TEST_LOOP}, {"forks", test_forks, TEST_LOOP}, {"codecs", test_codecs, TEST_LOOP},
    {"early media and ringback", test_early_and_ringback, TEST_LOOP}, {"applications", test_apps, TEST_LOOP},
    {"requests", test_requests, TEST_LOOP}, {"two legs", test_two, TEST_LOOP}, {"originate", test_originate, TEST_LOOP},
    {"targets", test_targets, TEST_LOOP}, {"threads", test_threads, TEST_LOOP}, {"storm", test_storm, TEST_LOOP},
    {"stop in a call", test_stop_in_call, TEST_LOOP})
