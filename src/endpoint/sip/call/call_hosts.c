/* From which hosts a call's media may come: where its signalling came from and the numeric addresses that the message
 * names (Contact; of a request the Vias, whose received= a proxy in front of a translator fills in). Names are never
 * looked up. What is named is the far side's own word, like its SDP: it can bring its own media only. */
#include "endpoint/sip/call/call_i.h"

struct hosts {
	struct addr v[MEDIA_SIGNAL_HOSTS_MAX];
	size_t count;
};

static void host_add(struct hosts *h, const struct addr *a)
{
	if (!addr_is_set(a) || addr_is_any(a) || h->count == MEDIA_SIGNAL_HOSTS_MAX)
		return;
	for (size_t i = 0; i < h->count; i++)
		if (addr_eq_host(&h->v[i], a))
			return;
	h->v[h->count++] = *a;
}

static void host_add_text(struct hosts *h, struct sv host)
{
	struct addr a;
	if (host.n && addr_parse(&a, host, 0) == ST_OK)
		host_add(h, &a);
}

/* The phone's own is the last; those of proxies on the way count as well. */
static void vias_add(struct hosts *h, const struct sip_msg *m)
{
	struct sip_list_it it;
	struct sip_via via;
	sip_list_start(&it, m, SIP_HDR_VIA);
	while (h->count < MEDIA_SIGNAL_HOSTS_MAX && sip_list_next(&it)) {
		if (sip_via_parse(&via, it.item))
			return;
		host_add_text(h, via.received);
		host_add_text(h, via.host);
	}
}

void call_hosts_tell(struct call *c, const struct addr *peer, const struct sip_msg *m)
{
	struct hosts h = {.count = 0};
	struct sip_nameaddr contact;
	if (!c->leg || !peer)
		return;
	host_add(&h, peer);
	if (sip_msg_contact(m, &contact) == ST_OK && !contact.is_star)
		host_add_text(&h, contact.uri.host);
	if (m->is_request)
		vias_add(&h, m);
	leg_media_signal(c->leg, h.v, h.count);
}

bool call_is_outside(const struct call *c)
{
	struct sip_uri u;
	struct addr a;
	const struct addr *peer = c->sip ? sip_call_remote_addr(c->sip) : &c->dst.addr;
	if (peer && addr_is_set(peer))
		return profile_is_outside(c->p, peer);
	bool is_number = c->uri && !sip_uri_parse(&u, sv_of(c->uri)) && !addr_parse(&a, u.host, 0);
	return !is_number || profile_is_outside(c->p, &a);
}
