/* Private to the room: capture files, pcapng's bytes. */
#pragma once
#include "base/role.h"
#include "base/str.h"
#include "net/addr.h"
#include <stdbool.h>
#include <stdint.h>

/* ---- pcapng.c: pure ---- */
struct pcap_packet {
	struct addr src, dst;
	int64_t wall_us;
	struct sv payload; /* of UDP */
};
ANY void pcapng_begin(struct buf *out);                               /* section and interface: raw IP */
ANY void pcapng_packet(struct buf *out, const struct pcap_packet *p); /* with made IP and UDP headers */
