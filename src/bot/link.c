/* One connection to a program. Sound for it is taken from the port's out ring frame by frame, in its tick, as long as
 * what waits for the socket is under a bound; beyond it frames are dropped and the first of them is told. Sound from it
 * is kept in order in `pending` and moved into the in ring as that empties; a program that has sent a minute ahead is
 * not read until some of it is said. All of it is read nevertheless before that bound, as a "clear" must not wait
 * behind the sound that it is to clear.
 *
 *     socket -> dial -> WebSocket --- binary -> pending -> in ring -> media thread
 *                                 '-- text ---> words.c: clear, mark, keys, bye; told on
 *     out ring -> frames -> WebSocket -> out -> dial -> socket
 *
 * A mark stands at a position of the in ring's bytes; it is answered when that has been read by the media thread, or
 * when a clear passed over it. */
#include "base/clock.h"
#include "base/list.h"
#include "base/mem.h"
#include "bot/bot_i.h"
#include "codec/codec.h"
#include "dsp/resample.h"
#include "media/rt/port.h"
#include "media/rt/rt.h"
#include "net/dial.h"
#include "net/ws.h"
#include "net/ws_open.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum {
	READ_BYTES = 32 << 10,
	READS_PER_TURN = 4,
	SEND_BYTES = 64 << 10,
	OUT_MAX_BYTES = 256 << 10, /* what waits for the socket; more: frames are dropped */
	PENDING_MAX_S = 60,        /* sound that a program may be ahead */
	CLOSE_US = 2000000,        /* for its goodbye */
	REPORTS_MAX = 512,
	PACKET_MAX = 1500 /* of coded sound */
};
enum state { CONNECTING, OPENING, OPEN, CLOSING };

struct mark {
	struct lnode link;
	uint64_t at; /* bytes of the in ring */
	char name[BOT_MARK_MAX + 1];
};
struct note {
	struct lnode link;
	struct bot_report report;
};
struct bot_link {
	struct bot_link_conf conf;
	enum state state;
	unsigned addr_now;
	struct dial_conn *conn;
	struct ws *ws;
	char key[WS_KEY_CHARS + 1];
	unsigned wants;
	struct buf in, out;    /* in: until WebSocket begins */
	struct buf pending;    /* sound from the program, not yet in the ring */
	struct resample *rate; /* of sound in words at another rate */
	struct codec_enc enc;  /* of a connection whose sound is coded */
	struct codec_dec dec;
	uint32_t rate_hz;
	struct list marks, notes;
	unsigned mark_count, note_count;
	int64_t deadline_us, heard_us, pinged_us, second_us;
	unsigned words_in_second;
	bool was_up, is_over, is_lossy;
	uint64_t dropped_told;
	int code;
	char why[DIAL_ERROR_MAX];
};

void bot_link_conf_free(struct bot_link_conf *c)
{
	mem_free(c->host);
	mem_free(c->authority);
	mem_free(c->path);
	mem_free(c->headers);
	mem_free(c->hello);
	mem_unref(c->trust);
	mem_unref(c->port);
}

static void over(struct bot_link *k, const char *why)
{
	if (!k->is_over)
		snprintf(k->why, sizeof(k->why), "%s", why);
	k->is_over = true;
}

static void note(struct bot_link *k, enum bot_report_kind kind, struct sv text)
{
	struct note *n = k->note_count < REPORTS_MAX ? mem_zalloc(sizeof(*n)) : NULL;
	if (!n)
		return;
	n->report = (struct bot_report){.id = k->conf.id, .kind = kind, .text = text.n ? sv_dup(text) : NULL};
	list_push(&k->notes, &n->link);
	k->note_count++;
}

/* ---- the program's sound ---- */

static size_t second_bytes(const struct bot_link *k)
{
	return k->conf.port->conf.rate_hz * sizeof(int16_t);
}

static void pending_move(struct bot_link *k)
{
	struct rt_ring *r = k->conf.port->in;
	if (!r || !k->pending.n)
		return;
	uint64_t fill = atomic_load_explicit(&r->written, memory_order_relaxed) -
	                atomic_load_explicit(&r->read, memory_order_acquire);
	size_t room = r->cap - (size_t)fill, n = k->pending.n < room ? k->pending.n : room;
	n &= ~(size_t)1;
	if (!n)
		return;
	rt_ring_write(r, k->pending.p, n);
	buf_drop(&k->pending, n);
}

static void sound_in(struct bot_link *k, struct sv pcm)
{
	if (!k->conf.port->in)
		return;
	buf_add(&k->pending, pcm.p, pcm.n & ~(size_t)1);
	pending_move(k);
}

static void sound_in_at(struct bot_link *k, struct sv pcm, uint32_t rate_hz)
{
	int16_t raw[960], made[960 * 6];
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
	if (!b.failed && k->state == OPEN)
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

static void mark_put(struct bot_link *k, const char *name)
{
	struct rt_ring *r = k->conf.port->in;
	struct mark *m = k->mark_count < BOT_MARKS_MAX ? mem_zalloc(sizeof(*m)) : NULL;
	if (!m)
		return;
	m->at = r ? atomic_load_explicit(&r->written, memory_order_relaxed) + k->pending.n : 0;
	snprintf(m->name, sizeof(m->name), "%s", name);
	list_push(&k->marks, &m->link);
	k->mark_count++;
	marks_look(k, false);
}

/* What was sent and not yet said is forgotten. */
static void clear(struct bot_link *k)
{
	struct rt_ring *r = k->conf.port->in;
	if (!r)
		return;
	buf_clear(&k->pending);
	marks_look(k, true);
	atomic_store_explicit(
	    &k->conf.port->skip_to, atomic_load_explicit(&r->written, memory_order_relaxed), memory_order_release);
}

/* One packet; what is none is passed over, as on any way that loses some. */
static void packet_in(struct bot_link *k, struct sv packet)
{
	int16_t pcm[CODEC_FRAME_SAMPLES_MAX];
	int n = codec_decode(&k->dec, (const uint8_t *)packet.p, packet.n, pcm, CODEC_FRAME_SAMPLES_MAX);
	if (n > 0)
		sound_in(k, (struct sv){(const char *)pcm, (size_t)n * sizeof(*pcm)});
}

/* ---- WebSocket ---- */

static void text_in(struct bot_link *k, struct sv text)
{
	struct bot_words w;
	if (text.n > BOT_TEXT_MAX)
		return; /* neither way carries more */
	int st = bot_words_read(text, &w);
	bool is_sound = !st && w.word == BOT_WORD_SOUND;
	bool may_tell = is_sound || ++k->words_in_second <= BOT_WORDS_PER_S; /* sound is not counted */
	if (!st && w.word == BOT_WORD_CLEAR)
		clear(k);
	else if (!st && w.word == BOT_WORD_MARK)
		mark_put(k, w.name);
	else if (!st && w.word == BOT_WORD_SOUND)
		sound_in_at(k, buf_sv(&w.sound), w.rate_hz);
	else if (!st && w.word == BOT_WORD_DIGITS && w.name[0] && may_tell)
		note(k, BOT_DIGITS, sv_of(w.name));
	else if (!st && w.word == BOT_WORD_BYE)
		bot_link_close(k, SV_NONE, clock_mono_us());
	if (!is_sound && may_tell)
		note(k, BOT_WORDS, text);
	bot_words_fini(&w);
}

static void on_message(struct ws *w, bool is_text, struct sv message, void *arg)
{
	struct bot_link *k = arg;
	if (k->state != OPEN)
		return;
	if (is_text)
		text_in(k, message);
	else if (k->conf.codec)
		packet_in(k, message);
	else
		sound_in(k, message);
}

static int bytes_out(struct ws *w, struct sv bytes, void *arg)
{
	struct bot_link *k = arg;
	if (k->out.n > 4 * OUT_MAX_BYTES) /* answers that it asks for and does not read: the connection ends */
		return ST_FULL;
	return buf_addv(&k->out, bytes);
}

static const struct ws_handlers handlers = {.on_message = on_message, .send = bytes_out};

/* Each connection's begins anew. */
static bool codec_open(struct bot_link *k)
{
	codec_enc_close(&k->enc);
	codec_dec_close(&k->dec);
	return !k->conf.codec ||
	       (!codec_enc_open(&k->enc, k->conf.codec, NULL) && !codec_dec_open(&k->dec, k->conf.codec, NULL));
}

static void opened(struct bot_link *k, int64_t now_us)
{
	struct media_port *p = k->conf.port;
	k->state = OPEN, k->was_up = true;
	k->code = 0; /* was HTTP's */
	k->heard_us = k->pinged_us = now_us;
	/* what was heard before is nobody's any more */
	atomic_store_explicit(
	    &p->out->read, atomic_load_explicit(&p->out->written, memory_order_acquire), memory_order_release);
	k->dropped_told = atomic_load_explicit(&p->dropped, memory_order_relaxed);
	note(k, BOT_UP, SV_NONE);
	if (k->conf.hello)
		bot_link_say(k, sv_of(k->conf.hello));
}

static void answered(struct bot_link *k, int64_t now_us)
{
	size_t used = 0;
	int st = ws_open_answered(buf_sv(&k->in), k->key, NULL, &used, &k->code);
	if (st == ST_AGAIN)
		return;
	if (!st)
		st = codec_open(k) ? ws_client_new(&k->ws, BOT_FRAME_MAX, &handlers, k) : ST_NOMEM;
	if (st) {
		char why[80];
		snprintf(why, sizeof(why),
		    k->code ? "the server answered %d in place of 101" : "what answered is no WebSocket server",
		    k->code);
		over(k, why);
		return;
	}
	opened(k, now_us);
	if (k->in.n > used && ws_feed(k->ws, k->in.p + used, k->in.n - used))
		over(k, "the server ended the connection");
	buf_fini(&k->in);
}

/* ---- bytes ---- */

/* After a read or a write: nothing more goes now, or ever. */
static bool is_turn_over(struct bot_link *k, int n, unsigned want)
{
	if (n == ST_AGAIN)
		k->wants |= want;
	else if (n < 0)
		over(k, n == ST_CLOSED ? "the server closed the connection" : dial_error(k->conn));
	return n < 0;
}

static void flush(struct bot_link *k)
{
	unsigned want = 0;
	while (k->out.n && !k->is_over) {
		int n = dial_write(k->conn, k->out.p, k->out.n, &want);
		if (is_turn_over(k, n, want))
			return;
		buf_drop(&k->out, (size_t)n);
	}
}

static bool may_read(const struct bot_link *k)
{
	return k->pending.n < PENDING_MAX_S * second_bytes(k);
}

static void fill(struct bot_link *k, int64_t now_us)
{
	char bytes[READ_BYTES];
	unsigned want = 0;
	for (int i = 0; i < READS_PER_TURN && may_read(k) && !k->is_over; i++) {
		int n = dial_read(k->conn, bytes, sizeof(bytes), &want);
		if (is_turn_over(k, n, want))
			return;
		k->heard_us = now_us;
		if (k->ws && ws_feed(k->ws, bytes, (size_t)n)) {
			over(k, k->state == CLOSING ? "closed" : "the server ended the connection");
		} else if (!k->ws) {
			if (buf_add(&k->in, bytes, (size_t)n))
				over(k, "out of memory");
			else
				answered(k, now_us);
		}
		if ((size_t)n < sizeof(bytes) && !k->is_over && !dial_has_more(k->conn))
			break; /* that was all: one call more would only say so */
	}
	k->wants = (k->wants & ~(unsigned)DIAL_READ) | (may_read(k) ? DIAL_READ : 0);
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
		if (k->out.n < OUT_MAX_BYTES)
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
		note(k, BOT_LOST, SV_NONE);
	k->is_lossy = is_lost || (k->is_lossy && k->out.n > OUT_MAX_BYTES / 2);
}

static void tick(struct bot_link *k, int64_t now_us)
{
	if (now_us - k->second_us >= 1000000)
		k->second_us = now_us, k->words_in_second = 0;
	if (k->state != OPEN)
		return;
	frames_out(k);
	pending_move(k);
	marks_look(k, false);
	int64_t ping_us = clock_us_of_s(k->conf.ping_s);
	if (!may_read(k))
		k->heard_us = now_us; /* it is we who do not listen */
	if (ping_us && now_us - k->heard_us > 2 * ping_us + 1000000) {
		over(k, "the server is silent");
	} else if (ping_us && now_us - k->pinged_us > ping_us) {
		k->pinged_us = now_us;
		(void)ws_ping(k->ws);
	}
}

/* ---- life ---- */

/* The next address. False: there is none left. */
static bool dial_next(struct bot_link *k, int64_t now_us)
{
	dial_close(k->conn);
	k->conn = NULL;
	k->state = CONNECTING;
	while (!k->conn && k->addr_now < k->conf.addr_count) {
		if (dial_open(&k->conn, NULL, &k->conf.addrs[k->addr_now++], k->conf.trust, k->conf.host,
		        k->conf.skips_verify))
			k->conn = NULL;
	}
	k->deadline_us = now_us + clock_us_of_s(k->conf.connect_s);
	k->wants = DIAL_WRITE;
	if (k->conn) /* a second or two of sound, not the megabytes that the kernel would take */
		(void)setsockopt(dial_fd(k->conn), SOL_SOCKET, SO_SNDBUF, &(int){SEND_BYTES}, sizeof(int));
	return k->conn != NULL;
}

static void connect_go(struct bot_link *k, int64_t now_us)
{
	unsigned want = DIAL_WRITE;
	int st = dial_step(k->conn, &want);
	k->wants = want;
	if (st == ST_AGAIN)
		return;
	if (st) {
		char why[DIAL_ERROR_MAX];
		snprintf(why, sizeof(why), "%s", dial_error(k->conn));
		if (!dial_next(k, now_us))
			over(k, why);
		return;
	}
	k->state = OPENING;
	ws_open_request(&k->out, k->conf.authority, k->conf.path, NULL, k->conf.headers, k->key);
}

int bot_link_new(struct bot_link **out, struct bot_link_conf *conf, int64_t now_us)
{
	struct bot_link *k = mem_zalloc(sizeof(*k));
	if (!k) {
		bot_link_conf_free(conf);
		return ST_NOMEM;
	}
	k->conf = *conf;
	buf_init(&k->in), buf_init(&k->out), buf_init(&k->pending);
	list_init(&k->marks), list_init(&k->notes);
	k->second_us = now_us;
	if (!dial_next(k, now_us))
		over(k, "no address can be reached");
	*out = k;
	return ST_OK;
}

void bot_link_free(struct bot_link *k)
{
	struct lnode *n, *tmp;
	if (!k)
		return;
	list_each (&k->marks, n, tmp)
		mem_free(list_entry(n, struct mark, link));
	list_each (&k->notes, n, tmp) {
		mem_free(list_entry(n, struct note, link)->report.text);
		mem_free(list_entry(n, struct note, link));
	}
	ws_free(k->ws);
	dial_close(k->conn);
	mem_unref(k->rate);
	codec_enc_close(&k->enc);
	codec_dec_close(&k->dec);
	buf_fini(&k->in), buf_fini(&k->out), buf_fini(&k->pending);
	bot_link_conf_free(&k->conf);
	mem_free(k);
}

int bot_link_fd(const struct bot_link *k)
{
	return k->conn ? dial_fd(k->conn) : -1;
}

bool bot_link_is_open(const struct bot_link *k)
{
	return k->state == OPEN && !k->is_over;
}

unsigned bot_link_dials(const struct bot_link *k)
{
	return k->addr_now;
}

unsigned bot_link_wants(const struct bot_link *k)
{
	return k->wants;
}

int bot_link_go(struct bot_link *k, int64_t now_us, bool is_tick)
{
	if (is_tick)
		tick(k, now_us);
	if (!k->is_over && k->state == CONNECTING)
		connect_go(k, now_us);
	if (!k->is_over && k->state != CONNECTING) {
		bool waits = k->wants & DIAL_WRITE, is_told = !is_tick || waits || dial_has_more(k->conn);
		k->wants = may_read(k) ? DIAL_READ : 0;
		flush(k);
		if (is_told && !k->is_over) { /* else epoll will say that there is something */
			fill(k, now_us);
			flush(k); /* answers, the words of a key */
		}
	}
	if (!k->is_over && k->state != OPEN && now_us > k->deadline_us &&
	    (k->state != CONNECTING || !dial_next(k, now_us)))
		over(k, k->state == CLOSING ? "closed" : "the server does not answer");
	return k->is_over ? ST_CLOSED : ST_OK;
}

void bot_link_say(struct bot_link *k, struct sv text)
{
	if (k->state == OPEN && k->ws && k->out.n < 2 * OUT_MAX_BYTES && text.n)
		(void)ws_send_text(k->ws, text);
}

void bot_link_close(struct bot_link *k, struct sv last, int64_t now_us)
{
	if (k->state != OPEN) {
		over(k, "closed");
		return;
	}
	bot_link_say(k, last);
	k->state = CLOSING;
	k->deadline_us = now_us + CLOSE_US;
	ws_close(k->ws, 1000, "");
	k->wants |= DIAL_WRITE;
}

const char *bot_link_why(const struct bot_link *k, int *code, bool *was_up)
{
	*code = k->code, *was_up = k->was_up;
	return k->why;
}

bool bot_link_reports(struct bot_link *k, bool (*fn)(const struct bot_report *r))
{
	struct lnode *n, *tmp;
	list_each (&k->notes, n, tmp) {
		struct note *o = list_entry(n, struct note, link);
		if (!fn(&o->report))
			return false;
		list_remove(n);
		mem_free(o);
		k->note_count--;
	}
	return true;
}
