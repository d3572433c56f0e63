/* STUN messages (RFC 8489) as ICE (RFC 8445) and TURN (RFC 8656) use them: parsed into views, composed into a caller's
 * buffer, signed and checked. Pure: no socket, no clock, no allocation. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"
#include "net/addr.h"
#include <openssl/sha.h>

enum { STUN_HEADER_BYTES = 20, STUN_TXID_BYTES = 12, STUN_BYTES_MAX = 1500, STUN_OUT_MAX = 768 };
enum stun_class { STUN_REQUEST, STUN_INDICATION, STUN_SUCCESS, STUN_ERROR };
enum stun_method {
	STUN_BINDING = 1,
	STUN_ALLOCATE = 3,
	STUN_REFRESH = 4,
	STUN_SEND = 6,
	STUN_DATA = 7,
	STUN_PERMISSION = 8,
	STUN_CHANNEL = 9
};
enum stun_attr {
	STUN_A_MAPPED = 0x0001,
	STUN_A_USERNAME = 0x0006,
	STUN_A_INTEGRITY = 0x0008,
	STUN_A_ERROR = 0x0009,
	STUN_A_UNKNOWN = 0x000a,
	STUN_A_CHANNEL_NUMBER = 0x000c,
	STUN_A_LIFETIME = 0x000d,
	STUN_A_XOR_PEER = 0x0012,
	STUN_A_DATA = 0x0013,
	STUN_A_REALM = 0x0014,
	STUN_A_NONCE = 0x0015,
	STUN_A_XOR_RELAYED = 0x0016,
	STUN_A_TRANSPORT = 0x0019,
	STUN_A_XOR_MAPPED = 0x0020,
	STUN_A_PRIORITY = 0x0024,
	STUN_A_USE_CANDIDATE = 0x0025,
	STUN_A_FINGERPRINT = 0x8028,
	STUN_A_CONTROLLED = 0x8029,
	STUN_A_CONTROLLING = 0x802a
};

/* What came: views into the packet. Only what stands before MESSAGE-INTEGRITY counts (and is signed by it). */
struct stun_msg {
	const uint8_t *p;
	size_t n;
	enum stun_class class;
	unsigned method;
	const uint8_t *txid;
	struct sv username, realm, nonce, data;
	struct addr mapped, relayed, peer; /* unset where absent */
	uint32_t priority, lifetime_s;
	uint64_t tie_breaker;
	size_t integrity_at; /* 0: not signed */
	uint16_t unknown;    /* the first attribute that must be understood and is not; 0 = none */
	unsigned error;      /* 0 = none */
	bool is_controlling, is_controlled, has_use_candidate, has_fingerprint, has_lifetime;
};
/* ST_PARSE: no STUN, lengths that do not fit, a FINGERPRINT that is wrong. */
ANY int stun_parse(const uint8_t *p, size_t n, struct stun_msg *out);

/* A password made ready: the two hashes of HMAC-SHA1 begun, so that signing neither allocates nor asks a provider. */
struct stun_key {
	SHA_CTX inner, outer;
};
ANY void stun_key_set(struct stun_key *k, const void *secret, size_t n);
/* True: signed with this key. In constant time. */
ANY bool stun_is_signed(const struct stun_msg *m, const struct stun_key *k);

struct stun_out {
	uint8_t p[STUN_OUT_MAX];
	size_t n;
	bool failed; /* something did not fit: nothing is to be sent */
};
ANY void stun_begin(struct stun_out *o, enum stun_class class, unsigned method, const uint8_t txid[STUN_TXID_BYTES]);
ANY void stun_put(struct stun_out *o, unsigned attr, const void *p, size_t n);
ANY void stun_put_u32(struct stun_out *o, unsigned attr, uint32_t v);
ANY void stun_put_u64(struct stun_out *o, unsigned attr, uint64_t v);
ANY void stun_put_addr(struct stun_out *o, unsigned attr, const struct addr *a); /* XOR-ed (section 14.2) */
ANY void stun_put_error(struct stun_out *o, unsigned code, const char *reason);
/* MESSAGE-INTEGRITY where key is not NULL, then FINGERPRINT. */
ANY void stun_end(struct stun_out *o, const struct stun_key *key, bool has_fingerprint);
