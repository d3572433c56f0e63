/* Digest authentication, the server's side (RFC 7616, RFC 2617; MD5 and SHA-256, qop=auth). Nonces carry their birth
 * time and an HMAC, so a source that never answers costs no memory; nonce counts of those who do are kept in one fixed
 * table. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "net/addr.h"
#include "sip/msg/msg.h"

enum digest_algorithm { DIGEST_MD5, DIGEST_SHA256 };
struct digest_config {
	int64_t nonce_life_us;      /* 0 = 300 s */
	uint32_t nonce_table_slots; /* 0 = 65,536; nonces whose counts are remembered */
	uint32_t nonce_max_uses;    /* 0 = unlimited until it expires */
	bool is_opaque_sent;
	bool accepts_no_qop; /* answers without qop (RFC 2069) are accepted, once per nonce */
};
struct digest_server;
ANY int digest_server_new(struct digest_server **out, const struct digest_config *cfg /* NULL = defaults */);
ANY void digest_server_free(struct digest_server *d);

/* Appends one "WWW-Authenticate: Digest ...\r\n" (or Proxy-Authenticate) line with a fresh nonce. to: whom it is sent
 * to, for digest_is_given_to; NULL: nobody in particular. */
ANY void digest_challenge_put(struct digest_server *d, struct buf *out, bool is_proxy, const char *realm,
    enum digest_algorithm alg, bool is_stale, const struct addr *to);
/* A nonce of ours that was sent to that address (IPv6: to its /64): whoever repeats it receives what we send there. It
 * says nothing of its age. */
ANY bool digest_is_given_to(const struct digest_server *d, struct sv nonce, const struct addr *src);

enum digest_result {
	DIGEST_OK,
	DIGEST_NO_HEADER, /* no answer for this realm: challenge; never counts as a failure */
	DIGEST_STALE, /* a right answer to an expired nonce, any to one of another run or address: challenge, stale=true
	               */
	DIGEST_REPLAY,      /* nonce count not above the last: challenge, stale=true; counts as a failure if repeated */
	DIGEST_BAD,         /* wrong password or uri: 403, counts as a failure */
	DIGEST_MALFORMED,   /* header does not parse: 400 */
	DIGEST_WRONG_REALM, /* an answer, but to another realm only */
	DIGEST_NO_USER      /* lookup did not know the user: treat as BAD outside */
};
struct digest_secret {        /* one of them */
	const char *password; /* clear text, or NULL */
	const char *ha1;      /* hex HA1 of the algorithm in use, or NULL */
	bool is_right;        /* somebody else found the response right: everything else is checked */
};
/* Finds the answer for realm (empty realm = any) in Authorization or Proxy-Authorization: ST_NOTFOUND, ST_PARSE, ST_OK.
 * Use it to learn the user name before the password is looked up. */
ANY int digest_answer_get(const struct sip_msg *m, bool is_proxy, struct sv realm, struct sip_auth *out);
/* Checks the answer. realm NULL takes the answer's own. Over a nonce that is not ours or (src not NULL: a
 * datagram's source) was sent to another address nothing is said of the password: it could be guessed by who cannot be
 * counted. */
ANY enum digest_result digest_check(struct digest_server *d, const struct sip_msg *m, bool is_proxy, const char *realm,
    const struct digest_secret *secret, const struct addr *src);
/* Responses that were computed: an unknown user costs one as a wrong password does. */
ANY uint64_t digest_computed_count(const struct digest_server *d);
ANY const char *digest_result_text(enum digest_result r);

/* The computation itself (both sides): hex response for the given values; qop empty = RFC 2069 form. out: 65 bytes. */
ANY void digest_response(enum digest_algorithm alg, const char *ha1_hex, struct sv nonce, struct sv nc,
    struct sv cnonce, struct sv qop, struct sv method, struct sv uri, char *out);
ANY void digest_ha1(enum digest_algorithm alg, struct sv user, struct sv realm, struct sv password, char *out /* 65 */);
