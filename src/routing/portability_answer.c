/* What those who know of ported numbers say: a telephone URI in the domain name system (RFC 4769: "tel:+15551234;npdi;
 * rn=+15559999"), or the text or JSON of a web server. Pure; any bytes. A routing number is digits, 3 to 20 of them. */
#include "routing/portability_i.h"
#include "text/json.h"
#include "text/re.h"

#include <string.h>
#include <strings.h>

enum { ANSWER_NESTED_MAX = 8 };

/* "+1 (555) 99-99": its digits. Nothing else may be in it. */
static int number_take(struct sv text, char out[PORTABILITY_DIGITS_MAX + 1])
{
	size_t n = 0;
	text = sv_trim(text);
	for (size_t i = text.n && *text.p == '+'; i < text.n; i++) {
		if (strchr("-.() ", text.p[i]) && text.p[i])
			continue;
		if (text.p[i] < '0' || text.p[i] > '9' || n == PORTABILITY_DIGITS_MAX)
			return ST_PARSE;
		out[n++] = text.p[i];
	}
	out[n] = 0;
	return n < PORTABILITY_DIGITS_MIN ? ST_PARSE : ST_OK;
}

static void network_take(struct sv text, char out[PORTABILITY_OPERATOR_MAX + 1])
{
	size_t n = 0;
	text = sv_trim(text);
	for (size_t i = 0; i < text.n && n < PORTABILITY_OPERATOR_MAX; i++)
		if ((unsigned char)text.p[i] >= ' ' && text.p[i] != 127)
			out[n++] = text.p[i];
	out[n] = 0;
}

int portability_tel(struct sv uri, struct portability *out)
{
	struct sv part, rest, name, value;
	struct portability p = {0};
	bool has_number = false, was_asked = false;
	if (uri.n < 4 || strncasecmp(uri.p, "tel:", 4) != 0)
		return ST_PARSE;
	sv_split(sv_sub(uri, 4, uri.n - 4), ';', &part, &rest);
	while (rest.n) {
		sv_split(rest, ';', &part, &rest);
		sv_split(part, '=', &name, &value);
		if (sv_isi(name, "npdi"))
			was_asked = true;
		else if (sv_isi(name, "rn") && has_number)
			return ST_PARSE;
		else if (sv_isi(name, "rn") && !(has_number = !number_take(value, p.number)))
			return ST_PARSE;
		else if (sv_isi(name, "spn"))
			network_take(value, p.network);
	}
	if (!has_number && !was_asked)
		return ST_PARSE;
	p.state = has_number ? PORTABILITY_PORTED : PORTABILITY_NOT;
	*out = p;
	return ST_OK;
}

/* "number" or "data.lrn": a member of members. */
static const json_t *member(const json_t *root, const char *path)
{
	struct sv rest = sv_of(path), one;
	char name[64];
	for (int i = 0; root && rest.n && i < ANSWER_NESTED_MAX; i++) {
		sv_split(rest, '.', &one, &rest);
		if (one.n >= sizeof(name))
			return NULL;
		memcpy(name, one.p, one.n);
		name[one.n] = 0;
		root = json_object_get(root, name);
	}
	return rest.n ? NULL : root;
}

static int json_take(const struct portability_form *f, struct sv body, struct portability *out)
{
	json_t *root = NULL;
	struct portability p = {.state = PORTABILITY_NOT};
	int st = json_parse(&root, body, PORTABILITY_ANSWER_MAX, NULL);
	const json_t *number = st ? NULL : member(root, f->field), *network = NULL;
	if (!st && *f->operator_field)
		network = member(root, f->operator_field);
	if (!st && !json_is_object(root)) {
		st = ST_PARSE;
	} else if (!st && number && !json_is_null(number)) {
		const char *text = json_string_value(number);
		/* a number that is no text has lost its zeros: it is none */
		st = text ? ST_OK : ST_PARSE;
		if (!st && *text && !(st = number_take((struct sv){text, json_string_length(number)}, p.number)))
			p.state = PORTABILITY_PORTED;
	}
	if (!st && json_is_string(network))
		network_take((struct sv){json_string_value(network), json_string_length(network)}, p.network);
	json_decref(root);
	if (!st)
		*out = p;
	return st;
}

int portability_body(const struct portability_form *f, struct sv body, struct portability *out)
{
	struct re_match m = {0};
	struct portability p = {.state = PORTABILITY_NOT};
	struct buf text;
	if (*f->field)
		return json_take(f, body, out);
	if (!sv_trim(body).n) { /* nothing: it is where it always was */
		*out = p;
		return ST_OK;
	}
	if (re_match_once(sv_of(f->regex), body, &m) != 1)
		return ST_PARSE;
	buf_init(&text);
	int st = re_substitute(&text, SV("$1"), '$', &m);
	if (!st && text.n && !(st = number_take(buf_sv(&text), p.number)))
		p.state = PORTABILITY_PORTED;
	buf_fini(&text);
	if (!st)
		*out = p;
	return st;
}
