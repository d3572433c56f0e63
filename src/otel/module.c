/* mod_otel: otel.conf read at the load, spans made while there is an endpoint. */
#include "core/registry/module.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/registry/metrics.h"
#include "otel/otel_i.h"

#include <stdlib.h>
#include <string.h>

struct otel_conf otel_conf;
static bool is_on;

static unsigned number(const struct xml_node *s, const char *name, unsigned otherwise, unsigned low, unsigned high)
{
	const char *text = config_param(s, name, "");
	char at[CONFIG_AT_CHARS];
	uint32_t n;
	if (!*text)
		return otherwise;
	if (sv_u32(sv_of(text), &n) || n < low || n > high) {
		log_warning("otel: %s%s \"%s\" is no number from %u to %u; it is %u", config_param_at(s, name, at),
		    name, text, low, high, otherwise);
		return otherwise;
	}
	return n;
}

/* "Name=value,Name=value" as header lines. */
static char *headers_of(const struct xml_node *s)
{
	struct sv rest = sv_of(config_param(s, "headers", "")), one, name, value;
	char at[CONFIG_AT_CHARS];
	struct buf b;
	buf_init(&b);
	while (rest.n) {
		sv_split(rest, ',', &one, &rest);
		if (sv_split(one, '=', &name, &value) && sv_trim(name).n)
			buf_printf(&b, "%.*s: %.*s\r\n", SVF(sv_trim(name)), SVF(sv_trim(value)));
		else
			log_warning("otel: %sheaders: there is something that is no name=value",
			    config_param_at(s, "headers", at)); /* not what: it may be a password */
	}
	return buf_take(&b);
}

static ON_CTL void conf_read(void)
{
	const struct xml_node *s = xml_child(config_conf("otel.conf"), "settings");
	char *end = NULL, at[CONFIG_AT_CHARS];
	const char *ratio = config_param(s, "sample-ratio", "1");
	otel_conf.endpoint = mem_strdup(config_param(s, "endpoint", ""));
	otel_conf.service = mem_strdup(config_param(s, "service-name", "tandem"));
	otel_conf.headers = headers_of(s);
	otel_conf.ca_file = mem_strdup(config_param(s, "ca-file", ""));
	otel_conf.batch_spans = number(s, "batch-spans", 512, 1, 4096);
	otel_conf.queue_spans = number(s, "queue-spans", 8192, 16, 262144);
	otel_conf.flush_ms = number(s, "flush-interval", 2000, 10, 60000);
	otel_conf.timeout_ms = number(s, "timeout", 10000, 100, 60000);
	otel_conf.tells_numbers = str_is_true(config_param(s, "record-numbers", "true"));
	otel_conf.propagates = str_is_true(config_param(s, "propagate", "false"));
	otel_conf.ratio = strtod(ratio, &end);
	if (end == ratio || *end || !(otel_conf.ratio >= 0 && otel_conf.ratio <= 1)) {
		log_warning("otel: %ssample-ratio \"%s\" is no number from 0 to 1; it is 1",
		    config_param_at(s, "sample-ratio", at), ratio);
		otel_conf.ratio = 1;
	}
}

static void conf_free(void)
{
	mem_free(otel_conf.endpoint), mem_free(otel_conf.service), mem_free(otel_conf.headers);
	mem_free(otel_conf.ca_file);
	memset(&otel_conf, 0, sizeof(otel_conf));
}

static int otel_load(void)
{
	role_assert_ctl();
	conf_read();
	if (!*otel_conf.endpoint)
		return ST_OK;
	export_start();
	int st = calls_trace_start();
	is_on = !st;
	if (st) {
		calls_trace_stop();
		export_stop();
		conf_free();
	} else {
		log_notice("otel: traces go to %s", otel_conf.endpoint);
	}
	return st;
}

static int otel_unload(void)
{
	role_assert_ctl();
	if (is_on) {
		calls_trace_stop();
		export_stop();
	}
	is_on = false;
	conf_free();
	return ST_OK;
}

enum { M_EXPORTED, M_DROPPED, M_FAILED, M_QUEUED };
static void metrics_fill(struct metric_out *out, int which)
{
	struct export_counts c;
	role_assert_ctl();
	export_counts_get(&c);
	metric_put(out,
	    which == M_EXPORTED  ? (double)c.exported
	    : which == M_DROPPED ? (double)c.dropped
	    : which == M_FAILED  ? (double)c.failed_posts
	                         : (double)c.queued,
	    NULL);
}

static const struct metric_desc metrics[] = {
    {"tandem_otel_spans_exported_total", METRIC_COUNTER, 0, "Spans that the collector took.", metrics_fill, M_EXPORTED},
    {"tandem_otel_spans_dropped_total", METRIC_COUNTER, 0, "Spans that were lost.", metrics_fill, M_DROPPED},
    {"tandem_otel_posts_failed_total", METRIC_COUNTER, 0, "Posts that failed.", metrics_fill, M_FAILED},
    {"tandem_otel_spans_queued", METRIC_GAUGE, 0, "Spans that wait to be sent.", metrics_fill, M_QUEUED},
    {0},
};

static const struct conf_desc confs[] = {
    {"otel.conf", "endpoint", "url", "", "", "where traces are posted: http://HOST:4318/v1/traces; empty: off"},
    {"otel.conf", "service-name", "text", "", "tandem", "service.name of the resource"},
    {"otel.conf", "headers", "list", "", "", "Name=value, separated by commas: for the collector's authorization"},
    {"otel.conf", "ca-file", "path", "", "", "whose signatures count of an https collector; empty: the system's"},
    {"otel.conf", "sample-ratio", "number", "", "1", "share of the calls that are traced, 0 to 1"},
    {"otel.conf", "batch-spans", "number", "", "512", "most spans of one post"},
    {"otel.conf", "queue-spans", "number", "", "8192", "spans that may wait; more are dropped and counted"},
    {"otel.conf", "flush-interval", "number", "ms", "2000", "between two posts while there is little"},
    {"otel.conf", "timeout", "number", "ms", "10000", "for one post"},
    {"otel.conf", "record-numbers", "boolean", "", "true", "numbers of callers and called are attributes"},
    {"otel.conf", "propagate", "boolean", "", "false", "INVITEs that go out have a traceparent header"},
    {0},
};

static const struct var_desc vars[] = {
    {"otel_trace_id", "text", "trace of the call, 32 hex digits", false, true},
    {"otel_span_id", "text", "span of this leg, 16 hex digits", false, true},
    {"otel_traceparent", "text", "traceparent header that came, where the profile trusts it: the trace goes on", true,
        true},
    {0},
};

const struct module mod_otel = {.abi = MODULE_ABI,
    .name = "mod_otel",
    .load = otel_load,
    .unload = otel_unload,
    .vars = vars,
    .confs = confs,
    .metrics = metrics};
