/* Random calls on the real ledger, as fast as it takes them: what mod_billing does for a call (hold.c, ledger.c), with
 * seconds that pass at once. For tests/e2e/test_billing_storm.py, which kills it and the database at any moment, starts
 * it again, and works out whether the charges add up. What it knows of each call it appends to a file before it asks
 * the ledger, a line a write, so that what was used is known when it dies:
 *
 *   U CALL SECONDS RESERVED    so long it has talked, so much was reserved
 *   S CALL SECONDS COST        it is over; the ledger is asked until it says that it took it
 *   D CALL                     it did
 *   T REFERENCE AMOUNT         a top-up that the ledger took
 *
 * storm DSN FOLDER NODE FILE SEED CALLS PARALLEL ACCOUNTS: until the ledger has so many calls. */
#include "base/clock.h"
#include "base/rand.h"
#include "billing/billing_i.h"
#include "core/value/self.h"
#include "loop/co.h"
#include "loop/loop.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIECE_S = 60, MARGIN_S = 5, PAUSE_US = 20000, TOPUP = 2000000, NAME_CHARS = 32 };
static struct {
	int file;
	long calls, begun, accounts, parallel, running;
	unsigned long seed;
	bool is_failed;
} storm;

static unsigned long dice(unsigned long n)
{
	storm.seed = storm.seed * 6364136223846793005UL + 1442695040888963407UL;
	return (storm.seed >> 33) % n;
}

static void note(const char *kind, const char *id, int64_t a, int64_t b)
{
	char line[120];
	int n = snprintf(line, sizeof(line), "%s %s %lld %lld\n", kind, id, (long long)a, (long long)b);
	if (write(storm.file, line, (size_t)n) != n)
		abort();
}

static CO void settle(const struct hold *h, const char *account, int64_t seconds)
{
	int64_t cost = rate_cost(&h->rate, seconds);
	note("S", h->id, seconds, cost);
	while (ledger_settle(h->id, account, seconds, cost, h->is_unsure))
		if (co_sleep(PAUSE_US))
			return;
	note("D", h->id, 0, 0);
}

static CO void topup(const char *account)
{
	char ref[64], uuid[UUID_CHARS + 1];
	int64_t balance;
	int st = ST_AGAIN;
	uuid_make(uuid);
	snprintf(ref, sizeof(ref), "topup:%s", uuid);
	while (st && st != ST_EXISTS) { /* sent again with its reference: it counts once */
		st = ledger_topup(account, ref, TOPUP, "topup", &balance);
		if (st && st != ST_EXISTS && co_sleep(PAUSE_US))
			return;
	}
	note("T", ref, TOPUP, 0);
}

static CO void one_call(void)
{
	static const char *const prefixes[] = {"80", "81", "82", "83", "84", "85"};
	char account[NAME_CHARS], number[NAME_CHARS];
	struct hold h;
	bool is_last = false;
	snprintf(account, sizeof(account), "a%lu", dice((unsigned long)storm.accounts));
	snprintf(number, sizeof(number), "%s%06lu", prefixes[dice(6)], dice(1000000));
	int64_t length = dice(5) ? (int64_t)dice(200) : 0, used = 0;
	if (!dice(50))
		topup(account);
	const char *why = hold_open(&h, account, "-", number, PIECE_S);
	if (why) {
		if (h.is_unsure)
			settle(&h, account, 0);
		return;
	}
	storm.begun++;
	note("U", h.id, 0, h.reserved);
	while (used < length) {
		int64_t most = h.paid_s - (is_last ? 0 : MARGIN_S);
		used = length < most ? length : most > used ? most : used;
		note("U", h.id, used, h.reserved);
		if (used >= length || is_last)
			break;
		if (hold_extend(
		        &h, account, used, h.paid_s + PIECE_S, &is_last)) /* silent: to the end of what there is */
			is_last = true;
	}
	settle(&h, account, used);
}

static void worker(void *arg)
{
	role_assert_co();
	while (storm.begun < storm.calls)
		one_call();
	if (!--storm.running)
		loop_stop();
}

static void co_begin(void *arg)
{
	struct store_rows rows;
	struct sv cell = SV_NONE;
	size_t at = 0;
	role_assert_co();
	int st = ST_AGAIN;
	while (st) {
		st = ledger_open();
		if (!st)
			st = decks_load();
		if (!st)
			st = calls_recover();
		if (!st) {
			st = ledger_sql("SELECT COUNT(*) FROM billing_calls WHERE state<>'void'", NULL, 0, &rows);
			if (!st && store_rows_row(&rows, &at, &cell, 1))
				storm.begun = store_number(cell);
			store_rows_fini(&rows);
		}
		if (st && co_sleep(PAUSE_US))
			break;
	}
	fprintf(stderr, "storm: %ld calls so far\n", storm.begun);
	storm.running = storm.parallel;
	for (long i = 0; i < storm.parallel; i++)
		if (co_spawn("storm", worker, NULL, NULL))
			abort();
}

NO_ROLE_CHECK int main(int argc, char **argv)
{
	if (argc != 9)
		return 2;
	static struct core_dirs dirs;
	dirs.db = argv[2];
	storm.file = open(argv[4], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	storm.seed = strtoul(argv[5], NULL, 10), storm.calls = atol(argv[6]), storm.parallel = atol(argv[7]),
	storm.accounts = atol(argv[8]);
	role_set(ROLE_CTL);
	if (storm.file < 0 || loop_init())
		return 1;
	core_dirs_set(&dirs);
	core_switchname_set(argv[3]);
	if (lines_open(argv[1], dirs.db) || co_spawn("begin", co_begin, NULL, NULL))
		return 1;
	int64_t since_us = clock_mono_us();
	loop_run();
	printf("{\"calls\": %ld, \"seconds\": %.3f, \"extended\": %llu, \"failed\": %llu}\n", storm.begun,
	    (double)(clock_mono_us() - since_us) / 1e6, (unsigned long long)billing_counts.extended,
	    (unsigned long long)billing_counts.failed);
	return 0; /* the rest ends with the process, as after a kill */
}
