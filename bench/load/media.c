/* RTP of both phones of each call: one socket a side carries all streams, each packet tells in its payload which call
 * and side it comes from, when it was sent and whether it counts. Arrival is the kernel's time stamp, so that the delay
 * is the switch's and the loopback's and not how late this program gets round to reading. */
#include "load.h"
#include "srtp.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { FRAME_US = 20000, PAYLOAD = 160, PACKET = 12 + PAYLOAD, BATCH = 64, MAGIC = 0x7a4d5e11 };
enum {
	OPENED =
	    16, /* of so many encrypted calls one is opened, for the delay: the load is not to be the slower side */
	STALL_US = 5000,
	STALLS = 64 /* the last ones: a packet is not under way for longer */
};
struct payload {
	uint32_t magic, slot, side, is_measured;
	int64_t sent_ns; /* CLOCK_REALTIME, as the kernel stamps */
};
struct stream {
	struct sockaddr_in to;
	uint32_t slot, ssrc, ts;
	uint16_t seq;
	uint8_t side;
};

int media_fd[2];
uint16_t media_port[2];
struct media_counts media_counts;
static struct stream *streams;
static struct sockaddr_in *remotes[2];
static uint32_t slot_of_port[65536]; /* of the switch; in network order */
static unsigned stream_count, turn;
static int64_t round_us;
static bool is_measured, was_measured;
/* Sends in which this program itself was kept waiting: when packets of them left is not known. */
static struct stall {
	int64_t begin_ns, end_ns;
} stalls[STALLS];
static unsigned stall_count;

void media_init(void)
{
	for (int side = 0; side < 2; side++) {
		media_fd[side] = wire_socket(&media_port[side], true);
		remotes[side] = calloc(SLOTS, sizeof(*remotes[side]));
	}
	streams = calloc(2 * (size_t)SLOTS, sizeof(*streams));
	if (!streams || !remotes[0] || !remotes[1])
		exit(1);
}

void media_remote(unsigned side, uint32_t slot, const struct sockaddr_in *to)
{
	remotes[side][slot] = *to;
	slot_of_port[to->sin_port] = slot;
}

/* Streams start together, each at its own moment of the 20 ms. */
void media_begin(void)
{
	uint8_t sides = opt.mode == MODE_CONFERENCE ? 1 : 2;
	for (uint32_t slot = 0; slot < SLOTS; slot++) {
		if (calls[slot].state != CALL_UP || !remotes[0][slot].sin_port || !remotes[sides - 1][slot].sin_port)
			continue;
		if (opt.mode == MODE_CONFERENCE && slot / opt.rooms >= opt.talkers)
			continue;
		for (uint8_t side = 0; side < sides; side++)
			streams[stream_count++] = (struct stream){.to = remotes[side][slot],
			    .slot = slot,
			    .side = side,
			    .ssrc = slot * 2 + side + 1,
			    .seq = (uint16_t)(slot * 7),
			    .ts = slot * 1000};
	}
	round_us = now_us;
	turn = 0;
}

void media_measure(bool is_measuring)
{
	is_measured = is_measuring;
	was_measured |= is_measuring;
}

int64_t media_next_due(void)
{
	return stream_count ? round_us + (int64_t)FRAME_US * turn / stream_count : INT64_MAX;
}

/* A square wave of 1 kHz, loud enough to be a talker anywhere, PCMU. */
static void talk_put(uint8_t *payload)
{
	for (unsigned i = 0; i < PAYLOAD; i++)
		payload[i] = i / 4 % 2 ? 0xa8 : 0x28;
}

/* What is due at once goes by one system call; with a time stamp of its own, so not too much of it. */
enum { OUT = 16 };
static struct side_out {
	unsigned count;
	int64_t begin_ns; /* of the first */
	struct mmsghdr head[OUT];
	struct iovec part[OUT];
	uint8_t bytes[OUT][PACKET + PHONE_TAG];
} outs[2];

static int64_t real_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void side_flush(unsigned side)
{
	struct side_out *o = &outs[side];
	if (!o->count)
		return;
	for (unsigned done = 0; done < o->count;) {
		int n = sendmmsg(media_fd[side], o->head + done, o->count - done, 0);
		done += n > 0 ? (unsigned)n : 1; /* one that cannot be sent is lost, and counted so */
	}
	int64_t end_ns = real_ns();
	if (end_ns - o->begin_ns > STALL_US * INT64_C(1000))
		stalls[stall_count++ % STALLS] = (struct stall){o->begin_ns, end_ns};
	o->count = 0;
}

static void send_one(struct stream *s)
{
	/* the marker goes through a relay as it is: with SRTP it says which packets count */
	uint8_t marker = opt.has_srtp && is_measured ? 0x80 : 0;
	struct side_out *o = &outs[s->side];
	uint8_t *packet = o->bytes[o->count];
	int n = PACKET;
	uint32_t ts = htonl(s->ts), ssrc = htonl(s->ssrc);
	struct payload p = {MAGIC, s->slot, s->side, is_measured, real_ns()};

	packet[0] = 0x80, packet[1] = marker, packet[2] = (uint8_t)(s->seq >> 8), packet[3] = (uint8_t)s->seq;
	memcpy(packet + 4, &ts, 4);
	memcpy(packet + 8, &ssrc, 4);
	memset(packet + 12, 0xff, PAYLOAD);
	if (opt.mode == MODE_CONFERENCE)
		talk_put(packet + 12);
	if (!o->count)
		o->begin_ns = p.sent_ns;
	if (opt.mode != MODE_CONFERENCE)
		memcpy(packet + 12, &p, sizeof(p));
	if (opt.has_srtp)
		n = phone_seal(s->side, s->slot, packet, n);
	o->part[o->count] = (struct iovec){packet, (size_t)n};
	o->head[o->count].msg_hdr = (struct msghdr){
	    .msg_name = &s->to, .msg_namelen = sizeof(s->to), .msg_iov = &o->part[o->count], .msg_iovlen = 1};
	if (++o->count == OUT)
		side_flush(s->side);
	media_counts.sent += is_measured;
	s->seq++;
	s->ts += 160;
}

/* Who stood still goes on from here: phones do not say at once what they had no time to say, and what a relay would do
 * with that is not what is measured. The packets are missing in what was offered. */
static void lag_skip(int64_t lag_us)
{
	if (is_measured && lag_us > media_counts.lag_max_us)
		media_counts.lag_max_us = lag_us;
	if (lag_us > STALL_US)
		round_us += lag_us;
}

void media_send_due(void)
{
	if (media_next_due() <= now_us)
		lag_skip(now_us - media_next_due());
	for (int n = 0; n < 32 && media_next_due() <= now_us; n++) { /* then look who has written */
		send_one(&streams[turn++]);
		if (turn == stream_count) {
			turn = 0;
			round_us += FRAME_US;
		}
	}
	side_flush(0);
	side_flush(1);
}

static bool is_stalled(int64_t sent_ns)
{
	for (unsigned i = 0; i < STALLS; i++)
		if (sent_ns >= stalls[i].begin_ns && sent_ns <= stalls[i].end_ns)
			return true;
	return false;
}

static void timed(const struct payload *p, int64_t arrived_ns)
{
	int64_t us = (arrived_ns - p->sent_ns) / 1000;
	if (us > PACKET_LATE_US && is_stalled(p->sent_ns)) {
		media_counts.unjudged++;
		return;
	}
	hist_add(&delay_hist, us);
	if (us <= PACKET_LATE_US)
		return;
	static int64_t late_s;
	media_counts.late++;
	media_counts.late_seconds += late_s != arrived_ns / 1000000000;
	late_s = arrived_ns / 1000000000;
}

/* Whose packet it is tells the port it came from. */
static void take_sealed(uint8_t *packet, size_t n, int64_t arrived_ns, unsigned side, uint16_t from)
{
	struct payload p;
	uint32_t slot = slot_of_port[from];

	if (n != PACKET + PHONE_TAG) {
		media_counts.strays++;
		return;
	}
	media_counts.received += was_measured && packet[1] & 0x80;
	if (slot % OPENED)
		return;
	if (!phone_open(side, slot, packet, (int)n)) {
		media_counts.strays++;
		return;
	}
	memcpy(&p, packet + 12, sizeof(p));
	if (p.magic != MAGIC || p.side == side)
		media_counts.strays++;
	else if (p.is_measured)
		timed(&p, arrived_ns);
}

static void take(uint8_t *packet, size_t n, int64_t arrived_ns, unsigned side, uint16_t from)
{
	struct payload p;

	if (n < PACKET)
		return;
	if (opt.mode == MODE_CONFERENCE) { /* nobody's packet any more: a mix */
		media_counts.received += is_measured;
		return;
	}
	if (opt.has_srtp) {
		take_sealed(packet, n, arrived_ns, side, from);
		return;
	}
	memcpy(&p, packet + 12, sizeof(p));
	if (p.magic != MAGIC || p.side == side) {
		media_counts.strays++;
	} else if (p.is_measured) {
		media_counts.received++;
		timed(&p, arrived_ns);
	}
}

static int64_t stamp_ns(struct msghdr *h)
{
	struct timespec t = {0};
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS)
			memcpy(&t, CMSG_DATA(c), sizeof(t));
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

void media_receive(unsigned side)
{
	static uint8_t bytes[BATCH][256];
	static char control[BATCH][64];
	static struct mmsghdr heads[BATCH];
	struct iovec parts[BATCH];
	struct sockaddr_in from[BATCH];
	int n;

	for (int i = 0; i < BATCH; i++) {
		parts[i] = (struct iovec){bytes[i], sizeof(bytes[i])};
		heads[i].msg_hdr = (struct msghdr){.msg_name = opt.has_srtp ? &from[i] : NULL,
		    .msg_namelen = opt.has_srtp ? sizeof(from[i]) : 0,
		    .msg_iov = &parts[i],
		    .msg_iovlen = 1,
		    .msg_control = control[i],
		    .msg_controllen = sizeof(control[i])};
	}
	n = recvmmsg(media_fd[side], heads, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++)
		take(
		    bytes[i], heads[i].msg_len, stamp_ns(&heads[i].msg_hdr), side, opt.has_srtp ? from[i].sin_port : 0);
}
