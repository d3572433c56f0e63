/* Tells registered phones to fetch their configuration anew, or to restart: a NOTIFY of check-sync outside of any
 * dialog to each contact (what `sofia profile NAME check_sync` and `flush_inbound_reg ... reboot` do). Answers are not
 * waited for: phones that do not know the event refuse it, and nothing follows from that. */
#include "endpoint/sip/reg/reg.h"

#include <stdio.h>

struct sync {
	struct profile *p;
	struct sv what;
	bool is_reboot;
	size_t count;
};

static ON_CTL void notify(struct profile *p, const struct reg *r, bool is_reboot)
{
	struct buf to;
	char headers[96];
	buf_init(&to);
	buf_printf(&to, "<sip:%s@%s>", r->user, r->host);
	snprintf(headers, sizeof(headers), "Event: check-sync;reboot=%s\r\nSubscription-State: active\r\n",
	    is_reboot ? "true" : "false");
	profile_request_send(
	    p, &(struct profile_request){
	           .method = "NOTIFY", .target = r->target, .from = to.p, .to = to.p, .headers = headers});
	buf_fini(&to);
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
	reg_table_each(reg_table_of(p), sync_one, &s);
	return s.count;
}
