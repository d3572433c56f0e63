/* Metrics of what core owns or alone may reach: calls, the loop, memory, locks, rings, events, the log, the media
 * threads, the process. Rooms above add tables of their own. */
#include "core/registry/metrics.h"
#include "base/clock.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/event/event.h"
#include "core/host/core_i.h"
#include "core/leg/leg.h"
#include "core/registry/limits.h"
#include "core/registry/registrations.h"
#include "core/value/self.h"
#include "loop/co.h"
#include "loop/loop.h"
#include "loop/work.h"
#include "media/ctl/mctl.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---- calls and the process ---- */
enum {
	N_INFO,
	N_UPTIME,
	N_SESSIONS,
	N_SESSIONS_PEAK,
	N_SESSIONS_MAX,
	N_SESSIONS_TOTAL,
	N_SPS,
	N_SPS_PEAK,
	N_SPS_MAX,
	N_ANSWERED,
	N_BRIDGED,
	N_FAILED,
	N_CALLS,
	N_REGISTRATIONS,
	N_DRAINING,
	N_IDLE_CPU,
	N_CPU,
	N_RSS,
	N_ITERATIONS,
	N_COROUTINES,
	N_STACK,
	N_LOG_DROPPED
};

static bool count_bridged(struct leg *leg, void *arg)
{
	*(size_t *)arg += leg->peer != NULL;
	return true;
}

static double cpu_seconds(void)
{
	struct rusage u = {0};
	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static double resident_bytes(void)
{
	long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");
	if (f && fscanf(f, "%*s %ld", &pages) != 1)
		pages = 0;
	if (f)
		fclose(f);
	return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static ON_CTL double process_number(int which)
{
	struct loop_stats loop;
	switch (which) {
	case N_CPU:
		return cpu_seconds();
	case N_RSS:
		return resident_bytes();
	case N_ITERATIONS:
		loop_stats_get(&loop);
		return (double)loop.iteration_count;
	case N_COROUTINES:
		return (double)co_live_count();
	case N_STACK:
		return (double)co_stack_high_water_bytes();
	default:
		return (double)log_dropped_count();
	}
}

static ON_CTL double number(int which)
{
	const struct core_counters *n = core_counters();
	const struct core_limits *l = core_limits();
	size_t bridged = 0;
	switch (which) {
	case N_UPTIME:
		return (double)(clock_mono_us() - n->start_mono_us) / 1e6;
	case N_SESSIONS:
		return n->sessions_now;
	case N_SESSIONS_PEAK:
		return n->sessions_peak;
	case N_SESSIONS_MAX:
		return l->max_sessions;
	case N_SESSIONS_TOTAL:
		return (double)n->sessions_since_startup;
	case N_SPS:
		return n->sps_last;
	case N_SPS_PEAK:
		return n->sps_peak;
	case N_SPS_MAX:
		return l->sessions_per_second;
	case N_ANSWERED:
		return (double)n->answered;
	case N_BRIDGED:
		return (double)n->bridged;
	case N_FAILED:
		return (double)n->failed;
	case N_CALLS:
		leg_each(count_bridged, &bridged);
		bridged /= 2;
		return (double)bridged;
	case N_REGISTRATIONS:
		return (double)core_registration_count();
	case N_DRAINING:
		return l->is_shutting_down || l->is_elegant || l->is_paused_inbound;
	case N_IDLE_CPU:
		return n->idle_cpu / 100;
	default:
		return process_number(which);
	}
}

static void fill_number(struct metric_out *out, int which)
{
	role_assert_ctl();
	if (which == N_INFO)
		metric_put(out, 1, "version", TANDEM_VERSION, "compatible", core_version_text(), NULL);
	else
		metric_put(out, number(which), NULL);
}

/* ---- the loop ---- */
static void fill_lateness(struct metric_out *out, int which)
{
	role_assert_ctl();
	struct loop_stats st;
	loop_stats_get(&st);
	struct metric_histogram h = {LOOP_STEPS_COUNT, loop_steps_s, st.lateness.counts, st.lateness.sum_s};
	metric_put_histogram(out, &h, NULL);
}

enum { H_RUNS, H_SECONDS, H_LONGEST, H_SLOW, H_TIMERS, H_LATE, H_LATE_LONGEST };
struct fill_ask {
	struct metric_out *out;
	int which;
};

static void handler_put(const struct loop_handler *h, void *arg)
{
	const struct fill_ask *q = arg;
	const double values[] = {(double)h->run_count, (double)h->total_us / 1e6, (double)h->longest_us / 1e6,
	    (double)h->slow_count, (double)h->timer_count, (double)h->late_total_us / 1e6,
	    (double)h->late_longest_us / 1e6};
	role_assert_ctl();
	metric_put(q->out, values[q->which], "handler", h->name, NULL);
}

static void fill_handlers(struct metric_out *out, int which)
{
	struct fill_ask q = {out, which};
	role_assert_ctl();
	loop_handlers_each(handler_put, &q);
}

/* ---- memory and locks ---- */
static void room_put(const char *room, size_t live, size_t bytes, void *arg)
{
	const struct fill_ask *q = arg;
	role_assert_ctl();
	metric_put(q->out, (double)(q->which ? bytes : live), "room", room, NULL);
}

static void fill_memory(struct metric_out *out, int which)
{
	struct fill_ask q = {out, which};
	mem_each_room(room_put, &q);
}

static void lock_put(const struct lock *l, void *arg)
{
	const struct fill_ask *q = arg;
	role_assert_ctl();
	metric_put(q->out,
	    q->which == 0   ? (double)l->taken_count
	    : q->which == 1 ? (double)l->waited_count
	                    : (double)l->waited_ns / 1e9,
	    "lock", l->name, NULL);
}

static void fill_locks(struct metric_out *out, int which)
{
	struct fill_ask q = {out, which};
	lock_each(lock_put, &q);
}

/* ---- rings and queues between threads ---- */
enum { R_FILL, R_SLOTS, R_REFUSED };

static ON_CTL void ring_put(
    struct metric_out *out, int which, const char *name, size_t fill, size_t slots, uint64_t refused)
{
	const double values[] = {(double)fill, (double)slots, (double)refused};
	metric_put(out, values[which], "ring", name, NULL);
}

enum { QUEUES_MAX = 64 };
struct queue_ask {
	struct metric_out *out;
	int which;
	const char *names[QUEUES_MAX];
	size_t count;
};

/* Queues of one name (a store's, several times) are numbered. */
static void queue_put(const char *name, size_t job_count, size_t max_jobs, uint64_t refused_count, void *arg)
{
	struct queue_ask *q = arg;
	char text[64];
	unsigned nth = 1;
	role_assert_ctl();
	if (q->count == QUEUES_MAX)
		return;
	for (size_t i = 0; i < q->count; i++)
		nth += !strcmp(q->names[i], name);
	q->names[q->count++] = name;
	if (nth > 1)
		snprintf(text, sizeof(text), "jobs %s %u", name, nth);
	else
		snprintf(text, sizeof(text), "jobs %s", name);
	ring_put(q->out, q->which, text, job_count, max_jobs, refused_count);
}

static void fill_rings(struct metric_out *out, int which)
{
	role_assert_ctl();
	struct queue_ask q = {.out = out, .which = which};
	struct mctl_thread_counts t;
	size_t fill = 0, slots = 0, held = 0;
	char name[32];
	log_ring_counts(&fill, &slots);
	ring_put(out, which, "log", fill, slots, log_dropped_count());
	mctl_ring_counts(&fill, &slots, &held);
	ring_put(out, which, "media reports", fill, slots, 0);
	for (unsigned i = 0; !mctl_thread_counts(i, &t); i++) {
		snprintf(name, sizeof(name), "media %u commands", i);
		ring_put(out, which, name, t.commands_fill, t.commands_cap, 0);
	}
	ring_put(out, which, "media commands held back", held, 0, 0);
	work_queues_each(queue_put, &q);
}

/* ---- events ---- */
static void fill_events(struct metric_out *out, int which)
{
	role_assert_ctl();
	for (int id = 0; id < EVENT_ALL; id++) {
		struct event_counts n;
		event_counts_get((enum event_id)id, &n);
		const uint64_t values[] = {n.built, n.fired, n.delivered, n.dropped};
		if (n.built)
			metric_put(out, (double)values[which], "event", event_name((enum event_id)id), NULL);
	}
}

/* clang-format off */
#define C METRIC_COUNTER, 0
#define G METRIC_GAUGE, 0
static const struct metric_desc table[] = {
    {"tandem_info", G, "Always 1; the labels tell the version.", fill_number, N_INFO},
    {"tandem_uptime_seconds", G, "Time since the start.", fill_number, N_UPTIME},
    {"tandem_sessions", G, "Legs now.", fill_number, N_SESSIONS},
    {"tandem_sessions_peak", G, "Most legs at once since the start.", fill_number, N_SESSIONS_PEAK},
    {"tandem_sessions_limit", G, "Most legs allowed (max-sessions).", fill_number, N_SESSIONS_MAX},
    {"tandem_sessions_started_total", C, "Legs since the start.", fill_number, N_SESSIONS_TOTAL},
    {"tandem_sessions_per_second", G, "New legs in the last second (CPS).", fill_number, N_SPS},
    {"tandem_sessions_per_second_peak", G, "Most new legs in a second since the start.", fill_number, N_SPS_PEAK},
    {"tandem_sessions_per_second_limit", G, "Most allowed (sessions-per-second).", fill_number, N_SPS_MAX},
    {"tandem_calls", G, "Pairs of legs bridged now.", fill_number, N_CALLS},
    {"tandem_sessions_answered_total", C, "Legs answered.", fill_number, N_ANSWERED},
    {"tandem_bridges_total", C, "Bridges made.", fill_number, N_BRIDGED},
    {"tandem_sessions_failed_total", C, "Legs that ended unanswered.", fill_number, N_FAILED},
    {"tandem_registrations", G, "Registrations now.", fill_number, N_REGISTRATIONS},
    {"tandem_draining", G, "1 while no new calls come in (paused or shutting down).", fill_number, N_DRAINING},
    {"tandem_idle_cpu_ratio", G, "Idle share of the machine's CPUs.", fill_number, N_IDLE_CPU},
    {"process_cpu_seconds_total", C, "CPU time used.", fill_number, N_CPU},
    {"process_resident_memory_bytes", G, "Resident memory.", fill_number, N_RSS},
    {"tandem_loop_iterations_total", C, "Turns of the control loop.", fill_number, N_ITERATIONS},
    {"tandem_coroutines", G, "Coroutines alive.", fill_number, N_COROUTINES},
    {"tandem_coroutine_stack_peak_bytes", G, "Deepest coroutine stack so far.", fill_number, N_STACK},
    {"tandem_log_lines_dropped_total", C, "Log lines lost to a full ring.", fill_number, N_LOG_DROPPED},
    {"tandem_loop_lateness_seconds", METRIC_HISTOGRAM, 0, "How late timers of the control loop ran.", fill_lateness, 0},
    {"tandem_loop_handler_runs_total", C, "Runs of a handler on the control loop.", fill_handlers, H_RUNS},
    {"tandem_loop_handler_seconds_total", C, "Time in it, nested handlers left out.", fill_handlers, H_SECONDS},
    {"tandem_loop_handler_longest_seconds", G, "Its longest run.", fill_handlers, H_LONGEST},
    {"tandem_loop_handler_slow_total", C, "Runs of over 10 ms.", fill_handlers, H_SLOW},
    {"tandem_loop_handler_timers_total", C, "Runs as a timer.", fill_handlers, H_TIMERS},
    {"tandem_loop_handler_late_seconds_total", C, "How late those were, added up.", fill_handlers, H_LATE},
    {"tandem_loop_handler_late_longest_seconds", G, "The latest of them.", fill_handlers, H_LATE_LONGEST},
    {"tandem_memory_objects", G, "Objects and blocks held, by the room that allocated them.", fill_memory, 0},
    {"tandem_memory_bytes", G, "Their size.", fill_memory, 1},
    {"tandem_lock_taken_total", C, "Times a lock was taken.", fill_locks, 0},
    {"tandem_lock_waited_total", C, "Times that had to wait.", fill_locks, 1},
    {"tandem_lock_waited_seconds_total", C, "How long.", fill_locks, 2},
    {"tandem_ring_fill", G, "Messages or jobs waiting.", fill_rings, R_FILL},
    {"tandem_ring_slots", G, "Room for so many; 0: no bound.", fill_rings, R_SLOTS},
    {"tandem_ring_refused_total", C, "Refused because it was full.", fill_rings, R_REFUSED},
    {"tandem_events_built_total", C, "Events built because somebody wanted them.", fill_events, 0},
    {"tandem_events_fired_total", C, "Events fired.", fill_events, 1},
    {"tandem_events_delivered_total", C, "Deliveries to subscribers.", fill_events, 2},
    {"tandem_events_dropped_total", C, "Deliveries lost to a client's full queue.", fill_events, 3},
    {0},
};
/* clang-format on */

int metrics_start(void)
{
	return metrics_add(table);
}

void metrics_stop(void)
{
	metrics_del(table);
}
