/* Commands that FreeSWITCH's mod_dptools brings: presence (fires an event), chat (messages, which nothing here sends
 * yet), page (a file played to many). */
#include "apps/apps_i.h"
#include "base/mem.h"
#include "core/event/event.h"
#include "core/registry/api.h"
#include "core/run/api.h"
#include <string.h>
#include <strings.h>

enum { PAGE_MAX_COUNT = 100, CHAT_FIELDS = 4 };

/* [in|out] <user> <rpid> <message>: the event is PRESENCE_IN whatever the direction, as there. */
int api_presence(struct api_call *c)
{
	struct sv word[3], rest = sv_trim(sv_of(c->args));
	char *text[3] = {NULL};
	struct event *e;
	size_t n = 0;

	role_assert_ctl();
	for (; n < 3 && rest.n; n++) {
		sv_split(rest, ' ', &word[n], &rest);
		rest = sv_trim(rest);
	}
	if (n < 3 || !rest.n || (!sv_isi(word[0], "in") && !sv_isi(word[0], "out")))
		return buf_adds(c->out, "Invalid: presence [in|out] <user> <rpid> <message>");
	for (size_t i = 1; i < 3; i++)
		text[i] = sv_dup(word[i]);
	if ((e = event_new(EVENT_PRESENCE_IN, NULL))) {
		char *message = sv_dup(rest);
		event_add(e, "proto", "dp");
		event_add(e, "login", "mod_dptools");
		event_add(e, "from", text[1]);
		event_add(e, "rpid", text[2]);
		event_add(e, "status", message);
		event_add(e, "event_type", "presence");
		event_fire(e);
		mem_free(message);
	}
	mem_free(text[1]);
	mem_free(text[2]);
	return buf_adds(c->out, "Event Sent");
}

/* <proto>|<from>|<to>|<message>[|<type>] */
int api_chat(struct api_call *c)
{
	unsigned fields = 1;

	role_assert_ctl();
	for (const char *p = c->args; *p; p++)
		fields += *p == '|';
	return buf_adds(c->out, fields < CHAT_FIELDS ? "Invalid" : "Error! Message Not Sent");
}

/* The value of name in "(a=b,c=d)", or none. */
static struct sv var_in(struct sv vars, const char *name)
{
	struct sv one, key, value;

	while (vars.n) {
		sv_split(vars, ',', &one, &vars);
		if (sv_split(one, '=', &key, &value) && sv_isi(sv_trim(key), name))
			return sv_trim(value);
	}
	return SV_NONE;
}

/* "a:_:b" to a, then b. */
static bool next_target(struct sv *rest, struct sv *one)
{
	const char *at = rest->n ? memmem(rest->p, rest->n, ":_:", 3) : NULL;

	if (!rest->n)
		return false;
	*one = sv_trim(at ? (struct sv){rest->p, (size_t)(at - rest->p)} : *rest);
	*rest = at ? sv_sub(*rest, (size_t)(at - rest->p) + 3, rest->n) : SV_NONE;
	return true;
}

/* (page_path=FILE)<vars>chan1[:_:chanN]: each is called by itself, and the file played to who answers. */
int api_page(struct api_call *c)
{
	struct sv rest = sv_trim(sv_of(c->text)), vars = SV_NONE, common = SV_NONE, path, one;
	size_t called = 0;

	role_assert_ctl();
	if (!rest.n)
		return buf_adds(c->out, "-ERR no data");
	if (*rest.p == '(' && sv_find(rest, ')') < rest.n) {
		vars = sv_sub(rest, 1, sv_find(rest, ')') - 1);
		rest = sv_trim(sv_sub(rest, sv_find(rest, ')') + 1, rest.n));
	}
	if (rest.n && *rest.p == '<' && sv_find(rest, '>') < rest.n) {
		common = sv_sub(rest, 1, sv_find(rest, '>') - 1);
		rest = sv_trim(sv_sub(rest, sv_find(rest, '>') + 1, rest.n));
	}
	path = var_in(vars, "page_path");
	if (!path.n || !rest.n || sv_find(path, '\'') < path.n)
		return buf_adds(c->out, "-ERR usage: (page_path=<file>)<var1=val1,var2=val2><chan1>[:_:<chanN>]");
	for (; called < PAGE_MAX_COUNT && next_target(&rest, &one);) {
		struct buf line;
		buf_init(&line);
		if (common.n)
			buf_printf(&line, "{%.*s}", SVF(common));
		buf_printf(&line, "%.*s 'playback:%.*s' inline", SVF(one), SVF(path));
		if (one.n && !line.failed && !api_spawn_for(c->who, "originate", line.p, NULL, NULL, NULL))
			called++;
		buf_fini(&line);
	}
	return buf_printf(c->out, "+OK %zu called", called);
}
