/* What the media thread and the program in the kernel (relay.bpf.c) share: a row for each relayed direction. Included
 * by both, so only types with the same layout everywhere. Times are CLOCK_MONOTONIC. */
#pragma once
#include <linux/types.h>

enum { KERNEL_ROWS_MAX = 65536, KERNEL_PACKETS_A_SECOND_MAX = 1000 };

/* Who may open and close a row is decided by one word. Off: packets go up. Live: the program may take it. Busy: the
 * program has it, for the time of one packet; another processor that wants it meanwhile sends its packet up. */
enum kernel_gate { KERNEL_OFF, KERNEL_LIVE, KERNEL_BUSY };

/* Of the packet as it arrives; network order. */
struct kernel_key {
	__u32 remote_ip, local_ip;
	__u16 remote_port, local_port;
};

struct kernel_row {
	__u32 gate;
	__u32 out_ifindex;
	__u64 expires_us; /* a lease: a switch that died relays nothing for long */
	/* of the packet as it leaves; network order */
	__u32 out_from_ip, out_to_ip;
	__u16 out_from_port, out_to_port;
	__u32 out_ssrc, in_ssrc;
	__u8 in_pt, out_pt, out_tos, out_ttl;
	__u32 ts_offset; /* host order, as what follows */
	__u16 seq_offset;
	__u16 seq; /* newest that came */
	__u32 ts;
	__u32 clock_hz;
	__u32 transit, jitter_q4, jitter_max_q4; /* RFC 3550 A.8, as rtp/rtp.c */
	__u32 rate_count;
	__u64 rate_since_us;
	/* since the row was opened */
	__u64 packets, bytes; /* bytes: with the RTP header */
	__u64 last_us;
	struct kernel_key key; /* whose row it is: an index may be found just before it changes hands */
};
