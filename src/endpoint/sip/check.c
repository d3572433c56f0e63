/* What is wrong with the SIP profiles and gateways of a configuration, which need not be the one that runs: parameters
 * nobody knows (warnings), names given twice, gateways that cannot register. */
#include "endpoint/sip/check.h"
#include "base/status.h"
#include "core/conf/config.h"
#include "endpoint/sip/gateway/gateway.h"
#include "endpoint/sip/profile/profile_conf.h"
#include <stdio.h>
#include <string.h>

struct check {
	config_report_fn report;
	void *arg;
};

static void tell(struct check *c, const struct xml_node *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void tell(struct check *c, const struct xml_node *at, const char *fmt, ...)
{
	char reason[300], text[CONFIG_ERROR_CHARS];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason, sizeof reason, fmt, ap);
	va_end(ap);
	snprintf(text, sizeof text, "%s:%u:%u: %s", at->file, at->line, at->column, reason);
	c->report(text, c->arg);
}

static void check_params(struct check *c, const struct xml_node *node, const char *what, const char *name,
    bool (*is_known)(const char *name))
{
	xml_each(node, "param", p)
	{
		const char *key = xml_attr_or(p, "name", "");
		if (!is_known(key))
			tell(c, p, "warning: %s %s: the parameter '%s' has no effect", what, name, key);
	}
}

static void check_gateway(struct check *c, const struct xml_node *node)
{
	const char *name = xml_attr_or(node, "name", "");
	const char *user = config_param(node, "username", ""), *password = config_param(node, "password", "");

	if (!*name) {
		tell(c, node, "a gateway needs a name");
		return;
	}
	check_params(c, node, "gateway", name, gateway_param_is_known);
	if (str_is_true(config_param(node, "register", "true")) && (!*user || !*password))
		tell(c, node, "gateway %s: %s is required to register", name, *user ? "password" : "username");
}

static void check_profile(struct check *c, const struct xml_node *node)
{
	const char *name = xml_attr_or(node, "name", "");

	if (!*name)
		tell(c, node, "a profile needs a name");
	xml_each(xml_child(node, "gateways"), "gateway", g) check_gateway(c, g);
	if (!xml_child(node, "settings"))
		tell(c, node, "profile %s has no settings", name);
	check_params(c, xml_child(node, "settings"), "profile", name, profile_param_is_known);
	for (const struct xml_node *other = xml_next(node, "profile"); other; other = xml_next(other, "profile"))
		if (!strcmp(xml_attr_or(other, "name", ""), name))
			tell(c, other, "the profile %s is there already (%s:%u)", name, node->file, node->line);
}

/* Gateways of users, in the directory. */
static void check_users(struct check *c, const struct xml_node *users)
{
	xml_each(users, "user", u) xml_each(xml_child(u, "gateways"), "gateway", g) check_gateway(c, g);
}

static void stage_check(const struct config *cfg, const struct config_known *known, config_report_fn report, void *arg)
{
	struct check c = {report, arg};

	xml_each(xml_child(config_conf_of(cfg, "sofia.conf"), "profiles"), "profile", p) check_profile(&c, p);
	xml_each(config_section_of(cfg, "directory"), "domain", d)
	{
		check_users(&c, d);
		check_users(&c, xml_child(d, "users"));
		xml_each(xml_child(d, "groups"), "group", g) check_users(&c, xml_child(g, "users"));
	}
}

static int stage_make(const struct config *cfg, void **out)
{
	*out = NULL;
	return ST_OK;
}

int sofia_stage_init(void)
{
	static const struct config_stage stage = {"sofia.conf", stage_make, NULL, stage_check};
	static int slot = -1;

	return slot >= 0 ? ST_OK : config_stage_add(&stage, &slot);
}
