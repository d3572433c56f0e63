/* Names to addresses, on the control loop: nothing here waits for a name server but the one who asked. /etc/hosts and
 * /etc/resolv.conf are honoured (and read again when they change); answers are kept by their TTL, refusals and silence
 * for a short while. A question is asked once however many wait for it; questions under way are bounded, in all and by
 * the address on whose behalf they are asked. SRV and NAPTR (RFC 2782, 3403) are kinds beside the addresses; the cache,
 * the bounds and the cancelling are the same for them. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "net/addr.h"
#include <stdbool.h>

enum { DNS_NAME_MAX = 253, DNS_RECORDS_MAX = 16, DNS_TEXT_MAX = 2048 };

enum dns_kind {
	DNS_NONE,
	DNS_ADDRESS, /* A; AAAA where there is no A */
	DNS_A,
	DNS_AAAA,
	DNS_SRV,
	DNS_NAPTR,
	DNS_KIND_COUNT
};
struct dns_record {
	struct addr addr; /* of addresses; port 0 */
	/* SRV: priority, weight, port; NAPTR: order, preference */
	uint16_t first, second, port;
	uint16_t name_at, service_at; /* in the answer's text (dns_record_name, _service); lower case */
	uint16_t regexp_at; /* NAPTR: its regular expression, letters as they came (RFC 3402 section 3.2); "": none */
	char flag;          /* NAPTR: 's', 'a', 'u', 'p', or 0 */
};
struct dns_answer {
	/* ST_OK: at least one record. ST_NOTFOUND: the name, or this kind of it, does not exist. ST_TIMEOUT: nobody
	 * answered. ST_IO: name servers answer that they cannot, or lie. ST_FULL: too many questions under way.
	 * ST_PARSE: this is no host name. ST_CANCELLED: dns_stop. */
	int status;
	size_t count;
	struct dns_record records[DNS_RECORDS_MAX];
	size_t text_n;
	char text[DNS_TEXT_MAX]; /* last: what is not used is not kept */
};
/* SRV: the target, "" = the service is decidedly not there (RFC 2782); NAPTR: the replacement, "" where there is a
 * regular expression instead. Borrowed from the answer. */
ANY const char *dns_record_name(const struct dns_answer *a, const struct dns_record *r);
ANY const char *dns_record_service(const struct dns_answer *a, const struct dns_record *r); /* NAPTR: "sip+d2u" */
ANY const char *dns_record_regexp(const struct dns_answer *a, const struct dns_record *r); /* NAPTR: "!^.*$!sip:a@b!" */
/* The SRV records of an answer in the order in which they are to be tried (RFC 2782): by priority; of one priority
 * drawn by weight, those without weight seldom. */
ANY void dns_srv_sort(struct dns_answer *a);
/* a is valid during the call. */
typedef void (*dns_fn)(const struct dns_answer *a, void *arg);

struct dns_ask; /* one who waits */
/* Asks. What is known already (numbers, hosts, the cache, a refusal) is in *a at once: its status is returned and fn is
 * not called. ST_AGAIN: fn is called later, once, never from inside, after timeout_us at the latest; *out is then valid
 * until fn is called or dns_cancel. behalf (may be NULL: our own wish, the configuration's) is counted against. */
ON_CTL int dns_ask(struct dns_ask **out, enum dns_kind kind, struct sv name, const struct addr *behalf,
    int64_t timeout_us, struct dns_answer *a, dns_fn fn, void *arg);
ON_CTL void dns_cancel(struct dns_ask *ask); /* NULL is fine */
/* The same of other servers than the machine's (at NULL: of these); what is kept is kept for that list of them.
 * ST_INVAL: the list is too long, or names no addresses (dns_servers_are). */
enum { DNS_SERVERS_CHARS = 256 };
struct dns_servers {
	const char *list; /* "192.0.2.1,192.0.2.2:5353,[2001:db8::1]:53" */
	bool is_random;   /* not always the first of them first */
};
ON_CTL int dns_ask_at(struct dns_ask **out, const struct dns_servers *at, enum dns_kind kind, struct sv name,
    const struct addr *behalf, int64_t timeout_us, struct dns_answer *a, dns_fn fn, void *arg);
ANY bool dns_servers_are(struct sv list);

/* Before the first question, after loop_init; stop: whoever waits gets ST_CANCELLED. The environment may name other
 * servers and another hosts file for tests: TANDEM_DNS_SERVERS ("127.0.0.1:5353,..."), TANDEM_HOSTS. */
ON_CTL int dns_start(void);
ON_CTL void dns_stop(void);

struct dns_stats {
	uint64_t asked, from_cache, sent, timeouts, failures, refused;
	size_t waiting_count, question_count, cache_count;
};
ON_CTL void dns_stats_get(struct dns_stats *out);

/* The same for a worker, or for the start before the loop runs: waits, neither cache nor bounds. Ends with the program
 * (stop_fd readable; -1: none). */
ANY int dns_lookup_blocking(enum dns_kind kind, struct sv name, int64_t timeout_us, int stop_fd, struct dns_answer *a);
