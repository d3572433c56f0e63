/* Answers: JSON, and problems in the one form of RFC 9457. */
#include "web/web_i.h"
#include <stdarg.h>

void web_problem(struct http_exchange *x, int status, const char *fmt, ...)
{
	struct json_writer w;
	struct buf b, detail;
	va_list ap;
	buf_init(&b);
	buf_init(&detail);
	va_start(ap, fmt);
	buf_vprintf(&detail, fmt, ap);
	va_end(ap);
	jw_init(&w, &b, false);
	jw_begin_object(&w);
	jw_kv_str(&w, "type", "about:blank");
	jw_kv_str(&w, "title", http_status_phrase(status));
	jw_kv_int(&w, "status", status);
	jw_key(&w, "detail");
	jw_sv(&w, buf_sv(&detail));
	jw_end_object(&w);
	http_exchange_reply(x, status, "application/problem+json", buf_sv(&b));
	buf_fini(&detail);
	buf_fini(&b);
}

void web_reply_json(struct http_exchange *x, int status, struct buf *body)
{
	if (body->failed)
		web_problem(x, 503, "out of memory");
	else
		http_exchange_reply(x, status, "application/json", buf_sv(body));
	buf_fini(body);
}

void web_reply_rows(struct http_exchange *x, struct sv reply)
{
	struct json_writer w;
	struct buf b;
	json_t *list = NULL;
	bool is_list = !json_parse(&list, sv_trim(reply), 0, NULL) && json_is_array(list);
	buf_init(&b);
	jw_init(&w, &b, false);
	jw_begin_object(&w);
	jw_kv_int(&w, "row_count", is_list ? (int64_t)json_array_size(list) : 0);
	jw_key(&w, "rows");
	jw_raw(&w, is_list ? sv_trim(reply) : SV("[]"));
	jw_end_object(&w);
	json_decref(list);
	web_reply_json(x, 200, &b);
}
