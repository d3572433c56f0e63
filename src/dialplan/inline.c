/* The inline dialplan: a list of applications in one string, and the lists' growth. */
#include "base/mem.h"
#include "dialplan/dialplan.h"

void dp_actions_fini(struct dp_actions *a)
{
	for (size_t i = 0; i < a->count; i++) {
		mem_free(a->list[i].app);
		mem_free(a->list[i].data);
	}
	mem_free(a->list);
	mem_free(a->extension);
	*a = (struct dp_actions){0};
}

int dp_actions_add(struct dp_actions *a, struct sv app, struct sv data)
{
	struct dp_action made;

	if (a->count >= DP_MAX_ACTIONS)
		return ST_LIMIT;
	if (a->count == a->cap) {
		size_t more = a->cap ? a->cap * 2 : 16;
		struct dp_action *bigger = mem_realloc(a->list, more * sizeof *bigger);
		if (!bigger)
			return ST_NOMEM;
		a->list = bigger, a->cap = more;
	}
	made.app = sv_dup(app);
	made.data = sv_dup(data);
	if (!made.app || !made.data) {
		mem_free(made.app);
		mem_free(made.data);
		return ST_NOMEM;
	}
	a->list[a->count++] = made;
	return ST_OK;
}

struct sv dp_item_take(struct sv *rest, char delim, struct buf *item)
{
	bool is_quoted = false;
	size_t i = 0;

	buf_clear(item);
	for (; i < rest->n; i++) {
		char c = rest->p[i];
		if (c == '\\' && i + 1 < rest->n && (rest->p[i + 1] == '\'' || rest->p[i + 1] == delim))
			buf_addc(item, rest->p[++i]);
		else if (c == '\'')
			is_quoted = !is_quoted;
		else if (c == delim && !is_quoted)
			break;
		else
			buf_addc(item, c);
	}
	*rest = i < rest->n ? sv_sub(*rest, i + 1, rest->n) : SV_NONE;
	return sv_trim(buf_sv(item));
}

int dialplan_inline_parse(struct sv text, struct dp_actions *out)
{
	struct sv app, data, whole;
	struct buf item;
	char delim = ',';
	int st = ST_OK;

	if (text.n >= 4 && text.p[0] == 'm' && text.p[1] == ':' && text.p[3] == ':') {
		delim = text.p[2];
		text = sv_sub(text, 4, text.n);
	}
	buf_init(&item);
	while (text.n && !st) {
		whole = dp_item_take(&text, delim, &item);
		sv_split(whole, ':', &app, &data);
		app = sv_trim(app);
		if (app.n)
			st = dp_actions_add(out, app, data);
		if (item.failed)
			st = ST_NOMEM;
	}
	buf_fini(&item);
	if (!st && !out->count)
		st = ST_NOTFOUND;
	if (!st && !out->extension && !(out->extension = mem_strdup("inline")))
		st = ST_NOMEM;
	return st;
}
