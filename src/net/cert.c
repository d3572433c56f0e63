/* A key, a certificate signed with it, and the file of both: written beside its name and linked there, so that nobody
 * reads half of one and of two that make it at once the first one's stays. */
#include "net/cert.h"
#include "base/disk.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/str.h"
#include "net/addr.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { VALID_DAYS = 3650, RSA_BITS = 2048 };

static bool extension_add(X509 *cert, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	bool ok = e && X509_add_ext(cert, e, -1);
	X509_EXTENSION_free(e);
	return ok;
}

/* A name that may stand in a list of names. */
static bool is_name(const char *s)
{
	size_t n = strlen(s);
	return n && n < 64 && strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:") == n;
}

static void alt_names_put(struct buf *out, const char *const *names)
{
	for (size_t i = 0; names[i] && i < CERT_NAMES_MAX; i++) {
		struct addr a;
		if (!is_name(names[i]))
			continue;
		bool is_address = !addr_parse(&a, sv_of(names[i]), 0);
		buf_printf(out, "%s%s:%s", out->n ? "," : "", is_address ? "IP" : "DNS", names[i]);
	}
}

static X509 *cert_make(EVP_PKEY *key, const char *const *names)
{
	X509 *c = X509_new();
	struct buf alt;
	uint64_t serial;
	buf_init(&alt);
	alt_names_put(&alt, names);
	rand_bytes(&serial, sizeof(serial));
	const char *common = names[0] && is_name(names[0]) ? names[0] : "tandem";
	X509_NAME *subject = c ? X509_get_subject_name(c) : NULL;
	bool ok = c && X509_set_version(c, 2) && ASN1_INTEGER_set_uint64(X509_get_serialNumber(c), (serial >> 1) | 1) &&
	          X509_gmtime_adj(X509_getm_notBefore(c), -86400L) &&
	          X509_gmtime_adj(X509_getm_notAfter(c), 86400L * VALID_DAYS) && X509_set_pubkey(c, key) &&
	          X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)common, -1, -1, 0) &&
	          X509_set_issuer_name(c, subject) && extension_add(c, NID_basic_constraints, "critical,CA:FALSE") &&
	          extension_add(c, NID_key_usage, "critical,digitalSignature,keyEncipherment") &&
	          extension_add(c, NID_ext_key_usage, "serverAuth,clientAuth") &&
	          (!alt.n || extension_add(c, NID_subject_alt_name, alt.p)) && X509_sign(c, key, EVP_sha256());
	buf_fini(&alt);
	if (ok)
		return c;
	X509_free(c);
	return NULL;
}

static bool pem_make(enum cert_kind kind, const char *const *names, BIO *out)
{
	EVP_PKEY *key = kind == CERT_EC ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256")
	                                : EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)RSA_BITS);
	X509 *cert = key ? cert_make(key, names) : NULL;
	bool ok =
	    cert && PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) && PEM_write_bio_X509(out, cert);
	X509_free(cert);
	EVP_PKEY_free(key);
	return ok;
}

/* ST_EXISTS: somebody else was quicker, and it is there. */
static int file_make(const char *path, struct sv text)
{
	char beside[4096];
	uint32_t r;
	rand_bytes(&r, sizeof(r));
	if (snprintf(beside, sizeof(beside), "%s.%08x", path, r) >= (int)sizeof(beside))
		return ST_IO;
	int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return ST_IO;
	int st = disk_write(fd, text.p, text.n);
	int error = errno;
	if (!st && fsync(fd))
		st = ST_IO, error = errno;
	close(fd);
	if (!st && link(beside, path))
		st = errno == EEXIST ? ST_EXISTS : ST_IO, error = errno;
	unlink(beside);
	if (!st)
		disk_sync_parent(path);
	errno = error;
	return st;
}

/* The folder of the file, one level. */
static void folder_make(const char *path)
{
	char folder[4096];
	const char *slash = strrchr(path, '/');
	if (!slash || slash == path ||
	    snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path) >= (int)sizeof(folder))
		return;
	mkdir(folder, 0750);
}

int cert_ensure(const char *path, enum cert_kind kind, const char *const *names, bool *was_made)
{
	struct stat s;
	char *pem = NULL;
	long n = 0;
	int st = ST_OK;
	if (was_made)
		*was_made = false;
	if (!stat(path, &s))
		return ST_OK;
	folder_make(path);
	BIO *out = BIO_new(BIO_s_mem());
	if (!out || !pem_make(kind, names, out)) {
		log_error(
		    "no certificate could be made for %s: %s", path, ERR_reason_error_string(ERR_peek_last_error()));
		ERR_clear_error();
		st = ST_IO;
	} else {
		n = BIO_get_mem_data(out, &pem);
		st = file_make(path, (struct sv){pem, (size_t)n});
		if (st == ST_IO)
			log_error("the certificate %s cannot be written: %s", path, strerror(errno));
		else if (!st)
			log_notice("%s was not there: a certificate of our own was made (%s); put yours in its place "
			           "and say reloadcert",
			    path, kind == CERT_EC ? "ECDSA P-256" : "RSA 2048");
		if (!st && was_made)
			*was_made = true;
		if (st == ST_EXISTS)
			st = ST_OK;
	}
	if (pem)
		OPENSSL_cleanse(pem, (size_t)n);
	BIO_free(out);
	return st;
}
