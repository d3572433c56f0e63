/* The questions, one after the other on one coroutine: there are some dozens, asked at a reload and at the start. A
 * binding that fails is left out for the rest of this load after three failures, so that a dead server does not hold up
 * a reload by the number of files. */
#include "core/conf/overlay.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config_i.h"
#include "core/conf/source.h"
#include "core/event/event.h"
#include "loop/co.h"
#include "loop/loop.h"
#include <string.h>

enum { FAILURES_MAX = 3, NAMES_MAX = 512 };

static overlay_names_fn each_name;

void overlay_names_set(overlay_names_fn each)
{
	each_name = each;
}

struct names {
	struct hash *seen;
	char *list[NAMES_MAX];
	size_t count;
};

static void add_name(const char *conf, void *arg)
{
	struct names *n = arg;

	/* these say who is asked, and what is loaded at all: they are of the files */
	if (!strcmp(conf, "modules.conf") || !strcmp(conf, "xml_curl.conf") || !strcmp(conf, "xml_ldap.conf"))
		return;
	if (n->count == NAMES_MAX || hash_get(n->seen, sv_of(conf)) || hash_set(n->seen, sv_of(conf), n))
		return;
	if ((n->list[n->count] = mem_strdup(conf)))
		n->count++;
}

static ON_CTL void extra_add(
    struct config_extras *to, const char *name, struct xml_doc *doc, const struct xml_node *node)
{
	struct config_extra *bigger = mem_realloc(to->list, (to->count + 1) * sizeof *bigger);
	char *copy = mem_strdup(name);

	if (bigger)
		to->list = bigger;
	if (!bigger || !copy) {
		mem_free(copy);
		return;
	}
	to->list[to->count++] = (struct config_extra){copy, mem_ref(doc), node};
}

CO static int ask(const char *name, struct config_extras *out)
{
	const struct xml_node *section, *node;
	struct xml_doc *doc = NULL;
	struct source_question q = {
	    .section = "configuration", .tag = "configuration", .key_name = "name", .key_value = name};
	int st;

	q.params = event_new_plain(EVENT_REQUEST_PARAMS);
	if (!q.params)
		return ST_NOMEM;
	st = source_ask(&q, &doc, &section);
	mem_unref(q.params);
	node = st ? NULL : xml_child_with(section, "configuration", "name", name);
	if (node)
		extra_add(out, name, doc, node);
	mem_unref(doc);
	return st;
}

static ON_CTL void keep_old(const char *name, struct config_extras *out)
{
	const struct config_extra *old = config_extra_of(config_current(), name);

	if (old)
		extra_add(out, name, old->doc, old->node);
}

void overlay_gather(struct config_extras *out)
{
	struct names *n = mem_zalloc(sizeof *n);
	unsigned failures = 0, kept = 0;

	if (!n || hash_new(&n->seen, 0, NULL)) {
		mem_free(n);
		return;
	}
	if (each_name)
		each_name(add_name, n);
	for (size_t i = 0; i < n->count; i++) {
		int st = failures < FAILURES_MAX ? ask(n->list[i], out) : ST_BUSY;
		if (st && st != ST_NOTFOUND) {
			failures++, kept++;
			keep_old(n->list[i], out);
		}
		mem_free(n->list[i]);
	}
	if (kept)
		log_error(
		    "configuration: %u files were not answered for; they stay as they are, or as the files have them",
		    kept);
	else if (out->count)
		log_notice("configuration: %zu files are from elsewhere", out->count);
	hash_free(n->seen);
	mem_free(n);
}

static void on_done(int status, const char *message, void *arg)
{
	*(bool *)arg = true;
}

void overlay_load_now(void)
{
	bool is_done = false;

	if (!source_is_bound("configuration") || config_reload(on_done, &is_done))
		return;
	while (!is_done)
		loop_run_once();
}
