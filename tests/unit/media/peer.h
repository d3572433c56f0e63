/* Test phones: RTP over real loopback sockets, paced by the clock, everything received kept; and a media room with one
 * stream for each. */
#pragma once
#include "codec/codec.h"
#include "harness.h"
#include "loop/loop.h"
#include "media/ctl/mctl.h"
#include "rtp/rtp.h"

enum { PEER_KEPT = 1500, PEERS_MAX = 8, REPORTS_MAX = 256 };
struct kept {
	bool is_marked;
	uint8_t pt;
	uint16_t seq;
	uint32_t ts, ssrc;
	size_t n;
	int64_t at_us;
	struct addr from;
	uint8_t payload[400];
};
struct peer {
	int fd, rtcp_fd;
	struct addr addr, to; /* own; where it sends */
	/* what it sends by itself while pumped: a tone */
	bool is_sending;
	double hz, amplitude; /* 0: 8000 */
	uint8_t pt;
	bool is_alaw;
	struct codec_enc enc; /* when open: in place of the above; 8 kHz */
	bool is_wide;         /* L16 at 16 kHz; frames of 160 samples, 10 ms */
	unsigned frame;       /* samples */
	unsigned clock_times; /* its RTP clock, times the sampling rate; 0: once */
	unsigned lose_every;  /* of so many packets one is lost; 0: none */
	int64_t next_us;
	uint32_t ssrc, ts;
	uint16_t seq;
	double phase;
	unsigned sent_count;
	struct kept *kept;
	size_t count, rtcp_count;
	/* its stream */
	struct mstream *s;
	struct addr local;
	struct media_report reports[REPORTS_MAX];
	size_t report_count;
	bool is_closed;
};
extern struct peer peers[PEERS_MAX];

struct addr home_addr(void); /* this process's own address of 127/8, port 0 */
ON_CTL int room_start(unsigned threads, size_t peer_count);
ON_CTL int settle(void);              /* until the media threads have done all that was asked so far */
ON_CTL int room_stop(void);           /* closes all, expects nothing left */
ON_CTL int peer_open(struct peer *p); /* the socket only */
void peer_close(struct peer *p);
ON_CTL int peer_stream(struct peer *p, struct mstream *near);
/* PCMU with telephone-event 101 unless changed; remote = the peer. */
struct media_params peer_params(const struct peer *p);
ON_CTL int peer_params_set(struct peer *p);
void peer_send(struct peer *p, uint8_t pt, bool is_marked, uint16_t seq, uint32_t ts, const void *payload, size_t n);
void peer_send_raw(struct peer *p, const void *bytes, size_t n);
void peer_clear(struct peer *p);

typedef bool (*pump_fn)(void *arg);
/* Runs the loop and the peers until fn says true (0) or the time is over (-1). */
ON_CTL int pump(pump_fn fn, void *arg, int timeout_ms);
ON_CTL void pump_ms(int ms);
extern int64_t pump_stall_us; /* the longest time the test itself was kept from running: a busy machine, not the room */
struct want {
	struct peer *p;
	size_t count;
	enum media_report_kind kind;
};
bool has_packets(void *want); /* p received count packets */
bool has_report(void *want);  /* p's stream reported kind count times */
size_t report_count(const struct peer *p, enum media_report_kind kind);
const struct media_report *report_last(const struct peer *p, enum media_report_kind kind);

/* The received packets [from, count) as samples by their timestamps, silence in holes. Returns how many. */
size_t peer_samples(const struct peer *p, size_t from, uint8_t pt, bool is_alaw, int16_t *out, size_t cap);
double tone_share(const int16_t *s, size_t n, double hz); /* of the energy, 0..1 */
/* Sequence numbers one by one, timestamps forward, one SSRC. */
int expect_continuous(const struct peer *p, size_t from);
