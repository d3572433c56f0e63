/* Texts of a request: the query string of its parameters, URLs with a password inside, names of files that a page
 * chose. Pure. */
#include "core/event/event.h"
#include "httapi/httapi_i.h"
#include "text/url.h"
#include <string.h>
#include <strings.h>

enum { NAME_MAX_CHARS = 64, EXT_MAX_CHARS = 8 };

void ha_query(struct buf *out, const struct event *params, const struct hash *only)
{
	const char *name, *value;

	for (size_t i = 0; i < event_header_count(params); i++) {
		event_header_at(params, i, &name, &value);
		if ((only && !hash_get(only, sv_of(name))) || !strncmp(name, "attach_file:", 12))
			continue;
		if (out->n)
			buf_addc(out, '&');
		url_encode(out, sv_of(name), 0);
		buf_addc(out, '=');
		url_encode(out, sv_of(value), URL_KEEP_ESCAPES);
	}
}

int ha_url_split(const char *url, struct buf *plain, struct buf *user, struct buf *password)
{
	const char *host = strstr(url, "://"), *at, *end;
	struct sv both, name, word;

	if (!host || (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0))
		return ST_INVAL;
	host += 3;
	end = host + strcspn(host, "/?#");
	for (at = end; at > host && at[-1] != '@';)
		at--;
	if (at == host)
		return buf_adds(plain, url);
	both = (struct sv){host, (size_t)(at - 1 - host)};
	sv_split(both, ':', &name, &word);
	url_decode(user, name);
	url_decode(password, word);
	buf_add(plain, url, (size_t)(host - url));
	return buf_adds(plain, at);
}

void ha_origin(const char *url, struct buf *out)
{
	const char *host = strstr(url, "://");
	const char *end = host ? host + 3 + strcspn(host + 3, "/?#") : url;

	for (const char *p = url; p < end; p++)
		buf_addc(out, *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p);
}

static bool is_plain(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
}

void ha_file_name(const char *file, struct buf *out)
{
	const char *dot = strrchr(file, '.'), *end;
	size_t n = 0, ext = 0;

	if (dot && strchr(dot, '/'))
		dot = NULL;
	end = dot ? dot : file + strlen(file);
	for (const char *p = file; p < end && n < NAME_MAX_CHARS; p++, n++)
		buf_addc(out, is_plain(*p) ? *p : '_');
	if (!n)
		buf_addc(out, '_');
	while (dot && ext < EXT_MAX_CHARS && is_plain(dot[1 + ext]))
		ext++;
	if (!dot || !ext || dot[1 + ext])
		buf_adds(out, ".wav");
	else
		buf_printf(out, ".%.*s", (int)ext, dot + 1);
}
