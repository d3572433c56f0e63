/* mod_translate: numbers as people dial them become numbers as trunks want them. A profile is a list of rules; the
 * first whose pattern fits writes the number anew. As an application (into the variable translated), a command, and a
 * dialplan that changes whom and who before the next dialplan looks. Read at load and at each reload of the
 * configuration. */
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/leg/leg.h"
#include "core/registry/app_words.h"
#include "core/registry/module.h"
#include "core/run/exec.h"
#include "routing/routing_i.h"
#include "text/mark.h"
#include "text/re.h"

#include <string.h>

enum { RULES_MAX = 10000 };
struct rule {
	char *profile, *replace;
	struct re *re;
};
static struct rule *rules;
static size_t rule_count;

static ON_CTL void rules_free(void)
{
	for (size_t i = 0; i < rule_count; i++) {
		mem_free(rules[i].profile);
		mem_free(rules[i].replace);
		mem_unref(rules[i].re);
	}
	mem_free(rules);
	rules = NULL, rule_count = 0;
}

static ON_CTL void rule_read(const char *profile, const struct xml_node *x)
{
	const char *regex = xml_attr_or(x, "regex", ""), *replace = xml_attr(x, "replace");
	const char *file = x->file ? x->file : "translate.conf";
	char error[RE_ERROR_CHARS];
	struct rule r = {0};
	if (!*regex || !replace || rule_count == RULES_MAX) {
		log_error("%s:%u: translate profile %s: a rule needs regex and replace, and there are %d at most", file,
		    x->line, profile, RULES_MAX);
		return;
	}
	if (re_new_expression(&r.re, sv_of(regex), error)) {
		log_error("%s:%u: translate profile %s: regex: %s", file, x->line, profile, error);
		return;
	}
	struct rule *grown = mem_realloc(rules, (rule_count + 1) * sizeof(*grown));
	if (grown)
		rules = grown;
	r.profile = mem_strdup(profile), r.replace = mem_strdup(replace);
	if (grown && r.profile && r.replace) {
		rules[rule_count++] = r;
		return;
	}
	mem_free(r.profile);
	mem_free(r.replace);
	mem_unref(r.re);
}

static ON_CTL void rules_read(void *arg)
{
	rules_free();
	xml_each(xml_child(config_conf("translate.conf"), "profiles"), "profile", p)
	{
		xml_each(p, "rule", x) rule_read(xml_attr_or(p, "name", ""), x);
	}
}

/* The number, marked where it is from outside, by a profile's rules; *out (marked alike) is to be freed, NULL: none
 * fits. areacode: what stands for ${areacode} without a leg. */
static ON_CTL int translate(struct leg *leg, const char *number, const char *profile, const char *areacode, char **out)
{
	const struct routing_word words[] = {{"areacode", areacode}, {NULL, NULL}};
	char *plain = mark_strip_dup(sv_of(number));
	struct re_match m = {0};
	int st = plain ? ST_OK : ST_NOMEM;
	*out = NULL;
	for (size_t i = 0; !st && i < rule_count; i++) {
		struct buf text;
		if (strcmp(rules[i].profile, profile) != 0 || re_match(rules[i].re, sv_of(plain), &m) != 1)
			continue;
		buf_init(&text);
		re_match_mark(&m, sv_of(plain), sv_of(number));
		st = re_substitute(&text, sv_of(rules[i].replace), '$', &m);
		if (!st)
			st =
			    text.failed ? ST_NOMEM : routing_expand(leg, text.p ? text.p : "", leg ? NULL : words, out);
		buf_fini(&text);
		break;
	}
	mem_free(plain);
	return st;
}

static int api_translate(struct api_call *c)
{
	struct app_words w;
	char *number = NULL;
	role_assert_ctl();
	int st = app_words_init(&w, c->text, 3);
	if (!st && !w.n)
		buf_adds(c->out, "USAGE: translate <number> [<profile>]\n");
	else if (!st) {
		const char *area = globals_get("default_areacode");
		st = translate(c->leg, w.m[0], w.n > 1 ? w.w[1] : "US", area ? area : "777", &number);
	}
	if (!st && number) {
		buf_adds(c->out, number);
		c->is_reply_text = true;
	}
	mem_free(number);
	app_words_fini(&w);
	return st;
}

static int app_translate(struct leg *leg, const char *data)
{
	struct app_words w;
	char *number = NULL;
	role_assert_co();
	int st = app_words_init(&w, leg_exec_text(leg, data), 3);
	if (!st && w.n)
		st = translate(leg, w.m[0], w.n > 1 ? w.w[1] : "US", NULL, &number);
	if (!st && w.n)
		leg_var_set_text(leg, "translated", number);
	mem_free(number);
	app_words_fini(&w);
	return st == ST_NOMEM ? st : ST_OK;
}

/* The profile of the dialplan's argument, else of the first of these variables that is there. */
static ON_CTL char *profile_of(struct leg *leg, const char *args)
{
	static const char *const names[] = {"translate_profile", "country", "default_country"};
	for (size_t i = 0; !args && i < sizeof(names) / sizeof(*names); i++)
		args = leg_var(leg, names[i]);
	return mem_strdup(args && *args ? args : "US");
}

static ON_CTL void field_translate(struct leg *leg, const char *profile, char **field)
{
	char *marked = *field && **field ? mark_dup(*field) : NULL, *number = NULL;
	if (marked && !translate(leg, marked, profile, NULL, &number) && number && *number) {
		mark_strip_in_place(number);
		leg_profile_set(field, number);
	}
	mem_free(marked);
	mem_free(number);
}

static int hunt(struct leg *leg, const char *args)
{
	role_assert_ctl();
	char *profile = profile_of(leg, args), *to = leg_profile_destination_dup(leg->profile), *number = NULL;
	const char *area = leg_var(leg, "areacode");
	if (!area || !*area) {
		area = leg_var(leg, "default_areacode");
		if (area && *area)
			leg_var_set(leg, "areacode", area);
	}
	if (profile && to && !translate(leg, to, profile, NULL, &number) && number && *number)
		leg_profile_destination_set(leg->profile, number);
	if (profile) {
		field_translate(leg, profile, &leg->profile->caller_id_number);
		field_translate(leg, profile, &leg->profile->ani);
		leg_log(leg, LOG_INFO, "translate: profile %s, to %s, from %s", profile,
		    leg->profile->destination_number,
		    leg->profile->caller_id_number ? leg->profile->caller_id_number : "");
	}
	mem_free(number);
	mem_free(to);
	mem_free(profile);
	return ST_NOTFOUND; /* the next dialplan routes it */
}

static int load(void)
{
	role_assert_ctl();
	rules_read(NULL);
	return config_on_swap(rules_read, NULL);
}

static int unload(void)
{
	role_assert_ctl();
	config_on_swap_del(rules_read, NULL);
	rules_free();
	return ST_OK;
}

static const struct app_desc apps[] = {
    {"translate", "Translate a number based on predefined rules", "<number> <profile>]",
        APP_NO_MEDIA | APP_ROUTING_EXEC, app_translate},
    {NULL},
};
static const struct api_desc apis[] = {
    {"translate", "TRANSLATE", "", 0, api_translate, NULL},
    {NULL},
};
static const struct dialplan_desc dialplans[] = {{"translate", hunt}, {NULL}};
static const struct var_desc vars[] = {
    {"areacode", "text", "what rules of translate put in front of a local number; default_areacode where there is none",
        true, true},
    {"country", "text", "the profile of the dialplan translate, after translate_profile", true, false},
    {"default_areacode", "text", "areacode where there is none", true, false},
    {"default_country", "text", "the profile of the dialplan translate, after country", true, false},
    {"translate_profile", "text", "the profile of the dialplan translate", true, false},
    {"translated", "text", "what the application translate made of the number", false, true},
    {NULL},
};
static const struct conf_desc confs[] = {
    {"translate.conf", "profiles/profile/rule", "regex, replace", "", "",
        "a number that the pattern fits becomes this; the first rule that fits counts"},
    {NULL},
};
extern const struct module mod_translate;
const struct module mod_translate = {.abi = MODULE_ABI,
    .name = "mod_translate",
    .load = load,
    .unload = unload,
    .apps = apps,
    .apis = apis,
    .dialplans = dialplans,
    .vars = vars,
    .confs = confs};
