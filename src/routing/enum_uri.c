/* What a NAPTR record makes of a number (RFC 3402 section 3.2). The pattern is from outside: what it may cost is
 * bounded by text/re.h. */
#include "base/mem.h"
#include "routing/routing_i.h"
#include "text/re.h"

int routing_enum_uri(const char *regexp, const char *number, struct buf *out)
{
	char delim = *regexp;
	struct sv pattern, replace, flags, rest;
	struct re_match m = {0};
	struct re *re = NULL;
	struct buf subst;
	if (!delim)
		return ST_NOTFOUND;
	sv_split(sv_of(regexp + 1), delim, &pattern, &rest);
	sv_split(rest, delim, &replace, &flags);
	int st = re_new(&re, pattern, sv_isi(flags, "i") ? RE_CASELESS : 0, NULL);
	buf_init(&subst);
	for (size_t i = 0; i < replace.n; i++) /* \1 is our $1; a $ of its own is none */
		if (replace.p[i] != '$')
			buf_addc(&subst, replace.p[i] == '\\' ? '$' : replace.p[i]);
	if (!st)
		st = re_match(re, sv_of(number), &m) == 1 ? ST_OK : ST_NOTFOUND;
	if (!st)
		st = re_substitute(out, buf_sv(&subst), '$', &m);
	if (!st && out->failed)
		st = ST_NOMEM;
	buf_fini(&subst);
	mem_unref(re);
	return st;
}
