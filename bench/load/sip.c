/* The little of SIP and SDP that a load generator must read, and digest answers. It trusts the switch under test: what
 * it cannot read it refuses, and the caller counts that. */
#include "load.h"
#include <arpa/inet.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static struct span trim(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	while (end > p && (end[-1] == ' ' || end[-1] == '\r'))
		end--;
	return (struct span){p, (int)(end - p)};
}

static bool first_line(struct message *m, struct span line)
{
	const char *space = memchr(line.p, ' ', (size_t)line.n), *end = line.p + line.n, *second;
	if (!space)
		return false;
	if (line.n > 12 && !memcmp(line.p, "SIP/2.0 ", 8)) {
		m->code = atoi(line.p + 8);
		return m->code >= 100 && m->code < CODE_MAX;
	}
	m->method = (struct span){line.p, (int)(space - line.p)};
	second = memchr(space + 1, ' ', (size_t)(end - space - 1));
	if (!second)
		return false;
	m->uri = (struct span){space + 1, (int)(second - space - 1)};
	return true;
}

static void header(struct message *m, struct span name, struct span value)
{
	const char *space;
#define IS(word) (name.n == (int)sizeof(word) - 1 && !strncasecmp(name.p, word, sizeof(word) - 1))
	if (IS("Via")) {
		if (m->via_count < 8)
			m->vias[m->via_count++] = value;
	} else if (IS("From")) {
		m->from = value;
	} else if (IS("To")) {
		m->to = value;
	} else if (IS("Call-ID")) {
		m->call_id = value;
	} else if (IS("Contact")) {
		m->contact = value;
	} else if (IS("CSeq")) {
		m->cseq = (uint32_t)strtoul(value.p, NULL, 10);
		space = memchr(value.p, ' ', (size_t)value.n);
		if (space)
			m->cseq_method = (struct span){space + 1, (int)(value.p + value.n - space - 1)};
	} else if ((IS("WWW-Authenticate") || IS("Proxy-Authenticate")) &&
	           !m->challenge.n) { /* the first is MD5 or the only one */
		m->challenge = value;
		m->is_proxy_challenge = name.p[0] == 'P';
	}
#undef IS
}

bool message_parse(struct message *m, const char *p, size_t n)
{
	const char *end = p + n, *eol, *colon;
	*m = (struct message){0};
	for (bool is_first = true; p < end; p = eol + 1, is_first = false) {
		eol = memchr(p, '\n', (size_t)(end - p));
		if (!eol)
			return false;
		if (eol == p || (eol == p + 1 && *p == '\r')) {
			m->body = (struct span){eol + 1, (int)(end - eol - 1)};
			return !is_first && m->call_id.n && m->cseq_method.n;
		}
		if (is_first) {
			if (!first_line(m, trim(p, eol)))
				return false;
		} else if ((colon = memchr(p, ':', (size_t)(eol - p)))) {
			header(m, (struct span){p, (int)(colon - p)}, trim(colon + 1, eol));
		}
	}
	return false;
}

struct span span_param(struct span s, const char *name)
{
	size_t n = strlen(name);
	for (const char *p = s.p, *end = s.p + s.n; p && p + n + 2 < end; p++) {
		if (*p != ';' || memcmp(p + 1, name, n) || p[n + 1] != '=')
			continue;
		const char *v = p + n + 2, *e = v;
		while (e < end && *e != ';' && *e != '>' && *e != ' ')
			e++;
		return (struct span){v, (int)(e - v)};
	}
	return (struct span){"", 0};
}

struct span span_uri(struct span s)
{
	const char *open = memchr(s.p, '<', (size_t)s.n), *close;
	if (!open)
		return s;
	open++;
	close = memchr(open, '>', (size_t)(s.p + s.n - open));
	return (struct span){open, close ? (int)(close - open) : 0};
}

bool sdp_media(struct span body, struct sockaddr_in *to)
{
	const char *m = memmem(body.p, (size_t)body.n, "m=audio ", 8),
	           *c = memmem(body.p, (size_t)body.n, "c=IN IP4 ", 9);
	char host[16];
	size_t n = 0;
	if (!m || !c)
		return false;
	for (c += 9; n < sizeof(host) - 1 && c<body.p + body.n && * c> ' '; c++)
		host[n++] = *c;
	host[n] = 0;
	*to = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(m + 8))};
	return inet_pton(AF_INET, host, &to->sin_addr) == 1 && to->sin_port;
}

static void md5(char hex[33], const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void md5(char hex[33], const char *fmt, ...)
{
	static EVP_MD_CTX *context;
	static EVP_MD *algorithm;
	unsigned char digest[16];
	char text[1024];
	va_list ap;
	int n;

	if (!context) {
		context = EVP_MD_CTX_new();
		algorithm = EVP_MD_fetch(NULL, "MD5", NULL);
	}
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(text) || EVP_DigestInit_ex(context, algorithm, NULL) != 1 ||
	    EVP_DigestUpdate(context, text, (size_t)n) != 1 || EVP_DigestFinal_ex(context, digest, NULL) != 1) {
		fprintf(stderr, "bench_load: MD5 does not work\n");
		exit(1);
	}
	for (int i = 0; i < 16; i++) {
		hex[2 * i] = "0123456789abcdef"[digest[i] >> 4];
		hex[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
	}
	hex[32] = 0;
}

/* name="value" or name=value of a challenge. */
static struct span challenge_part(struct span s, const char *name)
{
	size_t n = strlen(name);
	for (const char *p = s.p, *end = s.p + s.n; p + n + 1 < end; p++) {
		if (strncasecmp(p, name, n) || p[n] != '=' || (p > s.p && p[-1] != ' ' && p[-1] != ','))
			continue;
		const char *v = p + n + 1, *e;
		bool is_quoted = *v == '"';
		v += is_quoted;
		for (e = v; e < end && (is_quoted ? *e != '"' : *e != ',' && *e != ' ');)
			e++;
		return (struct span){v, (int)(e - v)};
	}
	return (struct span){"", 0};
}

int auth_line(char *out, size_t size, const struct message *challenge, const char *method, const char *uri,
    const char *user, const char *password)
{
	struct span c = challenge->challenge, realm = challenge_part(c, "realm"), nonce = challenge_part(c, "nonce");
	struct span opaque = challenge_part(c, "opaque"), qop = challenge_part(c, "qop");
	static uint32_t cnonce_counter;
	char ha1[33], ha2[33], response[33], cnonce[16];
	int n;

	snprintf(cnonce, sizeof(cnonce), "%08x", ++cnonce_counter);
	md5(ha1, "%s:%.*s:%s", user, SPAN(realm), password);
	md5(ha2, "%s:%s", method, uri);
	if (qop.n)
		md5(response, "%s:%.*s:00000001:%s:auth:%s", ha1, SPAN(nonce), cnonce, ha2);
	else
		md5(response, "%s:%.*s:%s", ha1, SPAN(nonce), ha2);
	n = snprintf(out, size,
	    "%s: Digest username=\"%s\", realm=\"%.*s\", nonce=\"%.*s\", uri=\"%s\", response=\"%s\", algorithm=MD5",
	    challenge->is_proxy_challenge ? "Proxy-Authorization" : "Authorization", user, SPAN(realm), SPAN(nonce),
	    uri, response);
	if (qop.n && n > 0 && (size_t)n < size)
		n += snprintf(out + n, size - (size_t)n, ", qop=auth, nc=00000001, cnonce=\"%s\"", cnonce);
	if (opaque.n && n > 0 && (size_t)n < size)
		n += snprintf(out + n, size - (size_t)n, ", opaque=\"%.*s\"", SPAN(opaque));
	if (n > 0 && (size_t)n < size)
		n += snprintf(out + n, size - (size_t)n, "\r\n");
	return n > 0 && (size_t)n < size ? n : 0;
}
