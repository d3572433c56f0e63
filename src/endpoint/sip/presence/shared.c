/* Shared line appearances, as BroadSoft's phones have them: all phones of a line see who uses which of its appearances
 * (call-info), and one takes an appearance before it calls (line-seize). The state is that of the line's calls and of
 * those who have seized: nothing else is kept. A call says its appearance by presence_call_info; of a phone's own
 * INVITE it is in Call-Info; a call that has none is given the lowest free one. */
#include "core/leg/leg.h"
#include "endpoint/sip/presence/watch_i.h"

unsigned shared_appearance_of(struct sv text)
{
	struct sv rest, value;
	uint32_t n = 0;
	size_t at = sv_find(text, '>');
	rest = at < text.n ? sv_sub(text, at + 1, text.n) : text;
	rest = sv_trim(rest);
	if (rest.n && *rest.p == ';')
		rest = sv_sub(rest, 1, rest.n);
	if (!sip_param_get(rest, ';', "appearance-index", &value) || sv_u32(value, &n) || n > APPEARANCES_MAX)
		return 0;
	return n;
}

static ON_CTL unsigned appearance_said(struct leg *leg)
{
	const char *text = leg_var(leg, "presence_call_info");
	if (!text && !leg->is_outbound)
		text = leg_var(leg, "sip_call_info");
	return text ? shared_appearance_of(sv_of(text)) : 0;
}

static ON_CTL uint64_t taken_of(const struct presence_entity *e)
{
	uint64_t taken = 0;
	for (const struct lnode *n = e->dialogs.head.next; n != &e->dialogs.head; n = n->next) {
		const struct presence_dialog *d = list_entry(n, struct presence_dialog, link);
		unsigned i = d->leg ? appearance_said(d->leg) : 0;
		if (i)
			taken |= 1ull << (i - 1);
	}
	return taken;
}

/* A call that rings here takes its place when it is answered: until then all phones of the line ring. */
static ON_CTL unsigned appearance_of(struct leg *leg, const struct presence_entity *e)
{
	unsigned i = appearance_said(leg);
	uint64_t taken;
	if (i || (leg->is_outbound && !leg->is_answered))
		return i;
	taken = taken_of(e);
	for (i = 1; i <= APPEARANCES_MAX; i++)
		if (!(taken & 1ull << (i - 1)))
			break;
	if (i > APPEARANCES_MAX)
		return 0;
	leg_var_setf(leg, "presence_call_info", "appearance-index=%u", i);
	return i;
}

static const char *line_state(const struct leg *leg)
{
	if (leg->is_held)
		return "held";
	return leg->is_answered ? "active" : leg->is_outbound ? "alerting" : "progressing";
}

/* Inside a quoted parameter: \" and \\ */
static void quoted_put(struct buf *out, struct sv text)
{
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];
		if (c < ' ' || c == 127 || c == '<' || c == '>')
			continue;
		if (c == '"' || c == '\\')
			buf_adds(out, "\\\\\\");
		buf_addc(out, (char)c);
	}
}

static ON_CTL void far_name(const struct presence_dialog *d, struct presence_parties *who)
{
	const struct leg_profile *p = d->leg->profile;
	if (d->is_initiator && d->leg->is_answered && p && p->callee_id_name && *p->callee_id_name)
		who->name = sv_of(p->callee_id_name);
}

static ON_CTL void call_put(struct buf *out, const struct watcher *w, const struct presence_dialog *d, unsigned index)
{
	struct presence_parties who;
	struct buf user;
	buf_printf(
	    out, "Call-Info: <sip:%s>;appearance-index=%u;appearance-state=%s", w->host, index, line_state(d->leg));
	if (presence_parties_of(d, &who) && !who.is_private && !w->p->conf.has_presence_privacy) {
		far_name(d, &who);
		buf_init(&user);
		sip_escape_user(&user, who.number);
		buf_adds(out, ";appearance-uri=\"\\\"");
		quoted_put(out, who.name);
		buf_printf(out, "\\\" <sip:%.*s@%s>\"", SVF(buf_sv(&user)), w->host);
		buf_fini(&user);
	}
	buf_adds(out, "\r\n");
}

static ON_CTL const struct watcher *seizer(const struct lnode *n)
{
	const struct presence_watch *watch = list_entry(n, struct presence_watch, link);
	if (watch->fn != watcher_changed)
		return NULL;
	const struct watcher *w = list_entry(watch, struct watcher, watch);
	return w->package->id == PKG_LINE_SEIZE && !w->is_over ? w : NULL;
}

void shared_lines_put(struct watcher *w, struct buf *out)
{
	const struct presence_entity *e = w->watch.entity;
	if (w->package->id == PKG_LINE_SEIZE && !shared_seizure_is_over(w)) {
		if (!w->is_over)
			buf_printf(out, "Expires: %lld\r\nCall-Info: <sip:%s>;appearance-index=%u\r\n",
			    (long long)watcher_left_s(w), w->host, w->appearance);
		return;
	}
	for (const struct lnode *n = e->dialogs.head.next; n != &e->dialogs.head; n = n->next) {
		const struct presence_dialog *d = list_entry(n, struct presence_dialog, link);
		unsigned i = d->leg ? appearance_of(d->leg, e) : 0;
		if (i)
			call_put(out, w, d, i);
	}
	uint64_t taken = taken_of(e);
	for (const struct lnode *n = e->watches.head.next; n != &e->watches.head; n = n->next) {
		const struct watcher *other = seizer(n);
		if (other && !(taken & 1ull << (other->appearance - 1)))
			buf_printf(out, "Call-Info: <sip:%s>;appearance-index=%u;appearance-state=seized\r\n", w->host,
			    other->appearance);
	}
	buf_printf(out, "Call-Info: <sip:%s>;appearance-index=*;appearance-state=idle\r\n", w->host);
}

bool shared_seizure_is_over(const struct watcher *w)
{
	return w->watch.entity && w->appearance && (taken_of(w->watch.entity) & 1ull << (w->appearance - 1));
}

bool shared_is_taken(const struct watcher *w, unsigned appearance)
{
	const struct presence_entity *e = w->watch.entity;
	if (!e || (taken_of(e) & 1ull << (appearance - 1)))
		return true;
	for (const struct lnode *n = e->watches.head.next; n != &e->watches.head; n = n->next) {
		const struct watcher *other = seizer(n);
		if (other && other != w && other->appearance == appearance)
			return true;
	}
	return false;
}
