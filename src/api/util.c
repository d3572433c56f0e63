/* What every command needs: words out of an argument line, the usage text, a leg by its uuid. */
#include "api/api_i.h"
#include "base/status.h"
#include "core/door/door.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "core/registry/principal.h"
#include "text/mark.h"
#include "text/words.h"

/* Words of somebody's own line, each marked as a whole. */
static int words_of(struct api_words *w, const char *args, int max)
{
	w->plain = mem_strdup(args);
	if (!w->plain)
		return ST_NOMEM;
	w->n = words_split(w->plain, ' ', w->w, max);
	for (int i = 0; i < w->n; i++)
		if (!(w->m[i] = w->own[i] = principal_data_dup(w->w[i], "")))
			return ST_NOMEM;
	return ST_OK;
}

void api_words_end(struct api_words *w)
{
	static char none[1];
	for (int i = w->n; i < API_WORDS_MAX; i++)
		w->w[i] = w->m[i] = none;
}

static int words_init(struct api_words *w, const struct api_call *c, int max)
{
	if (c->who)
		return words_of(w, c->args, max);
	w->text = mem_strdup(c->text);
	if (!w->text)
		return ST_NOMEM;
	w->n = words_split(w->text, ' ', w->m, max);
	memcpy(w->w, w->m, sizeof(w->w));
	return mark_has(sv_of(c->text)) ? mark_strip_words(w->m, w->w, w->n, &w->plain) : ST_OK;
}

int api_words_init(struct api_words *w, const struct api_call *c, int max)
{
	int st;
	*w = (struct api_words){0};
	st = words_init(w, c, max);
	api_words_end(w);
	return st;
}

/* ---- for who may run certain commands only ---- */
bool api_refuse(struct api_call *c, const char *why)
{
	buf_printf(c->out, "-ERR permission denied: %s\n", why);
	return false;
}

/* Takes what a door wrote as word i. */
static ON_CTL bool word_take(struct api_call *c, struct api_words *w, int i, int st, struct buf *b, const char *why)
{
	if (st || b->failed) {
		buf_fini(b);
		return api_refuse(c, st == ST_DENIED ? why : "out of memory");
	}
	buf_adds(b, "");
	for (int k = 0; k < API_WORDS_MAX; k++)
		if (w->own[k] && w->own[k] == w->m[i]) {
			mem_free(w->own[k]);
			w->own[k] = w->m[i] = buf_take(b);
			return true;
		}
	buf_fini(b);
	return api_refuse(c, "no such word");
}

bool api_word_check(struct api_call *c, struct api_words *w, int i, enum api_door door)
{
	const char *why = "";
	struct buf b;
	int st;

	role_assert_ctl();
	if (!c->who || i >= w->n)
		return true;
	buf_init(&b);
	st = door == API_DOOR_DIAL   ? principal_put_dial(&b, w->w[i], &why)
	     : door == API_DOOR_VARS ? principal_put_vars(&b, w->w[i], &why)
	                             : principal_put_file(&b, w->w[i], door == API_DOOR_RECORDING, &why);
	return word_take(c, w, i, st, &b, why);
}

static ON_CTL bool put_name(struct api_call *c, struct api_words *w, int i)
{
	struct buf b;
	if (i >= w->n)
		return true;
	buf_init(&b);
	buf_adds(&b, w->w[i]);
	return word_take(c, w, i, ST_OK, &b, "");
}

/* "undef" and "" stand for nothing. */
static const char *given(const struct api_words *w, int i)
{
	return i < w->n && strcasecmp(w->w[i], "undef") != 0 ? w->w[i] : NULL;
}

bool api_place_check(struct api_call *c, struct api_words *w, int at)
{
	const char *why = "";

	role_assert_ctl();
	if (!c->who)
		return true;
	if (!principal_may_route(given(w, at + 1), given(w, at + 2), &why))
		return api_refuse(c, why);
	return put_name(c, w, at + 1) && put_name(c, w, at + 2);
}

bool api_app_check(struct api_call *c, struct api_words *w, int app, int data)
{
	const char *why = "";
	struct buf b;
	int st;

	if (!c->who || app >= w->n)
		return true;
	buf_init(&b);
	st = principal_put_app(&b, w->w[app], data < w->n ? w->w[data] : "", &why);
	if (data < w->n ? !word_take(c, w, data, st, &b, why) : st != ST_OK) {
		buf_fini(&b);
		return data < w->n ? false : api_refuse(c, why);
	}
	buf_fini(&b);
	return put_name(c, w, app);
}

bool api_variable_check(struct api_call *c, const char *name)
{
	const char *why = "";
	return !c->who || principal_may_set(name, &why) || api_refuse(c, why);
}

const char *api_own_text(const struct api_call *c)
{
	return c->who ? c->args : c->text;
}

bool api_is_outside(struct api_call *c, const char *text)
{
	if (!mark_has(sv_of(text)))
		return false;
	buf_adds(c->out, "-ERR refused: text from outside\n");
	return true;
}

void api_words_fini(struct api_words *w)
{
	for (int i = 0; i < API_WORDS_MAX; i++)
		mem_free(w->own[i]);
	mem_free(w->text);
	mem_free(w->plain);
}

int api_text(struct api_call *c, const char *text)
{
	buf_adds(c->out, text);
	return ST_OK;
}

int api_usage(struct api_call *c, const char *cmd)
{
	const struct api_desc *d = api_find(cmd);
	buf_printf(c->out, "-USAGE: %s\n", d && d->syntax ? d->syntax : "");
	return ST_OK;
}

struct leg *api_leg(struct api_call *c, const char *uuid)
{
	struct leg *leg = uuid ? leg_find(uuid) : NULL;
	if (!leg)
		buf_adds(c->out, "-ERR No such channel!\n");
	return leg;
}
