/* Lists of resources (RFC 4662): one subscription to "list+NAME" hears of all its members, for phones with many keys.
 * The lists are those of resource_lists.conf (<list name= domain=><entry user= domain=/>), else the groups of the
 * directory. A NOTIFY is a multipart/related: what changed (RLMI), and the document of each. The first one names all
 * members; their documents come with it as long as they fit into a datagram, and the rest in the following ones. */
#include "core/conf/config.h"
#include "endpoint/sip/presence/watch_i.h"
#include "text/xml.h"
#include <inttypes.h>

enum { MEMBERS_MAX = 500, BODY_MAX_BYTES = 40000 };
#define BOUNDARY "rlmi-part-of-list"

void rlmi_members_free(struct watcher *w)
{
	for (size_t i = 0; i < w->member_count; i++) {
		presence_watch_del(&w->members[i].watch);
		mem_free(w->members[i].user), mem_free(w->members[i].host);
	}
	mem_free(w->members);
	w->members = NULL;
	w->member_count = 0;
}

static ON_CTL int member_add(struct watcher *w, struct sv user, struct sv host)
{
	struct sv kind = SV_NONE;
	if (w->member_count == MEMBERS_MAX)
		return ST_LIMIT;
	struct member *m = &w->members[w->member_count];
	*m = (struct member){.watcher = w, .user = sv_dup(user), .host = sv_dup(host), .is_changed = true};
	int st = m->user && m->host ? presence_watch_add(&m->watch, kind, user, host, member_changed) : ST_NOMEM;
	if (st) {
		mem_free(m->user), mem_free(m->host);
		return st;
	}
	w->member_count++;
	return ST_OK;
}

static ON_CTL const struct xml_node *list_find(struct sv name, struct sv domain)
{
	xml_each(xml_child(config_conf("resource_lists.conf"), "lists"), "list", l)
	{
		const char *of = xml_attr(l, "domain");
		if (sv_isi(name, xml_attr_or(l, "name", "")) && (!of || sv_isi(domain, of)))
			return l;
	}
	return NULL;
}

/* Entries of another domain of the directory are left out: who lists is of this one. */
static ON_CTL void entries_add(struct watcher *w, const struct xml_node *list, struct sv domain)
{
	xml_each(list, "entry", e)
	{
		const char *user = xml_attr(e, "user");
		struct sv host = sv_of(xml_attr(e, "domain"));
		if (user && *user && (!host.n || sv_eqi(host, domain) || !dir_domain_exists(host)))
			member_add(w, sv_of(user), host.n ? host : domain);
	}
}

static bool on_user(struct dir_user *u, void *arg)
{
	struct watcher *w = arg;
	role_assert_ctl();
	return member_add(w, sv_of(dir_user_id(u)), sv_of(dir_user_domain(u))) != ST_LIMIT;
}

int rlmi_members_make(struct watcher *w, struct sv name, struct sv domain)
{
	const struct xml_node *list = list_find(name, domain);
	char *group = list ? NULL : sv_dup(name);
	int st = ST_NOTFOUND;
	if (w->package->id != PKG_PRESENCE && w->package->id != PKG_DIALOG)
		goto out;
	if (!list && !(group && dir_group_exists(domain, group)))
		goto out;
	if (!(w->members = mem_zalloc(MEMBERS_MAX * sizeof(*w->members)))) {
		st = ST_NOMEM;
		goto out;
	}
	if (list)
		entries_add(w, list, domain);
	else
		dir_each_user(domain, group, on_user, w);
	st = w->member_count ? ST_OK : ST_NOTFOUND;
	if (!st) { /* only what is needed stays */
		struct member *fit = mem_zalloc(w->member_count * sizeof(*fit));
		size_t n = w->member_count;
		if (fit) {
			for (size_t i = 0; i < n; i++) {
				struct member *m = &w->members[i];
				fit[i] = *m;
				fit[i].watch = (struct presence_watch){0};
				struct presence_entity *e = m->watch.entity;
				presence_watch_add(
				    &fit[i].watch, sv_of(e->kind), sv_of(e->user), sv_of(e->host), member_changed);
				presence_watch_del(&m->watch);
			}
			mem_free(w->members);
			w->members = fit;
		}
	}
out:
	mem_free(group);
	return st;
}

static ON_CTL void part_put(struct watcher *w, struct member *m, size_t i, struct buf *parts)
{
	buf_printf(parts,
	    "--" BOUNDARY "\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <m%zu.%" PRIu32 "@%s>\r\n"
	    "Content-Type: %s\r\n\r\n",
	    i, m->version, w->host, w->package->ctype);
	notify_document_put(w, m->watch.entity, m->told_serial, m->version, parts);
	buf_adds(parts, "\r\n");
	m->told_serial = m->watch.entity->serial;
	m->is_changed = false;
}

static ON_CTL void resource_put(struct watcher *w, struct member *m, size_t i, bool has_part, struct buf *list)
{
	buf_adds(list, "<resource uri=\"sip:");
	body_escape(list, sv_of(m->user));
	buf_addc(list, '@');
	body_escape(list, sv_of(m->host));
	if (!has_part) {
		buf_adds(list, "\"/>\n");
		return;
	}
	buf_printf(list, "\"><instance id=\"m%zu\" state=\"active\" cid=\"m%zu.%" PRIu32 "@", i, i, m->version);
	body_escape(list, sv_of(w->host));
	buf_adds(list, "\"/></resource>\n");
}

bool rlmi_put(struct watcher *w, struct buf *ctype, struct buf *body)
{
	struct buf list, parts;
	bool is_full = w->is_new || w->is_full, has_more = false, has_any = is_full;
	buf_init(&list), buf_init(&parts);
	for (size_t i = 0; i < w->member_count; i++) {
		struct member *m = &w->members[i];
		m->is_changed |= is_full;
		bool has_part = m->is_changed && parts.n + list.n < BODY_MAX_BYTES;
		has_more |= m->is_changed && !has_part;
		if (!has_part && !is_full)
			continue;
		has_any = true;
		resource_put(w, m, i, has_part, &list);
		if (has_part) {
			part_put(w, m, i, &parts);
			m->version++;
		}
	}
	buf_adds(ctype, "multipart/related;type=\"application/rlmi+xml\";start=\"<list@");
	buf_adds(ctype, w->host);
	buf_adds(ctype, ">\";boundary=\"" BOUNDARY "\"");
	buf_printf(body,
	    "--" BOUNDARY "\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <list@%s>\r\nContent-Type: "
	    "application/rlmi+xml;charset=\"UTF-8\"\r\n\r\n<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	    "<list xmlns=\"urn:ietf:params:xml:ns:rlmi\" uri=\"sip:",
	    w->host);
	body_escape(body, sv_of(w->user));
	buf_addc(body, '@');
	body_escape(body, sv_of(w->host));
	buf_printf(body, "\" version=\"%" PRIu32 "\" fullState=\"%s\">\n%.*s</list>\r\n%.*s--" BOUNDARY "--\r\n",
	    w->version, is_full ? "true" : "false", SVF(buf_sv(&list)), SVF(buf_sv(&parts)));
	body->failed |= list.failed || parts.failed;
	buf_fini(&list), buf_fini(&parts);
	w->is_due |= has_more; /* the rest after the answer */
	return has_any;
}
