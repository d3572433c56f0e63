/* Number portability: which network a number is in now. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"

enum { PORTABILITY_DIGITS_MIN = 3, PORTABILITY_DIGITS_MAX = 20, PORTABILITY_OPERATOR_MAX = 63 };
enum { PORTABILITY_ANSWER_MAX = 8192 };
enum portability_state {
	PORTABILITY_UNKNOWN, /* nobody was asked, or nobody said */
	PORTABILITY_NOT,
	PORTABILITY_PORTED,
};
struct portability {
	enum portability_state state;
	char number[PORTABILITY_DIGITS_MAX + 1]; /* of routing, when it is ported */
	char network[PORTABILITY_OPERATOR_MAX + 1];
	const char *source; /* of a look-up: a constant: "asked", "cache", or why nobody was */
};

/* portability_answer.c: pure. On failure *out stays. */
ANY int portability_tel(struct sv uri, struct portability *out);
struct portability_form {
	const char *field, *operator_field; /* members of a JSON object, "a.b"; field "": a text */
	const char *regex;                  /* of a text: its first group is the number */
};
ANY int portability_body(const struct portability_form *f, struct sv body, struct portability *out);

/* portability.c: looks a number up; its digits are asked. ST_UNSUPPORTED: the module is not loaded. Else ST_OK,
 * whatever came of it. */
CO int portability_look(const char *number, struct portability *out);
