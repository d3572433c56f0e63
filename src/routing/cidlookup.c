/* mod_cidlookup: the name of a caller by his number: from a database, else from a web server, else the place that the
 * number belongs to. What a web server said is kept for a while. What is found is a name, data like any that comes from
 * outside; the number that is asked for is its digits. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "core/registry/app_words.h"
#include "core/registry/module.h"
#include "core/run/exec.h"
#include "fetch/fetch.h"
#include "loop/co.h"
#include "routing/routing_i.h"
#include "text/mark.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { ANSWER_MAX = 10240, NAME_MAX_BYTES = 256, CACHE_MAX = 20000, DIGITS_MAX = 40 };
struct found {
	char name[NAME_MAX_BYTES], area[NAME_MAX_BYTES], source[64];
};
struct cached {
	int64_t end_us;
	struct found found;
};
static struct store *store;
static struct hash *cache; /* digits -> struct cached */

static const struct conf_desc confs[] = {
    {"cidlookup.conf", "cache", "bool", NULL, "false", "names that a web server said are kept"},
    {"cidlookup.conf", "cache-expire", "number", "s", "300", "for so long"},
    {"cidlookup.conf", "citystate-sql", "text", NULL, "",
        "asked for the place of a number of eleven digits that begins with 1; first column of the first row"},
    {"cidlookup.conf", "curl-timeout", "number", "ms", "2000", "for the web server's answer"},
    {"cidlookup.conf", "curl-warning-duration", "number", "ms", "1000",
        "an answer that took longer is told in the log"},
    {"cidlookup.conf", "odbc-dsn", "text", NULL, "", "the database"},
    {"cidlookup.conf", "sql", "text", NULL, "",
        "asked first, ${caller_id_number} is the number's digits; first column of the first row"},
    {"cidlookup.conf", "url", "url", NULL, "", "asked then; the answer's text is the name"},
    {NULL},
};

static ON_CTL const char *param(const char *name)
{
	for (const struct conf_desc *d = confs; d->key; d++)
		if (!strcmp(d->key, name))
			return config_param(xml_child(config_conf("cidlookup.conf"), "settings"), name, d->fallback);
	return "";
}

static ON_CTL uint32_t param_number(const char *name, uint32_t otherwise)
{
	uint32_t n;
	return sv_u32(sv_of(param(name)), &n) ? otherwise : n;
}

static void keep(char out[NAME_MAX_BYTES], struct sv text)
{
	text = sv_trim(text);
	size_t n = text.n < NAME_MAX_BYTES - 1 ? text.n : NAME_MAX_BYTES - 1;
	memcpy(out, text.p ? text.p : "", n);
	out[n] = 0;
	for (char *c = out; *c; c++)
		if ((unsigned char)*c < ' ')
			*c = ' ';
}

/* ---- the three who may know ---- */

static CO bool by_sql(const char *template, const char *digits, char out[NAME_MAX_BYTES])
{
	char *marked = mark_dup(digits);
	const struct routing_word words[] = {{"caller_id_number", marked}, {NULL, NULL}};
	struct store_rows rows = {0};
	struct routing_row row;
	struct buf sql;
	bool is_found = false;
	buf_init(&sql);
	if (marked && store && *template && !routing_sql(NULL, "cidlookup", template, words, &sql) &&
	    !routing_ask(store, "cidlookup", sql.p, &rows)) {
		routing_rows_begin(&row, &rows);
		is_found = routing_row_next(&row) && row.cells[0].n;
		if (is_found)
			keep(out, row.cells[0]);
	}
	store_rows_fini(&rows);
	buf_fini(&sql);
	mem_free(marked);
	return is_found;
}

struct asked {
	struct co_wait wait;
	char *out;
	bool is_found;
};

static void on_answer(const struct fetch_result *r, void *arg)
{
	struct asked *a = arg;
	role_assert_ctl();
	if (r->status)
		log_error("cidlookup: url: %s: %s", status_text(r->status), r->error);
	else if (r->code / 100 == 2)
		keep(a->out, r->body);
	/* what providers say in place of a name */
	a->is_found =
	    !r->status && *a->out && strcasecmp(a->out, "UNKNOWN") != 0 && strcasecmp(a->out, "UNAVAILABLE") != 0;
	co_signal(&a->wait, ST_OK);
}

static CO bool by_url(const char *digits, char out[NAME_MAX_BYTES])
{
	const struct routing_word words[] = {{"caller_id_number", digits}, {NULL, NULL}};
	struct asked a = {.out = out};
	char *url = NULL;
	int64_t since = clock_mono_us();
	if (!*param("url") || routing_expand(NULL, param("url"), words, &url))
		return false;
	struct fetch_params p = {.url = url,
	    .headers = "User-Agent: freeswitch-cidlookup/1.0\r\n",
	    .timeout_ms = param_number("curl-timeout", 2000),
	    .max_bytes = ANSWER_MAX,
	    .allows_http = true,
	    .allows_inside = true};
	int st = fetch_start(NULL, &p, on_answer, &a);
	if (st)
		log_error("cidlookup: url: %s", status_text(st));
	else
		(void)co_wait(&a.wait, -1); /* the request has its own deadline */
	int64_t ms = (clock_mono_us() - since) / 1000;
	if (!st && ms >= param_number("curl-warning-duration", 1000))
		log_warning("cidlookup: the web server took %" PRId64 " ms", ms);
	mem_free(url);
	return a.is_found;
}

/* ---- together ---- */

static ON_CTL bool from_cache(const char *digits, struct found *out)
{
	const struct cached *c = cache ? hash_get(cache, sv_of(digits)) : NULL;
	if (!c || c->end_us < clock_mono_us())
		return false;
	*out = c->found;
	strncat(out->source, " (cache)", sizeof(out->source) - strlen(out->source) - 1);
	return true;
}

static ON_CTL void into_cache(const char *digits, const struct found *f)
{
	struct cached *c = cache ? mem_zalloc(sizeof(*c)) : NULL;
	struct hash_it it = {0};
	if (!c)
		return;
	if (hash_count(cache) >= CACHE_MAX && hash_next(cache, &it)) /* the oldest */
		hash_del(cache, it.key);
	*c = (struct cached){.end_us = clock_mono_us() + clock_us_of_s(param_number("cache-expire", 300)), .found = *f};
	if (hash_set(cache, sv_of(digits), c))
		mem_free(c);
}

static void source_add(struct found *f, const char *source)
{
	size_t n = strlen(f->source);
	snprintf(f->source + n, sizeof(f->source) - n, "%s%s", n ? "," : "", source);
}

static CO void look_up(const char *number, bool skips_url, bool skips_place, struct found *out)
{
	char digits[DIGITS_MAX + 1];
	size_t n = 0;
	bool is_new = false, is_cached = !strcasecmp(param("cache"), "true");
	for (const char *c = number; *c && n < DIGITS_MAX; c++)
		if (*c >= '0' && *c <= '9')
			digits[n++] = *c;
	digits[n] = 0;
	*out = (struct found){0};
	if (by_sql(param("sql"), digits, out->name))
		source_add(out, "phone_database");
	else if (is_cached && from_cache(digits, out))
		;
	else if (!skips_url && (is_new = by_url(digits, out->name)))
		source_add(out, "url");
	bool is_nanp = n == 11 && *digits == '1';
	if (!*out->area && !skips_place && is_nanp && by_sql(param("citystate-sql"), digits, out->area))
		source_add(out, "npanxx_database");
	if (!*out->area)
		strcpy(out->area, "UNKNOWN");
	if (!*out->name && !skips_place)
		memcpy(out->name, out->area, sizeof(out->name));
	else if (!*out->name && is_nanp)
		snprintf(out->name, sizeof(out->name), "%.3s-%.3s-%.4s", digits + 1, digits + 4, digits + 7);
	else if (!*out->name)
		snprintf(out->name, sizeof(out->name), "%s", digits);
	if (!*out->source)
		strcpy(out->source, "UNKNOWN");
	if (is_new && is_cached)
		into_cache(digits, out);
}

static void flags_read(const struct app_words *w, bool *skips_url, bool *skips_place, bool *is_verbose)
{
	for (int i = 1; i < w->n; i++) {
		*skips_url |= !strcasecmp(w->w[i], "skipurl");
		*skips_place |= !strcasecmp(w->w[i], "skipcitystate");
		*is_verbose |= !strcasecmp(w->w[i], "verbose");
	}
}

static ON_CTL void status_print(struct buf *out)
{
	static const char *const names[] = {"url", "cache", "cache-expire", "curl-timeout", "curl-warning-duration",
	    "odbc-dsn", "sql", "citystate-sql"};
	buf_adds(out, "+OK\n");
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const char *v = param(names[i]),
		           *shown = !strcmp(names[i], "curl-warning-duration") ? "curl-warn-duration" : names[i];
		/* a DSN may hold a password */
		bool is_secret = !strcmp(names[i], "odbc-dsn") && strncmp(v, "sqlite://", 9) != 0 && *v;
		buf_printf(out, " %s: %s\n", shown, is_secret ? "(set)" : *v ? v : "(null)");
	}
}

static int api_cidlookup(struct api_call *c)
{
	struct app_words w;
	struct found f;
	bool skips_url = false, skips_place = false, is_verbose = false;
	role_assert_co();
	int st = app_words_init(&w, c->text, 4);
	if (!st && !w.n) {
		buf_adds(c->out, "-ERR\ncidlookup status|number [skipurl] [skipcitystate] [verbose]\n");
	} else if (!st && !strcmp(w.w[0], "status")) {
		status_print(c->out);
	} else if (!st) {
		flags_read(&w, &skips_url, &skips_place, &is_verbose);
		look_up(w.w[0], skips_url, skips_place, &f);
		buf_adds(c->out, f.name);
		if (is_verbose)
			buf_printf(c->out, " (%s) [%s]", f.area, f.source);
	}
	app_words_fini(&w);
	return st;
}

static ON_CTL void tell(struct leg *leg)
{
	struct event *e;
	if (!event_is_wanted(EVENT_CALL_UPDATE, NULL) || !(e = event_new(EVENT_CALL_UPDATE, NULL)))
		return;
	event_add(e, "Direction", "RECV");
	if (leg->peer)
		event_add(e, "Bridged-To", leg->peer->uuid);
	leg_event_headers(leg, e);
	event_fire(e);
}

static int app_cidlookup(struct leg *leg, const char *data)
{
	struct app_words w;
	struct found f;
	bool skips_url = false, skips_place = false, is_verbose = false;
	role_assert_co();
	int st = app_words_init(&w, leg_exec_text(leg, data), 4);
	const char *own = leg->profile->caller_id_number;
	char *number = st ? NULL : mem_strdup(w.n ? w.w[0] : own ? own : "");
	if (number) {
		flags_read(&w, &skips_url, &skips_place, &is_verbose);
		look_up(number, skips_url, skips_place, &f);
		leg_var_set(leg, "original_caller_id_name", leg->profile->caller_id_name);
		leg_var_set(leg, "cidlookup_source", f.source);
		leg_var_set(leg, "cidlookup_area", f.area);
		leg_profile_set(&leg->profile->caller_id_name, f.name);
		tell(leg);
	}
	mem_free(number);
	app_words_fini(&w);
	return st;
}

static void cached_free(void *v)
{
	mem_free(v);
}

static int load(void)
{
	role_assert_ctl();
	routing_store_open(&store, "cidlookup.conf", "odbc-dsn", param("odbc-dsn"));
	return hash_new(&cache, 0, cached_free);
}

static int unload(void)
{
	role_assert_ctl();
	store_close(store);
	store = NULL;
	hash_free(cache);
	cache = NULL;
	return ST_OK;
}

static const struct app_desc apps[] = {
    {"cidlookup", "Perform a CID lookup", "[number [skipurl]]", APP_NO_MEDIA | APP_ROUTING_EXEC, app_cidlookup},
    {NULL},
};
static const struct api_desc apis[] = {
    {"cidlookup", "cidlookup API", "cidlookup status|number [skipurl] [skipcitystate] [verbose]", API_MAY_WAIT,
        api_cidlookup, NULL},
    {NULL},
};
static const struct var_desc vars[] = {
    {"cidlookup_area", "text", "the place of the caller's number", false, true},
    {"cidlookup_source", "text", "who knew the name and the place", false, true},
    {"original_caller_id_name", "text", "the caller's name before cidlookup", false, true},
    {NULL},
};
extern const struct module mod_cidlookup;
const struct module mod_cidlookup = {.abi = MODULE_ABI,
    .name = "mod_cidlookup",
    .load = load,
    .unload = unload,
    .apps = apps,
    .apis = apis,
    .vars = vars,
    .confs = confs};
