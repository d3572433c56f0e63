/* XML that is asked for when it is needed, before the files are looked at: FreeSWITCH's XML bindings. A module
 * (mod_lua, mod_xml_curl, mod_xml_ldap ...) binds sections; who needs something of a section asks on a coroutine and
 * gets a document of his own. Bindings are asked in the order in which they were made, each only when those before it
 * had no answer, at the end the files. The questions that wait are bounded. */
#pragma once
#include "base/role.h"
#include "text/xml.h"

struct event;
struct source_question {                        /* borrowed */
	const char *section;                    /* "dialplan", "directory" ... */
	const char *tag, *key_name, *key_value; /* of the element looked for; NULL: any */
	struct event *params;                   /* what is known of who needs it; never NULL, may be empty */
};
/* One of the two: a text, which is read on a worker, or a document that was read before (a reference). */
struct source_answer {
	struct buf text;
	struct xml_doc *doc;
};
/* ST_NOTFOUND: no such thing, the next is asked; another failure: it is not known, the next is asked as well. */
typedef int (*source_answer_fn)(const struct source_question *q, struct source_answer *out, void *arg); /* CO */

struct source_binding;
/* sections: names with anything between. who: what the log calls it; copied. */
ON_CTL int source_bind(
    struct source_binding **out, const char *who, const char *sections, source_answer_fn fn, void *arg);
ON_CTL void source_unbind(struct source_binding *b); /* not while its fn runs; NULL is fine */
ON_CTL bool source_is_bound(const char *section);
/* Asks, reads the answer on a worker and finds its section. *doc is a reference. ST_NOTFOUND: nothing is bound, or
 * there is no such thing; ST_LIMIT: too many ask; ST_PARSE: the answer is no XML, the log says where; another: what
 * the last one that could not say said. */
CO int source_ask(const struct source_question *q, struct xml_doc **doc, const struct xml_node **section);
/* <configuration name=>: of who answers, else of the files. params may be NULL. *doc is a reference that keeps *conf.
 */
CO int source_conf(const char *name, struct event *params, struct xml_doc **doc, const struct xml_node **conf);
/* Reads a text as an answer; on a worker. ST_PARSE with error. */
ON_WORK int source_read(struct xml_doc **doc, struct sv text, const char *who, char error[XML_ERROR_CHARS]);
/* The <section> of a document, or its root where that is one; NULL: it has none, or says "not found". */
ANY const struct xml_node *source_section(const struct xml_doc *doc, const char *name);
