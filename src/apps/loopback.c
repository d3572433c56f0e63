/* mod_loopback: a leg that calls into our own dialplan. loopback/EXTEN[/CONTEXT[/DIALPLAN]] makes two legs: NAME-a,
 * which whoever dialled talks to, and NAME-b, an inbound call that runs the extension; loopback/app=APP:ARGS runs one
 * application there. The pair passes offers and answers between the two as a network would, and each has a stream
 * of its own, wired to the other's without ports: whatever a leg can do, these can. When both are bridged the legs
 * behind them are joined and the pair goes (loopback_bowout=false keeps it). */
#include "apps/apps_i.h"
#include "base/mem.h"
#include "core/bridge/bridge.h"
#include "core/leg/leg.h"
#include "core/registry/dialplan.h"
#include "core/registry/endpoint.h"
#include "core/registry/module.h"
#include "core/run/exec.h"
#include "core/sound/media.h"
#include "core/value/cause.h"
#include "core/value/vars.h"
#include "loop/loop.h"
#include "text/mark.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { SIDE_A, SIDE_B };
#define APP_PREFIX "app="
#define APP_DIALPLAN "loopback_app"
struct pair {
	struct leg *leg[2]; /* borrowed; NULL once it is destroyed or not made yet */
	char *target;       /* what was dialled, as its name */
	char *app;          /* text with marks: APP[:ARGS] that B runs; NULL: its extension */
	char originator_uuid[UUID_CHARS + 1];
	struct ldefer begin, bowout;
};

static int on_init(struct leg *leg);
static int ring_ready(struct leg *leg);
static int pre_answer(struct leg *leg, struct leg *near);
static int answer(struct leg *leg, struct leg *near);
static int hold(struct leg *leg, bool is_hold);
static void on_bridge(struct leg *leg);
static void on_hangup(struct leg *leg);
static void on_destroy(struct leg *leg);
static int outgoing(const struct originate_target *t, struct leg **out, enum cause *cause);
static const struct endpoint_ops loopback_ops = {.name = "loopback",
    .operator_dials = OPERATOR_DIALS_EXTENSION,
    .outgoing = outgoing,
    .on_init = on_init,
    .ring_ready = ring_ready,
    .pre_answer = pre_answer,
    .answer = answer,
    .on_hangup = on_hangup,
    .on_destroy = on_destroy,
    .hold = hold,
    .on_bridge = on_bridge};

static struct leg *other_of(const struct leg *leg)
{
	const struct pair *pair = leg->endpoint;
	return pair ? pair->leg[pair->leg[SIDE_A] == leg ? SIDE_B : SIDE_A] : NULL;
}

/* The other side while it can still be told something. */
static ON_CTL struct leg *other_up(const struct leg *leg)
{
	struct leg *other = other_of(leg);
	return other && leg_is_up(other) ? other : NULL;
}

static ON_CTL int media_init(struct leg *leg)
{
	static const struct leg_media_conf conf = {.is_wired = true,
	    .rtp_host = "127.0.0.1",
	    .inbound_codecs = "L16@8000h,PCMU,PCMA,G722,OPUS",
	    .outbound_codecs = "L16@8000h,PCMU,PCMA,G722,OPUS",
	    .negotiation = "generous",
	    .sdp_username = "loopback",
	    .dtmf_pt = 101,
	    .cn_pt = -1};
	return leg_media_init(leg, &conf);
}

static ON_CTL int side_init(struct leg *leg, struct pair *pair, int side)
{
	struct buf name;

	leg->endpoint = pair;
	pair->leg[side] = leg;
	buf_init(&name);
	buf_printf(&name, "loopback/%s-%c", pair->target, "ab"[side]);
	leg_set_name(leg, name.p);
	buf_fini(&name);
	leg_var_set(leg, "is_loopback", "1");
	leg_var_set(leg, "loopback_leg", side == SIDE_A ? "A" : "B");
	return media_init(leg);
}

/* ---- from target to legs ---- */

/* EXTEN[/CONTEXT[/DIALPLAN]]; of an application its name is the extension. */
static ON_CTL int target_apply(struct leg_profile *p, const char *target)
{
	struct sv exten, context, dialplan,
	    rest; /* target is text with marks: only what the configuration wrote parts it */
	char *text[3];

	if (!strncmp(target, APP_PREFIX, strlen(APP_PREFIX))) {
		text[0] = mem_strndup(target + strlen(APP_PREFIX), strcspn(target + strlen(APP_PREFIX), ":"));
		leg_profile_destination_set(p, text[0]);
		mem_free(text[0]);
		return ST_OK;
	}
	sv_split(sv_of(target), '/', &exten, &rest);
	sv_split(rest, '/', &context, &dialplan);
	if (mark_has(rest)) /* nobody outside names a context or a dialplan */
		return ST_INVAL;
	text[0] = sv_dup(exten.n ? exten : SV("service")), text[1] = sv_dup(context), text[2] = sv_dup(dialplan);
	leg_profile_destination_set(p, text[0]);
	if (context.n || !p->context || !*p->context)
		leg_profile_set(&p->context, context.n ? text[1] : "default");
	leg_profile_set(&p->dialplan, dialplan.n ? text[2] : "xml");
	for (int i = 0; i < 3; i++)
		mem_free(text[i]);
	return ST_OK;
}

static ON_CTL void pair_free(struct pair *pair)
{
	loop_defer_cancel(&pair->begin);
	loop_defer_cancel(&pair->bowout);
	mem_free(pair->target);
	mem_free(pair->app);
	mem_free(pair);
}

static ON_CTL void app_vars(struct leg *leg, const char *app)
{
	struct sv name, args;
	char *text;

	if (!app)
		return;
	sv_split(sv_of(app), ':', &name, &args);
	if ((text = sv_dup(name)))
		leg_var_set_text(leg, "loopback_app", text);
	mem_free(text);
	if (args.n && (text = sv_dup(args))) {
		leg_var_set_text(leg, "loopback_app_arg", text);
		mem_free(text);
	}
}

/* An application's arguments are no part of the name. */
static ON_CTL void name_set(struct pair *pair, const char *text)
{
	bool is_app = !strncmp(text, APP_PREFIX, strlen(APP_PREFIX));

	text += is_app ? strlen(APP_PREFIX) : 0;
	if (!*text)
		text = "service";
	pair->target = mem_strndup(text, strcspn(text, is_app ? ":" : "/"));
	mark_strip_in_place(pair->target);
	if (is_app)
		pair->app = mem_strdup(text);
}

static int outgoing(const struct originate_target *t, struct leg **out, enum cause *cause)
{
	struct pair *pair = mem_zalloc(sizeof(*pair));
	struct leg_profile *p;
	struct leg *leg = NULL;
	int st;

	role_assert_ctl();
	p = t->profile ? leg_profile_dup(t->profile) : leg_profile_new();
	st = p && pair ? target_apply(p, t->text) : ST_NOMEM;
	*cause = st == ST_INVAL ? CAUSE_INVALID_NUMBER_FORMAT : CAUSE_DESTINATION_OUT_OF_ORDER; /* no room */
	if (!st)
		st = leg_new(&leg, &loopback_ops, true, t->vars ? vars_get(t->vars, "origination_uuid") : NULL);
	if (st) {
		leg_profile_free(p);
		mem_free(pair);
		return st;
	}
	leg_profile_set(&p->source, "mod_loopback");
	name_set(pair, t->text);
	if (t->originator)
		snprintf(pair->originator_uuid, sizeof(pair->originator_uuid), "%s", t->originator->uuid);
	st = side_init(leg, pair, SIDE_A);
	leg_set_profile(leg, p);
	app_vars(leg, pair->app);
	if (st) {
		leg_hangup(leg, CAUSE_SWITCH_CONGESTION);
		return st;
	}
	*cause = CAUSE_NONE;
	*out = leg;
	return ST_OK;
}

/* What B is told by variables: the hops that are left and what loopback_export names. */
static ON_CTL void vars_pass(struct leg *a, struct leg *b)
{
	const char *list = vars_get(a->vars, "loopback_export"), *hops = vars_get(a->vars, "max_forwards");
	struct sv rest = sv_of(list), one;
	char *name;

	if (hops)
		leg_var_set(b, "max_forwards", hops);
	while (rest.n) {
		sv_split(rest, ',', &one, &rest);
		name = sv_dup(sv_trim(one));
		if (name && *name)
			leg_var_copy(b, name, a, name);
		mem_free(name);
	}
	leg_var_set(a, "other_loopback_leg_uuid", b->uuid);
	leg_var_set(b, "other_loopback_leg_uuid", a->uuid);
}

static ON_CTL struct leg_profile *profile_of_b(const struct leg *a)
{
	struct leg_profile *p = leg_profile_dup(a->profile);

	if (!p)
		return NULL;
	memset(&p->times, 0, sizeof(p->times));
	p->index = 0;
	leg_profile_set(&p->chan_name, NULL);
	if (((const struct pair *)a->endpoint)->app)
		leg_profile_set(&p->dialplan, APP_DIALPLAN);
	return p;
}

/* The extension of a leg that runs one application is that. */
static int app_hunt(struct leg *leg, const char *args)
{
	const struct pair *pair = leg->ops == &loopback_ops ? leg->endpoint : NULL;
	struct sv name, data;
	char *app, *text;
	int st = ST_OK;

	role_assert_ctl();
	if (!pair || !pair->app)
		return ST_NOTFOUND;
	sv_split(sv_of(pair->app), ':', &name, &data);
	app = sv_dup(name), text = sv_dup(data);
	if (!app || !text)
		st = ST_NOMEM;
	/* whoever dials an application hears it at once, and need not wait for it to answer */
	if (!st)
		st = leg_exec_add(leg, "pre_answer", "", app);
	if (!st)
		st = leg_exec_add(leg, app, text, app);
	mem_free(app);
	mem_free(text);
	return st;
}

static void begin(void *arg)
{
	struct pair *pair = arg;
	struct leg *b = pair->leg[SIDE_B];

	role_assert_ctl();
	if (b && leg_is_up(b) && leg_start(b) && leg_is_up(b))
		leg_hangup(b, CAUSE_INCOMPATIBLE_DESTINATION);
}

/* A dials: B is born, and begins its dialplan once A has been told of. */
static int on_init(struct leg *leg)
{
	struct pair *pair = leg->endpoint;
	struct leg_profile *p = NULL;
	struct leg *b = NULL;
	struct buf offer;
	int st;

	role_assert_ctl();
	buf_init(&offer);
	st = leg_media_offer(leg, leg_find(pair->originator_uuid), &offer);
	if (!st)
		st = leg_new(&b, &loopback_ops, false, NULL);
	if (st)
		goto out;
	st = side_init(b, pair, SIDE_B);
	vars_pass(leg, b);
	p = profile_of_b(leg);
	if (p)
		leg_set_profile(b, p);
	if (!st)
		st = p ? leg_media_remote_offer(b, buf_sv(&offer)) : ST_NOMEM;
	if (!st)
		loop_defer(&pair->begin, "loopback begin", begin, pair);
	if (st && leg_is_up(b))
		leg_hangup(b, CAUSE_INCOMPATIBLE_DESTINATION);
out:
	buf_fini(&offer);
	return st;
}

/* ---- what B does is what A hears of, and the other way round ---- */

static int ring_ready(struct leg *leg)
{
	struct leg *a;

	role_assert_ctl();
	a = other_up(leg);
	if (!a)
		return ST_CLOSED;
	leg_mark_ring_ready(a);
	return ST_OK;
}

static ON_CTL int answer_pass(struct leg *leg, struct leg *near, struct leg *a)
{
	struct buf text;
	int st;

	buf_init(&text);
	st = leg_media_answer(leg, near, &text);
	if (!st)
		st = leg_media_remote_answer(a, buf_sv(&text));
	if (!st)
		st = leg_media_wire(leg, a);
	buf_fini(&text);
	return st;
}

static int pre_answer(struct leg *leg, struct leg *near)
{
	struct leg *a;
	int st;

	role_assert_ctl();
	a = other_up(leg);
	st = a ? answer_pass(leg, near, a) : ST_CLOSED;
	if (!st)
		leg_mark_early_media(a);
	return st;
}

static int answer(struct leg *leg, struct leg *near)
{
	struct leg *a;
	int st;

	role_assert_ctl();
	a = other_up(leg);
	st = a ? answer_pass(leg, near, a) : ST_CLOSED;
	if (!st)
		leg_mark_answered(a);
	return st;
}

static int hold(struct leg *leg, bool is_hold)
{
	struct leg *other;
	struct buf offer, reply;
	int st;

	role_assert_ctl();
	other = other_up(leg);
	buf_init(&offer);
	buf_init(&reply);
	st = other ? leg_media_own_reoffer(leg, is_hold, &offer) : ST_CLOSED;
	if (!st) {
		st = leg_media_reoffer(other, buf_sv(&offer), &reply);
		if (!st)
			st = leg_media_remote_answer(leg, buf_sv(&reply));
		if (st)
			leg_media_offer_unsent(leg);
	}
	buf_fini(&offer);
	buf_fini(&reply);
	return st == ST_BUSY ? ST_INVAL : st; /* nothing here tells when it could be done */
}

static ON_CTL bool may_bow_out(struct leg *leg)
{
	const char *wish = leg_var(leg, "loopback_bowout");
	return (!wish || str_is_true(wish)) && leg_is_up(leg) && leg->is_answered;
}

/* Two codecs that the engine can join without the pair between them. */
static ON_CTL bool can_join(struct leg *p, struct leg *q)
{
	const struct media_codec *x = p->codec, *y = q->codec;
	return x && y &&
	       (!strcasecmp(x->name, y->name) || (mctl_codec_is_known(x->name) && mctl_codec_is_known(y->name)));
}

/* Who talks to A and who talks to B are joined; the pair has no more to do. */
static void bow_out(void *arg)
{
	struct pair *pair = arg;
	struct leg *a = pair->leg[SIDE_A], *b = pair->leg[SIDE_B], *p, *q;

	role_assert_ctl();
	if (!a || !b || !may_bow_out(a) || !may_bow_out(b))
		return;
	p = a->peer, q = b->peer;
	if (!p || !q || p == b || !leg_is_up(p) || !leg_is_up(q) || !can_join(p, q))
		return;
	mem_ref(a), mem_ref(b), mem_ref(p), mem_ref(q);
	leg_var_set(a, "loopback_hangup_cause", "bridge");
	leg_var_set(b, "loopback_hangup_cause", "bridge");
	leg_var_set(a, "loopback_bowout_other_uuid", p->uuid);
	leg_var_set(b, "loopback_bowout_other_uuid", q->uuid);
	leg_log(a, LOG_NOTICE, "%s and %s are bridged without the loopback between", p->name, q->name);
	if (bridge_two(p, q) == ST_OK) {
		leg_hangup(a, CAUSE_NORMAL_UNSPECIFIED);
		leg_hangup(b, CAUSE_NORMAL_UNSPECIFIED);
	}
	mem_unref(a), mem_unref(b), mem_unref(p), mem_unref(q);
}

static void on_bridge(struct leg *leg)
{
	struct pair *pair = leg->endpoint;
	struct leg *other = other_of(leg);

	role_assert_ctl();
	if (pair && other && other->peer && leg->peer && !lnode_is_linked(&pair->bowout.link))
		loop_defer(&pair->bowout, "loopback bow-out", bow_out, pair);
}

static void on_hangup(struct leg *leg)
{
	struct leg *other;

	role_assert_ctl();
	other = other_up(leg);
	if (other)
		leg_hangup(other, leg->cause);
}

static void on_destroy(struct leg *leg)
{
	struct pair *pair = leg->endpoint;

	role_assert_ctl();
	if (!pair)
		return;
	leg->endpoint = NULL;
	pair->leg[pair->leg[SIDE_A] == leg ? SIDE_A : SIDE_B] = NULL;
	if (!pair->leg[SIDE_A] && !pair->leg[SIDE_B])
		pair_free(pair);
}

static const struct dialplan_desc dialplans[] = {{APP_DIALPLAN, app_hunt}, {NULL}};
static const struct endpoint_ops *const endpoints[] = {&loopback_ops, &null_ops, NULL};
static const struct var_desc vars[] = {
    {"loopback_bowout", "bool", "false: the pair stays when both its legs are bridged", true, false},
    {"loopback_export", "list", "names of variables that go to the loopback leg's far side", true, false},
    {"null_enable_auto_answer", "bool", "false: a null/ leg does not answer by itself", true, false},
    {"null_auto_answer_delay", "ms", "how long a null/ leg waits before it answers", true, false},
    {"null_pre_answer", "bool", "a null/ leg gives early media at once", true, false},
    {"null_hangup_cause", "cause", "a null/ leg refuses the call so", true, false},
    {"is_loopback", "1", "set on both legs of a loopback pair", false, true},
    {"loopback_leg", "A|B", "which of the pair this is", false, true},
    {"loopback_app", "application", "what a loopback/app= leg runs", false, true},
    {"loopback_app_arg", "text", "and its arguments", false, true},
    {"other_loopback_leg_uuid", "uuid", "the other leg of the pair", false, true},
    {NULL},
};
extern const struct module mod_loopback;
const struct module mod_loopback = {
    .abi = MODULE_ABI, .name = "mod_loopback", .endpoints = endpoints, .dialplans = dialplans, .vars = vars};
