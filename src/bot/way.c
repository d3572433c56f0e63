/* Where a stream's program is and how it is spoken to, from words: the address that was asked for, the leg's variables,
 * the module's parameters. */
#include "base/mem.h"
#include "bot/bot_i.h"
#include "codec/codec.h"
#include "core/leg/leg.h"
#include "core/sound/media.h"
#include "net/dial.h"
#include "net/dns.h"
#include "text/json.h"
#include "text/mark.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { OPUS_FRAME_MAX_MS = 60, HEADERS_MAX = 8192 };

static bool is_path(struct sv t)
{
	for (size_t i = 0; i < t.n; i++)
		if (t.p[i] <= ' ' || t.p[i] >= 0x7f)
			return false;
	return true;
}

static bool is_host(struct sv t)
{
	for (size_t i = 0; i < t.n; i++)
		if (!((t.p[i] >= '0' && t.p[i] <= '9') || ((t.p[i] | 32) >= 'a' && (t.p[i] | 32) <= 'z') ||
		        strchr(".-:", t.p[i])))
			return false;
	return t.n > 0 && t.n <= DNS_NAME_MAX;
}

/* ws://host[:port][/path] */
static ON_CTL bool url_read(struct bot_way *w, const char *url)
{
	struct sv rest = sv_of(url), host, port = SV_NONE;
	w->is_tls = sv_startsi(rest, SV("wss://"));
	if (!w->is_tls && !sv_startsi(rest, SV("ws://")))
		return false;
	rest = sv_sub(rest, w->is_tls ? 6 : 5, rest.n);
	size_t n = 0;
	while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?')
		n++;
	host = sv_sub(rest, 0, n), rest = sv_sub(rest, n, rest.n);
	if (host.n && *host.p == '[') { /* v6 */
		size_t end = sv_find(host, ']');
		port = sv_sub(host, end + 1, host.n), host = sv_sub(host, 1, end ? end - 1 : 0);
		if (port.n && *port.p != ':')
			return false;
		port = sv_sub(port, 1, port.n);
	} else if (sv_find(host, ':') < host.n) {
		struct sv whole = host;
		sv_split(whole, ':', &host, &port);
		if (sv_find(port, ':') < port.n)
			return false;
	}
	uint32_t number = w->is_tls ? 443 : 80;
	if (!is_host(host) || !is_path(rest) || (port.n && (sv_u32(port, &number) || !number || number > 65535)))
		return false;
	w->port = (uint16_t)number;
	w->host = sv_dup(host);
	w->path = rest.n && *rest.p == '/' ? sv_dup(rest) : NULL;
	if (!w->path && (w->path = mem_alloc(rest.n + 2)))
		snprintf(w->path, rest.n + 2, "/%.*s", SVF(rest));
	return w->host && w->path;
}

static bool is_header(const char *name, const char *value)
{
	for (const char *c = name; *c; c++)
		if (!((*c >= '0' && *c <= '9') || ((*c | 32) >= 'a' && (*c | 32) <= 'z') || *c == '-' || *c == '_'))
			return false;
	for (const char *c = value; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return false;
	return *name && strncasecmp(name, "Sec-WebSocket-", 14) != 0 && strcasecmp(name, "Host") &&
	       strcasecmp(name, "Upgrade") && strcasecmp(name, "Connection") && strcasecmp(name, "Content-Length") &&
	       strcasecmp(name, "Transfer-Encoding");
}

/* STREAM_EXTRA_HEADERS: an object of names and values; what is from outside is part of a value. */
static ON_CTL void headers_read(struct bot_way *w, struct leg *leg, bool *has_authorization)
{
	char *given = leg_text_dup(leg, "STREAM_EXTRA_HEADERS");
	const char *name;
	json_t *o, *v;
	struct buf text, out;
	if (!given)
		return;
	buf_init(&text);
	int st = mark_strip_json(&text, sv_of(given));
	mem_free(given);
	if (!st)
		st = json_parse(&o, buf_sv(&text), BOT_TEXT_MAX, NULL);
	buf_fini(&text);
	if (st) {
		leg_log(leg, LOG_WARNING, "STREAM_EXTRA_HEADERS is no JSON object");
		return;
	}
	buf_init(&out);
	json_object_foreach(o, name, v)
	{
		const char *value = json_string_value(v);
		if (value && out.n < HEADERS_MAX && is_header(name, value))
			buf_printf(&out, "%s: %s\r\n", name, value),
			    *has_authorization |= !strcasecmp(name, "Authorization");
		else
			leg_log(leg, LOG_WARNING, "STREAM_EXTRA_HEADERS: \"%s\" is not sent", name);
	}
	w->headers = out.failed || !out.n ? NULL : mem_strdup(out.p);
	buf_fini(&out);
	json_decref(o);
}

static ON_CTL uint32_t number_of(struct leg *leg, const char *var, const char *param, uint32_t least, uint32_t most)
{
	const char *v = leg_var(leg, var);
	uint32_t n = 0;
	if (!v || sv_u32(sv_of(v), &n))
		(void)sv_u32(sv_of(bot_param(param)), &n);
	return n < least ? least : n > most ? most : n;
}

static ON_CTL void settings_read(struct bot_way *w, struct leg *leg)
{
	w->frame_ms = number_of(leg, "STREAM_BUFFER_SIZE", "frame-ms", 20, 500) / 20 * 20;
	w->ping_s = number_of(leg, "STREAM_HEART_BEAT", "heart-beat", 0, 3600);
	if (!str_is_true(bot_param("tls-verify")))
		w->skips = DIAL_SKIPS_ALL;
	w->goes_on = !leg_var_is_true(leg, "STREAM_NO_RECONNECT") && str_is_true(bot_param("reconnect"));
}

/* The leg's own (STREAM_EXTRA_HEADERS) are for the streams that the leg asks for. */
static ON_CTL void authorization_set(struct bot_way *w, const char *value)
{
	struct buf out;
	if (!value || !*value || !is_header("Authorization", value))
		return;
	buf_init(&out);
	buf_printf(&out, "%sAuthorization: %s\r\n", w->headers ? w->headers : "", value);
	mem_free(w->headers);
	w->headers = out.failed ? NULL : mem_strdup(out.p);
	buf_fini(&out);
}

static ON_CTL int headers_set(struct bot_way *w, struct leg *leg, const struct bot_start *s)
{
	bool has_one = false;
	char *basic = NULL;
	if (s->ear) {
		authorization_set(w, s->authorization);
		return ST_OK;
	}
	headers_read(w, leg, &has_one);
	int st = has_one ? ST_OK : bot_basic_auth(&basic, leg);
	authorization_set(w, basic);
	mem_free(basic);
	return st ? st : bot_credentials_read(w, leg);
}

/* STREAM_CODEC: how sound is sent and expected. False: it cannot be. */
static ON_CTL bool codec_read(struct bot_way *w, struct leg *leg, const struct bot_start *s)
{
	const char *name = s->ear ? NULL : leg_var(leg, "STREAM_CODEC");
	if (!name || !*name || !strcasecmp(name, "L16"))
		return true;
	w->codec = strcasecmp(name, "opus") != 0 ? NULL : codec_find_rate("opus", 48000, 2, s->rate_hz);
	if (w->frame_ms > OPUS_FRAME_MAX_MS)
		w->frame_ms = OPUS_FRAME_MAX_MS;
	return w->codec && w->codec->rate_hz == s->rate_hz && !s->is_stereo;
}

int bot_way_read(struct bot_way *out, struct leg *leg, const struct bot_start *s, const char **why)
{
	settings_read(out, leg);
	int st = headers_set(out, leg, s);
	if (st)
		*why = st == ST_DENIED ? "a variable that says whom to trust, or as whom to come, is from outside"
		                       : "the variables of certificates or of a name and a password make no sense";
	else if (!url_read(out, s->url))
		*why = "the address is not ws://host[:port]/path or wss://";
	else if (!codec_read(out, leg, s))
		*why = "STREAM_CODEC is L16, or opus: of one channel at 8k, 16k, 24k or 48k";
	else
		return ST_OK;
	return ST_INVAL;
}

void bot_way_fini(struct bot_way *w)
{
	mem_free(w->host);
	mem_free(w->path);
	mem_free(w->headers);
	mem_free(w->ca);
	mem_free(w->cert);
	mem_free(w->key);
}
