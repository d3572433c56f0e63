/* Digest, the server's side: nonces that prove themselves (birth time and HMAC), the check of an answer, and nonce
 * counts in a fixed table of sets. Only right answers reach the table; what falls out of it is remembered by its birth
 * time alone: an older nonce of that set is called stale, so that nothing evicted can be replayed. */
#include "sip/digest.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/rand.h"
#include "text/digest.h"
#include <stdio.h>
#include <string.h>

#define WAYS 4
#define TIME_CHARS 16
#define SALT_CHARS 8
#define MAC_CHARS 32
/* One an answer: at 20,000 registrations a second a nonce is remembered for three seconds, which outlives a backlog. */
#define SLOTS_DEFAULT 65536
#define PLACE_CHARS 16
#define NONCE_CHARS (TIME_CHARS + SALT_CHARS + MAC_CHARS + PLACE_CHARS)

struct slot {
	uint64_t hash; /* 0 = free */
	int64_t birth_us;
	uint64_t seen; /* bit i: nc last - i was used */
	uint32_t last_nc, use_count;
};
struct set {
	struct slot slots[WAYS];
	int64_t evicted_birth_us; /* the youngest nonce that fell out; 0 = none yet, so that what is never used stays
	                             unmapped */
};
struct digest_server {
	struct digest_config cfg;
	uint8_t key[32];
	struct set *sets;
	size_t set_count;
	uint64_t computed_count;
};

int digest_server_new(struct digest_server **out, const struct digest_config *cfg)
{
	struct digest_server *d = mem_zalloc(sizeof(*d));
	if (!d)
		return ST_NOMEM;
	if (cfg)
		d->cfg = *cfg;
	if (d->cfg.nonce_life_us <= 0)
		d->cfg.nonce_life_us = 300 * 1000000LL;
	uint32_t slots = d->cfg.nonce_table_slots ? d->cfg.nonce_table_slots : SLOTS_DEFAULT;
	d->set_count = (slots + WAYS - 1) / WAYS;
	d->sets = mem_zalloc(d->set_count * sizeof(d->sets[0]));
	if (!d->sets) {
		mem_free(d);
		return ST_NOMEM;
	}
	rand_bytes(d->key, sizeof(d->key));
	*out = d;
	return ST_OK;
}

void digest_server_free(struct digest_server *d)
{
	if (!d)
		return;
	mem_free(d->sets);
	mem_free(d);
}

static void nonce_mac(const struct digest_server *d, const char *text, char *out /* MAC_CHARS + 1 */)
{
	uint8_t mac[32];
	digest_hmac_sha256(d->key, sizeof(d->key), text, TIME_CHARS + SALT_CHARS, mac);
	digest_hex(mac, MAC_CHARS / 2, out);
}

/* Keyed: who does not get our answers cannot tell what stands in a nonce for his victim's address. */
static void nonce_place(const struct digest_server *d, const char *text, const struct addr *to, char *out)
{
	uint8_t in[sizeof(d->key) + TIME_CHARS + SALT_CHARS + 8] = {0};
	struct sv host = to ? addr_host_key(to) : SV_NONE;
	memcpy(in, d->key, sizeof(d->key));
	memcpy(in + sizeof(d->key), text, TIME_CHARS + SALT_CHARS);
	if (host.n)
		memcpy(in + sizeof(in) - 8, host.p, host.n);
	snprintf(out, PLACE_CHARS + 1, "%016llx", (unsigned long long)hash_bytes(in, sizeof(in)));
}

static void nonce_make(const struct digest_server *d, const struct addr *to, char *out /* NONCE_CHARS + 1 */)
{
	snprintf(out, TIME_CHARS + SALT_CHARS + 1, "%016llx%08x", (unsigned long long)clock_mono_us(), rand_u32());
	nonce_mac(d, out, out + TIME_CHARS + SALT_CHARS);
	nonce_place(d, out, to, out + TIME_CHARS + SALT_CHARS + MAC_CHARS);
}

/* true when it is ours, of this run; birth as clock_mono_us. */
static bool nonce_read(const struct digest_server *d, struct sv nonce, int64_t *birth_us)
{
	char mac[MAC_CHARS + 1];
	uint64_t t = 0;
	if (nonce.n != NONCE_CHARS)
		return false;
	nonce_mac(d, nonce.p, mac);
	if (!digest_equal(mac, nonce.p + TIME_CHARS + SALT_CHARS, MAC_CHARS))
		return false;
	for (int i = 0; i < TIME_CHARS; i++)
		t = t * 16 + (uint64_t)(nonce.p[i] <= '9' ? nonce.p[i] - '0' : nonce.p[i] - 'a' + 10);
	*birth_us = (int64_t)t;
	return true;
}

bool digest_is_given_to(const struct digest_server *d, struct sv nonce, const struct addr *src)
{
	char place[PLACE_CHARS + 1];
	int64_t birth_us;
	if (!nonce_read(d, nonce, &birth_us))
		return false;
	nonce_place(d, nonce.p, src, place);
	return digest_equal(place, nonce.p + NONCE_CHARS - PLACE_CHARS, PLACE_CHARS);
}

uint64_t digest_computed_count(const struct digest_server *d)
{
	return d->computed_count;
}

void digest_challenge_put(struct digest_server *d, struct buf *out, bool is_proxy, const char *realm,
    enum digest_algorithm alg, bool is_stale, const struct addr *to)
{
	char nonce[NONCE_CHARS + 1];
	nonce_make(d, to, nonce);
	buf_adds(out, is_proxy ? "Proxy-Authenticate: Digest realm=" : "WWW-Authenticate: Digest realm=");
	sip_put_quoted(out, sv_of(realm));
	buf_printf(out, ", nonce=\"%s\"", nonce);
	if (d->cfg.is_opaque_sent)
		buf_printf(out, ", opaque=\"%.8s\"", nonce + TIME_CHARS);
	buf_printf(out, "%s, algorithm=%s, qop=\"auth\"\r\n", is_stale ? ", stale=true" : "",
	    alg == DIGEST_SHA256 ? "SHA-256" : "MD5");
}

/* Digest of the pieces joined by ':', in hex. */
static void joined(enum digest_algorithm alg, const struct sv *parts, size_t count, char *out)
{
	uint8_t sum[32];
	struct buf b;
	buf_init(&b);
	for (size_t i = 0; i < count; i++) {
		if (i)
			buf_addc(&b, ':');
		buf_addv(&b, parts[i]);
	}
	if (alg == DIGEST_SHA256)
		digest_sha256(b.p, b.n, sum);
	else
		digest_md5(b.p, b.n, sum);
	digest_hex(sum, alg == DIGEST_SHA256 ? 32 : 16, out);
	buf_fini(&b);
}

void digest_ha1(enum digest_algorithm alg, struct sv user, struct sv realm, struct sv password, char *out)
{
	struct sv parts[] = {user, realm, password};
	joined(alg, parts, 3, out);
}

void digest_response(enum digest_algorithm alg, const char *ha1_hex, struct sv nonce, struct sv nc, struct sv cnonce,
    struct sv qop, struct sv method, struct sv uri, char *out)
{
	char ha2[65];
	struct sv a2[] = {method, uri};
	joined(alg, a2, 2, ha2);
	if (qop.n) {
		struct sv parts[] = {sv_of(ha1_hex), nonce, nc, cnonce, qop, sv_of(ha2)};
		joined(alg, parts, 6, out);
	} else {
		struct sv parts[] = {sv_of(ha1_hex), nonce, sv_of(ha2)};
		joined(alg, parts, 3, out);
	}
}

int digest_answer_get(const struct sip_msg *m, bool is_proxy, struct sv realm, struct sip_auth *out)
{
	const struct sip_hdr *h = sip_msg_hdr(m, is_proxy ? SIP_HDR_PROXY_AUTHORIZATION : SIP_HDR_AUTHORIZATION);
	for (; h; h = sip_msg_hdr_next(m, h)) {
		struct sip_auth a;
		int st = sip_auth_parse(&a, h->value);
		if (st == ST_UNSUPPORTED)
			continue;
		if (st)
			return ST_PARSE;
		if (realm.n && !sv_eq(realm, a.realm))
			continue;
		if (!a.username.p || !a.nonce.n || !a.uri.n || !a.response.n || !a.realm.p)
			return ST_PARSE;
		*out = a;
		return ST_OK;
	}
	return ST_NOTFOUND;
}

static bool uri_fits(const struct sip_msg *m, struct sv uri)
{
	struct sip_uri u;
	if (sip_uri_parse(&u, uri))
		return false;
	/* hosts are rewritten on the way; the user it is for is not */
	return !u.user.n || !m->ruri.user.n || sv_eq(u.user, m->ruri.user);
}

static bool response_fits(
    const struct sip_msg *m, const struct sip_auth *a, enum digest_algorithm alg, const struct digest_secret *secret)
{
	char ha1[65], want[65], got[65];
	size_t n = alg == DIGEST_SHA256 ? 64 : 32;
	/* a stored HA1 is of one algorithm only */
	bool has_ha1 = secret->ha1 && strlen(secret->ha1) == n;
	if (!has_ha1 && !secret->password)
		return false;
	if (has_ha1)
		memcpy(ha1, secret->ha1, n + 1);
	else
		digest_ha1(alg, a->username, a->realm, sv_of(secret->password), ha1);
	if (a->response.n != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		got[i] = a->response.p[i] >= 'A' && a->response.p[i] <= 'F' ? (char)(a->response.p[i] | 0x20)
		                                                            : a->response.p[i];
		if (has_ha1 && ha1[i] >= 'A' && ha1[i] <= 'F')
			ha1[i] |= 0x20;
	}
	digest_response(alg, ha1, a->nonce, a->nc, a->cnonce, a->qop, m->method_text, a->uri, want);
	return digest_equal(got, want, n);
}

static struct slot *slot_take(struct set *set, uint64_t hash, int64_t birth_us)
{
	struct slot *oldest = &set->slots[0];
	for (int i = 0; i < WAYS; i++) {
		struct slot *s = &set->slots[i];
		if (s->hash == hash)
			return s;
		if (!s->hash || (oldest->hash && s->birth_us < oldest->birth_us))
			oldest = s;
	}
	if (birth_us <= set->evicted_birth_us)
		return NULL;
	if (oldest->hash && oldest->birth_us > birth_us) {
		/* it is older than all that are kept, so it cannot be told whether it was used */
		set->evicted_birth_us = birth_us;
		return NULL;
	}
	if (oldest->hash && oldest->birth_us > set->evicted_birth_us)
		set->evicted_birth_us = oldest->birth_us;
	*oldest = (struct slot){.hash = hash, .birth_us = birth_us};
	return oldest;
}

static bool hex_u32(struct sv v, uint32_t *out)
{
	uint32_t n = 0;
	if (v.n != 8)
		return false;
	for (size_t i = 0; i < 8; i++) {
		char c = v.p[i];
		if (c >= '0' && c <= '9')
			n = n * 16 + (uint32_t)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			n = n * 16 + (uint32_t)((c | 0x20) - 'a' + 10);
		else
			return false;
	}
	*out = n;
	return true;
}

/* The answer is right; is its count new? Answers may overtake each other by up to 63. */
static enum digest_result count_check(struct digest_server *d, const struct sip_auth *a, int64_t birth_us)
{
	uint64_t hash = hash_bytes(a->nonce.p, a->nonce.n) | 1;
	uint32_t nc = 1;
	if (a->qop.n && (!hex_u32(a->nc, &nc) || !nc))
		return DIGEST_MALFORMED;
	struct slot *s = slot_take(&d->sets[(hash >> 1) % d->set_count], hash, birth_us);
	if (!s)
		return DIGEST_STALE;
	if (d->cfg.nonce_max_uses && s->use_count >= d->cfg.nonce_max_uses)
		return DIGEST_STALE;
	if (nc > s->last_nc) {
		uint32_t step = nc - s->last_nc;
		s->seen = (step < 64 ? s->seen << step : 0) | 1;
		s->last_nc = nc;
	} else {
		uint32_t back = s->last_nc - nc;
		if (back >= 64 || s->seen & 1ull << back)
			return DIGEST_REPLAY;
		s->seen |= 1ull << back;
	}
	s->use_count++;
	return DIGEST_OK;
}

enum digest_result digest_check(struct digest_server *d, const struct sip_msg *m, bool is_proxy, const char *realm,
    const struct digest_secret *secret, const struct addr *src)
{
	struct sip_auth a;
	enum digest_algorithm alg = DIGEST_MD5;
	int64_t birth_us;
	int st = digest_answer_get(m, is_proxy, sv_of(realm), &a);
	if (st == ST_PARSE)
		return DIGEST_MALFORMED;
	if (st)
		return digest_answer_get(m, is_proxy, SV_NONE, &a) == ST_OK ? DIGEST_WRONG_REALM : DIGEST_NO_HEADER;
	if (!secret || (!secret->password && !secret->ha1 && !secret->is_right))
		return DIGEST_NO_USER;
	if (sv_isi(a.algorithm, "SHA-256"))
		alg = DIGEST_SHA256;
	else if (a.algorithm.n && !sv_isi(a.algorithm, "MD5"))
		return DIGEST_BAD;
	if (a.qop.n ? !sv_isi(a.qop, "auth") || !a.cnonce.p || !a.nc.n : !d->cfg.accepts_no_qop)
		return DIGEST_MALFORMED;
	if (!nonce_read(d, a.nonce, &birth_us) || (src && !digest_is_given_to(d, a.nonce, src)))
		return DIGEST_STALE;
	d->computed_count++;
	if ((!secret->is_right && !response_fits(m, &a, alg, secret)) || !uri_fits(m, a.uri))
		return DIGEST_BAD;
	if (clock_mono_us() - birth_us > d->cfg.nonce_life_us)
		return DIGEST_STALE;
	return count_check(d, &a, birth_us);
}

const char *digest_result_text(enum digest_result r)
{
	static const char *const texts[] = {
	    [DIGEST_OK] = "ok",
	    [DIGEST_NO_HEADER] = "no answer",
	    [DIGEST_STALE] = "stale nonce",
	    [DIGEST_REPLAY] = "nonce count used before",
	    [DIGEST_BAD] = "wrong answer",
	    [DIGEST_MALFORMED] = "malformed",
	    [DIGEST_WRONG_REALM] = "wrong realm",
	    [DIGEST_NO_USER] = "unknown user",
	};
	return (unsigned)r < sizeof(texts) / sizeof(texts[0]) ? texts[r] : "";
}
