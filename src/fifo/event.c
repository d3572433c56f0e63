/* What a queue tells: CUSTOM fifo::info in FreeSWITCH's words, and its lamp (queue+, park+ and fifo+NAME@domain). */
#include "core/event/event.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "fifo/fifo_i.h"
#include "presence/presence.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct event *fifo_event(const struct fifo *f, struct leg *leg, const char *action)
{
	struct event *e;
	if (!event_is_wanted(EVENT_CUSTOM, "fifo::info") || !(e = event_new(EVENT_CUSTOM, "fifo::info")))
		return NULL;
	if (leg)
		leg_event_headers(leg, e);
	event_add(e, "FIFO-Name", f->name);
	event_add(e, "FIFO-Action", action);
	return e;
}

void fifo_tell(const struct fifo *f, struct leg *leg, const char *action)
{
	struct event *e = fifo_event(f, leg, action);
	if (e)
		event_fire(e);
}

static ON_CTL void add_time(struct event *e, const char *who, const char *what, int64_t us)
{
	static const struct {
		const char *unit;
		int64_t divisor;
	} units[] = {{"us", 1}, {"ms", 1000}, {"s", 1000000}};
	char name[64];
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		snprintf(name, sizeof(name), "FIFO-%s-%s-Time-%s", who, what, units[i].unit);
		event_addf(e, name, "%" PRId64, us / units[i].divisor);
	}
}

void fifo_tell_talk(struct event *e, const char *who, const struct fifo_talk *t, bool has_start)
{
	if (has_start)
		add_time(e, who, "Bridge", t->start_us);
	add_time(e, who, "Talk", t->talk_us);
	add_time(e, who, "Hold", t->hold_us);
}

void fifo_lamp(const struct fifo *f)
{
	unsigned n = f->caller_count + f->added_count;
	const char *global = globals_get("domain");
	struct sv name, domain;
	char status[48];
	if (!sv_split(sv_of(f->name), '@', &name, &domain) || !domain.n)
		domain = sv_of(global && *global ? global : "localhost");
	char *user = sv_dup(name), *host = sv_dup(domain), *login = NULL;
	struct buf b;
	buf_init(&b);
	if (user && host && !buf_printf(&b, "%s@%s", user, host))
		login = b.p;
	snprintf(status, sizeof(status), "Active (%u waiting)", n);
	struct presence_lamp lamp = {.kind = "queue",
	    .name = user,
	    .host = host,
	    .login = login,
	    .status = n ? status : "Idle",
	    .rpid = "unknown",
	    .is_on = n > 0};
	if (login) {
		presence_lamp(&lamp);
		lamp.is_quiet = true;
		lamp.kind = "park";
		presence_lamp(&lamp);
		lamp.kind = "fifo";
		presence_lamp(&lamp);
	}
	buf_fini(&b);
	mem_free(user);
	mem_free(host);
}
