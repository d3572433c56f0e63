/* Our certificate, and the OpenSSL context that all associations are made of: DTLS 1.2, forward secrecy, the SRTP
 * profiles we speak, strongest first. No session is taken up again and nothing is negotiated anew: a certificate is
 * looked at in every handshake. Authorities mean nothing here, the fingerprint in the description does (RFC 5763
 * section 5), so OpenSSL's own verification is replaced by that comparison. */
#include "base/mem.h"
#include "dtls/dtls_i.h"
#include "net/cert.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdio.h>

#define PROFILES "SRTP_AEAD_AES_256_GCM:SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80:SRTP_AES128_CM_SHA1_32"
#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!PSK"

struct dtls_ident {
	SSL_CTX *ctx;
	char print[8 + 3 * 32];
};

static pthread_once_t ex_once = PTHREAD_ONCE_INIT;
static int ex_index;
static void ex_make(void)
{
	ex_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}
int ident_ex(void)
{
	pthread_once(&ex_once, ex_make);
	return ex_index;
}

SSL_CTX *ident_ctx(const struct dtls_ident *i)
{
	return i->ctx;
}
const char *dtls_ident_print(const struct dtls_ident *i)
{
	return i->print;
}

static int verify(X509_STORE_CTX *x, void *arg)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(x, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct dtls *d = ssl ? SSL_get_ex_data(ssl, ident_ex()) : NULL;
	X509 *cert = X509_STORE_CTX_get0_cert(x);
	unsigned char *der = NULL;
	int n = d && cert ? i2d_X509(cert, &der) : -1;
	bool ok = n > 0 && dtls_cert_fits(d, der, (size_t)n);

	(void)arg;
	OPENSSL_free(der);
	X509_STORE_CTX_set_error(x, ok ? X509_V_OK : X509_V_ERR_CERT_REJECTED);
	return ok;
}

static bool print_make(struct dtls_ident *i)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	X509 *cert = SSL_CTX_get0_certificate(i->ctx);
	int at;

	if (!cert || !X509_digest(cert, EVP_sha256(), hash, &n) || n != 32)
		return false;
	at = snprintf(i->print, sizeof(i->print), "sha-256 ");
	for (unsigned k = 0; k < n; k++)
		at += snprintf(i->print + at, sizeof(i->print) - (size_t)at, k ? ":%02X" : "%02X", hash[k]);
	return true;
}

static bool ctx_fill(SSL_CTX *c, const char *path)
{
	SSL_CTX_set_options(
	    c, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_QUERY_MTU | SSL_OP_SINGLE_ECDH_USE);
	SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_verify(c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_cert_verify_callback(c, verify, NULL);
	SSL_CTX_set_read_ahead(c, 1);
	return SSL_CTX_set_min_proto_version(c, DTLS1_2_VERSION) && SSL_CTX_set_cipher_list(c, CIPHERS) &&
	       !SSL_CTX_set_tlsext_use_srtp(c, PROFILES) /* 0 is success */ &&
	       SSL_CTX_use_certificate_chain_file(c, path) == 1 &&
	       SSL_CTX_use_PrivateKey_file(c, path, SSL_FILETYPE_PEM) == 1 && SSL_CTX_check_private_key(c) == 1;
}

static void ident_free(void *obj)
{
	struct dtls_ident *i = obj;
	SSL_CTX_free(i->ctx);
}

int dtls_ident_new(struct dtls_ident **out, const char *path, struct buf *why)
{
	const char *names[] = {"tandem", NULL};
	struct dtls_ident *i;
	int st = cert_ensure(path, CERT_EC, names, NULL);

	if (st) {
		buf_printf(why, "%s cannot be made", path);
		return st;
	}
	i = mem_new_atomic(sizeof(*i), ident_free, "dtls.ident");
	if (!i)
		return ST_NOMEM;
	ERR_clear_error();
	i->ctx = SSL_CTX_new(DTLS_method());
	if (!i->ctx || !ctx_fill(i->ctx, path) || !print_make(i)) {
		const char *reason = ERR_reason_error_string(ERR_peek_last_error());
		buf_printf(why, "%s: %s", path, reason ? reason : "no usable key and certificate");
		ERR_clear_error();
		mem_unref(i);
		return ST_INVAL;
	}
	*out = i;
	return ST_OK;
}
