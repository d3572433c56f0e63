/* Child processes for calls and operators: allowed or not, output, exit, bounds, deadline, the end of the program. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "harness.h"
#include "loop/co.h"
#include "loop/loop.h"
#include "proc/shell.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void start(bool is_allowed) NO_ROLE_CHECK
{
	shell_settings_set(&(struct shell_settings){.is_allowed = is_allowed});
}

struct run {
	struct shell_conf conf;
	struct buf out;
	int status, exit_code;
	bool is_over;
};

static void run_co(void *arg)
{
	struct run *r = arg;
	role_assert_co();
	r->status = shell_run(&r->conf, &r->out, &r->exit_code);
	r->is_over = true;
}

static void run(struct run *r) NO_ROLE_CHECK
{
	buf_init(&r->out);
	r->is_over = false;
	co_spawn("test", run_co, r, NULL);
	while (!r->is_over)
		loop_run_once();
}

static int test_run(void) NO_ROLE_CHECK
{
	static const char *const words[] = {"printf", "%s|", "a b", "$HOME", NULL};
	static const char *const absent[] = {"/no/such/program", NULL};
	static const struct {
		struct shell_conf conf;
		int status, exit_code;
		const char *output;
	} rows[] = {
	    {{.command = "echo one; echo two >&2", .output_max_bytes = 100}, ST_OK, 0, "one\ntwo\n"},
	    {{.command = "exit 7", .output_max_bytes = 100}, ST_OK, 7, ""},
	    {{.command = "kill -9 $$", .output_max_bytes = 100}, ST_OK, 128 + SIGKILL, ""},
	    {{.command = "cat; echo end", .output_max_bytes = 100}, ST_OK, 0, "end\n"},
	    {{.command = "echo unseen"}, ST_OK, 0, ""},
	    {{.command = "yes", .output_max_bytes = 10000}, ST_LIMIT, 128 + SIGKILL, NULL},
	    {{.command = "sleep 100", .timeout_s = 1, .output_max_bytes = 100}, ST_TIMEOUT, 128 + SIGKILL, ""},
	    /* what it leaves in the background does not keep us */
	    {{.command = "sleep 100 & echo $!", .output_max_bytes = 100}, ST_OK, 0, NULL},
	    {{.argv = words, .output_max_bytes = 100}, ST_OK, 0, "a b|$HOME|"},
	    {{.argv = absent, .output_max_bytes = 100}, ST_NOTFOUND, -1, ""},
	    {{.command = ""}, ST_INVAL, 0, ""},
	};

	start(true);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct run r = {.conf = rows[i].conf};
		run(&r);
		EXPECT_INT(r.status, rows[i].status);
		EXPECT_INT(r.exit_code, rows[i].exit_code);
		if (rows[i].output)
			EXPECT_STR(r.out.p ? r.out.p : "", rows[i].output);
		if (r.conf.command && strstr(r.conf.command, "$!"))
			EXPECT_INT(kill(atoi(r.out.p), SIGKILL), 0);
		buf_fini(&r.out);
	}
	return 0;
}

static void no_call(const struct shell_result *result, void *arg)
{
	*(bool *)arg = true;
}

static int test_refused(void) NO_ROLE_CHECK
{
	struct shell_conf conf = {.command = "true"};
	bool was_called = false;

	start(false);
	EXPECT(!shell_is_allowed());
	EXPECT_INT(shell_start(&conf, no_call, &was_called, NULL), ST_DENIED);
	EXPECT(!was_called);
	return 0;
}

static int test_forget_and_stop(void) NO_ROLE_CHECK
{
	struct shell_conf slow = {.command = "sleep 100", .output_max_bytes = 10};
	struct shell_job *job = NULL;
	bool was_called = false;
	int64_t end = clock_mono_us() + 20000000;

	start(true);
	EXPECT_INT(shell_start(&slow, no_call, &was_called, &job), ST_OK);
	shell_forget(job);
	EXPECT_INT(shell_start(&slow, no_call, &was_called, NULL), ST_OK);
	for (int i = 0; i < 62; i++)
		EXPECT_INT(shell_start(&slow, NULL, NULL, NULL), ST_OK);
	EXPECT_INT(shell_start(&slow, NULL, NULL, NULL), ST_LIMIT);
	shell_stop(); /* those still with a worker end when it gives them back */
	while (!was_called && clock_mono_us() < end)
		loop_run_once();
	EXPECT(was_called);
	while (shell_count() && clock_mono_us() < end)
		loop_run_once();
	EXPECT_INT(shell_count(), 0);
	/* One that is to be left behind, and is still with a worker. */
	slow = (struct shell_conf){.command = "sleep 20", .is_left_behind = true};
	EXPECT_INT(shell_start(&slow, NULL, NULL, NULL), ST_OK);
	shell_stop();
	end = clock_mono_us() + 10000000;
	while (shell_count())
		loop_run_once();
	EXPECT(clock_mono_us() < end); /* not only when the command ended */
	return 0;
}

TEST_MAIN({"run", test_run, TEST_LOOP}, {"refused", test_refused, TEST_LOOP},
    {"forget_and_stop", test_forget_and_stop, TEST_LOOP})
