/* The command json: {"command":..., "data":...} in, the same object with status and response out, as FreeSWITCH's JSON
 * interface has it: status, fsapi, execute, channelData, mediaStats. */
#include "text/json.h"
#include "api/api_i.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "core/registry/json_command.h"
#include "core/registry/limits.h"
#include "core/run/api.h"
#include "core/run/exec.h"
#include "core/sound/media.h"
#include "core/value/vars.h"
#include "media/ctl/mctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

static ON_CTL void json_status(struct json_writer *w)
{
	const struct core_counters *n = core_counters();
	const struct core_limits *l = core_limits();
	struct uptime_parts up;
	struct rlimit stack = {0};
	api_uptime(&up);
	getrlimit(RLIMIT_STACK, &stack);
	jw_begin_object(w);
	jw_kv_str(w, "systemStatus", api_is_ready() ? "ready" : "not ready");
	jw_key(w, "uptime");
	jw_begin_object(w);
	jw_kv_int(w, "years", up.years);
	jw_kv_int(w, "days", up.days);
	jw_kv_int(w, "hours", up.hours);
	jw_kv_int(w, "minutes", up.minutes);
	jw_kv_int(w, "seconds", up.seconds);
	jw_kv_int(w, "milliseconds", up.ms);
	jw_kv_int(w, "microseconds", up.us);
	jw_end_object(w);
	jw_kv_str(w, "version", api_version_human());
	jw_key(w, "sessions");
	jw_begin_object(w);
	jw_key(w, "count");
	jw_begin_object(w);
	jw_kv_int(w, "total", (int64_t)n->sessions_since_startup);
	jw_kv_int(w, "active", n->sessions_now);
	jw_kv_int(w, "peak", n->sessions_peak);
	jw_kv_int(w, "peak5Min", n->sessions_peak_fivemin);
	jw_kv_int(w, "limit", l->max_sessions);
	jw_end_object(w);
	jw_key(w, "rate");
	jw_begin_object(w);
	jw_kv_int(w, "current", n->sps_last);
	jw_kv_int(w, "max", l->sessions_per_second);
	jw_kv_int(w, "peak", n->sps_peak);
	jw_kv_int(w, "peak5Min", n->sps_peak_fivemin);
	jw_end_object(w);
	jw_end_object(w);
	jw_key(w, "idleCPU");
	jw_begin_object(w);
	jw_key(w, "used");
	jw_real(w, l->min_idle_cpu);
	jw_key(w, "allowed");
	jw_real(w, n->idle_cpu);
	jw_end_object(w);
	jw_key(w, "stackSizeKB");
	jw_begin_object(w);
	jw_kv_int(w, "current", (int64_t)(stack.rlim_cur / 1024));
	jw_kv_int(w, "max", (int64_t)(stack.rlim_max / 1024));
	jw_end_object(w);
	jw_end_object(w);
}

/* The parser bounds how deep it is. */
static void put_value(struct json_writer *w, const json_t *value)
{
	const char *key;
	json_t *item;
	size_t i;
	if (json_is_object(value)) {
		jw_begin_object(w);
		json_object_foreach((json_t *)value, key, item)
		{
			jw_key(w, key);
			put_value(w, item);
		}
		jw_end_object(w);
	} else if (json_is_array(value)) {
		jw_begin_array(w);
		json_array_foreach(value, i, item) put_value(w, item);
		jw_end_array(w);
	} else {
		char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
		jw_raw(w, sv_of(text ? text : "null"));
		free(text);
	}
}

static void json_head(struct json_writer *w, const json_t *request, const char *status, const char *message)
{
	const char *key;
	json_t *value;
	jw_begin_object(w);
	json_object_foreach((json_t *)request, key, value)
	{
		if (!strcmp(key, "status") || !strcmp(key, "response"))
			continue;
		jw_key(w, key);
		put_value(w, value);
	}
	jw_kv_str(w, "status", status);
	if (message)
		jw_kv_str(w, "message", message);
	jw_key(w, "response");
}

/* The reply to a command that began and could not: what it says in place of a result. */
static void json_refused(struct json_writer *w, const json_t *request, const char *why)
{
	json_head(w, request, "error", "The command returned an error");
	jw_begin_object(w);
	jw_kv_str(w, "response", why);
	jw_end_object(w);
	jw_end_object(w);
}

/* The commands: ST_INVAL when there is nothing to do, with nothing written. */
static ON_CTL int json_fsapi(struct json_writer *w, const json_t *request)
{
	const json_t *data = json_object_get(request, "data");
	const char *cmd = json_string_value(json_object_get(data, "cmd")),
	           *arg = json_string_value(json_object_get(data, "arg"));
	struct buf out;
	buf_init(&out);
	int st = cmd && strcasecmp(cmd, "json") ? api_run(cmd, arg ? arg : "", NULL, &out) : ST_INVAL;
	bool is_done = st == ST_OK || st > 0;
	json_head(w, request, cmd && !is_done ? "error" : "success",
	    cmd && !is_done ? "The command returned an error" : NULL);
	jw_begin_object(w);
	jw_kv_str(w, "message", !is_done ? "INVALID CALL" : out.p ? out.p : "");
	jw_end_object(w);
	jw_end_object(w);
	buf_fini(&out);
	return ST_OK;
}

/* The counters of the moment, as far as the leg's variables have them. */
static ON_CTL int json_media_stats(struct json_writer *w, const json_t *request)
{
	static const char *const directions[] = {"in", "out"}, *const names[] = {"inbound", "outbound"};
	const char *uuid = json_string_value(json_object_get(json_object_get(request, "data"), "uuid")), *name, *value;
	struct leg *leg = uuid ? leg_find(uuid) : NULL;
	if (!leg) {
		json_refused(w, request, uuid && *uuid ? "Session does not exist" : "INVALID INPUT");
		return ST_OK;
	}
	if (leg_media_stream(leg))
		mstream_stats_ask(leg_media_stream(leg)); /* for who asks again */
	json_head(w, request, "success", NULL);
	jw_begin_object(w);
	jw_key(w, "audio");
	jw_begin_object(w);
	for (size_t d = 0; d < 2; d++) {
		char prefix[32];
		size_t n = (size_t)snprintf(prefix, sizeof(prefix), "rtp_audio_%s_", directions[d]);
		jw_key(w, names[d]);
		jw_begin_object(w);
		for (size_t i = 0; i < vars_count(leg->vars); i++) {
			vars_at(leg->vars, i, &name, &value);
			if (!strncmp(name, prefix, n))
				jw_kv_str(w, name + n, value);
		}
		jw_end_object(w);
	}
	jw_end_object(w);
	jw_end_object(w);
	jw_end_object(w);
	return ST_OK;
}

/* A client says again what it was told of the call: that is the caller's text still. */
static ON_CTL int request_add(struct leg *leg, const char *app, const char *data)
{
	char *traced = leg_text_traced(leg, data);
	int st = leg_exec_request(leg, &(struct leg_exec_request){.app = app, .data = traced ? traced : data});
	mem_free(traced);
	return st;
}

static ON_CTL int json_execute(struct json_writer *w, const json_t *request)
{
	const json_t *data = json_object_get(request, "data");
	const char *uuid = json_string_value(json_object_get(data, "uuid")),
	           *app = json_string_value(json_object_get(data, "app")),
	           *arg = json_string_value(json_object_get(data, "arg"));
	struct leg *leg = uuid && app ? leg_find(uuid) : NULL;
	if (!uuid || !app) {
		json_refused(w, request, "INVALID INPUT");
	} else if (!leg || request_add(leg, app, arg ? arg : "")) {
		json_refused(w, request, "Session does not exist");
	} else {
		json_head(w, request, "success", NULL);
		jw_begin_object(w);
		jw_kv_str(w, "channelName", leg->name);
		jw_end_object(w);
		jw_end_object(w);
	}
	return ST_OK;
}

static ON_CTL int json_channel_data(struct json_writer *w, const json_t *request)
{
	const char *uuid = json_string_value(json_object_get(json_object_get(request, "data"), "uuid"));
	struct leg *leg = uuid ? leg_find(uuid) : NULL;
	if (!leg) {
		json_refused(w, request, uuid ? "Session does not exist" : "INVALID INPUT");
		return ST_OK;
	}
	json_head(w, request, "success", NULL);
	jw_begin_object(w);
	jw_key(w, "channelData");
	api_json_channel(w, leg);
	jw_end_object(w);
	jw_end_object(w);
	return ST_OK;
}

static ON_CTL int json_status_cmd(struct json_writer *w, const json_t *request)
{
	json_head(w, request, "success", NULL);
	json_status(w);
	jw_end_object(w);
	return ST_OK;
}

/* A command of a module; false: there is none of that name. */
static ON_CTL bool json_of_module(struct json_writer *w, const json_t *request, const char *cmd)
{
	json_command_fn fn = cmd ? json_command_find(cmd) : NULL;
	struct buf response;
	char *data;
	if (!fn)
		return false;
	buf_init(&response);
	data = json_dumps(json_object_get(request, "data"), JSON_COMPACT | JSON_ENCODE_ANY);
	if (data && !fn(data, &response) && response.p) {
		json_head(w, request, "success", NULL);
		jw_raw(w, buf_sv(&response));
	} else {
		json_head(w, request, "error", "The command returned an error");
		jw_null(w);
	}
	jw_end_object(w);
	free(data);
	buf_fini(&response);
	return true;
}

/* What is no object: an array gets what an object would be told, anything else is itself. */
static void put_no_request(struct json_writer *w, const json_t *request)
{
	json_t *item;
	size_t i;
	if (!json_is_array(request)) {
		put_value(w, request);
		return;
	}
	jw_begin_array(w);
	json_array_foreach(request, i, item) put_value(w, item);
	jw_str(w, "error");
	jw_str(w, "Invalid request or non-existant command");
	jw_null(w);
	jw_end_array(w);
}

int api_json(struct api_call *c)
{
	static const struct {
		const char *name;
		int (*fn)(struct json_writer *w, const json_t *request);
	} commands[] = {{"status", json_status_cmd}, {"fsapi", json_fsapi}, {"execute", json_execute},
	    {"channelData", json_channel_data}, {"mediaStats", json_media_stats}};
	json_t *request = NULL;
	struct json_writer w;
	role_assert_co();
	if (!*c->args)
		return api_text(c, "-ERR No JSON supplied.\n");
	if (api_is_outside(c, c->text)) /* it names commands */
		return ST_OK;
	if (json_parse(&request, sv_of(c->args), 0, NULL))
		return api_text(c, "-ERR Parse error.\n");
	const char *format = json_string_value(json_object_get(request, "format"));
	jw_init(&w, c->out, format && !strcasecmp(format, "pretty"));
	if (!json_is_object(request)) {
		put_no_request(&w, request);
		json_decref(request);
		return buf_addc(c->out, '\n');
	}
	const char *cmd = json_string_value(json_object_get(request, "command"));
	size_t i = 0, count = sizeof(commands) / sizeof(commands[0]);
	while (i < count && (!cmd || strcasecmp(cmd, commands[i].name)))
		i++;
	bool is_told = i == count && json_object_get(request, "data") && json_of_module(&w, request, cmd);
	if (!is_told && (i == count || !json_object_get(request, "data") || commands[i].fn(&w, request))) {
		json_head(&w, request, "error", "Invalid request or non-existant command");
		jw_null(&w);
		jw_end_object(&w);
	}
	json_decref(request);
	return buf_addc(c->out, '\n');
}
