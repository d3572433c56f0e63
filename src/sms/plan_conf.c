/* The chatplan of the configuration: contexts of the section "chatplan", compiled once per snapshot as the XML dialplan
 * is, and checked: an application that is none is reported with its line. */
#include "core/conf/config.h"
#include "dialplan/dialplan.h"
#include "sms/sms_i.h"
#include "text/xml.h"
#include <stdio.h>

static int stage_slot = -1;

static int stage_make(const struct config *cfg, void **out)
{
	const struct xml_node *section = config_section_of(cfg, "chatplan");
	struct dialplan *plan = NULL;
	int st = section ? dialplan_new(&plan, section, NULL, NULL) : ST_NOTFOUND;

	if (!st)
		*out = plan;
	return st == ST_NOTFOUND ? ST_OK : st;
}

static void stage_free(void *obj)
{
	dialplan_free(obj);
}

struct check {
	config_report_fn report;
	void *arg;
};

static void check_app(const char *app, const char *data, const struct xml_node *where, void *arg)
{
	struct check *c = arg;
	char text[CONFIG_ERROR_CHARS];

	if (!*app || chat_app_is(app))
		return;
	snprintf(text, sizeof text, "%s:%u:%u: the chatplan has no application '%.60s'", where->file, where->line,
	    where->column, app);
	c->report(text, c->arg);
}

static void stage_check(const struct config *cfg, const struct config_known *known, config_report_fn report, void *arg)
{
	const struct xml_node *section = config_section_of(cfg, "chatplan");
	struct check c = {report, arg};
	struct dialplan *plan = NULL;

	if (!section || dialplan_new(&plan, section, report, arg))
		return;
	dialplan_each_app(plan, check_app, &c);
	dialplan_free(plan);
}

static const struct config_stage stage = {"chatplan", stage_make, stage_free, stage_check};

int chat_plan_stage_init(void)
{
	return stage_slot >= 0 ? ST_OK : config_stage_add(&stage, &stage_slot);
}

const struct dialplan *chat_plan_current(void)
{
	return stage_slot < 0 ? NULL : config_stage_get(stage_slot);
}
