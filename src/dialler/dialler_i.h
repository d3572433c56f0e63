/* Campaigns (mod_dialler): lists of numbers that are called, for agents or for a survey.
 *
 *   import.c: CSV -> dialler_numbers --hopper.c--> what is due --campaign.c: pace.h says how many--> call.c
 *                      ^                                                                               |
 *                      +----------- claimed before it is dialled, its end written after ----keep.c-----+
 *   call.c: claim, dial, machine or person -> agent.c (own agents) | the queue of mod_callcenter | survey.c
 *
 * The database is the truth of what was called; memory has what is due now, agents and calls. Objects are of the
 * control thread and counted: a campaign or agent that goes is marked gone and lives until its last call is over.
 * Numbers, names and fields of lists are from outside: they become marked variables and bound values, nothing else. */
#pragma once
#include "base/list.h"
#include "core/conf/config.h"
#include "core/dial/originate.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "dialler/pace.h"
#include "dialler/rule.h"
#include "store/store.h"
#include "text/json.h"

enum {
	DL_NAME_MAX = 64,
	DL_CAMPAIGNS_MAX = 1000,
	DL_AGENTS_MAX = 5000, /* of a campaign */
	DL_RETRIES_MAX = 32,
	DL_QUESTIONS_MAX = 32,
	DL_HOURS = 24,
	DL_QUESTION_MAX = 32
};

struct dl_campaign;
/* ---- conf.c: dialler.conf; texts are the configuration's, kept by a reference to its document ---- */
struct dl_trunk {
	char name[DL_NAME_MAX + 1];
	const char *dial; /* a dial string; ${number} stands for the number */
	unsigned calls_max, per_second;
	unsigned calls; /* now */
	struct rule_rate rate;
};
struct dl_limit {
	char prefix[RULE_PREFIX_MAX + 1];
	unsigned calls_max, calls;
};
struct dl_zone {
	char prefix[RULE_PREFIX_MAX + 1];
	const struct tz *zone; /* of the cache, which only grows */
};
struct dl_caller_id {
	char prefix[RULE_PREFIX_MAX + 1];
	const char *pool, *number, *name;
};
struct dl_conf { /* what all campaigns share */
	struct xml_doc *doc;
	struct dl_trunk *trunks;
	struct dl_limit *limits;
	struct dl_zone *zones;
	struct dl_caller_id *caller_ids;
	size_t trunk_count, limit_count, zone_count, caller_id_count;
	struct rule_plan plan;
	const struct tz *zone; /* of numbers that no prefix names */
};
extern struct dl_conf dl_conf;
struct dl_question {
	char name[DL_QUESTION_MAX + 1];
	const char *sound, *digits;
	unsigned min, max, tries, timeout_ms;
};
enum dl_mode { DL_PREVIEW, DL_PROGRESSIVE, DL_PREDICTIVE, DL_SURVEY };
enum dl_machine { DL_MACHINE_OFF, DL_MACHINE_HANGUP, DL_MACHINE_MESSAGE, DL_MACHINE_CONNECT };
struct dl_settings {
	struct xml_doc *doc;
	const struct xml_node *node;
	enum dl_mode mode;
	enum dl_machine machine;
	const char *queue, *trunks, *pool, *greeting, *thanks, *wrong_sound, *abandon_sound, *machine_sound,
	    *agent_music, *agent_sound, *extension, *context;
	unsigned lines_max, ring_s, tries_max, wrap_ms, abandon_after_ms, wait_max_ms, abandon_max_ppm, amd_max_ms;
	struct rule_windows windows;
	struct rule_retry retries[DL_RETRIES_MAX];
	struct dl_question questions[DL_QUESTIONS_MAX];
	size_t retry_count, question_count;
};
/* Reads dialler.conf: what campaigns share, then each campaign (campaign.c takes it). What is wrong is told in the log
 * by file and line, and left out. */
CO int dl_conf_load(void);
ON_CTL void dl_conf_free(void);
/* Plays one of the campaign's sounds (a text of its settings, which a reload may replace meanwhile); "": nothing. */
CO int dl_play(const struct dl_campaign *c, struct leg *leg, const char *sound);
ON_CTL const char *dl_param(const char *name); /* of <settings> */
ON_CTL void dl_settings_fini(struct dl_settings *s);
ON_CTL const char *dl_mode_name(enum dl_mode m);
ON_CTL struct dl_trunk *dl_trunk_find(const char *name);
/* A zone of the system by its name, read once; NULL: there is none. */
CO const struct tz *dl_zone_get(const char *name);
/* Of a number by its prefix. */
ON_CTL const struct tz *dl_zone_of(const char *number);

/* ---- keep.c: the database ---- */
extern struct store *dl_store; /* NULL: there is none */
ON_CTL int dl_keep_open(void); /* dl_keep_is_ready says when the tables are there */
ON_CTL void dl_keep_close(void);
ON_CTL bool dl_keep_is_ready(void);
/* Waits; store_rows_fini rows whatever comes back. Failures are told once until it answers again. */
CO int dl_sql(const char *text, const struct sv *params, size_t count, struct store_rows *rows);
/* Why, for people: a database that is not there yet, or the status. */
ANY const char *dl_why(int st);
/* The same, nothing is wanted back but how many rows changed (may be NULL). */
CO int dl_run(const char *text, const struct sv *params, size_t count, int64_t *changed);

struct dl_call;
struct dl_agent;
CO int dl_keep_state(const struct dl_campaign *c); /* writes running, paused, stopped */
CO int dl_keep_recover(struct dl_campaign *c);     /* reads its state and figures; ends what a dead process had */
/* Ends what the database says this switch dials and no call of c has. */
CO int dl_keep_sweep(struct dl_campaign *c);
/* The number is this call's now, and not to be called again before next_s. ST_DENIED: it is on a do-not-call list (and
 * done), ST_EXISTS: somebody else has it, or it is done. */
CO int dl_keep_claim(const struct dl_call *k, int64_t next_s);
CO int dl_keep_end(const struct dl_call *k, const char *state, int64_t next_s);
CO int dl_keep_answer(const struct dl_call *k, const char *question, const char *answer);
/* A number of no list. One that is done is new again, not before its retry rule says. */
CO int dl_keep_add(const struct dl_campaign *c, const char *number, const char *name, int64_t *changed);
CO int dl_keep_later(const struct dl_campaign *c, const char *number, int64_t next_s);

/* ---- campaign.c ---- */
enum dl_state { DL_STOPPED, DL_RUNNING, DL_PAUSED };
struct dl_number { /* of a list, due */
	struct lnode link;
	char number[RULE_NUMBER_MAX + 1], last_result[RULE_RESULT_MAX + 1];
	char *name, *zone_name, *fields; /* from outside; fields: a JSON object of texts */
	const struct tz *zone;
	unsigned tries;
};
struct dl_hour {
	int64_t hour;
	unsigned dialled, answered, abandoned;
};
enum dl_call_state { DL_BEGINS, DL_RINGING, DL_SCREENED, DL_WAITING, DL_TALKING, DL_CALL_STATES };
struct dl_campaign { /* counted */
	struct lnode link;
	char name[DL_NAME_MAX + 1];
	struct dl_settings s;
	enum dl_state state;
	struct list agents, calls, waiting, hopper;
	struct hash *taken; /* numbers in the hopper, shown, or in a call */
	unsigned agent_count, hopper_count, counts[DL_CALL_STATES], turn;
	struct dl_hour hours[DL_HOURS];
	struct pace_answers answers;
	struct pace_talks talks;
	double ring_ms, wrap_ms; /* means */
	unsigned ring_samples;
	int64_t talked_us; /* monotonic: until when talks has what was talked */
	struct pace_in in;
	struct pace_out out;
	int64_t looked_us; /* monotonic: when the hopper was filled last */
	int64_t swept_us;  /* monotonic: when the database was looked through last */
	bool is_more;      /* the last look found as many as it asked for */
	bool is_unsure;    /* a claim or an end may have failed half-way: the database is looked through */
	bool is_stuck;     /* nothing of the hopper had room, and a trunk had */
	unsigned refused;  /* put off since it began: nobody may call their prefix */
	bool is_gone, is_seen, is_recovered, wants_start;
	struct co_wait change;
};
ON_CTL struct list *dl_campaigns(void);
ON_CTL struct dl_campaign *dl_campaign_find(const char *name);
/* That of the configuration, made when it is new; takes s. */
ON_CTL int dl_campaign_put(const char *name, struct dl_settings *s);
ON_CTL void dl_campaigns_seen(bool begins); /* a reload: begins; at its end those not seen go */
ON_CTL void dl_campaigns_stop(void);
ON_CTL bool dl_campaigns_are_up(void); /* a call, or an agent on line */
ON_CTL void dl_campaign_kick(struct dl_campaign *c);
CO int dl_campaign_state_set(struct dl_campaign *c, enum dl_state state);
ON_CTL const char *dl_state_name(enum dl_state s);
ON_CTL struct dl_hour *dl_hour_of(struct dl_campaign *c, int64_t wall_us);
ON_CTL void dl_day(const struct dl_campaign *c, struct dl_hour *sum); /* the last 24 hours */
ON_CTL void dl_talk_pass(struct dl_campaign *c);                      /* before the count of calls that talk changes */
ON_CTL void dl_look(struct dl_campaign *c);                           /* what pace.h is told, and says */
/* Gives answered calls to free agents. */
ON_CTL void dl_campaign_give(struct dl_campaign *c);

/* ---- hopper.c ---- */
CO void dl_hopper_fill(struct dl_campaign *c);
/* The first that may be called now, with a trunk that has room; the caller owns it, its number stays taken. NULL: none.
 */
CO struct dl_number *dl_hopper_take(struct dl_campaign *c, struct dl_trunk **trunk);
ON_CTL void dl_hopper_back(struct dl_campaign *c, struct dl_number *n);
ON_CTL void dl_hopper_clear(struct dl_campaign *c);
ON_CTL void dl_number_drop(struct dl_campaign *c, struct dl_number *n); /* is not taken any more; frees it */
/* A trunk with room for that number, by the campaign's list; NULL. */
ON_CTL struct dl_trunk *dl_trunk_for(const struct dl_campaign *c, const char *number);
ON_CTL void dl_load_add(const char *trunk, const char *number, bool begins);

/* ---- call.c ---- */
struct dl_call { /* counted */
	struct lnode link, in_waiting;
	struct dl_campaign *c; /* references */
	struct dl_agent *agent;
	struct dl_number *n;
	char id[UUID_CHARS + 1], trunk[DL_NAME_MAX + 1], uuid[UUID_CHARS + 1];
	char caller_id_text[40], caller_name[DL_NAME_MAX + 1];
	struct leg *leg;
	struct originate_ticket ticket;
	struct co_wait change;
	enum dl_call_state state;
	int64_t started_us, answered_us, connected_us, ended_us; /* wall clock; 0: never */
	int64_t answered_mono_us, dialled_mono_us, connected_mono_us;
	const char *result;
	enum cause cause;
	unsigned attempt;
	bool is_live, is_counted, is_abandoned, is_over, is_joined, is_cancelled;
};
ON_CTL int dl_calls_start(void);
ON_CTL void dl_calls_stop(void);
/* Takes n, and a reference to agent (NULL: none). */
ON_CTL int dl_call_start(struct dl_campaign *c, struct dl_number *n, struct dl_trunk *t, struct dl_agent *agent);
ON_CTL void dl_call_state_set(struct dl_call *k, enum dl_call_state s);
ON_CTL void dl_calls_cancel(struct dl_campaign *c);       /* those that ring */
ON_CTL struct dl_call *dl_call_of(const struct leg *leg); /* NULL: it is none */
/* Its end: result and event; abandoned ones count. */
ON_CTL void dl_call_abandoned(struct dl_call *k);

/* ---- survey.c ---- */
CO void dl_survey(struct dl_call *k);
CO int app_dialler_answer(struct leg *leg, const char *data);

/* ---- agent.c ---- */
enum dl_agent_state { DL_OUT, DL_CALLING, DL_FREE, DL_HELD, DL_TALKS, DL_WRAPS, DL_RESTS };
struct dl_agent { /* counted */
	struct lnode link;
	struct dl_campaign *c; /* a reference */
	char name[DL_NAME_MAX + 1];
	char *contact; /* a dial string of the configuration */
	enum dl_agent_state state;
	struct leg *leg; /* while he is on line */
	struct originate_ticket ticket;
	struct dl_call *call;    /* given to him; borrowed */
	struct dl_number *shown; /* preview; owned */
	int64_t since_us;        /* monotonic */
	struct ltimer wrap;
	unsigned calls;
	bool is_going, is_gone, is_seen, wants_rest, is_up;
};
ON_CTL const char *dl_agent_state_name(enum dl_agent_state s);
ON_CTL struct dl_agent *dl_agent_find(struct dl_campaign *c, const char *name);
/* contact NULL: as it was, or of mod_callcenter's agent of that name. ST_NOTFOUND, ST_FULL. */
ON_CTL int dl_agent_put(struct dl_campaign *c, const char *name, const char *contact, struct dl_agent **out);
ON_CTL int dl_agent_login(struct dl_agent *a);
ON_CTL void dl_agent_logout(struct dl_agent *a);
ON_CTL void dl_agent_rest(struct dl_agent *a);
ON_CTL void dl_agent_ready(struct dl_agent *a);
ON_CTL void dl_agent_state_set(struct dl_agent *a, enum dl_agent_state s);
ON_CTL void dl_agent_del(struct dl_agent *a);
ON_CTL struct dl_agent *dl_agent_free(struct dl_campaign *c); /* who is free the longest; NULL */
ON_CTL void dl_agents_count(const struct dl_campaign *c, unsigned *free, unsigned *busy, unsigned *wrap);
ON_CTL void dl_agents_seen(struct dl_campaign *c, bool begins);
CO int app_dialler_agent(struct leg *leg, const char *data);

/* ---- import.c ---- */
struct dl_import {
	size_t imported, duplicates, bad_count, error_count;
	struct buf errors; /* a JSON array of {"line","why"}, at most some thousand */
	const char *why;   /* why it failed */
};
/* The text of a file (path) or of csv, which is taken. dl_import_fini out whatever comes back. */
CO int dl_import(struct dl_campaign *c, const char *list, const char *path, char *csv, struct dl_import *out);
ON_CTL void dl_import_fini(struct dl_import *m);
/* The column number of a CSV file into the do-not-call list of a campaign, "": of all. */
CO int dl_import_dnc(const char *campaign, const char *path, struct dl_import *out);

/* ---- report.c: JSON ---- */
CO void dl_report_campaign(struct json_writer *w, struct dl_campaign *c, bool is_whole);
ON_CTL void dl_report_agent(struct json_writer *w, const struct dl_agent *a);
ON_CTL void dl_report_number(struct json_writer *w, const struct dl_number *n);
CO int dl_report_calls(
    struct json_writer *w, const struct dl_campaign *c, int64_t limit, int64_t offset, int64_t *count);
CO int dl_report_answers(struct json_writer *w, const struct dl_campaign *c, int64_t *count);
CO int dl_report_dnc(struct json_writer *w, const char *number, int64_t *count);
ON_CTL void dl_explain(struct dl_campaign *c, struct buf *out);

/* ---- command.c, module.c ---- */
int api_dialler(struct api_call *c);
/* NULL: nobody wants it. */
ON_CTL struct event *dl_event(const struct dl_campaign *c, const char *action);
ON_CTL void dl_recovered(void); /* a campaign is back from the database */
ON_CTL void dl_tell_call(const struct dl_call *k, const char *action);
