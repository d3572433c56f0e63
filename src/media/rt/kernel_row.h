/* What the media thread and the programs in the kernel (relay.bpf.c) share: a row for each relayed direction, found by
 * the switch's UDP port, with nothing between: the time of a packet goes into memory that nobody touched for 20 ms, so
 * it touches two lines of it. Included by both, so only types with the same layout everywhere. Times are
 * CLOCK_MONOTONIC. */
#pragma once
#include <linux/types.h>

enum { KERNEL_ROWS = 65536, KERNEL_PACKETS_A_SECOND_MAX = 1000, KERNEL_MAC_WORDS = 6 };

/* Who may open and close a row is decided by one word. Free: nobody's. Off: a flow's, packets go up. Live: the program
 * may take it. Busy: the program has it, for the time of one packet; another processor that wants it meanwhile sends
 * its packet up. */
enum kernel_gate { KERNEL_FREE, KERNEL_OFF, KERNEL_LIVE, KERNEL_BUSY };
/* By which way the XDP program may send: none (it is the tc program's, or the socket's), its own, or its own from the
 * packet after the next: the next one goes the long way, so that the kernel sees that the neighbour is still needed. */
enum kernel_xdp { KERNEL_XDP_NONE, KERNEL_XDP_OWN, KERNEL_XDP_PROBE };

/* Of the packet as it arrives; network order. */
struct kernel_key {
	__u32 remote_ip, local_ip;
	__u16 remote_port, local_port;
};

struct kernel_row {
	__u32 gate;
	__u32 out_ifindex;
	__u64 expires_us;      /* a lease: a switch that died relays nothing for long */
	struct kernel_key key; /* whose row it is: two addresses may have the same port */
	/* of the packet as it leaves; network order */
	__u32 out_from_ip, out_to_ip;
	__u16 out_from_port, out_to_port;
	__u32 out_ssrc, in_ssrc;
	__u8 in_pt, out_pt, out_tos, out_ttl;
	__u8 xdp, spare;
	__u16 out_macs[KERNEL_MAC_WORDS]; /* destination, source; of a row with xdp */
	__u16 seq_offset;                 /* host order, as what follows */
	/* the second line */
	__u32 ts_offset;
	__u16 seq; /* newest that came */
	__u16 rate_count;
	__u64 rate_since_us;
	__u32 ts;
	__u32 clock_hz;
	__u32 transit, jitter_q4, jitter_max_q4; /* RFC 3550 A.8, as rtp/rtp.c */
	/* since the row was opened */
	__u64 packets, bytes; /* bytes: with the RTP header */
	__u64 last_us;
	/* the third: not touched for a packet by XDP */
	__u64 tc_packets;   /* of them by tc */
	__u64 hop_until_us; /* the media thread's own: the next hop is asked for again then */
	__u32 hop_ip;       /* network order */
} __attribute__((aligned(64)));
