/* The application directory: the caller spells a first or last name, hears who fits, and is transferred to whom he
 * chooses. Prompts are the phrases directory_* of FreeSWITCH's language files; a key ends one and counts. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/conf/config.h"
#include "core/conf/dir.h"
#include "core/keys/digits.h"
#include "core/leg/leg.h"
#include "core/registry/app_words.h"
#include "core/run/exec.h"
#include "core/sound/say.h"
#include "core/value/cause.h"
#include "core/value/vars.h"
#include "dirapp/dirapp_i.h"
#include "text/mark.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { RESULTS_MAX = 100, NAME_MAX_CHARS = 128, EXTENSION_MAX_CHARS = 64 };
struct profile {
	unsigned attempts, min_digits, max_results, timeout_ms;
	char terminator, next, prev, order, select, again;
	bool by_last_name;
};
struct entry {
	char name[NAME_MAX_CHARS], extension[EXTENSION_MAX_CHARS];
	bool is_extension_told;
};
struct search {
	const char *keys;
	bool by_last_name, uses_alias;
	unsigned limit, count; /* all that fit; entries are kept up to the limit */
	struct entry *entries;
};

/* ---- the profile ---- */

static ON_CTL unsigned number(const struct xml_node *p, const char *name, unsigned otherwise, unsigned max)
{
	int64_t n = str_number(config_param(p, name, ""), 0, max);
	return n > 0 ? (unsigned)n : otherwise;
}

static ON_CTL char key(const struct xml_node *p, const char *name, char otherwise)
{
	const char *v = config_param(p, name, "");
	return *v ? *v : otherwise;
}

static ON_CTL int profile_read(const char *name, struct profile *out)
{
	const struct xml_node *conf = config_conf("directory.conf"),
	                      *p = xml_child_with(xml_child(conf, "profiles"), "profile", "name", name);
	if (!p)
		return ST_NOTFOUND;
	*out = (struct profile){.attempts = number(p, "max-menu-attempts", 3, 100),
	    .min_digits = number(p, "min-search-digits", 3, T9_MAX - 1),
	    .max_results = number(p, "max-result", 5, RESULTS_MAX),
	    .timeout_ms = number(p, "digit-timeout", 3000, 60000),
	    .terminator = key(p, "terminator-key", '#'),
	    .next = key(p, "next-key", '6'),
	    .prev = key(p, "prev-key", '4'),
	    .order = key(p, "switch-order-key", '*'),
	    .select = key(p, "select-name-key", '1'),
	    .again = key(p, "new-search-key", '3'),
	    .by_last_name = strcasecmp(config_param(p, "search-order", "last_name"), "first_name") != 0};
	return ST_OK;
}

/* ---- who fits ---- */

static bool take(struct dir_user *u, void *arg)
{
	struct search *s = arg;
	role_assert_ctl();
	const char *name = dir_user_var(u, "directory_full_name"), *visible = dir_user_param(u, "directory-visible"),
	           *told = dir_user_param(u, "directory-exten-visible"), *alias;
	if (!name)
		name = dir_user_var(u, "effective_caller_id_name");
	if (!name || (visible && !str_is_true(visible)) || !t9_matches(sv_of(name), s->by_last_name, s->keys))
		return true;
	if (s->count < s->limit) {
		struct entry *e = &s->entries[s->count];
		alias = s->uses_alias ? dir_user_attr(u, "number-alias") : NULL;
		snprintf(e->name, sizeof(e->name), "%s", name);
		snprintf(e->extension, sizeof(e->extension), "%s", alias && *alias ? alias : dir_user_id(u));
		e->is_extension_told = !told || str_is_true(told);
	}
	s->count++;
	return true;
}

/* ---- the talk ---- */

static bool no_key_yet(struct leg *leg, void *arg)
{
	role_assert_co();
	return !leg_dtmf_count(leg);
}

/* A phrase, unless a key waits already; keys stay queued. */
static CO void say(struct leg *leg, const char *macro, const char *data)
{
	struct leg_watch watch = {no_key_yet, NULL};
	struct leg_play_end end = {.watch = &watch};
	char *marked = mark_dup(data);
	if (marked && leg_is_ready(leg) && !leg_dtmf_count(leg))
		(void)leg_phrase(leg, macro, marked, NULL, &end);
	mem_free(marked);
}

static CO void say_number(struct leg *leg, const char *macro, unsigned n)
{
	char text[16];
	snprintf(text, sizeof(text), "%u", n);
	say(leg, macro, text);
}

/* The keys of a name. ST_OK; ST_AGAIN: the other order is wanted; ST_TIMEOUT: none; ST_HANGUP, ST_CANCELLED. */
static CO int ask(struct leg *leg, const struct profile *p, bool by_last_name, struct leg_digits *d)
{
	const char *order = by_last_name ? "last_name" : "first_name";
	char terminators[3] = {p->terminator, p->order, 0}, both[32];
	snprintf(both, sizeof(both), "%s:%c", order, p->order);
	say(leg, "directory_intro", both);
	*d = (struct leg_digits){.terminators = terminators};
	leg_digits_limit(d, 1, T9_MAX - 1, p->timeout_ms, p->timeout_ms);
	int st = leg_digits_collect(leg, d);
	d->terminators = "";
	if (st == ST_HANGUP || st == ST_CANCELLED)
		return st;
	if (d->terminator == p->order && p->order)
		return ST_AGAIN;
	return d->count ? ST_OK : ST_TIMEOUT;
}

static CO char one_key(struct leg *leg, const struct profile *p)
{
	struct leg_digits d = {.terminators = ""};
	leg_digits_limit(&d, 1, 1, p->timeout_ms, p->timeout_ms);
	(void)leg_digits_collect(leg, &d);
	return d.count ? d.digits[0] : 0;
}

/* Reads the results out. ST_OK: *chosen; ST_AGAIN: a new search. */
static CO int choose(struct leg *leg, const struct profile *p, const struct search *s, unsigned *chosen)
{
	unsigned at = 0, tries = 0;
	char menu[16];
	snprintf(menu, sizeof(menu), "%c,%c,%c,%c", p->select, p->next, p->prev, p->again);
	while (leg_is_ready(leg) && tries <= p->attempts) {
		const struct entry *e = &s->entries[at];
		say_number(leg, "directory_result_item", at + 1);
		say(leg, "directory_result_say_name", e->name);
		if (e->is_extension_told)
			say(leg, "directory_result_at", e->extension);
		say(leg, "directory_result_menu", menu);
		char k = leg_is_ready(leg) ? one_key(leg, p) : 0;
		if (k && k == p->select) {
			*chosen = at;
			return ST_OK;
		}
		if (k && k == p->again)
			return ST_AGAIN;
		if (k && k == p->prev) {
			at -= at > 0;
		} else if (k == p->next && at + 1 < s->count) {
			at++;
		} else {
			tries++;
			if (k == p->next)
				say(leg, "directory_result_last", "last");
		}
	}
	return leg_is_ready(leg) ? ST_AGAIN : ST_HANGUP;
}

/* ST_OK: *to is whom he wants. */
static CO int find(struct leg *leg, struct profile *p, const char *domain, struct entry *to)
{
	const char *alias = config_param(xml_child(config_conf("directory.conf"), "settings"), "use-number-alias", "");
	struct search s = {.limit = p->max_results, .uses_alias = str_is_true(alias)};
	struct leg_digits d;
	unsigned chosen;
	int st = ST_NOTFOUND;
	s.entries = mem_zalloc(s.limit * sizeof(*s.entries));
	for (unsigned tries = 0; s.entries && tries < p->attempts && leg_is_ready(leg); tries++) {
		st = ask(leg, p, p->by_last_name, &d);
		if (st == ST_HANGUP || st == ST_CANCELLED)
			break;
		if (st == ST_AGAIN)
			p->by_last_name = !p->by_last_name;
		if (st)
			continue;
		st = ST_NOTFOUND;
		if (d.count < p->min_digits) {
			say_number(leg, "directory_min_search_digits", p->min_digits);
			continue;
		}
		s.keys = d.digits;
		s.by_last_name = p->by_last_name;
		s.count = 0;
		dir_each_user(sv_of(domain), NULL, take, &s);
		if (s.count > s.limit) {
			say_number(leg, "directory_result_count_too_large", s.count);
			continue;
		}
		say_number(leg, "directory_result_count", s.count);
		if (s.count && (st = choose(leg, p, &s, &chosen)) == ST_OK) {
			*to = s.entries[chosen];
			break;
		}
	}
	mem_free(s.entries);
	return st;
}

/* PROFILE DOMAIN [[DIALPLAN] CONTEXT] */
int app_directory(struct leg *leg, const char *data)
{
	struct profile p;
	struct entry to;
	struct app_words w;
	role_assert_co();
	int st = app_words_init(&w, leg_exec_text(leg, data), 4);
	if (st || w.n < 2 || profile_read(w.w[0], &p)) {
		leg_log(
		    leg, LOG_ERR, "directory: usage: <profile of directory.conf> <domain> [[<dialplan>] <context>]");
		st = ST_INVAL;
	} else if (!(st = leg_answer(leg))) {
		st = find(leg, &p, w.w[1], &to);
		if (!st && leg_is_ready(leg)) {
			leg_var_set(leg, "directory_extension", to.extension);
			(void)leg_transfer(leg, to.extension, w.n > 3 ? w.m[2] : NULL,
			    w.n > 3   ? w.m[3]
			    : w.n > 2 ? w.m[2]
			              : NULL);
		}
	}
	app_words_fini(&w);
	return !leg_is_up(leg) ? ST_HANGUP : st == ST_INVAL ? st : ST_OK;
}
