/* The orders of a queue, and the strategies as keys of them. What a strategy prefers is its key, computed when an agent
 * becomes free; a decision is then the first place, for round-robin and top-down the one behind whose turn it was, for
 * random any of the lowest level. */
#include "callcenter/choice.h"
#include "base/mem.h"
#include "base/status.h"

#include <string.h>
#include <strings.h>

static const char *const names[CC_STRATEGY_COUNT] = {"ring-all", "longest-idle-agent", "round-robin", "top-down",
    "agent-with-least-talk-time", "agent-with-fewest-calls", "sequentially-by-agent-order", "random",
    "ring-progressively"};

const char *cc_strategy_name(enum cc_strategy s)
{
	return names[s];
}

int cc_strategy_parse(const char *text, enum cc_strategy *out)
{
	for (int i = 0; text && i < CC_STRATEGY_COUNT; i++)
		if (!strcasecmp(text, names[i])) {
			*out = (enum cc_strategy)i;
			return ST_OK;
		}
	return ST_PARSE;
}

/* ---- the order ---- */

static int compare(const struct cc_place *a, const struct cc_place *b)
{
	if (a->level != b->level)
		return a->level < b->level ? -1 : 1;
	if (a->first != b->first)
		return a->first < b->first ? -1 : 1;
	if (a->second != b->second)
		return a->second < b->second ? -1 : 1;
	return a->serial < b->serial ? -1 : a->serial > b->serial;
}

/* The first that is not before p. */
static size_t find(const struct cc_order *o, const struct cc_place *p)
{
	size_t low = 0, high = o->count;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (compare(o->at[mid], p) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

int cc_order_add(struct cc_order *o, struct cc_place *p)
{
	if (p->is_in)
		return ST_OK;
	if (o->count == o->room) {
		size_t room = o->room ? o->room * 2 : 16;
		struct cc_place **at = mem_realloc(o->at, room * sizeof(*at));
		if (!at)
			return ST_NOMEM;
		o->at = at, o->room = room;
	}
	size_t i = find(o, p);
	memmove(o->at + i + 1, o->at + i, (o->count - i) * sizeof(*o->at));
	o->at[i] = p;
	o->count++;
	p->is_in = true;
	return ST_OK;
}

void cc_order_del(struct cc_order *o, struct cc_place *p)
{
	if (!p->is_in)
		return;
	size_t i = find(o, p);
	while (i < o->count && o->at[i] != p)
		i++;
	if (i < o->count) {
		o->count--;
		memmove(o->at + i, o->at + i + 1, (o->count - i) * sizeof(*o->at));
	}
	p->is_in = false;
}

size_t cc_order_index(const struct cc_order *o, const struct cc_place *p)
{
	return find(o, p);
}

void cc_order_fini(struct cc_order *o)
{
	mem_free(o->at);
	*o = (struct cc_order){0};
}

size_t cc_order_behind(const struct cc_order *o, int64_t level, int64_t first)
{
	const struct cc_place last = {level, first, INT64_MAX, UINT64_MAX, false};
	size_t i = find(o, &last);
	while (i < o->count && !compare(o->at[i], &last))
		i++;
	return i;
}

/* ---- the strategies ---- */

void cc_place_rank(struct cc_place *p, enum cc_strategy s, const struct cc_facts *f)
{
	p->level = f->level;
	p->second = f->position;
	switch (s) {
	case CC_LONGEST_IDLE:
		p->first = f->last_bridge_end;
		break;
	case CC_LEAST_TALK_TIME:
		p->first = f->talk_time;
		break;
	case CC_FEWEST_CALLS:
		p->first = f->calls_answered;
		break;
	default:
		p->first = f->position;
		p->second = f->last_offered;
		break;
	}
}

struct cc_place *cc_choose(
    const struct cc_order *o, enum cc_strategy s, const struct cc_turn *turn, int64_t max_level, uint64_t random)
{
	if (!o->count)
		return NULL;
	if ((s == CC_ROUND_ROBIN || s == CC_TOP_DOWN) && turn->is_set && turn->level <= max_level) {
		size_t i = cc_order_behind(o, turn->level, turn->position);
		if (i < o->count && o->at[i]->level == turn->level)
			return o->at[i];
	}
	struct cc_place *p = o->at[0];
	if (p->level > max_level)
		return NULL;
	size_t alike = s == CC_RANDOM ? cc_order_behind(o, p->level, INT64_MAX) : 0;
	return alike ? o->at[random % alike] : p;
}

/* ---- levels ---- */

int64_t cc_level_due_s(const struct cc_rules *r, int64_t first, int64_t lowest, int64_t level)
{
	if (!r->is_on || (r->skips_empty && level <= first))
		return 0;
	if (r->multiplies) {
		int64_t steps = level > 1 ? level - 1 : 0;
		return steps && r->wait_s > INT64_MAX / steps ? INT64_MAX : r->wait_s * steps;
	}
	return level <= lowest ? 0 : r->wait_s;
}

int64_t cc_level_max(const struct cc_rules *r, int64_t first, int64_t lowest, int64_t waited_s)
{
	int64_t max;
	if (!r->is_on || !r->wait_s)
		return INT64_MAX;
	if (r->multiplies)
		max = 1 + (waited_s > 0 ? waited_s : 0) / r->wait_s;
	else
		max = waited_s >= r->wait_s ? INT64_MAX : lowest;
	return r->skips_empty && first > max ? first : max;
}
