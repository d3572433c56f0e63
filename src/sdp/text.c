/* A description as text: what is said of all lines, then each line, in FreeSWITCH's order. Offers and answers differ in
 * what they say, not in how it is written; so both fill a struct sdp_line_text with what was decided (offer.c,
 * answer.c), and the writing decides nothing any more. The origin comes last, since its version moves only when the
 * rest of the text is another than the last one: for that a hash of the body is kept. */
#include "sdp/ice.h"
#include "sdp/offer_i.h"

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

void sdp_put_session(struct buf *b, const struct sdp_policy *p)
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

enum { PT_DYNAMIC = 96 };
static const uint8_t no_exts[SDP_EXT_COUNT];

/* FreeSWITCH's order: each format's rtpmap with its fmtp, telephone-event, CN, direction unless sendrecv, ptime. */
void sdp_put_line(struct buf *b, const struct sdp_policy *p, const struct sdp_line_text *t)
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
		struct sv fmtp = t->answer && !i && !p->kind && p->answer_fmtp.n ? p->answer_fmtp : sv_of(c->fmtp);
		if (t->answer || !p->is_terse || c->pt_recv >= PT_DYNAMIC)
			put_rtpmap(b, c->pt_recv, c->name, c->clock_hz, c->channels);
		if (fmtp.n)
			buf_printf(b, "a=fmtp:%d %.*s\r\n", c->pt_recv, SVF(fmtp));
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
	if (!p->kind)
		buf_addv(b, p->append);
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
/* Its format is of no meaning (RFC 3264 section 6) but has to be there. */
void sdp_put_refused(struct buf *b, struct sv kind, struct sv proto, struct sv format)
{
	bool is_rtp = sv_startsi(proto, SV("RTP/")) || sv_startsi(proto, SV("UDP/TLS/RTP/"));
	buf_printf(b, "m=%.*s 0 %.*s %.*s\r\n", SVF(kind), SVF(proto),
	    SVF(is_rtp     ? SV("19")
	        : format.n ? format
	                   : SV("*")));
}
int sdp_put_whole(const struct sdp_policy *p, struct sdp_running *r, const struct buf *body, struct buf *out)
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

bool sdp_policy_is_usable(const struct sdp_policy *p)
{
	struct sv user = user_of(p);
	if (!p->prefs || !(p->prefs->count || (p->first && p->first->count)) || !sdp_host_kind(p->host) || !p->port)
		return false;
	for (size_t i = 0; i < user.n; i++)
		if (!sdp_is_token_char(user.p[i]))
			return false;
	return true;
}
