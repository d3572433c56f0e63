/* A template of SQL and a value from outside: "template=value", $ stands for the value. However the statement comes
 * out, the value's bytes are inside of quotes or digits: a reader of SQL that knows nothing of marks finds the same
 * quotes open at its end as with a digit. Parser: text/mark.c */
#include "text/mark.h"

#include <stdlib.h>
#include <string.h>

/* Quotes open at the end, comments passed over. */
static char open_at_end(const char *p, size_t n)
{
	char in = 0;
	for (size_t i = 0; i < n; i++) {
		if (!in && i + 1 < n && p[i] == '-' && p[i + 1] == '-')
			in = '-', i++;
		else if (!in && i + 1 < n && p[i] == '/' && p[i + 1] == '*')
			in = '*', i++;
		else if (in == '-' && p[i] == '\n')
			in = 0;
		else if (in == '*' && i + 1 < n && p[i] == '*' && p[i + 1] == '/')
			in = 0, i++;
		else if (!in && (p[i] == '\'' || p[i] == '"'))
			in = p[i];
		else if (in == p[i] && in != '-' && in != '*')
			in = 0;
	}
	return in;
}

static int make(struct buf *out, struct sv template, struct sv value)
{
	struct buf text;
	buf_init(&text);
	for (size_t i = 0; i < template.n; i++) {
		if (template.p[i] == '$')
			(void)mark_put(&text, value);
		else
			buf_addc(&text, template.p[i]);
	}
	int st = mark_strip_sql(out, buf_sv(&text));
	buf_fini(&text);
	return st;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv template, value;
	struct buf with, without;
	sv_split((struct sv){(const char *)data, size}, '=', &template, &value);
	if (size > 4096 || !value.n || memchr(template.p, MARK_LOW, template.n) ||
	    memchr(template.p, MARK_HIGH, template.n))
		return 0;
	buf_init(&with);
	buf_init(&without);
	if (!make(&with, template, value) && !make(&without, template, sv_of("0")) &&
	    open_at_end(with.p ? with.p : "", with.n) != open_at_end(without.p ? without.p : "", without.n))
		abort();
	buf_fini(&with);
	buf_fini(&without);
	return 0;
}
