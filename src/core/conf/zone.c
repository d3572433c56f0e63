/* Time zones by name: the configuration's rules come first, the system's database is read on a worker. */
#include "core/conf/zone.h"
#include "core/conf/config.h"
#include "loop/co.h"

#include <string.h>

enum { RULE_MAX = 128 };
struct ask {
	const char *name;
	char rule[RULE_MAX];
	int status;
};

static void look_up(void *arg)
{
	struct ask *ask = arg;

	role_assert_work();
	ask->status = tz_lookup(ask->name, ask->rule, sizeof(ask->rule));
}

int zone_find(const char *name, struct tz *out)
{
	const struct xml_node *zones = xml_child(config_conf("timezones.conf"), "timezones");
	const char *rule = NULL;
	struct ask ask = {.name = name};
	int st;

	xml_each(zones, "zone", zone) if (!rule && !strcmp(xml_attr_or(zone, "name", ""), name)) rule =
	    xml_attr(zone, "value"); /* case counts */
	if (rule)
		return tz_parse(out, sv_of(rule));
	st = co_work(WORK_FILE, "zone", look_up, &ask);
	return st ? st : ask.status ? ask.status : tz_parse(out, sv_of(ask.rule));
}
