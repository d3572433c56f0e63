/* The built-in modules. Which of them are loaded, and in which order, the configuration's modules.conf says. */
#include "main/modules.h"
#include "cdr/cdr.h"
#include "logger/logger.h"

/* each room's descriptors */
extern const struct module mod_sofia, mod_commands, mod_dptools, mod_hash, mod_dialplan_xml, mod_event_socket;

/* Names that FreeSWITCH configurations load and whose work is done by rooms that are always there. */
static const struct name_desc sndfile_names[] = { { "file", "wav" }, { "file", "ulaw" }, { "file", "alaw" }, { "file", "gsm" },
	{ "file", "flac" }, { "file", "ogg" }, { "file", "au" }, { "file", "raw" }, { NULL } };
static const struct name_desc tone_names[] = { { "file", "tone_stream" }, { "file", "silence_stream" }, { NULL } };
static const struct module mod_sndfile = { .abi = MODULE_ABI, .name = "mod_sndfile", .names = sndfile_names };
static const struct module mod_tone_stream = { .abi = MODULE_ABI, .name = "mod_tone_stream", .names = tone_names };

static const struct module *const all[] = {
	&mod_console, &mod_logfile, &mod_commands, &mod_dptools, &mod_hash, &mod_dialplan_xml, &mod_sndfile, &mod_tone_stream,
	&mod_local_stream, &mod_cdr_csv, &mod_xml_cdr, &mod_sofia, &mod_event_socket,
};

int modules_register_all(void)
{
	size_t i;
	int st = ST_OK;

	for (i = 0; i < sizeof(all) / sizeof(all[0]) && st == ST_OK; i++)
		st = module_register(all[i]);
	return st;
}
