/* The room as a module: its part of each leg, its table. It is always there; what speaks a protocol watches it. */
#include "presence/presence_i.h"

static int load(void)
{
	role_assert_ctl();
	int st = presence_table_start();
	return st ? st : presence_hear_start();
}

static int unload(void)
{
	role_assert_ctl();
	presence_hear_stop();
	presence_table_stop();
	return ST_OK;
}

const struct module core_presence = {
    .abi = MODULE_ABI, .name = "CORE_PRESENCE_MODULE", .load = load, .unload = unload, .part = &presence_part};
