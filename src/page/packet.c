/* The packets of a page, byte by byte. Control: four words of 32 bits, of which the group is in network order like the
 * others. Polycom: an alert says who pages on which channel, the same head stands in front of the sound, and an end is
 * an alert of another kind; all are sent several times, since nobody acknowledges any. */
#include "page/page_i.h"

#include <arpa/inet.h>
#include <string.h>

static size_t put32(uint8_t *out, uint32_t v)
{
	v = htonl(v);
	memcpy(out, &v, sizeof(v));
	return sizeof(v);
}

size_t page_control_put(
    uint8_t out[PAGE_PACKET_MAX], enum page_control what, uint32_t id, struct in_addr group, uint16_t port)
{
	size_t n = put32(out, id);
	n += put32(out + n, (uint32_t)what);
	if (what == PAGE_CONTROL_STOP)
		return n;
	memcpy(out + n, &group.s_addr, sizeof(group.s_addr));
	n += sizeof(group.s_addr);
	return n + put32(out + n, port);
}

size_t page_rtp_put(uint8_t out[PAGE_PACKET_MAX], struct page_rtp *r, const uint8_t sound[PAGE_SOUND_BYTES])
{
	size_t n = 4;
	out[0] = 0x80;
	out[1] = r->pt & 0x7f;
	out[2] = (uint8_t)(r->seq >> 8);
	out[3] = (uint8_t)r->seq;
	n += put32(out + n, r->ts);
	n += put32(out + n, r->ssrc);
	memcpy(out + n, sound, PAGE_SOUND_BYTES);
	r->seq++;
	r->ts += PAGE_CLOCK_SAMPLES;
	return n + PAGE_SOUND_BYTES;
}

size_t page_polycom_put(uint8_t out[PAGE_PACKET_MAX], struct page_polycom *p, enum page_polycom_op op,
    const uint8_t sound[PAGE_SOUND_BYTES])
{
	size_t n = 2;
	out[0] = (uint8_t)op;
	out[1] = p->channel;
	n += put32(out + n, p->id);
	out[n++] = PAGE_CALLER_BYTES;
	memcpy(out + n, p->caller, PAGE_CALLER_BYTES);
	n += PAGE_CALLER_BYTES;
	if (op != PAGE_POLYCOM_SOUND)
		return n;
	p->ts += PAGE_CLOCK_SAMPLES;
	out[n++] = p->codec;
	out[n++] = 0; /* flags */
	n += put32(out + n, p->ts);
	if (p->has_last) {
		memcpy(out + n, p->last, PAGE_SOUND_BYTES);
		n += PAGE_SOUND_BYTES;
	}
	memcpy(out + n, sound, PAGE_SOUND_BYTES);
	memcpy(p->last, sound, PAGE_SOUND_BYTES);
	p->has_last = 1;
	return n + PAGE_SOUND_BYTES;
}
