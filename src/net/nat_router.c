/* UPnP IGD by miniupnpc, NAT-PMP by libnatpmp. A second or two for each question; a worker waits. */
#include "net/nat_router_i.h"
#include "base/clock.h"
#include "loop/work.h"

#include <arpa/inet.h>
#include <miniupnpc/miniupnpc.h>
#include <miniupnpc/upnpcommands.h>
#include <natpmp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { DISCOVER_MS = 2000, PMP_MS = 3000 };

/* ---- UPnP ---- */

static int upnp_find(struct nat_router *r)
{
	struct UPNPUrls urls = {0};
	struct IGDdatas data = {0};
	int error = 0, st = ST_NOTFOUND;
	struct UPNPDev *list = upnpDiscover(DISCOVER_MS, NULL, NULL, 0, 0, 2, &error);
	if (!list)
		return ST_NOTFOUND;
	/* 1: connected; 2: not, or with an address that is no public one: where there is one, it is the router's word */
	int igd = UPNP_GetValidIGD(list, &urls, &data, r->local, sizeof(r->local));
	if ((igd == 1 || igd == 2) &&
	    (size_t)snprintf(r->control_url, sizeof(r->control_url), "%s", urls.controlURL) < sizeof(r->control_url) &&
	    (size_t)snprintf(r->service, sizeof(r->service), "%s", data.first.servicetype) < sizeof(r->service) &&
	    UPNP_GetExternalIPAddress(r->control_url, r->service, r->external) == UPNPCOMMAND_SUCCESS)
		st = ST_OK;
	FreeUPNPUrls(&urls);
	freeUPNPDevlist(list);
	return st;
}

static int upnp_map(const struct nat_router *r, struct nat_mapping *m, unsigned lease_s)
{
	char port[8], lease[16];
	snprintf(port, sizeof(port), "%u", m->port);
	snprintf(lease, sizeof(lease), "%u", lease_s);
	int rc = UPNP_AddPortMapping(
	    r->control_url, r->service, port, port, r->local, "tandem", m->is_tcp ? "TCP" : "UDP", NULL, lease);
	if (rc == 725) /* OnlyPermanentLeasesSupported */
		rc = UPNP_AddPortMapping(
		    r->control_url, r->service, port, port, r->local, "tandem", m->is_tcp ? "TCP" : "UDP", NULL, "0");
	return rc == UPNPCOMMAND_SUCCESS ? ST_OK : ST_DENIED;
}

static int upnp_unmap(const struct nat_router *r, const struct nat_mapping *m)
{
	char port[8];
	snprintf(port, sizeof(port), "%u", m->port);
	int rc = UPNP_DeletePortMapping(r->control_url, r->service, port, m->is_tcp ? "TCP" : "UDP", NULL);
	return rc == UPNPCOMMAND_SUCCESS ? ST_OK : ST_DENIED;
}

/* ---- NAT-PMP ---- */

/* Until the answer, the time's or the program's end. */
static int pmp_wait(natpmp_t *n, natpmpresp_t *resp)
{
	int64_t deadline_us = clock_mono_us() + clock_us_of_ms(PMP_MS);
	int rc;
	while ((rc = readnatpmpresponseorretry(n, resp)) == NATPMP_TRYAGAIN) {
		struct pollfd fds[] = {{.fd = n->s, .events = POLLIN}, {.fd = work_end_fd(), .events = POLLIN}};
		struct timeval tv = {0};
		getnatpmprequesttimeout(n, &tv);
		int ms = (int)(tv.tv_sec * 1000 + tv.tv_usec / 1000) + 1;
		if (clock_mono_us() > deadline_us || (poll(fds, 2, ms < 1 ? 1 : ms > 500 ? 500 : ms) > 0 && fds[1].revents))
			return ST_TIMEOUT;
	}
	return rc ? ST_IO : ST_OK;
}

static int pmp_find(struct nat_router *r)
{
	natpmp_t n;
	natpmpresp_t resp;
	if (initnatpmp(&n, 0, 0))
		return ST_NOTFOUND;
	int st = sendpublicaddressrequest(&n) < 0 ? ST_IO : pmp_wait(&n, &resp);
	if (!st && !inet_ntop(AF_INET, &resp.pnu.publicaddress.addr, r->external, sizeof(r->external)))
		st = ST_IO;
	closenatpmp(&n);
	return st ? ST_NOTFOUND : ST_OK;
}

static int pmp_map(struct nat_mapping *m, unsigned lease_s)
{
	natpmp_t n;
	natpmpresp_t resp;
	if (initnatpmp(&n, 0, 0))
		return ST_NOTFOUND;
	int protocol = m->is_tcp ? NATPMP_PROTOCOL_TCP : NATPMP_PROTOCOL_UDP;
	int st = sendnewportmappingrequest(&n, protocol, m->port, lease_s ? m->external_port : 0, lease_s) < 0
	             ? ST_IO
	             : pmp_wait(&n, &resp);
	if (!st && lease_s)
		m->external_port = resp.pnu.newportmapping.mappedpublicport;
	closenatpmp(&n);
	return st;
}

/* ---- either ---- */

int nat_router_find(struct nat_router *r)
{
	*r = (struct nat_router){.kind = NAT_NONE};
	if (!upnp_find(r)) {
		r->kind = NAT_UPNP;
		return ST_OK;
	}
	if (pmp_find(r))
		return ST_NOTFOUND;
	r->kind = NAT_PMP;
	return ST_OK;
}

int nat_router_map(const struct nat_router *r, struct nat_mapping *m, unsigned lease_s)
{
	return r->kind == NAT_UPNP ? upnp_map(r, m, lease_s) : r->kind == NAT_PMP ? pmp_map(m, lease_s) : ST_NOTFOUND;
}

int nat_router_unmap(const struct nat_router *r, const struct nat_mapping *m)
{
	struct nat_mapping copy = *m;
	return r->kind == NAT_UPNP ? upnp_unmap(r, m) : r->kind == NAT_PMP ? pmp_map(&copy, 0) : ST_NOTFOUND;
}
