/* See fake.h. */
#include "fake.h"
#include "base/clock.h"
#include "base/mem.h"
#include "core/dial/dialstring.h"
#include "core/dial/originate.h"
#include "core/dial/targets.h"
#include "core/event/event.h"
#include "core/host/core.h"
#include "core/host/module.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "core/registry/app.h"
#include "core/registry/dialplan.h"
#include "core/registry/endpoint.h"
#include "core/registry/limits.h"
#include "core/registry/module.h"
#include "core/run/exec.h"
#include "core/run/expand.h"
#include "core/sound/media.h"
#include "core/sound/play.h"
#include "core/value/cause.h"
#include "core/value/self.h"
#include "core/value/vars.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct fake_stats fake_stats;
static const struct fake_route *routes;

struct fake {
	struct leg *leg;
	char *script;
	const char *at;
	const char *codecs;
	struct ltimer timer;
	bool is_gone, is_negotiated;
};

static void sdp_make(struct buf *out, const char *codecs, uint16_t port)
{
	bool has_pcma = strcasestr(codecs, "PCMA"), has_pcmu = strcasestr(codecs, "PCMU"),
	     has_g729 = strcasestr(codecs, "G729");

	buf_printf(
	    out, "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio %u RTP/AVP", port);
	buf_printf(out, "%s%s%s 101\r\n", has_pcmu ? " 0" : "", has_pcma ? " 8" : "", has_g729 ? " 18" : "");
	if (has_pcmu)
		buf_adds(out, "a=rtpmap:0 PCMU/8000\r\n");
	if (has_pcma)
		buf_adds(out, "a=rtpmap:8 PCMA/8000\r\n");
	if (has_g729)
		buf_adds(out, "a=rtpmap:18 G729/8000\r\n");
	buf_adds(out, "a=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n");
}

static NO_ROLE_CHECK void media_init(struct leg *leg)
{
	struct leg_media_conf conf = {.rtp_host = "127.0.0.1",
	    .inbound_codecs = "G729,PCMU,PCMA",
	    .outbound_codecs = "G729,PCMU,PCMA",
	    .dtmf_pt = 101,
	    .cn_pt = -1};
	leg_media_init(leg, &conf);
}

static NO_ROLE_CHECK void far_answer_sdp(struct fake *f)
{
	struct buf sdp;
	const char *codecs = strstr(f->script, "pcma") ? "PCMA" : strstr(f->script, "g729") ? "G729" : "PCMU";

	if (f->is_negotiated)
		return;
	f->is_negotiated = true;
	buf_init(&sdp);
	sdp_make(&sdp, codecs, 40000);
	if (leg_media_remote_answer(f->leg, buf_sv(&sdp)))
		leg_hangup(f->leg, CAUSE_INCOMPATIBLE_DESTINATION);
	buf_fini(&sdp);
}

static NO_ROLE_CHECK void step(void *arg)
{
	struct fake *f = arg;
	size_t n = strcspn(f->at, "-");
	struct sv word = {f->at, n};

	if (!*f->at || f->is_gone)
		return;
	f->at += n + (f->at[n] == '-');
	loop_timer_set(&f->timer, 2000, "fake", step, f);
	if (sv_is(word, "ring")) {
		leg_mark_ring_ready(f->leg);
	} else if (sv_is(word, "early")) {
		far_answer_sdp(f);
		leg_mark_early_media(f->leg);
	} else if (sv_is(word, "answer")) {
		far_answer_sdp(f);
		leg_mark_answered(f->leg);
	} else if (sv_is(word, "busy")) {
		leg_var_set(f->leg, "proto_specific_hangup_cause", "sip:486");
		leg_hangup(f->leg, CAUSE_USER_BUSY);
	} else if (sv_is(word, "reject")) {
		leg_hangup(f->leg, CAUSE_CALL_REJECTED);
	} else if (sv_is(word, "hangup")) {
		leg_hangup(f->leg, CAUSE_NORMAL_CLEARING);
	}
}

static NO_ROLE_CHECK int fake_outgoing(const struct originate_target *t, struct leg **out, enum cause *cause)
{
	struct leg *leg;
	struct leg_profile *p;
	struct fake *f;
	char name[128];
	extern const struct endpoint_ops fake_ops;

	if (!strcmp(t->data, "fail")) {
		*cause = CAUSE_DESTINATION_OUT_OF_ORDER;
		return ST_NOTFOUND;
	}
	if (leg_new(&leg, &fake_ops, true, vars_get(t->vars, "origination_uuid"))) {
		*cause = CAUSE_SWITCH_CONGESTION;
		return ST_LIMIT;
	}
	f = mem_zalloc(sizeof(*f));
	f->leg = leg;
	f->script = mem_strdup(t->data);
	f->at = f->script;
	leg->endpoint = f;
	snprintf(name, sizeof(name), "fake/%s", t->data);
	leg_set_name(leg, name);
	p = leg_profile_dup(t->profile);
	leg_profile_set(&p->destination_number, t->data);
	leg_profile_set(&p->source, "mod_fake");
	leg_set_profile(leg, p);
	media_init(leg);
	fake_stats.made++;
	*out = leg;
	return ST_OK;
}

static NO_ROLE_CHECK int fake_init(struct leg *leg)
{
	struct fake *f = leg->endpoint;
	struct buf offer;
	const char *peer = vars_get(leg->vars, "originator");
	int st;

	buf_init(&offer);
	st = leg_media_offer(leg, peer ? leg_find(peer) : NULL, &offer);
	buf_fini(&offer);
	loop_timer_set(&f->timer, 1000, "fake", step, f);
	return st;
}

static NO_ROLE_CHECK int fake_answer(struct leg *leg, struct leg *near)
{
	struct buf b;
	int st;

	fake_stats.answers++;
	buf_init(&b);
	st = leg_media_answer(leg, near, &b);
	buf_fini(&b);
	return st;
}

static NO_ROLE_CHECK int fake_pre_answer(struct leg *leg, struct leg *near)
{
	struct buf b;
	int st;

	fake_stats.early++;
	buf_init(&b);
	st = leg_media_answer(leg, near, &b);
	buf_fini(&b);
	return st;
}

static int fake_ring(struct leg *leg)
{
	fake_stats.rings++;
	return ST_OK;
}

static NO_ROLE_CHECK void fake_on_hangup(struct leg *leg)
{
	struct fake *f = leg->endpoint;
	fake_stats.hangups_told++;
	fake_stats.last_cause = leg->cause;
	loop_timer_cancel(&f->timer);
	f->is_gone = true;
}

static NO_ROLE_CHECK void fake_on_destroy(struct leg *leg)
{
	struct fake *f = leg->endpoint;
	loop_timer_cancel(&f->timer);
	fake_stats.destroyed++;
	mem_free(f->script);
	mem_free(f);
	leg->endpoint = NULL;
}

const struct endpoint_ops fake_ops = {.name = "fake",
    .outgoing = fake_outgoing,
    .on_init = fake_init,
    .ring_ready = fake_ring,
    .pre_answer = fake_pre_answer,
    .answer = fake_answer,
    .on_hangup = fake_on_hangup,
    .on_destroy = fake_on_destroy};

static NO_ROLE_CHECK int test_expand(const struct originate_target *t, struct dial *out, enum cause *cause)
{
	dial_free(out);
	return dial_parse(out, "[inner=1]fake/ring-answer");
}
static const struct endpoint_ops alias_ops = {.name = "alias", .expand = test_expand};

/* ---- applications ---- */

static NO_ROLE_CHECK int app_answer(struct leg *leg, const char *data)
{
	return leg_answer(leg);
}
static NO_ROLE_CHECK int app_bridge(struct leg *leg, const char *data)
{
	return bridge_app(leg, data);
}
static NO_ROLE_CHECK int app_park(struct leg *leg, const char *data)
{
	return leg_park(leg);
}
static NO_ROLE_CHECK int app_sleep(struct leg *leg, const char *data)
{
	return leg_sleep(leg, atoi(data) * 1000);
}
static NO_ROLE_CHECK int app_play(struct leg *leg, const char *data)
{
	return leg_play(leg, data, NULL, NULL);
}
static NO_ROLE_CHECK int app_hangup(struct leg *leg, const char *data)
{
	leg_hangup(leg, cause_parse(data));
	return ST_OK;
}
static NO_ROLE_CHECK int app_transfer(struct leg *leg, const char *data)
{
	return leg_transfer(leg, data, NULL, NULL);
}
static NO_ROLE_CHECK int app_set(struct leg *leg, const char *data)
{
	struct sv n, v;
	char *name, *value;
	sv_split(sv_of(data), '=', &n, &v);
	name = sv_dup(n), value = sv_dup(v);
	leg_var_set(leg, name, value);
	mem_free(name);
	mem_free(value);
	return ST_OK;
}
static NO_ROLE_CHECK int app_echo(struct leg *leg, const char *data)
{
	int st = leg_answer(leg);
	if (!st)
		st = mstream_echo(leg_media_stream(leg), 0);
	return st ? st : APP_DETACHED;
}
static NO_ROLE_CHECK int app_nested(struct leg *leg, const char *data)
{
	return leg_exec_app(leg, "set", data);
}
static const struct app_desc apps[] = {{.name = "answer", .fn = app_answer}, {.name = "bridge", .fn = app_bridge},
    {.name = "park", .fn = app_park}, {.name = "sleep", .fn = app_sleep}, {.name = "playback", .fn = app_play},
    {.name = "hangup", .fn = app_hangup}, {.name = "transfer", .fn = app_transfer}, {.name = "set", .fn = app_set},
    {.name = "echo", .fn = app_echo}, {.name = "nested", .fn = app_nested}, {0}};

static NO_ROLE_CHECK int api_upper(struct api_call *c)
{
	for (const char *p = c->args; *p; p++)
		buf_addc(c->out, (char)(*p >= 'a' && *p <= 'z' ? *p - 32 : *p));
	return ST_OK;
}
static NO_ROLE_CHECK int api_slow(struct api_call *c)
{
	co_sleep(1000);
	return buf_adds(c->out, "slow");
}
static const struct api_desc apis[] = {{.name = "upper", .flags = API_OWN_REPLY, .fn = api_upper},
    {.name = "slow", .flags = API_MAY_WAIT, .fn = api_slow}, {.name = "tell", .fn = api_upper}, {0}};

static NO_ROLE_CHECK int hunt(struct leg *leg, const char *args)
{
	const char *exten = leg->profile->destination_number;

	for (const struct fake_route *r = routes; r && r->exten; r++) {
		char *copy, *save = NULL;
		if (strcmp(r->exten, exten))
			continue;
		copy = mem_strdup(r->actions);
		for (char *a = strtok_r(copy, ";", &save); a; a = strtok_r(NULL, ";", &save)) {
			char *data = strchr(a, ':');
			if (data)
				*data++ = 0;
			leg_exec_add(leg, a, data, exten);
		}
		mem_free(copy);
		return ST_OK;
	}
	return ST_NOTFOUND;
}
static const struct dialplan_desc dialplans[] = {{"test", hunt}, {0}};
static const struct endpoint_ops *const endpoints[] = {&fake_ops, &alias_ops, NULL};
static const struct module fake_module = {
    .abi = MODULE_ABI, .name = "mod_fake", .apps = apps, .apis = apis, .endpoints = endpoints, .dialplans = dialplans};

NO_ROLE_CHECK int fake_start(void)
{
	static const struct core_dirs dirs = {.sounds = "/nonexistent", .certs = "/nonexistent"};
	int st;

	log_set_level(getenv("FAKE_LOG") ? LOG_DEBUG : LOG_CONSOLE);
	memset(&fake_stats, 0, sizeof(fake_stats));
	st = core_start(&dirs);
	log_set_level(getenv("FAKE_LOG") ? LOG_DEBUG : LOG_CONSOLE);
	core_limits()->max_sessions = core_limits()->sessions_per_second = 0;
	if (!st)
		st = module_register(&fake_module);
	return st ? st : module_load("mod_fake", NULL);
}

NO_ROLE_CHECK void fake_stop(void)
{
	core_stop(3000000);
}
void fake_routes(const struct fake_route *r)
{
	routes = r;
}

NO_ROLE_CHECK struct leg *fake_inbound(const char *exten, const char *codecs)
{
	struct leg *leg;
	struct leg_profile *p;
	struct fake *f;
	struct buf sdp;

	if (leg_new(&leg, &fake_ops, false, NULL))
		return NULL;
	f = mem_zalloc(sizeof(*f));
	f->leg = leg;
	leg->endpoint = f;
	leg_set_name(leg, "fake/caller");
	p = leg_profile_new();
	leg_profile_set(&p->destination_number, exten);
	leg_profile_set(&p->dialplan, "test");
	leg_profile_set(&p->context, "default");
	leg_profile_set(&p->caller_id_name, "Caller");
	leg_profile_set(&p->caller_id_number, "1000");
	leg_set_profile(leg, p);
	media_init(leg);
	buf_init(&sdp);
	sdp_make(&sdp, codecs, 40002);
	leg_media_remote_offer(leg, buf_sv(&sdp));
	buf_fini(&sdp);
	fake_stats.made++;
	leg_start(leg);
	return leg;
}

static void tick(void *arg) {}

NO_ROLE_CHECK bool fake_until(bool (*fn)(void *arg), void *arg, int ms)
{
	int64_t end = clock_mono_us() + (int64_t)ms * 1000;
	struct ltimer t = {0};
	bool is_so;

	while (!(is_so = fn(arg)) && clock_mono_us() < end) {
		loop_timer_set(&t, 5000, "tick", tick, NULL);
		loop_run_once();
	}
	loop_timer_cancel(&t);
	return is_so;
}

static bool never(void *arg)
{
	return false;
}
bool fake_run_ms(int ms)
{
	return !fake_until(never, NULL, ms);
}
NO_ROLE_CHECK bool fake_no_legs(void *arg)
{
	return leg_count() == 0;
}

/* ---- trace ---- */

static struct buf trace;
static struct event_sub *sub;
static char seen[26][40];

static NO_ROLE_CHECK void on_event(struct event *e, void *arg)
{
	const char *uuid = event_get(e, "Unique-ID"), *app = event_get(e, "Application");
	int i = 0;

	if (!uuid)
		return;
	while (i < 25 && seen[i][0] && strcmp(seen[i], uuid))
		i++;
	snprintf(seen[i], sizeof(seen[i]), "%s", uuid);
	buf_printf(&trace, "%c %s %s %s %s %s%s%s\n", 'A' + i, event_name(event_id(e)), event_get(e, "Channel-State"),
	    event_get(e, "Channel-State-Number"), event_get(e, "Channel-Call-State"), event_get(e, "Answer-State"),
	    app ? " " : "", app ? app : "");
}

NO_ROLE_CHECK void fake_trace_start(void)
{
	buf_init(&trace);
	memset(seen, 0, sizeof(seen));
	event_sub_new(&sub, on_event, NULL);
	event_sub_want(sub, EVENT_ALL, true);
}
const char *fake_trace(void)
{
	return trace.p ? trace.p : "";
}
NO_ROLE_CHECK void fake_trace_stop(void)
{
	event_sub_free(sub);
	buf_fini(&trace);
}
