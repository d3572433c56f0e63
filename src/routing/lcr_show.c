/* mod_lcr: the commands. A look-up as a table or as XML, and the profiles. */
#include "base/mem.h"
#include "core/event/event.h"
#include "core/registry/api.h"
#include "core/registry/app_words.h"
#include "routing/deck.h"
#include "routing/lcr_i.h"
#include "text/mark.h"
#include "text/xml.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { COLUMNS = 7, LIMIT_CHARS = 160 };
static const char *const titles[COLUMNS] = {
    "Digit Match", "Carrier", "Rate", "Codec", "CID Regexp", "Limit", "Dialstring"};
static const char *const tags[COLUMNS] = {"prefix", "carrier_name", "rate", "codec", "cid", "limit", "dialstring"};

/* The cells of a route; limit holds the one that is composed. */
static void cells_of(const struct lcr_route *r, char limit[LIMIT_CHARS], const char *cells[COLUMNS])
{
	limit[0] = 0;
	if (r->limit_realm && r->limit_id)
		snprintf(limit, LIMIT_CHARS, "%s %s %d", r->limit_realm, r->limit_id, r->limit_max);
	const char *all[COLUMNS] = {r->digits, r->carrier, r->rate, r->codec, r->cid, limit, r->dialstring};
	memcpy(cells, all, sizeof(all));
}

static void cell_put(struct buf *out, const char *text, size_t width)
{
	size_t n = mark_length(sv_of(text));
	buf_printf(out, " | %s", text);
	for (; n < width; n++)
		buf_addc(out, ' ');
}

static void table_print(const struct lcr_ask *a, struct buf *out)
{
	size_t width[COLUMNS];
	const char *cells[COLUMNS];
	char limit[LIMIT_CHARS];
	for (size_t k = 0; k < COLUMNS; k++)
		width[k] = strlen(titles[k]);
	width[2] = 8; /* "0.00000" and one more */
	for (size_t i = 0; i < a->count; i++) {
		cells_of(&a->routes[i], limit, cells);
		for (size_t k = 0; k < COLUMNS; k++)
			if (mark_length(sv_of(cells[k])) > width[k])
				width[k] = mark_length(sv_of(cells[k]));
	}
	for (size_t k = 0; k < COLUMNS; k++)
		cell_put(out, titles[k], width[k]);
	buf_adds(out, " |\n");
	for (size_t i = 0; i < a->count; i++) {
		cells_of(&a->routes[i], limit, cells);
		for (size_t k = 0; k < COLUMNS; k++)
			cell_put(out, cells[k], width[k]);
		buf_adds(out, " |\n");
	}
}

static ON_CTL void xml_print(const struct lcr_ask *a, struct buf *out)
{
	const char *cells[COLUMNS];
	char limit[LIMIT_CHARS];
	if (!a->count) {
		buf_adds(out, "<result row_count=\"0\">\n</result>\n");
		return;
	}
	buf_adds(out, "<result>\n");
	for (size_t i = 0; i < a->count; i++) {
		buf_printf(out, "  <row id=\"%u\">\n", (unsigned)i + 1);
		cells_of(&a->routes[i], limit, cells);
		for (size_t k = 0; k < COLUMNS; k++) {
			buf_printf(out, "    <%s>", tags[k]);
			(void)xml_escape(out, sv_of(cells[k]), false);
			buf_printf(out, "</%s>\n", tags[k]);
		}
		buf_addv(out, event_render(a->routes[i].fields, EVENT_XML));
		buf_adds(out, "  </row>\n");
	}
	buf_adds(out, "</result>\n");
}

/* What follows the number and the profile; false: usage. What is no option is the caller's number. */
static bool options_read(struct lcr_ask *a, const struct app_words *w, bool *is_xml)
{
	for (int i = 2; i < w->n; i++) {
		if (!strcasecmp(w->w[i], "intrastate")) {
			a->is_intrastate = true;
		} else if (!strcasecmp(w->w[i], "lrn")) {
			a->lrn = ++i < w->n ? w->w[i] : NULL;
		} else if (!strcasecmp(w->w[i], "as")) {
			*is_xml = ++i < w->n && !strcasecmp(w->w[i], "xml");
			if (!*is_xml)
				return false;
		} else {
			a->cid = w->m[i];
		}
	}
	return true;
}

int api_lcr(struct api_call *c)
{
	struct app_words w;
	struct lcr_ask a = {.leg = c->leg, .cid = "18005551212"};
	bool is_xml = false;
	role_assert_co();
	int st = app_words_init(&w, c->text, APP_WORDS_MAX);
	c->is_reply_text = true;
	a.number = w.n ? w.m[0] : "";
	a.profile = lcr_profile_find(w.n > 1 ? w.w[1] : NULL);
	if (!st && (!w.n || !options_read(&a, &w, &is_xml))) {
		buf_adds(c->out, "USAGE: lcr <digits> [<lcr profile>] [caller_id] [intrastate] [as xml]\n");
	} else if (!st && !a.profile) {
		buf_adds(c->out, "-ERR Unknown profile: ");
		buf_adds(c->out, w.n > 1 ? w.m[1] : "default");
		buf_addc(c->out, '\n');
	} else if (!st && lcr_look(&a)) {
		buf_adds(c->out, "-ERR Error looking up routes\n");
	} else if (!st && is_xml) {
		xml_print(&a, c->out);
	} else if (!st && !a.count) {
		buf_adds(c->out, "No Routes To Display\n");
	} else if (!st) {
		table_print(&a, c->out);
	}
	lcr_ask_fini(&a);
	app_words_fini(&w);
	return st;
}

static ON_CTL void profile_print(const struct lcr_profile *p, struct buf *out)
{
	static const char *const yes_no[] = {"false", "true"}, *const on_off[] = {"disabled", "enabled"};
	struct buf sql;
	buf_init(&sql);
	(void)lcr_template(p, &sql);
	const char *text = sql.p ? sql.p : "";
	buf_printf(out, "Name:\t\t%s\n custom sql:\t%s\n", p->name, text);
	buf_printf(out, " has %%:\t\t%s\n has vars:\t%s\n", yes_no[strchr(text, '%') != NULL],
	    yes_no[strstr(text, "${") != NULL]);
	buf_printf(out, " has intrastate:\t%s\n has intralata:\t%s\n has npanxx:\t%s\n", yes_no[lcr_db.has_intrastate],
	    yes_no[lcr_db.has_intralata], yes_no[lcr_db.has_npanxx]);
	buf_printf(out, " Reorder rate:\t%s\n Info in headers:\t%s\n Quote IN() List:\t%s\n", on_off[p->is_reordered],
	    on_off[p->has_info_headers], on_off[p->is_quoted]);
	buf_printf(
	    out, " Single Bridge:\t%s\n Sip Redirection Mode:\t%s\n", on_off[p->is_single], on_off[p->is_redirect]);
	buf_printf(out, " Import fields:\t%s\n Limit type:\t%s\n\n", p->export_fields ? p->export_fields : "(null)",
	    p->limit_type);
	buf_fini(&sql);
}

static CO void reload(struct api_call *c)
{
	int st = lcr_deck_reload();
	int64_t age_s;
	const struct deck *d = st ? NULL : lcr_deck(&age_s);
	if (d)
		buf_printf(c->out, "+OK %zu rates of %zu carriers\n", deck_rate_count(d), deck_carrier_count(d));
	else
		buf_printf(c->out, "-ERR %s\n", status_text(st));
}

int api_lcr_admin(struct api_call *c)
{
	struct app_words w;
	role_assert_co();
	int st = app_words_init(&w, c->text, 3);
	const char *verb = w.n > 0 ? w.w[0] : "", *what = w.n > 1 ? w.w[1] : "";
	if (!st && !strcasecmp(verb, "reload")) {
		reload(c);
	} else if (!st && !strcasecmp(verb, "show") && !strcasecmp(what, "quality")) {
		lcr_quality_print(c->out);
	} else if (!st && !strcasecmp(verb, "show") && !strcasecmp(what, "profiles")) {
		lcr_probe();
		for (const struct lcr_profile *p = lcr_profiles; p; p = p->next)
			profile_print(p, c->out);
	} else if (!st) {
		buf_adds(c->out, "-ERR lcr_admin show profiles\n");
	}
	app_words_fini(&w);
	return st;
}

static ON_CTL void route_print(const struct lcr_ask *a, size_t i, struct buf *out)
{
	const struct lcr_route *r = &a->routes[i];
	buf_printf(out, "%zu. %s %s %s", i + 1, r->digits, r->carrier, r->rate);
	if (r->quality.calls)
		buf_printf(out, " (answered %.0f %%, %.0f s, rings after %.1f s, %llu calls)", r->quality.asr * 100,
		    r->quality.acd_s, r->quality.pdd_s, (unsigned long long)r->quality.calls);
	if (r->limit_realm && r->limit_id)
		buf_printf(out, " at most %d calls (%s %s)", r->limit_max, r->limit_realm, r->limit_id);
	buf_printf(out, "\n   %s\n", r->dialstring);
}

int api_route(struct api_call *c)
{
	struct app_words w;
	struct buf why;
	struct lcr_ask a = {.leg = c->leg, .cid = "18005551212", .why = &why};
	role_assert_co();
	buf_init(&why);
	int st = app_words_init(&w, c->text, 4);
	c->is_reply_text = true;
	a.number = w.n > 1 ? w.m[1] : "";
	a.profile = lcr_profile_find(w.n > 2 ? w.w[2] : NULL);
	if (w.n > 3)
		a.cid = w.m[3];
	if (!st && (w.n < 2 || strcasecmp(w.w[0], "explain") != 0)) {
		buf_adds(c->out, "-USAGE: route explain <number> [<lcr profile>] [<caller_id>]\n");
	} else if (!st && !a.profile) {
		buf_adds(c->out, "-ERR there is no such profile (lcr_admin show profiles)\n");
	} else if (!st && lcr_look(&a)) {
		buf_adds(c->out, "-ERR the database did not answer, or there is no number (see the log)\n");
	} else if (!st) {
		int64_t age_s = 0;
		const struct deck *d = a.profile->is_memory ? lcr_deck(&age_s) : NULL;
		buf_printf(c->out, "profile %s, the longest prefix first, then by %s%s\n", a.profile->name,
		    a.profile->order, a.profile->is_reordered ? "; all by rate (reorder_by_rate)" : "");
		if (d)
			buf_printf(c->out, "%zu rates of %zu carriers in memory, %lld s old\n", deck_rate_count(d),
			    deck_carrier_count(d), (long long)age_s);
		if (a.ported.source) {
			buf_printf(c->out, "portability: %s%s",
			    a.ported.state == PORTABILITY_PORTED ? "ported to "
			    : a.ported.state == PORTABILITY_NOT  ? "not ported"
			                                         : "unknown",
			    a.ported.number);
			if (*a.ported.network)
				buf_addc(c->out, ' '), mark_put(c->out, sv_of(a.ported.network));
			buf_printf(c->out, " (%s)\n", a.ported.source);
		}
		for (size_t i = 0; i < a.count; i++)
			route_print(&a, i, c->out);
		buf_addv(c->out, buf_sv(&why));
		if (!a.count)
			buf_adds(c->out, "no carrier takes this number\n");
	}
	buf_fini(&why);
	lcr_ask_fini(&a);
	app_words_fini(&w);
	return st;
}
