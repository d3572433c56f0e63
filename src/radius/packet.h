/* RADIUS packets (RFC 2865, 2866, 2869, 5176): reading, making, and what proves them. Pure. */
#pragma once
#include "base/role.h"
#include "base/str.h"
#include "text/digest.h"

enum rad_code {
	RAD_NONE = 0,
	RAD_ACCESS_REQUEST = 1,
	RAD_ACCESS_ACCEPT = 2,
	RAD_ACCESS_REJECT = 3,
	RAD_ACCT_REQUEST = 4,
	RAD_ACCT_RESPONSE = 5,
	RAD_ACCESS_CHALLENGE = 11,
	RAD_STATUS_SERVER = 12, /* RFC 5997 */
	RAD_DISCONNECT_REQUEST = 40,
	RAD_DISCONNECT_ACK = 41,
	RAD_DISCONNECT_NAK = 42,
	RAD_COA_REQUEST = 43,
	RAD_COA_ACK = 44,
	RAD_COA_NAK = 45
};
enum {
	RAD_PACKET_MAX_BYTES = 4096,
	RAD_HEAD_BYTES = 20,
	RAD_AUTH_BYTES = 16,
	RAD_VALUE_MAX_BYTES = 253,
	RAD_PASSWORD_MAX_BYTES = 128,
	RAD_ATTRS_MAX_BYTES = 3800 /* leaves room for a password and the Message-Authenticator */
};
/* Types of attributes that code, not configuration, speaks of. */
enum rad_type {
	RAD_USER_NAME = 1,
	RAD_USER_PASSWORD = 2,
	RAD_NAS_IP_ADDRESS = 4,
	RAD_NAS_PORT = 5,
	RAD_SERVICE_TYPE = 6,
	RAD_FILTER_ID = 11,
	RAD_REPLY_MESSAGE = 18,
	RAD_STATE = 24,
	RAD_CLASS = 25,
	RAD_VENDOR_SPECIFIC = 26,
	RAD_SESSION_TIMEOUT = 27,
	RAD_CALLED_STATION_ID = 30,
	RAD_CALLING_STATION_ID = 31,
	RAD_NAS_IDENTIFIER = 32,
	RAD_PROXY_STATE = 33,
	RAD_ACCT_STATUS_TYPE = 40,
	RAD_ACCT_DELAY_TIME = 41,
	RAD_ACCT_INPUT_OCTETS = 42,
	RAD_ACCT_OUTPUT_OCTETS = 43,
	RAD_ACCT_SESSION_ID = 44,
	RAD_ACCT_SESSION_TIME = 46,
	RAD_ACCT_INPUT_PACKETS = 47,
	RAD_ACCT_OUTPUT_PACKETS = 48,
	RAD_ACCT_TERMINATE_CAUSE = 49,
	RAD_ACCT_MULTI_SESSION_ID = 50,
	RAD_EVENT_TIMESTAMP = 55,
	RAD_NAS_PORT_TYPE = 61,
	RAD_EAP_MESSAGE = 79,
	RAD_MESSAGE_AUTHENTICATOR = 80,
	RAD_ACCT_INTERIM_INTERVAL = 85,
	RAD_NAS_IPV6_ADDRESS = 95,
	RAD_ERROR_CAUSE = 101,
	RAD_DIGEST_RESPONSE = 103, /* RFC 5090, to RAD_DIGEST_USERNAME */
	RAD_DIGEST_REALM = 104,
	RAD_DIGEST_NONCE = 105,
	RAD_DIGEST_METHOD = 108,
	RAD_DIGEST_URI = 109,
	RAD_DIGEST_QOP = 110,
	RAD_DIGEST_ALGORITHM = 111,
	RAD_DIGEST_CNONCE = 113,
	RAD_DIGEST_NONCE_COUNT = 114,
	RAD_DIGEST_USERNAME = 115,
	RAD_DIGEST_OPAQUE = 116,
	RAD_SIP_AOR = 122,
	RAD_STERMAN_RESPONSE = 206,  /* what was before RFC 5090 (draft-sterman-aaa-sip), and is FreeRADIUS's still */
	RAD_STERMAN_ATTRIBUTES = 207 /* realm, nonce, method ... as attributes within it */
};
enum { RAD_VENDOR_CISCO = 9, RAD_VENDOR_ASTERISK = 22736, RAD_VENDOR_FREESWITCH = 27880 };

/* ---- attributes, one after the other in a buf ----------------------------------------------------------------- */
/* Appends one; a longer value is cut to what an attribute holds, an empty one left out (RFC 2865 section 5). ST_LIMIT:
 * the packet would be too long. */
ANY int rad_put(struct buf *attrs, uint8_t type, struct sv value);
ANY int rad_put_u32(struct buf *attrs, uint8_t type, uint32_t value);
/* RFC 2865 section 5.26, in the form that it recommends: one attribute of the vendor in each. */
ANY int rad_put_vendor(struct buf *attrs, uint32_t vendor, uint8_t type, struct sv value);
ANY int rad_put_vendor_u32(struct buf *attrs, uint32_t vendor, uint8_t type, uint32_t value);

struct rad_attr {
	uint8_t type;
	uint32_t vendor; /* 0: none; else type is the vendor's and value the vendor's */
	struct sv value;
};
/* Goes through them, vendors' attributes one by one; a Vendor-Specific one of another form comes whole, with type 26
 * and vendor 0. false: the end, or what follows is no attribute. */
struct rad_it {
	struct sv rest, inner;
	uint32_t vendor;
};
ANY bool rad_next(struct rad_it *it, struct rad_attr *out);
/* The first of that type; false: none. */
ANY bool rad_find(struct sv attrs, uint32_t vendor, uint8_t type, struct sv *value);
ANY bool rad_find_u32(struct sv attrs, uint32_t vendor, uint8_t type, uint32_t *value);

/* ---- packets -------------------------------------------------------------------------------------------------- */
struct rad_packet { /* views into what was read */
	uint8_t code, id;
	const uint8_t *authenticator; /* RAD_AUTH_BYTES */
	struct sv attrs;
	struct sv whole; /* as long as it says, without padding */
};
/* RFC 2865 section 3: bytes beyond its length are padding. ST_PARSE: too short, too long, or attributes that do not
 * fill it exactly. */
ANY int rad_parse(struct rad_packet *out, const void *p, size_t n);

/* A request's bytes. The Message-Authenticator comes first, whatever code it has. Access-Request, Status-Server:
 * authenticator is the caller's (random); others: it is computed and written there. password: hidden into a
 * User-Password; SV_NONE: none. ST_LIMIT. */
ANY int rad_request_make(uint8_t out[RAD_PACKET_MAX_BYTES], size_t *n, uint8_t code, uint8_t id,
    uint8_t authenticator[RAD_AUTH_BYTES], struct sv attrs, struct sv secret, struct sv password);
/* An answer to a request with that authenticator. */
ANY int rad_answer_make(uint8_t out[RAD_PACKET_MAX_BYTES], size_t *n, uint8_t code, uint8_t id,
    const uint8_t request_authenticator[RAD_AUTH_BYTES], struct sv attrs, struct sv secret);

enum rad_proof {
	RAD_PROVED,        /* by its Message-Authenticator as well */
	RAD_PROVED_WEAKLY, /* it has none; what MD5 alone proves can be forged (CVE-2024-3596) */
	RAD_FORGED         /* one of the two is wrong, or there are two */
};
ANY enum rad_proof rad_answer_check(
    const struct rad_packet *answer, const uint8_t request_authenticator[RAD_AUTH_BYTES], struct sv secret);
/* Of a request whose authenticator is computed: accounting, RFC 5176. */
ANY enum rad_proof rad_request_check(const struct rad_packet *request, struct sv secret);

/* RFC 2865 section 5.2. out: as many bytes as returned, a multiple of 16 up to RAD_PASSWORD_MAX_BYTES; 0: too long. */
ANY size_t rad_password_hide(struct sv password, struct sv secret, const uint8_t authenticator[RAD_AUTH_BYTES],
    uint8_t out[RAD_PASSWORD_MAX_BYTES]);
