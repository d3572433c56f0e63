/* Private to fec.c and fec_out.c: a leg's memory of its parity, about 130 kB, made by control where both sides speak it
 * (rt_coders_new). */
#pragma once
#include "media/rt/fec.h"
#include "rtp/renumber.h"
#include "rtp/ulpfec.h"

enum {
	FEC_WINDOW = 64, /* packets back that parity can be about */
	FEC_PACKET_MAX = RTP_HEADER_BYTES + ULPFEC_BYTES_MAX,
	FEC_PARITY_MAX = ULPFEC_HEAD_BYTES + ULPFEC_LEVEL_BYTES_MAX + ULPFEC_BYTES_MAX,
	FEC_PENDING = 8
};
enum fec_kind { FEC_NONE, FEC_MEDIA, FEC_RECOVERED, FEC_PARITY };
struct fec_slot {
	uint16_t seq, n; /* n 0: it was too long to be kept */
	uint8_t kind;    /* enum fec_kind */
	uint8_t again;   /* FEC_RECOVERED: so often it was sent again */
	uint8_t bytes[FEC_PACKET_MAX];
};
struct fec_parity { /* more than one is missing */
	uint16_t n; /* 0: free */
	uint8_t bytes[FEC_PARITY_MAX];
};
struct rt_fec {
	/* what comes */
	bool is_started;
	uint16_t newest;
	uint32_t ssrc;
	uint64_t recovered, in_count, out_count;
	struct renumber in;
	struct fec_slot slots[FEC_WINDOW];
	struct fec_parity pending[FEC_PENDING];
	unsigned pending_next;
	/* what goes */
	struct renumber out;
	uint8_t loss; /* of 256, as the far side told lately */
	int64_t begun_us;
	struct ulpfec_maker maker;
	uint8_t still[FEC_PACKET_MAX];
	uint8_t packet[RTP_HEADER_BYTES + 1 + FEC_PARITY_MAX + RT_CRYPT_TAIL];
};
