/* Files of a codec's frames: the first byte says of which, and at which rate it is read; pairs of bytes behind it where
 * to wind to between two reads; the rest is the file. Nothing is written past what there is room for; read to its end
 * at its own rate a file has the samples of its whole frames, whatever is in them. Parsers: file/native.c, and
 * libsndfile for PCMU and PCMA */
#include "file/file.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

NO_ROLE_CHECK int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CAP = 700, WINDS = 6 };
static const struct {
	const char *ext;
	size_t bytes, samples; /* of what cannot be cut */
} kinds[] = {{"PCMU", 1, 1}, {"PCMA", 1, 1}, {"G722", 160, 320}, {"G729", 0, 0}};

/* All that is left; it may stop behind most. */
NO_ROLE_CHECK static size_t read_on(struct file_reader *r, size_t most)
{
	static int16_t out[CAP + 1];
	size_t all = 0;
	for (;;) {
		out[CAP] = 12345;
		int n = file_reader_read(r, out, CAP);
		if (n > CAP || out[CAP] != 12345)
			abort();
		all += n > 0 ? (size_t)n : 0;
		if (n <= 0 || all > most)
			return all;
	}
}

NO_ROLE_CHECK static void look(struct file_reader *r, const uint8_t *winds, size_t want, bool is_own_rate)
{
	if (file_reader_info(r)->frames != want || (is_own_rate && read_on(r, want) != want))
		abort();
	for (int i = 0; i < WINDS; i++, winds += 2) {
		(void)file_reader_seek(r, (uint64_t)(winds[0] << 8 | winds[1]));
		(void)read_on(r, (size_t)winds[1] * 20);
		(void)file_reader_tell(r);
	}
}

NO_ROLE_CHECK int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t rates[] = {0, 8000, 16000, 48000};
	static char path[80], err[FILE_ERR_MAX];
	struct file_reader *r = NULL;

	role_set(ROLE_WORK);
	role_assert_work();
	if (size < 1 + 2 * WINDS)
		return 0;
	size_t kind = data[0] & 3, rate = data[0] >> 2 & 3, n = size - 1 - 2 * WINDS, frame = kinds[kind].bytes;
	snprintf(path, sizeof(path), "/dev/shm/tandem-fuzz-%d.%s", (int)getpid(), kinds[kind].ext);
	FILE *f = fopen(path, "wb");
	if (!f)
		return 0;
	size_t put = fwrite(data + 1 + 2 * WINDS, 1, n, f);
	if (!fclose(f) && put == n) {
		int st = file_reader_open(&r, path, rates[rate], err);
		if (frame && n && st) /* there is none that cannot be read */
			abort();
		if (!st)
			look(r, data + 1, frame ? n / frame * kinds[kind].samples : 0, !rate);
		file_reader_close(r);
	}
	unlink(path);
	return 0;
}
