/* Commands on one leg: variables, dump, kill, bridge, transfer, park, answer, hold, broadcast, break, DTMF, display.
 * Each finds the leg by its uuid and says FreeSWITCH's words when there is none; the words differ from command to
 * command. */
#include "api/api_i.h"
#include "core/exec.h"
#include "core/leg_media.h"

#include <stdio.h>
#include <stdlib.h>

static ON_CTL int ok(struct api_call *c)
{
	return api_text(c, "+OK\n");
}

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

int api_uuid_kill(struct api_call *c)
{
	struct api_words w;
	role_assert_ctl();
	int st = api_words_init(&w, c->args, 2);
	if (!st && w.n < 1) {
		api_usage(c, "uuid_kill");
	} else if (!st) {
		struct leg *leg = api_leg(c, w.w[0]);
		if (leg) {
			leg_hangup(leg, w.n > 1 ? cause_parse(w.w[1]) : CAUSE_NORMAL_CLEARING);
			ok(c);
		}
	}
	api_words_fini(&w);
	return st;
}

int api_hupall(struct api_call *c)
{
	struct api_words w;
	role_assert_ctl();
	int st = api_words_init(&w, c->args, 5);
	if (st)
		goto out;
	enum cause cause = w.n ? cause_parse(w.w[0]) : CAUSE_MANAGER_REQUEST;
	if (w.n >= 3) {
		leg_hangup_all(cause, w.w[1], w.w[2]);
		buf_printf(c->out, "+OK hangup all channels matching [%s]=[%s] with cause: %s\n", w.w[1], w.w[2],
		    cause_name(cause));
	} else {
		leg_hangup_all(cause, NULL, NULL);
		buf_printf(c->out, "+OK hangup all channels with cause %s\n", cause_name(cause));
	}
out:
	api_words_fini(&w);
	return st;
}

/* ---- variables ----------------------------------------------------------------------------------------------- */
int api_uuid_getvar(struct api_call *c)
{
	struct api_words w;
	role_assert_ctl();
	int st = api_words_init(&w, c->args, 3);
	if (!st && w.n < 2) {
		api_usage(c, "uuid_getvar");
	} else if (!st) {
		struct leg *leg = api_leg(c, w.w[0]);
		const char *v = leg ? leg_var(leg, w.w[1]) : NULL;
		if (leg)
			buf_adds(c->out, v ? v : "_undef_");
	}
	api_words_fini(&w);
	return st;
}

int api_uuid_setvar(struct api_call *c)
{
	struct api_words w;
	role_assert_ctl();
	int st = api_words_init(&w, c->args, 3);
	if (!st && w.n < 2) {
		api_usage(c, "uuid_setvar");
	} else if (!st) {
		struct leg *leg = api_leg(c, w.w[0]);
		if (leg && !*w.w[1]) {
			buf_adds(c->out, "-ERR No variable specified\n");
		} else if (leg) {
			leg_var_set(leg, w.w[1], w.n > 2 && *w.w[2] ? w.w[2] : NULL);
			ok(c);
		}
	}
	api_words_fini(&w);
	return st;
}

static ON_CTL void set_pairs(struct leg *leg, char *pairs)
{
	char *pair[64];
	int n = api_split(pairs, ';', pair, 64);
	for (int i = 0; i < n; i++) {
		char *eq = strchr(pair[i], '=');
		if (eq)
			*eq++ = 0;
		if (*pair[i])
			leg_var_set(leg, pair[i], eq && *eq ? eq : NULL);
	}
}

int api_uuid_setvar_multi(struct api_call *c)
{
	struct api_words w;
	role_assert_ctl();
	int st = api_words_init(&w, c->args, 2);
	if (!st && w.n < 2) {
		api_usage(c, "uuid_setvar_multi");
	} else if (!st) {
		struct leg *leg = api_leg(c, w.w[0]);
		if (leg) {
			set_pairs(leg, w.w[1]);
			ok(c);
		} else {
			api_usage(c, "uuid_setvar_multi"); /* FreeSWITCH says both */
		}
	}
	api_words_fini(&w);
	return st;
}

int api_uuid_dump(struct api_call *c)
{
	struct api_words w;
	struct event *e = NULL;
	role_assert_ctl();
	int st = api_words_init(&w, c->args, 2);
	if (st)
		goto out;
	if (w.n < 1) {
		api_usage(c, "uuid_dump");
		goto out;
	}
	struct leg *leg = api_leg(c, w.w[0]);
	if (!leg)
		goto out;
	e = event_new(EVENT_CHANNEL_DATA, NULL);
	if (!e) {
		st = ST_NOMEM;
		goto out;
	}
	leg_event_headers(leg, e);
	const char *format = w.n > 1 ? w.w[1] : "txt";
	buf_addv(c->out, event_render(e, !strcasecmp(format, "xml")    ? EVENT_XML
	                                 : !strcasecmp(format, "json") ? EVENT_JSON
	                                                               : EVENT_PLAIN));
out:
	mem_unref(e);
	api_words_fini(&w);
	return st;
}

/* ---- where the call goes --------------------------------------------------------------------------------------- */
int api_uuid_bridge(struct api_call *c)
{
	struct api_words w;
	role_assert_ctl();
	int st = api_words_init(&w, c->args, 4);
	if (!st && w.n < 2) {
		buf_adds(c->out, "-USAGE: <uuid> <other_uuid>\n");
	} else if (!st) {
		struct leg *a = leg_find(w.w[0]), *b = leg_find(w.w[1]);
		if (!a || !b || bridge_two(a, b))
			buf_adds(c->out, "-ERR Invalid uuid\n");
		else
			buf_printf(c->out, "+OK %s\n", w.w[1]);
	}
	api_words_fini(&w);
	return st;
}

/* Both legs of a bridge go elsewhere: leg is told first what to do when the bridge ends, or it would be hung up with
 * it. */
static ON_CTL void transfer_both(struct leg *leg, const char *exten, const char *dialplan, const char *context,
    struct leg *peer, const char *peer_exten, const char *peer_dialplan, const char *peer_context)
{
	leg_var_setf(leg, "transfer_after_bridge", "%s:%s:%s", exten, dialplan ? dialplan : "", context ? context : "");
	leg_transfer(peer, peer_exten, peer_dialplan, peer_context);
}

int api_uuid_transfer(struct api_call *c)
{
	struct api_words w;
	role_assert_ctl();
	int st = api_words_init(&w, c->args, 5);
	if (st)
		goto out;
	bool is_bleg = w.n > 1 && !strcasecmp(w.w[1], "-bleg"), is_both = w.n > 1 && !strcasecmp(w.w[1], "-both");
	int at = is_bleg || is_both ? 2 : 1;
	if (w.n <= at) {
		api_usage(c, "uuid_transfer");
		goto out;
	}
	struct leg *leg = api_leg(c, w.w[0]);
	if (!leg)
		goto out;
	struct leg *peer = mem_ref(bridge_peer(leg));
	const char *dialplan = w.n > at + 1 ? w.w[at + 1] : NULL, *context = w.n > at + 2 ? w.w[at + 2] : NULL;
	if (is_both && peer)
		transfer_both(leg, w.w[at], dialplan, context, peer, w.w[at], dialplan, context);
	else if (is_bleg && peer)
		leg_transfer(peer, w.w[at], dialplan, context);
	else if (!is_bleg)
		leg_transfer(leg, w.w[at], dialplan, context);
	mem_unref(peer);
	ok(c);
out:
	api_words_fini(&w);
	return st;
}

int api_uuid_dual_transfer(struct api_call *c)
{
	struct api_words w;
	role_assert_ctl();
	int st = api_words_init(&w, c->args, 3);
	if (!st && w.n < 3) {
		api_usage(c, "uuid_dual_transfer");
	} else if (!st) {
		struct leg *leg = api_leg(c, w.w[0]);
		if (leg) {
			char *to[2][3] = {{NULL}};
			struct leg *peer = mem_ref(bridge_peer(leg));
			api_split(w.w[1], '/', to[0], 3);
			api_split(w.w[2], '/', to[1], 3);
			if (peer)
				transfer_both(leg, to[0][0], to[0][1], to[0][2], peer, to[1][0], to[1][1], to[1][2]);
			else
				leg_transfer(leg, to[0][0], to[0][1], to[0][2]);
			mem_unref(peer);
			ok(c);
		}
	}
	api_words_fini(&w);
	return st;
}

int api_uuid_park(struct api_call *c)
{
	role_assert_ctl();
	struct leg *leg = api_leg(c, c->args);
	if (!leg)
		return ST_OK;
	leg_park(leg);
	return ok(c);
}

int api_uuid_break(struct api_call *c)
{
	struct api_words w;
	role_assert_ctl();
	int st = api_words_init(&w, c->args, 2);
	if (!st && w.n < 1) {
		api_usage(c, "uuid_break");
	} else if (!st) {
		struct leg *leg = api_leg(c, w.w[0]);
		if (leg) {
			bool is_all = w.n > 1 && !strcasecmp(w.w[1], "all"),
			     is_both = w.n > 1 && !strcasecmp(w.w[1], "both");
			struct leg *peer = is_both ? bridge_peer(leg) : NULL;
			leg_break(leg, is_all);
			if (peer)
				leg_break(peer, is_all);
			ok(c);
		}
	}
	api_words_fini(&w);
	return st;
}

static ON_CTL int simple(struct api_call *c, int (*fn)(struct leg *leg))
{
	struct api_words w;
	int st = api_words_init(&w, c->args, 2);
	struct leg *leg = !st && w.n ? leg_find(w.w[0]) : NULL;
	if (!st)
		buf_adds(c->out, leg && !fn(leg) ? "+OK\n" : "-ERROR\n");
	api_words_fini(&w);
	return st;
}

int api_uuid_answer(struct api_call *c)
{
	role_assert_ctl();
	return simple(c, leg_answer);
}

int api_uuid_pre_answer(struct api_call *c)
{
	role_assert_ctl();
	return simple(c, leg_pre_answer);
}

int api_uuid_ring_ready(struct api_call *c)
{
	role_assert_ctl();
	return *c->args ? simple(c, leg_ring_ready) : api_usage(c, "uuid_ring_ready");
}

int api_uuid_hold(struct api_call *c)
{
	struct api_words w;
	role_assert_ctl();
	int st = api_words_init(&w, c->args, 3);
	if (!st && w.n < 1) {
		api_usage(c, "uuid_hold");
		buf_adds(c->out, "-ERR Operation failed\n");
	} else if (!st) {
		bool is_off = !strcasecmp(w.w[0], "off"), is_toggle = !strcasecmp(w.w[0], "toggle");
		struct leg *leg = leg_find(is_off || is_toggle ? (w.n > 1 ? w.w[1] : "") : w.w[0]);
		if (leg)
			leg_set_hold(leg, is_toggle ? !leg->is_held : !is_off);
		buf_adds(c->out, "+OK Success\n"); /* FreeSWITCH says so for an unknown uuid too */
	}
	api_words_fini(&w);
	return st;
}

/* ---- applications from outside --------------------------------------------------------------------------------- */
static ON_CTL int broadcast_one(struct leg *leg, const char *path, bool holds_bleg)
{
	struct leg_exec_request q = {.app = "playback", .data = path, .holds_bleg = holds_bleg};
	char *copy = NULL;
	const char *sep = strstr(path, "::");
	if (sep && sep > path && !memchr(path, '/', (size_t)(sep - path))) {
		copy = mem_strndup(path, (size_t)(sep - path));
		q.app = copy;
		q.data = sep + 2;
	}
	int st = q.app ? leg_exec_request(leg, &q) : ST_NOMEM;
	mem_free(copy);
	return st;
}

int api_broadcast(const char *uuid, const char *path, const char *side)
{
	role_assert_ctl();
	struct leg *leg = leg_find(uuid);
	if (!leg)
		return ST_NOTFOUND;
	struct leg *peer = mem_ref(bridge_peer(leg));
	bool is_both = !strcasecmp(side, "both"), is_bleg = !strcasecmp(side, "bleg"),
	     is_holdb = !strcasecmp(side, "holdb");
	if ((is_both || is_bleg) && peer)
		broadcast_one(peer, path, false);
	if (!is_bleg)
		broadcast_one(leg, path, is_holdb);
	mem_unref(peer);
	return ST_OK;
}

int api_uuid_broadcast(struct api_call *c)
{
	struct api_words w;
	role_assert_ctl();
	int st = api_words_init(&w, c->args, 4);
	if (!st && w.n < 2)
		api_usage(c, "uuid_broadcast");
	else if (!st)
		buf_adds(c->out, api_broadcast(w.w[0], w.w[1], w.n > 2 ? w.w[2] : "aleg") ? "-ERR invalid uuid\n"
		                                                                          : "+OK Message sent\n");
	api_words_fini(&w);
	return st;
}

/* ---- DTMF ------------------------------------------------------------------------------------------------------ */
static ON_CTL int dtmf(
    struct api_call *c, const char *cmd, void (*fn)(struct leg *leg, const char *digits), const char *verb)
{
	struct api_words w;
	int st = api_words_init(&w, c->args, 2);
	if (!st && w.n < 2) {
		api_usage(c, cmd);
	} else if (!st) {
		struct leg *leg = leg_find(w.w[0]);
		if (leg)
			fn(leg, w.w[1]);
		if (leg)
			buf_printf(c->out, "+OK %s %s DTMF %s.\n", leg->uuid, verb, w.w[1]);
		else
			buf_adds(c->out, "-ERR Cannot locate session!\n");
	}
	api_words_fini(&w);
	return st;
}

static void send_digits(struct leg *leg, const char *digits)
{
	role_assert_ctl();
	leg_dtmf_send(leg, digits);
}

static void receive_digits(struct leg *leg, const char *digits)
{
	role_assert_ctl();
	const char *at = strchr(digits, '@');
	int duration = at ? atoi(at + 1) : 2000;
	for (const char *p = digits; *p && p != at; p++)
		if (strchr("0123456789*#ABCDabcd", *p))
			leg_dtmf_received(leg, *p, (unsigned)(duration > 0 ? duration : 2000), DTMF_APP);
}

int api_uuid_send_dtmf(struct api_call *c)
{
	role_assert_ctl();
	return dtmf(c, "uuid_send_dtmf", send_digits, "sent");
}

int api_uuid_recv_dtmf(struct api_call *c)
{
	role_assert_ctl();
	return dtmf(c, "uuid_recv_dtmf", receive_digits, "received");
}

int api_uuid_flush_dtmf(struct api_call *c)
{
	role_assert_ctl();
	struct leg *leg = leg_find(c->args);
	if (!leg)
		return api_text(c, "-ERR No such session\n");
	leg_dtmf_flush(leg);
	return ok(c);
}

/* ---- the far side ---------------------------------------------------------------------------------------------- */
int api_uuid_display(struct api_call *c)
{
	struct api_words w;
	role_assert_ctl();
	int st = api_words_init(&w, c->args, 2);
	if (!st && w.n < 2) {
		api_usage(c, "uuid_display");
	} else if (!st) {
		struct leg *leg = leg_find(w.w[0]);
		char *number = strchr(w.w[1], '|');
		if (number)
			*number++ = 0;
		bool is_done =
		    leg && leg->ops && leg->ops->display && !leg->ops->display(leg, w.w[1], number ? number : w.w[1]);
		buf_adds(c->out, is_done ? "+OK Success\n" : "-ERR Operation failed\n");
	}
	api_words_fini(&w);
	return st;
}

static ON_CTL int redirect(struct api_call *c, const char *cmd, const char *done)
{
	struct api_words w;
	int st = api_words_init(&w, c->args, 2);
	if (!st && w.n < 2) {
		api_usage(c, cmd);
	} else if (!st) {
		struct leg *leg = leg_find(w.w[0]);
		if (!leg)
			buf_printf(c->out, "-ERR No such channel %s!\n", w.w[0]);
		else if (!leg->ops || !leg->ops->redirect || leg->ops->redirect(leg, w.w[1]))
			buf_adds(c->out, "-ERR Operation failed\n");
		else
			buf_adds(c->out, done);
	}
	api_words_fini(&w);
	return st;
}

int api_uuid_deflect(struct api_call *c)
{
	role_assert_ctl();
	return redirect(c, "uuid_deflect", "+OK:no reply\n");
}

int api_uuid_redirect(struct api_call *c)
{
	role_assert_ctl();
	return redirect(c, "uuid_redirect", "+OK:\n");
}

int api_uuid_send_info(struct api_call *c)
{
	struct api_words w;
	role_assert_ctl();
	int st = api_words_init(&w, c->args, 4);
	if (st)
		goto out;
	struct leg *leg = w.n ? leg_find(w.w[0]) : NULL;
	char ctype[128] = "freeswitch/data";
	struct sv body = w.n == 2 ? sv_of(w.w[1]) : w.n == 4 ? sv_of(w.w[3]) : SV("");
	if (w.n == 4 && strlen(w.w[1]) < 60 && strlen(w.w[2]) < 60)
		snprintf(ctype, sizeof(ctype), "%.60s/%.60s", w.w[1], w.w[2]);
	if (!w.n)
		api_usage(c, "uuid_send_info");
	bool is_done = leg && leg->ops && leg->ops->send_info && !leg->ops->send_info(leg, ctype, body);
	buf_adds(c->out, is_done ? "+OK Success\n" : "-ERR Operation Failed\n");
out:
	api_words_fini(&w);
	return st;
}

int api_uuid_loglevel(struct api_call *c)
{
	struct api_words w;
	enum log_level level;
	role_assert_ctl();
	int st = api_words_init(&w, c->args, 2);
	if (!st && w.n < 2) {
		api_usage(c, "uuid_loglevel");
	} else if (!st) {
		struct leg *leg = leg_find(w.w[0]);
		if (!leg) {
			buf_printf(c->out, "-ERR No such channel %s!\n", w.w[0]);
		} else if (log_level_parse(w.w[1], &level)) {
			buf_adds(c->out, "-ERR Invalid log level!\n");
		} else {
			leg->loglevel = (int)level;
			ok(c);
		}
	}
	api_words_fini(&w);
	return st;
}

int api_uuid_audio(struct api_call *c)
{
	struct api_words w;
	role_assert_ctl();
	int st = api_words_init(&w, c->args, 5);
	if (st)
		goto out;
	bool is_stop = w.n == 2 && !strcasecmp(w.w[1], "stop"), is_start = w.n >= 4 && !strcasecmp(w.w[1], "start");
	if (w.n < 1 || (!is_stop && !is_start && leg_find(w.w[0]))) {
		api_usage(c, "uuid_audio");
		goto out;
	}
	struct leg *leg = api_leg(c, w.w[0]);
	struct mstream *s = leg ? leg_media_stream(leg) : NULL;
	if (s && is_stop)
		mstream_mute(s, false, false);
	else if (s && is_start && !strcasecmp(w.w[3], "mute"))
		mstream_mute(s, !strcasecmp(w.w[2], "read"), !strcasecmp(w.w[2], "write"));
	if (leg)
		buf_adds(c->out, is_start && strcasecmp(w.w[3], "mute") ? "-ERR only mute is supported\n" : "+OK\n");
out:
	api_words_fini(&w);
	return st;
}
