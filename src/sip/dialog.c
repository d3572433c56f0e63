/* The table of dialogs and their usages: who owns a request inside a dialog, and when a dialog is over. A dialog is in
 * the table while it has usages; the last one to leave takes it out. What it still has under way (a BYE that is sent
 * again) holds the object, not the entry. The order of requests (RFC 3261 12.2.2) is the dialog's, whichever usage they
 * are for. Does not know what its usages are. */
#include "sip/sip_i.h"

void sip_dialog_forks_free(struct sip_dialog *d)
{
	struct lnode *n;
	while ((n = list_first(&d->forks))) {
		struct sip_far *f = list_entry(n, struct sip_far, link);
		list_remove(n);
		sip_far_fini(f);
		mem_free(f);
	}
}

static void dialog_dtor(void *obj)
{
	struct sip_dialog *d = obj;
	sip_dialog_forks_free(d);
	sip_far_fini(&d->far);
	char *texts[] = {d->auth_realm, d->auth_user, d->auth_password, d->auth_ha1, d->call_id, d->local_uri,
	    d->remote_uri, d->contact_user, d->contact, d->contact_params, d->local_contact, d->part_text};
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++)
		mem_free(texts[i]);
}

struct sip_dialog *sip_dialog_new(struct sip_stack *s, bool is_uac)
{
	struct sip_dialog *d = mem_new(sizeof(*d), dialog_dtor, "sip.dialog");
	if (!d)
		return NULL;
	d->stack = s;
	d->is_uac = is_uac;
	d->has_own_names_only = !is_uac;
	list_init(&d->usages);
	list_init(&d->forks);
	return d;
}

static uint64_t dialog_key(struct sv call_id, struct sv local_tag)
{
	return sip_key(call_id, local_tag, SV_NONE, 3);
}

void sip_dialog_join(struct sip_dialog *d, struct sip_usage *u, const struct sip_usage_ops *ops)
{
	u->dialog = mem_ref(d);
	u->ops = ops;
	if (!list_first(&d->usages)) {
		list_push(&d->stack->dialogs, &d->link);
		sip_table_add(&d->stack->dialog_table, &d->node, dialog_key(sv_of(d->call_id), sv_of(d->local_tag)));
	}
	list_push(&d->usages, &u->link);
}

void sip_dialog_leave(struct sip_usage *u)
{
	struct sip_dialog *d = u->dialog;
	if (!lnode_is_linked(&u->link))
		return;
	list_remove(&u->link);
	if (!list_first(&d->usages)) {
		list_remove(&d->link);
		sip_table_del(&d->stack->dialog_table, &d->node);
		d->stack = NULL;
	}
	u->dialog = mem_unref(d);
}

struct sip_far *sip_dialog_fork(struct sip_dialog *d, struct sv remote_tag)
{
	struct lnode *n, *tmp;
	if (d->far.remote_tag && sv_is(remote_tag, d->far.remote_tag))
		return &d->far;
	list_each (&d->forks, n, tmp) {
		struct sip_far *f = list_entry(n, struct sip_far, link);
		if (f->remote_tag && sv_is(remote_tag, f->remote_tag))
			return f;
	}
	return NULL;
}

struct sip_dialog *sip_dialog_find(struct sip_stack *s, struct sv call_id, struct sv local_tag, struct sv remote_tag)
{
	struct sip_node *n = sip_table_first(&s->dialog_table, dialog_key(call_id, local_tag));
	for (; n; n = sip_node_next(n)) {
		struct sip_dialog *d = list_entry(n, struct sip_dialog, node);
		if (sv_is(call_id, d->call_id) && sv_is(local_tag, d->local_tag) && sip_dialog_fork(d, remote_tag))
			return d;
	}
	return NULL;
}

struct sip_dialog *sip_dialog_of(struct sip_stack *s, const struct sip_msg *m)
{
	return m->to_tag.n ? sip_dialog_find(s, m->call_id, m->to_tag, m->from_tag) : NULL;
}

void sip_dialog_seen_from(struct sip_dialog *d, const struct sip_source *src)
{
	d->remote = src->flow.peer;
	d->local = src->flow.local;
	d->transport = (uint8_t)sip_flow_transport(&src->flow);
}

/* Whose request is it? By method and event; what belongs to none is for who takes others; else nobody's. */
static struct sip_usage *owner_of(struct sip_dialog *d, const struct sip_msg *m)
{
	struct lnode *n, *tmp;
	struct sip_usage *other = NULL;
	list_each (&d->usages, n, tmp) {
		struct sip_usage *u = list_entry(n, struct sip_usage, link);
		if (u->ops->owns(u, m))
			return u;
		if (!other && u->ops->takes_others)
			other = u;
	}
	return other;
}

bool sip_dialog_request_in(struct sip_dialog *d, struct sip_stx *tx, const struct sip_msg *m)
{
	struct sip_far *far = sip_dialog_fork(d, m->from_tag);
	if (far->has_remote_cseq && m->cseq <= far->remote_cseq) {
		sip_stx_respond(tx, 500, NULL, NULL, NULL, SV_NONE, NULL, false);
		return true;
	}
	far->has_remote_cseq = true;
	far->remote_cseq = m->cseq;
	struct sip_usage *u = owner_of(d, m);
	if (!u)
		return false;
	u->ops->request_in(u, tx, m);
	return true;
}

void sip_dialog_ack_in(struct sip_dialog *d, const struct sip_msg *m)
{
	struct lnode *n, *tmp;
	list_each (&d->usages, n, tmp) {
		struct sip_usage *u = list_entry(n, struct sip_usage, link);
		if (!u->ops->ack_in)
			continue;
		u->ops->ack_in(u, m);
		return; /* there is one; the list may have changed */
	}
}

void sip_dialogs_drop(struct sip_stack *s)
{
	struct lnode *n, *u;
	while ((n = list_first(&s->dialogs))) {
		struct sip_dialog *d = mem_ref(list_entry(n, struct sip_dialog, link));
		while ((u = list_first(&d->usages))) {
			struct sip_usage *usage = list_entry(u, struct sip_usage, link);
			usage->ops->drop(usage);
			CHECK(list_first(&d->usages) != u);
		}
		mem_unref(d);
	}
}
