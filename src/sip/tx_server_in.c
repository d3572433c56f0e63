/* A request comes in (RFC 3261 8.2, 17.2.3): it is known by its branch, and what repeats an earlier one only gets that
 * one's answer again. What is new must fit: into what the machine and its address may have under way, into what we can
 * read at all. Then it has a transaction (tx_server.c) and goes to the dialog that it names, or to the user. ACK has no
 * transaction and gets no answer; CANCEL is answered here and ends the INVITE that it names. What is refused before it
 * has a transaction is told from the request alone, and forgotten. */
#include "sip/tx_server_i.h"

static uint64_t stx_key(const struct sip_msg *m, enum sip_method method)
{
	struct sv name = method == SIP_NO_METHOD ? m->method_text : sv_of(sip_method_name(method));
	if (sv_starts(m->via.branch, SV(SIP_COOKIE)))
		return sip_key(m->via.branch, m->via.host, name, m->via.port);
	/* RFC 2543 peers: RFC 3261 17.2.3; the To tag of an ACK is not that of its INVITE, so it is left out */
	uint64_t inner = sip_key(m->via.text, m->ruri.text, m->from_tag, m->cseq);
	return sip_key(m->call_id, (struct sv){(const char *)&inner, sizeof(inner)}, name, 1);
}

static uint64_t merge_key(const struct sip_msg *m)
{
	return sip_key(m->call_id, m->from_tag, m->method_text, m->cseq);
}

struct sip_stx *sip_stx_find_invite(struct sip_stack *s, const struct sip_msg *m)
{
	struct sip_node *n = sip_table_first(&s->stx_table, stx_key(m, SIP_INVITE));
	return n ? list_entry(n, struct sip_stx, node) : NULL;
}

static ON_CTL void ack_in(struct sip_stack *s, const struct sip_source *src, const struct sip_msg *m)
{
	struct sip_stx *tx = sip_stx_find_invite(s, m);
	struct sip_dialog *d;
	char tag[SIP_TAG_CHARS + 1];
	if (!tx) { /* of an answer that was not kept? */
		sip_stx_once_tag_text(sip_stx_once_tag(m), tag);
		if (sv_is(m->to_tag, tag))
			sip_sender_proved(src->sender);
	}
	if (tx && tx->state == STX_COMPLETED) {
		if (sv_is(m->to_tag, tx->to_tag))
			sip_sender_proved(src->sender);
		sip_stx_confirm(tx);
		return;
	}
	if (tx && tx->state != STX_ACCEPTED)
		return;
	if ((d = sip_dialog_of(s, m))) {
		sip_sender_proved(src->sender);
		sip_dialog_seen_from(d, src);
		sip_dialog_ack_in(d, m);
	}
}

static ON_CTL void cancel_in(struct sip_stack *s, struct sip_stx *tx, const struct sip_msg *m)
{
	struct sip_stx *inv = sip_stx_find_invite(s, m);
	if (!inv) {
		sip_stx_reply_once(tx, 481, NULL, NULL);
		return;
	}
	if (!tx->to_had_tag)
		sip_stx_set_to_tag(tx, sip_stx_to_tag(inv));
	sip_stx_respond(tx, 200, NULL, NULL, NULL, SV_NONE, NULL, false);
	if (inv->state > STX_PROCEEDING)
		return;
	inv->is_cancelled = true;
	sip_stx_ref(inv);
	if (inv->usage) {
		inv->usage->ops->cancel_in(inv->usage, m);
	} else {
		sip_stx_respond(inv, 487, NULL, NULL, NULL, SV_NONE, NULL, false);
		if (inv->cancel_fn)
			inv->cancel_fn(inv, inv->cancel_arg);
	}
	sip_stx_unref(inv);
}

/* RFC 3261 8.2.2: false when the request was answered here. */
static ON_CTL bool check_request(struct sip_stack *s, const struct sip_source *src, const struct sip_msg *m)
{
	if (m->ruri.scheme == SIP_SCHEME_OTHER) {
		sip_stateless_reply(s, src, m, 416, NULL, NULL);
		return false;
	}
	if (m->max_forwards == 0 && !m->to_tag.n && m->method != SIP_OPTIONS) {
		sip_stateless_reply(s, src, m, 483, NULL, NULL);
		return false;
	}
	if (!m->to_tag.n && sip_table_first(&s->merge_table, merge_key(m))) {
		sip_stateless_reply(s, src, m, 482, NULL, NULL);
		return false;
	}
	struct sip_list_it it;
	struct buf bad;
	buf_init(&bad);
	sip_list_start(&it, m, SIP_HDR_REQUIRE);
	while (sip_list_next(&it)) {
		struct sip_list_it own;
		bool is_known = false;
		sip_list_start_value(&own, sv_of(s->cfg.supported));
		while (!is_known && sip_list_next(&own))
			is_known = sv_eqi(own.item, it.item);
		if (!is_known)
			buf_printf(&bad, "%s%.*s", bad.n ? ", " : "Unsupported: ", SVF(it.item));
	}
	bool ok = bad.n == 0;
	if (!ok)
		sip_stateless_reply(s, src, m, 420, NULL, bad.p);
	buf_fini(&bad);
	return ok;
}

/* Methods that only make sense inside a dialog we have. */
static bool needs_dialog(const struct sip_msg *m)
{
	switch (m->method) {
	case SIP_BYE:
	case SIP_PRACK:
	case SIP_UPDATE:
		return true;
	case SIP_INVITE:
	case SIP_INFO:
		return m->to_tag.n > 0;
	default:
		return false;
	}
}

static ON_CTL void to_user(struct sip_stack *s, struct sip_stx *tx, const struct sip_msg *m)
{
	struct sip_dialog *d = sip_dialog_of(s, m);
	if (d) {
		sip_sender_proved(tx->src.sender);
		sip_dialog_seen_from(d, &tx->src);
		if (sip_dialog_request_in(d, tx, m))
			return;
	}
	if (needs_dialog(m)) {
		sip_stx_reply_once(tx, 481, NULL, NULL);
	} else if (s->h.on_request) {
		s->h.on_request(s, tx, m, s->arg);
	} else {
		sip_stx_reply_once(tx, 501, NULL, NULL);
	}
}

/* No room for one more transaction, in all or for this address; dialogs that stand go on. */
static ON_CTL bool is_shed(struct sip_stack *s, const struct sip_source *src, const struct sip_msg *m)
{
	bool is_full = s->stx_table.count - s->done_count >= s->cfg.max_transactions;
	bool is_host_full = src->sender && src->sender->active_count >= s->cfg.max_transactions_per_host;
	if (!is_full && !is_host_full)
		return false;
	if (!is_full && sip_dialog_of(s, m))
		return false;
	s->stats.shed++;
	s->stats.host_shed += !is_full;
	return true;
}

void sip_stx_input(struct sip_stack *s, const struct sip_source *src, struct sip_msg *m)
{
	if (m->method == SIP_ACK) {
		ack_in(s, src, m);
		return;
	}
	uint64_t key = stx_key(m, m->method);
	struct sip_node *n = sip_table_first(&s->stx_table, key);
	if (n) {
		struct sip_stx *old = list_entry(n, struct sip_stx, node);
		s->stats.retransmits_in++;
		if (old->state != STX_ACCEPTED && old->state != STX_CONFIRMED)
			sip_stx_resend(old);
		return;
	}
	if (sip_shed_refuses(s, src, m))
		return;
	if (is_shed(s, src, m)) {
		sip_stateless_reply(s, src, m, 503, NULL, "Retry-After: 5\r\n");
		return;
	}
	if (m->method != SIP_CANCEL && !check_request(s, src, m))
		return;
	struct sip_stx *tx = sip_stx_new(s, src, m, key);
	if (!tx)
		return;
	sip_stx_ref(tx);
	if (m->method == SIP_CANCEL) {
		cancel_in(s, tx, m);
		sip_stx_unref(tx);
		return;
	}
	if (!m->to_tag.n)
		sip_table_add(&s->merge_table, &tx->merge_node, merge_key(m));
	if (m->method == SIP_INVITE)
		sip_stx_trying(tx);
	to_user(s, tx, m);
	sip_stx_unref(tx);
}
