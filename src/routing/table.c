/* Tables of numbers from files: read as a whole, aside, then put in the old one's place. */
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/slurp.h"
#include "routing/routing_i.h"
#include "text/json.h"
#include <stdio.h>
#include <string.h>

static void value_free(void *v)
{
	mem_free(v);
}

void routing_table_free(struct routing_table *t)
{
	if (!t)
		return;
	hash_free(t->items);
	mem_free(t->name);
	mem_free(t->path);
	mem_free(t);
}

int routing_table_add(struct routing_table *t, struct sv number, struct sv value)
{
	if (!number.n || number.n > ROUTING_NUMBER_MAX)
		return ST_INVAL;
	char *copy = sv_dup(value);
	int st = copy ? hash_set(t->items, number, copy) : ST_NOMEM;
	if (st)
		mem_free(copy);
	else if (number.n > t->longest)
		t->longest = number.n;
	return st;
}

static void lines_read(struct routing_table *t, struct sv text)
{
	unsigned line = 1;
	for (struct sv one; text.n; line++) {
		sv_split(text, '\n', &one, &text);
		one = sv_trim(one);
		if (one.n && routing_table_add(t, one, SV_NONE))
			log_error("%s:%u: longer than %d characters, left out", t->path, line, ROUTING_NUMBER_MAX);
	}
}

static int json_read(struct routing_table *t, struct sv text)
{
	char error[JSON_ERROR_CHARS];
	json_t *root = NULL, *value;
	const char *key;
	int st = json_parse(&root, text, ROUTING_TABLE_BYTES_MAX, error);
	if (!st && !json_is_object(root))
		st = ST_PARSE, snprintf(error, sizeof(error), "no object");
	if (st)
		log_error("%s: %s", t->path, error);
	else
		json_object_foreach(root, key, value)
		{
			struct sv v = {json_string_value(value), json_string_length(value)};
			if (!json_is_string(value) || routing_table_add(t, sv_of(key), v))
				log_error(
				    "%s: \"%.40s\": the value is no text, or the number is longer than %d, left out",
				    t->path, key, ROUTING_NUMBER_MAX);
		}
	json_decref(root);
	return st;
}

struct routing_table *routing_table_read(const char *name, const char *path, enum routing_format format)
{
	struct routing_table *t = mem_zalloc(sizeof(*t));
	const char *why = "no memory";
	struct buf text;
	int st = ST_NOMEM;
	buf_init(&text);
	if (t && (t->name = mem_strdup(name)) && (t->path = mem_strdup(path)))
		st = hash_new(&t->items, 0, value_free);
	if (!st)
		st = slurp(path, ROUTING_TABLE_BYTES_MAX, &text, &why);
	if (st)
		log_error("%s: %s; the table %s is not loaded", path, why, name);
	else if (format == ROUTING_LINES)
		lines_read(t, buf_sv(&text));
	else
		st = json_read(t, buf_sv(&text));
	buf_fini(&text);
	if (st) {
		routing_table_free(t);
		t = NULL;
	}
	return t;
}

const char *routing_table_longest(const struct routing_table *t, struct sv text)
{
	const char *value = NULL;
	for (size_t n = text.n < t->longest ? text.n : t->longest; n && !value; n--)
		value = hash_get(t->items, sv_sub(text, 0, n));
	return value;
}

struct routing_table *routing_table_find(struct routing_table *list, const char *name)
{
	while (list && strcmp(list->name, name) != 0)
		list = list->next;
	return list;
}

void routing_tables_free(struct routing_table **list)
{
	while (*list) {
		struct routing_table *t = *list;
		*list = t->next;
		routing_table_free(t);
	}
}

void routing_table_put(struct routing_table **list, struct routing_table *t)
{
	while (*list && strcmp((*list)->name, t->name) != 0)
		list = &(*list)->next;
	if (*list) {
		t->next = (*list)->next;
		routing_table_free(*list);
	}
	*list = t;
}
