/* Certificates of our own: made where a file is missing, so that TLS works from the first start; for SIP over TLS and
 * WebSocket, and for whoever else needs one (DTLS, HTTP). A file holds the private key and the certificate in PEM, as
 * FreeSWITCH lays them out, and belongs to its owner only (0600). */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include <stdbool.h>

enum cert_kind {
	CERT_RSA, /* 2048 bits: old desk phones know nothing else. Takes up to a second to make */
	CERT_EC   /* P-256 */
};
#define CERT_NAMES_MAX 8
/* Makes path when it is not there. names: host names and addresses it is for, the first is its common name; NULL ends
 * them. *was_made (may be NULL). ST_OK also when it was there; ST_IO is logged with the path. Blocks: a worker, or
 * before the loop runs. */
ANY int cert_ensure(const char *path, enum cert_kind kind, const char *const *names, bool *was_made);
