/* A module of several descriptors: loaded and unloaded as one, all of it or nothing. */
#include "base/status.h"
#include "core/host/module.h"
#include "core/leg/leg.h"
#include "core/registry/app.h"
#include "core/registry/module.h"
#include "harness.h"
#include <string.h>

static int loads[2], unloads[2], second_status;

static int load_first(void)
{
	loads[0]++;
	return ST_OK;
}

static int unload_first(void)
{
	unloads[0]++;
	return ST_OK;
}

static int load_second(void)
{
	loads[1]++;
	return second_status;
}

static int unload_second(void)
{
	unloads[1]++;
	return ST_OK;
}

static int app(struct leg *leg, const char *data)
{
	return ST_OK;
}

static const struct app_desc first_apps[] = {{"first", "", "", 0, app}, {NULL}};
static const struct app_desc second_apps[] = {{"second", "", "", 0, app}, {NULL}};
static const struct module first = {
    .abi = MODULE_ABI, .name = "mod_two", .load = load_first, .unload = unload_first, .apps = first_apps};
static const struct module second = {
    .abi = MODULE_ABI, .name = "mod_two", .load = load_second, .unload = unload_second, .apps = second_apps};

static int parts(void)
{
	const char *why = NULL;

	role_assert_ctl();
	EXPECT_INT(module_register(&first), ST_OK);
	EXPECT_INT(module_register(&second), ST_OK);
	EXPECT_INT(module_register(&second), ST_EXISTS);
	second_status = ST_IO;
	EXPECT_INT(module_load("mod_two", &why), ST_IO);
	EXPECT(!module_is_loaded("mod_two") && !app_find("first") && !app_find("second"));
	EXPECT(loads[0] == 1 && unloads[0] == 1 && loads[1] == 1 && unloads[1] == 0);
	second_status = ST_OK;
	EXPECT_INT(module_load("mod_two", &why), ST_OK);
	EXPECT(module_is_loaded("mod_two") && app_find("first") && app_find("second"));
	EXPECT_INT(module_load("mod_two", &why), ST_EXISTS);
	EXPECT_INT(module_unload("mod_two", &why), ST_OK);
	EXPECT(!app_find("first") && !app_find("second") && unloads[0] == 2 && unloads[1] == 1);
	EXPECT_INT(module_load("mod_two", &why), ST_OK);
	module_unload_all();
	EXPECT(loads[0] == 3 && loads[1] == 3 && unloads[0] == 3 && unloads[1] == 2);
	return 0;
}

TEST_MAIN({"several descriptors", parts, TEST_LOOP})
