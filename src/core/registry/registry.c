/* The registries: hashes from names to rows of the modules' tables, filled when a module is loaded and emptied when it
 * goes. MODULE_LOAD and MODULE_UNLOAD tell of each row. Listing walks the rows and sorts. */
#include "core/registry/registry.h"
#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/event/event.h"
#include "core/registry/api.h"
#include "core/registry/app.h"
#include "core/registry/dialplan.h"
#include "core/registry/endpoint.h"
#include "core/registry/metrics.h"
#include "core/registry/module.h"
#include "loop/loop.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum kind { KIND_APP, KIND_API, KIND_ENDPOINT, KIND_DIALPLAN, KIND_NAMED, KIND_COUNT };
struct row {
	enum kind kind;
	const struct module *module;
	const void *desc;
	struct registry_row shown;
};
static struct hash *tables[KIND_COUNT];
static const struct registry_outside *outside;
static const char *const kind_names[KIND_COUNT] = {"application", "api", "endpoint", "dialplan", NULL};

static void row_free(void *p)
{
	mem_free(p);
}

static ON_CTL void fire(const struct row *r, enum event_id id)
{
	struct event *e;
	if (!event_is_wanted(id, NULL) || !(e = event_new(id, NULL)))
		return;
	event_add(e, "type", r->shown.kind);
	event_add(e, "name", r->shown.name);
	event_add(e, "description", r->shown.description);
	event_add(e, "syntax", r->shown.syntax);
	event_add(e, "key", r->shown.module);
	event_add(e, "filename", r->shown.filename);
	event_fire(e);
}

/* Keys of the "named" table carry the kind: "codec:PCMU". */
static ON_CTL int add_row(enum kind kind, const struct module *m, const void *desc, const struct registry_row *shown)
{
	struct row *r;
	char key[160];
	int st;

	if (!tables[kind] && hash_new(&tables[kind], HASH_NOCASE, row_free))
		return ST_NOMEM;
	if (kind == KIND_NAMED)
		snprintf(key, sizeof(key), "%s:%s:%s", shown->kind, shown->name, m->name);
	else
		snprintf(key, sizeof(key), "%s", shown->name);
	if (hash_get(tables[kind], sv_of(key)))
		return ST_EXISTS;
	r = mem_zalloc(sizeof(*r));
	if (!r)
		return ST_NOMEM;
	r->kind = kind, r->module = m, r->desc = desc, r->shown = *shown;
	st = hash_set(tables[kind], sv_of(key), r);
	if (st)
		mem_free(r);
	else
		fire(r, EVENT_MODULE_LOAD);
	return st;
}

int registry_add(const struct module *m)
{
	struct registry_row row = {.module = m->name, .filename = m->filename ? m->filename : m->name};

	for (const struct app_desc *d = m->apps; d && d->name; d++) {
		row.kind = "application", row.name = d->name, row.description = d->description, row.syntax = d->syntax;
		add_row(KIND_APP, m, d, &row);
	}
	for (const struct api_desc *d = m->apis; d && d->name; d++) {
		row.kind = "api", row.name = d->name, row.description = d->description, row.syntax = d->syntax;
		add_row(KIND_API, m, d, &row);
	}
	row.description = row.syntax = NULL;
	for (const struct endpoint_ops *const *d = m->endpoints; d && *d; d++) {
		row.kind = "endpoint", row.name = (*d)->name;
		add_row(KIND_ENDPOINT, m, *d, &row);
	}
	for (const struct dialplan_desc *d = m->dialplans; d && d->name; d++) {
		row.kind = "dialplan", row.name = d->name;
		add_row(KIND_DIALPLAN, m, d, &row);
	}
	for (const struct name_desc *d = m->names; d && d->name; d++) {
		row.kind = d->kind, row.name = d->name;
		add_row(KIND_NAMED, m, d, &row);
	}
	if (m->metrics)
		metrics_add(m->metrics);
	return ST_OK;
}

void registry_del(const struct module *m)
{
	if (m->metrics)
		metrics_del(m->metrics);
	for (int k = 0; k < KIND_COUNT; k++) {
		struct hash_it it = {0};
		while (tables[k] && hash_next(tables[k], &it)) {
			struct row *r = it.value;
			if (r->module != m)
				continue;
			fire(r, EVENT_MODULE_UNLOAD);
			hash_del(tables[k], it.key);
		}
	}
}

void registry_clear(void)
{
	while (module_count())
		module_forget(module_at(module_count() - 1));
	for (int k = 0; k < KIND_COUNT; k++) {
		hash_free(tables[k]);
		tables[k] = NULL;
	}
}

static ON_CTL const void *find(enum kind kind, struct sv name)
{
	struct row *r = tables[kind] ? hash_get(tables[kind], name) : NULL;
	return r ? r->desc : NULL;
}

void registry_outside_set(const struct registry_outside *ops)
{
	outside = ops;
}

int app_invoke(const struct app_desc *app, struct leg *leg, const char *data)
{
	loop_mark(app->name);
	return app->outside ? outside->app(app, leg, data) : app->fn(leg, data);
}

void app_keep(const struct app_desc *app, bool is_held)
{
	if (app->owner)
		outside->keep(app->owner, is_held);
}

int api_invoke(const struct api_desc *api, struct api_call *call)
{
	return api->outside ? outside->api(api, call) : api->fn(call);
}

const struct app_desc *app_find(const char *name)
{
	return find(KIND_APP, sv_of(name));
}
const struct api_desc *api_find(const char *name)
{
	return find(KIND_API, sv_of(name));
}
const struct endpoint_ops *endpoint_find(struct sv name)
{
	return find(KIND_ENDPOINT, name);
}
const struct dialplan_desc *dialplan_find(struct sv name)
{
	return find(KIND_DIALPLAN, name);
}

static int row_compare(const void *a, const void *b)
{
	const struct row *x = *(const struct row *const *)a, *y = *(const struct row *const *)b;
	int c = strcmp(x->shown.kind, y->shown.kind);
	return c ? c : strcasecmp(x->shown.name, y->shown.name);
}

void registry_each(const char *kind, void (*fn)(const struct registry_row *row, void *arg), void *arg)
{
	size_t count = 0, n = 0;
	const struct row **rows;

	for (int k = 0; k < KIND_COUNT; k++)
		count += tables[k] ? hash_count(tables[k]) : 0;
	rows = mem_alloc((count + 1) * sizeof(*rows));
	if (!rows)
		return;
	for (int k = 0; k < KIND_COUNT; k++) {
		struct hash_it it = {0};
		if (!tables[k] || (kind && kind_names[k] && strcasecmp(kind, kind_names[k])))
			continue;
		while (hash_next(tables[k], &it)) {
			const struct row *r = it.value;
			if (!kind || !strcasecmp(r->shown.kind, kind))
				rows[n++] = r;
		}
	}
	qsort(rows, n, sizeof(*rows), row_compare);
	for (size_t i = 0; i < n; i++)
		fn(&rows[i]->shown, arg);
	mem_free(rows);
}
