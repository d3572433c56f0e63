/* mod_lcr: how good carriers are, by what their calls came to: the share that was answered (ASR), how long these
 * lasted (ACD), how long it took until something rang (PDD); for each carrier and prefix. Each is a mean in which the
 * last hundred calls count most, kept in a table of our own so that a restart does not forget. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/leg/leg.h"
#include "core/value/self.h"
#include "routing/lcr_i.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECENT = 100, KEYS_MAX = 100000 };
static struct hash *qualities; /* "carrier\nprefix" -> struct lcr_quality */
static struct store *kept;
static const char *const columns[] = {"carrier", "prefix", "calls", "asr", "acd_s", "pdd_s", NULL};
static const struct store_table table = {.name = "lcr_quality", .columns = columns, .key_count = 2};

static void key_make(struct buf *out, struct sv carrier, struct sv prefix)
{
	buf_addv(out, carrier);
	buf_addc(out, '\n');
	buf_addv(out, prefix);
}

static ON_CTL struct lcr_quality *entry_of(struct sv carrier, struct sv prefix, bool is_made)
{
	struct buf key;
	buf_init(&key);
	key_make(&key, carrier, prefix);
	struct lcr_quality *q = key.failed || !qualities ? NULL : hash_get(qualities, buf_sv(&key));
	if (!q && is_made && qualities && hash_count(qualities) < KEYS_MAX && (q = mem_zalloc(sizeof(*q))) &&
	    hash_set(qualities, buf_sv(&key), q)) {
		mem_free(q);
		q = NULL;
	}
	buf_fini(&key);
	return q;
}

const struct lcr_quality *lcr_quality_of(const char *carrier, const char *prefix)
{
	return entry_of(sv_of(carrier), sv_of(prefix), false);
}

static void mean_add(double *mean, double value, uint64_t count)
{
	*mean += (value - *mean) / (double)(count < RECENT ? count : RECENT);
}

static ON_CTL void keep(const char *carrier, const char *prefix, const struct lcr_quality *q)
{
	char calls[24], asr[24], acd[24], pdd[24];
	snprintf(calls, sizeof(calls), "%llu", (unsigned long long)q->calls);
	snprintf(asr, sizeof(asr), "%.4f", q->asr);
	snprintf(acd, sizeof(acd), "%.1f", q->acd_s);
	snprintf(pdd, sizeof(pdd), "%.2f", q->pdd_s);
	const struct sv values[] = {sv_of(carrier), sv_of(prefix), sv_of(calls), sv_of(asr), sv_of(acd), sv_of(pdd)};
	if (kept)
		(void)store_put(kept, &table, values);
}

/* A call of a carrier is over. Who hung up before it rang says nothing of the carrier. */
static ON_CTL void on_reporting(struct leg *leg, void *arg)
{
	const char *name = leg->is_outbound ? leg_var(leg, "lcr_carrier") : NULL;
	if (!name || !*name)
		return;
	const struct leg_times *t = &leg->profile->times;
	char *carrier = mem_strdup(name);
	const char *digits = leg_var(leg, "lcr_digits");
	char *prefix = mem_strdup(digits ? digits : "");
	int64_t rang_us = t->progress ? t->progress : t->progress_media ? t->progress_media : t->answered;
	bool is_given_up = !t->answered && leg->cause == CAUSE_ORIGINATOR_CANCEL;
	struct lcr_quality *q = carrier && prefix ? entry_of(sv_of(carrier), sv_of(prefix), true) : NULL;
	if (q && !(is_given_up && !rang_us)) {
		q->calls++;
		mean_add(&q->asr, t->answered ? 1 : 0, q->calls);
		if (t->answered && t->hungup > t->answered)
			mean_add(
			    &q->acd_s, (double)(t->hungup - t->answered) / (double)clock_us_of_s(1), ++q->answered);
		if (rang_us > t->created)
			mean_add(&q->pdd_s, (double)(rang_us - t->created) / (double)clock_us_of_s(1), ++q->rung);
		keep(carrier, prefix, q);
	}
	mem_free(carrier);
	mem_free(prefix);
}

static void on_row(const struct sv *v, size_t count, void *arg)
{
	role_assert_ctl();
	struct lcr_quality *q = count == 6 ? entry_of(v[0], v[1], true) : NULL;
	if (!q || q->calls)
		return;
	uint64_t calls;
	if (sv_u64(v[2], &calls))
		return;
	*q = (struct lcr_quality){.calls = calls,
	    .answered = calls,
	    .rung = calls,
	    .asr = strtod(v[3].p, NULL),
	    .acd_s = strtod(v[4].p, NULL),
	    .pdd_s = strtod(v[5].p, NULL)};
}

static void on_rows(int status, void *arg)
{
	role_assert_ctl();
	if (status && status != ST_CANCELLED)
		log_error("lcr: what was known of carriers' quality cannot be read: %s", status_text(status));
}

void lcr_quality_print(struct buf *out)
{
	struct hash_it it = {0};
	buf_adds(out, "carrier,prefix,calls,asr,acd_s,pdd_s\n");
	while (qualities && hash_next(qualities, &it)) {
		const struct lcr_quality *q = it.value;
		struct sv carrier, prefix;
		sv_split(it.key, '\n', &carrier, &prefix);
		buf_printf(out, "%.*s,%.*s,%llu,%.4f,%.1f,%.2f\n", (int)carrier.n, carrier.p, (int)prefix.n, prefix.p,
		    (unsigned long long)q->calls, q->asr, q->acd_s, q->pdd_s);
	}
}

static void quality_free(void *q)
{
	mem_free(q);
}

int lcr_quality_start(void)
{
	int st = hash_new(&qualities, 0, quality_free);
	if (!st && core_dirs() && core_dirs()->db &&
	    !store_open(&kept, "lcr_quality", core_dirs()->db, STORE_KEEPS, NULL))
		(void)store_each(kept, &table, NULL, 0, on_row, on_rows, NULL);
	return st ? st : leg_hook_add(LEG_HOOK_REPORTING, on_reporting, NULL);
}

void lcr_quality_stop(void)
{
	leg_hook_del(LEG_HOOK_REPORTING, on_reporting, NULL);
	store_close(kept);
	kept = NULL;
	hash_free(qualities);
	qualities = NULL;
}
