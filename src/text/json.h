/* JSON: jansson for reading, with bounds; a streaming writer into a buffer for writing. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"
#include <jansson.h>

#define JSON_MAX_NESTING 64
#define JSON_MAX_BYTES (16u << 20)
#define JSON_ERROR_CHARS 200

/* Parses one value of any kind; the caller json_decrefs it. ST_PARSE with line:column and reason in error (may be
 * NULL); nesting over 64 and texts over max_bytes (0 = 16 MiB) are refused before jansson sees them. */
ANY int json_parse(json_t **out, struct sv text, size_t max_bytes, char error[JSON_ERROR_CHARS]);

/* The writer. Commas are put where they belong; the caller balances begin and end (checked in debug builds).
 * Text that is not UTF-8 gets U+FFFD for each wrong byte. Allocation failures show in out->failed. */
struct json_writer {
	struct buf *out;
	unsigned depth;
	bool is_pretty; /* cJSON_Print's layout, as FreeSWITCH prints: tabs, "key":\tvalue */
	bool need_comma[JSON_MAX_NESTING + 1];
	bool is_array[JSON_MAX_NESTING + 1];
	bool after_key;
};
ANY void jw_init(struct json_writer *w, struct buf *out, bool is_pretty);
ANY void jw_begin_object(struct json_writer *w);
ANY void jw_end_object(struct json_writer *w);
ANY void jw_begin_array(struct json_writer *w);
ANY void jw_end_array(struct json_writer *w);
ANY void jw_key(struct json_writer *w, const char *key);
ANY void jw_key_sv(struct json_writer *w, struct sv key);
ANY void jw_str(struct json_writer *w, const char *value); /* NULL writes null */
ANY void jw_sv(struct json_writer *w, struct sv value);
ANY void jw_int(struct json_writer *w, int64_t value);
ANY void jw_real(struct json_writer *w, double value);
ANY void jw_bool(struct json_writer *w, bool value);
ANY void jw_null(struct json_writer *w);
ANY void jw_raw(struct json_writer *w, struct sv value); /* a whole value that is JSON already */
/* Pairs: key and value at once. */
ANY void jw_kv_str(struct json_writer *w, const char *key, const char *value);
ANY void jw_kv_int(struct json_writer *w, const char *key, int64_t value);
ANY void jw_kv_bool(struct json_writer *w, const char *key, bool value);
/* Appends v as a quoted, escaped JSON string. */
ANY int json_quote(struct buf *out, struct sv v);
