/* What is answered and offered of the lines beside the audio's. Two legs have to speak the same codec, so a line is
 * bound to the other leg's: what the caller offers is offered on where the called leg's codec string names it, with the
 * caller's format parameters; what the called one took is what the caller is answered. Feedback and header extensions
 * that one of the two does not speak are not agreed on with the other, except the asking for whole pictures, which can
 * be had of any phone (by signalling, if by nothing else).
 *
 * Parity (RED with ULPFEC) is between a phone and us, whatever the other leg has; but packets of parity end here, and
 * their transport numbers (transport-cc) would be told as lost by the other phone. So where a leg has, or may have,
 * parity, transport-cc is not agreed on with either, and REMB tells the rate. */
#include "base/check.h"
#include "base/mem.h"
#include "core/leg/leg.h"
#include "core/sound/lines_i.h"
#include "core/sound/media.h"
#include "core/sound/sound_core.h"
#include "core/sound/sound_i.h"
#include "core/value/vars.h"
#include "sdp/sdp.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { FB_KEYS = SDP_FB_PLI | SDP_FB_FIR };

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

void media_running_again(struct media_policy *q)
{
	sdp_running_unpack(q->m->running, &q->running);
	for (size_t i = 0; q->parts && i < q->parts->count; i++)
		media_running_again(q->parts->q[i]);
}

void media_running_offered(const struct media_policy *q)
{
	struct leg_media *m = q->m;

	if (!m->standing_running)
		m->standing_running = m->running, m->running = NULL;
	if (sdp_running_pack(&q->running, &m->running) && !m->running)
		m->running = m->standing_running, m->standing_running = NULL;
	for (size_t i = 0; q->parts && i < q->parts->count; i++)
		media_running_offered(q->parts->q[i]);
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

	if (!media_lines_possible(peer) || !peer->is_answered || !m->is_negotiated || m->bypass ||
	    m->is_video_refused || !peer->ops->reinvite || !(list = mem_alloc(sizeof(*list))))
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
	struct leg_media *first = sound_of(leg)->media, *m, *other = near ? media_line_agreed(near, kind) : NULL;
	struct media_policy *x;
	struct sv mid = SV_NONE;
	bool is_bundled, has_fec = is_parity_wanted(leg, kind) && theirs->has_red && theirs->has_fec;
	int st;

	if (near && !other && (!leg->is_answered || !may_be_asked(near, kind, &theirs->codecs)))
		return ST_OK; /* refused: nobody is there to see it */
	is_bundled = q->p.ice && q->p.dtls && sdp_offer_is_bundled(offer, media_kind_name(kind), &mid);
	st = media_line_open(leg, kind, is_bundled, &m);
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
	for (size_t i = 0; i < ARRAY_COUNT(media_line_kinds) && !st; i++) {
		const char *name = media_kind_name(media_line_kinds[i]);
		char text[16];
		int n = snprintf(text, sizeof(text), "m=%s", name);
		if (!media_lines_possible(leg) || !offer.n || !memmem(offer.p, offer.n, text, (size_t)n) ||
		    (media_line_kinds[i] == MEDIA_VIDEO && sound_of(leg)->media->is_video_refused))
			continue;
		if (!theirs && !(theirs = mem_alloc(sizeof(*theirs))))
			return ST_NOMEM;
		if (!sdp_offer_line(offer, name, theirs) && theirs->codecs.count)
			st = answer_one(leg, media_line_kinds[i], near, q, offer, theirs);
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
	struct leg_media *m = with ? media_line_agreed(with, kind) : media_line_agreed(leg, kind),
	                 *first = with ? sound_of(with)->media : NULL;

	if (m) {
		offered_of(m, out);
		return true;
	}
	if (!first || first->is_negotiated || !first->remote_sdp || !media_lines_possible(with) ||
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
	struct leg_media *was = media_line_of(leg, kind);
	/* browsers take all on one transport, some nothing else */
	bool is_bundled = was && was->stream ? was->is_bundled : q->p.ice && q->p.dtls && media_is_webrtc(leg);
	char name[4] = {(char)('0' + kind)};
	int st = media_line_open(leg, kind, is_bundled, &m);

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

	if (!media_lines_possible(leg) ||
	    (!first->next && !is_named_by_variable(leg) &&
	        (!with || !sound_of(with)->media ||
	            !(sound_of(with)->media->next || has_line_in_text(sound_of(with)->media)))))
		return ST_OK;
	bound = mem_alloc(sizeof(*bound));
	named = mem_alloc(sizeof(*named));
	if (!bound || !named)
		st = ST_NOMEM;
	for (size_t i = 0; i < ARRAY_COUNT(media_line_kinds) && !st; i++) {
		bool is_bound = bound_to(leg, with, media_line_kinds[i], bound);
		if (!is_bound && (media_line_kinds[i] != MEDIA_VIDEO || !is_named_by_variable(leg)))
			continue;
		if (media_line_kinds[i] == MEDIA_VIDEO && first->is_video_refused)
			continue;
		st = prefs_fill(leg, media_line_kinds[i],
		    leg->is_outbound ? first->texts->outbound_codecs : first->texts->inbound_codecs, named);
		if (!st && named->count)
			st = offer_one(leg, media_line_kinds[i], q, is_bound ? bound : NULL, named);
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
