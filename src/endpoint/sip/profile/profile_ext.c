/* The addresses that a profile tells the outside (ext-sip-ip, ext-rtp-ip) where they must be asked for:
 * "stun:host[:port]" what a STUN server sees, "host:name" what a name says, "auto-nat" the router's own. They are asked
 * on a worker when the profile starts and every ext-address-refresh seconds; until the first answer the local address
 * stands for them, and when nobody answers what was last known. A change is told: log, event, the stack's Contacts from
 * then on, gateways (hooks.on_address). Calls that stand keep what they told. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/event/event.h"
#include "endpoint/sip/profile/profile_i.h"
#include "loop/work.h"
#include "net/nat_map.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { ASK_MS = 5000, AGAIN_S = 15 };

struct ext_job {
	struct profile *p; /* a reference */
	char *what[2];     /* of ext-sip-ip, ext-rtp-ip; NULL: nothing to ask */
	char address[2][64];
	int status[2];
};

bool profile_ext_is_asked(const char *text)
{
	return !strncasecmp(text, "stun:", 5) || !strncasecmp(text, "host:", 5) || !strcasecmp(text, "auto-nat");
}

static void job_free(struct ext_job *j)
{
	mem_free(j->what[0]), mem_free(j->what[1]);
	mem_unref(j->p);
	mem_free(j);
}

static void job_run(void *arg)
{
	struct ext_job *j = arg;
	role_assert_work();
	for (int i = 0; i < 2; i++)
		j->status[i] = !j->what[i] ? ST_NOTFOUND
		               : i && j->what[0] && !strcmp(j->what[0], j->what[1])
		                   ? (memcpy(j->address[1], j->address[0], sizeof(j->address[0])), j->status[0])
		                   : config_public_address(sv_of(j->what[i]), ASK_MS, j->address[i]);
}

/* One of them has another value: true. */
static ON_CTL bool take(struct profile *p, char **slot, const char *name, const char *address)
{
	struct addr a;
	char host[ADDR_TEXT_MAX];
	struct event *e;
	if (addr_parse(&a, sv_of(address), 0) || !strcmp(*slot, addr_host(&a, host)))
		return false;
	char *copy = mem_strdup(host);
	if (!copy)
		return false;
	log_notice("sofia: profile %s: %s is now %s, was %s", p->conf.name, name, host, *slot);
	if (event_is_wanted(EVENT_TRAP, NULL) && (e = event_new(EVENT_TRAP, NULL))) {
		event_add(e, "condition", "network-external-address-change");
		event_add(e, "network-external-address-previous", *slot);
		event_add(e, "network-external-address-change", host);
		event_add(e, "profile-name", p->conf.name);
		event_fire(e);
	}
	mem_free(*slot);
	*slot = copy;
	return true;
}

static ON_CTL void taken(struct profile *p, bool is_sip)
{
	if (!is_sip)
		return;
	sip_stack_set_external(
	    p->stack, strcmp(p->ext_sip_ip, p->sip_ip) ? p->ext_sip_ip : NULL, (uint16_t)p->conf.ext_sip_port);
	profile_urls_make(p);
	profile_address_tell(p);
}

static ON_CTL void again_in(struct profile *p, unsigned s);

static void job_done(int status, void *arg)
{
	struct ext_job *j = arg;
	struct profile *p = j->p;
	bool has_failed = false;
	role_assert_ctl();
	p->is_asking_ext = false;
	if (!status && p->stack) {
		for (int i = 0; i < 2; i++) {
			if (!j->what[i])
				continue;
			has_failed |= j->status[i] != ST_OK;
			if (j->status[i])
				log_warning("sofia: profile %s: %s \"%s\": %s; %s stays", p->conf.name,
				    i ? "ext-rtp-ip" : "ext-sip-ip", j->what[i], status_text(j->status[i]),
				    i ? p->ext_rtp_ip : p->ext_sip_ip);
			else if (i)
				take(p, &p->ext_rtp_ip, "ext-rtp-ip", j->address[i]);
			else
				taken(p, take(p, &p->ext_sip_ip, "ext-sip-ip", j->address[i]));
		}
		again_in(p, has_failed && p->conf.ext_refresh_s > AGAIN_S ? AGAIN_S : p->conf.ext_refresh_s);
	}
	job_free(j);
}

/* What the router said is known without asking. */
static ON_CTL bool take_router(struct profile *p)
{
	const char *router = nat_map_external();
	bool is_sip = !strcasecmp(p->conf.ext_sip_ip, "auto-nat"), is_rtp = !strcasecmp(p->conf.ext_rtp_ip, "auto-nat");
	uint16_t port = addr_port(&p->sip_addr);
	if (router && is_sip && !p->is_mapped)
		p->is_mapped =
		    !nat_map_add(port, false, true, NULL, NULL) && !nat_map_add(port, true, true, NULL, NULL);
	if (router && is_rtp)
		take(p, &p->ext_rtp_ip, "ext-rtp-ip", router);
	if (router && is_sip)
		taken(p, take(p, &p->ext_sip_ip, "ext-sip-ip", router));
	return is_sip || is_rtp;
}

static ON_CTL char *asked_dup(const char *text)
{
	return profile_ext_is_asked(text) && strcasecmp(text, "auto-nat") ? mem_strdup(text) : NULL;
}

static void ask(void *arg)
{
	struct profile *p = arg;
	role_assert_ctl();
	struct ext_job *j = mem_zalloc(sizeof(*j));
	bool has_router = take_router(p);
	if (!j)
		return;
	j->p = mem_ref(p);
	j->what[0] = asked_dup(p->conf.ext_sip_ip), j->what[1] = asked_dup(p->conf.ext_rtp_ip);
	bool is_wanted = (j->what[0] || j->what[1]) && !p->is_asking_ext;
	if (is_wanted && !work_submit(WORK_NET, "sofia ext", job_run, job_done, j)) {
		p->is_asking_ext = true;
		return;
	}
	job_free(j);
	if (is_wanted || has_router)
		again_in(p, p->conf.ext_refresh_s && p->conf.ext_refresh_s < AGAIN_S ? p->conf.ext_refresh_s : AGAIN_S);
}

static ON_CTL void again_in(struct profile *p, unsigned s)
{
	if (s)
		loop_timer_set(&p->ext_timer, clock_us_of_s(s < 86400 ? s : 86400), "sofia ext", ask, p);
}

void profile_ext_start(struct profile *p)
{
	if (profile_ext_is_asked(p->conf.ext_sip_ip) || profile_ext_is_asked(p->conf.ext_rtp_ip))
		ask(p);
}

void profile_ext_stop(struct profile *p)
{
	loop_timer_cancel(&p->ext_timer);
	if (!p->is_mapped)
		return;
	p->is_mapped = false; /* what listens on that port later is not to be reached from outside */
	nat_map_del(addr_port(&p->sip_addr), false, NULL, NULL);
	nat_map_del(addr_port(&p->sip_addr), true, NULL, NULL);
}
