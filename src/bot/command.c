/* uuid_audio_stream and uuid_audio_fork, as programs for mod_audio_stream and mod_audio_fork call them; audio_streams
 * lists what runs. A server that text from outside names is refused; it may be a segment or a value of the address, and
 * part of a string of the JSON that is said. */
#include "base/mem.h"
#include "bot/bot_i.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "text/mark.h"
#include "text/words.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { WORDS_MAX = 12 };
struct words {
	char *text, *block;
	char *m[WORDS_MAX], *w[WORDS_MAX]; /* with marks, without; "" behind the last */
	int n;
};

static int words_init(struct words *w, const struct api_call *c, int max)
{
	static char nothing[] = "";
	*w = (struct words){.text = mem_strdup(c->text)};
	if (!w->text)
		return ST_NOMEM;
	w->n = words_split(w->text, ' ', w->m, max);
	int st = mark_strip_words(w->m, w->w, w->n, &w->block);
	for (int i = st ? 0 : w->n; i < WORDS_MAX; i++)
		w->w[i] = w->m[i] = nothing;
	return st;
}

static void words_fini(struct words *w)
{
	mem_free(w->text);
	mem_free(w->block);
}

/* "8k", "16k", "16000": the multiples of 8000 that the modules take, and 12000 of Opus; 0: none. */
static uint32_t rate_of(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);
	if (end != text && !strcasecmp(end, "k"))
		n *= 1000;
	else if (*end)
		n = 0;
	return n == 8000 || n == 12000 || n == 16000 || n == 24000 || n == 32000 || n == 40000 || n == 48000 ||
	               n == 56000 || n == 64000
	           ? (uint32_t)n
	           : 0;
}

static ON_CTL bool mix_read(const char *text, struct bot_start *s)
{
	s->hears_write = strcasecmp(text, "mono") != 0;
	s->is_stereo = !strcasecmp(text, "stereo");
	return !s->hears_write || s->is_stereo || !strcasecmp(text, "mixed");
}

static ON_CTL void done(struct api_call *c, int st, const char *why)
{
	if (!st)
		buf_adds(c->out, "+OK Success\n");
	else
		buf_printf(c->out, "-ERR Operation failed: %s\n", why ? why : status_text(st));
}

/* The connection of detect_speech stands among a leg's streams under its name (src/asr/engine_ws.c): no command's. */
static bool is_reserved(const char *name)
{
	return name && !strcmp(name, "detect_speech");
}

static ON_CTL void begin(struct api_call *c, struct leg *leg, const struct bot_start *s)
{
	const char *why = NULL;
	int st = bot_start(leg, s, &why);
	done(c, st, why);
}

/* What is said to a program: where it is JSON, what is from outside is part of its strings. To be freed. */
static char *said_dup(const char *marked)
{
	struct buf b;
	buf_init(&b);
	if (mark_strip_json(&b, sv_of(marked))) {
		buf_fini(&b);
		return NULL;
	}
	return b.p ? buf_take(&b) : mem_strdup("");
}

/* hello: the metadata's word, with marks, or NULL. */
static ON_CTL void start(
    struct api_call *c, struct leg *leg, const struct words *w, const char *hello, struct bot_start *s)
{
	char *said = hello ? said_dup(hello) : NULL;
	struct buf url;
	buf_init(&url);
	int st = mark_strip_url(&url, sv_of(w->m[2]));
	s->url = url.p ? url.p : "", s->hello = said;
	s->rate_hz = *w->w[4] ? rate_of(w->w[4]) : 8000;
	const char *playback = leg_var(leg, "STREAM_PLAYBACK");
	s->speaks = s->speaks && (!playback || str_is_true(playback));
	if (is_reserved(s->name))
		done(c, ST_EXISTS, "detect_speech is no name for a stream");
	else if (st == ST_DENIED)
		done(c, ST_DENIED, "a server named from outside is not called, and no other path of one");
	else if (!mix_read(w->w[3], s))
		done(c, ST_INVAL, "the mix is mono, mixed or stereo");
	else if (!s->rate_hz)
		done(c, ST_INVAL, "the rate is 8k, 16k, 24k, 32k, 48k or 64k");
	else if (st || (hello && !said))
		done(c, ST_NOMEM, NULL);
	else
		begin(c, leg, s);
	buf_fini(&url);
	mem_free(said);
}

static ON_CTL struct leg *leg_of(struct api_call *c, const struct words *w)
{
	struct leg *leg = *w->w[0] ? leg_find(w->w[0]) : NULL;
	if (!leg)
		buf_adds(c->out, "-ERR No such channel!\n");
	return leg;
}

/* What both have beyond start; marked: what is said, if anything. False: it is none of these. */
static ON_CTL bool others(struct api_call *c, struct leg *leg, const char *verb, const char *name, const char *marked)
{
	static const char none[] = "there is no such stream";
	char *text = said_dup(marked);
	bool is_one = true;
	int st = text ? ST_OK : ST_NOMEM;
	if (st || is_reserved(name))
		st = st ? st : ST_NOTFOUND;
	else if (!strcasecmp(verb, "stop") || !strcasecmp(verb, "graceful-shutdown"))
		st = bot_stop(leg, name, text);
	else if (!strcasecmp(verb, "stop_play"))
		st = bot_clear(leg, name);
	else if (!strcasecmp(verb, "pause") || !strcasecmp(verb, "resume"))
		st = bot_pause(leg, name, !strcasecmp(verb, "pause"));
	else if (!strcasecmp(verb, "send_text"))
		st = bot_say(leg, name, text);
	else
		is_one = false;
	if (is_one)
		done(c, st, st == ST_NOTFOUND ? none : st == ST_CLOSED ? "it is not connected" : NULL);
	mem_free(text);
	return is_one;
}

int api_audio_stream(struct api_call *c)
{
	static const char usage[] = "-USAGE: <uuid> [start | stop | pause | resume | send_text | graceful-shutdown] "
	                            "[wss-url | text] [mono | mixed | stereo] [8k | 16k | 24k] [metadata]\n";
	struct words w = {0}, tail = {0};
	role_assert_ctl();
	int st = words_init(&w, c, 6);
	if (!st)
		st = words_init(&tail, c, 3);
	struct leg *leg = st || w.n < 2 ? NULL : leg_of(c, &w);
	if (st || w.n < 2) {
		buf_adds(c->out, usage);
	} else if (leg && !strcasecmp(w.w[1], "start") && w.n >= 4) {
		struct bot_start s = {.speaks = true, .events = "mod_audio_stream"};
		start(c, leg, &w, w.m[5], &s);
	} else if (leg && !others(c, leg, w.w[1], NULL, tail.m[2])) {
		buf_adds(c->out, usage);
	}
	words_fini(&w);
	words_fini(&tail);
	return ST_OK;
}

/* "true" or "false"; false: it is another word. */
static bool flag_read(const char *word, bool *flag)
{
	*flag = strcasecmp(word, "false") != 0;
	return !*flag || !strcasecmp(word, "true");
}

/* What programs write where there is no metadata, as the words behind it count by their place. */
static bool is_nothing(const char *word)
{
	return !*word || !strcasecmp(word, "null") || !strcasecmp(word, "undefined") || !strcasecmp(word, "none");
}

/* [bugname] [metadata] [bidirectional] [stream] [rate], from the sixth word on; the metadata's word to *hello. A word
 * that is JSON where the name is due is the metadata, a last true or false where the metadata is due is the next.
 * False: *why. */
static ON_CTL bool fork_read(const struct words *w, struct bot_start *s, const char **hello, const char **why)
{
	int at = 5;
	bool is_heard = true, has_binary = true, is_last;
	if (at < w->n && !strchr("{[", *w->w[at]))
		s->name = *w->w[at] ? w->w[at] : NULL, at++;
	else if (at < w->n && !*w->w[at])
		at++;
	is_last = at == w->n - 1 && flag_read(w->w[at], &is_heard);
	if (at < w->n && !is_last)
		*hello = is_nothing(w->w[at]) ? NULL : w->m[at], at++;
	*why = "behind the metadata stand true or false (is the program heard?), true or false (its binary messages "
	       "too?), and their rate";
	if ((at < w->n && !flag_read(w->w[at], &is_heard)) || (at + 1 < w->n && !flag_read(w->w[at + 1], &has_binary)))
		return false;
	if (at + 2 < w->n && strcmp(w->w[at + 2], "0") && !(s->binary_rate_hz = rate_of(w->w[at + 2])))
		return false;
	s->speaks = is_heard, s->skips_binary = !has_binary;
	return at + 3 >= w->n;
}

static ON_CTL void fork_start(struct api_call *c, struct leg *leg, const struct words *w)
{
	struct bot_start s = {.events = "mod_audio_fork"};
	const char *hello = NULL, *why;
	if (fork_read(w, &s, &hello, &why))
		start(c, leg, w, hello, &s);
	else
		done(c, ST_INVAL, why);
}

/* start url mix rate [bugname] [metadata] [bidirectional] [stream] [rate]; other verbs: [bugname] [text]. */
int api_audio_fork(struct api_call *c)
{
	static const char usage[] =
	    "-USAGE: <uuid> [start | stop | send_text | pause | resume | stop_play | graceful-shutdown] [wss-url] "
	    "[mono | mixed | stereo] [8000 | 16000 | 24000 | 32000 | 64000] [bugname] [metadata] "
	    "[bidirectionalAudio_enabled] [bidirectionalAudio_stream_enabled] [bidirectionalAudio_stream_samplerate]\n";
	struct words w = {0}, tail = {0};
	role_assert_ctl();
	int st = words_init(&w, c, WORDS_MAX - 1);
	if (!st)
		st = words_init(&tail, c, 4);
	struct leg *leg = st || w.n < 2 ? NULL : leg_of(c, &w);
	if (st || w.n < 2) {
		buf_adds(c->out, usage);
	} else if (leg && !strcasecmp(w.w[1], "start") && w.n >= 5) {
		fork_start(c, leg, &w);
	} else if (leg) { /* one word behind it that is JSON is the text; of send_text any is */
		bool is_text =
		    tail.n == 3 && (!strcasecmp(w.w[1], "send_text") || (*tail.w[2] && strchr("{[", *tail.w[2])));
		if (!others(c, leg, w.w[1], is_text || !*tail.w[2] ? NULL : tail.w[2], is_text ? tail.m[2] : tail.m[3]))
			buf_adds(c->out, usage);
	}
	words_fini(&w);
	words_fini(&tail);
	return ST_OK;
}

int api_audio_streams(struct api_call *c)
{
	role_assert_ctl();
	bot_list(c->out);
	return ST_OK;
}
