/* Reads a presence document (RFC 3863, RFC 4479, RFC 4480): open or closed, the first activity, a note. Outside text:
 * it is bounded, parsed without entities, and what is taken is looked at: an activity is a name of small letters, a
 * note is text of at most some hundred bytes. Prefixes of names are not looked at, only the names. Pure. */
#include "endpoint/sip/presence/watch_i.h"
#include "text/xml.h"

#include <stdio.h>

enum { NODES_MAX = 2000 };

static struct sv local_name(const struct xml_node *n)
{
	struct sv prefix, name, all = sv_of(n->name);
	return sv_split(all, ':', &prefix, &name) ? name : all;
}

static bool is_activity(struct sv name)
{
	if (!name.n || name.n >= PRESENCE_RPID_MAX)
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (!(name.p[i] >= 'a' && name.p[i] <= 'z') && (name.p[i] != '-' || !i))
			return false;
	return true;
}

struct reading {
	struct pidf *out;
	unsigned nodes;
	bool has_basic, has_person_note;
};

static void note_take(struct reading *r, const struct xml_node *n, bool is_of_person)
{
	struct sv text = sv_trim(sv_of(n->text));
	if (!text.n || r->has_person_note || (*r->out->note && !is_of_person))
		return;
	r->has_person_note = is_of_person;
	snprintf(r->out->note, sizeof(r->out->note), "%.*s",
	    (int)(text.n < sizeof(r->out->note) ? text.n : sizeof(r->out->note) - 1), text.p);
}

static void node_read(struct reading *r, const struct xml_node *n, bool is_in_person, int depth)
{
	for (const struct xml_node *c = n->child; c && depth < 8 && r->nodes < NODES_MAX; c = c->next) {
		struct sv name = local_name(c);
		r->nodes++;
		if (sv_is(name, "basic") && !r->has_basic) {
			r->has_basic = true;
			r->out->is_closed = sv_isi(sv_trim(sv_of(c->text)), "closed");
		} else if (sv_is(name, "note")) {
			note_take(r, c, is_in_person);
		} else if (sv_is(name, "activities")) {
			struct sv first = c->child ? local_name(c->child) : SV_NONE;
			if (!*r->out->rpid && is_activity(first))
				snprintf(r->out->rpid, sizeof(r->out->rpid), "%.*s", SVF(first));
		} else {
			node_read(r, c, is_in_person || sv_is(name, "person"), depth + 1);
		}
	}
}

int pidf_read(struct pidf *out, struct sv text)
{
	struct xml_doc *doc;
	*out = (struct pidf){0};
	if (text.n > PIDF_MAX_BYTES)
		return ST_LIMIT;
	int st = xml_parse(&doc, text.p ? text.p : "", text.n, "PUBLISH", NULL, 0, NULL);
	if (st)
		return st;
	const struct xml_node *root = xml_root(doc);
	if (sv_is(local_name(root), "presence"))
		node_read(&(struct reading){.out = out}, root, false, 0);
	else
		st = ST_PARSE;
	mem_unref(doc);
	return st;
}
