/* A statement whose coroutine waits. The answer is moved onto its stack before it runs again, so that nothing of the
 * store is needed then: the store may be closed meanwhile. */
#include "loop/co.h"
#include "store/store.h"

struct ask {
	struct co_wait wait;
	struct store_rows *rows;
};

static void on_answer(int status, struct store_rows *rows, void *arg)
{
	struct ask *a = arg;
	role_assert_ctl();
	*a->rows = *rows;
	*rows = (struct store_rows){0};
	co_signal(&a->wait, status);
}

int store_sql_run(
    struct store *s, const char *text, const struct sv *params, size_t param_count, struct store_rows *rows)
{
	struct ask a = {.rows = rows};
	int st;

	*rows = (struct store_rows){0};
	st = store_sql(s, text, params, param_count, NULL, on_answer, &a);
	return st < 0 ? st : co_wait(&a.wait, -1);
}
