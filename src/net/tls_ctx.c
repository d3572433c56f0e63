/* Contexts of TLS: OpenSSL's two SSL_CTXs (we answer, we ask) made from what the configuration says, with what has been
 * good practice in 2026 where it says nothing: TLS 1.2 and 1.3, ECDHE with AEAD, no renegotiation, no compression.
 * Sessions are taken up again by tickets only, so nothing is kept for who is gone; their keys change every hour and the
 * last but one are forgotten. The callbacks here run where the handshake does: on workers. They read the context, which
 * does not change, and what the connection brought along (tls_i.h). */
#include "net/tls_ctx.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "loop/loop.h"
#include "net/tls_i.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum {
	SNI_MAX = 64,
	SESSIONS_MAX = 32,
	SUBJECTS_MAX = 64,
	TICKET_NAME_BYTES = 16,
	HMAC_KEY_BYTES = 32,
	AES_KEY_BYTES = 32
};
#define TICKET_KEYS_US (3600 * 1000000LL)

struct ticket_key {
	uint8_t name[TICKET_NAME_BYTES], hmac[HMAC_KEY_BYTES], aes[AES_KEY_BYTES];
};
struct tls_tickets {
	struct ticket_key now, before;
	int64_t made_us;
};
struct kept_session {
	struct addr peer;
	char *name;
	SSL_SESSION *session;
};
struct tls_ctx {
	SSL_CTX *server, *client;
	struct {
		X509 *cert;
		SSL_CTX *ctx;
	} sni[SNI_MAX];
	size_t sni_count;
	char *passphrase, *subjects[SUBJECTS_MAX];
	size_t subject_count;
	unsigned verify;
	int64_t keys_life_us;
	struct tls_tickets *tickets;
	struct kept_session sessions[SESSIONS_MAX];
	size_t session_next;
};

static void tickets_dtor(void *obj)
{
	OPENSSL_cleanse(obj, sizeof(struct tls_tickets));
}

static void ctx_dtor(void *obj)
{
	struct tls_ctx *c = obj;
	SSL_CTX_free(c->server);
	SSL_CTX_free(c->client);
	for (size_t i = 0; i < c->sni_count; i++)
		SSL_CTX_free(c->sni[i].ctx);
	for (size_t i = 0; i < c->subject_count; i++)
		mem_free(c->subjects[i]);
	for (size_t i = 0; i < SESSIONS_MAX; i++) {
		SSL_SESSION_free(c->sessions[i].session);
		mem_free(c->sessions[i].name);
	}
	if (c->passphrase)
		OPENSSL_cleanse(c->passphrase, strlen(c->passphrase));
	mem_free(c->passphrase);
	mem_unref(c->tickets);
}

static const char *ssl_error(void)
{
	unsigned long e = ERR_peek_last_error();
	const char *text = e ? ERR_reason_error_string(e) : NULL;
	return text ? text : "unknown error";
}

static int fail(struct buf *why, int status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int fail(struct buf *why, int status, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	buf_vprintf(why, fmt, ap);
	va_end(ap);
	return status;
}

static const char *file_error(const char *path)
{
	return access(path, R_OK) ? strerror(errno) : ssl_error();
}

/* ---- tickets ---- */

static void ticket_key_make(struct ticket_key *k)
{
	rand_bytes(k, sizeof(*k));
}

struct tls_tickets *tls_ctx_tickets(struct tls_ctx *c)
{
	struct tls_tickets *old = c->tickets, *fresh;
	if (old && loop_now_us() - old->made_us < c->keys_life_us)
		return mem_ref(old);
	fresh = mem_new(sizeof(*fresh), tickets_dtor, "net.tls_tickets");
	if (!fresh)
		return mem_ref(old);
	ticket_key_make(&fresh->now);
	if (old && loop_now_us() - old->made_us < 2 * c->keys_life_us)
		fresh->before = old->now;
	else
		ticket_key_make(&fresh->before);
	fresh->made_us = loop_now_us();
	mem_unref(old);
	c->tickets = fresh;
	return mem_ref(fresh);
}

static int ticket_key_cb(
    SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int is_made)
{
	struct tls_side *side = SSL_get_app_data(ssl);
	const struct tls_tickets *t = side->tickets;
	const struct ticket_key *k = t ? &t->now : NULL;
	int answer = 1;
	if (!k)
		return 0;
	if (is_made) {
		memcpy(name, k->name, TICKET_NAME_BYTES);
		rand_bytes(iv, 16);
	} else if (memcmp(name, k->name, TICKET_NAME_BYTES) != 0) {
		k = &t->before;
		answer = 2; /* good, and to be replaced */
		if (memcmp(name, k->name, TICKET_NAME_BYTES) != 0)
			return 0;
	}
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)k->hmac, HMAC_KEY_BYTES),
	    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t) "SHA256", 0),
	    OSSL_PARAM_construct_end()};
	int ok = is_made ? EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, k->aes, iv)
	                 : EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, k->aes, iv);
	return ok && EVP_MAC_CTX_set_params(mac, params) ? answer : -1;
}

/* ---- sessions of ours ---- */

static int session_cb(SSL *ssl, SSL_SESSION *session)
{
	struct tls_side *side = SSL_get_app_data(ssl);
	SSL_SESSION_free(side->session);
	side->session = session;
	return 1; /* it is ours */
}

static struct kept_session *session_find(struct tls_ctx *c, const struct addr *peer, const char *name)
{
	for (size_t i = 0; i < SESSIONS_MAX; i++) {
		struct kept_session *k = &c->sessions[i];
		if (k->session && addr_eq(&k->peer, peer) && !strcasecmp(k->name, name ? name : ""))
			return k;
	}
	return NULL;
}

SSL_SESSION *tls_ctx_session_get(struct tls_ctx *c, const struct addr *peer, const char *name)
{
	struct kept_session *k = session_find(c, peer, name);
	SSL_SESSION *s = k ? k->session : NULL; /* RFC 8446 C.4: a ticket is used once */
	if (k)
		k->session = NULL;
	return s;
}

void tls_ctx_session_put(struct tls_ctx *c, const struct addr *peer, const char *name, SSL_SESSION *session)
{
	struct kept_session *k = session_find(c, peer, name);
	if (!k)
		k = &c->sessions[c->session_next++ % SESSIONS_MAX];
	SSL_SESSION_free(k->session);
	mem_free(k->name);
	k->peer = *peer;
	k->session = session;
	if (!(k->name = mem_strdup(name ? name : ""))) {
		SSL_SESSION_free(session);
		k->session = NULL;
	}
}

/* ---- who the far side is ---- */

static bool subject_is_listed(const struct tls_ctx *c, const char *name, size_t n)
{
	for (size_t i = 0; i < c->subject_count; i++)
		if (sv_isi((struct sv){name, n}, c->subjects[i]))
			return true;
	return false;
}

static bool name_is_listed(const struct tls_ctx *c, const ASN1_STRING *s)
{
	const char *p = (const char *)ASN1_STRING_get0_data(s);
	size_t n = (size_t)ASN1_STRING_length(s);
	if (memchr(p, 0, n))
		return false;
	if (subject_is_listed(c, p, n))
		return true;
	/* RFC 5922 7.1: sip:domain is the domain */
	return n > 4 && !strncasecmp(p, "sip:", 4) && subject_is_listed(c, p + 4, n - 4);
}

static bool cert_is_listed(const struct tls_ctx *c, X509 *cert)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	X509_NAME *subject = X509_get_subject_name(cert);
	bool is_listed = false;
	for (int i = 0; names && i < sk_GENERAL_NAME_num(names) && !is_listed; i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
		if (g->type == GEN_DNS || g->type == GEN_URI || g->type == GEN_EMAIL)
			is_listed = name_is_listed(c, g->d.ia5);
	}
	GENERAL_NAMES_free(names);
	for (int at = -1; !is_listed && (at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0;)
		is_listed = name_is_listed(c, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
	return is_listed;
}

bool tls_ctx_accepts(const struct tls_ctx *c, SSL *ssl, bool is_server, const char **why)
{
	if (!is_server || !(c->verify & TLS_VERIFY_SUBJECTS_IN))
		return true;
	X509 *cert = SSL_get0_peer_certificate(ssl);
	*why = cert ? "its certificate is of none of tls-verify-in-subjects" : "it shows no certificate";
	return cert && cert_is_listed(c, cert);
}

bool tls_ctx_checks_name(const struct tls_ctx *c)
{
	return c->verify & TLS_VERIFY_SUBJECTS_OUT;
}

int tls_verify_parse(const char *text, unsigned *out)
{
	static const struct {
		const char *word;
		unsigned bits;
	} words[] = {{"none", 0}, {"in", TLS_VERIFY_IN}, {"out", TLS_VERIFY_OUT},
	    {"all", TLS_VERIFY_IN | TLS_VERIFY_OUT}, {"subjects_in", TLS_VERIFY_IN | TLS_VERIFY_SUBJECTS_IN},
	    {"subjects_out", TLS_VERIFY_OUT | TLS_VERIFY_SUBJECTS_OUT},
	    {"subjects_all", TLS_VERIFY_IN | TLS_VERIFY_OUT | TLS_VERIFY_SUBJECTS_IN | TLS_VERIFY_SUBJECTS_OUT}};
	unsigned bits = 0;
	while (*text) {
		size_t n = strcspn(text, "|, "), i = 0;
		while (n && i < sizeof(words) / sizeof(words[0]) && !sv_isi((struct sv){text, n}, words[i].word))
			i++;
		if (i == sizeof(words) / sizeof(words[0]))
			return ST_INVAL;
		bits |= n ? words[i].bits : 0;
		text += n + (text[n] != 0);
	}
	*out = bits;
	return ST_OK;
}

/* ---- names that clients ask for ---- */

static int sni_cb(SSL *ssl, int *alert, void *unused)
{
	struct tls_side *side = SSL_get_app_data(ssl);
	const struct tls_ctx *c = side->ctx;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	for (size_t i = 0; name && i < c->sni_count; i++)
		if (X509_check_host(c->sni[i].cert, name, strlen(name), 0, NULL) == 1) {
			SSL_set_SSL_CTX(ssl, c->sni[i].ctx);
			break;
		}
	return SSL_TLSEXT_ERR_OK; /* else ours, as for who asks for none */
}

/* ---- making ---- */

static int passphrase_cb(char *out, int max, int is_writing, void *arg)
{
	const struct tls_ctx *c = arg;
	size_t n = c->passphrase ? strlen(c->passphrase) : 0;
	if (!n || (int)n > max)
		return -1; /* nobody is asked at a terminal */
	memcpy(out, c->passphrase, n);
	return (int)n;
}

static int version_of(struct sv word)
{
	static const struct {
		const char *name;
		int version;
	} names[] = {{"tlsv1", TLS1_VERSION}, {"tlsv1.0", TLS1_VERSION}, {"tlsv1.1", TLS1_1_VERSION},
	    {"tlsv1.2", TLS1_2_VERSION}, {"tlsv1.3", TLS1_3_VERSION}};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (sv_isi(word, names[i].name) || sv_isi(word, names[i].name + 4))
			return names[i].version;
	return 0;
}

/* From the lowest version named to the highest. "sslv23": those of today; older ones are not there any more. */
static int versions_set(SSL_CTX *ctx, const char *text, struct buf *why)
{
	int low = 0, high = 0;
	struct sv rest = sv_of(text), word;
	while (rest.n) {
		sv_split(rest, ',', &word, &rest);
		word = sv_trim(word);
		if (!word.n || sv_isi(word, "sslv23") || sv_isi(word, "sslv2") || sv_isi(word, "sslv3"))
			continue;
		int v = version_of(word);
		if (!v)
			return fail(
			    why, ST_INVAL, "tls-version: %.*s is none of tlsv1, tlsv1.1, tlsv1.2, tlsv1.3", SVF(word));
		low = !low || v < low ? v : low;
		high = v > high ? v : high;
	}
	SSL_CTX_set_min_proto_version(ctx, low ? low : TLS1_2_VERSION);
	SSL_CTX_set_max_proto_version(ctx, high ? high : TLS1_3_VERSION);
	return ST_OK;
}

static const char default_ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!eNULL";

static int common_set(SSL_CTX *ctx, struct tls_ctx *c, const struct tls_conf *conf, struct buf *why)
{
	const char *ciphers = conf->ciphers && *conf->ciphers ? conf->ciphers : default_ciphers;
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_max_send_fragment(ctx, 8192); /* what a connection allocates while it writes */
	SSL_CTX_set_default_passwd_cb(ctx, passphrase_cb);
	SSL_CTX_set_default_passwd_cb_userdata(ctx, c);
	SSL_CTX_set_verify_depth(ctx, conf->verify_depth ? (int)conf->verify_depth : 2);
	SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384");
	if (conf->checks_no_date)
		X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), X509_V_FLAG_NO_CHECK_TIME);
	if (!SSL_CTX_set_cipher_list(ctx, ciphers))
		return fail(why, ST_INVAL, "tls-ciphers: %s: %s", ciphers, ssl_error());
	return versions_set(ctx, conf->versions, why);
}

static int cert_load(SSL_CTX *ctx, const char *cert, const char *key, struct buf *why)
{
	if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
		return fail(why, ST_IO, "certificate %s: %s", cert, file_error(cert));
	if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1 || SSL_CTX_check_private_key(ctx) != 1)
		return fail(why, ST_IO, "private key %s: %s", key, file_error(key));
	return ST_OK;
}

/* The authorities' file; without one what comes in cannot be judged, for what goes out there are the system's. */
static int authorities_load(SSL_CTX *ctx, const struct tls_conf *conf, bool is_server, struct buf *why)
{
	bool has_file = conf->ca_path && !access(conf->ca_path, R_OK);
	if (has_file && SSL_CTX_load_verify_file(ctx, conf->ca_path) != 1)
		return fail(why, ST_IO, "authorities %s: %s", conf->ca_path, ssl_error());
	if (has_file && is_server && conf->verify & TLS_VERIFY_IN)
		SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(conf->ca_path));
	if (!has_file && is_server && conf->verify & TLS_VERIFY_IN)
		return fail(why, ST_IO, "tls-verify-policy asks for certificates of who connects, and %s is not there",
		    conf->ca_path ? conf->ca_path : "a file of authorities");
	if (!has_file)
		SSL_CTX_set_default_verify_paths(ctx);
	return ST_OK;
}

static int server_make(
    SSL_CTX **out, struct tls_ctx *c, const struct tls_conf *conf, const char *cert, const char *key, struct buf *why)
{
	static const unsigned char id[] = "tandem";
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	if (!ctx)
		return ST_NOMEM;
	int st = common_set(ctx, c, conf, why);
	if (!st)
		st = cert_load(ctx, cert, key, why);
	if (!st)
		st = authorities_load(ctx, conf, true, why);
	if (st) {
		SSL_CTX_free(ctx);
		return st;
	}
	SSL_CTX_set_session_id_context(ctx, id, sizeof(id) - 1);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_timeout(ctx, conf->session_life_s);
	SSL_CTX_set_num_tickets(ctx, conf->session_life_s ? 1 : 0);
	if (!conf->session_life_s)
		SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, ticket_key_cb);
	SSL_CTX_set_tlsext_servername_callback(ctx, sni_cb);
	if (conf->verify & TLS_VERIFY_IN)
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	*out = ctx;
	return ST_OK;
}

static int client_make(struct tls_ctx *c, const struct tls_conf *conf, struct buf *why)
{
	SSL_CTX *ctx = c->client = SSL_CTX_new(TLS_client_method());
	if (!ctx)
		return ST_NOMEM;
	int st = common_set(ctx, c, conf, why);
	if (!st && conf->cert_path) /* shown to who asks for it */
		st = cert_load(ctx, conf->cert_path, conf->key_path ? conf->key_path : conf->cert_path, why);
	if (!st)
		st = authorities_load(ctx, conf, false, why);
	if (st)
		return st;
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, session_cb);
	if (conf->verify & TLS_VERIFY_OUT)
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	return ST_OK;
}

static int sni_load(struct tls_ctx *c, const struct tls_conf *conf, struct buf *why)
{
	DIR *dir = conf->sni_folder ? opendir(conf->sni_folder) : NULL;
	struct dirent *e;
	int st = ST_OK;
	while (!st && dir && (e = readdir(dir))) {
		struct buf path;
		size_t n = strlen(e->d_name);
		if (n < 5 || strcmp(e->d_name + n - 4, ".pem") != 0)
			continue;
		if (c->sni_count == SNI_MAX) {
			st = fail(why, ST_INVAL, "over %d certificates in %s", SNI_MAX, conf->sni_folder);
			break;
		}
		buf_init(&path);
		buf_printf(&path, "%s/%s", conf->sni_folder, e->d_name);
		st = server_make(&c->sni[c->sni_count].ctx, c, conf, path.p, path.p, why);
		if (!st) {
			c->sni[c->sni_count].cert = SSL_CTX_get0_certificate(c->sni[c->sni_count].ctx);
			c->sni_count++;
		}
		buf_fini(&path);
	}
	if (dir)
		closedir(dir);
	return st;
}

static void subjects_read(struct tls_ctx *c, const char *text)
{
	struct sv rest = sv_of(text), word;
	while (rest.n && c->subject_count < SUBJECTS_MAX) {
		sv_split(rest, '|', &word, &rest);
		word = sv_trim(word);
		if (word.n && (c->subjects[c->subject_count] = sv_dup(word)))
			c->subject_count++;
	}
}

int tls_ctx_new(struct tls_ctx **out, const struct tls_conf *conf, struct buf *why)
{
	struct tls_ctx *c = mem_new_atomic(sizeof(*c), ctx_dtor, "net.tls_ctx");
	int st = ST_OK;
	if (!c)
		return ST_NOMEM;
	ERR_clear_error();
	c->verify = conf->verify;
	c->passphrase = conf->passphrase && *conf->passphrase ? mem_strdup(conf->passphrase) : NULL;
	c->keys_life_us = TICKET_KEYS_US;
	if (clock_us_of_s(conf->session_life_s) > c->keys_life_us)
		c->keys_life_us = clock_us_of_s(conf->session_life_s);
	subjects_read(c, conf->in_subjects);
	if (conf->verify & TLS_VERIFY_SUBJECTS_IN && !c->subject_count) {
		buf_adds(why, "tls-verify-policy asks for subjects, and tls-verify-in-subjects names none");
		st = ST_INVAL;
	}
	if (!st && conf->cert_path)
		st = server_make(
		    &c->server, c, conf, conf->cert_path, conf->key_path ? conf->key_path : conf->cert_path, why);
	if (!st && conf->cert_path)
		st = sni_load(c, conf, why);
	if (!st)
		st = client_make(c, conf, why);
	ERR_clear_error();
	if (st) {
		mem_unref(c);
		return st;
	}
	*out = c;
	return ST_OK;
}

SSL *tls_ctx_ssl_new(struct tls_ctx *c, bool is_server, struct tls_side *side)
{
	SSL_CTX *ctx = is_server ? c->server : c->client;
	SSL *ssl = ctx ? SSL_new(ctx) : NULL;
	if (ssl)
		SSL_set_app_data(ssl, side);
	return ssl;
}
