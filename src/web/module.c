/* mod_http_api: reads http.conf, loads the tokens, opens the listener. FreeSWITCH has no such module, so a
 * configuration of FreeSWITCH's opens no HTTP door. */
#include "core/registry/module.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/registry/api.h"
#include "core/value/self.h"
#include "loop/co.h"
#include "web/web_i.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define OPERATOR_COMMANDS \
	"status show version uptime event originate uuid_* break hupall sched_hangup sched_transfer sched_del " \
	"sofia_contact sofia_count_reg user_exists user_data list_users limit_usage"
#define AGENT_COMMANDS "uuid_kill uuid_hold uuid_transfer uuid_send_dtmf uuid_park originate"
#define READ_COMMANDS "status show version uptime event sofia_contact"

struct web_conf web_conf;
static struct http_server *server;
static struct http_server_conf server_conf;
static struct ltimer again; /* while somebody else holds the port */
struct login_delay *web_login_delay;
static struct buf acls; /* names, separated by commas */

const struct http_server *web_server(void)
{
	return server;
}

/* A number of the settings, kept within bounds; one that is none is told. */
static ON_CTL uint64_t number(
    const struct xml_node *settings, const char *name, uint64_t fallback, uint64_t min, uint64_t max)
{
	const char *text = config_param(settings, name, NULL);
	uint64_t v;
	if (!text || !*text)
		return fallback;
	if (sv_u64(sv_of(text), &v) || v < min || v > max) {
		log_error("http.conf: %s must be a number of %llu to %llu, not '%s': %llu is used", name,
		    (unsigned long long)min, (unsigned long long)max, text, (unsigned long long)fallback);
		return fallback;
	}
	return v;
}

static ON_CTL void settings_read(const struct xml_node *s)
{
	struct buf path;
	const char *file = config_param(s, "token-file", ""), *console = config_param(s, "console-dir", "");
	struct buf folder;
	buf_init(&path);
	buf_init(&folder);
	buf_printf(&folder, "%s/console", core_dirs()->htdocs);
	buf_printf(&path, "%s/http_tokens.json", core_dirs()->db);
	web_conf = (struct web_conf){
	    .token_file = mem_strdup(*file ? file : path.p),
	    .cors_origins = mem_strdup(config_param(s, "cors-origins", "")),
	    .operator_commands = mem_strdup(config_param(s, "operator-commands", OPERATOR_COMMANDS)),
	    .agent_commands = mem_strdup(config_param(s, "agent-commands", AGENT_COMMANDS)),
	    .console_dir = mem_strdup(*console ? console : folder.p),
	    .phone_urls = web_phone_urls_read(config_param(s, "phone-url", "")),
	    .session_idle_us = clock_us_of_s(number(s, "session-idle-time", 28800, 60, 31536000)),
	    .session_max_us = clock_us_of_s(number(s, "session-max-time", 86400, 60, 31536000)),
	    .read_commands = mem_strdup(config_param(s, "read-commands", READ_COMMANDS)),
	    .ring_always = mem_strdup(config_param(s, "event-ring-always", "")),
	    .is_metrics_open = str_is_true(config_param(s, "metrics-without-token", "false")),
	    .max_running_commands = (unsigned)number(s, "max-running-commands", 200, 1, 10000),
	    .max_event_clients = (unsigned)number(s, "max-event-clients", 200, 1, 10000),
	    .ring_max_count = number(s, "event-ring-events", 10000, 16, 10000000),
	    .ring_max_bytes = number(s, "event-ring-bytes", 32 << 20, 1 << 16, 1ull << 34),
	    .ring_linger_us = clock_us_of_s(number(s, "event-ring-linger", 300, 0, 86400)),
	    .keep_alive_us = clock_us_of_s(number(s, "event-keep-alive", 15, 1, 3600)),
	};
	buf_fini(&path);
	buf_fini(&folder);
	buf_init(&acls);
	xml_each(s, "param", p)
	{
		const char *value = xml_attr(p, "value");
		if (!strcasecmp(xml_attr_or(p, "name", ""), "apply-inbound-acl") && value && *value)
			buf_printf(&acls, "%s%s", acls.n ? "," : "", value);
	}
}

static void settings_fini(void)
{
	char *texts[] = {web_conf.token_file, web_conf.cors_origins, web_conf.operator_commands,
	    web_conf.agent_commands, web_conf.read_commands, web_conf.ring_always, web_conf.console_dir,
	    web_conf.phone_urls};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		mem_free(texts[i]);
	memset(&web_conf, 0, sizeof(web_conf));
	buf_fini(&acls);
}

enum { LISTEN_AGAIN_US = 1000000 };

static void listen_again(void *arg);

/* A port in use is tried again every second. */
static ON_CTL int listen_now(bool is_first)
{
	struct http_server_conf *conf = &server_conf;
	char text[ADDR_TEXT_MAX];
	int st = http_server_open(&server, conf, &web_handlers, &acls);

	if (st == ST_EXISTS) {
		if (is_first)
			log_error("http: %s is in use; it is tried again every second", addr_text(&conf->bind, text));
		loop_timer_set(&again, LISTEN_AGAIN_US, "http listen", listen_again, NULL);
		return ST_OK;
	}
	if (st) {
		log_error("http: cannot listen on %s: %s", addr_text(&conf->bind, text), status_text(st));
		return st;
	}
	http_server_local(server, &conf->bind);
	log_notice("HTTP listening on %s", addr_text(&conf->bind, text));
	if (!addr_is_loopback(&conf->bind))
		log_warning("HTTP is open to other machines without encryption: tokens can be read on the way. "
		            "Put a TLS proxy in front, or listen on 127.0.0.1");
	return ST_OK;
}

static void listen_again(void *arg)
{
	role_assert_ctl();
	listen_now(false);
}

static ON_CTL int listener_open(const struct xml_node *s)
{
	const char *host = config_param(s, "listen-ip", "127.0.0.1");
	server_conf = (struct http_server_conf){
	    .max_conns = number(s, "max-connections", 1000, 1, 100000),
	    .max_conns_per_host = number(s, "max-connections-per-address", 200, 1, 100000),
	    .max_body_bytes = number(s, "max-body-bytes", HTTP_BODY_MAX_BYTES, 1024, HTTP_BODY_MAX_BYTES),
	    .head_timeout_us = clock_us_of_s(number(s, "head-timeout", 10, 1, 3600)),
	    .body_timeout_us = clock_us_of_s(number(s, "body-timeout", 60, 1, 3600)),
	    .idle_timeout_us = clock_us_of_s(number(s, "idle-timeout", 60, 1, 3600)),
	    .write_timeout_us = clock_us_of_s(number(s, "write-timeout", 30, 1, 3600)),
	};
	int st = addr_parse(&server_conf.bind, sv_of(host), (uint16_t)number(s, "listen-port", 8090, 0, 65535));
	if (st)
		log_error("http.conf: listen-ip %s is no address", host);
	return st ? st : listen_now(true);
}

/* A module may be loaded by a command, on a coroutine: then the disk is a worker's. */
struct token_load {
	const char *path, *console;
	struct web_files *files;
	int status;
};

static void tokens_read(void *arg)
{
	struct token_load *t = arg;
	t->files = web_files_read(t->console);
	t->status = web_tokens_load(t->path);
}

static ON_CTL int tokens_load(void)
{
	struct token_load t = {.path = web_conf.token_file, .console = web_conf.console_dir};
	int st = ST_OK;
	if (!co_self()) {
		tokens_read(&t);
	} else {
		role_assert_co();
		st = co_work(WORK_FILE, "http tokens", tokens_read, &t);
	}
	web_files_use(t.files);
	return st ? st : t.status;
}

static int unload(void)
{
	role_assert_ctl();
	loop_timer_cancel(&again);
	web_readers_end(NULL);
	http_server_close(server);
	server = NULL;
	web_ring_stop();
	web_jobs_fini();
	web_sessions_stop();
	web_log_stop();
	web_files_use(NULL);
	web_tokens_fini();
	login_delay_free(web_login_delay);
	web_login_delay = NULL;
	settings_fini();
	return ST_OK;
}

static int load(void)
{
	role_assert_ctl();
	struct config *held = mem_ref(config_current()); /* the disk may be waited for */
	const struct xml_node *settings = xml_child(config_conf("http.conf"), "settings");
	settings_read(settings);
	int st = login_delay_new(&web_login_delay);
	if (!st)
		st = web_ring_start(web_readers_wake);
	if (!st)
		st = web_log_start();
	if (!st)
		st = web_sessions_start();
	if (!st)
		st = tokens_load();
	if (!st)
		st = listener_open(settings);
	if (st)
		unload();
	mem_unref(held);
	return st;
}

static const struct conf_desc confs[] = {
    {"http.conf", "listen-ip", "address", "", "127.0.0.1", "where to listen; without TLS keep it on loopback"},
    {"http.conf", "listen-port", "number", "", "8090", "TCP port; 0 takes a free one"},
    {"http.conf", "apply-inbound-acl", "list name", "", "loopback.auto", "who may connect; may be repeated"},
    {"http.conf", "token-file", "path", "", "$${db_dir}/http_tokens.json",
        "names, roles and sums of the tokens; made at the first start, with http_admin_token beside it"},
    {"http.conf", "operator-commands", "list", "", OPERATOR_COMMANDS,
        "commands the role operator may run; * at the end"},
    {"http.conf", "agent-commands", "list", "", AGENT_COMMANDS,
        "commands the role agent may run on the legs of its own phone; originate: click to dial"},
    {"http.conf", "console-dir", "path", "", "$${htdocs_dir}/console", "the built web console (docs/console.md)"},
    {"http.conf", "session-idle-time", "number", "s", "28800",
        "a session of the console ends when not used for so long"},
    {"http.conf", "session-max-time", "number", "s", "86400", "and so long after it was opened"},
    {"directory", "console-role", "text", "", "",
        "a user may sign in to the web console as admin, supervisor, agent or read-only"},
    {"directory", "console-password", "text", "", "", "with this instead of password"},
    {"directory", "console-phone", "bool", "", "",
        "he may have the phone of the web console; unset: when he has no console-password"},
    {"http.conf", "phone-url", "list", "", "",
        "WebSocket addresses of a SIP profile, for the phone of the web console (ws://..., wss://...)"},
    {"http.conf", "read-commands", "list", "", READ_COMMANDS, "commands the roles read and operator may run"},
    {"http.conf", "metrics-without-token", "bool", "", "false", "/metrics is open to loopback"},
    {"http.conf", "cors-origins", "list", "", "",
        "origins whose pages may ask, and open a WebSocket (https://a.example); *: every"},
    {"http.conf", "max-connections", "number", "", "1000",
        "connections at a time; those without a token make room for others, the oldest silent one first"},
    {"http.conf", "max-connections-per-address", "number", "", "200", "of these from one address"},
    {"http.conf", "max-body-bytes", "number", "bytes", "16777216", "longest request body"},
    {"http.conf", "head-timeout", "number", "s", "10", "for a whole request line and its headers"},
    {"http.conf", "body-timeout", "number", "s", "60", "for a whole body"},
    {"http.conf", "idle-timeout", "number", "s", "60", "between two requests of a connection"},
    {"http.conf", "write-timeout", "number", "s", "30", "a client that takes no byte for so long is closed"},
    {"http.conf", "max-running-commands", "number", "", "200", "commands and jobs that run at a time"},
    {"http.conf", "max-event-clients", "number", "", "200", "event streams and WebSockets at a time"},
    {"http.conf", "event-ring-events", "number", "", "10000", "events kept for replay"},
    {"http.conf", "event-ring-bytes", "number", "bytes", "33554432", "and their size"},
    {"http.conf", "event-ring-linger", "number", "s", "300",
        "how long events are recorded after their last reader left"},
    {"http.conf", "event-keep-alive", "number", "s", "15", "an event stream without events gets a comment or a ping"},
    {"http.conf", "event-ring-always", "list", "", "", "event names recorded without a reader"},
    {0},
};
static const struct api_desc apis[] = {
    {"http", "HTTP door: status and tokens",
        "status|console reload|token list|token add <name> admin|operator|agent|read|token revoke <name>", API_MAY_WAIT,
        web_api_http,
        (const char *const[]){
            "http status", "http console reload", "http token list", "http token add", "http token revoke", NULL}},
    {0},
};
const struct module mod_http_api = {.abi = MODULE_ABI,
    .name = "mod_http_api",
    .load = load,
    .unload = unload,
    .apis = apis,
    .confs = confs,
    .metrics = web_metric_table};
