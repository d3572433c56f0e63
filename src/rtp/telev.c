/* A key is pressed once, its packets come many times, twice, or not at all: an event is known by its RTP timestamp. A
 * receiver that reports each digit once, and a sender that makes the payloads of one digit. */
#include "rtp/telev.h"
#include "rtp/wire_i.h"
#include <string.h>

static const char digits[] = "0123456789*#ABCDF"; /* the index is the event number */

int telev_of_digit(char digit)
{
	const char *at;
	if (digit >= 'a' && digit <= 'f')
		digit = (char)(digit - 'a' + 'A');
	at = digit ? strchr(digits, digit) : NULL;
	return at ? (int)(at - digits) : -1;
}
char telev_to_digit(uint8_t event)
{
	return event < sizeof(digits) - 1 ? digits[event] : 0;
}

int telev_parse(const uint8_t *p, size_t n, struct telev_event *out)
{
	if (n < TELEV_PAYLOAD_BYTES)
		return ST_PARSE;
	*out = (struct telev_event){p[0], p[1] & 63, p[1] >> 7, wire_get16(p + 2)};
	return ST_OK;
}
void telev_write(uint8_t p[TELEV_PAYLOAD_BYTES], const struct telev_event *e)
{
	p[0] = e->event;
	p[1] = (uint8_t)((e->is_end ? 0x80 : 0) | (e->volume_dbm0 & 63));
	wire_put16(p + 2, e->duration);
}

static void close_event(struct telev_rx *rx, bool is_end_lost, struct telev_report *report)
{
	*report = (struct telev_report){telev_to_digit(rx->event), rx->duration, is_end_lost};
	rx->is_active = false;
	rx->has_last = true;
	rx->last_ts = rx->ts;
}
bool telev_rx_packet(
    struct telev_rx *rx, const uint8_t *payload, size_t n, uint32_t ts, int64_t now_us, struct telev_report *report)
{
	struct telev_event e;
	bool is_filled = false;

	if (telev_parse(payload, n, &e) || !telev_to_digit(e.event))
		return false;
	/* What belongs to a reported event or to one before it is a duplicate or came late. */
	if (rx->has_last && (int32_t)(ts - rx->last_ts) <= 0 && (int32_t)(rx->last_ts - ts) < 8000 * 60)
		return false;
	/* A key held for longer than a duration can say goes on in another segment (RFC 4733 section 2.5.1.3). */
	if (rx->is_active && e.event == rx->event && ts - rx->ts == UINT16_MAX)
		rx->ts = ts, rx->duration = UINT16_MAX;
	if (rx->is_active && ts != rx->ts) {
		if ((int32_t)(ts - rx->ts) < 0)
			return false;
		close_event(rx, true, report);
		is_filled = true;
	}
	if (!rx->is_active) {
		rx->is_active = true;
		rx->event = e.event;
		rx->ts = ts;
		rx->duration = 0;
	}
	rx->last_us = now_us;
	if (e.duration > rx->duration)
		rx->duration = e.duration;
	if (e.is_end && !is_filled) {
		close_event(rx, false, report);
		return true;
	}
	return is_filled;
}
bool telev_rx_tick(struct telev_rx *rx, int64_t now_us, int64_t timeout_us, struct telev_report *report)
{
	if (!rx->is_active || (timeout_us >= 0 && now_us - rx->last_us < (timeout_us ? timeout_us : 200000)))
		return false;
	close_event(rx, true, report);
	return true;
}

int telev_tx_start(struct telev_tx *tx, char digit, uint32_t ts, uint32_t duration)
{
	int event = telev_of_digit(digit);
	if (event < 0)
		return ST_INVAL;
	if (tx->is_active)
		return ST_BUSY;
	*tx = (struct telev_tx){.is_active = true,
	    .is_first = true,
	    .event = (uint8_t)event,
	    .volume_dbm0 = 10,
	    .ends_left = TELEV_END_COUNT,
	    .ts = ts,
	    .duration = duration > 65535 ? 65535
	                : duration       ? duration
	                                 : 1};
	return ST_OK;
}
bool telev_tx_next(struct telev_tx *tx, uint32_t step, uint8_t p[TELEV_PAYLOAD_BYTES], bool *is_marked)
{
	struct telev_event e = {tx->event, tx->volume_dbm0, false, 0};
	if (!tx->is_active)
		return false;
	tx->sent = step > tx->duration - tx->sent ? tx->duration : tx->sent + step;
	e.duration = (uint16_t)tx->sent;
	e.is_end = tx->sent >= tx->duration;
	telev_write(p, &e);
	*is_marked = tx->is_first;
	tx->is_first = false;
	if (e.is_end && !--tx->ends_left)
		tx->is_active = false;
	return true;
}
