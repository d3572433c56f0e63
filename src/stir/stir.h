/* Who vouches for a caller's number (STIR/SHAKEN): the Identity header (RFC 8224), its token, the PASSporT (RFC 8225,
 * of the kinds "shaken", RFC 8588, and "div", RFC 8946), signed by ES256, and the certificates with the numbers they
 * stand for (RFC 8226). Pure and bounded: nothing here knows SIP, calls, files or the network. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"
#include <stdbool.h>
#include <stdint.h>

enum {
	STIR_HEADER_MAX_BYTES = 8192, /* of one Identity header */
	STIR_URL_MAX = 512,
	STIR_TN_MAX = 64,
	STIR_DESTS_MAX = 8,
	STIR_ID_MAX = 128,
	STIR_CERT_MAX_BYTES = 65536, /* of what an x5u gives: the certificate and those that vouch for it */
	STIR_CHAIN_MAX = 6,
	STIR_TN_ENTRIES_MAX = 64,
	STIR_ERROR_CHARS = 128
};

/* ---- the header ---- */
struct stir_identity { /* views into the header's value */
	struct sv token, info, alg, ppt;
};
/* "TOKEN;info=<URI>;alg=ES256;ppt=shaken"; the quotes of alg and ppt are optional. ST_PARSE. */
ANY int stir_identity_parse(struct stir_identity *out, struct sv value);

/* ---- the token ---- */
enum stir_kind { STIR_NONE, STIR_SHAKEN, STIR_DIV, STIR_OTHER };
struct stir_passport {
	enum stir_kind kind;
	char url[STIR_URL_MAX]; /* x5u; "" = none */
	char attest;            /* A, B, C; 0 = none or something else */
	char origid[STIR_ID_MAX], orig[STIR_TN_MAX], div[STIR_TN_MAX];
	bool is_orig_uri, is_div_uri;
	size_t dest_count;
	char dests[STIR_DESTS_MAX][STIR_TN_MAX];
	int64_t iat_s;
	struct sv signed_text; /* what is signed: a view into the token */
	uint8_t signature[64];
};
/* All of header.payload.signature. alg other than ES256: ST_UNSUPPORTED. error (STIR_ERROR_CHARS, may be NULL). */
ANY int stir_passport_parse(struct stir_passport *out, struct sv token, char *error);

struct stir_claims {
	char attest;     /* A, B, C */
	const char *div; /* a "div" token: who diverted the call; without attest and origid. NULL: "shaken" */
	const char *orig, *dest, *origid, *url;
	int64_t iat_s;
};
struct stir_key; /* counted, atomically */
/* A private key of P-256, PEM. */
ANY int stir_key_parse(struct stir_key **out, struct sv pem, char *error);
/* Appends "TOKEN;info=<URL>;alg=ES256;ppt=shaken" (or div). Some 30 us. */
ANY int stir_identity_make(struct buf *out, const struct stir_claims *c, const struct stir_key *key);

/* A number as it is compared and signed (RFC 8224 8.3): digits, * and #; a plus, a "sip:" user's parameters and visual
 * separators are left out. False: it is none. */
ANY bool stir_number(struct sv text, char out[STIR_TN_MAX]);

/* ---- certificates ---- */
struct stir_ca;                                         /* whose signatures count; counted, atomically */
ANY int stir_ca_new(struct stir_ca **out);              /* nobody's yet */
ANY int stir_ca_add(struct stir_ca *ca, struct sv pem); /* certificates and revocation lists; ST_PARSE: none in it */
ANY size_t stir_ca_count(const struct stir_ca *ca);
struct stir_cert; /* counted, atomically */
/* PEM: the certificate, then those between it and a root. ST_UNSUPPORTED: its key is not of P-256. */
ANY int stir_cert_parse(struct stir_cert **out, struct sv pem, char *error);
/* The chain leads to one of ca, at that time (seconds since 1970); a revocation list of ca's counts. */
ANY int stir_cert_check(const struct stir_cert *c, const struct stir_ca *ca, int64_t now_s, char *error);
/* May it speak for this number (RFC 8226's list)? A list with a service provider's code may for any of his numbers,
 * which nobody can look up here: true. No list: false. */
ANY bool stir_cert_covers(const struct stir_cert *c, const char *number);
ANY bool stir_cert_has_list(const struct stir_cert *c);
/* ST_DENIED: another key signed it. */
ANY int stir_passport_verify(const struct stir_passport *p, const struct stir_cert *c);

/* ---- RFC 8226's TNAuthorizationList, DER ---- */
enum stir_tn_kind { STIR_TN_NONE, STIR_TN_SPC, STIR_TN_RANGE, STIR_TN_ONE };
struct stir_tn_entry {
	enum stir_tn_kind kind;
	char text[STIR_TN_MAX]; /* the code, the first number, the number */
	uint32_t count;         /* of a range */
};
ANY int stir_tn_list_parse(struct stir_tn_entry *out, size_t max, size_t *count, const uint8_t *der, size_t n);
