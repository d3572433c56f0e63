/* Which codec both sides take. The peer's formats become struct sdp_codec; a policy's lists are walked over them (or
 * the other way round, by mode); telephone-event and CN go beside; address and direction are read from the line. The
 * result is a struct sdp_plan; no text is written here. */
#include "base/check.h"
#include "base/mem.h"
#include "sdp/dtls.h"
#include "sdp/match_i.h"
#include <string.h>
#include <strings.h>

static bool is_plain_rtp(struct sv proto)
{
	return sv_isi(proto, "RTP/AVP") || sv_isi(proto, "RTP/AVPF");
}
static bool is_secure_rtp(struct sv proto)
{
	return sdp_is_secure_rtp(proto) || sdp_is_dtls_proto(proto);
}
/* Whether the line is secured as the policy can do it: by DTLS where it has a fingerprint, else by keys, or not at all.
 * Else plan->why. */
static int secure_choose(
    const struct sdp *s, size_t line, const struct sdp_policy *p, bool is_answer, struct sdp_plan *plan)
{
	struct sv proto = s->media[line].proto;
	struct sdp_dtls theirs;

	plan->is_dtls = plan->is_secure = false;
	plan->why = "only secure audio (SRTP) is offered";
	if (!p->dtls)
		return sdp_is_dtls_proto(proto) ? ST_UNSUPPORTED : sdp_secure_choose(s, line, p, is_answer, plan);
	if (is_secure_rtp(proto) && sdp_dtls_read(s, (int)line, &theirs, &plan->why)) {
		plan->is_dtls = true;
		return ST_OK;
	}
	if (is_plain_rtp(proto))
		plan->why = "the audio line is not secured";
	if (p->dtls->is_only || sdp_is_dtls_proto(proto))
		return ST_UNSUPPORTED;
	return sdp_secure_choose(s, line, p, is_answer, plan);
}
static bool is_named(const struct sdp_format *f, const char *name)
{
	return sv_isi(f->name, name);
}

/* A video codec's parameter sets (sprop-...) are long, and come in the stream as well. */
static void fmtp_without_sprop(struct sv fmtp, char out[SDP_FMTP_MAX])
{
	size_t n = 0;
	while (fmtp.n) {
		struct sv one;
		sv_split(fmtp, ';', &one, &fmtp);
		one = sv_trim(one);
		if (!one.n || sv_startsi(one, SV("sprop-")))
			continue;
		if (n + one.n + 2 > SDP_FMTP_MAX) {
			out[0] = 0;
			return;
		}
		if (n)
			out[n++] = ';';
		memcpy(out + n, one.p, one.n);
		out[n += one.n] = 0;
	}
}

static void codec_of_format(const struct sdp_format *f, struct sdp_codec *c)
{
	const struct sdp_known *k = sdp_known_find(f->name, f->clock_hz);

	memset(c, 0, sizeof(*c));
	sdp_copy(c->name, sizeof(c->name), k ? sv_of(k->name) : f->name);
	c->pt_send = c->pt_recv = f->pt;
	c->clock_hz = f->clock_hz;
	c->rate_hz = k ? k->rate_hz : f->clock_hz;
	c->channels = f->channels;
	if (f->fmtp.n < SDP_FMTP_MAX) /* half an fmtp would be a lie */
		sdp_copy(c->fmtp, sizeof(c->fmtp), f->fmtp);
	else if (k && k->is_video)
		fmtp_without_sprop(f->fmtp, c->fmtp);
}
/* Formats that carry audio of their own: named, with a payload type, and not one of the helpers. */
static bool is_codec(const struct sdp_format *f)
{
	static const char *const helpers[] = {"telephone-event", "CN", "red", "rtx", "ulpfec", "flexfec-03", "tone"};
	if (f->pt < 0 || !f->name.n || f->name.n >= SDP_NAME_MAX)
		return false;
	for (size_t i = 0; i < ARRAY_COUNT(helpers); i++)
		if (is_named(f, helpers[i]))
			return false;
	return true;
}
static void codecs_of_line(const struct sdp *s, const struct sdp_media *m, struct sdp_codecs *out)
{
	out->count = 0;
	for (unsigned i = 0; i < m->format_count && out->count < SDP_CODECS_MAX; i++)
		if (is_codec(&s->formats[m->format_first + i]))
			codec_of_format(&s->formats[m->format_first + i], &out->v[out->count++]);
}

/* ---- ptime ---- */

enum { L16_PACKET_MAX = 2036 /* bytes of payload that a packet of media/rt holds */ };

/* The frame of a codec that has only one: ptime is a multiple of it. */
static unsigned frame_ms(const struct sdp_codec *c)
{
	static const char *const of_20_ms[] = {"GSM", "AMR", "AMR-WB", "speex", "G7221"};
	const struct sdp_known *k = sdp_known_find(sv_of(c->name), c->clock_hz);
	struct sv name = sv_of(c->name), mode;
	if (sv_isi(name, "iLBC"))
		return sdp_fmtp_get(sv_of(c->fmtp), "mode", &mode) && sv_is(mode, "20") ? 20 : 30;
	if (sv_isi(name, "CODEC2"))
		return sdp_fmtp_get(sv_of(c->fmtp), "mode", &mode) && !sv_is(mode, "2400") && !sv_is(mode, "3200") ? 40
		                                                                                                   : 20;
	for (size_t i = 0; i < ARRAY_COUNT(of_20_ms); i++)
		if (sv_isi(name, of_20_ms[i]))
			return 20;
	return k && k->ptime_ms % 20 ? k->ptime_ms : 10;
}
/* Opus packets are of 10 ms or of whole 20 ms (RFC 7587 section 4.2, as an encoder makes them). */
static bool is_ptime_odd(const struct sdp_codec *c, unsigned ms)
{
	return sv_isi(sv_of(c->name), "opus") && ms > 10 && ms % 20 != 0;
}
/* A packet of it would be longer than any that is sent. */
static bool is_l16_long(const struct sdp_codec *c, unsigned ms)
{
	return sv_isi(sv_of(c->name), "L16") &&
	       (uint64_t)c->clock_hz * (c->channels ? c->channels : 1u) * 2 * ms > UINT64_C(1000) * L16_PACKET_MAX;
}
static bool is_ptime_possible(const struct sdp_codec *c, unsigned ms)
{
	unsigned unit = frame_ms(c);
	return !is_l16_long(c, ms) && ms >= unit && ms <= 120 && ms % unit == 0 && !is_ptime_odd(c, ms);
}
uint16_t sdp_ptime_default(const struct sdp_policy *p, const struct sdp_codec *c)
{
	const struct sdp_known *k = sdp_known_find(sv_of(c->name), c->clock_hz);
	unsigned frame = frame_ms(c), ms = p->ptime_ms ? p->ptime_ms : k ? k->ptime_ms : 20;
	if (ms % frame || is_ptime_odd(c, ms))
		ms = frame < 20 && k && k->ptime_ms ? k->ptime_ms : frame;
	while (ms > frame && is_l16_long(c, ms)) /* of two channels, at high rates */
		ms -= frame;
	return (uint16_t)ms;
}
/* ours: what the preference named, 0 = nothing. */
static uint16_t choose_ptime(
    const struct sdp_policy *p, const struct sdp_codec *c, unsigned ours, const struct sdp_media *m)
{
	unsigned ms = ours && is_ptime_possible(c, ours) ? ours : sdp_ptime_default(p, c);
	if (m->ptime_ms && !p->is_ptime_kept && is_ptime_possible(c, m->ptime_ms))
		ms = m->ptime_ms;
	for (unsigned less = m->maxptime_ms; less && less < ms; less--)
		if (is_ptime_possible(c, less))
			return (uint16_t)less;
	return (uint16_t)ms;
}

/* ---- codecs ---- */

/* The dialog's memory of a codec, if it has the flag. */
static const struct sdp_run_codec *remembered(const struct sdp_running *r, const struct sdp_codec *c, unsigned flag)
{
	for (size_t i = 0; i < r->codec_count; i++) {
		const struct sdp_run_codec *k = &r->codecs[i];
		if (k->flags & flag && k->clock_hz == c->clock_hz && k->channels == c->channels &&
		    sv_isi(sv_sub(sv_of(c->name), 0, sizeof(k->name) - 1), k->name))
			return k;
	}
	return NULL;
}
/* A preference without fmtp takes any. */
static bool does_fit(const struct sdp_codec *want, const struct sdp_codec *offered)
{
	struct sdp_codec bare = *offered;
	if (!want->fmtp[0])
		bare.fmtp[0] = 0;
	return sdp_codec_is_same(want, &bare);
}
static bool is_in(const struct sdp_codecs *list, const struct sdp_codec *c)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->v[i].pt_recv == c->pt_recv)
			return true;
	return false;
}
static const struct sdp_codec *wanted(const struct sdp_codecs *list, const struct sdp_codec *offered)
{
	for (size_t i = 0; list && i < list->count; i++)
		if (does_fit(&list->v[i], offered))
			return &list->v[i];
	return NULL;
}
struct matcher {
	const struct sdp_policy *p;
	const struct sdp_media *m;
	struct sdp_codecs offered, *out;
};
static void accept(struct matcher *x, const struct sdp_codec *offered, const struct sdp_codec *want)
{
	struct sdp_codec *c;
	if (is_in(x->out, offered) || x->out->count == SDP_CODECS_MAX)
		return;
	if (x->p->mode == SDP_SCROOGE && want->ptime_ms && x->m->ptime_ms && want->ptime_ms != x->m->ptime_ms)
		return;
	c = &x->out->v[x->out->count++];
	*c = *offered;
	c->bitrate = want->bitrate;
	c->rate_hz = want->rate_hz;
	c->ptime_ms = choose_ptime(x->p, offered, want->ptime_ms, x->m);
}
/* Our order: each wish takes the formats that fit it. */
static void accept_by(struct matcher *x, const struct sdp_codecs *wishes)
{
	for (size_t i = 0; wishes && i < wishes->count; i++)
		for (size_t k = 0; k < x->offered.count; k++)
			if (does_fit(&wishes->v[i], &x->offered.v[k]))
				accept(x, &x->offered.v[k], &wishes->v[i]);
}
/* What runs goes on running while it is offered, in the same form. */
static void accept_running(struct matcher *x, const struct sdp_running *r)
{
	for (size_t k = 0; k < x->offered.count; k++) {
		const struct sdp_codec *want = wanted(x->p->prefs, &x->offered.v[k]);
		struct sdp_codec any = x->offered.v[k];
		const struct sdp_run_codec *runs = remembered(r, &any, SDP_RUN_CHOSEN);
		if (runs && runs->variant == sdp_codec_variant(&any))
			accept(x, &x->offered.v[k], want ? want : &any);
	}
}
static void accept_codecs(struct matcher *x, const struct sdp_running *r)
{
	x->out->count = 0;
	accept_by(x, x->p->first);
	accept_running(x, r);
	if (x->p->mode != SDP_GENEROUS)
		accept_by(x, x->p->prefs);
	else
		for (size_t k = 0; k < x->offered.count; k++) {
			const struct sdp_codec *want = wanted(x->p->prefs, &x->offered.v[k]);
			if (want)
				accept(x, &x->offered.v[k], want);
		}
}
/* telephone-event at the chosen codec's clock, else (phones with opus do so) at 8000 Hz. */
static const struct sdp_format *find_events(const struct sdp *s, const struct sdp_media *m, uint32_t clock_hz)
{
	const struct sdp_format *second = NULL;
	for (unsigned i = 0; i < m->format_count; i++) {
		const struct sdp_format *f = &s->formats[m->format_first + i];
		if (f->pt < 0 || !is_named(f, "telephone-event"))
			continue;
		if (f->clock_hz == clock_hz)
			return f;
		if (f->clock_hz == 8000 && !second)
			second = f;
	}
	return second;
}
static int find_cn(const struct sdp *s, const struct sdp_media *m, uint32_t clock_hz)
{
	for (unsigned i = 0; i < m->format_count; i++) {
		const struct sdp_format *f = &s->formats[m->format_first + i];
		if (f->pt >= 0 && is_named(f, "CN") && f->clock_hz == 8000 && clock_hz == 8000)
			return f->pt;
	}
	return -1;
}

/* ---- address and direction ---- */

static bool is_unspecified(struct sv host)
{
	return sv_is(host, "0.0.0.0") || sv_is(host, "::") || sv_is(host, "0::0");
}
static bool is_host_name(struct sv host)
{
	for (size_t i = 0; i < host.n; i++) {
		char c = host.p[i];
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
		        c == '.'))
			return false;
	}
	return host.n > 0;
}
static int read_line(const struct sdp_media *m, const struct sdp_policy *p, struct sdp_plan *plan)
{
	unsigned dir = m->dir;
	struct sv rtcp = m->rtcp_host.n && sdp_host_kind(m->rtcp_host) ? m->rtcp_host : m->conn.host;

	if (m->conn.host.n >= SDP_HOST_MAX || !(sdp_host_kind(m->conn.host) || is_host_name(m->conn.host))) {
		plan->why = "the audio line has no usable address";
		return ST_UNSUPPORTED;
	}
	plan->is_remote_name = !sdp_host_kind(m->conn.host);
	sdp_copy(plan->remote_host, sizeof(plan->remote_host), m->conn.host);
	plan->remote_port = m->port;
	plan->is_rtcp_mux = m->is_rtcp_mux && p->is_rtcp_mux_allowed;
	sdp_copy(plan->remote_rtcp_host, sizeof(plan->remote_rtcp_host), rtcp);
	plan->remote_rtcp_port = plan->is_rtcp_mux ? m->port
	                         : m->rtcp_port    ? m->rtcp_port
	                         : m->port < 65535 ? m->port + 1
	                                           : 0;
	/* the old way to hold (RFC 2543); with ICE it only means that the candidates are still to come (RFC 8840) */
	if (is_unspecified(m->conn.host) && !(m->has_ice && p->ice))
		dir &= ~(unsigned)SDP_RECVONLY;
	plan->remote_dir = (enum sdp_dir)dir;
	plan->local_dir = (enum sdp_dir)((unsigned)sdp_dir_mirror((enum sdp_dir)dir) & (unsigned)p->dir);
	plan->is_hold = !(dir & SDP_RECVONLY);
	return ST_OK;
}
/* Under our number, unless a codec has it. */
static void assume_events(const struct sdp_policy *p, struct sdp_plan *plan)
{
	int16_t pt = p->dtmf_pt ? p->dtmf_pt : 101;
	for (size_t i = 0; i < plan->codecs.count; i++)
		if (plan->codecs.v[i].pt_recv == pt || plan->codecs.v[i].pt_send == pt)
			return;
	if (p->dtmf_pt < 0)
		return;
	plan->dtmf_send_pt = plan->dtmf_recv_pt = pt;
	plan->dtmf_clock_hz = 8000;
}
static void choose(const struct sdp *s, const struct sdp_media *m, const struct sdp_policy *p, struct sdp_plan *plan)
{
	const struct sdp_format *te = p->dtmf_pt >= 0 ? find_events(s, m, plan->codecs.v[0].clock_hz) : NULL;

	struct sv xr;

	if (!sdp_attr_get(s, (int)(m - s->media), "rtcp-xr", &xr) && !sdp_attr_get(s, -1, "rtcp-xr", &xr))
		xr = SV_NONE;
	plan->is_xr = (p->is_xr_offered || p->is_xr_allowed) && xr.n && memmem(xr.p, xr.n, "voip-metrics", 12);
	plan->send = plan->recv = plan->codecs.v[0];
	plan->dtmf_send_pt = plan->dtmf_recv_pt = te ? te->pt : -1;
	plan->dtmf_clock_hz = te ? te->clock_hz : 0;
	if (!te && p->are_events_assumed)
		assume_events(p, plan);
	plan->cn_pt = (int16_t)(p->cn_pt > 0 ? find_cn(s, m, plan->codecs.v[0].clock_hz) : -1);
}

/* ---- the two questions ---- */

static void note_others(const struct sdp *s, struct sdp_plan *plan)
{
	for (size_t i = 0; i < s->media_count; i++) {
		if (s->media[i].port && sv_isi(s->media[i].kind, "video"))
			plan->has_video = true;
		if (s->media[i].port && sv_isi(s->media[i].kind, "image"))
			plan->has_t38 = true;
	}
}
int sdp_match_offer(const struct sdp *s, const struct sdp_policy *p, const struct sdp_running *r, struct sdp_plan *plan)
{
	const char *why = p->kind ? "no such line" : "no audio line";
	struct matcher x;
	struct sv none;

	x.p = p, x.out = &plan->codecs;

	for (size_t i = 0; i < s->media_count; i++) {
		const struct sdp_media *m = &s->media[i];
		if (!sv_isi(m->kind, sdp_kind(p)))
			continue;
		if (!m->port && !(p->is_bundled && sdp_attr_get(s, (int)i, "bundle-only", &none))) {
			why = "the audio line has port 0";
			continue;
		}
		if (!is_plain_rtp(m->proto) && !is_secure_rtp(m->proto)) {
			why = "the transport of the audio line is neither RTP/AVP nor RTP/SAVP";
			continue;
		}
		if (secure_choose(s, i, p, false, plan)) {
			why = plan->why;
			continue;
		}
		x.m = m;
		codecs_of_line(s, m, &x.offered);
		accept_codecs(&x, r);
		if (!plan->codecs.count) {
			why = "no common codec";
			continue;
		}
		if (read_line(m, p, plan)) {
			why = plan->why;
			continue;
		}
		plan->line = (uint8_t)i;
		choose(s, m, p, plan);
		sdp_beside_read(s, i, p, plan);
		note_others(s, plan);
		plan->why = NULL;
		return ST_OK;
	}
	plan->why = why;
	return ST_UNSUPPORTED;
}

/* What we offered under the answer's number, else (some answer under numbers of their own) by that name. */
static const struct sdp_run_codec *offered_as(const struct sdp_running *r, const struct sdp_codec *c)
{
	const struct sdp_run_codec *any = remembered(r, c, SDP_RUN_USED);
	for (size_t i = 0; any && i < r->codec_count; i++) {
		const struct sdp_run_codec *k = &r->codecs[i];
		if (k->flags & SDP_RUN_USED && k->pt_recv == c->pt_send && !strcasecmp(k->name, any->name) &&
		    k->clock_hz == c->clock_hz && k->channels == c->channels)
			return k;
	}
	return any;
}
static const struct sdp_run_codec *offered_events(const struct sdp_running *r, uint32_t clock_hz)
{
	struct sdp_codec te = {.name = "telephone-event", .clock_hz = clock_hz, .channels = 1};
	return remembered(r, &te, SDP_RUN_USED);
}
static void answered_codecs(const struct sdp *s, const struct sdp_media *m, const struct sdp_policy *p,
    const struct sdp_running *r, struct sdp_codecs *out)
{
	struct sdp_codecs theirs;

	codecs_of_line(s, m, &theirs);
	for (size_t i = 0; i < theirs.count; i++) {
		const struct sdp_run_codec *k = offered_as(r, &theirs.v[i]);
		const struct sdp_codec *want = wanted(p->first, &theirs.v[i]);
		struct sdp_codec *c = &out->v[out->count];
		if (!k || out->count == SDP_CODECS_MAX)
			continue;
		if (!want)
			want = wanted(p->prefs, &theirs.v[i]);
		*c = theirs.v[i];
		c->pt_recv = k->pt_recv;
		if (want) {
			c->rate_hz = want->rate_hz;
			c->bitrate = want->bitrate;
		}
		c->ptime_ms = choose_ptime(p, c, want ? want->ptime_ms : 0, m);
		if (!is_in(out, c))
			out->count++;
	}
}
static void to_front(struct sdp_codecs *list, int pt_recv)
{
	for (size_t i = 1; i < list->count; i++)
		if (list->v[i].pt_recv == pt_recv) {
			struct sdp_codec c = list->v[i];
			memmove(&list->v[1], &list->v[0], i * sizeof(c));
			list->v[0] = c;
			return;
		}
}
/* The two lines with and without keys are one choice: the first that was not refused. Lines answer by position; a peer
 * that dropped lines is taken by kind, and then by transport. */
static size_t answered_line(
    const struct sdp *s, const struct sdp_running *dialog, const struct sdp_running *r, const char *kind, size_t *ours)
{
	size_t line = r->line;

	*ours = line;
	for (size_t i = 0; i < dialog->line_count && i < s->media_count; i++)
		if (sv_isi(sv_of(dialog->lines[i].kind), kind) && (i == r->line || dialog->lines[i].is_open) &&
		    sv_isi(s->media[i].kind, kind) && s->media[i].port) {
			line = *ours = i;
			break;
		}
	if (line >= s->media_count || !sv_isi(s->media[line].kind, kind))
		for (line = 0; line < s->media_count && !sv_isi(s->media[line].kind, kind); line++)
			;
	if (line < s->media_count && s->media_count < dialog->line_count)
		for (size_t i = 0; i < dialog->line_count; i++)
			if (dialog->lines[i].is_open && sv_isi(s->media[line].kind, dialog->lines[i].kind) &&
			    sv_is(s->media[line].proto, dialog->lines[i].proto))
				*ours = i;
	return line;
}
/* Redundancy comes under the numbers that we offered it with. */
static void answered_helpers(const struct sdp_running *r, struct sdp_plan *plan)
{
	struct sdp_codec c = {.name = "red", .clock_hz = plan->send.clock_hz, .channels = 1};
	struct sdp_codec parity = {.name = "ulpfec", .clock_hz = plan->send.clock_hz, .channels = 1};
	const struct sdp_run_codec *k = remembered(r, &c, SDP_RUN_USED), *of = remembered(r, &parity, SDP_RUN_USED);

	plan->red_recv = (int16_t)(k && plan->red_send >= 0 ? k->pt_recv : -1);
	plan->fec_recv = (int16_t)(of && plan->fec_send >= 0 ? of->pt_recv : -1);
	if (plan->red_recv < 0 || (plan->fec_send >= 0 && plan->fec_recv < 0))
		plan->red_send = plan->red_recv = plan->fec_send = plan->fec_recv = -1;
}
int sdp_match_answer(const struct sdp *s, const struct sdp_policy *p, const struct sdp_running *dialog,
    const struct sdp_running *r, struct sdp_plan *plan)
{
	const struct sdp_run_codec *te;
	const struct sdp_media *m;
	size_t line, ours;
	int st;

	plan->why = "nothing was offered";
	if (!dialog->line_count)
		return ST_INVAL;
	plan->why = "no audio line in the answer";
	line = answered_line(s, dialog, r, sdp_kind(p), &ours);
	if (line >= s->media_count)
		return ST_UNSUPPORTED;
	m = &s->media[line];
	plan->why = "the audio line was refused";
	if (!m->port)
		return ST_UNSUPPORTED;
	plan->why = "the answer changes the transport";
	if (is_secure_rtp(m->proto) ? !is_secure_rtp(sv_of(dialog->lines[ours].proto)) : !is_plain_rtp(m->proto))
		return ST_UNSUPPORTED;
	if (is_plain_rtp(m->proto) && is_secure_rtp(sv_of(dialog->lines[ours].proto))) {
		plan->why = "encryption was offered and the answer is plain";
		return ST_UNSUPPORTED;
	}
	if ((st = secure_choose(s, line, p, true, plan)))
		return st;
	plan->why = "the answer has no codec that was offered";
	answered_codecs(s, m, p, r, &plan->codecs);
	if (!plan->codecs.count)
		return ST_UNSUPPORTED;
	if (p->is_turned)
		to_front(&plan->codecs, p->turned_pt);
	if ((st = read_line(m, p, plan)))
		return st;
	plan->line = (uint8_t)ours;
	choose(s, m, p, plan);
	te = plan->dtmf_send_pt >= 0 ? offered_events(r, plan->dtmf_clock_hz) : NULL;
	plan->dtmf_recv_pt = te ? te->pt_recv : -1;
	if (!te)
		plan->dtmf_send_pt = -1;
	plan->is_rtcp_mux = p->is_rtcp_mux_offered && m->is_rtcp_mux;
	plan->remote_rtcp_port = plan->is_rtcp_mux ? m->port
	                         : m->rtcp_port    ? m->rtcp_port
	                         : m->port < 65535 ? m->port + 1
	                                           : 0;
	sdp_beside_read(s, line, p, plan);
	answered_helpers(r, plan);
	note_others(s, plan);
	plan->why = NULL;
	return ST_OK;
}

void sdp_answer_fmtp(const struct sdp_policy *p, const struct sdp_codec *accepted, char out[SDP_FMTP_MAX])
{
	static const char *const decisive[] = {"AMR", "AMR-WB", "iLBC", "G7221", "CODEC2", "H264", "H265", "VP8", "VP9",
	    "AV1", "H263", "H263-1998", "t140"};
	/* a form of a sound codec is agreed on with this phone, whatever else the other leg's says (RFC 4867 section 8)
	 */
	const struct sdp_codec *want = !p->kind && sdp_codec_has_variants(accepted) ? NULL : wanted(p->first, accepted);
	const struct sdp_known *k = sdp_known_find(sv_of(accepted->name), accepted->clock_hz);

	if (!want || !want->fmtp[0])
		want = wanted(p->prefs, accepted);
	if (want && want->fmtp[0]) {
		sdp_copy(out, SDP_FMTP_MAX, sv_of(want->fmtp));
		return;
	}
	for (size_t i = 0; i < ARRAY_COUNT(decisive); i++)
		if (sv_isi(sv_of(accepted->name), decisive[i])) {
			sdp_copy(out, SDP_FMTP_MAX, sv_of(accepted->fmtp));
			return;
		}
	sdp_copy(out, SDP_FMTP_MAX, k ? sv_of(k->fmtp) : SV_NONE);
}

int sdp_offer_line(struct sv offer, const char *kind, struct sdp_offered *out)
{
	struct sdp *s;
	int st = sdp_parse_new(offer, &s);
	if (st)
		return st;
	st = ST_UNSUPPORTED;
	for (size_t i = 0; i < s->media_count && st; i++) {
		const struct sdp_media *m = &s->media[i];
		struct sv none;
		if (!sv_isi(m->kind, kind) || (!m->port && !sdp_attr_get(s, (int)i, "bundle-only", &none)) ||
		    !(is_plain_rtp(m->proto) || is_secure_rtp(m->proto)))
			continue;
		codecs_of_line(s, m, &out->codecs);
		out->fb = 0;
		out->has_red = out->has_fec = false;
		for (size_t k = 0; k < out->codecs.count; k++) {
			const struct sdp_codec *c = &out->codecs.v[k];
			out->fb |= sdp_fb_read(s, (int)i, c->pt_send);
			out->has_red |= sdp_helper_pt(s, m, "red", c->clock_hz) >= 0;
			out->has_fec |= sdp_helper_pt(s, m, "ulpfec", c->clock_hz) >= 0;
		}
		sdp_exts_read(s, (int)i, out->exts);
		out->dir = m->dir;
		st = ST_OK;
	}
	mem_free(s);
	return st;
}

int sdp_offer_codecs(struct sv offer, struct sdp_codecs *out)
{
	struct sdp *s;
	int st = sdp_parse_new(offer, &s);
	if (st)
		return st;
	st = ST_UNSUPPORTED;
	for (size_t i = 0; i < s->media_count && st; i++) {
		const struct sdp_media *m = &s->media[i];
		if (!sv_isi(m->kind, "audio") || !m->port || !(is_plain_rtp(m->proto) || is_secure_rtp(m->proto)))
			continue;
		codecs_of_line(s, m, out);
		for (size_t k = 0; k < out->count; k++)
			out->v[k].ptime_ms = m->ptime_ms;
		st = ST_OK;
	}
	mem_free(s);
	return st;
}
