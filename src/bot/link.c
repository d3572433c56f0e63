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
#include "base/mem.h"
#include "bot/link_i.h"
#include "media/rt/port.h"
#include "media/rt/rt.h"
#include "net/ws.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum {
	READ_BYTES = 32 << 10,
	READ_CODED_BYTES = 1 << 10, /* three of them may be an eighth of a second of sound */
	READS_PER_TURN = 4,
	SEND_BYTES = 64 << 10,
	CLOSE_US = 2000000, /* for its goodbye */
	REPORTS_MAX = 512
};

struct note {
	struct lnode link;
	struct bot_report report;
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

void link_note(struct bot_link *k, enum bot_report_kind kind, struct sv text)
{
	struct note *n = k->note_count < REPORTS_MAX ? mem_zalloc(sizeof(*n)) : NULL;
	if (!n)
		return;
	n->report = (struct bot_report){.id = k->conf.id, .kind = kind, .text = text.n ? sv_dup(text) : NULL};
	list_push(&k->notes, &n->link);
	k->note_count++;
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
		link_clear(k);
	else if (!st && w.word == BOT_WORD_MARK)
		link_mark_put(k, w.name);
	else if (!st && w.word == BOT_WORD_SOUND)
		link_sound_in_at(k, buf_sv(&w.sound), w.rate_hz);
	else if (!st && w.word == BOT_WORD_DIGITS && w.name[0] && may_tell)
		link_note(k, BOT_DIGITS, sv_of(w.name));
	else if (!st && w.word == BOT_WORD_BYE)
		bot_link_close(k, SV_NONE, clock_mono_us());
	if (!is_sound && may_tell)
		link_note(k, BOT_WORDS, text);
	bot_words_fini(&w);
}

static void on_message(struct ws *w, bool is_text, struct sv message, void *arg)
{
	struct bot_link *k = arg;
	if (k->state != LINK_OPEN)
		return;
	if (is_text)
		text_in(k, message);
	else
		link_sound_in(k, message);
}

static int bytes_out(struct ws *w, struct sv bytes, void *arg)
{
	struct bot_link *k = arg;
	if (k->out.n > 4 * LINK_OUT_MAX_BYTES) /* answers that it asks for and does not read: the connection ends */
		return ST_FULL;
	return buf_addv(&k->out, bytes);
}

static const struct ws_handlers handlers = {.on_message = on_message, .send = bytes_out};

static void opened(struct bot_link *k, int64_t now_us)
{
	struct media_port *p = k->conf.port;
	k->state = LINK_OPEN, k->was_up = true;
	k->code = 0; /* was HTTP's */
	k->heard_us = k->pinged_us = now_us;
	/* what was heard before is nobody's any more */
	atomic_store_explicit(
	    &p->out->read, atomic_load_explicit(&p->out->written, memory_order_acquire), memory_order_release);
	k->dropped_told = atomic_load_explicit(&p->dropped, memory_order_relaxed);
	link_note(k, BOT_UP, SV_NONE);
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
		st = link_codec_open(k) ? ws_client_new(&k->ws, BOT_FRAME_MAX, &handlers, k) : ST_NOMEM;
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

static void fill(struct bot_link *k, int64_t now_us)
{
	char bytes[READ_BYTES];
	size_t most = k->conf.codec ? READ_CODED_BYTES : sizeof(bytes);
	unsigned want = 0;
	for (int i = 0; i < READS_PER_TURN && link_may_read(k) && !k->is_over; i++) {
		int n = dial_read(k->conn, bytes, most, &want);
		if (is_turn_over(k, n, want))
			return;
		k->heard_us = now_us;
		if (k->ws && ws_feed(k->ws, bytes, (size_t)n)) {
			over(k, k->state == LINK_CLOSING ? "closed" : "the server ended the connection");
		} else if (!k->ws) {
			if (buf_add(&k->in, bytes, (size_t)n))
				over(k, "out of memory");
			else
				answered(k, now_us);
		}
		if ((size_t)n < most && !k->is_over && !dial_has_more(k->conn))
			break; /* that was all: one call more would only say so */
	}
	k->wants = (k->wants & ~(unsigned)DIAL_READ) | (link_may_read(k) ? DIAL_READ : 0);
}

static void tick(struct bot_link *k, int64_t now_us)
{
	if (now_us - k->second_us >= 1000000)
		k->second_us = now_us, k->words_in_second = 0;
	if (k->state != LINK_OPEN)
		return;
	link_sound_tick(k);
	int64_t ping_us = clock_us_of_s(k->conf.ping_s);
	if (!link_may_read(k))
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
	k->state = LINK_CONNECTING;
	while (!k->conn && k->addr_now < k->conf.addr_count) {
		if (dial_open(
		        &k->conn, NULL, &k->conf.addrs[k->addr_now++], k->conf.trust, k->conf.host, k->conf.skips))
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
	k->state = LINK_OPENING;
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
	list_each (&k->notes, n, tmp) {
		mem_free(list_entry(n, struct note, link)->report.text);
		mem_free(list_entry(n, struct note, link));
	}
	ws_free(k->ws);
	dial_close(k->conn);
	link_sound_fini(k);
	buf_fini(&k->in), buf_fini(&k->out);
	bot_link_conf_free(&k->conf);
	mem_free(k);
}

int bot_link_fd(const struct bot_link *k)
{
	return k->conn ? dial_fd(k->conn) : -1;
}

bool bot_link_is_open(const struct bot_link *k)
{
	return k->state == LINK_OPEN && !k->is_over;
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
	if (!k->is_over && k->state == LINK_CONNECTING)
		connect_go(k, now_us);
	if (!k->is_over && k->state != LINK_CONNECTING) {
		bool waits = k->wants & DIAL_WRITE, is_told = !is_tick || waits || dial_has_more(k->conn);
		k->wants = link_may_read(k) ? DIAL_READ : 0;
		flush(k);
		if (is_told && !k->is_over) { /* else epoll will say that there is something */
			fill(k, now_us);
			flush(k); /* answers, the words of a key */
		}
	}
	if (!k->is_over && k->state != LINK_OPEN && now_us > k->deadline_us &&
	    (k->state != LINK_CONNECTING || !dial_next(k, now_us)))
		over(k, k->state == LINK_CLOSING ? "closed" : "the server does not answer");
	return k->is_over ? ST_CLOSED : ST_OK;
}

void bot_link_say(struct bot_link *k, struct sv text)
{
	if (k->state == LINK_OPEN && k->ws && k->out.n < 2 * LINK_OUT_MAX_BYTES && text.n)
		(void)ws_send_text(k->ws, text);
}

void bot_link_clear(struct bot_link *k)
{
	if (k->state == LINK_OPEN)
		link_clear(k);
}

void bot_link_close(struct bot_link *k, struct sv last, int64_t now_us)
{
	if (k->state != LINK_OPEN) {
		over(k, "closed");
		return;
	}
	bot_link_say(k, last);
	k->state = LINK_CLOSING;
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
