/* Regular expressions: PCRE2 with JIT. Matching never needs more than a little of the caller's stack (the JIT has its
 * own, one per thread) and is bounded, so that no pattern can stall the control loop. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"

#define RE_MAX_CAPTURES 100
#define RE_ERROR_CHARS 200
#define RE_MAX_PATTERN_BYTES 65536

struct re; /* counted, atomically: mem_ref, mem_unref; may be used by any thread */

enum { RE_CASELESS = 1, RE_MULTILINE = 2, RE_DOTALL = 4, RE_EXTENDED = 8, RE_UNGREEDY = 16 };

/* Compiles a bare PCRE2 pattern. ST_PARSE with the reason and offset in error (may be NULL). */
ANY int re_new(struct re **out, struct sv pattern, unsigned flags, char error[RE_ERROR_CHARS]);
/* Compiles what FreeSWITCH accepts in an expression: "pattern", "/pattern/opts" (opts of imsxUu...), and a leading "_"
 * for an Asterisk pattern. */
ANY int re_new_expression(struct re **out, struct sv expression, char error[RE_ERROR_CHARS]);
/* Appends the regular expression that an Asterisk pattern means ("_NXX." -> "^[2-9][0-9][0-9].+$"). The leading "_" is
 * optional. ST_PARSE on an unclosed set. */
ANY int re_asterisk(struct buf *out, struct sv pattern);
ANY unsigned re_capture_count(const struct re *re); /* groups of the pattern, without $0 */

struct re_match {
	unsigned count;                   /* $0 included; 0 = no match */
	struct sv group[RE_MAX_CAPTURES]; /* views into the subject; an unset group is empty */
};
/* 1 matched, 0 not; ST_LIMIT when a bound stopped it. m may be NULL. */
ANY int re_match(const struct re *re, struct sv subject, struct re_match *m);
/* Compiles, matches, frees: for patterns made at run time. Keeps a small cache per thread. */
ANY int re_match_once(struct sv expression, struct sv subject, struct re_match *m);

/* The groups as views into text, which is the subject with marks (text/mark.h): what they put in keeps its marks then.
 * subject: what was matched; its views are given up. */
ANY void re_match_mark(struct re_match *m, struct sv subject, struct sv text);

/* Appends text with every $N or ${N} (or %N) replaced by group N ("" when unset), as FreeSWITCH's perform_substitution:
 * the digit run after mark is the number; a mark followed by another mark or by no digit stays as it is. mark: '$' or
 * '%'. */
ANY int re_substitute(struct buf *out, struct sv text, char mark, const struct re_match *m);
