/* Secure RTP as a stream's crypt (rt.h): keys that were agreed on, by whatever way. */
#pragma once
#include "base/role.h"
#include "srtp/srtp.h"

struct rt_crypt;

/* A direction that has no suite (SRTP_NONE) has no keys: nothing goes that way, neither sealed nor in the clear. So two
 * times SRTP_NONE is the crypt of a stream whose keys are still being agreed on. */
struct rt_srtp_conf {
	enum srtp_suite out_suite, in_suite;
	uint8_t out_key[SRTP_KEY_MAX], in_key[SRTP_KEY_MAX]; /* master key and salt; the caller wipes his */
};
/* For mstream_set_crypt. ST_INVAL: no such suite, or one key for both ways, which would be two streams under one
 * keystream (RFC 3711 9.1); ST_NOMEM. */
ANY int rt_crypt_srtp_new(struct rt_crypt **out, const struct rt_srtp_conf *conf);
