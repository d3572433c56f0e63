/* A request as a coroutine sees it: begin, wait, have the answer as one's own. */
#include "fetch/fetch.h"
#include "loop/co.h"

#include <stdio.h>
#include <string.h>

struct waiting {
	struct co_wait co;
	struct fetch_got *got;
	bool is_done;
};

static void on_answer(const struct fetch_result *r, void *arg)
{
	struct waiting *w = arg;
	struct fetch_got *got = w->got;
	role_assert_ctl();
	got->status = r->status, got->code = r->code, got->max_age_s = r->max_age_s;
	snprintf(got->ctype, sizeof(got->ctype), "%s", r->ctype);
	snprintf(got->error, sizeof(got->error), "%s", r->error);
	if (buf_addv(&got->body, r->body) || buf_addv(&got->head, r->head))
		got->status = ST_NOMEM;
	w->is_done = true;
	co_signal(&w->co, ST_OK);
}

int fetch_wait(const struct fetch_params *p, struct fetch_got *out)
{
	struct waiting w = {.got = out};
	struct fetch *f = NULL;
	memset(out, 0, sizeof(*out));
	buf_init(&out->body);
	buf_init(&out->head);
	out->max_age_s = -1;
	out->status = fetch_start(&f, p, on_answer, &w);
	if (out->status) {
		snprintf(out->error, sizeof(out->error), "%s",
		    out->status == ST_INVAL    ? "that is no URL"
		    : out->status == ST_DENIED ? "it may not go there"
		    : out->status == ST_FULL   ? "too many requests are under way"
		                               : status_text(out->status));
		return out->status;
	}
	(void)co_wait_or_stop(&w.co, -1);
	if (!w.is_done) {
		fetch_cancel(f);
		out->status = ST_CANCELLED;
		snprintf(out->error, sizeof(out->error), "the program ends");
	}
	return out->status;
}

void fetch_got_fini(struct fetch_got *got)
{
	buf_fini(&got->body);
	buf_fini(&got->head);
}
