/* Offers and answers written, and the memory of a dialog between them: struct sdp_running keeps every payload number
 * ever agreed, the m= lines in order, and a hash of the last body, so that o= moves only when the rest did. Which codec
 * is taken is decided in match.c; here its result becomes text. Work is done on copies: a failed call changes nothing.
 */
#include "base/mem.h"
#include "sdp/dtls.h"
#include "sdp/ice.h"
#include "sdp/match_i.h"
#include <string.h>

enum { PT_DYNAMIC_FIRST = 96, PT_LAST = 127, OFFER_CODECS_MAX = 13, TE_CLOCKS_MAX = 3 };

/* ---- the memory of payload numbers ---- */

static struct sdp_run_codec *run_find(struct sdp_running *r, struct sv name, uint32_t clock_hz, unsigned channels)
{
	for (size_t i = 0; i < r->codec_count; i++) {
		struct sdp_run_codec *c = &r->codecs[i];
		/* Names longer than the slot are compared by what fits. */
		if (sv_isi(sv_sub(name, 0, sizeof(c->name) - 1), c->name) && c->clock_hz == clock_hz &&
		    c->channels == channels)
			return c;
	}
	return NULL;
}
static void run_drop(struct sdp_running *r, size_t i)
{
	memmove(&r->codecs[i], &r->codecs[i + 1], (r->codec_count - i - 1u) * sizeof(r->codecs[0]));
	r->codec_count--;
}
/* Notes a codec with its numbers; another codec that held pt_recv loses it; the oldest unused one makes room. */
static void run_set(
    struct sdp_running *r, struct sv name, uint32_t clock_hz, unsigned channels, int pt_recv, int pt_send)
{
	struct sdp_run_codec *c = run_find(r, name, clock_hz, channels);
	if (!c || c->pt_recv != pt_recv)
		for (size_t i = 0; i < r->codec_count; i++)
			if (&r->codecs[i] != c && r->codecs[i].pt_recv == pt_recv &&
			    !(r->codecs[i].flags & SDP_RUN_USED)) {
				run_drop(r, i);
				c = run_find(r, name, clock_hz, channels);
				break;
			}
	for (size_t i = 0; !c && r->codec_count == SDP_RUN_CODECS && i < r->codec_count; i++)
		if (!(r->codecs[i].flags & SDP_RUN_USED))
			run_drop(r, i);
	if (!c) {
		if (r->codec_count == SDP_RUN_CODECS)
			return;
		c = &r->codecs[r->codec_count++];
		memset(c, 0, sizeof(*c));
		sdp_copy(c->name, sizeof(c->name), name);
		c->clock_hz = clock_hz;
		c->channels = (uint8_t)channels;
	}
	c->pt_recv = (int16_t)pt_recv;
	c->pt_send = (int16_t)pt_send;
	c->flags |= SDP_RUN_USED;
}
static void run_unuse(struct sdp_running *r)
{
	for (size_t i = 0; i < r->codec_count; i++)
		r->codecs[i].flags &= (uint8_t)~SDP_RUN_USED;
}
static void run_choose(struct sdp_running *r, const struct sdp_codec *c)
{
	struct sdp_run_codec *chosen = run_find(r, sv_of(c->name), c->clock_hz, c->channels);
	for (size_t i = 0; i < r->codec_count; i++)
		r->codecs[i].flags &= (uint8_t)~SDP_RUN_CHOSEN;
	if (chosen)
		chosen->flags |= SDP_RUN_CHOSEN;
}

/* ---- payload numbers of an offer ---- */

struct numbers {
	struct sdp_running *r;
	uint32_t taken[4]; /* bits */
	int reserved;      /* telephone-event's, -1 = none */
};
static bool is_taken(const struct numbers *n, int pt)
{
	return n->taken[pt / 32] >> (pt % 32) & 1;
}
static void take(struct numbers *n, int pt)
{
	n->taken[pt / 32] |= 1u << (pt % 32);
}
/* The number this dialog used before, else the first free one of the wishes, else the first free dynamic one; -1 =
 * none. */
static int number_for(struct numbers *n, struct sv name, uint32_t clock_hz, unsigned channels, int wish, int wish2)
{
	const struct sdp_run_codec *before = run_find(n->r, name, clock_hz, channels);
	const int wishes[3] = {before ? before->pt_recv : -1, wish, wish2};
	int pt = -1;

	for (size_t i = 0; i < 3 && pt < 0; i++)
		if (wishes[i] >= 0 && wishes[i] <= PT_LAST && !is_taken(n, wishes[i]) &&
		    (i == 0 || wishes[i] != n->reserved))
			pt = wishes[i];
	for (int i = PT_DYNAMIC_FIRST; i <= PT_LAST && pt < 0; i++) {
		bool is_known = is_taken(n, i) || i == n->reserved;
		for (size_t k = 0; k < n->r->codec_count;
		     k++) /* a number once agreed keeps its meaning (RFC 3264, 8.3.2) */
			is_known |= n->r->codecs[k].pt_recv == i;
		if (!is_known)
			pt = i;
	}
	if (pt >= 0)
		take(n, pt);
	return pt;
}

/* ---- text ---- */

static uint64_t hash_text(struct sv v)
{
	uint64_t h = 14695981039346656037u; /* FNV-1a: compares our own texts, no outsider gains by a collision */
	for (size_t i = 0; i < v.n; i++)
		h = (h ^ (uint8_t)v.p[i]) * 1099511628211u;
	return h;
}
static struct sv user_of(const struct sdp_policy *p)
{
	return p->user.n ? p->user : SV("FreeSWITCH");
}
static const char *family_of(struct sv host)
{
	return sdp_host_kind(host) == 6 ? "IP6" : "IP4";
}

static void put_ice_session(struct buf *b, const struct sdp_policy *p)
{
	struct buf mids;
	bool has_others = false;

	buf_init(&mids);
	for (size_t i = 0; i < p->part_count; i++) {
		const struct sdp_part *part = &p->parts[i];
		if (part->is_taken && part->p->is_bundled && part->p->ice)
			buf_printf(&mids, " %.*s", SVF(part->p->ice->mid));
		else
			has_others |= part->is_taken;
	}
	sdp_ice_put_session(b, p->ice, buf_sv(&mids), has_others);
	buf_fini(&mids);
}

static void put_session(struct buf *b, const struct sdp_policy *p)
{
	buf_printf(b, "s=%.*s\r\nc=IN %s %.*s\r\nt=0 0\r\n", SVF(user_of(p)), family_of(p->host), SVF(p->host));
	if (p->ice)
		put_ice_session(b, p);
}
static void put_rtpmap(struct buf *b, int pt, const char *name, uint32_t clock_hz, unsigned channels)
{
	buf_printf(b, "a=rtpmap:%d %s/%u", pt, name, clock_hz);
	if (channels > 1)
		buf_printf(b, "/%u", channels);
	buf_adds(b, "\r\n");
}
struct line_text {                       /* what the accepted line says */
	const struct sdp_codecs *codecs; /* pt_recv and fmtp are written */
	struct {
		int pt;
		uint32_t clock_hz;
	} te[TE_CLOCKS_MAX];
	size_t te_count;
	int cn_pt, red_pt, fec_pt;
	enum sdp_dir dir;
	uint16_t ptime_ms;
	bool is_rtcp_mux, is_rsize;
	uint8_t fb, exts[SDP_EXT_COUNT];
	struct sv proto;
	enum sdp_setup setup;          /* SDP_SETUP_NONE: not secured by DTLS */
	const struct sdp_plan *answer; /* NULL: it is an offer */
};
/* FreeSWITCH's order: each format's rtpmap with its fmtp, telephone-event, CN, direction unless sendrecv, ptime. */
static void put_format(struct buf *b, int pt)
{
	char text[4] = {' '};
	size_t n = 1;
	if (pt >= 100)
		text[n++] = (char)('0' + pt / 100);
	if (pt >= 10)
		text[n++] = (char)('0' + pt / 10 % 10);
	text[n++] = (char)('0' + pt % 10);
	buf_add(b, text, n);
}

static const uint8_t no_exts[SDP_EXT_COUNT];

static void put_line(struct buf *b, const struct sdp_policy *p, const struct line_text *t)
{
	const struct sdp_codec *first = &t->codecs->v[0];

	buf_printf(b, "m=%s %u %.*s", sdp_kind(p), p->port, SVF(t->proto));
	if (t->red_pt >= 0 && !p->kind) /* whoever asks for it wants it sent, not the codec alone */
		put_format(b, t->red_pt);
	for (size_t i = 0; i < t->codecs->count; i++)
		put_format(b, t->codecs->v[i].pt_recv);
	for (size_t i = 0; i < t->te_count; i++)
		put_format(b, t->te[i].pt);
	if (t->cn_pt >= 0)
		put_format(b, t->cn_pt);
	if (t->red_pt >= 0 && p->kind)
		put_format(b, t->red_pt);
	if (t->fec_pt >= 0)
		put_format(b, t->fec_pt);
	buf_adds(b, "\r\n");
	if (p->bandwidth_as_kbit)
		buf_printf(b, "b=AS:%u\r\n", p->bandwidth_as_kbit);
	for (size_t i = 0; i < t->codecs->count; i++) {
		const struct sdp_codec *c = &t->codecs->v[i];
		put_rtpmap(b, c->pt_recv, c->name, c->clock_hz, c->channels);
		if (c->fmtp[0])
			buf_printf(b, "a=fmtp:%d %s\r\n", c->pt_recv, c->fmtp);
	}
	for (size_t i = 0; i < t->te_count; i++) {
		put_rtpmap(b, t->te[i].pt, "telephone-event", t->te[i].clock_hz, 1);
		buf_printf(b, "a=fmtp:%d 0-15\r\n", t->te[i].pt);
	}
	if (t->cn_pt >= 0)
		put_rtpmap(b, t->cn_pt, "CN", 8000, 1);
	if (t->red_pt >= 0)
		put_rtpmap(b, t->red_pt, "red", first->clock_hz, first->channels);
	if (t->fec_pt >= 0) /* then RED is for it: nothing is said of blocks */
		put_rtpmap(b, t->fec_pt, "ulpfec", first->clock_hz, 1);
	else if (t->red_pt >= 0)
		buf_printf(b, "a=fmtp:%d %d/%d\r\n", t->red_pt, first->pt_recv, first->pt_recv);
	for (size_t i = 0; (t->fb || p->kind) && i < t->codecs->count; i++)
		sdp_beside_put(b, t->codecs->v[i].pt_recv, t->fb, i ? no_exts : t->exts, !i && t->is_rsize);
	if (t->dir != SDP_SENDRECV || t->setup) /* WebRTC peers take nothing for granted */
		buf_printf(b, "a=%s\r\n", sdp_dir_name(t->dir));
	if (!t->answer && sdp_is_secure_rtp(t->proto))
		sdp_secure_put_offer(b, p);
	if (t->ptime_ms)
		buf_printf(b, "a=ptime:%u\r\n", t->ptime_ms);
	if (t->answer && t->answer->is_secure)
		sdp_secure_put_answer(b, p, t->answer);
	if (p->rtcp_port && p->rtcp_port != p->port + 1)
		buf_printf(b, "a=rtcp:%u IN %s %.*s\r\n", p->rtcp_port, family_of(p->host), SVF(p->host));
	if (t->is_rtcp_mux)
		buf_adds(b, "a=rtcp-mux\r\n");
	if (t->answer ? t->answer->is_xr && p->is_xr_allowed : p->is_xr_offered)
		buf_adds(b, "a=rtcp-xr:voip-metrics\r\n");
	if (p->ice)
		sdp_ice_put_media(b, p->ice);
	if (t->setup)
		sdp_dtls_put(b, p->dtls, t->setup);
}
/* A line with port 0. Its format is of no meaning (RFC 3264 section 6) but has to be there. */
static void put_refused(struct buf *b, struct sv kind, struct sv proto, struct sv format)
{
	bool is_rtp = sv_startsi(proto, SV("RTP/")) || sv_startsi(proto, SV("UDP/TLS/RTP/"));
	buf_printf(b, "m=%.*s 0 %.*s %.*s\r\n", SVF(kind), SVF(proto),
	    SVF(is_rtp     ? SV("19")
	        : format.n ? format
	                   : SV("*")));
}
/* Puts v= and o= before the body; the version moves when the body or the origin's host did. */
static int finish(const struct sdp_policy *p, struct sdp_running *r, const struct buf *body, struct buf *out)
{
	struct buf head;
	uint64_t id = p->session_id ? p->session_id : 1, h = hash_text(buf_sv(body)) ^ id * 31;
	int st;

	if (body->failed)
		return ST_NOMEM;
	if (!r->version)
		r->version = id + 1;
	else if (h != r->body_hash)
		r->version++;
	r->body_hash = h;
	buf_init(&head);
	buf_printf(&head, "v=0\r\no=%.*s %llu %llu IN %s %.*s\r\n", SVF(user_of(p)), (unsigned long long)id,
	    (unsigned long long)r->version, family_of(p->host), SVF(p->host));
	buf_addv(&head, buf_sv(body));
	st = head.failed ? ST_NOMEM : buf_addv(out, buf_sv(&head));
	buf_fini(&head);
	return st;
}
static bool is_policy_usable(const struct sdp_policy *p)
{
	struct sv user = user_of(p);
	if (!p->prefs || !(p->prefs->count || (p->first && p->first->count)) || !sdp_host_kind(p->host) || !p->port)
		return false;
	for (size_t i = 0; i < user.n; i++)
		if (!sdp_is_token_char(user.p[i]))
			return false;
	return true;
}

/* ---- offer ---- */

static void offer_codec(struct sdp_codecs *list, const struct sdp_codec *c, struct numbers *n)
{
	const struct sdp_known *k = sdp_known_find(sv_of(c->name), c->clock_hz);
	struct sdp_codec *v;
	int wish = c->pt_recv >= 0 ? c->pt_recv : c->pt_send, pt;

	if (list->count == OFFER_CODECS_MAX || sv_isi(sv_of(c->name), "telephone-event") ||
	    sv_isi(sv_of(c->name), "CN"))
		return;
	for (size_t i = 0; i < list->count; i++)
		if (sdp_codec_is_same(&list->v[i], c))
			return;
	pt = number_for(n, sv_of(c->name), c->clock_hz, c->channels, wish, k ? k->pt : -1);
	if (pt < 0)
		return;
	v = &list->v[list->count++];
	*v = *c;
	v->pt_recv = (int16_t)pt;
	if (!v->fmtp[0] && k)
		sdp_copy(v->fmtp, sizeof(v->fmtp), sv_of(k->fmtp));
}
/* telephone-event at every clock among the codecs; 8000 Hz, else the first, gets the preferred number. */
static void offer_events(struct line_text *t, struct numbers *n, int dtmf_pt)
{
	uint32_t clocks[TE_CLOCKS_MAX] = {0};
	size_t count = 0, k;

	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < t->codecs->count; i++) {
			uint32_t hz = t->codecs->v[i].clock_hz;
			for (k = 0; k < count && clocks[k] != hz; k++)
				;
			if (k == count && count < TE_CLOCKS_MAX && (pass || hz == 8000))
				clocks[count++] = hz;
		}
	n->reserved = -1;
	for (k = 0; k < count; k++) {
		int pt = number_for(n, SV("telephone-event"), clocks[k], 1, k ? -1 : dtmf_pt, -1);
		if (pt < 0)
			break;
		t->te[t->te_count].pt = pt;
		t->te[t->te_count++].clock_hz = clocks[k];
	}
}
struct line_offer { /* one line that is offered */
	const struct sdp_policy *p;
	struct sdp_running *r;
	struct sdp_codecs list;
	struct line_text t;
};
/* A place among the lines: the one it has, one of its kind that nobody has, or a new one; two where encryption is
 * optional, which are one choice. False: there is none left. */
static bool line_place(struct sdp_running *dialog, struct line_offer *o, const struct line_offer *all, size_t count)
{
	const struct sdp_policy *p = o->p;
	enum sdp_secure_mode mode = p->secure ? p->secure->mode : SDP_SECURE_NONE;
	const char *proto = p->dtls && p->dtls->is_offered ? "UDP/TLS/RTP/SAVPF"
	                    : mode != SDP_SECURE_NONE      ? "RTP/SAVP"
	                                                   : "RTP/AVP";
	size_t at = dialog->line_count;
	struct sdp_run_line *l;

	if ((o->r->is_agreed || !p->kind) && o->r->line < dialog->line_count &&
	    sv_isi(sv_of(dialog->lines[o->r->line].kind), sdp_kind(p)))
		return true;
	for (size_t i = 0; p->kind && i < dialog->line_count && at == dialog->line_count; i++) {
		bool is_free = sv_isi(sv_of(dialog->lines[i].kind), p->kind);
		for (size_t k = 0; k < count; k++)
			is_free &= &all[k] == o || all[k].r->line != i;
		if (is_free)
			at = i;
	}
	if (at == SDP_RUN_LINES)
		return false;
	if (at == dialog->line_count)
		dialog->line_count++;
	o->r->line = (uint8_t)at;
	l = &dialog->lines[at];
	*l = (struct sdp_run_line){.is_open = false};
	sdp_copy(l->kind, sizeof(l->kind), sv_of(sdp_kind(p)));
	sdp_copy(l->proto, sizeof(l->proto), sv_of(proto));
	if (mode == SDP_SECURE_OPTIONAL && !(p->dtls && p->dtls->is_offered) && at + 1 == dialog->line_count &&
	    dialog->line_count < SDP_RUN_LINES) {
		dialog->lines[dialog->line_count] = *l;
		dialog->lines[dialog->line_count].is_open = true;
		sdp_copy(dialog->lines[dialog->line_count++].proto, sizeof(l->proto), SV("RTP/AVP"));
	}
	return true;
}
static void offer_lines(struct buf *b, struct sdp_running *dialog, struct line_offer *all, size_t count)
{
	for (size_t i = 0; i < dialog->line_count; i++) {
		const struct sdp_run_line *l = &dialog->lines[i];
		struct line_offer *o = NULL;
		for (size_t k = 0; k < count && !o; k++)
			if (all[k].r->line == i ||
			    (l->is_open && !all[k].r->is_agreed && sv_isi(sv_of(l->kind), sdp_kind(all[k].p))))
				o = &all[k];
		if (!o) {
			put_refused(b, sv_of(l->kind), sv_of(l->proto), SV_NONE);
			continue;
		}
		o->t.proto = sv_of(l->proto);
		o->t.setup = o->p->dtls && !sv_startsi(o->t.proto, SV("RTP/AVP")) ? SDP_SETUP_ACTPASS : SDP_SETUP_NONE;
		put_line(b, o->p, &o->t);
	}
	for (size_t i = 0; i < dialog->line_count; i++)
		for (size_t k = 0; k < count; k++)
			if (all[k].r->is_agreed && sv_isi(sv_of(dialog->lines[i].kind), sdp_kind(all[k].p)))
				dialog->lines[i].is_open = false; /* the choice was made */
}
static int helper_number(struct numbers *n, const char *name, uint32_t clock_hz)
{
	int pt = number_for(n, sv_of(name), clock_hz, 1, -1, -1);
	if (pt >= 0)
		run_set(n->r, sv_of(name), clock_hz, 1, pt, -1);
	return pt;
}
/* What the line says, with its numbers, which no other line of the description has. */
static int offer_fill(struct line_offer *o, uint32_t taken[4])
{
	const struct sdp_policy *p = o->p;
	int dtmf_pt = p->dtmf_pt ? p->dtmf_pt : 101;
	struct numbers n = {.r = o->r, .reserved = dtmf_pt};
	struct line_text *t = &o->t;

	o->list.count = 0;
	*t = (struct line_text){.codecs = &o->list,
	    .cn_pt = -1,
	    .red_pt = -1,
	    .fec_pt = -1,
	    .dir = p->dir,
	    .is_rtcp_mux = p->is_rtcp_mux_offered,
	    .is_rsize = p->fb && p->is_rtcp_mux_offered,
	    .fb = p->fb};
	memcpy(t->exts, p->exts, sizeof(t->exts));
	memcpy(n.taken, taken, sizeof(n.taken));
	for (size_t i = 0; p->first && i < p->first->count; i++)
		offer_codec(&o->list, &p->first->v[i], &n);
	for (size_t i = 0; i < p->prefs->count; i++)
		offer_codec(&o->list, &p->prefs->v[i], &n);
	if (!o->list.count)
		return ST_INVAL;
	if (dtmf_pt > 0 && dtmf_pt <= PT_LAST)
		offer_events(t, &n, dtmf_pt);
	if (p->cn_pt > 0 && p->cn_pt <= PT_LAST && !is_taken(&n, p->cn_pt))
		t->cn_pt = p->cn_pt;
	if (!p->kind)
		t->ptime_ms = o->list.v[0].ptime_ms ? o->list.v[0].ptime_ms : sdp_ptime_default(p, &o->list.v[0]);
	run_unuse(o->r);
	for (size_t i = 0; i < o->list.count; i++)
		run_set(o->r, sv_of(o->list.v[i].name), o->list.v[i].clock_hz, o->list.v[i].channels,
		    o->list.v[i].pt_recv, -1);
	for (size_t i = 0; i < t->te_count; i++)
		run_set(o->r, SV("telephone-event"), t->te[i].clock_hz, 1, t->te[i].pt, -1);
	if (t->cn_pt >= 0)
		run_set(o->r, SV("CN"), 8000, 1, t->cn_pt, -1);
	if (p->has_red)
		t->red_pt = helper_number(&n, "red", o->list.v[0].clock_hz);
	if (p->has_fec && t->red_pt >= 0)
		t->fec_pt = helper_number(&n, "ulpfec", o->list.v[0].clock_hz);
	if (p->has_fec && t->fec_pt < 0)
		t->red_pt = -1;
	memcpy(taken, n.taken, sizeof(n.taken));
	return ST_OK;
}
int sdp_offer_make(const struct sdp_policy *p, struct sdp_running *r, struct buf *out)
{
	struct sdp_running now = *r, parts_now[SDP_PARTS_MAX];
	struct line_offer *all;
	uint32_t taken[4] = {0};
	size_t count = 1;
	struct buf body;
	int st;

	if (!is_policy_usable(p))
		return ST_INVAL;
	all = mem_alloc((1 + p->part_count) * sizeof(*all));
	if (!all)
		return ST_NOMEM;
	all[0].p = p, all[0].r = &now;
	st = offer_fill(&all[0], taken);
	if (!st)
		(void)line_place(&now, &all[0], all, 1);
	for (size_t i = 0; i < p->part_count && !st; i++) {
		struct line_offer *o = &all[count];
		struct sdp_part *part = &p->parts[i];
		parts_now[i] = *part->r;
		o->p = part->p, o->r = &parts_now[i];
		part->is_taken = is_policy_usable(o->p) && !offer_fill(o, taken) && line_place(&now, o, all, count + 1);
		count += part->is_taken;
	}
	buf_init(&body);
	if (!st) {
		put_session(&body, p);
		offer_lines(&body, &now, all, count);
		st = finish(p, &now, &body, out);
	}
	buf_fini(&body);
	mem_free(all);
	if (st)
		return st;
	*r = now;
	for (size_t i = 0; i < p->part_count; i++)
		if (p->parts[i].is_taken)
			*p->parts[i].r = parts_now[i];
	return ST_OK;
}

/* ---- answer ---- */

static void remember_lines(struct sdp_running *r, const struct sdp *s)
{
	r->line_count = (uint8_t)s->media_count;
	for (size_t i = 0; i < s->media_count; i++) {
		r->lines[i].is_open = false;
		sdp_copy(r->lines[i].kind, sizeof(r->lines[i].kind), s->media[i].kind);
		sdp_copy(r->lines[i].proto, sizeof(r->lines[i].proto), s->media[i].proto);
	}
}
static void remember_answer(struct sdp_running *r, const struct sdp_plan *plan)
{
	r->line = plan->line;
	r->is_agreed = true;
	run_unuse(r);
	for (size_t i = 0; i < plan->codecs.count; i++) {
		const struct sdp_codec *c = &plan->codecs.v[i];
		run_set(r, sv_of(c->name), c->clock_hz, c->channels, c->pt_recv, c->pt_send);
	}
	if (plan->dtmf_recv_pt >= 0)
		run_set(r, SV("telephone-event"), plan->dtmf_clock_hz, 1, plan->dtmf_recv_pt, plan->dtmf_send_pt);
	if (plan->cn_pt >= 0)
		run_set(r, SV("CN"), 8000, 1, plan->cn_pt, plan->cn_pt);
	if (plan->red_recv >= 0)
		run_set(r, SV("red"), plan->send.clock_hz, 1, plan->red_recv, plan->red_send);
	if (plan->fec_recv >= 0)
		run_set(r, SV("ulpfec"), plan->send.clock_hz, 1, plan->fec_recv, plan->fec_send);
	run_choose(r, &plan->send);
}
static void put_answered(struct buf *b, const struct sdp *s, const struct sdp_policy *p, const struct sdp_plan *plan)
{
	struct sdp_codecs list = plan->codecs;
	struct sdp_dtls theirs;
	struct line_text t = {.codecs = &list,
	    .cn_pt = plan->cn_pt,
	    .red_pt = plan->red_recv,
	    .fec_pt = plan->fec_recv,
	    .dir = plan->local_dir,
	    .ptime_ms = p->kind ? 0 : plan->recv.ptime_ms,
	    .is_rtcp_mux = plan->is_rtcp_mux,
	    .is_rsize = plan->is_rsize,
	    .fb = plan->fb,
	    .proto = s->media[plan->line].proto,
	    .answer = plan};

	memcpy(t.exts, plan->exts, sizeof(t.exts));
	if (!p->is_all_answered)
		list.count = 1;
	for (size_t i = 0; i < list.count; i++)
		sdp_answer_fmtp(p, &plan->codecs.v[i], list.v[i].fmtp);
	if (plan->dtmf_recv_pt >= 0) {
		t.te_count = 1;
		t.te[0].pt = plan->dtmf_recv_pt;
		t.te[0].clock_hz = plan->dtmf_clock_hz;
	}
	if (plan->is_dtls && sdp_dtls_read(s, plan->line, &theirs, NULL))
		t.setup = sdp_setup_answer(theirs.setup, p->dtls->setup_now);
	put_line(b, p, &t);
}
static void put_answer(struct buf *b, const struct sdp *s, const struct sdp_policy *p, const struct sdp_plan *plan)
{
	put_session(b, p);
	for (size_t i = 0; i < s->media_count; i++) {
		const struct sdp_media *m = &s->media[i];
		const struct sdp_part *part = NULL;
		for (size_t k = 0; k < p->part_count; k++)
			if (p->parts[k].is_taken && p->parts[k].plan->line == i)
				part = &p->parts[k];
		if (i == plan->line)
			put_answered(b, s, p, plan);
		else if (part)
			put_answered(b, s, part->p, part->plan);
		else
			put_refused(b, m->kind, m->proto, m->format_count ? s->formats[m->format_first].text : SV_NONE);
	}
}
/* The plan without what a failure must not leave in it. */
static int give_up(struct sdp_plan *plan, int st, const char *why)
{
	memset(plan, 0, sizeof(*plan));
	plan->why = why;
	return st;
}
/* A plan without anything in it; the list of codecs is as long as it says, and needs no zeros. */
static struct sdp_plan *plan_new(void)
{
	const size_t from = offsetof(struct sdp_plan, codecs.v), to = from + sizeof(((struct sdp_plan *)0)->codecs.v);
	struct sdp_plan *plan = mem_alloc(sizeof(*plan));

	if (plan) {
		memset(plan, 0, from);
		memset((char *)plan + to, 0, sizeof(*plan) - to);
	}
	return plan;
}
static int answer(
    struct sv offer, const struct sdp_policy *p, struct sdp_running *r, struct sdp_plan *plan, struct buf *out)
{
	struct sdp_running now = *r;
	struct sdp_plan *found = NULL;
	struct sdp *s = NULL;
	struct buf body;
	int st;

	if (!is_policy_usable(p))
		return give_up(plan, ST_INVAL, "the policy lacks codecs, address or port");
	if ((st = sdp_parse_new(offer, &s)))
		return give_up(plan, st, st == ST_PARSE ? "not a session description" : "out of memory");
	buf_init(&body);
	found = plan_new();
	if (!found) {
		st = give_up(plan, ST_NOMEM, "out of memory");
		goto out;
	}
	if ((st = sdp_match_offer(s, p, r, found))) {
		give_up(plan, st, found->why);
		goto out;
	}
	for (size_t i = 0; i < p->part_count; i++) {
		struct sdp_part *part = &p->parts[i];
		part->is_taken = is_policy_usable(part->p) && !sdp_match_offer(s, part->p, part->r, part->plan);
	}
	if (out) {
		put_answer(&body, s, p, found);
		remember_lines(&now, s);
		remember_answer(&now, found);
		st = finish(p, &now, &body, out);
	}
	if (st) {
		give_up(plan, st, "out of memory");
		goto out;
	}
	*plan = *found;
	*r = now;
	for (size_t i = 0; out && i < p->part_count; i++)
		if (p->parts[i].is_taken)
			remember_answer(p->parts[i].r, p->parts[i].plan);
out:
	buf_fini(&body);
	mem_free(found);
	mem_free(s);
	return st;
}
int sdp_answer_make(
    struct sv offer, const struct sdp_policy *p, struct sdp_running *r, struct sdp_plan *plan, struct buf *out)
{
	return answer(offer, p, r, plan, out);
}
int sdp_answer_plan(struct sv offer, const struct sdp_policy *p, const struct sdp_running *r, struct sdp_plan *plan)
{
	struct sdp_running copy = *r;
	return answer(offer, p, &copy, plan, NULL);
}

static void accept_answer(struct sdp_running *dialog, struct sdp_running *r, const struct sdp_plan *found)
{
	for (size_t i = 0; i < found->codecs.count; i++) {
		const struct sdp_codec *c = &found->codecs.v[i];
		struct sdp_run_codec *known = run_find(r, sv_of(c->name), c->clock_hz, c->channels);
		if (known)
			known->pt_send = c->pt_send;
	}
	run_choose(r, &found->send);
	if (r->line != found->line)
		dialog->lines[r->line].is_open = true; /* a later answer to the same offer may take it */
	r->line = found->line;
	r->is_agreed = true;
}

int sdp_answer_accept(struct sv text, const struct sdp_policy *p, struct sdp_running *r, struct sdp_plan *plan)
{
	struct sdp_plan *found = NULL;
	struct sdp *s = NULL;
	int st;

	if ((st = sdp_parse_new(text, &s)))
		return give_up(plan, st, st == ST_PARSE ? "not a session description" : "out of memory");
	found = plan_new();
	if (!found) {
		st = give_up(plan, ST_NOMEM, "out of memory");
		goto out;
	}
	if ((st = sdp_match_answer(s, p, r, r, found))) {
		give_up(plan, st, found->why);
		goto out;
	}
	for (size_t i = 0; i < p->part_count; i++) {
		struct sdp_part *part = &p->parts[i];
		part->is_taken = part->r->line < r->line_count && part->r->line != r->line &&
		                 !sdp_match_answer(s, part->p, r, part->r, part->plan);
		if (part->is_taken)
			accept_answer(r, part->r, part->plan);
	}
	accept_answer(r, r, found);
	*plan = *found;
out:
	mem_free(found);
	mem_free(s);
	return st;
}
