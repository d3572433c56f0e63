/* SRTP of the phones (RFC 3711, AES_CM_128_HMAC_SHA1_80, keys by RFC 4568), of our own on OpenSSL's primitives: the
 * load must not be the slower side, and the switch's code must not be judged by itself. Each phone has a key of its
 * own, made of the run's secret, its call and its side. */
#define OPENSSL_SUPPRESS_DEPRECATED /* SHA_CTX: a state that can be copied without an allocation */
#include "srtp.h"
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY = 16, SALT = 14, MASTER = KEY + SALT, AUTH = 20, HEADER = 12 };
static const char suite[] = "AES_CM_128_HMAC_SHA1_80";

struct way {
	EVP_CIPHER_CTX *cipher;
	uint8_t salt[SALT];
	SHA_CTX inner, outer;
	uint32_t roc;
	uint16_t seq;
	bool is_started;
};
static struct way *ours[2], *theirs[2];

static void derive(const uint8_t *master, uint8_t label, uint8_t *out, int n)
{
	uint8_t iv[16] = {0};
	int done;
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	memcpy(iv, master + KEY, SALT);
	iv[7] ^= label;
	memset(out, 0, (size_t)n);
	if (!c || EVP_EncryptInit_ex(c, EVP_aes_128_ctr(), NULL, master, iv) != 1 ||
	    EVP_EncryptUpdate(c, out, &done, out, n) != 1) {
		fprintf(stderr, "bench_load: AES does not work\n");
		exit(1);
	}
	EVP_CIPHER_CTX_free(c);
}

static void way_init(struct way *w, const uint8_t *master)
{
	uint8_t key[KEY], auth[AUTH], pad[SHA_CBLOCK];
	derive(master, 0, key, KEY);
	derive(master, 1, auth, AUTH);
	derive(master, 2, w->salt, SALT);
	EVP_CIPHER_CTX_free(w->cipher);
	w->cipher = EVP_CIPHER_CTX_new();
	if (!w->cipher || EVP_EncryptInit_ex(w->cipher, EVP_aes_128_ctr(), NULL, key, NULL) != 1)
		exit(1);
	for (int is_outer = 0; is_outer < 2; is_outer++) {
		memset(pad, is_outer ? 0x5c : 0x36, sizeof(pad));
		for (int i = 0; i < AUTH; i++)
			pad[i] ^= auth[i];
		SHA1_Init(is_outer ? &w->outer : &w->inner);
		SHA1_Update(is_outer ? &w->outer : &w->inner, pad, sizeof(pad));
	}
	w->is_started = false;
	w->roc = 0;
}

static void master_of(unsigned side, uint32_t slot, uint8_t *master)
{
	static uint8_t secret[MASTER];
	static bool is_made;
	if (!is_made && RAND_bytes(secret, sizeof(secret)) != 1)
		exit(1);
	is_made = true;
	memcpy(master, secret, MASTER);
	for (int i = 0; i < 4; i++)
		master[i] ^= (uint8_t)(slot >> 8 * i);
	master[4] ^= (uint8_t)side;
}

void phone_keys_init(void)
{
	for (int side = 0; side < 2; side++) {
		ours[side] = calloc(SLOTS, sizeof(struct way));
		theirs[side] = calloc(SLOTS, sizeof(struct way));
		if (!ours[side] || !theirs[side])
			exit(1);
	}
}

int phone_key_line(char *out, size_t size, unsigned side, uint32_t slot, unsigned tag)
{
	uint8_t master[MASTER], text[4 * MASTER / 3 + 4];
	master_of(side, slot, master);
	way_init(&ours[side][slot], master);
	EVP_EncodeBlock(text, master, MASTER);
	return snprintf(out, size, "a=crypto:%u %s inline:%s\r\n", tag, suite, text);
}

unsigned phone_key_take(unsigned side, uint32_t slot, struct span body)
{
	static const char begin[] = "a=crypto:";
	const char *end = body.p + body.n, *p = body.p;
	uint8_t master[MASTER + 3];

	while ((p = memmem(p, (size_t)(end - p), begin, sizeof(begin) - 1))) {
		p += sizeof(begin) - 1;
		const char *name = memchr(p, ' ', (size_t)(end - p)), *key = NULL;
		if (!name || (size_t)(end - name) < sizeof(suite) + 48 || memcmp(name + 1, suite, sizeof(suite) - 1))
			continue;
		key = name + sizeof(suite) + 1;
		if (memcmp(key, "inline:", 7) || EVP_DecodeBlock(master, (const uint8_t *)key + 7, 40) < MASTER)
			continue;
		way_init(&theirs[side][slot], master);
		return (unsigned)atoi(p);
	}
	return 0;
}

/* The packet's index by RFC 3711 3.3.1, simplified: what comes is in order but for a few. */
static uint32_t roc_of(struct way *w, const uint8_t *p)
{
	uint16_t seq = (uint16_t)(p[2] << 8 | p[3]);
	if (w->is_started && w->seq > 0xf000 && seq < 0x1000)
		w->roc++;
	w->seq = seq;
	w->is_started = true;
	return w->roc;
}

static void crypt(struct way *w, uint8_t *p, int n, uint32_t roc)
{
	uint8_t iv[16] = {0};
	int done;
	memcpy(iv, w->salt, SALT);
	for (int i = 0; i < 4; i++)
		iv[4 + i] ^= p[8 + i], iv[8 + i] ^= (uint8_t)(roc >> 8 * (3 - i));
	iv[12] ^= p[2], iv[13] ^= p[3];
	EVP_EncryptInit_ex(w->cipher, NULL, NULL, NULL, iv);
	EVP_EncryptUpdate(w->cipher, p + HEADER, &done, p + HEADER, n - HEADER);
}

static void tag_make(const struct way *w, const uint8_t *p, int n, uint32_t roc, uint8_t *digest)
{
	SHA_CTX c = w->inner;
	uint8_t bytes[4] = {(uint8_t)(roc >> 24), (uint8_t)(roc >> 16), (uint8_t)(roc >> 8), (uint8_t)roc};
	SHA1_Update(&c, p, (size_t)n);
	SHA1_Update(&c, bytes, sizeof(bytes));
	SHA1_Final(digest, &c);
	c = w->outer;
	SHA1_Update(&c, digest, SHA_DIGEST_LENGTH);
	SHA1_Final(digest, &c);
}

int phone_seal(unsigned side, uint32_t slot, uint8_t *p, int n)
{
	struct way *w = &ours[side][slot];
	uint8_t digest[SHA_DIGEST_LENGTH];
	uint32_t roc = roc_of(w, p);
	crypt(w, p, n, roc);
	tag_make(w, p, n, roc, digest);
	memcpy(p + n, digest, PHONE_TAG);
	return n + PHONE_TAG;
}

bool phone_open(unsigned side, uint32_t slot, uint8_t *p, int n)
{
	struct way *w = &theirs[side][slot];
	uint8_t digest[SHA_DIGEST_LENGTH];
	if (!w->cipher || n < HEADER + PHONE_TAG)
		return false;
	uint32_t roc = roc_of(w, p);
	tag_make(w, p, n - PHONE_TAG, roc, digest);
	if (memcmp(p + n - PHONE_TAG, digest, PHONE_TAG))
		return false;
	crypt(w, p, n - PHONE_TAG, roc);
	return true;
}
