/* Applications about who calls and what may be known of them: set_user, check_acl, privacy, presence; and the small
 * ones that only mark the leg. */
#include "apps/apps_i.h"
#include "base/clock.h"
#include "base/mem.h"
#include "core/bridge/bridge.h"
#include "core/conf/acl.h"
#include "core/conf/dir.h"
#include "core/leg/leg.h"
#include "core/registry/app_words.h"
#include "core/run/exec.h"
#include "core/value/cause.h"
#include "core/value/vars.h"
#include "text/mark.h"
#include "text/re.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

struct prefixed {
	struct leg *leg;
	const char *prefix;
};

static void set_prefixed(const char *name, const char *value, void *arg)
{
	const struct prefixed *p = arg;
	struct buf b;

	role_assert_ctl();
	buf_init(&b);
	buf_printf(&b, "%s%s", p->prefix, name);
	leg_var_set_text(p->leg, b.p, value);
	buf_fini(&b);
}

/* user@domain [prefix] */
int app_set_user(struct leg *leg, const char *data)
{
	struct prefixed p = {leg, ""};
	struct dir_user *u = NULL;
	struct app_words w;
	struct sv user, domain;
	int st = app_words_init(&w, leg_exec_text(leg, data), 2);

	role_assert_co();
	if (st || !w.n || !sv_split(sv_of(w.w[0]), '@', &user, &domain)) {
		leg_log(leg, LOG_ERR, "set_user: usage: <user>@<domain> [prefix]");
		st = ST_INVAL;
		goto out;
	}
	st = dir_user_get(user, domain, NULL, &u);
	if (st) {
		leg_log(leg, LOG_ERR, "set_user: can't find user [%s]", w.w[0]);
		st = ST_OK;
		goto out;
	}
	if (w.n > 1)
		p.prefix = w.w[1];
	dir_user_each_var(u, set_prefixed, &p);
	set_prefixed("user_name", dir_user_id(u), &p);
	set_prefixed("domain_name", dir_user_domain(u), &p);
	mem_unref(u);
out:
	app_words_fini(&w);
	return st;
}

/* ip acl|cidr [cause] */
int app_check_acl(struct leg *leg, const char *data)
{
	struct app_words w;
	int st = app_words_init(&w, leg_exec_text(leg, data), 3);

	role_assert_co();
	if (st || w.n < 2)
		leg_log(leg, LOG_ERR, "check_acl: usage: <ip> <acl | cidr> [<hangup_cause>]");
	else if (!acl_allows_host(sv_of(w.w[1]), sv_of(w.w[0])))
		leg_hangup(leg, w.n > 2 ? cause_parse(w.w[2]) : CAUSE_CALL_REJECTED);
	app_words_fini(&w);
	return st ? st : leg_is_up(leg) ? ST_OK : ST_HANGUP;
}

/* off|on|name|full|number: adds to what is hidden already, off hides nothing */
int app_privacy(struct leg *leg, const char *data)
{
	bool is_all, is_off;

	role_assert_co();
	if (!data || !*data) {
		leg_log(leg, LOG_ERR, "No privacy mode specified.");
		return ST_OK;
	}
	leg->profile->has_screen = true;
	is_all = !strcasecmp(data, "full") || str_is_true(data);
	is_off =
	    !strcasecmp(data, "off") || !strcasecmp(data, "no") || !strcasecmp(data, "false") || !strcmp(data, "0");
	if (is_off) {
		leg->profile->hides_name = leg->profile->hides_number = false;
	} else if (is_all || !strcasecmp(data, "name") || !strcasecmp(data, "number")) {
		leg->profile->hides_name |= strcasecmp(data, "number") != 0;
		leg->profile->hides_number |= strcasecmp(data, "name") != 0;
	} else {
		leg_log(leg, LOG_ERR, "INVALID privacy mode specified. Use a valid mode [no|yes|name|full|number].");
	}
	return ST_OK;
}

/* [false] */
int app_verbose_events(struct leg *leg, const char *data)
{
	role_assert_co();
	leg_var_set(leg, "verbose_events", !data || !*data || str_is_true(data) ? "true" : NULL);
	return ST_OK;
}

/* name=format: into a variable. [epoch|]format: the application's response. */
int app_strftime(struct leg *leg, const char *data)
{
	struct sv name, format = sv_of(leg_exec_text(leg, data)), epoch, rest;
	int64_t at = clock_wall_us() / 1000000;
	char text[1024], *f, *var = NULL;
	time_t when;
	struct tm tm;
	int st = ST_INVAL;

	role_assert_co();
	if (sv_split(format, '=', &name, &rest) && name.n && sv_find(name, '%') == name.n &&
	    sv_find(name, '|') == name.n)
		var = mark_has(sv_sub(sv_trim(name), 0, 2)) ? NULL : mark_strip_dup(sv_trim(name)), format = rest;
	else if (sv_split(format, '|', &epoch, &rest) && !sv_i64(sv_trim(epoch), &at))
		format = rest;
	when = (time_t)at;
	f = mark_strip_dup(format);
	if (f && *f && localtime_r(&when, &tm)) {
		if (!strftime(text, sizeof(text), f, &tm))
			text[0] = 0;
		if (var)
			leg_var_set(leg, var, text);
		else
			leg_exec_response(leg, text);
		st = ST_OK;
	} else {
		leg_log(leg, LOG_ERR, "strftime: usage: <varname>=<format string> | [<epoch>|]<format string>");
	}
	mem_free(f);
	mem_free(var);
	return st;
}

/* name[|number] */
int app_send_display(struct leg *leg, const char *data)
{
	struct sv name, number;
	char *text[2];
	int st;

	role_assert_co();
	if (!data || !*data)
		return ST_UNSUPPORTED;
	if (!sv_split(sv_of(leg_exec_text(leg, data)), '|', &name, &number))
		number = name;
	text[0] = mark_strip_dup(name), text[1] = mark_strip_dup(number);
	st = leg_display(leg, text[0], text[1]);
	mem_free(text[0]);
	mem_free(text[1]);
	return st;
}

/* [text for the phone's display] */
int app_hold(struct leg *leg, const char *data)
{
	int st;

	role_assert_co();
	st = leg_set_hold(leg, true);
	if (!st && data && *data) /* ST_UNSUPPORTED: a phone that cannot show it */
		(void)leg_display(leg, data, leg->profile ? leg->profile->destination_number : NULL);
	return st;
}

int app_unhold(struct leg *leg, const char *data)
{
	role_assert_co();
	return leg_set_hold(leg, false);
}

/* [content-type ]text: the first word is a type when it has a slash */
int app_send_info(struct leg *leg, const char *data)
{
	struct sv rest = sv_trim(sv_of(leg_exec_text(leg, data))), word, text;
	char *type = NULL, *body;
	int st;

	role_assert_co();
	if (!rest.n || !leg->ops->send_info)
		return ST_UNSUPPORTED;
	if (sv_split(rest, ' ', &word, &text) && sv_find(word, '/') < word.n) {
		type = mark_strip_dup(word);
		rest = sv_trim(text);
	}
	body = mark_strip_dup(rest);
	st = body ? leg->ops->send_info(leg, type ? type : "message/freeswitch", sv_of(body)) : ST_NOMEM;
	mem_free(body);
	mem_free(type);
	return st;
}

/* level */
int app_session_loglevel(struct leg *leg, const char *data)
{
	enum log_level level;

	role_assert_co();
	if (!data || log_level_parse(data, &level)) {
		leg_log(leg, LOG_ERR, "session_loglevel: there is no level '%s'", data ? data : "");
		return ST_INVAL;
	}
	leg->loglevel = (int)level;
	return ST_OK;
}

/* ~prefix|name: to the other leg */
int app_transfer_vars(struct leg *leg, const char *data)
{
	const char *name, *value;
	struct leg *other;
	size_t n;

	role_assert_co();
	other = leg_partner(leg);
	if (!data || !*data)
		return ST_INVAL;
	if (!other)
		return ST_OK;
	n = data[0] == '~' ? strlen(data + 1) : 0;
	for (size_t i = 0; i < vars_count(leg->vars); i++) {
		vars_at(leg->vars, i, &name, &value);
		if (data[0] == '~' ? !strncasecmp(name, data + 1, n) : !strcasecmp(name, data))
			leg_var_copy(other, name, leg, name);
	}
	return ST_OK;
}

/* var|text|regex: what the groups matched becomes an array */
int app_capture(struct leg *leg, const char *data)
{
	struct sv name, text, regex, rest; /* marked */
	struct buf plain, pattern;
	struct re_match *m;
	char *var;
	int st;

	role_assert_co();
	if (!sv_split(sv_of(leg_exec_text(leg, data)), '|', &name, &rest) || !sv_split(rest, '|', &text, &regex) ||
	    !name.n) {
		leg_log(leg, LOG_ERR, "capture: usage: <varname>|<data>|<regex>");
		return ST_INVAL;
	}
	buf_init(&plain);
	buf_init(&pattern);
	mark_strip(&plain, text);
	mark_strip_regex(&pattern, regex);
	m = mem_alloc(sizeof(*m));
	var = mark_has(sv_sub(name, 0, 2)) ? NULL : mark_strip_dup(name);
	st = m && var ? re_match_once(buf_sv(&pattern), buf_sv(&plain), m) : ST_NOMEM;
	if (st == 1) {
		re_match_mark(m, buf_sv(&plain), text);
		leg_var_set(leg, var, NULL);
		for (unsigned i = 1; i < m->count; i++) {
			char *group = sv_dup(m->group[i]);
			vars_push(leg->vars, var, group);
			mem_free(group);
		}
	}
	buf_fini(&plain);
	buf_fini(&pattern);
	mem_free(m);
	mem_free(var);
	return st < 0 ? st : ST_OK;
}
