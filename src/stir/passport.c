/* The PASSporT: three base64url parts. In: both JSON parts are read with bounds, claims become a plain struct; what is
 * not understood makes it STIR_OTHER, never an error in disguise. Out: the claims in RFC 8225 9's canonical order, by
 * the JSON writer's escapes, signed as r and s of 32 bytes each (RFC 7518 3.4), which OpenSSL has as DER. */
#include "base/mem.h"
#include "stir/stir_i.h"
#include "text/base64.h"
#include "text/json.h"

#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

enum { PART_MAX_BYTES = 4096 };

static int fail(char *error, int st, const char *why)
{
	if (error)
		snprintf(error, STIR_ERROR_CHARS, "%s", why);
	return st;
}

/* A string member that fits; false: absent, another type, or too long. */
static bool text_get(const json_t *o, const char *name, char *out, size_t max)
{
	const json_t *v = json_object_get(o, name);
	if (!json_is_string(v) || json_string_length(v) >= max || strlen(json_string_value(v)) != json_string_length(v))
		return false;
	memcpy(out, json_string_value(v), json_string_length(v) + 1);
	return true;
}

static bool is_text(const json_t *o, const char *name, const char *want)
{
	char text[32];
	return text_get(o, name, text, sizeof(text)) && !strcmp(text, want);
}

static int part_decode(json_t **out, struct sv part)
{
	struct buf b;
	buf_init(&b);
	b.max = PART_MAX_BYTES;
	int st = base64_decode(&b, part);
	if (!st)
		st = json_parse(out, buf_sv(&b), PART_MAX_BYTES, NULL);
	buf_fini(&b);
	return st < 0 || !json_is_object(*out) ? ST_PARSE : ST_OK; /* the caller frees it, whatever it is */
}

/* {"tn": "..."} or {"uri": "..."} */
static bool party_get(const json_t *o, char out[STIR_TN_MAX], bool *is_uri)
{
	*is_uri = !json_object_get(o, "tn");
	return json_is_object(o) && text_get(o, *is_uri ? "uri" : "tn", out, STIR_TN_MAX);
}

/* {"tn": ["..."], "uri": [...]}: all of them, so that none is overlooked. */
static bool dests_get(const json_t *dest, struct stir_passport *p)
{
	static const char *const names[] = {"tn", "uri"};
	for (size_t k = 0; k < 2; k++) {
		const json_t *list = json_object_get(dest, names[k]);
		if (!list)
			continue;
		if (!json_is_array(list) || json_array_size(list) + p->dest_count > STIR_DESTS_MAX)
			return false;
		for (size_t i = 0; i < json_array_size(list); i++) {
			const json_t *v = json_array_get(list, i);
			if (!json_is_string(v) || json_string_length(v) >= STIR_TN_MAX)
				return false;
			snprintf(p->dests[p->dest_count++], STIR_TN_MAX, "%s", json_string_value(v));
		}
	}
	return p->dest_count > 0;
}

static int header_read(struct stir_passport *p, const json_t *h, char *error)
{
	char ppt[32] = "";
	if (!is_text(h, "alg", "ES256"))
		return fail(error, ST_UNSUPPORTED, "the token's alg is not ES256");
	if (!is_text(h, "typ", "passport"))
		return fail(error, ST_PARSE, "the token's typ is not passport");
	if (json_object_get(h, "ppt") && !text_get(h, "ppt", ppt, sizeof(ppt)))
		return fail(error, ST_PARSE, "the token's ppt is no text");
	if (json_object_get(h, "x5u") && !text_get(h, "x5u", p->url, sizeof(p->url)))
		return fail(error, ST_PARSE, "the token's x5u is no text, or too long");
	p->kind = !strcmp(ppt, "shaken") ? STIR_SHAKEN : !strcmp(ppt, "div") ? STIR_DIV : STIR_OTHER;
	return ST_OK;
}

static int claims_read(struct stir_passport *p, const json_t *c, char *error)
{
	const json_t *iat = json_object_get(c, "iat");
	char attest[8] = "";
	if (!json_is_integer(iat) || json_integer_value(iat) < 0)
		return fail(error, ST_PARSE, "the token has no iat");
	p->iat_s = json_integer_value(iat);
	if (!party_get(json_object_get(c, "orig"), p->orig, &p->is_orig_uri))
		return fail(error, ST_PARSE, "the token has no orig");
	if (!dests_get(json_object_get(c, "dest"), p))
		return fail(error, ST_PARSE, "the token has no dest, or too many");
	if (p->kind == STIR_DIV && !party_get(json_object_get(c, "div"), p->div, &p->is_div_uri))
		return fail(error, ST_PARSE, "the token has no div");
	if (p->kind != STIR_SHAKEN)
		return ST_OK;
	if (!text_get(c, "attest", attest, sizeof(attest)) || strlen(attest) != 1 || !strchr("ABC", attest[0]))
		return fail(error, ST_PARSE, "the token's attest is not A, B or C");
	if (!text_get(c, "origid", p->origid, sizeof(p->origid)))
		return fail(error, ST_PARSE, "the token has no origid");
	p->attest = attest[0];
	return ST_OK;
}

int stir_passport_parse(struct stir_passport *out, struct sv token, char *error)
{
	struct stir_passport p = {0};
	struct sv rest, parts[3];
	json_t *header = NULL, *claims = NULL;
	struct buf sig;
	if (token.n > STIR_HEADER_MAX_BYTES || !sv_split(token, '.', &parts[0], &rest) ||
	    !sv_split(rest, '.', &parts[1], &parts[2]) || !parts[2].n)
		return fail(error, ST_PARSE, "the token is not of three parts");
	p.signed_text = sv_sub(token, 0, parts[0].n + 1 + parts[1].n);
	buf_init(&sig);
	sig.max = 128;
	int st = base64_decode(&sig, parts[2]) < 0 || sig.n != sizeof(p.signature) ? ST_PARSE : ST_OK;
	if (st)
		fail(error, st, "the token's signature is not of 64 bytes");
	else
		memcpy(p.signature, sig.p, sizeof(p.signature));
	if (!st && (part_decode(&header, parts[0]) || part_decode(&claims, parts[1])))
		st = fail(error, ST_PARSE, "the token is no JSON");
	if (!st)
		st = header_read(&p, header, error);
	if (!st)
		st = claims_read(&p, claims, error);
	json_decref(header);
	json_decref(claims);
	buf_fini(&sig);
	if (!st)
		*out = p;
	return st;
}

/* ---- signatures: r and s, 32 bytes each, to and from DER ---- */

static int digest_verify(EVP_PKEY *key, const uint8_t *der, size_t n, struct sv text)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int ok = ctx && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
	         EVP_DigestVerify(ctx, der, n, (const uint8_t *)text.p, text.n) == 1;
	EVP_MD_CTX_free(ctx);
	return ok ? ST_OK : ST_DENIED;
}

int stir_passport_verify(const struct stir_passport *p, const struct stir_cert *c)
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(p->signature, 32, NULL), *s = BN_bin2bn(p->signature + 32, 32, NULL);
	uint8_t *der = NULL;
	int st = ST_NOMEM;
	if (sig && r && s && ECDSA_SIG_set0(sig, r, s)) {
		r = s = NULL;
		int n = i2d_ECDSA_SIG(sig, &der);
		if (n > 0)
			st = digest_verify(stir_cert_key(c), der, (size_t)n, p->signed_text);
	}
	BN_free(r), BN_free(s);
	ECDSA_SIG_free(sig);
	OPENSSL_free(der);
	return st;
}

static int sign(const struct stir_key *key, struct sv text, uint8_t out[64])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t der[128];
	const uint8_t *at = der;
	size_t n = sizeof(der);
	ECDSA_SIG *sig = NULL;
	int ok = ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key->pkey) == 1 &&
	         EVP_DigestSign(ctx, der, &n, (const uint8_t *)text.p, text.n) == 1 &&
	         (sig = d2i_ECDSA_SIG(NULL, &at, (long)n)) && BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, 32) == 32 &&
	         BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + 32, 32) == 32;
	ECDSA_SIG_free(sig);
	EVP_MD_CTX_free(ctx);
	return ok ? ST_OK : ST_NOMEM;
}

static void header_write(struct buf *b, const struct stir_claims *c)
{
	struct json_writer w;
	jw_init(&w, b, false);
	jw_begin_object(&w);
	jw_kv_str(&w, "alg", "ES256");
	jw_kv_str(&w, "ppt", c->div ? "div" : "shaken");
	jw_kv_str(&w, "typ", "passport");
	jw_kv_str(&w, "x5u", c->url);
	jw_end_object(&w);
}

static void claims_write(struct buf *b, const struct stir_claims *c)
{
	struct json_writer w;
	char attest[2] = {c->attest, 0};
	jw_init(&w, b, false);
	jw_begin_object(&w);
	if (!c->div)
		jw_kv_str(&w, "attest", attest);
	jw_key(&w, "dest");
	jw_begin_object(&w);
	jw_key(&w, "tn");
	jw_begin_array(&w);
	jw_str(&w, c->dest);
	jw_end_array(&w);
	jw_end_object(&w);
	if (c->div) {
		jw_key(&w, "div");
		jw_begin_object(&w);
		jw_kv_str(&w, "tn", c->div);
		jw_end_object(&w);
	}
	jw_kv_int(&w, "iat", c->iat_s);
	jw_key(&w, "orig");
	jw_begin_object(&w);
	jw_kv_str(&w, "tn", c->orig);
	jw_end_object(&w);
	if (!c->div)
		jw_kv_str(&w, "origid", c->origid);
	jw_end_object(&w);
}

int stir_identity_make(struct buf *out, const struct stir_claims *c, const struct stir_key *key)
{
	struct buf header, claims, token;
	uint8_t sig[64];
	buf_init(&header), buf_init(&claims), buf_init(&token);
	header_write(&header, c);
	claims_write(&claims, c);
	base64url_encode(&token, header.p, header.n);
	buf_addc(&token, '.');
	base64url_encode(&token, claims.p, claims.n);
	int st = header.failed || claims.failed || token.failed ? ST_NOMEM : sign(key, buf_sv(&token), sig);
	if (!st) {
		buf_addc(&token, '.');
		base64url_encode(&token, sig, sizeof(sig));
		buf_addv(out, buf_sv(&token));
		st = buf_printf(out, ";info=<%s>;alg=ES256;ppt=%s", c->url, c->div ? "div" : "shaken");
	}
	buf_fini(&header), buf_fini(&claims), buf_fini(&token);
	return st;
}
