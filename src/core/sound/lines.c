/* The m= lines of a leg beside its audio: video and text, which are passed to the leg it is bridged with and never
 * decoded. A line is a struct leg_media of its own, with a stream, keys and addresses; it is made when there is
 * something to answer or to offer, and gone when the far side refuses it, so that a call without video has none. What
 * is answered and offered of them: lines_wanted.c. */
#include "base/check.h"
#include "base/mem.h"
#include "core/leg/leg.h"
#include "core/leg/leg_core.h"
#include "core/registry/endpoint.h"
#include "core/run/exec.h"
#include "core/sound/lines_i.h"
#include "core/sound/media.h"
#include "core/sound/sound_core.h"
#include "core/sound/sound_i.h"
#include "core/value/vars.h"
#include "sdp/sdp.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

_Static_assert((int)SDP_FB_NACK == (int)MEDIA_FB_NACK && (int)SDP_FB_PLI == (int)MEDIA_FB_PLI &&
                   (int)SDP_FB_FIR == (int)MEDIA_FB_FIR && (int)SDP_FB_TMMBR == (int)MEDIA_FB_TMMBR &&
                   (int)SDP_FB_REMB == (int)MEDIA_FB_REMB && (int)SDP_FB_TCC == (int)MEDIA_FB_TCC,
    "the same bits");
_Static_assert((int)SDP_EXT_COUNT == (int)MEDIA_EXT_COUNT && (int)SDP_EXT_TCC == (int)MEDIA_EXT_TCC &&
                   (int)SDP_EXT_TOFFSET == (int)MEDIA_EXT_TOFFSET,
    "the same extensions");

enum { VIDEO_RTCP_MS = 1000 };

const char *media_kind_name(unsigned kind)
{
	return kind == MEDIA_VIDEO ? "video" : kind == MEDIA_TEXT ? "text" : "audio";
}

/* ---- life ---- */

bool media_lines_possible(const struct leg *leg)
{
	const struct leg_media *m = sound_of(leg)->media;
	return m && !m->is_wired;
}

struct leg_media *media_line_of(const struct leg *leg, unsigned kind)
{
	struct leg_media *m = leg ? sound_of(leg)->media : NULL;
	while (m && (m->kind != kind || m->is_closing))
		m = m->next;
	return m;
}
struct leg_media *media_line_agreed(const struct leg *leg, unsigned kind)
{
	struct leg_media *m = media_line_of(leg, kind);
	return m && m->line && m->line->is_agreed && m->stream ? m : NULL;
}

static void unlink_line(struct leg_media *m)
{
	struct leg_media **at = &m->first->next;
	while (*at && *at != m)
		at = &(*at)->next;
	if (*at)
		*at = m->next;
	m->next = NULL;
}

static ON_CTL void line_close(struct leg_media *m)
{
	if (m->is_closing)
		return;
	m->line->is_agreed = m->line->is_offered = false;
	if (!m->stream) {
		unlink_line(m);
		media_destroy(m);
		return;
	}
	media_dtls_fini(m);
	media_ice_fini(m);
	m->is_closing = true;
	mstream_close(m->stream);
}

static ON_CTL void stats_tell(struct leg *leg, const struct media_stats *s, bool has_fec)
{
	const struct {
		const char *name;
		uint64_t n;
	} counts[] = {{"rtp_video_in_raw_bytes", s->in_bytes}, {"rtp_video_in_media_bytes", s->in_bytes},
	    {"rtp_video_in_packet_count", s->in_packets}, {"rtp_video_in_media_packet_count", s->in_media_packets},
	    {"rtp_video_in_skip_packet_count", s->in_skip_packets}, {"rtp_video_in_flaw_total", s->in_lost_packets},
	    {"rtp_video_out_raw_bytes", s->out_bytes}, {"rtp_video_out_media_bytes", s->out_bytes},
	    {"rtp_video_out_packet_count", s->out_packets}, {"rtp_video_rtcp_packet_count", s->rtcp_packets},
	    {"rtp_video_rtcp_octet_count", s->rtcp_octets}};
	for (size_t i = 0; i < ARRAY_COUNT(counts); i++)
		leg_var_set_int(leg, counts[i].name, (int64_t)counts[i].n);
	if (!has_fec)
		return;
	leg_var_set_int(leg, "rtp_video_in_recovered_packet_count", (int64_t)s->in_recovered_packets);
	leg_var_set_int(leg, "rtp_video_in_fec_packet_count", (int64_t)s->in_fec_packets);
	leg_var_set_int(leg, "rtp_video_out_fec_packet_count", (int64_t)s->out_fec_packets);
}

static ON_CTL void ask_by_signalling(struct leg *leg)
{
	static const char body[] =
	    "<?xml version=\"1.0\" encoding=\"utf-8\" ?>\r\n<media_control>\r\n <vc_primitive>\r\n"
	    "  <to_encoder>\r\n   <picture_fast_update>\r\n   </picture_fast_update>\r\n"
	    "  </to_encoder>\r\n </vc_primitive>\r\n</media_control>\r\n";
	if (leg_is_up(leg) && leg->is_answered && leg->ops->send_info)
		(void)leg->ops->send_info(leg, "application/media_control+xml", SV(body));
}

void media_line_reported(struct leg_media *m, const struct media_report *r)
{
	struct leg *leg = m->leg;

	if (r->kind == MEDIA_R_CLOSED) {
		mem_unref(m->stream);
		m->stream = NULL;
		if (leg && m->kind == MEDIA_VIDEO)
			stats_tell(leg, &r->stats, m->line->has_fec);
		if (leg)
			unlink_line(m);
		media_destroy(m);
		if (leg)
			leg_end_go(leg);
		return;
	}
	if (!leg || m->is_closing)
		return;
	if (r->kind == MEDIA_R_KEY_FRAME)
		ask_by_signalling(leg);
	if (r->kind == MEDIA_R_PLUG && r->bits & MEDIA_PLUG_FINDER)
		media_ice_report(m);
	if (r->kind == MEDIA_R_PLUG && r->bits & MEDIA_PLUG_CRYPT)
		media_dtls_heard(m);
	if (r->kind == MEDIA_R_TIMEOUT) { /* last: it may be gone then */
		leg_log(leg, LOG_NOTICE, "no %s from %s: hanging up", media_kind_name(m->kind), leg->name);
		leg_hangup(leg, CAUSE_MEDIA_TIMEOUT);
	}
}

static void on_report(struct mstream *s, const struct media_report *r, void *arg)
{
	role_assert_ctl();
	media_line_reported(arg, r);
}

/* The leg's line of that kind with its stream, made where there is none. */
int media_line_open(struct leg *leg, unsigned kind, bool is_bundled, struct leg_media **out)
{
	struct leg_media *first = sound_of(leg)->media, *m = media_line_of(leg, kind);
	int st;

	if (m && m->stream && m->is_bundled && !is_bundled)
		m = NULL; /* another one, on a transport of its own; this one ends when that is agreed on */
	if (!m) {
		m = mem_zalloc(sizeof(*m));
		if (m && !(m->line = mem_zalloc(sizeof(*m->line))))
			mem_free(m), m = NULL;
		if (!m)
			return ST_NOMEM;
		m->leg = leg, m->first = first, m->kind = (uint8_t)kind;
		m->next = first->next;
		first->next = m;
	}
	*out = m;
	if (m->stream)
		return ST_OK;
	m->is_bundled = is_bundled;
	if (is_bundled) {
		m->local = first->local;
		return mstream_open_riding(&m->stream, first->stream, on_report, m);
	}
	st = addr_parse(&m->local, sv_of(first->texts->rtp_host), 0);
	return st ? st : mstream_open(&m->stream, &m->local, first->stream, on_report, m);
}

void media_lines_close(struct leg *leg)
{
	struct leg_media *m = sound_of(leg)->media->next, *next;
	for (; m; m = next) {
		next = m->next;
		line_close(m);
	}
}

void media_lines_fini(struct leg_media *first)
{
	struct leg_media *m;
	while ((m = first->next)) { /* what is left waits for its last report, and needs nobody */
		first->next = m->next;
		m->next = NULL;
		m->leg = NULL;
	}
}

bool media_lines_are_closing(const struct leg_media *first)
{
	for (const struct leg_media *m = first->next; m; m = m->next)
		if (m->is_closing)
			return true;
	return false;
}

/* ---- what came of it ---- */

void media_line_vars_remote(struct leg_media *m, const struct addr *remote)
{
	char host[ADDR_TEXT_MAX];
	if (m->kind != MEDIA_VIDEO)
		return;
	leg_var_set(m->leg, "remote_video_ip", addr_host(remote, host));
	leg_var_set_int(m->leg, "remote_video_port", addr_port(remote));
}

static ON_CTL void vars_tell(struct leg_media *m, const struct sdp_plan *plan, const struct media_params *p)
{
	struct leg *leg = m->leg;
	char host[ADDR_TEXT_MAX];

	if (m->kind != MEDIA_VIDEO)
		return;
	leg_var_set(leg, "video_possible", "true");
	leg_var_set(leg, "video_media_flow", sdp_dir_name(plan->local_dir));
	leg_var_set(leg, "remote_video_media_flow", sdp_dir_name(plan->remote_dir));
	leg_var_set(leg, "local_video_ip", addr_host(&m->local, host));
	leg_var_set_int(leg, "local_video_port", addr_port(&m->local));
	if (addr_is_set(&p->remote_rtp))
		media_line_vars_remote(m, &p->remote_rtp);
	leg_var_set(leg, "rtp_use_video_codec_name", plan->send.name);
	leg_var_set(leg, "rtp_use_video_codec_fmtp", plan->send.fmtp[0] ? plan->send.fmtp : NULL);
	leg_var_set_int(leg, "rtp_use_video_codec_rate", plan->send.clock_hz);
	leg_var_setf(leg, "rtp_last_video_codec_string", "%s@%uh", plan->send.name, plan->send.clock_hz);
	leg_var_set_int(leg, "rtp_video_pt", plan->send.pt_send);
	leg_var_set_int(leg, "rtp_video_recv_pt", plan->recv.pt_recv);
	leg_var_set(leg, "video_read_codec", plan->recv.name);
	leg_var_set_int(leg, "video_read_rate", plan->recv.clock_hz);
	leg_var_set(leg, "video_write_codec", plan->send.name);
	leg_var_set_int(leg, "video_write_rate", plan->send.clock_hz);
}

static ON_CTL unsigned interval_ms(struct leg_media *m)
{
	const char *v = m->kind == MEDIA_VIDEO ? vars_get(m->leg->vars, "rtcp_video_interval_msec") : NULL;
	uint32_t ms;
	if (v && *v && !sv_u32(sv_of(v), &ms) && ms >= 100 && ms <= 60000)
		return ms;
	return m->kind == MEDIA_VIDEO ? VIDEO_RTCP_MS : 0;
}

static ON_CTL int line_apply(struct leg_media *m, const struct sdp_plan *plan)
{
	struct media_params p = {.kind = m->kind,
	    .dtmf_send_pt = -1,
	    .dtmf_recv_pt = -1,
	    .cn_pt = -1,
	    .fb = plan->fb,
	    .is_rsize = plan->is_rsize,
	    .is_rtcp_mux = plan->is_rtcp_mux,
	    .rtcp_interval_ms = interval_ms(m),
	    .may_send = plan->local_dir & SDP_SENDONLY,
	    .may_recv = plan->local_dir & SDP_RECVONLY};
	int st;

	media_remote_of(plan, &p);
	media_codec_of(m, &plan->send, true, &p.send);
	media_codec_of(m, &plan->recv, false, &p.recv);
	if (plan->red_send > 0 && plan->red_recv > 0)
		p.red_send = (uint8_t)plan->red_send, p.red_recv = (uint8_t)plan->red_recv;
	if (p.red_send && plan->fec_send > 0 && plan->fec_recv > 0)
		p.fec_send = (uint8_t)plan->fec_send, p.fec_recv = (uint8_t)plan->fec_recv;
	memcpy(p.exts, plan->exts, sizeof(p.exts));
	media_source_policy(m->leg, &p);
	st = m->is_bundled ? ST_OK : media_secure_apply(m, plan);
	if (!st)
		st = mstream_set_params(m->stream, &p);
	if (st)
		return st;
	m->is_negotiated = true;
	m->is_on_hold = !p.may_recv;
	m->line->is_agreed = true;
	m->line->codec = plan->send;
	m->line->fb = plan->fb, m->line->has_red = p.red_send, m->line->has_fec = p.fec_send;
	memcpy(m->line->exts, plan->exts, sizeof(plan->exts));
	vars_tell(m, plan, &p);
	return ST_OK;
}

static ON_CTL int line_agree(struct leg_media *m, struct sv sdp, const struct sdp_plan *plan, bool is_answer)
{
	int st = m->is_bundled ? ST_OK : media_dtls_apply(m, sdp, plan, is_answer);
	if (!st)
		st = line_apply(m, plan);
	if (m->is_bundled)
		return st;
	if (!st)
		st = media_ice_apply(m, sdp, plan->line, is_answer);
	if (!st)
		media_dtls_go(m);
	return st;
}

/* The other leg of a bridge gets what this one's phone added, and loses what it took away. */
static ON_CTL void follow(struct leg *leg)
{
	struct leg *peer = leg->peer;
	struct buf sdp;
	bool is_other = false;
	int st;

	if (!peer || !media_lines_possible(peer) || !leg->is_answered || !peer->is_answered || !peer->ops->reinvite ||
	    leg_media_is_bypassed(peer) || !leg_media_is_ready(peer))
		return;
	for (size_t i = 0; i < ARRAY_COUNT(media_line_kinds); i++)
		is_other |=
		    !media_line_agreed(leg, media_line_kinds[i]) != !media_line_agreed(peer, media_line_kinds[i]);
	if (!is_other)
		return;
	buf_init(&sdp);
	st = media_own_offer(peer, leg, &sdp);
	if (!st) {
		st = peer->ops->reinvite(peer, buf_sv(&sdp));
		if (st)
			leg_media_offer_unsent(peer);
	}
	buf_fini(&sdp);
	if (st)
		leg_log(peer, LOG_NOTICE, "video or text of the other leg changed, and it cannot be asked now: %s",
		    status_text(st));
}

static bool is_in_parts(const struct media_parts *all, const struct leg_media *m)
{
	for (size_t i = 0; all && i < all->count; i++)
		if (all->m[i] == m && all->parts[i].is_taken)
			return true;
	return false;
}

void media_lines_agree(struct leg *leg, struct media_policy *q, struct sv sdp, bool is_answer)
{
	struct media_parts *all = q->parts;
	struct leg_media *m, *next;

	for (size_t i = 0; all && i < all->count; i++)
		if (all->parts[i].is_taken && line_agree(all->m[i], sdp, all->parts[i].plan, is_answer))
			all->parts[i].is_taken = false;
	for (m = sound_of(leg)->media->next; m; m = next) {
		next = m->next;
		if (is_in_parts(all, m))
			continue;
		bool is_replaced = media_line_of(leg, m->kind) != m;
		if (!m->is_closing && !is_replaced)
			leg_log(leg, LOG_INFO, "no %s", media_kind_name(m->kind));
		if (m->kind == MEDIA_VIDEO && !is_replaced)
			leg_var_set(leg, "video_media_flow", NULL);
		line_close(m);
	}
	if (leg->peer && leg_media_is_ready(leg->peer) && leg->is_answered)
		media_lines_join(leg, leg->peer);
	if (!is_answer)
		follow(leg);
}

void media_lines_refused(struct leg_media *first)
{
	struct leg_media *m, *next;

	media_ice_bundle_back(first);
	for (m = first->next; m; m = next) {
		next = m->next;
		if (!m->line->is_agreed && !(first->is_offer_open && m->line->is_offered))
			line_close(m);
	}
}

/* ---- together ---- */

static ON_CTL void join_one(struct leg *a, struct leg *b, unsigned kind)
{
	struct leg_media *x = media_line_agreed(a, kind), *y = media_line_agreed(b, kind);

	if (x && y && !strcasecmp(x->line->codec.name, y->line->codec.name) && !mstream_relay(x->stream, y->stream))
		return;
	if (x && y)
		leg_log(a, LOG_NOTICE, "%s: %s and %s cannot be joined", media_kind_name(kind), x->line->codec.name,
		    y->line->codec.name);
	if (x)
		mstream_idle(x->stream);
	if (y)
		mstream_idle(y->stream);
}

void media_lines_join(struct leg *a, struct leg *b)
{
	if (!sound_of(a)->media->next && !sound_of(b)->media->next)
		return;
	for (size_t i = 0; i < ARRAY_COUNT(media_line_kinds); i++)
		join_one(a, b, media_line_kinds[i]);
}

void media_lines_idle(struct leg *leg)
{
	for (struct leg_media *m = sound_of(leg)->media ? sound_of(leg)->media->next : NULL; m; m = m->next)
		if (m->stream && !m->is_closing)
			mstream_idle(m->stream);
}

void leg_lines_echo(struct leg *leg)
{
	for (size_t i = 0; i < ARRAY_COUNT(media_line_kinds); i++) {
		struct leg_media *m = media_line_agreed(leg, media_line_kinds[i]);
		if (m)
			mstream_echo(m->stream, 0);
	}
}

/* ---- video ---- */

void leg_video_refuse(struct leg *leg)
{
	if (sound_of(leg)->media)
		sound_of(leg)->media->is_video_refused = true;
}

bool leg_has_video(struct leg *leg)
{
	return media_line_agreed(leg, MEDIA_VIDEO) != NULL;
}

int leg_video_refresh(struct leg *leg)
{
	struct leg_media *m = media_line_agreed(leg, MEDIA_VIDEO);
	return m ? mstream_key_frame(m->stream) : ST_NOTFOUND;
}

int leg_video_asked(struct leg *leg)
{
	return leg->peer ? leg_video_refresh(leg->peer) : ST_NOTFOUND;
}
