/* The profiles of http_cache.conf: header lines that a server wants to see, and accounts of Amazon S3 and Azure. Which
 * one a request has is said before its URL ({profile=s3}), or by its server's name. Read from the configuration at each
 * request: a new key counts from the next one on. Keys of the environment come first, as in FreeSWITCH. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "httpcache/httpcache_i.h"
#include "httpcache/sign.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The server's name, with its port where the configuration names that too. */
static bool is_domain_of(const char *domain, const char *url)
{
	const char *host = strstr(url, "://");
	struct sv with_port = host ? (struct sv){host + 3, strcspn(host + 3, "/?#")} : SV_NONE;
	return sv_isi(with_port, domain) || sv_isi(sv_sub(with_port, 0, sv_find(with_port, ':')), domain);
}

static ON_CTL const struct xml_node *profile_of(const char *name, const char *url)
{
	const struct xml_node *all = xml_child(config_conf("http_cache.conf"), "profiles");
	const struct xml_node *p = name ? xml_child_with(all, "profile", "name", name) : NULL;
	if (p)
		return p;
	if (name)
		log_warning("http_cache: there is no profile \"%s\"", name);
	xml_each(all, "profile", one) xml_each(
	    xml_child(one, "domains"), "domain", d) if (is_domain_of(xml_attr_or(d, "name", ""), url)) return one;
	return NULL;
}

/* The text without what surrounds it, or NULL; the environment's where it has both. */
static ON_CTL char *text_of(const struct xml_node *node, const char *child, const char *env)
{
	const struct xml_node *c = xml_child(node, child);
	const char *outside = env ? getenv(env) : NULL;
	struct sv text = outside && *outside ? sv_of(outside) : c ? sv_trim(sv_of(c->text)) : SV_NONE;
	return text.n ? sv_dup(text) : NULL;
}

static bool is_line(const char *name, const char *value)
{
	for (; *name; name++)
		if ((unsigned char)*name <= ' ' || *name == ':')
			return false;
	return !value[strcspn(value, "\r\n")];
}

static ON_CTL void own_lines_add(struct buf *headers, const struct xml_node *own)
{
	xml_each(own, "header", h)
	{
		const char *name = xml_attr_or(h, "name", "");
		char *value = sv_dup(sv_trim(sv_of(h->text)));
		if (value && *name && is_line(name, value))
			buf_printf(headers, "%s: %s\r\n", name, value);
		else
			log_warning("%s:%u: http_cache: no header line", h->file, h->line);
		mem_free(value);
	}
}

int httpcache_sign(
    struct buf *headers, const char *name, const char *verb, const char *url, const char *ctype, uint64_t bytes)
{
	struct sign_request r = {verb, url, ctype, bytes, (time_t)(clock_wall_us() / 1000000)};
	const struct xml_node *p = profile_of(name, url), *aws = xml_child(p, "aws-s3"),
	                      *azure = xml_child(p, "azure-blob"), *node = aws ? aws : azure;
	int st = ST_OK;
	own_lines_add(headers, xml_child(p, "default"));
	if (!node)
		return headers->failed ? ST_NOMEM : ST_OK;
	bool is_env = aws && getenv("AWS_ACCESS_KEY_ID") && getenv("AWS_SECRET_ACCESS_KEY");
	char *key_id = text_of(node, "access-key-id", is_env ? "AWS_ACCESS_KEY_ID" : NULL);
	char *secret = text_of(node, "secret-access-key",
	    is_env  ? "AWS_SECRET_ACCESS_KEY"
	    : azure ? "AZURE_STORAGE_ACCESS_KEY"
	            : NULL);
	char *region = text_of(node, "region", NULL), *domain = text_of(node, "base-domain", NULL);
	struct sign_account a = {key_id, secret, region, domain};
	if ((aws && !key_id) || !secret)
		st = ST_INVAL;
	else
		st = !aws ? sign_azure(headers, &a, &r) : (region ? sign_aws_v4 : sign_aws_v2)(headers, &a, &r);
	if (st)
		log_error("%s:%u: http_cache: %s: cannot be signed: %s", node->file, node->line, url,
		    !secret || (aws && !key_id) ? "a key is missing" : status_text(st));
	mem_free(key_id), mem_free(secret), mem_free(region), mem_free(domain);
	return st;
}
