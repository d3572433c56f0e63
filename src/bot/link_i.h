/* What one connection is made of, for the two files that work on it: link.c has the connection, link_sound.c the sound
 * and the marks in it. All of it is used on the thread of bots only. */
#pragma once
#include "base/list.h"
#include "bot/bot_i.h"
#include "codec/codec.h"
#include "net/dial.h"
#include "net/ws_open.h"

struct resample;
struct ws;
enum { LINK_OUT_MAX_BYTES = 256 << 10 }; /* what waits for the socket; more: frames are dropped */
enum link_state { LINK_CONNECTING, LINK_OPENING, LINK_OPEN, LINK_CLOSING };

struct bot_link {
	struct bot_link_conf conf;
	enum link_state state;
	unsigned addr_now;
	struct dial_conn *conn;
	struct ws *ws;
	char key[WS_KEY_CHARS + 1];
	unsigned wants;
	struct buf in, out; /* in: until WebSocket begins */
	struct buf pending; /* sound from the program, not yet in the ring, from pending_at on */
	size_t pending_at;
	size_t decoded;        /* bytes of sound made of packets, less what each tick allows */
	struct resample *rate; /* of sound in words at another rate */
	struct codec_enc enc;  /* of a connection whose sound is coded */
	struct codec_dec dec;
	uint32_t rate_hz;
	struct list marks, notes;
	unsigned mark_count, note_count;
	int64_t deadline_us, heard_us, pinged_us, second_us;
	unsigned words_in_second;
	bool was_up, is_over, is_lossy;
	uint64_t dropped_told;
	int code;
	char why[DIAL_ERROR_MAX];
};

ANY void link_note(struct bot_link *k, enum bot_report_kind kind, struct sv text);

/* ---- link_sound.c ---- */
ANY bool link_codec_open(struct bot_link *k);                  /* each connection's begins anew */
ANY bool link_may_read(const struct bot_link *k);              /* the program is not too far ahead, nor too fast */
ANY void link_sound_in(struct bot_link *k, struct sv message); /* a binary message */
ANY void link_sound_in_at(struct bot_link *k, struct sv pcm, uint32_t rate_hz); /* 0: the stream's */
ANY void link_mark_put(struct bot_link *k, const char *name);
ANY void link_clear(struct bot_link *k);      /* what was sent and not yet said is forgotten */
ANY void link_sound_tick(struct bot_link *k); /* frames go out, what waits goes on, marks that were reached are told */
ANY void link_sound_fini(struct bot_link *k);
