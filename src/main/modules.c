/* The built-in modules. Which of them are loaded, and in which order, the configuration's modules.conf says. */
#include "main/modules.h"
#include "amqp/mod_amqp.h"
#include "base/status.h"
#include "cdr/cdr.h"
#include "core/conf/config.h"
#include "core/host/module.h"
#include "core/registry/module.h"
#include "logger/logger.h"
#include <string.h>
#include <strings.h>

/* each room's descriptors */
extern const struct module mod_sofia, mod_commands, mod_dptools, mod_db, mod_hash, mod_loopback, mod_valet_parking,
    mod_dialplan_xml, mod_event_socket, mod_http_api, mod_expr, mod_lua, mod_distributor, mod_sms, mod_otel, mod_guard,
    mod_features, mod_fifo, mod_callcenter, mod_directory, mod_recordings, mod_audio_stream, mod_amd, mod_avmd, mod_vmd,
    mod_http_cache, mod_http_asr, mod_esf, mod_lcr, mod_easyroute, mod_enum, mod_cidlookup, mod_portability,
    mod_translate, mod_blacklist, mod_prefix, mod_nibblebill, mod_billing, mod_dialler;
extern const struct module mod_radius, mod_verto;
extern const struct module mod_core_db, mod_kafka, mod_nats, mod_xml_curl, mod_httapi, mod_curl, mod_sql_directory,
    mod_xml_ldap, mod_hiredis, mod_memcache;
extern const struct module mod_opus, mod_amr, mod_amrwb, codecs_in_spandsp, listening_in_spandsp, mod_codec2,
    core_speex, mod_g723_1, mod_ilbc, mod_siren; /* codecs.c */
extern const struct module core_presence;        /* the room presence */
extern const struct module mod_dialplan_asterisk, inline_in_dptools;
extern const struct module capture_in_commands;
extern const struct module ivr_in_dptools;
extern const struct module mod_mail, mod_voicemail, mod_voicemail_fsdb;
extern const struct module mod_conference;
extern const struct module say_in_dptools, say_in_commands, mod_say_en, mod_say_zh, mod_flite, mod_tts_commandline,
    mod_tts_http;

/* What FreeSWITCH's core registers itself, under the names it shows. */
static const struct name_desc pcm_names[] = {{"codec", "G.711 alaw"}, {"codec", "G.711 ulaw"},
    {"codec", "PROXY PASS-THROUGH"}, {"codec", "RAW Signed Linear (16 bit)"}, {NULL}};
static const struct name_desc timer_names[] = {{"timer", "soft"}, {NULL}};
static const struct module core_pcm = {.abi = MODULE_ABI, .name = "CORE_PCM_MODULE", .names = pcm_names};
static const struct module core_softtimer = {.abi = MODULE_ABI, .name = "CORE_SOFTTIMER_MODULE", .names = timer_names};
static const struct module *const always[] = {
    &core_pcm, &core_speex, &core_softtimer, &core_presence, &mod_guard, &mod_mail};

static const struct module *const all[] = {
    &mod_console,
    &mod_logfile,
    &mod_commands,
    &mod_dptools,
    &ivr_in_dptools,
    &mod_voicemail,
    &mod_voicemail_fsdb,
    &say_in_dptools,
    &inline_in_dptools,
    &say_in_commands,
    &capture_in_commands,
    &mod_say_en,
    &mod_say_zh,
    &mod_flite,
    &mod_tts_commandline,
    &mod_tts_http,
    &mod_db,
    &mod_hash,
    &mod_expr,
    &mod_distributor,
    &mod_loopback,
    &mod_valet_parking,
    &mod_conference,
    &mod_dialplan_xml,
    &mod_dialplan_asterisk,
    &mod_local_stream,
    &mod_opus,
    &mod_amr,
    &mod_amrwb,
    &codecs_in_spandsp,
    &listening_in_spandsp,
    &mod_codec2,
    &mod_g723_1,
    &mod_ilbc,
    &mod_siren,
    &mod_cdr_csv,
    &mod_xml_cdr,
    &mod_json_cdr,
    &mod_format_cdr,
    &mod_cdr_pg_csv,
    &mod_cdr_sqlite,
    &cdr_in_commands,
#ifdef TANDEM_HAS_AMQP
    &mod_amqp,
#endif
#ifdef TANDEM_HAS_KAFKA
    &mod_kafka,
#endif
#ifdef TANDEM_HAS_NATS
    &mod_nats,
#endif
    &mod_sofia,
    &mod_event_socket,
    &mod_http_api,
    &mod_lua,
    &mod_otel,
    &mod_sms,
    &mod_features,
    &mod_fifo,
    &mod_callcenter,
    &mod_directory,
    &mod_recordings,
    &mod_audio_stream,
    &mod_amd,
    &mod_esf,
    &mod_avmd,
    &mod_vmd,
    &mod_http_cache,
    &mod_http_asr,
    &mod_xml_curl,
    &mod_httapi,
    &mod_curl,
    &mod_sql_directory,
    &mod_core_db,
    &mod_xml_ldap,
    &mod_hiredis,
    &mod_memcache,
    &mod_lcr,
    &mod_easyroute,
    &mod_enum,
    &mod_cidlookup,
    &mod_portability,
    &mod_translate,
    &mod_blacklist,
    &mod_prefix,
    &mod_nibblebill,
    &mod_billing,
    &mod_dialler,
    &mod_radius,
    &mod_verto,
};

/* "x.conf" is of mod_x, which may also answer for others' names, or in a module's table of keys. */
static bool reads(const struct module *m, const char *conf)
{
	struct sv stem = sv_of(conf);

	if (stem.n > 5 && !strcasecmp(conf + stem.n - 5, ".conf"))
		stem.n -= 5;
	if (!strncasecmp(m->name, "mod_", 4) && sv_isi(stem, m->name + 4))
		return true;
	for (const char *const *also = m->also; also && *also; also++)
		if (!strncasecmp(*also, "mod_", 4) && sv_isi(stem, *also + 4))
			return true;
	for (const struct conf_desc *c = m->confs; c && c->file; c++)
		if (!strcasecmp(c->file, conf))
			return true;
	return false;
}

bool modules_have_file(const char *conf)
{
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (reads(all[i], conf))
			return true;
	return reads(&mod_guard, conf) || reads(&mod_mail, conf);
}

/* Of modules that are loaded, or that the configuration loads. */
void modules_each_file(void (*fn)(const char *conf, void *arg), void *arg)
{
	static const char *const core[] = {"acl.conf", "switch.conf", "timezones.conf"};
	const struct xml_node *modules = xml_child(config_conf("modules.conf"), "modules");

	role_assert_ctl();
	for (size_t i = 0; i < sizeof(core) / sizeof(core[0]); i++)
		fn(core[i], arg);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		const struct module *m = all[i];
		if (module_is_loaded(m->name) || xml_child_with(modules, "load", "module", m->name))
			for (const struct conf_desc *c = m->confs; c && c->file; c++)
				fn(c->file, arg);
	}
}

int modules_register_all(void)
{
	size_t i;
	int st = ST_OK;

	for (i = 0; i < sizeof(all) / sizeof(all[0]) && st == ST_OK; i++)
		st = module_register(all[i]);
	if (!st)
		st = file_names_register();
	for (i = 0; i < sizeof(always) / sizeof(always[0]) && st == ST_OK; i++) {
		st = module_register(always[i]);
		if (!st)
			st = module_load(always[i]->name, NULL);
	}
	return st;
}
