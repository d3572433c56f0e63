/* Whether a phone is behind a translator: what its Contact says against where its packets come from. Pure but for the
 * lists. */
#include "core/conf/acl.h"
#include "endpoint/sip/profile/profile_i.h"

#include <string.h>

static bool host_is_invalid(struct sv host)
{
	static const char tail[] = ".invalid";
	size_t n = sizeof(tail) - 1;
	return host.n > n && sv_isi((struct sv){host.p + host.n - n, n}, tail);
}

bool profile_is_outside(const struct profile *p, const struct addr *a)
{
	return !*p->conf.local_network_acl || !strcmp(p->conf.local_network_acl, "none") ||
	       !acl_allows(sv_of(p->conf.local_network_acl), a, NULL, NULL);
}

bool nat_is_behind(const struct profile *p, const struct sip_uri *contact, const struct sip_via *via,
    const struct addr *src, enum sip_transport t)
{
	struct addr said, via_said;
	uint16_t port = contact->port ? contact->port : 5060;
	if ((t == SIP_TCP && p->conf.has_tcp_always_nat) || (t == SIP_TLS && p->conf.has_tls_always_nat))
		return true;
	if (host_is_invalid(contact->host))
		return true;
	if (addr_parse(&said, contact->host, port) < 0)
		return false; /* a name: whoever wrote it means it to be resolved */
	if (addr_is_any(&said))
		return true;
	bool is_same_host = addr_eq_host(&said, src);
	/* A connection's source port is never its Contact's. */
	if (is_same_host && (sip_transport_is_reliable(t) || addr_eq(&said, src)))
		return false;
	if (p->conf.is_aggressive_nat) {
		if (addr_parse(&via_said, via->host, via->port ? via->port : 5060) < 0 ||
		    !addr_eq_host(&via_said, src) ||
		    (!sip_transport_is_reliable(t) && addr_port(&via_said) != addr_port(src)))
			return true;
	}
	if (is_same_host)
		return false;
	if (*p->conf.local_network_acl && strcmp(p->conf.local_network_acl, "none") != 0 &&
	    acl_allows(sv_of(p->conf.local_network_acl), src, NULL, NULL))
		return false;
	return (*p->conf.nat_acl && acl_allows(sv_of(p->conf.nat_acl), &said, NULL, NULL)) ||
	       (addr_is_private(&said) && !addr_is_private(src) && !addr_is_loopback(src)) || addr_is_loopback(&said);
}
