/* Questions to the domain name system: the name that a number is, and who is asked. */
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "loop/co.h"
#include "net/dns.h"
#include "routing/routing_i.h"

#include <string.h>

struct asked {
	struct co_wait wait;
	struct dns_answer *answer;
};

static void on_answer(const struct dns_answer *a, void *arg)
{
	struct asked *q = arg;
	role_assert_ctl();
	memcpy(q->answer, a, offsetof(struct dns_answer, text) + a->text_n);
	co_signal(&q->wait, ST_OK);
}

int routing_naptr(struct sv name, const struct dns_servers *at, int64_t timeout_us, struct dns_answer *out)
{
	struct dns_ask *waiting = NULL;
	struct asked q = {.answer = out};
	int st = dns_ask_at(&waiting, at, DNS_NAPTR, name, NULL, timeout_us, out, on_answer, &q);
	if (st == ST_AGAIN && (st = co_wait(&q.wait, -1))) /* the question has its own deadline */
		dns_cancel(waiting);
	return st ? st : out->status;
}

bool routing_servers(const struct xml_node *settings, struct buf *out)
{
	xml_each(settings, "param", x)
	{
		const char *name = xml_attr_or(x, "name", ""), *value = xml_attr_or(x, "value", "");
		if (strcmp(name, "nameserver") != 0 && strcmp(name, "use-server") != 0)
			continue;
		if (!dns_servers_are(sv_of(value)) || out->n + strlen(value) + 1 >= DNS_SERVERS_CHARS)
			log_error(
			    "%s:%u: %s \"%s\" is no address of a name server, or there are too many; it is not asked",
			    x->file ? x->file : "the configuration", x->line, name, value);
		else
			buf_printf(out, "%s%s", out->n ? "," : "", value);
	}
	return out->n > 0 && !out->failed;
}

int routing_enum_name(struct buf *out, const char *number, const char *domain, const char *root)
{
	for (size_t i = strlen(number); i; i--)
		if (number[i - 1] >= '0' && number[i - 1] <= '9')
			buf_printf(out, "%c.", number[i - 1]);
	buf_printf(out, "%s%s%s", domain, *domain ? "." : "", root);
	return out->failed ? ST_NOMEM : out->n > DNS_NAME_MAX ? ST_LIMIT : ST_OK;
}
