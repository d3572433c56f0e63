/* The outbound event socket: the application `socket` connects to a server that then controls the leg. The application
 * looks names up and connects on the leg's coroutine, then detaches: while the server controls it, the leg has none.
 * The client object is an inbound one's, already trusted, with the leg in it. It ends with the connection (the leg
 * hangs up, or goes on when the server said `resume`) or with the leg (a notice, at once or after lingering). */
#include "base/clock.h"
#include "base/mem.h"
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "core/registry/app.h"
#include "core/run/exec.h"
#include "core/value/cause.h"
#include "esl/outbound/outbound_i.h"
#include "text/mark.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { HOSTS_MAX = 16, PORT_DEFAULT = 8084 };
static const int64_t connect_timeout_us = 5 * 1000000LL, park_delay_us = 20000;

static struct list controlled; /* clients by leg_link, while they have a leg */

struct target {
	char *host; /* in the data's copy */
	uint16_t port;
};
struct spec {
	bool is_async, is_full;
	struct target targets[HOSTS_MAX];
	size_t count;
};

static void parse_target(struct target *t, char *text)
{
	char *colon = strrchr(text, ':'), *bracket = strrchr(text, ']');
	*t = (struct target){text, PORT_DEFAULT};
	if (colon && colon > bracket && (bracket || strchr(text, ':') == colon)) {
		*colon = 0;
		t->port = (uint16_t)atoi(colon + 1);
	}
	if (*text == '[' && (bracket = strchr(text, ']'))) {
		*bracket = 0;
		t->host = text + 1;
	}
}

static void parse_spec(struct spec *s, char *data)
{
	char *save = NULL, *hosts = strtok_r(data, " ", &save), *word;
	*s = (struct spec){0};
	while ((word = strtok_r(NULL, " ", &save))) {
		s->is_async = s->is_async || !strcasecmp(word, "async");
		s->is_full = s->is_full || !strcasecmp(word, "full");
	}
	if (!hosts)
		return;
	for (word = strtok_r(hosts, "|", &save); word && s->count < HOSTS_MAX; word = strtok_r(NULL, "|", &save))
		parse_target(&s->targets[s->count++], word);
}

/* ---- a leg gets its server ----------------------------------------------------------------------------------- */

static CO int try_target(struct leg *leg, const struct spec *s, const struct target *t, struct esl_client **out)
{
	struct esl_client *c = NULL;
	struct addr addr;
	int st;
	leg_var_set(leg, "socket_host", t->host);
	st = esl_lookup(leg, t->host, t->port, &addr);
	if (!st)
		st = esl_client_connect(&c, &addr, connect_timeout_us);
	if (st)
		goto out;
	c->is_async = s->is_async;
	c->is_full = s->is_full;
	c->leg = mem_ref(leg);
	c->frame = leg_exec_frame(leg);
	memcpy(c->leg_uuid, leg->uuid, sizeof(c->leg_uuid));
	list_push(&controlled, &c->leg_link);
	while (!st && c->conn && !c->is_open)
		st = leg_wait(leg, -1);
	if (c->is_open && c->conn)
		st = leg_is_up(leg) ? ST_OK : ST_HANGUP;
	else if (!st)
		st = c->open_status ? c->open_status : ST_CLOSED;
out:
	if (st)
		leg_log(leg, LOG_ERR, "Socket Error! %s:%u: %s", t->host, t->port, status_text(st));
	if (st && c)
		esl_client_drop(c);
	if (st)
		mem_unref(c);
	else
		*out = c;
	return st;
}

/* The server is lost before the application could detach. */
static ON_CTL int lost(struct leg *leg, const struct esl_client *c)
{
	if (leg_is_up(leg) && !c->resumes && !leg_var_is_true(leg, "socket_resume"))
		leg_hangup(leg, CAUSE_NORMAL_CLEARING);
	return leg_is_up(leg) ? ST_CLOSED : ST_HANGUP;
}

/* Async: the server's `connect` is awaited, then the leg parks. A server that never says it is given up. */
static CO int await_connect(struct leg *leg, struct esl_client *c)
{
	int64_t deadline = clock_mono_us() + esl_conf.login_timeout_us;
	int st = ST_OK;
	while (!st && c->conn && !c->is_ending && !c->is_connected) {
		int64_t left = deadline - clock_mono_us();
		st = left > 0 ? leg_wait(leg, left) : ST_TIMEOUT;
	}
	if (st == ST_HANGUP || st == ST_CANCELLED)
		return st;
	/* As in FreeSWITCH a server that subscribes right after `connect` sees CHANNEL_PARK, before what it orders. */
	if (!st && c->conn && !c->is_ending)
		co_sleep(park_delay_us);
	if (leg_is_up(leg) && c->conn && c->is_connected && !c->is_ending) {
		c->is_attached = true;
		return leg_park(leg);
	}
	if (st == ST_TIMEOUT)
		leg_log(leg, LOG_ERR, "Socket Error! %s never said connect", c->id);
	esl_client_drop(c);
	return lost(leg, c);
}

static int app_socket(struct leg *leg, const char *data)
{
	char *copy = mem_strdup(leg_exec_text(leg, data));
	struct esl_client *c = NULL;
	struct spec s;
	int st = ST_INVAL;
	role_assert_co();
	if (!copy)
		return ST_NOMEM;
	if (mark_has(sv_of(copy))) {
		leg_log(leg, LOG_WARNING, "socket: a server named from outside is not called");
		st = ST_DENIED;
		goto out;
	}
	parse_spec(&s, copy);
	if (!s.count)
		leg_log(leg, LOG_ERR, "Parse Error!");
	for (size_t i = 0; i < s.count && st && st != ST_HANGUP && st != ST_CANCELLED; i++)
		st = try_target(leg, &s, &s.targets[i], &c);
	if (st)
		goto out;
	if (s.is_async) {
		st = await_connect(leg, c);
	} else {
		c->is_attached = true;
		st = APP_DETACHED;
	}
	mem_unref(c);
out:
	mem_free(copy);
	return st;
}

/* ---- ends ---------------------------------------------------------------------------------------------------- */

void esl_outbound_release(struct esl_client *c)
{
	struct leg *leg = c->leg;
	if (!leg)
		return;
	c->leg = NULL;
	list_remove(&c->leg_link);
	if (leg_is_up(leg) && !c->is_attached) {
		leg_wake(leg); /* the application decides */
	} else if (leg_is_up(leg) && leg_exec_frame_is_open(leg, c->frame)) {
		if (c->resumes || leg_var_is_true(leg, "socket_resume"))
			leg_exec_frame_end(leg, c->frame);
		else
			leg_hangup(leg, CAUSE_NORMAL_CLEARING);
	}
	mem_unref(leg);
}

static void on_linger(void *arg)
{
	struct esl_client *c = arg;
	role_assert_ctl();
	esl_client_linger(c);
}

static void on_leg_over(struct leg *leg, void *arg)
{
	struct lnode *it, *tmp;
	role_assert_ctl();
	list_each (&controlled, it, tmp) {
		struct esl_client *c = list_entry(it, struct esl_client, leg_link);
		if (c->leg != leg)
			continue;
		if (c->lingers && c->conn && !c->is_ending) /* CHANNEL_HANGUP_COMPLETE still comes before the notice */
			loop_defer(&c->leg_over, "esl.linger", on_linger, c);
		else
			esl_client_end_after_events(c);
	}
}

bool esl_outbound_divert(const struct leg *leg, struct event *e)
{
	struct lnode *it, *tmp;
	bool is_taken = false;
	list_each (&controlled, it, tmp) {
		struct esl_client *c = list_entry(it, struct esl_client, leg_link);
		if (c->leg == leg && c->diverts) {
			esl_client_event(c, e);
			is_taken = true;
		}
	}
	return is_taken;
}

int esl_outbound_start(void)
{
	if (!controlled.head.next)
		list_init(&controlled);
	return leg_hook_add(LEG_HOOK_REPORTING, on_leg_over, NULL);
}

void esl_outbound_stop(void)
{
	leg_hook_del(LEG_HOOK_REPORTING, on_leg_over, NULL);
}

/* ---- commands ------------------------------------------------------------------------------------------------ */

void esl_cmd_connect(struct esl_client *c, const struct stanza *r, const char *args)
{
	struct event *e = c->leg ? event_new(EVENT_CHANNEL_DATA, NULL) : NULL;
	if (!e) {
		esl_client_reply(c, "-ERR command not found");
		return;
	}
	leg_event_channel_profile(c->leg, e);
	leg_event_headers(c->leg, e);
	event_add(e, "Content-Type", "command/reply");
	event_add(e, "Reply-Text", "+OK\n");
	event_add(e, "Socket-Mode", c->is_async ? "async" : "static");
	event_add(e, "Control", c->is_full ? "full" : "single-channel");
	esl_client_send(c, event_render(e, EVENT_PLAIN));
	mem_unref(e);
	c->is_connected = true;
	leg_wake(c->leg);
}

void esl_cmd_getvar(struct esl_client *c, const struct stanza *r, const char *args)
{
	const char *value = c->leg ? leg_var(c->leg, args) : NULL;
	if (c->leg)
		esl_client_reply(c, "%s", value ? value : "");
	else
		esl_client_reply(c, "-ERR command not found");
}

void esl_cmd_resume(struct esl_client *c, const struct stanza *r, const char *args)
{
	if (c->leg) {
		c->resumes = true;
		esl_client_reply(c, "+OK");
	} else {
		esl_client_reply(c, "-ERR command not found");
	}
}

void esl_cmd_linger(struct esl_client *c, const struct stanza *r, const char *args)
{
	uint32_t seconds = 0;
	if (!c->leg) {
		esl_client_reply(c, "-ERR not controlling a session");
		return;
	}
	c->lingers = true;
	c->linger_s = -1;
	if (*args && !sv_u32(sv_of(args), &seconds) && seconds) {
		c->linger_s = seconds > 86400 ? 86400 : (int)seconds;
		esl_client_reply(c, "+OK will linger %d seconds", c->linger_s);
	} else {
		esl_client_reply(c, "+OK will linger");
	}
}

void esl_cmd_nolinger(struct esl_client *c, const struct stanza *r, const char *args)
{
	if (!c->leg) {
		esl_client_reply(c, "-ERR not controlling a session");
		return;
	}
	c->lingers = false;
	esl_client_reply(c, "+OK will not linger");
}

void esl_cmd_divert(struct esl_client *c, const struct stanza *r, const char *args)
{
	if (!c->leg) {
		esl_client_reply(c, "-ERR not controlling a session.");
		return;
	}
	c->diverts = str_is_true(args);
	esl_client_reply(c, c->diverts ? "+OK events diverted" : "+OK events not diverted");
}

const struct app_desc esl_apps[] = {
    {"socket", "Connect to a socket", "<ip>[:<port>]", 0, app_socket},
    {0},
};
