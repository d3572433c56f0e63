/* Moderators: what the page of a conference's moderator asks for on the channel conference-mod.ROOM@DOMAIN becomes the
 * command `conference` of that room, run for somebody who may run nothing else (core/registry/principal.h): his words
 * are data, and files go through their door. The command and its reply are told on the channel, as FreeSWITCH does. */
#include "base/mem.h"
#include "core/registry/principal.h"
#include "core/run/api.h"
#include "endpoint/verto/verto_i.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COMMAND_MAX = 512 };
enum what { OF_MEMBER = 1, TAKES_VALUE = 2 };

static bool may_run(const struct principal *p, const char *command)
{
	role_assert_ctl();
	return !strcmp(command, "conference");
}

struct asked {
	char *channel, *text;
};

static ON_CTL void response_send(const char *channel, const char *command, struct sv reply, const char *error)
{
	struct json_writer w;
	struct buf b;
	buf_init(&b);
	jw_init(&w, &b, false);
	jw_begin_object(&w);
	jw_kv_str(&w, "action", "response");
	if (error) {
		jw_kv_str(&w, "error", error);
	} else {
		jw_kv_str(&w, "conf-command", command);
		jw_key(&w, "response");
		jw_sv(&w, reply);
	}
	jw_end_object(&w);
	if (!b.failed)
		verto_event_send(channel, buf_sv(&b));
	buf_fini(&b);
}

static void asked_free(struct asked *a)
{
	mem_free(a->channel);
	mem_free(a->text);
	mem_free(a);
}

static void on_done(int status, struct sv reply, void *arg)
{
	struct asked *a = arg;
	role_assert_ctl();
	response_send(a->channel, a->text, reply, NULL);
	asked_free(a);
}

/* One or some words, each without what parts or ends words. */
static bool words_put(struct buf *out, const json_t *value)
{
	size_t i;
	const json_t *one;
	if (json_is_array(value)) {
		json_array_foreach(
		    (json_t *)value, i, one) if (json_is_array(one) || !words_put(out, one)) return false;
		return true;
	}
	if (json_is_integer(value)) {
		buf_printf(out, " %lld", (long long)json_integer_value(value));
		return true;
	}
	const char *text = json_string_value(value);
	if (!text || !*text || strpbrk(text, " \t\r\n'\"\\`|"))
		return false;
	buf_printf(out, " %s", text);
	return true;
}

static unsigned what_of(const char *command)
{
	static const struct {
		const char *name;
		unsigned what;
	} known[] = {{"mute", OF_MEMBER}, {"unmute", OF_MEMBER}, {"tmute", OF_MEMBER}, {"deaf", OF_MEMBER},
	    {"undeaf", OF_MEMBER}, {"kick", OF_MEMBER}, {"volume_in", OF_MEMBER | TAKES_VALUE},
	    {"volume_out", OF_MEMBER | TAKES_VALUE}, {"energy", OF_MEMBER | TAKES_VALUE}, {"play", TAKES_VALUE},
	    {"stop", TAKES_VALUE}, {"recording", TAKES_VALUE}};
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(command, known[i].name))
			return known[i].what;
	return 0;
}

/* "vc1 mute 5"; false: nothing that is spoken here. */
static bool command_put(struct buf *out, const char *room, const json_t *data)
{
	const char *command = verto_text(data, "command");
	const json_t *id = json_object_get(data, "id"), *value = json_object_get(data, "value");
	unsigned what = what_of(command);
	uint32_t member = 0;
	if (!what || !*room || strpbrk(room, " \t'\"\\`|"))
		return false;
	buf_printf(out, "%s %s", room, command);
	if (what & OF_MEMBER) {
		if (json_is_integer(id) && json_integer_value(id) > 0 && json_integer_value(id) < UINT32_MAX)
			member = (uint32_t)json_integer_value(id);
		else if (!json_string_value(id) || sv_u32(sv_of(json_string_value(id)), &member))
			return false;
		buf_printf(out, " %u", member);
	}
	return (!(what & TAKES_VALUE) || words_put(out, value)) && !out->failed && out->n < COMMAND_MAX;
}

void verto_control(const struct verto_line *l, const char *room, const char *channel, const json_t *data)
{
	char name[300];
	struct buf text;
	struct asked *a = NULL;
	struct principal *who = NULL;
	buf_init(&text);
	if (!command_put(&text, room, data)) {
		response_send(channel, "", SV_NONE, "Invalid Command");
		buf_fini(&text);
		return;
	}
	snprintf(name, sizeof(name), "%s@%s", l->user, l->domain);
	who = principal_new(name, "conference", may_run);
	a = who ? mem_zalloc(sizeof(*a)) : NULL;
	if (a) {
		a->channel = mem_strdup(channel);
		a->text = mem_strdup(text.p);
	}
	if (a && (!a->channel || !a->text || api_spawn_for(who, "conference", text.p, NULL, on_done, a))) {
		asked_free(a);
		response_send(channel, "", SV_NONE, "no memory");
	}
	mem_unref(who);
	buf_fini(&text);
}
