/* The doors for who may not do everything (core/registry/principal.h): plain text of his goes in, text comes out in
 * which only what was found good is without marks.
 *
 *     originate '{x=1}user/7' '&playback(a.wav)'  ->  principal_put_dial, principal_put_app  ->  marked but for
 *     the names of endpoint, variable and application  ->  the command goes on as for everybody
 *
 * Each door allows what it knows and refuses the rest; there is no list of what is bad, except of variables, where it
 * only says beforehand what would be refused when it is used. */
#include "core/door/door.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/dial/dial_core.h"
#include "core/dial/dialstring.h"
#include "core/dial/targets.h"
#include "core/registry/app.h"
#include "core/registry/endpoint.h"
#include "core/registry/module.h"
#include "core/registry/principal.h"
#include "core/value/self.h"
#include "core/value/vars.h"
#include "text/mark.h"
#include <string.h>
#include <strings.h>

static const char name_bytes[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";

static int refuse(const char **why, const char *text)
{
	*why = text;
	return ST_DENIED;
}

/* ---- names ---- */
static bool is_name(struct sv text, const char *more)
{
	for (size_t i = 0; i < text.n; i++)
		if (!text.p[i] || (!strchr(name_bytes, text.p[i]) && !strchr(more, text.p[i])))
			return false;
	return text.n > 0;
}

char *principal_parts_dup(const struct principal *who, const char *plain, const char *text, char sep, int count)
{
	struct sv rest = sv_of(plain), part;
	struct buf b;
	bool is_more = true;

	if (!who)
		return mem_strdup(text);
	buf_init(&b);
	buf_adds(&b, "");
	for (int i = 0; i < count && (is_more = sv_split(rest, sep, &part, &rest)); i++) {
		if (i == 0 && is_name(part, ""))
			buf_addv(&b, part);
		else
			mark_put(&b, part);
		buf_addc(&b, sep);
	}
	mark_put(&b, is_more ? rest : part);
	return buf_take(&b);
}

/* Families of variables that run what they say; the others are in the modules' tables, by their type. */
static const char *const running[] = {"execute_on_", "api_on_", "api_hangup_hook", "api_reporting_hook",
    "exec_after_bridge_", "bridge_pre_execute_", "record_post_process_exec_", "app_disable_expand_variables"};

/* Types of the tables that name what is run, or where a call goes whatever it does. */
static bool is_running_type(const char *type)
{
	static const char *const types[] = {
	    "application", "command", "command:arguments", "actions", "dialplan", "context"};

	for (size_t i = 0; i < ARRAY_COUNT(types); i++)
		if (!strcmp(type, types[i]))
			return true;
	return false;
}

struct var_ask {
	const char *name;
	bool is_running;
};

static void look_at_vars(const struct module *m, void *arg)
{
	struct var_ask *q = arg;

	role_assert_ctl();
	for (const struct var_desc *v = m->vars; v && v->name && !q->is_running; v++)
		q->is_running = !strcasecmp(v->name, q->name) && v->is_read && is_running_type(v->type);
}

bool principal_may_set(const char *variable, const char **why)
{
	struct var_ask q;

	if (!strncasecmp(variable, "nolocal:", 8))
		variable += 8;
	q = (struct var_ask){.name = variable};
	if (!is_name(sv_of(variable), "+"))
		*why = "no name of a variable";
	else {
		for (size_t i = 0; i < ARRAY_COUNT(running) && !q.is_running; i++)
			q.is_running = !strncasecmp(variable, running[i], strlen(running[i]));
		if (!q.is_running)
			module_each(look_at_vars, &q);
		if (!q.is_running)
			return true;
		*why = "that variable names what is run";
	}
	return false;
}

bool principal_may_route(const char *dialplan, const char *context, const char **why)
{
	if (dialplan && *dialplan && strcasecmp(dialplan, "xml") != 0)
		*why = "only the dialplan XML";
	else if (context && *context && !is_name(sv_of(context), "@"))
		*why = "no name of a context";
	else
		return true;
	return false;
}

bool principal_may_read(const char *param)
{
	static const char *const secret[] = {"password", "passwd", "a1-hash", "secret", "pin", "token", "dial-string"};

	for (size_t i = 0; i < ARRAY_COUNT(secret); i++)
		if (strcasestr(param, secret[i]))
			return false;
	return true;
}

/* ---- files ---- */
/* What follows the directory and its slash, or SV_NONE. */
static struct sv below(const char *text, const char *dir)
{
	size_t n = dir ? strlen(dir) : 0;

	while (n && dir[n - 1] == '/')
		n--;
	if (!n || strncmp(text, dir, n) != 0 || text[n] != '/')
		return SV_NONE;
	return sv_of(text + n + 1);
}

int principal_put_file(struct buf *out, const char *text, bool is_written, const char **why)
{
	static const char *const schemes[] = {"tone_stream://", "silence_stream://", "local_stream://"};
	const struct core_dirs *d = core_dirs();
	const char *dirs[] = {d ? d->recordings : NULL, is_written || !d ? NULL : d->sounds};
	struct sv rest;

	for (size_t i = 0; i < ARRAY_COUNT(schemes) && !is_written; i++) {
		size_t n = strlen(schemes[i]);
		if (strncasecmp(text, schemes[i], n) != 0)
			continue;
		if (strstr(text + n, "://"))
			return refuse(why, "one source within another");
		if (strcasestr(text + n, "path="))
			return refuse(why, "tones of a file");
		buf_adds(out, schemes[i]);
		return principal_put_sv(out, sv_of(text + n), "");
	}
	if (strstr(text, "://") || *text == '{')
		return refuse(why, "only files, tones and streams of the configuration");
	if (strstr(text, "..") || strpbrk(text, "\r\n"))
		return refuse(why, "a file outside of the directories of sounds and recordings");
	for (size_t i = 0; i < ARRAY_COUNT(dirs); i++) {
		rest = below(text, dirs[i]);
		if (!rest.n)
			continue;
		buf_add(out, text, (size_t)(rest.p - text));
		return principal_put_sv(out, rest, " ");
	}
	if (*text == '/')
		return refuse(why, "a file outside of the directories of sounds and recordings");
	if (is_written && d && *text) /* a relative one is a recording, not a new prompt */
		buf_printf(out, "%s/", d->recordings);
	return principal_put_sv(out, sv_of(text), " ");
}

/* ---- dial strings ---- */
/* name='value' with the value marked; quotes keep what is empty. */
static ON_CTL int put_var(struct buf *out, const char *name, const char *value, bool is_first, const char **why)
{
	if (!principal_may_set(name, why))
		return ST_DENIED;
	buf_printf(out, "%s%s=", is_first ? "" : ",", name);
	return principal_put_sv(out, sv_of(value), "");
}

static ON_CTL int put_vars(struct buf *out, const struct vars *vars, char open, char close, const char **why)
{
	const char *name, *value;
	int st = ST_OK;

	if (!vars_count(vars))
		return ST_OK;
	buf_addc(out, open);
	for (size_t i = 0; i < vars_count(vars) && !st; i++) {
		vars_at(vars, i, &name, &value);
		st = put_var(out, name, value, i == 0, why);
	}
	buf_addc(out, close);
	return st;
}

/* EXTEN[/CONTEXT[/DIALPLAN]] */
static ON_CTL int put_extension(struct buf *out, const char *data, const char **why)
{
	char *copy = mem_strdup(data), *context = copy ? strchr(copy, '/') : NULL, *dialplan = NULL;
	int st = copy ? ST_OK : ST_NOMEM;

	if (context)
		*context++ = 0, dialplan = strchr(context, '/');
	if (dialplan)
		*dialplan++ = 0;
	if (!st && (!strncasecmp(copy, "app=", 4) || strchr(copy, '=')))
		st = refuse(why, "loopback/ takes an extension, no application");
	else if (!st && !principal_may_route(dialplan, context, why))
		st = ST_DENIED;
	if (!st)
		st = principal_put_sv(out, sv_of(copy), "");
	if (!st && context && *context)
		buf_printf(out, "/%s%s%s", context, dialplan ? "/" : "", dialplan ? dialplan : "");
	mem_free(copy);
	return st;
}

/* A SIP address, maybe with PROFILE/ or gateway/NAME/ in front: whom it names is data. */
static int put_address(struct buf *out, const char *data, const char **why)
{
	struct sv text = sv_of(data);
	size_t end = strcspn(data, ";"), at = end, user;

	if (!is_name(text, ":/@%;=+!~*#()&?[]"))
		return refuse(why, "a byte that no address has");
	while (at && data[at - 1] != '@')
		at--;
	if (!at) { /* no @: after the last slash comes a number or a user, maybe %domain */
		for (user = end; user && data[user - 1] != '/';)
			user--;
		if (!strncasecmp(data + user, "sip:", 4) || !strncasecmp(data + user, "sips:", 5))
			user += strcspn(data + user, ":") + 1;
		buf_add(out, data, user);
		return principal_put_sv(out, sv_sub(text, user, text.n - user), "%:;=");
	}
	for (user = at - 1; user && data[user - 1] != '/' && data[user - 1] != ':';)
		user--;
	buf_add(out, data, user);
	principal_put_sv(out, sv_sub(text, user, at - 1 - user), "");
	return buf_add(out, data + at - 1, text.n - at + 1) ? ST_NOMEM : ST_OK;
}

static ON_CTL int put_leg(struct buf *out, const struct dial_leg *leg, const char **why)
{
	const struct endpoint_ops *e = endpoint_find(sv_of(leg->endpoint));
	int st = put_vars(out, leg->vars, '[', ']', why);

	if (st)
		return st;
	if (!strcasecmp(leg->endpoint, "sip"))
		return put_address(out, leg->data, why);
	if (e && e->operator_dials == OPERATOR_DIALS_NOT)
		return refuse(why, "that endpoint is not for everybody");
	buf_printf(out, "%s/", leg->endpoint);
	if (!e || !is_name(sv_of(leg->endpoint), "")) /* it is not there; the error says so */
		return is_name(sv_of(leg->endpoint), "") ? principal_put_sv(out, sv_of(leg->data), "")
		                                         : refuse(why, "no endpoint");
	if (e->operator_dials == OPERATOR_DIALS_EXTENSION)
		return put_extension(out, leg->data, why);
	if (e->operator_dials == OPERATOR_DIALS_ADDRESS)
		return put_address(out, leg->data, why);
	return principal_put_sv(out, sv_of(leg->data), "@+/");
}

static ON_CTL int put_part(struct buf *out, const struct dial_part *part, const char **why)
{
	int st = put_vars(out, part->vars, '{', '}', why);

	for (size_t i = 0; i < part->count && !st; i++) {
		if (i)
			buf_addc(out, part->legs[i].group == part->legs[i - 1].group ? ',' : '|');
		st = put_leg(out, &part->legs[i], why);
	}
	return st;
}

int principal_put_dial(struct buf *out, const char *text, const char **why)
{
	struct dial d;
	int st = dial_parse(&d, text);

	if (st && st != ST_NOMEM) { /* whoever dials it says what is wrong; nothing of it is a name */
		dial_free(&d);
		return principal_put_data(out, text, "");
	}
	for (size_t i = 0; i < d.count && !st; i++) {
		if (i)
			buf_adds(out, ":_:");
		st = put_part(out, &d.parts[i], why);
	}
	dial_free(&d);
	return st ? st : out->failed ? ST_NOMEM : ST_OK;
}

int principal_put_vars(struct buf *out, const char *text, const char **why)
{
	struct sv inside = sv_trim(sv_of(text));
	struct vars *v = NULL;
	int st = vars_new(&v);

	if (!st && (inside.n < 2 || inside.p[0] != '{' || inside.p[inside.n - 1] != '}' ||
	               vars_parse(v, sv_sub(inside, 1, inside.n - 2))))
		st = refuse(why, "variables cannot be read");
	if (!st)
		st = put_vars(out, v, '{', '}', why);
	vars_free(v);
	return st;
}

/* ---- applications ---- */
/* "name=value" or "name"; set and export know more in front of a name, which is refused. */
static ON_CTL int put_assignment(struct buf *out, const char *data, const char **why)
{
	size_t n = strcspn(data, "=");
	char *name = mem_strndup(data, n);
	int st = !name ? ST_NOMEM : principal_may_set(name, why) ? ST_OK : ST_DENIED;

	if (!st) {
		buf_addv(out, sv_of(name));
		if (data[n])
			buf_addc(out, '=');
		st = data[n] ? principal_put_sv(out, sv_of(data + n + 1), "") : ST_OK;
	}
	mem_free(name);
	return st;
}

/* "exten dialplan context" */
static ON_CTL int put_place(struct buf *out, const char *data, const char **why)
{
	struct sv exten, dialplan, context, rest;
	char *name[2];
	int st;

	sv_split(sv_trim(sv_of(data)), ' ', &exten, &rest);
	sv_split(sv_trim(rest), ' ', &dialplan, &context);
	name[0] = sv_dup(dialplan), name[1] = sv_dup(sv_trim(context));
	st = !name[0] || !name[1] ? ST_NOMEM : ST_OK;
	if (!st && (!principal_may_route(name[0], name[1], why) || sv_starts(exten, SV("-"))))
		st = sv_starts(exten, SV("-")) ? refuse(why, "only the leg itself") : ST_DENIED;
	if (!st)
		st = principal_put_sv(out, exten, "");
	if (!st && *name[0])
		buf_printf(out, " %s%s%s", name[0], *name[1] ? " " : "", name[1]);
	mem_free(name[0]);
	mem_free(name[1]);
	return st;
}

int principal_put_app(struct buf *out, const char *app, const char *data, const char **why)
{
	const struct app_desc *a = app_find(app);

	if (!a)
		return is_name(sv_of(app), "") ? principal_put_data(out, data, "") : refuse(why, "no application");
	switch (a->flags & APP_OPERATOR_MASK) {
	case APP_OPERATOR:
		return principal_put_data(out, data, " ");
	case APP_OPERATOR_SOUND:
		return principal_put_file(out, data, false, why);
	case APP_OPERATOR_RECORDING:
		if (!strncmp(a->name, "stop_", 5) && !strcasecmp(data, "all"))
			return principal_put_data(out, data, "");
		return principal_put_file(out, data, true, why);
	case APP_OPERATOR_DIAL:
		return principal_put_dial(out, data, why);
	case APP_OPERATOR_PLACE:
		return put_place(out, data, why);
	case APP_OPERATOR_VARIABLE:
		return put_assignment(out, data, why);
	default:
		return refuse(why, "that application is not for everybody");
	}
}
