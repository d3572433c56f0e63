/* The subscription usage. A subscriber owns the NOTIFYs of its event, answers them and is over when one says
 * terminated; a notifier sends them, and is over when its last one is answered, or when the far side says by its answer
 * that it knows of none. A SUBSCRIBE inside the dialog is its user's, who lets it last longer or ends it; of one that a
 * REFER implied nobody asks that, and the call's user refuses it. How one begins: sub_accept.c. */
#include "sip/sub_i.h"

static struct sip_sub *sub_of(const struct sip_usage *u)
{
	return list_entry(u, struct sip_sub, usage);
}

/* No callback from here on. */
static ON_CTL void sub_leave(struct sip_sub *u)
{
	if (!lnode_is_linked(&u->usage.link))
		return;
	if (u->ctx)
		sip_ctx_orphan(u->ctx);
	u->ctx = NULL;
	sip_dialog_leave(&u->usage);
	mem_unref(u);
}

static ON_CTL void sub_over(struct sip_sub *u, int code)
{
	if (!lnode_is_linked(&u->usage.link))
		return;
	mem_ref(u);
	sub_leave(u);
	if (u->h->on_ended)
		u->h->on_ended(u, code, u->arg);
	mem_unref(u);
}

/* "refer;id=93809": the package and, where both say one, the id. */
static bool event_is(const struct sip_sub *u, struct sv value)
{
	struct sv package, params, id;
	sv_split(value, ';', &package, &params);
	if (!sv_isi(sv_trim(package), u->event))
		return false;
	return !u->id[0] || !sip_param_get(params, ';', "id", &id) || sv_is(id, u->id);
}

static bool sub_owns(const struct sip_usage *usage, const struct sip_msg *m)
{
	const struct sip_sub *u = sub_of(usage);
	bool is_ours = u->is_notifier ? m->method == SIP_SUBSCRIBE && u->h->on_subscribe : m->method == SIP_NOTIFY;
	return is_ours && event_is(u, sip_msg_value(m, SIP_HDR_EVENT));
}

static void sub_request_in(struct sip_usage *usage, struct sip_stx *tx, const struct sip_msg *m)
{
	role_assert_ctl();
	struct sip_sub *u = mem_ref(sub_of(usage));
	struct sv state, params;
	if (u->is_notifier) {
		u->h->on_subscribe(u, tx, m, u->arg);
		mem_unref(u);
		return;
	}
	sv_split(sip_msg_value(m, SIP_HDR_SUBSCRIPTION_STATE), ';', &state, &params);
	bool is_last = sv_isi(sv_trim(state), "terminated");
	sip_dialog_answer(usage->dialog, tx, 200, NULL, NULL, NULL, SV_NONE);
	if (u->h->on_notify)
		u->h->on_notify(u, m, is_last, u->arg);
	if (is_last)
		sub_over(u, 200);
	mem_unref(u);
}

static void sub_drop(struct sip_usage *usage)
{
	role_assert_ctl();
	sub_over(sub_of(usage), 503);
}

const struct sip_usage_ops sip_sub_ops = {
    .name = "subscription", .owns = sub_owns, .request_in = sub_request_in, .drop = sub_drop};

int sip_sub_make(struct sip_sub **out, const struct sip_sub_params *p, const struct sip_sub_handlers *h, void *arg)
{
	size_t event_n = strlen(p->event), id_n = p->id ? strlen(p->id) : 0;
	if (!sip_is_token(sv_of(p->event)) || (p->id && !sip_is_token(sv_of(p->id))) ||
	    event_n >= sizeof((*out)->event) || id_n >= sizeof((*out)->id))
		return ST_INVAL;
	struct sip_sub *u = mem_new(sizeof(*u), NULL, "sip.sub");
	if (!u)
		return ST_NOMEM;
	u->h = h;
	u->arg = arg;
	u->is_notifier = p->is_notifier;
	memcpy(u->event, p->event, event_n + 1);
	if (p->id)
		memcpy(u->id, p->id, id_n + 1);
	*out = u;
	return ST_OK;
}

int sip_sub_new(struct sip_sub **out, struct sip_call *c, const struct sip_sub_params *p,
    const struct sip_sub_handlers *h, void *arg)
{
	if (c->state == SIP_CALL_CLOSED || !c->dlg->far.remote_tag)
		return ST_INVAL;
	int st = sip_sub_make(out, p, h, arg);
	if (!st)
		sip_dialog_join(c->dlg, &(*out)->usage, &sip_sub_ops);
	return st;
}

static void on_notify_response(struct sip_ctx *ctx, int code, const struct sip_msg *resp, void *arg)
{
	role_assert_ctl();
	struct sip_sub *u = arg;
	if (code < 200)
		return;
	u->ctx = NULL;
	if (u->is_last_sent)
		sub_over(u, code < 300 ? 200 : code);
	else if (sip_end_of(code) != SIP_END_NONE || !resp)
		sub_over(u, code);
	else if (u->h->on_told)
		u->h->on_told(u, u->arg);
}

int sip_sub_notify(struct sip_sub *u, const char *state, const char *ctype, struct sv body)
{
	return sip_sub_tell(u, state, NULL, ctype, body);
}

int sip_sub_tell(struct sip_sub *u, const char *state, const char *more, const char *ctype, struct sv body)
{
	struct buf headers;
	sip_sub_where_set(u);
	if (!u->is_notifier || u->is_last_sent || !sip_is_value(sv_of(state)))
		return ST_INVAL;
	bool is_last = sv_startsi(sv_of(state), SV("terminated"));
	buf_init(&headers);
	buf_printf(&headers, u->id[0] ? "Event: %s;id=%s\r\n" : "Event: %s\r\n", u->event, u->id);
	sip_put_hdr(&headers, "Subscription-State", sv_of(state));
	sip_put_lines(&headers, more);
	if (u->ctx) /* not answered yet: this one tells more */
		sip_ctx_orphan(u->ctx);
	u->ctx = NULL;
	u->is_last_sent = is_last;
	int st = headers.failed ? ST_NOMEM
	                        : sip_dialog_send(u->usage.dialog, &u->ctx, "NOTIFY", headers.p, ctype, body, true,
	                              on_notify_response, u);
	buf_fini(&headers);
	if (st && is_last)
		sub_leave(u);
	return st;
}

bool sip_sub_is_told(const struct sip_sub *u)
{
	return !u->ctx;
}

void sip_sub_end(struct sip_sub *u)
{
	sub_leave(u);
}

void *sip_sub_find(struct sip_stack *s, const struct sip_msg *m, const struct sip_sub_handlers *h)
{
	struct sip_dialog *d = sip_dialog_of(s, m);
	struct lnode *n, *tmp;
	if (!d)
		return NULL;
	list_each (&d->usages, n, tmp) {
		struct sip_usage *usage = list_entry(n, struct sip_usage, link);
		if (usage->ops == &sip_sub_ops && sub_of(usage)->h == h)
			return sub_of(usage)->arg;
	}
	return NULL;
}
