/* Answering machines: greetings of people and of machines, and beeps after them, made of voice-like sound (a buzz of
 * many harmonics whose pitch and loudness move as syllables do) on lines with noise. Misses and false alarms are
 * counted and bounded; the counts that docs/amd.md shows are printed. */
#include "base/check.h"
#include "dsp/amd.h"
#include "dsp/avmd.h"
#include "dsp/osc_i.h"
#include "harness.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { RATE = 8000, LEN = 12 * RATE, MS = RATE / 1000 };
static int16_t pcm[LEN];
static uint32_t seed;

static double rnd(void) /* -1 .. 1 */
{
	seed = seed * 1103515245u + 12345u;
	return (double)(seed >> 8 & 0xffff) / 32768 - 1;
}
static void add(size_t i, double x)
{
	double y = pcm[i] + x;
	pcm[i] = (int16_t)(y > 32767 ? 32767 : y < -32768 ? -32768 : y);
}
/* White noise of an RMS. */
static void noise(double rms)
{
	for (size_t i = 0; i < LEN; i++)
		add(i, rms * 1.732 * rnd());
}
/* A word: syllables of some 180 ms, each of another pitch and colour; where it ends. */
static size_t word(size_t from, unsigned ms, double rms)
{
	double phase = 0, f0 = 120 + 60 * rnd(), to = f0, formant = 500;
	for (size_t i = 0; i < ms * MS && from + i < LEN; i++) {
		size_t in = i % (180 * MS);
		if (!in)
			to = 130 + 50 * rnd(), formant = 550 + 350 * rnd();
		f0 += (to - f0) / (60 * MS);
		phase += 2 * DSP_PI * f0 / RATE;
		double x = 0, shape = 0.35 + 0.65 * sin(DSP_PI * (double)in / (180 * MS));
		for (int h = 1; h * f0 < 3400; h++)
			x += sin(h * phase + h * h) / (1 + fabs(h * f0 - formant) / 120) / sqrt(h);
		add(from + i, rms * shape * x + rms * 0.05 * rnd());
	}
	return from + ms * MS;
}
/* count words of about ms, pauses of about gap_ms, after start_ms of nothing; where it ends */
static size_t speech(unsigned start_ms, unsigned count, unsigned ms, unsigned gap_ms, double rms)
{
	size_t at = start_ms * MS;
	for (unsigned i = 0; i < count; i++)
		at = word(at, (unsigned)(ms * (1 + 0.2 * rnd())), rms) + (size_t)(gap_ms * (1 + 0.3 * rnd())) * MS;
	return at;
}
/* What white noise must have to be db below the speech that is there, pauses left out. */
static double noise_below(double db)
{
	double sum = 0, n = 0;
	for (size_t i = 0; i < LEN; i++)
		if (pcm[i])
			sum += (double)pcm[i] * pcm[i], n++;
	return sqrt(sum / n) / pow(10, db / 20);
}
static void beep(size_t from, unsigned ms, double hz, double peak)
{
	for (size_t i = 0; i < ms * MS && from + i < LEN; i++)
		add(from + i, peak * sin(2 * DSP_PI * hz * (double)i / RATE));
}
static void begin(uint32_t n)
{
	memset(pcm, 0, sizeof(pcm));
	seed = n * 2654435761u + 1;
}
static struct amd_found judge(const struct amd_conf *conf)
{
	struct amd a;
	struct amd_conf standard = AMD_CONF_DEFAULT;
	amd_init(&a, RATE, conf ? conf : &standard);
	for (size_t i = 0; i < LEN && !amd_feed(&a, pcm + i, 160); i += 160)
		;
	return a.found;
}

enum { ROUNDS = 50 };
static const double snrs_db[] = {60, 25, 15, 10, 5}; /* at the last one what is heard is only printed */
static const double voice_rms = 2000;

static int test_amd_counts(void)
{
	for (size_t k = 0; k < ARRAY_COUNT(snrs_db); k++) {
		unsigned human_right = 0, human_wrong = 0, machine_right = 0, machine_wrong = 0;
		for (uint32_t i = 0; i < ROUNDS; i++) {
			begin(i);
			speech(300 + i * 10, 1 + i % 3, 220 + i * 3, 120, voice_rms);
			noise(noise_below(snrs_db[k]));
			enum amd_result r = judge(NULL).result;
			human_right += r == AMD_HUMAN, human_wrong += r == AMD_MACHINE;
			begin(1000 + i);
			speech(400 + i * 15, 14, 350 + i * 4, 90 + i * 3, voice_rms);
			noise(noise_below(snrs_db[k]));
			r = judge(NULL).result;
			machine_right += r == AMD_MACHINE, machine_wrong += r == AMD_HUMAN;
		}
		printf(
		    "# amd at %.0f dB: people %u of %u right, %u taken for machines; machines %u of %u right, %u taken "
		    "for people\n",
		    snrs_db[k], human_right, ROUNDS, human_wrong, machine_right, ROUNDS, machine_wrong);
		EXPECT(snrs_db[k] < 10 || (human_right >= 45 && human_wrong <= 3));
		EXPECT(snrs_db[k] < 10 || (machine_right >= 45 && machine_wrong <= 3));
	}
	return 0;
}

static int test_amd_causes(void)
{
	struct amd_conf c = AMD_CONF_DEFAULT;
	begin(1);
	struct amd_found f = judge(NULL);
	EXPECT_STR(amd_cause_text(f.cause), "INITIALSILENCE");
	EXPECT_STR(amd_result_text(f.result), "MACHINE");
	EXPECT_INT(f.total_ms, 2500);
	EXPECT_INT(f.words, 0);
	noise(60); /* a noisy line is silent too */
	EXPECT_INT(judge(NULL).cause, AMD_INITIAL_SILENCE);
	begin(2);
	noise(500);
	EXPECT_INT(judge(NULL).cause, AMD_INITIAL_SILENCE);
	begin(3);
	speech(500, 1, 400, 0, voice_rms);
	f = judge(NULL);
	EXPECT_STR(amd_cause_text(f.cause), "SILENCEAFTERGREETING");
	EXPECT_INT(f.result, AMD_HUMAN);
	EXPECT_INT(f.words, 1);
	EXPECT(f.silence_ms >= 800 && f.voice_ms > 250 && f.voice_ms < 520);
	begin(4);
	speech(300, 8, 200, 200, voice_rms);
	f = judge(NULL);
	EXPECT_STR(amd_cause_text(f.cause), "MAXWORDS");
	EXPECT_INT(f.words, 4);
	begin(5);
	speech(300, 2, 1000, 200, voice_rms);
	EXPECT_STR(amd_cause_text(judge(NULL).cause), "LONGGREETING");
	c.max_word_ms = 600;
	EXPECT_STR(amd_cause_text(judge(&c).cause), "MAXWORDLENGTH");
	c = (struct amd_conf)AMD_CONF_DEFAULT;
	c.total_ms = 1000;
	begin(6);
	speech(500, 2, 300, 200, voice_rms);
	f = judge(&c);
	EXPECT_STR(amd_result_text(f.result), "NOTSURE");
	EXPECT_STR(amd_cause_text(f.cause), "TOOLONG");
	EXPECT_INT(f.total_ms, 1000);
	begin(7); /* a click is no word */
	word(400 * MS, 40, voice_rms);
	EXPECT_INT(judge(NULL).cause, AMD_INITIAL_SILENCE);
	return 0;
}

static bool is_beep_heard(struct avmd_found *found)
{
	struct avmd a;
	struct avmd_conf conf = AVMD_CONF_DEFAULT;
	avmd_init(&a, &conf);
	for (size_t i = 0; i < LEN && !avmd_feed(&a, pcm + i, 80); i += 80)
		;
	*found = a.found;
	return a.is_found;
}

static int test_avmd_counts(void)
{
	static const double hz[] = {480, 600, 750, 850, 950, 1000, 1100, 1250, 1400, 1600, 1800, 1950};
	for (size_t k = 0; k < ARRAY_COUNT(snrs_db); k++) {
		unsigned hits = 0, off = 0, alarms = 0, early = 0;
		for (uint32_t i = 0; i < ROUNDS; i++) {
			struct avmd_found f;
			double want = hz[i % ARRAY_COUNT(hz)];
			begin(i);
			size_t at = speech(200, 10, 300 + i, 120, voice_rms) + 200 * MS;
			double peak = 400 + 150.0 * i; /* of the beep; the noise is that far below it */
			noise(peak / 1.414 / pow(10, snrs_db[k] / 20));
			beep(at, 250 + 20 * i, want, peak);
			if (is_beep_heard(&f)) {
				early += f.at_ms + 40 < at / MS;
				hits += f.at_ms + 40 >= at / MS;
				off += fabs(f.hz - want) > want * 0.02;
			}
			begin(2000 + i); /* speech alone */
			speech(200, 20, 200 + i * 20, 120, voice_rms);
			noise(noise_below(snrs_db[k]));
			alarms += is_beep_heard(&f);
		}
		printf("# avmd at %.0f dB: beeps %u of %u, %u before the beep, %u of another frequency; speech taken "
		       "for one: "
		       "%u of %u\n",
		    snrs_db[k], hits, ROUNDS, early, off, alarms, ROUNDS);
		EXPECT(early <= 1 && off == 0 && alarms <= 1 && (snrs_db[k] < 10 || hits >= 47));
	}
	return 0;
}

static int test_avmd_others(void)
{
	struct avmd_found f;
	begin(1);
	EXPECT(!is_beep_heard(&f));
	noise(3000);
	EXPECT(!is_beep_heard(&f));
	begin(2); /* a chord, as dial tones and keys are */
	beep(8000, 900, 697, 4000);
	beep(8000, 900, 1336, 4000);
	EXPECT(!is_beep_heard(&f));
	begin(3); /* too short */
	beep(8000, 80, 1000, 8000);
	EXPECT(!is_beep_heard(&f));
	begin(4); /* outside */
	beep(8000, 2000, 400, 8000);
	EXPECT(!is_beep_heard(&f));
	begin(5); /* a whistle that glides */
	double phase = 0;
	for (size_t i = 8000; i < 16000; i++)
		phase += 2 * DSP_PI * (600 + (double)(i - 8000) * 0.15) / RATE, add(i, 8000 * sin(phase));
	EXPECT(!is_beep_heard(&f));
	begin(6);
	beep(16000, 500, 1000, 16384);
	EXPECT(is_beep_heard(&f));
	EXPECT(fabs(f.hz - 1000) < 2 && f.hz_variance < 4 && fabs(f.amplitude - 0.5) < 0.02 && f.at_ms == 2000);
	return 0;
}

TEST_MAIN({"amd causes", test_amd_causes}, {"amd counts", test_amd_counts}, {"avmd others", test_avmd_others},
    {"avmd counts", test_avmd_counts})
