/* GRUU (RFC 5627): addresses of one phone among those of a user. A phone with +sip.instance whose REGISTER says that it
 * knows of them is told two. The public one is its user's address with the instance in it (";gr=urn:uuid:..."): nothing
 * is kept for it, and it holds over restarts of either side. The temporary one names nobody: its user part has the
 * number that the table gave the registration, encrypted with a fresh nonce and sealed, so that no two of them look
 * related; it holds as long as the phone registers in that Call-ID, and not over a restart of ours. Who is called by
 * one is asked here (gruu_find); that only the instance is reached is endpoint/sip/call/call_gruu.c's. */
#include "base/mem.h"
#include "base/rand.h"
#include "core/conf/dir.h"
#include "endpoint/sip/reg/reg_i.h"
#include "text/digest.h"

#include <string.h>

enum { NONCE_BYTES = 8, SEALED_BYTES = NONCE_BYTES + 8 + 8 /* number, seal */ };
static const char prefix[] = "tgruu.";
static uint8_t secret[32];

/* ---- the temporary one ---- */

/* Eight bytes of a function that only we know. */
static ON_CTL void prf(char what, const uint8_t *p, size_t n, uint8_t out[8])
{
	static bool has_secret;
	uint8_t in[1 + SEALED_BYTES], mac[DIGEST_SHA256_BYTES];
	if (!has_secret)
		rand_bytes(secret, sizeof(secret));
	has_secret = true;
	in[0] = (uint8_t)what;
	memcpy(in + 1, p, n);
	digest_hmac_sha256(secret, sizeof(secret), in, n + 1, mac);
	memcpy(out, mac, 8);
}

static ON_CTL void number_mask(uint8_t sealed[SEALED_BYTES])
{
	uint8_t mask[8];
	prf('n', sealed, NONCE_BYTES, mask);
	for (size_t i = 0; i < sizeof(mask); i++)
		sealed[NONCE_BYTES + i] ^= mask[i];
}

static ON_CTL void token_put(uint64_t number, struct buf *b)
{
	uint8_t sealed[SEALED_BYTES];
	char hex[2 * SEALED_BYTES + 1];
	rand_bytes(sealed, NONCE_BYTES);
	memcpy(sealed + NONCE_BYTES, &number, sizeof(number));
	number_mask(sealed);
	prf('s', sealed, NONCE_BYTES + 8, sealed + NONCE_BYTES + 8);
	digest_hex(sealed, sizeof(sealed), hex);
	buf_printf(b, "%s%s", prefix, hex);
}

static bool hex_read(struct sv text, uint8_t *out, size_t n)
{
	if (text.n != 2 * n)
		return false;
	for (size_t i = 0; i < 2 * n; i++) {
		char c = text.p[i];
		bool is_digit = c >= '0' && c <= '9', is_letter = c >= 'a' && c <= 'f';
		if (!is_digit && !is_letter)
			return false;
		uint8_t four = (uint8_t)(is_digit ? c - '0' : c - 'a' + 10);
		out[i / 2] = (uint8_t)(i % 2 ? out[i / 2] | four : four << 4);
	}
	return true;
}

/* 0: none of ours. */
static ON_CTL uint64_t token_number(struct sv user)
{
	uint8_t sealed[SEALED_BYTES], seal[8];
	uint64_t number;
	if (!hex_read(sv_sub(user, sizeof(prefix) - 1, user.n), sealed, sizeof(sealed)))
		return 0;
	prf('s', sealed, NONCE_BYTES + 8, seal);
	if (!digest_equal(seal, sealed + NONCE_BYTES + 8, sizeof(seal)))
		return 0;
	number_mask(sealed);
	memcpy(&number, sealed + NONCE_BYTES, sizeof(number));
	return number;
}

/* ---- told ---- */

static void host_put(const struct reg *r, struct buf *b)
{
	buf_printf(b, strchr(r->host, ':') ? "[%s]" : "%s", r->host);
}

/* In a parameter of a URI (RFC 3261 25.1: paramchar). */
static void instance_put(const char *instance, struct buf *b)
{
	for (const char *c = instance; *c; c++) {
		bool is_letter = (*c | 0x20) >= 'a' && (*c | 0x20) <= 'z', is_digit = *c >= '0' && *c <= '9';
		buf_printf(
		    b, is_letter || is_digit || strchr("-_.!~*'()/:&+$", *c) ? "%c" : "%%%02X", (unsigned char)*c);
	}
}

void gruu_put(const struct reg *r, struct buf *b)
{
	if (!*r->instance || !r->gruu_number || !*r->user)
		return;
	buf_printf(b, ";pub-gruu=\"sip:%s@", r->user);
	host_put(r, b);
	buf_adds(b, ";gr=");
	instance_put(r->instance, b);
	buf_adds(b, "\";temp-gruu=\"sip:");
	token_put(r->gruu_number, b);
	buf_addc(b, '@');
	host_put(r, b);
	buf_adds(b, ";gr\"");
}

/* ---- asked for ---- */

static ON_CTL const struct reg *by_number(uint64_t number)
{
	const struct reg *r = NULL;
	for (struct profile *p = profile_next(NULL); number && !r && p; p = profile_next(p))
		r = reg_table_by_gruu(reg_table_of(p), number);
	return r;
}

/* Of the instance's flows the one that came last. *is_user: it is one of ours, whether the instance is there or not. */
static ON_CTL const struct reg *by_instance(struct sv user, struct sv host, struct sv instance, bool *is_user)
{
	const struct reg *regs[REG_CONTACTS_MAX];
	struct dir_user *u = NULL;
	*is_user = dir_user_find(user, host, &u) == ST_OK;
	mem_unref(u);
	for (struct profile *p = profile_next(NULL); p; p = profile_next(p)) {
		size_t n = reg_table_find(reg_table_of(p), user, host, regs, REG_CONTACTS_MAX);
		*is_user |= n > 0;
		for (size_t i = 0; i < n && i < REG_CONTACTS_MAX; i++)
			if (sv_eq(sv_of(regs[i]->instance), instance))
				return regs[i];
	}
	return NULL;
}

int gruu_find(const struct sip_uri *u, const struct reg **out)
{
	struct sv value;
	struct buf instance;
	bool is_user = false;
	role_assert_ctl();
	*out = NULL;
	if (!sip_uri_param(u, "gr", &value) || !u->user.n || !u->host.n)
		return ST_INVAL;
	if (!value.n) {
		bool is_ours = sv_starts(u->user, SV("tgruu."));
		*out = is_ours ? by_number(token_number(u->user)) : NULL;
		return *out ? ST_OK : is_ours ? ST_NOTFOUND : ST_INVAL;
	}
	buf_init(&instance);
	sip_unescape(&instance, value);
	if (!instance.failed && sv_startsi(buf_sv(&instance), SV("urn:")))
		*out = by_instance(u->user, u->host, buf_sv(&instance), &is_user);
	buf_fini(&instance);
	return *out ? ST_OK : is_user ? ST_NOTFOUND : ST_INVAL;
}
