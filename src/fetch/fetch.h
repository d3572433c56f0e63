/* HTTP requests to other machines, for whoever on the control loop wants one (certificates, collectors, handlers): each
 * with a deadline, a bound on what comes back, verified TLS, and a rule of where it may go. The name is looked up here
 * (net/dns.h) and the address that was checked is the one that is connected to, so a name that changes its mind reaches
 * nothing inside. Redirects are not followed, proxies of the environment not asked. One thread of the worker kind
 * drives all of them at once (libcurl's multi interface): one that stalls holds up nobody.
 *
 *   fetch_start -> address checked, or asked for and checked -> mailbox -> thread: curl -> mailbox -> fn */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"
#include "net/addr.h"
#include <stdbool.h>
#include <stdint.h>

enum { FETCH_MAX = 256 /* under way, in all */, FETCH_ERROR_CHARS = 200 };

struct fetch;
struct fetch_params { /* all is copied */
	const char *url;
	const char *method;  /* NULL: GET, or POST with a body */
	const char *headers; /* whole "Name: value\r\n" lines, or NULL */
	const char *ctype;   /* of the body */
	struct sv body;
	int64_t timeout_ms;           /* for all of it, the look-up too; 0 = 10 s */
	size_t max_bytes;             /* of the answer's body; 0 = 1 MiB */
	bool allows_http;             /* else https:// only */
	bool allows_inside;           /* else not to addresses that are no public ones (fetch_addr_is_public) */
	bool skips_verify;            /* TLS of whoever is there */
	const char *ca_file, *ca_dir; /* whose signatures count; both NULL: the system's */
	const char *user, *password;  /* basic authentication; NULL: none */
};
struct fetch_result { /* valid during the call */
	/* ST_OK: an answer came, whatever its code. ST_TIMEOUT; ST_LIMIT: it was too long; ST_DENIED: it may not go
	 * there, or the certificate does not hold; ST_NOTFOUND: no such name; ST_IO else; ST_CANCELLED: fetch_stop. */
	int status;
	int code;
	struct sv body;
	int64_t max_age_s; /* Cache-Control: max-age; -1: none was said */
	const char *error; /* "" with ST_OK */
};
typedef void (*fetch_fn)(const struct fetch_result *r, void *arg);
/* fn is called once, later, never from inside. *out (may be NULL) is valid until then or fetch_cancel. ST_INVAL: no
 * URL; ST_DENIED: not there; ST_FULL: FETCH_MAX are under way. */
ON_CTL int fetch_start(struct fetch **out, const struct fetch_params *p, fetch_fn fn, void *arg);
ON_CTL void fetch_cancel(struct fetch *f); /* fn is not called; NULL is fine */
/* The end of the program: all that are under way end (ST_CANCELLED), the thread is joined. Harmless when none began. */
ON_CTL void fetch_stop(void);
/* An address of the Internet: not of this machine, a private network, a link, a group, or kept for something special.
 */
ANY bool fetch_addr_is_public(const struct addr *a);

struct fetch_stats {
	uint64_t started, failed, refused;
	size_t now;
};
ON_CTL void fetch_stats_get(struct fetch_stats *out);
