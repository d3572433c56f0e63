/* Queues of callers and of those who serve them (mod_fifo): who waits, who takes calls, which members are rung.
 *
 *   fifo NAME in  -> in.c   --push-->  table.c: fifo -> callers by slot, then by age
 *   fifo NAME out -> out.c  --take-->            |       consumers, bridges, members
 *   member.c (fifo.conf, fifo_member, store) --+ |
 *   dial.c: a caller waits and a member is free: rings him; who answers runs "fifo NAME out" for that caller
 *
 * A caller that is taken hears his announcement, ends his application and hibernates; then the consumer's coroutine
 * joins the two and goes on when the bridge is over. Control thread. */
#pragma once
#include "base/list.h"
#include "core/leg/leg.h"
#include "core/registry/module.h"
#include "loop/loop.h"

enum { FIFO_SLOTS = 10, FIFO_NAME_MAX = 128, FIFOS_MAX = 10000, FIFO_MEMBERS_MAX = 1000, FIFO_DIAL_MEMBERS_MAX = 64 };
#define FIFO_MANUAL "manual_calls" /* the queue that counts what members do aside */

enum fifo_strategy { FIFO_RINGALL, FIFO_ENTERPRISE };
struct fifo {
	struct lnode link; /* of all, the oldest first */
	char *name, *outbound_name;
	int importance;
	unsigned outbound_per_cycle, outbound_per_cycle_min, outbound_priority;
	unsigned ring_timeout_s, default_lag_s, retry_delay_s;
	enum fifo_strategy strategy;
	struct list callers; /* struct fifo_caller: those who wait, in the order in which they are served */
	struct list consumers, bridges, members;
	unsigned caller_count, consumer_count, member_count;
	unsigned added_count; /* by fifo_add_outbound: counted only, as FreeSWITCH does */
	bool is_configured;
};

/* Counted: of his own application, and of whoever serves or rings for him. */
struct fifo_caller {
	struct lnode link; /* while he waits */
	struct fifo *fifo;
	struct leg *leg; /* counted */
	unsigned slot;
	int64_t since_us;               /* wall clock */
	int64_t dial_after_us;          /* monotonic: members are not rung for him before */
	char dial_uuid[UUID_CHARS + 1]; /* of the ringing that goes on for him; "": none */
	struct leg *consumer; /* who took him; borrowed, counted by the consumer's own coroutine; NULL: nobody */
	bool is_there;        /* his application is over, he can be joined */
	bool is_gone;         /* left the queue by himself */
};

struct fifo_consumer { /* on the stack of its application */
	struct lnode link;
	struct leg *leg;
	const char *status; /* "WAITING", "TALKING" */
	char target[UUID_CHARS + 1];
	int64_t since_us;
	struct fifo *const *queues; /* all that it serves; it is listed with the first */
	unsigned queue_count;
};
struct fifo_bridge { /* the same */
	struct lnode link;
	struct leg *caller, *consumer;
	int64_t start_us;
};

struct fifo_member {
	struct lnode link; /* of its fifo; a later one stands further back */
	struct fifo *fifo;
	char *target; /* dial string, with marks */
	char uuid[33];
	unsigned simo, timeout_s, lag_s;
	int64_t expires_s; /* wall clock; 0: never */
	int taking_calls;
	bool is_configured;
	unsigned manual_in, manual_out; /* calls aside of the queue that fifo_track_call counts */
	unsigned ring_count, call_count, fail_count, call_total, fail_total;
	int64_t since_s, start_s, stop_s, next_s; /* wall clock, for reports; 0: never, now */
	int64_t next_us;                          /* monotonic: free again */
};

/* ---- table.c ---- */
ON_CTL int fifo_tables_start(void);
ON_CTL void fifo_tables_stop(void);
ON_CTL struct fifo *fifo_find(const char *name);          /* NULL: there is none */
ON_CTL int fifo_get(const char *name, struct fifo **out); /* made when new; ST_INVAL, ST_FULL */
ON_CTL struct list *fifo_all(void);
/* Makes and changes queues as fifo.conf says, and its members. */
ON_CTL void fifo_configure(bool forgets_members);
ON_CTL int fifo_caller_new(struct fifo_caller **out, struct fifo *f, struct leg *leg, unsigned slot);
ON_CTL void fifo_caller_push(struct fifo_caller *c, bool is_back); /* is_back: in front of his slot */
ON_CTL void fifo_caller_leave(struct fifo_caller *c);              /* harmless when he does not wait */
/* Whoever is next: the one of that uuid if he waits (uuid NULL: any), in the order of slots that pop_order says ("3,1";
 * NULL: from 0 on). Not taken yet. */
ON_CTL struct fifo_caller *fifo_caller_next(struct fifo *f, const char *uuid, const char *pop_order);
ON_CTL unsigned fifo_idle_count(const struct fifo *f); /* consumers that wait */
ON_CTL void fifo_wake_consumers(const struct fifo *f); /* those who wait and serve it look again */

/* ---- event.c ---- */
struct fifo_talk { /* how long a bridge was, for the events of its end */
	int64_t start_us, talk_us, hold_us;
};
ON_CTL struct event *fifo_event(const struct fifo *f, struct leg *leg, const char *action); /* NULL: nobody wants it */
ON_CTL void fifo_tell(const struct fifo *f, struct leg *leg, const char *action);
ON_CTL void fifo_tell_talk(struct event *e, const char *who, const struct fifo_talk *t, bool has_start);
ON_CTL void fifo_lamp(const struct fifo *f);

/* ---- in.c, out.c ---- */
struct app_words;
CO int fifo_in(struct leg *leg, const struct app_words *w);
CO int fifo_out(struct leg *leg, const struct app_words *w);
/* Variable or argument: a source, with marks, to be freed with mem_free; NULL: nothing ("silence", "undef"). */
ON_CTL char *fifo_source(struct leg *leg, const struct app_words *w, int i, const char *var);

/* ---- member.c ---- */
ON_CTL int fifo_members_start(void);
ON_CTL void fifo_members_stop(void);
struct fifo_member_conf {
	const char *target; /* with marks */
	unsigned simo, timeout_s, lag_s;
	int64_t expires_s;
	int taking_calls;
	bool is_configured;
};
/* Adds, or replaces the one of the same target. ST_FULL, ST_INVAL. */
ON_CTL int fifo_member_add(struct fifo *f, const struct fifo_member_conf *conf);
ON_CTL bool fifo_member_del(struct fifo *f, const char *target);
ON_CTL void fifo_members_clear(struct fifo *f, bool only_configured);
ON_CTL struct fifo_member *fifo_member_find(const struct fifo *f, const char *uuid); /* f NULL: in any */
ON_CTL unsigned fifo_use_count(const char *uuid);
ON_CTL void fifo_use_add(const char *uuid, int n);
ON_CTL bool fifo_member_is_free(const struct fifo_member *m, int64_t now_us);
ON_CTL void fifo_member_rest(struct fifo_member *m, bool has_failed); /* for its lag, after a call */

/* ---- dial.c ---- */
ON_CTL void fifo_dial_kick(void);                    /* somebody waits, or is free again: look, after this callback */
ON_CTL void fifo_dial_cancel(struct fifo_caller *c); /* nobody is to be rung for him any more */
ON_CTL int fifo_dial_stop(void);                     /* ST_BUSY: something rings */

/* ---- track.c ---- */
ON_CTL void fifo_track(struct leg *leg, struct fifo_member *m); /* from now on, unless it counts already */
int app_fifo_track_call(struct leg *leg, const char *data);
ON_CTL void fifo_track_end(struct leg *leg, void *arg); /* LEG_HOOK_HANGUP */

/* ---- command.c ---- */
struct api_call;
int api_fifo(struct api_call *c);
int api_fifo_member(struct api_call *c);
int api_fifo_add_outbound(struct api_call *c);
int api_fifo_check_bridge(struct api_call *c);
/* A setting of fifo.conf. */
ON_CTL const char *fifo_param(const char *name);
