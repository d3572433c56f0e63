/* The programs that relay in the kernel, here: with rows of any content and packets of any length, raw bytes or one
 * that fits a row but for some changes, given to tc's and XDP's. Whether a packet may go is decided a second time, by
 * the words of docs/kernel-relay.md; what may not goes up as it came and counts nothing; what goes has the row's
 * addresses and numbers, right checksums if it had them and wrong ones if not, and nothing else changed; around it
 * nothing is touched. Parser: media/rt (relay.bpf.c, relay_packet.h) */
#include "base/check.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/bpf.h>
int relay(struct __sk_buff *skb);
int relay_xdp(struct xdp_md *x);
#include "media/rt/relay.bpf.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TABLE = 4, FRAME_MAX = 3000, ROOM = 8192, AROUND = 64, CANARY = 0xa5, IN_IFINDEX = 7, PACKETS_MAX = 64 };
static struct kernel_row table[TABLE];
static uint8_t *room; /* below 4 GB: the programs' pointers have 32 bits; behind it nothing can be touched */
static uint8_t *frame, was[FRAME_MAX];
static uint32_t frame_bytes, sent_to;
static uint64_t now_ns;

/* ---- the helpers of the kernel */
void *bpf_map_lookup_elem(void *map, const void *key)
{
	uint32_t index;
	memcpy(&index, key, sizeof(index));
	return index < KERNEL_ROWS ? &table[index % TABLE] : NULL;
}
__u64 bpf_ktime_get_ns(void)
{
	return now_ns;
}
long bpf_skb_load_bytes(const void *skb, __u32 at, void *to, __u32 bytes)
{
	if ((uint64_t)at + bytes > frame_bytes)
		return -14;
	memcpy(to, frame + at, bytes);
	return 0;
}
long bpf_skb_store_bytes(struct __sk_buff *skb, __u32 at, const void *from, __u32 bytes, __u64 flags)
{
	CHECK((uint64_t)at + bytes <= frame_bytes);
	memcpy(frame + at, from, bytes);
	return 0;
}
static uint64_t words_sum(const uint8_t *p, size_t n)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += (uint64_t)p[i] << (i % 2 ? 8 : 0);
	return sum;
}
static uint16_t folded(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}
__s64 bpf_csum_diff(__be32 *from, __u32 from_bytes, __be32 *to, __u32 to_bytes, __u32 seed)
{
	CHECK(!from_bytes && to_bytes <= 512 && to_bytes % 4 == 0);
	return (__s64)folded(words_sum((const uint8_t *)to, to_bytes) + seed);
}
long bpf_l4_csum_replace(struct __sk_buff *skb, __u32 at, __u64 from, __u64 to, __u64 flags)
{
	uint16_t check;
	CHECK(!from && at + sizeof(check) <= frame_bytes);
	memcpy(&check, frame + at, sizeof(check));
	if (!check)
		return 0;
	check = (uint16_t)~folded(to + (uint16_t)~check);
	check = check ? check : 0xffff;
	memcpy(frame + at, &check, sizeof(check));
	return 0;
}
long bpf_redirect(__u32 ifindex, __u64 flags)
{
	sent_to = ifindex;
	return XDP_REDIRECT;
}
long bpf_redirect_neigh(__u32 ifindex, void *params, int params_bytes, __u64 flags)
{
	sent_to = ifindex;
	return TC_ACT_REDIRECT;
}

/* ---- what comes in */
struct input {
	const uint8_t *p, *end;
};
static uint8_t take8(struct input *in)
{
	return in->p < in->end ? *in->p++ : 0;
}
static uint32_t take32(struct input *in)
{
	return (uint32_t)take8(in) << 24 | (uint32_t)take8(in) << 16 | (uint32_t)take8(in) << 8 | take8(in);
}
static uint16_t take16(struct input *in)
{
	return (uint16_t)(take8(in) << 8 | take8(in));
}
static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8), p[1] = (uint8_t)v;
}
static unsigned get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static void row_make(struct input *in, unsigned i)
{
	struct kernel_row *r = &table[i];
	uint8_t kind = take8(in);
	*r = (struct kernel_row){.gate = kind & 8 ? kind & 3 : KERNEL_LIVE,
	    .xdp = kind & 16 ? kind >> 5 & 3 : KERNEL_XDP_OWN,
	    .out_ifindex = kind & 4 ? IN_IFINDEX : take8(in),
	    .expires_us = kind & 128 ? take16(in) : UINT64_MAX,
	    .key = {take32(in), take32(in), take16(in), bpf_htons((uint16_t)(take16(in) / TABLE * TABLE + i))},
	    .out_from_ip = take32(in),
	    .out_to_ip = take32(in),
	    .out_from_port = take16(in),
	    .out_to_port = take16(in),
	    .out_ssrc = take32(in),
	    .in_ssrc = take32(in),
	    .in_pt = take8(in) & 127,
	    .out_pt = take8(in) & 127,
	    .out_tos = take8(in),
	    .out_ttl = take8(in),
	    .seq = take16(in),
	    .seq_offset = take16(in),
	    .ts_offset = take32(in),
	    .clock_hz = take32(in),
	    .transit = take32(in),
	    .rate_count = take16(in)};
	for (unsigned k = 0; k < KERNEL_MAC_WORDS; k++)
		r->out_macs[k] = take16(in);
}

/* The sum of the datagram's words with its pseudo header, the checksum's included if it has one; host order of words.
 */
static uint16_t udp_sum(const uint8_t *f, size_t udp_bytes)
{
	return folded(
	    words_sum(f + 26, 8) + bpf_htons(17) + bpf_htons((uint16_t)udp_bytes) + words_sum(f + 34, udp_bytes));
}

enum { RAW = 1, BEGUN = 2, NO_CHECK = 4, WRONG_CHECK = 8, IP_SUM_AFTER = 16, PAD = 32, BY_XDP = 64, LATER = 128 };

/* The next packet of a row. */
static size_t frame_fit(uint8_t *f, struct input *in, uint8_t kind)
{
	const struct kernel_row *r = &table[take8(in) % TABLE];
	size_t payload = take16(in) % 1400, udp = 8 + 12 + payload;
	memset(f, 0x22, 14 + 20 + udp + 6);
	put16(f + 12, 0x0800);
	memcpy(f + 14, (uint8_t[]){0x45, 0xb8, 0, 0, 1, 2, 0x40, 0, 60, 17, 0, 0}, 12);
	put16(f + 16, (unsigned)udp + 20);
	memcpy(f + 26, &r->key.remote_ip, 4), memcpy(f + 30, &r->key.local_ip, 4);
	memcpy(f + 34, &r->key.remote_port, 2), memcpy(f + 36, &r->key.local_port, 2);
	put16(f + 38, (unsigned)udp), put16(f + 40, 0);
	f[42] = 0x80, f[43] = r->in_pt;
	put16(f + 44, r->seq + 1u);
	memcpy(f + 50, &r->in_ssrc, 4);
	for (size_t i = 0; i < payload; i += 7)
		f[54 + i] = take8(in);
	uint16_t check = (uint16_t)~udp_sum(f, udp);
	if (kind & BEGUN)
		check = folded(words_sum(f + 26, 8) + bpf_htons(17) + bpf_htons((uint16_t)udp));
	else if (kind & NO_CHECK)
		check = 0;
	else if (kind & WRONG_CHECK)
		check ^= 0x0400;
	memcpy(f + 40, &check, 2);
	return 14 + 20 + udp + (kind & PAD ? 6 : 0);
}

static void ip_sum_put(uint8_t *f)
{
	memset(f + 24, 0, 2);
	uint16_t check = (uint16_t)~folded(words_sum(f + 14, 20));
	memcpy(f + 24, &check, 2);
}

/* Into was; its length. */
static size_t packet_make(struct input *in, uint8_t kind)
{
	size_t n;
	if (kind & RAW) {
		size_t want = take16(in) % FRAME_MAX, left = (size_t)(in->end - in->p);
		n = want < left ? want : left;
		memcpy(was, in->p, n);
		in->p += n;
		return n;
	}
	n = frame_fit(was, in, kind);
	if (!(kind & IP_SUM_AFTER))
		ip_sum_put(was);
	for (unsigned k = take8(in) & 3; k; k--) {
		unsigned at = take8(in) % 60;
		was[at < n ? at : 0] ^= take8(in);
	}
	if (kind & IP_SUM_AFTER)
		ip_sum_put(was);
	unsigned cut = take8(in);
	return cut < 16 && n > cut ? n - cut : n;
}

/* ---- the second opinion: the row that may have it, or NULL */
static struct kernel_row *may_go(const uint8_t *f, size_t n)
{
	if (n < 54 || get16(f + 12) != 0x0800 || f[14] != 0x45 || f[23] != 17 || get16(f + 20) & 0x3fff ||
	    get16(f + 16) + 14 > n || folded(words_sum(f + 14, 20)) != 0xffff)
		return NULL;
	unsigned udp = get16(f + 38);
	if (udp < 20 || udp + 20 != get16(f + 16))
		return NULL;
	struct kernel_row *r = &table[get16(f + 36) % TABLE];
	uint64_t now_us = now_ns / 1000;
	bool is_full = r->rate_count >= KERNEL_PACKETS_A_SECOND_MAX && now_us - r->rate_since_us < 1000000;
	if (r->gate != KERNEL_LIVE || memcmp(&r->key.remote_ip, f + 26, 8) || memcmp(&r->key.remote_port, f + 34, 4) ||
	    now_us > r->expires_us || f[42] != 0x80 || f[43] != r->in_pt || memcmp(f + 50, &r->in_ssrc, 4) ||
	    get16(f + 44) != (uint16_t)(r->seq + 1) || is_full)
		return NULL;
	return r;
}

static void check_gone(const uint8_t *f, const struct kernel_row *before, const struct kernel_row *r, bool by_xdp)
{
	unsigned udp = get16(was + 38);
	uint16_t check, old_check, begun = folded(words_sum(was + 26, 8) + bpf_htons(17) + bpf_htons((uint16_t)udp));
	uint32_t ts, old_ts;
	memcpy(&check, f + 40, 2), memcpy(&old_check, was + 40, 2);
	memcpy(&ts, f + 46, 4), memcpy(&old_ts, was + 46, 4);
	CHECK(r->gate == KERNEL_LIVE && r->packets == before->packets + 1 && r->bytes == before->bytes + udp - 8);
	CHECK(r->tc_packets == before->tc_packets + !by_xdp && r->seq == (uint16_t)(before->seq + 1));
	CHECK(sent_to == r->out_ifindex);
	CHECK(!memcmp(f, by_xdp ? (const uint8_t *)r->out_macs : was, 12) && !memcmp(f + 12, was + 12, 3));
	CHECK(f[15] == r->out_tos && f[22] == r->out_ttl && !memcmp(f + 16, was + 16, 6) && f[23] == 17);
	CHECK(folded(words_sum(f + 14, 20)) == 0xffff);
	CHECK(!memcmp(f + 26, &r->out_from_ip, 8) && !memcmp(f + 34, &r->out_from_port, 4) &&
	      !memcmp(f + 38, was + 38, 2));
	CHECK(f[42] == 0x80 && f[43] == r->out_pt && get16(f + 44) == (uint16_t)(get16(was + 44) + r->seq_offset));
	CHECK(bpf_ntohl(ts) == bpf_ntohl(old_ts) + r->ts_offset && !memcmp(f + 50, &r->out_ssrc, 4));
	CHECK(!memcmp(f + 54, was + 54, frame_bytes - 54));
	if (by_xdp && old_check == begun)
		CHECK(check && udp_sum(f, udp) == 0xffff);
	else if (!old_check)
		CHECK(!check);
	else
		CHECK(check && (udp_sum(f, udp) == 0xffff) == (udp_sum(was, udp) == 0xffff));
}

static void run(uint8_t kind)
{
	struct kernel_row before[TABLE], *r;
	size_t n = frame_bytes;
	/* as network cards have it, the IP header lies on a multiple of four */
	frame = room + ROOM - n - (2 + ROOM - n) % 4;
	frame -= (uintptr_t)(frame + 14) % 4;
	memset(frame - AROUND, CANARY, (size_t)(room + ROOM - frame) + AROUND);
	memcpy(frame, was, n);
	memcpy(before, table, sizeof(before));
	r = may_go(was, n);
	sent_to = 0;
	bool by_xdp = kind & BY_XDP, is_gone;
	if (by_xdp) {
		struct xdp_md x = {.data = (uint32_t)(uintptr_t)frame,
		    .data_end = (uint32_t)((uintptr_t)frame + n),
		    .ingress_ifindex = IN_IFINDEX};
		int action = relay_xdp(&x);
		CHECK(action == XDP_PASS || action == XDP_TX || action == XDP_REDIRECT);
		is_gone = action != XDP_PASS;
		if (action == XDP_TX)
			sent_to = IN_IFINDEX;
		CHECK(!is_gone || (action == XDP_TX) == (r && r->out_ifindex == IN_IFINDEX));
		if (r && r->gate == KERNEL_LIVE && before[r - table].xdp != KERNEL_XDP_OWN)
			CHECK(!is_gone), r = NULL;
		else if (r && !is_gone) /* only this: a long one whose checksum is only begun */
			CHECK(get16(was + 38) >= 20 + 2 * SUM_MAX), r = NULL;
	} else {
		struct __sk_buff skb = {
		    .len = (uint32_t)n, .protocol = n >= 14 ? *(uint16_t *)(void *)(frame + 12) : 0};
		int action = relay(&skb);
		CHECK(action == TC_ACT_UNSPEC || action == TC_ACT_REDIRECT);
		is_gone = action == TC_ACT_REDIRECT;
		if (n > PACKET_MAX)
			r = NULL;
	}
	CHECK(is_gone == (r != NULL));
	if (is_gone) {
		check_gone(frame, &before[r - table], r, by_xdp);
	} else {
		CHECK(!memcmp(frame, was, n));
		for (unsigned i = 0; i < TABLE; i++) {
			if (before[i].xdp == KERNEL_XDP_PROBE)
				before[i].xdp = table[i].xdp;
			before[i].rate_since_us = table[i].rate_since_us, before[i].rate_count = table[i].rate_count;
		}
		CHECK(!memcmp(before, table, sizeof(before)));
	}
	for (uint8_t *p = frame - AROUND; p < room + ROOM; p++)
		CHECK((p >= frame && p < frame + n) || *p == CANARY);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, data + size};
	if (!room) {
		size_t page = (size_t)sysconf(_SC_PAGESIZE);
		room = mmap(NULL, ROOM + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
		CHECK(room != MAP_FAILED && !mprotect(room + ROOM, page, PROT_NONE));
	}
	now_ns = 5000000000;
	for (unsigned i = 0; i < TABLE; i++)
		row_make(&in, i);
	for (unsigned i = 0; i < PACKETS_MAX && in.p < in.end; i++) {
		uint8_t kind = take8(&in);
		now_ns += kind & LATER ? 20000000 : 1000;
		frame_bytes = (uint32_t)packet_make(&in, kind);
		run(kind);
	}
	return 0;
}
