/* Telephone events (RFC 4733), the digits 0-9 * # A-D and flash (event 16, 'F'). Receiver: many packets in, one report
 * a digit out. Sender: a digit and a duration in, packets out at the pace the caller ticks. Pure; ANY. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TELEV_PAYLOAD_BYTES = 4, TELEV_END_COUNT = 3 };

ANY int telev_of_digit(char digit);     /* event number; -1 = not a digit. a-d are taken as A-D */
ANY char telev_to_digit(uint8_t event); /* 0 = not a digit */

struct telev_event {                /* the payload */
	uint8_t event, volume_dbm0; /* volume is its absolute value, 0..63 */
	bool is_end;
	uint16_t duration; /* clock units */
};
/* First event of a payload; ST_PARSE when short. */
ANY int telev_parse(const uint8_t *p, size_t n, struct telev_event *out);
ANY void telev_write(uint8_t p[TELEV_PAYLOAD_BYTES], const struct telev_event *e);

struct telev_report {
	char digit;
	uint16_t duration; /* clock units; the longest seen when the end was lost */
	bool is_end_lost;
};
struct telev_rx {
	bool is_active; /* an event is open */
	bool has_last;  /* last_ts is of an event already reported */
	uint8_t event;
	uint16_t duration;
	uint32_t ts, last_ts;
	int64_t last_us;
};
/* Zero a struct telev_rx to start. Takes one telephone-event packet in any order; true when report was filled. A packet
 * of a new event (other timestamp) reports the one before when its end packets were all lost. */
ANY bool telev_rx_packet(
    struct telev_rx *rx, const uint8_t *payload, size_t n, uint32_t ts, int64_t now_us, struct telev_report *report);
/* To be called on the tick, or when audio comes again: true when an open event has been silent for timeout_us (0 = 200
 * ms; negative: it ends now). */
ANY bool telev_rx_tick(struct telev_rx *rx, int64_t now_us, int64_t timeout_us, struct telev_report *report);

struct telev_tx {
	bool is_active, is_first;
	uint8_t event, volume_dbm0, ends_left;
	uint32_t ts;       /* RTP timestamp of every packet of the event */
	uint32_t duration; /* total, clock units, at most 65535 */
	uint32_t sent;     /* clock units told so far */
};
/* Starts a digit. ST_INVAL for no digit, ST_BUSY while one is being sent. duration over 65535 is cut (8 s at 8 kHz). */
ANY int telev_tx_start(struct telev_tx *tx, char digit, uint32_t ts, uint32_t duration);
/* The next packet, step clock units after the one before (160 = 20 ms): fills the payload and the marker bit (first
 * packet only). The last three are end packets of the same content. False when the event is over: nothing written. The
 * caller uses tx->ts as timestamp and the next sequence number. */
ANY bool telev_tx_next(struct telev_tx *tx, uint32_t step, uint8_t p[TELEV_PAYLOAD_BYTES], bool *is_marked);
