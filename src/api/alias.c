/* Short words for commands, and TAB completion. Aliases and words that users add are kept here; the rest of the
 * completions comes from the command tables. console_complete answers what tandem-cli shows: the candidates, then
 * write=N:TEXT, the text that replaces the last N characters. Words beginning with :: stand for something live: uuids,
 * module names. */
#include "api/api_i.h"
#include "base/hash.h"
#include "base/status.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "core/registry/complete.h"
#include "core/registry/module.h"
#include "core/run/api.h"
#include "text/words.h"
#include "text/xml.h"

#include <stdio.h>
#include <stdlib.h>

enum { ALIAS_MAX_COUNT = 1000, CANDIDATE_MAX_COUNT = 512, WORD_MAX = 128, WORDS_IN_LINE = 16 };

struct alias {
	bool is_sticky;
	char command[];
};
static struct hash *aliases;
static struct hash *words; /* added by `complete add`: the words -> a copy */

static void block_free(void *p)
{
	mem_free(p);
}

void api_alias_fini(void)
{
	hash_free(aliases);
	hash_free(words);
	aliases = words = NULL;
}

void api_alias_each(void (*fn)(bool is_sticky, const char *alias, const char *command, void *arg), void *arg)
{
	struct hash_it it = {0};
	char name[WORD_MAX];
	while (aliases && hash_next(aliases, &it)) {
		const struct alias *a = it.value;
		snprintf(name, sizeof(name), "%.*s", SVF(it.key));
		fn(a->is_sticky, name, a->command, arg);
	}
}

static ON_CTL int alias_add(const char *name, const char *command, bool is_sticky)
{
	if (!aliases && hash_new(&aliases, 0, block_free))
		return ST_NOMEM;
	if (strlen(name) >= WORD_MAX || hash_count(aliases) >= ALIAS_MAX_COUNT)
		return ST_FULL;
	struct alias *a = mem_zalloc(sizeof(*a) + strlen(command) + 1);
	if (!a)
		return ST_NOMEM;
	a->is_sticky = is_sticky;
	memcpy(a->command, command, strlen(command) + 1);
	return hash_set(aliases, sv_of(name), a);
}

int api_alias(struct api_call *c)
{
	struct api_words w;
	role_assert_ctl();
	int st = api_words_init(&w, c, 3);
	if (st || api_is_outside(c, c->text))
		goto out;
	bool is_sticky = w.n == 3 && !strcasecmp(w.w[0], "stickyadd");
	bool is_add = is_sticky || (w.n == 3 && !strcasecmp(w.w[0], "add"));
	if (is_add && !alias_add(w.w[1], w.w[2], is_sticky)) {
		buf_adds(c->out, "+OK\n");
	} else if (w.n == 2 && !strcasecmp(w.w[0], "del")) {
		if (!strcmp(w.w[1], "*")) {
			hash_free(aliases);
			aliases = NULL;
		} else if (aliases) {
			hash_del(aliases, sv_of(w.w[1]));
		}
		buf_adds(c->out, "+OK\n");
	} else {
		api_usage(c, "alias");
	}
out:
	api_words_fini(&w);
	return st;
}

/* A line as typed at a console: an alias in front is replaced, then the command runs. */
int api_console_execute(struct api_call *c)
{
	role_assert_co();
	if (!c->who && api_is_outside(c, c->text))
		return ST_OK;
	struct buf line;
	buf_init(&line);
	struct sv first = {c->args, strcspn(c->args, " ")};
	const struct alias *a = aliases ? hash_get(aliases, first) : NULL;
	if (a) {
		buf_printf(c->out, "\nExpand Alias [%s]->[%s%s]\n\n", c->args, a->command, c->args + first.n);
		buf_printf(&line, "%s%s", a->command, c->args + first.n);
	} else {
		buf_adds(&line, c->args);
	}
	char *cmd = line.p ? mem_strndup(line.p, strcspn(line.p, " ")) : NULL;
	if (cmd && *cmd && strcasecmp(cmd, "console_execute")) {
		const char *args = line.p + strlen(cmd);
		args += strspn(args, " ");
		int st = c->who ? api_run_for(c->who, cmd, args, c->leg, c->out) : api_run(cmd, args, c->leg, c->out);
		if (st == ST_NOTFOUND)
			buf_printf(c->out, "-ERR %s Command not found!\n", line.p);
	}
	mem_free(cmd);
	buf_fini(&line);
	return ST_OK;
}

int api_complete(struct api_call *c)
{
	struct api_words w;
	role_assert_ctl();
	int st = api_words_init(&w, c, 2);
	bool is_done = false;
	if (!st && w.n == 2 && !strcasecmp(w.w[0], "add") && strlen(w.w[1]) < WORD_MAX) {
		if (!words)
			hash_new(&words, 0, block_free);
		char *copy = words && hash_count(words) < ALIAS_MAX_COUNT ? mem_strdup(w.w[1]) : NULL;
		is_done = copy && !hash_set(words, sv_of(w.w[1]), copy);
	} else if (!st && w.n == 2 && !strcasecmp(w.w[0], "del")) {
		if (!strcmp(w.w[1], "*")) {
			hash_free(words);
			words = NULL;
		} else if (words) {
			hash_del(words, sv_of(w.w[1]));
		}
		is_done = true;
	}
	if (is_done)
		buf_adds(c->out, "+OK\n");
	else if (!st)
		api_usage(c, "complete");
	api_words_fini(&w);
	return st;
}

/* ---- completion ------------------------------------------------------------------------------------------------ */
struct each_ask {
	void (*fn)(const char *words, void *arg);
	void *arg;
};

static void each_command(const struct registry_row *row, void *arg)
{
	role_assert_ctl();
	struct each_ask *q = arg;
	const struct api_desc *d = api_find(row->name);
	char text[WORD_MAX];
	if (!d || !d->complete || !d->complete[0]) {
		/* commands on a call take it first */
		bool is_of_call = !strncmp(row->name, "uuid_", 5);
		snprintf(text, sizeof(text), "%s%s", row->name, is_of_call ? " ::console::list_uuid" : "");
		q->fn(text, q->arg);
		return;
	}
	for (const char *const *k = d->complete; *k; k++)
		q->fn(strncmp(*k, "add ", 4) ? *k : *k + 4, q->arg);
}

void api_complete_each(void (*fn)(const char *words, void *arg), void *arg)
{
	struct each_ask q = {fn, arg};
	struct hash_it it = {0};
	registry_each("api", each_command, &q);
	while (words && hash_next(words, &it))
		fn(it.value, arg);
}

struct candidates {
	char *typed[WORDS_IN_LINE];
	int typed_count;
	char found[CANDIDATE_MAX_COUNT][WORD_MAX];
	int count;
};

static void add_candidate(struct candidates *k, const char *word)
{
	const char *begun = k->typed[k->typed_count - 1];
	if (strncasecmp(word, begun, strlen(begun)) || k->count == CANDIDATE_MAX_COUNT)
		return;
	for (int i = 0; i < k->count; i++)
		if (!strcmp(k->found[i], word))
			return;
	snprintf(k->found[k->count++], WORD_MAX, "%s", word);
}

static bool add_uuid(struct leg *leg, void *arg)
{
	add_candidate(arg, leg->uuid);
	return true;
}

static void add_module(const struct registry_row *row, void *arg)
{
	add_candidate(arg, row->module);
}

static void add_live(const char *word, void *arg)
{
	add_candidate(arg, word);
}

/* "::[a:b:c" stands for each of a, b, c: hands them to fn until it says false. */
static bool each_of_choice(const char *choice, bool (*fn)(const char *one, void *arg), void *arg)
{
	char one[WORD_MAX];
	for (const char *p = choice + 3; *p;) {
		size_t n = strcspn(p, ":");
		snprintf(one, sizeof(one), "%.*s", (int)n, p);
		if (n && !fn(one, arg))
			return false;
		p += n + (p[n] == ':');
	}
	return true;
}

static bool add_one(const char *one, void *arg)
{
	add_candidate(arg, one);
	return true;
}

static bool is_other(const char *one, void *arg)
{
	return strcasecmp(one, arg) != 0;
}

/* Whether the typed word may stand where the completion line has word. */
static bool agrees(const char *word, char *typed)
{
	if (!strncmp(word, "::[", 3))
		return !each_of_choice(word, is_other, typed);
	return !strncmp(word, "::", 2) || !strcasecmp(word, typed);
}

/* The word of a completion line at the place being typed, when all before it agree. */
static void look_at(const char *line, void *arg)
{
	role_assert_ctl();
	struct candidates *k = arg;
	char text[512], *word[WORDS_IN_LINE];
	snprintf(text, sizeof(text), "%s", line);
	int n = words_split(text, ' ', word, WORDS_IN_LINE);
	if (n < k->typed_count)
		return;
	for (int i = 0; i + 1 < k->typed_count; i++)
		if (!agrees(word[i], k->typed[i]))
			return;
	const char *here = word[k->typed_count - 1];
	const struct complete_list *list = !strncmp(here, "::", 2) ? complete_list_find(here + 2) : NULL;
	if (!strcmp(here, "::console::list_uuid"))
		leg_each(add_uuid, k);
	else if (!strncmp(here, "::console::list_", 16))
		registry_each(NULL, add_module, k);
	else if (list)
		list->fn((const char *const *)k->typed, k->typed_count - 1, add_live, k);
	else if (!strncmp(here, "::[", 3))
		each_of_choice(here, add_one, k);
	else if (strncmp(here, "::", 2))
		add_candidate(k, here);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void put_candidates_xml(struct api_call *c, struct candidates *k)
{
	size_t common = k->count ? strlen(k->found[0]) : 0;
	qsort(k->found, (size_t)k->count, WORD_MAX, by_name);
	buf_adds(c->out, "<?xml version=\"1.0\"?>\n<complete>\n");
	for (int i = 0; i < k->count; i++) {
		buf_adds(c->out, "  <match>");
		xml_escape(c->out, sv_of(k->found[i]), false);
		buf_adds(c->out, "</match>\n");
		while (strncasecmp(k->found[0], k->found[i], common))
			common--;
	}
	if (k->count) {
		buf_printf(c->out, "  <write length=\"%zu\">", strlen(k->typed[k->typed_count - 1]));
		xml_escape(c->out, (struct sv){k->found[0], common}, false);
		buf_adds(c->out, "</write>\n");
	}
	buf_adds(c->out, "</complete>\n");
}

static void put_candidates(struct api_call *c, struct candidates *k)
{
	const char *begun = k->typed[k->typed_count - 1];
	size_t common = strlen(k->found[0]);
	qsort(k->found, (size_t)k->count, WORD_MAX, by_name);
	buf_adds(c->out, "\n\n");
	for (int i = 0; i < k->count; i++) {
		buf_printf(c->out, "[%20s]\t%s", k->found[i], i % 4 == 3 && i + 1 < k->count ? "\n" : "");
		while (strncasecmp(k->found[0], k->found[i], common))
			common--;
	}
	buf_printf(c->out, "\n\nwrite=%zu:%.*s", strlen(begun), (int)common, k->found[0]);
}

/* [c=CURSOR;]LINE: what stands before the cursor is completed. */
static ON_CTL void complete_line(
    struct api_call *c, void (*put)(struct api_call *c, struct candidates *k), bool puts_nothing)
{
	static struct candidates
	    k; /* 64 KiB: too much for a coroutine's stack; the control thread does not wait here */
	const char *line = c->args;
	char text[512] = "";
	size_t cursor = sizeof(text) - 1;
	bool has_cursor = !strncmp(line, "c=", 2);
	if (has_cursor) {
		char *end;
		cursor = strtoul(line + 2, &end, 10);
		line = *end == ';' ? end + 1 : line;
	}
	strncat(text, line, cursor < sizeof(text) ? cursor : sizeof(text) - 1);
	size_t n = strlen(text);
	/* blanks at the end do not come through the event socket: the cursor tells that they were there */
	bool begins_new = !n || text[n - 1] == ' ' || (has_cursor && cursor > strlen(line));
	k.count = 0;
	k.typed_count = words_split(text, ' ', k.typed, WORDS_IN_LINE - 1);
	if (begins_new || !k.typed_count)
		k.typed[k.typed_count++] = "";
	api_complete_each(look_at, &k);
	if (k.count || puts_nothing)
		put(c, &k);
}

int api_console_complete(struct api_call *c)
{
	role_assert_ctl();
	complete_line(c, put_candidates, false);
	return ST_OK;
}

int api_console_complete_xml(struct api_call *c)
{
	role_assert_ctl();
	complete_line(c, put_candidates_xml, true);
	return ST_OK;
}
