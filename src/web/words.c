/* Small texts from outside, read without any state: the Cookie header, a Range, a line of call records. */
#include "web/web_i.h"

struct sv web_cookie_find(struct sv header, const char *wanted)
{
	struct sv rest = header, pair, name, value;
	bool more = rest.n > 0;
	while (more) {
		more = sv_split(rest, ';', &pair, &rest);
		if (sv_split(sv_trim(pair), '=', &name, &value) && sv_is(name, wanted))
			return value;
	}
	return SV_NONE;
}

bool web_range_parse(struct sv text, size_t n, size_t *from, size_t *to)
{
	struct sv a, b;
	uint64_t first, last = n ? n - 1 : 0;
	if (!n || !sv_startsi(text, SV("bytes=")) || !sv_split(sv_sub(text, 6, text.n), '-', &a, &b) ||
	    sv_u64(a, &first) || (b.n && sv_u64(b, &last)) || first > last || first >= n)
		return false;
	*from = (size_t)first;
	*to = last >= n ? n - 1 : (size_t)last;
	return true;
}

void web_cells_put(struct json_writer *w, struct sv line)
{
	struct buf cell;
	size_t i = 0;
	buf_init(&cell);
	jw_begin_array(w);
	while (i <= line.n) {
		buf_clear(&cell);
		if (i < line.n && line.p[i] == '"') {
			for (i++; i < line.n; i++) {
				if (line.p[i] == '"' && i + 1 < line.n && line.p[i + 1] == '"')
					i++;
				else if (line.p[i] == '"')
					break;
				buf_addc(&cell, line.p[i]);
			}
		}
		for (; i < line.n && line.p[i] != ','; i++)
			if (line.p[i] != '"')
				buf_addc(&cell, line.p[i]);
		i++;
		jw_sv(w, buf_sv(&cell));
	}
	jw_end_array(w);
	buf_fini(&cell);
}
