/* The way of a question: one binding after the other makes a text, a worker makes a document of it, its <section> is
 * given back. Nothing is kept here. The text is an administrator's (his script or his web server made it), so it is
 * read leniently; its size and depth have bounds. A binding may go or come while another is asked: the order is by
 * number. */
#include "core/conf/source.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config_i.h"
#include "core/event/event.h"
#include "loop/co.h"
#include <string.h>
#include <strings.h>

enum { ASKING_MAX = 200, ANSWER_MAX_BYTES = 8 << 20 };

struct source_binding {
	struct lnode link;
	unsigned number;
	char *who, *sections;
	source_answer_fn fn;
	void *arg;
};
static struct list bindings = {{&bindings.head, &bindings.head}};
static unsigned last_number, asking;

int source_bind(struct source_binding **out, const char *who, const char *sections, source_answer_fn fn, void *arg)
{
	struct source_binding *b = mem_zalloc(sizeof *b);

	if (!b)
		return ST_NOMEM;
	b->who = mem_strdup(who);
	b->sections = mem_strdup(sections);
	b->fn = fn, b->arg = arg;
	b->number = ++last_number;
	list_push(&bindings, &b->link);
	*out = b;
	return ST_OK;
}

void source_unbind(struct source_binding *b)
{
	if (!b)
		return;
	list_remove(&b->link);
	mem_free(b->who);
	mem_free(b->sections);
	mem_free(b);
}

static bool has_word(const char *words, const char *word, size_t n)
{
	static const char between[] = "|, ";
	size_t have;

	for (const char *at = words; at && *at; at += have, at += strspn(at, between)) {
		have = strcspn(at, between);
		if (have == n && !strncasecmp(at, word, n))
			return true;
	}
	return false;
}

/* The languages are called phrases by those who bind them. */
static bool binds(const struct source_binding *b, const char *section)
{
	bool is_words = !strcasecmp(section, "languages") || !strcasecmp(section, "phrases");

	return has_word(b->sections, section, strlen(section)) ||
	       (is_words && (has_word(b->sections, "phrases", 7) || has_word(b->sections, "languages", 9)));
}

/* The first behind number that has the section. */
static ON_CTL struct source_binding *binding_after(unsigned number, const char *section)
{
	struct lnode *it, *tmp;

	list_each (&bindings, it, tmp) {
		struct source_binding *b = list_entry(it, struct source_binding, link);
		if (b->number > number && binds(b, section))
			return b;
	}
	return NULL;
}

bool source_is_bound(const char *section)
{
	return binding_after(0, section) != NULL;
}

struct reading {
	struct source_answer answer;
	const char *who;
	int status;
	char error[XML_ERROR_CHARS];
};

static void warn(const char *warning, void *arg)
{
	log_warning("%s", warning);
}

int source_read(struct xml_doc **doc, struct sv text, const char *who, char error[XML_ERROR_CHARS])
{
	return xml_parse_lenient(doc, text.p ? text.p : "", text.n, who, NULL, 0, warn, NULL, error);
}

static void answer_read(void *arg)
{
	struct reading *r = arg;

	role_assert_work();
	r->status = source_read(&r->answer.doc, buf_sv(&r->answer.text), r->who, r->error);
}

static bool says_not_found(const struct xml_doc *doc)
{
	xml_each(xml_root(doc), "section", s) if (xml_child_with(s, "result", "status", "not found")) return true;
	return false;
}

const struct xml_node *source_section(const struct xml_doc *doc, const char *name)
{
	const struct xml_node *root = xml_root(doc), *found;

	if (says_not_found(doc))
		return NULL;
	if (!strcmp(root->name, "section"))
		return sv_isi(sv_of(xml_attr(root, "name")), name) ? root : NULL;
	found = xml_child_with(root, "section", "name", name);
	if (!found && !strcmp(name, "languages"))
		found = xml_child_with(root, "section", "name", "phrases");
	return found;
}

CO static int ask_one(struct source_binding *b, const struct source_question *q, struct reading *r)
{
	char *who = mem_strdup(b->who);
	int st = who ? b->fn(q, &r->answer, b->arg) : ST_NOMEM; /* b may be gone after it */

	if (!st && !r->answer.doc && !sv_trim(buf_sv(&r->answer.text)).n)
		st = ST_NOTFOUND;
	if (!st && !r->answer.doc) {
		r->who = who;
		st = co_work(WORK_FILE, "XML answer", answer_read, r);
		if (!st)
			st = r->status;
	}
	if (st == ST_PARSE)
		log_error("%s: %s", q->section, *r->error ? r->error : "it is no XML");
	mem_free(who);
	return st;
}

CO static int ask(const struct source_question *q, struct reading *r, const struct xml_node **section)
{
	struct source_binding *b = NULL;
	int status = ST_NOTFOUND;

	for (unsigned number = 0; (b = binding_after(number, q->section));) {
		number = b->number;
		int st = ask_one(b, q, r);
		if (!st && (*section = source_section(r->answer.doc, q->section)))
			return ST_OK;
		if (st && st != ST_NOTFOUND)
			status = st;
		r->answer.doc = mem_unref(r->answer.doc);
		buf_clear(&r->answer.text);
		r->answer.text.failed = false;
		*r->error = 0;
	}
	return status;
}

int source_ask(const struct source_question *q, struct xml_doc **doc, const struct xml_node **section)
{
	struct reading *r;
	int st;

	if (!source_is_bound(q->section))
		return ST_NOTFOUND;
	if (asking >= ASKING_MAX)
		return ST_LIMIT;
	r = mem_zalloc(sizeof *r); /* not on the coroutine's small stack */
	if (!r)
		return ST_NOMEM;
	buf_init(&r->answer.text);
	r->answer.text.max = ANSWER_MAX_BYTES;
	asking++;
	st = ask(q, r, section);
	asking--;
	if (!st)
		*doc = mem_ref(r->answer.doc);
	mem_unref(r->answer.doc);
	buf_fini(&r->answer.text);
	mem_free(r);
	return st;
}

int source_conf(const char *name, struct event *params, struct xml_doc **doc, const struct xml_node **conf)
{
	struct source_question q = {
	    .section = "configuration", .tag = "configuration", .key_name = "name", .key_value = name};
	const struct xml_node *section = NULL, *found = NULL;
	int st = ST_NOTFOUND;

	if (source_is_bound("configuration")) {
		q.params = params ? mem_ref(params) : event_new_plain(EVENT_REQUEST_PARAMS);
		st = q.params ? source_ask(&q, doc, &section) : ST_NOMEM;
		mem_unref(q.params);
		if (!st && (found = xml_child_with(section, "configuration", "name", name))) {
			*conf = found;
			return ST_OK;
		}
		if (!st)
			mem_unref(*doc);
	}
	found = config_conf(name);
	if (!found)
		return ST_NOTFOUND;
	*doc = mem_ref(config_extra_of(config_current(), name) ? config_extra_of(config_current(), name)->doc
	                                                       : config_doc(config_current()));
	*conf = found;
	return ST_OK;
}
