/* Skills as short arrays ordered by number, so that who meets a need is one walk over both; and the choice among agents
 * of whom not all will do: the strategy's order is gone through from where cc_choose would begin. */
#include "callcenter/skill.h"
#include "base/status.h"

#include <string.h>

int cc_skills_set(struct cc_skills *s, uint32_t id, uint32_t level)
{
	unsigned i = 0;
	while (i < s->count && s->at[i].id < id)
		i++;
	bool is_there = i < s->count && s->at[i].id == id;
	if (is_there && level) {
		s->at[i].level = level;
	} else if (is_there) {
		s->count--;
		memmove(&s->at[i], &s->at[i + 1], (s->count - i) * sizeof(s->at[0]));
	} else if (level) {
		if (s->count == CC_SKILLS_MAX)
			return ST_FULL;
		memmove(&s->at[i + 1], &s->at[i], (s->count - i) * sizeof(s->at[0]));
		s->at[i] = (struct cc_skill){id, level};
		s->count++;
	}
	return ST_OK;
}

int cc_skills_parse(struct cc_skills *out, struct sv text, cc_skill_id_fn id, void *arg)
{
	struct cc_skills s = {0};
	struct sv one, name, number;
	bool more = sv_trim(text).n > 0;
	while (more) {
		uint32_t level = 1, which;
		more = sv_split(text, ',', &one, &text);
		one = sv_trim(one);
		if (!one.n)
			continue;
		if (sv_split(one, ':', &name, &number) && (sv_u32(sv_trim(number), &level) || !level))
			return ST_PARSE;
		name = sv_trim(name);
		if (!name.n || name.n > CC_SKILL_CHARS || level > CC_SKILL_LEVEL_MAX)
			return ST_PARSE;
		int st = id(name, &which, arg);
		if (!st)
			st = cc_skills_set(&s, which, level);
		if (st)
			return st;
	}
	*out = s;
	return ST_OK;
}

bool cc_skills_meet(const struct cc_skills *has, const struct cc_skills *needs, uint32_t relaxed_by)
{
	unsigned at = 0;
	for (unsigned i = 0; i < needs->count; i++) {
		const struct cc_skill *n = &needs->at[i];
		if (n->level <= relaxed_by)
			continue;
		while (has && at < has->count && has->at[at].id < n->id)
			at++;
		if (!has || at == has->count || has->at[at].id != n->id || has->at[at].level + relaxed_by < n->level)
			return false;
	}
	return true;
}

uint32_t cc_skills_height(const struct cc_skills *needs)
{
	uint32_t height = 0;
	for (unsigned i = 0; i < needs->count; i++)
		if (needs->at[i].level > height)
			height = needs->at[i].level;
	return height;
}

/* ---- the choice ---- */

static struct cc_place *first_of(
    const struct cc_order *o, size_t from, size_t to, int64_t max_level, cc_fits_fn fits, const void *arg)
{
	for (size_t i = from; i < to && o->at[i]->level <= max_level; i++)
		if (fits(o->at[i], arg))
			return o->at[i];
	return NULL;
}

/* Any of the lowest level at which one will do. */
static struct cc_place *random_of(
    const struct cc_order *o, int64_t max_level, uint64_t random, cc_fits_fn fits, const void *arg)
{
	for (size_t from = 0, to; from < o->count && o->at[from]->level <= max_level; from = to) {
		to = cc_order_behind(o, o->at[from]->level, INT64_MAX);
		size_t at = from + random % (to - from);
		struct cc_place *p = first_of(o, at, to, max_level, fits, arg);
		if (!p)
			p = first_of(o, from, at, max_level, fits, arg);
		if (p)
			return p;
	}
	return NULL;
}

struct cc_place *cc_choose_if(const struct cc_order *o, enum cc_strategy s, const struct cc_turn *turn,
    int64_t max_level, uint64_t random, cc_fits_fn fits, const void *arg)
{
	if (s == CC_RANDOM)
		return random_of(o, max_level, random, fits, arg);
	if ((s == CC_ROUND_ROBIN || s == CC_TOP_DOWN) && turn->is_set && turn->level <= max_level) {
		size_t from = cc_order_behind(o, turn->level, turn->position),
		       to = cc_order_behind(o, turn->level, INT64_MAX);
		struct cc_place *p = first_of(o, from, to, max_level, fits, arg);
		if (p)
			return p;
	}
	return first_of(o, 0, o->count, max_level, fits, arg);
}
