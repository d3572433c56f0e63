/* The way of a question: the binding's function makes a text, a worker makes a document of it, its <section> is given
 * back. Nothing is kept here. The text is an administrator's (his script made it), so it is read leniently. */
#include "core/conf/source.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/co.h"
#include <string.h>
#include <strings.h>

enum { ASKING_MAX = 200, ANSWER_MAX_BYTES = 8 << 20 };

static struct {
	char *sections;
	source_answer_fn fn;
	unsigned asking;
} binding;

void source_bind(const char *sections, source_answer_fn fn)
{
	mem_free(binding.sections);
	binding.sections = fn && sections ? mem_strdup(sections) : NULL;
	binding.fn = binding.sections ? fn : NULL;
}

bool source_is_bound(const char *section)
{
	static const char between[] = "|, ";
	size_t n = strlen(section), word;

	for (const char *at = binding.sections; at && *at; at += word, at += strspn(at, between)) {
		word = strcspn(at, between);
		if (word == n && !strncasecmp(at, section, n))
			return true;
	}
	return false;
}

struct answer {
	struct buf text;
	struct xml_doc *doc;
	const char *section;
	int status;
	char error[XML_ERROR_CHARS];
};

static void warn(const char *warning, void *arg)
{
	log_warning("%s", warning);
}

static void answer_read(void *arg)
{
	struct answer *a = arg;

	role_assert_work();
	a->status =
	    xml_parse_lenient(&a->doc, a->text.p, a->text.n, "the XML handler's answer", NULL, 0, warn, NULL, a->error);
}

/* The <section> of the document, or its root where that is one. */
static const struct xml_node *section_of(const struct xml_doc *doc, const char *name)
{
	const struct xml_node *root = xml_root(doc);

	if (!strcmp(root->name, "section"))
		return sv_isi(sv_of(xml_attr(root, "name")), name) ? root : NULL;
	return xml_child_with(root, "section", "name", name);
}

static bool says_not_found(const struct xml_doc *doc)
{
	xml_each(xml_root(doc), "section", s) if (xml_child_with(s, "result", "status", "not found")) return true;
	return false;
}

CO static int ask(const struct source_question *q, struct answer *a)
{
	int st = binding.fn(q, &a->text);

	if (!st && !sv_trim(buf_sv(&a->text)).n)
		st = ST_NOTFOUND;
	if (!st)
		st = co_work(WORK_CONFIG, "XML answer", answer_read, a);
	return st ? st : a->status;
}

int source_ask(const struct source_question *q, struct xml_doc **doc, const struct xml_node **section)
{
	struct answer *a;
	int st;

	if (!binding.fn || !source_is_bound(q->section))
		return ST_NOTFOUND;
	if (binding.asking >= ASKING_MAX)
		return ST_LIMIT;
	a = mem_zalloc(sizeof *a);
	if (!a)
		return ST_NOMEM;
	buf_init(&a->text);
	a->text.max = ANSWER_MAX_BYTES;
	binding.asking++;
	st = ask(q, a);
	binding.asking--;
	if (st == ST_PARSE)
		log_error("%s: %s", q->section, a->error);
	if (!st) {
		*section = says_not_found(a->doc) ? NULL : section_of(a->doc, q->section);
		st = *section ? ST_OK : ST_NOTFOUND;
	}
	if (!st)
		*doc = mem_ref(a->doc);
	mem_unref(a->doc);
	buf_fini(&a->text);
	mem_free(a);
	return st;
}
