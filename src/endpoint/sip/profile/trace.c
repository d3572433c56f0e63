/* A profile's SIP messages on their way to whoever looks: the log, in FreeSWITCH's text form, for `sofia profile X
 * siptrace on` and the filters of `sofia trace`; and what is kept or sent to a capture server (trace/). Here a
 * listener's "any" address becomes the one that the profile has, so that everybody sees real addresses. */
#include "trace/trace.h"
#include "base/clock.h"
#include "endpoint/sip/profile/profile_i.h"

#include <stdio.h>
#include <time.h>

static enum log_level level = LOG_CONSOLE;

void profiles_trace_level_set(enum log_level l)
{
	level = l;
}

/* Without the carriage returns at the ends of lines, which a log would show as '?'. */
static void put_lines(struct buf *out, struct sv text)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] != '\r' || i + 1 == text.n || text.p[i + 1] != '\n')
			buf_addc(out, text.p[i]);
}

static ON_CTL void print(const struct trace_msg *t)
{
	char host[ADDR_TEXT_MAX];
	time_t seconds = (time_t)(t->wall_us / 1000000);
	struct tm tm;
	const char *transport = sip_transport_facts(t->transport)->param;
	localtime_r(&seconds, &tm);
	addr_host(&t->remote, host);
	struct buf text;
	buf_init(&text);
	put_lines(&text, t->data);
	log_uuid(level, NULL,
	    "%s %zu bytes %s %s/[%s]:%u at %02d:%02d:%02d.%06d:\n"
	    "------------------------------------------------------------------------\n%.*s",
	    t->is_outgoing ? "send" : "recv", t->data.n, t->is_outgoing ? "to" : "from", transport, host,
	    addr_port(&t->remote), tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(t->wall_us % 1000000), SVF(buf_sv(&text)));
	buf_fini(&text);
}

/* A connection that is not open yet has no address of its own either. */
static ON_CTL void local_set(const struct profile *p, const struct addr *local, struct addr *out)
{
	*out = *local;
	if (addr_is_set(local) && !addr_is_any(local))
		return;
	uint16_t port = addr_is_set(local) ? addr_port(local) : addr_port(&p->sip_addr);
	if (addr_parse(out, sv_of(p->sip_ip), port) < 0)
		*out = p->sip_addr;
}

void trace_in(struct sip_stack *s, const struct sip_trace *t, void *arg)
{
	const struct profile *p = arg;
	struct trace_msg m = {.is_outgoing = t->is_outgoing,
	    .is_captured = profile_is_captured(p),
	    .transport = t->transport,
	    .remote = *t->remote,
	    .data = t->data,
	    .wall_us = clock_wall_us()};
	role_assert_ctl();
	local_set(p, t->local, &m.local);
	if (profile_is_traced(p) || trace_filters_match(&m))
		print(&m);
	trace_message(&m);
}
