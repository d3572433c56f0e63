/* Recognisers that modules from files bring (core/registry/recogniser.h) compute in this process, for as long as they
 * like: so on a worker, one utterance at a time, with a copy of the sound. Whoever does not wait any more is told
 * nothing; the job is its own. */
#include "asr/asr_i.h"
#include "base/mem.h"
#include "core/leg/leg.h"
#include "core/registry/recogniser.h"
#include "loop/work.h"
#include <stdatomic.h>

enum { JOBS_MAX = 64 };
struct asr_job {
	struct hearing *h;       /* NULL: nobody waits */
	atomic_bool is_given_up; /* the same, for the worker: what waits behind it is not held up */
	const struct recogniser *r;
	char *grammar;
	struct buf speech;
	double confidence;
	int status;
	char text[RECOGNISER_TEXT_MAX];
};
static struct work_serial *queue; /* made when it is first needed */

static uint32_t worker_rate(const char *name, const struct recogniser **r)
{
	role_assert_ctl();
	*r = recogniser_find(name);
	return *r ? (*r)->rate_hz : 0;
}

static void run(void *arg)
{
	struct asr_job *j = arg;
	role_assert_work();
	if (atomic_load_explicit(&j->is_given_up, memory_order_relaxed))
		return;
	j->status = j->r->recognise(j->grammar, (const int16_t *)(const void *)j->speech.p,
	    j->speech.n / sizeof(int16_t), j->text, sizeof(j->text), &j->confidence);
	j->text[sizeof(j->text) - 1] = 0;
}

static void done(int status, void *arg)
{
	struct asr_job *j = arg;
	struct hearing *h = j->h;
	role_assert_ctl();
	if (h)
		h->job = NULL;
	if (h && !status && !j->status) {
		asr_answer(h, j->text, j->confidence);
	} else if (h) {
		leg_log(h->leg, LOG_ERR, "speech engine %s: %s", j->r->name, status_text(status ? status : j->status));
		asr_over(h, "006", SV_NONE);
	}
	buf_fini(&j->speech);
	mem_free(j->grammar);
	mem_free(j);
}

static int worker_ask(struct hearing *h)
{
	struct asr_job *j = mem_zalloc(sizeof(*j));
	role_assert_ctl();
	int st = j ? ST_OK : ST_NOMEM;
	if (!st && !queue)
		st = work_serial_new(&queue, WORK_SPEECH, "recognisers", JOBS_MAX);
	if (!st && !(j->grammar = mem_strdup(h->grammar)))
		st = ST_NOMEM;
	if (!st) {
		j->h = h, j->r = h->recogniser, j->speech = h->speech;
		buf_init(&h->speech);
		st = work_serial_submit(queue, run, done, j);
	}
	if (st && j) {
		buf_fini(&j->speech);
		mem_free(j->grammar);
		mem_free(j);
	} else if (!st) {
		h->job = j;
	}
	return st;
}

static void worker_cancel(struct hearing *h)
{
	role_assert_ctl();
	if (h->job) {
		h->job->h = NULL;
		atomic_store_explicit(&h->job->is_given_up, true, memory_order_relaxed);
	}
	h->job = NULL;
}

void asr_worker_stop(void)
{
	if (queue)
		work_serial_close(queue);
	queue = NULL;
}

const struct asr_engine asr_worker = {
    .rate_hz = worker_rate, .ask = worker_ask, .cancel = worker_cancel, .is_timed = true};
