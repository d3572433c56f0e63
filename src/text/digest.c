/* Digests over libcrypto's EVP. Fetching an algorithm and making a context are the slow parts of EVP, so both are kept:
 * algorithms per process, one context per thread (freed by the thread's key when it ends). */
#include "text/digest.h"
#include "base/check.h"
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>

enum digest_kind { DIGEST_MD5, DIGEST_SHA1, DIGEST_SHA256, DIGEST_SHA512_256, DIGEST_KIND_COUNT };
static const char *const kind_names[DIGEST_KIND_COUNT] = {"MD5", "SHA1", "SHA256", "SHA512-256"};

static EVP_MD *algorithms[DIGEST_KIND_COUNT];
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t contexts_key;
static _Thread_local EVP_MD_CTX **contexts; /* one for each kind: re-initialising with the same algorithm is cheap */

static void digest_thread_end(void *arg)
{
	EVP_MD_CTX **list = arg;
	for (int i = 0; i < DIGEST_KIND_COUNT; i++)
		EVP_MD_CTX_free(list[i]);
	OPENSSL_free(list);
}

static void digest_prepare(void)
{
	for (int i = 0; i < DIGEST_KIND_COUNT; i++) {
		algorithms[i] = EVP_MD_fetch(NULL, kind_names[i], NULL);
		CHECK(algorithms[i] != NULL);
	}
	CHECK(pthread_key_create(&contexts_key, digest_thread_end) == 0);
}

static EVP_MD_CTX *digest_context(enum digest_kind kind)
{
	if (!contexts) {
		pthread_once(&once, digest_prepare);
		contexts = OPENSSL_zalloc(sizeof *contexts * DIGEST_KIND_COUNT);
		CHECK(contexts != NULL);
		pthread_setspecific(contexts_key, contexts);
	}
	if (!contexts[kind])
		contexts[kind] = EVP_MD_CTX_new();
	CHECK(contexts[kind] != NULL);
	return contexts[kind];
}

static void digest_run(enum digest_kind kind, const struct digest_piece *pieces, size_t count, uint8_t *out)
{
	EVP_MD_CTX *ctx = digest_context(kind);
	int ok = EVP_DigestInit_ex2(ctx, algorithms[kind], NULL);

	for (size_t i = 0; i < count && ok; i++)
		if (pieces[i].n)
			ok = EVP_DigestUpdate(ctx, pieces[i].p, pieces[i].n);
	ok = ok && EVP_DigestFinal_ex(ctx, out, NULL);
	CHECK(ok);
}

void digest_md5(const void *p, size_t n, uint8_t out[DIGEST_MD5_BYTES])
{
	digest_run(DIGEST_MD5, &(struct digest_piece){p, n}, 1, out);
}

void digest_md5_pieces(const struct digest_piece *pieces, size_t count, uint8_t out[DIGEST_MD5_BYTES])
{
	digest_run(DIGEST_MD5, pieces, count, out);
}

void digest_sha1(const void *p, size_t n, uint8_t out[DIGEST_SHA1_BYTES])
{
	digest_run(DIGEST_SHA1, &(struct digest_piece){p, n}, 1, out);
}

void digest_sha256(const void *p, size_t n, uint8_t out[DIGEST_SHA256_BYTES])
{
	digest_run(DIGEST_SHA256, &(struct digest_piece){p, n}, 1, out);
}

void digest_sha512_256(const void *p, size_t n, uint8_t out[32])
{
	digest_run(DIGEST_SHA512_256, &(struct digest_piece){p, n}, 1, out);
}

/* RFC 2104; all hashes used have blocks of 64 bytes. */
static void hmac_run(enum digest_kind kind, size_t digest_bytes, const void *key, size_t key_bytes, const void *p,
    size_t n, uint8_t *out)
{
	uint8_t pad[64] = {0}, inner[64];

	if (key_bytes > sizeof pad)
		digest_run(kind, &(struct digest_piece){key, key_bytes}, 1, pad);
	else if (key_bytes)
		memcpy(pad, key, key_bytes);
	for (size_t i = 0; i < sizeof pad; i++)
		pad[i] ^= 0x36;
	digest_run(kind, (struct digest_piece[]){{pad, sizeof pad}, {p, n}}, 2, inner);
	for (size_t i = 0; i < sizeof pad; i++)
		pad[i] ^= 0x36 ^ 0x5c;
	digest_run(kind, (struct digest_piece[]){{pad, sizeof pad}, {inner, digest_bytes}}, 2, out);
	OPENSSL_cleanse(pad, sizeof pad);
}

void digest_hmac_md5(const void *key, size_t key_bytes, const void *p, size_t n, uint8_t out[DIGEST_MD5_BYTES])
{
	hmac_run(DIGEST_MD5, DIGEST_MD5_BYTES, key, key_bytes, p, n, out);
}

void digest_hmac_sha1(const void *key, size_t key_bytes, const void *p, size_t n, uint8_t out[DIGEST_SHA1_BYTES])
{
	hmac_run(DIGEST_SHA1, DIGEST_SHA1_BYTES, key, key_bytes, p, n, out);
}

void digest_hmac_sha256(const void *key, size_t key_bytes, const void *p, size_t n, uint8_t out[DIGEST_SHA256_BYTES])
{
	hmac_run(DIGEST_SHA256, DIGEST_SHA256_BYTES, key, key_bytes, p, n, out);
}

void digest_hex(const uint8_t *p, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[p[i] >> 4];
		out[2 * i + 1] = digits[p[i] & 15];
	}
	out[2 * n] = 0;
}

int digest_equal(const void *a, const void *b, size_t n)
{
	return CRYPTO_memcmp(a, b, n) == 0;
}
