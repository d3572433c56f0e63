/* The m= lines of a leg beside its audio: video and text, which are passed to the leg it is bridged with and never
 * decoded. A line is a struct leg_media of its own, with a stream, keys and addresses; it is made when there is
 * something to answer or to offer, and gone when the far side refuses it, so that a call without video has none.
 *
 * Two legs have to speak the same codec, so a line is bound to the other leg's: what the caller offers is offered on
 * where the called leg's codec string names it, with the caller's format parameters; what the called one took is what
 * the caller is answered. Feedback and header extensions that one of the two does not speak are not agreed on with the
 * other, except the asking for whole pictures, which can be had of any phone (by signalling, if by nothing else).
 *
 * Parity (RED with ULPFEC) is between a phone and us, whatever the other leg has; but packets of parity end here, and
 * their transport numbers (transport-cc) would be told as lost by the other phone. So where a leg has, or may have,
 * parity, transport-cc is not agreed on with either, and REMB tells the rate. */
#include "base/check.h"
#include "base/mem.h"
#include "core/leg/leg.h"
#include "core/leg/leg_core.h"
#include "core/registry/endpoint.h"
#include "core/run/exec.h"
#include "core/sound/media.h"
#include "core/sound/media_i.h"
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

enum { FB_KEYS = SDP_FB_PLI | SDP_FB_FIR, VIDEO_RTCP_MS = 1000 };

struct media_line {
	bool is_agreed, is_offered;
	struct sdp_codec codec; /* of sending, with the far side's format parameters */
	uint8_t fb, exts[SDP_EXT_COUNT];
	bool has_red, has_fec;
	/* as it was offered */
	uint8_t offered_fb, offered_exts[SDP_EXT_COUNT];
	bool was_red_offered, was_fec_offered;
};
struct media_parts {
	size_t count;
	struct sdp_part parts[SDP_PARTS_MAX];
	struct media_policy *q[SDP_PARTS_MAX];
	struct leg_media *m[SDP_PARTS_MAX];
};
static const uint8_t kinds[] = {MEDIA_VIDEO, MEDIA_TEXT};
_Static_assert(sizeof(kinds) <= SDP_PARTS_MAX, "a part for each");

const char *media_kind_name(unsigned kind)
{
	return kind == MEDIA_VIDEO ? "video" : kind == MEDIA_TEXT ? "text" : "audio";
}

/* ---- life ---- */

static ON_CTL struct leg_media *line_of(const struct leg *leg, unsigned kind)
{
	struct leg_media *m = leg ? sound_of(leg)->media : NULL;
	while (m && (m->kind != kind || m->is_closing))
		m = m->next;
	return m;
}
static ON_CTL struct leg_media *agreed_of(const struct leg *leg, unsigned kind)
{
	struct leg_media *m = line_of(leg, kind);
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
}

static void on_report(struct mstream *s, const struct media_report *r, void *arg)
{
	role_assert_ctl();
	media_line_reported(arg, r);
}

/* The leg's line of that kind with its stream, made where there is none. */
static ON_CTL int line_open(struct leg *leg, unsigned kind, bool is_bundled, struct leg_media **out)
{
	struct leg_media *first = sound_of(leg)->media, *m = line_of(leg, kind);
	int st;

	if (m && m->stream && m->is_bundled && !is_bundled) { /* it has to have a transport of its own now */
		line_close(m);
		m = NULL;
	}
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

/* ---- what is wanted ---- */

void media_policy_free(struct media_policy *q)
{
	for (size_t i = 0; q && q->parts && i < q->parts->count; i++) {
		mem_free(q->parts->q[i]);
		mem_free(q->parts->parts[i].plan);
	}
	if (q)
		mem_free(q->parts);
	mem_free(q);
}

void media_running_keep(const struct media_policy *q)
{
	(void)sdp_running_pack(&q->running, &q->m->running);
	for (size_t i = 0; q->parts && i < q->parts->count; i++)
		media_running_keep(q->parts->q[i]);
}

static ON_CTL bool is_possible(const struct leg *leg)
{
	const struct leg_media *m = sound_of(leg)->media;
	return m && !m->is_wired;
}

/* What the leg's codec string names. */
static ON_CTL int prefs_fill(struct leg *leg, unsigned kind, const char *of_profile, struct sdp_codecs *out)
{
	out->count = 0;
	if (kind == MEDIA_VIDEO)
		return sdp_codecs_parse_video(sv_of(media_wanted_codecs(leg, of_profile)), out);
	out->count = 1; /* text needs no name: it is passed or not */
	sdp_codec_init(&out->v[0], SV("t140"));
	out->v[0].ptime_ms = 0;
	return ST_OK;
}

/* What a policy for the line has in any case; m's stream is open. Part of q from here on. */
static ON_CTL int part_add(struct leg_media *m, struct media_policy *q, struct media_policy **out)
{
	struct leg *leg = m->leg;
	struct media_policy *x = mem_alloc(sizeof(*x));
	struct sdp_plan *plan = mem_zalloc(sizeof(*plan));
	struct media_parts *all = q->parts;
	const char *max = m->kind == MEDIA_VIDEO ? vars_get(leg->vars, "rtp_video_max_bandwidth_in") : NULL;
	uint32_t kbit;

	if (!all)
		all = q->parts = mem_zalloc(sizeof(*all));
	if (!x || !plan || !all) {
		mem_free(x);
		mem_free(plan);
		return ST_NOMEM;
	}
	x->p = (struct sdp_policy){.kind = media_kind_name(m->kind),
	    .mode = SDP_GENEROUS,
	    .prefs = &x->prefs,
	    .host = q->p.host,
	    .port = addr_port(&m->local),
	    .dtmf_pt = -1,
	    .cn_pt = -1,
	    .dir = q->p.dir,
	    .user = q->p.user,
	    .session_id = q->p.session_id,
	    .is_bundled = m->is_bundled,
	    .is_rtcp_mux_allowed = true};
	x->prefs.count = x->first.count = 0;
	x->parts = NULL;
	if (max && *max && !sv_u32(sv_of(max), &kbit))
		x->p.bandwidth_as_kbit = kbit;
	x->m = m;
	sdp_running_unpack(m->running, &x->running);
	all->q[all->count] = x, all->m[all->count] = m;
	all->parts[all->count++] = (struct sdp_part){.p = &x->p, .r = &x->running, .plan = plan};
	q->p.parts = all->parts, q->p.part_count = all->count;
	*out = x;
	return ST_OK;
}

static bool has_name(const struct sdp_codecs *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (!strcasecmp(list->v[i].name, name))
			return true;
	return false;
}

/* Of the other leg's line: its codecs that ours name too, the first form of each (numbers are kept by name), and what
 * of its feedback and extensions we take. */
static void bind_to(struct media_policy *x, const struct sdp_offered *theirs)
{
	struct sdp_codecs named = x->prefs; /* 5 kB */

	x->prefs.count = 0;
	for (size_t i = 0; i < theirs->codecs.count && x->prefs.count < SDP_CODECS_MAX; i++)
		if (has_name(&named, theirs->codecs.v[i].name) && !has_name(&x->prefs, theirs->codecs.v[i].name))
			x->prefs.v[x->prefs.count++] = theirs->codecs.v[i];
	x->p.fb = theirs->fb;
	memcpy(x->p.exts, theirs->exts, sizeof(x->p.exts));
	x->p.has_red = theirs->has_red;
}

static ON_CTL bool is_parity_wanted(struct leg *leg, unsigned kind)
{
	return kind == MEDIA_VIDEO && leg_var_is_true(leg, "rtp_video_red");
}

static void video_only(struct media_policy *x, unsigned kind, bool has_fec)
{
	x->p.fb = kind == MEDIA_VIDEO ? x->p.fb | FB_KEYS : 0;
	x->p.exts[SDP_EXT_MID] = 0;
	if (kind != MEDIA_VIDEO)
		memset(x->p.exts, 0, sizeof(x->p.exts));
	if (kind == MEDIA_VIDEO)
		x->p.has_red = x->p.has_fec = has_fec; /* without parity in it RED is of no use */
	if (!(x->p.fb & SDP_FB_TCC))
		x->p.exts[SDP_EXT_TCC] = 0;
}

static void offered_of(const struct leg_media *m, struct sdp_offered *out)
{
	const struct media_line *l = m->line;
	out->codecs.count = 1;
	out->codecs.v[0] = l->codec;
	out->fb = l->fb, out->has_red = l->has_red, out->has_fec = l->has_fec;
	memcpy(out->exts, l->exts, sizeof(out->exts));
}

/* What the line says of its transport is what the audio's says. */
static ON_CTL int ride(struct leg_media *m, struct media_policy *x, struct sv mid)
{
	media_dtls_ride(m, x);
	return media_ice_ride(m, x, mid);
}

/* More than one m= line: most calls have one, and are not looked through for others. */
static bool has_more_lines(struct sv sdp)
{
	unsigned count = 0;
	const char *p = sdp.p, *end = sdp.p + sdp.n;

	while (p && end - p > 2 && (p = memchr(p, '\n', (size_t)(end - p) - 2)) != NULL) {
		if (p[1] == 'm' && p[2] == '=' && ++count > 1)
			return true;
		p++;
	}
	return false;
}

/* ---- answers ---- */

/* Another of the leg's peer could still be asked for such a line. */
static ON_CTL bool may_be_asked(struct leg *peer, unsigned kind, const struct sdp_codecs *theirs)
{
	struct leg_media *m = sound_of(peer)->media;
	struct sdp_codecs *list;
	bool is_found = false;

	if (!is_possible(peer) || !peer->is_answered || !m->is_negotiated || m->bypass || m->is_video_refused ||
	    !peer->ops->reinvite || !(list = mem_alloc(sizeof(*list))))
		return false;
	if (!prefs_fill(peer, kind, peer->is_outbound ? m->texts->outbound_codecs : m->texts->inbound_codecs, list))
		for (size_t k = 0; k < theirs->count; k++)
			is_found |= has_name(list, theirs->v[k].name);
	mem_free(list);
	return is_found;
}

static ON_CTL int answer_one(struct leg *leg, unsigned kind, struct leg *near, struct media_policy *q, struct sv offer,
    struct sdp_offered *theirs)
{
	struct leg_media *first = sound_of(leg)->media, *m, *other = near ? agreed_of(near, kind) : NULL;
	struct media_policy *x;
	struct sv mid = SV_NONE;
	bool is_bundled, has_fec = is_parity_wanted(leg, kind) && theirs->has_red && theirs->has_fec;
	int st;

	if (near && !other && (!leg->is_answered || !may_be_asked(near, kind, &theirs->codecs)))
		return ST_OK; /* refused: nobody is there to see it */
	is_bundled = q->p.ice && q->p.dtls && sdp_offer_is_bundled(offer, media_kind_name(kind), &mid);
	st = line_open(leg, kind, is_bundled, &m);
	if (!st)
		st = part_add(m, q, &x);
	if (!st)
		st = prefs_fill(leg, kind,
		    leg->is_outbound ? first->texts->outbound_codecs : first->texts->inbound_codecs, &x->prefs);
	if (st)
		return st;
	memset(x->p.exts, 1, sizeof(x->p.exts));
	x->p.fb = near ? 0 : SDP_FB_NACK;
	x->p.has_red = !near;
	if (other) {
		offered_of(other, theirs);
		bind_to(x, theirs);
	} else if (!near) {
		x->p.exts[SDP_EXT_TCC] = x->p.exts[SDP_EXT_ABS_TIME] = 0;
	}
	if (has_fec)
		x->p.fb &= (uint8_t)~SDP_FB_TCC;
	video_only(x, kind, has_fec);
	return m->is_bundled ? ride(m, x, mid) : media_answer_ways(m, x, offer);
}

int media_lines_answer(struct leg *leg, struct leg *near, struct media_policy *q, struct sv offer)
{
	struct sdp_offered *theirs = NULL;
	int st = ST_OK;

	if (!has_more_lines(offer))
		return ST_OK;
	for (size_t i = 0; i < ARRAY_COUNT(kinds) && !st; i++) {
		const char *name = media_kind_name(kinds[i]);
		char text[16];
		int n = snprintf(text, sizeof(text), "m=%s", name);
		if (!is_possible(leg) || !offer.n || !memmem(offer.p, offer.n, text, (size_t)n) ||
		    (kinds[i] == MEDIA_VIDEO && sound_of(leg)->media->is_video_refused))
			continue;
		if (!theirs && !(theirs = mem_alloc(sizeof(*theirs))))
			return ST_NOMEM;
		if (!sdp_offer_line(offer, name, theirs) && theirs->codecs.count)
			st = answer_one(leg, kinds[i], near, q, offer, theirs);
		if (st == ST_FULL || st == ST_UNSUPPORTED) /* no port, no keys: no line */
			st = ST_OK;
	}
	mem_free(theirs);
	return st;
}

/* ---- offers ---- */

/* Most calls have none, and are not parsed for it. */
static bool is_in_text(struct sv sdp, unsigned kind)
{
	return sdp.n && memmem(sdp.p, sdp.n, kind == MEDIA_VIDEO ? "m=video" : "m=text", kind == MEDIA_VIDEO ? 7 : 6);
}
static bool has_line_in_text(const struct leg_media *m)
{
	return m->remote_sdp && has_more_lines(sv_of(m->remote_sdp)) &&
	       (is_in_text(sv_of(m->remote_sdp), MEDIA_VIDEO) || is_in_text(sv_of(m->remote_sdp), MEDIA_TEXT));
}

/* The line that the leg's is bound to: the other leg's, agreed on or offered; its own where there is none. */
static ON_CTL bool bound_to(struct leg *leg, struct leg *with, unsigned kind, struct sdp_offered *out)
{
	struct leg_media *m = with ? agreed_of(with, kind) : agreed_of(leg, kind),
	                 *first = with ? sound_of(with)->media : NULL;

	if (m) {
		offered_of(m, out);
		return true;
	}
	if (!first || first->is_negotiated || !first->remote_sdp || !is_possible(with) ||
	    (kind == MEDIA_VIDEO && first->is_video_refused))
		return false;
	if (!is_in_text(sv_of(first->remote_sdp), kind) ||
	    sdp_offer_line(sv_of(first->remote_sdp), media_kind_name(kind), out) || !out->codecs.count)
		return false;
	out->has_fec = out->has_fec && out->has_red && is_parity_wanted(with, kind);
	return true;
}

static ON_CTL bool is_named_by_variable(struct leg *leg)
{
	return vars_get(leg->vars, "absolute_codec_string") || vars_get(leg->vars, "codec_string");
}

static ON_CTL int offer_one(
    struct leg *leg, unsigned kind, struct media_policy *q, const struct sdp_offered *bound, struct sdp_codecs *named)
{
	struct media_policy *x;
	struct leg_media *m;
	struct leg_media *was = line_of(leg, kind);
	/* browsers take all on one transport, some nothing else */
	bool is_bundled = was && was->stream ? was->is_bundled : q->p.ice && q->p.dtls && media_is_webrtc(leg);
	char name[4] = {(char)('0' + kind)};
	int st = line_open(leg, kind, is_bundled, &m);

	if (!st)
		st = part_add(m, q, &x);
	if (st)
		return st;
	x->prefs = *named;
	if (bound)
		bind_to(x, bound);
	if (is_parity_wanted(leg, kind) || (bound && bound->has_fec))
		x->p.fb &= (uint8_t)~SDP_FB_TCC;
	video_only(x, kind, is_parity_wanted(leg, kind));
	m->line->offered_fb = x->p.fb;
	m->line->was_red_offered = x->p.has_red, m->line->was_fec_offered = x->p.has_fec;
	memcpy(m->line->offered_exts, x->p.exts, sizeof(x->p.exts));
	m->line->is_offered = x->prefs.count > 0;
	if (!x->prefs.count)
		return ST_OK;
	return m->is_bundled ? ride(m, x, m->ice ? SV_NONE : sv_of(name)) : media_offer_ways(m, x);
}

int media_lines_offer(struct leg *leg, struct leg *originator, struct media_policy *q)
{
	struct leg *with = originator && originator != leg ? originator : leg->peer;
	struct leg_media *first = sound_of(leg)->media;
	struct sdp_codecs *named = NULL;
	struct sdp_offered *bound = NULL;
	int st = ST_OK;

	if (!is_possible(leg) || (!first->next && !is_named_by_variable(leg) &&
	                             (!with || !sound_of(with)->media ||
	                                 !(sound_of(with)->media->next || has_line_in_text(sound_of(with)->media)))))
		return ST_OK;
	bound = mem_alloc(sizeof(*bound));
	named = mem_alloc(sizeof(*named));
	if (!bound || !named)
		st = ST_NOMEM;
	for (size_t i = 0; i < ARRAY_COUNT(kinds) && !st; i++) {
		bool is_bound = bound_to(leg, with, kinds[i], bound);
		if (!is_bound && (kinds[i] != MEDIA_VIDEO || !is_named_by_variable(leg)))
			continue;
		if (kinds[i] == MEDIA_VIDEO && first->is_video_refused)
			continue;
		st = prefs_fill(leg, kinds[i],
		    leg->is_outbound ? first->texts->outbound_codecs : first->texts->inbound_codecs, named);
		if (!st && named->count)
			st = offer_one(leg, kinds[i], q, is_bound ? bound : NULL, named);
		if (st == ST_FULL || st == ST_UNSUPPORTED)
			st = ST_OK;
	}
	mem_free(bound);
	mem_free(named);
	return st;
}

int media_lines_answered(struct leg *leg, struct media_policy *q)
{
	int st = ST_OK;

	for (struct leg_media *m = sound_of(leg)->media->next; m && !st; m = m->next) {
		struct media_policy *x;
		if (m->is_closing || !m->line->is_offered)
			continue;
		st = part_add(m, q, &x);
		if (st)
			break;
		x->p.fb = m->line->offered_fb;
		x->p.has_red = m->line->was_red_offered, x->p.has_fec = m->line->was_fec_offered;
		memcpy(x->p.exts, m->line->offered_exts, sizeof(x->p.exts));
		st = m->is_bundled ? ride(m, x, SV_NONE) : media_answered_ways(m, x);
	}
	return st;
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
	media_codec_of(&plan->send, true, &p.send);
	media_codec_of(&plan->recv, false, &p.recv);
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
		st = media_ice_apply(m, sdp, plan->line);
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

	if (!peer || !is_possible(peer) || !leg->is_answered || !peer->is_answered || !peer->ops->reinvite ||
	    leg_media_is_bypassed(peer) || !leg_media_is_ready(peer))
		return;
	for (size_t i = 0; i < ARRAY_COUNT(kinds); i++)
		is_other |= !agreed_of(leg, kinds[i]) != !agreed_of(peer, kinds[i]);
	if (!is_other)
		return;
	buf_init(&sdp);
	st = media_own_offer(peer, leg, &sdp);
	if (!st)
		st = peer->ops->reinvite(peer, buf_sv(&sdp));
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
		leg_log(leg, LOG_INFO, "no %s", media_kind_name(m->kind));
		if (m->kind == MEDIA_VIDEO)
			leg_var_set(leg, "video_media_flow", NULL);
		line_close(m);
	}
	if (leg->peer && leg_media_is_ready(leg->peer) && leg->is_answered)
		media_lines_join(leg, leg->peer);
	if (!is_answer)
		follow(leg);
}

/* ---- together ---- */

static ON_CTL void join_one(struct leg *a, struct leg *b, unsigned kind)
{
	struct leg_media *x = agreed_of(a, kind), *y = agreed_of(b, kind);

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
	for (size_t i = 0; i < ARRAY_COUNT(kinds); i++)
		join_one(a, b, kinds[i]);
}

void media_lines_idle(struct leg *leg)
{
	for (struct leg_media *m = sound_of(leg)->media ? sound_of(leg)->media->next : NULL; m; m = m->next)
		if (m->stream && !m->is_closing)
			mstream_idle(m->stream);
}

void leg_lines_echo(struct leg *leg)
{
	for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
		struct leg_media *m = agreed_of(leg, kinds[i]);
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
	return agreed_of(leg, MEDIA_VIDEO) != NULL;
}

int leg_video_refresh(struct leg *leg)
{
	struct leg_media *m = agreed_of(leg, MEDIA_VIDEO);
	return m ? mstream_key_frame(m->stream) : ST_NOTFOUND;
}

int leg_video_asked(struct leg *leg)
{
	return leg->peer ? leg_video_refresh(leg->peer) : ST_NOTFOUND;
}
