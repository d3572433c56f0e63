/* mod_lcr: one look-up, from a number to the carriers' dial strings. The tables are the operator's own words; the
 * number and the caller's are from outside, digits in a statement and marked in a dial string. */
#include "base/log.h"
#include "base/mem.h"
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "core/run/expand.h"
#include "loop/co.h"
#include "routing/lcr_i.h"
#include "text/mark.h"
#include "text/re.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { DIGITS_MAX = 32 };

/* ---- the database -------------------------------------------------------------------------------------------- */

static CO bool answers(const char *sql)
{
	struct store_rows rows;
	int st = store_sql_run(lcr_db.store, sql, NULL, 0, &rows);
	store_rows_fini(&rows);
	return !st;
}

void lcr_probe(void)
{
	if (lcr_db.is_known || !lcr_db.store || !answers("SELECT 1"))
		return;
	lcr_db.random = answers("SELECT rand()") ? "rand()" : answers("SELECT random()") ? "random()" : NULL;
	lcr_db.has_intralata = answers("SELECT intralata_rate FROM lcr LIMIT 1");
	lcr_db.has_intrastate = answers("SELECT intrastate_rate FROM lcr LIMIT 1");
	lcr_db.has_npanxx = answers("SELECT npa, nxx, state FROM npa_nxx_company_ocn LIMIT 1");
	lcr_db.has_codec = answers("SELECT codec FROM carrier_gateway LIMIT 1");
	lcr_db.has_cid = answers("SELECT cid FROM lcr LIMIT 1");
	lcr_db.has_lrn = answers("SELECT lrn FROM lcr LIMIT 1");
	lcr_db.is_known = true;
	if (!lcr_db.has_intralata || !lcr_db.has_intrastate)
		log_info("lcr: the table lcr has no %s: those calls are rated by rate",
		    lcr_db.has_intralata ? "intrastate_rate" : "intralata_rate");
}

int lcr_template(const struct lcr_profile *p, struct buf *out)
{
	if (p->custom_sql)
		return buf_adds(out, p->custom_sql);
	buf_printf(out,
	    "SELECT l.digits AS lcr_digits, c.carrier_name AS lcr_carrier_name, l.${lcr_rate_field} AS lcr_rate_field, "
	    "cg.prefix AS lcr_gw_prefix, cg.suffix AS lcr_gw_suffix, l.lead_strip AS lcr_lead_strip, "
	    "l.trail_strip AS lcr_trail_strip, l.prefix AS lcr_prefix, l.suffix AS lcr_suffix%s%s "
	    "FROM lcr l JOIN carriers c ON l.carrier_id=c.id JOIN carrier_gateway cg ON c.id=cg.carrier_id "
	    "WHERE c.enabled = '1' AND cg.enabled = '1' AND l.enabled = '1' AND ",
	    lcr_db.has_codec ? ", cg.codec AS lcr_codec" : "", lcr_db.has_cid ? ", l.cid AS lcr_cid" : "");
	buf_adds(out, lcr_db.has_lrn ? "((digits IN (${lcr_query_expanded_digits}) AND lrn = false) OR "
	                               "(digits IN (${lcr_query_expanded_lrn_digits}) AND lrn = true))"
	                             : "digits IN (${lcr_query_expanded_digits})");
	buf_adds(out, " AND CURRENT_TIMESTAMP BETWEEN date_start AND date_end ");
	if (p->id)
		buf_printf(out, "AND lcr_profile=%u ", (unsigned)p->id);
	buf_printf(out, "ORDER BY digits DESC%s", p->order_by);
	if (lcr_db.random)
		buf_printf(out, ", %s", lcr_db.random);
	return out->failed ? ST_NOMEM : ST_OK;
}

/* Are both numbers North American ones of one state, one area? */
static CO void place_ask(struct lcr_ask *a, const char *to, const char *from)
{
	struct store_rows rows;
	struct routing_row row;
	struct buf sql;
	if (strlen(to) != 11 || strlen(from) != 11 || *to != '1' || *from != '1')
		return;
	buf_init(&sql);
	for (int i = 0; i < 2; i++)
		buf_printf(&sql,
		    "%sSELECT '%s', count(DISTINCT %s) FROM npa_nxx_company_ocn WHERE (npa=%.3s AND nxx=%.3s) OR "
		    "(npa=%.3s AND "
		    "nxx=%.3s)",
		    i ? " UNION " : "", i ? "lata" : "state", i ? "lata" : "state", to + 1, to + 4, from + 1, from + 4);
	if (!routing_ask(lcr_db.store, "lcr", sql.p, &rows)) {
		routing_rows_begin(&row, &rows);
		while (routing_row_next(&row)) {
			bool is_one = sv_is(row.cells[1], "1");
			a->is_intrastate |= is_one && sv_is(row.cells[0], "state");
			a->is_intralata |= is_one && sv_is(row.cells[0], "lata");
		}
	}
	store_rows_fini(&rows);
	buf_fini(&sql);
}

/* ---- a row becomes a route ----------------------------------------------------------------------------------- */

static size_t strip_of(struct sv text)
{
	uint32_t n;
	return sv_u32(text, &n) ? 0 : n;
}

static ON_CTL void row_read(struct lcr_offer *o, const struct routing_row *row)
{
	struct sv rate = SV_NONE, lead = SV_NONE, trail = SV_NONE, max = SV_NONE;
	const struct {
		const char *name;
		struct sv *to;
	} names[] = {{"lcr_digits", &o->digits}, {"lcr_carrier_name", &o->carrier}, {"lcr_rate_field", &rate},
	    {"lcr_gw_prefix", &o->gw_prefix}, {"lcr_gw_suffix", &o->gw_suffix}, {"lcr_lead_strip", &lead},
	    {"lcr_trail_strip", &trail}, {"lcr_prefix", &o->prefix}, {"lcr_suffix", &o->suffix},
	    {"lcr_codec", &o->codec}, {"lcr_cid", &o->cid}, {"lcr_user_rate", &o->user_rate},
	    {"lcr_limit_realm", &o->limit_realm}, {"lcr_limit_id", &o->limit_id}, {"lcr_limit_max", &max}};
	for (size_t i = 0; i < row->rows->column_count && i < STORE_COLUMNS_MAX; i++) {
		struct sv name = routing_row_name(row, i);
		for (size_t k = 0; k < sizeof(names) / sizeof(*names); k++)
			if (sv_is(name, names[k].name))
				*names[k].to = row->cells[i];
		char *key = sv_dup(name), *value = sv_dup(row->cells[i]);
		if (o->fields && key && value && *value)
			event_add(o->fields, key, value);
		mem_free(key);
		mem_free(value);
	}
	o->price = rate.n ? strtod(rate.p, NULL) : -1;
	o->lead_strip = strip_of(lead), o->trail_strip = strip_of(trail), o->limit_max = (int)strip_of(max);
}

/* "/pattern/replacement/": the caller's number as the carrier wants it; what is no pattern leaves it as it is. */
static ON_CTL int cid_put(struct buf *out, const struct lcr_ask *a, struct sv rule)
{
	struct sv pattern, replace;
	struct re_match m = {0};
	char *source = NULL, *text = NULL, *plain = mark_strip_dup(sv_of(a->cid));
	bool is_rule = rule.n > 2 && rule.p[0] == '/' && rule.p[rule.n - 1] == '/' &&
	               sv_split(sv_sub(rule, 1, rule.n - 2), '/', &pattern, &replace);
	if (!is_rule) {
		log_error("lcr: cid \"%.*s\" is no /pattern/replacement/", (int)rule.n, rule.p);
	} else {
		source = sv_dup(replace);
		if (source && a->leg && strstr(source, "${") && expand(a->leg, source, &text))
			text = NULL;
		is_rule = plain && source && re_match_once(pattern, sv_of(plain), &m) == 1;
	}
	if (is_rule) {
		re_match_mark(&m, sv_of(plain), sv_of(a->cid));
		(void)re_substitute(out, sv_of(text ? text : source), '$', &m);
	} else {
		buf_adds(out, a->cid);
	}
	mem_free(text);
	mem_free(source);
	mem_free(plain);
	return out->failed ? ST_NOMEM : ST_OK;
}

static ON_CTL void exported_put(struct buf *out, const struct lcr_profile *p, const struct event *fields)
{
	struct sv rest = sv_of(p->export_fields), name;
	while (rest.n) {
		sv_split(rest, ',', &name, &rest);
		char *key = sv_dup(sv_trim(name));
		const char *value = key && *key ? event_get(fields, key) : NULL;
		if (value)
			buf_printf(out, ",%s=%s", key, value);
		mem_free(key);
	}
}

static ON_CTL char *dialstring_make(const struct lcr_ask *a, const struct lcr_route *r, const struct lcr_offer *c)
{
	size_t length = mark_length(sv_of(a->number)), lead = c->lead_strip, trail = c->trail_strip;
	struct sv number = lead + trail < length ? mark_sub(sv_of(a->number), lead, length - lead - trail) : SV_NONE;
	struct buf b;
	char *text = NULL;
	buf_init(&b);
	if (!a->profile->is_redirect) {
		buf_printf(&b, "[lcr_carrier=%s,lcr_rate=%s", r->carrier, r->rate);
		if (c->is_measured)
			buf_printf(&b, ",lcr_digits=%s", r->digits);
		if (c->user_rate.n)
			buf_printf(&b, ",lcr_user_rate=%.5f", strtod(c->user_rate.p, NULL));
		if (*r->codec)
			buf_printf(&b, ",absolute_codec_string=%s", r->codec);
		if (*r->cid) {
			buf_adds(&b, ",origination_caller_id_number=");
			(void)cid_put(&b, a, c->cid);
		}
		if (a->profile->has_info_headers)
			buf_printf(&b, ",sip_h_X-LCR-INFO=lcr_rate=%s;lcr_carrier=%s", r->rate, r->carrier);
		if (a->profile->export_fields)
			exported_put(&b, a->profile, r->fields);
		buf_addc(&b, ']');
	}
	buf_addv(&b, c->gw_prefix);
	buf_addv(&b, c->prefix);
	buf_addv(&b, number);
	buf_addv(&b, c->suffix);
	buf_addv(&b, c->gw_suffix);
	if (!b.failed && a->leg && strstr(b.p, "${"))
		(void)expand(a->leg, b.p, &text);
	else if (!b.failed)
		text = buf_take(&b);
	buf_fini(&b);
	return text;
}

static void route_fini(struct lcr_route *r)
{
	mem_free(r->digits);
	mem_free(r->carrier);
	mem_free(r->rate);
	mem_free(r->codec);
	mem_free(r->cid);
	mem_free(r->limit_realm);
	mem_free(r->limit_id);
	mem_free(r->key);
	mem_free(r->dialstring);
	mem_unref(r->fields);
}

/* Why it is left out; NULL: it is not. */
static const char *why_not(
    const struct lcr_ask *a, const struct lcr_route *r, const struct lcr_offer *o, double max_rate)
{
	if (o->price < 0)
		return "it has no price of this kind";
	if (max_rate > 0 && o->price > max_rate)
		return "dearer than max_rate";
	for (size_t i = 0; i < a->count; i++) {
		if (!strcmp(a->routes[i].key, r->key))
			return "the same gateway stands above";
		if (a->profile->is_single && !strcmp(a->routes[i].carrier, r->carrier))
			return "the same carrier stands above (single_bridge)";
	}
	return a->count < LCR_ROUTES_MAX ? NULL : "there are too many";
}

static int route_put(struct lcr_ask *a, const struct lcr_route *r)
{
	struct lcr_route *grown = mem_realloc(a->routes, (a->count + 1) * sizeof(*grown));
	size_t at = a->count;
	if (!grown)
		return ST_NOMEM;
	a->routes = grown;
	while (a->profile->is_reordered && at && grown[at - 1].rate_value > r->rate_value)
		at--;
	memmove(grown + at + 1, grown + at, (a->count - at) * sizeof(*grown));
	grown[at] = *r;
	a->count++;
	return ST_OK;
}

int lcr_offer_use(struct lcr_ask *a, const struct lcr_offer *o, double max_rate)
{
	struct lcr_route r = {.fields = o->fields ? mem_ref(o->fields) : event_new(EVENT_REQUEST_PARAMS, NULL)};
	struct buf key;
	char rate[40];
	snprintf(rate, sizeof(rate), "%.5f", o->price < 0 ? 0 : o->price);
	buf_init(&key);
	buf_addv(&key, o->gw_prefix);
	buf_addc(&key, ':');
	buf_addv(&key, o->gw_suffix);
	r.rate_value = o->price, r.limit_max = o->limit_max;
	r.digits = sv_dup(o->digits), r.carrier = sv_dup(o->carrier), r.rate = mem_strdup(rate);
	r.codec = sv_dup(o->codec), r.cid = sv_dup(o->cid), r.key = buf_take(&key);
	r.limit_realm = o->limit_realm.n ? sv_dup(o->limit_realm) : NULL;
	r.limit_id = o->limit_id.n ? sv_dup(o->limit_id) : NULL;
	if (o->quality)
		r.quality = *o->quality;
	bool is_whole = r.fields && r.digits && r.carrier && r.rate && r.codec && r.cid && r.key;
	if (is_whole && !o->fields) {
		event_add(r.fields, "lcr_digits", r.digits);
		event_add(r.fields, "lcr_carrier_name", r.carrier);
		event_add(r.fields, "lcr_rate_field", r.rate);
	}
	const char *why = is_whole ? why_not(a, &r, o, max_rate) : NULL;
	int st = is_whole ? ST_OK : ST_NOMEM;
	if (why && a->why)
		buf_printf(a->why, "left out: %s %s %s: %s\n", r.digits, r.carrier, r.rate, why);
	if (is_whole && !why) {
		r.dialstring = dialstring_make(a, &r, o);
		st = r.dialstring ? route_put(a, &r) : ST_NOMEM;
		if (!st)
			return ST_OK;
	}
	route_fini(&r);
	return st;
}

static ON_CTL int row_use(struct lcr_ask *a, const struct routing_row *row, double max_rate)
{
	struct lcr_offer o = {.fields = event_new(EVENT_REQUEST_PARAMS, NULL)};
	if (!o.fields)
		return ST_NOMEM;
	row_read(&o, row);
	int st = lcr_offer_use(a, &o, max_rate);
	mem_unref(o.fields);
	return st;
}

/* ---- the look-up --------------------------------------------------------------------------------------------- */

static void digits_of(const char *text, char out[DIGITS_MAX + 1])
{
	struct mark_it it = {.rest = sv_of(text)};
	size_t n = 0;
	while (n < DIGITS_MAX && mark_next(&it))
		if (it.byte >= '0' && it.byte <= '9')
			out[n++] = it.byte;
	out[n] = 0;
}

/* "123, 12, 1" */
static void prefixes_put(struct buf *out, const char *digits, bool is_quoted)
{
	const char *quote = is_quoted ? "'" : "";
	for (size_t n = strlen(digits), i = n; i; i--)
		buf_printf(out, "%s%s%.*s%s", i == n ? "" : ", ", quote, (int)i, digits, quote);
}

static ON_CTL void words_set(const struct lcr_ask *a, const struct routing_word *words)
{
	for (const struct routing_word *w = words; a->leg && w->name; w++)
		leg_var_set(a->leg, w->name, w->text);
}

/* %q in a template is the digits. */
static int percent_fill(const struct buf *template, const char *digits, struct buf *out)
{
	for (size_t i = 0; i < template->n; i++) {
		if (template->p[i] == '%' && template->p[i + 1] == 'q' && ++i)
			buf_adds(out, digits);
		else
			buf_addc(out, template->p[i]);
	}
	return out->failed ? ST_NOMEM : ST_OK;
}

static ON_CTL double max_rate_of(const struct lcr_ask *a)
{
	const char *limit = a->leg ? leg_var(a->leg, "max_rate") : NULL;
	return limit ? strtod(limit, NULL) : 0;
}

static CO int rows_use(struct lcr_ask *a, const char *sql)
{
	double max_rate = max_rate_of(a);
	struct store_rows rows;
	struct routing_row row;
	int st = routing_ask(lcr_db.store, "lcr", sql, &rows);
	if (!st) {
		routing_rows_begin(&row, &rows);
		while (!st && routing_row_next(&row))
			st = row_use(a, &row, max_rate);
	}
	store_rows_fini(&rows);
	return st;
}

int lcr_look(struct lcr_ask *a)
{
	char digits[DIGITS_MAX + 1], from[DIGITS_MAX + 1], lrn[DIGITS_MAX + 1], id[16];
	struct buf own, ported, template, filled, sql;
	digits_of(a->number, digits);
	digits_of(a->cid, from);
	digits_of(a->lrn ? a->lrn : "", lrn);
	if (!*digits)
		return ST_INVAL;
	if (!*lrn && a->profile->asks_portability && !portability_look(digits, &a->ported) &&
	    a->ported.state == PORTABILITY_PORTED)
		snprintf(lrn, sizeof(lrn), "%s", a->ported.number);
	lcr_probe();
	if (lcr_db.has_npanxx)
		place_ask(a, digits, from);
	bool is_lata = a->is_intralata && lcr_db.has_intralata, is_state = a->is_intrastate && lcr_db.has_intrastate;
	snprintf(id, sizeof(id), "%u", (unsigned)a->profile->id);
	buf_init(&own);
	buf_init(&ported);
	buf_init(&template);
	buf_init(&filled);
	buf_init(&sql);
	prefixes_put(&own, digits, a->profile->is_quoted);
	prefixes_put(&ported, *lrn ? lrn : digits, a->profile->is_quoted);
	int st = own.failed || ported.failed ? ST_NOMEM : lcr_template(a->profile, &template);
	const struct routing_word words[] = {{"lcr_rate_field", is_lata    ? "intralata_rate"
	                                                        : is_state ? "intrastate_rate"
	                                                                   : "rate"},
	    {"lcr_user_rate_field", is_lata    ? "user_intralata_rate"
	                            : is_state ? "user_intrastate_rate"
	                                       : "user_rate"},
	    {"lcr_query_digits", digits}, {"lcr_query_profile", id}, {"lcr_query_expanded_digits", own.p},
	    {"lcr_query_expanded_lrn_digits", ported.p}, {*lrn ? "lcr_lrn" : NULL, lrn}, {NULL, NULL}};
	if (!st)
		st = percent_fill(&template, digits, &filled);
	if (!st)
		words_set(a, words);
	if (!st && a->profile->is_memory) {
		st = lcr_deck_look(a, digits, lrn,
		    is_lata    ? LCR_INTRALATA
		    : is_state ? LCR_INTRASTATE
		               : LCR_RATE,
		    max_rate_of(a));
	} else if (!st) {
		st = routing_sql(a->leg, "lcr", filled.p, words, &sql);
		if (!st)
			st = rows_use(a, sql.p);
	}
	buf_fini(&own);
	buf_fini(&ported);
	buf_fini(&template);
	buf_fini(&filled);
	buf_fini(&sql);
	return st;
}

void lcr_ask_fini(struct lcr_ask *a)
{
	for (size_t i = 0; i < a->count; i++)
		route_fini(&a->routes[i]);
	mem_free(a->routes);
	mem_unref(a->profile);
	a->routes = NULL, a->count = 0, a->profile = NULL;
}
