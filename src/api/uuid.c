/* The one way of every command on a leg: its row says how many words it needs, what stands in front of the uuid and
 * what is said when there is no such leg, for FreeSWITCH's words differ from command to command. Arguments are cut, the
 * leg is found and kept while the row's function runs. The functions are in uuid_vars.c (variables), uuid_route.c
 * (where the call goes), uuid_far.c (what the far end is told) and uuid_media_ctl.c (what is heard). */
#include "api/api_i.h"

#define LEG_COMMAND(id, fn, description, syntax_text, min, max, complete, ...) \
	int run_##id(struct api_call *c) \
	{ \
		static const struct leg_command row = {syntax_text, min, max, fn, __VA_ARGS__}; \
		role_assert_ctl(); \
		return api_on_leg(c, &row); \
	}
#include "api/uuid_commands.inc"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#undef LEG_COMMAND

void api_leg_usage(struct api_call *c, const struct leg_command *row)
{
	if (row->usage)
		buf_adds(c->out, row->usage);
	else
		buf_printf(c->out, "-USAGE: %s\n", row->syntax);
	if (row->after_usage)
		buf_adds(c->out, row->after_usage);
}

/* Takes the word in front of the uuid off, when the row allows one and it is there. */
static void take_before(struct api_words *w, const char *list)
{
	struct sv rest = sv_of(list), one;
	while (w->n && rest.n) {
		sv_split(rest, '|', &one, &rest);
		if (!sv_isi(one, w->w[0]))
			continue;
		w->before = w->w[0];
		memmove(w->w, w->w + 1, (size_t)(w->n - 1) * sizeof(w->w[0]));
		memmove(w->m, w->m + 1, (size_t)(w->n - 1) * sizeof(w->m[0]));
		w->n--;
		api_words_end(w);
		return;
	}
}

static void say_missing(struct api_call *c, const char *text, const char *uuid)
{
	const char *at = strstr(text, "%s");
	if (!at) {
		buf_adds(c->out, text);
		return;
	}
	buf_printf(c->out, "%.*s%s%s", (int)(at - text), text, uuid, at + 2);
}

int api_on_leg(struct api_call *c, const struct leg_command *row)
{
	struct api_words w;
	int st = api_words_init(&w, c, (int)row->words_max + (row->before ? 1 : 0));
	if (st)
		goto out;
	w.command = row;
	if (row->before)
		take_before(&w, row->before);
	if ((unsigned)w.n < row->words_min) {
		api_leg_usage(c, row);
		goto out;
	}
	struct leg *leg = w.n ? mem_ref(leg_find(w.w[0])) : NULL;
	if (leg)
		row->fn(c, leg, &w);
	else
		say_missing(c, row->missing, w.n ? w.w[0] : "");
	mem_unref(leg);
out:
	api_words_fini(&w);
	return st;
}
