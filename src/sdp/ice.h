/* What ICE and browsers want of a session description (RFC 8839, 8840, 8843): credentials and candidates read into
 * views, and our own written. Pure; addresses are text here, and nobody is asked for names. */
#pragma once
#include "sdp/sdp.h"

enum { SDP_ICE_CANDIDATES_MAX = 32, SDP_ICE_LOCALS_MAX = 4 }; /* of one line; the rest is ignored */
enum sdp_ice_kind { SDP_ICE_HOST, SDP_ICE_SRFLX, SDP_ICE_PRFLX, SDP_ICE_RELAY };

struct sdp_ice_candidate {
	struct sv host; /* numeric */
	uint16_t port;
	uint32_t priority;
	enum sdp_ice_kind kind;
};
struct sdp_ice { /* views into the parsed text */
	struct sv ufrag, pwd, mid;
	bool is_lite, is_bundled /* mid is in a=group:BUNDLE */;
	size_t count, passed_over; /* TCP, names (mDNS), other components, damaged ones, too many */
	struct sdp_ice_candidate v[SDP_ICE_CANDIDATES_MAX];
};
/* Of an m= line, what is missing there from the session. False: no ICE, or credentials that are none. */
ANY bool sdp_ice_read(const struct sdp *s, int line, struct sdp_ice *out);
/* One candidate attribute's value, component 1 over UDP. False: passed over. */
ANY bool sdp_ice_candidate_read(struct sv value, struct sdp_ice_candidate *out);
/* A body of application/trickle-ice-sdpfrag: *s is parsed from *text, a copy that outlives it; free both with mem_free.
 */
ANY int sdp_frag_parse(struct sv body, char **text, struct sdp **s);

/* Our own, written by sdp_offer_make and sdp_answer_make where the policy has it. */
struct sdp_ice_local {
	struct sv ufrag, pwd;
	struct sv mid, msid; /* empty: none written */
	char track;          /* of msid; 0 = 'a' */
	bool is_lite, is_trickle, is_bundled;
	size_t count;
	struct {
		struct sv host;
		uint16_t port;
		uint32_t priority;
		enum sdp_ice_kind kind;
	} v[SDP_ICE_LOCALS_MAX];
};
/* mids: of the other lines on the same transport, each behind a space; has_others: lines on others, which is no bundle
 * to a browser (it takes it whole or not at all). */
ANY void sdp_ice_put_session(struct buf *b, const struct sdp_ice_local *l, struct sv mids, bool has_others);
ANY void sdp_ice_put_media(struct buf *b, const struct sdp_ice_local *l);
