/* Commands that read and write what a leg knows: its variables, its dump, its log level. */
#include "api/api_i.h"
#include "base/rand.h"
#include "core/bridge/bridge.h"
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "core/registry/principal.h"
#include "core/value/vars.h"
#include "text/mark.h"
#include "text/words.h"

#include <stdlib.h>

int api_create_uuid(struct api_call *c)
{
	char uuid[UUID_CHARS + 1];
	role_assert_ctl();
	uuid_make(uuid);
	return api_text(c, uuid);
}

int api_uuid_exists(struct api_call *c)
{
	role_assert_ctl();
	return api_text(c, leg_find(c->args) ? "true" : "false");
}

void on_getvar(struct api_call *c, struct leg *leg, struct api_words *w)
{
	const char *v = NULL;
	role_assert_ctl();
	struct buf scratch;
	buf_init(&scratch);
	char *bracket = strchr(w->w[1], '[');
	if (bracket && strchr(bracket, ']')) {
		long index = atol(bracket + 1);
		*bracket = 0;
		v = vars_element(leg->vars, w->w[1], index < 0 ? SIZE_MAX : (size_t)index, &scratch);
		if (!v && index < 0)
			bracket = NULL; /* the whole */
	}
	if (!v && !bracket)
		v = c->who && !vars_get(leg->vars, w->w[1]) && !leg_profile_field(leg->profile, w->w[1])
		        ? NULL /* no globals: those are not the call's */
		        : leg_text(leg, w->w[1], &scratch);
	c->is_reply_text = true;
	buf_adds(c->out, v ? v : "_undef_");
	buf_fini(&scratch);
}

/* Data, whatever it says ("${x}" too: it will not be read). */
static ON_CTL void leg_var_set_plain(struct leg *leg, const char *name, const char *value)
{
	char *marked = value && *value ? principal_data_dup(value, "") : NULL;
	leg_var_set_text(leg, name, marked);
	mem_free(marked);
}

void on_setvar(struct api_call *c, struct leg *leg, struct api_words *w)
{
	role_assert_ctl();
	if (!*w->w[1]) {
		buf_adds(c->out, "-ERR No variable specified\n");
		return;
	}
	if (c->who ? !api_variable_check(c, w->w[1]) : api_is_outside(c, w->m[1]))
		return;
	leg_var_set_text(leg, w->w[1], w->n > 2 && *w->m[2] ? w->m[2] : NULL);
	buf_adds(c->out, "+OK\n");
}

void on_setvar_multi(struct api_call *c, struct leg *leg, struct api_words *w)
{
	char *pair[64];
	role_assert_ctl();
	/* as it is written: quotes and backslashes are read once, within the pairs */
	const char *given = strchr(c->who ? c->args : c->text, ' ');
	char *text = mem_strdup(given ? given + 1 : "");
	int n = text ? words_split(text, ';', pair, 64) : 0, count = 0;
	for (int i = 0; i < n; i++) {
		char *eq = strchr(pair[i], '=');
		if (eq)
			*eq++ = 0;
		if (!*pair[i]) {
			buf_adds(c->out, "-ERR No variable specified\n");
			continue;
		}
		if (mark_has(sv_of(pair[i])))
			continue;
		if (!api_variable_check(c, pair[i])) {
			mem_free(text);
			return;
		}
		count++;
		if (c->who)
			leg_var_set_plain(leg, pair[i], eq);
		else
			leg_var_set_text(leg, pair[i], eq && *eq ? eq : NULL);
	}
	mem_free(text);
	if (count)
		buf_adds(c->out, "+OK\n");
	else
		api_leg_usage(c, w->command);
}

void on_dump(struct api_call *c, struct leg *leg, struct api_words *w)
{
	struct event *e;
	role_assert_ctl();
	e = event_new(EVENT_CHANNEL_DATA, NULL);
	if (!e)
		return;
	leg_event_headers(leg, e);
	const char *format = w->n > 1 ? w->w[1] : "txt";
	buf_addv(c->out, event_render(e, !strcasecmp(format, "xml")    ? EVENT_XML
	                                 : !strcasecmp(format, "json") ? EVENT_JSON
	                                                               : EVENT_PLAIN));
	mem_unref(e);
}

void on_loglevel(struct api_call *c, struct leg *leg, struct api_words *w)
{
	enum log_level level;
	const char *text = w->w[1];
	role_assert_ctl();
	bool is_both = !strncasecmp(text, "-b", 2);
	if (is_both)
		text += strcspn(text, " "), text += strspn(text, " ");
	bool is_number = *text && !text[strspn(text, "0123456789")];
	if (is_number) /* there are no finer ones than debug */
		level = (enum log_level)str_number(text, LOG_CONSOLE, LOG_DEBUG);
	else if (log_level_parse(text, &level)) {
		buf_adds(c->out, "-ERR Invalid log level!\n");
		return;
	}
	leg->loglevel = (int)level;
	struct leg *partner = is_both ? leg_partner(leg) : NULL;
	if (partner)
		partner->loglevel = (int)level;
	buf_adds(c->out, "+OK\n");
}
