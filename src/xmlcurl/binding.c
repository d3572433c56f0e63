/* One <binding> of xml_curl.conf as a struct: FreeSWITCH's parameters and ours. What is wrong is told with file and
 * line; a parameter that cannot be understood leaves its default. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "fetch/fetch.h"
#include "xmlcurl/xmlcurl_i.h"
#include <string.h>
#include <strings.h>

static void binding_free(void *obj)
{
	struct xc_binding *b = obj;
	char *texts[] = {b->name, b->url, b->sections, b->method, b->user, b->password, b->cookie_file, b->bind_local,
	    b->ca_file, b->cert_file, b->key_file, b->key_password, b->cache_key};
	role_assert_ctl();
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		mem_free(texts[i]);
	hash_free(b->post_vars);
	xc_cache_fini(&b->cache);
}

static ON_CTL int64_t number(const struct xml_node *b, const char *name, int64_t low, int64_t high, int64_t otherwise)
{
	const char *text = config_param(b, name, NULL);
	char at[CONFIG_AT_CHARS];
	int64_t n;

	if (!text || !*text)
		return otherwise;
	if (sv_i64(sv_of(text), &n) || n < low || n > high) {
		log_warning("xml_curl: %s%s \"%s\" is no number from %lld to %lld; it is %lld",
		    config_param_at(b, name, at), name, text, (long long)low, (long long)high, (long long)otherwise);
		return otherwise;
	}
	return n;
}

static ON_CTL char *text(const struct xml_node *b, const char *name)
{
	const char *value = config_param(b, name, NULL);
	return value && *value ? mem_strdup(value) : NULL;
}

static ON_CTL void credentials(struct xc_binding *b, const struct xml_node *node)
{
	struct sv user, password;
	const char *both = config_param(node, "gateway-credentials", NULL), *scheme;
	char at[CONFIG_AT_CHARS];

	if (both && *both) {
		sv_split(sv_of(both), ':', &user, &password);
		b->user = sv_dup(user);
		b->password = sv_dup(password);
	}
	scheme = config_param(node, "auth-scheme", NULL);
	if (scheme && *scheme && !(b->auth = fetch_auth_parse(scheme)))
		log_warning("xml_curl: %sauth-scheme \"%s\": basic, digest, ntlm, any or anysafe; it is basic",
		    config_param_at(node, "auth-scheme", at), scheme);
}

/* As FreeSWITCH's table of variables: when there is one, only those are posted. */
static ON_CTL int post_vars(struct xc_binding *b, const struct xml_node *node)
{
	int st = ST_OK;

	xml_each(node, "param", p)
	{
		const char *value = xml_attr(p, "value");
		if (!sv_isi(sv_of(xml_attr(p, "name")), "enable-post-var") || !value || !*value)
			continue;
		if (!b->post_vars)
			st = hash_new(&b->post_vars, HASH_NOCASE, NULL);
		if (!st)
			st = hash_set(b->post_vars, sv_of(value), b);
		if (st)
			return st;
	}
	return ST_OK;
}

/* A certificate is checked unless the configuration says no: FreeSWITCH's default is the other way round. */
static ON_CTL void tls(struct xc_binding *b, const struct xml_node *node)
{
	const char *version = config_param(node, "ssl-version", NULL);
	char at[CONFIG_AT_CHARS];

	b->ca_file = text(node, "ssl-cacert-file");
	b->cert_file = text(node, "ssl-cert-path");
	b->key_file = text(node, "ssl-key-path");
	b->key_password = text(node, "ssl-key-password");
	b->skips_verify = !str_is_true(config_param(node, "enable-cacert-check", "true"));
	b->skips_verify_host = !str_is_true(config_param(node, "enable-ssl-verifyhost", "true"));
	if (version && *version && strcasecmp(version, "TLSv1.2") != 0 && strcasecmp(version, "TLSv1") != 0)
		log_warning("xml_curl: %sssl-version \"%s\": TLS 1.2 and later are spoken, nothing else",
		    config_param_at(node, "ssl-version", at), version);
}

static ON_CTL int limits(struct xc_binding *b, const struct xml_node *node)
{
	b->timeout_us = clock_us_of_s(number(node, "timeout", 0, 300, 0));
	if (!b->timeout_us)
		b->timeout_us = clock_us_of_s(10);
	b->max_bytes = (size_t)number(node, "response-max-bytes", 1024, 8 << 20, 1 << 20);
	b->cache_us = clock_us_of_s(number(node, "cache-ttl", 0, 86400, 0));
	b->stale_us = clock_us_of_s(number(node, "cache-stale-if-error", 0, 604800, 0));
	b->max_running = (unsigned)number(node, "max-concurrent", 1, 200, 50);
	b->max_waiting = (unsigned)number(node, "max-waiting", 0, 1000, 150);
	b->breaker_failures = (unsigned)number(node, "breaker-failures", 0, 1000, 10);
	b->breaker_us = clock_us_of_s(number(node, "breaker-cooldown", 1, 3600, 5));
	return xc_cache_init(&b->cache, (size_t)number(node, "cache-max-entries", 1, 1000000, 20000),
	    (size_t)number(node, "cache-max-bytes", 65536, 1 << 30, 128 << 20));
}

int xc_binding_new(struct xc_binding **out, const struct xml_node *node)
{
	const struct xml_node *gateway = xml_child_with(node, "param", "name", "gateway-url");
	const char *url = xml_attr(gateway, "value"), *sections = xml_attr(gateway, "bindings");
	struct xc_binding *b;
	int st;

	if (!url || !*url || (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0)) {
		log_error("%s:%u: xml_curl: Binding has no url! (gateway-url=\"http...\")", node->file, node->line);
		return ST_INVAL;
	}
	b = mem_new(sizeof(*b), binding_free, "xmlcurl.binding");
	if (!b)
		return ST_NOMEM;
	list_init(&b->waiters);
	b->name = mem_strdup(xml_attr_or(node, "name", "N/A"));
	b->url = mem_strdup(url);
	b->sections =
	    mem_strdup(sections && *sections ? sections : "configuration dialplan directory phrases chatplan");
	b->method = text(node, "method");
	b->cookie_file = text(node, "cookie-file");
	b->bind_local = text(node, "bind-local");
	b->cache_key = text(node, "cache-key");
	b->is_dynamic = str_is_true(config_param(node, "use-dynamic-url", "false"));
	credentials(b, node);
	tls(b, node);
	st = limits(b, node);
	if (!st)
		st = post_vars(b, node);
	if (!st && b->is_dynamic && !xc_url_is_sound(b->url)) {
		log_error("%s:%u: xml_curl: the host of a dynamic url is not taken from a question", gateway->file,
		    gateway->line);
		st = ST_INVAL;
	}
	if (st)
		mem_unref(b);
	else
		*out = b;
	return st;
}
