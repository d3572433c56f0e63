/* Who is told, when and what. Watchers that have something to hear stand in one queue of the whole endpoint; an
 * iteration of the loop sends NOTIFYs for SLICE_US, then reads what came, so that a change which thousands watch delays
 * nothing else by more than that.
 * One whose last NOTIFY is not answered is not in the queue: it comes again with the answer, and hears how things are
 * then. The document of a state is made once for all who see it alike: the few latest ones are kept. */
#include "base/hash.h"
#include "endpoint/sip/presence/watch_i.h"
#include <inttypes.h>
#include <stdio.h>

enum { SLICE_US = 200, DOCS_COUNT = 8 };
struct doc { /* by what it was made of */
	uint64_t serial, since;
	const struct profile *p;
	enum package_id id;
	bool is_partial, has_details, hides_kind;
	char host[128];
	struct buf head, tail;
};
static struct {
	struct list due;
	struct ltimer timer;
	struct doc docs[DOCS_COUNT];
	unsigned next_doc;
} telling = {.due = {{&telling.due.head, &telling.due.head}}};

/* ---- documents ---- */

static ON_CTL struct body_how how_of(const struct watcher *w, const struct presence_entity *e, uint64_t told)
{
	const struct profile_conf *c = &w->p->conf;
	struct body_how how = {.hold_state = c->presence_hold_state,
	    .hides_early = c->has_presence_early_off,
	    .is_private = c->has_presence_privacy,
	    .hides_kind = w->is_mapped,
	    .has_details = w->has_details,
	    .host = sv_of(w->members ? e->host : w->host)};
	const struct lnode *last = e->ended.head.prev;
	bool has_ended = last != &e->ended.head && list_entry(last, struct presence_ended, link)->serial > told;
	how.is_partial = w->package->id == PKG_DIALOG && c->is_dialog_partial && !w->is_new && !w->is_full;
	how.since = has_ended || how.is_partial ? told : UINT64_MAX;
	return how;
}

static bool doc_fits(const struct doc *d, const struct watcher *w, uint64_t serial, const struct body_how *how)
{
	return d->serial == serial && d->p == w->p && d->id == w->package->id && d->since == how->since &&
	       d->is_partial == how->is_partial && d->has_details == how->has_details &&
	       d->hides_kind == how->hides_kind && sv_is(how->host, d->host);
}

/* That of the entity for w; borrowed until the next call. */
static ON_CTL const struct doc *doc_get(const struct watcher *w, const struct presence_entity *e, uint64_t told)
{
	struct body_how how = how_of(w, e, told);
	for (size_t i = 0; i < DOCS_COUNT; i++)
		if (e->serial && doc_fits(&telling.docs[i], w, e->serial, &how))
			return &telling.docs[i];
	struct doc *d = &telling.docs[telling.next_doc++ % DOCS_COUNT];
	buf_clear(&d->head), buf_clear(&d->tail);
	d->head.failed = d->tail.failed = false;
	d->serial = how.host.n < sizeof(d->host) ? e->serial : 0;
	d->since = how.since, d->p = w->p, d->id = w->package->id;
	d->is_partial = how.is_partial, d->has_details = how.has_details, d->hides_kind = how.hides_kind;
	snprintf(d->host, sizeof(d->host), "%.*s", SVF(how.host));
	if (w->package->id == PKG_DIALOG)
		body_dialog_put(e, &how, &d->head, &d->tail);
	else
		body_pidf_put(e, &how, &d->head);
	return d;
}

void notify_document_put(
    const struct watcher *w, const struct presence_entity *e, uint64_t told, uint32_t version, struct buf *out)
{
	const struct doc *d = doc_get(w, e, told);
	buf_addv(out, buf_sv(&d->head));
	if (w->package->id == PKG_DIALOG)
		buf_printf(out, "%" PRIu32, version);
	buf_addv(out, buf_sv(&d->tail));
	out->failed |= d->head.failed || d->tail.failed;
}

/* ---- one NOTIFY ---- */

static ON_CTL void state_put(const struct watcher *w, const char *reason, char out[64])
{
	if (reason)
		snprintf(out, 64, "terminated;reason=%s", reason);
	else
		snprintf(out, 64, "active;expires=%" PRId64, watcher_left_s(w));
}

/* False: there is nothing to tell. */
static ON_CTL bool body_put(struct watcher *w, struct buf *more, struct buf *ctype, struct buf *body)
{
	buf_adds(ctype, w->package->ctype);
	if (w->members) {
		buf_clear(ctype);
		return rlmi_put(w, ctype, body);
	}
	switch (w->package->id) {
	case PKG_PRESENCE:
	case PKG_DIALOG:
		notify_document_put(w, w->watch.entity, w->told_serial, w->version, body);
		break;
	case PKG_MWI:
		body_mwi_put(w, body);
		break;
	case PKG_CALL_INFO:
	case PKG_LINE_SEIZE:
		shared_lines_put(w, more);
		break;
	case PKG_NONE:
		break;
	}
	return true;
}

/* A call that rings at several phones of a line changes nothing that the line shows. */
static ON_CTL bool is_told_already(struct watcher *w, struct sv lines)
{
	uint64_t hash = hash_bytes(lines.p, lines.n);
	bool is_same = !w->is_full && hash == w->told_lines;
	w->told_lines = hash;
	return w->package->id == PKG_CALL_INFO && is_same;
}

static ON_CTL int tell(struct watcher *w, const char *reason, bool has_state)
{
	struct buf more, ctype, body;
	char state[64];
	int st = ST_OK;
	struct watch_profile *wp = watch_profile_of(w->p);
	buf_init(&more), buf_init(&ctype), buf_init(&body);
	if (reason)
		buf_adds(&more, "Expires: 0\r\n");
	if (w->members)
		buf_adds(&more, "Require: eventlist\r\n");
	if (has_state && !body_put(w, &more, &ctype, &body) && !reason)
		goto out;
	if (has_state && !reason && is_told_already(w, buf_sv(&more)))
		goto out;
	state_put(w, reason, state);
	bool is_lost = more.failed || body.failed || ctype.failed;
	if (is_lost && reason) /* the end is told without it: the dialog must know that it is over */
		st = sip_sub_tell(w->sub, state, NULL, NULL, SV_NONE);
	else
		st = is_lost ? ST_NOMEM : sip_sub_tell(w->sub, state, more.p, body.n ? ctype.p : NULL, buf_sv(&body));
	if (st)
		goto out;
	wp->notifies++;
	w->version++;
	w->is_new = w->is_full = false;
	if (w->watch.entity)
		w->told_serial = w->watch.entity->serial;
out:
	buf_fini(&more), buf_fini(&ctype), buf_fini(&body);
	return st;
}

void notify_now(struct watcher *w)
{
	notify_forget(w);
	w->is_full = true;
	if (!sip_sub_is_told(w->sub)) {
		w->is_due = true;
		return;
	}
	if (w->package->id == PKG_LINE_SEIZE && shared_seizure_is_over(w)) {
		watcher_end(w, "noresource");
		return;
	}
	if (tell(w, NULL, true)) {
		watch_profile_of(w->p)->failed++;
		watcher_gone(w);
	}
}

void notify_last(struct watcher *w, const char *reason, bool has_state)
{
	notify_forget(w);
	loop_timer_cancel(&w->timer);
	w->is_over = true;
	/* The last word is not kept back by an answer that lacks. When it cannot be sent the dialog is over at once. */
	if (tell(w, reason, has_state)) {
		w->sub = NULL;
		watcher_gone(w);
	}
}

/* ---- the queue ---- */

static void on_turn(void *arg)
{
	struct lnode *n;
	int64_t end_us = clock_mono_us() + SLICE_US;
	role_assert_ctl();
	for (bool is_first = true; (n = list_first(&telling.due)) && (is_first || clock_mono_us() < end_us);
	     is_first = false) {
		struct watcher *w = list_entry(n, struct watcher, due_link);
		list_remove(n);
		w->is_due = false;
		if (w->package->id == PKG_LINE_SEIZE && !shared_seizure_is_over(w))
			continue; /* it has heard that it is his */
		if (w->package->id == PKG_LINE_SEIZE)
			watcher_end(w, "noresource");
		else if (tell(w, NULL, true)) {
			watch_profile_of(w->p)->failed++;
			watcher_gone(w);
		}
	}
	if (!list_empty(&telling.due))
		loop_timer_set(&telling.timer, 0, "sip.notify", on_turn, NULL);
}

void notify_due(struct watcher *w)
{
	if (w->is_over || !w->sub)
		return;
	watch_profile_of(w->p)->merged += w->is_due && !sip_sub_is_told(w->sub);
	w->is_due = true;
	if (lnode_is_linked(&w->due_link) || !sip_sub_is_told(w->sub))
		return;
	if (w->package->id == PKG_LINE_SEIZE) /* its end comes before what became of it */
		list_unshift(&telling.due, &w->due_link);
	else
		list_push(&telling.due, &w->due_link);
	if (!loop_timer_is_set(&telling.timer))
		loop_timer_set(&telling.timer, 0, "sip.notify", on_turn, NULL);
}

void notify_forget(struct watcher *w)
{
	w->is_due = false;
	list_remove(&w->due_link);
}

void notify_stop(void)
{
	loop_timer_cancel(&telling.timer);
	for (size_t i = 0; i < DOCS_COUNT; i++) {
		buf_fini(&telling.docs[i].head), buf_fini(&telling.docs[i].tail);
		telling.docs[i].serial = 0;
	}
}
