/* Sets of menus: attributes by a table, entries in the order of the file, since every entry that fits a key is run.
 * Names of menus are found by walking: there are few, and a caller looks for one when he presses a key. */
#include "base/mem.h"
#include "base/status.h"
#include "core/conf/check.h"
#include "ivr/ivr_i.h"
#include "text/mark.h"
#include "text/xml.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { MENUS_MAX = 10000, ENTRIES_MAX = 1000, DIGIT_LEN_MAX = 100, TRIES_MAX = 1000, WAIT_MS_MAX = 3600000 };
enum { TRIES_DEFAULT = 3, TIMEOUT_MS_DEFAULT = 15000 };

static const struct {
	const char *name;
	size_t at;
} texts[] = {
    {"greet-long", offsetof(struct ivr_menu, greet_long)},
    {"greet-short", offsetof(struct ivr_menu, greet_short)},
    {"invalid-sound", offsetof(struct ivr_menu, invalid_sound)},
    {"exit-sound", offsetof(struct ivr_menu, exit_sound)},
    {"confirm-macro", offsetof(struct ivr_menu, confirm_macro)},
    {"confirm-key", offsetof(struct ivr_menu, confirm_key)},
    {"tts-engine", offsetof(struct ivr_menu, tts_engine)},
    {"tts-voice", offsetof(struct ivr_menu, tts_voice)},
    {"pin", offsetof(struct ivr_menu, pin)},
    {"pin-file", offsetof(struct ivr_menu, pin_file)},
    {"bad-pin-file", offsetof(struct ivr_menu, bad_pin_file)},
    {"exec-on-max-failures", offsetof(struct ivr_menu, exec_on_max_failures)},
    {"exec-on-max-timeouts", offsetof(struct ivr_menu, exec_on_max_timeouts)},
};
static const struct {
	const char *name;
	size_t at;
	unsigned least, most;
} numbers[] = {
    {"confirm-attempts", offsetof(struct ivr_menu, confirm_attempts), 1, TRIES_MAX},
    {"timeout", offsetof(struct ivr_menu, timeout_ms), 1, WAIT_MS_MAX},
    {"inter-digit-timeout", offsetof(struct ivr_menu, inter_digit_ms), 1, WAIT_MS_MAX},
    {"max-failures", offsetof(struct ivr_menu, max_failures), 1, TRIES_MAX},
    {"max-timeouts", offsetof(struct ivr_menu, max_timeouts), 1, TRIES_MAX},
    {"digit-len", offsetof(struct ivr_menu, digit_len), 1, DIGIT_LEN_MAX},
};
static const char *const action_names[IVR_ACTION_COUNT] = {
    [IVR_EXIT] = "menu-exit",
    [IVR_SUB] = "menu-sub",
    [IVR_EXEC_APP] = "menu-exec-app",
    [IVR_EXEC_API] = "menu-exec-api",
    [IVR_PLAY_SOUND] = "menu-play-sound",
    [IVR_SAY_PHRASE] = "menu-say-phrase",
    [IVR_BACK] = "menu-back",
    [IVR_TOP] = "menu-top",
};

static char **text_of(struct ivr_menu *m, size_t i)
{
	return (char **)((char *)m + texts[i].at);
}

static void menu_free(struct ivr_menu *m)
{
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		mem_free(*text_of(m, i));
	for (unsigned i = 0; i < m->entry_count; i++) {
		mem_free(m->entries[i].digits);
		mem_free(m->entries[i].param);
		mem_unref(m->entries[i].re);
	}
	mem_free(m->entries);
	mem_free(m->name);
	mem_free(m);
}

static void menus_free(void *obj)
{
	struct ivr_menus *set = obj;
	for (unsigned i = 0; i < set->count; i++)
		menu_free(set->menus[i]);
	mem_free(set->menus);
	mem_unref(set->held);
}

int ivr_menus_new(struct ivr_menus **out)
{
	*out = mem_new_atomic(sizeof(**out), menus_free, "ivr.menus");
	return *out ? ST_OK : ST_NOMEM;
}

const struct ivr_menu *ivr_menu_find(const struct ivr_menus *set, struct sv name)
{
	for (unsigned i = 0; set && i < set->count; i++)
		if (sv_eqi(name, sv_of(set->menus[i]->name)))
			return set->menus[i];
	return NULL;
}

/* Room for one more in an array; NULL: no memory, nothing changed. */
static void *grown(void *items, unsigned *room, size_t bytes)
{
	unsigned more = *room ? *room * 2 : 8;
	void *p = mem_realloc(items, more * bytes);
	if (p)
		*room = more;
	return p;
}

int ivr_menu_add(struct ivr_menus *set, const char *name, struct ivr_menu **out)
{
	if (!name || !*name)
		return ST_INVAL;
	if (ivr_menu_find(set, sv_of(name)))
		return ST_EXISTS;
	if (set->count >= MENUS_MAX)
		return ST_LIMIT;
	if (set->count == set->room) {
		void *p = grown(set->menus, &set->room, sizeof(set->menus[0]));
		if (!p)
			return ST_NOMEM;
		set->menus = p;
	}
	struct ivr_menu *m = mem_zalloc(sizeof(*m));
	char *own = mem_strdup(name);
	if (!m || !own) {
		mem_free(m);
		mem_free(own);
		return ST_NOMEM;
	}
	m->name = own;
	m->confirm_attempts = m->max_failures = TRIES_DEFAULT;
	m->timeout_ms = TIMEOUT_MS_DEFAULT, m->digit_len = 1;
	set->menus[set->count++] = *out = m;
	return ST_OK;
}

int ivr_menu_set(struct ivr_menu *m, const char *name, const char *value)
{
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (strcmp(name, texts[i].name) != 0)
			continue;
		char *own = *value ? mem_strdup(value) : NULL; /* confirm-macro="" is none */
		mem_free(*text_of(m, i));
		*text_of(m, i) = own;
		return own || !*value ? ST_OK : ST_NOMEM;
	}
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		uint32_t n;
		if (strcmp(name, numbers[i].name) != 0)
			continue;
		if (sv_u32(sv_of(value), &n) != ST_OK || n < numbers[i].least || n > numbers[i].most)
			return ST_INVAL;
		*(unsigned *)((char *)m + numbers[i].at) = n;
		return ST_OK;
	}
	return ST_NOTFOUND;
}

static int action_of(const char *name, enum ivr_action *out)
{
	for (int i = 0; i < IVR_ACTION_COUNT; i++) {
		if (!strcasecmp(name, action_names[i])) {
			*out = (enum ivr_action)i;
			return ST_OK;
		}
	}
	return ST_NOTFOUND;
}

int ivr_menu_entry(struct ivr_menu *m, const char *action, const char *digits, const char *param, struct buf *why)
{
	struct ivr_entry e = {0};
	char error[RE_ERROR_CHARS];
	int st = action_of(action ? action : "", &e.action);
	if (st)
		return st;
	if (!digits || !*digits)
		return ST_INVAL;
	if (m->entry_count >= ENTRIES_MAX)
		return ST_LIMIT;
	if (*digits == '/' && (st = re_new_expression(&e.re, sv_of(digits), error))) {
		if (why)
			buf_adds(why, error);
		return st;
	}
	if (m->entry_count == m->entry_room) {
		void *p = grown(m->entries, &m->entry_room, sizeof(e));
		if (!p)
			goto nomem;
		m->entries = p;
	}
	e.digits = mem_strdup(digits);
	e.param = mem_strdup(param ? param : "");
	if (!e.digits || !e.param)
		goto nomem;
	m->entries[m->entry_count++] = e;
	return ST_OK;
nomem:
	mem_unref(e.re);
	mem_free(e.digits);
	mem_free(e.param);
	return ST_NOMEM;
}

bool ivr_entry_fits(const struct ivr_entry *e, const char *digits, struct buf *out)
{
	struct re_match m;
	if (!e->re) {
		buf_adds(out, e->param);
		return !strcmp(e->digits, digits);
	}
	if (re_match(e->re, sv_of(digits), &m) != 1)
		return false;
	char *marked = mark_dup(digits);
	if (marked) {
		re_match_mark(&m, sv_of(digits), sv_of(marked));
		re_substitute(out, sv_of(e->param), '$', &m);
	}
	mem_free(marked);
	return marked && !out->failed;
}

/* ---- from the configuration ---- */

struct reader {
	config_report_fn report;
	void *arg;
};

static void __attribute__((format(printf, 3, 4)))
tell(const struct reader *r, const struct xml_node *at, const char *fmt, ...)
{
	struct buf b;
	va_list ap;
	if (!r->report)
		return;
	buf_init(&b);
	buf_printf(&b, "%s:%u:%u: ", at->file, at->line, at->column);
	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	r->report(b.p ? b.p : "out of memory", r->arg);
	buf_fini(&b);
}

static int entry_read(struct ivr_menu *m, const struct xml_node *node, const struct reader *r)
{
	struct buf why;
	const char *action = xml_attr_or(node, "action", ""), *digits = xml_attr_or(node, "digits", "");
	buf_init(&why);
	int st = ivr_menu_entry(m, action, digits, xml_attr(node, "param"), &why);
	if (st == ST_NOTFOUND)
		tell(r, node, "menu %s: there is no action \"%s\"", m->name, action);
	else if (st == ST_INVAL)
		tell(r, node, "menu %s: the entry has no digits", m->name);
	else if (st == ST_PARSE)
		tell(r, node, "menu %s: %s: %s", m->name, digits, why.p ? why.p : "no regular expression");
	else if (st == ST_LIMIT)
		tell(r, node, "menu %s has more than %d entries", m->name, ENTRIES_MAX);
	buf_fini(&why);
	if (!st) {
		struct ivr_entry *e = &m->entries[m->entry_count - 1];
		e->file = node->file, e->line = node->line, e->column = node->column;
		if (!e->re && strlen(digits) > m->digit_len)
			tell(r, node, "warning: menu %s takes %u digits (digit-len), so \"%s\" is never dialled",
			    m->name, m->digit_len, digits);
	}
	return st == ST_NOMEM ? st : ST_OK;
}

static int menu_read(struct ivr_menus *set, const struct xml_node *node, const struct reader *r)
{
	struct ivr_menu *m;
	int st = ivr_menu_add(set, xml_attr(node, "name"), &m);
	if (st) {
		tell(r, node, "%s",
		    st == ST_INVAL    ? "the menu has no name"
		    : st == ST_EXISTS ? "there is a menu of this name already"
		    : st == ST_LIMIT  ? "too many menus"
		                      : "out of memory");
		return st == ST_NOMEM ? st : ST_OK;
	}
	for (unsigned i = 0; i < node->attr_count; i++) {
		const struct xml_attr *a = &node->attrs[i];
		if (!strcmp(a->name, "name"))
			continue;
		st = ivr_menu_set(m, a->name, a->value);
		if (st == ST_NOTFOUND)
			tell(r, node, "warning: menu %s: %s is not known", m->name, a->name);
		else if (st == ST_INVAL)
			tell(r, node, "menu %s: %s=\"%s\" is no number that it may be", m->name, a->name, a->value);
		else if (st)
			return st;
	}
	xml_each(node, "entry", entry) if ((st = entry_read(m, entry, r))) return st;
	return ST_OK;
}

int ivr_menus_read(struct ivr_menus *set, const struct xml_node *node, config_report_fn report, void *arg)
{
	struct reader r = {report, arg};
	xml_each(node, "menu", menu)
	{
		int st = menu_read(set, menu, &r);
		if (st)
			return st;
	}
	return ST_OK;
}

static void entry_check(const struct ivr_menus *set, const struct ivr_menu *m, const struct ivr_entry *e,
    const struct config *cfg, const struct config_known *known, const struct reader *r)
{
	struct xml_node at = {.file = e->file, .line = e->line, .column = e->column};
	char app[128], why[200];
	int n = (int)strcspn(e->param, " ");
	if (!e->file)
		return;
	if (e->action == IVR_SUB && !strchr(e->param, '$') && !ivr_menu_find(set, sv_of(e->param)))
		tell(r, &at, "menu %s: there is no menu %s", m->name, e->param);
	if (e->action != IVR_EXEC_APP || n >= (int)sizeof(app) || strchr(e->param, '$') == e->param)
		return;
	snprintf(app, sizeof(app), "%.*s", n, e->param);
	if (!config_known_app(known, cfg, app, why, sizeof(why)))
		tell(r, &at, "menu %s: %s", m->name, why);
}

void ivr_menus_check(const struct ivr_menus *set, const struct config *cfg, const struct config_known *known,
    config_report_fn report, void *arg)
{
	struct reader r = {report, arg};
	for (unsigned i = 0; i < set->count; i++)
		for (unsigned j = 0; j < set->menus[i]->entry_count; j++)
			entry_check(set, set->menus[i], &set->menus[i]->entries[j], cfg, known, &r);
}
