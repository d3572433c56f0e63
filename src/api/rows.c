/* Rows of named columns in the forms of `show`: text with a title line and a total, XML, JSON. Empty results have forms
 * of their own, which clients know. The body is gathered first, because XML and JSON begin with the count. */
#include "api/api_i.h"
#include "text/json.h"
#include "text/xml.h"

void rows_init(struct rows *r, const char *const *cols)
{
	*r = (struct rows){.sep = ",", .cols = cols, .has_title = true};
	buf_init(&r->text);
}

static void add_csv(struct rows *r, const char *const *values)
{
	for (size_t i = 0; r->cols[i]; i++) {
		if (i)
			buf_adds(&r->text, r->sep);
		buf_adds(&r->text, values[i] ? values[i] : "");
	}
	buf_addc(&r->text, '\n');
}

static void add_xml(struct rows *r, const char *const *values)
{
	buf_printf(&r->text, "  <row row_id=\"%u\">\n", r->count);
	for (size_t i = 0; r->cols[i]; i++) {
		buf_printf(&r->text, "    <%s>", r->cols[i]);
		xml_escape(&r->text, sv_of(values[i]), false);
		buf_printf(&r->text, "</%s>\n", r->cols[i]);
	}
	buf_adds(&r->text, "  </row>\n");
}

static void add_json(struct rows *r, const char *const *values)
{
	buf_addc(&r->text, r->count > 1 ? ',' : '[');
	for (size_t i = 0; r->cols[i]; i++) {
		buf_printf(&r->text, "%s\"%s\":", i ? "," : "{", r->cols[i]);
		json_quote(&r->text, sv_of(values[i] ? values[i] : ""));
	}
	buf_addc(&r->text, '}');
}

void rows_add(struct rows *r, const char *const *values)
{
	static void (*const add[])(struct rows *, const char *const *) = {add_csv, add_xml, add_json};
	if (r->sink) {
		r->sink(values, r->sink_arg);
		return;
	}
	r->count++;
	if (r->is_count_only)
		return;
	if (r->count == 1 && r->format == ROWS_CSV && r->has_title)
		add_csv(r, r->cols);
	add[r->format](r, values);
}

void rows_finish(struct rows *r, struct buf *out)
{
	bool is_empty = !r->count || r->is_count_only;
	switch (r->format) {
	case ROWS_CSV:
		buf_addv(out, buf_sv(&r->text));
		if (r->has_title)
			buf_printf(out, "\n%u total.\n", r->count);
		break;
	case ROWS_XML:
		buf_printf(out, is_empty ? "<result row_count=\"%u\"/>\n" : "<result row_count=\"%u\">\n", r->count);
		buf_addv(out, buf_sv(&r->text));
		if (!is_empty)
			buf_adds(out, "</result>\n");
		break;
	case ROWS_JSON:
		if (is_empty) {
			buf_printf(out, "{\"row_count\": %u}\n", r->count);
			break;
		}
		buf_printf(out, "{\"row_count\":%u,\"rows\":", r->count);
		buf_addv(out, buf_sv(&r->text));
		buf_adds(out, "]}");
		break;
	}
	buf_fini(&r->text);
}

bool rows_parse_as(struct api_words *w, struct rows *rows)
{
	for (int i = 1; i + 1 < w->n; i++) {
		if (strcasecmp(w->w[i], "as"))
			continue;
		const char *form = w->w[i + 1];
		if (!strcasecmp(form, "xml"))
			rows->format = ROWS_XML;
		else if (!strcasecmp(form, "json"))
			rows->format = ROWS_JSON;
		else if (!strcasecmp(form, "delim") && i + 2 < w->n)
			rows->sep = w->w[i + 2];
		else if (strcasecmp(form, "csv"))
			return false;
		w->n = i;
	}
	return true;
}
