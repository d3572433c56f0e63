/* Routing keys. A '.' parts a key, so those within values, and whatever else a broker's binding could read, are written
 * as %XX; FreeSWITCH's mod_amqp does so. */
#include "amqp/amqp_i.h"

#include <stdio.h>
#include <string.h>

static size_t put(char *out, size_t n, char c)
{
	if (n < AMQP_KEY_MAX)
		out[n++] = c;
	return n;
}

static size_t put_value(char *out, size_t n, struct sv value, bool is_literal)
{
	char hex[4];
	for (size_t i = 0; i < value.n; i++) {
		unsigned char c = (unsigned char)value.p[i];
		bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		                c == '-' || c == '_' || c == '~' || (is_literal && c == '.');
		if (is_plain) {
			n = put(out, n, (char)c);
			continue;
		}
		if (n + 3 > AMQP_KEY_MAX)
			break;
		snprintf(hex, sizeof(hex), "%%%02X", c);
		memcpy(out + n, hex, 3);
		n += 3;
	}
	return n;
}

/* One of the names; false: there is no such header. */
static bool put_name(char *out, size_t *n, struct sv name, amqp_lookup_fn lookup, const void *arg)
{
	char text[128];
	const char *value;
	if (name.n && *name.p == '#') {
		*n = put_value(out, *n, sv_sub(name, 1, SIZE_MAX), true);
		return true;
	}
	snprintf(text, sizeof(text), "%.*s", SVF(name));
	value = lookup(text, arg);
	if (!value)
		return false;
	*n = put_value(out, *n, sv_of(value), false);
	return true;
}

void amqp_key_make(
    char out[AMQP_KEY_MAX + 1], const char *format, bool has_fallbacks, amqp_lookup_fn lookup, const void *arg)
{
	struct sv rest = sv_of(format), field, names, name;
	size_t n = 0;
	for (bool is_first = true; rest.n; is_first = false) {
		sv_split(rest, ',', &field, &rest);
		if (!is_first)
			n = put(out, n, '.');
		names = sv_trim(field);
		for (bool is_found = false; names.n && !is_found;) {
			if (has_fallbacks) {
				sv_split(names, '|', &name, &names);
			} else {
				name = names;
				names = SV_NONE;
			}
			is_found = put_name(out, &n, sv_trim(name), lookup, arg);
		}
	}
	out[n] = 0;
}
