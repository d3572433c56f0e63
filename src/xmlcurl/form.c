/* What a question looks like to the web server: FreeSWITCH's form fields in their order (hostname, section, tag_name,
 * key_name, key_value, then the event's headers), and a URL that has some of it inside. All values are percent-coded,
 * so none ends a field or a part of the path; the host of a URL is never taken from a question. */
#include "core/event/event.h"
#include "text/url.h"
#include "xmlcurl/xmlcurl_i.h"
#include <string.h>

static void field(struct buf *out, const char *name, const char *value)
{
	if (out->n)
		buf_addc(out, '&');
	buf_adds(out, name);
	buf_addc(out, '=');
	url_encode(out, sv_of(value), URL_KEEP_ESCAPES);
}

void xc_form(struct buf *out, const struct source_question *q, const struct hash *only)
{
	const char *name, *value;

	field(out, "hostname", event_identity.hostname);
	field(out, "section", q->section);
	field(out, "tag_name", q->tag);
	field(out, "key_name", q->key_name);
	field(out, "key_value", q->key_value);
	for (size_t i = 0; i < event_header_count(q->params); i++) {
		event_header_at(q->params, i, &name, &value);
		if (!only || hash_get(only, sv_of(name)))
			field(out, name, value);
	}
}

static const char *host_end(const char *url)
{
	const char *host = strstr(url, "://");
	host = host ? host + 3 : url;
	return host + strcspn(host, "/?#");
}

bool xc_url_is_sound(const char *url)
{
	const char *at = strstr(url, "${");
	return !at || at >= host_end(url);
}

static ON_CTL const char *value_of(const struct source_question *q, struct sv name)
{
	const struct {
		const char *name, *value;
	} own[] = {{"hostname", event_identity.hostname}, {"section", q->section}, {"tag_name", q->tag},
	    {"key_name", q->key_name}, {"key_value", q->key_value}};
	char text[128];

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (sv_is(name, own[i].name))
			return own[i].value;
	if (!name.n || name.n >= sizeof(text))
		return NULL;
	memcpy(text, name.p, name.n);
	text[name.n] = 0;
	return event_get(q->params, text);
}

/* As one segment of a path: no slash, and no dots that would lead upwards. */
static void segment_put(struct buf *out, struct sv value)
{
	struct sv rest = value;
	bool is_dots = true;

	for (size_t i = 0; i < value.n; i++)
		is_dots = is_dots && value.p[i] == '.';
	for (struct sv part; rest.n;) {
		bool more = sv_split(rest, '/', &part, &rest);
		for (size_t i = 0; is_dots && i < part.n; i++)
			buf_adds(out, "%2E");
		if (!is_dots)
			url_encode(out, part, 0);
		if (more)
			buf_adds(out, "%2F");
	}
}

int xc_url(struct buf *out, const char *url, const struct source_question *q)
{
	if (!xc_url_is_sound(url))
		return ST_INVAL;
	while (*url) {
		const char *open = strstr(url, "${"), *close = open ? strchr(open, '}') : NULL;
		if (!close)
			return buf_adds(out, url);
		buf_add(out, url, (size_t)(open - url));
		segment_put(out, sv_of(value_of(q, (struct sv){open + 2, (size_t)(close - open - 2)})));
		url = close + 1;
	}
	return out->failed ? ST_NOMEM : ST_OK;
}
