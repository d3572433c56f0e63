/* ICE of a stream as control sees it: plain data. The agent (ice/agent.h) is the stream's finder and lives on its media
 * thread; control gives it credentials and candidates, and hears of what it found through a ring that the two share. */
#pragma once
#include "ice/agent.h"
#include "ice/turn.h"
#include "media/rt/rt.h"

struct media_ice_conf { /* our own; ufrag of ICE_UFRAG_CHARS, pwd of ICE_PWD_CHARS */
	char ufrag[ICE_UFRAG_CHARS + 1], pwd[ICE_PWD_CHARS + 1];
	bool is_lite, is_controlling;
};
struct media_ice_candidate {
	struct addr addr;
	enum ice_kind kind;
	uint32_t priority;
};
/* Theirs: what an SDP said; may be told again, and in parts. */
struct media_ice_remote {
	char ufrag[ICE_UFRAG_MAX + 1], pwd[ICE_PWD_MAX + 1];
	bool is_lite;
	size_t count;
	struct media_ice_candidate v[ICE_REMOTES_MAX];
};
struct media_ice_event { /* written whole; of the size of 8 words */
	enum ice_state state;
	enum ice_kind kind;
	struct addr remote; /* of the pair in use; unset: none */
};
_Static_assert(sizeof(struct media_ice_event) % 8 == 4 || sizeof(struct media_ice_event) % 8 == 0, "padded below");
enum { RT_ICE_RECORD_BYTES = 40, RT_ICE_RING_BYTES = 2048 };
_Static_assert(sizeof(struct media_ice_event) <= RT_ICE_RECORD_BYTES, "a record");

/* An allocation at a TURN server, and the socket that is connected to it: made by control, the finder's from there on.
 */
struct turn_wire;
struct rt_turn {
	int fd;
	struct turn_wire *wire; /* a stream's (media/rt/turn_wire.h), which has fd then; NULL: UDP */
	struct turn_client client;
};
ANY void rt_turn_to_server(const uint8_t *p, size_t n, void *arg); /* the client's send; arg: the rt_turn */
ANY void rt_turn_free(struct rt_turn *w);                          /* gives it back; NULL is fine */
/* fd is readable, or writable, while no call has it: answers are taken, what peers send is for nobody. */
ANY void rt_turn_look(struct rt_turn *w, int64_t now_us);

/* A finder for rt_stream: MEDIA_PLUG_FINDER is told when a record of RT_ICE_RECORD_BYTES was written. A reference to
 * the ring is taken; turn (NULL: no relay) is its when ST_OK. */
ANY int rt_finder_ice_new(
    struct rt_finder **out, const struct media_ice_conf *c, struct rt_turn *turn, struct rt_ring *events);
/* Messages for it (RT_C_FINDER_TELL). Copies. */
ANY int rt_ice_remote_new(struct rt_told **out, const struct media_ice_remote *r);
ANY int rt_ice_restart_new(struct rt_told **out, const struct media_ice_conf *c,
    struct rt_turn *turn /* in place of the one it has, and the message's when ST_OK; NULL: that one stays */);
