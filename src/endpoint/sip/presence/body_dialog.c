/* dialog-info (RFC 4235) in the form that FreeSWITCH's phones know: one element a call, the address that picks it up
 * (**EXTENSION) as the target of the far side, hold as +sip.rendering. All calls of the entity are in a full one, and
 * those that ended since the watcher heard last. A lamp of a lot, room or queue is one dialog that bears its name. What
 * would not fit a datagram is left out, the latest calls first: a line that a flood calls is busy all the same. */
#include "core/leg/leg.h"
#include "endpoint/sip/presence/watch_i.h"

enum { DIALOGS_MAX_BYTES = 16384, DETAIL_MAX_BYTES = 256 };

static const char *state_text(const struct presence_dialog *d, const struct body_how *how)
{
	if (d->state == PRESENCE_HELD)
		return how->hold_state;
	/* who calls is busy from the start */
	return d->state == PRESENCE_EARLY && (!d->is_initiator || !d->leg) ? "early" : "confirmed";
}

void body_escape(struct buf *out, struct sv text)
{
	for (size_t i = 0; i < text.n;) {
		unsigned char c = (unsigned char)text.p[i];
		uint32_t u = c;
		size_t n = c < 0x80 ? 1 : c >= 0xf0 && c < 0xf8 ? 4 : c >= 0xe0 ? 3 : c >= 0xc2 ? 2 : 0;
		if (!n || c >= 0xf8 || i + n > text.n) {
			buf_addc(out, '?');
			i++;
			continue;
		}
		if (n > 1) {
			u = c & (0xffu >> (n + 1));
			for (size_t k = 1; k < n; k++)
				u = u << 6 | ((unsigned char)text.p[i + k] & 0x3f);
			/* what XML has no character for is left out */
			if (u >= 0x80 && (u < 0xd800 || u > 0xdfff) && u < 0x110000 && (u & 0xfffe) != 0xfffe)
				buf_printf(out, "&#%u;", (unsigned)u);
		} else if (c == '&' || c == '<' || c == '>' || c == '"' || c == '\'')
			buf_printf(out, "&#%u;", (unsigned)u);
		else
			buf_addc(out, c < ' ' || c == 127 ? ' ' : (char)c);
		i += n;
	}
}

void body_entity_put(const struct presence_entity *e, const struct body_how *how, struct buf *out)
{
	if (e->kind && !how->hides_kind)
		buf_printf(out, "%s+", e->kind);
	body_escape(out, sv_of(e->user));
	buf_addc(out, '@');
	body_escape(out, how->host);
}

/* A URI of a party: what is no user part goes as %XX, then it is XML. */
static ON_CTL void party_uri_put(struct buf *out, struct sv user, struct sv host)
{
	struct buf b;
	buf_init(&b);
	sip_escape_user(&b, user);
	body_escape(out, buf_sv(&b));
	buf_fini(&b);
	buf_addc(out, '@');
	body_escape(out, host);
}

static ON_CTL void local_put(struct buf *out, const struct presence_entity *e, const struct body_how *how,
    const char *display, bool is_rendering)
{
	const char *kind = e->kind ? e->kind : "";
	for (int i = 0; i < 2; i++) {
		buf_adds(out, i ? "<target uri=\"sip:" : "<local>\n<identity display=\"");
		if (!i) {
			body_escape(out, sv_of(display));
			buf_adds(out, "\">sip:");
		}
		party_uri_put(out, sv_of(e->user), how->host);
		if (*kind)
			buf_printf(out, ";proto=%s", kind);
		buf_adds(out, i ? "\">\n" : "</identity>\n");
	}
	buf_printf(
	    out, "<param pname=\"+sip.rendering\" pvalue=\"%s\"/>\n</target>\n</local>\n", is_rendering ? "yes" : "no");
}

static ON_CTL void remote_put(
    struct buf *out, const struct presence_entity *e, const struct body_how *how, const struct presence_parties *who)
{
	bool is_hidden = who->is_private || how->is_private;
	buf_adds(out, "<remote>\n<identity display=\"");
	body_escape(out, is_hidden ? SV("Anonymous") : who->name);
	buf_adds(out, "\">sip:");
	if (is_hidden)
		buf_adds(out, "anonymous@anonymous.invalid");
	else
		party_uri_put(out, who->number, how->host);
	buf_adds(out, "</identity>\n<target uri=\"sip:**");
	party_uri_put(out, sv_of(e->user), how->host);
	buf_adds(out, "\"/>\n</remote>\n");
}

/* A lot or room that is taken: who takes it calls the lamp itself. */
static ON_CTL void lamp_put(struct buf *out, const struct presence_entity *e, const struct body_how *how)
{
	local_put(out, e, how, e->kind, false);
	buf_printf(out, "<remote>\n<identity display=\"%s\">sip:", e->kind);
	body_escape(out, sv_of(e->user));
	buf_adds(out, "</identity>\n<target uri=\"sip:");
	body_entity_put(e, how, out);
	buf_adds(out, "\"/>\n</remote>\n");
}

/* What a phone needs to take the call over by Replaces. */
static ON_CTL void details_put(struct buf *out, const struct presence_dialog *d)
{
	static const struct {
		const char *attr, *caller, *called;
	} names[] = {{"call-id", "sip_call_id", "sip_call_id"}, {"local-tag", "sip_from_tag", "sip_to_tag"},
	    {"remote-tag", "sip_to_tag", "sip_from_tag"}};
	for (size_t i = 0; d->leg && i < sizeof(names) / sizeof(names[0]); i++) {
		const char *value = vars_get(d->leg->vars, d->is_initiator ? names[i].caller : names[i].called);
		if (!value || !*value || strlen(value) > DETAIL_MAX_BYTES) /* half a name is none */
			continue;
		buf_printf(out, " %s=\"", names[i].attr);
		body_escape(out, sv_of(value));
		buf_addc(out, '"');
	}
}

static ON_CTL void dialog_put(
    struct buf *out, const struct presence_entity *e, const struct body_how *how, const struct presence_dialog *d)
{
	struct presence_parties who;
	buf_adds(out, "<dialog id=\"");
	body_escape(out, sv_of(presence_dialog_id(d)));
	buf_addc(out, '"');
	if (how->has_details)
		details_put(out, d);
	buf_printf(out, " direction=\"%s\">\n<state>%s</state>\n", d->is_initiator ? "initiator" : "recipient",
	    state_text(d, how));
	if (presence_parties_of(d, &who)) {
		local_put(out, e, how, e->user, d->state != PRESENCE_HELD);
		remote_put(out, e, how, &who);
	} else if (d->kind && e->kind)
		lamp_put(out, e, how);
	buf_adds(out, "</dialog>\n");
}

static ON_CTL void over_put(struct buf *out, const char *id, bool is_initiator)
{
	buf_adds(out, "<dialog id=\"");
	body_escape(out, sv_of(id));
	buf_printf(out, "\" direction=\"%s\">\n<state>terminated</state>\n</dialog>\n",
	    is_initiator ? "initiator" : "recipient");
}

void body_dialog_put(const struct presence_entity *e, const struct body_how *how, struct buf *head, struct buf *tail)
{
	bool has_any = false;
	size_t most = tail->n + DIALOGS_MAX_BYTES;
	buf_adds(head, "<?xml version=\"1.0\"?>\n<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"");
	buf_printf(tail, "\" state=\"%s\" entity=\"sip:", how->is_partial ? "partial" : "full");
	body_entity_put(e, how, tail);
	buf_adds(tail, "\">\n");
	for (const struct lnode *n = e->dialogs.head.next; n != &e->dialogs.head && tail->n < most; n = n->next) {
		const struct presence_dialog *d = list_entry(n, struct presence_dialog, link);
		if (how->is_partial && d->serial <= how->since)
			continue;
		if (how->hides_early && d->state == PRESENCE_EARLY && !d->is_initiator)
			continue;
		dialog_put(tail, e, how, d);
		has_any = true;
	}
	for (const struct lnode *n = e->ended.head.next; n != &e->ended.head; n = n->next) {
		const struct presence_ended *x = list_entry(n, struct presence_ended, link);
		if (x->serial <= how->since)
			continue;
		over_put(tail, x->id, x->is_initiator);
		has_any = true;
	}
	if (!has_any && e->kind && !how->is_partial)
		over_put(tail, e->user, !strcmp(e->kind, "conf"));
	buf_adds(tail, "</dialog-info>\n");
}
