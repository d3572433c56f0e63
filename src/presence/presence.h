/* Who and what is watched: the state of people, lots, rooms and queues by "user@domain" (lamps of other kinds than
 * people by "kind+name@domain": park, conf, fifo, callcenter), and who wants to hear of it. No protocol is known here:
 *
 *   legs -> calls.c: a leg's part --+
 *   lots, rooms, queues: presence_lamp --> table.c: entity ----> watches: fn marks, and tells in its own time
 *   PUBLISH, `presence`, sendevent: presence_publish --+                (endpoint/sip/presence, verto, ...)
 *   registrations: presence_touch ---------------------+
 *
 * Whoever watches asks for the state when he tells it: what changed twice meanwhile is told once. Control thread. */
#pragma once
#include "base/list.h"
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"

struct leg;
struct event;

enum presence_state { PRESENCE_NONE, PRESENCE_EARLY, PRESENCE_CONFIRMED, PRESENCE_HELD, PRESENCE_ENDED };

/* One call, or what a lamp shows. Fields are for reading. */
struct presence_dialog {
	struct lnode link;
	struct presence_entity *entity; /* while it is linked */
	uint64_t serial;                /* when it changed last */
	enum presence_state state;
	bool is_initiator;
	struct leg *leg;  /* NULL: of a lamp or an event */
	char *id;         /* then; of a leg its uuid */
	char *status;     /* then: "Active (1 caller)", or NULL */
	const char *kind; /* then: "park" ...; NULL: of no kind */
};
const char *presence_dialog_id(const struct presence_dialog *d);

/* One that has ended, kept until those who watch have been told. */
struct presence_ended {
	struct lnode link;
	uint64_t serial;
	bool is_initiator;
	char *id;
};
enum { PRESENCE_ENDED_MAX = 8, PRESENCE_NOTE_MAX = 256, PRESENCE_RPID_MAX = 32, PRESENCE_ENTITIES_MAX = 200000 };

struct presence_entity {         /* lives as long as it has a dialog, something published or a watch */
	char *key, *user, *host; /* key: "[kind+]user@host" */
	const char *kind;        /* a text that stays, or NULL: a person */
	struct list dialogs;     /* the oldest first */
	struct list ended;
	struct list watches;
	size_t watch_count, ended_count;
	uint64_t serial; /* of its last change: no other entity has the same, and a later one has a higher */
	/* what somebody said of it; has_note false: nothing */
	bool has_note, is_closed;
	char *rpid, *note;
};

struct presence_watch;                                         /* embedded in what watches */
typedef void (*presence_changed_fn)(struct presence_watch *w); /* must not tell at once: marks, and returns */
struct presence_watch {
	struct lnode link;
	struct presence_entity *entity; /* NULL: it watches nothing */
	presence_changed_fn fn;
};
/* kind NULL or "": what stands before "+" in user, if that is a kind, else a person. ST_LIMIT: too many entities. */
ON_CTL int presence_watch_add(
    struct presence_watch *w, struct sv kind, struct sv user, struct sv host, presence_changed_fn fn);
ON_CTL void presence_watch_del(struct presence_watch *w); /* harmless when it watches nothing */
/* The same text for a kind as presence_entity.kind has; NULL: it is none. */
ANY const char *presence_kind_of(struct sv kind);

/* What the state means as a whole. */
struct presence_view {
	bool is_open;
	const char *rpid; /* "on-the-phone", or NULL: nothing to say */
	char note[PRESENCE_NOTE_MAX];
};
ON_CTL void presence_view_get(const struct presence_entity *e, struct presence_view *out);
/* Somebody answers for it: a registrar of core's knows user and host. */
ON_CTL bool presence_is_reachable(struct sv user, struct sv host);

/* ---- who says something ---- */
/* Something of it changed that is not kept here (it registered, or is no longer). */
ON_CTL void presence_touch(struct sv user, struct sv host);
struct presence_words { /* rpid, note and kind may be empty; is_gone: nothing is said any more */
	struct sv kind, user, host, rpid, note;
	bool is_closed, is_gone;
};
ON_CTL void presence_publish(const struct presence_words *w);
/* What is known of it; NULL: nothing. Borrowed. */
ON_CTL const struct presence_entity *presence_entity_peek(struct sv kind, struct sv user, struct sv host);
/* A lamp of a lot, room or queue: name@host of that kind. Fires PRESENCE_IN when it is wanted. */
struct presence_lamp {
	const char *kind; /* "park", "conf", "fifo", "queue", "callcenter" */
	const char *name, *host;
	const char *login;         /* what the event calls it; NULL: name */
	const char *status, *rpid; /* "Active (1 caller)", "active" */
	bool is_on, is_early, is_initiator;
	bool is_quiet; /* no event: the same was told under another kind */
	unsigned event_count;
};
ON_CTL void presence_lamp(const struct presence_lamp *l);

/* The two parties of a dialog of a leg, as it stands. Views into the leg. */
struct presence_parties {
	struct sv number, name; /* of the far one */
	bool is_private;
};
ON_CTL bool presence_parties_of(const struct presence_dialog *d, struct presence_parties *out);

ON_CTL size_t presence_entity_count(void);
ON_CTL size_t presence_watch_count(void);
/* Fires an event of ours that tells what the table knows already. */
ON_CTL void presence_event_fire(struct event *e);
