/* The W3C header: version, trace, parent and flags in lower-case hex with dashes between. A later version may have more
 * behind; version ff is none. */
#include "otel/otel_i.h"

#include <string.h>

static bool hex_take(struct sv *rest, size_t n, char *out)
{
	bool has_other = false;
	if (rest->n < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		char c = rest->p[i];
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
		has_other |= c != '0';
		out[i] = c;
	}
	out[n] = 0;
	rest->p += n, rest->n -= n;
	return has_other || n == 2;
}

static bool dash_take(struct sv *rest)
{
	if (!rest->n || *rest->p != '-')
		return false;
	rest->p++, rest->n--;
	return true;
}

int otel_traceparent_parse(
    struct sv text, char trace_id[TRACE_ID_CHARS + 1], char parent[SPAN_ID_CHARS + 1], bool *is_sampled)
{
	char version[3], flags[3], trace[TRACE_ID_CHARS + 1], span[SPAN_ID_CHARS + 1];
	struct sv rest = sv_trim(text);
	if (!hex_take(&rest, 2, version) || !strcmp(version, "ff") || !dash_take(&rest) ||
	    !hex_take(&rest, TRACE_ID_CHARS, trace) || !dash_take(&rest) || !hex_take(&rest, SPAN_ID_CHARS, span) ||
	    !dash_take(&rest) || !hex_take(&rest, 2, flags))
		return ST_PARSE;
	if (rest.n && (!strcmp(version, "00") || *rest.p != '-'))
		return ST_PARSE;
	memcpy(trace_id, trace, sizeof(trace));
	memcpy(parent, span, sizeof(span));
	*is_sampled = strchr("13579bdf", flags[1]) != NULL;
	return ST_OK;
}
