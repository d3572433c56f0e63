/* a=crypto (RFC 4568): the keys of SRTP as descriptions carry them. No suite is known by name here: the caller judges
 * that, and with it whether the key is as long as it must be. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"

enum { SDP_CRYPTO_KEY_MAX = 46, SDP_CRYPTO_LINE_MAX = 512 };

struct sdp_crypto {
	uint32_t tag;    /* 1 to 999999999 */
	struct sv suite; /* points into the line */
	uint8_t key[SDP_CRYPTO_KEY_MAX];
	size_t key_n;              /* master key and salt, at least one byte */
	uint64_t lifetime_packets; /* 0: none is named */
};
/* value: what stands behind "a=crypto:". ST_PARSE: it is no such line; ST_UNSUPPORTED: it is one that asks for what is
 * not done: several keys, an MKI, session parameters (but WSH, a hint, and those that say "-": may be ignored). Then
 * nothing of *out counts. */
ANY int sdp_crypto_read(struct sv value, struct sdp_crypto *out);
/* Appends "TAG SUITE inline:KEY". */
ANY int sdp_crypto_write(struct buf *out, uint32_t tag, struct sv suite, const uint8_t *key, size_t key_n);
