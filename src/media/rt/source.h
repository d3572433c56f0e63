/* Whom a stream believes: the rule alone, without sockets or clock, so that it can be read and tested as a table.
 * source.c acts on it. */
#pragma once
#include "base/role.h"
#include "media/rt/media.h"

enum {
	RT_SOURCE_PACKETS = 5,          /* in sequence from one address before it is learned */
	RT_SOURCE_WAIT_US = 500000,     /* and so long at least, where the signalled address could speak itself */
	RT_SOURCE_SILENCE_US = 500000,  /* a learned address that is not settled yet loses its place after it */
	RT_SOURCE_PAUSE_US = 2000000,   /* a longer one begins the time to settle again */
	RT_SOURCE_SETTLE_US = 10000000, /* of speaking: then only a better address takes its place */
	RT_SOURCE_GRACE_US = 3000000,   /* after a move the old address is heard so long, until the new one speaks */
	RT_SOURCE_LEFT_MAX = 4,
	RT_SOURCE_CANDIDATES = 3 /* of each rank */
};

/* What is known for an address, the better the higher. */
enum rt_source_rank {
	RT_RANK_NONE,
	RT_RANK_OTHER,    /* any host, where the signalled address cannot be reached from here */
	RT_RANK_HOST,     /* a host that signalling came from or names */
	RT_RANK_SIGNALLED /* the newest SDP's address */
};
enum rt_source_state {
	RT_SOURCE_WAITING, /* nobody has spoken since the address was signalled */
	RT_SOURCE_WEAK,    /* learned a short while ago */
	RT_SOURCE_SETTLED, /* learned */
	RT_SOURCE_SPOKEN   /* the signalled address speaks */
};
enum rt_source_verdict {
	RT_SOURCE_DROP,
	RT_SOURCE_TAKE,
	RT_SOURCE_ADOPT /* take it, and send there from now on */
};

struct rt_source_candidate {
	struct addr addr;
	uint32_t ssrc;
	uint16_t seq;
	uint8_t count; /* 0 = free */
	uint32_t first_ms, last_ms;
};
struct rt_source {
	enum media_source_mode mode;
	bool is_hidden;
	const struct addr *hosts; /* MEDIA_SIGNAL_HOSTS_MAX of them; NULL: nothing was signalled */
	struct addr signalled;    /* the newest that was set: "nowhere" (RFC 2543's hold) leaves it */
	struct addr current;      /* who speaks, when rank says that somebody does */
	enum rt_source_rank rank;
	bool is_settled;
	int64_t since_us, last_us;                                 /* of current, when learned */
	struct addr left[RT_SOURCE_LEFT_MAX];                      /* signalled before, newest first: never learned */
	struct addr heard;                                         /* who spoke before the move */
	int64_t heard_until_us;                                    /* 0 = nobody */
	struct rt_source_candidate cands[2][RT_SOURCE_CANDIDATES]; /* of RT_RANK_OTHER, RT_RANK_HOST */
};
/* One RTP packet. is_media: its payload type is the negotiated codec's; has_own_ssrc: ours, come back. */
struct rt_source_packet {
	const struct addr *from;
	uint32_t ssrc;
	uint16_t seq;
	bool is_media, has_own_ssrc;
};

/* New parameters, whose signal_hosts stay in use until the next ones. Equal ones change nothing; another signalled
 * address ends what was learned for the one before. */
ANY void rt_source_signal(struct rt_source *s, const struct media_params *p, int64_t now_us);
/* What is to be done with a packet; what was seen is kept in s. */
ANY enum rt_source_verdict rt_source_decide(struct rt_source *s, const struct rt_source_packet *k, int64_t now_us);
ANY enum rt_source_state rt_source_state(const struct rt_source *s);
ANY enum rt_source_rank rt_source_rank_of(const struct rt_source *s, const struct addr *from);
/* The only address that can be taken, or NULL when others still may be: the socket is connected to it. */
ANY const struct addr *rt_source_only(const struct rt_source *s);
/* Where to send; not set: nowhere. */
ANY const struct addr *rt_source_target(const struct rt_source *s);
/* RTCP of an own port: from the signalled RTCP address (may be unset), or from the host that speaks, under the SSRC it
 * speaks with. */
ANY bool rt_source_takes_rtcp(const struct rt_source *s, const struct addr *from, const struct addr *signalled_rtcp,
    bool is_ssrc_known, uint32_t rtp_ssrc, uint32_t rtcp_ssrc);

/* Who may be heard at all in the state s is in, for the kernel to drop the rest: how many of out (port 0: every port),
 * -1: anybody. */
enum { RT_SOURCE_ALLOWED_MAX = MEDIA_SIGNAL_HOSTS_MAX + 3 };
ANY int rt_source_allowed(const struct rt_source *s, int64_t now_us, struct addr out[RT_SOURCE_ALLOWED_MAX]);
