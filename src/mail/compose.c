/* A message as text (RFC 5322, 2045, 2047). Text from outside comes marked and is data: it never ends a line, so it
 * makes no header, no part and no body; in a header with addresses it is no quote, bracket or comma; in a part that
 * says text/html it is escaped. What is not ASCII becomes encoded words in headers; in bodies the part says UTF-8 then.
 */
#include "base/status.h"
#include "mail/mail_i.h"
#include "text/base64.h"
#include "text/mark.h"
#include "text/xml.h"
#include <strings.h>

bool mail_is_address(struct sv a)
{
	size_t at = sv_find(a, '@');
	if (!a.n || a.n > MAIL_ADDRESS_MAX || a.p[0] == '-' || at == 0 || at + 1 >= a.n ||
	    sv_find(sv_sub(a, at + 1, a.n), '@') + at + 1 < a.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if ((unsigned char)a.p[i] <= ' ' || a.p[i] == 0x7f || strchr("<>()[]\\,;:\"", a.p[i]))
			return false;
	return true;
}

/* ---- headers ---- */

static bool is_address_header(struct sv name)
{
	static const char *const names[] = {"from", "to", "cc", "bcc", "sender", "reply-to", "return-path"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (sv_isi(name, names[i]))
			return true;
	return false;
}

/* The value as the bytes it stands for; what is outside is tamed. */
static int value_plain(struct buf *out, struct sv value, bool is_address)
{
	struct mark_it it = {.rest = value};
	while (mark_next(&it)) {
		unsigned char c = (unsigned char)it.byte;
		if (c < ' ' || c == 0x7f)
			c = ' ';
		if (it.is_outside && is_address && strchr("\"\\<>,;:()@", c))
			c = c == '"' || c == '\\' ? '\'' : '_';
		buf_addc(out, (char)c);
	}
	return out->failed ? ST_NOMEM : ST_OK;
}

static bool is_ascii(struct sv v)
{
	for (size_t i = 0; i < v.n; i++)
		if ((unsigned char)v.p[i] >= 0x80)
			return false;
	return true;
}

/* How long the UTF-8 character at the front is; a byte that begins none stands alone. */
static size_t char_bytes(struct sv v)
{
	unsigned char c = (unsigned char)v.p[0];
	size_t n = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	for (size_t i = 1; i < n; i++)
		if (i >= v.n || ((unsigned char)v.p[i] & 0xc0) != 0x80)
			return 1;
	return n;
}

/* Encoded words of at most 75 characters each, whole characters in each. */
static void encoded_put(struct buf *out, struct sv v)
{
	enum { BYTES_MAX = 42 };
	bool is_first = true;
	while (v.n) {
		size_t n = 0;
		while (n < v.n && n + char_bytes(sv_sub(v, n, v.n)) <= BYTES_MAX)
			n += char_bytes(sv_sub(v, n, v.n));
		buf_adds(out, is_first ? "=?UTF-8?B?" : "\n =?UTF-8?B?");
		base64_encode(out, v.p, n);
		buf_adds(out, "?=");
		v = sv_sub(v, n, v.n), is_first = false;
	}
}

/* A quoted string, an angle-bracket, or a run of other words. */
static struct sv piece_next(struct sv *rest)
{
	struct sv v = *rest;
	size_t n = 1;
	if (v.p[0] == '"') {
		while (n < v.n && v.p[n] != '"')
			n += v.p[n] == '\\' ? 2 : 1;
		n = n < v.n ? n + 1 : v.n;
	} else if (v.p[0] == '<') {
		n = sv_find(v, '>') < v.n ? sv_find(v, '>') + 1 : v.n;
	} else {
		while (n < v.n && v.p[n] != '"' && v.p[n] != '<')
			n++;
	}
	*rest = sv_sub(v, n, v.n);
	return sv_sub(v, 0, n);
}

static void piece_put(struct buf *out, struct sv one)
{
	if (is_ascii(one)) {
		buf_addv(out, one);
	} else if (one.p[0] == '"') {
		encoded_put(out, one.n > 2 ? sv_sub(one, 1, one.n - 2) : SV(" "));
	} else if (one.p[0] == '<') { /* an address: no such byte can stand there */
		for (size_t i = 0; i < one.n; i++)
			buf_addc(out, (unsigned char)one.p[i] < 0x80 ? one.p[i] : '_');
	} else {
		struct sv text = sv_trim(one);
		buf_add(out, one.p, (size_t)(text.p - one.p));
		encoded_put(out, text);
		buf_add(out, text.p + text.n, one.n - (size_t)(text.p - one.p) - text.n);
	}
}

int mail_header_put(struct buf *out, struct sv name, struct sv value)
{
	enum { FOLD_AT = 900 };
	struct buf plain;
	bool is_address = is_address_header(name);
	buf_init(&plain);
	int st = value_plain(&plain, sv_trim(value), is_address);
	struct sv rest = sv_sub(buf_sv(&plain), 0, FOLD_AT);
	buf_addv(out, name);
	buf_adds(out, ": ");
	if (!is_address && !is_ascii(rest))
		encoded_put(out, rest);
	else
		while (rest.n)
			piece_put(out, piece_next(&rest));
	buf_addc(out, '\n');
	buf_fini(&plain);
	return st ? st : out->failed ? ST_NOMEM : ST_OK;
}

static bool is_name(struct sv v)
{
	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] <= ' ' || v.p[i] >= 0x7f)
			return false;
	return v.n > 0 && v.n < 80;
}

/* Those that we write ourselves. */
static bool is_ours(struct sv name)
{
	return sv_isi(name, "mime-version") || sv_isi(name, "message-id") || sv_isi(name, "content-type") ||
	       sv_isi(name, "content-transfer-encoding") || sv_isi(name, "bcc");
}

static int headers_put(struct buf *out, const struct mail_parts *p)
{
	struct sv rest = sv_of(p->headers), line, name, value;
	bool has_date = false;
	while (rest.n && !out->failed) {
		sv_split(rest, '\n', &line, &rest);
		if (!sv_split(line, ':', &name, &value) || !is_name(name) || is_ours(name))
			continue;
		if (sv_isi(name, "date")) {
			if (has_date || !sv_trim(value).n)
				continue;
			has_date = true;
		}
		mail_header_put(out, name, value);
	}
	if (!has_date)
		buf_printf(out, "Date: %s\n", p->date);
	buf_printf(out, "Message-ID: <%s>\n", p->message_id);
	return out->failed ? ST_NOMEM : ST_OK;
}

/* ---- body ---- */

static bool has_word(struct sv line, const char *word)
{
	size_t n = strlen(word);
	for (size_t i = 0; i + n <= line.n; i++)
		if (!strncasecmp(line.p + i, word, n))
			return true;
	return false;
}

/* One line of a body without its end. */
static void line_put(struct buf *out, struct sv line, bool is_html)
{
	struct mark_it it = {.rest = line};
	size_t column = 0;
	while (mark_next(&it)) {
		unsigned char c = (unsigned char)it.byte;
		if (c == '\r' || (it.is_outside && (c < ' ' || c == 0x7f)))
			c = ' ';
		if (it.is_outside && !column && (c == '-' || c == '.'))
			buf_addc(out, ' '); /* no boundary, no end */
		if (it.is_outside && is_html)
			xml_escape(out, (struct sv){(char[]){(char)c}, 1}, true);
		else
			buf_addc(out, (char)c);
		if (++column > 900) { /* RFC 5322 2.1.1 */
			buf_addc(out, '\n');
			column = 0;
		}
	}
}

static bool is_outside_ascii(const char *text)
{
	struct mark_it it = {.rest = sv_of(text)};
	while (mark_next(&it))
		if ((unsigned char)it.byte >= 0x80)
			return false;
	return true;
}

/* A part's own header line, when the body is not ASCII: it says what it is. */
static bool part_line_put(struct buf *out, struct sv line)
{
	if (sv_startsi(line, SV("content-transfer-encoding:")) && has_word(line, "7bit")) {
		buf_adds(out, "Content-Transfer-Encoding: 8bit");
		return true;
	}
	if (!sv_startsi(line, SV("content-type:")) || !has_word(line, "charset="))
		return false;
	const char *kind = has_word(line, "text/html") ? "text/html" : "text/plain";
	buf_printf(out, "Content-Type: %s; charset=UTF-8", kind);
	return true;
}

static int body_put(struct buf *out, const char *body)
{
	struct sv rest = sv_of(body), line;
	bool is_html = false, is_ascii_all = is_outside_ascii(body);
	if (!sv_startsi(rest, SV("content-type:")))
		buf_printf(out, "Content-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: %s\n\n",
		    is_ascii_all ? "7bit" : "8bit");
	while (rest.n && !out->failed) {
		sv_split(rest, '\n', &line, &rest);
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		if (sv_startsi(line, SV("content-type:")))
			is_html = has_word(line, "text/html");
		if (is_ascii_all || !part_line_put(out, line))
			line_put(out, line, is_html);
		buf_addc(out, '\n');
	}
	return out->failed ? ST_NOMEM : ST_OK;
}

int mail_head_put(struct buf *out, const struct mail_parts *p)
{
	buf_printf(out, "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"%s\"\n", p->boundary);
	int st = headers_put(out, p);
	buf_printf(out, "\n--%s\n", p->boundary);
	return st ? st : body_put(out, p->body);
}

static const char *type_of(const char *name)
{
	const char *dot = strrchr(name, '.');
	return !dot                        ? "application/octet-stream"
	       : !strcasecmp(dot, ".mp3")  ? "audio/mpeg"
	       : !strcasecmp(dot, ".opus") ? "audio/ogg; codecs=opus"
	       : !strcasecmp(dot, ".ogg")  ? "audio/ogg"
	       : !strcasecmp(dot, ".wav")  ? "audio/x-wave"
	       : !strcasecmp(dot, ".flac") ? "audio/flac"
	                                   : "application/octet-stream";
}

int mail_attachment_head_put(struct buf *out, const char *boundary, const char *name)
{
	struct buf plain;
	buf_init(&plain);
	for (const char *p = name; *p; p++)
		buf_addc(&plain, *p > ' ' && *p < 0x7f && !strchr("\"\\", *p) ? *p : '_');
	buf_printf(out,
	    "\n--%s\nContent-Type: %s; name=\"%s\"\nContent-ID: <ATTACHED@tandem>\nContent-Transfer-Encoding: base64\n"
	    "Content-Description: Sound attachment.\nContent-Disposition: attachment; filename=\"%s\"\n\n",
	    boundary, type_of(name), plain.p ? plain.p : "", plain.p ? plain.p : "");
	buf_fini(&plain);
	return out->failed ? ST_NOMEM : ST_OK;
}

int mail_base64_put(struct buf *out, struct sv bytes)
{
	enum { LINE_BYTES = 57 };
	while (bytes.n && !out->failed) {
		struct sv line = sv_sub(bytes, 0, LINE_BYTES);
		base64_encode(out, line.p, line.n);
		buf_addc(out, '\n');
		bytes = sv_sub(bytes, LINE_BYTES, bytes.n);
	}
	return out->failed ? ST_NOMEM : ST_OK;
}

int mail_end_put(struct buf *out, const char *boundary)
{
	return buf_printf(out, "\n--%s--\n", boundary);
}
