/* What a telephone network does for a subscriber, kept by user (mod_features): forwarding, do not disturb, block list,
 * hidden number, speed dial, hotline, lock, wake-up calls. One table of kinds (kind.c) says which there are and what a
 * value of each may be; one store in memory (table.c), written behind, holds them for users of the directory; whoever
 * changes one, by key, command, HTTP or script, does it there and is told of by the same event.
 *
 *   star codes -> phone.c ----.                        .---- call.c: feature_incoming, _failed, _outgoing, _hotline
 *   command    -> command.c --+--> table.c -----------+---- wake.c: calls at a time
 *   directory's variables ----'    event, store        '---- callback.c: calls when somebody is free
 *
 * A value is data whoever gave it: it is never more than a number to be dialled, a word or a time. */
#pragma once
#include "base/role.h"
#include "base/str.h"
#include <time.h>

struct leg;
struct tz;

enum feature_type {
	FEATURE_NUMBER, /* what can be dialled: FEATURE_NUMBER_MAX of 0-9 A-Z a-z + * # . _ - */
	FEATURE_FLAG,   /* "true"; "false" where the fallback is true */
	FEATURE_SECONDS,
	FEATURE_PIN,      /* 4 to 12 digits; kept as a salted digest, never told */
	FEATURE_WAKE,     /* "HH:MM [once|daily|weekdays|weekends|mon,tue,...|YYYY-MM-DD]" */
	FEATURE_MISSED,   /* "NUMBER busy|noanswer|unreachable" */
	FEATURE_CALLBACK, /* "EPOCH busy|noanswer|unreachable": until when, and what was the matter */
};
enum { FEATURE_NUMBER_MAX = 64, FEATURE_KEY_MAX = 64, FEATURE_VALUE_MAX = 160, FEATURE_NAME_MAX = 96 };
struct feature_kind {
	const char *name;
	enum feature_type type;
	unsigned key_max;     /* "name:key": so many of it a user may have; 0: it has no key */
	unsigned min, max;    /* of seconds */
	const char *fallback; /* where nobody says anything; NULL: nothing */
	bool is_private;      /* not shown */
	bool is_quiet;        /* a change of it is no event */
	const char *help;
};

/* ---- kind.c: pure ---- */
ANY const struct feature_kind *feature_kind_at(size_t i); /* NULL past the last */
/* The kind of "name" or "name:key"; NULL: there is none, or the key is missing, wrong or too many. */
ANY const struct feature_kind *feature_kind_of(struct sv name, struct sv *key);
/* Is it a value of that kind? What it becomes (spelled one way) into out. ST_INVAL. */
ANY int feature_value_check(const struct feature_kind *k, struct sv value, char out[FEATURE_VALUE_MAX]);
ANY bool feature_is_number(struct sv text);
/* When a wake-up is due next: the first of its times after the given one, epoch seconds; 0: never again. zone NULL: the
 * machine's. "once" counts as the next day on which that time comes. */
ANY int64_t feature_wake_next(struct sv value, int64_t after_s, const struct tz *zone);
/* The same value with the day on which it is due in place of "once". */
ANY int feature_wake_dated(struct sv value, int64_t due_s, const struct tz *zone, char out[FEATURE_VALUE_MAX]);

/* ---- table.c ---- */
struct feature_user; /* a user of the directory, and what he has */
/* "user@domain", or an id or alias in the domain: a user of the directory; feature_user_free it. ST_NOTFOUND. In a
 * coroutine the directory may be asked. */
ON_CTL int feature_user_find(struct sv id, struct sv domain, struct feature_user **out);
ON_CTL void feature_user_free(struct feature_user *u);
ON_CTL const char *feature_user_id(const struct feature_user *u);
ON_CTL const char *feature_user_domain(const struct feature_user *u);
ON_CTL const char *feature_user_var(const struct feature_user *u, const char *name); /* of the directory; NULL */
/* The value in force: his own, the directory's variable "feature-NAME", the kind's fallback; NULL: none. Borrowed until
 * the next change. Of a private kind what is kept. */
ON_CTL const char *feature_get(const struct feature_user *u, const char *name);
ON_CTL bool feature_is_on(const struct feature_user *u, const char *name);
/* Sets (value NULL: clears, also what the directory says). by: for the event: "phone", "command". ST_NOTFOUND: no such
 * feature; ST_INVAL: no value of it; ST_FULL: he has as many as he may. */
ON_CTL int feature_set(struct feature_user *u, struct sv name, const char *value, const char *by);
/* Clears all of a keyed kind; returns how many. */
ON_CTL unsigned feature_clear_all(struct feature_user *u, const char *kind, const char *by);
/* "kind:n" with the lowest n from 1 that is free; false: none is. */
ON_CTL bool feature_free_key(const struct feature_user *u, const char *kind, char out[FEATURE_NAME_MAX]);
ON_CTL bool feature_pin_fits(const struct feature_user *u, const char *pin);
/* What he has himself, in the order it came; value "" is cleared. */
ON_CTL void feature_each(
    const struct feature_user *u, void (*fn)(const char *name, const char *value, void *arg), void *arg);
/* Every one of a keyed kind, of every user. */
ON_CTL void feature_kind_each(
    const char *kind, void (*fn)(struct sv user, const char *name, const char *value, void *arg), void *arg);
ON_CTL int features_start(void);
ON_CTL void features_stop(void);

/* ---- phone.c, call.c ---- */
CO int app_feature(struct leg *leg, const char *data);
CO int app_feature_incoming(struct leg *leg, const char *data);
CO int app_feature_failed(struct leg *leg, const char *data);
CO int app_feature_outgoing(struct leg *leg, const char *data);
CO int app_feature_hotline(struct leg *leg, const char *data);
/* The leg's own user: who proved to be it. NULL: nobody did. */
CO struct feature_user *feature_user_of_leg(struct leg *leg);
/* "user@domain", or a user of the leg's domain, with marks; NULL. */
CO struct feature_user *feature_user_named(struct leg *leg, const char *text);
/* A locked phone may dial it. */
ON_CTL bool feature_lock_allows(const char *number);
/* A call that lamps show. NULL: nothing is known, so none. */
struct presence_entity;
ON_CTL bool feature_is_in_call(const struct presence_entity *e, bool counts_ringing);
/* ---- follow.c ---- */
CO int app_followme(struct leg *leg, const char *data);
/* ---- hotdesk.c ---- */
CO int app_hotdesk(struct leg *leg, const char *data);
ON_CTL const char *feature_phone_of(const struct feature_user *u); /* the user's id, or of the phone he is at */
ON_CTL int hotdesk_start(void);
ON_CTL void hotdesk_stop(void);
/* A parameter of features.conf. */
ON_CTL const char *feature_param(const char *name);

/* ---- wake.c ---- */
ON_CTL int wake_start(void);
ON_CTL int wake_stop(void); /* ST_BUSY: a wake-up call is under way */
ON_CTL void wake_changed(void);
ON_CTL void wake_list(struct buf *out);

/* ---- callback.c ---- */
CO int app_feature_callback(struct leg *leg, const char *data);
/* How a call to a user failed, in a word of FEATURE_MISSED; NULL: not in a way that a call-back would help. */
ANY const char *callback_reason_of(const char *disposition);
/* The user asks to be called when that number of his domain is free. ST_NOTFOUND: it is no user; ST_DENIED: he is not
 * to know; ST_FULL: as many wait for it, or for him, as may. */
CO int callback_ask(struct feature_user *u, struct sv number, const char *reason, const char *by);
/* The table has a call-back of the user ("user@domain"), or, value "", has it no longer. */
ON_CTL void callback_note(struct sv user, struct sv name, const char *value);
ON_CTL unsigned callback_count_of(const struct feature_user *to); /* who wait for that user */
ON_CTL void callback_look(void); /* something changed that may make one due, or not due */
ON_CTL int callback_start(void);
ON_CTL int callback_stop(void); /* ST_BUSY: somebody is being called back */
ON_CTL void callback_list(struct buf *out);

struct api_call;
ON_CTL int api_features(struct api_call *c);
ON_CTL int api_hotdesk(struct api_call *c);
