/* Signatures of Amazon S3 ("Signing and authenticating REST requests", version 2; "Signature Version 4, authorization
 * header") and of Azure's storage ("Authorize with Shared Key"). */
#include "httpcache/sign.h"
#include "base/mem.h"
#include "text/base64.h"
#include "text/digest.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define S3_DOMAIN "s3.amazonaws.com"
#define BLOB_DOMAIN "blob.core.windows.net"
#define BLOB_VERSION "2019-12-12" /* the first whose blobs of one piece may have 5000 MiB */
#define UNSIGNED "UNSIGNED-PAYLOAD"

struct parts {
	struct sv host; /* as the Host line has it: with the port unless it is the scheme's */
	struct sv path, query;
};

static int url_split(struct parts *p, const char *url)
{
	struct sv text = sv_of(url), rest;
	bool is_tls = sv_startsi(text, SV("https://"));
	if (!is_tls && !sv_startsi(text, SV("http://")))
		return ST_INVAL;
	const char *at = url + (is_tls ? 8 : 7);
	p->host = (struct sv){at, strcspn(at, "/?#")};
	rest = sv_of(at + p->host.n);
	rest = sv_sub(rest, 0, sv_find(rest, '#'));
	sv_split(rest, '?', &p->path, &p->query);
	if (!p->path.n)
		p->path = SV("/");
	struct sv port = is_tls ? SV(":443") : SV(":80");
	if (p->host.n > port.n && !memcmp(p->host.p + p->host.n - port.n, port.p, port.n))
		p->host = sv_sub(p->host, 0, p->host.n - port.n);
	return p->host.n ? ST_OK : ST_INVAL;
}

/* What stands before the domain, or all of the host when it is another: a bucket by a name of its own. "": the host is
 * the domain, and the bucket is in the path. */
static struct sv account_of(struct sv host, const char *domain)
{
	struct sv name = sv_sub(host, 0, sv_find(host, ':')), d = sv_of(domain);
	if (sv_isi(name, domain))
		return SV_NONE;
	if (name.n > d.n + 1 && name.p[name.n - d.n - 1] == '.' && sv_isi(sv_sub(name, name.n - d.n, d.n), domain))
		return sv_sub(name, 0, name.n - d.n - 1);
	return name;
}

static void date_of(time_t now_s, const char *format, char out[40])
{
	struct tm tm;
	gmtime_r(&now_s, &tm);
	out[strftime(out, 39, format, &tm)] = 0;
}

static const char *domain_of(const struct sign_account *a, const char *otherwise)
{
	return a->base_domain && *a->base_domain ? a->base_domain : otherwise;
}

/* ---- S3, version 2 ---- */

int sign_aws_v2(struct buf *headers, const struct sign_account *a, const struct sign_request *r)
{
	uint8_t mac[DIGEST_SHA1_BYTES];
	char date[40];
	struct parts p;
	struct buf text;
	if (url_split(&p, r->url))
		return ST_INVAL;
	struct sv bucket = account_of(p.host, domain_of(a, S3_DOMAIN));
	date_of(r->now_s, "%a, %d %b %Y %H:%M:%S GMT", date);
	buf_init(&text);
	buf_printf(
	    &text, "%s\n\n%s\n%s\n%s%.*s%.*s", r->verb, r->ctype, date, bucket.n ? "/" : "", SVF(bucket), SVF(p.path));
	digest_hmac_sha1(a->secret, strlen(a->secret), text.p, text.n, mac);
	bool is_short = text.failed;
	buf_fini(&text);
	buf_printf(headers, "Date: %s\r\nAuthorization: AWS %s:", date, a->key_id);
	base64_encode(headers, mac, sizeof(mac));
	buf_adds(headers, "\r\n");
	return is_short || headers->failed ? ST_NOMEM : ST_OK;
}

/* ---- S3, version 4 ---- */

/* As it stands in the URL, with what may not stand there written by %; what is written so already stays. */
static void add_encoded(struct buf *out, struct sv text, bool keeps_slash)
{
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];
		if (isalnum(c) || strchr("-._~%", c) || (c == '/' && keeps_slash))
			buf_addc(out, (char)c);
		else
			buf_printf(out, "%%%02X", c);
	}
}

enum { QUERY_MAX = 64 };
static int by_bytes(const void *a, const void *b)
{
	const struct sv *x = a, *y = b;
	int d = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);
	return d ? d : x->n < y->n ? -1 : x->n > y->n;
}

static int add_query(struct buf *out, struct sv query)
{
	struct sv words[QUERY_MAX], name, value;
	size_t count = 0;
	while (query.n && count < QUERY_MAX)
		sv_split(query, '&', &words[count++], &query);
	qsort(words, count, sizeof(words[0]), by_bytes);
	for (size_t i = 0; i < count; i++) {
		sv_split(words[i], '=', &name, &value);
		buf_adds(out, i ? "&" : "");
		add_encoded(out, name, false);
		buf_addc(out, '=');
		add_encoded(out, value, false);
	}
	return query.n ? ST_INVAL : ST_OK;
}

static void hmac(uint8_t key[DIGEST_SHA256_BYTES], const char *text)
{
	uint8_t mac[DIGEST_SHA256_BYTES];
	digest_hmac_sha256(key, DIGEST_SHA256_BYTES, text, strlen(text), mac);
	memcpy(key, mac, sizeof(mac));
}

static int v4_key(uint8_t key[DIGEST_SHA256_BYTES], const struct sign_account *a, const char *day)
{
	struct buf first;
	buf_init(&first);
	buf_printf(&first, "AWS4%s", a->secret);
	int st = first.failed ? ST_NOMEM : ST_OK;
	digest_hmac_sha256(first.p, first.n, day, strlen(day), key);
	buf_fini(&first);
	hmac(key, a->region);
	hmac(key, "s3");
	hmac(key, "aws4_request");
	return st;
}

int sign_aws_v4(struct buf *headers, const struct sign_account *a, const struct sign_request *r)
{
	static const char names[] = "host;x-amz-content-sha256;x-amz-date";
	uint8_t hash[DIGEST_SHA256_BYTES], key[DIGEST_SHA256_BYTES];
	char hex[DIGEST_HEX_CHARS(DIGEST_SHA256_BYTES) + 1], day[40], now[40];
	struct parts p;
	struct buf text;
	if (url_split(&p, r->url))
		return ST_INVAL;
	date_of(r->now_s, "%Y%m%d", day);
	date_of(r->now_s, "%Y%m%dT%H%M%SZ", now);
	buf_init(&text);
	buf_printf(&text, "%s\n", r->verb);
	add_encoded(&text, p.path, true);
	buf_addc(&text, '\n');
	int st = add_query(&text, p.query);
	buf_printf(&text, "\nhost:%.*s\nx-amz-content-sha256:%s\nx-amz-date:%s\n\n%s\n%s", SVF(p.host), UNSIGNED, now,
	    names, UNSIGNED);
	digest_sha256(text.p, text.n, hash);
	digest_hex(hash, sizeof(hash), hex);
	if (!st && text.failed)
		st = ST_NOMEM;
	buf_clear(&text);
	buf_printf(&text, "AWS4-HMAC-SHA256\n%s\n%s/%s/s3/aws4_request\n%s", now, day, a->region, hex);
	if (!st)
		st = text.failed ? ST_NOMEM : v4_key(key, a, day);
	if (!st)
		hmac(key, text.p), digest_hex(key, sizeof(key), hex);
	buf_fini(&text);
	if (st)
		return st;
	buf_printf(headers,
	    "x-amz-content-sha256: %s\r\nx-amz-date: %s\r\nAuthorization: AWS4-HMAC-SHA256 "
	    "Credential=%s/%s/%s/s3/aws4_request,SignedHeaders=%s,Signature=%s\r\n",
	    UNSIGNED, now, a->key_id, day, a->region, names, hex);
	return headers->failed ? ST_NOMEM : ST_OK;
}

/* ---- Azure ---- */

int sign_azure(struct buf *headers, const struct sign_account *a, const struct sign_request *r)
{
	bool is_put = !strcmp(r->verb, "PUT");
	uint8_t mac[DIGEST_SHA256_BYTES];
	char date[40];
	struct parts p;
	struct buf text, key;
	if (url_split(&p, r->url))
		return ST_INVAL;
	struct sv account = account_of(p.host, domain_of(a, BLOB_DOMAIN));
	date_of(r->now_s, "%a, %d %b %Y %H:%M:%S GMT", date);
	buf_init(&text);
	buf_init(&key);
	int st = account.n && !p.query.n && !base64_decode(&key, sv_of(a->secret)) && key.n ? ST_OK : ST_INVAL;
	/* verb, then of eleven header lines only length and type */
	buf_printf(&text, "%s\n\n\n", r->verb);
	if (r->bytes)
		buf_printf(&text, "%llu", (unsigned long long)r->bytes);
	buf_printf(&text, "\n\n%s\n\n\n\n\n\n\n%sx-ms-date:%s\nx-ms-version:%s\n/%.*s%.*s", r->ctype,
	    is_put ? "x-ms-blob-type:BlockBlob\n" : "", date, BLOB_VERSION, SVF(account), SVF(p.path));
	if (!st && text.failed)
		st = ST_NOMEM;
	if (!st)
		digest_hmac_sha256(key.p, key.n, text.p, text.n, mac);
	buf_fini(&key);
	buf_fini(&text);
	if (st)
		return st;
	buf_printf(headers, "%sx-ms-date: %s\r\nx-ms-version: %s\r\nAuthorization: SharedKey %.*s:",
	    is_put ? "x-ms-blob-type: BlockBlob\r\n" : "", date, BLOB_VERSION, SVF(account));
	base64_encode(headers, mac, sizeof(mac));
	buf_adds(headers, "\r\n");
	return headers->failed ? ST_NOMEM : ST_OK;
}
