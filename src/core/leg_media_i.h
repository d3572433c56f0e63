/* A leg's media, for leg_media.c (life, offers and answers) and leg_media_vars.c (what it tells in variables). */
#pragma once
#include "core/leg_i.h"
#include "sdp/sdp.h"

struct leg_media {
	struct leg *leg; /* NULL once the leg is gone and only the last report is awaited */
	struct mstream *stream;
	struct addr local;
	bool is_negotiated, is_closing, is_remote_offer_new, is_late, is_late_told, is_held_by_us;
	bool is_learning_allowed, passes_telephone_event;
	char *rtp_host, *advertise_host, *inbound_codecs, *outbound_codecs, *negotiation, *username;
	int dtmf_pt, cn_pt;
	unsigned rtp_timeout_ms, rtp_hold_timeout_ms;
	char *remote_sdp, *local_sdp;
	uint64_t session_id;
	struct media_codec codec; /* of sending */
	struct sdp_running running;
};

/* Everything negotiation is told, read once; about 15 kB: on the heap. */
struct media_policy {
	struct sdp_policy p;
	struct sdp_codecs prefs, first;
};
ON_CTL void media_vars_offer(struct leg *leg, const struct sdp_codecs *theirs); /* ep_codec_string */
ON_CTL void media_vars_plan(struct leg *leg, const struct leg_media *m, const struct sdp_plan *plan);
ON_CTL void media_vars_stats(struct leg *leg, const struct media_stats *s);
