/* sendmsg (orders to a leg) and sendevent (an event of the client's making). */
#include "base/mem.h"
#include "core/exec.h"
#include "esl/esl_i.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool header_is_true(const struct esl_request *r, const char *name)
{
	return str_is_true(esl_request_get(r, name));
}

static ON_CTL void msg_execute(struct esl_client *c, struct leg *leg, const struct esl_request *r)
{
	const char *loops = esl_request_get(r, "loops"), *arg = esl_request_get(r, "execute-app-arg");
	struct leg_exec_request q = {
	    .app = esl_request_get(r, "execute-app-name"),
	    .data = r->body.n ? r->body.p
	            : arg     ? arg
	                      : "",
	    .event_uuid = esl_request_get(r, "event-uuid"),
	    .event_uuid_name = esl_request_get(r, "event-uuid-name"),
	    .loops = loops ? atoi(loops) : 1,
	    .is_event_lock = header_is_true(r, "event-lock"),
	    .holds_bleg = header_is_true(r, "hold-bleg"),
	};
	if (!q.app || !*q.app) {
		esl_client_reply(c, "-ERR no execute-app-name");
		return;
	}
	int st = leg_exec_request(leg, &q);
	if (st)
		esl_client_reply(c, "-ERR %s", status_text(st));
	else
		esl_client_reply(c, "+OK");
}

static ON_CTL void msg_hangup(struct esl_client *c, struct leg *leg, const struct esl_request *r)
{
	const char *cause = esl_request_get(r, "hangup-cause");
	leg_hangup(leg, cause && *cause ? cause_parse(cause) : CAUSE_NORMAL_CLEARING);
	esl_client_reply(c, "+OK");
}

void esl_cmd_sendmsg(struct esl_client *c, const struct esl_request *r, const char *args)
{
	static const struct {
		const char *name;
		void (*fn)(struct esl_client *c, struct leg *leg, const struct esl_request *r);
	} verbs[] = {{"execute", msg_execute}, {"hangup", msg_hangup}};
	struct leg *leg = *args ? leg_find(args) : NULL;
	if (!leg || !leg_is_up(leg)) {
		esl_client_reply(c, "-ERR invalid session id [%s]", args);
		return;
	}
	const char *verb = esl_request_get(r, "call-command");
	for (size_t i = 0; verb && i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (!strcasecmp(verb, verbs[i].name)) {
			verbs[i].fn(c, leg, r);
			return;
		}
	esl_client_reply(c, "-ERR unknown call-command [%s]", verb ? verb : "");
}

void esl_cmd_sendevent(struct esl_client *c, const struct esl_request *r, const char *args)
{
	static const char *const kept_out[] = {"event-name", "event-subclass", "content-length", "event-uuid"};
	char uuid[UUID_CHARS + 1];
	enum event_id id = EVENT_CLONE;
	const char *subclass = esl_request_get(r, "event-subclass");
	event_id_parse(sv_of(args), &id);
	struct event *e = event_new(id, id == EVENT_CUSTOM ? subclass : NULL);
	if (!e) {
		esl_client_reply(c, "-ERR out of resources");
		return;
	}
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
	event_fire(e);
	esl_client_reply(c, "+OK %s", uuid);
}
