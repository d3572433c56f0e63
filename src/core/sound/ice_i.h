/* A leg's ICE, for ice.c (what is said and heard) and ice_restart.c (what is said anew). */
#pragma once
#include "core/sound/media_i.h"
#include "media/ctl/ice.h"
#include "sdp/ice.h"

/* What is said of ours. */
struct ice_said {
	struct media_ice_conf conf;
	char relay_host[ADDR_TEXT_MAX]; /* a TURN server's, empty: none */
	uint16_t relay_port;
};
/* A restart that was said and does not stand yet: the agent knows nothing of it, and all goes on as it went. */
enum ice_anew {
	ICE_ANEW_NONE,
	ICE_ANEW_THEIRS, /* in our answer, which may still come to nothing */
	ICE_ANEW_OURS    /* in our offer, which may be refused */
};
struct leg_ice {
	struct ice_said said, next; /* what is in force; what a restart says */
	enum ice_anew anew;
	struct rt_turn *next_turn; /* of next; NULL: the relay stays */
	struct mice *mice;         /* NULL: not started */
	char remote_ufrag[ICE_UFRAG_MAX + 1];
	char mid[SDP_HOST_MAX + 1], msid[ICE_UFRAG_CHARS + 1];
	struct sdp_ice_local local;
	enum ice_state state;
	bool is_agreed;         /* the far side speaks it too */
	bool is_bundle_agreed;  /* local.is_bundled was, when it last was agreed on */
	unsigned restarts_left; /* of ours, since it last worked (those of the leg's first line count) */
	struct ltimer again;
};
ANY void ice_credentials_make(struct media_ice_conf *c);
/* One that is ready, for a leg that may have it, its address in *said; NULL: none, *said as it was. */
ON_CTL struct rt_turn *ice_relay_take(struct leg_media *m, struct ice_said *said);

/* ---- ice_restart.c ---- */
/* What our answer to an offer of theirs says; what our offer says. */
ON_CTL const struct ice_said *ice_said_to(struct leg_media *m, const struct sdp_ice *theirs);
ON_CTL const struct ice_said *ice_said_in_offer(struct leg_ice *i);
/* What was said is agreed on: a restart in it goes to the agent, before it hears of the far side's. */
ON_CTL int ice_restart_stands(struct leg_media *m, bool is_answer);
ON_CTL void ice_restart_drop(struct leg_ice *i); /* it comes to nothing */
ON_CTL void ice_restart_if_lost(struct leg_media *m, enum ice_state state);
