/* TGML compiled once into a list of tones, then read as samples: text -> parse_item -> struct item and its frequencies
 * -> tone_read walks items, repeats and loops, one oscillator per frequency. Numbers are bounded where they enter;
 * nothing is generated ahead, so an endless or day-long tone costs the same as a beep. */
#include "dsp/tone.h"
#include "base/mem.h"
#include "dsp/dtmf.h"
#include "dsp/osc_i.h"
#include <string.h>

enum { MS_MAX = 86400000, REPEAT_MAX = 100000, FREQS_TOTAL_MAX = 4096 };

struct item {
	uint32_t on_ms, off_ms, repeat;
	double volume_db, step_db;
	uint32_t step_ms; /* 0 = steady */
	uint16_t freq_first, freq_count;
};
struct tone {
	uint32_t rate_hz;
	bool is_endless;
	uint64_t loops, loop; /* times the script runs, and how many runs are over */
	size_t item_count, freq_count;
	struct item *items;
	float *freqs;
	/* where we are */
	size_t at;
	uint32_t repeat_at;
	uint64_t pos; /* samples into the current tone, its pause included */
	uint64_t next_step;
	double gain;
	bool is_started;
	struct osc osc[TONE_FREQS_MAX];
};
struct parser {
	const char *p;
	const char *err;
	double volume_db, step_db;
	double dur_ms, wait_ms, step_ms;
	int dir;
	uint32_t repeat;
	int64_t script_loops, outer_loops; /* L=, loops= ; -1 = for ever */
	struct tone *t;
};

static void tone_free(void *obj)
{
	struct tone *t = obj;
	mem_free(t->items);
	mem_free(t->freqs);
}
static int parser_fail(struct parser *ps, const char *why)
{
	ps->err = why;
	return ST_PARSE;
}
static void skip_space(struct parser *ps)
{
	while (*ps->p == ' ' || *ps->p == '\t' || *ps->p == '\r' || *ps->p == '\n')
		ps->p++;
}
/* [-]digits[.digits]; no exponents, no locale. */
static int parse_number(struct parser *ps, double min, double max, double *out)
{
	double v = 0, unit = 1;
	bool is_neg = false, has_digit = false;

	skip_space(ps);
	if (*ps->p == '-' || *ps->p == '+')
		is_neg = *ps->p++ == '-';
	for (; *ps->p >= '0' && *ps->p <= '9'; ps->p++, has_digit = true)
		v = v < 1e12 ? v * 10 + (*ps->p - '0') : v;
	if (*ps->p == '.')
		for (ps->p++; *ps->p >= '0' && *ps->p <= '9'; ps->p++, has_digit = true)
			v += (*ps->p - '0') * (unit /= 10);
	if (!has_digit)
		return parser_fail(ps, "a number is missing");
	if (is_neg)
		v = -v;
	if (v < min || v > max)
		return parser_fail(ps, "a number is out of range");
	skip_space(ps);
	*out = v;
	return ST_OK;
}
static int add_freq(struct parser *ps, double hz)
{
	struct tone *t = ps->t;
	if (t->freq_count >= FREQS_TOTAL_MAX)
		return parser_fail(ps, "too many frequencies");
	if (t->freq_count % 64 == 0) {
		float *f = mem_realloc(t->freqs, (t->freq_count + 64) * sizeof(*f));
		if (!f)
			return ST_NOMEM;
		t->freqs = f;
	}
	t->freqs[t->freq_count++] = (float)hz;
	return ST_OK;
}
static int add_item(struct parser *ps, double on_ms, double off_ms, size_t freq_first)
{
	struct tone *t = ps->t;
	if (t->item_count >= TONE_ITEMS_MAX)
		return parser_fail(ps, "too many tones");
	if (t->item_count % 32 == 0) {
		struct item *n = mem_realloc(t->items, (t->item_count + 32) * sizeof(*n));
		if (!n)
			return ST_NOMEM;
		t->items = n;
	}
	t->items[t->item_count++] = (struct item){
	    .on_ms = (uint32_t)on_ms,
	    .off_ms = (uint32_t)off_ms,
	    .repeat = ps->repeat,
	    .volume_db = ps->volume_db,
	    .step_db = ps->step_db * ps->dir,
	    .step_ms = ps->dir ? (uint32_t)ps->step_ms : 0,
	    .freq_first = (uint16_t)freq_first,
	    .freq_count = (uint16_t)(t->freq_count - freq_first),
	};
	ps->repeat = 1; /* l= is for one tone */
	return ST_OK;
}
/* "(" on "," off { "," hz } ")"; the parenthesis is next. */
static int parse_group(struct parser *ps, bool has_freqs, double *on_ms, double *off_ms)
{
	int st;
	double hz;
	unsigned n = 0;

	ps->p++;
	if ((st = parse_number(ps, 0, MS_MAX, on_ms)))
		return st;
	if (*ps->p == ',') {
		ps->p++;
		if ((st = parse_number(ps, 0, MS_MAX, off_ms)))
			return st;
	}
	for (; has_freqs && *ps->p == ','; n++) {
		ps->p++;
		if (n == TONE_FREQS_MAX)
			return parser_fail(ps, "too many frequencies in one tone");
		if ((st = parse_number(ps, 0, 100000, &hz)) || (st = add_freq(ps, hz)))
			return st;
	}
	/* The end closes it too: the originate command cuts "&app(args)" at the first closing parenthesis. */
	if (*ps->p && *ps->p != ')')
		return parser_fail(ps, "a parenthesis is not closed");
	ps->p += *ps->p == ')';
	return ST_OK;
}
static int parse_digit(struct parser *ps)
{
	unsigned low, high;
	double on = ps->dur_ms, off = ps->wait_ms;
	size_t first = ps->t->freq_count;
	int st;

	if (!dtmf_pair(*ps->p, &low, &high))
		return parser_fail(ps, "an unknown letter");
	ps->p++;
	if (*ps->p == '(' && (st = parse_group(ps, false, &on, &off)))
		return st;
	if ((st = add_freq(ps, low)) || (st = add_freq(ps, high)))
		return st;
	return add_item(ps, on, off, first);
}
static int parse_setting(struct parser *ps)
{
	static const struct setting {
		const char *key;
		double min, max;
	} keys[] = {{"loops", -1, 1e9}, {"v", -1000, 1000}, {"d", 0, MS_MAX}, {"w", 0, MS_MAX}, {"l", 1, REPEAT_MAX},
	    {"L", -1, REPEAT_MAX}, {">", 0, MS_MAX}, {"<", 0, MS_MAX}, {"+", 0, 63}, {"r", 0, 1e6}, {"c", 0, 64}};
	size_t i, n = 0;
	double v = 0;
	int st;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		n = strlen(keys[i].key);
		if (!strncmp(ps->p, keys[i].key, n) && ps->p[n] == '=')
			break;
	}
	if (i == sizeof(keys) / sizeof(keys[0]))
		return ST_NOTFOUND;
	ps->p += n + 1;
	if ((st = parse_number(ps, keys[i].min, keys[i].max, &v)))
		return st;
	switch (keys[i].key[0]) {
	case 'l':
		if (n > 1)
			ps->outer_loops = (int64_t)v;
		else
			ps->repeat = (uint32_t)v;
		break;
	case 'v':
		if (v >= -63 && v <= 0) /* others are passed over, as by FreeSWITCH */
			ps->volume_db = v;
		break;
	case 'd':
		ps->dur_ms = v;
		break;
	case 'w':
		ps->wait_ms = v;
		break;
	case 'L':
		ps->script_loops = (int64_t)v;
		break;
	case '>':
	case '<':
		ps->step_ms = v;
		ps->dir = v < 1 ? 0 : keys[i].key[0] == '>' ? -1 : 1;
		break;
	case '+':
		ps->step_db = v;
		break;
	default:
		break;
	}
	return ST_OK;
}
static int parse_script(struct parser *ps)
{
	int st = ST_OK;
	double on = 0, off = 0;

	while (!st) {
		while (*ps->p == ';' || *ps->p == '@' || *ps->p == ' ' || *ps->p == '\t' || *ps->p == '\r' ||
		       *ps->p == '\n')
			ps->p++;
		if (!*ps->p)
			break;
		if (*ps->p == '%') {
			size_t first = ps->t->freq_count;
			if (*++ps->p != '(')
				return parser_fail(ps, "% wants (on,off,Hz...)");
			if (!(st = parse_group(ps, true, &on, &off)))
				st = add_item(ps, on, off, first);
			off = 0;
			continue;
		}
		st = parse_setting(ps);
		if (st == ST_NOTFOUND)
			st = parse_digit(ps);
	}
	if (!st && !ps->t->item_count)
		return parser_fail(ps, "there is no tone in it");
	return st;
}
static uint64_t item_samples(const struct tone *t, const struct item *it)
{
	return ((uint64_t)it->on_ms + it->off_ms) * t->rate_hz / 1000;
}
static uint64_t script_samples(const struct tone *t)
{
	uint64_t n = 0;
	for (size_t i = 0; i < t->item_count; i++)
		n += item_samples(t, &t->items[i]) * t->items[i].repeat;
	return n;
}

int tone_new(struct tone **out, const char *tgml, uint32_t rate_hz, int loops, const char **err)
{
	struct parser ps = {.volume_db = -7,
	    .step_db = 0.1,
	    .dur_ms = 250,
	    .wait_ms = 50,
	    .repeat = 1,
	    .script_loops = 1,
	    .outer_loops = 1};
	int st;

	if (err)
		*err = NULL;
	if (!out || !tgml || rate_hz < 4000 || rate_hz > 192000)
		return ST_INVAL;
	if (strnlen(tgml, TONE_TEXT_MAX + 1) > TONE_TEXT_MAX) {
		if (err)
			*err = "the script is too long";
		return ST_PARSE;
	}
	ps.p = tgml;
	ps.t = mem_new(sizeof(*ps.t), tone_free, "dsp.tone");
	if (!ps.t)
		return ST_NOMEM;
	ps.t->rate_hz = rate_hz;
	st = parse_script(&ps);
	if (st) {
		if (err)
			*err = ps.err ? ps.err : status_text(st);
		mem_unref(ps.t);
		return st;
	}
	if (loops)
		ps.outer_loops = loops;
	/* A script of no length would loop for ever without a sample. */
	ps.t->is_endless = (ps.outer_loops < 0 || ps.script_loops < 0) && script_samples(ps.t) > 0;
	ps.t->loops = ps.outer_loops < 0 || ps.script_loops < 0 ? 1
	                                                        : (uint64_t)(ps.outer_loops ? ps.outer_loops : 1) *
	                                                              (uint64_t)(ps.script_loops ? ps.script_loops : 1);
	if (!script_samples(ps.t))
		ps.t->loops = 1;
	*out = ps.t;
	return ST_OK;
}

int tone_check(const char *tgml, const char **err)
{
	struct tone *t;
	int st = tone_new(&t, tgml, 8000, 0, err);
	if (!st)
		mem_unref(t);
	return st;
}

static void item_start(struct tone *t, const struct item *it)
{
	double peak = DSP_PEAK_0DBM0 * pow(10, it->volume_db / 20);
	for (unsigned i = 0; i < it->freq_count; i++)
		osc_start(&t->osc[i], t->freqs[it->freq_first + i], t->rate_hz, peak);
	t->pos = 0;
	t->gain = 1;
	t->next_step = it->step_ms ? (uint64_t)it->step_ms * t->rate_hz / 1000 : UINT64_MAX;
	t->is_started = true;
}
/* Moves to the next tone; false when everything is over. */
static bool item_next(struct tone *t)
{
	t->is_started = false;
	if (++t->repeat_at < t->items[t->at].repeat)
		return true;
	t->repeat_at = 0;
	if (++t->at < t->item_count)
		return true;
	t->at = 0;
	if (t->is_endless || ++t->loop < t->loops)
		return true;
	t->at = t->item_count;
	return false;
}
/* Up to n samples of the sounding part. */
static void item_sound(struct tone *t, const struct item *it, int16_t *out, size_t n)
{
	double low = pow(10, (-63 - it->volume_db) / 20), high = pow(10, -it->volume_db / 20);
	double factor = it->step_ms ? pow(10, it->step_db / 20) : 1;

	for (size_t i = 0; i < n; i++) {
		double v = 0;
		if (t->pos + i >= t->next_step) {
			t->gain = fmin(fmax(t->gain * factor, low), high);
			t->next_step += (uint64_t)it->step_ms * t->rate_hz / 1000;
		}
		for (unsigned k = 0; k < it->freq_count; k++)
			v += osc_next(&t->osc[k]);
		out[i] = osc_clip(v * t->gain);
	}
}

size_t tone_read(struct tone *t, int16_t *out, size_t n)
{
	size_t done = 0;
	while (done < n && t->at < t->item_count) {
		const struct item *it = &t->items[t->at];
		uint64_t on = (uint64_t)it->on_ms * t->rate_hz / 1000, all = item_samples(t, it), m;
		if (!t->is_started)
			item_start(t, it);
		if (t->pos >= all) {
			item_next(t);
			continue;
		}
		m = (t->pos < on ? on : all) - t->pos;
		if (m > n - done)
			m = n - done;
		if (t->pos < on)
			item_sound(t, it, out + done, (size_t)m);
		else
			memset(out + done, 0, (size_t)m * sizeof(*out));
		t->pos += m;
		done += (size_t)m;
	}
	return done;
}

void tone_rewind(struct tone *t)
{
	t->at = 0;
	t->loop = 0;
	t->repeat_at = 0;
	t->is_started = false;
}
bool tone_is_endless(const struct tone *t)
{
	return t->is_endless;
}
uint64_t tone_samples(const struct tone *t)
{
	return t->is_endless ? 0 : script_samples(t) * t->loops;
}
