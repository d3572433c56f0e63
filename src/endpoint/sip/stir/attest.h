/* STIR/SHAKEN for the endpoint: the settings of sofia.conf with the key and the authorities they name, the Identity of
 * a call that goes out, and the judgement of one that comes in. The judgement waits for certificates (by HTTPS, kept)
 * and is made on a worker:
 *
 *   settings (file reads) -> stir_settings
 *   out: stir_sip_sign -> stir_identity_make
 *   in:  stir_check_start -> tokens read -> certificates: kept, or fetched (cert_store.c) -> worker: chain, numbers,
 *        signature -> fn with the verdict, at the deadline in any case
 *
 * Control thread. */
#pragma once
#include "base/role.h"
#include "net/addr.h"
#include "stir/stir.h"
#include <time.h>

struct xml_node;

struct stir_settings {
	char *url;            /* stir-shaken-as-url; "" = nothing is signed */
	struct stir_key *key; /* stir-shaken-as-key; NULL */
	struct stir_ca *ca;   /* stir-shaken-vs-ca-dir; never NULL: nobody's */
	char *tls_ca;         /* whose signatures count of the servers that certificates come from; "" = the system's */
	bool checks_path;     /* stir-shaken-vs-cert-path-check */
	bool requires_date;   /* stir-shaken-vs-require-date */
	bool allows_inside;   /* certificates may come from private addresses */
	unsigned cache_s, max_age_s;
};
ON_CTL const struct stir_settings *stir_settings(void);
/* Reads the files the settings name; blocking, at the module's load only. What cannot be read is told in the log. */
ON_CTL void stir_sip_start(const struct xml_node *global_settings);
ON_CTL void stir_sip_stop(void);
/* The names of the settings, as sofia.conf's check knows them. */
ANY bool stir_setting_is_known(const char *name);

/* ---- out ---- */
/* Whole "Date" and "Identity" lines. ST_UNSUPPORTED: no key or URL; ST_INVAL: attest or one of the numbers is none. */
ON_CTL int stir_sip_sign(struct buf *lines, char attest, struct sv orig, struct sv dest, const char *origid);

/* An Identity line of a "div" token (RFC 8946) for a call that goes on to dest with the Identity it came with, and was
 * signed for another number; and Date. ST_NOTFOUND: there is none due, it is for dest. ST_INVAL: came is no token of
 * the kind shaken for orig, or dest no number. */
ON_CTL int stir_sip_divert(struct buf *lines, struct sv came, struct sv orig, struct sv dest);

/* ---- in ---- */
enum { STIR_IDENTITIES_MAX = 4, STIR_REASON_CHARS = 160 };
enum stir_verdict_kind { STIR_V_NONE /* nothing was signed */, STIR_V_PASSED, STIR_V_FAILED };
struct stir_verdict {
	enum stir_verdict_kind kind;
	char attest; /* of the token, where it could be read; else 0 */
	int code;    /* what RFC 8224 6.2.2 answers: 403, 428, 436, 437, 438 */
	char reason[STIR_REASON_CHARS];
	char origid[STIR_ID_MAX];
};
ANY const char *stir_verdict_verstat(const struct stir_verdict *v); /* "TN-Validation-Passed" ... */
struct stir_check_params {
	struct sv identities[STIR_IDENTITIES_MAX]; /* values of the headers */
	size_t count;
	bool has_more;              /* there were more */
	struct sv orig, dest, date; /* who calls and who is called, as the call has them; date may be empty */
	struct sv call_id;          /* of the INVITE */
	const struct addr *src;     /* where it came from */
	unsigned max_age_s;         /* 0 = the setting's */
	int64_t timeout_ms;
	int checks_path, requires_date; /* -1 = the setting's */
};
typedef void (*stir_check_fn)(const struct stir_verdict *v, void *arg);
struct stir_check;
/* fn is called once, later, never from inside, at the latest after timeout_ms. ST_FULL: too many are under way. */
ON_CTL int stir_check_start(struct stir_check **out, const struct stir_check_params *p, stir_check_fn fn, void *arg);
ON_CTL void stir_check_cancel(struct stir_check *c); /* fn is not called */

struct stir_counts {
	uint64_t signed_count, passed, failed, unsigned_in, fetched, fetch_failed, from_cache;
	size_t certs_kept;
};
ON_CTL void stir_counts_get(struct stir_counts *out);
