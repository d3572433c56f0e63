/* The text of a source, read into parts: files, tones, silence, local streams; file_string:// is a row of them. A
 * prefix "{a=b,c=d}" before the whole or a part is taken off; of its names only loops means something here; before a
 * URL it stays, for who fetches that. The text
 * may have marks (text/mark.h): what is from outside parts nothing and names no scheme; the parts are without. Pure. */
#include "base/mem.h"
#include "base/status.h"
#include "media/ctl/ctl_i.h"
#include "text/mark.h"

#include <string.h>

#define START_MAX (INT64_C(1) << 40)

static void read_options(struct src *out, struct sv options)
{
	while (options.n) {
		struct sv one, name, value;
		int64_t n;
		(void)sv_split(options, ',', &one, &options);
		if (!sv_split(one, '=', &name, &value) || !sv_is(sv_trim(name), "loops"))
			continue;
		char *plain = mark_strip_dup(value);
		int st = plain ? sv_i64(sv_trim(sv_of(plain)), &n) : ST_NOMEM;
		mem_free(plain);
		if (st)
			continue;
		out->has_loops = true;
		out->loops = n < 0 ? -1 : n > INT32_MAX ? INT32_MAX : (int32_t)n;
	}
}

static struct sv strip_prefix(struct src *out, struct sv text)
{
	while (text.n && (text.p[0] == '{' || text.p[0] == '[')) {
		size_t end = sv_find(text, text.p[0] == '{' ? '}' : ']');
		if (end == text.n)
			break;
		if (out)
			read_options(out, sv_sub(text, 1, end - 1));
		text = sv_sub(text, end + 1, text.n);
		while (text.n && text.p[0] == ' ')
			text = sv_sub(text, 1, text.n);
	}
	return text;
}

/* The number that text begins with, whatever follows (as atoi reads it). */
static int leading_number(struct sv text, int64_t *out)
{
	size_t n = 0;
	text = sv_trim(text);
	if (text.n && (text.p[0] == '-' || text.p[0] == '+'))
		n = 1;
	while (n < text.n && text.p[n] >= '0' && text.p[n] <= '9')
		n++;
	return sv_i64(sv_sub(text, text.n && text.p[0] == '+', n), out);
}

/* "MS[,FACTOR]", less than 0 ms for ever; what stands behind a number (";loops=3") means nothing, as in FreeSWITCH. */
static int read_silence(struct src_part *part, struct sv text)
{
	struct sv ms, noise;
	int64_t divisor = 0;
	(void)sv_split(text, ',', &ms, &noise);
	if (leading_number(ms, &part->ms) || part->ms > INT32_MAX)
		return ST_INVAL;
	if (part->ms < 0)
		part->ms = -1;
	if (leading_number(noise, &divisor) || divisor < 0)
		divisor = 0;
	part->noise = divisor > INT32_MAX ? INT32_MAX : (uint32_t)divisor;
	return ST_OK;
}

static const struct {
	const char *name; /* what stands before :// */
	enum src_kind kind;
} schemes[] = {{"tone_stream", SRC_TONE}, {"silence_stream", SRC_SILENCE}, {"local_stream", SRC_LOCAL},
    {"tts", SRC_NAME}, {"http", SRC_URL}, {"https", SRC_URL}, {"http_cache", SRC_URL}, {"file_string", SRC_ROW}};
enum { SCHEME_COUNT = sizeof(schemes) / sizeof(schemes[0]) };

const char *mctl_source_scheme(size_t i, enum src_kind *kind)
{
	if (i >= SCHEME_COUNT)
		return NULL;
	*kind = schemes[i].kind;
	return schemes[i].name;
}

/* Its "name://", in whatever case: the rest is behind it. */
static enum src_kind scheme_take(struct sv text, struct sv *rest)
{
	*rest = text;
	for (size_t i = 0; i < SCHEME_COUNT; i++) {
		struct sv name = sv_of(schemes[i].name), behind = sv_sub(text, name.n, text.n);
		if (!sv_startsi(text, name) || !sv_starts(behind, SV("://")))
			continue;
		*rest = sv_sub(behind, 3, behind.n);
		return schemes[i].kind;
	}
	return SRC_FILE;
}

/* "path=FILE" names a file when the configuration says so and where its name begins. */
static int read_tone(struct buf *plain, struct sv text)
{
	static const struct sv in_file = {"path=", 5};
	if (!sv_starts(text, in_file)) {
		int st = mark_strip(plain, text);
		return st ? st : sv_starts(buf_sv(plain), in_file) ? ST_DENIED : ST_OK;
	}
	struct sv name = sv_sub(text, in_file.n, text.n);
	if (mark_has(sv_sub(name, 0, 2)))
		return ST_DENIED;
	buf_addv(plain, in_file);
	return mark_strip_path(plain, name);
}

/* Scheme, server and port are the configuration's up to and with the '/' behind them; what is from outside names
 * something below, as for files, and adds no query of its own. */
static int read_url(struct buf *plain, struct sv text)
{
	struct mark_it it = {.rest = text};
	size_t slashes = 0;
	char last = 0;
	while (slashes < 3 && mark_next(&it)) {
		if (it.is_outside || (unsigned char)it.byte <= ' ')
			return it.is_outside ? ST_DENIED : ST_INVAL;
		if (it.byte == '/' && last == ':') /* also the one of http_cache://http:// */
			slashes = 0;
		slashes += it.byte == '/';
		if ((slashes == 2 && it.byte == '@') || (slashes == 3 && last == '/'))
			return ST_INVAL; /* no names and passwords; a host */
		last = it.byte;
	}
	while (mark_next(&it))
		if ((unsigned char)it.byte <= ' ' || (it.is_outside && strchr("?#&=%\\;", it.byte)))
			return it.is_outside ? ST_DENIED : ST_INVAL;
	return slashes < 3 ? ST_INVAL : mark_strip_path(plain, text);
}

bool mctl_is_url(const char *text)
{
	struct sv rest;
	return scheme_take(strip_prefix(NULL, sv_of(text)), &rest) == SRC_URL;
}

int mctl_url_plain(struct buf *out, struct sv text)
{
	struct sv url = strip_prefix(NULL, text), rest, options = sv_sub(text, 0, (size_t)(url.p - text.p));
	if (mark_has(options))
		return ST_DENIED;
	if (scheme_take(url, &rest) != SRC_URL)
		return ST_INVAL;
	buf_addv(out, options);
	return read_url(out, url);
}

static int read_plain(struct buf *plain, enum src_kind kind, struct sv text)
{
	if (kind == SRC_TONE)
		return read_tone(plain, text);
	return kind == SRC_FILE ? mark_strip_path(plain, text) : mark_strip(plain, text);
}

/* "@@8000" behind a file's name: it begins there. */
static void read_start(struct src_part *part, struct buf *plain)
{
	struct sv text = buf_sv(plain);
	int64_t n;
	for (size_t i = text.n; i-- > 2;) {
		if (text.p[i] >= '0' && text.p[i] <= '9')
			continue;
		if (text.p[i] != '@' || text.p[i - 1] != '@' || i + 1 == text.n ||
		    sv_i64(sv_sub(text, i + 1, text.n), &n) || n < 0 || n > START_MAX)
			return;
		part->start_samples = (uint64_t)n;
		buf_end(plain, plain->p + i - 1);
		return;
	}
}

static int read_part(struct src *out, struct sv text)
{
	struct src_part part = {0};
	struct sv whole = text, rest;
	struct buf plain;
	if (out->count == PARTS_MAX)
		return ST_INVAL;
	text = strip_prefix(NULL, text);
	part.kind = scheme_take(text, &rest);
	if (part.kind == SRC_ROW) /* a row in a row */
		return ST_INVAL;
	if (part.kind != SRC_NAME && part.kind != SRC_URL)
		text = rest;
	if (!text.n || (part.kind == SRC_FILE && text.p[0] != '/') || memchr(text.p, 0, text.n))
		return ST_INVAL;
	buf_init(&plain);
	int st = part.kind == SRC_URL ? mctl_url_plain(&plain, whole) : read_plain(&plain, part.kind, text);
	if (!st && (part.kind == SRC_FILE || part.kind == SRC_URL))
		read_start(&part, &plain);
	if (!st && part.kind == SRC_SILENCE && read_silence(&part, buf_sv(&plain)))
		st = ST_INVAL;
	if (!st && !(part.text = buf_take(&plain)))
		st = ST_NOMEM;
	buf_fini(&plain);
	if (!st)
		out->parts[out->count++] = part;
	return st;
}

int src_parse(struct src *out, const char *source)
{
	struct sv whole = sv_of(source), text, rest;
	int st = ST_OK;
	memset(out, 0, sizeof(*out));
	if (whole.n > SOURCE_TEXT_MAX)
		return ST_INVAL;
	text = strip_prefix(out, whole);
	if (scheme_take(text, &rest) != SRC_ROW)
		return read_part(out, whole);
	while (rest.n && !st) {
		struct sv one;
		(void)sv_split(rest, '!', &one, &rest);
		if (strip_prefix(NULL, one).n)
			st = read_part(out, one);
	}
	if (!st && !out->count)
		st = ST_INVAL;
	if (st)
		src_fini(out);
	return st;
}

void src_fini(struct src *s)
{
	for (size_t i = 0; i < s->count; i++)
		mem_free(s->parts[i].text), mem_free(s->parts[i].path), mem_free(s->parts[i].known);
	s->count = 0;
}

bool mctl_source_exists(const char *source)
{
	struct src s;
	bool is_known = true;
	if (!source || src_parse(&s, source))
		return false;
	for (size_t i = 0; i < s.count; i++)
		is_known = is_known && (s.parts[i].kind != SRC_NAME || play_finder) &&
		           (s.parts[i].kind != SRC_URL || play_url_finder);
	src_fini(&s);
	return is_known;
}
