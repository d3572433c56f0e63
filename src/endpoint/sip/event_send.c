/* Events by which a program asks for a request (`sendevent NOTIFY`, SEND_INFO, SEND_MESSAGE, or fired from Lua), with
 * FreeSWITCH's headers. NOTIFY goes to the contacts of a user (profile, user, host), into a call (uuid) or to an
 * address (to-uri and from-uri, perhaps contact-uri); INFO into a call (call-id), to a registered user (local-user) or
 * to an address; MESSAGE to a user's contacts or into a call. Answers are not waited for. What lacks is logged: who
 * fires an event gets no reply to it. */
#include "base/log.h"
#include "core/event/event.h"
#include "endpoint/sip/module_i.h"

#include <string.h>

static struct event_sub *sub;

/* A header of the event, if it may stand in a request: nothing in it begins another line. */
static ON_CTL const char *value(const struct event *e, const char *name)
{
	const char *text = event_get(e, name);
	if (text && *text && sip_is_value(sv_of(text)))
		return text;
	if (text && *text)
		log_error("sofia: %s: '%s' is no value of a header: left out", event_name(event_id(e)), name);
	return NULL;
}

static ON_CTL void add_line(struct buf *headers, const char *name, const char *text)
{
	if (text)
		buf_printf(headers, "%s: %s\r\n", name, text);
}

static ON_CTL void to_user(
    struct profile *p, struct profile_request *r, struct sv user, struct sv host, const char *call_id)
{
	const struct reg *regs[REG_CONTACTS_MAX];
	size_t sent = 0, count = reg_table_find(reg_table_of(p), user, host, regs, REG_CONTACTS_MAX);
	struct buf aor;
	buf_init(&aor);
	buf_printf(&aor, "<sip:%.*s@%.*s>", SVF(user), SVF(host));
	for (size_t i = 0; i < count && i < REG_CONTACTS_MAX; i++) {
		if (call_id && strcmp(call_id, regs[i]->call_id) != 0)
			continue;
		r->target = regs[i]->target;
		r->to = aor.p;
		if (!r->from)
			r->from = aor.p;
		sent += !profile_request_send(p, r);
	}
	if (!sent)
		log_error("sofia: %s: %.*s@%.*s is not registered", r->method, SVF(user), SVF(host));
	buf_fini(&aor);
}

static ON_CTL void into_call(struct call *c, const struct profile_request *r)
{
	if (!c || call_request(c, r) == ST_CLOSED)
		log_error("sofia: %s: no such call", r->method);
}

static ON_CTL void on_notify(const struct event *e, struct profile *p, struct profile_request *r, struct buf *headers)
{
	const char *uuid = value(e, "uuid"), *user = value(e, "user"), *host = value(e, "host"),
	           *what = value(e, "event-string"), *contact = value(e, "contact-uri");
	bool has_address = r->to && r->from;
	if (has_address && !what)
		what = "message-summary";
	if (has_address && !r->ctype)
		r->ctype = "application/simple-message-summary";
	add_line(headers, "Event", what);
	add_line(headers, "Subscription-State", "terminated;reason=noresource");
	if (value(e, "extra-headers"))
		buf_printf(headers, "%s\r\n", value(e, "extra-headers"));
	r->headers = headers->p;
	r->target = contact ? contact : r->to;
	if (!what || !r->ctype)
		log_error("sofia: NOTIFY: event-string or content-type is missing");
	else if (has_address && p)
		profile_request_send(p, r);
	else if (uuid)
		into_call(call_by_uuid(uuid), r);
	else if (p && user && host)
		to_user(p, r, sv_of(user), sv_of(host), value(e, "call-id"));
	else
		log_error("sofia: NOTIFY: neither to-uri and from-uri, nor uuid, nor profile, user and host");
}

static ON_CTL void on_send_info(
    const struct event *e, struct profile *p, struct profile_request *r, struct buf *headers)
{
	const char *call_id = value(e, "call-id"), *local = value(e, "local-user");
	struct sv user, host;
	add_line(headers, "Content-Disposition", value(e, "content-disposition"));
	add_line(headers, "Alert-Info", value(e, "alert-info"));
	add_line(headers, "Call-Info", value(e, "call-info"));
	r->headers = headers->p;
	r->target = r->to;
	if (!p)
		log_error("sofia: SEND_INFO: profile is missing, or there is none of that name");
	else if (call_id)
		into_call(call_by_id(p, call_id), r);
	else if (!r->from)
		log_error("sofia: SEND_INFO: from-uri is missing");
	else if (local && sv_split(sv_of(local), '@', &user, &host))
		to_user(p, r, user, host, NULL);
	else if (r->to)
		profile_request_send(p, r);
	else
		log_error("sofia: SEND_INFO: to-uri is missing");
}

static ON_CTL void on_send_message(
    const struct event *e, struct profile *p, struct profile_request *r, struct buf *headers)
{
	const char *uuid = value(e, "uuid"), *user = value(e, "user"), *host = value(e, "host");
	add_line(headers, "Subject", value(e, "subject"));
	r->headers = headers->p;
	r->from = r->to = NULL;
	if (!r->ctype)
		log_error("sofia: SEND_MESSAGE: content-type is missing");
	else if (user && host && p)
		to_user(p, r, sv_of(user), sv_of(host), NULL);
	else if (user && host)
		log_error("sofia: SEND_MESSAGE: profile is missing, or there is none of that name");
	else if (uuid)
		into_call(call_by_uuid(uuid), r);
	else
		log_error("sofia: SEND_MESSAGE: neither user and host nor uuid");
}

static const struct request_kind {
	enum event_id id;
	const char *method, *profile; /* profile: when the event names none */
	void (*fn)(const struct event *e, struct profile *p, struct profile_request *r, struct buf *headers);
} kinds[] = {{EVENT_NOTIFY, "NOTIFY", "default", on_notify}, {EVENT_SEND_INFO, "INFO", "", on_send_info},
    {EVENT_SEND_MESSAGE, "MESSAGE", "", on_send_message}};

static ON_CTL void send_one(struct event *e)
{
	const struct request_kind *kind = kinds;
	const char *name = value(e, "profile");
	struct buf headers;
	struct profile_request r = {.from = value(e, "from-uri"),
	    .to = value(e, "to-uri"),
	    .ctype = value(e, "content-type"),
	    .body = event_body(e)};
	while (kind->id != event_id(e)) /* nothing else was wanted */
		kind++;
	r.method = kind->method;
	buf_init(&headers);
	kind->fn(e, profile_find(sv_of(name ? name : kind->profile)), &r, &headers);
	buf_fini(&headers);
}

static void on_event(struct event *e, void *arg)
{
	role_assert_ctl();
	send_one(e);
}

int sofia_events_start(void)
{
	role_assert_ctl();
	int st = event_sub_new(&sub, on_event, NULL);
	if (st)
		return st;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		event_sub_want(sub, kinds[i].id, true);
	return ST_OK;
}

void sofia_events_stop(void)
{
	role_assert_ctl();
	if (sub)
		event_sub_free(sub);
	sub = NULL;
}
