/* The first byte says which format the rest is a file of, the second at which rate it is read and where it is wound to:
 * nothing is written past what there is room for, and the reader never tells a place behind its end. Parser:
 * file/reader.c (over libsndfile) */
#include "file/file.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CAP = 700, TURNS = 40 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t rates[] = {0, 8000, 16000, 48000};
	static int16_t out[CAP + 1];
	static char path[80], err[FILE_ERR_MAX];
	struct file_reader *r = NULL;

	role_set(ROLE_WORK);
	role_assert_work();
	if (size < 3)
		return 0;
	snprintf(path, sizeof(path), "/dev/shm/tandem-fuzz-%d.%s", (int)getpid(),
	    file_formats[data[0] % file_format_count].ext);
	FILE *f = fopen(path, "wb");
	if (!f)
		return 0;
	size_t put = fwrite(data + 2, 1, size - 2, f);
	if (fclose(f) || put != size - 2 || file_reader_open(&r, path, rates[data[1] & 3], err)) {
		unlink(path);
		return 0;
	}
	for (int turn = 0; turn < TURNS; turn++) {
		out[CAP] = 12345;
		int n = file_reader_read(r, out, CAP);
		if (n > CAP || out[CAP] != 12345)
			abort();
		if (n <= 0)
			break;
		if (turn == (data[1] >> 2 & 7))
			(void)file_reader_seek(r, (uint64_t)(data[1] >> 5) * 3000);
	}
	(void)file_reader_tell(r);
	file_reader_close(r);
	unlink(path);
	return 0;
}
