/* What goes beyond mod_callcenter: skills, sticky agents, overflow, opening hours, call-backs, wrap-up codes, pause
 * reasons, figures and history, web hooks, screen pops. All of it is off until a param of callcenter.conf, a variable
 * or a command asks for it. The rooms' other parts call in at these places:
 *
 *   member.c joins ---- cc_pick_begin       serve.c chooses -- cc_pick, cc_callback_begin
 *   wait.c lets in ---- cc_gate             wait.c leaves ---- cc_way_take, cc_callback_keep
 *   everywhere -------- cc_note_*: figures.c, history.c, hook.c, sticky.c are told what happened
 */
#pragma once
#include "base/list.h"
#include "callcenter/figures.h"
#include "callcenter/settings.h"
#include "callcenter/skill.h"
#include "core/dial/originate.h"
#include "core/leg/leg.h"
#include "text/tz.h"

enum { CC_NEEDS_MAX = 256, CC_NUMBER_CHARS = 32, CC_REASON_CHARS = 64, CC_NOTE_CHARS = 1000 };

struct cc_queue;
struct cc_agent;
struct cc_member;
struct cc_offer;
struct cc_tier;

struct cc_need { /* interned: callers who need the same share one */
	struct cc_need *next;
	char *text;
	struct cc_skills skills;
	uint64_t failed_serial; /* in this decision nobody meets it, relaxed by so much */
	uint32_t failed_relaxed;
};
struct cc_span { /* figures since its beginning */
	int64_t until_s;
	struct cc_figures f;
};
struct cc_queue_plus {
	struct cc_need *needs;
	unsigned need_count, choosy_count, callback_count;
	struct cc_span day, hour;
	struct tz zone;
	bool has_zone, is_zone_known;
};
struct cc_agent_plus {
	struct cc_skills *skills; /* NULL: none */
	char *pause_reason;
	struct cc_span day;
	int64_t status_since_s;                      /* of this process */
	char *pop;                                   /* of the call he is offered or has */
	char wrap_uuid[UUID_CHARS + 1], *wrap_queue; /* the last call, until its code is told; NULL: none */
};
struct cc_callback {
	char *number, *contact; /* contact: a dial string, with marks */
	int64_t tries, next_us, asked_s;
	struct cc_agent *agent;       /* reserved, a reference */
	bool is_ringing, is_answered; /* until he is in the queue again */
};
struct cc_member_plus {
	struct cc_need *need;
	struct cc_agent *sticky; /* a reference */
	int64_t sticky_until_us;
	bool is_choosy;
	struct cc_callback *callback;
	struct originate_ticket ticket; /* of his call-back, while it is dialled */
	int64_t carried_s;              /* waited in the queue before this one */
};

/* ---- pick.c ---- */
ON_CTL int cc_picks_start(void);
ON_CTL void cc_picks_stop(void);
/* Who joins: what he needs (cc_skills, the queue's skills) and whom he had (cc_sticky_agent, sticky-agent). */
ON_CTL void cc_pick_begin(struct cc_member *m);
ON_CTL void cc_pick_end(struct cc_member *m);
/* He waits for that one for so long, and then for any. */
ON_CTL void cc_pick_stick(struct cc_member *m, struct cc_agent *a, int64_t seconds);
/* An agent for him of those that are free; NULL: none. serial: the same for one state of those that are free. */
ON_CTL struct cc_tier *cc_pick(struct cc_member *m, int64_t max_level, int64_t now_us, uint64_t serial);
/* When another one may do for him; 0: never by time alone. */
ON_CTL int64_t cc_pick_due_us(const struct cc_member *m, int64_t now_us);
ANY void cc_needs_free(struct cc_queue *q);
/* level 0: not any more. ST_FULL, ST_INVAL: the name. */
ON_CTL int cc_agent_skill_set(struct cc_agent *a, const char *name, int64_t level);
ON_CTL void cc_agent_skills_parse(struct cc_agent *a, const char *text);    /* what was kept; a bad text: none */
ON_CTL void cc_agent_skills_put(const struct cc_agent *a, struct buf *out); /* "english:3,billing:1" */

/* ---- sticky.c ---- */
ON_CTL int cc_sticky_start(void);
ON_CTL void cc_sticky_stop(void);
ON_CTL void cc_sticky_note(const struct cc_queue *q, const char *number, const char *agent);
ON_CTL const char *cc_sticky_find(const struct cc_queue *q, const char *number); /* an agent's name, or NULL */

/* ---- way.c: opening hours, and where a caller goes who is not served here ---- */
CO void cc_zone_find(struct cc_queue *q);
ON_CTL bool cc_is_open(const struct cc_queue *q);
ON_CTL int64_t cc_local_offset_s(const struct cc_queue *q, int64_t now_s); /* east of Greenwich; q NULL: here */
/* CC_OUTCOME_COUNT: he may come in. */
CO enum cc_outcome cc_gate(struct cc_queue *q);
/* "queue:NAME" sets *next; else the leg is transferred to "EXTENSION [DIALPLAN [CONTEXT]]". ST_NOTFOUND: to is empty,
 * or there is no such queue. */
CO int cc_way_take(struct leg *leg, const char *to, struct cc_queue **next);

/* ---- callback.c ---- */
ON_CTL bool cc_callback_can(const struct cc_queue *q, const char *number); /* it looks like one that can be called */
/* A caller who leaves keeps his place; false: he cannot be called. */
ON_CTL bool cc_callback_keep(struct cc_member *m, struct leg *leg);
/* One who never called. number: checked. ST_FULL, ST_INVAL, ST_NOMEM. */
ON_CTL int cc_callback_new(struct cc_queue *q, const char *number, const char *name, struct cc_member **out);
ON_CTL bool cc_callback_is_due(const struct cc_member *m, int64_t now_us);
ON_CTL bool cc_callback_begin(struct cc_member *m, struct cc_tier *t); /* it is his turn: his phone is rung */
/* The leg that was called is in the application: whose place it has; NULL. */
ON_CTL struct cc_member *cc_callback_returning(struct cc_queue *q, struct leg *leg);
ON_CTL void cc_callback_hangup(struct leg *leg, void *arg); /* LEG_HOOK_HANGUP */
ON_CTL void cc_callback_drop(struct cc_member *m);          /* no more; also when his member goes */
ON_CTL unsigned cc_callbacks_running(void);
ON_CTL void cc_callbacks_put(struct buf *out, const struct cc_queue *q, bool is_json); /* q NULL: all */

/* ---- plus_keep.c: what outlives a restart of all this ---- */
struct store;
ON_CTL void cc_plus_keep_start(struct store *s); /* borrowed; after agents, tiers and members were asked for */
ON_CTL void cc_plus_keep_stop(void);
ON_CTL void cc_plus_keep_agent(const struct cc_agent *a);
ON_CTL void cc_plus_keep_callback(const struct cc_member *m);
ON_CTL void cc_plus_forget_callback(const struct cc_member *m);
ON_CTL void cc_plus_keep_sticky(const char *queue, const char *number, const char *agent, int64_t until_s);
ON_CTL void cc_sticky_restore(const char *queue, const char *number, const char *agent, int64_t until_s);
ON_CTL void cc_callback_restore(struct cc_queue *q, const char *const *row); /* of the table cc_callbacks */

/* ---- note.c: what happened, for figures, history, hooks and sticky agents ---- */
ON_CTL void cc_note_offered(struct cc_offer *o);
ON_CTL void cc_note_missed(struct cc_offer *o, const char *cause);
ON_CTL void cc_note_answered(struct cc_offer *o);
ON_CTL void cc_note_ended(struct cc_offer *o, int64_t now_s);
ON_CTL void cc_note_left(const struct cc_member *m, enum cc_outcome outcome);
ON_CTL void cc_note_refused(struct cc_queue *q, struct leg *leg, enum cc_outcome outcome);
ON_CTL void cc_note_status(struct cc_agent *a, enum cc_status old);
ON_CTL int cc_note_wrapped(struct cc_agent *a, const char *code, const char *note); /* ST_NOTFOUND: no call; ST_INVAL */
ON_CTL struct cc_figures *cc_queue_today(struct cc_queue *q);
ON_CTL struct cc_figures *cc_queue_hour(struct cc_queue *q);
ON_CTL struct cc_figures *cc_agent_today(struct cc_agent *a);

/* ---- history.c ---- */
struct cc_history_row {
	const char *kind, *queue, *agent, *uuid, *session, *number, *name, *outcome, *code;
	int64_t began_s, waited_s, talked_s;
	bool is_in_level, is_late;
};
ON_CTL void cc_history_start(struct store *s);
ON_CTL void cc_history_stop(void);
ON_CTL bool cc_history_is_on(void);
ON_CTL void cc_history_put(const struct cc_history_row *r);
ON_CTL void cc_history_wrapped(const char *uuid, const char *agent, const char *code, const char *note);
CO int cc_history_report(struct buf *out, const char *by, int64_t from_s, int64_t to_s, const char *queue, bool is_csv);

/* ---- hook.c ---- */
struct cc_hook_facts {
	const char *event;
	const struct cc_queue *queue;
	const struct cc_agent *agent;
	const struct cc_member *member;
	const char *session, *agent_uuid, *outcome, *code, *note, *pop;
	int64_t waited_s, talked_s; /* -1: not said */
};
ON_CTL int cc_hooks_start(void);
ON_CTL void cc_hooks_stop(void);
ON_CTL void cc_hook(const struct cc_hook_facts *f);

/* ---- pop.c ---- */
/* The page of the queue's screen-pop for that offer, to be freed; NULL: there is none. is_event: as events have it. */
ON_CTL char *cc_pop_make(const struct cc_offer *o, bool is_event);

/* ---- command_plus.c, report.c ---- */
struct api_call;
struct app_words;
/* False: none of these words. */
ON_CTL bool cc_command_agent_plus(struct api_call *c, const struct app_words *w, const char **reply);
ON_CTL bool cc_command_queue_plus(struct api_call *c, const struct app_words *w, const char **reply);
int api_callcenter_report(struct api_call *c);
/* monitor.c: DEST is rung and hears the agent's call. */
ON_CTL const char *cc_monitor(struct api_call *c, struct cc_agent *a, const char *dest, const char *mode);
ON_CTL unsigned cc_monitors_running(void);
