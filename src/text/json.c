/* JSON in: a scan for nesting and size, then jansson. JSON out: a writer that keeps one flag per level and escapes
 * as it goes; its pretty layout is the one FreeSWITCH's commands print. */
#include "text/json.h"
#include "base/check.h"
#include "base/scan.h"
#include <stdio.h>
#include <string.h>

static bool json_is_shallow(struct sv text)
{
	unsigned depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			if (++depth > JSON_MAX_NESTING)
				return false;
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return true;
}

int json_parse(json_t **out, struct sv text, size_t max_bytes, char error[JSON_ERROR_CHARS])
{
	json_error_t why = {.line = 1, .column = 1};
	json_t *value = NULL;

	if (text.n > (max_bytes ? max_bytes : JSON_MAX_BYTES))
		snprintf(why.text, sizeof why.text, "text of %zu bytes is too long", text.n);
	else if (!json_is_shallow(text))
		snprintf(why.text, sizeof why.text, "nested deeper than %d", JSON_MAX_NESTING);
	else
		value = json_loadb(text.p ? text.p : "", text.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
	if (!value) {
		if (error)
			snprintf(error, JSON_ERROR_CHARS, "%d:%d: %s", why.line, why.column, why.text);
		return ST_PARSE;
	}
	*out = value;
	return ST_OK;
}

/* Bytes of the well-formed UTF-8 sequence at s (RFC 3629: no overlong forms, no surrogates), or 0. */
static size_t utf8_len(const unsigned char *s, size_t n)
{
	unsigned char c = s[0];
	size_t len = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : (c & 0xf0) == 0xe0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0;

	if (!len || len > n)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((c == 0xe0 && s[1] < 0xa0) || (c == 0xed && s[1] > 0x9f) || (c == 0xf0 && s[1] < 0x90) ||
	    (c == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}

/* What stands behind the backslash. */
static const char short_escapes[256] = {
    ['"'] = '"', ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};

/* Writes text quoted to where there is room for what the text may become; returns the end. */
static char *quote_piece(char *to, struct sv v)
{
	for (size_t i = 0; i < v.n;) {
		size_t run = scan_copy_plain(to, v.p + i, v.n - i, '"', '\\'), len;
		unsigned char c;

		to += run;
		i += run;
		if (i == v.n)
			break;
		c = (unsigned char)v.p[i];
		if (short_escapes[c]) {
			*to++ = '\\';
			*to++ = short_escapes[c];
			i++;
		} else if (c < 0x20) {
			to = mempcpy(to, "\\u00", 4);
			*to++ = (char)('0' + (c >> 4));
			*to++ = "0123456789abcdef"[c & 15];
			i++;
		} else {
			len = utf8_len((const unsigned char *)v.p + i, v.n - i);
			to = len ? mempcpy(to, v.p + i, len) : mempcpy(to, "\xef\xbf\xbd", 3);
			i += len ? len : 1;
		}
	}
	return to;
}

int json_quote(struct buf *out, struct sv v)
{
	enum { PIECE = 512, WORST = 6 };
	char room[WORST * PIECE + SCAN_STEP];

	buf_addc(out, '"');
	for (size_t at = 0, end; at < v.n; at = end) {
		end = v.n - at > PIECE ? at + PIECE : v.n;
		while (end < v.n && end > at + PIECE - 4 && ((unsigned char)v.p[end] & 0xc0) == 0x80)
			end--; /* not within a character */
		struct sv piece = sv_sub(v, at, end - at);
		if (out->max) { /* bounded: what is written must be known before room is asked for */
			buf_add(out, room, (size_t)(quote_piece(room, piece) - room));
			continue;
		}
		char *to = buf_room(out, WORST * piece.n + SCAN_STEP);
		if (to)
			buf_end(out, quote_piece(to, piece));
	}
	return buf_addc(out, '"');
}

void jw_init(struct json_writer *w, struct buf *out, bool is_pretty)
{
	memset(w, 0, sizeof *w);
	w->out = out;
	w->is_pretty = is_pretty;
}

static void jw_indent(struct json_writer *w, unsigned tabs)
{
	buf_addc(w->out, '\n');
	for (unsigned i = 0; i < tabs; i++)
		buf_addc(w->out, '\t');
}

/* What stands between the previous thing and a value that comes now. */
static void jw_before_value(struct json_writer *w)
{
	if (w->after_key) {
		w->after_key = false;
		return;
	}
	if (w->need_comma[w->depth])
		buf_adds(w->out, w->is_pretty ? ", " : ",");
	w->need_comma[w->depth] = true;
}

static void jw_begin(struct json_writer *w, char open, bool is_array)
{
	jw_before_value(w);
	buf_addc(w->out, open);
	CHECK(w->depth < JSON_MAX_NESTING);
	w->depth++;
	w->need_comma[w->depth] = false;
	w->is_array[w->depth] = is_array;
}

void jw_begin_object(struct json_writer *w)
{
	jw_begin(w, '{', false);
}

void jw_end_object(struct json_writer *w)
{
	CHECK(w->depth > 0 && !w->is_array[w->depth] && !w->after_key);
	w->depth--;
	if (w->is_pretty)
		jw_indent(w, w->depth);
	buf_addc(w->out, '}');
}

void jw_begin_array(struct json_writer *w)
{
	jw_begin(w, '[', true);
}

void jw_end_array(struct json_writer *w)
{
	CHECK(w->depth > 0 && w->is_array[w->depth]);
	w->depth--;
	buf_addc(w->out, ']');
}

void jw_key_sv(struct json_writer *w, struct sv key)
{
	DCHECK(w->depth > 0 && !w->is_array[w->depth] && !w->after_key);
	if (w->need_comma[w->depth])
		buf_addc(w->out, ',');
	w->need_comma[w->depth] = true;
	if (w->is_pretty)
		jw_indent(w, w->depth);
	json_quote(w->out, key);
	buf_adds(w->out, w->is_pretty ? ":\t" : ":");
	w->after_key = true;
}

void jw_key(struct json_writer *w, const char *key)
{
	jw_key_sv(w, sv_of(key));
}

void jw_sv(struct json_writer *w, struct sv value)
{
	jw_before_value(w);
	json_quote(w->out, value);
}

void jw_str(struct json_writer *w, const char *value)
{
	if (value)
		jw_sv(w, sv_of(value));
	else
		jw_null(w);
}

static void jw_literal(struct json_writer *w, const char *text)
{
	jw_before_value(w);
	buf_adds(w->out, text);
}

void jw_int(struct json_writer *w, int64_t value)
{
	char text[24];
	snprintf(text, sizeof text, "%lld", (long long)value);
	jw_literal(w, text);
}

void jw_real(struct json_writer *w, double value)
{
	char text[40];
	if (value - value != 0) { /* JSON has no infinity and no NaN */
		jw_null(w);
		return;
	}
	snprintf(text, sizeof text, "%.15g", value);
	jw_literal(w, text);
}

void jw_bool(struct json_writer *w, bool value)
{
	jw_literal(w, value ? "true" : "false");
}

void jw_raw(struct json_writer *w, struct sv value)
{
	jw_before_value(w);
	buf_addv(w->out, value);
}

void jw_null(struct json_writer *w)
{
	jw_literal(w, "null");
}

void jw_kv_str(struct json_writer *w, const char *key, const char *value)
{
	jw_key(w, key);
	jw_str(w, value);
}

void jw_kv_int(struct json_writer *w, const char *key, int64_t value)
{
	jw_key(w, key);
	jw_int(w, value);
}

void jw_kv_bool(struct json_writer *w, const char *key, bool value)
{
	jw_key(w, key);
	jw_bool(w, value);
}
