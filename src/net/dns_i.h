/* Between the files of the resolver: what is configured, and one look-up's talk with name servers. */
#pragma once
#include "net/dns.h"
#include <ares.h>

/* /etc/hosts, /etc/resolv.conf and the environment, read once; read-only then. Counted, atomically. */
struct dns_conf;
ANY int dns_conf_read(struct dns_conf **out);         /* blocks on the disk */
ANY bool dns_conf_is_stale(const struct dns_conf *c); /* a file of it has changed; blocks on the disk */
/* A name of the hosts file: true when it is there, with addresses of that kind or without (ST_NOTFOUND). */
ANY bool dns_conf_host(const struct dns_conf *c, enum dns_kind kind, struct sv name, struct dns_answer *a);
ANY bool dns_conf_has_host(const struct dns_conf *c, struct sv name);
/* A channel that asks the configured servers; sockets are told to fn (NULL: none wants to know). */
/* at: NULL, or whom to ask in their place. */
ANY int dns_conf_channel(
    const struct dns_conf *c, const struct dns_servers *at, ares_sock_state_cb fn, void *arg, ares_channel *out);

/* What is known without asking anybody: numbers, localhost, hosts, what no name can be. False: a server must be asked.
 */
ANY bool dns_known(const struct dns_conf *c, enum dns_kind kind, struct sv name, struct dns_answer *a);

/* One look-up: for an address A, then AAAA when there is none. The channel is made and ended by the owner; not inside
 * on_done. */
struct dns_lookup {
	ares_channel channel;
	enum dns_kind kind;
	char name[DNS_NAME_MAX + 2];
	bool is_second, is_done;
	struct dns_answer answer;
	unsigned ttl_s;
	void (*on_done)(struct dns_lookup *l);
};
ANY void dns_lookup_begin(struct dns_lookup *l); /* may call on_done at once */

/* The records of a packet that are no addresses (dns_service.c); a's count is 0 beforehand. A code of c-ares. */
ANY int dns_service_read(enum dns_kind kind, const unsigned char *p, int n, struct dns_answer *a, unsigned *ttl_s);
ANY void dns_ttl_note(unsigned *least_s, int64_t ttl_s); /* the least of those seen, within bounds */

/* What an answer packet says: its addresses in *a (a->status too) and for how long they hold. Any bytes. */
ANY void dns_packet_read(enum dns_kind kind, const unsigned char *p, int n, struct dns_answer *a, unsigned *ttl_s);
/* No answer: rc is c-ares' code. */
ANY void dns_packet_failed(struct dns_answer *a, int rc, unsigned *ttl_s);
