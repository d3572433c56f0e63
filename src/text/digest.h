/* Message digests over OpenSSL's libcrypto. Algorithms are fetched once, contexts are kept one per thread. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include <stddef.h>
#include <stdint.h>

#define DIGEST_MD5_BYTES 16
#define DIGEST_SHA1_BYTES 20
#define DIGEST_SHA256_BYTES 32
#define DIGEST_HEX_CHARS(n) (2 * (n))

ANY void digest_md5(const void *p, size_t n, uint8_t out[DIGEST_MD5_BYTES]);
ANY void digest_sha1(const void *p, size_t n, uint8_t out[DIGEST_SHA1_BYTES]);
ANY void digest_sha256(const void *p, size_t n, uint8_t out[DIGEST_SHA256_BYTES]);
ANY void digest_sha512_256(const void *p, size_t n, uint8_t out[32]);
ANY void digest_hmac_md5(const void *key, size_t key_bytes, const void *p, size_t n, uint8_t out[DIGEST_MD5_BYTES]);
ANY void digest_hmac_sha1(const void *key, size_t key_bytes, const void *p, size_t n, uint8_t out[DIGEST_SHA1_BYTES]);
ANY void digest_hmac_sha256(
    const void *key, size_t key_bytes, const void *p, size_t n, uint8_t out[DIGEST_SHA256_BYTES]);
/* Several pieces as one message (A1 = user ":" realm ":" password without joining them first). */
struct digest_piece {
	const void *p;
	size_t n;
};
ANY void digest_md5_pieces(const struct digest_piece *pieces, size_t count, uint8_t out[DIGEST_MD5_BYTES]);
/* Lower-case hex and a NUL: out holds 2 * n + 1 bytes. */
ANY void digest_hex(const uint8_t *p, size_t n, char *out);
/* Compares without telling by its duration where the difference is. */
ANY int digest_equal(const void *a, const void *b, size_t n); /* 1 equal, 0 not */
