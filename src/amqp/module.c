/* mod_amqp: amqp.conf's profiles. Producers publish events (JSON) under keys made of their headers; commands' queues
 * bring commands, whose replies are published; logging publishes log lines; and, our own, cdrs publishes call records
 * through the journal (cdr/target.h), each with its uuid as message-id, counted off when the broker has confirmed it. A
 * broker that is away costs events and lines beyond the queue's bound, which is counted, and no record. */
#include "amqp/amqp_i.h"
#include "amqp/mod_amqp.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cdr/post.h"
#include "core/conf/config.h"
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "core/run/api.h"
#include "core/run/exec.h"
#include "core/value/self.h"
#include "loop/co.h"
#include "text/json.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { LINKS_MAX = 16, COMMANDS_MAX = 64, RECORDS_MAX = 64, RECORDS_MAX_BYTES = 4 << 20 };
enum link_kind { KIND_PRODUCER, KIND_COMMANDS, KIND_LOGGING, KIND_CDRS };
struct profile {
	enum link_kind kind;
	char *name;
	struct amqp_link *link;
	/* producers */
	struct event_sub *sub;
	char *format;
	bool has_fallbacks, is_told;
	int64_t breaker_us, broken_until_us;
	/* logging */
	int sink;
	bool has_sink;
	unsigned levels; /* bits */
	/* cdrs */
	struct cdr_target *target;
	struct cdr_entry *records[RECORDS_MAX];
	bool is_json, logs_b_leg;
};
static struct profile *profiles[LINKS_MAX];
static size_t profile_count;
static unsigned running_count;

/* ---- events ---- */

static const char *event_value(const char *name, const void *arg)
{
	const struct event *e = arg;
	const char *value;
	role_assert_ctl();
	value = event_get(e, name);
	return value && *value ? value : NULL;
}

static void on_event(struct event *e, void *arg)
{
	struct profile *p = arg;
	char key[AMQP_KEY_MAX + 1];
	role_assert_ctl();
	if (clock_mono_us() < p->broken_until_us)
		return;
	amqp_key_make(key, p->format, p->has_fallbacks, event_value, e);
	if (!amqp_link_post(p->link, NULL, key, event_render(e, EVENT_JSON), NULL, NULL, 0)) {
		p->is_told = false;
		return;
	}
	p->broken_until_us = clock_mono_us() + p->breaker_us;
	if (!p->is_told)
		log_warning("amqp: %s: its queue is full; events are left out for %lld ms at a time", p->name,
		    (long long)(p->breaker_us / 1000));
	p->is_told = true;
}

static ON_CTL void events_want(struct profile *p, const struct xml_node *param)
{
	struct sv rest = sv_of(xml_attr_or(param, "value", "")), one, name, subclass;
	char text[128];
	enum event_id id;
	while (rest.n) {
		sv_split(rest, ',', &one, &rest);
		one = sv_trim(one);
		if (!one.n)
			continue;
		sv_split(one, '^', &name, &subclass); /* SWITCH_EVENT_CUSTOM^conference::maintenance */
		snprintf(text, sizeof(text), "%.*s", SVF(subclass));
		if (event_id_parse(name, &id))
			log_warning(
			    "%s:%u: event_filter: there is no event \"%.*s\"", param->file, param->line, SVF(name));
		else if (subclass.n)
			event_sub_want_subclass(p->sub, text, true);
		else
			event_sub_want(p->sub, id, true);
	}
}

/* ---- commands ---- */

struct job {
	struct profile *profile;
	struct amqp_command *command;
};

static ON_CTL struct profile *profile_find(const struct profile *p)
{
	for (size_t i = 0; i < profile_count; i++)
		if (profiles[i] == p)
			return profiles[i];
	return NULL;
}

static ON_CTL void reply_send(struct profile *p, const struct amqp_command *c, int status, struct sv reply)
{
	const char *key = c->reply_key ? c->reply_key : c->reply_to;
	struct json_writer w;
	struct buf out;
	if (!key || !profile_find(p))
		return;
	buf_init(&out);
	jw_init(&w, &out, false);
	jw_begin_object(&w);
	jw_key(&w, "output");
	jw_sv(&w, reply);
	jw_kv_str(&w, "command", c->text);
	jw_kv_str(&w, "status", status ? "error" : "success");
	jw_end_object(&w);
	/* reply_to names a queue: the exchange without a name leads there */
	(void)amqp_link_post(
	    p->link, c->reply_exchange ? c->reply_exchange : "", key, buf_sv(&out), NULL, c->correlation, 0);
	buf_fini(&out);
}

static void command_run(void *arg)
{
	struct job *j = arg;
	struct sv name, args;
	struct buf out;
	char *cmd, *rest;
	role_assert_co();
	sv_split(sv_trim(sv_of(j->command->text)), ' ', &name, &args);
	cmd = sv_dup(name), rest = sv_dup(sv_trim(args));
	buf_init(&out);
	int st = api_run(cmd, rest, NULL, &out);
	if (st == ST_NOTFOUND)
		buf_printf(&out, "-ERR %s command not found\n", cmd);
	reply_send(j->profile, j->command, st, buf_sv(&out));
	buf_fini(&out);
	mem_free(cmd), mem_free(rest);
	amqp_command_free(j->command);
	mem_free(j);
	running_count--;
}

static void on_command(struct amqp_command *c, void *arg)
{
	struct job *j;
	role_assert_ctl();
	if (running_count >= COMMANDS_MAX) {
		reply_send(arg, c, ST_FULL, SV("-ERR too many commands at once"));
		amqp_command_free(c);
		return;
	}
	j = mem_zalloc(sizeof(*j));
	if (!j) {
		amqp_command_free(c);
		return;
	}
	j->profile = arg, j->command = c;
	running_count++;
	if (co_spawn("amqp command", command_run, j, NULL)) {
		running_count--;
		amqp_command_free(c);
		mem_free(j);
	}
}

/* ---- log lines: on the log's writer ---- */

static void on_line(const struct log_line *line, void *arg)
{
	struct profile *p = arg;
	struct json_writer w;
	struct buf out;
	struct sv text = sv_of(line->text);
	char key[AMQP_KEY_MAX + 1];

	if (!(p->levels & 1u << line->level))
		return;
	if (text.n && text.p[text.n - 1] == '\n')
		text.n--;
	buf_init(&out);
	jw_init(&w, &out, false);
	jw_begin_object(&w);
	jw_kv_str(&w, "level", log_level_name(line->level));
	jw_kv_int(&w, "timestamp", line->wall_us);
	jw_kv_str(&w, "file", line->file);
	jw_kv_str(&w, "function", line->func);
	jw_kv_int(&w, "line", line->line);
	jw_kv_str(&w, "uuid", line->uuid);
	jw_key(&w, "content");
	jw_sv(&w, text);
	jw_end_object(&w);
	snprintf(key, sizeof(key), "%s.%s", p->format, log_level_name(line->level));
	(void)amqp_link_post(p->link, NULL, key, buf_sv(&out), NULL, NULL, 0);
	buf_fini(&out);
}

static void levels_read(struct profile *p, const struct xml_node *param)
{
	struct sv rest = sv_of(xml_attr_or(param, "value", "")), one;
	enum log_level level;
	char text[32];
	p->levels = 0;
	while (rest.n) {
		sv_split(rest, ',', &one, &rest);
		snprintf(text, sizeof(text), "%.*s", SVF(sv_trim(one)));
		if (*text && log_level_parse(text, &level))
			log_warning("%s:%u: log-levels: there is no level \"%s\"", param->file, param->line, text);
		else if (*text)
			p->levels |= 1u << level;
	}
}

/* ---- call records ---- */

static void records_take(void *arg, struct cdr_entry *const *entries, size_t count)
{
	struct profile *p = arg;
	char id[100];
	role_assert_ctl();
	for (size_t i = 0; i < count; i++)
		p->records[i] = entries[i];
	for (size_t i = 0; i < count; i++) {
		snprintf(id, sizeof(id), "%.*s", SVF(cdr_entry_id(entries[i])));
		if (!amqp_link_post(p->link, NULL, p->format, cdr_entry_body(entries[i]), id, NULL, (uint32_t)i))
			continue;
		struct cdr_entry *e = p->records[i];
		p->records[i] = NULL;
		cdr_target_done(p->target, e, ST_FULL, "its queue is full");
	}
}

static void on_done(uint32_t id, int status, void *arg)
{
	struct profile *p = arg;
	struct cdr_entry *e = id < RECORDS_MAX ? p->records[id] : NULL;
	role_assert_ctl();
	if (!e)
		return;
	p->records[id] = NULL;
	cdr_target_done(p->target, e, status, status == ST_IO ? "the broker refuses it" : "the broker is away");
}

static const struct cdr_target_ops target_ops = {RECORDS_MAX, RECORDS_MAX_BYTES, 1000000, records_take};

static void on_reporting(struct leg *leg, void *arg)
{
	struct profile *p = arg;
	struct buf text;
	role_assert_ctl();
	if (!cdr_is_wanted(leg, true, p->logs_b_leg))
		return;
	buf_init(&text);
	if (p->is_json)
		cdr_json_put(leg, &text, false);
	else
		cdr_xml_put(leg, &text, true);
	if (!text.failed)
		cdr_target_put(p->target, leg->uuid, buf_sv(&text));
	buf_fini(&text);
}

/* ---- configuration ---- */

static ON_CTL void servers_read(struct amqp_settings *s, const struct xml_node *connections)
{
	xml_each(connections, "connection", c)
	{
		struct amqp_server *v = &s->servers[s->server_count];
		uint32_t port = 5672, heartbeat = 0;
		if (s->server_count == AMQP_SERVERS_MAX) {
			log_warning("%s:%u: there are over %d connections; this one is left out", c->file, c->line,
			    AMQP_SERVERS_MAX);
			break;
		}
		v->host = mem_strdup(config_param(c, "hostname", "localhost"));
		v->vhost = mem_strdup(config_param(c, "virtualhost", "/"));
		v->user = mem_strdup(config_param(c, "username", "guest"));
		v->password = mem_strdup(config_param(c, "password", "guest"));
		if (sv_u32(sv_of(config_param(c, "port", "5672")), &port) || !port || port > 65535)
			port = 5672;
		(void)sv_u32(sv_of(config_param(c, "heartbeat", "0")), &heartbeat);
		v->port = (uint16_t)port, v->heartbeat_s = heartbeat < 3600 ? (int)heartbeat : 3600;
		s->server_count++;
	}
}

static uint32_t number(const struct xml_node *params, const char *name, uint32_t fallback, uint32_t high)
{
	uint32_t n;
	const char *text = config_param(params, name, NULL);
	return !text || sv_u32(sv_of(text), &n) || n > high ? fallback : n;
}

static bool flag(const struct xml_node *params, const char *name, bool fallback)
{
	const char *text = config_param(params, name, NULL);
	return text ? str_is_true(text) : fallback;
}

static ON_CTL void settings_read(struct amqp_settings *s, const struct xml_node *params, const struct profile *p)
{
	static const char *const exchanges[] = {"TAP.Events", "TAP.Commands", "TAP.Logging", "TAP.Records"};
	s->name = mem_strdup(p->name);
	s->exchange = mem_strdup(config_param(params, "exchange-name", exchanges[p->kind]));
	s->exchange_type = mem_strdup(config_param(params, "exchange-type", "topic"));
	s->exchange_is_durable = flag(params, "exchange-durable", true);
	s->exchange_is_passive = flag(params, "exchange-passive", false);
	s->delivery_mode = (int)number(params, "delivery-mode", p->kind == KIND_CDRS ? 2 : 0, 2);
	s->has_timestamp = flag(params, "delivery-timestamp", true);
	s->pause_us = clock_us_of_ms(number(params, "reconnect_interval_ms", 1000, 3600000));
	s->queue_max = number(params, "send_queue_size", 5000, 65536);
	s->confirms = p->kind == KIND_CDRS;
	s->content_type = p->kind == KIND_CDRS && !p->is_json ? "text/xml" : "text/json";
	if (p->kind != KIND_COMMANDS)
		return;
	s->consumes = true;
	s->queue = mem_strdup(config_param(params, "queue-name", ""));
	s->binding_key = mem_strdup(config_param(params, "binding_key", "commandBindingKey"));
	s->queue_is_passive = flag(params, "queue-passive", false);
	s->queue_is_durable = flag(params, "queue-durable", false);
	s->queue_is_exclusive = flag(params, "queue-exclusive", false);
	s->queue_is_auto_delete = flag(params, "queue-auto-delete", true);
}

/* ---- life ---- */

static ON_CTL void profile_free(struct profile *p)
{
	if (p->kind == KIND_CDRS && p->target) {
		leg_hook_del(LEG_HOOK_REPORTING, on_reporting, p);
		leg_exec_keep_list(false);
		leg_keep_dialled(false);
	}
	if (p->sub)
		event_sub_free(p->sub);
	if (p->has_sink)
		log_sink_del(p->sink);
	amqp_link_free(p->link);
	if (p->kind == KIND_CDRS && p->target) {
		cdr_target_close(p->target);
		cdr_spool_close();
	}
	mem_free(p->name), mem_free(p->format);
	mem_free(p);
}

static ON_CTL int producer_start(struct profile *p, const struct xml_node *params)
{
	p->has_fallbacks = flag(params, "enable_fallback_format_fields", false);
	p->format = mem_strdup(config_param(
	    params, "format_fields", "#FreeSWITCH,FreeSWITCH-Hostname,Event-Name,Event-Subclass,Unique-ID"));
	p->breaker_us = clock_us_of_ms(number(params, "circuit_breaker_ms", 10000, 3600000));
	int st = event_sub_new(&p->sub, on_event, p);
	xml_each(params, "param", x) if (!st && !strcmp(xml_attr_or(x, "name", ""), "event_filter")) events_want(p, x);
	return st;
}

static ON_CTL int logging_start(struct profile *p, const struct xml_node *params)
{
	p->format = mem_strdup(core_switchname());
	p->levels = 1u << LOG_CRIT | 1u << LOG_ERR | 1u << LOG_WARNING;
	xml_each(params, "param", x) if (!strcmp(xml_attr_or(x, "name", ""), "log-levels")) levels_read(p, x);
	int st = log_sink_add(LOG_DEBUG, on_line, p, &p->sink);
	p->has_sink = !st;
	return st;
}

static ON_CTL int cdrs_start(struct profile *p, const struct xml_node *params)
{
	p->format = mem_strdup(config_param(params, "routing-key", "cdr"));
	p->logs_b_leg = flag(params, "log-b-leg", true);
	int st = cdr_spool_open();
	if (st)
		return st;
	if ((st = cdr_target_open(&p->target, p->name, &target_ops, p))) {
		cdr_spool_close();
		return st;
	}
	leg_exec_keep_list(true);
	leg_keep_dialled(true);
	return leg_hook_add(LEG_HOOK_REPORTING, on_reporting, p);
}

static ON_CTL int profile_open(enum link_kind kind, const char *prefix, const struct xml_node *n)
{
	static const struct amqp_callbacks callbacks = {on_command, on_done};
	const struct xml_node *params = xml_child(n, "params");
	struct profile *p = mem_zalloc(sizeof(*p));
	struct amqp_settings s = {0};
	struct buf name;
	int st;

	buf_init(&name);
	buf_printf(&name, "amqp/%s/%s", prefix, xml_attr_or(n, "name", "default"));
	p->kind = kind, p->name = buf_take(&name);
	p->is_json = strcmp(config_param(params, "format", "json"), "xml") != 0;
	settings_read(&s, params, p);
	servers_read(&s, xml_child(n, "connections"));
	if (!s.server_count) {
		log_error("%s:%u: the profile %s has no connection", n->file, n->line, p->name);
		amqp_settings_fini(&s);
		profile_free(p);
		return ST_INVAL;
	}
	st = amqp_link_new(&p->link, &s, &callbacks, p);
	if (!st)
		st = kind == KIND_PRODUCER  ? producer_start(p, params)
		     : kind == KIND_LOGGING ? logging_start(p, params)
		     : kind == KIND_CDRS    ? cdrs_start(p, params)
		                            : ST_OK;
	if (st)
		profile_free(p);
	else
		profiles[profile_count++] = p;
	return st;
}

static int load(void)
{
	static const char *const sections[] = {"producers", "commands", "logging", "cdrs"};
	static const char *const prefixes[] = {"producer", "command", "logging", "cdr"};
	const struct xml_node *conf;
	role_assert_ctl();
	conf = config_conf("amqp.conf");
	for (int k = KIND_PRODUCER; k <= KIND_CDRS; k++)
		xml_each(xml_child(conf, sections[k]), "profile", n)
		{
			if (profile_count == LINKS_MAX)
				log_warning("%s:%u: there are over %d profiles; this one is left out", n->file, n->line,
				    LINKS_MAX);
			else if (profile_open((enum link_kind)k, prefixes[k], n))
				log_error("%s:%u: this profile does not work", n->file, n->line);
		}
	return ST_OK;
}

static int unload(void)
{
	role_assert_ctl();
	while (profile_count)
		profile_free(profiles[--profile_count]);
	return ST_OK;
}

static int api_amqp(struct api_call *c)
{
	struct amqp_counts n;
	role_assert_ctl();
	if (*c->args && strcmp(c->args, "status") != 0) {
		buf_adds(c->out, "-USAGE: amqp [status]\n");
		return ST_OK;
	}
	buf_adds(c->out, "profile,state,sent,dropped,waiting\n");
	for (size_t i = 0; i < profile_count; i++) {
		amqp_link_counts(profiles[i]->link, &n);
		buf_printf(c->out, "%s,%s,%llu,%llu,%zu\n", profiles[i]->name, n.is_up ? "up" : "away",
		    (unsigned long long)n.sent, (unsigned long long)n.dropped, n.waiting);
	}
	return ST_OK;
}

static const char *const words[] = {"amqp status", NULL};
static const struct api_desc apis[] = {
    {"amqp", "Profiles of amqp.conf: connected or not, what was sent and left out", "[status]", 0, api_amqp, words},
    {NULL},
};
static const struct conf_desc confs[] = {
    {"amqp.conf", "hostname", "text", "", "localhost", "of a connection; several are tried in turn"},
    {"amqp.conf", "virtualhost", "text", "", "/", "of a connection"},
    {"amqp.conf", "username", "text", "", "guest", "of a connection"},
    {"amqp.conf", "password", "text", "", "guest", "of a connection"},
    {"amqp.conf", "port", "number", "", "5672", "of a connection"},
    {"amqp.conf", "heartbeat", "number", "s", "0", "of a connection"},
    {"amqp.conf", "exchange-name", "text", "", "TAP.Events, TAP.Commands, TAP.Logging, TAP.Records",
        "declared at the start"},
    {"amqp.conf", "exchange-type", "text", "", "topic", "of the exchange"},
    {"amqp.conf", "exchange-durable", "bool", "", "true", "of the exchange"},
    {"amqp.conf", "exchange-passive", "bool", "", "false", "the exchange has to be there"},
    {"amqp.conf", "delivery-mode", "0|1|2", "", "0; 2 for records", "2: messages outlive the broker"},
    {"amqp.conf", "delivery-timestamp", "bool", "", "true", "messages have a time"},
    {"amqp.conf", "reconnect_interval_ms", "number", "ms", "1000", "between two tries"},
    {"amqp.conf", "send_queue_size", "number", "", "5000", "messages that wait; more are left out and counted"},
    {"amqp.conf", "circuit_breaker_ms", "number", "ms", "10000", "so long no event is taken after the queue was full"},
    {"amqp.conf", "format_fields", "list", "", "#FreeSWITCH,FreeSWITCH-Hostname,Event-Name,Event-Subclass,Unique-ID",
        "headers that make the routing key; #text stands for itself"},
    {"amqp.conf", "enable_fallback_format_fields", "bool", "", "false", "a|b: b where there is no a"},
    {"amqp.conf", "event_filter", "list", "", "", "events to publish; SWITCH_EVENT_CUSTOM^subclass"},
    {"amqp.conf", "queue-name", "text", "", "", "of commands; empty: the broker names it"},
    {"amqp.conf", "binding_key", "text", "", "commandBindingKey", "of commands"},
    {"amqp.conf", "queue-passive", "bool", "", "false", "of commands"},
    {"amqp.conf", "queue-durable", "bool", "", "false", "of commands"},
    {"amqp.conf", "queue-exclusive", "bool", "", "false", "of commands"},
    {"amqp.conf", "queue-auto-delete", "bool", "", "true", "of commands"},
    {"amqp.conf", "log-levels", "list", "", "crit,err,warning", "log lines to publish, under SWITCHNAME.LEVEL"},
    {"amqp.conf", "format", "json|xml", "", "json", "of records (cdrs)"},
    {"amqp.conf", "routing-key", "text", "", "cdr", "of records"},
    {"amqp.conf", "log-b-leg", "bool", "", "true", "called legs have records too"},
    {NULL},
};
const struct module mod_amqp = {
    .abi = MODULE_ABI, .name = "mod_amqp", .load = load, .unload = unload, .apis = apis, .confs = confs};
