/* Watchers that are reached over the connection they came on only (behind an address translator, or in a browser): its
 * end is theirs. Found by the connection's far end, so that nobody looks at all watchers when thousands of phones go.
 * Phones that listen somewhere are told there by the next NOTIFY. */
#include "endpoint/sip/presence/watch_i.h"

static void key_put(struct buf *out, enum sip_transport t, const struct addr *peer)
{
	char text[ADDR_TEXT_MAX];
	buf_printf(out, "%s %s", sip_transport_facts(t)->param, addr_text(peer, text));
}

void flow_leave(struct watcher *w)
{
	struct list *flow = w->flow;
	struct watch_profile *wp = watch_profile_of(w->p);
	if (!flow)
		return;
	list_remove(&w->flow_link);
	w->flow = NULL;
	if (!list_empty(flow))
		return;
	hash_del(wp->flows, sv_of(w->flow_key));
	mem_free(w->flow_key);
	w->flow_key = NULL;
}

void flow_enter(struct watcher *w, struct sip_stx *tx)
{
	struct watch_profile *wp = watch_profile_of(w->p);
	enum sip_transport t = sip_stx_transport(tx);
	struct sip_sub_saved s;
	struct buf key;
	flow_leave(w);
	mem_free(w->flow_key);
	w->flow_key = NULL;
	sip_sub_save(w->sub, &s);
	if (!sip_transport_is_reliable(t) || (!s.uses_source_address && t != SIP_WS && t != SIP_WSS))
		return;
	buf_init(&key);
	key_put(&key, t, sip_stx_peer(tx));
	w->flow_key = key.failed ? (buf_fini(&key), NULL) : buf_take(&key);
	struct list *flow = w->flow_key ? hash_get(wp->flows, sv_of(w->flow_key)) : NULL;
	if (!flow && w->flow_key && (flow = mem_zalloc(sizeof(*flow)))) {
		list_init(flow);
		if (hash_set(wp->flows, sv_of(w->flow_key), flow) < 0) {
			mem_free(flow);
			flow = NULL;
		}
	}
	if (!flow)
		return;
	w->flow = flow;
	list_push(flow, &w->flow_link);
}

void watch_conn_closed(struct sip_stack *s, enum sip_transport t, const struct addr *peer, void *profile)
{
	struct watch_profile *wp = watch_profile_of(profile);
	struct buf key;
	struct list *flow;
	role_assert_ctl();
	buf_init(&key);
	key_put(&key, t, peer);
	while (wp->flows && !key.failed && (flow = hash_get(wp->flows, buf_sv(&key))))
		watcher_gone(list_entry(list_first(flow), struct watcher, flow_link));
	buf_fini(&key);
}
