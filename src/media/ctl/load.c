/* Which media thread gets a stream. A thread's load is the CPU time it takes, which tells a mixer or transcoder from a
 * relay; but it is known late, and most streams that were just opened will only talk in a moment. So each stream counts
 * at least what a relayed one takes, and one opened since the last look counts on top of what was measured. Two legs of
 * one call share a thread anyway (mstream_open's near), and streams that come to be joined later move together, so
 * nothing here has to be right, only fair. Looked at when a stream is opened, at most once a second: no timer. */
#include "base/clock.h"
#include "media/ctl/ctl_i.h"

#include <sched.h>

enum { WHOLE = 1000000 }; /* a load is in millionths of a core */
enum {
	LOOK_US = 1000000,
	STALE_US = 10000000, /* an average over longer says nothing about now */
	STREAM_LOAD = 250    /* microseconds a second: 50 packets of about 5 */
};

unsigned mctl_threads_default(void)
{
	cpu_set_t mine;
	int cores = sched_getaffinity(0, sizeof(mine), &mine) ? 1 : CPU_COUNT(&mine);
	return cores <= 2 ? 1 : cores > MCTL_THREADS_MAX ? MCTL_THREADS_MAX : (unsigned)cores - 1;
}

/* Of what peak streams took; those that went took their share with them. */
static uint64_t share_of(uint64_t load, size_t streams, size_t peak)
{
	return streams < peak ? load * streams / peak : load;
}

ON_CTL static void loads_look(void)
{
	int64_t now_us = clock_mono_us(), since_us = now_us - mctl.load_at_us;
	if (mctl.load_at_us && since_us < LOOK_US)
		return;
	for (unsigned i = 0; i < mctl.thread_count; i++) {
		struct mctl_thread *t = &mctl.threads[i];
		uint64_t cpu_us = (uint64_t)rt_thread_cpu_ns(t->rt) / 1000;
		uint64_t load = since_us < STALE_US ? (cpu_us - t->cpu_us) * WHOLE / (uint64_t)since_us : 0;
		t->load = share_of(load, t->streams, t->peak_streams);
		t->cpu_us = cpu_us;
		t->load_streams = t->peak_streams = t->streams;
	}
	mctl.load_at_us = now_us;
}

static uint64_t load_of(const struct mctl_thread *t)
{
	uint64_t least = (uint64_t)t->streams * STREAM_LOAD, measured = t->load;
	if (t->streams < t->load_streams)
		measured = share_of(measured, t->streams, t->load_streams);
	else
		measured += (uint64_t)(t->streams - t->load_streams) * STREAM_LOAD;
	return measured > least ? measured : least;
}

void load_stream_came(unsigned thread)
{
	struct mctl_thread *t = &mctl.threads[thread];
	if (++t->streams > t->peak_streams)
		t->peak_streams = t->streams;
}

void load_stream_went(unsigned thread)
{
	mctl.threads[thread].streams--;
}

bool load_has_room(unsigned thread)
{
	return mctl.threads[thread].streams < THREAD_STREAMS_MAX;
}

int load_choose(unsigned *thread)
{
	uint64_t best = UINT64_MAX;
	loads_look();
	for (unsigned i = 0; i < mctl.thread_count; i++) {
		uint64_t load = load_of(&mctl.threads[i]);
		if (load_has_room(i) && load < best)
			best = load, *thread = i;
	}
	return best == UINT64_MAX ? ST_FULL : ST_OK;
}
