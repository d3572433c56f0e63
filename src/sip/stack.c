/* A profile's stack: its making and end, and the dispatch of what the transports receive: trace, keep-alives, parse,
 * malformed messages, then requests to tx_server_in.c and responses to tx_client.c. */
#include "base/clock.h"
#include "sip/sip_i.h"

#define OR(value, standard) ((value) ? (value) : (standard))
static const char default_allow[] = "INVITE, ACK, BYE, CANCEL, OPTIONS, MESSAGE, INFO, UPDATE, REGISTER, REFER, NOTIFY";

static int config_copy(struct sip_stack *s, const struct sip_stack_config *in)
{
	struct sip_stack_config *c = &s->cfg;
	if (in)
		*c = *in;
	c->t1_ms = OR(c->t1_ms, 500);
	c->t2_ms = OR(c->t2_ms, 4000);
	c->t4_ms = OR(c->t4_ms, 5000);
	c->timer_b_ms = OR(c->timer_b_ms, 64 * c->t1_ms);
	c->trying_delay_ms = OR(c->trying_delay_ms, 200);
	c->proceeding_timeout_ms = OR(c->proceeding_timeout_ms, 180000);
	c->resolve_timeout_ms = OR(c->resolve_timeout_ms, 5000);
	c->max_message_bytes = OR(c->max_message_bytes, 1u << 20);
	c->max_stranger_bytes = OR(c->max_stranger_bytes, 64u << 10);
	c->max_transactions = OR(c->max_transactions, 100000);
	c->max_transactions_per_host = OR(c->max_transactions_per_host, 10000);
	c->max_conns = OR(c->max_conns, 10000);
	c->max_conns_per_host = OR(c->max_conns_per_host, 2000);
	c->max_conn_bytes = OR(c->max_conn_bytes, 64u << 20);
	c->max_conn_bytes_per_host = OR(c->max_conn_bytes_per_host, 8u << 20);
	c->conn_message_ms = OR(c->conn_message_ms, 10000);
	c->user_agent = mem_strdup(c->user_agent && *c->user_agent ? c->user_agent : NULL);
	c->allow = mem_strdup(OR(c->allow, default_allow));
	c->allow_events = mem_strdup(c->allow_events && *c->allow_events ? c->allow_events : NULL);
	c->supported = mem_strdup(c->supported && *c->supported ? c->supported : NULL);
	c->contact_user = mem_strdup(OR(c->contact_user, "tandem"));
	c->external_host = mem_strdup(c->external_host && *c->external_host ? c->external_host : NULL);
	c->ws_origins = mem_strdup(c->ws_origins && *c->ws_origins ? c->ws_origins : NULL);
	return c->allow && c->contact_user ? ST_OK : ST_NOMEM;
}

static ON_CTL void stack_free(struct sip_stack *s)
{
	sip_senders_free(s);
	sip_dead_free(s);
	conn_limit_free(s->conn_limit);
	struct sip_table *tables[] = {&s->conn_table, &s->stx_table, &s->merge_table, &s->ctx_table, &s->dialog_table,
	    &s->sender_table, &s->dead_table};
	for (size_t i = 0; i < ARRAY_COUNT(tables); i++)
		sip_table_fini(tables[i]);
	mem_free((char *)s->cfg.user_agent);
	mem_free((char *)s->cfg.allow);
	mem_free((char *)s->cfg.allow_events);
	mem_free((char *)s->cfg.supported);
	mem_free((char *)s->cfg.contact_user);
	mem_free((char *)s->cfg.external_host);
	mem_free((char *)s->cfg.ws_origins);
	for (size_t i = 0; i < ARRAY_COUNT(s->tls); i++)
		mem_unref(s->tls[i]);
	buf_fini(&s->out);
	buf_fini(&s->self);
	buf_fini(&s->unfolded);
	buf_fini(&s->filtered_in);
	buf_fini(&s->filtered_out);
	mem_free(s);
}

static ON_CTL int limit_make(struct sip_stack *s)
{
	const struct sip_stack_config *c = &s->cfg;
	struct conn_limit_conf conf = {.name = "SIP over TCP",
	    .max_count = c->max_conns,
	    .max_count_per_host = c->max_conns_per_host,
	    .max_bytes = c->max_conn_bytes,
	    .max_bytes_per_host = c->max_conn_bytes_per_host,
	    .first_us = clock_us_of_ms(c->conn_message_ms),
	    .message_us = clock_us_of_ms(c->conn_message_ms)};
	return conn_limit_new(&s->conn_limit, &conf);
}

int sip_stack_new(
    struct sip_stack **out, const struct sip_stack_config *cfg, const struct sip_stack_handlers *h, void *arg)
{
	struct sip_stack *s = mem_zalloc(sizeof(*s));
	if (!s)
		return ST_NOMEM;
	struct list *lists[] = {
	    &s->listeners, &s->conns, &s->stxs, &s->ctxs, &s->dialogs, &s->done, &s->senders, &s->dead, &s->locates};
	struct sip_table *tables[] = {&s->conn_table, &s->stx_table, &s->merge_table, &s->ctx_table, &s->dialog_table,
	    &s->sender_table, &s->dead_table};
	int st = config_copy(s, cfg);
	for (size_t i = 0; i < ARRAY_COUNT(lists); i++)
		list_init(lists[i]);
	buf_init(&s->out);
	buf_init(&s->self);
	buf_init(&s->unfolded);
	buf_init(&s->filtered_in);
	buf_init(&s->filtered_out);
	for (size_t i = 0; i < ARRAY_COUNT(tables); i++)
		if (sip_table_init(tables[i]))
			st = ST_NOMEM;
	if (!st)
		st = limit_make(s);
	if (st) {
		stack_free(s);
		return st;
	}
	s->h = *h;
	s->arg = arg;
	sip_stack_rel_init(s);
	*out = s;
	return ST_OK;
}

void sip_stack_close(struct sip_stack *s)
{
	struct lnode *n, *tmp;
	if (!s)
		return;
	s->is_closing = true;
	sip_dialogs_drop(s);
	list_each (&s->ctxs, n, tmp)
		sip_ctx_kill(list_entry(n, struct sip_ctx, link));
	list_each (&s->stxs, n, tmp)
		sip_stx_kill(list_entry(n, struct sip_stx, link));
	sip_locates_end(s);
	sip_conns_close(s);
	sip_listeners_close(s);
	loop_timer_cancel(&s->done_timer);
	stack_free(s);
}

int sip_stack_set_external(struct sip_stack *s, const char *host, uint16_t port)
{
	char *copy = mem_strdup(host);
	if (host && !copy)
		return ST_NOMEM;
	mem_free((char *)s->cfg.external_host);
	s->cfg.external_host = copy;
	s->cfg.external_port = port;
	return ST_OK;
}

void sip_stack_set_trace(struct sip_stack *s, bool is_on)
{
	s->is_tracing = is_on;
}

void sip_stack_set_filters(struct sip_stack *s, const struct sip_filter_lists *in, const struct sip_filter_lists *out)
{
	s->filter_in = in ? *in : (struct sip_filter_lists){0};
	s->filter_out = out ? *out : (struct sip_filter_lists){0};
	s->has_filter_in = sip_filter_is_set(&s->filter_in);
	s->has_filter_out = sip_filter_is_set(&s->filter_out);
}

void *sip_stack_arg(const struct sip_stack *s)
{
	return s->arg;
}

void sip_stack_stats_get(const struct sip_stack *s, struct sip_stack_stats *out)
{
	*out = s->stats;
	out->server_transactions = s->stx_table.count;
	out->client_transactions = s->ctx_table.count;
	out->calls = s->call_count;
	out->dialogs = s->dialog_table.count;
	out->conns = s->conn_table.count;
	out->senders = s->sender_table.count;
	out->dead = s->dead_table.count;
	conn_limit_counts(s->conn_limit, &out->conn_limit);
}

void sip_stack_trace(struct sip_stack *s, bool is_out, enum sip_transport t, const struct addr *local,
    const struct addr *remote, const char *p, size_t n)
{
	if (!s->is_tracing || !s->h.on_trace)
		return;
	struct sip_trace trace = {is_out, t, local, remote, {p, n}};
	s->h.on_trace(s, &trace, s->arg);
}

bool sip_stack_bars(struct sip_stack *s, const struct addr *src)
{
	if (!s->h.is_barred || !s->h.is_barred(s, src, s->arg))
		return false;
	s->stats.barred++;
	return true;
}

static bool is_keepalive(const char *p, size_t n)
{
	if (n > 8)
		return false;
	for (size_t i = 0; i < n; i++)
		if (p[i] != '\r' && p[i] != '\n' && p[i] != '\0')
			return false;
	return true;
}

static ON_CTL void malformed(struct sip_stack *s, const struct sip_source *src, const struct sip_msg *m, struct sv data)
{
	s->stats.malformed++;
	if (s->h.on_malformed)
		s->h.on_malformed(s, &src->flow.peer, data, m->error, s->arg);
	if (m->is_answerable)
		sip_stateless_reply(s, src, m, m->error_code, m->error, NULL);
}

/* Denied headers are taken out of the text and what is left is parsed anew: nobody behind sees them, copies included.
 */
static ON_CTL int headers_filter(struct sip_stack *s, struct sip_msg *m, unsigned flags)
{
	if (!sip_filter_has_headers(&s->filter_in) ||
	    !sip_filter_strip(&s->filter_in, m->raw.p, m->raw.n, &s->filtered_in))
		return ST_OK;
	return sip_msg_parse(m, s->in_hdrs, SIP_MSG_HDRS_MAX, s->filtered_in.p, s->filtered_in.n, flags);
}

/* True: the request goes no further. */
static ON_CTL bool is_filtered(struct sip_stack *s, const struct sip_source *src, const struct sip_msg *m)
{
	bool is_unwanted = s->h.is_unwanted && s->h.is_unwanted(s, &src->flow.peer, m, s->arg);
	bool is_denied = !is_unwanted && s->has_filter_in && !sip_filter_takes_method(&s->filter_in, m->method_text);
	if (is_denied)
		sip_stateless_reply(s, src, m, 405, NULL, NULL);
	s->stats.filtered += is_unwanted || is_denied;
	return is_unwanted || is_denied;
}

void sip_stack_input(struct sip_stack *s, const struct sip_source *from, const char *p, size_t n, bool is_stream)
{
	struct sip_msg m;
	struct sip_source with_sender = *from, *src = &with_sender;
	unsigned flags = is_stream ? SIP_PARSE_STREAM : 0;
	if (s->is_closing || sip_stack_bars(s, &src->flow.peer) || is_keepalive(p, n))
		return;
	sip_shed_note(s, src->waited_us);
	if (sip_shed_drops(s, src, p, n))
		return;
	if (!src->flow.conn && sip_is_stun(p, n)) {
		sip_stun_answer(s, &src->flow, p, n);
		return;
	}
	sip_stack_trace(s, false, sip_flow_transport(&src->flow), &src->flow.local, &src->flow.peer, p, n);
	int st = sip_msg_parse(&m, s->in_hdrs, SIP_MSG_HDRS_MAX, p, n, flags);
	if (m.has_folds) {
		/* behind this point no value holds a line break */
		buf_clear(&s->unfolded);
		if (buf_add(&s->unfolded, p, n))
			return;
		sip_msg_unfold(s->unfolded.p, n);
		st = sip_msg_parse(&m, s->in_hdrs, SIP_MSG_HDRS_MAX, s->unfolded.p, n, flags);
	}
	if (!st && s->has_filter_in)
		st = headers_filter(s, &m, flags);
	if (m.is_request)
		src->sender = sip_sender_heard(s, src, n);
	if (st) {
		malformed(s, src, &m, (struct sv){p, n});
	} else if (m.is_request) {
		s->stats.requests_in++;
		sip_rport_settle(s, src, &m);
		if (!is_filtered(s, src, &m))
			sip_stx_input(s, src, &m);
	} else {
		s->stats.responses_in++;
		sip_ctx_response(s, src, &m);
	}
}

void sip_put_common(struct sip_stack *s, struct buf *b, bool with_allow)
{
	sip_put_common_as(s, b, s->cfg.user_agent, with_allow);
}

void sip_put_common_as(struct sip_stack *s, struct buf *b, const char *user_agent, bool with_allow)
{
	if (user_agent)
		sip_put_hdr(b, "User-Agent", sv_of(user_agent));
	if (!with_allow)
		return;
	sip_put_hdr(b, "Allow", sv_of(s->cfg.allow));
	if (s->cfg.supported)
		sip_put_hdr(b, "Supported", sv_of(s->cfg.supported));
}

void sip_put_events(struct sip_stack *s, struct buf *b, enum sip_method m)
{
	if (s->cfg.allow_events && (m == SIP_INVITE || m == SIP_SUBSCRIBE || m == SIP_NOTIFY || m == SIP_PUBLISH))
		sip_put_hdr(b, "Allow-Events", sv_of(s->cfg.allow_events));
}

void sip_put_call_body(struct buf *b, struct sv ctype, struct sv body)
{
	if (body.n && sv_isi(ctype, "application/sdp"))
		buf_adds(b, "Content-Disposition: session\r\n");
	else if (body.n && sv_startsi(ctype, SV("multipart/")))
		buf_adds(b, "MIME-Version: 1.0\r\n");
	sip_put_body(b, ctype, body);
}
