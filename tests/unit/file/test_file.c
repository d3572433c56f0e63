/* Sound files written and read back in a private directory: every format, rates, channels, append, refusals. */
#include "base/check.h"
#include "dsp/mix.h"
#include "file/file.h"
#include "harness.h"
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PI 3.14159265358979323846
enum { SECOND = 8000 };
static char dir[256], err[FILE_ERR_MAX];

/* The name in the test's own directory; two names may be alive at a time. */
static const char *path_of(const char *name)
{
	static char path[2][600];
	static int turn;
	if (!dir[0]) {
		const char *tmp = getenv("TMPDIR");
		snprintf(dir, sizeof(dir), "%.200s/tandem-file-XXXXXX", tmp ? tmp : "/var/tmp");
		if (!mkdtemp(dir))
			return "";
	}
	turn = !turn;
	snprintf(path[turn], sizeof(path[turn]), "%s/%.300s", dir, name);
	return path[turn];
}
static void clean(const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		unlink(path_of(names[i]));
	rmdir(dir);
}
static void sine(int16_t *out, size_t frames, unsigned channels, uint32_t rate, double hz)
{
	for (size_t i = 0; i < frames; i++)
		for (unsigned c = 0; c < channels; c++)
			out[i * channels + c] = (int16_t)lrint(10000 * sin(2 * PI * hz * (c + 1) * (double)i / rate));
}
static int write_file(const char *path, const struct file_writer_conf *conf, const int16_t *s, size_t frames)
    NO_ROLE_CHECK
{
	struct file_writer *w;
	int st = file_writer_open(&w, path, conf, err);
	if (st)
		return st;
	st = file_writer_write(w, s, frames);
	return st ? st : file_writer_close(w, err);
}

static int test_wav(void) NO_ROLE_CHECK
{
	static const char *const names[] = {"a.wav"};
	static int16_t s[SECOND];
	struct file_writer_conf conf = {
	    .rate_hz = 8000, .tags = {[FILE_TAG_TITLE] = "hello", [FILE_TAG_COMMENT] = "c"}};
	struct file_pcm pcm;
	struct file_reader *r;
	int16_t chunk[100];
	size_t n = 0;
	int m;

	role_set(ROLE_WORK);
	sine(s, SECOND, 1, 8000, 1004);
	EXPECT_INT(write_file(path_of("a.wav"), &conf, s, SECOND), ST_OK);
	EXPECT_INT(file_read_all(path_of("a.wav"), 8000, 100000, &pcm, err), ST_OK);
	EXPECT(pcm.count == SECOND && pcm.rate_hz == 8000 && !pcm.is_cut && !memcmp(pcm.samples, s, sizeof(s)));
	file_pcm_free(&pcm);
	EXPECT_INT(file_read_all(path_of("a.wav"), 8000, 100, &pcm, err), ST_OK);
	EXPECT(pcm.count == 100 && pcm.is_cut);
	file_pcm_free(&pcm);
	EXPECT_INT(file_read_all(path_of("a.wav"), 8000, SECOND, &pcm, err), ST_OK);
	EXPECT(pcm.count == SECOND && !pcm.is_cut);
	file_pcm_free(&pcm);
	EXPECT_INT(file_reader_open(&r, path_of("a.wav"), 0, err), ST_OK);
	EXPECT(file_reader_info(r)->rate_hz == 8000 && file_reader_info(r)->channels == 1 &&
	       file_reader_info(r)->frames == SECOND);
	EXPECT_STR(file_reader_info(r)->title, "hello");
	while ((m = file_reader_read(r, chunk, 100)) > 0) {
		EXPECT(!memcmp(chunk, s + n, (size_t)m * 2));
		n += (size_t)m;
	}
	EXPECT(n == SECOND && m == 0 && file_reader_tell(r) == SECOND);
	EXPECT_INT(file_reader_seek(r, 4000), ST_OK);
	EXPECT_INT(file_reader_tell(r), 4000);
	EXPECT_INT(file_reader_read(r, chunk, 100), 100);
	EXPECT(!memcmp(chunk, s + 4000, 200));
	EXPECT_INT(file_reader_seek(r, 1u << 30), ST_OK);
	EXPECT_INT(file_reader_read(r, chunk, 100), 0);
	file_reader_close(r);
	file_reader_close(NULL);
	clean(names, 1);
	return 0;
}
/* A file at one rate read at another: length, frequency and place of the sound stay. */
static int test_rates(void) NO_ROLE_CHECK
{
	static const char *const names[] = {"r.wav"};
	static const uint32_t rates[] = {8000, 16000, 44100, 48000};
	static int16_t s[48000];

	role_set(ROLE_WORK);
	for (size_t i = 0; i < ARRAY_COUNT(rates); i++)
		for (size_t k = 0; k < ARRAY_COUNT(rates); k++) {
			struct file_writer_conf conf = {.rate_hz = rates[i]};
			struct file_pcm pcm;
			size_t half = rates[k] / 2;
			memset(s, 0, sizeof(s));
			sine(s + rates[i] / 2, rates[i] / 2, 1, rates[i], 1004); /* silence, then a tone */
			EXPECT_INT(write_file(path_of("r.wav"), &conf, s, rates[i]), ST_OK);
			EXPECT_INT(file_read_all(path_of("r.wav"), rates[k], 1000000, &pcm, err), ST_OK);
			EXPECT(labs((long)pcm.count - (long)rates[k]) <= 16);
			EXPECT(fabs(goertzel_amplitude(pcm.samples + half, half - 400, rates[k], 1004) - 10000) < 400);
			EXPECT(mix_level_abs(pcm.samples, half - 40) < 20);
			EXPECT(mix_level_abs(pcm.samples + half, 80) > 1000);
			file_pcm_free(&pcm);
		}
	clean(names, 1);
	return 0;
}
static int test_formats(void) NO_ROLE_CHECK
{
	static int16_t s[SECOND];
	struct file_writer_conf conf = {.rate_hz = 8000};

	role_set(ROLE_WORK);
	sine(s, SECOND, 1, 8000, 1004);
	for (size_t i = 0; i < file_format_count; i++) {
		struct file_pcm pcm;
		char name[40];
		int st;
		double peak;
		if (!file_formats[i].can_write || !file_formats[i].can_read)
			continue;
		snprintf(name, sizeof(name), "f.%s", file_formats[i].ext);
		st = write_file(path_of(name), &conf, s, SECOND);
		if (st == ST_UNSUPPORTED && !strcmp(file_formats[i].ext, "G729")) { /* its codec is a module's */
			EXPECT(strstr(err, "the codec G729 is not there"));
			unlink(path_of(name));
			continue;
		}
		if (st) {
			test_fail(
			    __FILE__, __LINE__, "writing .%s: %s (%s)", file_formats[i].ext, status_text(st), err);
			return -1;
		}
		st = file_read_all(path_of(name), 8000, 100000, &pcm, err);
		if (st) {
			test_fail(
			    __FILE__, __LINE__, "reading .%s: %s (%s)", file_formats[i].ext, status_text(st), err);
			return -1;
		}
		peak = goertzel_amplitude(pcm.samples + 2000, 4000, 8000, 1004);
		/* a model of a voice: of a tone nothing is left but that something sounds */
		if (!strcmp(file_formats[i].ext, "LPC"))
			peak = mix_level_abs(pcm.samples + 2000, 4000) > 100 ? 10000 : 0;
		if (pcm.count < SECOND - 600 || pcm.count > SECOND + 3000 || fabs(peak - 10000) > 1500) {
			test_fail(
			    __FILE__, __LINE__, ".%s: %zu samples, amplitude %g", file_formats[i].ext, pcm.count, peak);
			return -1;
		}
		file_pcm_free(&pcm);
		unlink(path_of(name));
	}
	clean(NULL, 0);
	return 0;
}
/* Frames of a codec: the length is that of whole frames, appended is behind them, winding finds the same sound. */
static int test_native(void) NO_ROLE_CHECK
{
	static const char *const names[] = {"n.G722"};
	static int16_t s[16000], part[16000];
	struct file_writer_conf conf = {.rate_hz = 16000}, more = {.rate_hz = 16000, .is_append = true};
	struct file_reader *r;
	struct file_pcm pcm;

	role_set(ROLE_WORK);
	sine(s, 16000, 1, 16000, 1004);
	EXPECT_INT(write_file(path_of("n.G722"), &conf, s, 15900), ST_OK); /* 49.7 frames */
	EXPECT_INT(file_read_all(path_of("n.G722"), 16000, 100000, &pcm, err), ST_OK);
	EXPECT_INT(pcm.count, 16000);
	EXPECT(fabs(goertzel_amplitude(pcm.samples + 2000, 8000, 16000, 1004) - 10000) < 500);
	EXPECT_INT(file_reader_open(&r, path_of("n.G722"), 16000, err), ST_OK);
	EXPECT_INT(file_reader_info(r)->frames, 16000);
	EXPECT_INT(file_reader_seek(r, 5000), ST_OK);
	EXPECT_INT(file_reader_read(r, part, 16000), 11000);
	EXPECT(fabs(goertzel_amplitude(part + 2000, 8000, 16000, 1004) - 10000) < 500);
	EXPECT_INT(file_reader_seek(r, 99999), ST_OK);
	EXPECT_INT(file_reader_read(r, part, 16000), 0);
	file_reader_close(r);
	file_pcm_free(&pcm);
	FILE *f = fopen(path_of("n.G722"), "ab"); /* half a frame */
	EXPECT(f && fwrite(s, 1, 70, f) == 70 && !fclose(f));
	EXPECT_INT(write_file(path_of("n.G722"), &more, s, 3200), ST_OK);
	EXPECT_INT(file_read_all(path_of("n.G722"), 16000, 100000, &pcm, err), ST_OK);
	EXPECT_INT(pcm.count, 19200);
	file_pcm_free(&pcm);
	uint64_t bytes;
	EXPECT_INT(file_convert(path_of("n.G722"), path_of("n.wav"), &bytes, err), ST_UNSUPPORTED);
	clean(names, 1);
	return 0;
}
static int test_append_stereo(void) NO_ROLE_CHECK
{
	static const char *const names[] = {"s.wav", "m.ul", "f.flac"};
	static int16_t s[2 * 16000];
	struct file_writer_conf stereo = {.rate_hz = 16000, .channels = 2};
	struct file_writer_conf more = {.rate_hz = 8000, .channels = 1, .is_append = true};
	struct file_pcm pcm;
	struct file_reader *r;

	role_set(ROLE_WORK);
	sine(s, 16000, 2, 16000, 500); /* 500 Hz left, 1000 Hz right */
	EXPECT_INT(write_file(path_of("s.wav"), &stereo, s, 16000), ST_OK);
	EXPECT_INT(file_read_all(path_of("s.wav"), 16000, 100000, &pcm, err), ST_OK);
	EXPECT_INT(pcm.count, 16000);
	EXPECT(fabs(goertzel_amplitude(pcm.samples, 16000, 16000, 500) - 5000) < 50);
	EXPECT(fabs(goertzel_amplitude(pcm.samples, 16000, 16000, 1000) - 5000) < 50);
	file_pcm_free(&pcm);
	/* in two, also at another rate; mono on both */
	for (uint32_t rate = 8000; rate <= 16000; rate += 8000) {
		static int16_t side[2][16000];
		EXPECT_INT(file_read_all_of(path_of("s.wav"), rate, 2, 100000, &pcm, err), ST_OK);
		EXPECT(labs((long)pcm.count - (long)rate) <= 1);
		for (size_t i = 0; i < pcm.count; i++)
			side[0][i] = pcm.samples[2 * i], side[1][i] = pcm.samples[2 * i + 1];
		for (int i = 0; i < 2; i++) {
			EXPECT(fabs(goertzel_amplitude(side[i], rate, rate, i ? 1000 : 500) - 10000) < 200);
			EXPECT(goertzel_amplitude(side[i], rate, rate, i ? 500 : 1000) < 30);
		}
		file_pcm_free(&pcm);
		EXPECT_INT(file_read_all_of(path_of("s.wav"), rate, 2, rate / 2, &pcm, err), ST_OK);
		EXPECT(pcm.is_cut && pcm.count == rate / 2);
		file_pcm_free(&pcm);
	}
	EXPECT_INT(file_read_all_of(path_of("s.wav"), 8000, 3, 100, &pcm, err), ST_INVAL);
	EXPECT_INT(write_file(path_of("mono.wav"), &(struct file_writer_conf){.rate_hz = 8000}, s, 4000), ST_OK);
	EXPECT_INT(file_read_all_of(path_of("mono.wav"), 8000, 2, 100000, &pcm, err), ST_OK);
	EXPECT_INT(pcm.count, 4000);
	for (size_t i = 0; i < 4000; i++)
		EXPECT(pcm.samples[2 * i] == s[i] && pcm.samples[2 * i + 1] == s[i]);
	file_pcm_free(&pcm);
	/* one second of mono at 8 kHz behind it: the file's shape rules */
	sine(s, SECOND, 1, 8000, 700);
	EXPECT_INT(write_file(path_of("s.wav"), &more, s, SECOND), ST_OK);
	EXPECT_INT(file_reader_open(&r, path_of("s.wav"), 0, err), ST_OK);
	EXPECT(file_reader_info(r)->channels == 2 && file_reader_info(r)->rate_hz == 16000);
	EXPECT(labs((long)file_reader_info(r)->frames - 32000) <= 4);
	file_reader_close(r);
	EXPECT_INT(file_read_all(path_of("s.wav"), 16000, 100000, &pcm, err), ST_OK);
	EXPECT(fabs(goertzel_amplitude(pcm.samples + 16000, 15000, 16000, 700) - 10000) < 300);
	file_pcm_free(&pcm);
	/* append to what does not exist: a new file */
	EXPECT_INT(write_file(path_of("m.ul"), &more, s, 4000), ST_OK);
	EXPECT_INT(write_file(path_of("m.ul"), &more, s, 4000), ST_OK);
	EXPECT_INT(file_read_all(path_of("m.ul"), 8000, 100000, &pcm, err), ST_OK);
	EXPECT_INT(pcm.count, 8000);
	file_pcm_free(&pcm);
	/* not append: emptied first */
	more.is_append = false;
	EXPECT_INT(write_file(path_of("m.ul"), &more, s, 100), ST_OK);
	EXPECT_INT(file_read_all(path_of("m.ul"), 8000, 100000, &pcm, err), ST_OK);
	EXPECT_INT(pcm.count, 100);
	file_pcm_free(&pcm);
	EXPECT_INT(write_file(path_of("f.flac"), &more, s, 4000), ST_OK);
	more.is_append = true;
	EXPECT_INT(write_file(path_of("f.flac"), &more, s, 4000), ST_UNSUPPORTED);
	EXPECT(strstr(err, "append"));
	clean(names, ARRAY_COUNT(names));
	return 0;
}
/* What is being recorded can be read: after a sync the header tells the length so far. */
static int test_sync(void) NO_ROLE_CHECK
{
	static const char *const names[] = {"live.wav"};
	static int16_t s[SECOND];
	struct file_writer_conf conf = {.rate_hz = 8000};
	struct file_writer *w;
	struct file_pcm pcm;

	role_set(ROLE_WORK);
	sine(s, SECOND, 1, 8000, 1004);
	EXPECT_INT(file_writer_open(&w, path_of("live.wav"), &conf, err), ST_OK);
	EXPECT_INT(file_writer_write(w, s, SECOND), ST_OK);
	EXPECT_INT(file_writer_frames(w), SECOND);
	EXPECT_INT(file_writer_sync(w), ST_OK);
	EXPECT_INT(file_read_all(path_of("live.wav"), 8000, 100000, &pcm, err), ST_OK);
	EXPECT_INT(pcm.count, SECOND);
	file_pcm_free(&pcm);
	EXPECT_INT(file_writer_write(w, s, 10), ST_OK);
	EXPECT_INT(file_writer_close(w, err), ST_OK);
	EXPECT_INT(file_writer_close(NULL, err), ST_OK);
	clean(names, 1);
	return 0;
}
static int test_refusals(void) NO_ROLE_CHECK
{
	static const char *const names[] = {"junk.wav", "fifo.wav", "empty.wav"};
	static char long_path[5000];
	struct file_writer_conf conf = {.rate_hz = 8000};
	struct file_pcm pcm;
	FILE *f;

	role_set(ROLE_WORK);
	EXPECT_INT(file_read_all(path_of("none.wav"), 8000, 1000, &pcm, err), ST_NOTFOUND);
	EXPECT(strstr(err, "none.wav"));
	EXPECT_INT(file_read_all("", 8000, 1000, &pcm, err), ST_INVAL);
	EXPECT_INT(file_read_all("/dev/zero", 8000, 1000, &pcm, err), ST_DENIED);
	EXPECT(strstr(err, "regular"));
	EXPECT_INT(file_read_all(dir, 8000, 1000, &pcm, err), ST_DENIED);
	EXPECT_INT(mkfifo(path_of("fifo.wav"), 0600), 0);
	EXPECT_INT(file_read_all(path_of("fifo.wav"), 8000, 1000, &pcm, NULL), ST_DENIED); /* and does not hang */
	EXPECT_INT(write_file(path_of("fifo.wav"), &conf, (const int16_t *)long_path, 1), ST_DENIED);
	memset(long_path, 'a', sizeof(long_path) - 1);
	long_path[0] = '/';
	EXPECT_INT(file_read_all(long_path, 8000, 1000, &pcm, err), ST_INVAL);
	f = fopen(path_of("junk.wav"), "w");
	EXPECT(f);
	fputs("this is not a sound file at all, not even nearly\n", f);
	fclose(f);
	EXPECT_INT(file_read_all(path_of("junk.wav"), 8000, 1000, &pcm, err), ST_UNSUPPORTED);
	EXPECT(strstr(err, "not a sound file"));
	f = fopen(path_of("empty.wav"), "w");
	EXPECT(f);
	fclose(f);
	EXPECT_INT(file_read_all(path_of("empty.wav"), 8000, 1000, &pcm, err), ST_UNSUPPORTED);
	EXPECT_INT(file_read_all(path_of("junk.wav"), 5, 1000, &pcm, err), ST_INVAL);
	EXPECT_INT(write_file("/dev/null", &conf, (const int16_t *)long_path, 1), ST_DENIED);
	conf.channels = 3;
	EXPECT_INT(write_file(path_of("x.wav"), &conf, (const int16_t *)long_path, 1), ST_INVAL);
	clean(names, ARRAY_COUNT(names));
	return 0;
}
static int test_new_directory(void) NO_ROLE_CHECK
{
	static const char *const names[] = {"sub/deep/x.wav"};
	static int16_t s[100];
	struct file_writer_conf conf = {.rate_hz = 8000};
	struct stat sb;

	role_set(ROLE_WORK);
	EXPECT_INT(write_file(path_of("sub/deep/x.wav"), &conf, s, 100), ST_OK);
	EXPECT(!stat(path_of("sub/deep/x.wav"), &sb) && (sb.st_mode & 07) == 0);
	unlink(path_of("sub/deep/x.wav"));
	rmdir(path_of("sub/deep"));
	rmdir(path_of("sub"));
	clean(names, 1);
	EXPECT(!file_format_of("noext") && !file_format_of("a.b/c") && file_format_of("/x/y.WAV"));
	EXPECT_STR(file_format_of("a.ulaw")->ext, "ulaw");
	return 0;
}

/* A prompt of a sound package: the exact rate, else the highest, else the name itself. */
static int test_rate_directories(void) NO_ROLE_CHECK
{
	static int16_t s[SECOND];
	struct file_writer_conf conf = {.rate_hz = 8000};
	struct file_pcm pcm;
	char found[600], tight[8];

	role_set(ROLE_WORK);
	EXPECT_INT(write_file(path_of("8000/p.wav"), &conf, s, 100), ST_OK);
	conf.rate_hz = 16000;
	EXPECT_INT(write_file(path_of("16000/p.wav"), &conf, s, 400), ST_OK);
	EXPECT_INT(file_locate(path_of("p.wav"), 8000, found, sizeof found), ST_OK);
	EXPECT_STR(found, path_of("8000/p.wav"));
	EXPECT_INT(file_locate(path_of("p.wav"), 48000, found, sizeof found), ST_OK);
	EXPECT_STR(found, path_of("16000/p.wav"));
	EXPECT_INT(file_locate(path_of("q.wav"), 8000, found, sizeof found), ST_OK);
	EXPECT_STR(found, path_of("q.wav"));
	EXPECT_INT(file_locate(path_of("q.wav"), 8000, tight, sizeof tight), ST_INVAL);
	EXPECT_INT(file_read_all(path_of("p.wav"), 8000, 1000, &pcm, err), ST_OK);
	EXPECT_INT((long)pcm.count, 100);
	file_pcm_free(&pcm);
	EXPECT_INT(file_read_all(path_of("q.wav"), 8000, 1000, &pcm, err), ST_NOTFOUND);
	unlink(path_of("8000/p.wav"));
	unlink(path_of("16000/p.wav"));
	rmdir(path_of("8000"));
	rmdir(path_of("16000"));
	rmdir(dir);
	return 0;
}

TEST_MAIN({"wav", test_wav}, {"rates", test_rates}, {"formats", test_formats}, {"append, stereo", test_append_stereo},
    {"sync", test_sync}, {"refusals", test_refusals}, {"new directory", test_new_directory},
    {"rate directories", test_rate_directories}, {"native", test_native})
