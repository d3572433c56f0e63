/* Text from outside in the places of each language: whatever it is, the text around it is read as it would be with a
 * harmless word there. Aborts when it is not.
 * Parser: text/mark.c */
#include "base/check.h"
#include "base/mem.h"
#include "core/dial/dialstring.h"
#include "core/dial/targets.h"
#include "core/registry/app_words.h"
#include "core/run/expand.h"
#include "core/value/vars.h"
#include "dialplan/dialplan.h"
#include "text/mark.h"
#include "text/re.h"
#include <stdlib.h>
#include <string.h>

static void must(bool is_right)
{
	if (!is_right)
		abort();
}

/* The template with the marked text in the place of each %. */
static char *fill(const char *template, struct sv outside)
{
	struct buf b;

	buf_init(&b);
	for (; *template; template ++) {
		if (*template == '%')
			mark_put(&b, outside);
		else
			buf_addc(&b, *template);
	}
	return buf_take(&b);
}

static char *value;
static const char *lookup(const char *name, void *arg)
{
	return !strcmp(name, "x") ? value : NULL;
}

static int no_command(const char *cmd, const char *args, struct buf *out, void *arg)
{
	abort(); /* there is none in the templates */
}

static NO_ROLE_CHECK void try_expansion(struct sv outside)
{
	static const char *const templates[] = {
	    "${x}", "a${x}b${x}", "$${x}", "${x}{y}", "${x:1}", "${x:-2:1}", "${x[1]}", "$%{x}", "%", "%'%"};

	value = fill("%", outside);
	for (size_t i = 0; i < ARRAY_COUNT(templates); i++) {
		char *text = fill(templates[i], outside), *out = NULL, *again = NULL;
		if (!expand_aside(lookup, no_command, NULL, text, &out)) {
			/* a second pass finds nothing to do in what the first put in */
			must(!expand_aside(lookup, no_command, NULL, out, &again) && !strcmp(out, again));
		}
		mem_free(again);
		mem_free(out);
		mem_free(text);
	}
	mem_free(value);
}

static void try_dial(struct sv outside)
{
	static const struct {
		const char *template;
		size_t legs;
	} rows[] = {{"sofia/external/%@host", 1}, {"{a='%',b=%}[c=%]user/1", 1}, {"user/%,user/2|user/%", 3},
	    {"<a=%>user/1:_:user/%", 2}, {"loopback/%/ctx", 1}};
	struct dial d;

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		char *text = fill(rows[i].template, outside);
		size_t legs = 0;
		int st = dial_parse(&d, text);
		must(!st);
		for (size_t p = 0; p < d.count; p++)
			for (size_t k = 0; k < d.parts[p].count; k++, legs++) {
				const struct dial_leg *leg = &d.parts[p].legs[k];
				must(!strcmp(leg->endpoint, "sofia") || !strcmp(leg->endpoint, "user") ||
				     !strcmp(leg->endpoint, "loopback"));
				for (size_t v = 0; v < vars_count(leg->vars); v++) {
					const char *name, *is;
					vars_at(leg->vars, v, &name, &is);
					must(strlen(name) == 1 && strchr("abc", *name));
					must(sv_eq(sv_of(is), outside));
				}
			}
		must(legs == rows[i].legs);
		dial_free(&d);
		mem_free(text);
	}
}

static void try_lists(struct sv outside)
{
	struct dp_actions found = {0};
	struct app_words w;
	char *text = fill("set:a=%,log:%,'playback:%'", outside);

	must(!dialplan_inline_parse(sv_of(text), &found) && found.count == 3);
	must(!strcmp(found.list[0].app, "set") && !strcmp(found.list[1].app, "log") &&
	     !strcmp(found.list[2].app, "playback"));
	dp_actions_fini(&found);
	mem_free(text);
	text = fill("% XML '% %' last %", outside);
	must(!app_words_init(&w, text, 4) && w.n == 4 && !strcmp(w.w[1], "XML") && sv_eq(sv_of(w.w[0]), outside));
	app_words_fini(&w);
	mem_free(text);
}

static void try_sinks(struct sv outside)
{
	char *text = fill("/dir/%.wav", outside);
	struct buf b;

	buf_init(&b);
	if (!mark_strip_path(&b, sv_of(text)))
		must(sv_starts(buf_sv(&b), SV("/dir/")) && !strstr(b.p, "/../") && !strstr(b.p, "://"));
	mem_free(text);
	text = fill("%", outside);
	buf_clear(&b);
	if (!mark_strip_path(&b, sv_of(text)) && b.n)
		must(b.p[0] != '/' && strncmp(b.p, "../", 3) && strcmp(b.p, ".."));
	buf_clear(&b);
	mark_strip_regex(&b, sv_of(text));
	if (outside.n < 200) { /* it stands for itself, and is a pattern at all */
		char *pattern = mem_alloc(b.n + 5);
		memcpy(pattern, "^", 1), memcpy(pattern + 1, b.p, b.n), memcpy(pattern + 1 + b.n, "$", 2);
		must(re_match_once(sv_of(pattern), outside, NULL) == 1);
		mem_free(pattern);
	}
	mem_free(text);
	buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
NO_ROLE_CHECK int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv outside = {(const char *)data, size > 2000 ? 2000 : size};

	role_set(ROLE_CTL);
	if (!outside.n || memchr(data, 0, outside.n))
		return 0;
	try_expansion(outside);
	try_dial(outside);
	try_lists(outside);
	try_sinks(outside);
	return 0;
}
