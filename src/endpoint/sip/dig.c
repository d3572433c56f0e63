/* `sofia_dig [xml] [@...] URI`: the places that requests to a URI would be tried at, in FreeSWITCH's table or as XML. It
 * asks as the first profile would (sip_locate), so its settings and its list of dead places count. Bounded. */
#include "endpoint/sip/module_i.h"
#include "base/mem.h"
#include "loop/co.h"

#include <stdio.h>

enum { PLACES_MAX = 64 };

struct dig {
	struct co_wait wait;
	struct sip_place place;
	int status;
};

static void on_place(int status, const struct sip_place *place, void *arg)
{
	struct dig *d = arg;
	role_assert_ctl();
	d->status = status;
	if (!status)
		d->place = *place;
	co_signal(&d->wait, ST_OK);
}

static void place_put(struct buf *out, const struct sip_place *p, enum sip_transport t, unsigned preference, bool is_xml)
{
	char host[ADDR_TEXT_MAX], weight[24];
	const char *name = sip_transport_facts(t)->param;
	addr_host(&p->dst.addr, host);
	snprintf(weight, sizeof(weight), "%u.%03u", p->weight_milli / 1000, p->weight_milli % 1000);
	if (is_xml)
		buf_printf(out,
		    " <route>\n  <preference>%u</preference>\n  <weight>%s</weight>\n  <transport>%s</transport>\n"
		    "  <port>%u</port>\n  <address>%s</address>\n </route>\n",
		    preference, weight, name, addr_port(&p->dst.addr), host);
	else
		buf_printf(
		    out, "%10u\t%10s\t%10s\t%10u\t%10s\n", preference, weight, name, addr_port(&p->dst.addr), host);
}

/* The place; and where nobody named a transport and nothing in the records does, TCP after UDP. */
static ON_CTL void places_put(struct buf *out, const struct profile *p, const struct sip_place *place, bool is_xml)
{
	place_put(out, place, place->dst.transport, place->preference, is_xml);
	if (place->is_any_transport && p->has_tcp && place->dst.transport == SIP_UDP)
		place_put(out, place, SIP_TCP, place->preference + 1, is_xml);
}

/* Its first place, or the next. */
static CO int place_wait(struct dig *d, int st)
{
	if (st != ST_AGAIN)
		return st;
	st = co_wait_or_stop(&d->wait, -1);
	return st ? st : d->status;
}

static CO int dig(struct profile *p, const char *uri, bool is_xml, struct buf *out)
{
	struct dig d = {0};
	struct sip_locate *l;
	struct sip_stack *s = p->stack;
	size_t count = 0;
	int st = place_wait(&d, sip_locate(&l, s, uri, NULL, &d.place, on_place, &d));
	int first = st;
	while (!st && p->stack == s) {
		places_put(out, p, &d.place, is_xml);
		if (!l || ++count == PLACES_MAX)
			break;
		st = place_wait(&d, sip_locate_next(l, &d.place));
	}
	sip_locate_free(l);
	return first;
}

int dig_cmd(struct api_call *c)
{
	struct sv rest = sv_trim(sv_of(c->args)), word, uri = SV_NONE;
	struct profile *p = profile_first();
	bool is_xml = false, is_option = false, has_server = false;
	struct buf text;
	role_assert_co();
	for (; rest.n; rest = sv_trim(rest)) {
		sv_split(rest, ' ', &word, &rest);
		if (is_option)
			is_option = false; /* the value of -p and the like */
		else if (sv_is(word, "xml"))
			is_xml = true;
		else if (word.n > 1 && *word.p == '-')
			is_option = word.n == 2;
		else if (*word.p == '@')
			has_server = true;
		else
			uri = word;
	}
	if (!uri.n)
		return buf_adds(c->out, "usage: sofia_dig [OPTIONS] [@dnsserver] uri\n");
	if (has_server)
		return buf_adds(c->out, "-ERR the servers of resolv.conf are asked; no other can be named here\n");
	if (!p)
		return buf_adds(c->out, "-ERR no profile is running\n");
	mem_ref(p);
	buf_init(&text);
	bool has_scheme = sv_startsi(uri, SV("sip:")) || sv_startsi(uri, SV("sips:"));
	buf_printf(&text, "%s%.*s", has_scheme ? "" : "sip:", SVF(uri));
	buf_adds(c->out, is_xml ? "<routes>\n"
	                        : "Preference\t    Weight\t Transport\t      Port\t   Address\n"
	                          "================================================================================\n");
	int st = text.failed ? ST_NOMEM : dig(p, text.p, is_xml, c->out);
	if (is_xml)
		buf_adds(c->out, "</routes>\n");
	else if (st)
		buf_printf(c->out, "-ERR %.*s: %s\n", SVF(uri), status_text(st));
	buf_fini(&text);
	mem_unref(p);
	return ST_OK;
}
