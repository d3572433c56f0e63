/* Runs LLVMFuzzerTestOneInput over every file of the given directories (or the files given), in the order of their
 * names: a fuzz target's corpus as an ordinary test. Each input is a block of exactly its size, so that a sanitizer
 * sees a read beyond it. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path)
{
	int rc = -1;
	uint8_t *data = NULL;
	struct stat st;
	FILE *f = fopen(path, "rb");
	if (!f || fstat(fileno(f), &st))
		goto out;
	data = malloc((size_t)st.st_size);
	if ((!data && st.st_size) || fread(data, 1, (size_t)st.st_size, f) != (size_t)st.st_size)
		goto out;
	alarm(20);
	LLVMFuzzerTestOneInput(data, (size_t)st.st_size);
	alarm(0);
	rc = 0;
out:
	if (rc)
		perror(path);
	if (f)
		fclose(f);
	free(data);
	return rc;
}

static int run_dir(const char *dir, size_t *count)
{
	struct dirent **names;
	int n = scandir(dir, &names, NULL, alphasort), rc = 0;
	if (n < 0) {
		perror(dir);
		return -1;
	}
	for (int i = 0; i < n; i++) {
		char path[4096];
		if (names[i]->d_name[0] != '.') {
			snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
			fprintf(stderr, "%s\n", path);
			rc |= run_file(path);
			++*count;
		}
		free(names[i]);
	}
	free(names);
	return rc;
}

int main(int argc, char **argv)
{
	int rc = 0;
	size_t count = 0;
	for (int i = 1; i < argc; i++) {
		struct stat st;
		if (!stat(argv[i], &st) && S_ISDIR(st.st_mode)) {
			rc |= run_dir(argv[i], &count);
		} else {
			rc |= run_file(argv[i]);
			count++;
		}
	}
	if (!count)
		fprintf(stderr, "no inputs\n");
	return rc || !count;
}
