/* XML that is asked for when it is needed, before the files are looked at: FreeSWITCH's XML bindings. A module
 * (mod_lua's xml-handler-script) binds sections; who needs something of a section asks on a coroutine and gets a
 * document of his own. One binding at a time; the questions that wait are bounded. */
#pragma once
#include "base/role.h"
#include "text/xml.h"

struct event;
struct source_question {                        /* borrowed */
	const char *section;                    /* "dialplan", "directory" ... */
	const char *tag, *key_name, *key_value; /* of the element looked for; NULL: any */
	struct event *params;                   /* what is known of who needs it; never NULL */
};
/* Appends the document as text; ST_NOTFOUND: no such thing. */
typedef int (*source_answer_fn)(const struct source_question *q, struct buf *out); /* CO */

/* sections: names with anything between. fn NULL: nothing is bound any more. */
ON_CTL void source_bind(const char *sections, source_answer_fn fn);
ON_CTL bool source_is_bound(const char *section);
/* Asks, reads the answer on a worker and finds its section. *doc is a reference. ST_NOTFOUND: nothing is bound, or
 * there is no such thing; ST_LIMIT: too many ask; ST_PARSE: the answer is no XML, the log says where. */
CO int source_ask(const struct source_question *q, struct xml_doc **doc, const struct xml_node **section);
