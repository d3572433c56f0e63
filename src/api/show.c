/* show: reports as tables. Legs are gathered in one pass (references, so that the list may be long) and written in
 * slices with the loop running between them; everything else comes from the registries in one go. The columns' order is
 * what clients rely on. */
#include "api/api_i.h"
#include "api/tables.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "core/registry/module.h"
#include "core/registry/registrations.h"
#include "core/value/self.h"
#include "core/value/vars.h"
#include "media/ctl/mctl.h"
#include "net/nat_map.h"
#include "text/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SLICE_ROWS = 200, CALL_COLS = 72, NUMBER_CHARS = 24 };

struct view {
	const char *name;
	bool is_calls, is_bridged_only, is_detailed;
};
static const struct view views[] = {
    {"channels", false, false, true},
    {"calls", true, false, false},
    {"detailed_calls", true, false, true},
    {"bridged_calls", true, true, false},
    {"detailed_bridged_calls", true, true, true},
};

static size_t view_columns(const struct view *view, unsigned char *a, size_t *a_count, unsigned char *b)
{
	if (view->is_calls)
		return api_call_columns(view->is_detailed, a, a_count, b);
	for (*a_count = 0; *a_count < LEG_COLS; ++*a_count)
		a[*a_count] = (unsigned char)*a_count;
	return 0;
}

static ON_CTL bool value_like(const struct api_leg_values *v, const char *like)
{
	static const unsigned char looked_at[] = {
	    L_UUID, L_NAME, L_CID_NAME, L_CID_NUM, L_PRESENCE_DATA, L_ACCOUNTCODE};
	for (size_t i = 0; i < sizeof(looked_at); i++)
		if (v->v[looked_at[i]] && strcasestr(v->v[looked_at[i]], like))
			return true;
	return false;
}

struct leg_list {
	struct leg **legs;
	size_t count, cap;
};

static bool gather(struct leg *leg, void *arg)
{
	struct leg_list *l = arg;
	if (l->count == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 64;
		struct leg **legs = mem_realloc(l->legs, cap * sizeof(struct leg *));
		if (!legs)
			return false;
		l->legs = legs;
		l->cap = cap;
	}
	l->legs[l->count++] = mem_ref(leg);
	return true;
}

static ON_CTL void leg_row(struct leg *leg, const struct view *view, const char *like, struct rows *rows)
{
	unsigned char a_cols[LEG_COLS], b_cols[LEG_COLS];
	size_t a_count, b_count = view_columns(view, a_cols, &a_count, b_cols), n = 0;
	const char *values[CALL_COLS + 8];
	char call_epoch[NUMBER_CHARS] = "";
	struct api_leg_values a, b;
	struct leg *peer = view->is_calls ? leg->peer : NULL;
	if (leg->state >= CS_DESTROY || (peer && api_leg_is_callee(leg, peer)) || (!peer && view->is_bridged_only))
		return;
	api_leg_values(leg, &a);
	if (like && !value_like(&a, like))
		return;
	for (size_t i = 0; i < a_count; i++)
		values[n++] = a.v[a_cols[i]];
	if (view->is_calls) {
		b = (struct api_leg_values){0};
		if (peer) {
			api_leg_values(peer, &b);
			int64_t us =
			    leg->profile->times.bridged ? leg->profile->times.bridged : leg->profile->times.created;
			snprintf(call_epoch, sizeof(call_epoch), "%lld", (long long)(us / 1000000));
		}
		for (size_t i = 0; i < b_count; i++)
			values[n++] = b.v[b_cols[i]];
		values[n++] = call_epoch;
	}
	rows_add(rows, values);
}

/* Names of a view's columns, in static storage of the view. */
static ON_CTL const char *const *view_names(const struct view *view)
{
	static const char *names[sizeof(views) / sizeof(views[0])][CALL_COLS + 8];
	static char b_names[LEG_COLS][32];
	const char **to = names[view - views];
	unsigned char a[LEG_COLS], b[LEG_COLS];
	size_t a_count, b_count = view_columns(view, a, &a_count, b), n = 0;
	for (size_t i = 0; i < a_count; i++)
		to[n++] = api_leg_cols[a[i]];
	for (size_t i = 0; i < b_count; i++) {
		snprintf(b_names[b[i]], sizeof(b_names[0]), "b_%s", api_leg_cols[b[i]]);
		to[n++] = b_names[b[i]];
	}
	if (view->is_calls)
		to[n++] = "call_created_epoch";
	to[n] = NULL;
	return to;
}

static CO void show_legs(const struct view *view, const char *like, struct rows *rows)
{
	struct leg_list list = {0};
	rows->cols = view_names(view);
	leg_each(gather, &list);
	for (size_t i = 0; i < list.count; i++) {
		leg_row(list.legs[i], view, like, rows);
		mem_unref(list.legs[i]);
		if (i % SLICE_ROWS == SLICE_ROWS - 1)
			co_sleep(0);
	}
	mem_free(list.legs);
}

/* ---- registrations, interfaces and the small ones -------------------------------------------------------------- */
static void registration_row(const struct core_registration *r, void *arg)
{
	role_assert_ctl();
	char expires[NUMBER_CHARS];
	snprintf(expires, sizeof(expires), "%lld", (long long)r->expires_epoch);
	const char *v[] = {r->user, r->realm, r->token, r->url, expires, r->network_ip, r->network_port,
	    r->network_proto, core_hostname(), r->metadata};
	rows_add(arg, v);
}

static ON_CTL void show_registrations(struct rows *rows, const char *filter)
{
	static const char *const cols[] = {"reg_user", "realm", "token", "url", "expires", "network_ip", "network_port",
	    "network_proto", "hostname", "metadata", NULL};
	rows->cols = cols;
	core_registration_each(registration_row, rows);
}

struct interface_ask {
	struct rows *rows;
	const char *filter; /* module or name; NULL: all */
	bool has_type, has_file, is_help;
};

static void interface_row(const struct registry_row *row, void *arg)
{
	struct interface_ask *q = arg;
	if (q->filter && strcasecmp(q->filter, row->module) && strcasecmp(q->filter, row->name))
		return;
	if (q->has_type) {
		const char *v[] = {row->kind, row->name, row->module, row->filename};
		rows_add(q->rows, v);
	} else if (q->is_help) {
		const char *v[] = {row->name, row->syntax, row->description, row->module};
		rows_add(q->rows, v);
	} else {
		const char *v[] = {row->name, row->description, row->syntax, row->module};
		rows_add(q->rows, v);
	}
}

static ON_CTL void show_described(struct rows *rows, const char *kind, const char *filter)
{
	static const char *const cols[] = {"name", "description", "syntax", "ikey", NULL};
	struct interface_ask q = {.rows = rows, .filter = filter};
	rows->cols = cols;
	registry_each(kind, interface_row, &q);
}

static ON_CTL void show_api_list(struct rows *rows, const char *filter)
{
	show_described(rows, "api", filter);
}
static ON_CTL void show_apps(struct rows *rows, const char *filter)
{
	show_described(rows, "application", filter);
}

static ON_CTL void show_help(struct rows *rows, const char *filter)
{
	static const char *const cols[] = {"name", "syntax", "description", "ikey", NULL};
	struct interface_ask q = {.rows = rows, .filter = filter, .is_help = true};
	rows->cols = cols;
	rows->has_title = false;
	registry_each("api", interface_row, &q);
}

static ON_CTL void show_modules(struct rows *rows, const char *filter)
{
	static const char *const cols[] = {"type", "name", "ikey", "filename", NULL};
	struct interface_ask q = {.rows = rows, .filter = filter, .has_type = true};
	rows->cols = cols;
	registry_each(NULL, interface_row, &q);
}

static const char *const kind_cols[] = {"type", "name", "ikey", NULL};

static ON_CTL void show_interfaces(struct rows *rows, const char *filter)
{
	struct interface_ask q = {.rows = rows, .filter = filter, .has_type = true};
	rows->cols = kind_cols;
	registry_each(NULL, interface_row, &q);
}

struct type_count {
	const char *kind;
	unsigned count;
};
struct type_counts {
	struct type_count t[64];
	size_t n;
};

static void count_type(const struct registry_row *row, void *arg)
{
	struct type_counts *k = arg;
	for (size_t i = 0; i < k->n; i++)
		if (!strcmp(k->t[i].kind, row->kind)) {
			k->t[i].count++;
			return;
		}
	if (k->n < sizeof(k->t) / sizeof(k->t[0]))
		k->t[k->n++] = (struct type_count){row->kind, 1};
}

static ON_CTL void show_interface_types(struct rows *rows, const char *filter)
{
	static const char *const cols[] = {"type", "total", NULL};
	struct type_counts k = {.n = 0};
	rows->cols = cols;
	registry_each(NULL, count_type, &k);
	for (size_t i = 0; i < k.n; i++) {
		char number[NUMBER_CHARS];
		snprintf(number, sizeof(number), "%u", k.t[i].count);
		const char *v[] = {k.t[i].kind, number};
		rows_add(rows, v);
	}
}

static void alias_row(bool is_sticky, const char *alias, const char *command, void *arg)
{
	role_assert_ctl();
	const char *v[] = {is_sticky ? "1" : "0", alias, command, core_hostname()};
	rows_add(arg, v);
}

static ON_CTL void show_aliases(struct rows *rows, const char *filter)
{
	static const char *const cols[] = {"sticky", "alias", "command", "hostname", NULL};
	rows->cols = cols;
	api_alias_each(alias_row, rows);
}

static void complete_row(const char *words, void *arg)
{
	role_assert_ctl();
	const char *v[12] = {"0"};
	char text[512];
	snprintf(text, sizeof(text), "%s", words);
	words_split(text, ' ', (char **)(v + 1), 10);
	v[11] = core_hostname();
	rows_add(arg, v);
}

static ON_CTL void show_complete(struct rows *rows, const char *filter)
{
	static const char *const cols[] = {
	    "sticky", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9", "a10", "hostname", NULL};
	rows->cols = cols;
	api_complete_each(complete_row, rows);
}

static void task_row(unsigned id, const char *desc, const char *group, int64_t epoch, void *arg)
{
	role_assert_ctl();
	char number[NUMBER_CHARS], when[NUMBER_CHARS];
	snprintf(number, sizeof(number), "%u", id);
	snprintf(when, sizeof(when), "%lld", (long long)epoch);
	const char *v[] = {number, desc, group, when, "0", core_hostname()};
	rows_add(arg, v);
}

static ON_CTL void show_tasks(struct rows *rows, const char *filter)
{
	static const char *const cols[] = {
	    "task_id", "task_desc", "task_group", "task_runtime", "task_sql_manager", "hostname", NULL};
	rows->cols = cols;
	api_task_each(task_row, rows);
}

static ON_CTL void show_nat_map(struct rows *rows, const char *filter)
{
	static const char *const cols[] = {"port", "proto", "proto_num", "sticky", NULL};
	size_t count;
	const struct nat_mapping *m = nat_map_list(&count);
	rows->cols = cols;
	for (size_t i = 0; i < count; i++) {
		char port[8];
		snprintf(port, sizeof(port), "%u", m[i].port);
		const char *v[] = {
		    port, m[i].is_tcp ? "tcp" : "udp", m[i].is_tcp ? "1" : "0", m[i].is_sticky ? "1" : "0"};
		rows_add(rows, v);
	}
}

struct report {
	const char *name;
	void (*fn)(struct rows *rows, const char *filter);
	const char *kind; /* instead of fn: interfaces of one kind */
};
static const struct report reports[] = {
    {"registrations", show_registrations, NULL},
    {"api", show_api_list, NULL},
    {"application", show_apps, NULL},
    {"help", show_help, NULL},
    {"modules", show_modules, NULL},
    {"module", show_modules, NULL},
    {"interfaces", show_interfaces, NULL},
    {"interface_types", show_interface_types, NULL},
    {"aliases", show_aliases, NULL},
    {"complete", show_complete, NULL},
    {"tasks", show_tasks, NULL},
    {"nat_map", show_nat_map, NULL},
    {"locks", show_locks, NULL},
    {"loops", show_loops, NULL},
    {"rings", show_rings, NULL},
    {"memory", show_memory, NULL},
    {"media", show_media, NULL},
    {"codec", NULL, "codec"},
    {"endpoint", NULL, "endpoint"},
    {"dialplan", NULL, "dialplan"},
    {"file", NULL, "file"},
    {"timer", NULL, "timer"},
    {"chat", NULL, "chat"},
    {"management", NULL, "management"},
    {"say", NULL, "say"},
    {"limits", NULL, "limit"},
};

/* FreeSWITCH compares only the beginnings of some words: the plural means the same, another ending nothing. */
static ON_CTL bool show_by_beginning(const char *name, const char *filter, struct rows *rows)
{
	static const char *const kinds[] = {
	    "codec", "dialplan", "file", "timer", "chat", "say", "management", "endpoint"};
	size_t n = strlen(name);
	char kind[64];

	if (!strncasecmp(name, "module", 6)) {
		show_modules(rows, filter);
		return true;
	}
	if (!strncasecmp(name, "help", 4)) {
		show_help(rows, filter);
		return true;
	}
	snprintf(kind, sizeof(kind), "%.*s", (int)(n && (name[n - 1] | 0x20) == 's' ? n - 1 : n), name);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strncasecmp(name, kinds[i], strlen(kinds[i])))
			continue;
		struct interface_ask q = {.rows = rows, .filter = filter, .has_type = true};
		rows->cols = kind_cols;
		registry_each(kind, interface_row, &q);
		return true;
	}
	return false;
}

static ON_CTL bool show_report(const char *name, const char *filter, struct rows *rows)
{
	for (size_t i = 0; i < sizeof(reports) / sizeof(reports[0]); i++) {
		const struct report *r = &reports[i];
		if (strcasecmp(name, r->name))
			continue;
		if (r->fn) {
			r->fn(rows, filter);
			return true;
		}
		struct interface_ask q = {.rows = rows, .filter = filter, .has_type = true};
		rows->cols = kind_cols;
		registry_each(r->kind, interface_row, &q);
		return true;
	}
	return show_by_beginning(name, filter, rows);
}

void api_show_each(const char *report, void (*fn)(const char *const *values, void *arg), void *arg)
{
	struct rows rows = {.sink = fn, .sink_arg = arg};
	(void)show_report(report, NULL, &rows);
}

/* The text between the percent signs of an SQL pattern. */
static char *trim_percent(char *s)
{
	size_t n = strlen(s);
	while (n && s[n - 1] == '%')
		s[--n] = 0;
	return s + strspn(s, "%");
}

int api_show(struct api_call *c)
{
	role_assert_co();
	struct api_words w;
	struct rows rows;
	const struct view *view = NULL;
	int st = api_words_init(&w, c, 12);
	rows_init(&rows, api_leg_cols);
	bool is_known = !st && w.n > 0 && rows_parse_as(&w, &rows);
	for (size_t i = 0; is_known && i < sizeof(views) / sizeof(views[0]); i++)
		if (!strcasecmp(w.w[0], views[i].name))
			view = &views[i];
	bool takes_count = view || (is_known && !strcasecmp(w.w[0], "registrations"));
	rows.is_count_only = takes_count && w.n > 1 && !strcasecmp(w.w[1], "count");
	if (view) {
		const char *like = w.n > 2 && !strcasecmp(w.w[1], "like") ? trim_percent(w.w[2]) : NULL;
		show_legs(view, like, &rows);
	} else if (is_known && !strcasecmp(w.w[0], "status")) {
		buf_fini(&rows.text);
		api_words_fini(&w);
		return api_status(c);
	} else if (is_known) {
		bool has_filter = w.n > 1 && strcasecmp(w.w[1], "count");
		is_known = show_report(w.w[0], has_filter ? w.w[1] : NULL, &rows);
	}
	if (is_known)
		rows_finish(&rows, c->out);
	else
		api_usage(c, "show");
	buf_fini(&rows.text);
	api_words_fini(&w);
	return st;
}
