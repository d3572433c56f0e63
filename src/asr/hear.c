/* A leg that is listened to: its sound comes through a port's ring, 60 ms at a time; a voice detector finds where
 * speech begins and ends; the utterance, with what came 300 ms before, is the engine's to recognise (asr_i.h). After a
 * result, or silence for too long, it waits to be resumed. Everything is bounded: the ring, the utterance, the time of
 * the engine; an engine that never answers costs its call one timeout. */
#include "asr/asr_i.h"
#include "base/clock.h"
#include "base/mem.h"
#include "core/leg/leg.h"
#include "core/run/exec.h"
#include "core/sound/media.h"
#include "core/sound/tap.h"
#include "media/rt/port.h"
#include "media/rt/rt.h"

#include <string.h>
#include <strings.h>

enum { TICK_US = 60000, RING_MS = 2000, BEFORE_MS = 300, BLOCK_MS = 10, BLOCK_MAX = 480, GRAMMAR_MAX = 200 };
struct asr_of_leg {
	struct hearing *h;
};

static struct asr_of_leg *of(struct leg *leg)
{
	return leg_part_of(leg, &asr_part);
}

int64_t asr_param_number(const char *name, int64_t low, int64_t high, int64_t otherwise)
{
	int64_t n = str_number(asr_param(name), low, high);
	return n >= low && n <= high ? n : otherwise;
}

void asr_conf_default(struct asr_conf *c)
{
	*c = (struct asr_conf){.no_input_ms = (uint32_t)asr_param_number("no-input-timeout", 0, ASR_MS_MAX, 5000),
	    .speech_ms = (uint32_t)asr_param_number("recognition-timeout", 500, 60000, 20000)};
}

bool asr_conf_set(struct asr_conf *c, const char *name, const char *value)
{
	int64_t n = str_number(value, -1, ASR_MS_MAX);
	if (!strcasecmp(name, "start-input-timers"))
		c->waits_for_timers = !str_is_true(value);
	else if (!strcasecmp(name, "no-input-timeout") && n >= 0 && n <= ASR_MS_MAX)
		c->no_input_ms = (uint32_t)n;
	else if ((!strcasecmp(name, "recognition-timeout") || !strcasecmp(name, "speech-timeout")) && n >= 500 &&
	         n <= 60000)
		c->speech_ms = (uint32_t)n;
	else
		return false;
	return true;
}

/* ---- the utterance ---- */

void asr_begin_speaking(struct hearing *h)
{
	if (h->is_speaking)
		return;
	h->is_speaking = true;
	h->spoken = 0;
	asr_fire(h->leg, "begin-speaking", NULL, SV_NONE);
	leg_wake(h->leg);
}

static ON_CTL void ask(struct hearing *h)
{
	h->is_speaking = false, h->is_paused = h->is_asked = true;
	h->asked_us = clock_mono_us();
	int st = h->engine->ask(h);
	buf_clear(&h->speech);
	if (st) {
		leg_log(h->leg, LOG_ERR, "speech engine: %s", status_text(st));
		asr_over(h, "006", SV_NONE);
	}
}

static ON_CTL void block_heard(struct hearing *h, const int16_t *pcm, size_t n)
{
	size_t before = (size_t)h->rate_hz * BEFORE_MS / 1000 * sizeof(*pcm),
	       most = (size_t)((uint64_t)h->rate_hz * h->conf.speech_ms / 1000);
	bool has_changed = vad_feed(&h->vad, pcm, n);
	if (!h->engine->is_streamed && buf_add(&h->speech, pcm, n * sizeof(*pcm)))
		return;
	if (has_changed && h->vad.is_talking)
		asr_begin_speaking(h);
	h->spoken += n;
	if (h->is_speaking && ((has_changed && !h->vad.is_talking) || h->spoken >= most))
		ask(h);
	else if (!h->is_speaking && h->speech.n > before)
		buf_drop(&h->speech, h->speech.n - before);
}

static ON_CTL void times_look(struct hearing *h)
{
	int64_t now_us = clock_mono_us();
	if (!h->is_paused && !h->is_speaking && h->since_us && h->conf.no_input_ms &&
	    now_us - h->since_us >= clock_us_of_ms(h->conf.no_input_ms)) {
		asr_over(h, "002", SV_NONE); /* no-input-timeout */
	} else if (h->is_asked && h->engine->is_timed &&
	           now_us - h->asked_us >= clock_us_of_ms(asr_param_number("timeout", 100, ASR_MS_MAX, 10000))) {
		leg_log(h->leg, LOG_ERR, "speech engine: no answer in time");
		h->engine->cancel(h);
		asr_over(h, "006", SV_NONE);
	}
}

static ON_CTL void ring_read(struct hearing *h, struct rt_ring *r)
{
	int16_t block[BLOCK_MAX];
	size_t n = h->rate_hz * BLOCK_MS / 1000;
	uint64_t at = atomic_load_explicit(&r->read, memory_order_relaxed),
	         written = atomic_load_explicit(&r->written, memory_order_acquire);
	for (; written - at >= n * sizeof(*block); at += n * sizeof(*block)) {
		rt_ring_copy(r, at, block, n * sizeof(*block));
		if (!h->is_paused)
			block_heard(h, block, n);
	}
	atomic_store_explicit(&r->read, at, memory_order_release);
}

static void tick(void *arg)
{
	role_assert_ctl();
	struct hearing *h = arg;
	if (h->port)
		ring_read(h, h->port->out);
	times_look(h);
	loop_timer_set(&h->timer, TICK_US, "asr.tick", tick, h);
}

/* ---- its life ---- */

static ON_CTL void port_close(struct hearing *h)
{
	if (h->tap_id && leg_media_stream(h->leg))
		(void)mstream_tap_stop(leg_media_stream(h->leg), h->tap_id);
	h->tap_id = 0;
	h->port = mem_unref(h->port);
}

/* Nothing where it is open. */
static ON_CTL int port_open(struct hearing *h)
{
	struct media_port_conf conf = {.rate_hz = h->rate_hz, .hears_read = true, .out_ms = RING_MS};
	struct mstream *s = leg_media_stream(h->leg);
	if (h->port)
		return ST_OK;
	int st = s ? media_port_new(&h->port, &conf) : ST_UNSUPPORTED;
	if (!st)
		st = mstream_port(s, h->port, &h->tap_id);
	if (st)
		port_close(h);
	return st;
}

static ON_CTL void hearing_free(struct hearing *h)
{
	loop_timer_cancel(&h->timer);
	if (h->is_asked)
		h->engine->cancel(h);
	if (h->engine->close)
		h->engine->close(h);
	port_close(h);
	of(h->leg)->h = NULL;
	buf_fini(&h->speech);
	mem_free(h->grammar);
	mem_free(h);
}

static ON_CTL void begin_anew(struct hearing *h)
{
	vad_init(&h->vad, h->rate_hz);
	buf_clear(&h->speech);
	if (h->is_asked)
		h->engine->cancel(h);
	h->is_asked = h->is_paused = h->is_done = h->is_speaking = false;
	h->since_us = h->conf.waits_for_timers ? 0 : clock_mono_us();
}

/* Printable ASCII only: it goes into a header. */
static char *grammar_dup(const char *text)
{
	struct buf b;
	buf_init(&b);
	for (; text && *text && b.n < GRAMMAR_MAX; text++)
		buf_addc(&b, *text >= ' ' && *text <= '~' ? *text : '?');
	buf_adds(&b, "");
	return buf_take(&b);
}

static ON_CTL const struct asr_engine *engine_find(
    const char *name, uint32_t *rate_hz, const struct recogniser **recogniser)
{
	static const struct asr_engine *const engines[] = {&asr_http, &asr_ws, &asr_worker};
	for (size_t i = 0; i < sizeof(engines) / sizeof(engines[0]); i++)
		if ((*rate_hz = engines[i]->rate_hz(name, recogniser)))
			return engines[i];
	return NULL;
}

static ON_CTL int hearing_new(struct leg *leg, const struct asr_engine *e, const struct recogniser *r, uint32_t rate_hz,
    const struct asr_conf *conf)
{
	if (!leg_media_stream(leg) || !leg_media_is_ready(leg))
		return ST_UNSUPPORTED;
	struct hearing *h = mem_zalloc(sizeof(*h));
	if (!h)
		return ST_NOMEM;
	h->leg = leg, h->conf = *conf, h->conf.grammar = NULL;
	h->engine = e, h->recogniser = r, h->rate_hz = rate_hz;
	buf_init(&h->speech);
	h->grammar = grammar_dup(conf->grammar);
	of(leg)->h = h;
	int st = h->grammar ? port_open(h) : ST_NOMEM;
	if (!st && h->engine->open)
		st = h->engine->open(h);
	if (st) {
		hearing_free(h);
		return st;
	}
	begin_anew(h);
	leg_var_set(leg, "detect_speech_result", NULL);
	loop_timer_set(&h->timer, TICK_US, "asr.tick", tick, h);
	return ST_OK;
}

/* Another grammar, and what was heard before is over. */
static ON_CTL int hearing_again(struct hearing *h, const struct asr_conf *conf)
{
	char *grammar = grammar_dup(conf->grammar);
	if (!grammar)
		return ST_NOMEM;
	mem_free(h->grammar);
	h->grammar = grammar;
	h->conf = *conf, h->conf.grammar = NULL;
	h->has_result = false;
	leg_var_set(h->leg, "detect_speech_result", NULL);
	return asr_pause(h->leg, false);
}

int asr_start(struct leg *leg, const char *engine, const struct asr_conf *conf)
{
	const struct recogniser *r = NULL;
	uint32_t rate_hz = 0;
	const struct asr_engine *e = engine_find(engine, &rate_hz, &r);
	struct hearing *h = of(leg)->h;
	if (!e)
		return ST_INVAL;
	if (h && h->engine == e && h->recogniser == r)
		return hearing_again(h, conf);
	if (h)
		(void)asr_stop(leg);
	return hearing_new(leg, e, r, rate_hz, conf);
}

int asr_init(struct leg *leg, const char *engine)
{
	struct asr_conf conf;
	asr_conf_default(&conf);
	conf.no_input_ms = 0;
	int st = of(leg)->h ? ST_EXISTS : asr_start(leg, engine, &conf);
	if (!st)
		of(leg)->h->is_initial = true;
	return st == ST_EXISTS ? ST_OK : st ? st : asr_pause(leg, true);
}

int asr_stop(struct leg *leg)
{
	struct hearing *h = of(leg)->h;
	if (!h)
		return ST_NOTFOUND;
	hearing_free(h);
	asr_fire(leg, "closed", NULL, SV_NONE);
	leg_wake(leg);
	return ST_OK;
}

int asr_pause(struct leg *leg, bool is_paused)
{
	struct hearing *h = of(leg)->h;
	if (!h)
		return ST_NOTFOUND;
	if (is_paused) {
		h->is_paused = true;
		port_close(h); /* nothing is decoded meanwhile */
		if (h->engine->rest)
			h->engine->rest(h);
		return ST_OK;
	}
	int st = port_open(h);
	if (st)
		return st;
	h->is_initial = false;
	begin_anew(h);
	if (h->engine->listen)
		h->engine->listen(h);
	return ST_OK;
}

int asr_timers_start(struct leg *leg)
{
	struct hearing *h = of(leg)->h;
	if (h && !h->is_paused && !h->since_us)
		h->since_us = clock_mono_us();
	return h ? ST_OK : ST_NOTFOUND;
}

int asr_param_set(struct leg *leg, const char *name, const char *value)
{
	struct hearing *h = of(leg)->h;
	if (!h)
		return ST_NOTFOUND;
	return asr_conf_set(&h->conf, name, value) ? ST_OK : ST_PARSE;
}

int asr_grammar_set(struct leg *leg, const char *name)
{
	struct hearing *h = of(leg)->h;
	char *grammar = h ? grammar_dup(name) : NULL;
	if (!grammar)
		return h ? ST_NOMEM : ST_NOTFOUND;
	mem_free(h->grammar);
	h->grammar = grammar;
	return h->is_initial && *grammar ? asr_pause(leg, false) : ST_OK;
}

bool asr_is_speaking(struct leg *leg)
{
	const struct hearing *h = of(leg)->h;
	return h && (h->is_speaking || h->is_asked || h->has_result);
}

bool asr_is_done(struct leg *leg)
{
	const struct hearing *h = of(leg)->h;
	return !h || h->has_result;
}

static void part_close(struct leg *leg)
{
	role_assert_ctl();
	if (of(leg)->h)
		(void)asr_stop(leg);
}

struct leg_part asr_part = {.name = "asr", .bytes = sizeof(struct asr_of_leg), .on_close = part_close};
