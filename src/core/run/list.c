/* The lists of a leg's applications: those to run, those begun (for records that show the whole list), and the log of
 * what ran. */
#include "base/mem.h"
#include "base/status.h"
#include "core/leg/leg.h"
#include "core/run/exec.h"
#include "core/run/exec_i.h"
#include "core/run/run_core.h"
#include "text/mark.h"
#include <string.h>

void exec_items_init(struct exec_items *l)
{
	l->first = NULL, l->end = &l->first, l->count = 0;
}

struct exec_item *exec_item_new(const char *app, const char *data, const char *extension)
{
	size_t a = strlen(app) + 1, d = data ? strlen(data) + 1 : 1, x = extension ? strlen(extension) + 1 : 0;
	struct exec_item *item = mem_alloc(sizeof(*item) + a + d + x);
	char *p;

	if (!item)
		return NULL;
	memset(item, 0, sizeof(*item));
	p = (char *)(item + 1);
	item->app = memcpy(p, app, a);
	item->data = memcpy(p + a, data ? data : "", d);
	if (x)
		item->extension = memcpy(p + a + d, extension, x);
	return item;
}

void exec_items_push(struct exec_items *l, struct exec_item *item)
{
	*l->end = item;
	l->end = &item->next;
	l->count++;
}

struct exec_item *exec_items_pop(struct exec_items *l)
{
	struct exec_item *item = l->first;
	if (item) {
		l->first = item->next;
		item->next = NULL;
		l->count--;
		if (!l->first)
			l->end = &l->first;
	}
	return item;
}

void exec_items_clear(struct exec_items *l)
{
	struct exec_item *item;
	while ((item = exec_items_pop(l)))
		mem_free(item);
}

void exec_items_move(struct exec_items *to, struct exec_items *from)
{
	if (from->first) {
		*to = *from;
		exec_items_init(from);
	}
}

static ON_CTL int item_make(
    struct leg *leg, const char *app, const char *data, const char *extension_name, struct exec_item **out)
{
	if (exec_of(leg)->list.count >= ITEMS_MAX)
		return ST_LIMIT;
	if (mark_has(sv_of(app))) {
		leg_log(leg, LOG_WARNING, "an application that is named from outside is not run");
		return ST_DENIED;
	}
	*out = exec_item_new(app, data, extension_name);
	return *out ? ST_OK : ST_NOMEM;
}

int leg_exec_add(struct leg *leg, const char *app, const char *data, const char *extension_name)
{
	struct exec_item *item;
	int st = item_make(leg, app, data, extension_name, &item);

	if (st)
		return st;
	exec_items_push(&exec_of(leg)->list, item);
	if (!exec_of(leg)->is_running && !exec_is_detached(leg) && leg->state == CS_CONSUME_MEDIA)
		exec_kick(leg);
	return ST_OK;
}

int exec_add_first(struct leg *leg, const char *app, const char *data)
{
	struct exec_items *l = &exec_of(leg)->list;
	struct exec_item *item;
	int st = item_make(leg, app, data, NULL, &item);

	if (st)
		return st;
	item->next = l->first;
	l->first = item;
	if (!item->next)
		l->end = &item->next;
	l->count++;
	return ST_OK;
}

void leg_exec_clear(struct leg *leg)
{
	exec_items_clear(&exec_of(leg)->list);
}

static bool keeps_past;

void leg_exec_keep_list(bool is_kept)
{
	keeps_past = is_kept;
}

void exec_item_past(struct leg *leg, struct exec_item *item)
{
	if (keeps_past && exec_of(leg)->past.count < ITEMS_MAX)
		exec_items_push(&exec_of(leg)->past, item);
	else
		mem_free(item);
}

void leg_exec_list_each(struct leg *leg,
    void (*fn)(const char *app, const char *data, const char *extension, bool is_next, void *arg), void *arg)
{
	const struct exec_items *lists[] = {&exec_of(leg)->past, &exec_of(leg)->list};
	struct buf data;

	buf_init(&data);
	for (int i = 0; i < 2; i++) {
		for (const struct exec_item *item = lists[i]->first; item; item = item->next) {
			buf_clear(&data);
			mark_strip(&data, sv_of(item->data));
			fn(item->app, data.p ? data.p : "", item->extension, i && item == lists[i]->first, arg);
		}
	}
	buf_fini(&data);
}

void leg_exec_log_each(
    struct leg *leg, void (*fn)(const char *app, const char *data, int64_t wall_us, void *arg), void *arg)
{
	for (struct exec_item *item = exec_of(leg)->log.first; item; item = item->next)
		fn(item->app, item->data, item->wall_us, arg);
}
