/* sendmsg (orders to a leg) and sendevent (an event of the client's making). */
#include "base/mem.h"
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "core/run/exec.h"
#include "core/sound/media.h"
#include "core/value/cause.h"
#include "esl/cmd/cmd_i.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool header_is_true(const struct stanza *r, const char *name)
{
	return str_is_true(stanza_get(r, name));
}

/* ---- execute ------------------------------------------------------------------------------------------------- */
/* Sync outbound socket: nothing further is read and no event is sent until the application is over. */
static void on_executed(void *arg)
{
	struct esl_client *c = arg;
	role_assert_ctl();
	c->holds_events = false;
	esl_client_reply(c, "+OK");
	esl_client_resume(c);
	mem_unref(c);
}

static ON_CTL void msg_execute(struct esl_client *c, struct leg *leg, const struct stanza *r)
{
	const char *loops = stanza_get(r, "loops"), *arg = stanza_get(r, "execute-app-arg");
	const char *app = stanza_get(r, "execute-app-name");
	if (!app || !*app) {
		esl_client_reply(c, "-ERR no execute-app-name");
		return;
	}
	char *data = esl_app_data(c, app, r->body.n ? r->body.p : arg ? arg : "");
	if (!data)
		return;
	bool waits = c->is_outbound && !c->is_async && leg == c->leg && !header_is_true(r, "async");
	struct leg_exec_request q = {
	    .app = app,
	    .data = data,
	    .event_uuid = stanza_get(r, "event-uuid"),
	    .event_uuid_name = stanza_get(r, "event-uuid-name"),
	    .loops = loops ? atoi(loops) : 1,
	    .is_event_lock = header_is_true(r, "event-lock"),
	    .holds_bleg = header_is_true(r, "hold-bleg"),
	    .done = waits ? on_executed : NULL,
	    .done_arg = c,
	};
	if (waits) {
		mem_ref(c);
		c->is_busy = c->holds_events = true;
	}
	char *traced = leg_text_traced(leg, data);
	if (traced)
		q.data = traced;
	int st = leg_exec_request(leg, &q);
	mem_free(traced);
	mem_free(data);
	if (st && waits) {
		c->is_busy = c->holds_events = false;
		mem_unref(c);
	}
	if (st)
		esl_client_reply(c, "-ERR %s", status_text(st));
	else if (!waits)
		esl_client_reply(c, "+OK");
}

/* ---- the other verbs ----------------------------------------------------------------------------------------- */
static ON_CTL void msg_hangup(struct esl_client *c, struct leg *leg, const struct stanza *r)
{
	const char *cause = stanza_get(r, "hangup-cause");
	leg_hangup(leg, cause && *cause ? cause_parse(cause) : CAUSE_NORMAL_CLEARING);
	esl_client_reply(c, "+OK");
}

/* "application: NAME DATA" of one line: both to be freed, data as the client may say it; false: it was answered. */
static ON_CTL bool application_take(struct esl_client *c, const char *line, char **name, char **data)
{
	struct sv app, rest;
	if (!sv_split(sv_of(line), ' ', &app, &rest))
		app = sv_of(line), rest = SV("");
	char *given = sv_dup(rest);
	*name = sv_dup(app);
	*data = *name && given ? esl_app_data(c, *name, given) : NULL;
	mem_free(given);
	if (*data)
		return true;
	mem_free(*name);
	return false;
}

/* The leg leaves what it does for the applications of the message's "application: NAME DATA" lines; all of them are
 * looked at before any is added. */
static ON_CTL void msg_xferext(struct esl_client *c, struct leg *leg, const struct stanza *r)
{
	unsigned count = 0;
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < r->header_count; i++) {
			char *name, *data;
			if (strcasecmp(r->headers[i].name, "application"))
				continue;
			if (!application_take(c, r->headers[i].value, &name, &data))
				return;
			if (pass == 1 && !count)
				leg_exec_clear(leg);
			char *traced = leg_text_traced(leg, data);
			count += pass == 1 && *name && !leg_exec_add(leg, name, traced ? traced : data, NULL);
			mem_free(traced);
			mem_free(name);
			mem_free(data);
		}
	if (count)
		leg_exec_restart(leg);
	esl_client_reply(c, count ? "+OK" : "-ERR no application");
}

/* The two phones of that leg's bridge send media to each other from now on. */
static ON_CTL void msg_nomedia(struct esl_client *c, struct leg *leg, const struct stanza *r)
{
	const char *uuid = stanza_get(r, "nomedia-uuid");
	struct leg *other = uuid && *uuid ? leg_find(uuid) : leg;
	if (other && !esl_may_tell(c, other, "nomedia")) {
		esl_client_denied(c);
		return;
	}
	int st = other ? leg_bypass_ask(other, true) : ST_NOTFOUND;
	if (st)
		esl_client_reply(c, "-ERR %s", status_text(st));
	else
		esl_client_reply(c, "+OK");
}

/* Only SIP's and RTP's own ports take media. */
static ON_CTL void msg_refused(struct esl_client *c, struct leg *leg, const struct stanza *r)
{
	esl_client_reply(c, "-ERR %s is not supported", stanza_get(r, "call-command"));
}

void esl_cmd_sendmsg(struct esl_client *c, const struct stanza *r, const char *args)
{
	static const struct {
		const char *name;
		void (*fn)(struct esl_client *c, struct leg *leg, const struct stanza *r);
	} verbs[] = {{"execute", msg_execute}, {"hangup", msg_hangup}, {"xferext", msg_xferext},
	    {"nomedia", msg_nomedia}, {"unicast", msg_refused}};
	struct leg *leg = *args && (!c->is_outbound || c->is_full) ? leg_find(args) : c->leg;
	const char *verb = stanza_get(r, "call-command");
	if (!esl_may_tell(c, leg, verb ? verb : "")) { /* whether there is such a leg is not told */
		esl_client_denied(c);
		return;
	}
	if (!leg || !leg_is_up(leg)) {
		esl_client_reply(c, "-ERR invalid session id [%s]", args);
		return;
	}
	for (size_t i = 0; verb && i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (!strcasecmp(verb, verbs[i].name)) {
			verbs[i].fn(c, leg, r);
			return;
		}
	esl_client_reply(c, "-ERR unknown call-command [%s]", verb ? verb : "");
}

/* An event with the Unique-ID of a leg is that leg's: it goes to who diverted its events, and to nobody else. */
static ON_CTL void send_to_leg_or_all(struct event *e)
{
	const char *uuid = event_get(e, "unique-id");
	struct leg *leg = uuid ? leg_find(uuid) : NULL;
	if (!leg) {
		event_fire(e);
		return;
	}
	esl_outbound_divert(leg, e);
	mem_unref(e);
}

void esl_cmd_sendevent(struct esl_client *c, const struct stanza *r, const char *args)
{
	static const char *const kept_out[] = {
	    "event-name", "event-subclass", "content-length", "event-uuid", "command"};
	char uuid[UUID_CHARS + 1];
	enum event_id id = EVENT_CLONE;
	const char *subclass = stanza_get(r, "event-subclass");
	event_id_parse(sv_of(args), &id);
	if (!esl_may_send(c, id, subclass, r))
		return;
	struct event *e = event_new(id, id == EVENT_CUSTOM ? subclass : NULL);
	if (!e) {
		esl_client_reply(c, "-ERR out of resources");
		return;
	}
	event_addf(e, "Command", "sendevent %s", args);
	for (size_t i = 0; i < r->header_count; i++) {
		bool is_kept = true;
		for (size_t k = 0; k < sizeof(kept_out) / sizeof(kept_out[0]); k++)
			is_kept = is_kept && strcasecmp(r->headers[i].name, kept_out[k]) != 0;
		if (is_kept)
			event_add(e, r->headers[i].name, r->headers[i].value);
	}
	uuid_make(uuid);
	event_add(e, "Event-UUID", uuid);
	if (r->body.n)
		event_set_body(e, r->body);
	send_to_leg_or_all(e);
	esl_client_reply(c, "+OK %s", uuid);
}
