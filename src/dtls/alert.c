/* Alerts of a far side whose association is settled (RFC 5246 section 7.2, RFC 6347 section 4.1): OpenSSL's part is
 * gone, and of the keys of DTLS only those of what comes are kept, 45 bytes. An alert is a record of a fixed length, so
 * this is all of DTLS there is to read, and nothing is believed before it is authenticated. A record that is replayed
 * does nothing: an alert that ends anything has ended it. */
#include "dtls/dtls_i.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/ssl.h>
#include <string.h>

enum {
	HEADER_BYTES = 13,
	SEQ_BYTES = 8, /* the epoch and the number in it: with the header's first three bytes in front of them */
	EXPLICIT_BYTES = 8,
	TAG_BYTES = 16,
	ALERT_BYTES = 2,
	TYPE_ALERT = 21,
	LEVEL_FATAL = 2,
	CLOSE_NOTIFY = 0,
	MASTER_BYTES = 48,
	RANDOM_BYTES = 32,
	IMPLICIT_BYTES = 4 /* of AES-GCM (RFC 5288) */
};

static const EVP_CIPHER *cipher_of(enum dtls_aead a)
{
	return a == DTLS_AES_128_GCM   ? EVP_aes_128_gcm()
	       : a == DTLS_AES_256_GCM ? EVP_aes_256_gcm()
	                               : EVP_chacha20_poly1305();
}

static size_t key_bytes(enum dtls_aead a)
{
	return a == DTLS_AES_128_GCM ? 16 : 32;
}

static size_t iv_bytes(enum dtls_aead a)
{
	return a == DTLS_CHACHA20_POLY1305 ? DTLS_IV_BYTES : IMPLICIT_BYTES;
}

static size_t explicit_bytes(enum dtls_aead a)
{
	return a == DTLS_CHACHA20_POLY1305 ? 0 : EXPLICIT_BYTES;
}

static enum dtls_aead aead_of(const SSL_CIPHER *c)
{
	switch (c ? SSL_CIPHER_get_cipher_nid(c) : NID_undef) {
	case NID_aes_128_gcm:
		return DTLS_AES_128_GCM;
	case NID_aes_256_gcm:
		return DTLS_AES_256_GCM;
	case NID_chacha20_poly1305:
		return DTLS_CHACHA20_POLY1305;
	default:
		return DTLS_NO_AEAD;
	}
}

/* RFC 5246 section 6.3; OpenSSL exports under any label but this one. */
static bool key_block(SSL *ssl, const SSL_CIPHER *cipher, uint8_t *out, size_t n)
{
	uint8_t master[MASTER_BYTES], seed[2 * RANDOM_BYTES];
	const EVP_MD *md = SSL_CIPHER_get_handshake_digest(cipher);
	const SSL_SESSION *session = SSL_get_session(ssl);
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS1-PRF", NULL);
	EVP_KDF_CTX *c = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	bool is_done = false;

	EVP_KDF_free(kdf);
	if (c && md && session && SSL_SESSION_get_master_key(session, master, sizeof(master)) == sizeof(master) &&
	    SSL_get_server_random(ssl, seed, RANDOM_BYTES) == RANDOM_BYTES &&
	    SSL_get_client_random(ssl, seed + RANDOM_BYTES, RANDOM_BYTES) == RANDOM_BYTES) {
		const OSSL_PARAM params[] = {
		    OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)EVP_MD_get0_name(md), 0),
		    OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, master, sizeof(master)),
		    OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, (char *)"key expansion", 13),
		    OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, seed, sizeof(seed)),
		    OSSL_PARAM_construct_end()};
		is_done = EVP_KDF_derive(c, out, n, params) == 1;
	}
	EVP_KDF_CTX_free(c);
	OPENSSL_cleanse(master, sizeof(master));
	return is_done;
}

bool dtls_alert_key_make(struct dtls_alert_key *k, SSL *ssl, bool is_client)
{
	const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
	enum dtls_aead a = aead_of(cipher);
	uint8_t block[2 * (DTLS_KEY_MAX + DTLS_IV_BYTES)];
	size_t key = key_bytes(a), iv = iv_bytes(a);

	/* the client's key, the server's, the client's iv, the server's: of theirs is what comes */
	if (!a || !key_block(ssl, cipher, block, 2 * (key + iv)))
		return false;
	memcpy(k->key, block + (is_client ? key : 0), key);
	memcpy(k->iv, block + 2 * key + (is_client ? iv : 0), iv);
	k->aead = a;
	OPENSSL_cleanse(block, sizeof(block));
	return true;
}

static bool aead_open(const struct dtls_alert_key *k, const uint8_t *nonce, const uint8_t *aad, const uint8_t *body,
    uint8_t text[ALERT_BYTES])
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	uint8_t rest[TAG_BYTES];
	int n = 0;
	bool is_fine =
	    c && EVP_DecryptInit_ex(c, cipher_of(k->aead), NULL, k->key, nonce) == 1 &&
	    EVP_DecryptUpdate(c, NULL, &n, aad, HEADER_BYTES) == 1 &&
	    EVP_DecryptUpdate(c, text, &n, body, ALERT_BYTES) == 1 &&
	    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, (void *)(uintptr_t)(body + ALERT_BYTES)) == 1 &&
	    EVP_DecryptFinal_ex(c, rest, &n) == 1;

	EVP_CIPHER_CTX_free(c);
	return is_fine;
}

bool dtls_alert_ends(const struct dtls_alert_key *k, const uint8_t *p, size_t n)
{
	size_t shown = explicit_bytes(k->aead), body = shown + ALERT_BYTES + TAG_BYTES;
	uint8_t nonce[DTLS_IV_BYTES], aad[HEADER_BYTES], text[ALERT_BYTES];

	/* the first record of the datagram: of DTLS 1.2, of the epoch that follows the handshake */
	if (!k->aead || n < HEADER_BYTES + body || p[0] != TYPE_ALERT || p[1] != 0xfe || p[2] != 0xfd || p[3] ||
	    p[4] != 1 || ((size_t)p[11] << 8 | p[12]) != body)
		return false;
	memcpy(nonce, k->iv, sizeof(nonce));
	if (shown)
		memcpy(nonce + IMPLICIT_BYTES, p + HEADER_BYTES, EXPLICIT_BYTES);
	else /* RFC 7905 */
		for (size_t i = 0; i < SEQ_BYTES; i++)
			nonce[DTLS_IV_BYTES - SEQ_BYTES + i] ^= p[3 + i];
	memcpy(aad, p + 3, SEQ_BYTES);
	memcpy(aad + SEQ_BYTES, p, 3);
	aad[HEADER_BYTES - 2] = 0, aad[HEADER_BYTES - 1] = ALERT_BYTES;
	if (!aead_open(k, nonce, aad, p + HEADER_BYTES + shown, text))
		return false;
	return text[0] == LEVEL_FATAL || text[1] == CLOSE_NOTIFY;
}
