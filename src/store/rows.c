/* Cells of a result, written by a driver on any thread and read on control: each a length and its bytes, so that texts
 * hold anything and NULL is not "". Whoever reads goes by what is there, never by what a driver said of it. */
#include "store/driver.h"

#include <stdio.h>
#include <string.h>

#define CELL_NULL SIZE_MAX

void store_rows_add(struct store_rows *r, const char *p, size_t n)
{
	size_t size = p ? n : CELL_NULL;
	buf_add(&r->cells, &size, sizeof(size));
	if (p)
		buf_add(&r->cells, p, n);
}

bool store_rows_next(const struct store_rows *r, size_t *at, struct sv *cell)
{
	size_t n;
	if (r->cells.n < sizeof(n) || *at > r->cells.n - sizeof(n))
		return false;
	memcpy(&n, r->cells.p + *at, sizeof(n));
	if (n == CELL_NULL) {
		*cell = (struct sv){NULL, 0};
		*at += sizeof(n);
		return true;
	}
	if (n > r->cells.n - sizeof(n) - *at)
		return false;
	*cell = (struct sv){r->cells.p + *at + sizeof(n), n};
	*at += sizeof(n) + n;
	return true;
}

bool store_rows_row(const struct store_rows *r, size_t *at, struct sv *cells, size_t max)
{
	struct sv cell;
	if (!*at)
		for (size_t i = 0; i < r->column_count; i++)
			if (!store_rows_next(r, at, &cell))
				return false;
	for (size_t i = 0; i < r->column_count; i++) {
		if (!store_rows_next(r, at, &cell))
			return false;
		if (i < max)
			cells[i] = cell;
	}
	return r->column_count > 0;
}

struct sv store_number_put(struct store_number *n, int64_t v)
{
	return (struct sv){n->text, (size_t)snprintf(n->text, sizeof(n->text), "%lld", (long long)v)};
}

int64_t store_number(struct sv cell)
{
	int64_t v = 0;
	return sv_i64(cell, &v) ? 0 : v;
}

void store_rows_clear(struct store_rows *r)
{
	buf_clear(&r->cells);
	r->row_count = r->column_count = 0;
	r->change_count = 0;
}

void store_rows_fini(struct store_rows *r)
{
	buf_fini(&r->cells);
	buf_fini(&r->error);
}
