/* What the configuration says of a TURN server in words: where it is, and what is shown to it. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "ice/turn.h"
#include <stdbool.h>
#include <stdint.h>

enum turn_by { TURN_BY_UDP, TURN_BY_TCP, TURN_BY_TLS, TURN_BY_DTLS };
static inline bool turn_is_secure(enum turn_by by)
{
	return by == TURN_BY_TLS || by == TURN_BY_DTLS;
}
struct turn_server {
	char *host; /* mem_free it */
	uint16_t port;
	enum turn_by by;
	bool has_port, has_transport; /* it was said; else they are the usual ones */
};
ANY uint16_t turn_port_usual(enum turn_by by);
/* HOST[:PORT], turn:HOST[:PORT][?transport=udp|tcp], turns:HOST[:PORT][?transport=udp|tcp] (RFC 7065); [v6] in
 * brackets. ST_PARSE: it is none; ST_UNSUPPORTED: another transport; ST_NOMEM. */
ANY int turn_server_read(const char *text, struct turn_server *out);

/* User name and password that end: the user name begins with the second until which it is good, the password is the
 * HMAC-SHA1 of it under a secret that the server knows ("A REST API For Access To TURN Services",
 * draft-uberti-behave-turn-rest; coturn: use-auth-secret). */
#define TURN_LEASE_PASSWORD_CHARS 28
struct turn_lease {
	char username[TURN_USER_MAX + 1], password[TURN_LEASE_PASSWORD_CHARS + 1];
};
/* username, "" = none, follows the time; until_s: since 1970. ST_INVAL: too long. */
ANY int turn_lease_make(const char *secret, const char *username, int64_t until_s, struct turn_lease *out);
