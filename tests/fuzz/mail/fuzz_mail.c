/* Any template with any value put in: the value adds no header, no line and no part. Input: the value, a zero byte, the
 * template, in which each 0x01 stands for the value. Parser: mail/compose.c */
#include "base/check.h"
#include "base/mem.h"
#include "mail/mail_i.h"
#include "text/mark.h"

#include <string.h>

static size_t lines(struct sv v)
{
	size_t n = 0;
	for (size_t i = 0; i < v.n; i++)
		n += v.p[i] == '\n' && (i + 1 == v.n || v.p[i + 1] != ' '); /* folded ones are one */
	return n;
}

static void fill(struct buf *out, struct sv template, struct sv value)
{
	for (size_t i = 0; i < template.n; i++)
		if (template.p[i] == 1)
			mark_put(out, value);
		else if (template.p[i] != MARK_LOW && template.p[i] != MARK_HIGH)
			buf_addc(out, template.p[i]);
	buf_addc(out, 0);
}

static size_t header_lines(const char *headers, struct buf *out)
{
	struct mail_parts p = {headers, "", "D", "i@h", "=_b", false};
	buf_clear(out);
	CHECK(!mail_head_put(out, &p));
	const char *end = strstr(out->p, "\n\n");
	CHECK(end != NULL);
	return lines((struct sv){out->p, (size_t)(end - out->p) + 1});
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const uint8_t *end = memchr(data, 0, n);
	struct buf with, without, out;
	if (!end || n > 20000 || memchr(end + 1, 0, n - (size_t)(end - data) - 1))
		return 0;
	struct sv value = {(const char *)data, (size_t)(end - data)};
	struct sv template = {(const char *)end + 1, n - value.n - 1};
	if (value.n > 500)
		value.n = 500;
	if (!value.n) /* nothing is put in: the template's own words meet */
		value = SV("y");
	buf_init(&with), buf_init(&without), buf_init(&out);
	fill(&with, template, value);
	fill(&without, template, SV("x"));
	size_t a = header_lines(with.p, &out), b = header_lines(without.p, &out);
	/* names of headers may not be composed of values, and a value may leave none: never more lines */
	CHECK(a <= b + 1);
	struct mail_parts p = {"", with.p, "D", "i@h", "=_b", false};
	buf_clear(&out);
	CHECK(!mail_head_put(&out, &p));
	buf_clear(&out);
	CHECK(!mail_attachment_head_put(&out, "=_b", with.p));
	CHECK(lines(buf_sv(&out)) == 8);
	(void)mail_is_address(value);
	buf_fini(&with), buf_fini(&without), buf_fini(&out);
	return 0;
}
