/* The digit machine: bindings, keys in (t = nobody presses any more), what it says out. */
#include "base/mem.h"
#include "base/status.h"
#include "core/keys/machine.h"
#include "harness.h"
#include <stdio.h>
#include <string.h>

/* Binds "realm:digits realm:digits ...", data is the digits' text; feeds keys; writes "." for wait, "=digits>binding"
 * for a match, "!digits" for none. */
static int run(const char *bindings, const char *ends, const char *keys, char *out)
{
	struct digit_machine *m;
	struct digit_found found;
	char text[300], *save = NULL;

	EXPECT_INT(digit_machine_new(&m, mem_free), ST_OK);
	snprintf(text, sizeof(text), "%s", bindings);
	for (char *w = strtok_r(text, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		char *colon = strchr(w, ':');
		*colon = 0;
		EXPECT_INT(digit_machine_bind(m, w, colon + 1, mem_strdup(colon + 1)), ST_OK);
	}
	if (ends)
		EXPECT_INT(digit_machine_set_terminators(m, ends), ST_OK);
	*out = 0;
	for (; *keys; keys++) {
		enum digit_verdict v =
		    *keys == 't' ? digit_machine_timeout(m, &found) : digit_machine_feed(m, *keys, &found);
		out += strlen(out);
		if (v == DIGITS_WAIT)
			strcpy(out, ".");
		else if (v == DIGITS_MATCH)
			sprintf(out, "=%s>%s", found.digits, (char *)found.data);
		else
			sprintf(out, "!%s", found.digits);
	}
	digit_machine_free(m);
	return 0;
}

static int test_verdicts(void)
{
	static const struct {
		const char *bindings, *ends, *keys, *want;
	} rows[] = {
	    {"r:1", NULL, "1", "=1>1"},
	    {"r:1", NULL, "2", "!2"},
	    {"r:11", NULL, "11", ".=11>11"},
	    {"r:11", NULL, "12", ".!12"},
	    {"r:11", NULL, "1t", ".!1"},
	    {"r:1 r:12", NULL, "1t", ".=1>1"},
	    {"r:1 r:12", NULL, "12", ".=12>12"},
	    {"r:12 r:1", NULL, "1t", ".=1>1"},
	    {"r:1 r:12", NULL, "13", ".!13"},
	    {"r:*1 r:*2", NULL, "*2", ".=*2>*2"},
	    {"r:~^7\\d$", NULL, "74", ".=74>~^7\\d$"}, /* alone: at once */
	    {"r:~^7\\d$ r:1", NULL, "74t", "..=74>~^7\\d$"},
	    {"r:~^7\\d$ r:1", NULL, "1t", ".=1>1"},
	    {"r:~^\\d+$ r:1", NULL, "1t", ".=1>~^\\d+$"}, /* the first bound */
	    {"r:~^7\\d$", NULL, "8t", ".!8"},
	    {"r:~^\\d+$ r:*", "#", "123#", "...=123>~^\\d+$"},
	    {"r:~^\\d+$ r:*", "#", "#t", ".!#"}, /* nothing to end */
	    {"r:123", "#", "12#", "..!12"},
	    {"a:1 b:2", NULL, "1", "!1"}, /* the realm bound last is active */
	    {"a:1 b:2", NULL, "2", "=2>2"},
	    {"r:1", NULL, "t", "!"},
	};
	char out[300];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		EXPECT_INT(run(rows[i].bindings, rows[i].ends, rows[i].keys, out), 0);
		if (strcmp(out, rows[i].want) != 0) {
			test_fail(__FILE__, __LINE__, "%s, keys %s: %s, not %s", rows[i].bindings, rows[i].keys, out,
			    rows[i].want);
			return -1;
		}
	}
	return 0;
}

static int test_realms_and_bounds(void)
{
	struct digit_machine *m;
	struct digit_found found;
	char many[200];

	EXPECT_INT(digit_machine_new(&m, mem_free), ST_OK);
	EXPECT(!digit_machine_has_realm(m));
	EXPECT_INT(digit_machine_set_realm(m, "a"), ST_NOTFOUND);
	EXPECT_INT(digit_machine_set_terminators(m, "#"), ST_NOTFOUND);
	EXPECT_INT(digit_machine_bind(m, "a", "1", mem_strdup("old")), ST_OK);
	EXPECT_INT(digit_machine_bind(m, "b", "1", mem_strdup("b")), ST_OK);
	EXPECT_INT(digit_machine_bind(m, "a", "1", mem_strdup("new")), ST_OK); /* replaced: b stays active */
	EXPECT_INT(digit_machine_feed(m, '1', &found), DIGITS_MATCH);
	EXPECT_STR(found.data, "b");
	EXPECT_INT(digit_machine_set_realm(m, "a"), ST_OK);
	EXPECT_INT(digit_machine_feed(m, '1', &found), DIGITS_MATCH);
	EXPECT_STR(found.data, "new");
	digit_machine_clear_realm(m, "a");
	EXPECT(!digit_machine_has_realm(m));
	digit_machine_clear_realm(m, "nosuch");
	EXPECT_INT(digit_machine_bind(m, "a", "", NULL), ST_INVAL);
	EXPECT_INT(digit_machine_bind(m, "a", "~", NULL), ST_INVAL);
	EXPECT_INT(digit_machine_bind(m, "a", "~(", NULL), ST_PARSE);
	memset(many, '1', sizeof(many) - 1);
	many[sizeof(many) - 1] = 0;
	EXPECT_INT(digit_machine_bind(m, "a", many, NULL), ST_INVAL);
	EXPECT_INT(digit_machine_bind(m, "a", "~^x$", NULL), ST_OK);
	EXPECT_INT(digit_machine_set_realm(m, "a"), ST_OK);
	for (int i = 1; i < DIGITS_BOUND_MAX; i++)
		EXPECT_INT(digit_machine_feed(m, '5', &found), DIGITS_WAIT);
	EXPECT_INT(digit_machine_feed(m, '5', &found), DIGITS_NO_MATCH);
	EXPECT_INT((int)strlen(found.digits), DIGITS_BOUND_MAX);
	EXPECT(!digit_machine_has_digits(m));
	digit_machine_free(m);
	return 0;
}

TEST_MAIN({"verdicts", test_verdicts, 0}, {"realms_and_bounds", test_realms_and_bounds, TEST_OOM})
