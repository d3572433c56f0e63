/* SIP messages in the log, in FreeSWITCH's text form, for `sofia profile X siptrace on`. */
#include "base/clock.h"
#include "base/log.h"
#include "endpoint/sip/profile/profile_i.h"

#include <stdio.h>
#include <time.h>

/* Without the carriage returns at the ends of lines, which a log would show as '?'. */
static void put_lines(struct buf *out, struct sv text)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] != '\r' || i + 1 == text.n || text.p[i + 1] != '\n')
			buf_addc(out, text.p[i]);
}

void trace_print(struct sip_stack *s, const struct sip_trace *t, void *arg)
{
	char host[ADDR_TEXT_MAX];
	int64_t now = clock_wall_us();
	time_t seconds = (time_t)(now / 1000000);
	struct tm tm;
	const char *transport = sip_transport_facts(t->transport)->param;
	role_assert_ctl();
	localtime_r(&seconds, &tm);
	addr_host(t->remote, host);
	struct buf text;
	buf_init(&text);
	put_lines(&text, t->data);
	log_uuid(LOG_CONSOLE, NULL,
	    "%s %zu bytes %s %s/[%s]:%u at %02d:%02d:%02d.%06d:\n"
	    "------------------------------------------------------------------------\n%.*s",
	    t->is_outgoing ? "send" : "recv", t->data.n, t->is_outgoing ? "to" : "from", transport, host,
	    addr_port(t->remote), tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(now % 1000000), SVF(buf_sv(&text)));
	buf_fini(&text);
}
