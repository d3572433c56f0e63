/* Resources to look at: made from the commands and tables that the event socket's clients use, as JSON. Long lists are
 * rendered by `show` in slices and passed on as they are. */
#include "base/clock.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "core/registry/limits.h"
#include "core/registry/registrations.h"
#include "core/value/self.h"
#include "web/web_i.h"

#include <stdio.h>
#include <string.h>

/* ---- show ... as json ---- */
static void show_done(struct http_exchange *x, int status, struct sv reply, void *arg)
{
	struct sv error;
	role_assert_ctl();
	if (!http_exchange_is_open(x))
		return;
	if (status == ST_NOTFOUND)
		web_problem(x, 503, "the command show is not loaded");
	else if (web_reply_is_error(reply, &error))
		web_problem(x, 500, "%.*s", SVF(error));
	else if (sv_starts(reply, SV("{\"row_count\": 0}"))) /* its form of no rows has none */
		http_exchange_reply(x, 200, "application/json", SV("{\"row_count\":0,\"rows\":[]}"));
	else
		http_exchange_reply(x, 200, "application/json", reply);
}

void web_show(struct web_call *c)
{
	char args[64];
	snprintf(args, sizeof(args), "%s as json", strrchr(c->route->path, '/') + 1);
	web_command_run(c->x, NULL, "show", args, show_done, NULL);
}

/* ---- sofia xmlstatus ..., as JSON ---- */
/* Each child of the root becomes a row of its children's texts. */
static void rows_put(struct json_writer *w, const struct xml_node *root, const char *name)
{
	int64_t count = 0;
	xml_each(root, name, counted) count++;
	jw_begin_object(w);
	jw_kv_int(w, "row_count", count);
	jw_key(w, "rows");
	jw_begin_array(w);
	xml_each(root, name, row)
	{
		jw_begin_object(w);
		for (const struct xml_node *cell = row->child; cell; cell = cell->next)
			jw_kv_str(w, cell->name, cell->text);
		jw_end_object(w);
	}
	jw_end_array(w);
	jw_end_object(w);
}

static ON_CTL void xml_answer(struct http_exchange *x, int status, struct sv reply, const char *name)
{
	struct xml_doc *doc = NULL;
	struct json_writer w;
	struct buf b;
	if (!http_exchange_is_open(x))
		return;
	buf_init(&b);
	jw_init(&w, &b, false);
	if (status == ST_NOTFOUND || xml_parse(&doc, reply.p ? reply.p : "", reply.n, "sofia", NULL, 0, NULL))
		rows_put(&w, NULL, name); /* no SIP endpoint: nothing of the kind */
	else
		rows_put(&w, xml_root(doc), name);
	mem_unref(doc);
	web_reply_json(x, 200, &b);
}

static void gateways_done(struct http_exchange *x, int status, struct sv reply, void *arg)
{
	role_assert_ctl();
	xml_answer(x, status, reply, "gateway");
}

static void profiles_done(struct http_exchange *x, int status, struct sv reply, void *arg)
{
	role_assert_ctl();
	xml_answer(x, status, reply, "profile");
}

void web_gateways(struct web_call *c)
{
	web_command_run(c->x, NULL, "sofia", "xmlstatus gateway", gateways_done, NULL);
}

void web_profiles(struct web_call *c)
{
	web_command_run(c->x, NULL, "sofia", "xmlstatus", profiles_done, NULL);
}

/* ---- status ---- */
static ON_CTL void sessions_put(struct json_writer *w)
{
	const struct core_counters *n = core_counters();
	const struct core_limits *l = core_limits();
	jw_key(w, "sessions");
	jw_begin_object(w);
	jw_kv_int(w, "now", n->sessions_now);
	jw_kv_int(w, "peak", n->sessions_peak);
	jw_kv_int(w, "total", (int64_t)n->sessions_since_startup);
	jw_kv_int(w, "limit", l->max_sessions);
	jw_kv_int(w, "per_second", n->sps_last);
	jw_kv_int(w, "per_second_peak", n->sps_peak);
	jw_kv_int(w, "per_second_limit", l->sessions_per_second);
	jw_kv_int(w, "answered", (int64_t)n->answered);
	jw_kv_int(w, "failed", (int64_t)n->failed);
	jw_end_object(w);
}

static void notice_put(const char *name, const char *value, void *arg)
{
	struct json_writer *w = arg;
	if (!strncmp(name, "tandem_notice_", 14) && value && *value)
		jw_str(w, value);
}

void web_status(struct web_call *c)
{
	const struct core_limits *l = core_limits();
	struct json_writer w;
	struct buf b;
	buf_init(&b);
	jw_init(&w, &b, false);
	jw_begin_object(&w);
	jw_kv_str(&w, "version", TANDEM_VERSION);
	jw_kv_str(&w, "compatible_version", core_version_text());
	jw_kv_str(&w, "core_uuid", core_uuid());
	jw_kv_str(&w, "hostname", core_hostname());
	jw_kv_int(&w, "uptime_s", (clock_mono_us() - core_counters()->start_mono_us) / 1000000);
	jw_kv_bool(&w, "is_paused_inbound", l->is_paused_inbound);
	jw_kv_bool(&w, "is_paused_outbound", l->is_paused_outbound);
	jw_kv_bool(&w, "is_shutting_down", l->is_shutting_down || l->is_elegant);
	sessions_put(&w);
	jw_kv_int(&w, "registrations", (int64_t)core_registration_count());
	jw_kv_int(&w, "event_sequence", (int64_t)event_sequence());
	jw_key(&w, "notices");
	jw_begin_array(&w);
	globals_each(notice_put, &w);
	jw_end_array(&w);
	jw_end_object(&w);
	web_reply_json(c->x, 200, &b);
}

/* ---- one channel ---- */
void web_channel(struct web_call *c)
{
	struct leg *leg = leg_find(c->param);
	struct event *e = leg ? event_new(EVENT_CHANNEL_DATA, NULL) : NULL;
	if (!e) {
		web_problem(
		    c->x, leg ? 503 : 404, "%s %s", leg ? "no memory to show" : "there is no channel", c->param);
		return;
	}
	leg_event_headers(leg, e);
	http_exchange_reply(c->x, 200, "application/json", event_render(e, EVENT_JSON));
	mem_unref(e);
}
