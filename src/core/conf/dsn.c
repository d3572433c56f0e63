/* One database for all who name none: FreeSWITCH's core-db-dsn. */
#include "core/conf/dsn.h"
#include "core/conf/config.h"

const char *config_dsn(const char *own, const char *file)
{
	const char *core;
	if (own && *own)
		return own;
	core = config_param(xml_child(config_conf("switch.conf"), "settings"), "core-db-dsn", "");
	return *core ? core : file;
}
