/* Names as they are spelled on the keys of a telephone (ITU-T E.161). */
#include "dirapp/dirapp_i.h"

static const char letters[] = "22233344455566677778889999"; /* a to z */
/* U+00C0 to U+00FF, by their plain letters; a blank: none */
static const char latin[] = "aaaaaaaceeeeiiiidnooooo ouuuuytsaaaaaaaceeeeiiiidnooooo ouuuuyty";

static char key_of(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return (char)c;
	c |= 0x20;
	return c >= 'a' && c <= 'z' ? letters[c - 'a'] : 0;
}

size_t t9_of(struct sv name, char out[T9_MAX])
{
	size_t n = 0;
	for (size_t i = 0; i < name.n && n + 1 < T9_MAX; i++) {
		unsigned char c = (unsigned char)name.p[i], next = i + 1 < name.n ? (unsigned char)name.p[i + 1] : 0;
		bool is_latin = c == 0xc3 && next >= 0x80 && next <= 0xbf;
		char key = is_latin ? key_of((unsigned char)latin[next - 0x80]) : c < 0x80 ? key_of(c) : 0;
		if (key)
			out[n++] = key;
		i += is_latin;
	}
	out[n] = 0;
	return n;
}

void t9_names(struct sv full, struct sv *first, struct sv *last)
{
	size_t at;
	full = sv_trim(full);
	for (at = full.n; at && full.p[at - 1] != ' '; at--)
		;
	*last = sv_sub(full, at, full.n);
	*first = at ? sv_trim(sv_sub(full, 0, at)) : full;
}

bool t9_matches(struct sv full, bool by_last_name, const char *keys)
{
	char spelled[T9_MAX];
	struct sv first, last;
	t9_names(full, &first, &last);
	size_t n = t9_of(by_last_name ? last : first, spelled), wanted = strlen(keys);
	return wanted && wanted <= n && !memcmp(spelled, keys, wanted);
}
