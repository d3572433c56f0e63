/* An event as text for its readers: url-encoded lines, XML, JSON, and plain lines. Made once per format and kept in the
 * event. */
#include "base/mem.h"
#include "core/event/event.h"
#include "core/event/event_i.h"
#include "text/json.h"
#include "text/url.h"
#include "text/xml.h"
#include <stdio.h>
#include <string.h>

/* Values come out bounded: one header's value may be 1 MiB, an event 16 MiB. */
enum { RENDER_MAX = 16 << 20 };

static ON_CTL void render_lines(const struct event *e, struct buf *out, bool is_encoded)
{
	for (uint32_t i = 0; i < e->count; i++) {
		const char *value = e->headers[i].value;
		buf_adds(out, e->headers[i].name);
		buf_add(out, ": ", 2);
		if (!*value)
			buf_adds(out, "_undef_");
		else if (is_encoded)
			url_encode(out, sv_of(value), URL_KEEP_ESCAPES);
		else
			buf_adds(out, value);
		buf_addc(out, '\n');
	}
	if (e->body_len) {
		buf_printf(out, "Content-Length: %zu\n\n", e->body_len);
		buf_add(out, e->body, e->body_len);
	} else {
		buf_addc(out, '\n');
	}
}

static ON_CTL void render_xml(const struct event *e, struct buf *out)
{
	buf_adds(out, "<event>\n  <headers>\n");
	for (uint32_t i = 0; i < e->count; i++) {
		buf_printf(out, "    <%s>", e->headers[i].name);
		if (*e->headers[i].value)
			url_encode(out, sv_of(e->headers[i].value), URL_KEEP_ESCAPES);
		else
			buf_adds(out, "_undef_");
		buf_printf(out, "</%s>\n", e->headers[i].name);
	}
	buf_adds(out, "  </headers>\n");
	if (e->body_len) {
		buf_printf(out, "  <Content-Length>%zu</Content-Length>\n  <body>", e->body_len);
		xml_escape(out, event_body(e), false);
		buf_adds(out, e->body[e->body_len - 1] == '\n' ? "  </body>\n" : "</body>\n");
	}
	buf_adds(out, "</event>\n");
}

/* "ARRAY::a|:b" becomes ["a","b"]. */
static void array_put(struct json_writer *w, const char *value)
{
	struct sv rest = sv_of(value + 7);
	jw_begin_array(w);
	while (rest.n) {
		const char *next = memmem(rest.p, rest.n, "|:", 2);
		size_t n = next ? (size_t)(next - rest.p) : rest.n;
		jw_sv(w, sv_sub(rest, 0, n));
		rest = next ? sv_sub(rest, n + 2, rest.n) : SV_NONE;
	}
	jw_end_array(w);
}

static ON_CTL void render_json(const struct event *e, struct buf *out)
{
	struct json_writer w;
	char length[24];

	jw_init(&w, out, false);
	jw_begin_object(&w);
	for (uint32_t i = 0; i < e->count; i++) {
		jw_key(&w, e->headers[i].name);
		if (!strncmp(e->headers[i].value, "ARRAY::", 7))
			array_put(&w, e->headers[i].value);
		else
			jw_str(&w, e->headers[i].value);
	}
	if (e->body_len) {
		snprintf(length, sizeof(length), "%zu", e->body_len);
		jw_kv_str(&w, "Content-Length", length);
		jw_key(&w, "_body");
		jw_sv(&w, event_body(e));
	}
	jw_end_object(&w);
}

struct sv event_render(struct event *e, enum event_format format)
{
	struct buf out;

	if (e->rendered[format])
		return (struct sv){e->rendered[format], e->rendered_len[format]};
	buf_init(&out);
	out.max = RENDER_MAX;
	switch (format) {
	case EVENT_XML:
		render_xml(e, &out);
		break;
	case EVENT_JSON:
		render_json(e, &out);
		break;
	case EVENT_PLAIN:
	case EVENT_PLAIN_RAW:
		render_lines(e, &out, format == EVENT_PLAIN);
		break;
	}
	e->rendered_len[format] = out.n;
	e->rendered[format] = buf_take(&out);
	return (struct sv){e->rendered[format], e->rendered_len[format]};
}
