/* What DTLS-SRTP wants of a session description (RFC 5763, 8122, 8842): the fingerprint of a certificate and who
 * begins, read and written. Pure. */
#pragma once
#include "sdp/sdp.h"

enum sdp_setup { SDP_SETUP_NONE, SDP_SETUP_ACTPASS, SDP_SETUP_ACTIVE, SDP_SETUP_PASSIVE, SDP_SETUP_HOLDCONN };
enum sdp_hash { SDP_SHA256, SDP_SHA384, SDP_SHA512 };
enum { SDP_PRINTS_MAX = 4, SDP_PRINT_MAX = 64, SDP_TLS_ID_MAX = 256 };
struct sdp_dtls {
	enum sdp_setup setup; /* SDP_SETUP_NONE: not said */
	struct sv tls_id;     /* a view; empty: not said */
	enum sdp_hash hash;   /* the strongest of those named; what weaker ones say is not asked */
	size_t count;
	uint8_t prints[SDP_PRINTS_MAX][SDP_PRINT_MAX];
};
ANY size_t sdp_hash_bytes(enum sdp_hash h);
/* Of an m= line, what is missing there from the session. False: no fingerprint that can be used (SHA-1 and MD5 cannot),
 * one that is damaged, or an a=setup that is none or is holdconn; *why (may be NULL) says which. */
ANY bool sdp_dtls_read(const struct sdp *s, int line, struct sdp_dtls *out, const char **why);
/* value: what stands behind "a=fingerprint:". False: damaged, or of a hash that is not used. */
ANY bool sdp_print_read(struct sv value, enum sdp_hash *hash, uint8_t out[SDP_PRINT_MAX]);
ANY enum sdp_setup sdp_setup_of(struct sv text); /* SDP_SETUP_NONE: no such word */
ANY bool sdp_is_dtls_proto(struct sv proto);     /* UDP/TLS/RTP/SAVP(F) */
/* Who we are in answer to what an offer says; now: who we are already, if it is to stay. */
ANY enum sdp_setup sdp_setup_answer(enum sdp_setup theirs, enum sdp_setup now);
/* Who we are by their answer to our actpass; SDP_SETUP_NONE: it is no answer. */
ANY enum sdp_setup sdp_setup_accept(enum sdp_setup theirs);

/* Our own, written by sdp_offer_make and sdp_answer_make for a line that is secured so. */
struct sdp_dtls_local {
	struct sv print;          /* "sha-256 AB:..." */
	enum sdp_setup setup_now; /* of an association that goes on; SDP_SETUP_NONE: there is none */
	bool is_only;             /* a line without a fingerprint is not taken (any more) */
	bool is_offered;          /* our first offer is UDP/TLS/RTP/SAVPF */
};
ANY void sdp_dtls_put(struct buf *b, const struct sdp_dtls_local *l, enum sdp_setup setup);
