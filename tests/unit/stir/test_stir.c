/* PASSporTs and certificates: made, read, and refused when anything is not as it should be. Keys and certificates are
 * made here. */
#include "base/clock.h"
#include "base/mem.h"
#include "harness.h"
#include "stir/stir.h"
#include "text/base64.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW 1790000000
/* SEQUENCE { [0] "709J", [1] { "12155550100", 10 }, [2] "12155550199" } */
static const uint8_t tn_list[] = {0x30, 0x2b, 0xa0, 0x06, 0x16, 0x04, '7', '0', '9', 'J', 0xa1, 0x12, 0x30, 0x10, 0x16,
    0x0b, '1', '2', '1', '5', '5', '5', '5', '0', '1', '0', '0', 0x02, 0x01, 10, 0xa2, 0x0d, 0x16, 0x0b, '1', '2', '1',
    '5', '5', '5', '5', '0', '1', '9', '9'};

static char *pem_of(BIO *bio)
{
	char *p, *out;
	long n = BIO_get_mem_data(bio, &p);
	out = strndup(p, (size_t)n);
	BIO_free(bio);
	return out;
}

static char *key_pem(EVP_PKEY *k)
{
	BIO *bio = BIO_new(BIO_s_mem());
	PEM_write_bio_PrivateKey(bio, k, NULL, NULL, 0, NULL, NULL);
	return pem_of(bio);
}

static X509 *cert_make(
    EVP_PKEY *k, const char *name, X509 *issuer, EVP_PKEY *issuer_key, const uint8_t *list, size_t list_bytes)
{
	X509 *x = X509_new();
	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), rand() + 1);
	ASN1_TIME_set(X509_getm_notBefore(x), NOW - 1000);
	ASN1_TIME_set(X509_getm_notAfter(x), NOW + 100000);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const uint8_t *)name, -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(issuer ? issuer : x));
	X509_set_pubkey(x, k);
	X509V3_CTX ctx;
	X509V3_set_ctx(&ctx, issuer ? issuer : x, x, NULL, NULL, 0);
	X509_EXTENSION *e =
	    X509V3_EXT_conf_nid(NULL, &ctx, NID_basic_constraints, issuer ? "critical,CA:FALSE" : "critical,CA:TRUE");
	X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
	if (list) {
		ASN1_OCTET_STRING *s = ASN1_OCTET_STRING_new();
		ASN1_OBJECT *oid = OBJ_txt2obj("1.3.6.1.5.5.7.1.26", 1);
		ASN1_OCTET_STRING_set(s, list, (int)list_bytes);
		e = X509_EXTENSION_create_by_OBJ(NULL, oid, 1, s);
		X509_add_ext(x, e, -1);
		X509_EXTENSION_free(e);
		ASN1_OBJECT_free(oid);
		ASN1_OCTET_STRING_free(s);
	}
	X509_sign(x, issuer_key ? issuer_key : k, EVP_sha256());
	return x;
}

static char *cert_pem(X509 *x)
{
	BIO *bio = BIO_new(BIO_s_mem());
	PEM_write_bio_X509(bio, x);
	return pem_of(bio);
}

struct world {
	char *key, *leaf, *other_leaf, *root, *rsa_leaf;
};

static struct world world_make(void)
{
	EVP_PKEY *root = EVP_EC_gen("P-256"), *leaf = EVP_EC_gen("P-256"), *other = EVP_EC_gen("P-256"),
	         *rsa = EVP_RSA_gen(2048);
	X509 *r = cert_make(root, "root", NULL, NULL, NULL, 0),
	     *l = cert_make(leaf, "leaf", r, root, tn_list, sizeof(tn_list)),
	     *o = cert_make(other, "other", NULL, NULL, NULL, 0), *s = cert_make(rsa, "rsa", r, root, NULL, 0);
	struct world w = {key_pem(leaf), cert_pem(l), cert_pem(o), cert_pem(r), cert_pem(s)};
	X509_free(r), X509_free(l), X509_free(o), X509_free(s);
	EVP_PKEY_free(root), EVP_PKEY_free(leaf), EVP_PKEY_free(other), EVP_PKEY_free(rsa);
	return w;
}

static void world_free(struct world *w)
{
	free(w->key), free(w->leaf), free(w->other_leaf), free(w->root), free(w->rsa_leaf);
}

static const struct stir_claims claims = {.attest = 'A',
    .orig = "12155550100",
    .dest = "12155550199",
    .origid = "123e4567-e89b-12d3-a456-426655440000",
    .url = "https://cert.example.org/passport.pem",
    .iat_s = NOW};

static int test_round(void)
{
	struct world w = world_make();
	struct stir_key *key = NULL;
	struct stir_cert *leaf = NULL, *other = NULL;
	struct stir_identity id;
	struct stir_passport p;
	char error[STIR_ERROR_CHARS] = "";
	struct buf b;
	buf_init(&b);
	EXPECT_INT(stir_key_parse(&key, sv_of(w.key), error), ST_OK);
	EXPECT_INT(stir_cert_parse(&leaf, sv_of(w.leaf), error), ST_OK);
	EXPECT_INT(stir_cert_parse(&other, sv_of(w.other_leaf), error), ST_OK);
	EXPECT_INT(stir_identity_make(&b, &claims, key), ST_OK);
	EXPECT_INT(stir_identity_parse(&id, buf_sv(&b)), ST_OK);
	EXPECT(sv_is(id.info, claims.url) && sv_is(id.alg, "ES256") && sv_is(id.ppt, "shaken"));
	EXPECT_INT(stir_passport_parse(&p, id.token, error), ST_OK);
	EXPECT_INT(p.kind, STIR_SHAKEN);
	EXPECT_INT(p.attest, 'A');
	EXPECT_STR(p.orig, claims.orig);
	EXPECT_STR(p.dests[0], claims.dest);
	EXPECT_STR(p.origid, claims.origid);
	EXPECT_STR(p.url, claims.url);
	EXPECT_INT(p.iat_s, NOW);
	EXPECT_INT(stir_passport_verify(&p, leaf), ST_OK);
	EXPECT_INT(stir_passport_verify(&p, other), ST_DENIED);
	struct stir_claims div = claims;
	struct buf d;
	buf_init(&d);
	div.div = "12155550177", div.origid = NULL, div.attest = 0;
	EXPECT_INT(stir_identity_make(&d, &div, key), ST_OK);
	EXPECT_INT(stir_identity_parse(&id, buf_sv(&d)), ST_OK);
	EXPECT(sv_is(id.ppt, "div"));
	struct stir_passport q;
	EXPECT_INT(stir_passport_parse(&q, id.token, error), ST_OK);
	EXPECT_INT(q.kind, STIR_DIV);
	EXPECT_STR(q.div, div.div);
	EXPECT_STR(q.dests[0], claims.dest);
	EXPECT_INT(stir_passport_verify(&q, leaf), ST_OK);
	buf_fini(&d);
	EXPECT_INT(stir_identity_parse(&id, buf_sv(&b)), ST_OK);
	p.signature[5] ^= 1;
	EXPECT_INT(stir_passport_verify(&p, leaf), ST_DENIED);
	p.signature[5] ^= 1;
	b.p[id.token.p - b.p + 60] ^= 1; /* a claim is changed */
	EXPECT_INT(stir_passport_verify(&p, leaf), ST_DENIED);
	memset(p.signature, 0, sizeof(p.signature)); /* r = s = 0 */
	EXPECT_INT(stir_passport_verify(&p, leaf), ST_DENIED);
	int64_t start = clock_mono_us();
	for (int i = 0; i < 200; i++) {
		buf_clear(&b);
		stir_identity_make(&b, &claims, key);
	}
	printf("# one signature takes %.1f us\n", (double)(clock_mono_us() - start) / 200);
	mem_unref(key), mem_unref(leaf), mem_unref(other);
	buf_fini(&b);
	world_free(&w);
	return 0;
}

static int test_certs(void)
{
	struct world w = world_make();
	struct stir_cert *leaf = NULL, *other = NULL, *rsa = NULL;
	struct stir_ca *ca = NULL, *none = NULL;
	char error[STIR_ERROR_CHARS] = "";
	EXPECT_INT(stir_cert_parse(&leaf, sv_of(w.leaf), error), ST_OK);
	EXPECT_INT(stir_cert_parse(&other, sv_of(w.other_leaf), error), ST_OK);
	EXPECT_INT(stir_cert_parse(&rsa, sv_of(w.rsa_leaf), error), ST_UNSUPPORTED);
	EXPECT_INT(stir_cert_parse(&rsa, SV("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), error),
	    ST_PARSE);
	EXPECT_INT(stir_ca_new(&ca), ST_OK);
	EXPECT_INT(stir_ca_new(&none), ST_OK);
	EXPECT_INT(stir_ca_add(ca, SV("no PEM")), ST_PARSE);
	EXPECT_INT(stir_ca_add(ca, sv_of(w.root)), ST_OK);
	EXPECT_INT(stir_cert_check(leaf, ca, NOW, error), ST_OK);
	EXPECT_INT(stir_cert_check(leaf, none, NOW, error), ST_DENIED);
	EXPECT_INT(stir_cert_check(other, ca, NOW, error), ST_DENIED);
	EXPECT_INT(stir_cert_check(leaf, ca, NOW + 200000, error), ST_DENIED);
	EXPECT_STR(error, "certificate has expired");
	EXPECT(stir_cert_has_list(leaf) && !stir_cert_has_list(other));
	EXPECT(stir_cert_covers(leaf, "4930123")); /* a provider's code */
	EXPECT(!stir_cert_covers(other, "12155550100"));
	mem_unref(leaf), mem_unref(other), mem_unref(ca), mem_unref(none);
	world_free(&w);
	return 0;
}

static int test_tn_list(void)
{
	struct stir_tn_entry e[STIR_TN_ENTRIES_MAX];
	size_t n = 0;
	uint8_t bad[sizeof(tn_list) + 1];
	EXPECT_INT(stir_tn_list_parse(e, STIR_TN_ENTRIES_MAX, &n, tn_list, sizeof(tn_list)), ST_OK);
	EXPECT_INT(n, 3);
	EXPECT_STR(e[0].text, "709J");
	EXPECT_STR(e[1].text, "12155550100");
	EXPECT_INT(e[1].count, 10);
	EXPECT_STR(e[2].text, "12155550199");
	EXPECT_INT(stir_tn_list_parse(e, 2, &n, tn_list, sizeof(tn_list)), ST_LIMIT);
	for (size_t i = 0; i < sizeof(tn_list); i++)
		EXPECT_INT(stir_tn_list_parse(e, STIR_TN_ENTRIES_MAX, &n, tn_list, i), ST_PARSE);
	memcpy(bad, tn_list, sizeof(tn_list));
	bad[sizeof(tn_list)] = 0;
	EXPECT_INT(stir_tn_list_parse(e, STIR_TN_ENTRIES_MAX, &n, bad, sizeof(bad)), ST_PARSE);
	bad[1] = 0x84; /* a length of more bytes than there are */
	EXPECT_INT(stir_tn_list_parse(e, STIR_TN_ENTRIES_MAX, &n, bad, sizeof(tn_list)), ST_PARSE);
	return 0;
}

/* ---- tokens that are wrong ---- */

static void token_make(struct buf *b, const char *header, const char *payload, size_t sig_bytes)
{
	static const uint8_t sig[100] = {1};
	buf_clear(b);
	base64url_encode(b, header, strlen(header));
	buf_addc(b, '.');
	base64url_encode(b, payload, strlen(payload));
	buf_addc(b, '.');
	base64url_encode(b, sig, sig_bytes);
}

static int test_tokens(void)
{
#define HEAD "{\"alg\":\"ES256\",\"ppt\":\"shaken\",\"typ\":\"passport\",\"x5u\":\"https://a/b\"}"
#define ORIG "\"orig\":{\"tn\":\"1\"},\"dest\":{\"tn\":[\"2\"]},\"iat\":5"
	static const struct {
		const char *header, *payload;
		size_t sig_bytes;
		int status;
	} cases[] = {
	    {HEAD, "{\"attest\":\"B\",\"origid\":\"x\"," ORIG "}", 64, ST_OK},
	    {HEAD, "{\"attest\":\"B\",\"origid\":\"x\"," ORIG "}", 63, ST_PARSE},
	    {HEAD, "{\"attest\":\"D\",\"origid\":\"x\"," ORIG "}", 64, ST_PARSE},
	    {HEAD, "{\"attest\":\"AB\",\"origid\":\"x\"," ORIG "}", 64, ST_PARSE},
	    {HEAD, "{\"attest\":\"A\"," ORIG "}", 64, ST_PARSE},
	    {HEAD, "{\"attest\":\"A\",\"origid\":\"x\",\"orig\":{},\"dest\":{\"tn\":[\"2\"]},\"iat\":5}", 64, ST_PARSE},
	    {HEAD, "{\"attest\":\"A\",\"origid\":\"x\",\"orig\":{\"tn\":\"1\"},\"dest\":{\"tn\":[]},\"iat\":5}", 64,
	        ST_PARSE},
	    {HEAD, "{\"attest\":\"A\",\"origid\":\"x\",\"orig\":{\"tn\":\"1\"},\"dest\":{\"tn\":\"2\"},\"iat\":5}", 64,
	        ST_PARSE},
	    {HEAD,
	        "{\"attest\":\"A\",\"origid\":\"x\",\"orig\":{\"tn\":\"1\"},\"dest\":{\"tn\":[\"2\"]},\"iat\":\"5\"}",
	        64, ST_PARSE},
	    {HEAD, "[]", 64, ST_PARSE},
	    {"{\"alg\":\"none\",\"typ\":\"passport\"}", "{" ORIG "}", 64, ST_UNSUPPORTED},
	    {"{\"alg\":\"HS256\",\"typ\":\"passport\"}", "{" ORIG "}", 64, ST_UNSUPPORTED},
	    {"{\"alg\":\"ES256\",\"typ\":\"JWT\"}", "{" ORIG "}", 64, ST_PARSE},
	    {"{\"alg\":\"ES256\",\"typ\":\"passport\",\"x5u\":7}", "{" ORIG "}", 64, ST_PARSE},
	    {"{\"alg\":\"ES256\",\"typ\":\"passport\",\"ppt\":\"rph\"}", "{" ORIG "}", 64, ST_OK},
	    {"{\"alg\":\"ES256\",\"typ\":\"passport\",\"ppt\":\"div\"}", "{" ORIG "}", 64, ST_PARSE},
	    {"{\"alg\":\"ES256\",\"typ\":\"passport\",\"ppt\":\"div\"}", "{" ORIG ",\"div\":{\"tn\":\"9\"}}", 64,
	        ST_OK},
	};
	struct stir_passport p;
	char error[STIR_ERROR_CHARS];
	struct buf b;
	buf_init(&b);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		token_make(&b, cases[i].header, cases[i].payload, cases[i].sig_bytes);
		int st = stir_passport_parse(&p, buf_sv(&b), error);
		if (st != cases[i].status)
			printf("# case %zu\n", i);
		EXPECT_INT(st, cases[i].status);
	}
	EXPECT_INT(p.kind, STIR_DIV);
	EXPECT_STR(p.div, "9");
	EXPECT_INT(stir_passport_parse(&p, SV("a.b"), error), ST_PARSE);
	EXPECT_INT(stir_passport_parse(&p, SV("..."), error), ST_PARSE);
	EXPECT_INT(stir_passport_parse(&p, SV(""), error), ST_PARSE);
	buf_fini(&b);
	return 0;
}

static int test_header(void)
{
	struct stir_identity id;
	char n[STIR_TN_MAX];
	EXPECT_INT(stir_identity_parse(&id, SV("a.b.c; info=<https://x/;y>; alg=\"ES256\" ;ppt=\"div\"")), ST_OK);
	EXPECT(sv_is(id.token, "a.b.c") && sv_is(id.info, "https://x/;y") && sv_is(id.alg, "ES256") &&
	       sv_is(id.ppt, "div"));
	EXPECT_INT(stir_identity_parse(&id, SV("a.b.c")), ST_OK);
	EXPECT_INT(stir_identity_parse(&id, SV("a b;info=<x>")), ST_PARSE);
	EXPECT_INT(stir_identity_parse(&id, SV("a.b.c;info=x")), ST_PARSE);
	EXPECT_INT(stir_identity_parse(&id, SV("")), ST_PARSE);
	EXPECT(stir_number(SV("+1 (215) 555-01.00"), n));
	EXPECT_STR(n, "12155550100");
	EXPECT(stir_number(SV("+12155550100;verstat=TN-Validation-Passed"), n));
	EXPECT_STR(n, "12155550100");
	EXPECT(stir_number(SV("*97#"), n));
	EXPECT(!stir_number(SV("alice"), n) && !stir_number(SV(""), n) && !stir_number(SV("1+2"), n));
	return 0;
}

TEST_MAIN({"made, read, verified", test_round, 0}, {"certificates", test_certs, 0},
    {"list of numbers", test_tn_list, 0}, {"tokens", test_tokens, 0}, {"header and numbers", test_header, 0})
