/* Call centres (mod_callcenter): queues of callers, agents, and tiers, which are the agents' places in queues.
 *
 *   callcenter QUEUE -> member.c: a caller waits --line--+
 *                                                        v
 *   agent.c: what an agent is --ready--> serve.c: who is offered to whom --offer--> offer.c: rings, joins, ends
 *   table.c: queues, agents, tiers <-- conf.c (callcenter.conf), command*.c (callcenter_config), keep.c (the database)
 *
 * All is in memory and of the control thread; keep.c writes behind. An offer holds what it needs by references: a
 * queue, agent or caller that goes meanwhile is marked gone and lives until the last offer is over. */
#pragma once
#include "base/list.h"
#include "callcenter/plus_i.h"
#include "callcenter/settings.h"
#include "core/dial/originate.h"
#include "core/leg/leg.h"
#include "loop/loop.h"

enum {
	CC_NAME_MAX = 255,
	CC_QUEUES_MAX = 10000,
	CC_AGENTS_MAX = 100000,
	CC_TIERS_MAX = 2000000,
	CC_ABANDONED_MAX = 10000
};
enum { CC_MEMBERS_MAX = 100000 }; /* of a queue */

struct cc_level { /* the tiers of a queue at one level */
	int64_t level;
	unsigned tiers, logged_in;
};
struct cc_queue { /* counted */
	struct lnode link;
	char *name;
	struct cc_settings s;
	struct list tiers, members; /* the oldest first; members: also those who talk, and who gave up */
	struct list abandoned;      /* of members, those who gave up, in that order */
	struct cc_order ready;      /* tiers that may be offered a caller */
	struct cc_order line;       /* members who wait to be offered */
	struct cc_level *levels;    /* by level */
	size_t level_count, level_room;
	struct cc_turn turn;
	unsigned tier_count, logged_in_count, member_count, abandoned_count;
	unsigned waiting_count, trying_count;
	unsigned calls_answered, calls_abandoned;
	int64_t no_agent_since_us;               /* monotonic; 0: somebody is logged in */
	int64_t last_answer_us, answer_every_us; /* monotonic; a mean that follows, for the expected wait */
	struct lnode dirty;                      /* to be looked at */
	struct ltimer timer;                     /* the next level is due, or the next agent of ring-progressively */
	struct ltimer discard_timer;
	bool is_gone;
	struct cc_queue_plus plus;
};

struct cc_agent { /* counted */
	struct lnode link;
	char *name, *type, *contact; /* contact: a dial string, with marks */
	char *uuid;                  /* NULL: it never had one */
	bool is_standby;
	enum cc_status status;
	enum cc_state state;
	int64_t max_no_answer, wrap_up_s, reject_delay_s, busy_delay_s, no_answer_delay_s;
	int64_t last_bridge_start, last_bridge_end, last_offered, last_status_change,
	    ready_time; /* wall clock, seconds */
	int64_t no_answer_count, calls_answered, talk_time_s, external_count;
	int64_t bridge_end_us, offered_us, ready_us; /* monotonic, the same more exactly */
	struct list tiers, offers;
	struct cc_place rest; /* while he rests */
	struct lnode dirty;   /* to be written down */
	bool is_touched;      /* by a command since the start: what was kept does not count */
	bool has_status;      /* callcenter.conf says one */
	bool is_gone;
	struct cc_agent_plus plus;
};

struct cc_tier {
	struct lnode in_queue, in_agent;
	struct cc_queue *queue;
	struct cc_agent *agent;
	enum cc_tier_state state;
	int64_t level, position;
	uint64_t serial;
	struct cc_place place;
	struct lnode dirty;
	bool is_logged_in; /* counted so in the queue */
};

struct cc_offer;
struct cc_member { /* counted */
	struct lnode link, in_abandoned;
	struct cc_queue *queue; /* reference */
	struct leg *leg;        /* reference, while his application runs */
	char uuid[UUID_CHARS + 1], session[UUID_CHARS + 1];
	char *cid_number, *cid_name, *serving;
	int64_t system_s, joined_s, rejoined_s, bridged_s, abandoned_s, base_score; /* wall clock */
	int64_t joined_us;                                                          /* monotonic */
	enum cc_member_state state;
	struct cc_place place;
	struct list offers;
	struct cc_offer *winner; /* who took him; borrowed, counted by its own */
	struct cc_turn turn;
	int64_t next_ring_us; /* ring-progressively */
	struct lnode dirty;
	bool is_taken; /* the winner is there: his application ends, and he is joined */
	bool is_left;  /* his application is over */
	bool is_deleted;
	bool is_stale; /* of the last run */
	bool is_kept;  /* in the database */
	struct cc_member_plus plus;
};

struct cc_offer { /* counted: of its coroutine while it rings, of the table of talks while they talk */
	struct lnode in_member, in_agent, in_started;
	struct cc_member *member;
	struct cc_agent *agent;
	struct cc_queue *queue; /* references */
	struct originate_ticket ticket;
	enum cause cancelled; /* CAUSE_NONE: it goes on */
	struct leg *leg, *caller;
	char session[UUID_CHARS + 1]; /* of the caller, who may have left when it is over */
	int64_t called_s, answered_s;
	int64_t start_us; /* monotonic */
	struct ldefer end;
	bool is_talking, is_bridged, is_over, has_agent_ended, has_caller_ended;
	char *pop; /* the queue's screen-pop for this call, or NULL */
};

/* ---- table.c ---- */
ON_CTL int cc_tables_start(void);
ON_CTL void cc_tables_stop(void);
ON_CTL struct list *cc_queues(void);
ON_CTL struct list *cc_agents(void);
ON_CTL struct cc_queue *cc_queue_find(const char *name);
ON_CTL struct cc_agent *cc_agent_find(const char *name);
ON_CTL struct cc_tier *cc_tier_find(const struct cc_queue *q, const struct cc_agent *a);
ON_CTL size_t cc_queue_count(void);
ON_CTL size_t cc_tier_count(void);
ON_CTL int cc_queue_new(const char *name, struct cc_queue **out);
ON_CTL void cc_queue_del(struct cc_queue *q); /* those who wait leave, its tiers are kept in the database only */
ON_CTL int cc_agent_new(const char *name, const char *type, struct cc_agent **out); /* ST_EXISTS, ST_INVAL: the type */
ON_CTL void cc_agent_del(struct cc_agent *a);
ON_CTL int cc_tier_new(struct cc_queue *q, struct cc_agent *a, int64_t level, int64_t position, struct cc_tier **out);
ON_CTL void cc_tier_del(struct cc_tier *t);
ON_CTL void cc_tier_move(struct cc_tier *t, int64_t level, int64_t position);
/* Every tier, in the order in which they were made. */
ON_CTL void cc_tiers_each(void (*fn)(struct cc_tier *t, void *arg), void *arg);

/* ---- agent.c ---- */
ON_CTL void cc_agent_status_set(struct cc_agent *a, enum cc_status status);
ON_CTL void cc_agent_state_set(struct cc_agent *a, enum cc_state state);
ON_CTL void cc_agent_contact_set(struct cc_agent *a, const char *text);
ON_CTL int cc_agent_type_set(struct cc_agent *a, const char *type);
ON_CTL void cc_agent_uuid_set(struct cc_agent *a, const char *uuid);
/* Another field of the table by its name there; ST_NOTFOUND. */
ON_CTL int cc_agent_number_set(struct cc_agent *a, const char *name, int64_t value);
ON_CTL void cc_agent_delay(struct cc_agent *a, int64_t seconds); /* he rests for so long from now on */
/* Something that says whether he may be offered callers has changed: in all his queues. Writes him down too. */
ON_CTL void cc_agent_changed(struct cc_agent *a);
ON_CTL void cc_tier_changed(struct cc_tier *t);
ON_CTL void cc_tier_state_set(struct cc_tier *t, enum cc_tier_state state);
ON_CTL void cc_agent_offered(struct cc_agent *a); /* now: the turn of his queues stands behind him */
ON_CTL void cc_agents_rest_stop(void);

/* ---- serve.c ---- */
ON_CTL void cc_serve(struct cc_queue *q); /* somebody waits there, or is free: it is looked at after this callback */
ON_CTL void cc_serve_stop(void);
ON_CTL void cc_queue_timer_stop(struct cc_queue *q);

/* ---- offer.c ---- */
ON_CTL int cc_offers_start(void);
ON_CTL int cc_offers_stop(void); /* ST_BUSY: one rings or talks */
ON_CTL struct cc_offer *cc_offer_new(struct cc_member *m, struct cc_agent *a);
ON_CTL void cc_offer_tell(struct cc_offer *o); /* offer_tell.c, also these */
ON_CTL void cc_offer_tell_start(const struct cc_offer *o);
ON_CTL void cc_offer_tell_fail(const struct cc_offer *o, const char *cause);
ON_CTL void cc_offer_tell_end(const struct cc_offer *o, int64_t now_s);
ON_CTL void cc_offer_tell_max_no_answer(const struct cc_offer *o);
ON_CTL void cc_offer_start(struct cc_offer *o); /* takes it */
ON_CTL void cc_offer_cancel(struct cc_offer *o, enum cause cause);
/* All of him or of his that ring, but for one. */
ON_CTL void cc_member_offers_cancel(struct cc_member *m, const struct cc_offer *but, enum cause cause);
ON_CTL void cc_agent_offers_cancel(struct cc_agent *a, enum cause cause);
ON_CTL void cc_offer_break(struct cc_offer *o);        /* a caller who was taken could not be joined */
ON_CTL struct cc_offer *cc_offer_of(const char *uuid); /* whose agent's leg that is; NULL */
ON_CTL void cc_offer_release(struct cc_offer *o);      /* the agent is free though they talk on */

/* ---- wait.c ---- */
int app_callcenter(struct leg *leg, const char *data);
ON_CTL unsigned cc_members_running(void);

/* ---- member.c ---- */
/* carried_s: what he has waited elsewhere. A reference; NULL: there are too many, or no memory. */
ON_CTL struct cc_member *cc_member_join(struct cc_queue *q, struct leg *leg, int64_t carried_s);
/* One without a leg, in no line and of no state that counts yet. NULL: too many, no memory. */
ON_CTL struct cc_member *cc_member_add(struct cc_queue *q, const char *cid_name, const char *cid_number);
ON_CTL void cc_member_place(struct cc_member *m); /* where he stands, by since when he waits; he is in no line */
ON_CTL void cc_member_abandon(struct cc_member *m, int64_t now_s);
ON_CTL void cc_member_revive(struct cc_member *m); /* not abandoned any more */
ON_CTL void cc_member_state_set(struct cc_member *m, enum cc_member_state state, const char *serving);
ON_CTL void cc_member_del(struct cc_member *m); /* leaves the table of its queue */
/* A row of the last run; ST_NOMEM. */
ON_CTL int cc_member_restore(struct cc_queue *q, const char *const *row);
ON_CTL int64_t cc_member_score(const struct cc_member *m, int64_t now_s);
ON_CTL void cc_queue_discard(struct cc_queue *q); /* those who gave up long enough ago */

/* ---- event.c ---- */
ON_CTL struct event *cc_event(struct leg *leg, const struct cc_queue *q, const char *action); /* NULL: not wanted */
ON_CTL void cc_event_member(struct event *e, const struct cc_member *m, const char *session);
ON_CTL void cc_event_time(struct event *e, const char *name, int64_t seconds);
ON_CTL void cc_tell_agent(const struct cc_agent *a, const char *action, const char *name, const char *value);
ON_CTL void cc_tell_added(const struct cc_agent *a);
ON_CTL void cc_tell_count(const struct cc_queue *q);
ON_CTL void cc_lamp(const struct cc_queue *q);

/* ---- conf.c ---- */
ON_CTL const char *cc_param(const char *name); /* a setting */
ON_CTL const char *cc_instance(void);
ON_CTL int64_t cc_now_s(void);
ON_CTL void cc_configure(void); /* all of callcenter.conf, at the start */
/* The queue of that name, made as callcenter.conf has it when it is not there; NULL: it has none. */
ON_CTL struct cc_queue *cc_queue_get(const char *name);
ON_CTL struct cc_queue *cc_queue_reload(const char *name); /* what the file says now; NULL: nothing */
ON_CTL void cc_agents_reload(const char *name);            /* "all", or one */
ON_CTL void cc_tiers_reload(const char *queue, const char *agent);

/* ---- keep.c ---- */
ON_CTL void cc_keep_start(void);
ON_CTL void cc_keep_stop(void);
ON_CTL void cc_keep_tiers_of(const struct cc_queue *q); /* a queue that was loaded has its places back */
ON_CTL void cc_keep_agent(struct cc_agent *a);          /* it changed */
ON_CTL void cc_keep_tier(struct cc_tier *t);
ON_CTL void cc_keep_member(struct cc_member *m);
ON_CTL void cc_forget_agent(struct cc_agent *a);
ON_CTL void cc_forget_tier(struct cc_tier *t);
ON_CTL void cc_forget_member(struct cc_member *m);

/* ---- rows.c: the tables as reports and the database have them ---- */
enum { CC_COLUMNS_MAX = 24 };
struct cc_row {
	const char *cell[CC_COLUMNS_MAX]; /* NULL: it has never had one */
	char number[CC_COLUMNS_MAX][24];
};
extern const char *const cc_agent_columns[], *const cc_tier_columns[], *const cc_member_columns[];
ON_CTL void cc_agent_row(const struct cc_agent *a, struct cc_row *r);
ON_CTL void cc_tier_row(const struct cc_tier *t, struct cc_row *r);
ON_CTL void cc_member_row(const struct cc_member *m, struct cc_row *r); /* score at the end */

/* ---- keep.c, of the database: ---- */
ON_CTL struct store *cc_store(void); /* NULL: nothing is kept */

/* ---- list.c, command.c, command_agent.c, command_queue.c, track.c ---- */
struct api_call;
struct app_words;
int api_callcenter_config(struct api_call *c);
int api_callcenter_break(struct api_call *c);
ON_CTL void cc_command_agent(struct api_call *c, const struct app_words *w);
ON_CTL void cc_command_tier(struct api_call *c, const struct app_words *w);
ON_CTL void cc_command_queue(struct api_call *c, const struct app_words *w);
ON_CTL int cc_json(const char *data, struct buf *out); /* the JSON command callcenter_config */
ON_CTL void cc_list_agents(struct buf *out, const char *name);
ON_CTL void cc_list_tiers(struct buf *out);
ON_CTL void cc_list_queues(struct buf *out);
/* Of a queue (NULL: there is none): "agents", "members" or "tiers"; the first by status and state, "" or NULL: any.
 * is_count: how many. ST_NOTFOUND: no such list. */
ON_CTL int cc_list_of(
    struct buf *out, const char *what, const struct cc_queue *q, const char *status, const char *state, bool is_count);
int app_callcenter_track(struct leg *leg, const char *data);
ON_CTL void cc_track_end(struct leg *leg, void *arg); /* LEG_HOOK_HANGUP */
