/* An association: OpenSSL between two memory BIOs. One datagram goes in at a time, so that a record never runs over
 * into the next datagram; what comes out is a stream of records, which are put into datagrams of at most the MTU again
 * by the lengths in their headers. Whether the certificate is right is decided while it is read (dtls_cert_fits),
 * before OpenSSL goes on to derive anything; a wrong one ends the handshake with an alert. Keys are exported once it is
 * done. Retransmission is by OpenSSL's timer, with a first delay as of a phone call and not of a web page. OpenSSL
 * holds its 21 kB buffer of a handshake for as long as its object is there, so one that is settled goes on without: the
 * good-bye is made beforehand, as nothing else is ever sent, and the far side's is read by alert.c. */
#include "base/mem.h"
#include "dtls/dtls_i.h"
#include "srtp/srtp.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/time.h>
/* OpenSSL's numbers of the profiles have the names of our suites */
#undef SRTP_AEAD_AES_128_GCM
#undef SRTP_AEAD_AES_256_GCM

enum { RECORD_HEADER_BYTES = 13, TIMER_FIRST_US = 200000, TIMER_MAX_US = 3200000 };

struct dtls {
	SSL *ssl;                     /* NULL: it is settled */
	BIO *in, *out;                /* the ssl's */
	struct buf bye;               /* of one that is settled: its good-bye, as dtls_step gives it */
	struct dtls_alert_key theirs; /* and what the far side's is under */
	struct dtls_conf conf;
	enum dtls_state state;
	bool is_wrong_cert;
	enum srtp_suite suite;
	uint8_t key_out[SRTP_KEY_MAX], key_in[SRTP_KEY_MAX];
	char why[120];
};

size_t dtls_hash_bytes(enum dtls_hash h)
{
	return h == DTLS_SHA512 ? 64 : h == DTLS_SHA384 ? 48 : 32;
}

const char *dtls_state_name(enum dtls_state s)
{
	static const char *const names[] = {
	    [DTLS_UNDER_WAY] = "under way", [DTLS_UP] = "up", [DTLS_FAILED] = "failed", [DTLS_CLOSED] = "closed"};
	return names[s];
}

bool dtls_cert_fits(struct dtls *d, const uint8_t *der, size_t n)
{
	static const EVP_MD *(*const mds[])(void) = {
	    [DTLS_SHA256] = EVP_sha256, [DTLS_SHA384] = EVP_sha384, [DTLS_SHA512] = EVP_sha512};

	for (size_t i = 0; i < d->conf.print_count; i++) {
		const struct dtls_print *p = &d->conf.prints[i];
		uint8_t hash[EVP_MAX_MD_SIZE];
		unsigned got = 0;
		if (EVP_Digest(der, n, hash, &got, mds[p->hash](), NULL) == 1 && got == dtls_hash_bytes(p->hash) &&
		    !CRYPTO_memcmp(hash, p->bytes, got))
			return true;
	}
	d->is_wrong_cert = true;
	return false;
}

static unsigned timer_next(SSL *ssl, unsigned timer_us)
{
	(void)ssl;
	return !timer_us ? TIMER_FIRST_US : timer_us >= TIMER_MAX_US / 2 ? TIMER_MAX_US : timer_us * 2;
}

int dtls_new(struct dtls **out, const struct dtls_conf *c)
{
	struct dtls *d;

	if (!c->print_count || c->print_count > DTLS_PRINTS_MAX)
		return ST_INVAL;
	d = mem_zalloc(sizeof(*d));
	if (!d)
		return ST_NOMEM;
	d->conf = *c;
	d->conf.ident = mem_ref(c->ident);
	buf_init(&d->bye);
	d->ssl = SSL_new(ident_ctx(c->ident));
	d->in = BIO_new(BIO_s_mem()), d->out = BIO_new(BIO_s_mem());
	if (!d->ssl || !d->in || !d->out) {
		BIO_free(d->in), BIO_free(d->out);
		SSL_free(d->ssl);
		mem_unref(d->conf.ident);
		mem_free(d);
		return ST_NOMEM;
	}
	BIO_set_mem_eof_return(d->in, -1);
	BIO_set_mem_eof_return(d->out, -1);
	SSL_set_bio(d->ssl, d->in, d->out);
	SSL_set_ex_data(d->ssl, ident_ex(), d);
	DTLS_set_timer_cb(d->ssl, timer_next);
	if (!d->conf.mtu)
		d->conf.mtu = DTLS_MTU;
	SSL_set_mtu(d->ssl, d->conf.mtu);
	if (c->is_client)
		SSL_set_connect_state(d->ssl);
	else
		SSL_set_accept_state(d->ssl);
	*out = d;
	return ST_OK;
}

void dtls_free(struct dtls *d)
{
	if (!d)
		return;
	SSL_free(d->ssl);
	mem_unref(d->conf.ident);
	buf_fini(&d->bye);
	OPENSSL_cleanse(d->key_out, sizeof(d->key_out));
	OPENSSL_cleanse(d->key_in, sizeof(d->key_in));
	OPENSSL_cleanse(&d->theirs, sizeof(d->theirs));
	mem_free(d);
}

/* ---- what comes out ---- */

static void datagram_put(struct buf *out, const uint8_t *p, size_t n)
{
	uint8_t head[2] = {(uint8_t)(n >> 8), (uint8_t)n};
	buf_add(out, head, sizeof(head));
	buf_add(out, p, n);
}

static void drain(struct dtls *d, struct buf *out)
{
	char *text = NULL;
	long left = BIO_get_mem_data(d->out, &text);
	size_t n = left > 0 ? (size_t)left : 0, at = 0, from = 0;
	const uint8_t *p = (const uint8_t *)text;

	while (n - at >= RECORD_HEADER_BYTES) {
		size_t record = RECORD_HEADER_BYTES + ((size_t)p[at + 11] << 8 | p[at + 12]);
		if (record > n - at)
			break;
		if (at > from && at - from + record > d->conf.mtu) {
			datagram_put(out, p + from, at - from);
			from = at;
		}
		at += record;
	}
	if (at > from)
		datagram_put(out, p + from, at - from);
	(void)BIO_reset(d->out);
}

bool dtls_out_next(struct sv *rest, struct sv *datagram)
{
	const uint8_t *p = (const uint8_t *)rest->p;
	size_t n;

	if (rest->n < 2)
		return false;
	n = (size_t)p[0] << 8 | p[1];
	if (n > rest->n - 2)
		return false;
	*datagram = (struct sv){rest->p + 2, n};
	rest->p += 2 + n, rest->n -= 2 + n;
	return true;
}

/* ---- the handshake ---- */

static void fail(struct dtls *d, const char *why)
{
	d->state = DTLS_FAILED;
	snprintf(d->why, sizeof(d->why), "%s", why ? why : "it broke off");
	OPENSSL_cleanse(d->key_out, sizeof(d->key_out));
	OPENSSL_cleanse(d->key_in, sizeof(d->key_in));
}

static enum srtp_suite suite_of(const SSL *ssl)
{
	const SRTP_PROTECTION_PROFILE *p = SSL_get_selected_srtp_profile((SSL *)ssl);
	switch (p ? p->id : 0) { /* RFC 5764 4.1.2, RFC 7714 14.2 */
	case 1:
		return SRTP_AES_CM_128_HMAC_SHA1_80;
	case 2:
		return SRTP_AES_CM_128_HMAC_SHA1_32;
	case 7:
		return SRTP_AEAD_AES_128_GCM;
	case 8:
		return SRTP_AEAD_AES_256_GCM;
	default:
		return SRTP_NONE;
	}
}

static void done(struct dtls *d)
{
	uint8_t exported[2 * SRTP_KEY_MAX];

	d->suite = suite_of(d->ssl);
	if (!d->suite) {
		fail(d, "the far side agreed to no profile of SRTP (use_srtp)");
		return;
	}
	if (SSL_export_keying_material(
	        d->ssl, exported, 2 * srtp_key_bytes(d->suite), "EXTRACTOR-dtls_srtp", 19, NULL, 0, 0) != 1) {
		fail(d, "no keys could be exported");
		return;
	}
	srtp_keys_of_dtls(
	    d->suite, exported, d->conf.is_client ? d->key_out : d->key_in, d->conf.is_client ? d->key_in : d->key_out);
	OPENSSL_cleanse(exported, sizeof(exported));
	d->state = DTLS_UP;
}

static void failed(struct dtls *d, int result)
{
	int e = SSL_get_error(d->ssl, result);
	if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
		return;
	fail(d, d->is_wrong_cert             ? "the certificate is not the one of a=fingerprint"
	        : e == SSL_ERROR_ZERO_RETURN ? "the far side closed it"
	                                     : ERR_reason_error_string(ERR_peek_error()));
}

/* Nobody has anything to say once it is up: alerts, and flights that are sent again. */
static void read_on(struct dtls *d)
{
	char nothing[512];
	int n;

	while ((n = SSL_read(d->ssl, nothing, sizeof(nothing))) > 0)
		;
	switch (SSL_get_error(d->ssl, n)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		break;
	default: /* good-bye, or a fatal alert: both were authenticated */
		d->state = DTLS_CLOSED;
	}
}

/* Two of 16 kB, which a call may never need again once it is up: there while something is done. OpenSSL 3.0 writes
 * alerts of DTLS without asking for them. */
static bool buffers_have(struct dtls *d)
{
	return d->state != DTLS_UP || SSL_alloc_buffers(d->ssl) == 1;
}

enum dtls_state dtls_step(struct dtls *d, const uint8_t *p, size_t n, struct buf *out)
{
	if (d->state == DTLS_FAILED || d->state == DTLS_CLOSED || n > DTLS_DATAGRAM_MAX)
		return d->state;
	ERR_clear_error();
	if (!d->ssl) {
		if (n && dtls_alert_ends(&d->theirs, p, n))
			d->state = DTLS_CLOSED;
		ERR_clear_error();
		return d->state;
	}
	if (!buffers_have(d))
		return d->state;
	if (n)
		BIO_write(d->in, p, (int)n);
	else if (d->state == DTLS_UNDER_WAY && dtls_due_us(d) == 0)
		(void)DTLSv1_handle_timeout(d->ssl);
	if (d->state == DTLS_UNDER_WAY) {
		int done_now = SSL_do_handshake(d->ssl);
		if (done_now == 1)
			done(d);
		else
			failed(d, done_now);
	}
	if (d->state == DTLS_UP)
		read_on(d);
	(void)BIO_reset(d->in);
	drain(d, out);
	if (d->state == DTLS_UP)
		(void)SSL_free_buffers(d->ssl);
	ERR_clear_error();
	return d->state;
}

int64_t dtls_due_us(const struct dtls *d)
{
	struct timeval left;
	if (d->state != DTLS_UNDER_WAY || DTLSv1_get_timeout(d->ssl, &left) != 1)
		return -1;
	return (int64_t)left.tv_sec * 1000000 + left.tv_usec;
}

void dtls_keys(const struct dtls *d, enum srtp_suite *suite, uint8_t *key_out, uint8_t *key_in)
{
	*suite = d->suite;
	memcpy(key_out, d->key_out, sizeof(d->key_out));
	memcpy(key_in, d->key_in, sizeof(d->key_in));
}

static bool bye_make(struct dtls *d, struct buf *out)
{
	ERR_clear_error();
	if (!buffers_have(d))
		return false;
	SSL_shutdown(d->ssl);
	drain(d, out);
	ERR_clear_error();
	return true;
}

void dtls_close(struct dtls *d, struct buf *out)
{
	if (d->state != DTLS_UP)
		return;
	if (!d->ssl) {
		buf_add(out, d->bye.p, d->bye.n);
		d->state = DTLS_CLOSED;
	} else if (bye_make(d, out)) {
		d->state = DTLS_CLOSED;
	}
}

bool dtls_settle(struct dtls *d)
{
	if (d->state != DTLS_UP)
		return false;
	if (!d->ssl)
		return true;
	if (!d->theirs.aead && !dtls_alert_key_make(&d->theirs, d->ssl, d->conf.is_client))
		return false;
	if (!bye_make(d, &d->bye))
		return false;
	SSL_free(d->ssl); /* and its two BIOs */
	d->ssl = NULL, d->in = d->out = NULL;
	d->conf.ident = mem_unref(d->conf.ident);
	return true;
}

const char *dtls_why(const struct dtls *d)
{
	return d->why;
}
