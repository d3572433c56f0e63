/* The command features: what a user has set, read and changed by operators and programs. Replies: a value, a table, or
 * +OK and -ERR. */
#include "base/mem.h"
#include "base/status.h"
#include "core/registry/api.h"
#include "core/registry/app_words.h"
#include "features/features_i.h"
#include "text/json.h"

#include <string.h>

static const char *shown(const char *name, const char *value)
{
	struct sv key;
	const struct feature_kind *k = feature_kind_of(sv_of(name), &key);
	return k && k->is_private && *value ? "(set)" : value;
}

static void put_line(const char *name, const char *value, void *arg)
{
	buf_printf(arg, "%s,%s\n", name, shown(name, value));
}

static void put_member(const char *name, const char *value, void *arg)
{
	jw_kv_str(arg, name, shown(name, value));
}

static ON_CTL void list(const struct feature_user *u, bool is_json, struct buf *out)
{
	struct json_writer w;
	if (!is_json) {
		buf_adds(out, "feature,value\n");
		feature_each(u, put_line, out);
		return;
	}
	jw_init(&w, out, false);
	jw_begin_object(&w);
	feature_each(u, put_member, &w);
	jw_end_object(&w);
}

static ON_CTL void names(struct buf *out)
{
	const struct feature_kind *k;
	for (size_t i = 0; (k = feature_kind_at(i)); i++)
		buf_printf(out, "%s%s,%s%s%s\n", k->name, k->key_max ? ":<key>" : "", k->help,
		    k->fallback ? "; else " : "", k->fallback ? k->fallback : "");
}

static ON_CTL void set(struct feature_user *u, struct sv name, struct sv value, bool is_set, struct buf *out)
{
	char *text = is_set ? sv_dup(value) : NULL;
	int st = is_set && !text ? ST_NOMEM : feature_set(u, name, text, "command");
	mem_free(text);
	if (!st)
		buf_adds(out, "+OK\n");
	else if (st == ST_NOTFOUND)
		buf_printf(out, "-ERR no feature \"%.*s\" (features names)\n", SVF(name));
	else if (st == ST_INVAL)
		buf_printf(out, "-ERR \"%.*s\" is no value of %.*s\n", SVF(value), SVF(name));
	else
		buf_adds(
		    out, st == ST_FULL ? "-ERR the user has as many of these as he may\n" : "-ERR out of memory\n");
}

static ON_CTL void of_user(struct feature_user *u, const struct app_words *w, struct buf *out)
{
	struct sv verb = sv_of(w->w[0]), name = sv_of(w->n > 2 ? w->w[2] : ""), value = sv_of(w->n > 3 ? w->w[3] : ""),
	          key;
	const char *v;
	if (sv_isi(verb, "list")) {
		list(u, sv_isi(name, "json") || sv_isi(value, "json"), out);
	} else if (sv_isi(verb, "get")) {
		v = feature_kind_of(name, &key) ? feature_get(u, w->w[2]) : NULL;
		buf_adds(out, v ? shown(w->w[2], v) : "");
	} else if (sv_isi(verb, "set")) {
		set(u, name, value, true, out);
	} else if (sv_isi(verb, "clear")) {
		set(u, name, SV_NONE, false, out);
	}
}

int api_features(struct api_call *c)
{
	static const char usage[] =
	    "-USAGE: list <user>@<domain> [json] | get <user>@<domain> <name> | set <user>@<domain> <name> <value> | "
	    "clear <user>@<domain> <name> | names | wakes | callbacks\n";
	struct feature_user *u;
	struct app_words w;
	role_assert_ctl();
	/* what is from outside parts no words: it names no other user, and no other feature */
	int st = app_words_init(&w, c->who ? c->args : c->text, 4);
	struct sv verb = sv_of(w.n ? w.w[0] : ""), user = sv_of(w.n > 1 ? w.w[1] : "");
	if (st) {
		app_words_fini(&w);
		return st;
	}
	if (sv_isi(verb, "names")) {
		names(c->out);
	} else if (sv_isi(verb, "wakes")) {
		wake_list(c->out);
	} else if (sv_isi(verb, "callbacks")) {
		callback_list(c->out);
	} else if (!sv_isi(verb, "list") && !sv_isi(verb, "get") && !sv_isi(verb, "set") && !sv_isi(verb, "clear")) {
		buf_adds(c->out, usage);
	} else if (feature_user_find(user, SV_NONE, &u)) {
		buf_printf(c->out, "-ERR no user \"%.*s\" (user@domain)\n", SVF(user));
	} else {
		of_user(u, &w, c->out);
		feature_user_free(u);
	}
	app_words_fini(&w);
	return ST_OK;
}
