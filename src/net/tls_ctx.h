/* What TLS connections are made with: certificate and key, authorities, who must show a certificate, ciphers and
 * versions, session tickets. Made aside (a worker: files are read), used by the control thread, and never changed: who
 * wants another one makes it and gives it to the listener; connections keep theirs. Counted. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"

enum tls_verify { /* FreeSWITCH's tls-verify-policy */
	TLS_VERIFY_NONE = 0,
	TLS_VERIFY_IN = 1,           /* who connects shows a certificate of an authority */
	TLS_VERIFY_OUT = 2,          /* whom we connect to does */
	TLS_VERIFY_SUBJECTS_IN = 4,  /* and it is of one of in_subjects */
	TLS_VERIFY_SUBJECTS_OUT = 8, /* and it is for the host that was asked for */
};
struct tls_conf {
	const char *name;            /* for the log */
	const char *cert_path;       /* key and certificate chain in PEM; NULL: outgoing connections only */
	const char *key_path;        /* when the key is in a file of its own */
	const char *ca_path;         /* authorities; NULL or no such file: the system's, for what goes out only */
	const char *sni_folder;      /* NAME.pem, each for the names in it, which a client asks for; NULL or absent: none */
	const char *passphrase;      /* of the keys; may be NULL */
	const char *ciphers;         /* OpenSSL's list for TLS 1.2 and below; NULL or "": ECDHE with AEAD */
	const char *versions;        /* "tlsv1.2,tlsv1.3": from the lowest to the highest; NULL or "": these */
	const char *in_subjects;     /* separated by '|' */
	unsigned verify;             /* enum tls_verify */
	unsigned verify_depth;       /* 0 = 2 */
	unsigned session_life_s;     /* 0: no session is taken up again */
	bool checks_no_date;         /* certificates that are over, or not yet good, count as good */
};
struct tls_ctx;
/* Reads the files. ST_INVAL or ST_IO; *why says which file or which word and what of it (appended). */
ANY int tls_ctx_new(struct tls_ctx **out, const struct tls_conf *conf, struct buf *why);
/* "in,subjects_out" as FreeSWITCH writes it ('|' and blanks separate, too); ST_INVAL for other words. */
ANY int tls_verify_parse(const char *text, unsigned *out);
