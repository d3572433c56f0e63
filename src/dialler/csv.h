/* A list of numbers out of a CSV text. Pure: reads nothing but what it is given; any thread. */
#pragma once
#include "base/role.h"
#include "base/str.h"

enum { LIST_COLUMNS_MAX = 32, LIST_NAME_MAX = 32, LIST_CELL_MAX_BYTES = 1000, LIST_ROW_MAX_BYTES = 8000 };
struct list_row {
	unsigned line;          /* of the text, the first is 1; of a row of several lines the first of them */
	size_t count;           /* as many names as cells */
	const struct sv *names; /* of the columns, in lower case: a letter, then letters, digits, "_" */
	struct sv cells[LIST_COLUMNS_MAX]; /* UTF-8 without control bytes; valid during the call */
};
struct list_csv {
	void (*row)(const struct list_row *row, void *arg);
	void (*bad)(unsigned line, const char *why, void *arg); /* why: valid during the call */
	void *arg;
};
/* RFC 4180, also with ";" or tabs (as the first line has them), with a byte order mark, with lines that end in LF. The
 * first line names the columns, each once; "number" must be there. A row with fewer cells has the others empty. Rows
 * that are bad are told and left out. ST_PARSE: the first line is bad (told too), nothing was read. */
ANY int list_csv_read(struct sv text, const struct list_csv *to);
/* The cell of that column; empty when there is none. */
ANY struct sv list_row_get(const struct list_row *row, const char *name);
