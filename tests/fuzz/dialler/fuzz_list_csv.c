/* A list of numbers as CSV: whatever it holds, what is handed out keeps the bounds, is text, and its numbers are
 * digits. Parser: dialler/csv.c, dialler/rule.c */
#include "base/status.h"
#include "dialler/csv.h"
#include "dialler/rule.h"

#include <stdlib.h>
#include <string.h>

static void on_row(const struct list_row *row, void *arg)
{
	static const struct rule_plan plan = {"86", "00", "0"};
	unsigned *last = arg;
	char out[RULE_NUMBER_MAX + 1];
	const char *why;
	if (row->line <= *last || !row->count || row->count > LIST_COLUMNS_MAX)
		abort();
	*last = row->line;
	for (size_t i = 0; i < row->count; i++) {
		if (row->cells[i].n > LIST_CELL_MAX_BYTES || !row->names[i].n || row->names[i].n > LIST_NAME_MAX)
			abort();
		for (size_t k = 0; k < row->cells[i].n; k++)
			if ((unsigned char)row->cells[i].p[k] < ' ')
				abort();
	}
	struct sv number = list_row_get(row, "number");
	if (!rule_number(number, &plan, out, &why) &&
	    (strlen(out) < RULE_NUMBER_MIN || strlen(out) > RULE_NUMBER_MAX || out[strspn(out, "0123456789")]))
		abort();
	struct rule_windows w;
	(void)rule_windows_parse(number, &w);
}

static void on_bad(unsigned line, const char *why, void *arg) {}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned last = 0;
	struct list_csv to = {on_row, on_bad, &last};
	(void)list_csv_read((struct sv){(const char *)data, size}, &to);
	struct rule_windows w;
	if (!rule_windows_parse((struct sv){(const char *)data, size}, &w) && w.count > RULE_WINDOWS_MAX)
		abort();
	return 0;
}
