/* Events: one flat list of headers and an optional body, with FreeSWITCH's names and header order. Built only when
 * somebody asked; rendered once per format however many listen. Counted, control thread. */
#pragma once
#include "base/role.h"
#include "base/str.h"

/* Every FreeSWITCH event name in its order: X(NAME). */
/* clang-format off */
#define EVENT_NAMES(X) \
	X(CUSTOM) X(CLONE) X(CHANNEL_CREATE) X(CHANNEL_DESTROY) X(CHANNEL_STATE) X(CHANNEL_CALLSTATE) \
	X(CHANNEL_ANSWER) X(CHANNEL_HANGUP) X(CHANNEL_HANGUP_COMPLETE) X(CHANNEL_EXECUTE) X(CHANNEL_EXECUTE_COMPLETE) \
	X(CHANNEL_HOLD) X(CHANNEL_UNHOLD) X(CHANNEL_BRIDGE) X(CHANNEL_UNBRIDGE) X(CHANNEL_PROGRESS) \
	X(CHANNEL_PROGRESS_MEDIA) X(CHANNEL_OUTGOING) X(CHANNEL_PARK) X(CHANNEL_UNPARK) X(CHANNEL_APPLICATION) \
	X(CHANNEL_ORIGINATE) X(CHANNEL_UUID) X(API) X(LOG) X(INBOUND_CHAN) X(OUTBOUND_CHAN) X(STARTUP) X(SHUTDOWN) \
	X(PUBLISH) X(UNPUBLISH) X(TALK) X(NOTALK) X(SESSION_CRASH) X(MODULE_LOAD) X(MODULE_UNLOAD) X(DTMF) X(MESSAGE) \
	X(PRESENCE_IN) X(NOTIFY_IN) X(PRESENCE_OUT) X(PRESENCE_PROBE) X(MESSAGE_WAITING) X(MESSAGE_QUERY) X(ROSTER) \
	X(CODEC) X(BACKGROUND_JOB) X(DETECTED_SPEECH) X(DETECTED_TONE) X(PRIVATE_COMMAND) X(HEARTBEAT) X(TRAP) \
	X(ADD_SCHEDULE) X(DEL_SCHEDULE) X(EXE_SCHEDULE) X(RE_SCHEDULE) X(RELOADXML) X(NOTIFY) X(PHONE_FEATURE) \
	X(PHONE_FEATURE_SUBSCRIBE) X(SEND_MESSAGE) X(RECV_MESSAGE) X(REQUEST_PARAMS) X(CHANNEL_DATA) X(GENERAL) \
	X(COMMAND) X(SESSION_HEARTBEAT) X(CLIENT_DISCONNECTED) X(SERVER_DISCONNECTED) X(SEND_INFO) X(RECV_INFO) \
	X(RECV_RTCP_MESSAGE) X(SEND_RTCP_MESSAGE) X(CALL_SECURE) X(NAT) X(RECORD_START) X(RECORD_STOP) \
	X(PLAYBACK_START) X(PLAYBACK_STOP) X(CALL_UPDATE) X(FAILURE) X(SOCKET_DATA) X(MEDIA_BUG_START) \
	X(MEDIA_BUG_STOP) X(CONFERENCE_DATA_QUERY) X(CONFERENCE_DATA) X(CALL_SETUP_REQ) X(CALL_SETUP_RESULT) \
	X(CALL_DETAIL) X(DEVICE_STATE) X(TEXT) X(SHUTDOWN_REQUESTED) X(CERT_RELOAD) X(ALL)
/* clang-format on */
enum event_id {
#define EVENT_ENUM(n) EVENT_##n,
	EVENT_NAMES(EVENT_ENUM)
#undef EVENT_ENUM
	    EVENT_ID_COUNT
};
const char *event_name(enum event_id id);
/* Case-insensitive, SWITCH_EVENT_ prefix allowed; ST_NOTFOUND. */
int event_id_parse(struct sv text, enum event_id *out);

struct event;
/* True when a subscriber would get it: ask before building. subclass only with EVENT_CUSTOM, else NULL. */
ON_CTL bool event_is_wanted(enum event_id id, const char *subclass);
/* A new event of one reference with the base headers (Event-Name, Core-UUID ... Event-Sequence is set when fired). The
 * calling file, function and line are ours. */
#define event_new(id, subclass) event_new_at((id), (subclass), __FILE__, __func__, __LINE__)
ON_CTL struct event *event_new_at(enum event_id id, const char *subclass, const char *file, const char *func, int line);
/* An event with no base headers, for variable dumps and replies. */
ON_CTL struct event *event_new_plain(enum event_id id);
/* Another event of the same kind, headers and body, not yet numbered; NULL: no memory. */
ON_CTL struct event *event_dup(const struct event *e);
/* NULL or empty values: value "" is kept (rendered _undef_), NULL is left out. */
ON_CTL void event_add(struct event *e, const char *name, const char *value);
ON_CTL void event_addf(struct event *e, const char *name, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
ON_CTL void event_unshift(struct event *e, const char *name, const char *value);
ON_CTL void event_set(
    struct event *e, const char *name, const char *value); /* replaces the first of that name or adds */
ON_CTL void event_del(struct event *e, const char *name);
ON_CTL const char *event_get(const struct event *e, const char *name); /* case-insensitive; NULL when absent */
ON_CTL void event_set_body(struct event *e, struct sv body);
ON_CTL struct sv event_body(const struct event *e);
ON_CTL enum event_id event_id(const struct event *e);
ON_CTL const char *event_subclass(const struct event *e);
ON_CTL size_t event_header_count(const struct event *e);
ON_CTL void event_header_at(const struct event *e, size_t i, const char **name, const char **value);
/* Takes the reference: numbers it and hands it to every subscriber in turn. */
ON_CTL void event_fire(struct event *e);
ON_CTL void event_count_number(struct event *e); /* only the number, of one that is sent elsewhere and not fired */

enum event_format { EVENT_PLAIN, EVENT_XML, EVENT_JSON, EVENT_PLAIN_RAW /* not url-encoded */ };
/* The body text of the event in a format, cached in the event; borrowed until the event goes. */
ON_CTL struct sv event_render(struct event *e, enum event_format format);

struct event_sub;
typedef void (*event_sub_fn)(struct event *e, void *arg);                     /* borrows; must not block; may mem_ref */
ON_CTL int event_sub_new(struct event_sub **out, event_sub_fn fn, void *arg); /* wants nothing yet */
ON_CTL void event_sub_want(struct event_sub *s, enum event_id id, bool is_wanted); /* EVENT_ALL: everything */
/* It gets them when they are fired for somebody else; nobody builds one for it. */
ON_CTL void event_sub_overhear(struct event_sub *s, enum event_id id);
ON_CTL void event_sub_want_subclass(struct event_sub *s, const char *subclass, bool is_wanted);
ON_CTL bool event_sub_wants(const struct event_sub *s, const struct event *e);
ON_CTL void event_sub_free(struct event_sub *s); /* allowed inside its own fn */
ON_CTL uint64_t event_sequence(void);            /* of the event fired last */
/* By name, since the start, for `event stats` and metrics. */
struct event_counts {
	uint64_t built, fired, delivered, dropped;
};
ON_CTL void event_counts_get(enum event_id id, struct event_counts *out);
/* A subscriber could not keep what it was given: its queue is full. */
ON_CTL void event_count_dropped(enum event_id id);

/* Identity headers, set by core_start. */
struct event_identity {
	const char *core_uuid, *hostname, *switchname, *ip4, *ip6;
};
extern struct event_identity event_identity;
