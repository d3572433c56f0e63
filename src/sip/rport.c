/* Where answers to a request over UDP go (RFC 3261 18.2.2, RFC 3581): to its source port when the sender asked for that
 * (rport in his Via), else to the port that his Via names, since a phone may listen elsewhere than it sends from. A
 * profile may take rport for granted, for all or for the phones that are known to forget it, or not know it at all. */
#include "sip/sip_i.h"

static bool forgets_rport(const struct sip_msg *m)
{
	return sv_startsi(sip_msg_value(m, SIP_HDR_USER_AGENT), SV("Polycom"));
}

void sip_rport_settle(const struct sip_stack *s, struct sip_source *src, const struct sip_msg *m)
{
	enum sip_rport how = s->cfg.rport;
	if (sip_flow_is_reliable(&src->flow))
		return;
	src->adds_rport = !m->via.has_rport && (how == SIP_RPORT_ALWAYS || (how == SIP_RPORT_SAFE && forgets_rport(m)));
	src->ignores_rport = how == SIP_RPORT_NEVER;
	bool is_by_source = src->adds_rport || (m->via.has_rport && !src->ignores_rport);
	src->flow.answer_port = is_by_source ? 0
	                        : m->via.port ? m->via.port
	                                      : sip_transport_facts(sip_flow_transport(&src->flow))->default_port;
}
