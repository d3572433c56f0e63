/* dialler.conf into typed structs. Names of zones are looked up here, once each, since that reads files. What is wrong
 * is told by file and line and left out; a campaign with a wrong parameter is not taken: the one of before stays. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/zone.h"
#include "core/sound/play.h"
#include "dialler/dialler_i.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct dl_conf dl_conf;
static struct hash *zones; /* name -> struct tz, of the configuration and of lists */
static unsigned unload_count;
enum { ZONES_MAX = 2000 };
static const struct tz utc = {.name = "UTC"};

static const char *const mode_names[] = {"preview", "progressive", "predictive", "survey"};
const char *dl_mode_name(enum dl_mode m)
{
	return mode_names[m];
}

const struct tz *dl_zone_get(const char *name)
{
	struct tz found, *z;
	unsigned before = unload_count;
	if (!dl_store || !*name || strlen(name) > 60 || strstr(name, "..") || *name == '/' ||
	    (!zones && hash_new(&zones, 0, mem_free)))
		return NULL;
	z = hash_get(zones, sv_of(name));
	if (z || hash_count(zones) >= ZONES_MAX)
		return z;
	int st = zone_find(name, &found); /* waits */
	if (st || before != unload_count)
		return NULL;
	if ((z = hash_get(zones, sv_of(name))) || !(z = mem_alloc(sizeof(*z))))
		return z;
	*z = found;
	if (!hash_set(zones, sv_of(name), z))
		return z;
	mem_free(z);
	return NULL;
}

const struct tz *dl_zone_of(const char *number)
{
	const struct dl_zone *z = rule_prefix_find(dl_conf.zones, dl_conf.zone_count, sizeof(*z), number);
	return z ? z->zone : dl_conf.zone ? dl_conf.zone : &utc;
}

struct dl_trunk *dl_trunk_find(const char *name)
{
	for (size_t i = 0; i < dl_conf.trunk_count; i++)
		if (!strcmp(dl_conf.trunks[i].name, name))
			return &dl_conf.trunks[i];
	return NULL;
}

/* ---- reading ---- */

static ON_CTL bool wrong(const struct xml_node *n, const char *what)
{
	log_error("%s:%u: %s", n->file, n->line, what);
	return false;
}

static size_t count_of(const struct xml_node *n, const char *name)
{
	size_t count = 0;
	xml_each(n, name, it) count++;
	return count;
}

static bool is_digits(const char *s, size_t max)
{
	size_t n = strspn(s, "0123456789");
	return !s[n] && n <= max;
}

static unsigned number_or(const struct xml_node *n, const char *attr, unsigned otherwise)
{
	uint32_t v;
	const char *text = xml_attr(n, attr);
	return text && !sv_u32(sv_of(text), &v) && v <= 100000000 ? v : otherwise;
}

static CO void zones_read(struct dl_conf *o, const struct xml_node *root)
{
	const struct xml_node *list = xml_child(root, "zones");
	o->zones = mem_zalloc((count_of(list, "zone") + 1) * sizeof(*o->zones));
	xml_each(list, "zone", n)
	{
		struct dl_zone *z = o->zones ? &o->zones[o->zone_count] : NULL;
		const char *prefix = xml_attr_or(n, "prefix", "");
		const struct tz *zone = dl_zone_get(xml_attr_or(n, "name", ""));
		if (!z || !*prefix || !is_digits(prefix, RULE_PREFIX_MAX) || !zone) {
			wrong(n, "a zone needs a prefix of digits and the name of a time zone");
			continue;
		}
		snprintf(z->prefix, sizeof(z->prefix), "%s", prefix);
		z->zone = zone;
		o->zone_count++;
	}
}

static ON_CTL void trunks_read(struct dl_conf *o, const struct xml_node *root)
{
	const struct xml_node *list = xml_child(root, "trunks");
	o->trunks = mem_zalloc((count_of(list, "trunk") + 1) * sizeof(*o->trunks));
	xml_each(list, "trunk", n)
	{
		struct dl_trunk *t = o->trunks ? &o->trunks[o->trunk_count] : NULL;
		const char *name = xml_attr_or(n, "name", ""), *dial = xml_attr_or(n, "dial", "");
		if (!t || !*name || strlen(name) > DL_NAME_MAX || !strstr(dial, "${number}")) {
			wrong(n, "a trunk needs a name, and dial with ${number} in it");
			continue;
		}
		snprintf(t->name, sizeof(t->name), "%s", name);
		t->dial = dial;
		t->calls_max = number_or(n, "max-calls", 0);
		t->per_second = number_or(n, "calls-per-second", 0);
		const struct dl_trunk *before = dl_trunk_find(name);
		if (before)
			t->rate = before->rate;
		o->trunk_count++;
	}
}

static ON_CTL void limits_read(struct dl_conf *o, const struct xml_node *root)
{
	const struct xml_node *list = xml_child(root, "limits");
	o->limits = mem_zalloc((count_of(list, "limit") + 1) * sizeof(*o->limits));
	xml_each(list, "limit", n)
	{
		const char *prefix = xml_attr_or(n, "prefix", ""), *calls = xml_attr(n, "max-calls");
		if (!o->limits || !*prefix || !is_digits(prefix, RULE_PREFIX_MAX) || !calls || !is_digits(calls, 8)) {
			wrong(n, "a limit needs a prefix of digits and max-calls");
			continue;
		}
		struct dl_limit *l = &o->limits[o->limit_count++];
		snprintf(l->prefix, sizeof(l->prefix), "%s", prefix);
		l->calls_max = number_or(n, "max-calls", 0);
	}
}

static ON_CTL void caller_ids_read(struct dl_conf *o, const struct xml_node *root)
{
	const struct xml_node *list = xml_child(root, "caller-ids");
	o->caller_ids = mem_zalloc((count_of(list, "caller-id") + 1) * sizeof(*o->caller_ids));
	xml_each(list, "caller-id", n)
	{
		const char *prefix = xml_attr_or(n, "prefix", ""), *pool = xml_attr_or(n, "pool", ""),
		           *number = xml_attr_or(n, "number", "");
		if (!o->caller_ids || !*pool || !*number || strlen(number) > 32 ||
		    !is_digits(prefix, RULE_PREFIX_MAX)) {
			wrong(n, "a caller-id needs a pool and a number; its prefix is digits");
			continue;
		}
		struct dl_caller_id *i = &o->caller_ids[o->caller_id_count++];
		snprintf(i->prefix, sizeof(i->prefix), "%s", prefix);
		i->pool = pool;
		i->number = number;
		i->name = xml_attr_or(n, "name", number);
	}
}

/* ---- a campaign ---- */

static const struct {
	const char *result;
	int64_t after_s;
	unsigned tries;
} stock_retries[] = {{"busy", 300, 5}, {"congestion", 60, 10}, {"no-answer", 3600, 3}, {"machine", 7200, 3},
    {"abandoned", 86400, 2}, {"default", 3600, 3}}; /* of a campaign that says nothing of it */

static ON_CTL bool retries_read(struct dl_settings *s, const struct xml_node *c)
{
	bool is_good = true;
	xml_each(c, "retry", n)
	{
		const char *result = xml_attr_or(n, "result", "");
		uint32_t after = 0;
		if (!*result || strlen(result) > RULE_RESULT_MAX || s->retry_count == DL_RETRIES_MAX ||
		    sv_u32(sv_of(xml_attr_or(n, "after", "x")), &after) || after > 31536000) {
			is_good = wrong(n, "a retry needs a result and after (seconds); at most 32 of them");
			continue;
		}
		struct rule_retry *r = &s->retries[s->retry_count++];
		snprintf(r->result, sizeof(r->result), "%s", result);
		r->after_s = after;
		r->tries = number_or(n, "tries", 3);
	}
	for (size_t i = 0; !xml_child(c, "retry") && i < sizeof(stock_retries) / sizeof(stock_retries[0]); i++) {
		struct rule_retry *r = &s->retries[s->retry_count++];
		snprintf(r->result, sizeof(r->result), "%s", stock_retries[i].result);
		r->after_s = stock_retries[i].after_s;
		r->tries = stock_retries[i].tries;
	}
	return is_good;
}

static ON_CTL bool questions_read(struct dl_settings *s, const struct xml_node *c)
{
	bool is_good = true;
	xml_each(c, "question", n)
	{
		const char *name = xml_attr_or(n, "name", ""), *sound = xml_attr_or(n, "sound", "");
		if (!*name || strlen(name) > DL_QUESTION_MAX || !*sound || s->question_count == DL_QUESTIONS_MAX) {
			is_good = wrong(
			    n, "a question needs a name of at most 32 characters and a sound; at most 32 of them");
			continue;
		}
		struct dl_question *q = &s->questions[s->question_count++];
		snprintf(q->name, sizeof(q->name), "%s", name);
		q->sound = sound;
		q->digits = xml_attr_or(n, "digits", "0123456789");
		q->min = number_or(n, "min", 1);
		q->max = number_or(n, "max", q->min);
		q->tries = number_or(n, "tries", 3);
		q->timeout_ms = (unsigned)clock_ms_of_s(number_or(n, "timeout", 5));
		if (!q->min || q->max < q->min || q->max > 20 || !q->tries || q->tries > 10 || !q->timeout_ms ||
		    q->timeout_ms > 60000 || strspn(q->digits, "0123456789*#") != strlen(q->digits))
			is_good =
			    wrong(n, "min and max are 1 to 20 keys, tries 1 to 10, timeout 1 to 60 s, digits of 0-9*#");
	}
	return is_good;
}

static ON_CTL bool number_param(const struct xml_node *c, const char *name, const char *otherwise, double least,
    double most, double unit, unsigned *out)
{
	const char *text = config_param(c, name, otherwise);
	char *end, at[CONFIG_AT_CHARS];
	double v = strtod(text, &end);
	if (end == text || *end || !(v >= least && v <= most)) {
		log_error("%sdialler: %s=\"%s\" is no number from %g to %g", config_param_at(c, name, at), name, text,
		    least, most);
		return false;
	}
	*out = (unsigned)(v * unit + 0.5);
	return true;
}

static ON_CTL int word_param(
    const struct xml_node *c, const char *name, const char *otherwise, const char *const *words, int count)
{
	const char *text = config_param(c, name, otherwise);
	char at[CONFIG_AT_CHARS];
	for (int i = 0; i < count; i++)
		if (!strcasecmp(text, words[i]))
			return i;
	log_error("%sdialler: %s=\"%s\" is none that there is", config_param_at(c, name, at), name, text);
	return -1;
}

static ON_CTL bool settings_read(struct dl_settings *s, const struct xml_node *c)
{
	static const char *const machines[] = {"off", "hangup", "message", "connect"};
	char at[CONFIG_AT_CHARS];
	int mode = word_param(c, "mode", "progressive", mode_names, 4),
	    machine = word_param(c, "answering-machine", "off", machines, 4);
	*s = (struct dl_settings){.doc = mem_ref(config_doc(config_current())),
	    .node = c,
	    .mode = mode < 0 ? DL_PREVIEW : (enum dl_mode)mode,
	    .machine = machine < 0 ? DL_MACHINE_OFF : (enum dl_machine)machine,
	    .queue = config_param(c, "queue", ""),
	    .trunks = config_param(c, "trunks", ""),
	    .pool = config_param(c, "caller-id-pool", ""),
	    .greeting = config_param(c, "greeting", ""),
	    .thanks = config_param(c, "thanks", ""),
	    .wrong_sound = config_param(c, "wrong-sound", ""),
	    .abandon_sound = config_param(c, "abandon-sound", ""),
	    .machine_sound = config_param(c, "machine-sound", ""),
	    .agent_music = config_param(c, "agent-music", ""),
	    .agent_sound = config_param(c, "agent-sound", "tone_stream://%(150,0,600)"),
	    .extension = config_param(c, "extension", ""),
	    .context = config_param(c, "context", "default")};
	bool is_good = mode >= 0 && machine >= 0;
	is_good &= number_param(c, "lines", "30", 1, 100000, 1, &s->lines_max);
	is_good &= number_param(c, "ring-time", "25", 3, 300, 1, &s->ring_s);
	is_good &= number_param(c, "tries", "5", 1, 1000, 1, &s->tries_max);
	is_good &= number_param(c, "wrap-up-time", "10", 0, 86400, 1000, &s->wrap_ms);
	is_good &= number_param(c, "abandon-after", "2", 0.1, 3600, 1000, &s->abandon_after_ms);
	is_good &= number_param(c, "wait-max", "10", 0.1, 86400, 1000, &s->wait_max_ms);
	is_good &= number_param(c, "abandon-max", "3", 0, 100, 10000, &s->abandon_max_ppm);
	is_good &= number_param(c, "machine-wait", "6", 1, 60, 1000, &s->amd_max_ms);
	is_good &= retries_read(s, c);
	is_good &= questions_read(s, c);
	if (rule_windows_parse(sv_of(config_param(c, "windows", "")), &s->windows)) {
		log_error("%sdialler: windows are \"mon-fri 09:00-20:00, sat 10:00-14:00\"",
		    config_param_at(c, "windows", at));
		is_good = false;
	}
	if (s->mode == DL_SURVEY && !s->question_count && !*s->extension)
		is_good = wrong(c, "a survey needs questions, or the extension that asks them");
	if (s->mode != DL_SURVEY && !*s->queue && !xml_child(c, "agent"))
		is_good = wrong(c, "a campaign needs a queue or agents");
	if (s->machine == DL_MACHINE_MESSAGE && !*s->machine_sound)
		is_good = wrong(c, "answering-machine=\"message\" needs machine-sound");
	return is_good;
}

int dl_play(const struct dl_campaign *c, struct leg *leg, const char *sound)
{
	struct xml_doc *held = mem_ref(c->s.doc);
	int st = *sound ? leg_play(leg, sound, "none", NULL) : ST_OK;
	mem_unref(held);
	return st;
}

void dl_settings_fini(struct dl_settings *s)
{
	mem_unref(s->doc);
	*s = (struct dl_settings){0};
}

static ON_CTL void campaigns_read(const struct xml_node *root)
{
	dl_campaigns_seen(true);
	xml_each(xml_child(root, "campaigns"), "campaign", n)
	{
		const char *name = xml_attr_or(n, "name", "");
		struct dl_campaign *old = dl_campaign_find(name);
		struct dl_settings s;
		if (old && old->is_seen) {
			wrong(n, "a campaign of that name is there already");
			continue;
		}
		if (old)
			old->is_seen = true;
		if (!*name || strlen(name) > DL_NAME_MAX || strcspn(name, " \t\"'<>/\\,;|") != strlen(name)) {
			wrong(n, "a campaign needs a name without blanks and separators");
			continue;
		}
		bool is_good = settings_read(&s, n);
		if (!is_good)
			log_error("%s:%u: dialler: the campaign %s is not taken", n->file, n->line, name);
		if (!is_good || dl_campaign_put(name, &s))
			dl_settings_fini(&s);
	}
	dl_campaigns_seen(false);
}

static void conf_fini(struct dl_conf *o)
{
	mem_free(o->zones);
	mem_free(o->trunks);
	mem_free(o->limits);
	mem_free(o->caller_ids);
	mem_unref(o->doc);
	*o = (struct dl_conf){0};
}

/* What runs counts for the trunks and limits of the new configuration. */
static ON_CTL void load_recount(void)
{
	struct lnode *it, *tmp, *it2, *tmp2;
	list_each (dl_campaigns(), it, tmp) {
		struct dl_campaign *c = list_entry(it, struct dl_campaign, link);
		list_each (&c->calls, it2, tmp2) {
			struct dl_call *k = list_entry(it2, struct dl_call, link);
			dl_load_add(k->trunk, k->n->number, true);
		}
	}
}

int dl_conf_load(void)
{
	struct config *held = mem_ref(config_current());
	const struct xml_node *root = config_conf("dialler.conf"), *settings = xml_child(root, "settings");
	struct dl_conf o = {.doc = held ? mem_ref(config_doc(held)) : NULL};
	const char *zone = config_param(settings, "timezone", "");
	o.plan = (struct rule_plan){config_param(settings, "country-code", ""),
	    config_param(settings, "international-prefix", "00"), config_param(settings, "national-prefix", "0")};
	unsigned before = unload_count;
	zones_read(&o, root); /* waits */
	if (*zone && !(o.zone = dl_zone_get(zone)))
		log_error("dialler.conf: timezone=\"%s\": there is no such zone; UTC counts", zone);
	if (before != unload_count) { /* the module has gone, its zones with it */
		conf_fini(&o);
		mem_unref(held);
		return ST_CANCELLED;
	}
	if (held != config_current()) { /* another one is current: that is read */
		conf_fini(&o);
		mem_unref(held);
		return dl_store ? dl_conf_load() : ST_CANCELLED;
	}
	trunks_read(&o, root);
	limits_read(&o, root);
	caller_ids_read(&o, root);
	conf_fini(&dl_conf);
	dl_conf = o;
	campaigns_read(root);
	load_recount();
	mem_unref(held);
	return root ? ST_OK : ST_NOTFOUND;
}

void dl_conf_free(void)
{
	unload_count++;
	conf_fini(&dl_conf);
	hash_free(zones);
	zones = NULL;
}
