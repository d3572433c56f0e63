/* "{refresh=true,profile=s3}http://host/file.wav", as FreeSWITCH has it: what is wanted of the cache, and the URL. */
#include "base/log.h"
#include "base/mem.h"
#include "httpcache/httpcache_i.h"

enum { URL_MAX = 2000 };

/* "http_cache://http://x/y" and "http_cache://x/y" are "http://x/y". */
static char *plain_url(struct sv text)
{
	static const char own[] = "http_cache://";
	struct sv url = text;
	struct buf b;
	bool is_own = sv_startsi(url, SV(own));
	if (is_own)
		url = sv_sub(url, sizeof(own) - 1, url.n);
	bool has_scheme = sv_startsi(url, SV("http://")) || sv_startsi(url, SV("https://"));
	if (url.n > URL_MAX || (!has_scheme && !is_own) || !url.n)
		return NULL;
	for (size_t i = 0; i < url.n; i++)
		if ((unsigned char)url.p[i] <= ' ') /* a header line of its own */
			return NULL;
	buf_init(&b);
	buf_printf(&b, "%s%.*s", has_scheme ? "" : "http://", SVF(url));
	return buf_take(&b);
}

/* Of the command, of the player, of who records (core/sound/record_name.h). */
static bool is_of_others(struct sv name)
{
	static const char *const names[] = {"prefetch", "loops", "samplerate", "force_channels", "ab", "cbr"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (sv_isi(name, names[i]))
			return true;
	return sv_startsi(name, SV("record_"));
}

static int word_take(struct httpcache_ask *a, struct sv name, struct sv value)
{
	if (sv_isi(name, "refresh")) {
		char *yes = sv_dup(value);
		a->refreshes = str_is_true(yes);
		mem_free(yes);
	} else if (sv_isi(name, "profile")) {
		mem_free(a->profile);
		if (!(a->profile = sv_dup(value)))
			return ST_NOMEM;
	} else if (!is_of_others(name)) {
		log_warning("http_cache: {%.*s=...} means nothing", SVF(name));
	}
	return ST_OK;
}

int httpcache_ask_read(struct httpcache_ask *a, const char *text)
{
	struct sv rest = sv_trim(sv_of(text));
	int st = ST_OK;
	*a = (struct httpcache_ask){0};
	while (!st && rest.n && (rest.p[0] == '{' || rest.p[0] == '[')) {
		size_t end = sv_find(rest, rest.p[0] == '{' ? '}' : ']');
		struct sv words = sv_sub(rest, 1, end - 1), one, name, value;
		if (end == rest.n)
			return ST_INVAL;
		rest = sv_trim(sv_sub(rest, end + 1, rest.n));
		while (!st && words.n) {
			sv_split(words, ',', &one, &words);
			sv_split(one, '=', &name, &value);
			if (sv_trim(name).n)
				st = word_take(a, sv_trim(name), sv_trim(value));
		}
	}
	if (!st && !(a->url = plain_url(rest)))
		st = ST_INVAL;
	if (st)
		httpcache_ask_fini(a);
	return st;
}

void httpcache_ask_fini(struct httpcache_ask *a)
{
	mem_free(a->url);
	mem_free(a->profile);
	*a = (struct httpcache_ask){0};
}
