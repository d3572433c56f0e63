/* Packets lie in slots, in the order of their timestamps. The delay is what lies in the buffer, and nothing is computed
 * from arrival times: when a frame is due and nothing is there, a made-up one is played and the delay has grown by it;
 * when the least that lay there over two seconds is more than is needed, frames are shortened. So jitter, bursts and
 * clocks that differ are one thing. A hole with packets behind it is a loss; where packets go on numbered in a row, the
 * source was silent (DTX), which is no loss. After HOLD_MS without a packet nobody talks: it fills anew. */
#include "rtp/jbuf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "rtp/rtp.h"

#include <string.h>

enum { HOLD_MS = 200, WINDOW_MS = 2000, WILD_MAX = 3, WILD_MS = 5000, FASTER_MAX = 5 };

struct slot {
	uint32_t ts;
	uint16_t seq, n;
	bool has_marker;
};
struct jbuf {
	struct jbuf_conf conf;
	uint32_t frame, len, max, drift; /* ticks */
	size_t cap, count;
	uint32_t ssrc, next; /* the timestamp that is due */
	bool has_source, is_running, has_played;
	uint16_t played_seq;
	int64_t filling_since_us;
	uint32_t waited; /* ticks made up in hope */
	uint32_t empty;  /* of these without anything in between */
	uint32_t more;   /* ticks by which packets were late */
	uint32_t least, most /* depth in this window */, window;
	uint32_t
	    least_yet; /* since the newest packet came: counts when the next tells that the source was not silent */
	uint32_t newest_ts;
	uint16_t newest_seq;
	unsigned faster_due;
	unsigned wild_run;
	struct jbuf_stats stats;
	struct slot *slots; /* of cap; payloads lie behind */
	uint16_t *order;    /* slot numbers: the first count by time, then the free ones */
	uint8_t *payloads;
};

static uint32_t ticks_of(const struct jbuf *j, unsigned ms)
{
	return (uint32_t)((uint64_t)j->conf.clock_hz * ms / 1000);
}

static uint32_t ms_of(const struct jbuf *j, uint32_t ticks)
{
	return (uint32_t)((uint64_t)ticks * 1000 / j->conf.clock_hz);
}

int jbuf_new(struct jbuf **out, const struct jbuf_conf *c)
{
	if (c->clock_hz < 1000 || c->clock_hz > 192000 || !c->frame_ms || c->frame_ms > 120 ||
	    c->len_ms < JBUF_LEN_MIN_MS || c->max_ms < c->len_ms || c->max_ms > JBUF_MAX_MS || !c->payload_max ||
	    c->payload_max > UINT16_MAX)
		return ST_INVAL;
	size_t cap = c->max_ms / c->frame_ms + 16; /* of shorter packets less time fits */
	cap = cap > JBUF_SLOTS_MAX ? JBUF_SLOTS_MAX : cap;
	struct jbuf *j = mem_zalloc(sizeof(*j) + cap * (sizeof(struct slot) + sizeof(uint16_t) + c->payload_max));
	if (!j)
		return ST_NOMEM;
	j->conf = *c;
	j->cap = cap;
	j->slots = (struct slot *)(void *)(j + 1);
	j->order = (uint16_t *)(void *)(j->slots + cap);
	j->payloads = (uint8_t *)(j->order + cap);
	for (size_t i = 0; i < cap; i++)
		j->order[i] = (uint16_t)i;
	j->frame = ticks_of(j, c->frame_ms);
	j->len = ticks_of(j, c->len_ms), j->max = ticks_of(j, c->max_ms), j->drift = ticks_of(j, c->drift_ms);
	jbuf_reset(j);
	*out = j;
	return ST_OK;
}

void jbuf_free(struct jbuf *j)
{
	mem_free(j);
}

static void window_begin(struct jbuf *j)
{
	j->least = j->least_yet = UINT32_MAX, j->most = j->window = 0;
}

static void pause_play(struct jbuf *j)
{
	j->is_running = j->has_played = false;
	j->waited = j->empty = j->more = 0, j->faster_due = 0;
	window_begin(j);
}

void jbuf_reset(struct jbuf *j)
{
	pause_play(j);
	j->count = 0;
	j->has_source = false;
	j->wild_run = 0;
}

static struct slot *at(struct jbuf *j, size_t i)
{
	return &j->slots[j->order[i]];
}

static void drop_first(struct jbuf *j)
{
	uint16_t first = j->order[0];
	memmove(j->order, j->order + 1, (j->count - 1) * sizeof(*j->order));
	j->order[--j->count] = first;
}

static uint32_t depth(struct jbuf *j)
{
	if (!j->count)
		return 0;
	uint32_t from = j->is_running ? j->next : at(j, 0)->ts;
	int32_t d = rtp_ts_diff(at(j, j->count - 1)->ts + j->frame, from);
	return d > 0 ? (uint32_t)d : 0;
}

/* Far from where the source was: true when it is to be dropped; the third in a row begins anew. */
static bool is_wild(struct jbuf *j, uint32_t ts)
{
	int32_t far = (int32_t)(j->max + ticks_of(j, WILD_MS));
	uint32_t ref = j->count ? at(j, j->count - 1)->ts : j->next;
	int32_t d = rtp_ts_diff(ts, ref);
	if (d < far && d > -far) {
		j->wild_run = 0;
		return false;
	}
	if (j->is_running && j->count && ++j->wild_run < WILD_MAX)
		return true;
	j->stats.resets++;
	jbuf_reset(j);
	return false;
}

static enum jbuf_put insert(struct jbuf *j, const struct jbuf_packet *p)
{
	size_t i = j->count;
	while (i && rtp_ts_diff(at(j, i - 1)->ts, p->ts) > 0)
		i--;
	if (i && at(j, i - 1)->ts == p->ts) {
		j->stats.twice++;
		return JBUF_TWICE;
	}
	uint16_t slot = j->order[j->count];
	memmove(j->order + i + 1, j->order + i, (j->count - i) * sizeof(*j->order));
	j->order[i] = slot;
	j->count++;
	j->slots[slot] = (struct slot){.ts = p->ts, .seq = p->seq, .n = (uint16_t)p->n, .has_marker = p->has_marker};
	memcpy(j->payloads + slot * j->conf.payload_max, p->payload, p->n);
	j->stats.taken++;
	return JBUF_TAKEN;
}

/* Over the most there may be: the oldest go, and what is due with them. */
static void bound(struct jbuf *j)
{
	while (j->count > 1 && depth(j) > j->max + j->frame) {
		drop_first(j);
		j->next = at(j, 0)->ts;
		j->stats.dropped++;
	}
}

/* A packet newer than all before. What lay there while it was awaited is a measure of the network, unless the source
 * was silent meanwhile: then the buffer just ran out. */
static void newest(struct jbuf *j, const struct jbuf_packet *p)
{
	bool is_after_silence = p->seq == (uint16_t)(j->newest_seq + 1) &&
	                        rtp_ts_diff(p->ts, j->newest_ts) > (int32_t)(j->frame + j->frame / 2);
	if (!is_after_silence && j->least_yet < j->least)
		j->least = j->least_yet;
	j->least_yet = UINT32_MAX;
	j->newest_ts = p->ts, j->newest_seq = p->seq;
}

enum jbuf_put jbuf_put(struct jbuf *j, const struct jbuf_packet *p, int64_t now_us)
{
	if (p->n > j->conf.payload_max || !p->n) {
		j->stats.dropped++;
		return JBUF_REFUSED;
	}
	if (j->has_source && p->ssrc != j->ssrc) {
		j->stats.resets++;
		jbuf_reset(j);
	}
	if (j->has_source && (j->is_running || j->count) && is_wild(j, p->ts)) {
		j->stats.dropped++;
		return JBUF_REFUSED;
	}
	j->has_source = true, j->ssrc = p->ssrc;
	if (j->is_running && rtp_ts_diff(p->ts, j->next) < 0) {
		bool is_repeated = j->has_played && p->seq == j->played_seq;
		uint32_t by = (uint32_t)rtp_ts_diff(j->next, p->ts);
		/* later than a pause: a copy that went astray, and no measure of the network */
		if (!is_repeated && by > j->more && by <= ticks_of(j, HOLD_MS))
			j->more = by;
		*(is_repeated ? &j->stats.twice : &j->stats.late) += 1;
		return is_repeated ? JBUF_TWICE : JBUF_LATE;
	}
	if (!j->is_running && !j->count)
		j->filling_since_us = now_us;
	if (!j->count || rtp_ts_diff(p->ts, at(j, j->count - 1)->ts) > 0)
		newest(j, p);
	if (j->count == j->cap) {
		drop_first(j);
		j->next = at(j, 0)->ts;
		j->stats.dropped++;
	}
	enum jbuf_put done = insert(j, p);
	bound(j);
	return done;
}

/* What lies there less the part of a hole in front of it that was waited for already: that is no delay. */
static uint32_t depth_now(struct jbuf *j)
{
	uint32_t d = depth(j);
	int32_t gap = j->count && j->is_running ? rtp_ts_diff(at(j, 0)->ts, j->next) : 0;
	uint32_t covered = gap <= 0 ? 0 : j->waited < (uint32_t)gap ? j->waited : (uint32_t)gap;
	return d > covered ? d - covered : 0;
}

/* At the end of a window: how far the delay is from what it must be. The most that lay there is the delay of a packet
 * that came at once; what it varied by is what is needed. */
static void pace(struct jbuf *j, uint32_t d)
{
	j->least_yet = d < j->least_yet ? d : j->least_yet;
	j->most = d > j->most ? d : j->most;
	j->window += j->frame;
	if (j->window < ticks_of(j, WINDOW_MS) || j->least > j->most)
		return;
	uint32_t need = j->most - j->least + j->frame, spare = j->drift > j->frame ? j->drift : j->frame;
	need = need < j->len ? j->len : need;
	need = need > j->max ? j->max : need;
	if (j->most > need + spare) {
		uint32_t n = (j->most - need) / j->frame;
		j->faster_due = n > FASTER_MAX ? FASTER_MAX : n;
	} else if (j->most + spare < need && !j->more) {
		j->more = j->frame;
	}
	window_begin(j);
}

/* Enough lies there to begin, or it has waited long enough for more. */
static bool is_filled(struct jbuf *j, int64_t now_us)
{
	return j->count && (depth(j) >= j->len || now_us - j->filling_since_us >= clock_us_of_ms(j->conf.len_ms));
}

static enum jbuf_get wait_more(struct jbuf *j)
{
	j->waited += j->frame, j->empty += j->frame;
	if (j->empty > ticks_of(j, HOLD_MS)) {
		pause_play(j);
		return JBUF_NONE;
	}
	j->stats.waits++;
	return JBUF_WAIT;
}

static void out_set(struct jbuf *j, struct jbuf_out *out)
{
	const struct slot *s = at(j, 0);
	out->packet = (struct jbuf_packet){.payload = j->payloads + j->order[0] * j->conf.payload_max,
	    .n = s->n,
	    .ts = s->ts,
	    .ssrc = j->ssrc,
	    .seq = s->seq,
	    .has_marker = s->has_marker};
}

/* There is a hole before the first packet. True: a frame of it is to be made up. */
static bool hole(struct jbuf *j, struct jbuf_out *out)
{
	const struct slot *s = at(j, 0);
	uint32_t gap = (uint32_t)rtp_ts_diff(s->ts, j->next), covered = j->waited < gap ? j->waited : gap;
	bool is_silence = j->has_played && s->seq == (uint16_t)(j->played_seq + 1);
	j->next += covered, j->waited = 0;
	gap -= covered;
	if (gap < j->frame / 2 || gap > ticks_of(j, WILD_MS)) {
		j->next = s->ts;
		return false;
	}
	out->has_next = gap <= j->frame && !is_silence;
	if (out->has_next)
		out_set(j, out);
	j->next += gap < j->frame ? gap : j->frame;
	j->stats.lost += !is_silence;
	return true;
}

enum jbuf_get jbuf_get(struct jbuf *j, int64_t now_us, struct jbuf_out *out)
{
	memset(out, 0, sizeof(*out));
	if (!j->is_running) {
		if (!is_filled(j, now_us))
			return JBUF_NONE;
		j->next = at(j, 0)->ts;
		j->is_running = true;
	}
	uint32_t d = depth_now(j);
	j->stats.depth_ms = ms_of(j, d);
	if (j->stats.depth_ms > j->stats.depth_max_ms)
		j->stats.depth_max_ms = j->stats.depth_ms;
	if (!j->count)
		return wait_more(j);
	pace(j, d);
	j->empty = 0;
	if (j->more && d + j->frame <= j->max) {
		j->more -= j->more < j->frame ? j->more : j->frame;
		j->stats.slower++;
		return JBUF_WAIT;
	}
	j->more = 0;
	if (rtp_ts_diff(at(j, 0)->ts, j->next) > 0 && hole(j, out))
		return JBUF_LOST;
	out_set(j, out);
	j->waited = 0;
	j->has_played = true, j->played_seq = out->packet.seq;
	j->next = out->packet.ts + j->frame;
	out->is_faster = j->faster_due > 0;
	if (j->faster_due) {
		j->stats.faster++;
		if (!--j->faster_due)
			window_begin(j); /* what lay there before is no measure of what does now */
	}
	drop_first(j); /* its bytes stay until the slot is taken again */
	return JBUF_PACKET;
}

void jbuf_worth(struct jbuf *j, uint32_t ticks)
{
	if (!j->is_running || !ticks || ticks == j->frame || ticks > ticks_of(j, 120))
		return;
	j->next += ticks - j->frame;
	j->frame = ticks;
}

void jbuf_stats_get(const struct jbuf *j, struct jbuf_stats *out)
{
	*out = j->stats;
}
