/* Whose signatures count for wss:// (tls-ca-file, else what the system trusts): read once by a worker when the module
 * starts. Whoever wants to connect before it is done is told afterwards. */
#include "base/log.h"
#include "base/mem.h"
#include "bot/bot_i.h"
#include "loop/work.h"
#include "net/dial.h"

#include <string.h>

static struct dial_trust *trust;
static int state = ST_CLOSED; /* what bot_trust says */
static void (*ready_fn)(void);
static struct trust_job {
	char *path;
	struct dial_trust *made;
	int status;
} * current; /* under way; another one's result is nobody's */

static void job_free(struct trust_job *j)
{
	if (j) {
		mem_unref(j->made);
		mem_free(j->path);
	}
	mem_free(j);
}

static void on_work(void *arg)
{
	struct trust_job *j = arg;
	role_assert_work();
	j->status = dial_trust_new(&j->made, *j->path ? j->path : NULL);
}

static void on_done(int status, void *arg)
{
	struct trust_job *j = arg;
	role_assert_ctl();
	bool is_good = !status && !j->status, is_mine = j == current;
	if (!is_good && status != ST_CANCELLED)
		log_error("audio_stream.conf: tls-ca-file: \"%s\" cannot be read", j->path);
	if (is_mine) {
		state = is_good ? ST_OK : ST_IO;
		trust = j->made, j->made = NULL;
		current = NULL;
	}
	job_free(j);
	if (is_mine)
		ready_fn();
}

void bot_trust_start(void (*fn)(void))
{
	struct trust_job *j = mem_zalloc(sizeof(*j));
	ready_fn = fn, state = ST_AGAIN, current = j;
	if (j)
		j->path = mem_strdup(bot_param("tls-ca-file"));
	if (!j || !j->path || work_submit(WORK_FILE, "bot.trust", on_work, on_done, j)) {
		job_free(j);
		current = NULL, state = ST_IO;
	}
}

void bot_trust_stop(void)
{
	trust = mem_unref(trust);
	current = NULL, state = ST_CLOSED;
}

int bot_trust(struct dial_trust **out)
{
	if (!state && out)
		*out = mem_ref(trust);
	return state;
}
