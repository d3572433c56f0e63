/* Saying things out of recorded words: a text of a known kind (a number, a date, an amount) becomes a row of prompt
 * names
 * ("digits/20!digits/1"), by rules for each language. Pure. The names are those of FreeSWITCH's sound packages. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"
#include "text/tz.h"

enum say_type { /* FreeSWITCH's names and order */
	SAY_NUMBER,
	SAY_ITEMS,
	SAY_PERSONS,
	SAY_MESSAGES,
	SAY_CURRENCY,
	SAY_TIME_MEASUREMENT,
	SAY_CURRENT_DATE,
	SAY_CURRENT_TIME,
	SAY_CURRENT_DATE_TIME,
	SAY_TELEPHONE_NUMBER,
	SAY_TELEPHONE_EXTENSION,
	SAY_URL,
	SAY_IP_ADDRESS,
	SAY_EMAIL_ADDRESS,
	SAY_POSTAL_ADDRESS,
	SAY_ACCOUNT_NUMBER,
	SAY_NAME_SPELLED,
	SAY_NAME_PHONETIC,
	SAY_SHORT_DATE_TIME,
	SAY_TYPE_COUNT
};
enum say_method { SAY_NA, SAY_PRONOUNCED, SAY_ITERATED, SAY_COUNTED, SAY_PRONOUNCED_YEAR, SAY_METHOD_COUNT };
enum say_gender { SAY_MASCULINE, SAY_FEMININE, SAY_NEUTER, SAY_GENDER_COUNT };

/* Case-insensitive; false for what is no such name (out unchanged). */
ANY bool say_type_parse(struct sv name, enum say_type *out);
ANY bool say_method_parse(struct sv name, enum say_method *out);
ANY bool say_gender_parse(struct sv name, enum say_gender *out);

struct say_args {
	enum say_type type;
	enum say_method method;
	enum say_gender gender;
	int64_t now_s;         /* wall clock, for dates */
	const struct tz *zone; /* NULL = the system's */
};
struct say_language {
	const char *name; /* "en", "zh", "zh_CN" */
	/* Appends names with '!' between them. ST_PARSE, ST_LIMIT: the text is none of its kind. */
	int (*say)(const struct say_args *args, struct sv text, struct buf *row);
};
ANY const struct say_language *say_language_find(const char *name); /* NULL when there is none */
/* Once, before the first configuration is loaded: what -check-config tells of phrase macros. */
ON_CTL int say_stage_init(void);

enum { SAY_TEXT_MAX = 512 /* bytes of a text */ };
