/* Sound both ways of one connection, and the marks in it (link.c tells how they go). Messages of sound are L16 of the
 * port's rate, or packets of the codec that was asked for. */
#include "base/mem.h"
#include "bot/link_i.h"
#include "dsp/resample.h"
#include "media/rt/port.h"
#include "media/rt/rt.h"
#include "net/ws.h"

#include <stdio.h>
#include <string.h>

enum {
	PENDING_MAX_S = 60, /* sound that a program may be ahead */
	DECODED_S = 2,      /* and how much of it is decoded in a tick: others wait meanwhile */
	PACKET_MAX = 1500   /* of coded sound */
};

struct mark {
	struct lnode link;
	uint64_t at; /* bytes of the in ring */
	char name[BOT_MARK_MAX + 1];
};

/* ---- the program's sound ---- */

static size_t second_bytes(const struct bot_link *k)
{
	return k->conf.port->conf.rate_hz * sizeof(int16_t);
}

static size_t pending_bytes(const struct bot_link *k)
{
	return k->pending.n - k->pending_at;
}

/* What has gone is moved out of the way when it is half of all: a minute of sound is not shifted for each frame. */
static void pending_drop(struct bot_link *k, size_t n)
{
	k->pending_at += n;
	if (k->pending_at < k->pending.n / 2)
		return;
	buf_drop(&k->pending, k->pending_at);
	k->pending_at = 0;
}

static void pending_move(struct bot_link *k)
{
	struct rt_ring *r = k->conf.port->in;
	size_t waits = pending_bytes(k);
	if (!r || !waits)
		return;
	uint64_t fill = atomic_load_explicit(&r->written, memory_order_relaxed) -
	                atomic_load_explicit(&r->read, memory_order_acquire);
	size_t room = r->cap - (size_t)fill, n = waits < room ? waits : room;
	n &= ~(size_t)1;
	if (!n)
		return;
	rt_ring_write(r, k->pending.p + k->pending_at, n);
	pending_drop(k, n);
}

bool link_may_read(const struct bot_link *k)
{
	return pending_bytes(k) < PENDING_MAX_S * second_bytes(k) && k->decoded < DECODED_S * second_bytes(k);
}

/* Nobody hears it, or it is far too much: it is not even decoded. */
static bool is_for_nobody(const struct bot_link *k)
{
	return !k->conf.port->in || pending_bytes(k) >= 2 * PENDING_MAX_S * second_bytes(k);
}

/* A few bytes of a codec can be much sound: what one read holds is bounded, too. */
static void sound_in(struct bot_link *k, struct sv pcm)
{
	if (is_for_nobody(k))
		return;
	buf_add(&k->pending, pcm.p, pcm.n & ~(size_t)1);
	pending_move(k);
}

void link_sound_in_at(struct bot_link *k, struct sv pcm, uint32_t rate_hz)
{
	int16_t raw[960], made[960 * 8];
	if (!rate_hz || rate_hz == k->conf.port->conf.rate_hz) {
		sound_in(k, pcm);
		return;
	}
	if (k->rate_hz != rate_hz) {
		mem_unref(k->rate);
		k->rate = NULL, k->rate_hz = rate_hz;
		if (resample_new(&k->rate, rate_hz, k->conf.port->conf.rate_hz, 1))
			k->rate = NULL;
	}
	while (k->rate && pcm.n > 1) {
		size_t n = pcm.n / sizeof(*raw) < 960 ? pcm.n / sizeof(*raw) : 960, used = n;
		memcpy(raw, pcm.p, n * sizeof(*raw));
		size_t got = resample_run(k->rate, raw, &used, made, sizeof(made) / sizeof(*made));
		sound_in(k, (struct sv){(const char *)made, got * sizeof(*made)});
		pcm = sv_sub(pcm, n * sizeof(*raw), pcm.n);
	}
}

static void mark_answer(struct bot_link *k, struct mark *m, bool is_played)
{
	struct buf b;
	buf_init(&b);
	bot_mark_put(&b, m->name, is_played,
	    atomic_load_explicit(&k->conf.port->said, memory_order_relaxed) * 1000 / k->conf.port->conf.rate_hz);
	if (!b.failed && k->state == LINK_OPEN)
		bot_link_say(k, buf_sv(&b));
	buf_fini(&b);
	list_remove(&m->link);
	mem_free(m);
	k->mark_count--;
}

static void marks_look(struct bot_link *k, bool is_cleared)
{
	struct lnode *n, *tmp;
	struct rt_ring *r = k->conf.port->in;
	uint64_t read = r ? atomic_load_explicit(&r->read, memory_order_acquire) : UINT64_MAX;
	list_each (&k->marks, n, tmp) {
		struct mark *m = list_entry(n, struct mark, link);
		if (m->at <= read || is_cleared)
			mark_answer(k, m, m->at <= read);
	}
}

void link_mark_put(struct bot_link *k, const char *name)
{
	struct rt_ring *r = k->conf.port->in;
	struct mark *m = k->mark_count < BOT_MARKS_MAX ? mem_zalloc(sizeof(*m)) : NULL;
	if (!m)
		return;
	m->at = r ? atomic_load_explicit(&r->written, memory_order_relaxed) + pending_bytes(k) : 0;
	snprintf(m->name, sizeof(m->name), "%s", name);
	list_push(&k->marks, &m->link);
	k->mark_count++;
	marks_look(k, false);
}

void link_clear(struct bot_link *k)
{
	struct rt_ring *r = k->conf.port->in;
	if (!r)
		return;
	buf_clear(&k->pending);
	k->pending_at = 0;
	marks_look(k, true);
	atomic_store_explicit(
	    &k->conf.port->skip_to, atomic_load_explicit(&r->written, memory_order_relaxed), memory_order_release);
}

/* One packet; what is none is passed over, as on any way that loses some. */
static void packet_in(struct bot_link *k, struct sv packet)
{
	int16_t pcm[CODEC_FRAME_SAMPLES_MAX];
	if (is_for_nobody(k))
		return;
	int n = codec_decode(&k->dec, (const uint8_t *)packet.p, packet.n, pcm, CODEC_FRAME_SAMPLES_MAX);
	k->decoded += (n > 0 ? (size_t)n : 1) * sizeof(*pcm);
	if (n > 0)
		sound_in(k, (struct sv){(const char *)pcm, (size_t)n * sizeof(*pcm)});
}

bool link_codec_open(struct bot_link *k)
{
	codec_enc_close(&k->enc);
	codec_dec_close(&k->dec);
	return !k->conf.codec ||
	       (!codec_enc_open(&k->enc, k->conf.codec, NULL) && !codec_dec_open(&k->dec, k->conf.codec, NULL));
}

void link_sound_in(struct bot_link *k, struct sv message)
{
	if (k->conf.skips_binary)
		return;
	if (k->conf.codec)
		packet_in(k, message);
	else
		link_sound_in_at(k, message, k->conf.binary_rate_hz);
}

/* ---- the call's sound ---- */

/* A frame of the port's, as it is or coded. */
static void frame_send(struct bot_link *k, const char *bytes, size_t n)
{
	uint8_t packet[PACKET_MAX];
	int coded;
	if (!k->conf.codec) {
		(void)ws_send_binary(k->ws, (struct sv){bytes, n});
		return;
	}
	coded =
	    codec_encode(&k->enc, (const int16_t *)(const void *)bytes, n / sizeof(int16_t), packet, sizeof(packet));
	if (coded > 0)
		(void)ws_send_binary(k->ws, (struct sv){(const char *)packet, (size_t)coded});
}

static void frames_out(struct bot_link *k)
{
	struct media_port *p = k->conf.port;
	struct rt_ring *r = p->out;
	size_t frame = p->conf.rate_hz * k->conf.frame_ms / 1000 * sizeof(int16_t) * (p->conf.is_stereo ? 2 : 1);
	uint64_t at = atomic_load_explicit(&r->read, memory_order_relaxed),
	         written = atomic_load_explicit(&r->written, memory_order_acquire);
	char *bytes = frame ? mem_alloc(frame) : NULL;
	bool is_lost = false;
	for (; bytes && written - at >= frame; at += frame) {
		rt_ring_copy(r, at, bytes, frame);
		if (k->out.n < LINK_OUT_MAX_BYTES)
			frame_send(k, bytes, frame);
		else
			is_lost = true,
			atomic_fetch_add_explicit(
			    &p->dropped, frame / sizeof(int16_t) / (p->conf.is_stereo ? 2 : 1), memory_order_relaxed);
	}
	mem_free(bytes);
	atomic_store_explicit(&r->read, at, memory_order_release);
	is_lost |= atomic_load_explicit(&p->dropped, memory_order_relaxed) != k->dropped_told;
	k->dropped_told = atomic_load_explicit(&p->dropped, memory_order_relaxed);
	if (is_lost && !k->is_lossy)
		link_note(k, BOT_LOST, SV_NONE);
	k->is_lossy = is_lost || (k->is_lossy && k->out.n > LINK_OUT_MAX_BYTES / 2);
}

void link_sound_tick(struct bot_link *k)
{
	size_t paid = DECODED_S * second_bytes(k);
	k->decoded -= k->decoded < paid ? k->decoded : paid;
	frames_out(k);
	pending_move(k);
	marks_look(k, false);
}

void link_sound_fini(struct bot_link *k)
{
	struct lnode *n, *tmp;
	list_each (&k->marks, n, tmp)
		mem_free(list_entry(n, struct mark, link));
	mem_unref(k->rate);
	codec_enc_close(&k->enc);
	codec_dec_close(&k->dec);
	buf_fini(&k->pending);
}
