/* Where a TURN server is (RFC 5928): a name with a port is a host; a domain without one is asked for NAPTR and SRV
 * records. */
#pragma once
#include "media/ctl/turn_words.h"
#include "net/dns.h"

enum { TURN_PLACES_MAX = 8 };
struct turn_place {
	char name[DNS_NAME_MAX + 1]; /* a host or an address */
	uint16_t port;
	enum turn_by by;
};
struct turn_find;
/* In the order in which they are to be tried, borrowed for the call; count 0: the domain says that it has none. */
typedef void (*turn_find_fn)(const struct turn_place *places, size_t count, void *arg);
/* fn is called once, never from inside, within some seconds, whatever name servers do: who does not know these types of
 * records is a host. s is borrowed until then. ST_NOMEM. */
ON_CTL int turn_find_begin(struct turn_find **out, const struct turn_server *s, turn_find_fn fn, void *arg);
ON_CTL void turn_find_cancel(struct turn_find *f); /* fn is not called any more; NULL is fine */
