/* JSON: what parses is written and parses again to the same; any bytes quoted are a string that parses.
 * Parser: text/json.c */
#include "base/check.h"
#include "base/mem.h"
#include "text/json.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put(struct json_writer *w, const json_t *v)
{
	const char *key;
	json_t *each;
	size_t i;
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		jw_begin_object(w);
		json_object_foreach((json_t *)v, key, each)
		{
			if (json_is_string(each))
				jw_kv_str(w, key, json_string_value(each));
			else if (json_is_integer(each))
				jw_kv_int(w, key, json_integer_value(each));
			else if (json_is_boolean(each))
				jw_kv_bool(w, key, json_is_true(each));
			else
				jw_key(w, key), put(w, each);
		}
		jw_end_object(w);
		break;
	case JSON_ARRAY:
		jw_begin_array(w);
		json_array_foreach(v, i, each) put(w, each);
		jw_end_array(w);
		break;
	case JSON_STRING:
		jw_str(w, json_string_value(v));
		break;
	case JSON_INTEGER:
		jw_int(w, json_integer_value(v));
		break;
	case JSON_REAL:
		jw_real(w, json_real_value(v));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		jw_bool(w, json_is_true(v));
		break;
	case JSON_NULL:
		jw_str(w, NULL);
		break;
	}
}

/* By our own writer, a number with a fraction aside (15 digits of it), the same comes back; as a value inside, too. */
static void written(const json_t *v)
{
	char error[JSON_ERROR_CHARS];
	for (int is_pretty = 0; is_pretty < 2; is_pretty++) {
		struct json_writer w;
		struct buf first, outer, second;
		json_t *back;
		buf_init(&first), buf_init(&outer), buf_init(&second);
		jw_init(&w, &first, is_pretty);
		put(&w, v);
		CHECK(!json_parse(&back, buf_sv(&first), 0, error));
		jw_init(&w, &second, is_pretty);
		put(&w, back);
		CHECK(sv_eq(buf_sv(&first), buf_sv(&second)));
		jw_init(&w, &outer, is_pretty);
		jw_begin_array(&w);
		jw_raw(&w, buf_sv(&first));
		jw_real(&w, 1e308 * 10);
		jw_end_array(&w);
		CHECK(outer.n > first.n && outer.p[outer.n - 1] == ']');
		json_decref(back);
		buf_fini(&first), buf_fini(&outer), buf_fini(&second);
	}
}
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv text = {(const char *)data, size};
	char error[JSON_ERROR_CHARS];
	json_t *v = NULL, *again = NULL;
	struct buf quoted;
	if (!json_parse(&v, text, 1 << 20, error)) {
		char *out = json_dumps(v, JSON_ENCODE_ANY | JSON_PRESERVE_ORDER);
		CHECK(out && !json_parse(&again, sv_of(out), 0, error) && json_equal(v, again));
		free(out);
		written(v);
		json_decref(again);
		json_decref(v);
	}
	buf_init(&quoted);
	CHECK(!json_quote(&quoted, text));
	if (!json_parse(&v, buf_sv(&quoted), 0, error)) {
		CHECK(json_is_string(v));
		json_decref(v);
	} else {
		CHECK(memchr(data, 0, size)); /* jansson refuses NUL in strings */
	}
	buf_fini(&quoted);
	return 0;
}
