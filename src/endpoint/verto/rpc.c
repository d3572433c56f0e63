/* JSON-RPC 2.0 as verto speaks it: requests of the client, alone or in an array, its answers to ours (nobody waits for
 * them), and the marks "#SP..." of its speed test, which are passed over. */
#include "base/log.h"
#include "base/mem.h"
#include "endpoint/verto/verto_i.h"
#include "text/mark.h"

#include <string.h>
#include <strings.h>

static uint64_t next_id = 1;

const char *verto_text(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));
	return s ? s : "";
}

static void id_put(struct json_writer *w, const json_t *id)
{
	jw_key(w, "id");
	if (json_is_integer(id))
		jw_int(w, json_integer_value(id));
	else if (json_is_string(id))
		jw_str(w, json_string_value(id));
	else
		jw_null(w);
}

void verto_reply_begin(struct verto_out *o, struct verto_line *l, const json_t *id, bool is_error)
{
	buf_init(&o->text);
	o->line = l;
	jw_init(&o->w, &o->text, false);
	jw_begin_object(&o->w);
	jw_kv_str(&o->w, "jsonrpc", "2.0");
	id_put(&o->w, id);
	jw_key(&o->w, is_error ? "error" : "result");
	jw_begin_object(&o->w);
}

void verto_reply_end(struct verto_out *o, bool has_sessid)
{
	if (has_sessid)
		jw_kv_str(&o->w, "sessid", o->line->sessid);
	jw_end_object(&o->w);
	jw_end_object(&o->w);
	if (!o->text.failed)
		verto_line_send(o->line, buf_sv(&o->text));
	buf_fini(&o->text);
}

void verto_reply_text(struct verto_line *l, const json_t *id, bool is_error, const char *message, int code)
{
	struct verto_out o;
	verto_reply_begin(&o, l, id, is_error);
	if (is_error)
		jw_kv_int(&o.w, "code", code);
	jw_kv_str(&o.w, "message", message);
	verto_reply_end(&o, !is_error);
}

void verto_request_begin(struct verto_out *o, struct verto_line *l, const char *method)
{
	buf_init(&o->text);
	o->line = l;
	jw_init(&o->w, &o->text, false);
	jw_begin_object(&o->w);
	jw_kv_str(&o->w, "jsonrpc", "2.0");
	jw_kv_int(&o->w, "id", (int64_t)next_id++);
	jw_kv_str(&o->w, "method", method);
	jw_key(&o->w, "params");
	jw_begin_object(&o->w);
}

void verto_request_end(struct verto_out *o)
{
	verto_reply_end(o, false);
}

/* What was sent is no request: FreeSWITCH's two answers. */
static ON_CTL void malformed(struct verto_line *l, const char *message, const json_t *id)
{
	struct buf text;
	struct json_writer w;
	buf_init(&text);
	jw_init(&w, &text, false);
	jw_begin_object(&w);
	jw_kv_str(&w, "jsonrpc", "2.0");
	jw_key(&w, "error");
	jw_begin_object(&w);
	jw_kv_int(&w, "code", -32600);
	jw_kv_str(&w, "message", message);
	jw_end_object(&w);
	id_put(&w, id);
	jw_end_object(&w);
	if (!text.failed)
		verto_line_send(l, buf_sv(&text));
	buf_fini(&text);
}

static ON_CTL void request_run(struct verto_line *l, const json_t *q)
{
	static const json_t *const none = NULL;
	const char *method = verto_text(q, "method");
	const json_t *id = json_object_get(q, "id"), *params = json_object_get(q, "params");
	if (!json_is_object(params))
		params = none;
	if (!*method && (json_object_get(q, "result") || json_object_get(q, "error")))
		return; /* an answer to a request of ours */
	if (strcmp(verto_text(q, "jsonrpc"), "2.0") != 0) {
		malformed(l, "Invalid message", id);
		return;
	}
	if (!strcmp(method, "login")) {
		verto_login(l, params, id);
		return;
	}
	if (!l->is_authed) {
		verto_reply_text(l, id, true, "Authentication Required", -32000);
		return;
	}
	bool is_allowed =
	    sv_list_has(sv_of(l->methods), ',', !strncmp(method, "verto.", 6) ? SV("verto") : sv_of(method)) ||
	    sv_list_has(sv_of(l->methods), ',', sv_of(method));
	if (!is_allowed ||
	    (!verto_call_request(l, method, params, id) && !verto_channel_request(l, method, params, id)))
		verto_reply_text(l, id, true, "Invalid Method, Missing Method or Permission Denied", -32601);
}

void verto_rpc_message(struct verto_line *l, struct sv text)
{
	json_t *q = NULL;
	size_t i;
	json_t *one;
	if (sv_starts(text, SV("#SP")))
		return;
	if (json_parse(&q, text, VERTO_MESSAGE_MAX, NULL) || !(json_is_object(q) || json_is_array(q))) {
		malformed(l, "Invalid Request", NULL);
	} else if (json_is_array(q)) {
		json_array_foreach(q, i, one) if (json_is_object(one) && !l->is_over && i < 100) request_run(l, one);
	} else {
		request_run(l, q);
	}
	json_decref(q);
}
