/* Event channels: what a client has subscribed to comes to it as verto.event. Which it may is said by the directory
 * (jsonrpc-allowed-event-channels: names, or what stands before their first dot), and by where it is: in a conference
 * with livearray-sync its channels conference-liveArray.ROOM@DOMAIN, -chat. and -info. are open to it, to a moderator
 * -mod. as well (control.c). Also here: text messages, and commands of those whom the directory allows some. */
#include "base/log.h"
#include "base/mem.h"
#include "conference/conference.h"
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "core/registry/chat.h"
#include "core/registry/principal.h"
#include "core/run/api.h"
#include "endpoint/verto/verto_i.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { CHANNEL_MAX = 200, TEXT_MAX = 16 << 10 };
static const char live_prefix[] = "conference-liveArray.", chat_prefix[] = "conference-chat.",
                  info_prefix[] = "conference-info.", mod_prefix[] = "conference-mod.";

struct grant { /* a room that a call of the session is in */
	struct lnode link;
	char uuid[UUID_CHARS + 1];
	char *room, *place; /* "vc1", "vc1@domain" */
	unsigned member;
	bool is_moderator;
};

/* ---- subscriptions ------------------------------------------------------------------------------------------- */

static struct verto_sub *sub_find(const struct verto_line *l, const char *channel)
{
	struct lnode *n, *tmp;
	list_each (&l->subs, n, tmp) {
		struct verto_sub *s = list_entry(n, struct verto_sub, link);
		if (!strcmp(s->channel, channel))
			return s;
	}
	return NULL;
}

static void sub_free(struct verto_sub *s)
{
	list_remove(&s->link);
	mem_free(s->channel);
	mem_free(s);
}

static void grant_free(struct grant *g)
{
	list_remove(&g->link);
	mem_free(g->room);
	mem_free(g->place);
	mem_free(g);
}

void verto_subs_free(struct verto_line *l)
{
	struct lnode *n, *tmp;
	list_each (&l->subs, n, tmp)
		sub_free(list_entry(n, struct verto_sub, link));
	list_each (&l->grants, n, tmp)
		grant_free(list_entry(n, struct grant, link));
}

static const struct grant *grant_of_channel(const struct verto_line *l, const char *channel)
{
	static const char *const prefixes[] = {live_prefix, chat_prefix, info_prefix, mod_prefix};
	struct lnode *n, *tmp;
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		size_t len = strlen(prefixes[i]);
		if (strncmp(channel, prefixes[i], len) != 0)
			continue;
		list_each (&l->grants, n, tmp) {
			const struct grant *g = list_entry(n, struct grant, link);
			if (!strcmp(g->place, channel + len) && (prefixes[i] != mod_prefix || g->is_moderator))
				return g;
		}
	}
	return NULL;
}

static ON_CTL bool is_allowed(const struct verto_line *l, const char *channel)
{
	char base[CHANNEL_MAX];
	snprintf(base, sizeof(base), "%.*s", (int)strcspn(channel, "."), channel);
	return sv_list_has(sv_of(l->channels), ',', sv_of(channel)) ||
	       sv_list_has(sv_of(l->channels), ',', sv_of(base)) || grant_of_channel(l, channel);
}

static ON_CTL bool subscribe_one(struct verto_line *l, const char *channel)
{
	size_t count = 0;
	struct lnode *n, *tmp;
	if (sub_find(l, channel))
		return true;
	list_each (&l->subs, n, tmp)
		count++;
	struct verto_sub *s = count < VERTO_SUBS_MAX ? mem_zalloc(sizeof(*s)) : NULL;
	if (!s || !(s->channel = mem_strdup(channel))) {
		mem_free(s);
		return false;
	}
	list_push(&l->subs, &s->link);
	return true;
}

/* The names of eventChannel: one, or an array of some. */
static size_t channels_of(const json_t *params, const char **out, size_t max)
{
	const json_t *c = json_object_get(params, "eventChannel");
	size_t n = 0, i;
	json_t *one;
	if (json_is_string(c))
		out[n++] = json_string_value(c);
	json_array_foreach((json_t *)c, i, one) if (json_is_string(one) && n < max) out[n++] = json_string_value(one);
	return n;
}

static void names_put(struct json_writer *w, const char *key, const char *const *names, size_t n)
{
	if (!n)
		return;
	jw_key(w, key);
	jw_begin_array(w);
	for (size_t i = 0; i < n; i++)
		jw_str(w, names[i]);
	jw_end_array(w);
}

/* Those that worked, those that did not; an error when none did. */
static ON_CTL void changed_reply(struct verto_line *l, const json_t *id, const char *good_key, const char *const *good,
    size_t good_count, const char *bad_key, const char *const *bad, size_t bad_count)
{
	struct verto_out o;
	verto_reply_begin(&o, l, id, !good_count);
	names_put(&o.w, good_key, good, good_count);
	names_put(&o.w, bad_key, bad, bad_count);
	verto_reply_end(&o, good_count > 0);
}

enum { NAMES_MAX = 50 };

static ON_CTL void subscribe(struct verto_line *l, const json_t *params, const json_t *id)
{
	const char *names[NAMES_MAX], *good[NAMES_MAX], *bad[NAMES_MAX];
	size_t n = channels_of(params, names, NAMES_MAX), goods = 0, bads = 0;
	for (size_t i = 0; i < n; i++) {
		if (strlen(names[i]) < CHANNEL_MAX && is_allowed(l, names[i]) && subscribe_one(l, names[i]))
			good[goods++] = names[i];
		else
			bad[bads++] = names[i];
	}
	changed_reply(l, id, "subscribedChannels", good, goods, "unauthorizedChannels", bad, bads);
}

static ON_CTL void unsubscribe(struct verto_line *l, const json_t *params, const json_t *id)
{
	const char *names[NAMES_MAX], *good[NAMES_MAX], *bad[NAMES_MAX];
	size_t n = channels_of(params, names, NAMES_MAX), goods = 0, bads = 0;
	for (size_t i = 0; i < n; i++) {
		struct verto_sub *s = sub_find(l, names[i]);
		if (s) {
			sub_free(s);
			good[goods++] = names[i];
		} else {
			bad[bads++] = names[i];
		}
	}
	changed_reply(l, id, "unsubscribedChannels", good, goods, "notSubscribedChannels", bad, bads);
}

/* ---- events -------------------------------------------------------------------------------------------------- */

void verto_event_send(const char *channel, struct sv data)
{
	struct lnode *n, *tmp;
	struct verto_out o;
	list_each (&verto_lines, n, tmp) {
		struct verto_line *l = list_entry(n, struct verto_line, link);
		struct verto_sub *s = l->is_authed ? sub_find(l, channel) : NULL;
		if (!s)
			continue;
		verto_request_begin(&o, l, "verto.event");
		jw_key(&o.w, "data");
		jw_raw(&o.w, data);
		jw_kv_str(&o.w, "eventChannel", channel);
		jw_kv_int(&o.w, "eventSerno", (int64_t)s->serial++);
		jw_kv_str(&o.w, "subscribedChannel", channel);
		verto_request_end(&o);
	}
}

static ON_CTL void chat_broadcast(struct verto_line *l, const char *channel, const char *text)
{
	struct json_writer w;
	struct buf data;
	char from[300];
	snprintf(from, sizeof(from), "%s@%s", l->user, l->domain);
	const struct grant *g = grant_of_channel(l, channel);
	struct leg *leg = g ? leg_find(g->uuid) : NULL;
	buf_init(&data);
	jw_init(&w, &data, false);
	jw_begin_object(&w);
	jw_kv_str(&w, "direction", "outbound");
	jw_kv_str(&w, "message", text);
	jw_kv_str(&w, "fromDisplay", leg && leg->profile->caller_id_name ? leg->profile->caller_id_name : l->user);
	jw_kv_str(&w, "from", from);
	jw_kv_str(&w, "type", "message");
	jw_end_object(&w);
	if (!data.failed)
		verto_event_send(channel, buf_sv(&data));
	buf_fini(&data);
}

static void boot_row(const struct conf_live_row *row, void *arg)
{
	struct json_writer *w = arg;
	role_assert_ctl();
	jw_begin_array(w);
	jw_str(w, row->member_uuid);
	jw_raw(w, row->json);
	jw_end_array(w);
}

/* All rows of the room, to the one who asks. */
static ON_CTL void boot(struct verto_line *l, const struct grant *g, const char *channel)
{
	struct verto_out o;
	verto_request_begin(&o, l, "verto.event");
	jw_key(&o.w, "data");
	jw_begin_object(&o.w);
	jw_kv_str(&o.w, "action", "bootObj");
	jw_kv_str(&o.w, "name", g->room);
	jw_kv_int(&o.w, "wireSerno", -1);
	jw_key(&o.w, "data");
	jw_begin_array(&o.w);
	(void)conf_live_each(g->room, boot_row, &o.w);
	jw_end_array(&o.w);
	jw_end_object(&o.w);
	jw_kv_str(&o.w, "eventChannel", channel);
	jw_kv_str(&o.w, "sessid", l->sessid);
	verto_request_end(&o);
}

static ON_CTL void broadcast(struct verto_line *l, const json_t *params, const json_t *id)
{
	const char *channel = verto_text(params, "eventChannel");
	const json_t *data = json_object_get(params, "data"), *live = json_object_get(data, "liveArray");
	const struct grant *g = grant_of_channel(l, channel);
	struct verto_out o;
	if (!is_allowed(l, channel)) {
		verto_reply_begin(&o, l, id, false);
		jw_kv_str(&o.w, "message", "Permission Denied.");
		jw_kv_int(&o.w, "code", -32002);
		verto_reply_end(&o, true);
		return;
	}
	verto_reply_begin(&o, l, id, false);
	verto_reply_end(&o, true);
	if (g && !strncmp(channel, live_prefix, strlen(live_prefix))) {
		if (!strcmp(verto_text(live, "command"), "bootstrap"))
			boot(l, g, channel);
	} else if (g && !strncmp(channel, mod_prefix, strlen(mod_prefix))) {
		if (!strcmp(verto_text(data, "application"), "conf-control"))
			verto_control(l, g->room, channel, data);
	} else if (!strncmp(channel, chat_prefix, strlen(chat_prefix))) {
		if (*verto_text(data, "message"))
			chat_broadcast(l, channel, verto_text(data, "message"));
	} else if (data && strncmp(channel, "FSevent", 7) != 0 && strncmp(channel, "presence", 8) != 0) {
		char *text = json_dumps(data, JSON_COMPACT | JSON_ENCODE_ANY);
		if (text && strlen(text) < TEXT_MAX)
			verto_event_send(channel, sv_of(text));
		free(text);
	}
}

/* ---- conferences --------------------------------------------------------------------------------------------- */

/* What only this session is told: which channels a room that it is in has. */
static ON_CTL void room_tell(struct verto_line *l, const struct grant *g, const char *action)
{
	struct verto_out o;
	char text[2 * CHANNEL_MAX];
	verto_request_begin(&o, l, "verto.event");
	jw_key(&o.w, "pvtData");
	jw_begin_object(&o.w);
	jw_kv_str(&o.w, "callID", g->uuid);
	jw_kv_str(&o.w, "action", action);
	snprintf(text, sizeof(text), "%s%s", live_prefix, g->place);
	jw_kv_str(&o.w, "laChannel", text);
	jw_kv_str(&o.w, "laName", g->room);
	jw_kv_str(&o.w, "role", g->is_moderator ? "moderator" : "participant");
	snprintf(text, sizeof(text), "conf+%s", g->place);
	jw_kv_str(&o.w, "chatID", text);
	snprintf(text, sizeof(text), "%u", g->member);
	jw_kv_str(&o.w, "conferenceMemberID", text);
	jw_kv_int(&o.w, "canvasCount", 0);
	if (g->is_moderator) {
		snprintf(text, sizeof(text), "%s%s", mod_prefix, g->place);
		jw_kv_str(&o.w, "modChannel", text);
	}
	snprintf(text, sizeof(text), "%s%s", chat_prefix, g->place);
	jw_kv_str(&o.w, "chatChannel", text);
	snprintf(text, sizeof(text), "%s%s", info_prefix, g->place);
	jw_kv_str(&o.w, "infoChannel", text);
	jw_end_object(&o.w);
	jw_kv_str(&o.w, "eventChannel", l->sessid);
	jw_kv_str(&o.w, "eventType", "channelPvtData");
	verto_request_end(&o);
}

static ON_CTL void joined(struct verto_line *l, const struct conf_live_row *row)
{
	struct grant *g = mem_zalloc(sizeof(*g));
	char place[CHANNEL_MAX];
	if (!g)
		return;
	snprintf(g->uuid, sizeof(g->uuid), "%s", row->member_uuid);
	snprintf(place, sizeof(place), "%.90s@%.90s", row->room, row->domain);
	g->room = mem_strdup(row->room), g->place = mem_strdup(place);
	g->member = row->json.n > 3 ? (unsigned)strtoul(row->json.p + 2, NULL, 10) : 0; /* ["0003", */
	g->is_moderator = row->is_moderator;
	if (!g->room || !g->place) {
		mem_free(g->room);
		mem_free(g->place);
		mem_free(g);
		return;
	}
	list_push(&l->grants, &g->link);
	room_tell(l, g, "conference-liveArray-join");
}

/* Its channels are closed to it again; what it subscribed to there goes. */
static ON_CTL void left(struct verto_line *l, const char *uuid)
{
	struct lnode *n, *tmp;
	list_each (&l->grants, n, tmp) {
		struct grant *g = list_entry(n, struct grant, link);
		if (strcmp(g->uuid, uuid) != 0)
			continue;
		room_tell(l, g, "conference-liveArray-part");
		grant_free(g);
	}
	list_each (&l->subs, n, tmp) {
		struct verto_sub *s = list_entry(n, struct verto_sub, link);
		if (!is_allowed(l, s->channel))
			sub_free(s);
	}
}

static void count_row(const struct conf_live_row *row, void *arg)
{
	role_assert_ctl();
	++*(size_t *)arg;
}

static ON_CTL void live_send(enum conf_live_what what, const struct conf_live_row *row)
{
	static const char *const actions[] = {"add", "modify", "del", "clear"};
	char channel[CHANNEL_MAX];
	struct json_writer w;
	struct buf data;
	size_t count = 0;
	snprintf(channel, sizeof(channel), "%s%.80s@%.80s", live_prefix, row->room, row->domain);
	if (what == CONF_LIVE_JOINED)
		(void)conf_live_each(row->room, count_row, &count);
	buf_init(&data);
	jw_init(&w, &data, false);
	jw_begin_object(&w);
	jw_kv_str(&w, "action", actions[what]);
	if (what == CONF_LIVE_JOINED && count)
		jw_kv_int(&w, "arrIndex", (int64_t)count - 1);
	jw_kv_str(&w, "name", row->room);
	if (row->member_uuid)
		jw_kv_str(&w, "hashKey", row->member_uuid);
	jw_kv_int(&w, "wireSerno", what == CONF_LIVE_CLEARED ? -1 : (int64_t)row->serial);
	jw_key(&w, "data");
	if (row->json.n) {
		jw_raw(&w, row->json);
	} else {
		jw_begin_object(&w);
		jw_end_object(&w);
	}
	jw_end_object(&w);
	if (!data.failed)
		verto_event_send(channel, buf_sv(&data));
	buf_fini(&data);
}

static void on_live(struct conf_live_sub *s, enum conf_live_what what, const struct conf_live_row *row)
{
	role_assert_ctl();
	struct verto_line *l = row->member_uuid ? verto_line_of_call(row->member_uuid) : NULL;
	if (l && what == CONF_LIVE_JOINED)
		joined(l, row);
	live_send(what, row);
	if (l && what == CONF_LIVE_LEFT)
		left(l, row->member_uuid);
}

static struct conf_live_sub live = {.fn = on_live};

/* ---- text messages ------------------------------------------------------------------------------------------- */

static int chat_to_client(struct event *message, chat_done_fn done, void *arg)
{
	role_assert_ctl();
	const char *to = event_get(message, "to"), *from = event_get(message, "from");
	struct sv user, domain;
	struct lnode *n, *tmp;
	bool is_sent = false;
	sv_split(sv_of(to ? to : ""), '@', &user, &domain);
	char *text = sv_dup(event_body(message));
	list_each (&verto_lines, n, tmp) {
		struct verto_line *l = list_entry(n, struct verto_line, link);
		struct verto_out o;
		if (!text || !l->is_authed || !sv_is(user, l->user) || (domain.n && !sv_isi(domain, l->domain)))
			continue;
		verto_request_begin(&o, l, "verto.info");
		jw_key(&o.w, "msg");
		jw_begin_object(&o.w);
		jw_kv_str(&o.w, "from", from ? from : "");
		jw_kv_str(&o.w, "to", to);
		jw_kv_str(&o.w, "body", text);
		jw_kv_str(&o.w, "to_user", l->user);
		jw_kv_str(&o.w, "to_host", l->domain);
		jw_kv_str(&o.w, "to_full", l->user);
		jw_end_object(&o.w);
		verto_request_end(&o);
		is_sent = true;
	}
	mem_free(text);
	if (is_sent && done)
		done(ST_OK, 0, arg);
	return is_sent ? ST_OK : ST_NOTFOUND;
}

static const struct chat_ops chat = {.proto = "verto", .send = chat_to_client};

/* Who sends it is who logged in, whatever the message says. */
static ON_CTL void message(struct verto_line *l, const json_t *params, const json_t *id)
{
	const json_t *msg = json_object_get(params, "msg");
	const char *to = verto_text(msg, "to"), *body = verto_text(msg, "body");
	struct event *e = *to && strlen(body) < TEXT_MAX ? event_new(EVENT_MESSAGE, NULL) : NULL;
	char from[300];
	int st = ST_INVAL;
	if (e) {
		snprintf(from, sizeof(from), "%s@%s", l->user, l->domain);
		event_add(e, "proto", "verto");
		event_add(e, "login", from);
		event_add(e, "dest_proto", chat_carrier_find(SV("GLOBAL")) ? "GLOBAL" : "sip");
		event_add(e, "from", from);
		event_add(e, "from_user", l->user);
		event_add(e, "from_host", l->domain);
		event_add(e, "from_full", from);
		event_add(e, "to", to);
		event_add(e, "type", "text/plain");
		event_add(e, "subject", "VERTO MESSAGE");
		event_add(e, "context", l->context);
		event_set_body(e, sv_of(body));
		st = chat_send(e, NULL, NULL);
		mem_unref(e);
	}
	verto_reply_text(
	    l, id, st == ST_INVAL, st == ST_INVAL ? "the message names nobody, or is too long" : "SENT", -32002);
}

/* ---- commands ------------------------------------------------------------------------------------------------ */

struct command {
	struct verto_line *line; /* a reference */
	json_t *id;
};

static bool may_run(const struct principal *p, const char *command)
{
	role_assert_ctl();
	return sv_list_has(sv_of(p->list), ',', sv_of(command)) || sv_list_has(sv_of(p->list), ',', SV("all"));
}

static void on_done(int status, struct sv reply, void *arg)
{
	struct command *c = arg;
	role_assert_ctl();
	char *text = sv_dup(reply);
	if (!c->line->is_over)
		verto_reply_text(c->line, c->id, status != 0, text ? text : "", -32603);
	mem_free(text);
	mem_unref(c->line);
	json_decref(c->id);
	mem_free(c);
}

/* A command by its name and words, for one who may run certain ones only. */
static ON_CTL bool command_run(struct verto_line *l, const json_t *data, const json_t *id)
{
	const char *cmd = verto_text(data, "cmd"), *arg = verto_text(data, "arg");
	char name[300];
	if (!*cmd || !l->fsapi)
		return false;
	snprintf(name, sizeof(name), "%s@%s", l->user, l->domain);
	struct principal *who = principal_new(name, l->fsapi, may_run);
	struct command *c = who && principal_may_run(who, cmd) ? mem_zalloc(sizeof(*c)) : NULL;
	bool is_run = false;
	if (c) {
		c->line = mem_ref(l), c->id = json_incref((json_t *)id);
		is_run = !api_spawn_for(who, cmd, arg, NULL, on_done, c);
		if (!is_run) {
			mem_unref(c->line);
			json_decref(c->id);
			mem_free(c);
		}
	}
	mem_unref(who);
	return is_run;
}

bool verto_channel_request(struct verto_line *l, const char *method, const json_t *params, const json_t *id)
{
	if (!strcmp(method, "verto.subscribe"))
		subscribe(l, params, id);
	else if (!strcmp(method, "verto.unsubscribe"))
		unsubscribe(l, params, id);
	else if (!strcmp(method, "verto.broadcast"))
		broadcast(l, params, id);
	else if (!strcmp(method, "verto.info"))
		message(l, params, id);
	else if (!strcmp(method, "fsapi"))
		return command_run(l, params, id);
	else if (!strcmp(method, "jsapi"))
		return sv_list_has(sv_of(l->jsapi), ',', SV("fsapi")) &&
		       !strcmp(verto_text(params, "command"), "fsapi") &&
		       command_run(l, json_object_get(params, "data"), id);
	else
		return false;
	return true;
}

int verto_channel_start(void)
{
	conf_live_add(&live);
	return chat_carrier_add(&chat);
}

void verto_channel_stop(void)
{
	conf_live_del(&live);
	chat_carrier_del(&chat);
}
