/* Private to the room: helpers of all command families, and the commands themselves (the table is in module.c). */
#pragma once
#include "base/log.h"
#include "base/mem.h"
#include "core/host/core.h"
#include "core/host/module.h"
#include "core/leg/leg.h"

#include <string.h>
#include <strings.h>

struct leg_command;
/* ---- util.c ---- */
enum { API_WORDS_MAX = 16 };
struct api_words {
	char *text, *plain;       /* owned; the latter NULL when nothing is marked */
	char *own[API_WORDS_MAX]; /* owned; what doors wrote, NULL = nothing */
	char *w[API_WORDS_MAX];   /* plain; "" after the last: no word is NULL */
	char *m[API_WORDS_MAX];   /* the same words with their marks (text/mark.h), for what reads one as a language */
	int n;
	const char *before;                /* what stood in front of the uuid, NULL = nothing */
	const struct leg_command *command; /* of api_on_leg */
};
/* The words of the arguments, separated by the spaces that are not marked. For who may not do everything (c->who) the
 * quotes and backslashes of his own line count, and each word is data. api_words_fini it whatever comes back. */
ANY int api_words_init(struct api_words *w, const struct api_call *c, int max /* <= API_WORDS_MAX */);
/* ---- for who may run certain commands only (core/registry/principal.h); c->who NULL: nothing is checked or changed
 * ---- */
/* Puts into the word (w->m[i], owned by w) what a door wrote; false, after writing an error: it refused. */
enum api_door { API_DOOR_DIAL, API_DOOR_SOUND, API_DOOR_RECORDING, API_DOOR_VARS };
ON_CTL bool api_word_check(struct api_call *c, struct api_words *w, int i, enum api_door door);
/* Extension, dialplan and context in three words from at on, as far as they are there. */
ON_CTL bool api_place_check(struct api_call *c, struct api_words *w, int at);
/* "APP" and its data (w->m[i + 1] or NULL): the application may be given to a call, its data is checked. */
ON_CTL bool api_app_check(struct api_call *c, struct api_words *w, int app, int data);
/* The variable may be set. */
ON_CTL bool api_variable_check(struct api_call *c, const char *name);
/* Writes the refusal. Returns false. */
ON_CTL bool api_refuse(struct api_call *c, const char *why);
/* What a command computes of its own arguments and gives back to who asks, nothing else: his line as it is. */
ANY const char *api_own_text(const struct api_call *c);
ANY void api_words_end(struct api_words *w); /* w->n has changed: what is behind is "" */
ANY void api_words_fini(struct api_words *w);
/* "-USAGE: " and the command's syntax. Returns ST_OK: a usage text is a reply like another. */
ON_CTL int api_usage(struct api_call *c, const char *cmd);
ON_CTL int api_text(struct api_call *c, const char *text); /* writes text, returns ST_OK */
/* True, after writing an error: (part of) the text comes from outside, and would name what such text may not. */
ON_CTL bool api_is_outside(struct api_call *c, const char *text);
/* The leg, or NULL after writing "-ERR No such channel!". */
ON_CTL struct leg *api_leg(struct api_call *c, const char *uuid);

/* ---- rows.c: what `show` prints: rows as csv, xml or json ---- */
enum rows_format { ROWS_CSV, ROWS_XML, ROWS_JSON };
struct rows {
	enum rows_format format;
	const char *sep;         /* between columns of ROWS_CSV */
	const char *const *cols; /* NULL-ended */
	bool has_title;          /* csv: the line of names */
	bool is_count_only;
	unsigned count;
	struct buf text;
	/* not NULL: gets each row instead */
	void (*sink)(const char *const *values, void *arg);
	void *sink_arg;
};
ANY void rows_init(struct rows *r, const char *const *cols);
ANY void rows_add(struct rows *r, const char *const *values); /* NULL is empty; one per column */
struct api_words;
/* Takes "as xml|json|csv|delim X" off the end of the words; false when the form is unknown. */
ANY bool rows_parse_as(struct api_words *w, struct rows *rows);
/* Appends everything to out and frees. */
ANY void rows_finish(struct rows *r, struct buf *out);

/* ---- status.c, used by json.c ---- */
struct uptime_parts {
	unsigned years, days, hours, minutes, seconds, ms, us;
};
ON_CTL void api_uptime(struct uptime_parts *out);
ON_CTL bool api_is_ready(void);
/* The version for people: "1.11.3-dev  64bit". */
ON_CTL const char *api_version_human(void);

/* ---- json_channel.c ---- */
struct json_writer;
/* The leg as one object. */
ON_CTL void api_json_channel(struct json_writer *w, struct leg *leg);

/* ---- alias.c ---- */
ON_CTL void api_alias_each(void (*fn)(bool is_sticky, const char *alias, const char *command, void *arg), void *arg);
/* Words (one completion a line, NULL-ended array not needed): every completion known. */
ON_CTL void api_complete_each(void (*fn)(const char *words, void *arg), void *arg);
ON_CTL void api_alias_fini(void);

/* ---- observe.c: what the program knows about itself ---- */
ON_CTL void show_locks(struct rows *rows, const char *filter);
ON_CTL void show_loops(struct rows *rows, const char *filter);
ON_CTL void show_rings(struct rows *rows, const char *filter);
ON_CTL void show_memory(struct rows *rows, const char *filter);
ON_CTL void show_media(struct rows *rows, const char *filter); /* the media threads */
/* ---- sched.c ---- */
ON_CTL void api_task_each(
    void (*fn)(unsigned id, const char *desc, const char *group, int64_t epoch, void *arg), void *arg);
ON_CTL void api_task_start(void);
ON_CTL void api_task_fini(void);
/* ---- heartbeat.c ---- */
/* ---- uuid.c: commands on one leg, by the rows of uuid_commands.inc ---- */
struct leg_command {
	const char *syntax;
	unsigned words_min, words_max; /* with the uuid; the last word takes the rest */
	void (*fn)(struct api_call *c, struct leg *leg, struct api_words *w); /* w[0] is the uuid */
	const char *before;  /* words that may stand in front of the uuid, "off|toggle"; told as w->before */
	const char *missing; /* said when there is no such leg; %s is the uuid */
	const char *usage, *after_usage; /* in place of "-USAGE: " and the syntax; after them */
};
/* Cuts the arguments into words, finds the leg, says what is to be said when something lacks, or runs the function. */
ON_CTL int api_on_leg(struct api_call *c, const struct leg_command *row);
ON_CTL void api_leg_usage(struct api_call *c, const struct leg_command *row);

/* ---- uuid_route.c ---- */
/* Runs path or app::args, text with marks, on the leg, its peer or both; ST_NOTFOUND: no such leg. */
/* Word i is such a path, for who may not do everything; false: refused. */
ON_CTL bool api_broadcast_check(struct api_call *c, struct api_words *w, int i);
ON_CTL int api_broadcast(const char *uuid, const char *path, const char *side);

#define COMMAND(fn, name, desc, syntax, flags, complete) int fn(struct api_call *c);
#include "api/commands.inc"
#undef COMMAND
#define LEG_COMMAND(id, fn, ...) \
	void fn(struct api_call *c, struct leg *leg, struct api_words *w); \
	int run_##id(struct api_call *c);
#include "api/uuid_commands.inc"
#undef LEG_COMMAND
