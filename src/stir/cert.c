/* Certificates by OpenSSL: parsed once out of PEM, with the numbers that RFC 8226's extension names; checked against
 * the operator's own authorities only, never the system's. Only P-256 keys: nothing else can sign ES256. A certificate
 * is read-only after it was made, so workers and calls may share it. */
#include "base/mem.h"
#include "stir/stir_i.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

static const char tn_list_oid[] = "1.3.6.1.5.5.7.1.26";

struct stir_cert {
	X509 *leaf;
	STACK_OF(X509) * chain;
	EVP_PKEY *pkey;
	bool has_list;
	size_t entry_count;
	struct stir_tn_entry entries[STIR_TN_ENTRIES_MAX];
};
struct stir_ca {
	X509_STORE *store;
	size_t count;
	bool has_crls;
};

static int fail(char *error, int st, const char *why)
{
	if (error)
		snprintf(error, STIR_ERROR_CHARS, "%s", why);
	return st;
}

static bool is_p256(EVP_PKEY *k)
{
	char group[32] = "";
	size_t n = 0;
	return k && EVP_PKEY_get_base_id(k) == EVP_PKEY_EC &&
	       EVP_PKEY_get_group_name(k, group, sizeof(group), &n) == 1 && !strcmp(group, SN_X9_62_prime256v1);
}

/* No pass phrase is ever asked for. */
static int no_password(char *buf, int size, int rwflag, void *arg)
{
	return -1;
}

/* ---- the signing key ---- */

static void key_dtor(void *obj)
{
	EVP_PKEY_free(((struct stir_key *)obj)->pkey);
}

int stir_key_parse(struct stir_key **out, struct sv pem, char *error)
{
	if (!pem.n || pem.n > STIR_CERT_MAX_BYTES)
		return fail(error, ST_PARSE, "no key of a sensible size");
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	EVP_PKEY *k = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
	BIO_free(bio);
	if (!k)
		return fail(error, ST_PARSE, "no private key in PEM without a pass phrase");
	struct stir_key *key = is_p256(k) ? mem_new_atomic(sizeof(*key), key_dtor, "stir.key") : NULL;
	if (!key) {
		EVP_PKEY_free(k);
		return fail(error, ST_UNSUPPORTED, "the key is not of the curve P-256");
	}
	key->pkey = k;
	*out = key;
	return ST_OK;
}

/* ---- a certificate ---- */

static void cert_dtor(void *obj)
{
	struct stir_cert *c = obj;
	X509_free(c->leaf);
	sk_X509_pop_free(c->chain, X509_free);
	EVP_PKEY_free(c->pkey);
}

EVP_PKEY *stir_cert_key(const struct stir_cert *c)
{
	return c->pkey;
}

static int list_read(struct stir_cert *c)
{
	ASN1_OBJECT *oid = OBJ_txt2obj(tn_list_oid, 1);
	int at = oid ? X509_get_ext_by_OBJ(c->leaf, oid, -1) : -1;
	ASN1_OBJECT_free(oid);
	if (at < 0)
		return ST_OK;
	const ASN1_OCTET_STRING *der = X509_EXTENSION_get_data(X509_get_ext(c->leaf, at));
	c->has_list = true;
	return stir_tn_list_parse(c->entries, STIR_TN_ENTRIES_MAX, &c->entry_count, ASN1_STRING_get0_data(der),
	    (size_t)ASN1_STRING_length(der));
}

static int chain_read(struct stir_cert *c, BIO *bio)
{
	X509 *x;
	if (!(c->leaf = PEM_read_bio_X509(bio, NULL, no_password, NULL)) || !(c->chain = sk_X509_new_null()))
		return ST_PARSE;
	while (sk_X509_num(c->chain) < STIR_CHAIN_MAX && (x = PEM_read_bio_X509(bio, NULL, no_password, NULL)))
		if (!sk_X509_push(c->chain, x)) {
			X509_free(x);
			return ST_NOMEM;
		}
	return ST_OK;
}

int stir_cert_parse(struct stir_cert **out, struct sv pem, char *error)
{
	if (!pem.n || pem.n > STIR_CERT_MAX_BYTES)
		return fail(error, ST_PARSE, "no certificate of a sensible size");
	struct stir_cert *c = mem_new_atomic(sizeof(*c), cert_dtor, "stir.cert");
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	int st = !c || !bio ? ST_NOMEM : chain_read(c, bio);
	if (st)
		fail(error, st, "no certificate in PEM");
	if (!st && !is_p256(c->pkey = X509_get_pubkey(c->leaf)))
		st = fail(error, ST_UNSUPPORTED, "the certificate's key is not of the curve P-256");
	if (!st && (st = list_read(c)))
		fail(error, st, "the certificate's list of numbers cannot be read");
	BIO_free(bio);
	if (st)
		mem_unref(c);
	else
		*out = c;
	return st;
}

bool stir_cert_has_list(const struct stir_cert *c)
{
	return c->has_list;
}

/* "12155550100" and so many after it, by decimal arithmetic on texts of the same length. */
static bool range_has(const struct stir_tn_entry *e, const char *number)
{
	uint64_t first, n;
	if (strlen(e->text) != strlen(number) || sv_u64(sv_of(e->text), &first) || sv_u64(sv_of(number), &n))
		return false;
	return n >= first && n - first < e->count;
}

bool stir_cert_covers(const struct stir_cert *c, const char *number)
{
	for (size_t i = 0; i < c->entry_count; i++) {
		const struct stir_tn_entry *e = &c->entries[i];
		if (e->kind == STIR_TN_SPC || (e->kind == STIR_TN_ONE && !strcmp(e->text, number)) ||
		    (e->kind == STIR_TN_RANGE && range_has(e, number)))
			return true;
	}
	return false;
}

/* ---- authorities ---- */

static void ca_dtor(void *obj)
{
	X509_STORE_free(((struct stir_ca *)obj)->store);
}

int stir_ca_new(struct stir_ca **out)
{
	struct stir_ca *ca = mem_new_atomic(sizeof(*ca), ca_dtor, "stir.ca");
	if (!ca)
		return ST_NOMEM;
	if (!(ca->store = X509_STORE_new())) {
		mem_unref(ca);
		return ST_NOMEM;
	}
	*out = ca;
	return ST_OK;
}

int stir_ca_add(struct stir_ca *ca, struct sv pem)
{
	BIO *bio = pem.n && pem.n < (16u << 20) ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
	STACK_OF(X509_INFO) *all = bio ? PEM_X509_INFO_read_bio(bio, NULL, no_password, NULL) : NULL;
	size_t found = 0;
	for (int i = 0; i < sk_X509_INFO_num(all); i++) {
		const X509_INFO *info = sk_X509_INFO_value(all, i);
		if (info->x509 && X509_STORE_add_cert(ca->store, info->x509) == 1)
			ca->count++, found++;
		if (info->crl && X509_STORE_add_crl(ca->store, info->crl) == 1)
			ca->has_crls = true, found++;
	}
	sk_X509_INFO_pop_free(all, X509_INFO_free);
	BIO_free(bio);
	return found ? ST_OK : ST_PARSE;
}

size_t stir_ca_count(const struct stir_ca *ca)
{
	return ca->count;
}

/* The list of numbers is often critical, and OpenSSL does not know it: list_read does. A revocation list is asked for
 * the certificates whose authority has one. */
static int on_verify(int ok, X509_STORE_CTX *ctx)
{
	int e = X509_STORE_CTX_get_error(ctx);
	if (!ok && (e == X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION || e == X509_V_ERR_UNABLE_TO_GET_CRL)) {
		X509 *x = X509_STORE_CTX_get_current_cert(ctx);
		if (e == X509_V_ERR_UNABLE_TO_GET_CRL)
			return 1;
		for (int i = 0; i < X509_get_ext_count(x); i++) {
			X509_EXTENSION *ext = X509_get_ext(x, i);
			char oid[80] = "";
			OBJ_obj2txt(oid, sizeof(oid), X509_EXTENSION_get_object(ext), 1);
			if (X509_EXTENSION_get_critical(ext) && !X509_supported_extension(ext) &&
			    strcmp(oid, tn_list_oid))
				return 0;
		}
		return 1;
	}
	return ok;
}

int stir_cert_check(const struct stir_cert *c, const struct stir_ca *ca, int64_t now_s, char *error)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	int st = ST_NOMEM;
	if (ctx && X509_STORE_CTX_init(ctx, ca->store, c->leaf, c->chain) == 1) {
		X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
		X509_VERIFY_PARAM_set_time(param, (time_t)now_s);
		X509_VERIFY_PARAM_set_depth(param, STIR_CHAIN_MAX);
		if (ca->has_crls)
			X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
		X509_STORE_CTX_set_verify_cb(ctx, on_verify);
		st = X509_verify_cert(ctx) == 1 ? ST_OK : ST_DENIED;
		if (st)
			fail(error, st, X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
	}
	X509_STORE_CTX_free(ctx);
	return st;
}
