/* Secure RTP and RTCP (RFC 3711, 6188, 7714) as transforms of whole packets in memory, on OpenSSL's primitives: no
 * sockets, no clock. A context is one direction under one master key; it belongs to one thread at a time. Nothing
 * allocates after srtp_new, but a thread's first packet (its cipher, which goes with the thread). */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum srtp_suite {
	SRTP_NONE,
	SRTP_AES_CM_128_HMAC_SHA1_80,
	SRTP_AES_CM_128_HMAC_SHA1_32,
	SRTP_AES_CM_256_HMAC_SHA1_80,
	SRTP_AES_CM_256_HMAC_SHA1_32,
	SRTP_AEAD_AES_128_GCM,
	SRTP_AEAD_AES_256_GCM,
	SRTP_SUITE_COUNT
};
enum {
	SRTP_KEY_MAX = 46,  /* master key and salt */
	SRTP_TAIL_MAX = 20, /* what protecting adds at most: tag, and RTCP's index */
	SRTP_SSRCS_MAX =
	    8 /* of one context; more that come push out the one silent for longest, more to send are refused */
};
ANY size_t srtp_key_bytes(enum srtp_suite s);  /* master key and salt */
ANY size_t srtp_salt_bytes(enum srtp_suite s); /* of these, at the end */
/* The name in SDP (RFC 4568, 7714): "AES_CM_128_HMAC_SHA1_80"; what FreeSWITCH writes differently is read as well. */
ANY const char *srtp_suite_name(enum srtp_suite s);
ANY const char *srtp_suite_also(enum srtp_suite s); /* that second name; "" = none */
ANY enum srtp_suite srtp_suite_of(struct sv name);  /* SRTP_NONE: none that is known */

struct srtp;
/* key: srtp_key_bytes(s), copied. ST_INVAL: a suite there is not; ST_NOMEM. Free wipes. */
ANY int srtp_new(struct srtp **out, enum srtp_suite s, const uint8_t *key);
ANY void srtp_free(struct srtp *c); /* NULL is fine */

/* A packet of n bytes in place, SRTP_TAIL_MAX more bytes behind it. Its new length, or ST_PARSE: it is no packet;
 * ST_EXISTS: its number was used, or is too old to tell; ST_LIMIT: the key has done all it may (2^48 packets of a
 * source, 2^31 of RTCP; SRTP_SSRCS_MAX sources). */
ANY int srtp_seal(struct srtp *c, uint8_t *p, size_t n);
ANY int srtp_seal_rtcp(struct srtp *c, uint8_t *p, size_t n);
/* Back. ST_DENIED: its tag is not right; ST_EXISTS: it came before, or is too old to tell. Nothing is learned from a
 * packet that is refused. */
ANY int srtp_open(struct srtp *c, uint8_t *p, size_t n);
ANY int srtp_open_rtcp(struct srtp *c, uint8_t *p, size_t n);

/* A packet of c will come soon: what it needs is asked for from memory. Changes nothing. */
ANY void srtp_fetch(const struct srtp *c);

/* The keys that DTLS exports (RFC 5764 4.2): of the client and of the server, each master key and salt in one, as
 * srtp_new takes them. exported: 2 * srtp_key_bytes(s). */
ANY void srtp_keys_of_dtls(enum srtp_suite s, const uint8_t *exported, uint8_t *client, uint8_t *server);
