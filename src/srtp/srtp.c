/* Keys are derived once (RFC 3711 4.3, rate 0). A packet costs a counter-mode run with another IV and a SHA-1 that
 * begins where the two pads of HMAC end, or one AEAD run. The index of a packet that came is guessed from the highest
 * one that was believed (RFC 3711 3.3.1); the guess, the window of what came before and the source's place are kept
 * only when the tag is right.
 *
 *   RTP    header (12, CSRCs, extension) | payload                     -> header | cipher | tag
 *   RTCP   first 8 bytes | the rest                                    -> 8 bytes | cipher | E, index | tag
 *   AEAD   the same, but of RTCP the index stands behind the tag
 */
#define OPENSSL_SUPPRESS_DEPRECATED /* SHA_CTX: a state that can be set without an allocation */
#include "srtp/srtp.h"
#include "base/mem.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <string.h>

enum {
	RTP_HEADER = 12,
	RTCP_HEADER = 8,
	AUTH_KEY = 20,
	GCM_TAG = 16,
	IV_MAX = 16,
	INDEX_BYTES = 4,
	PACKET_MAX = 65535,
	WINDOW = 128,
	RTCP_TAG = 10
};
#define INDEX_LAST UINT64_C(0xffffffffffff)
#define RTCP_INDEX_LAST UINT32_C(0x7fffffff)
#define E_FLAG UINT32_C(0x80000000)

static const struct suite {
	const char *name, *also;
	uint8_t key, salt, tag;
	bool is_aead;
} suites[SRTP_SUITE_COUNT] = {[SRTP_AES_CM_128_HMAC_SHA1_80] = {"AES_CM_128_HMAC_SHA1_80", NULL, 16, 14, 10, false},
    [SRTP_AES_CM_128_HMAC_SHA1_32] = {"AES_CM_128_HMAC_SHA1_32", NULL, 16, 14, 4, false},
    [SRTP_AES_CM_256_HMAC_SHA1_80] = {"AES_256_CM_HMAC_SHA1_80", "AES_CM_256_HMAC_SHA1_80", 32, 14, 10, false},
    [SRTP_AES_CM_256_HMAC_SHA1_32] = {"AES_256_CM_HMAC_SHA1_32", "AES_CM_256_HMAC_SHA1_32", 32, 14, 4, false},
    [SRTP_AEAD_AES_128_GCM] = {"AEAD_AES_128_GCM", NULL, 16, 12, GCM_TAG, true},
    [SRTP_AEAD_AES_256_GCM] = {"AEAD_AES_256_GCM", NULL, 32, 12, GCM_TAG, true}};

/* Keys of RTP, or of RTCP. A packet finds them in memory that nobody touched for 20 ms, so they are kept as small as
 * they can be, and what OpenSSL makes of a key (some 700 bytes) is made anew for each packet: 60 ns against ten lines
 * of cold memory. But of AEAD, whose tables take longer. */
struct half {
	union {
		uint8_t key[32];
		EVP_CIPHER_CTX *aead;
	};
	uint8_t salt[14];
	uint32_t inner[5], outer[5]; /* SHA-1 behind the pads of HMAC */
};
struct window {       /* of a source, coming */
	uint64_t top; /* the highest that was believed */
	uint64_t seen[WINDOW / 64];
	bool is_started;
};
struct source {
	uint32_t ssrc;
	bool is_used;
	uint64_t at;             /* when it was used last, by the context's count */
	struct window rtp, out;  /* what came; of what was sent: an index is used once */
	uint32_t rtcp_out_index; /* the next */
	struct window rtcp;
};
struct srtp { /* what an RTP packet needs comes first (srtp_fetch) */
	enum srtp_suite suite;
	struct half rtp;
	uint64_t uses;
	struct source sources[SRTP_SSRCS_MAX];
	struct half rtcp;
};

size_t srtp_key_bytes(enum srtp_suite s)
{
	return s > SRTP_NONE && s < SRTP_SUITE_COUNT ? suites[s].key + suites[s].salt : 0;
}

size_t srtp_salt_bytes(enum srtp_suite s)
{
	return s > SRTP_NONE && s < SRTP_SUITE_COUNT ? suites[s].salt : 0;
}

const char *srtp_suite_name(enum srtp_suite s)
{
	return s > SRTP_NONE && s < SRTP_SUITE_COUNT ? suites[s].name : "";
}

const char *srtp_suite_also(enum srtp_suite s)
{
	return s > SRTP_NONE && s < SRTP_SUITE_COUNT && suites[s].also ? suites[s].also : "";
}

enum srtp_suite srtp_suite_of(struct sv name)
{
	for (int s = SRTP_NONE + 1; s < SRTP_SUITE_COUNT; s++)
		if (sv_isi(name, suites[s].name) || (suites[s].also && sv_isi(name, suites[s].also)))
			return (enum srtp_suite)s;
	return SRTP_NONE;
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24), p[1] = (uint8_t)(v >> 16), p[2] = (uint8_t)(v >> 8), p[3] = (uint8_t)v;
}

/* ---- keys ---- */

static const EVP_CIPHER *cipher_of(const struct suite *k, bool is_derivation)
{
	if (k->is_aead && !is_derivation)
		return k->key == 16 ? EVP_aes_128_gcm() : EVP_aes_256_gcm();
	return k->key == 16 ? EVP_aes_128_ctr() : EVP_aes_256_ctr();
}

/* RFC 3711 4.3.1: the key stream of the master key at (label << 48) ^ salt. */
static bool derive(const struct suite *k, const uint8_t *master, uint8_t label, uint8_t *out, size_t n)
{
	uint8_t iv[IV_MAX] = {0};
	int done;
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	memcpy(iv, master + k->key, k->salt);
	iv[7] ^= label;
	memset(out, 0, n);
	bool is_good = c && EVP_EncryptInit_ex(c, cipher_of(k, true), NULL, master, iv) == 1 &&
	               EVP_EncryptUpdate(c, out, &done, out, (int)n) == 1;
	EVP_CIPHER_CTX_free(c);
	return is_good;
}

/* SHA-1 of one block of key and pad, as it stands then. */
static void pad_make(uint32_t out[5], const uint8_t *key, uint8_t with)
{
	uint8_t block[SHA_CBLOCK];
	SHA_CTX c;
	memset(block, with, sizeof(block));
	for (int i = 0; i < AUTH_KEY; i++)
		block[i] ^= key[i];
	SHA1_Init(&c);
	SHA1_Update(&c, block, sizeof(block));
	out[0] = c.h0, out[1] = c.h1, out[2] = c.h2, out[3] = c.h3, out[4] = c.h4;
	OPENSSL_cleanse(block, sizeof(block));
	OPENSSL_cleanse(&c, sizeof(c));
}

static void pad_begin(SHA_CTX *c, const uint32_t at[5])
{
	*c = (SHA_CTX){.h0 = at[0], .h1 = at[1], .h2 = at[2], .h3 = at[3], .h4 = at[4], .Nl = 8 * SHA_CBLOCK};
}

static bool half_init(struct half *h, const struct suite *k, const uint8_t *master, uint8_t label)
{
	uint8_t key[32], auth[AUTH_KEY];
	bool is_good = derive(k, master, label, key, k->key) &&
	               derive(k, master, (uint8_t)(label + 1), auth, sizeof(auth)) &&
	               derive(k, master, (uint8_t)(label + 2), h->salt, k->salt);
	if (is_good && k->is_aead) {
		h->aead = EVP_CIPHER_CTX_new();
		is_good = h->aead && EVP_CipherInit_ex(h->aead, cipher_of(k, false), NULL, key, NULL, 1) == 1;
	} else if (is_good) {
		memcpy(h->key, key, k->key);
	}
	if (is_good) {
		pad_make(h->inner, auth, 0x36);
		pad_make(h->outer, auth, 0x5c);
	}
	OPENSSL_cleanse(key, sizeof(key));
	OPENSSL_cleanse(auth, sizeof(auth));
	return is_good;
}

int srtp_new(struct srtp **out, enum srtp_suite s, const uint8_t *key)
{
	if (!srtp_key_bytes(s))
		return ST_INVAL;
	struct srtp *c = mem_zalloc(sizeof(*c));
	if (!c)
		return ST_NOMEM;
	c->suite = s;
	if (!half_init(&c->rtp, &suites[s], key, 0) || !half_init(&c->rtcp, &suites[s], key, 3)) {
		srtp_free(c);
		return ST_NOMEM;
	}
	*out = c;
	return ST_OK;
}

void srtp_free(struct srtp *c)
{
	if (!c)
		return;
	if (suites[c->suite].is_aead) {
		EVP_CIPHER_CTX_free(c->rtp.aead);
		EVP_CIPHER_CTX_free(c->rtcp.aead);
	}
	OPENSSL_cleanse(c, sizeof(*c));
	mem_free(c);
}

void srtp_fetch(const struct srtp *c)
{
	for (size_t at = 0; at < offsetof(struct srtp, sources[1]); at += 64)
		__builtin_prefetch((const char *)c + at, 1);
}

void srtp_keys_of_dtls(enum srtp_suite s, const uint8_t *exported, uint8_t *client, uint8_t *server)
{
	size_t key = suites[s].key, salt = suites[s].salt;
	memcpy(client, exported, key);
	memcpy(server, exported + key, key);
	memcpy(client + key, exported + 2 * key, salt);
	memcpy(server + key, exported + 2 * key + salt, salt);
}

/* ---- sources ---- */

static struct source *source_find(struct srtp *c, uint32_t ssrc)
{
	for (int i = 0; i < SRTP_SSRCS_MAX; i++)
		if (c->sources[i].is_used && c->sources[i].ssrc == ssrc) {
			c->sources[i].at = ++c->uses;
			return &c->sources[i];
		}
	return NULL;
}

/* A place for one that is new: a free one, or that of whom nothing was heard for longest. */
static struct source *source_add(struct srtp *c, uint32_t ssrc)
{
	struct source *s = &c->sources[0];
	for (int i = 0; i < SRTP_SSRCS_MAX && s->is_used; i++)
		if (!c->sources[i].is_used || c->sources[i].at < s->at)
			s = &c->sources[i];
	memset(s, 0, sizeof(*s));
	s->is_used = true, s->ssrc = ssrc, s->at = ++c->uses;
	return s;
}

/* RFC 3711 3.3.1 and appendix A. */
static uint64_t index_guess(const struct window *w, uint16_t seq)
{
	uint64_t roc = w->top >> 16, v = roc;
	uint16_t last = (uint16_t)w->top;
	if (!w->is_started)
		return seq;
	if (last < 0x8000 && (int)seq - last > 0x8000)
		v = roc ? roc - 1 : roc;
	else if (last >= 0x8000 && (int)last - 0x8000 > seq)
		v = roc + 1;
	return v << 16 | seq;
}

static bool window_has(const struct window *w, uint64_t index)
{
	if (!w->is_started || index > w->top)
		return false;
	uint64_t back = w->top - index;
	return back >= WINDOW || (w->seen[back / 64] >> (back % 64) & 1);
}

static void window_put(struct window *w, uint64_t index)
{
	if (!w->is_started) {
		*w = (struct window){.top = index, .is_started = true};
	} else if (index > w->top) {
		uint64_t by = index - w->top;
		if (by >= WINDOW)
			memset(w->seen, 0, sizeof(w->seen));
		else if (by >= 64)
			w->seen[1] = by == 64 ? w->seen[0] : w->seen[0] << (by - 64), w->seen[0] = 0;
		else
			w->seen[1] = w->seen[1] << by | w->seen[0] >> (64 - by), w->seen[0] <<= by;
		w->top = index;
	}
	w->seen[(w->top - index) / 64] |= UINT64_C(1) << ((w->top - index) % 64);
}

/* ---- packets ---- */

/* Header with CSRCs and extension; 0: it is none. */
static size_t header_bytes(const uint8_t *p, size_t n)
{
	if (n < RTP_HEADER || p[0] >> 6 != 2 || n > PACKET_MAX)
		return 0;
	size_t h = RTP_HEADER + 4 * (size_t)(p[0] & 15);
	if (p[0] & 0x10) {
		if (n < h + 4)
			return 0;
		h += 4 + 4 * ((size_t)p[h + 2] << 8 | p[h + 3]);
	}
	return h <= n ? h : 0;
}

/* ---- the counter-mode ciphers of this thread, which take on the key of each packet ---- */

static _Thread_local struct ciphers {
	EVP_CIPHER_CTX *of_128, *of_256;
} ciphers;
static pthread_key_t ciphers_key;
static pthread_once_t ciphers_once = PTHREAD_ONCE_INIT;
static bool has_ciphers_key;

static void ciphers_free(void *p)
{
	struct ciphers *c = p;
	EVP_CIPHER_CTX_free(c->of_128); /* wipes the last key */
	EVP_CIPHER_CTX_free(c->of_256);
}

static void ciphers_init(void)
{
	has_ciphers_key = !pthread_key_create(&ciphers_key, ciphers_free);
}

static EVP_CIPHER_CTX *cipher_new(const struct suite *k)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	(void)pthread_once(&ciphers_once, ciphers_init);
	if (c && has_ciphers_key && !pthread_setspecific(ciphers_key, &ciphers) &&
	    EVP_CipherInit_ex(c, cipher_of(k, true), NULL, NULL, NULL, 1) == 1)
		return c;
	EVP_CIPHER_CTX_free(c);
	return NULL;
}

/* NULL: out of memory. */
static EVP_CIPHER_CTX *cipher_of_thread(const struct suite *k)
{
	EVP_CIPHER_CTX **c = k->key == 16 ? &ciphers.of_128 : &ciphers.of_256;
	return *c ? *c : (*c = cipher_new(k));
}

/* ---- transforms ---- */

static void cm_iv(const struct half *h, uint32_t ssrc, uint64_t index, uint8_t iv[IV_MAX])
{
	memset(iv, 0, IV_MAX);
	memcpy(iv, h->salt, 14);
	for (int i = 0; i < 4; i++)
		iv[4 + i] ^= (uint8_t)(ssrc >> (24 - 8 * i));
	for (int i = 0; i < 6; i++)
		iv[8 + i] ^= (uint8_t)(index >> (40 - 8 * i));
}

static bool cm_run(const struct suite *k, const struct half *h, uint32_t ssrc, uint64_t index, uint8_t *p, size_t n)
{
	uint8_t iv[IV_MAX];
	int done;
	EVP_CIPHER_CTX *c = cipher_of_thread(k);
	cm_iv(h, ssrc, index, iv);
	return c && EVP_CipherInit_ex(c, NULL, NULL, h->key, iv, 1) == 1 &&
	       EVP_EncryptUpdate(c, p, &done, p, (int)n) == 1;
}

static void hmac(const struct half *h, const uint8_t *p, size_t n, const uint8_t *more, size_t more_n,
    uint8_t out[SHA_DIGEST_LENGTH])
{
	SHA_CTX c;
	uint8_t middle[SHA_DIGEST_LENGTH];
	pad_begin(&c, h->inner);
	SHA1_Update(&c, p, n);
	SHA1_Update(&c, more, more_n);
	SHA1_Final(middle, &c);
	pad_begin(&c, h->outer);
	SHA1_Update(&c, middle, sizeof(middle));
	SHA1_Final(out, &c);
}

/* AEAD: iv made, data in place; tag written or compared. */
static bool gcm_run(struct half *h, bool is_sealing, const uint8_t iv[12], const uint8_t *aad, size_t aad_n,
    const uint8_t *aad2, size_t aad2_n, uint8_t *p, size_t n, uint8_t *tag)
{
	int done;
	if (EVP_CipherInit_ex(h->aead, NULL, NULL, NULL, iv, is_sealing) != 1)
		return false;
	if (!is_sealing && EVP_CIPHER_CTX_ctrl(h->aead, EVP_CTRL_GCM_SET_TAG, GCM_TAG, tag) != 1)
		return false;
	if (EVP_CipherUpdate(h->aead, NULL, &done, aad, (int)aad_n) != 1 ||
	    (aad2_n && EVP_CipherUpdate(h->aead, NULL, &done, aad2, (int)aad2_n) != 1))
		return false;
	if (n && EVP_CipherUpdate(h->aead, p, &done, p, (int)n) != 1)
		return false;
	if (EVP_CipherFinal_ex(h->aead, p + n, &done) != 1)
		return false;
	return !is_sealing || EVP_CIPHER_CTX_ctrl(h->aead, EVP_CTRL_GCM_GET_TAG, GCM_TAG, tag) == 1;
}

/* RFC 7714 8.1 */
static void gcm_iv(const struct half *h, uint32_t ssrc, uint64_t index, uint8_t iv[12])
{
	memset(iv, 0, 12);
	put32(iv + 2, ssrc);
	put32(iv + 6, (uint32_t)(index >> 16));
	iv[10] = (uint8_t)(index >> 8), iv[11] = (uint8_t)index;
	for (int i = 0; i < 12; i++)
		iv[i] ^= h->salt[i];
}

/* RFC 7714 9.1 */
static void gcm_iv_rtcp(const struct half *h, uint32_t ssrc, uint32_t index, uint8_t iv[12])
{
	memset(iv, 0, 12);
	put32(iv + 2, ssrc);
	put32(iv + 8, index);
	for (int i = 0; i < 12; i++)
		iv[i] ^= h->salt[i];
}

/* Of what is sent nobody is pushed out: who came back would begin at index 0 again, two packets under one keystream. */
static struct source *source_start(struct srtp *c, uint32_t ssrc)
{
	for (int i = 0; i < SRTP_SSRCS_MAX; i++)
		if (!c->sources[i].is_used)
			return source_add(c, ssrc);
	return NULL;
}

int srtp_seal(struct srtp *c, uint8_t *p, size_t n)
{
	const struct suite *k = &suites[c->suite];
	size_t head = header_bytes(p, n);
	uint8_t iv[12], mac[SHA_DIGEST_LENGTH], roc[4];
	if (!head)
		return ST_PARSE;
	uint32_t ssrc = get32(p + 8);
	uint16_t seq = (uint16_t)(p[2] << 8 | p[3]);
	struct source *s = source_find(c, ssrc);
	if (!s && !(s = source_start(c, ssrc)))
		return ST_LIMIT;
	uint64_t index = index_guess(&s->out, seq);
	if (index > INDEX_LAST)
		return ST_LIMIT;
	if (window_has(&s->out, index))
		return ST_EXISTS; /* other bytes under the same key stream would give both away */
	window_put(&s->out, index);
	if (k->is_aead) {
		gcm_iv(&c->rtp, ssrc, index, iv);
		return gcm_run(&c->rtp, true, iv, p, head, NULL, 0, p + head, n - head, p + n) ? (int)(n + GCM_TAG)
		                                                                               : ST_NOMEM;
	}
	if (!cm_run(k, &c->rtp, ssrc, index, p + head, n - head))
		return ST_NOMEM;
	put32(roc, (uint32_t)(index >> 16));
	hmac(&c->rtp, p, n, roc, sizeof(roc), mac);
	memcpy(p + n, mac, k->tag);
	return (int)(n + k->tag);
}

int srtp_open(struct srtp *c, uint8_t *p, size_t n)
{
	const struct suite *k = &suites[c->suite];
	size_t head = header_bytes(p, n);
	uint8_t iv[12], mac[SHA_DIGEST_LENGTH], roc[4];
	if (!head || n < head + k->tag)
		return ST_PARSE;
	uint32_t ssrc = get32(p + 8);
	uint16_t seq = (uint16_t)(p[2] << 8 | p[3]);
	struct source *s = source_find(c, ssrc);
	static const struct window none;
	uint64_t index = index_guess(s ? &s->rtp : &none, seq);
	n -= k->tag;
	if (s && window_has(&s->rtp, index))
		return ST_EXISTS;
	if (k->is_aead) {
		gcm_iv(&c->rtp, ssrc, index, iv);
		if (!gcm_run(&c->rtp, false, iv, p, head, NULL, 0, p + head, n - head, p + n))
			return ST_DENIED;
	} else {
		put32(roc, (uint32_t)(index >> 16));
		hmac(&c->rtp, p, n, roc, sizeof(roc), mac);
		if (CRYPTO_memcmp(mac, p + n, k->tag) != 0)
			return ST_DENIED;
		if (!cm_run(k, &c->rtp, ssrc, index, p + head, n - head))
			return ST_NOMEM;
	}
	if (!s)
		s = source_add(c, ssrc);
	window_put(&s->rtp, index);
	return (int)n;
}

static bool is_rtcp(const uint8_t *p, size_t n)
{
	return n >= RTCP_HEADER && n <= PACKET_MAX && p[0] >> 6 == 2;
}

int srtp_seal_rtcp(struct srtp *c, uint8_t *p, size_t n)
{
	const struct suite *k = &suites[c->suite];
	uint8_t iv[12], mac[SHA_DIGEST_LENGTH], e_index[INDEX_BYTES];
	if (!is_rtcp(p, n))
		return ST_PARSE;
	uint32_t ssrc = get32(p + 4);
	struct source *s = source_find(c, ssrc);
	if (!s && !(s = source_start(c, ssrc)))
		return ST_LIMIT;
	if (s->rtcp_out_index >= RTCP_INDEX_LAST)
		return ST_LIMIT;
	uint32_t index = ++s->rtcp_out_index;
	put32(e_index, E_FLAG | index);
	if (k->is_aead) {
		gcm_iv_rtcp(&c->rtcp, ssrc, index, iv);
		if (!gcm_run(&c->rtcp, true, iv, p, RTCP_HEADER, e_index, sizeof(e_index), p + RTCP_HEADER,
		        n - RTCP_HEADER, p + n))
			return ST_NOMEM;
		memcpy(p + n + GCM_TAG, e_index, sizeof(e_index));
		return (int)(n + GCM_TAG + INDEX_BYTES);
	}
	if (!cm_run(k, &c->rtcp, ssrc, index, p + RTCP_HEADER, n - RTCP_HEADER))
		return ST_NOMEM;
	memcpy(p + n, e_index, sizeof(e_index));
	hmac(&c->rtcp, p, n + INDEX_BYTES, NULL, 0, mac);
	memcpy(p + n + INDEX_BYTES, mac, RTCP_TAG);
	return (int)(n + INDEX_BYTES + RTCP_TAG);
}

/* What was sealed; the plain form (no E flag) is not believed. */
static int rtcp_open(struct srtp *c, uint8_t *p, size_t n, const uint8_t *e_index, uint32_t index)
{
	const struct suite *k = &suites[c->suite];
	uint32_t ssrc = get32(p + 4);
	uint8_t iv[12], mac[SHA_DIGEST_LENGTH];
	if (k->is_aead) {
		gcm_iv_rtcp(&c->rtcp, ssrc, index, iv);
		return gcm_run(&c->rtcp, false, iv, p, RTCP_HEADER, e_index, INDEX_BYTES, p + RTCP_HEADER,
		           n - RTCP_HEADER, p + n)
		           ? ST_OK
		           : ST_DENIED;
	}
	hmac(&c->rtcp, p, n + INDEX_BYTES, NULL, 0, mac);
	if (CRYPTO_memcmp(mac, p + n + INDEX_BYTES, RTCP_TAG) != 0)
		return ST_DENIED;
	return cm_run(k, &c->rtcp, ssrc, index, p + RTCP_HEADER, n - RTCP_HEADER) ? ST_OK : ST_NOMEM;
}

int srtp_open_rtcp(struct srtp *c, uint8_t *p, size_t n)
{
	const struct suite *k = &suites[c->suite];
	size_t tail = INDEX_BYTES + (k->is_aead ? GCM_TAG : RTCP_TAG);
	uint8_t e_index[INDEX_BYTES];
	if (!is_rtcp(p, n) || n < RTCP_HEADER + tail)
		return ST_PARSE;
	n -= tail;
	memcpy(e_index, p + n + (k->is_aead ? GCM_TAG : 0), sizeof(e_index));
	uint32_t index = get32(e_index);
	if (!(index & E_FLAG))
		return ST_DENIED;
	index &= ~E_FLAG;
	struct source *s = source_find(c, get32(p + 4));
	if (s && window_has(&s->rtcp, index))
		return ST_EXISTS;
	uint32_t ssrc = get32(p + 4);
	int st = rtcp_open(c, p, n, e_index, index);
	if (st)
		return st;
	if (!s)
		s = source_add(c, ssrc);
	window_put(&s->rtcp, index);
	return (int)n;
}
