/* Redundancy of a passed line by parity (RED with ULPFEC): what pass.c, flow.c and feedback.c ask of fec.c and
 * fec_out.c. All of it only where the far side agreed to it, so that there is a struct rt_fec. */
#pragma once
#include "media/rt/rt_i.h"

/* What came, before anything of its header is mapped; p: the whole packet, plain, n bytes, pk its views. True: p, n and
 * pk are the media packet, out of RED and under the number that it would have without parity between. False: nothing is
 * left to pass on. */
ON_MEDIA bool fec_in(struct rt_flow *f, uint8_t **p, size_t *n, struct rtp_packet *pk);
/* After what came was passed on: passes on what can be had of the parity by now. */
ON_MEDIA void fec_recover(struct rt_thread *t, struct rt_flow *f);
/* A number that the far side of a relay misses, as its source s has it; false: it is not to be asked for (it never was,
 * or we have it, and then it went again). */
ON_MEDIA bool fec_wanted(struct rt_stream *s, uint16_t seq, uint16_t *out);
ANY uint64_t fec_recovered(const struct rt_fec *c);
ANY uint64_t fec_in_count(const struct rt_fec *c);

/* f->is_fec: the number of a relayed packet, where it would be by the offset alone. */
ON_MEDIA uint16_t fec_number(struct rt_flow *f, uint16_t seq);
ON_MEDIA void fec_anchor(struct rt_flow *f); /* the next packet is of another source */
/* Sends a packet, whole and with its head, in RED; a byte before it is writable. Parity may follow. */
ON_MEDIA void fec_send(struct rt_thread *t, struct rt_flow *f, uint8_t *p, size_t n);
ON_MEDIA void fec_loss(struct rt_flow *f, uint8_t fraction); /* of 256, that the far side tells */
/* The source's number of one of ours; false: it is a packet of parity, or too old. */
ON_MEDIA bool fec_number_back(const struct rt_flow *f, uint16_t seq, uint16_t *out);
ANY uint64_t fec_out_count(const struct rt_fec *c);
/* pass.c: passes on a media packet. is_recovered: what its header says of time is nobody's. */
ON_MEDIA void pass_packet(
    struct rt_thread *t, struct rt_flow *f, uint8_t *p, const struct rtp_packet *pk, bool is_recovered);
/* pass.c: the values that a sender writes last of all (times, transport numbers) are zero, as they are protected. */
ANY void exts_still(uint8_t *p, size_t n, const uint8_t exts[MEDIA_EXT_COUNT]);
