/* The far end of a dialog (RFC 3261 12): its tag, target, route set and CSeq, as its messages say them; and the head of
 * a request to it, with loose and strict routing. Pure. */
#include "sip/sip_i.h"

void sip_far_fini(struct sip_far *f)
{
	mem_free(f->remote_tag);
	mem_free(f->target);
	mem_free(f->route_set);
	f->remote_tag = f->target = f->route_set = NULL;
}

static char *route_set(const struct sip_msg *m, bool is_reversed)
{
	struct sv items[32];
	size_t n = 0;
	struct sip_list_it it;
	struct buf b;
	sip_list_start(&it, m, SIP_HDR_RECORD_ROUTE);
	while (n < ARRAY_COUNT(items) && sip_list_next(&it))
		items[n++] = it.item;
	if (!n)
		return NULL;
	buf_init(&b);
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_adds(&b, ", ");
		buf_addv(&b, items[is_reversed ? n - 1 - i : i]);
	}
	return buf_take(&b);
}

void sip_far_refresh(struct sip_far *f, const struct sip_msg *m)
{
	struct sip_nameaddr contact;
	if (sip_msg_contact(m, &contact) || contact.is_star ||
	    (contact.uri.scheme != SIP_SCHEME_SIP && contact.uri.scheme != SIP_SCHEME_SIPS))
		return;
	char *target = sv_dup(contact.uri.text);
	if (!target)
		return;
	mem_free(f->target);
	f->target = target;
}

static int far_take(struct sip_far *f, const struct sip_msg *m, struct sv tag, bool is_reversed)
{
	struct sip_far n = {.remote_tag = sv_dup(tag), .route_set = route_set(m, is_reversed)};
	sip_far_refresh(&n, m);
	if (!n.remote_tag) {
		sip_far_fini(&n);
		return ST_NOMEM;
	}
	n.remote_cseq = f->remote_cseq;
	n.has_remote_cseq = f->has_remote_cseq;
	mem_free(f->remote_tag);
	mem_free(f->route_set);
	if (!n.target)
		n.target = f->target;
	else
		mem_free(f->target);
	n.link = f->link;
	*f = n;
	return ST_OK;
}

int sip_far_from_response(struct sip_far *f, const struct sip_msg *resp)
{
	return far_take(f, resp, resp->to_tag, true);
}

int sip_far_from_request(struct sip_far *f, const struct sip_msg *req)
{
	f->remote_cseq = req->cseq;
	f->has_remote_cseq = true;
	return far_take(f, req, req->from_tag, false);
}

/* Route lines; *line gets the request URI, *hop the URI whose address is asked for (views into f or static). */
static void put_routes(const struct sip_far *f, struct buf *routes, struct sv *line, struct sv *hop)
{
	struct sip_list_it it;
	struct sip_nameaddr first;
	struct sv target = sv_of(f->target);
	*line = *hop = target;
	if (!f->route_set)
		return;
	sip_list_start_value(&it, sv_of(f->route_set));
	if (!sip_list_next(&it) || sip_nameaddr_parse(&first, it.item))
		return;
	*hop = first.uri.text;
	if (sip_uri_param(&first.uri, "lr", NULL)) {
		sip_put_hdr(routes, "Route", sv_of(f->route_set));
		return;
	}
	/* a strict router: it is the request URI, the target goes last (12.2.1.1) */
	*line = first.uri.text;
	buf_adds(routes, "Route: ");
	while (sip_list_next(&it)) {
		buf_addv(routes, it.item);
		buf_adds(routes, ", ");
	}
	buf_printf(routes, "<%.*s>\r\n", SVF(target));
}

/* What the far side once wrote of itself, or what the user said. */
static void put_party(struct buf *b, const char *name, const char *address, const char *tag)
{
	bool is_bare = !strchr(address, '<');
	buf_printf(b, is_bare ? "%s: <" : "%s: ", name);
	sip_put_clean(b, sv_of(address));
	buf_adds(b, is_bare ? ">" : "");
	if (tag && *tag) {
		buf_adds(b, ";tag=");
		sip_put_clean(b, sv_of(tag));
	}
	buf_adds(b, "\r\n");
}

int sip_far_put_request(const struct sip_far *f, struct buf *b, const char *method, const char *local_uri,
    const char *local_tag, const char *remote_uri, const char *call_id, uint32_t cseq, char **hop)
{
	struct buf routes;
	struct sv line, next;
	if (!f->target)
		return ST_INVAL;
	buf_init(&routes);
	put_routes(f, &routes, &line, &next);
	char *hop_text = sv_dup(next);
	sip_put_request_line(b, sv_of(method), line);
	buf_addv(b, buf_sv(&routes));
	buf_adds(b, "Max-Forwards: 70\r\n");
	put_party(b, "From", local_uri, local_tag);
	put_party(b, "To", remote_uri, f->remote_tag);
	sip_put_hdr(b, "Call-ID", sv_of(call_id));
	buf_printf(b, "CSeq: %u %s\r\n", cseq, method);
	bool failed = b->failed || routes.failed || !hop_text;
	buf_fini(&routes);
	if (failed) {
		mem_free(hop_text);
		return ST_NOMEM;
	}
	*hop = hop_text;
	return ST_OK;
}
