/* mod_xml_curl: xml_curl.conf read at the load, a source binding for each <binding>, the command xml_curl. */
#include "core/registry/module.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/registry/api.h"
#include "core/registry/metrics.h"
#include "xmlcurl/xmlcurl_i.h"
#include <string.h>
#include <strings.h>

static struct list bindings = {{&bindings.head, &bindings.head}};

static ON_CTL void unbind_all(void)
{
	while (!list_empty(&bindings)) {
		struct xc_binding *b = list_entry(list_first(&bindings), struct xc_binding, link);
		list_remove(&b->link);
		source_unbind(b->bound);
		mem_unref(b);
	}
}

static int load(void)
{
	const struct xml_node *conf;

	role_assert_ctl();
	conf = config_conf("xml_curl.conf");
	if (!conf) {
		log_error("xml_curl: Open of xml_curl.conf failed");
		return ST_NOTFOUND;
	}
	xml_each(xml_child(conf, "bindings"), "binding", node)
	{
		struct xc_binding *b = NULL;
		if (xc_binding_new(&b, node))
			continue;
		if (source_bind(&b->bound, b->name, b->sections, xc_ask, b)) {
			mem_unref(b);
			continue;
		}
		list_push(&bindings, &b->link);
		log_notice("xml_curl: Binding [%s] XML Fetch Function [%s] [%s]", b->name, b->url, b->sections);
	}
	return ST_OK;
}

static int unload(void)
{
	role_assert_ctl();
	unbind_all();
	return ST_OK;
}

static ON_CTL void status(struct buf *out)
{
	struct lnode *it, *tmp;

	list_each (&bindings, it, tmp) {
		const struct xc_binding *b = list_entry(it, struct xc_binding, link);
		buf_printf(out,
		    "%s %s [%s] %s\n  asked: %llu cached: %llu stale: %llu not found: %llu failed: %llu refused: %llu\n"
		    "  running: %u of %u waiting: %u of %u kept: %zu\n",
		    b->name, b->url, b->sections,
		    b->closed_until_us ? "left alone"
		    : b->is_failing    ? "failing"
		                       : "answers",
		    (unsigned long long)b->counts.asked, (unsigned long long)b->counts.cached,
		    (unsigned long long)b->counts.stale, (unsigned long long)b->counts.not_found,
		    (unsigned long long)b->counts.failed, (unsigned long long)b->counts.refused, b->running,
		    b->max_running, b->waiting, b->max_waiting, xc_cache_count(&b->cache));
	}
}

static ON_CTL size_t clear(void)
{
	struct lnode *it, *tmp;
	size_t count = 0;

	list_each (&bindings, it, tmp)
		count += xc_cache_clear(&list_entry(it, struct xc_binding, link)->cache);
	return count;
}

static int api_xml_curl(struct api_call *c)
{
	role_assert_ctl();
	if (!strcasecmp(c->args, "debug_on"))
		xc_tells = true;
	else if (!strcasecmp(c->args, "debug_off"))
		xc_tells = false;
	else if (!strcasecmp(c->args, "status"))
		return status(c->out), ST_OK;
	else if (!strcasecmp(c->args, "flush"))
		return buf_printf(c->out, "+OK cleared %zu entries\n", clear());
	else
		return buf_adds(c->out, "-USAGE: [debug_on|debug_off|status|flush]\n");
	return buf_adds(c->out, "OK\n");
}

static const char *const words[] = {
    "xml_curl debug_on", "xml_curl debug_off", "xml_curl status", "xml_curl flush", NULL};
static const struct api_desc apis[] = {
    {"xml_curl", "XML Curl", "[debug_on|debug_off|status|flush]", 0, api_xml_curl, words},
    {NULL},
};

static void fill(struct metric_out *out, int which)
{
	struct lnode *it, *tmp;

	role_assert_ctl();
	list_each (&bindings, it, tmp) {
		const struct xc_binding *b = list_entry(it, struct xc_binding, link);
		const uint64_t values[] = {b->counts.asked, b->counts.cached, b->counts.stale, b->counts.failed,
		    b->counts.refused, b->running};
		metric_put(out, (double)values[which], "binding", b->name, NULL);
	}
}

static const struct metric_desc metrics[] = {
    {"tandem_xml_curl_asked_total", METRIC_COUNTER, 0, "Questions to web servers that the cache could not answer.",
        fill, 0},
    {"tandem_xml_curl_cached_total", METRIC_COUNTER, 0, "Questions that the cache answered.", fill, 1},
    {"tandem_xml_curl_stale_total", METRIC_COUNTER, 0, "Questions answered by an old answer, as the server failed.",
        fill, 2},
    {"tandem_xml_curl_failed_total", METRIC_COUNTER, 0, "Questions that a server did not answer.", fill, 3},
    {"tandem_xml_curl_refused_total", METRIC_COUNTER, 0, "Questions not asked: too many, or the server is left alone.",
        fill, 4},
    {"tandem_xml_curl_running", METRIC_GAUGE, 0, "Questions under way.", fill, 5},
    {NULL},
};

static const struct conf_desc confs[] = {
    {"xml_curl.conf", "gateway-url", "url", NULL, NULL,
        "binding: whom to ask; its attribute bindings says for which sections"},
    {"xml_curl.conf", "gateway-credentials", "text", NULL, "", "binding: user:password"},
    {"xml_curl.conf", "auth-scheme", "list", NULL, "basic", "binding: basic, digest, ntlm, any, anysafe"},
    {"xml_curl.conf", "method", "text", NULL, "POST", "binding: GET puts the fields into the URL"},
    {"xml_curl.conf", "timeout", "number", "s", "10", "binding: for all of an answer"},
    {"xml_curl.conf", "enable-cacert-check", "boolean", NULL, "true", "binding: the server's certificate is checked"},
    {"xml_curl.conf", "enable-ssl-verifyhost", "boolean", NULL, "true", "binding: and its name"},
    {"xml_curl.conf", "ssl-cacert-file", "path", NULL, "", "binding: authorities; none: the system's"},
    {"xml_curl.conf", "ssl-cert-path", "path", NULL, "", "binding: our certificate"},
    {"xml_curl.conf", "ssl-key-path", "path", NULL, "", "binding: our key"},
    {"xml_curl.conf", "ssl-key-password", "text", NULL, "", "binding: of that key"},
    {"xml_curl.conf", "ssl-version", "text", NULL, "TLSv1.2", "binding: TLS 1.2 or later, whatever it says"},
    {"xml_curl.conf", "cookie-file", "path", NULL, "", "binding: cookies are kept there"},
    {"xml_curl.conf", "use-dynamic-url", "boolean", NULL, "false",
        "binding: ${field} of the URL's path and query is put in"},
    {"xml_curl.conf", "enable-post-var", "text", NULL, NULL,
        "binding: a parameter that is sent; may repeat; none: all are"},
    {"xml_curl.conf", "bind-local", "text", NULL, "", "binding: address or interface to come from"},
    {"xml_curl.conf", "response-max-bytes", "number", "bytes", "1048576", "binding: a longer answer is none"},
    {"xml_curl.conf", "cache-ttl", "number", "s", "0", "binding: how long an answer is kept; 0: not at all"},
    {"xml_curl.conf", "cache-stale-if-error", "number", "s", "0",
        "binding: how much longer it does when the server fails"},
    {"xml_curl.conf", "cache-key", "list", NULL, "", "binding: parameters that an answer depends on; none: by section"},
    {"xml_curl.conf", "cache-max-entries", "number", NULL, "20000", "binding: answers kept; the oldest go first"},
    {"xml_curl.conf", "cache-max-bytes", "number", "bytes", "134217728", "binding: memory of them"},
    {"xml_curl.conf", "max-concurrent", "number", NULL, "50", "binding: questions at a time"},
    {"xml_curl.conf", "max-waiting", "number", NULL, "150", "binding: further ones that wait for their turn"},
    {"xml_curl.conf", "breaker-failures", "number", NULL, "10",
        "binding: failures in a row after which it is left alone; 0: never"},
    {"xml_curl.conf", "breaker-cooldown", "number", "s", "5", "binding: for how long, then one question tries"},
    {NULL},
};

extern const struct module mod_xml_curl;
const struct module mod_xml_curl = {.abi = MODULE_ABI,
    .name = "mod_xml_curl",
    .load = load,
    .unload = unload,
    .apis = apis,
    .confs = confs,
    .metrics = metrics};
