/* What a local stream plays. Its place follows from the stream's clock: the music as if it had run since the stream
 * began, one file after the other, and beside it, as FreeSWITCH has it, the row of chimes: so many seconds of music, a
 * chime, so many seconds again, the next one. The music goes on unheard under a chime. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "file/file.h"
#include "media/ctl/local_i.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILES_MAX = 1024, UNDER_FRAMES = 512 };

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The same order for all rings of a stream: it follows from the stream's clock. */
static void shuffle(struct lmusic *m)
{
	uint64_t x = (uint64_t)m->clock_us | 1;
	for (size_t i = m->file_count; i > 1; i--) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		size_t j = x % i;
		char *t = m->files[i - 1];
		m->files[i - 1] = m->files[j], m->files[j] = t;
	}
}

ON_WORK static int files_find(struct lmusic *m)
{
	DIR *d = opendir(m->dir);
	struct dirent *e;
	if (!d)
		return ST_NOTFOUND;
	m->files = mem_zalloc(FILES_MAX * sizeof(*m->files));
	while (m->files && m->file_count < FILES_MAX && (e = readdir(d))) {
		const struct file_format *format = file_format_of(e->d_name);
		char path[FILE_PATH_MAX];
		if (e->d_name[0] == '.' || !format || !format->can_read)
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", m->dir, e->d_name) < (int)sizeof(path) &&
		    (m->files[m->file_count] = mem_strdup(path)))
			m->file_count++;
	}
	closedir(d);
	if (!m->files || !m->file_count)
		return ST_NOTFOUND;
	qsort(m->files, m->file_count, sizeof(*m->files), by_name);
	if (m->is_shuffled)
		shuffle(m);
	return ST_OK;
}

ON_WORK static uint64_t duration_us(const char *path)
{
	struct file_reader *f;
	if (file_reader_open(&f, path, 0, NULL))
		return 0;
	const struct file_info *info = file_reader_info(f);
	uint64_t us = info->rate_hz ? info->frames * 1000000 / info->rate_hz : 0;
	file_reader_close(f);
	return us;
}

/* NULL after a line in the log. */
ON_WORK static struct file_reader *reader_open(const struct lmusic *m, const char *path, uint64_t at_us)
{
	char err[FILE_ERR_MAX] = "";
	struct file_reader *f = NULL;
	if (file_reader_open_of(&f, path, m->rate_hz, m->channels, err)) {
		log_warning("media: %s: %s", path, err);
		return NULL;
	}
	if (at_us && file_reader_seek(f, at_us * m->rate_hz / 1000000))
		log_warning("media: %s: it cannot be begun in the middle", path);
	return f;
}

/* Opens the file that the clock is in, at its place. */
ON_WORK static int tune_in(struct lmusic *m)
{
	uint64_t total_us = 0, *each = mem_zalloc(m->file_count * sizeof(*each));
	if (!each)
		return ST_NOMEM;
	for (size_t i = 0; i < m->file_count; i++)
		total_us += each[i] = duration_us(m->files[i]);
	uint64_t at_us = total_us ? (uint64_t)(m->start_us - m->clock_us) % total_us : 0;
	while (m->file_now + 1 < m->file_count && at_us >= each[m->file_now])
		at_us -= each[m->file_now++];
	mem_free(each);
	m->reader = reader_open(m, m->files[m->file_now], at_us);
	return ST_OK;
}

/* ---- chimes ---- */

static uint64_t frames_of_us(const struct lmusic *m, uint64_t us)
{
	return us * m->rate_hz / 1000000;
}

ON_WORK static void chime_end(struct lmusic *m)
{
	file_reader_close(m->chime.reader);
	m->chime.reader = NULL;
	m->chime.left = (uint64_t)m->chime.every_s * m->rate_hz;
}

ON_WORK static void chime_begin(struct lmusic *m, uint64_t at_us)
{
	uint64_t max_us = (uint64_t)clock_us_of_s(m->chime.max_s);
	m->chime.reader = reader_open(m, m->chime.files[m->chime.now], at_us);
	m->chime.left = !max_us ? UINT64_MAX : max_us > at_us ? frames_of_us(m, max_us - at_us) : 0;
	m->chime.now = (m->chime.now + 1) % m->chime.count;
	if (!m->chime.reader)
		chime_end(m);
}

ON_WORK static void chimes_tune_in(struct lmusic *m)
{
	uint64_t every_us = (uint64_t)clock_us_of_s(m->chime.every_s), max_us = (uint64_t)clock_us_of_s(m->chime.max_s);
	uint64_t each[LCHIMES_MAX], total_us = 0, at_us;
	char *rest = m->chime.list, *one;
	while (m->chime.count < LCHIMES_MAX && (one = rest ? strsep(&rest, ",") : NULL))
		if (*one)
			m->chime.files[m->chime.count++] = one;
	if (!every_us)
		m->chime.count = 0;
	for (size_t i = 0; i < m->chime.count; i++) {
		each[i] = duration_us(m->chime.files[i]);
		if (max_us && each[i] > max_us)
			each[i] = max_us;
		total_us += every_us + each[i];
	}
	if (!m->chime.count)
		return;
	at_us = (uint64_t)(m->start_us - m->clock_us) % total_us;
	while (at_us >= every_us + each[m->chime.now])
		at_us -= every_us + each[m->chime.now++];
	if (at_us >= every_us)
		chime_begin(m, at_us - every_us);
	else
		m->chime.left = frames_of_us(m, every_us - at_us);
}

/* ---- reading ---- */

int lmusic_open(struct lmusic *m)
{
	int st = files_find(m);
	m->start_us = clock_mono_us();
	if (!st)
		st = tune_in(m);
	if (!st)
		chimes_tune_in(m);
	return st;
}

/* One file after the other; silence while none can be read. */
ON_WORK static size_t files_read(struct lmusic *m, int16_t *out, size_t n)
{
	while (m->failed_count <= m->file_count) {
		int got = m->reader ? file_reader_read(m->reader, out, n) : 0;
		if (got > 0) {
			m->failed_count = 0;
			return (size_t)got;
		}
		file_reader_close(m->reader);
		m->failed_count++;
		m->file_now = (m->file_now + 1) % m->file_count;
		m->reader = reader_open(m, m->files[m->file_now], 0);
	}
	memset(out, 0, n * m->channels * sizeof(*out));
	return n;
}

ON_WORK static void files_skip(struct lmusic *m, size_t n)
{
	int16_t under[2 * UNDER_FRAMES];
	while (n)
		n -= files_read(m, under, n < UNDER_FRAMES ? n : UNDER_FRAMES);
}

/* 0: it is over. */
ON_WORK static size_t chime_read(struct lmusic *m, int16_t *out, size_t n)
{
	int got = file_reader_read(m->chime.reader, out, n < m->chime.left ? n : (size_t)m->chime.left);
	if (got <= 0)
		return 0;
	m->chime.left -= m->chime.left == UINT64_MAX ? 0 : (uint64_t)got;
	files_skip(m, (size_t)got);
	return (size_t)got;
}

static void volume_set(const struct lmusic *m, int16_t *pcm, size_t samples)
{
	int db = atomic_load_explicit(&m->volume_db, memory_order_relaxed);
	if (!db)
		return;
	const float gain = powf(10, (float)db / 20);
	for (size_t i = 0; i < samples; i++) {
		float v = roundf((float)pcm[i] * gain);
		pcm[i] = (int16_t)(v > INT16_MAX ? INT16_MAX : v < INT16_MIN ? INT16_MIN : v);
	}
}

size_t lmusic_read(struct lmusic *m, int16_t *out, size_t n)
{
	size_t got = 0;
	if (m->chime.reader && !(got = chime_read(m, out, n)))
		chime_end(m);
	if (!got) {
		if (m->chime.count && n > m->chime.left)
			n = (size_t)m->chime.left;
		got = files_read(m, out, n);
		if (m->chime.count && !(m->chime.left -= got))
			chime_begin(m, 0);
	}
	volume_set(m, out, got * m->channels);
	return got;
}

void lmusic_close(struct lmusic *m)
{
	file_reader_close(m->reader);
	file_reader_close(m->chime.reader);
	for (size_t i = 0; i < m->file_count; i++)
		mem_free(m->files[i]);
	mem_free(m->files);
}
