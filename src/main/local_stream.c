/* mod_local_stream: hands the directories of local_stream.conf to the media side. Runs at load and again after
 * reloadxml. */
#include "base/log.h"
#include "core/conf/config.h"
#include "core/registry/module.h"
#include "main/modules.h"
#include "media/ctl/mctl.h"
#include <stdlib.h>
#include <string.h>

static void add_directory(const struct xml_node *dir) ON_CTL
{
	const char *name = xml_attr(dir, "name"), *path = xml_attr(dir, "path");
	uint32_t rate_hz = 8000;
	bool is_shuffled = false;

	if (!name || !path) {
		log_warning("%s:%u: a local_stream directory needs a name and a path", dir->file, dir->line);
		return;
	}
	xml_each(dir, "param", p)
	{
		const char *key = xml_attr_or(p, "name", ""), *value = xml_attr_or(p, "value", "");

		if (!strcmp(key, "rate"))
			rate_hz = (uint32_t)strtoul(value, NULL, 10);
		else if (!strcmp(key, "shuffle"))
			is_shuffled = str_is_true(value);
	}
	if (rate_hz < 8000 || rate_hz > 48000)
		rate_hz = 8000;
	if (mctl_local_stream_add(name, path, rate_hz, is_shuffled))
		log_warning("%s:%u: local_stream '%s': the directory %s has no sound to play", dir->file, dir->line,
		    name, path);
}

static int load(void)
{
	role_assert_ctl();
	mctl_local_stream_clear();
	xml_each(config_conf("local_stream.conf"), "directory", dir) add_directory(dir);
	return ST_OK;
}

static int unload(void)
{
	role_assert_ctl();
	mctl_local_stream_clear();
	return ST_OK;
}

static const struct name_desc names[] = {{"file", "local_stream"}, {NULL}};
const struct module mod_local_stream = {
    .abi = MODULE_ABI, .name = "mod_local_stream", .load = load, .unload = unload, .names = names};
