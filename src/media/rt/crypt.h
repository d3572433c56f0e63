/* Encryption of a stream's packets (struct rt_crypt in rt.h): SRTP under keys that are known. New keys are a new
 * object. */
#pragma once
#include "media/rt/rt.h"
#include "srtp/srtp.h"

/* key_out: of what is sent, key_in: of what comes; srtp_key_bytes each, copied. NULL: not known yet, that direction
 * lets nothing through. ST_INVAL: the same key for both, which would give both away. Given to mstream_set_crypt. */
ANY int rt_crypt_srtp_new(struct rt_crypt **out, enum srtp_suite s, const uint8_t *key_out, const uint8_t *key_in);
/* The same, where only one direction's key is new: NULL goes on with the context of the one it takes the place of, with
 * its numbers. (A key that was used once is never begun again: its numbers would come twice.) */
ANY int rt_crypt_srtp_next(struct rt_crypt **out, enum srtp_suite s, const uint8_t *key_out, const uint8_t *key_in);
/* Of one that was made and not given away. */
ANY void rt_crypt_free(struct rt_crypt *c);
