/* Any bytes as an Authorization header of a REGISTER against a digest server. @n stands for a nonce of his, @r for the
 * right response to all the rest: with it, and only with it, an answer may pass; once, and not when the nonce is old.
 * Parser: sip/digest.c */
#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "sip/digest.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RESPONSE_MAX = 64 };
static const char password[] = "a password nobody guesses";
static struct digest_server *server;
static struct addr phone;

/* A fresh challenge's nonce, of the address it was made for and no other. */
static struct sv nonce_new(struct buf *challenge, struct sv realm)
{
	struct sip_auth a;
	struct sv name, value;
	char *text = sv_dup(realm);
	digest_challenge_put(
	    server, challenge, realm.n & 1, text, (enum digest_algorithm)(realm.n & 1), realm.n & 2, &phone);
	mem_free(text);
	CHECK(challenge->n > 2 && sv_split((struct sv){challenge->p, challenge->n - 2}, ':', &name, &value));
	CHECK(!sip_auth_parse(&a, sv_trim(value)) && digest_is_given_to(server, a.nonce, &phone));
	CHECK(!digest_is_given_to(server, a.nonce, NULL));
	return a.nonce;
}

/* The header with what @n and @r stand for; true: there was an @r. */
static bool header_put(struct buf *b, const uint8_t *p, size_t n, struct sv nonce, struct sv response)
{
	bool has_response = false;
	buf_clear(b);
	buf_adds(b, "REGISTER sip:a@lab SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: <sip:a@lab>;tag=1\r\n"
	            "To: <sip:a@lab>\r\nCall-ID: x\r\nCSeq: 1 REGISTER\r\nAuthorization: ");
	for (size_t i = 0; i < n; i++) {
		bool is_mark = p[i] == '@' && i + 1 < n && (p[i + 1] == 'n' || p[i + 1] == 'r');
		if (!is_mark) {
			buf_addc(b, (char)p[i]);
			continue;
		}
		has_response |= p[i + 1] == 'r';
		buf_addv(b, p[++i] == 'n' ? nonce : response);
	}
	buf_adds(b, "\r\n\r\n");
	return has_response;
}

/* What the owner of the password would answer. */
static bool answer_make(const struct sip_msg *m, char out[RESPONSE_MAX + 1])
{
	struct sip_auth a;
	char ha1[RESPONSE_MAX + 1];
	if (digest_answer_get(m, false, SV_NONE, &a))
		return false;
	enum digest_algorithm alg = sv_isi(a.algorithm, "SHA-256") ? DIGEST_SHA256 : DIGEST_MD5;
	digest_ha1(alg, a.username, a.realm, SV(password), ha1);
	digest_response(alg, ha1, a.nonce, a.nc, a.cnonce, a.qop, m->method_text, a.uri, out);
	return true;
}

static void answer_check(const struct sip_msg *m, bool is_right, const struct digest_secret *secret)
{
	static const struct digest_secret nobody;
	uint64_t before = digest_computed_count(server);
	CHECK(digest_check(server, m, false, NULL, &nobody, &phone) != DIGEST_OK);
	CHECK(digest_computed_count(server) == before);
	CHECK(is_right || digest_check(server, m, false, "lab", secret, NULL) != DIGEST_OK);
	enum digest_result r = digest_check(server, m, false, NULL, secret, &phone);
	CHECK(*digest_result_text(r));
	if (r != DIGEST_OK)
		return;
	CHECK(is_right);
	r = digest_check(server, m, false, NULL, secret, &phone);
	CHECK(r == DIGEST_REPLAY || r == DIGEST_STALE);
	clock_fake_advance(301000000);
	CHECK(digest_check(server, m, false, NULL, secret, &phone) == DIGEST_STALE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct digest_config conf = {
	    .accepts_no_qop = true, .nonce_table_slots = 8, .nonce_max_uses = 2, .is_opaque_sent = true};
	static struct sip_hdr hdrs[SIP_MSG_HDRS_MAX];
	struct sip_msg m;
	struct sip_auth a;
	struct buf b, challenge;
	char response[RESPONSE_MAX + 1] = "", ha1[RESPONSE_MAX + 1];
	if (!server) {
		clock_fake_start(1700000000000000LL);
		CHECK(!digest_server_new(&server, &conf) && !addr_parse(&phone, SV("192.0.2.7"), 5060));
	}
	buf_init(&b);
	buf_init(&challenge);
	struct sv nonce = nonce_new(&challenge, (struct sv){(const char *)data, size < 40 ? size : 40});
	bool is_right = header_put(&b, data, size, nonce, SV("0"));
	if (is_right && !sip_msg_parse(&m, hdrs, SIP_MSG_HDRS_MAX, b.p, b.n, 0) && answer_make(&m, response))
		header_put(&b, data, size, nonce, sv_of(response));
	if (!sip_msg_parse(&m, hdrs, SIP_MSG_HDRS_MAX, b.p, b.n, 0)) {
		struct digest_secret secret = {.password = password};
		if (size & 1 && !digest_answer_get(&m, false, SV_NONE, &a)) { /* a stored HA1 instead */
			digest_ha1(sv_isi(a.algorithm, "SHA-256") ? DIGEST_SHA256 : DIGEST_MD5, a.username, a.realm,
			    SV(password), ha1);
			for (char *c = ha1; *c; c++)
				*c = *c >= 'a' ? (char)(*c & ~0x20) : *c;
			secret = (struct digest_secret){.ha1 = ha1};
		}
		answer_check(&m, is_right, &secret);
	}
	buf_fini(&challenge);
	buf_fini(&b);
	return 0;
}
