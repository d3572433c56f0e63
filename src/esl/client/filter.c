/* Event filters: a list looked through in the order it was made. The expressions are compiled when added. */
#include "esl/client/filter.h"
#include "base/mem.h"
#include "text/re.h"

#include <string.h>
#include <strings.h>

struct esl_filter {
	char *header, *value; /* value as given, for deleting */
	const char *compared; /* in value, behind the sign */
	bool is_negative;
	struct re *re; /* NULL: compare text */
};

static void filter_fini(struct esl_filter *it)
{
	mem_free(it->header);
	mem_free(it->value);
	mem_unref(it->re);
}

void esl_filters_fini(struct esl_filters *f)
{
	for (size_t i = 0; i < f->count; i++)
		filter_fini(&f->items[i]);
	mem_free(f->items);
	*f = (struct esl_filters){0};
}

static int filter_init(struct esl_filter *it, const char *header, const char *value)
{
	*it = (struct esl_filter){.header = mem_strdup(header), .value = mem_strdup(value)};
	if (!it->header || !it->value)
		return ST_NOMEM;
	const char *p = it->value;
	for (; *p == '+' || *p == '-' || *p == ' '; p++)
		if (*p != ' ')
			it->is_negative = *p == '-';
	it->compared = p;
	return *p == '/' ? re_new_expression(&it->re, sv_of(p), NULL) : ST_OK;
}

int esl_filters_add(struct esl_filters *f, const char *header, const char *value)
{
	if (f->count == ESL_FILTER_MAX_COUNT)
		return ST_FULL;
	if (f->count == f->cap) {
		size_t cap = f->cap ? f->cap * 2 : 8;
		struct esl_filter *items = mem_realloc(f->items, cap * sizeof(*items));
		if (!items)
			return ST_NOMEM;
		f->items = items;
		f->cap = cap;
	}
	struct esl_filter it;
	int st = filter_init(&it, header, value);
	if (st) {
		filter_fini(&it);
		return st;
	}
	f->items[f->count++] = it;
	return ST_OK;
}

void esl_filters_del(struct esl_filters *f, const char *header, const char *value)
{
	size_t kept = 0;
	for (size_t i = 0; i < f->count; i++) {
		struct esl_filter *it = &f->items[i];
		bool goes = !strcasecmp(header, "all") ||
		            (!strcasecmp(it->header, header) && (!value || !*value || !strcmp(it->value, value)));
		if (goes)
			filter_fini(it);
		else
			f->items[kept++] = *it;
	}
	f->count = kept;
}

bool esl_filters_pass(const struct esl_filters *f, const struct event *e)
{
	bool passes = f->count == 0;
	for (size_t i = 0; i < f->count; i++) {
		const struct esl_filter *it = &f->items[i];
		if (passes && !it->is_negative)
			continue;
		const char *v = event_get(e, it->header);
		if (!v)
			continue;
		if (it->re ? re_match(it->re, sv_of(v), NULL) == 1 : !strcasecmp(v, it->compared)) {
			if (it->is_negative)
				return false;
			passes = true;
		}
	}
	return passes;
}
