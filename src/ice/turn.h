/* A client of a TURN server (RFC 8656): an allocation (of UDP) with long-term credentials, permissions for those who
 * may send to it, channels to those much is sent to, all of it refreshed. Pure and of a fixed size, as the ICE agent
 * is: packets and the time go in, packets go out through send; nothing is allocated. One thread at a time owns it; it
 * may go to another owner between two calls. Of the server's packets those count that answer what is asked, signed
 * where a password was used; where they come from is the socket's business, which is connected. */
#pragma once
#include "ice/stun.h"

enum {
	TURN_USER_MAX = 128,
	TURN_PASSWORD_MAX = 128,
	TURN_REALM_MAX = 128,
	TURN_NONCE_MAX = 256,
	TURN_PEERS_MAX = 32,  /* those that are wanted now, and some that were, whose channels the server still knows */
	TURN_LEARNED_MAX = 8, /* of them: other ports of a host that has a permission */
	TURN_HEAD_BYTES = 48  /* what is put before bytes to a peer, at most */
};
enum turn_state {
	TURN_ASKING, /* for the allocation */
	TURN_UP,
	TURN_FAILED /* refused, lost, or nobody answers: why */
};
enum turn_ask { TURN_ASK_NONE, TURN_ASK_ALLOCATE, TURN_ASK_REFRESH, TURN_ASK_PERMISSION, TURN_ASK_CHANNEL };

typedef void (*turn_send_fn)(const uint8_t *p, size_t n, void *arg); /* to the server */
struct turn_conf {
	const char *username, *password;
	turn_send_fn send;
	void (*random)(void *p, size_t n);
	void *arg;      /* of send */
	bool is_stream; /* TCP or TLS to the server: nothing is sent twice, and ChannelData are filled up */
};
struct turn_peer {
	struct addr addr;
	bool is_permitted, is_refused, wants_channel, has_channel;
	bool is_left;                  /* not wanted any more: nothing is asked for it again, and it gives way */
	int64_t permit_us, channel_us; /* asked for (again) then */
	int64_t learned_us;            /* 0: it was added */
};
struct turn_client {
	turn_send_fn send;
	void (*random)(void *p, size_t n);
	void *arg;
	enum turn_state state;
	const char *why; /* TURN_FAILED: static text */
	unsigned error;  /* and the server's code, 0 = none */
	char username[TURN_USER_MAX + 1], password[TURN_PASSWORD_MAX + 1], realm[TURN_REALM_MAX + 1],
	    nonce[TURN_NONCE_MAX + 1];
	bool is_stream, has_key;
	struct stun_key key;
	struct addr relayed; /* while up */
	int64_t now_us, refresh_us;
	enum turn_ask ask; /* one request at a time */
	size_t ask_peer;
	uint8_t txid[STUN_TXID_BYTES];
	unsigned tries, nonces; /* nonces: how often it was told a new one for the same request */
	int64_t due_us;
	struct turn_peer peers[TURN_PEERS_MAX];
};

/* ST_INVAL: a user name or password that is too long or empty. Asks at once. */
ANY int turn_begin(struct turn_client *c, const struct turn_conf *conf, int64_t now_us);
/* Gives the allocation back; what the server says to it is not waited for. Wipes the password. */
ANY void turn_end(struct turn_client *c, int64_t now_us);
/* The way to the server is gone, and the allocation with it. why: static text. */
ANY void turn_lost(struct turn_client *c, const char *why);
/* What came from the server (over a stream one of its messages, ice/turn_frames.h). True: it is what a peer sent, *from
 * and *data (into p) say who and what. */
ANY bool turn_packet(
    struct turn_client *c, const uint8_t *p, size_t n, int64_t now_us, struct addr *from, struct sv *data);
/* What is due. The time of the next call, at the latest; INT64_MAX: none. */
ANY int64_t turn_run(struct turn_client *c, int64_t now_us);
/* It may send to us from now on, and we to it. ST_FULL; ST_INVAL: of another family than the relayed address. */
ANY int turn_peer_add(struct turn_client *c, const struct addr *peer);
/* None of those that were added or learned is wanted any more, but keep (NULL: not even one). */
ANY void turn_peers_leave(struct turn_client *c, const struct addr *keep);
ANY void turn_channel_want(struct turn_client *c, const struct addr *peer); /* one that was added */
/* What is put before n bytes for the peer (TURN_HEAD_BYTES at most); *pad bytes of zeros go behind them. 0: it has no
 * permission (yet). */
ANY size_t turn_head(
    struct turn_client *c, const struct addr *peer, size_t n, uint8_t head[TURN_HEAD_BYTES], size_t *pad);
