/* Tells registered phones to fetch their configuration anew, or to restart: a NOTIFY of check-sync outside of any
 * dialog to each contact (what `sofia profile NAME check_sync` and `flush_inbound_reg ... reboot` do). Answers are not
 * waited for: phones that do not know the event refuse it, and nothing follows from that. */
#include "base/log.h"
#include "base/mem.h"
#include "endpoint/sip/sofia_i.h"

#include <stdio.h>

struct sync {
	struct profile *p;
	struct sv what;
	bool is_reboot;
	size_t count;
};

static void notify(struct profile *p, const struct reg *r, bool is_reboot) ON_CTL;
static void notify(struct profile *p, const struct reg *r, bool is_reboot)
{
	struct sofia_target t;
	struct buf to;
	char headers[96], *route = NULL;
	if (sofia_target_parse(&t, sv_of(r->target)) < 0)
		return;
	buf_init(&to);
	buf_printf(&to, "<sip:%s@%s>", r->user, r->host);
	snprintf(headers, sizeof(headers), "Event: check-sync;reboot=%s\r\nSubscription-State: active\r\n",
	    is_reboot ? "true" : "false");
	struct sip_request_params rp = {.method = "NOTIFY",
	    .uri = t.uri,
	    .from = to.p,
	    .to = to.p,
	    .contact = "",
	    .headers = headers,
	    .dst = {.transport = t.transport}};
	sofia_target_route(&t, &route, &rp.dst);
	rp.route = route;
	int st = sip_request_send(NULL, p->stack, &rp, NULL, NULL);
	if (st)
		log_notice("sofia: %s: no check-sync to %s: %s", p->conf.name, t.uri, status_text(st));
	buf_fini(&to);
	mem_free(route);
	sofia_target_fini(&t);
}

static void sync_one(const struct reg *r, void *arg)
{
	struct sync *s = arg;
	role_assert_ctl();
	if (!reg_is_meant(r, s->what))
		return;
	s->count++;
	notify(s->p, r, s->is_reboot);
}

size_t reg_sync(struct profile *p, struct sv what, bool is_reboot)
{
	struct sync s = {p, what, is_reboot, 0};
	reg_table_each(p->regs, sync_one, &s);
	return s.count;
}
