/* What this room's files share. */
#pragma once
#include "base/clock.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/dir.h"
#include "core/event/event.h"
#include "endpoint/sip/presence/watch.h"
#include "endpoint/sip/reg/reg.h"
#include "loop/loop.h"
#include "presence/presence.h"
#include "sip/sub.h"

#include <string.h>
#include <strings.h>

enum package_id { PKG_NONE, PKG_PRESENCE, PKG_DIALOG, PKG_MWI, PKG_CALL_INFO, PKG_LINE_SEIZE };
struct package {
	const char *event; /* as it stands in Event */
	enum package_id id;
	const char *ctype; /* NULL: no body */
	const char *kind;  /* of the entity, when it is no person; NULL: as the address says */
	bool is_shared;    /* only with manage-shared-appearance */
	bool has_details;  /* dialogs with their identifiers, for who takes part in a shared line */
};
ANY const struct package *package_find(struct sv event);
ANY const char *packages_text(bool has_shared); /* for Allow-Events */

/* ---- watchers (watchers.c) ---- */
struct watch_profile { /* a profile's part */
	struct list watchers;
	struct hash *owners;       /* "user@domain" -> how many, as a pointer */
	struct hash *publications; /* ETag -> struct publication */
	struct hash *publishers;   /* "user@domain" -> struct publisher (publish.c) */
	struct hash *flows;        /* "tls 10.0.0.1:5061" -> a struct list of watchers (flow.c) */
	size_t count;
	uint64_t notifies, failed, merged;
};
struct member { /* of a list */
	struct presence_watch watch;
	struct watcher *watcher;
	char *user, *host;
	uint64_t told_serial;
	uint32_t version;
	bool is_changed, is_listed; /* is_listed: the far side has its name */
};
struct watcher {
	struct lnode link, due_link, flow_link;
	struct list *flow; /* the connection that it goes with; NULL: none */
	char *flow_key;
	struct profile *p;
	struct sip_sub *sub;
	const struct package *package;
	struct presence_watch watch;
	struct member *members; /* of a list; NULL: none */
	size_t member_count;
	char *user, *host; /* whom, as it was subscribed to */
	char *from;        /* "user@host" of who watches, as it says */
	char *owner;       /* as it logged in */
	char *agent;
	char *list_name;
	int64_t expires_epoch_s;
	uint32_t version, first_cseq;
	uint64_t told_serial, told_lines; /* call-info: a hash of what it was told */
	bool is_due, is_new, has_details, is_over, is_full, is_mapped /* its kind is presence_map.conf's */;
	unsigned appearance; /* line-seize: which */
	struct ltimer timer;
};
struct watch_put {
	const struct package *package;
	struct sv user, host, entity_host, from, owner, agent;
	bool has_details;
	unsigned appearance;
};
ON_CTL struct watch_profile *watch_profile_of(const struct profile *p);
/* A watcher of nothing yet, entered with its owner; its dialog is set by who made it. */
ON_CTL int watcher_new(struct watcher **out, struct profile *p, const struct watch_put *put);
ON_CTL void watcher_free(struct watcher *w);                    /* tells nobody; the row on disk stays */
ON_CTL void watcher_end(struct watcher *w, const char *reason); /* NOTIFY terminated, then it goes */
ON_CTL void watcher_gone(struct watcher *w);                    /* it and its row go */
/* Until then, by the wall clock. */
ON_CTL void watcher_set_expires(struct watcher *w, int64_t expires_s);
ON_CTL int64_t watcher_left_s(const struct watcher *w);
ON_CTL bool watcher_may_begin(const struct profile *p, struct sv owner, const char **why);
extern const struct sip_sub_handlers watcher_handlers;
ON_CTL void subscribe_again(struct watcher *w, struct sip_stx *tx, const struct sip_msg *m); /* inside its dialog */
/* watch.fn of watchers and of members */
ON_CTL void watcher_changed(struct presence_watch *watch);
ON_CTL void member_changed(struct presence_watch *watch);

/* ---- connections (flow.c) ---- */
ON_CTL void flow_enter(struct watcher *w, struct sip_stx *tx); /* its SUBSCRIBE came so, and was believed */
ON_CTL void flow_leave(struct watcher *w);

/* ---- telling (notify.c) ---- */
ON_CTL void notify_due(struct watcher *w);    /* in its turn */
ON_CTL void notify_now(struct watcher *w);    /* the first one, or after a refresh */
ON_CTL void notify_forget(struct watcher *w); /* it is not due any more */
ON_CTL void notify_last(struct watcher *w, const char *reason, bool has_state);
ON_CTL void notify_stop(void);
/* What e shows to w, who has heard of it up to told. */
ON_CTL void notify_document_put(
    const struct watcher *w, const struct presence_entity *e, uint64_t told, uint32_t version, struct buf *out);

/* ---- bodies ---- */
struct body_how {
	const char *hold_state; /* "early", "confirmed", "terminated" */
	bool hides_early, hides_kind /* it was subscribed to without */, is_private, is_partial, has_details;
	uint64_t since; /* dialogs that have ended after it are told; with is_partial: nothing that is older */
	struct sv host; /* of the entity, as the watcher calls it */
};
/* dialog-info (RFC 4235) up to version=" and from behind the number on. */
ON_CTL void body_dialog_put(
    const struct presence_entity *e, const struct body_how *how, struct buf *head, struct buf *tail);
ON_CTL void body_pidf_put(const struct presence_entity *e, const struct body_how *how, struct buf *out);
ON_CTL void body_mwi_put(const struct watcher *w, struct buf *out);
ON_CTL void body_entity_put(
    const struct presence_entity *e, const struct body_how *how, struct buf *out); /* "park+5900@host" */
ANY void body_escape(struct buf *out, struct sv text);                             /* for XML, in ASCII */
enum { APPEARANCES_MAX = 64 };                                                     /* of a line: bits of a word */
/* Call-Info lines of a shared line, or of who has seized it. */
ON_CTL void shared_lines_put(struct watcher *w, struct buf *out);
ON_CTL bool shared_seizure_is_over(const struct watcher *w);
ON_CTL bool shared_is_taken(const struct watcher *w, unsigned appearance);
ANY unsigned shared_appearance_of(struct sv call_info); /* 0: none */
/* multipart/related with RLMI (RFC 4662); false: nothing to tell. ctype gets the whole Content-Type. */
ON_CTL bool rlmi_put(struct watcher *w, struct buf *ctype, struct buf *body);
/* The members of the list of that name; ST_NOTFOUND: there is none. */
ON_CTL int rlmi_members_make(struct watcher *w, struct sv name, struct sv domain);
ON_CTL void rlmi_members_free(struct watcher *w);

/* ---- what phones publish (publish.c, pidf_read.c) ---- */
struct pidf {
	bool is_closed;
	char rpid[PRESENCE_RPID_MAX], note[PRESENCE_NOTE_MAX];
};
enum { PIDF_MAX_BYTES = 16384 };
ANY int pidf_read(struct pidf *out, struct sv text); /* ST_PARSE, ST_LIMIT */
ON_CTL void publications_free(struct watch_profile *wp);

/* ---- disk (home.c) ---- */
ON_CTL void home_write(const struct watcher *w);
ON_CTL void home_del(const struct watcher *w);
ON_CTL void home_restore(struct profile *p);

/* ---- events (events.c, mwi.c) ---- */
ON_CTL void probe_event(const struct watcher *w, int64_t expires_s, struct sv call_id);
ON_CTL void published_event(
    const struct profile *p, struct sv from, const struct pidf *pidf, struct sv event, struct sv agent);
ON_CTL void mwi_query(const struct watcher *w, struct sv call_id);
ON_CTL int mwi_start(void);
ON_CTL void mwi_stop(void);
