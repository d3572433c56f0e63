/* A SIP and RTP load generator in one thread: phones on both sides of the switch under test. It shares no code with the
 * switch, so that an error of ours does not hide on both ends. Times are monotonic microseconds unless named otherwise.
 */
#pragma once
#include "clock.h"
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mode { MODE_NONE, MODE_REGISTER, MODE_CALL, MODE_BRIDGE, MODE_MEDIA, MODE_BARE, MODE_CONFERENCE };
enum {
	MSG_MAX = 4096,         /* bytes of a datagram we read */
	SENT_MAX = 1400,        /* bytes of a request we send */
	SLOTS = 65536,          /* calls or registrations under way */
	HIST_US = 4000000,      /* latencies above are counted as this */
	T1_US = 500000,         /* RFC 3261 timer T1 */
	GIVE_UP_US = 16000000,  /* a transaction without a final answer has failed */
	PACKET_LATE_US = 10000, /* a packet that took longer was late */
	CODE_MAX = 700
};

struct options {
	enum mode mode;
	struct sockaddr_in to;
	double rate;     /* starts per second */
	double seconds;  /* of starting; with media of measuring */
	unsigned calls;  /* 0: rate * seconds; else so many are set up and held */
	int64_t hold_us; /* between the ACK and the BYE */
	unsigned users, first_user;
	unsigned rooms, talkers; /* MODE_CONFERENCE: rooms, and how many talk in each */
	const char *password;    /* NULL: a challenge is a failure */
	const char *domain;
	const char *number;          /* dialled; the bridge modes append the slot's number */
	uint16_t uac_port, uas_port; /* 0: any */
	int pid;                     /* the switch, for its CPU time; 0: unknown */
	bool is_kept;                /* held calls wait for a line on standard input */
	bool has_srtp;
};

struct hist {
	uint64_t count;
	uint32_t max_us;
	uint32_t *buckets; /* one a microsecond */
};
void hist_add(struct hist *h, int64_t us);
double hist_ms(const struct hist *h, double quantile);

struct counts {
	uint64_t started, ok, failed, timeouts, retransmissions, answered;
	uint64_t uas_invites, uas_acks, uas_byes, early_byes, strays;
	uint64_t codes[CODE_MAX];
};

enum call_state { CALL_FREE, CALL_REGISTER, CALL_INVITE, CALL_UP, CALL_BYE };
struct call {
	enum call_state state;
	uint32_t gen, cseq;
	bool has_auth, is_queued;
	int64_t begin_us;    /* when the schedule wanted it, so that our own lag counts */
	int64_t sent_us;     /* the request under way */
	int64_t interval_us; /* retransmission, 0: none */
	int64_t due_us;      /* the timer */
	uint32_t next, prev; /* in the wheel's slot, or next in the free list */
	char to_tag[80], contact[160];
	uint16_t sent_bytes;
	char sent[SENT_MAX];
};

extern struct options opt;
extern struct counts counts;
extern struct call *calls;
extern struct hist setup_hist, bye_hist, delay_hist;
extern int64_t now_us; /* read once a round */
extern bool is_winding_up;

/* sip.c: text in, text out */
struct span {
	const char *p;
	int n;
};
#define SPAN(s) (s).n, (s).p
struct message {
	int code; /* 0: a request */
	struct span method, uri, from, to, call_id, cseq_method, contact, challenge, body;
	struct span vias[8];
	int via_count;
	uint32_t cseq;
	bool is_proxy_challenge;
};
bool message_parse(struct message *m, const char *p, size_t n);
struct span span_param(struct span s, const char *name); /* ;name=value */
struct span span_uri(struct span s);                     /* inside <> or up to ; */
bool sdp_media(struct span body, struct sockaddr_in *to);
/* The digest's header line for a challenge, RFC 2617 (MD5, with or without qop=auth). */
int auth_line(char *out, size_t n, const struct message *challenge, const char *method, const char *uri,
    const char *user, const char *password);

/* wire.c: sockets */
int wire_socket(uint16_t *port, bool has_stamps);
void wire_send(int fd, const struct sockaddr_in *to, const char *p, size_t n); /* gathered until wire_flush */
void wire_flush(void);

/* calls.c: phones that register, call and answer */
extern int uac_fd, uas_fd;
extern unsigned busy_calls, up_calls;
void calls_init(void);
void calls_start_one(int64_t scheduled_us);
void calls_timers(void);
int64_t calls_next_due(void);
void calls_hang_up_all(void);
void calls_message(int fd, const struct sockaddr_in *from, const char *p, size_t n);

/* media.c: RTP of both phones of each call */
extern int media_fd[2]; /* the calling and the called side's; one socket carries all streams of a side */
extern uint16_t media_port[2];
struct media_counts {
	uint64_t sent, received, strays;
	uint64_t late;         /* were under way for more than PACKET_LATE_US */
	uint64_t late_seconds; /* seconds with such packets: one bad moment of the machine, or many */
	uint64_t unjudged;     /* perhaps, or they left later: the generator was kept from sending */
	int64_t lag_max_us;    /* how late we were ourselves with a packet */
};
extern struct media_counts media_counts; /* of the measured packets */
void media_init(void);
void media_remote(unsigned side, uint32_t slot, const struct sockaddr_in *to);
void media_begin(void);
void media_measure(bool is_measuring);
void media_send_due(void);
int64_t media_next_due(void);
void media_receive(unsigned side);
