/* Private to the room: what makes a request one of an account, as header lines. Pure. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"

#include <time.h>

struct sign_request {
	const char *verb, *url, *ctype; /* ctype "": none */
	uint64_t bytes;
	time_t now_s;
};
struct sign_account {
	const char *key_id, *secret; /* azure: secret in base64; its id is in the URL */
	const char *region;          /* of V4 */
	const char *base_domain;     /* behind the bucket or account in the host; NULL or "": the service's own */
};
/* Appends "Name: value\r\n" lines. ST_INVAL: no such URL, or secret; ST_NOMEM.
 * Amazon S3, signature version 2: HMAC-SHA-1 in Authorization, Date. */
ANY int sign_aws_v2(struct buf *headers, const struct sign_account *a, const struct sign_request *r);
/* Version 4: HMAC-SHA-256 by date, region and service; the payload is not signed (TLS keeps it), as in FreeSWITCH. */
ANY int sign_aws_v4(struct buf *headers, const struct sign_account *a, const struct sign_request *r);
/* Azure blobs by Shared Key: a blob in one piece. */
ANY int sign_azure(struct buf *headers, const struct sign_account *a, const struct sign_request *r);
