/* An offer names every codec we would take, best first, under numbers; what was once agreed in the dialog keeps its
 * number and its place (RFC 3264 section 8), so that packets under way keep their meaning. Here codecs get their
 * numbers and lines their places; the text is text.c's, what is remembered running.c's, and what comes of the offer
 * answer.c's. Work is done on copies: a failed call changes nothing. */
#include "base/mem.h"
#include "sdp/offer_i.h"
#include <string.h>

enum { PT_DYNAMIC_FIRST = 96, PT_LAST = 127, OFFER_CODECS_MAX = 13 };

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
/* A number means something else: by RFC 3551, or as it was once agreed in this dialog (RFC 3264, 8.3.2). */
static bool is_anothers(const struct numbers *n, const struct sdp_codec *c, int pt)
{
	const struct sdp_known *k = sdp_known_of_pt(pt);

	if (k)
		return !sv_isi(sv_of(c->name), k->name) || k->clock_hz != c->clock_hz || k->channels != c->channels;
	for (size_t i = 0; i < n->r->codec_count; i++)
		if (pt >= PT_DYNAMIC_FIRST && n->r->codecs[i].pt_recv == pt)
			return true;
	return false;
}
/* The number this dialog used before, else the first free one of the wishes, else the first free dynamic one; -1 =
 * none. */
static int number_for(struct numbers *n, const struct sdp_codec *c, int wish, int wish2)
{
	const struct sdp_run_codec *before = sdp_run_find(n->r, c);
	const int wishes[3] = {before ? before->pt_recv : -1, wish, wish2};
	int pt = -1;

	for (size_t i = 0; i < 3 && pt < 0; i++)
		if (wishes[i] >= 0 && wishes[i] <= PT_LAST && !is_taken(n, wishes[i]) &&
		    (i == 0 || (wishes[i] != n->reserved && !is_anothers(n, c, wishes[i]))))
			pt = wishes[i];
	for (int i = PT_DYNAMIC_FIRST; i <= PT_LAST && pt < 0; i++)
		if (!is_taken(n, i) && i != n->reserved && !is_anothers(n, c, i))
			pt = i;
	if (pt >= 0)
		take(n, pt);
	return pt;
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
	pt = number_for(n, c, wish, k ? k->pt : -1);
	if (pt < 0)
		return;
	v = &list->v[list->count++];
	*v = *c;
	v->pt_recv = (int16_t)pt;
	if (!v->fmtp[0] && k)
		sdp_copy(v->fmtp, sizeof(v->fmtp), sv_of(k->fmtp));
}
/* telephone-event at every clock among the codecs; 8000 Hz, else the first, gets the preferred number. */
static void offer_events(struct sdp_line_text *t, struct numbers *n, int dtmf_pt)
{
	uint32_t clocks[SDP_TE_CLOCKS_MAX] = {0};
	size_t count = 0, k;

	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < t->codecs->count; i++) {
			uint32_t hz = t->codecs->v[i].clock_hz;
			for (k = 0; k < count && clocks[k] != hz; k++)
				;
			if (k == count && count < SDP_TE_CLOCKS_MAX && (pass || hz == 8000))
				clocks[count++] = hz;
		}
	n->reserved = -1;
	for (k = 0; k < count; k++) {
		struct sdp_codec c = sdp_helper_codec("telephone-event", clocks[k]);
		int pt = number_for(n, &c, k ? -1 : dtmf_pt, -1);
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
	struct sdp_line_text t;
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
	    sv_isi(sv_of(dialog->lines[o->r->line].kind), sdp_kind(p))) {
		if (dialog->lines[o->r->line].proto[0])
			return true;
		at = o->r->line; /* where another's was, in bypass */
	}
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
	if (mode == SDP_SECURE_OPTIONAL && !(p->dtls && p->dtls->is_offered) &&
	    (!p->kind || at + 1 == dialog->line_count) && dialog->line_count < SDP_RUN_LINES) {
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
			sdp_put_refused(b, sv_of(l->kind), sv_of(l->proto), SV_NONE);
			continue;
		}
		o->t.proto = sv_of(l->proto);
		o->t.setup = o->p->dtls && !sv_startsi(o->t.proto, SV("RTP/AVP")) ? SDP_SETUP_ACTPASS : SDP_SETUP_NONE;
		sdp_put_line(b, o->p, &o->t);
	}
	for (size_t i = 0; i < dialog->line_count; i++)
		for (size_t k = 0; k < count; k++)
			if (all[k].r->is_agreed && sv_isi(sv_of(dialog->lines[i].kind), sdp_kind(all[k].p)))
				dialog->lines[i].is_open = false; /* the choice was made */
}
static void note_helper(struct sdp_running *r, const char *name, uint32_t clock_hz, int pt)
{
	struct sdp_codec c = sdp_helper_codec(name, clock_hz);
	sdp_run_set(r, &c, pt, -1);
}
static int helper_number(struct numbers *n, const char *name, uint32_t clock_hz)
{
	struct sdp_codec c = sdp_helper_codec(name, clock_hz);
	int pt = number_for(n, &c, -1, -1);
	if (pt >= 0)
		sdp_run_set(n->r, &c, pt, -1);
	return pt;
}
/* What the line says, with its numbers, which no other line of the description has. */
static int offer_fill(struct line_offer *o, uint32_t taken[4])
{
	const struct sdp_policy *p = o->p;
	int dtmf_pt = p->dtmf_pt ? p->dtmf_pt : 101;
	struct numbers n = {.r = o->r, .reserved = dtmf_pt};
	struct sdp_line_text *t = &o->t;

	o->list.count = 0;
	*t = (struct sdp_line_text){.codecs = &o->list,
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
	sdp_run_unuse(o->r);
	for (size_t i = 0; i < o->list.count; i++)
		sdp_run_set(o->r, &o->list.v[i], o->list.v[i].pt_recv, -1);
	for (size_t i = 0; i < t->te_count; i++)
		note_helper(o->r, "telephone-event", t->te[i].clock_hz, t->te[i].pt);
	if (t->cn_pt >= 0)
		note_helper(o->r, "CN", 8000, t->cn_pt);
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

	if (!sdp_policy_is_usable(p))
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
		part->is_taken =
		    sdp_policy_is_usable(o->p) && !offer_fill(o, taken) && line_place(&now, o, all, count + 1);
		count += part->is_taken;
	}
	buf_init(&body);
	if (!st) {
		sdp_put_session(&body, p);
		offer_lines(&body, &now, all, count);
		st = sdp_put_whole(p, &now, &body, out);
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
