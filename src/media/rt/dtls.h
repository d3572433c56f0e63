/* DTLS-SRTP of a stream as its media thread has it: the datagrams of the handshake go to control through a ring, what
 * control answers is sent, and packets are protected once there are keys. */
#pragma once
#include "media/rt/rt.h"

enum {
	RT_DTLS_RECORD_MAX = 2048,
	RT_DTLS_RING_BYTES = 4096 /* three full datagrams: a flight */,
	RT_DTLS_LATE_BYTES = 256 /* some alerts */
};

/* datagrams: control reads them, MEDIA_PLUG_CRYPT is told with each; a reference is taken. keys: packets go through it,
 * it is taken when ST_OK; NULL: nothing is sent or taken until an object with keys has come in this one's place. */
ANY int rt_crypt_dtls_new(struct rt_crypt **out, struct rt_ring *datagrams, struct rt_crypt *keys);
/* A message for it (RT_C_CRYPT_TELL): sends these datagrams, each behind its length (two bytes, the high one first),
 * to where the last one came from, else where the stream sends. Copies. */
ANY int rt_dtls_out_new(struct rt_told **out, struct sv datagrams);
/* A message for it: the handshake is long over. Its ring, if it is still this one, gives way to late (a reference is
 * taken; NULL: none), into which only goes what may be an alert of the far side's; any other datagram is counted as one
 * of a wrong source and dropped, and control is not told. Packets and their keys go on. */
ANY int rt_dtls_settled_new(struct rt_told **out, struct rt_ring *datagrams, struct rt_ring *late);
/* Control: the oldest datagram into p (RT_DTLS_RECORD_MAX); 0: there is none. */
ANY size_t rt_dtls_take(struct rt_ring *r, uint8_t *p);
