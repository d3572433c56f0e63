/* docs/reference.md, made from the tables of the modules: what there is is what is documented. Markdown to standard
 * output; nothing is loaded or started. */
#include "main/reference.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/registry/api.h"
#include "core/registry/app.h"
#include "core/registry/endpoint.h"
#include "core/registry/module.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct row {
	char *key;  /* sorted by */
	char *text; /* the whole line */
};
struct rows {
	struct row *v;
	size_t count, room;
	bool is_failed;
};

static void cell(struct buf *b, const char *text)
{
	buf_adds(b, " ");
	for (const char *p = text ? text : ""; *p; p++) {
		if (*p == '|' || *p == '<')
			buf_addc(b, '\\');
		buf_addc(b, *p == '\n' ? ' ' : *p);
	}
	buf_adds(b, " |");
}

static void code_cell(struct buf *b, const char *text)
{
	struct buf inner;

	buf_init(&inner);
	if (text && *text) {
		buf_addc(&inner, '`');
		for (const char *p = text; *p; p++) {
			if (*p == '|') /* a table's cell ends there even inside code */
				buf_addc(&inner, '\\');
			buf_addc(&inner, *p == '\n' ? ' ' : *p);
		}
		buf_addc(&inner, '`');
	}
	buf_printf(b, " %s |", inner.p ? inner.p : "");
	buf_fini(&inner);
}

/* Takes the line. */
static void rows_add(struct rows *r, const char *key, struct buf *line)
{
	if (r->count == r->room) {
		size_t room = r->room ? 2 * r->room : 256;
		struct row *v = mem_realloc(r->v, room * sizeof(*v));
		if (!v) {
			r->is_failed = true;
			buf_fini(line);
			return;
		}
		r->v = v, r->room = room;
	}
	r->v[r->count].key = mem_strdup(key);
	r->v[r->count].text = buf_take(line);
	r->is_failed |= !r->v[r->count].key || !r->v[r->count].text;
	r->count++;
}

static int by_key(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int d = strcasecmp(x->key, y->key);
	return d ? d : strcmp(x->text, y->text);
}

static void rows_print(struct rows *r, const char *title, const char *head)
{
	unsigned columns = 0;

	if (r->count && !r->is_failed)
		qsort(r->v, r->count, sizeof(*r->v), by_key);
	for (const char *p = head; *p; p++)
		columns += *p == '|';
	printf("\n## %s\n\n%s\n|", title, head);
	while (columns-- > 1)
		printf("---|");
	printf("\n");
	for (size_t i = 0; i < r->count; i++) {
		if (r->v[i].text)
			printf("|%s\n", r->v[i].text);
		mem_free(r->v[i].key);
		mem_free(r->v[i].text);
	}
	mem_free(r->v);
}

static void add_app(const struct module *m, void *arg)
{
	for (const struct app_desc *d = m->apps; d && d->name; d++) {
		struct buf b;
		buf_init(&b);
		code_cell(&b, d->name);
		code_cell(&b, d->syntax);
		cell(&b, d->description);
		cell(&b, d->flags & APP_ROUTING_EXEC ? "yes" : "");
		cell(&b, m->name);
		rows_add(arg, d->name, &b);
	}
}

static void add_api(const struct module *m, void *arg)
{
	for (const struct api_desc *d = m->apis; d && d->name; d++) {
		struct buf b;
		buf_init(&b);
		code_cell(&b, d->name);
		code_cell(&b, d->syntax);
		cell(&b, d->description);
		cell(&b, m->name);
		rows_add(arg, d->name, &b);
	}
}

static void add_endpoint(const struct module *m, void *arg)
{
	for (const struct endpoint_ops *const *e = m->endpoints; e && *e; e++) {
		struct buf b;
		buf_init(&b);
		code_cell(&b, (*e)->name);
		cell(&b, m->name);
		rows_add(arg, (*e)->name, &b);
	}
}

static void add_var(const struct module *m, void *arg)
{
	for (const struct var_desc *d = m->vars; d && d->name; d++) {
		struct buf b;
		buf_init(&b);
		code_cell(&b, d->name);
		cell(&b, d->type);
		cell(&b, d->is_read && d->is_written ? "read, set" : d->is_read ? "read" : "set");
		cell(&b, d->help);
		cell(&b, m->name);
		rows_add(arg, d->name, &b);
	}
}

static void add_conf(const struct module *m, void *arg)
{
	for (const struct conf_desc *d = m->confs; d && d->key; d++) {
		struct buf b;
		char key[128];
		buf_init(&b);
		code_cell(&b, d->file);
		code_cell(&b, d->key);
		cell(&b, d->type);
		cell(&b, d->unit);
		code_cell(&b, d->fallback);
		cell(&b, d->help);
		snprintf(key, sizeof(key), "%s %s", d->file, d->key);
		rows_add(arg, key, &b);
	}
}

void reference_print(void)
{
	static const struct {
		const char *title, *head;
		void (*add)(const struct module *m, void *arg);
	} sections[] = {
	    {"Applications", "| application | arguments | what it does | inline | module |", add_app},
	    {"Commands", "| command | arguments | what it does | module |", add_api},
	    {"Endpoints", "| dial strings begin with | module |", add_endpoint},
	    {"Channel variables", "| variable | type | use | meaning | module |", add_var},
	    {"Configuration keys", "| file | key | type | unit | default | meaning |", add_conf},
	};

	printf("# Reference\n\nMade from the modules' tables by `tandem -reference`; do not edit. `inline`: may run "
	       "while the "
	       "dialplan is still matched.\n");
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		struct rows rows = {0};
		module_each(sections[i].add, &rows);
		rows_print(&rows, sections[i].title, sections[i].head);
	}
}
