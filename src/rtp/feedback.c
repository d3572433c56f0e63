/* Feedback packets: sender, media source, and entries by kind. What is passed is built anew out of what was understood,
 * entry by entry; of transport-cc alone the rest is copied, for its numbers are those of a header extension that a
 * relay passes as it is. */
#include "rtp/feedback.h"
#include "rtp/wire_i.h"
#include <string.h>

enum { HEAD = 12, FMT_NACK = 1, FMT_TMMBR = 3, FMT_TMMBN = 4, FMT_TCC = 15, FMT_PLI = 1, FMT_FIR = 4, FMT_AFB = 15 };
enum { REMB_HEAD = 8 /* "REMB", count, rate */, TCC_HEAD = 8 };

static const uint8_t *fci(const struct rtcp_item *it, size_t *n)
{
	*n = it->body_bytes - 8;
	return it->body + 8;
}

enum rtcp_fb_kind rtcp_fb_kind(const struct rtcp_item *it)
{
	if (it->body_bytes < 8)
		return RTCP_FB_NONE;
	size_t n;
	const uint8_t *p = fci(it, &n);
	if (it->type == RTCP_RTPFB)
		return it->count == FMT_NACK && n >= 4                                        ? RTCP_FB_NACK
		       : (it->count == FMT_TMMBR || it->count == FMT_TMMBN) && (n >= 8 || !n) ? RTCP_FB_TMMBR
		       : it->count == FMT_TCC && n >= TCC_HEAD                                ? RTCP_FB_TCC
		                                                                              : RTCP_FB_NONE;
	if (it->type != RTCP_PSFB)
		return RTCP_FB_NONE;
	if (it->count == FMT_AFB && n >= REMB_HEAD && !memcmp(p, "REMB", 4) && n >= REMB_HEAD + 4u * p[4])
		return RTCP_FB_REMB;
	return it->count == FMT_PLI ? RTCP_FB_PLI : it->count == FMT_FIR && n >= 8 ? RTCP_FB_FIR : RTCP_FB_NONE;
}

bool rtcp_fb_is_about(const struct rtcp_item *it, uint32_t ssrc)
{
	enum rtcp_fb_kind kind = rtcp_fb_kind(it);
	size_t n, step = 8, from = 0;
	const uint8_t *p;

	if (kind == RTCP_FB_NONE)
		return false;
	if (wire_get32(it->body + 4) == ssrc)
		return true;
	if (kind != RTCP_FB_FIR && kind != RTCP_FB_TMMBR && kind != RTCP_FB_REMB)
		return false;
	p = fci(it, &n);
	if (kind == RTCP_FB_REMB)
		step = 4, from = REMB_HEAD, n = REMB_HEAD + 4u * p[4];
	for (size_t at = from; at + step <= n; at += step)
		if (wire_get32(p + at) == ssrc)
			return true;
	return false;
}

static void put_head(uint8_t *out, unsigned fmt, uint8_t type, size_t bytes, uint32_t sender, uint32_t media)
{
	out[0] = (uint8_t)(0x80 | fmt);
	out[1] = type;
	wire_put16(out + 2, (uint16_t)(bytes / 4 - 1));
	wire_put32(out + 4, sender);
	wire_put32(out + 8, media);
}

/* Entries of 8 bytes with the source in front: TMMBR, TMMBN. */
static size_t put_entries(const struct rtcp_item *it, const struct rtcp_fb_way *w, uint8_t *out)
{
	size_t n, at = HEAD;
	const uint8_t *p = fci(it, &n);
	for (size_t i = 0; i + 8 <= n; i += 8)
		if (wire_get32(p + i) == w->near) {
			wire_put32(out + at, w->far);
			memcpy(out + at + 4, p + i + 4, 4);
			at += 8;
		}
	return at;
}

/* One number more, of which at is where the entry before lies (HEAD: none does). False: there is no room. */
static bool nack_add(uint8_t *out, size_t cap, size_t *at, uint16_t seq)
{
	uint16_t after = *at > HEAD ? (uint16_t)(seq - wire_get16(out + *at - 4)) : 0;

	if (*at > HEAD && !after)
		return true;
	if (after && after <= 16) {
		wire_put16(out + *at - 2, (uint16_t)(wire_get16(out + *at - 2) | 1u << (after - 1)));
		return true;
	}
	if (*at + 4 > cap)
		return false;
	wire_put16(out + *at, seq);
	wire_put16(out + *at + 2, 0);
	*at += 4;
	return true;
}

/* Number by number: what is one entry here may be several there. */
static size_t put_nack_numbers(const struct rtcp_item *it, const struct rtcp_fb_way *w, uint8_t *out, size_t cap)
{
	size_t n, at = HEAD;
	const uint8_t *p = fci(it, &n);
	uint16_t far;

	for (size_t i = 0; i + 4 <= n; i += 4)
		for (unsigned k = 0; k <= 16; k++)
			if ((!k || wire_get16(p + i + 2) >> (k - 1) & 1) &&
			    w->number((uint16_t)(wire_get16(p + i) + k), &far, w->arg) && !nack_add(out, cap, &at, far))
				return at;
	return at;
}

static size_t put_nack(const struct rtcp_item *it, const struct rtcp_fb_way *w, uint8_t *out)
{
	size_t n, at = HEAD;
	const uint8_t *p = fci(it, &n);
	for (size_t i = 0; i + 4 <= n; i += 4, at += 4) {
		wire_put16(out + at, (uint16_t)(wire_get16(p + i) - w->seq_offset));
		memcpy(out + at + 2, p + i + 2, 2);
	}
	return at;
}

int rtcp_fb_pass(const struct rtcp_item *it, const struct rtcp_fb_way *w, uint8_t *out, size_t cap)
{
	enum rtcp_fb_kind kind = rtcp_fb_kind(it);
	size_t n, at = HEAD;
	uint32_t media = w->far;
	const uint8_t *p;

	if (kind == RTCP_FB_NONE || !rtcp_fb_is_about(it, w->near))
		return ST_PARSE;
	p = fci(it, &n);
	if (HEAD + n > cap)
		return ST_FULL;
	switch (kind) {
	case RTCP_FB_NACK:
		at = w->number ? put_nack_numbers(it, w, out, cap) : put_nack(it, w, out);
		if (at == HEAD)
			return ST_PARSE;
		break;
	case RTCP_FB_TMMBR:
		at = put_entries(it, w, out), media = 0;
		if (at == HEAD && it->count == FMT_TMMBR)
			return ST_PARSE;
		break;
	case RTCP_FB_REMB:
		memcpy(out + at, p, REMB_HEAD);
		out[at + 4] = 1;
		wire_put32(out + at + REMB_HEAD, w->far);
		at += REMB_HEAD + 4, media = 0;
		break;
	case RTCP_FB_TCC:
		memcpy(out + at, p, n);
		at += n;
		while (at % 4) /* its own padding was taken off */
			out[at++] = 0;
		break;
	case RTCP_FB_PLI:
		break;
	case RTCP_FB_FIR:
	case RTCP_FB_NONE:
		return ST_PARSE; /* rtcp_fb_fir: the numbers are the asker's */
	}
	put_head(out, it->count, it->type, at, w->sender, media);
	return (int)at;
}

int rtcp_fb_pli(uint8_t *out, size_t cap, uint32_t sender, uint32_t media)
{
	if (cap < HEAD)
		return ST_FULL;
	put_head(out, FMT_PLI, RTCP_PSFB, HEAD, sender, media);
	return HEAD;
}

int rtcp_fb_fir(uint8_t *out, size_t cap, uint32_t sender, uint32_t media, uint8_t number)
{
	if (cap < HEAD + 8)
		return ST_FULL;
	put_head(out, FMT_FIR, RTCP_PSFB, HEAD + 8, sender, 0);
	wire_put32(out + HEAD, media);
	wire_put32(out + HEAD + 4, (uint32_t)number << 24);
	return HEAD + 8;
}
