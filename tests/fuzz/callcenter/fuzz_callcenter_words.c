/* Skills, opening hours and holidays: a line each.
 * Parser: callcenter/skill.c callcenter/hours.c */
#include "base/status.h"
#include "callcenter/hours.h"
#include "callcenter/skill.h"

#include <stdlib.h>

static int skill_id(struct sv name, uint32_t *id, void *arg)
{
	*id = (uint32_t)name.n * 256 + (unsigned char)name.p[0];
	return ST_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv text = {(const char *)data, size}, skills, hours, holidays;
	struct cc_skills s = {0};
	sv_split(text, '\n', &skills, &text);
	sv_split(text, '\n', &hours, &holidays);
	if (!cc_skills_parse(&s, skills, skill_id, NULL)) {
		for (unsigned i = 0; i < s.count; i++)
			if (!s.at[i].level || s.at[i].level > CC_SKILL_LEVEL_MAX || (i && s.at[i - 1].id >= s.at[i].id))
				abort();
		if (!cc_skills_meet(&s, &s, 0) || !cc_skills_meet(NULL, &s, cc_skills_height(&s)))
			abort();
	}
	bool is_bad = cc_hours_check(hours) || cc_holidays_check(holidays);
	for (int day = 0; day < 8; day++) {
		const struct tm now = {
		    .tm_year = 126, .tm_mon = 11, .tm_mday = 20 + day, .tm_wday = day % 7, .tm_hour = 3 * day};
		bool is_open = cc_hours_are_open(hours, holidays, &now);
		if (!is_bad && !sv_trim(hours).n && !sv_trim(holidays).n && !is_open)
			abort(); /* nothing said: always open */
	}
	return 0;
}
