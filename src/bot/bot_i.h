/* A call's sound to and from a program outside, over WebSocket (mod_audio_stream): for voice bots, transcription,
 * assistants. docs/bots.md is the protocol.
 *
 *   control   command.c: uuid_audio_stream, uuid_audio_fork
 *             stream.c: what a leg has of these; events; begins again when a connection broke
 *             way.c: where the program is and how it is spoken to; credentials.c: as whom, and whom it believes;
 *             trust.c: whose certificates count
 *   media     a port (media/rt/port.h): two rings a stream
 *   bots      thread.c: one thread for all connections; every 20 ms it looks into the rings, the rest is poll
 *             link.c: one connection: connect, TLS, WebSocket, words both ways; link_sound.c: its sound and marks
 *             words.c: the JSON that a program sends
 *
 * The two threads talk by mailboxes; a connection is named by a number, so that what is said to one that has ended is
 * said to nobody. A program that does not read loses sound (counted, told once), one that sends faster than speech is
 * kept waiting by TCP, one that never answers is dropped: none of it reaches a media thread or another call. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"
#include "bot/bot.h"
#include "net/addr.h"
#include <stdint.h>

struct codec_ops;
struct media_port;
struct dial_trust;
struct leg;
enum {
	BOT_ADDRS_MAX = 4,
	BOT_TEXT_MAX = 256 << 10, /* a message of words, either way */
	BOT_FRAME_MAX = 1 << 20,  /* a message of sound */
	BOT_NAME_MAX = 64,
	BOT_MARK_MAX = 128,
	BOT_MARKS_MAX = 256,
	BOT_WORDS_PER_S = 100, /* messages a second that a program may have told on */
	BOT_LINKS_MAX = 4000
};

/* ---- thread.c ---- */
/* How a connection is made; a copy is the thread's. */
struct bot_link_conf {
	uint64_t id;
	struct addr addrs[BOT_ADDRS_MAX];
	unsigned addr_count;
	char *host;               /* whose certificate; owned */
	char *authority, *path;   /* of the request; owned */
	char *headers;            /* whole lines, or NULL; owned */
	char *hello;              /* said first, or NULL; owned */
	struct dial_trust *trust; /* a reference; NULL: plain */
	unsigned skips;           /* of the certificate: enum DIAL_SKIPS_... */
	bool skips_binary;
	uint32_t binary_rate_hz;       /* 0: the port's */
	struct media_port *port;       /* a reference */
	const struct codec_ops *codec; /* of messages of sound, at the port's rate; NULL: L16 */
	uint32_t frame_ms, ping_s, connect_s;
};
ANY void bot_link_conf_free(struct bot_link_conf *c);
enum bot_report_kind {
	BOT_UP,     /* it stands */
	BOT_WORDS,  /* text: what the program said, whole; for events */
	BOT_DIGITS, /* text: keys it wants pressed */
	BOT_LOST,   /* sound was dropped for the first time since it stood, or went on after it */
	BOT_DOWN    /* the last one. text: why; number: the close code of WebSocket or 0; was_up */
};
struct bot_report {
	uint64_t id;
	enum bot_report_kind kind;
	char *text; /* the receiver's; may be NULL */
	int number;
	bool was_up;
};
typedef void (*bot_report_fn)(const struct bot_report *r);
ON_CTL int bot_thread_start(bot_report_fn fn);
ON_CTL void bot_thread_stop(void); /* ends what there is, joins */
/* The conf is the thread's when ST_OK. ST_FULL. */
ON_CTL int bot_thread_open(struct bot_link_conf *conf);
ON_CTL int bot_thread_say(uint64_t id, struct sv text);
ON_CTL int bot_thread_clear(uint64_t id);
/* Says its last words (may be empty) and closes; BOT_DOWN follows. */
ON_CTL int bot_thread_close(uint64_t id, struct sv last);

/* ---- link.c: on the thread of bots ---- */
struct bot_link;
/* conf is the link's, also on failure. */
ANY int bot_link_new(struct bot_link **out, struct bot_link_conf *conf, int64_t now_us);
ANY void bot_link_free(struct bot_link *k); /* NULL is fine */
ANY int bot_link_fd(const struct bot_link *k);
ANY bool bot_link_is_open(const struct bot_link *k);   /* sound and words go both ways */
ANY unsigned bot_link_dials(const struct bot_link *k); /* another number: another descriptor, whatever its own is */
ANY unsigned bot_link_wants(const struct bot_link *k); /* enum DIAL_READ, DIAL_WRITE */
/* Something of it may be ready, or time has passed (each tick). ST_OK: goes on; else it is over: bot_link_why. */
ANY int bot_link_go(struct bot_link *k, int64_t now_us, bool is_tick);
ANY void bot_link_say(struct bot_link *k, struct sv text);
ANY void bot_link_clear(struct bot_link *k);
ANY void bot_link_close(struct bot_link *k, struct sv last, int64_t now_us);
ANY const char *bot_link_why(const struct bot_link *k, int *code, bool *was_up);
/* What it has to report: fn for each, in order; the text is fn's, until fn says false: there is no room now. */
ANY bool bot_link_reports(struct bot_link *k, bool (*fn)(const struct bot_report *r));

/* ---- words.c: pure ---- */
enum bot_word { BOT_WORD_OTHER, BOT_WORD_CLEAR, BOT_WORD_MARK, BOT_WORD_SOUND, BOT_WORD_DIGITS, BOT_WORD_BYE };
struct bot_words {
	enum bot_word word;
	char name[BOT_MARK_MAX + 1]; /* of a mark; keys */
	struct buf sound;            /* L16, decoded */
	uint32_t rate_hz;            /* of it; 0: the stream's */
};
/* ST_PARSE: it is no JSON object. bot_words_fini in any case. */
ANY int bot_words_read(struct sv text, struct bot_words *out);
ANY void bot_words_fini(struct bot_words *w);
/* Appends {"type":"mark",...} */
ANY void bot_mark_put(struct buf *out, const char *name, bool is_played, uint64_t played_ms);

/* ---- way.c ---- */
struct bot_way {
	char *host, *path, *headers; /* headers: whole lines, or NULL */
	char *ca, *cert, *key;       /* files of the leg's own, or NULL; ca "": the system's authorities */
	uint16_t port;
	unsigned skips;       /* of the certificate: enum DIAL_SKIPS_... */
	bool is_tls, goes_on; /* goes_on: connects again when it broke */
	uint32_t frame_ms, ping_s;
	const struct codec_ops *codec; /* NULL: L16 */
};
/* Out of the address, the leg's variables, the parameters; out: zeroed. ST_INVAL: why (static text). bot_way_fini in
 * any case. */
ON_CTL int bot_way_read(struct bot_way *out, struct leg *leg, const struct bot_start *s, const char **why);
ANY void bot_way_fini(struct bot_way *w);

/* ---- credentials.c ---- */
/* The leg's variables that say whom to trust and as whom to come; they have to be the configuration's. ST_DENIED: one
 * of them is from outside (told in the log). */
ON_CTL int bot_credentials_read(struct bot_way *w, struct leg *leg);
/* The value of "Authorization", to be freed with mem_free; NULL: none. */
ON_CTL int bot_basic_auth(char **out, struct leg *leg);

/* ---- trust.c ---- */
struct bot_trust;                                 /* counted; what was read, is being read, or cannot be */
ON_CTL void bot_trust_start(void (*ready)(void)); /* ready: one was read, well or not */
ON_CTL void bot_trust_stop(void);
/* Begins to read the files of a way that has its own. NULL: no memory, or no worker. */
ON_CTL struct bot_trust *bot_trust_new(const struct bot_way *w);
/* t NULL: the module's. ST_OK: a reference in *out (may be NULL); ST_AGAIN: it is being read; ST_IO: it cannot be. */
ON_CTL int bot_trust(const struct bot_trust *t, struct dial_trust **out);

/* ---- stream.c ---- */
extern struct leg_part bot_part;
ON_CTL void bot_list(struct buf *out);
ON_CTL int bot_streams_start(void);
ON_CTL int bot_streams_stop(void); /* ST_BUSY while there are some */

/* ---- command.c ---- */
struct api_call;
ON_CTL int api_audio_stream(struct api_call *c);
ON_CTL int api_audio_fork(struct api_call *c);
ON_CTL int api_audio_streams(struct api_call *c);
ON_CTL const char *bot_param(const char *name);
