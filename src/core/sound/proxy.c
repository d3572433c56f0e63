/* Proxied media (FreeSWITCH's proxy_media): the two phones of a bridge agree with each other, as in bypass (bypass.c),
 * but are told our address, and packets go through us as they are, whatever they hold. Signalling is bypass's; what is
 * said to a leg goes through bypass_told, what a leg's phone said comes to proxy_heard. */
#include "base/mem.h"
#include "base/status.h"
#include "core/leg/leg.h"
#include "core/sound/media.h"
#include "core/sound/media_i.h"
#include "core/sound/sound_i.h"
#include "core/value/vars.h"
#include <stdio.h>
#include <string.h>

/* Phones that make keys in their packets (ZRTP, RFC 6189) can do so through us only where their packets stay as they
 * are. */
static ON_CTL bool is_zrtp_passed(struct leg *originator)
{
	const struct leg_media *m = sound_of(originator)->media;
	const char *sdp = m->remote_sdp;
	bool is_wanted =
	    vars_get(originator->vars, "zrtp_passthru") ? leg_var_is_true(originator, "zrtp_passthru") : m->passes_zrtp;
	return sdp && is_wanted && strstr(sdp, "a=zrtp-hash:");
}

bool proxy_is_wanted(struct leg *originator)
{
	const struct leg_media *m = sound_of(originator)->media;
	return m->is_proxy_default || leg_var_is_true(originator, "proxy_media") || is_zrtp_passed(originator);
}

bool proxy_is_on(const struct leg *leg)
{
	return sound_of(leg)->media && sound_of(leg)->media->is_proxied;
}

int proxy_start(struct leg *leg, struct leg *near)
{
	struct leg_media *m = sound_of(leg)->media;
	int st = media_stream_open(leg, near);

	if (!st) {
		m->is_proxied = true;
		m->bypass = BYPASS_ON;
		leg_var_set(leg, "advertised_media_ip", m->texts->advertise_host);
	}
	return st;
}

int proxy_put(struct leg *leg, struct sv sdp, struct buf *out)
{
	struct leg_media *m = sound_of(leg)->media;
	return sdp_readdress(sdp, sv_of(m->texts->advertise_host), addr_port(&m->local), out);
}

/* Where media to the phone goes from now on. */
int proxy_heard(struct leg *leg, struct sv sdp)
{
	struct leg_media *m = sound_of(leg)->media;
	struct media_params p = {.is_raw = true, .dtmf_send_pt = -1, .dtmf_recv_pt = -1, .cn_pt = -1};
	struct sdp *s;
	int st = sdp_parse_new(sdp, &s);

	if (st)
		return st;
	for (size_t i = 0; i < s->media_count; i++) {
		const struct sdp_media *a = &s->media[i];
		if (!a->port || !sv_isi(a->kind, "audio"))
			continue;
		if (addr_parse(&p.remote_rtp, a->conn.host.n ? a->conn.host : s->conn.host, a->port) ||
		    addr_is_any(&p.remote_rtp))
			memset(&p.remote_rtp, 0, sizeof(p.remote_rtp));
		if (addr_is_set(&p.remote_rtp)) {
			p.remote_rtcp = p.remote_rtp;
			addr_set_port(&p.remote_rtcp, a->rtcp_port ? a->rtcp_port : (uint16_t)(a->port + 1));
		}
		break;
	}
	mem_free(s);
	snprintf(p.send.name, sizeof(p.send.name), "PROXY");
	p.send.clock_hz = p.send.rate_hz = 8000, p.send.channels = 1, p.send.ptime_ms = 20;
	p.recv = p.send;
	p.may_send = p.may_recv = true;
	media_source_policy(leg, &p);
	return mstream_set_params(m->stream, &p);
}

int proxy_join(struct leg *a, struct leg *b)
{
	return leg_media_stream(a) && leg_media_stream(b) ? mstream_relay(leg_media_stream(a), leg_media_stream(b))
	                                                  : ST_UNSUPPORTED;
}
