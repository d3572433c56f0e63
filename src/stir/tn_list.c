/* TNAuthorizationList ::= SEQUENCE OF CHOICE { spc [0] IA5String, range [1] SEQUENCE { start IA5String, count INTEGER
 * }, one [2] IA5String }, explicitly tagged (RFC 8226, 9), read by hand: every length is checked against what encloses
 * it, and only the definite forms that DER has are taken. */
#include "stir/stir.h"

#include <string.h>

struct der {
	const uint8_t *p;
	size_t n;
};

/* Takes one element of that tag; its content in *out. */
static int der_take(struct der *d, unsigned tag, struct der *out)
{
	size_t head = 2, length;
	if (d->n < 2 || d->p[0] != tag)
		return ST_PARSE;
	length = d->p[1];
	if (length & 0x80) {
		size_t count = length & 0x7f;
		if (!count || count > 3 || d->n < 2 + count)
			return ST_PARSE;
		length = 0;
		for (size_t i = 0; i < count; i++)
			length = length << 8 | d->p[2 + i];
		head += count;
	}
	if (length > d->n - head)
		return ST_PARSE;
	*out = (struct der){d->p + head, length};
	d->p += head + length, d->n -= head + length;
	return ST_OK;
}

static int text_take(struct der *d, char out[STIR_TN_MAX], const char *chars)
{
	struct der text;
	if (der_take(d, 0x16, &text) || !text.n || text.n >= STIR_TN_MAX)
		return ST_PARSE;
	for (size_t i = 0; i < text.n; i++)
		if (!text.p[i] || !(chars ? strchr(chars, text.p[i]) != NULL : text.p[i] > ' ' && text.p[i] < 0x7f))
			return ST_PARSE;
	memcpy(out, text.p, text.n);
	out[text.n] = 0;
	return ST_OK;
}

static int count_take(struct der *d, uint32_t *out)
{
	struct der number;
	uint32_t v = 0;
	if (der_take(d, 0x02, &number) || !number.n || number.n > 5 || number.p[0] & 0x80 ||
	    (number.n == 5 && number.p[0]))
		return ST_PARSE;
	for (size_t i = 0; i < number.n; i++)
		v = v << 8 | number.p[i];
	*out = v;
	return ST_OK;
}

static int entry_read(struct der *d, struct stir_tn_entry *e)
{
	static const char digits[] = "0123456789#*";
	struct der inner, range;
	if (!der_take(d, 0xa0, &inner)) {
		e->kind = STIR_TN_SPC;
		return text_take(&inner, e->text, NULL) || inner.n ? ST_PARSE : ST_OK;
	}
	if (!der_take(d, 0xa1, &inner)) {
		e->kind = STIR_TN_RANGE;
		if (der_take(&inner, 0x30, &range) || inner.n)
			return ST_PARSE;
		return text_take(&range, e->text, digits) || count_take(&range, &e->count) || range.n ? ST_PARSE
		                                                                                      : ST_OK;
	}
	e->kind = STIR_TN_ONE;
	return der_take(d, 0xa2, &inner) || text_take(&inner, e->text, digits) || inner.n ? ST_PARSE : ST_OK;
}

int stir_tn_list_parse(struct stir_tn_entry *out, size_t max, size_t *count, const uint8_t *der, size_t n)
{
	struct der all = {der, n}, list;
	size_t found = 0;
	if (der_take(&all, 0x30, &list) || all.n)
		return ST_PARSE;
	while (list.n) {
		if (found == max)
			return ST_LIMIT;
		memset(&out[found], 0, sizeof(out[found]));
		if (entry_read(&list, &out[found]))
			return ST_PARSE;
		found++;
	}
	*count = found;
	return found ? ST_OK : ST_PARSE;
}
