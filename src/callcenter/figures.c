/* Sums, and what is read from them. */
#include "callcenter/figures.h"

const char *cc_outcome_name(enum cc_outcome o)
{
	static const char *const names[CC_OUTCOME_COUNT] = {
	    "answered", "abandoned", "timeout", "key", "overflow", "callback", "callback_failed", "closed", "full"};
	return names[o];
}

void cc_figures_left(struct cc_figures *f, enum cc_outcome o, int64_t waited_s, int64_t level_s)
{
	f->outcomes[o]++;
	if (o == CC_OUTCOME_ANSWERED) {
		f->in_level += waited_s <= level_s;
		f->wait_s += waited_s;
		if (waited_s > f->wait_max_s)
			f->wait_max_s = waited_s;
	} else if ((o == CC_OUTCOME_ABANDONED || o == CC_OUTCOME_TIMEOUT) && waited_s > level_s) {
		f->abandoned_late++;
	}
}

void cc_figures_talked(struct cc_figures *f, int64_t talked_s)
{
	f->talk_s += talked_s;
	f->ended++;
}

uint64_t cc_figures_calls(const struct cc_figures *f)
{
	uint64_t n = 0;
	for (int i = 0; i < CC_OUTCOME_COUNT; i++)
		n += i == CC_OUTCOME_CALLBACK ? 0 : f->outcomes[i]; /* who is called back ends once more */
	return n;
}

int cc_level_of(uint64_t in_level, uint64_t answered, uint64_t late)
{
	const uint64_t whole = 1000;
	return answered + late ? (int)(in_level * whole / (answered + late)) : -1;
}

int cc_figures_level(const struct cc_figures *f)
{
	return cc_level_of(f->in_level, f->outcomes[CC_OUTCOME_ANSWERED], f->abandoned_late);
}
