/* Between the two files of the agent. */
#pragma once
#include "ice/agent.h"

enum {
	ICE_PACE_US = 20000, /* Ta: one check at most in so long */
	ICE_RTO_US = 500000, /* and again, doubling up to */
	ICE_RTO_MAX_US = 4000000,
	ICE_TRIES_MAX = 6,          /* then the pair has failed: some 11 s */
	ICE_NOMINATE_US = 300000,   /* better pairs are waited for so long once one works */
	ICE_PATIENCE_US = 39500000, /* RFC 8863: without any pair that works, it has failed */
	ICE_CONSENT_US = 5000000,   /* RFC 7675: asked for so often, 20 % off */
	ICE_CONSENT_LOST_US = 30000000,
	ICE_RENEWED_US = 20000000, /* a check that comes so long after the first is one for consent */
	ICE_ALIVE_US = 15000000    /* a lite agent's keep-alive */
};
ANY uint64_t ice_pair_priority(const struct ice_agent *a, uint32_t remote, bool is_relayed);
ANY struct ice_pair *ice_pair_find(struct ice_agent *a, const struct addr *remote, bool is_relayed);
ANY struct ice_pair *ice_pair_add(
    struct ice_agent *a, enum ice_kind kind, const struct addr *remote, uint32_t priority, bool is_relayed);
ANY void ice_send(const struct ice_agent *a, bool is_relayed, const struct addr *to, const uint8_t *p, size_t n);
ANY void ice_check_send(struct ice_agent *a, struct ice_pair *p, bool is_nominating);
/* A pair became valid or nominated, or stopped being so: what is selected, and the state. */
ANY void ice_select(struct ice_agent *a);
