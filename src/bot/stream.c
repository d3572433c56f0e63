/* What a leg has of these: a stream by name, each with a port on its sound and, most of the time, a connection. A
 * connection that breaks is made again after a pause that grows, as long as the call lasts and nobody stopped it; what
 * the program is told and what listeners are told are the same words. When the leg goes, the connection says goodbye
 * and is forgotten when the thread has let it go. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "bot/stream_i.h"
#include "core/keys/dtmf.h"
#include "core/leg/part.h"
#include "core/sound/media.h"
#include "loop/loop.h"
#include "media/rt/port.h"
#include "net/dns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OUT_MS = 1000, IN_MS = 2000, RETRY_FIRST_S = 1, RETRY_MAX_S = 15, DNS_US = 5000000, STREAMS_A_LEG = 4 };
#define DEFAULT_NAME "audio"

struct bots_of_leg {
	struct list list; /* zero: none yet */
	unsigned count;
};
static struct hash *bots; /* by id */
static uint64_t next_id;

static ON_CTL void connect_begin(struct bot *b);

static struct sv key_of(const uint64_t *id)
{
	return (struct sv){(const char *)id, sizeof(*id)};
}

/* ---- life of a stream ---- */

static ON_CTL void bot_free(struct bot *b)
{
	dns_cancel(b->ask);
	loop_timer_cancel(&b->retry);
	if (bots)
		(void)hash_take(bots, key_of(&b->id));
	if (b->leg)
		list_remove(&b->link);
	mem_free(b->name);
	bot_way_fini(&b->way);
	mem_unref(b->trust);
	mem_free(b->hello);
	mem_unref(b->port);
	mem_free(b);
}

static ON_CTL struct bots_of_leg *part_of(const struct leg *leg)
{
	struct bots_of_leg *p = leg_part_of(leg, &bot_part);
	if (!p->list.head.next)
		list_init(&p->list);
	return p;
}

static ON_CTL bool has_connection(const struct bot *b)
{
	return b->state == BOT_CONNECTING || b->state == BOT_OPEN;
}

/* Off its leg; it goes when its connection has gone. */
static ON_CTL void leave(struct bot *b, struct sv last)
{
	struct mstream *s = leg_media_stream(b->leg);
	if (s)
		(void)mstream_tap_stop(s, b->tap_id);
	bool is_connected = has_connection(b);
	if (b->state == BOT_OPEN)
		bot_tell_status(b, "disconnect", "disconnected", 1000, "stopped");
	part_of(b->leg)->count--;
	list_remove(&b->link);
	b->leg = NULL;
	b->state = BOT_STOPPING;
	if (!is_connected || bot_thread_close(b->id, last))
		bot_free(b);
}

static void retry_due(void *arg)
{
	role_assert_ctl();
	connect_begin(arg);
}

/* Again, or not at all. */
static ON_CTL void broke(struct bot *b, const char *why, int code, bool was_up)
{
	uint32_t most = (uint32_t)atoi(bot_param("reconnect-max")), pause_s = RETRY_MAX_S;
	bool is_fork = b->events && !strcmp(b->events, "mod_audio_fork");
	if (b->ear)
		b->ear->state(b->ear_arg, false, why);
	if (was_up)
		bot_tell_status(b, "disconnect", "disconnected", code, why), b->tries = 0;
	else
		bot_tell_status(b, is_fork ? "connect_failed" : "error", "error", code, why);
	leg_log(b->leg, LOG_NOTICE, "audio stream %s to %s:%u: %s", b->name, b->way.host, b->way.port, why);
	atomic_store(&b->port->is_paused, true);
	if (!b->way.goes_on || (most && b->tries >= most)) {
		b->state = BOT_WAITING;
		leave(b, SV_NONE);
		return;
	}
	if (b->tries < 4)
		pause_s = RETRY_FIRST_S << b->tries;
	b->tries++;
	b->state = BOT_WAITING;
	loop_timer_set(&b->retry, clock_us_of_s(pause_s), "audio stream again", retry_due, b);
}

/* ---- connecting ---- */

static ON_CTL void connect_to(struct bot *b, const struct dns_answer *a)
{
	struct bot_link_conf c = {.frame_ms = b->way.frame_ms,
	    .ping_s = b->way.ping_s,
	    .connect_s = (uint32_t)atoi(bot_param("connect-timeout")),
	    .skips = b->way.skips,
	    .skips_binary = b->skips_binary,
	    .binary_rate_hz = b->binary_rate_hz};
	char name[160];
	if (a->status) {
		snprintf(name, sizeof(name), "%.100s: %s", b->way.host, status_text(a->status));
		broke(b, name, 0, false);
		return;
	}
	(void)hash_take(bots, key_of(&b->id));
	b->id = c.id = ++next_id; /* what is under way to the one before is for nobody */
	for (size_t i = 0; i < a->count && c.addr_count < BOT_ADDRS_MAX; i++) {
		c.addrs[c.addr_count] = a->records[i].addr;
		addr_set_port(&c.addrs[c.addr_count++], b->way.port);
	}
	bool is_default = b->way.port == (b->way.is_tls ? 443 : 80);
	snprintf(name, sizeof(name), is_default ? "%.120s" : "%.120s:%u", b->way.host, b->way.port);
	c.host = mem_strdup(b->way.host), c.authority = mem_strdup(name), c.path = mem_strdup(b->way.path);
	c.headers = b->way.headers ? mem_strdup(b->way.headers) : NULL,
	c.hello = b->hello ? mem_strdup(b->hello) : NULL;
	c.port = mem_ref(b->port), c.codec = b->way.codec;
	if (b->way.is_tls)
		(void)bot_trust(b->trust, &c.trust);
	b->state = BOT_CONNECTING;
	if (!c.host || !c.authority || !c.path || hash_set(bots, key_of(&b->id), b) || bot_thread_open(&c)) {
		bot_link_conf_free(&c);
		broke(b, "the thread of audio streams is busy", 0, false);
	}
}

static void on_address(const struct dns_answer *a, void *arg)
{
	struct bot *b = arg;
	role_assert_ctl();
	b->ask = NULL;
	connect_to(b, a);
}

static void connect_begin(struct bot *b)
{
	struct dns_answer a;
	b->state = BOT_RESOLVING;
	int trusts = b->way.is_tls ? bot_trust(b->trust, NULL) : ST_OK;
	if (trusts == ST_AGAIN)
		return; /* on_trust goes on */
	if (trusts) {
		broke(b,
		    b->trust ? "STREAM_TLS_CA_FILE, STREAM_TLS_CERT_FILE or STREAM_TLS_KEY_FILE cannot be read"
		             : "the authorities (tls-ca-file) cannot be read",
		    0, false);
		return;
	}
	if (dns_ask(&b->ask, DNS_ADDRESS, sv_of(b->way.host), NULL, DNS_US, &a, on_address, b) != ST_AGAIN) {
		b->ask = NULL;
		connect_to(b, &a);
	}
}

/* ---- what the thread says ---- */

static ON_CTL void digits(struct bot *b, const char *keys)
{
	if (b->leg && !b->ear && leg_dtmf_send(b->leg, keys))
		leg_log(b->leg, LOG_NOTICE, "audio stream %s: keys \"%s\" cannot be sent", b->name, keys);
}

static void on_report(const struct bot_report *r)
{
	role_assert_ctl();
	struct bot *b = bots ? hash_get(bots, key_of(&r->id)) : NULL;
	const char *text = r->text ? r->text : "";
	if (b && !b->leg) {
		if (r->kind == BOT_DOWN)
			bot_free(b);
	} else if (b) {
		switch (r->kind) {
		case BOT_UP:
			b->state = BOT_OPEN;
			atomic_store(&b->port->is_paused, b->is_paused);
			bot_tell_status(b, "connect", "connected", 0, NULL);
			if (b->ear)
				b->ear->state(b->ear_arg, true, NULL);
			break;
		case BOT_WORDS:
			if (b->ear)
				b->ear->words(b->ear_arg, sv_of(text));
			bot_tell(b, "json", sv_of(text));
			break;
		case BOT_DIGITS:
			digits(b, text);
			break;
		case BOT_LOST:
			leg_log(b->leg, LOG_WARNING, "audio stream %s: the program does not read, sound is dropped",
			    b->name);
			bot_tell_status(b, "error", "error", 0, "the program does not read, sound is dropped");
			break;
		case BOT_DOWN:
			broke(b, *text ? text : "out of memory", r->number, r->was_up);
			break;
		}
	}
	mem_free(r->text);
}

/* ---- what is asked for ---- */

/* name NULL: any that is the commands' own. */
static ON_CTL struct bot *find(struct leg *leg, const char *name)
{
	struct lnode *n, *tmp;
	list_each (&part_of(leg)->list, n, tmp) {
		struct bot *b = list_entry(n, struct bot, link);
		if (name ? !strcmp(b->name, name) : !b->ear)
			return b;
	}
	return NULL;
}

int bot_start(struct leg *leg, const struct bot_start *s, const char **why)
{
	const char *name = s->name ? s->name : DEFAULT_NAME;
	struct mstream *stream = leg_media_stream(leg);
	struct media_port_conf conf = {.rate_hz = s->rate_hz,
	    .hears_read = true,
	    .hears_write = s->hears_write,
	    .is_stereo = s->is_stereo,
	    .speaks = s->speaks,
	    .out_ms = OUT_MS,
	    .in_ms = IN_MS};
	int st = ST_INVAL;
	if (!bots) {
		*why = "mod_audio_stream is not loaded";
		return ST_CLOSED;
	}
	*why = "out of memory";
	if (strlen(name) > BOT_NAME_MAX || find(leg, name) || part_of(leg)->count >= STREAMS_A_LEG ||
	    hash_count(bots) >= BOT_LINKS_MAX) {
		*why = find(leg, name) ? "a stream of this name runs already"
		                       : "there are too many streams, or the name is too long";
		return ST_EXISTS;
	}
	if (!stream || !leg_media_is_ready(leg)) {
		*why = "the channel has no sound yet: answer it first";
		return ST_INVAL;
	}
	struct bot *b = mem_zalloc(sizeof(*b));
	if (!b)
		return ST_NOMEM;
	b->leg = leg, b->events = s->events, b->id = ++next_id;
	b->ear = s->ear, b->ear_arg = s->ear_arg;
	b->skips_binary = s->skips_binary, b->binary_rate_hz = s->binary_rate_hz;
	list_push(&part_of(leg)->list, &b->link);
	part_of(leg)->count++;
	b->name = mem_strdup(name);
	b->hello = s->hello && *s->hello ? mem_strdup(s->hello) : NULL;
	if (!bot_way_read(&b->way, leg, s, why) && b->name && !(st = media_port_new(&b->port, &conf))) {
		atomic_store(&b->port->is_paused, true); /* until somebody listens */
		st = mstream_port(stream, b->port, &b->tap_id);
		*why = "the channel's codec cannot be decoded";
	}
	bool has_files = b->way.is_tls && (b->way.ca || b->way.cert);
	if (!st && has_files && !(b->trust = bot_trust_new(&b->way)))
		st = ST_NOMEM, *why = "no worker reads its certificates";
	if (!st)
		st = hash_set(bots, key_of(&b->id), b);
	if (st) {
		if (b->tap_id)
			(void)mstream_tap_stop(stream, b->tap_id);
		part_of(leg)->count--;
		bot_free(b);
		return st;
	}
	connect_begin(b);
	return ST_OK;
}

int bot_stop(struct leg *leg, const char *name, const char *last)
{
	struct bot *b = find(leg, name);
	if (b)
		leave(b, last ? sv_of(last) : SV_NONE);
	return b ? ST_OK : ST_NOTFOUND;
}

int bot_say(struct leg *leg, const char *name, const char *text)
{
	struct bot *b = find(leg, name);
	if (!b)
		return ST_NOTFOUND;
	return b->state == BOT_OPEN ? bot_thread_say(b->id, sv_of(text)) : ST_CLOSED;
}

int bot_clear(struct leg *leg, const char *name)
{
	struct bot *b = find(leg, name);
	if (!b)
		return ST_NOTFOUND;
	return b->state == BOT_OPEN ? bot_thread_clear(b->id) : ST_CLOSED;
}

int bot_pause(struct leg *leg, const char *name, bool is_paused)
{
	struct bot *b = find(leg, name);
	if (!b)
		return ST_NOTFOUND;
	b->is_paused = is_paused;
	if (b->state == BOT_OPEN)
		atomic_store(&b->port->is_paused, is_paused);
	return ST_OK;
}

void bot_list(struct buf *out)
{
	static const char *const states[] = {"resolving", "connecting", "open", "waiting", "stopping"};
	struct hash_it it = {0};
	buf_adds(out, "uuid,name,state,host,port,rate,dropped\n");
	while (bots && hash_next(bots, &it)) {
		const struct bot *b = it.value;
		buf_printf(out, "%s,%s,%s,%s,%u,%u,%llu\n", b->leg ? b->leg->uuid : "", b->name, states[b->state],
		    b->way.host, b->way.port, (unsigned)b->port->conf.rate_hz,
		    (unsigned long long)atomic_load(&b->port->dropped));
	}
}

/* ---- the leg ---- */

static void part_digit(struct leg *leg, char digit)
{
	struct lnode *n, *tmp;
	char text[48];
	role_assert_ctl();
	if (!part_of(leg)->count)
		return;
	snprintf(text, sizeof(text), "{\"type\":\"dtmf\",\"digit\":\"%c\"}", digit);
	list_each (&part_of(leg)->list, n, tmp) {
		struct bot *b = list_entry(n, struct bot, link);
		if (has_connection(b)) /* its thread knows whether it is open */
			(void)bot_thread_say(b->id, sv_of(text));
	}
}

static void part_close(struct leg *leg)
{
	struct lnode *n;
	role_assert_ctl();
	while ((n = list_first(&part_of(leg)->list)))
		leave(list_entry(n, struct bot, link), SV("{\"type\":\"hangup\"}"));
}

struct leg_part bot_part = {
    .name = "bot", .bytes = sizeof(struct bots_of_leg), .on_digit = part_digit, .on_close = part_close};

/* ---- all of them ---- */

/* Those that waited for the authorities go on. */
static void on_trust(void)
{
	role_assert_ctl();
	for (bool is_more = true; is_more;) { /* each may leave the table */
		struct hash_it it = {0};
		is_more = false;
		while (bots && hash_next(bots, &it)) {
			struct bot *b = it.value;
			if (b->leg && b->state == BOT_RESOLVING && b->way.is_tls && !b->ask &&
			    bot_trust(b->trust, NULL) != ST_AGAIN) {
				connect_begin(b);
				is_more = true;
				break;
			}
		}
	}
}

int bot_streams_start(void)
{
	int st = hash_new(&bots, 0, NULL);
	if (!st)
		st = bot_thread_start(on_report);
	if (!st)
		bot_trust_start(on_trust);
	return st;
}

int bot_streams_stop(void)
{
	struct hash_it it = {0};
	while (hash_next(bots, &it))
		if (((struct bot *)it.value)->leg)
			return ST_BUSY;
	bot_thread_stop();
	it = (struct hash_it){0};
	while (hash_next(bots, &it)) {
		bot_free(it.value);
		it = (struct hash_it){0};
	}
	hash_free(bots);
	bots = NULL;
	bot_trust_stop();
	return ST_OK;
}
