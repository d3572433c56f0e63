/* HTTP requests to other machines, for whoever on the control loop wants one (certificates, collectors, handlers): each
 * with a deadline, a bound on what comes back, verified TLS, and a rule of where it may go. The name is looked up here
 * (net/dns.h) and the address that was checked is the one that is connected to, so a name that changes its mind reaches
 * nothing inside. Redirects are followed only as often as the caller says, each new place checked like the first;
 * proxies of the environment are not asked. One thread of the worker kind drives all of them at once (libcurl's multi
 * interface): one that stalls holds up nobody.
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
	int body_fd; /* > 0: a file open for reading, whose first body_fd_bytes are the body, in its place; it is
	              * fetch's own when fetch_start was ST_OK. Redirects are not followed. PUT without a method. */
	uint64_t body_fd_bytes;
	int64_t timeout_ms;           /* for all of it, the look-up too; 0 = 10 s */
	size_t max_bytes;             /* of the answer's body; 0 = 1 MiB */
	bool allows_http;             /* else https:// only */
	bool allows_inside;           /* else not to addresses that are no public ones (fetch_addr_is_public) */
	bool skips_verify;            /* TLS of whoever is there */
	const char *ca_file, *ca_dir; /* whose signatures count; both NULL: the system's */
	const char *user, *password;  /* NULL: none */
	unsigned auth;                /* enum fetch_auth, several may be tried; 0 = basic */
	unsigned max_redirects;       /* 0: a redirect is an answer like another */
	int64_t connect_timeout_ms;   /* 0: timeout_ms */
	const char *agent;            /* User-Agent; NULL: Tandem */
	const char *bind_local;       /* address or interface to come from, or NULL */
	const char *cookie_file;      /* cookies are read from there and written to it, or NULL */
	const char *cert_file, *key_file, *key_password; /* ours, PEM; NULL: none */
	bool skips_verify_host;                          /* a good certificate of any name will do */
	bool keeps_head;                                 /* the result has the answer's header lines */
};
enum fetch_auth { FETCH_BASIC = 1, FETCH_DIGEST = 2, FETCH_NTLM = 4, FETCH_ANY = 8 };
/* "basic", "digest", "ntlm" (or "NTLM"), "any", "anysafe" with anything between; 0: there is another word in it. */
ANY unsigned fetch_auth_parse(const char *text);
struct fetch_result { /* valid during the call */
	/* ST_OK: an answer came, whatever its code. ST_TIMEOUT; ST_LIMIT: it was too long; ST_DENIED: it may not go
	 * there, or the certificate does not hold; ST_NOTFOUND: no such name; ST_IO else; ST_CANCELLED: fetch_stop. */
	int status;
	int code;
	struct sv body;
	struct sv head;    /* with keeps_head: status line and headers as they came, of the last answer */
	const char *ctype; /* Content-Type, "" when there was none */
	int64_t max_age_s; /* Cache-Control: max-age; -1: none was said */
	const char *error; /* "" with ST_OK */
};
typedef void (*fetch_fn)(const struct fetch_result *r, void *arg);
/* fn is called once, later, never from inside. *out (may be NULL) is valid until then or fetch_cancel. ST_INVAL: no
 * URL; ST_DENIED: not there; ST_FULL: FETCH_MAX are under way. */
ON_CTL int fetch_start(struct fetch **out, const struct fetch_params *p, fetch_fn fn, void *arg);
ON_CTL void fetch_cancel(struct fetch *f); /* fn is not called; NULL is fine */
/* What a request came to, for who waits for it; fetch_got_fini frees it. */
struct fetch_got {
	int status, code;
	struct buf body, head;
	char ctype[128], error[FETCH_ERROR_CHARS];
	int64_t max_age_s;
};
/* Waits for it: fetch_start's failures, or the result's status. ST_CANCELLED: the program ends. *out is made by it, and
 * to be freed in any case. */
CO int fetch_wait(const struct fetch_params *p, struct fetch_got *out);
ANY void fetch_got_fini(struct fetch_got *got);
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
