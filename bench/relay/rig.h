/* What the benches of the media room share: phones in processes of their own on the last cores, which send by the clock
 * and take what comes, one measured stretch of time, and streams of the room. Times are nanoseconds of the monotonic
 * clock unless named otherwise. */
#pragma once
#include "media/ctl/mctl.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RIG_STREAMS_MAX = 8000, RIG_PACKET = 172, RIG_PACKET_MAX = 1500, RIG_BUCKETS = 20000 /* us */ };
enum { RIG_LOADS_MAX = 2, RIG_WARM_MS = 1000 };

struct rig_phone {
	int fd;
	uint16_t seq;
	uint32_t ts;
	void *own; /* of the bench */
};
enum rig_taken { RIG_ODD /* not counted */, RIG_COUNTED, RIG_STAMPED /* bytes 12 to 19: when it was sent */ };
/* In the load's process. begin: once, before anything is sent. make: the packet of phone i in p, its bytes; 0: it is
 * silent. */
struct rig_hooks {
	void (*begin)(int i, struct rig_phone *phone);
	int (*make)(int i, struct rig_phone *phone, uint8_t *p);
	enum rig_taken (*take)(int i, const struct rig_phone *phone, const uint8_t *p, size_t n);
};
struct rig_shared {
	_Atomic int epoch; /* odd: send to relay_port; even: pause */
	_Atomic int epoch_seen[RIG_LOADS_MAX];
	atomic_bool is_over, is_measuring;
	atomic_bool is_flat; /* what comes is answered at once: as much as can be done */
	_Atomic int kind;    /* what the phones do; the hooks know */
	uint16_t phone_port[RIG_STREAMS_MAX], relay_port[RIG_STREAMS_MAX];
	_Atomic uint64_t sent, received;
	_Atomic uint32_t buckets[RIG_BUCKETS];
};
extern struct rig_shared *rig;
extern int rig_streams, rig_seconds;

int64_t rig_clock(int id); /* clockid_t */
void rig_die(const char *what);
int rig_socket(uint16_t *port);
void rig_connect(int fd, uint16_t port);
void rig_header(uint8_t *p, uint8_t pt, uint16_t seq, uint32_t ts, uint32_t ssrc);
int rig_make_plain(int i, struct rig_phone *phone, uint8_t *p); /* PCMU with a time stamp */
enum rig_taken rig_take_plain(int i, const struct rig_phone *phone, const uint8_t *p, size_t n);

/* argv[1..2]: streams (even), seconds; 0: at least one of them is nonsense. */
int rig_options(int argc, char **argv);
/* Starts the phones and pins the caller to the first core, or with two loads to the first two of four. */
void rig_begin(const struct rig_hooks *hooks, int load_count);
void rig_end(void);
void rig_switch(void); /* the phones begin, or pause */

struct rig_figures {
	double cpu_ns; /* per packet received */
	double cpu_share;
	uint32_t p50, p99; /* us */
	uint64_t sent, received;
};
/* One measured stretch between two rig_switch: wait runs the time (and whatever must run meanwhile), cpu reads the
 * relaying threads' clock. */
struct rig_figures rig_measure(void (*wait)(int ms), int64_t (*cpu)(void));
void rig_add(struct rig_figures *sum, const struct rig_figures *f, int rounds);
void rig_print(const char *name, const struct rig_figures *f); /* "name":{...} */
int64_t rig_thread_cpu(void);

/* ---- the room (rig_room.c) ---- */
extern struct mstream *rig_stream[RIG_STREAMS_MAX];
extern const struct media_codec rig_pcmu;
ON_CTL void rig_room_begin(unsigned threads);
/* A stream to phone i, near the other of its pair; crypt may be NULL. */
ON_CTL void rig_room_stream(int i, const struct media_codec *codec, struct rt_crypt *crypt);
ON_CTL void rig_room_relay(int i); /* with the one before it */
void rig_room_wait(int ms);
int64_t rig_room_cpu(void);
ON_CTL void rig_room_end(void);
