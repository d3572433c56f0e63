/* A leg's ICE, for ice.c (what is said and heard) and ice_restart.c (what is said anew). */
#pragma once
#include "core/sound/media_i.h"
#include "media/ctl/ice.h"
#include "sdp/ice.h"

struct leg_ice {
	struct media_ice_conf conf;
	struct mice *mice; /* NULL: not started */
	char remote_ufrag[ICE_UFRAG_MAX + 1];
	char mid[SDP_HOST_MAX + 1], msid[ICE_UFRAG_CHARS + 1];
	struct sdp_ice_local local;
	enum ice_state state;
	char relay_host[ADDR_TEXT_MAX]; /* a TURN server's, empty: none */
	uint16_t relay_port;
	bool is_agreed;         /* the far side speaks it too */
	unsigned restarts_left; /* of ours, since it last worked (those of the leg's first line count) */
	struct ltimer again;
};
ON_CTL void ice_credentials_make(struct leg_ice *i);
/* One that is ready, for a leg that may have it; NULL: none. */
ON_CTL struct rt_turn *ice_relay_take(struct leg_media *m);

/* ---- ice_restart.c ---- */
ON_CTL int ice_restart_if_asked(struct leg_media *m, const struct sdp_ice *theirs);
ON_CTL void ice_restart_if_lost(struct leg_media *m, enum ice_state state);
