/* Percent coding, as FreeSWITCH's event socket and API commands write it. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"

enum { URL_KEEP_ESCAPES = 1 /* a % that already starts an escape (%41) is left alone: FreeSWITCH's events do so */ };

/* Appends v with control bytes, bytes above '~' and any of SPACE " # % & + : ; < = > ? @ [ \ ] ^ ` { | } as %XX
 * (upper-case); comma, slash, quote, parentheses, dollar and tilde stay. */
ANY int url_encode(struct buf *out, struct sv v, unsigned flags);
/* The same (no flags) to where there is room for three times as much and SCAN_STEP bytes (base/scan.h); returns the
 * end. */
ANY char *url_encode_to(char *to, struct sv v);
/* Appends v with %XX decoded; a % without two hex digits stays. "+" is not a space. */
ANY int url_decode(struct buf *out, struct sv v);
/* As url_decode with "+" as space: HTML form bodies and query strings. */
ANY int url_decode_form(struct buf *out, struct sv v);
