/* mod_httapi: a web page says, document by document, what is done with a call (docs/httapi.md). Private to the room. */
#pragma once
#include "base/hash.h"
#include "base/list.h"
#include "base/role.h"
#include "core/keys/machine.h"
#include "core/leg/leg.h"
#include "text/xml.h"

struct event;

/* ---- profile.c: what a page may do, and how it is reached ---- */
enum ha_perm {
	HA_SET_PARAMS,
	HA_SET_VARS,
	HA_GET_VARS,
	HA_EXTENDED_DATA,
	HA_EXECUTE_APPS,
	HA_EXPAND_VARS,
	HA_DIAL,
	HA_DIAL_CONTEXT,
	HA_DIAL_DIALPLAN,
	HA_DIAL_CID_NAME,
	HA_DIAL_CID_NUMBER,
	HA_DIAL_FULL,
	HA_CONFERENCE,
	HA_CONFERENCE_PROFILE,
	HA_RECORD,
	HA_SMS,
	HA_VOICEMAIL,
	HA_PERM_COUNT
};
struct ha_list {            /* of variables or applications; without names the default counts for all */
	struct hash *names; /* those that are otherwise than the default; NULL: none */
	bool allows_others;
};
struct ha_profile { /* counted, immutable */
	char *name, *url, *user, *password, *agent, *method;
	char *ca_file, *cert_file, *key_file, *key_password, *cookie_file, *bind_local;
	char *conference_profile, *dial_context, *dial_dialplan;
	unsigned auth;
	bool skips_verify, skips_verify_host, tells;
	int64_t timeout_ms, connect_ms;
	bool may[HA_PERM_COUNT];
	struct ha_list set_vars, get_vars, apps;
	struct hash *post_vars; /* NULL: all are sent */
};
ON_CTL int ha_profile_new(struct ha_profile **out, const struct xml_node *node, bool tells);
ANY bool ha_list_allows(const struct ha_list *l, const char *name);
ON_CTL struct ha_profile *ha_profile_find(const char *name); /* a reference; NULL: none */

/* ---- session.c: what is kept of a call between its documents and its httapi applications ---- */
struct ha_session {
	char *uuid;
	struct ha_profile *profile;
	struct event *params, *once;     /* sent with each request, and with the next one only */
	char *record_file, *record_name; /* of recordCall */
	char *first_origin;              /* "http://host:port" that gets the profile's password */
	struct lnode link;
};
ON_CTL int ha_session_get(struct leg *leg, const char *profile, struct ha_session **out); /* made, or there already */
ON_CTL void ha_session_free(struct ha_session *s);
/* A parameter of to (params or once) as a page, a caller or the dialplan names it: any but those by which files are
 * attached. */
ON_CTL void ha_param_set(struct event *to, const char *name, const char *value);
/* A file that the next request of s posts as name; what it is called, and removed then. */
ON_CTL void ha_attach(struct ha_session *s, const char *name, const char *path);
ON_CTL int ha_sessions_start(void);
ON_CTL void ha_sessions_stop(void);
ON_CTL size_t ha_sessions_count(void);
/* The last request of it (exiting=true), with the recording when the call is over, behind everybody's back. */
ON_CTL void ha_session_tell_end(struct ha_session *s, bool has_record);

/* ---- request.c ---- */
/* The document that the page answers. leg NULL: nobody waits for it. ST_HANGUP, ST_CANCELLED as leg_wait. */
CO int ha_request(struct ha_session *s, struct leg *leg, struct xml_doc **doc);
/* fields.c */
ON_CTL void ha_query(struct buf *out, const struct event *params, const struct hash *only);
/* Takes "user:password@" out of a URL; out of what there is. ST_INVAL: no URL. */
ANY int ha_url_split(const char *url, struct buf *plain, struct buf *user, struct buf *password);
ANY void ha_origin(const char *url, struct buf *out);
/* A name that lies in a directory and is no path: "a/../b.c.wav" becomes "a_.._b_c.wav" without dots in front. */
ANY void ha_file_name(const char *file, struct buf *out);

/* ---- input.c: keys against the <bind> of an element ---- */
struct ha_input {
	struct leg *leg;
	const struct xml_node *tag;
	struct digit_machine *machine; /* NULL: it has no binds */
	int64_t digit_us;
	struct ltimer timer;
	bool is_over, is_match, is_late;
	struct digit_found found;
};
ON_CTL int ha_input_init(struct ha_input *in, struct leg *leg, const struct xml_node *tag);
ON_CTL void ha_input_fini(struct ha_input *in);
/* For leg_watch: false when the keys have become something. */
CO bool ha_input_goes_on(struct leg *leg, void *arg);
/* Waits for keys so long, or longer while some are there. ST_OK: see is_over; ST_HANGUP; ST_CANCELLED. */
CO int ha_input_wait(struct ha_input *in, int64_t us);
ON_CTL void ha_input_reset(struct ha_input *in); /* for another round */

/* ---- work.c: the elements of <work> ---- */
/* ST_OK: the page is asked again; anything else: httapi ends here. */
CO int ha_work(struct ha_session *s, struct leg *leg, const struct xml_doc *doc);
/* ANY thread: what a document is, without a call: how many known elements its <work> has; -1: none at all. */
ANY int ha_document_count(const struct xml_doc *doc);
