/* Private: what an association asks of our certificate. */
#pragma once
#include "dtls/dtls.h"

struct ssl_ctx_st;
struct ssl_st;
ANY struct ssl_ctx_st *ident_ctx(const struct dtls_ident *i);
/* The far side's certificate came: whether it is one that was told. arg is what SSL_set_ex_data(ident_ex()) put. */
ANY int ident_ex(void);
ANY bool dtls_cert_fits(struct dtls *d, const uint8_t *der, size_t n);

/* alert.c: what authenticates the far side's alerts when OpenSSL's part is gone */
enum dtls_aead { DTLS_NO_AEAD, DTLS_AES_128_GCM, DTLS_AES_256_GCM, DTLS_CHACHA20_POLY1305 };
enum { DTLS_KEY_MAX = 32, DTLS_IV_BYTES = 12 };
struct dtls_alert_key {
	uint8_t aead; /* enum dtls_aead */
	uint8_t key[DTLS_KEY_MAX], iv[DTLS_IV_BYTES];
};
/* Of an association that is up. False: it is left as it was. */
ANY bool dtls_alert_key_make(struct dtls_alert_key *k, struct ssl_st *ssl, bool is_client);
/* The datagram, of any bytes, begins with an alert of the far side's that ends the association: good-bye, or a fatal
 * one. Some microseconds; not before the record has the one length it may have. */
ANY bool dtls_alert_ends(const struct dtls_alert_key *k, const uint8_t *p, size_t n);
