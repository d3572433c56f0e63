/* mod_portability: which network a number is in now, by a web server or by the domain name system, for carriers' decks
 * that price ported numbers (variable lrn, lcr's profiles).
 *
 *   number -> cache -> may it be asked? (prefixes, how many ask, who failed lately) -> HTTP or NAPTR -> cache
 *
 * Whoever asks waits for so long as is configured, then goes on without an answer; nobody else waits. A server that
 * fails several times in a row is told once and left alone for a while, then one question tries it again. What is said
 * is from outside: digits, and an operator's name that is data. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "core/registry/app_words.h"
#include "core/registry/metrics.h"
#include "core/registry/module.h"
#include "core/run/exec.h"
#include "fetch/fetch.h"
#include "net/dns.h"
#include "routing/portability_i.h"
#include "routing/routing_i.h"
#include "text/mark.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { CACHE_MAX = 50000, ASKED_DIGITS_MAX = 20, TIMEOUT_MS_MAX = 60000 };
struct kept {
	int64_t end_us;
	struct portability p;
};
static struct {
	struct hash *cache; /* digits -> struct kept */
	size_t asking, failures;
	int64_t retry_us; /* not before; 0: nobody is left alone */
	bool is_told;
	uint64_t asked, from_cache, failed, refused;
} np;

static const struct conf_desc confs[] = {
    {"portability.conf", "cache-seconds", "number", "s", "3600", "an answer is kept for so long; 0: it is not"},
    {"portability.conf", "field", "name", NULL, "",
        "source http: the answer is JSON, and this member (a.b) is the number"},
    {"portability.conf", "http-header", "text", NULL, "", "source http: a header of the request, Name: value"},
    {"portability.conf", "max-asking", "number", "", "64", "questions under way at once; beyond it nobody is asked"},
    {"portability.conf", "max-failures", "number", "", "5", "so many failures in a row: the server is left alone"},
    {"portability.conf", "nameserver", "address", NULL, "",
        "source enum: asked in place of the machine's name servers; several are asked in turn"},
    {"portability.conf", "operator-field", "name", NULL, "", "source http: the member that is the operator"},
    {"portability.conf", "prefixes", "digits", NULL, "", "numbers that begin so are asked for, a list; none: all"},
    {"portability.conf", "regex", "regex", NULL, "^\\s*\\+?(\\d*)\\s*$",
        "source http without field: the first group of the answer is the number; nothing: it is not ported"},
    {"portability.conf", "retry-seconds", "number", "s", "10", "a server is left alone for so long"},
    {"portability.conf", "root", "name", NULL, "", "source enum: where numbers are looked up"},
    {"portability.conf", "source", "http or enum", NULL, "http", "who knows"},
    {"portability.conf", "timeout-ms", "number", "ms", "1000", "for the answer"},
    {"portability.conf", "url", "url", NULL, "", "source http: asked by GET; ${number} is the digits; 404: not ported"},
    {NULL},
};

static ON_CTL const struct xml_node *settings(void)
{
	return xml_child(config_conf("portability.conf"), "settings");
}

static ON_CTL const char *param(const char *name)
{
	for (const struct conf_desc *d = confs; d->key; d++)
		if (!strcmp(d->key, name))
			return config_param(settings(), name, d->fallback);
	return "";
}

static ON_CTL uint32_t number_of(const char *name, uint32_t otherwise, uint32_t most)
{
	uint32_t n;
	return sv_u32(sv_of(param(name)), &n) ? otherwise : n < most ? n : most;
}

/* ---- the two who may know ---- */

static CO int by_http(const char *digits, struct portability *out)
{
	const struct routing_word words[] = {{"number", digits}, {NULL, NULL}};
	struct fetch_got got = {0};
	struct buf header;
	char *url = NULL, *regex = mem_strdup(param("regex")), *field = mem_strdup(param("field")),
	     *operator_field = mem_strdup(param("operator-field"));
	buf_init(&header);
	if (*param("http-header"))
		buf_printf(&header, "%s\r\n", param("http-header"));
	int st = regex && field && operator_field && !header.failed ? ST_OK : ST_NOMEM;
	if (!st)
		st = *param("url") ? routing_expand(NULL, param("url"), words, &url) : ST_INVAL;
	if (!st) {
		const struct fetch_params p = {.url = url,
		    .headers = header.n ? header.p : NULL,
		    .timeout_ms = number_of("timeout-ms", 1000, TIMEOUT_MS_MAX),
		    .max_bytes = PORTABILITY_ANSWER_MAX,
		    .allows_http = true,
		    .allows_inside = true};
		const struct portability_form form = {field, operator_field, regex};
		st = fetch_wait(&p, &got);
		if (!st && got.code == 404)
			out->state = PORTABILITY_NOT;
		else if (!st)
			st = got.code / 100 == 2 ? portability_body(&form, buf_sv(&got.body), out) : ST_IO;
		fetch_got_fini(&got);
	}
	buf_fini(&header);
	mem_free(url);
	mem_free(regex);
	mem_free(field);
	mem_free(operator_field);
	return st;
}

/* The first record of a service of numbers (E2U+pstn:tel) that says something. */
static void records_read(struct dns_answer *a, const char *number, struct portability *out)
{
	struct buf uri;
	buf_init(&uri);
	for (size_t i = 0; i < a->count && out->state == PORTABILITY_UNKNOWN; i++) {
		const struct dns_record *r = &a->records[i];
		const char *service = dns_record_service(a, r);
		buf_clear(&uri);
		if (strcasecmp(service, "e2u+pstn:tel") != 0 && strcasecmp(service, "e2u+tel") != 0)
			continue;
		if (!routing_enum_uri(dns_record_regexp(a, r), number, &uri) && uri.n)
			(void)portability_tel(buf_sv(&uri), out);
	}
	buf_fini(&uri);
}

static CO int by_enum(const char *digits, struct portability *out)
{
	struct dns_answer *answer = mem_zalloc(sizeof(*answer));
	char number[ASKED_DIGITS_MAX + 2];
	struct buf name, servers;
	buf_init(&name);
	buf_init(&servers);
	snprintf(number, sizeof(number), "+%s", digits);
	bool has_own = routing_servers(settings(), &servers);
	const struct dns_servers at = {servers.p, false};
	int st = !answer ? ST_NOMEM : *param("root") ? routing_enum_name(&name, digits, "", param("root")) : ST_INVAL;
	if (!st)
		st = routing_naptr(buf_sv(&name), has_own ? &at : NULL,
		    clock_us_of_ms(number_of("timeout-ms", 1000, TIMEOUT_MS_MAX)), answer);
	if (!st) {
		records_read(answer, number, out);
		st = out->state == PORTABILITY_UNKNOWN ? ST_PARSE : ST_OK;
	} else if (st == ST_NOTFOUND) {
		out->state = PORTABILITY_NOT, st = ST_OK;
	}
	buf_fini(&name);
	buf_fini(&servers);
	mem_free(answer);
	return st;
}

/* ---- who is asked, and what is kept ---- */

static ON_CTL bool is_wanted(const char *digits)
{
	struct sv rest = sv_of(param("prefixes")), one;
	if (!sv_trim(rest).n)
		return true;
	while (rest.n) {
		sv_split(rest, ',', &one, &rest);
		one = sv_trim(one);
		if (one.n && !strncmp(digits, one.p, one.n))
			return true;
	}
	return false;
}

static ON_CTL void keep(const char *digits, const struct portability *p)
{
	struct hash_it it = {0};
	uint32_t s = number_of("cache-seconds", 3600, 7 * 86400);
	struct kept *k = np.cache && s ? mem_zalloc(sizeof(*k)) : NULL;
	if (!k)
		return;
	if (hash_count(np.cache) >= CACHE_MAX && hash_next(np.cache, &it)) /* the oldest */
		hash_del(np.cache, it.key);
	*k = (struct kept){clock_mono_us() + clock_us_of_s(s), *p};
	if (hash_set(np.cache, sv_of(digits), k))
		mem_free(k);
}

static ON_CTL void outcome_count(const char *digits, int status)
{
	if (!status) {
		if (np.is_told)
			log_notice("portability: the server answers again");
		np.failures = 0, np.retry_us = 0, np.is_told = false;
		return;
	}
	np.failed++;
	np.failures++;
	uint32_t most = number_of("max-failures", 5, 1000000);
	if (np.failures < (most ? most : 1)) {
		log_warning("portability: %s: %s", digits, status_text(status));
		return;
	}
	np.retry_us = clock_mono_us() + clock_us_of_s(number_of("retry-seconds", 10, 86400));
	if (!np.is_told)
		log_error(
		    "portability: %s: %s; %zu failures in a row: the server is left alone for a while, told once until "
		    "it answers",
		    digits, status_text(status), np.failures);
	np.is_told = true;
}

/* Why nobody is asked; NULL: somebody is. */
static ON_CTL const char *why_not(const char *digits)
{
	if (strlen(digits) < PORTABILITY_DIGITS_MIN || !is_wanted(digits))
		return "not asked for";
	if (np.asking >= number_of("max-asking", 64, 250))
		return "too many are asking";
	if (np.retry_us > clock_mono_us())
		return "the server fails";
	if (np.retry_us) /* one tries it */
		np.retry_us = clock_mono_us() + clock_us_of_s(number_of("retry-seconds", 10, 86400));
	return NULL;
}

int portability_look(const char *number, struct portability *out)
{
	char digits[ASKED_DIGITS_MAX + 1];
	size_t n = 0;
	if (!np.cache)
		return ST_UNSUPPORTED;
	for (const char *c = number; *c && n < ASKED_DIGITS_MAX; c++)
		if (*c >= '0' && *c <= '9')
			digits[n++] = *c;
	digits[n] = 0;
	const struct kept *k = hash_get(np.cache, sv_of(digits));
	if (k && k->end_us > clock_mono_us()) {
		np.from_cache++;
		*out = k->p;
		out->source = "cache";
		return ST_OK;
	}
	*out = (struct portability){.source = why_not(digits)};
	if (out->source) {
		np.refused++;
		return ST_OK;
	}
	np.asking++, np.asked++;
	int st = !strcasecmp(param("source"), "enum") ? by_enum(digits, out) : by_http(digits, out);
	np.asking--;
	out->source = st ? "no answer" : "asked";
	if (st)
		out->state = PORTABILITY_UNKNOWN;
	if (st != ST_CANCELLED)
		outcome_count(digits, st);
	if (!st)
		keep(digits, out);
	return ST_OK;
}

/* ---- commands and application ---- */

static const char *state_name(const struct portability *p)
{
	return p->state == PORTABILITY_PORTED ? "ported" : p->state == PORTABILITY_NOT ? "not ported" : "unknown";
}

static int app_portability(struct leg *leg, const char *data)
{
	struct app_words w;
	struct portability p;
	role_assert_co();
	int st = app_words_init(&w, leg_exec_text(leg, data), 2);
	const char *own = leg->profile->destination_number;
	char *number = st ? NULL : mem_strdup(w.n ? w.w[0] : own ? own : "");
	if (number && !portability_look(number, &p)) {
		leg_var_set(leg, "portability_result", state_name(&p));
		leg_var_set(leg, "portability_source", p.source);
		leg_var_set(leg, "portability_operator", *p.network ? p.network : NULL);
		if (p.state != PORTABILITY_UNKNOWN)
			leg_var_set(leg, "lrn", p.state == PORTABILITY_PORTED ? p.number : NULL);
	}
	mem_free(number);
	app_words_fini(&w);
	return st;
}

static ON_CTL void status_print(struct buf *out)
{
	buf_printf(out,
	    "source: %s\nkept: %zu\nasking: %zu\nasked: %llu\nfrom cache: %llu\nfailed: %llu\nnot asked: %llu\n",
	    param("source"), hash_count(np.cache), np.asking, (unsigned long long)np.asked,
	    (unsigned long long)np.from_cache, (unsigned long long)np.failed, (unsigned long long)np.refused);
	if (np.retry_us > clock_mono_us())
		buf_printf(out, "left alone for: %lld s\n", (long long)(np.retry_us - clock_mono_us()) / 1000000);
}

static void kept_free(void *k)
{
	mem_free(k);
}

static int api_portability(struct api_call *c)
{
	struct app_words w;
	struct portability p;
	role_assert_co();
	int st = app_words_init(&w, c->text, 2);
	if (!st && !w.n) {
		buf_adds(c->out, "-USAGE: portability <number>|status|flush\n");
	} else if (!st && !strcmp(w.w[0], "status")) {
		status_print(c->out);
	} else if (!st && !strcmp(w.w[0], "flush")) {
		struct hash_it it = {0};
		while (hash_next(np.cache, &it))
			hash_del(np.cache, it.key);
		np.retry_us = 0, np.failures = 0;
		buf_adds(c->out, "+OK\n");
	} else if (!st && !(st = portability_look(w.w[0], &p))) {
		buf_printf(c->out, "%s%s%s%s%s (%s)\n", state_name(&p), *p.number ? " " : "", p.number,
		    *p.network ? " " : "", p.network, p.source);
	}
	app_words_fini(&w);
	return st;
}

static int load(void)
{
	role_assert_ctl();
	const char *source = param("source");
	bool is_enum = !strcasecmp(source, "enum");
	if (!is_enum && strcasecmp(source, "http") != 0)
		log_error("portability.conf: source \"%s\" is neither http nor enum; http is asked", source);
	if (!*param(is_enum ? "root" : "url"))
		log_error("portability.conf: source %s needs %s; no number is known", source, is_enum ? "root" : "url");
	return hash_new(&np.cache, 0, kept_free);
}

static int unload(void)
{
	role_assert_ctl();
	if (np.asking)
		return ST_BUSY;
	hash_free(np.cache);
	memset(&np, 0, sizeof(np));
	return ST_OK;
}

static void fill(struct metric_out *out, int which)
{
	const uint64_t n[] = {np.asked, np.from_cache, np.failed, np.refused};
	role_assert_ctl();
	metric_put(out, (double)n[which], NULL);
}

static const struct metric_desc metrics[] = {
    {"tandem_portability_questions_total", METRIC_COUNTER, 0, "Numbers asked for.", fill, 0},
    {"tandem_portability_cached_total", METRIC_COUNTER, 0, "Numbers that were known.", fill, 1},
    {"tandem_portability_failures_total", METRIC_COUNTER, 0, "Questions without an answer.", fill, 2},
    {"tandem_portability_refusals_total", METRIC_COUNTER, 0, "Numbers that nobody was asked for.", fill, 3},
    {NULL},
};
static const struct app_desc apps[] = {
    {"portability", "Look up which network a number is in", "[<number>]", APP_NO_MEDIA | APP_ROUTING_EXEC,
        app_portability},
    {NULL},
};
static const char *const words[] = {"portability status", "portability flush", NULL};
static const struct api_desc apis[] = {
    {"portability", "Number portability", "<number>|status|flush", API_MAY_WAIT, api_portability, words},
    {NULL},
};
static const struct var_desc vars[] = {
    {"lrn", "text", "the ported number (local routing number) of whom is called", true, true},
    {"portability_operator", "text", "the operator, when the server says one", false, true},
    {"portability_result", "text", "ported, not ported, unknown", false, true},
    {"portability_source", "text", "asked, cache, or why it is unknown", false, true},
    {NULL},
};
extern const struct module mod_portability;
const struct module mod_portability = {.abi = MODULE_ABI,
    .name = "mod_portability",
    .load = load,
    .unload = unload,
    .apps = apps,
    .apis = apis,
    .vars = vars,
    .confs = confs,
    .metrics = metrics};
