/* Paging by multicast (mod_esf): one call is heard by every phone of the network that listens on a group, without any
 * of them being called. esf_page_group answers the leg and sends its voice, until it hangs up, in three ways that
 * phones know: RTP to one group (Linksys, Cisco SPA, Snom, Yealink, Grandstream), start and stop on its control port,
 * and Polycom's own packets to Polycom's group.
 *
 *   leg -> port (media/rt/port.h) -> ring -> thread.c: one thread of all pages, every 20 ms -> packet.c -> sockets
 *
 * app.c is control's: words, variables, the socket. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

struct leg;
struct media_port;
struct codec_ops;
enum {
	PAGE_MAX = 64,
	PAGE_FRAME_MS = 20,
	PAGE_SOUND_BYTES = 160, /* of a frame, PCMU or G.722 */
	PAGE_CLOCK_SAMPLES = 160,
	PAGE_CALLER_BYTES = 13,
	PAGE_PACKET_MAX = 512
};

/* ---- packet.c: pure; bytes written ---- */
enum page_control { PAGE_CONTROL_START = 6, PAGE_CONTROL_STOP = 7 };
ANY size_t page_control_put(uint8_t out[PAGE_PACKET_MAX], enum page_control what, uint32_t id, struct in_addr group,
    uint16_t port); /* the stop is its first half */
struct page_rtp {
	uint8_t pt;
	uint16_t seq;
	uint32_t ts, ssrc;
};
/* One frame (RFC 3550); counts seq and ts on. */
ANY size_t page_rtp_put(uint8_t out[PAGE_PACKET_MAX], struct page_rtp *r, const uint8_t sound[PAGE_SOUND_BYTES]);
enum page_polycom_op { PAGE_POLYCOM_ALERT = 0x0f, PAGE_POLYCOM_SOUND = 0x10, PAGE_POLYCOM_END = 0xff };
struct page_polycom {
	uint8_t channel, codec; /* 26 is the page group's usual; 0 PCMU, 9 G.722 */
	uint32_t id, ts;
	char caller[PAGE_CALLER_BYTES]; /* padded with zeros */
	uint8_t last[PAGE_SOUND_BYTES]; /* each packet repeats the frame before */
	int has_last;
};
/* sound: of PAGE_POLYCOM_SOUND. */
ANY size_t page_polycom_put(uint8_t out[PAGE_PACKET_MAX], struct page_polycom *p, enum page_polycom_op op,
    const uint8_t sound[PAGE_SOUND_BYTES]);

/* ---- thread.c ---- */
struct page_conf { /* a copy is the thread's, with what it owns */
	uint64_t id;
	int fd;                  /* a bound socket; owned */
	struct media_port *port; /* a reference */
	const struct codec_ops *codec;
	struct sockaddr_in sound, control, polycom;
	struct page_rtp rtp;
	struct page_polycom to_polycom;
	uint32_t epoch;
};
/* The conf is the thread's when ST_OK. The thread begins with the first page. ST_FULL, ST_NOMEM, ST_IO. */
ON_CTL int page_thread_open(const struct page_conf *conf);
ON_CTL void page_thread_close(uint64_t id); /* says that it is over */
ON_CTL void page_thread_stop(void);         /* joins; pages that are open end without a word */

/* ---- app.c ---- */
CO int app_page_group(struct leg *leg, const char *data);
ON_CTL unsigned page_count(void);
