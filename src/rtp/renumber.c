/* Two rings that point into each other: by a number's place in its own sequence lies the number that it has in the
 * other. Both go forward only, by the packets that come and the holes between them. */
#include "rtp/renumber.h"
#include "rtp/rtp.h"

enum { PLACE = RENUMBER_SPAN - 1 };

static void count_up(uint16_t *count)
{
	if (*count < RENUMBER_SPAN)
		++*count;
}

static void step_from(struct renumber *r, bool is_left_out)
{
	r->from++;
	r->is_left_out[r->from & PLACE] = is_left_out;
	count_up(&r->from_count);
}

static void step_to(struct renumber *r, bool is_added)
{
	r->to++;
	r->is_added[r->to & PLACE] = is_added;
	count_up(&r->to_count);
}

void renumber_start(struct renumber *r, uint16_t from, uint16_t to)
{
	r->is_started = true;
	r->from = (uint16_t)(from - 1), r->to = (uint16_t)(to - 1);
	r->from_count = r->to_count = 0;
}

int renumber_take(struct renumber *r, uint16_t from)
{
	int ahead = rtp_seq_diff(from, r->from);

	for (int i = 0; i < ahead; i++) {
		step_from(r, false);
		step_to(r, false);
		r->tos[r->from & PLACE] = r->to;
		r->froms[r->to & PLACE] = r->from;
	}
	if (ahead <= 0 && (-ahead >= r->from_count || r->is_left_out[from & PLACE]))
		return -1;
	return r->tos[from & PLACE];
}

void renumber_leave_out(struct renumber *r, uint16_t from)
{
	int ahead = rtp_seq_diff(from, r->from);

	if (ahead <= 0)
		return;
	if (ahead > 1)
		(void)renumber_take(r, (uint16_t)(from - 1));
	step_from(r, true);
}

uint16_t renumber_add(struct renumber *r)
{
	step_to(r, true);
	return r->to;
}

int renumber_back(const struct renumber *r, uint16_t to)
{
	int behind = rtp_seq_diff(r->to, to);

	if (behind < 0 || behind >= r->to_count || r->is_added[to & PLACE])
		return -1;
	return r->froms[to & PLACE];
}
