/* Commands that FreeSWITCH's mod_dptools brings: presence (fires an event), chat (a text message), page (a file played
 * to many). */
#include "apps/apps_i.h"
#include "base/mem.h"
#include "core/event/event.h"
#include "core/registry/api.h"
#include "core/registry/chat.h"
#include "core/run/api.h"
#include "loop/co.h"
#include <string.h>
#include <strings.h>

enum { PAGE_MAX_COUNT = 100, CHAT_FIELDS = 5, CHAT_WAIT_US = 40 * 1000000 };

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

struct chat_wait {
	struct co_wait wait;
	bool is_over;
};

static void on_chat_sent(int status, int code, void *arg)
{
	struct chat_wait *w = arg;

	role_assert_ctl();
	if (w->is_over) /* nobody waits any more */
		mem_free(w);
	else
		co_signal(&w->wait, status);
}

/* Until the far side has answered. */
static CO int chat_and_wait(struct event *message)
{
	struct chat_wait *w = mem_zalloc(sizeof(*w));
	int st = w ? chat_send(message, on_chat_sent, w) : ST_NOMEM;

	if (st) {
		mem_free(w);
		return st;
	}
	st = co_wait_or_stop(&w->wait, CHAT_WAIT_US);
	if (st == ST_TIMEOUT || st == ST_CANCELLED)
		w->is_over = true;
	else
		mem_free(w);
	return st;
}

/* <proto>|<from>|<to>|<message>[|<type>]: to the carrier, past the chatplan. */
int api_chat(struct api_call *c)
{
	struct sv part[CHAT_FIELDS] = {SV_NONE}, rest = sv_of(c->args);
	char *text[CHAT_FIELDS];
	struct event *e;
	size_t n = 0;
	int st;

	role_assert_co();
	for (bool is_more = true; n < CHAT_FIELDS && is_more; n++)
		is_more = sv_split(rest, '|', &part[n], &rest);
	if (n < CHAT_FIELDS - 1)
		return buf_adds(c->out, "Invalid");
	if (!(e = event_new(EVENT_MESSAGE, NULL)))
		return ST_NOMEM;
	for (size_t i = 0; i < CHAT_FIELDS; i++)
		text[i] = sv_dup(part[i]);
	event_add(e, "proto", "global");
	event_add(e, "from", text[1]);
	event_add(e, "to", text[2]);
	if (part[4].n)
		event_add(e, "type", text[4]);
	event_add(e, CHAT_SKIP_PLAN, "true");
	event_add(e, "blocking", "true");
	event_add(e, "dest_proto", text[0]);
	event_set_body(e, part[3]);
	st = chat_and_wait(e);
	mem_unref(e);
	for (size_t i = 0; i < CHAT_FIELDS; i++)
		mem_free(text[i]);
	return buf_adds(c->out, st ? "Error! Message Not Sent" : "Sent");
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
