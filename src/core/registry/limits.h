/* Admission of legs, and the counters that `status` shows. */
#pragma once
#include "base/role.h"
#include "base/str.h"
#include <stdbool.h>
#include <stdint.h>

struct core_limits {
	uint32_t max_sessions, sessions_per_second;
	bool is_paused_inbound, is_paused_outbound, is_shutting_down, is_elegant;
	bool is_api_expansion_off; /* ${api(args)} in texts is refused (fsctl api_expansion) */
	bool are_events_verbose;   /* every event of a leg carries its variables (fsctl verbose_events) */
	unsigned min_dtmf, max_dtmf, default_dtmf; /* length of digits, samples at 8 kHz */
	double min_idle_cpu;
};
struct core_counters {
	uint64_t sessions_since_startup;
	uint32_t sessions_now, sessions_peak, sessions_peak_fivemin;
	uint32_t sps_now, sps_last, sps_peak, sps_peak_fivemin;
	int64_t start_mono_us, start_wall_us;
	double idle_cpu;
	uint64_t answered, bridged, failed;
};
ON_CTL struct core_limits *core_limits(void);
ON_CTL const struct core_counters *core_counters(void);

/* What `hash_dump limit` shows, from whoever counts resources (`limit`, backend hash): appends
 * "L/realm_id/usage/rate/interval/last check" lines of the keys that begin with realm. fn NULL: nobody counts. */
ON_CTL void limits_dump_set(void (*fn)(struct sv realm, struct buf *out));
ON_CTL void limits_dump(struct sv realm, struct buf *out);

/* A backend of `limit` that counts elsewhere (a server that several switches share). A constant. */
struct leg;
struct limit_far_ask {
	int64_t max;        /* < 0: no bound */
	int64_t interval_s; /* 0: what is held counts, else what was asked for in it */
	bool is_held;       /* the leg has one already: only the interval counts */
};
struct limit_far {
	const char *name;
	/* One more of id for leg; realm is what the backend means by it. ST_OK: there is room; *is_counted: it was
	 * counted, and is to be given back. ST_LIMIT: used up; any other: nobody knows, which was logged. The leg may
	 * have ended meanwhile. CO */
	int (*take)(struct leg *leg, const char *realm, const char *id, const struct limit_far_ask *q, uint32_t *count,
	    bool *is_counted);
	void (*give)(struct sv realm, struct sv id);                     /* on control; at once, done later */
	int (*find)(const char *realm, const char *id, uint32_t *count); /* CO */
};
ON_CTL int limits_far_add(const struct limit_far *f); /* ST_EXISTS, ST_FULL */
ON_CTL void limits_far_del(const struct limit_far *f);
ON_CTL const struct limit_far *limits_far_find(const char *name); /* NULL: not now */

/* For the room of legs, which counts. ST_LIMIT: not now (logged). */
ON_CTL int limits_session_begin(bool is_outbound);
ON_CTL void limits_session_end(void);
ON_CTL uint64_t limits_serial(void);
ON_CTL void limits_count_answered(void);
ON_CTL void limits_count_bridged(void);
ON_CTL void limits_count_failed(void);
ON_CTL void limits_start(void);
ON_CTL void limits_stop(void);
