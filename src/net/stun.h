/* Our public IPv4 address by STUN. */
#pragma once
#include "base/role.h"
#include "base/str.h"
#include <netinet/in.h>
#include <stdint.h>

/* What a STUN server (host[:port], 3478) says of a socket of ours: address and port. Blocks up to timeout_ms.
 * ST_TIMEOUT, ST_IO, ST_NOTFOUND (no such host), ST_PARSE. */
ANY int stun_public_address(struct sv server, int timeout_ms, char out[64], uint16_t *port);
/* host and port (decimal) as an IPv4 address; blocks until the deadline. */
ANY int stun_host(struct sv host, struct sv port, int64_t deadline_us, struct sockaddr_in *out);
