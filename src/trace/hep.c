/* HEP version 3: "HEP3", the whole length, then chunks of vendor, type, length (with their six bytes) and value, all in
 * network order. RTCP goes as the JSON that Homer's agents make of it. */
#include "text/json.h"
#include "trace/trace_i.h"

#include <string.h>

enum {
	CHUNK_FAMILY = 1,
	CHUNK_PROTOCOL = 2,
	CHUNK_SRC4 = 3,
	CHUNK_DST4 = 4,
	CHUNK_SRC6 = 5,
	CHUNK_DST6 = 6,
	CHUNK_SRC_PORT = 7,
	CHUNK_DST_PORT = 8,
	CHUNK_SECONDS = 9,
	CHUNK_MICROSECONDS = 10,
	CHUNK_TYPE = 11,
	CHUNK_CAPTURE_ID = 12,
	CHUNK_PASSWORD = 14,
	CHUNK_PAYLOAD = 15,
	CHUNK_CORRELATION = 17,
	CHUNK_NODE = 19,
	CHUNK_HEAD = 6,
	HEP_MAX_BYTES = 65535
};

static void u16_put(struct buf *b, uint32_t v)
{
	uint8_t p[2] = {(uint8_t)(v >> 8), (uint8_t)v};
	buf_add(b, p, 2);
}

static void chunk_put(struct buf *b, uint16_t type, const void *p, size_t n)
{
	u16_put(b, 0); /* the standard's own */
	u16_put(b, type);
	u16_put(b, (uint32_t)(n + CHUNK_HEAD));
	buf_add(b, p, n);
}

static void number_put(struct buf *b, uint16_t type, uint64_t v, size_t bytes)
{
	uint8_t p[8];
	for (size_t i = 0; i < bytes; i++)
		p[i] = (uint8_t)(v >> 8 * (bytes - 1 - i));
	chunk_put(b, type, p, bytes);
}

static void text_put(struct buf *b, uint16_t type, struct sv v)
{
	if (v.n)
		chunk_put(b, type, v.p, v.n < 512 ? v.n : 512);
}

int hep_put(struct buf *out, const struct hep_packet *p)
{
	size_t start = out->n;
	bool is_v6 = p->src.sa.sa_family == AF_INET6;
	struct sv payload = p->payload;
	buf_add(out, "HEP3\0\0", 6);
	number_put(out, CHUNK_FAMILY, is_v6 ? AF_INET6 : AF_INET, 1);
	number_put(out, CHUNK_PROTOCOL, p->is_tcp ? 6 : 17, 1);
	if (is_v6) {
		chunk_put(out, CHUNK_SRC6, &p->src.in6.sin6_addr, 16);
		chunk_put(out, CHUNK_DST6, &p->dst.in6.sin6_addr, 16);
	} else {
		chunk_put(out, CHUNK_SRC4, &p->src.in4.sin_addr, 4);
		chunk_put(out, CHUNK_DST4, &p->dst.in4.sin_addr, 4);
	}
	number_put(out, CHUNK_SRC_PORT, addr_port(&p->src), 2);
	number_put(out, CHUNK_DST_PORT, addr_port(&p->dst), 2);
	number_put(out, CHUNK_SECONDS, (uint64_t)(p->wall_us / 1000000), 4);
	number_put(out, CHUNK_MICROSECONDS, (uint64_t)(p->wall_us % 1000000), 4);
	number_put(out, CHUNK_TYPE, p->type, 1);
	number_put(out, CHUNK_CAPTURE_ID, p->capture_id, 4);
	text_put(out, CHUNK_PASSWORD, p->password);
	text_put(out, CHUNK_CORRELATION, p->correlation);
	text_put(out, CHUNK_NODE, p->node);
	size_t room = HEP_MAX_BYTES - (out->n - start) - CHUNK_HEAD;
	if (payload.n > room)
		payload.n = room;
	chunk_put(out, CHUNK_PAYLOAD, payload.p, payload.n);
	if (out->failed)
		return ST_NOMEM;
	out->p[start + 4] = (char)((out->n - start) >> 8);
	out->p[start + 5] = (char)(out->n - start);
	return ST_OK;
}

static void block_json(struct json_writer *w, const struct trace_rtcp *r)
{
	jw_begin_object(w);
	jw_kv_int(w, "source_ssrc", r->block.ssrc);
	jw_kv_int(w, "fraction_lost", r->block.fraction_lost);
	jw_kv_int(w, "packets_lost", r->block.lost);
	jw_kv_int(w, "highest_seq_no", r->block.seq_ext);
	jw_kv_int(w, "ia_jitter", r->block.jitter);
	jw_kv_int(w, "lsr", r->block.lsr);
	jw_kv_int(w, "dlsr", r->block.dlsr);
	jw_end_object(w);
}

void hep_rtcp_json(struct buf *out, const struct trace_rtcp *r)
{
	struct json_writer w;
	jw_init(&w, out, false);
	jw_begin_object(&w);
	if (r->has_sr) {
		jw_key(&w, "sender_information");
		jw_begin_object(&w);
		jw_kv_int(&w, "ntp_timestamp_sec", (int64_t)(r->sr_ntp >> 32));
		jw_kv_int(&w, "ntp_timestamp_usec", (int64_t)(r->sr_ntp & 0xffffffff));
		jw_kv_int(&w, "rtp_timestamp", r->sr_ts);
		jw_kv_int(&w, "packets", r->sr_packets);
		jw_kv_int(&w, "octets", r->sr_octets);
		jw_end_object(&w);
	}
	jw_kv_int(&w, "ssrc", r->ssrc);
	jw_kv_int(&w, "type", r->has_sr ? 200 : 201);
	jw_kv_int(&w, "report_count", r->has_block);
	jw_key(&w, "report_blocks");
	jw_begin_array(&w);
	if (r->has_block)
		block_json(&w, r);
	jw_end_array(&w);
	jw_end_object(&w);
}
