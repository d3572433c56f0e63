/* Subscriptions that have a dialog of their own: one begins with a SUBSCRIBE that came in, or is made again of what was
 * kept of it (sip_sub_save) when the program or the profile starts anew. The order of our NOTIFYs goes on by the clock,
 * eight a second and two seconds more at a restart, so that whoever was told before is told a higher CSeq after it,
 * without writing each one down. (A watcher hears one at a time, so that nobody is told faster for long.) */
#include "base/clock.h"
#include "sip/sub_i.h"

enum { CSEQ_US = 125000, CSEQ_RESTART = 16 };

static uint32_t cseq_now(void)
{
	return (uint32_t)((uint64_t)clock_wall_us() / CSEQ_US) & 0x7fffffffu;
}

static char *address_dup(const struct sip_nameaddr *na)
{
	return sv_dup(na->uri.text);
}

static char *contact_make(struct sv user, const char *target)
{
	struct buf b;
	buf_init(&b);
	buf_adds(&b, sv_startsi(sv_of(target), SV("sips:")) ? "<sips:" : "<sip:");
	sip_escape_user(&b, user);
	buf_adds(&b, user.n ? "@" SIP_SELF_MARK_TEXT ">" : SIP_SELF_MARK_TEXT ">");
	return b.failed ? (buf_fini(&b), NULL) : buf_take(&b);
}

static ON_CTL void where_take(struct sip_sub *u)
{
	const struct sip_dialog *d = u->usage.dialog;
	u->has_where = true;
	u->remote = d->remote, u->local = d->local, u->transport = d->transport;
}

/* One that came without a Contact we can use. */
static void target_from_source(struct sip_far *far, const struct sip_source *src)
{
	char text[ADDR_TEXT_MAX];
	struct buf b;
	buf_init(&b);
	buf_printf(&b, "sip:%s", addr_text(&src->flow.peer, text));
	sip_put_transport(&b, sip_flow_transport(&src->flow));
	far->target = buf_take(&b);
}

int sip_sub_accept(struct sip_sub **out, struct sip_stx *tx, const struct sip_msg *m, const struct sip_sub_params *p,
    struct sv contact_user, const struct sip_sub_handlers *h, void *arg)
{
	struct sip_sub *u = NULL;
	if (tx->method != SIP_SUBSCRIBE || tx->state > STX_PROCEEDING || m->to_tag.n)
		return ST_INVAL;
	struct sip_dialog *d = sip_dialog_new(tx->stack, false);
	int st = d ? sip_sub_make(&u, p, h, arg) : ST_NOMEM;
	if (st)
		goto out;
	d->call_id = sv_dup(m->call_id);
	d->local_uri = address_dup(&m->to);
	d->remote_uri = address_dup(&m->from);
	memcpy(d->local_tag, sip_stx_to_tag(tx), sizeof(tx->to_tag));
	d->local_cseq = cseq_now();
	st = sip_far_from_request(&d->far, m);
	if (!st && !d->far.target)
		target_from_source(&d->far, &tx->src);
	d->contact = contact_make(contact_user, d->far.target);
	if (!d->call_id || !d->local_uri || !d->remote_uri || !d->contact || (!st && !d->far.target))
		st = ST_NOMEM;
	if (st)
		goto out;
	sip_dialog_seen_from(d, &tx->src);
	sip_dialog_join(d, &u->usage, &sip_sub_ops);
	where_take(u);
	*out = u;
	u = NULL;
out:
	mem_unref(u);
	mem_unref(d);
	return st;
}

void sip_sub_where_set(struct sip_sub *u)
{
	struct sip_dialog *d = u->usage.dialog;
	if (u->has_where)
		d->remote = u->remote, d->local = u->local, d->transport = u->transport;
}

int sip_sub_answer(struct sip_sub *u, struct sip_stx *tx, const struct sip_msg *m, int code, const char *headers)
{
	if (code < 300) {
		sip_far_refresh(&u->usage.dialog->far, m);
		sip_dialog_seen_from(u->usage.dialog, &tx->src);
		where_take(u);
	}
	return sip_dialog_answer(u->usage.dialog, tx, code, NULL, headers, NULL, SV_NONE);
}

void sip_sub_set_use_source_address(struct sip_sub *u, bool is_on)
{
	u->usage.dialog->use_source_address = is_on;
}

void sip_sub_save(const struct sip_sub *u, struct sip_sub_saved *out)
{
	const struct sip_dialog *d = u->usage.dialog;
	*out = (struct sip_sub_saved){.call_id = sv_of(d->call_id),
	    .local_tag = sv_of(d->local_tag),
	    .remote_tag = sv_of(d->far.remote_tag),
	    .local_uri = sv_of(d->local_uri),
	    .remote_uri = sv_of(d->remote_uri),
	    .target = sv_of(d->far.target),
	    .route_set = sv_of(d->far.route_set),
	    .remote = d->remote,
	    .local = d->local,
	    .transport = (enum sip_transport)d->transport,
	    .local_cseq = d->local_cseq,
	    .remote_cseq = d->far.remote_cseq,
	    .uses_source_address = d->use_source_address};
}

/* What was kept is checked as if it came from outside: the file may have been written by an older program. */
static bool is_whole(const struct sip_sub_saved *s)
{
	struct sip_uri target;
	return s->call_id.n && s->local_tag.n && s->local_tag.n < sizeof(((struct sip_dialog *)0)->local_tag) &&
	       s->local_uri.n && s->remote_uri.n && sip_is_value(s->call_id) && sip_is_value(s->local_uri) &&
	       sip_is_value(s->remote_uri) && sip_is_value(s->remote_tag) && !sip_uri_parse(&target, s->target) &&
	       (!s->route_set.n || sip_is_nameaddr_list(s->route_set)) && addr_is_set(&s->remote);
}

int sip_sub_restore(struct sip_sub **out, struct sip_stack *s, const struct sip_sub_saved *saved,
    const struct sip_sub_params *p, struct sv contact_user, const struct sip_sub_handlers *h, void *arg)
{
	struct sip_sub *u = NULL;
	if (!is_whole(saved))
		return ST_INVAL;
	if (sip_dialog_find(s, saved->call_id, saved->local_tag, saved->remote_tag))
		return ST_EXISTS;
	struct sip_dialog *d = sip_dialog_new(s, false);
	int st = d ? sip_sub_make(&u, p, h, arg) : ST_NOMEM;
	if (st)
		goto out;
	uint32_t now = cseq_now() + CSEQ_RESTART;
	d->call_id = sv_dup(saved->call_id);
	d->local_uri = sv_dup(saved->local_uri);
	d->remote_uri = sv_dup(saved->remote_uri);
	memcpy(d->local_tag, saved->local_tag.p, saved->local_tag.n);
	d->far.remote_tag = sv_dup(saved->remote_tag);
	d->far.target = sv_dup(saved->target);
	d->contact = contact_make(contact_user, d->far.target);
	d->far.route_set = saved->route_set.n ? sv_dup(saved->route_set) : NULL;
	d->far.remote_cseq = saved->remote_cseq;
	d->far.has_remote_cseq = true;
	d->local_cseq = saved->local_cseq > now ? saved->local_cseq : now;
	d->remote = saved->remote;
	d->local = saved->local;
	d->transport = (uint8_t)saved->transport;
	d->use_source_address = saved->uses_source_address;
	if (!d->call_id || !d->local_uri || !d->remote_uri || !d->contact || !d->far.remote_tag || !d->far.target) {
		st = ST_NOMEM;
		goto out;
	}
	sip_dialog_join(d, &u->usage, &sip_sub_ops);
	where_take(u);
	*out = u;
	u = NULL;
out:
	mem_unref(u);
	mem_unref(d);
	return st;
}
