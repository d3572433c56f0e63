/* Private: what readers and writers share. */
#pragma once
#include "file/file.h"
#include <sndfile.h>

/* What libsndfile is to be told for a path: its format number (0 = unknown extension) and whether the extension alone
 * says it (headerless files). */
struct file_sf_kind {
	int format;
	bool is_headerless;
	bool is_8k_mono; /* the format knows nothing else */
};
bool file_sf_kind_of(const char *path, struct file_sf_kind *out);
void file_say(char *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The status for an errno of open. */
int file_status_of_errno(int e);
/* Checks the path's form; ST_INVAL with err set. */
int file_path_check(const char *path, char *err);
