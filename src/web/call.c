/* What is done with calls: originate, hang up, and the uuid_ commands on one channel. The command line is put together
 * here from checked, quoted words, so that no value can become another argument. */
#include "base/mem.h"
#include "core/leg/leg.h"
#include "core/value/cause.h"
#include "web/web_i.h"

#include <stdio.h>
#include <string.h>

/* ---- words of a command line ---- */
static bool has_control(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 127)
			return true;
	return false;
}

/* 'word' with quotes and backslashes escaped. */
static void word_put(struct buf *b, const char *s)
{
	buf_adds(b, " '");
	for (; *s; s++) {
		if (*s == '\'' || *s == '\\')
			buf_addc(b, '\\');
		buf_addc(b, *s);
	}
	buf_addc(b, '\'');
}

/* A string member; false when it was answered. Missing: *out is fallback (NULL: it is needed). */
static ON_CTL bool text_get(struct web_call *c, const char *name, const char *fallback, const char **out)
{
	const json_t *v = json_object_get(c->body, name);
	*out = v && !json_is_null(v) ? json_string_value(v) : fallback;
	if (!*out)
		web_problem(c->x, 400, v ? "%s must be a string" : "%s is needed", name);
	else if (has_control(*out))
		web_problem(c->x, 400, "%s has a control character", name);
	else
		return true;
	return false;
}

/* ---- originate ---- */
/* {^^D n=v D n=v}: D is a character that no name and no value has. */
static ON_CTL bool variables_put(struct web_call *c, struct buf *b)
{
	static const char delimiters[] = "|;~!#@";
	const json_t *vars = json_object_get(c->body, "variables");
	char used[256] = {0};
	const char *name, *text;
	json_t *v;
	if (!vars || json_is_null(vars))
		return true;
	if (!json_is_object(vars)) {
		web_problem(c->x, 400, "variables must be an object of strings");
		return false;
	}
	json_object_foreach((json_t *)vars, name, v)
	{
		text = json_string_value(v);
		if (!text || !*name || strpbrk(name, "={}[]<>,'\\ ") || strpbrk(text, "{}[]<>'\\") ||
		    has_control(text) || has_control(name)) {
			web_problem(c->x, 400,
			    "the variable %s must be a string without braces, brackets, quotes and backslashes", name);
			return false;
		}
		for (const char *p = text; *p; p++)
			used[(unsigned char)*p] = 1;
	}
	const char *d = delimiters;
	while (*d && used[(unsigned char)*d])
		d++;
	if (!*d) {
		web_problem(c->x, 400, "the variables' values use all of %s; one must be left", delimiters);
		return false;
	}
	if (!json_object_size(vars))
		return true;
	buf_printf(b, "{^^%c", *d);
	bool is_first = true;
	json_object_foreach((json_t *)vars, name, v)
	{
		buf_printf(b, "%.*s%s=%s", is_first ? 0 : 1, d, name, json_string_value(v));
		is_first = false;
	}
	buf_addc(b, '}');
	return true;
}

static void originate_done(struct http_exchange *x, int status, struct sv reply, void *arg)
{
	struct json_writer w;
	struct buf b;
	struct sv text;
	char place[200];
	role_assert_ctl();
	if (!http_exchange_is_open(x))
		return;
	if (web_reply_is_refusal(reply, &text)) {
		web_problem(x, 403, "originate: %.*s", SVF(text));
		return;
	}
	if (web_reply_is_error(reply, &text)) {
		web_problem(x, 422, "the call was not answered: %.*s", SVF(text));
		return;
	}
	if (sv_starts(text, SV("+OK ")))
		text = sv_sub(text, 4, text.n);
	buf_init(&b);
	jw_init(&w, &b, false);
	jw_begin_object(&w);
	jw_key(&w, "uuid");
	jw_sv(&w, text);
	jw_end_object(&w);
	snprintf(place, sizeof(place), "/v1/channels/%.*s", SVF(text));
	http_exchange_header(x, "Location", place);
	web_reply_json(x, 201, &b);
}

/* What the answered leg gets: "&app(data)", or an extension. */
static ON_CTL bool destination_put(struct web_call *c, struct buf *b)
{
	const char *app, *data, *extension, *dialplan, *context;
	struct buf word;
	if (!text_get(c, "application", "", &app) || !text_get(c, "data", "", &data) ||
	    !text_get(c, "extension", "", &extension) || !text_get(c, "dialplan", "XML", &dialplan) ||
	    !text_get(c, "context", "default", &context))
		return false;
	if (!*app == !*extension) {
		web_problem(c->x, 400, "either extension or application is needed");
		return false;
	}
	if (strpbrk(app, "() ") || strchr(data, ')')) {
		web_problem(c->x, 400, "application must be a name, and data may have no closing parenthesis");
		return false;
	}
	buf_init(&word);
	if (*app)
		buf_printf(&word, "&%s(%s)", app, data);
	else
		buf_adds(&word, extension);
	word_put(b, word.p ? word.p : "");
	buf_fini(&word);
	word_put(b, dialplan);
	word_put(b, context);
	return true;
}

void web_originate(struct web_call *c)
{
	const char *target, *cid_name, *cid_number;
	json_int_t timeout_s = 60;
	struct buf args, dial;
	buf_init(&args);
	buf_init(&dial);
	if (!web_command_check(c, "originate"))
		goto out;
	if (!text_get(c, "target", NULL, &target) || !text_get(c, "caller_id_name", "undef", &cid_name) ||
	    !text_get(c, "caller_id_number", "undef", &cid_number) || !variables_put(c, &dial))
		goto out;
	const json_t *timeout = json_object_get(c->body, "timeout_s");
	if (timeout && !json_is_null(timeout))
		timeout_s = json_is_integer(timeout) ? json_integer_value(timeout) : 0;
	if (timeout_s < 1 || timeout_s > 3600) {
		web_problem(c->x, 400, "timeout_s must be a whole number of 1 to 3600");
		goto out;
	}
	buf_adds(&dial, target);
	word_put(&args, dial.p);
	if (!destination_put(c, &args))
		goto out;
	word_put(&args, cid_name);
	word_put(&args, cid_number);
	buf_printf(&args, " %d", (int)timeout_s);
	web_command_run(c->x, c->who, "originate", args.p + 1, originate_done, NULL);
out:
	buf_fini(&args);
	buf_fini(&dial);
}

/* ---- one channel ---- */
static ON_CTL bool channel_command_check(struct web_call *c, const char *name)
{
	const struct leg *leg = leg_find(c->param);
	if (!web_leg_command_check(c, name, leg))
		return false;
	if (!leg)
		web_problem(c->x, 404, "there is no channel %s", c->param);
	return leg != NULL;
}

void web_channel_hangup(struct web_call *c)
{
	struct buf name;
	enum cause cause = CAUSE_NORMAL_CLEARING;
	struct leg *leg;
	buf_init(&name);
	if (!channel_command_check(c, "uuid_kill"))
		goto out;
	bool is_given = !http_query_get(c->q, "cause", &name);
	if (is_given)
		cause = cause_parse(name.p ? name.p : "");
	/* what cause_parse does not know it takes for a normal clearing */
	if (is_given && cause == CAUSE_NORMAL_CLEARING && !sv_isi(buf_sv(&name), cause_name(cause)) &&
	    !sv_is(buf_sv(&name), "16")) {
		web_problem(c->x, 400, "%s is no hang-up cause", name.p ? name.p : "\"\"");
		goto out;
	}
	leg = leg_find(c->param);
	leg_hangup(leg, cause);
	http_exchange_reply(c->x, 204, NULL, SV_NONE);
out:
	buf_fini(&name);
}

/* {"command": "hold", "args": "..."} runs uuid_hold UUID ...; the words "off" and "toggle" of hold and media come
 * before the uuid, as those commands want it. */
void web_channel_command(struct web_call *c)
{
	const char *command, *rest;
	char name[WEB_PARAM_CHARS];
	struct buf args;
	if (!text_get(c, "command", NULL, &command) || !text_get(c, "args", "", &rest))
		return;
	int n = snprintf(name, sizeof(name), "uuid_%s", command);
	if (n < 0 || n >= (int)sizeof(name)) {
		web_problem(c->x, 404, "there is no such command");
		return;
	}
	if (!channel_command_check(c, name))
		return;
	bool is_before = (!strcmp(command, "hold") || !strncmp(command, "media", 5)) &&
	                 (!strcmp(rest, "off") || !strcmp(rest, "toggle"));
	buf_init(&args);
	if (is_before)
		buf_printf(&args, "%s %s", rest, c->param);
	else
		buf_printf(&args, "%s%s%s", c->param, *rest ? " " : "", rest);
	web_command_answer(c, name, args.p ? args.p : "");
	buf_fini(&args);
}
