/* Commands that say where a call goes: end, bridge, transfer, park, answer, applications from outside. */
#include "api/api_i.h"
#include "core/bridge/bridge.h"
#include "core/dial/originate.h"
#include "core/door/door.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "core/registry/principal.h"
#include "core/run/exec.h"
#include "core/value/cause.h"
#include "text/words.h"

void on_kill(struct api_call *c, struct leg *leg, struct api_words *w)
{
	role_assert_ctl();
	leg_hangup(leg, w->n > 1 ? cause_parse(w->w[1]) : CAUSE_NORMAL_CLEARING);
	buf_adds(c->out, "+OK\n");
}

int api_hupall(struct api_call *c)
{
	struct api_words w;
	role_assert_ctl();
	int st = api_words_init(&w, c, 5);
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

void on_bridge(struct api_call *c, struct leg *leg, struct api_words *w)
{
	struct leg *other;
	role_assert_ctl();
	other = leg_find(w->w[1]);
	if (!other || bridge_two(leg, other))
		buf_adds(c->out, "-ERR Invalid uuid\n");
	else
		buf_printf(c->out, "+OK %s\n", w->w[1]);
}

/* exten, dialplan, context, with marks; NULL where not given. */
struct place {
	char *part[3];
};

static ON_CTL void send_to(struct leg *leg, const struct place *p)
{
	leg_transfer(leg, p->part[0], p->part[1], p->part[2]);
}

/* Both legs of a bridge go elsewhere: leg is told first what to do when the bridge ends, or it would be hung up with
 * it. */
static ON_CTL void send_both(struct leg *leg, const struct place *to, struct leg *peer, const struct place *peer_to)
{
	struct buf spec;

	buf_init(&spec);
	const char *quote = strchr(to->part[0], ':') ? "'" : ""; /* a list of applications has colons of its own */
	buf_printf(&spec, "%s%s%s:%s:%s", quote, to->part[0], quote, to->part[1] ? to->part[1] : "",
	    to->part[2] ? to->part[2] : "");
	leg_var_set_text(leg, "transfer_after_bridge", spec.p);
	buf_fini(&spec);
	send_to(peer, peer_to);
}

void on_transfer(struct api_call *c, struct leg *leg, struct api_words *w)
{
	struct leg *peer;
	role_assert_ctl();
	bool is_bleg = !strcasecmp(w->w[1], "-bleg"), is_both = !strcasecmp(w->w[1], "-both");
	int at = is_bleg || is_both ? 2 : 1;
	if (w->n <= at) {
		api_leg_usage(c, w->command);
		return;
	}
	if (!api_place_check(c, w, at))
		return;
	struct place to = {{w->m[at], w->n > at + 1 ? w->m[at + 1] : NULL, w->n > at + 2 ? w->m[at + 2] : NULL}};
	peer = mem_ref(leg->peer);
	if (is_both && peer)
		send_both(leg, &to, peer, &to);
	else if (is_bleg && peer)
		send_to(peer, &to);
	else if (!is_bleg)
		send_to(leg, &to);
	mem_unref(peer);
	buf_adds(c->out, "+OK\n");
}

/* His extension is data; it stays in the words. */
static ON_CTL bool place_check(struct api_call *c, struct api_words *w, int i, struct place *to)
{
	const char *why = "";
	if (!c->who)
		return true;
	if (!principal_may_route(to->part[1], to->part[2], &why))
		return api_refuse(c, why);
	char *exten = principal_data_dup(to->part[0], "");
	if (!exten)
		return api_refuse(c, "out of memory");
	mem_free(w->own[i]);
	w->own[i] = w->m[i] = to->part[0] = exten;
	return true;
}

void on_dual_transfer(struct api_call *c, struct leg *leg, struct api_words *w)
{
	struct place to[2] = {{{NULL}}};
	struct leg *peer;
	role_assert_ctl();
	words_split(c->who ? w->w[1] : w->m[1], '/', to[0].part, 3);
	words_split(c->who ? w->w[2] : w->m[2], '/', to[1].part, 3);
	if (!to[0].part[0] || !to[1].part[0]) {
		api_leg_usage(c, w->command);
		return;
	}
	if (!place_check(c, w, 1, &to[0]) || !place_check(c, w, 2, &to[1]))
		return;
	peer = mem_ref(leg->peer);
	if (peer)
		send_both(leg, &to[0], peer, &to[1]);
	else
		send_to(leg, &to[0]);
	mem_unref(peer);
	buf_adds(c->out, "+OK\n");
}

void on_park(struct api_call *c, struct leg *leg, struct api_words *w)
{
	role_assert_ctl();
	leg_park(leg);
	buf_adds(c->out, "+OK\n");
}

void on_break(struct api_call *c, struct leg *leg, struct api_words *w)
{
	role_assert_ctl();
	bool is_all = w->n > 1 && !strcasecmp(w->w[1], "all");
	struct leg *peer = w->n > 1 && !strcasecmp(w->w[1], "both") ? leg->peer : NULL;
	leg_break(leg, is_all);
	if (peer)
		leg_break(peer, is_all);
	buf_adds(c->out, "+OK\n");
}

static ON_CTL void say_done(struct api_call *c, int st)
{
	buf_adds(c->out, st ? "-ERROR\n" : "+OK\n");
}

void on_answer(struct api_call *c, struct leg *leg, struct api_words *w)
{
	role_assert_ctl();
	say_done(c, leg_answer(leg));
}

void on_pre_answer(struct api_call *c, struct leg *leg, struct api_words *w)
{
	role_assert_ctl();
	say_done(c, leg_pre_answer(leg));
}

void on_ring_ready(struct api_call *c, struct leg *leg, struct api_words *w)
{
	role_assert_ctl();
	if (w->n > 1 && strcasecmp(w->w[1], "queued"))
		api_leg_usage(c, w->command);
	else
		say_done(c, leg_ring_ready(leg));
}

void on_outgoing_answer(struct api_call *c, struct leg *leg, struct api_words *w)
{
	role_assert_ctl();
	if (!leg->is_outbound) {
		buf_adds(c->out, "-ERR Not an outbound channel!\n");
		return;
	}
	leg_mark_answered(leg);
	buf_adds(c->out, "+OK\n");
}

/* Says nothing, as FreeSWITCH. */
void on_early_ok(struct api_call *c, struct leg *leg, struct api_words *w)
{
	role_assert_ctl();
	leg_early_ok(leg);
}

void on_zombie_exec(struct api_call *c, struct leg *leg, struct api_words *w)
{
	role_assert_ctl();
	leg_exec_outlive(leg);
	buf_adds(c->out, "+OK MMM Brains...\n");
}

void on_hold(struct api_call *c, struct leg *leg, struct api_words *w)
{
	role_assert_ctl();
	bool is_off = w->before && !strcasecmp(w->before, "off"), is_toggle = w->before && !is_off;
	int st = leg_set_hold(leg, is_toggle ? !leg->is_held : !is_off);
	buf_adds(c->out, st ? "-ERR Operation failed\n" : "+OK Success\n");
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

/* "app::args", or a file. */
bool api_broadcast_check(struct api_call *c, struct api_words *w, int i)
{
	const char *why = "", *sep;
	struct buf b;
	role_assert_ctl();
	if (!c->who)
		return true;
	sep = strstr(w->w[i], "::");
	if (!sep || sep == w->w[i] || memchr(w->w[i], '/', (size_t)(sep - w->w[i])))
		return api_word_check(c, w, i, API_DOOR_SOUND);
	char *app = mem_strndup(w->w[i], (size_t)(sep - w->w[i]));
	buf_init(&b);
	buf_printf(&b, "%s::", app ? app : "");
	bool is_fine = app && !principal_put_app(&b, app, sep + 2, &why) && !b.failed;
	mem_free(app);
	if (!is_fine) {
		buf_fini(&b);
		return api_refuse(c, *why ? why : "out of memory");
	}
	for (int k = 0; k < API_WORDS_MAX; k++)
		if (w->own[k] && w->own[k] == w->m[i]) {
			mem_free(w->own[k]);
			w->own[k] = w->m[i] = buf_take(&b);
		}
	buf_fini(&b);
	return true;
}

int api_broadcast(const char *uuid, const char *path, const char *side)
{
	role_assert_ctl();
	struct leg *leg = leg_find(uuid);
	if (!leg)
		return ST_NOTFOUND;
	struct leg *peer = mem_ref(leg->peer);
	bool is_both = !strcasecmp(side, "both"), is_bleg = !strcasecmp(side, "bleg"),
	     is_holdb = !strcasecmp(side, "holdb");
	if ((is_both || is_bleg) && peer)
		broadcast_one(peer, path, false);
	if (!is_bleg)
		broadcast_one(leg, path, is_holdb);
	mem_unref(peer);
	return ST_OK;
}

void on_broadcast(struct api_call *c, struct leg *leg, struct api_words *w)
{
	role_assert_ctl();
	if (!api_broadcast_check(c, w, 1))
		return;
	api_broadcast(leg->uuid, w->m[1], w->n > 2 ? w->w[2] : "aleg");
	buf_adds(c->out, "+OK Message sent\n");
}
