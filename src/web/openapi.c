/* /openapi.json: OpenAPI 3.1 out of the route table and the registry of commands, so that it tells what this program
 * does with the modules it has loaded. Schemas that several routes share are JSON text below. */
#include "web/web_i.h"

#include <string.h>
#include <strings.h>

static const char schemas[] =
    "{\"Problem\":{\"type\":\"object\",\"description\":\"RFC "
    "9457\",\"required\":[\"type\",\"title\",\"status\",\"detail\"],"
    "\"properties\":{\"type\":{\"type\":\"string\"},\"title\":{\"type\":\"string\"},\"status\":{\"type\":\"integer\"},"
    "\"detail\":{\"type\":\"string\"}}},"
    "\"Health\":{\"type\":\"object\",\"required\":[\"status\"],\"properties\":{\"status\":{\"const\":\"ok\"}}},"
    "\"Readiness\":{\"type\":\"object\",\"required\":[\"status\",\"calls_left\"],\"properties\":{"
    "\"status\":{\"enum\":[\"ready\",\"not ready\",\"draining\"]},\"reason\":{\"type\":\"string\"},"
    "\"module\":{\"type\":\"string\"},\"calls_left\":{\"type\":\"integer\"}}},"
    "\"Status\":{\"type\":\"object\",\"required\":[\"version\",\"core_uuid\",\"uptime_s\",\"sessions\"],\"properties\":"
    "{"
    "\"version\":{\"type\":\"string\"},\"compatible_version\":{\"type\":\"string\"},\"core_uuid\":{\"type\":\"string\"}"
    ","
    "\"hostname\":{\"type\":\"string\"},\"uptime_s\":{\"type\":\"integer\"},\"is_paused_inbound\":{\"type\":"
    "\"boolean\"},"
    "\"is_paused_outbound\":{\"type\":\"boolean\"},\"is_shutting_down\":{\"type\":\"boolean\"},"
    "\"sessions\":{\"type\":\"object\",\"additionalProperties\":{\"type\":\"integer\"}},"
    "\"registrations\":{\"type\":\"integer\"},\"event_sequence\":{\"type\":\"integer\"},"
    "\"notices\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}}}},"
    "\"Ladder\":{\"type\":\"object\",\"required\":[\"call_ids\",\"parties\",\"messages\"],\"properties\":{"
    "\"call_ids\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},"
    "\"parties\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},"
    "\"has_more\":{\"type\":\"boolean\"},\"hides_secrets\":{\"type\":\"boolean\"},"
    "\"messages\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}}}},"
    "\"Rows\":{\"type\":\"object\",\"required\":[\"row_count\",\"rows\"],\"properties\":{\"row_count\":{\"type\":"
    "\"integer\"},"
    "\"rows\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"additionalProperties\":{\"type\":\"string\"}}}}},"
    "\"Event\":{\"type\":\"object\",\"description\":\"Headers and, as _body, the body of an event\","
    "\"additionalProperties\":{\"type\":[\"string\",\"array\"]}},"
    "\"Outcome\":{\"type\":\"object\",\"required\":[\"command\",\"status\",\"reply\",\"error\"],\"properties\":{"
    "\"command\":{\"type\":\"string\"},\"status\":{\"enum\":[\"ok\",\"error\"]},"
    "\"reply\":{\"type\":\"string\",\"description\":\"As the event socket gives it\"},"
    "\"error\":{\"type\":[\"string\",\"null\"],\"description\":\"What follows -ERR, or the usage\"}}},"
    "\"CommandRequest\":{\"type\":\"object\",\"properties\":{\"args\":{\"type\":\"string\"}}},"
    "\"ChannelCommand\":{\"type\":\"object\",\"required\":[\"command\"],\"properties\":{"
    "\"command\":{\"type\":\"string\",\"description\":\"Name of a uuid_ command without uuid_\"},"
    "\"args\":{\"type\":\"string\",\"description\":\"What follows the uuid\"}}},"
    "\"JobRequest\":{\"type\":\"object\",\"required\":[\"command\"],\"properties\":{\"command\":{\"type\":\"string\"},"
    "\"args\":{\"type\":\"string\"}}},"
    "\"Job\":{\"type\":\"object\",\"required\":[\"job\",\"command\",\"state\"],\"properties\":{"
    "\"job\":{\"type\":\"string\",\"format\":\"uuid\"},\"command\":{\"type\":\"string\"},\"args\":{\"type\":\"string\"}"
    ","
    "\"state\":{\"enum\":[\"running\",\"done\"]},\"begun_us\":{\"type\":\"integer\"},\"ended_us\":{\"type\":"
    "\"integer\"},"
    "\"status\":{\"enum\":[\"ok\",\"error\"]},\"reply\":{\"type\":\"string\"},\"error\":{\"type\":[\"string\",\"null\"]"
    "},"
    "\"is_cut\":{\"type\":\"boolean\",\"description\":\"The reply was longer than 1 MiB\"}}},"
    "\"Originate\":{\"type\":\"object\",\"required\":[\"target\"],\"properties\":{"
    "\"target\":{\"type\":\"string\",\"description\":\"Dial string: user/1001, sofia/gateway/NAME/NUMBER ...\"},"
    "\"extension\":{\"type\":\"string\",\"description\":\"Where the answered leg goes in the dialplan; or:\"},"
    "\"application\":{\"type\":\"string\"},\"data\":{\"type\":\"string\"},"
    "\"dialplan\":{\"type\":\"string\",\"default\":\"XML\"},\"context\":{\"type\":\"string\",\"default\":\"default\"},"
    "\"caller_id_name\":{\"type\":\"string\"},\"caller_id_number\":{\"type\":\"string\"},"
    "\"timeout_s\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":3600,\"default\":60},"
    "\"variables\":{\"type\":\"object\",\"additionalProperties\":{\"type\":\"string\"}}}},"
    "\"Originated\":{\"type\":\"object\",\"required\":[\"uuid\"],\"properties\":{\"uuid\":{\"type\":\"string\"}}}}";

static void content_put(struct json_writer *w, const char *type, const char *schema)
{
	jw_key(w, "content");
	jw_begin_object(w);
	jw_key(w, type);
	jw_begin_object(w);
	jw_key(w, "schema");
	jw_raw(w, sv_of(schema));
	jw_end_object(w);
	jw_end_object(w);
}

static void problem_put(struct json_writer *w, const char *status, const char *description)
{
	jw_key(w, status);
	jw_begin_object(w);
	jw_kv_str(w, "description", description);
	content_put(w, "application/problem+json", "{\"$ref\":\"#/components/schemas/Problem\"}");
	jw_end_object(w);
}

static void responses_put(struct json_writer *w, const struct web_route *r)
{
	char status[8];
	jw_key(w, "responses");
	jw_begin_object(w);
	snprintf(status, sizeof(status), "%d", r->status);
	jw_key(w, status);
	jw_begin_object(w);
	jw_kv_str(w, "description", r->success);
	if (r->response)
		content_put(w, r->response_type, r->response);
	jw_end_object(w);
	if (r->fn == web_readyz) {
		jw_key(w, "503");
		jw_begin_object(w);
		jw_kv_str(w, "description", "Not ready, or draining.");
		content_put(w, "application/json", r->response);
		jw_end_object(w);
	}
	if (r->role != WEB_NOBODY) {
		problem_put(w, "401", "No token, or a wrong one.");
		problem_put(w, "403", "The token's role does not allow it.");
	}
	problem_put(w, "default", "Anything else.");
	jw_end_object(w);
}

/* The path of one command of the registry when command is not NULL. */
static void operation_put(struct json_writer *w, const struct web_route *r, const struct registry_row *command)
{
	struct buf id;
	buf_init(&id);
	buf_printf(&id, "%s", r->method);
	for (const char *p = r->path; *p && !command; p++)
		buf_addc(&id, strchr("/{}.", *p) ? '_' : *p);
	if (command)
		buf_printf(&id, "_command_%s", command->name);
	jw_begin_object(w);
	jw_kv_str(w, "operationId", id.p);
	jw_key(w, "tags");
	jw_begin_array(w);
	jw_str(w, r->tag);
	jw_end_array(w);
	if (command) {
		jw_kv_str(
		    w, "summary", command->description && *command->description ? command->description : command->name);
		buf_clear(&id);
		buf_printf(&id, "`%s %s` (%s)", command->name, command->syntax ? command->syntax : "", command->module);
		jw_kv_str(w, "description", id.p);
	} else {
		jw_key(w, "summary");
		buf_clear(&id);
		buf_printf(&id, "\"%s\"", r->summary);
		jw_raw(w, buf_sv(&id));
	}
	buf_fini(&id);
	if (r->role == WEB_NOBODY) {
		jw_key(w, "security");
		jw_raw(w, SV("[]"));
	}
	if (r->parameters && !command) {
		jw_key(w, "parameters");
		jw_begin_array(w);
		jw_raw(w, sv_of(r->parameters));
		jw_end_array(w);
	}
	if (r->request) {
		jw_key(w, "requestBody");
		jw_begin_object(w);
		jw_kv_bool(w, "required", r->flags & WEB_NEEDS_BODY);
		content_put(w, "application/json", r->request);
		jw_end_object(w);
	}
	responses_put(w, r);
	jw_end_object(w);
}

struct command_ask {
	struct json_writer *w;
	const struct web_route *route;
};

/* Names that are no path segment (the command "...") are left out; they are run by a job. */
static void command_put(const struct registry_row *row, void *arg)
{
	const struct command_ask *q = arg;
	char path[160];
	if (strpbrk(row->name, "/{}?#% ") || row->name[0] == '.')
		return;
	snprintf(path, sizeof(path), "/v1/commands/%s", row->name);
	jw_key(q->w, path);
	jw_begin_object(q->w);
	jw_key(q->w, "post");
	operation_put(q->w, q->route, row);
	jw_end_object(q->w);
}

static const char *lower(const char *method)
{
	static const char *const names[] = {"get", "post", "delete", "put"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcasecmp(method, names[i]))
			return names[i];
	return "get";
}

static bool is_first_of_path(const struct web_route *r)
{
	for (const struct web_route *q = web_routes; q != r; q++)
		if (!strcmp(q->path, r->path))
			return false;
	return true;
}

static ON_CTL void paths_put(struct json_writer *w)
{
	jw_key(w, "paths");
	jw_begin_object(w);
	for (const struct web_route *r = web_routes; r->method; r++) {
		if (r->fn == web_command) {
			struct command_ask q = {w, r};
			registry_each("api", command_put, &q);
			continue;
		}
		if (r->flags & WEB_HIDDEN || !is_first_of_path(r))
			continue;
		jw_key(w, r->path);
		jw_begin_object(w);
		for (const struct web_route *q = r; q->method; q++) {
			if (strcmp(q->path, r->path))
				continue;
			jw_key(w, lower(q->method));
			operation_put(w, q, NULL);
		}
		jw_end_object(w);
	}
	jw_end_object(w);
}

void web_openapi(struct web_call *c)
{
	struct json_writer w;
	struct buf b;
	buf_init(&b);
	jw_init(&w, &b, false);
	jw_begin_object(&w);
	jw_kv_str(&w, "openapi", "3.1.0");
	jw_key(&w, "info");
	jw_begin_object(&w);
	jw_kv_str(&w, "title", "Tandem");
	jw_kv_str(&w, "version", TANDEM_VERSION);
	jw_kv_str(
	    &w, "description", "Commands, views and events of a Tandem softswitch. Errors are problems of RFC 9457.");
	jw_end_object(&w);
	jw_key(&w, "servers");
	jw_raw(&w, SV("[{\"url\":\"/\"}]"));
	jw_key(&w, "security");
	jw_raw(&w, SV("[{\"bearer\":[]}]"));
	paths_put(&w);
	jw_key(&w, "components");
	jw_begin_object(&w);
	jw_key(&w, "securitySchemes");
	jw_raw(&w, SV("{\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\"}}"));
	jw_key(&w, "schemas");
	jw_raw(&w, sv_of(schemas));
	jw_end_object(&w);
	jw_end_object(&w);
	web_reply_json(c->x, 200, &b);
}
