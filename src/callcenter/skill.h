/* Skills: what an agent can and how well, what a caller needs of whoever takes him. Pure.
 *
 * A need is met when the agent has each of its skills at its level or above. So that nobody waits for ever, a need may
 * be relaxed by steps: after k steps each level is k less, and a skill whose level comes to nothing is not needed. */
#pragma once
#include "base/str.h"
#include "callcenter/choice.h"

enum { CC_SKILLS_MAX = 32 /* of one */, CC_SKILL_LEVEL_MAX = 100, CC_SKILL_CHARS = 63, CC_SKILL_NAMES_MAX = 4096 };
struct cc_skill {
	uint32_t id, level;
};
struct cc_skills {
	unsigned count;
	struct cc_skill at[CC_SKILLS_MAX]; /* by id */
};
/* The number of a skill's name; ST_FULL: there are too many. */
typedef int (*cc_skill_id_fn)(struct sv name, uint32_t *id, void *arg);
/* "english:3, billing": a level of 1 to 100, 1 when none is said. ST_PARSE; ST_FULL. out is as it was then. */
ANY int cc_skills_parse(struct cc_skills *out, struct sv text, cc_skill_id_fn id, void *arg);
/* level 0 takes it away. ST_FULL. */
ANY int cc_skills_set(struct cc_skills *s, uint32_t id, uint32_t level);
ANY bool cc_skills_meet(const struct cc_skills *has, const struct cc_skills *needs, uint32_t relaxed_by);
/* How far it can be relaxed until everybody meets it. */
ANY uint32_t cc_skills_height(const struct cc_skills *needs);

/* cc_choose among those whom fits says yes to, in the strategy's order. */
typedef bool (*cc_fits_fn)(const struct cc_place *p, const void *arg);
ANY struct cc_place *cc_choose_if(const struct cc_order *o, enum cc_strategy s, const struct cc_turn *turn,
    int64_t max_level, uint64_t random, cc_fits_fn fits, const void *arg);
