/* The Identity header's text and the numbers in it. */
#include "stir/stir.h"

#include <string.h>

static struct sv unquoted(struct sv v)
{
	v = sv_trim(v);
	if (v.n >= 2 && v.p[0] == '"' && v.p[v.n - 1] == '"')
		v = sv_sub(v, 1, v.n - 2);
	return v;
}

static bool is_token_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
	       c == '.';
}

/* The end of one parameter: a semicolon outside of < > and quotes. */
static size_t param_end(struct sv v)
{
	bool in_uri = false, in_quotes = false;
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] == '"' && !in_uri)
			in_quotes = !in_quotes;
		else if (v.p[i] == '<' && !in_quotes)
			in_uri = true;
		else if (v.p[i] == '>' && !in_quotes)
			in_uri = false;
		else if (v.p[i] == ';' && !in_uri && !in_quotes)
			return i;
	}
	return v.n;
}

int stir_identity_parse(struct stir_identity *out, struct sv value)
{
	struct stir_identity id = {0};
	struct sv rest, name, v;
	if (value.n > STIR_HEADER_MAX_BYTES)
		return ST_PARSE;
	value = sv_trim(value);
	size_t end = sv_find(value, ';');
	id.token = sv_trim(sv_sub(value, 0, end));
	if (!id.token.n)
		return ST_PARSE;
	for (size_t i = 0; i < id.token.n; i++)
		if (!is_token_char(id.token.p[i]))
			return ST_PARSE;
	for (rest = sv_sub(value, end + 1, SIZE_MAX); rest.n;) {
		end = param_end(rest);
		sv_split(sv_sub(rest, 0, end), '=', &name, &v);
		rest = sv_sub(rest, end + 1, SIZE_MAX);
		name = sv_trim(name);
		v = unquoted(v);
		if (sv_isi(name, "info")) {
			if (v.n < 3 || v.p[0] != '<' || v.p[v.n - 1] != '>')
				return ST_PARSE;
			id.info = sv_sub(v, 1, v.n - 2);
		} else if (sv_isi(name, "alg")) {
			id.alg = v;
		} else if (sv_isi(name, "ppt")) {
			id.ppt = v;
		}
	}
	*out = id;
	return ST_OK;
}

bool stir_number(struct sv text, char out[STIR_TN_MAX])
{
	size_t n = 0;
	for (size_t i = 0; i < text.n && text.p[i] != ';'; i++) {
		char c = text.p[i];
		if ((c >= '0' && c <= '9') || c == '*' || c == '#') {
			if (n + 1 >= STIR_TN_MAX)
				return false;
			out[n++] = c;
		} else if (c == '+' ? n > 0 : !strchr("-.() ", c) || !c) {
			return false;
		}
	}
	out[n] = 0;
	return n > 0;
}
