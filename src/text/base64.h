/* Base64 (RFC 4648), standard alphabet and the URL-safe one. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"

#define BASE64_CHARS(n) (((n) + 2) / 3 * 4)

/* Appends the text form, padded. */
ANY int base64_encode(struct buf *out, const void *p, size_t n);
ANY int base64url_encode(struct buf *out, const void *p, size_t n); /* unpadded */
/* Appends the bytes. Takes both alphabets; white space is skipped, padding may be absent. ST_PARSE on anything else. */
ANY int base64_decode(struct buf *out, struct sv text);
