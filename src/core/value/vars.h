/* An ordered set of named text values: channel variables, originate variables, event-like lists. Names are
 * case-insensitive as in FreeSWITCH, kept in insertion order. A value knows which of its bytes came from outside
 * (text/mark.h): what is set with marks keeps them through copies; vars_get gives the value that people see, vars_text
 * the one for whatever reads a language. */
#pragma once
#include "base/role.h"
#include "base/str.h"

struct vars;
int vars_new(struct vars **out);
void vars_free(struct vars *v);
int vars_set(struct vars *v, const char *name, const char *text); /* with marks or without; NULL or "" removes */
int vars_set_outside(struct vars *v, const char *name, const char *value); /* every byte is from outside */
int vars_put_outside(struct vars *v, struct sv name, struct sv value);     /* the same of a view without zero bytes */
static inline int vars_set_outside_sv(struct vars *v, const char *name, struct sv value)
{
	return vars_put_outside(v, sv_of(name), value);
}
/* The same for what the far side of a call sent: vars_is_received tells it until the variable is set again; a copy is
 * not received. */
int vars_set_received(struct vars *v, const char *name, const char *value);
bool vars_is_received(const struct vars *v, const char *name);
/* A text of sv_share, every byte of which is from outside: held, not copied. A copy of the set has its own. */
int vars_share(struct vars *v, const char *name, char *shared);
int vars_setf(struct vars *v, const char *name, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* An array reads as "ARRAY::a|:b", or as its element when it has one; setting such text makes one, and so does setting
 * "name[index]" (that element; 0 to 4000). What came from outside is never one, whatever it says. */
int vars_push(struct vars *v, const char *name, const char *text);    /* an element more, at the end */
int vars_unshift(struct vars *v, const char *name, const char *text); /* in front */
bool vars_is_array(const struct vars *v, const char *name);
/* The element of "a|:b" or "ARRAY::a|:b"; false: it has none of that index. */
bool vars_element_of(struct sv array, size_t index, struct sv *out);
/* The element, with its marks, in scratch; NULL when there is none, or the variable is no array. */
const char *vars_element(const struct vars *v, const char *name, size_t index, struct buf *scratch);
const char *vars_get_sv(const struct vars *v, struct sv name); /* borrowed until the next change; NULL when absent */
/* The length of a name in the source is known when that is compiled. */
static inline const char *vars_get(const struct vars *v, const char *name)
{
	return vars_get_sv(v, sv_of(name));
}
/* The value with its marks: a view that is valid until the next change, of v or of scratch (initialised by the caller,
 * who frees it); NULL when absent. */
const char *vars_text(const struct vars *v, const char *name, struct buf *scratch);
/* from's value, marks too, under another name; when from lacks it nothing changes. */
int vars_copy_one(struct vars *to, const char *to_name, const struct vars *from, const char *name);
/* Each run of bytes from outside, whole values mostly. The view is valid during the call. */
void vars_each_outside(const struct vars *v, void (*fn)(struct sv run, void *arg), void *arg);
/* Gives back what replaced values left behind: for a set that will hardly change for a while. Views end. */
void vars_settle(struct vars *v);
size_t vars_count(const struct vars *v);
void vars_at(const struct vars *v, size_t i, const char **name, const char **value);
/* The next variable, from the place *at on, whose name is longer than prefix (not empty; case does not matter) and
 * begins with it; *at moves behind it. false: there is none. What is set meanwhile may be seen or not. */
bool vars_next_named(const struct vars *v, struct sv prefix, size_t *at, const char **name, const char **value);
int vars_copy(struct vars *to, const struct vars *from);
/* "a=1,b='x,y'" or "^^:a=1:b=2" (the inside of {} [] <>), cut as text/words.h does, added to v; what has no value is
 * left out. ST_PARSE names nothing wrong but leaves v unchanged. */
int vars_parse(struct vars *v, struct sv text);
int vars_parse_at(struct vars *v, struct sv text, char sep); /* with another separator than a comma */
