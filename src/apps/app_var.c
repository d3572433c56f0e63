/* Applications that change or show variables: set, export, unset ..., log and info. Data comes expanded. */
#include "apps/apps_i.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "core/run/exec.h"
#include "core/run/expand.h"
#include "core/value/vars.h"
#include "text/mark.h"
#include "text/words.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Splits "name=value" (or FreeSWITCH's "name,value"), text with marks, which stay on the value; name must be freed.
 * Blanks around the sign are part of both. False when there is no name, or one that begins with what is from outside:
 * it could be any variable's. */
static bool split_pair(const char *data, char **name, const char **value)
{
	size_t n = strcspn(data, "=");

	if (!data[n])
		n = strcspn(data, ",");
	*name = mark_has(sv_sub(sv_trim((struct sv){data, n}), 0, 2)) ? NULL : mark_strip_dup((struct sv){data, n});
	*value = data[n] && data[n + 1] ? data + n + 1 : NULL;
	if (*name && **name)
		return true;
	mem_free(*name);
	return false;
}

/* What a variable becomes, for the log. */
static ON_CTL void tell_set(struct leg *leg, const char *before, const char *verb, const char *name, const char *text)
{
	char *plain = text ? mark_strip_dup(sv_of(text)) : NULL;

	leg_log(leg, LOG_DEBUG, "%s %s[%s]=[%s]", before, verb, name, plain ? plain : "UNDEF");
	mem_free(plain);
}

/* The value with its variables, not its commands, expanded a second time, as in FreeSWITCH: "\${x}" is x's value then.
 * To be freed; NULL for none. */
static ON_CTL char *again(struct leg *leg, const char *value)
{
	char *text = NULL;

	if (value && expand_variables(leg, value, &text))
		text = NULL;
	return text;
}

/* _undef_ and nothing unset. */
static ON_CTL int set_one(struct leg *leg, const char *data)
{
	const char *value;
	char *name = NULL, *text;

	if (!split_pair(data, &name, &value)) {
		leg_log(leg, LOG_ERR, "set: '%s' is not <varname>=<value>", data);
		return ST_INVAL;
	}
	if (value && (!*value || !strcmp(value, "_undef_")))
		value = NULL;
	text = again(leg, value);
	leg_var_set_text(leg, name, text);
	tell_set(leg, leg->name ? leg->name : "", "SET ", name, text);
	mem_free(text);
	mem_free(name);
	return ST_OK;
}

int app_set(struct leg *leg, const char *data)
{
	role_assert_co();
	return set_one(leg, data ? leg_exec_text(leg, data) : "");
}

int app_unset(struct leg *leg, const char *data)
{
	role_assert_co();
	if (!data || !*data)
		return ST_INVAL;
	leg_var_set(leg, data, NULL);
	return ST_OK;
}

static void set_word(struct leg *leg, const char *word)
{
	role_assert_co();
	set_one(leg, word);
}
static void unset_word(struct leg *leg, const char *word)
{
	role_assert_co();
	leg_var_set(leg, word, NULL);
}

/* fn for each word of "[^^<delim>]one two", cut as text/words.h does. */
static ON_CTL void each_word(struct leg *leg, const char *data, void (*fn)(struct leg *leg, const char *word))
{
	enum { PAIRS_MAX = 256 };
	char *copy = mem_strdup(data ? data : ""), *begin = copy, *word[PAIRS_MAX], delim = ' ';

	if (copy && copy[0] == '^' && copy[1] == '^' && copy[2] && !mark_has((struct sv){copy + 2, 2})) {
		delim = copy[2];
		begin = copy + 3;
	}
	int n = copy ? words_split(begin, delim, word, PAIRS_MAX) : 0;
	for (int i = 0; i < n; i++)
		fn(leg, word[i]);
	mem_free(copy);
}

int app_multiset(struct leg *leg, const char *data)
{
	role_assert_co();
	each_word(leg, leg_exec_text(leg, data), set_word);
	return ST_OK;
}

int app_multiunset(struct leg *leg, const char *data)
{
	role_assert_co();
	each_word(leg, data, unset_word);
	return ST_OK;
}

/* One more element behind or in front of the array ("ARRAY::a|:b"). */
static ON_CTL int array_add(struct leg *leg, const char *data, bool is_front)
{
	const char *value;
	char *name = NULL, *text;
	int st;

	if (!data || !split_pair(leg_exec_text(leg, data), &name, &value)) {
		leg_log(leg, LOG_ERR, "'%s' is not <varname>=<value>", data ? data : "");
		return ST_INVAL;
	}
	text = again(leg, value ? value : "");
	value = text ? text : "";
	st = is_front ? vars_unshift(leg->vars, name, value) : vars_push(leg->vars, name, value);
	mem_free(text);
	mem_free(name);
	return st;
}

int app_push(struct leg *leg, const char *data)
{
	role_assert_co();
	return array_add(leg, data, false);
}

int app_unshift(struct leg *leg, const char *data)
{
	role_assert_co();
	return array_add(leg, data, true);
}

static bool list_has(const char *list, const char *name)
{
	struct sv rest = sv_of(list), one;

	while (rest.n) {
		sv_split(rest, ',', &one, &rest);
		if (sv_isi(sv_trim(one), name))
			return true;
	}
	return false;
}

/* [nolocal:]name=value: set here unless nolocal, and named in the list variable, whose names go to the other leg. */
static ON_CTL int export_in(struct leg *leg, const char *data, const char *list_name)
{
	const char *value, *bare, *list;
	char *name = NULL, *text, before[48];
	bool is_nolocal;

	if (!data || !split_pair(leg_exec_text(leg, data), &name, &value)) {
		leg_log(leg, LOG_ERR, "export: '%s' is not [nolocal:]<varname>=<value>", data ? data : "");
		return ST_INVAL;
	}
	is_nolocal = !strncmp(name, "nolocal:", 8) || !strncmp(name, "_nolocal_", 9);
	bare = !strncmp(name, "nolocal:", 8) ? name + 8 : !strncmp(name, "_nolocal_", 9) ? name + 9 : name;
	text = again(leg, value);
	snprintf(before, sizeof(before), "EXPORT (%s)", list_name);
	tell_set(leg, before, is_nolocal ? "(REMOTE ONLY) " : "", bare, text);
	/* a remote-only one is kept under its nolocal name, where bridge finds it */
	leg_var_set_text(leg, name, text);
	list = text && *text ? leg_var(leg, list_name) : NULL;
	if (text && *text && (!list || !*list))
		leg_var_set(leg, list_name, name);
	else if (list && !list_has(list, name))
		leg_var_setf(leg, list_name, "%s,%s", list, name);
	mem_free(text);
	mem_free(name);
	return ST_OK;
}

/* For the legs this one calls. */
int app_export(struct leg *leg, const char *data)
{
	role_assert_co();
	return export_in(leg, data, "export_vars");
}

/* For whatever leg it is bridged to, at that moment. */
int app_bridge_export(struct leg *leg, const char *data)
{
	role_assert_co();
	return export_in(leg, data, "bridge_export_vars");
}

int app_set_global(struct leg *leg, const char *data)
{
	const char *value;
	char *name = NULL;

	role_assert_co();
	if (!data || !split_pair(leg_exec_text(leg, data), &name, &value))
		return ST_INVAL;
	globals_set(name, value ? value : "");
	mem_free(name);
	return ST_OK;
}

int app_eval(struct leg *leg, const char *data)
{
	role_assert_co();
	return ST_OK;
}

/* [LEVEL ]text */
int app_log(struct leg *leg, const char *data)
{
	enum log_level level = LOG_DEBUG;
	struct sv word, rest;
	char name[16];

	role_assert_co();
	if (!data)
		return ST_OK;
	if (sv_split(sv_of(data), ' ', &word, &rest) && word.n < sizeof(name)) {
		memcpy(name, word.p, word.n);
		name[word.n] = 0;
		if (log_level_parse(name, &level) == ST_OK)
			data = rest.p;
	}
	leg_log(leg, level, "%s", data);
	return ST_OK;
}

int app_info(struct leg *leg, const char *data)
{
	enum log_level level = LOG_INFO;
	struct event *e;
	struct buf text;
	const char *name, *value;
	size_t i;

	role_assert_co();
	if (data && *data)
		log_level_parse(data, &level);
	if (!log_is_on(level))
		return ST_OK;
	e = event_new_plain(EVENT_CHANNEL_DATA);
	leg_event_headers(leg, e);
	buf_init(&text);
	for (i = 0; i < event_header_count(e); i++) {
		event_header_at(e, i, &name, &value);
		buf_printf(&text, "%s: [%s]\n", name, value);
	}
	leg_log(leg, level, "CHANNEL_DATA:\n%s", text.p ? text.p : "");
	buf_fini(&text);
	mem_unref(e);
	return ST_OK;
}

/* value is marked: an extension keeps its marks, dialplan and context are never named from outside. */
static ON_CTL int profile_field_set(struct leg *leg, const char *name, const char *value)
{
	bool is_place = !strcasecmp(name, "context") || !strcasecmp(name, "dialplan");
	char *plain;
	int st;

	if (is_place && (!value || !*value || mark_has(sv_of(value)))) /* nothing at all may be an outside value, too */
		return ST_DENIED;
	if (!value || !mark_has(sv_of(value)) || !strcasecmp(name, "destination_number"))
		return leg_profile_field_set(leg->profile, name, value);
	plain = mark_strip_dup(sv_of(value));
	st = leg_profile_field_set(leg->profile, name, plain);
	mem_free(plain);
	return st;
}

/* field=value of the caller profile */
int app_set_profile_var(struct leg *leg, const char *data)
{
	const char *value;
	char *name = NULL;
	int st;

	role_assert_co();
	if (!data || !split_pair(leg_exec_text(leg, data), &name, &value))
		return ST_INVAL;
	st = profile_field_set(leg, name, value);
	if (st == ST_DENIED)
		leg_log(leg, LOG_WARNING, "set_profile_var: what comes from outside names no %s", name);
	else if (st)
		leg_log(leg, LOG_ERR, "set_profile_var: there is no field '%s' in a caller profile", name);
	mem_free(name);
	return st;
}

int app_set_name(struct leg *leg, const char *data)
{
	role_assert_co();
	if (!data || !*data)
		return ST_INVAL;
	leg_set_name(leg, data);
	return ST_OK;
}

/* H=V,H2=V2; an Event-Subclass or Event-Name among them makes it CUSTOM or another event. */
int app_event(struct leg *leg, const char *data)
{
	struct vars *fields = NULL;
	const char *name, *value, *subclass;
	enum event_id id = EVENT_CHANNEL_APPLICATION;
	struct event *e;
	size_t i;

	role_assert_co();
	if (!data || vars_new(&fields))
		return ST_INVAL;
	if (vars_parse(fields, sv_of(leg_exec_text(leg, data)))) {
		leg_log(leg, LOG_ERR, "event: '%s' is not header=value,header=value", data);
		vars_free(fields);
		return ST_INVAL;
	}
	subclass = vars_get(fields, "Event-Subclass");
	if (subclass)
		id = EVENT_CUSTOM;
	else if ((value = vars_get(fields, "Event-Name")) && event_id_parse(sv_of(value), &id))
		leg_log(leg, LOG_WARNING, "event: there is no event '%s'", value);
	if (event_is_wanted(id, subclass)) {
		e = event_new(id, subclass);
		leg_event_headers(leg, e);
		for (i = 0; i < vars_count(fields); i++) {
			vars_at(fields, i, &name, &value);
			if (strcasecmp(name, "Event-Subclass") && strcasecmp(name, "Event-Name"))
				event_add(e, name, value);
		}
		event_fire(e);
	}
	vars_free(fields);
	return ST_OK;
}
