/* What a profile lets in before anybody looks at it: banned addresses, scanners by their User-Agent, methods and
 * headers by lists; and what it tells of overload. Whom the ban list holds is guard's affair. */
#include "base/log.h"
#include "core/event/event.h"
#include "endpoint/sip/profile/profile_i.h"
#include "guard/guard.h"
#include "text/re.h"

/* What "scanners" in drop-user-agents means: programs whose only use is to look for open doors. */
static const char scanners[] =
    "friendly-scanner*,friendly-request*,sipvicious*,sip-scan*,sipscan*,sundayddr*,sipcli*,"
    "VaxSIPUserAgent*,VaxIPUserAgent*,iWar*,pplsip*,siparmyknife*,smap *,eyeBeam-scan*,Nmap*";

bool border_is_barred(struct sip_stack *s, const struct addr *src, void *arg)
{
	role_assert_ctl();
	return guard_is_barred(src);
}

static bool is_listed(const char *list, struct sv text)
{
	struct sv rest = sv_of(list), one;
	while (text.n && rest.n) {
		sv_split(rest, ',', &one, &rest);
		one = sv_trim(one);
		if (sv_isi(one, "scanners") ? sip_patterns_fit(scanners, text) : one.n && sip_pattern_fits(one, text))
			return true;
	}
	return false;
}

bool border_is_unwanted(struct sip_stack *s, const struct addr *src, const struct sip_msg *m, void *arg)
{
	const struct profile *p = arg;
	const char *list = p->conf.drop_user_agents;
	char host[ADDR_TEXT_MAX];
	role_assert_ctl();
	if (!*list || (!is_listed(list, sip_msg_value(m, SIP_HDR_USER_AGENT)) && !is_listed(list, m->from.display)))
		return false;
	log_debug("sofia: %s: %.*s of \"%.*s\" from %s is dropped", p->conf.name, SVF(m->method_text),
	    SVF(sip_msg_value(m, SIP_HDR_USER_AGENT)), addr_host(src, host));
	return true;
}

void border_on_overload(struct sip_stack *s, bool is_on, void *arg)
{
	const struct profile *p = arg;
	struct event *e;
	role_assert_ctl();
	if (!event_is_wanted(EVENT_CUSTOM, "tandem::overload") || !(e = event_new(EVENT_CUSTOM, "tandem::overload")))
		return;
	event_add(e, "Action", is_on ? "begin" : "end");
	event_add(e, "profile-name", p->conf.name);
	event_addf(e, "Delay-Milliseconds", "%lld", (long long)sip_shed_waited_us() / 1000);
	event_fire(e);
}

void border_filters_set(struct profile *p)
{
	const struct profile_conf *c = &p->conf;
	const struct sip_filter_lists in = {c->allow_methods_in, c->deny_methods_in, c->allow_headers_in,
	                                  c->deny_headers_in},
	                              out = {c->allow_methods_out, c->deny_methods_out, c->allow_headers_out,
	                                  c->deny_headers_out};
	sip_stack_set_filters(p->stack, &in, &out);
}

bool border_agent_may_register(const char *filter, const struct sip_msg *m)
{
	return !filter || !*filter || re_match_once(sv_of(filter), sip_msg_value(m, SIP_HDR_USER_AGENT), NULL) == 1;
}
