/* What callcenter_config knows beyond mod_callcenter's words:
 *
 *   agent skill NAME SKILL LEVEL | skills NAME | pause NAME [REASON] | resume NAME | wrapup NAME CODE [NOTE]
 *         | monitor NAME DEST [listen|whisper|barge]
 *   queue callback QUEUE NUMBER [NAME] | callbacks [QUEUE] | callback_del UUID | is_open QUEUE | send QUEUE UUID */
#include "base/mem.h"
#include "base/status.h"
#include "callcenter/callcenter_i.h"
#include "core/registry/api.h"
#include "core/registry/app_words.h"
#include "core/run/exec.h"
#include "text/url.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define INVALID "-ERR Invalid!\n"

static ON_CTL const char *skill_set(const struct app_words *w, struct cc_agent *a)
{
	uint32_t level;
	if (w->n < 5 || sv_u32(sv_of(w->w[4]), &level))
		return INVALID;
	switch (cc_agent_skill_set(a, w->w[3], level)) {
	case ST_OK:
		return "+OK\n";
	case ST_FULL:
		return "-ERR Too many skills!\n";
	default:
		return "-ERR A skill is a word and a level from 0 to 100!\n";
	}
}

static ON_CTL const char *skills_list(struct buf *out, const struct cc_agent *a)
{
	buf_adds(out, "skills\n");
	cc_agent_skills_put(a, out);
	buf_adds(out, "\n+OK\n");
	return "";
}

static ON_CTL const char *pause(const struct app_words *w, struct cc_agent *a)
{
	const char *reason = w->n > 3 ? w->w[3] : "", *known = cc_param("pause-reasons");
	if (strlen(reason) > CC_REASON_CHARS || strpbrk(reason, "|\r\n") ||
	    (known && *known && !sv_list_has(sv_of(known), ',', sv_of(reason))))
		return "-ERR Invalid Pause Reason!\n";
	char *copy = *reason ? mem_strdup(reason) : NULL;
	a->is_touched = true;
	cc_agent_status_set(a, CC_ON_BREAK);
	mem_free(a->plus.pause_reason);
	a->plus.pause_reason = copy;
	cc_plus_keep_agent(a);
	cc_tell_agent(a, "agent-pause", "CC-Agent-Pause-Reason", reason);
	return "+OK\n";
}

static ON_CTL const char *wrapup(const struct app_words *w, struct cc_agent *a)
{
	struct buf note;
	if (w->n < 4)
		return INVALID;
	buf_init(&note);
	for (int i = 4; i < w->n; i++) {
		if (i > 4)
			buf_addc(&note, ' ');
		(void)url_decode(&note, sv_of(w->w[i]));
	}
	bool is_long = note.n > CC_NOTE_CHARS || (note.n && strlen(note.p) != note.n);
	int st = is_long ? ST_LIMIT : cc_note_wrapped(a, w->w[3], note.p ? note.p : "");
	buf_fini(&note);
	return st == ST_OK         ? "+OK\n"
	       : st == ST_NOTFOUND ? "-ERR Agent has no call to wrap up!\n"
	       : st == ST_LIMIT    ? "-ERR Note too long!\n"
	                           : "-ERR Invalid Wrap-Up Code!\n";
}

bool cc_command_agent_plus(struct api_call *c, const struct app_words *w, const char **reply)
{
	static const char *const verbs[] = {"skill", "skills", "pause", "resume", "wrapup", "monitor"};
	size_t v = 0, n = sizeof(verbs) / sizeof(verbs[0]);
	while (v < n && strcasecmp(verbs[v], w->w[1]))
		v++;
	if (v == n)
		return false;
	struct cc_agent *a = w->n > 2 ? cc_agent_find(w->w[2]) : NULL;
	if (!a) {
		*reply = w->n > 2 ? "-ERR Agent not found!\n" : INVALID;
	} else if (v == 0) {
		*reply = skill_set(w, a);
	} else if (v == 1) {
		*reply = skills_list(c->out, a);
	} else if (v == 2) {
		*reply = pause(w, a);
	} else if (v == 3) {
		a->is_touched = true;
		cc_agent_status_set(a, CC_AVAILABLE);
		*reply = "+OK\n";
	} else if (v == 4) {
		*reply = wrapup(w, a);
	} else {
		*reply =
		    w->n < 4 ? INVALID : cc_monitor(c, a, c->who ? w->w[3] : w->m[3], w->n > 4 ? w->w[4] : "listen");
	}
	return true;
}

/* ---- queue ---- */

static ON_CTL const char *callback_add(struct buf *out, const struct app_words *w)
{
	struct cc_queue *q = w->n > 3 ? cc_queue_get(w->w[2]) : NULL;
	struct cc_member *m;
	if (w->n < 4)
		return INVALID;
	if (!q)
		return "-ERR Invalid Queue not found!\n";
	int st = cc_callback_new(q, w->w[3], w->n > 4 ? w->w[4] : "", &m);
	if (st)
		return st == ST_INVAL ? "-ERR It has no callback-contact, is full, or that is no number!\n"
		                      : "-ERR Unknown Error!\n";
	buf_printf(out, "+OK %s\n", m->uuid);
	return "";
}

static ON_CTL const char *callback_del(const char *uuid)
{
	struct lnode *at, *next, *it, *tmp;
	list_each (cc_queues(), at, next)
		list_each (&list_entry(at, struct cc_queue, link)->members, it, tmp) {
			struct cc_member *m = list_entry(it, struct cc_member, link);
			if (!m->plus.callback || strcmp(m->uuid, uuid))
				continue;
			if (m->leg)
				return "-ERR He is there already!\n";
			cc_member_del(m);
			return "+OK\n";
		}
	return "-ERR There is no such call-back!\n";
}

/* A leg is transferred into the queue. */
static ON_CTL const char *leg_send(const char *queue, const char *uuid)
{
	struct cc_queue *q = queue && uuid ? cc_queue_get(queue) : NULL;
	struct leg *leg = uuid ? leg_find(uuid) : NULL;
	struct buf list;
	if (!queue || !uuid)
		return INVALID;
	if (!q || strpbrk(q->name, ",'\"\\")) /* they part or quote the steps of a list */
		return "-ERR Invalid Queue not found!\n";
	if (!leg)
		return "-ERR No such channel!\n";
	buf_init(&list);
	buf_printf(&list, "callcenter:%s", q->name);
	int st = list.failed ? ST_NOMEM : leg_transfer(leg, list.p, "inline", NULL);
	buf_fini(&list);
	return st ? "-ERR Unknown Error!\n" : "+OK\n";
}

bool cc_command_queue_plus(struct api_call *c, const struct app_words *w, const char **reply)
{
	const char *verb = w->w[1], *name = w->n > 2 ? w->w[2] : NULL;
	if (!strcasecmp(verb, "callback")) {
		*reply = callback_add(c->out, w);
	} else if (!strcasecmp(verb, "callbacks")) {
		const struct cc_queue *q = name ? cc_queue_find(name) : NULL;
		if (name && !q)
			*reply = "-ERR Invalid Queue not found!\n";
		else
			cc_callbacks_put(c->out, q, false);
	} else if (!strcasecmp(verb, "callback_del")) {
		*reply = name ? callback_del(name) : INVALID;
	} else if (!strcasecmp(verb, "send")) {
		*reply = leg_send(name, w->n > 3 ? w->w[3] : NULL);
	} else if (!strcasecmp(verb, "is_open")) {
		const struct cc_queue *q = name ? cc_queue_get(name) : NULL;
		*reply = !q ? "-ERR Invalid Queue not found!\n" : cc_is_open(q) ? "true\n" : "false\n";
	} else {
		return false;
	}
	return true;
}
