/* See turn_words.h. */
#include "media/ctl/turn_words.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/dns.h"
#include "text/base64.h"
#include "text/digest.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { PORT = 3478, PORT_TLS = 5349 };

/* "turns" over UDP is DTLS (RFC 7350). */
static int transport_read(struct turn_server *out, bool is_tls, struct sv query)
{
	bool is_udp = sv_isi(query, "transport=udp"), is_tcp = sv_isi(query, "transport=tcp");
	out->has_transport = query.n > 0;
	out->by = is_tls && is_udp ? TURN_BY_DTLS : is_tls ? TURN_BY_TLS : is_tcp ? TURN_BY_TCP : TURN_BY_UDP;
	return (query.n && !is_udp && !is_tcp) ? ST_UNSUPPORTED : ST_OK;
}

uint16_t turn_port_usual(enum turn_by by)
{
	return turn_is_secure(by) ? PORT_TLS : PORT;
}

int turn_server_read(const char *text, struct turn_server *out)
{
	struct sv rest = sv_trim(sv_of(text)), host = rest, query = SV_NONE, port = SV_NONE;
	bool is_tls = sv_startsi(rest, SV("turns:"));
	uint32_t number = turn_port_usual(is_tls ? TURN_BY_TLS : TURN_BY_UDP);

	if (is_tls || sv_startsi(rest, SV("turn:")))
		host = rest = sv_sub(rest, is_tls ? 6 : 5, rest.n);
	(void)sv_split(rest, '?', &host, &query);
	if (transport_read(out, is_tls, query))
		return ST_UNSUPPORTED;
	if (host.n && host.p[0] == '[') { /* [v6]:port */
		if (!sv_split(sv_sub(host, 1, host.n), ']', &host, &port))
			return ST_PARSE;
		if (port.n && port.p[0] != ':')
			return ST_PARSE;
		port = sv_sub(port, 1, port.n);
	} else {
		(void)sv_split(host, ':', &host, &port);
	}
	if (!host.n || host.n > DNS_NAME_MAX || (port.n && (sv_u32(port, &number) || !number || number > 65535)))
		return ST_PARSE;
	out->port = (uint16_t)number, out->has_port = port.n > 0;
	out->host = sv_dup(host);
	return out->host ? ST_OK : ST_NOMEM;
}

_Static_assert(TURN_LEASE_PASSWORD_CHARS == BASE64_CHARS(DIGEST_SHA1_BYTES), "a digest in base64");

int turn_lease_make(const char *secret, const char *username, int64_t until_s, struct turn_lease *out)
{
	uint8_t mac[DIGEST_SHA1_BYTES];
	struct buf text;
	int n =
	    snprintf(out->username, sizeof(out->username), "%" PRId64 "%s%s", until_s, *username ? ":" : "", username);
	if (n < 0 || (size_t)n >= sizeof(out->username))
		return ST_INVAL;
	digest_hmac_sha1(secret, strlen(secret), out->username, (size_t)n, mac);
	buf_init(&text);
	int st = base64_encode(&text, mac, sizeof(mac));
	snprintf(out->password, sizeof(out->password), "%.*s", SVF(buf_sv(&text)));
	buf_fini(&text);
	return st;
}
