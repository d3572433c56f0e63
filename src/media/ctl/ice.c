/* Control's end of a stream's ICE: messages down as commands, what was found up through a ring. When control came so
 * late that records were written over, the newest is what counts. */
#include "media/ctl/ice.h"
#include "base/mem.h"
#include "media/ctl/ctl_i.h"
#include <string.h>

struct mice {
	struct rt_ring *ring;
	uint64_t at;
};

int mstream_ice_start(struct mstream *s, const struct media_ice_conf *c, struct rt_turn *turn, struct mice **out)
{
	struct rt_finder *finder = NULL;
	struct mice *i = mem_zalloc(sizeof(*i));
	int st = i ? rt_ring_new(&i->ring, RT_ICE_RING_BYTES) : ST_NOMEM;

	if (!st)
		st = rt_finder_ice_new(&finder, c, turn, i->ring);
	if (!st && (st = mstream_set_finder(s, finder)))
		finder->ops->free(finder);
	else if (st)
		rt_turn_free(turn);
	if (st) {
		mice_free(i);
		return st;
	}
	*out = i;
	return ST_OK;
}

ON_CTL static int tell(struct mstream *s, struct rt_told *told)
{
	struct rt_cmd c = {.kind = RT_C_FINDER_TELL, .ptr = told};
	int st = s->is_closing ? ST_CLOSED : mstream_post(s, &c);
	if (st)
		told->free(told);
	return st;
}

int mstream_ice_remote(struct mstream *s, const struct media_ice_remote *r)
{
	struct rt_told *told;
	int st = rt_ice_remote_new(&told, r);
	return st ? st : tell(s, told);
}

int mstream_ice_restart(struct mstream *s, const struct media_ice_conf *c, struct rt_turn *turn)
{
	struct rt_told *told;
	int st = rt_ice_restart_new(&told, c, turn);
	if (st)
		rt_turn_free(turn);
	return st ? st : tell(s, told);
}

bool mice_next(struct mice *i, struct media_ice_event *out)
{
	uint64_t record[RT_ICE_RECORD_BYTES / 8];
	uint64_t written = atomic_load_explicit(&i->ring->written, memory_order_acquire);

	if (written - i->at > RT_ICE_RING_BYTES / 2)
		i->at = written - RT_ICE_RECORD_BYTES;
	if (i->at == written)
		return false;
	rt_ring_copy(i->ring, i->at, record, sizeof(record));
	i->at += sizeof(record);
	memcpy(out, record, sizeof(*out));
	return true;
}

void mice_free(struct mice *i)
{
	if (!i)
		return;
	mem_unref(i->ring);
	mem_free(i);
}
