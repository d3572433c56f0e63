/* The modules of codecs, by FreeSWITCH's names: their coding is the room codec's and always there. What a module brings
 * is its rows of `show codec` and its file of settings, read at load and again when the configuration is. Codecs
 * without a coder here (names of mod_g723_1, mod_ilbc, mod_siren, mod_g729 unless a module from a file brings one) are
 * passed through. Settings count for calls from then on. */
#include "base/log.h"
#include "codec/codec.h"
#include "core/conf/config.h"
#include "core/registry/module.h"
#include "main/modules.h"
#include <stdlib.h>

static ON_CTL const struct xml_node *settings_of(const char *file)
{
	return xml_child(config_conf(file), "settings");
}
/* A number of a setting within its bounds; otherwise, and a line in the log, when it is not. */
static ON_CTL uint32_t number_of(const char *file, const char *name, uint32_t least, uint32_t most, uint32_t otherwise)
{
	const char *text = config_param(settings_of(file), name, NULL);
	uint32_t v;

	if (!text || !*text)
		return otherwise;
	if (!sv_u32(sv_of(text), &v) && v >= least && v <= most)
		return v;
	log_warning("%s: %s: \"%s\" is no number of %u to %u; %u is taken", file, name, text, least, most, otherwise);
	return otherwise;
}
static ON_CTL bool flag_of(const char *file, const char *name, bool otherwise)
{
	const char *text = config_param(settings_of(file), name, NULL);
	return text && *text ? str_is_true(text) : otherwise;
}

/* ---- mod_opus ---- */

static void opus_read(void *arg)
{
	static const char f[] = "opus.conf";
	struct codec_opus_conf c = CODEC_OPUS_CONF_DEFAULT;

	role_assert_ctl();
	c.has_vbr = flag_of(f, "use-vbr", c.has_vbr);
	c.has_dtx = flag_of(f, "use-dtx", c.has_dtx);
	c.keeps_fec = flag_of(f, "keep-fec-enabled", c.keeps_fec);
	c.advertises_fec = flag_of(f, "advertise-useinbandfec", c.advertises_fec);
	c.is_mono = flag_of(f, "mono", c.is_mono);
	c.complexity = (uint8_t)number_of(f, "complexity", 0, 10, c.complexity);
	c.packet_loss_percent = (uint8_t)number_of(f, "packet-loss-percent", 0, 100, c.packet_loss_percent);
	c.max_average_bitrate = number_of(f, "maxaveragebitrate", 0, 510000, 0);
	c.max_playback_rate_hz = number_of(f, "maxplaybackrate", 0, 48000, 0);
	c.max_capture_rate_hz = number_of(f, "sprop-maxcapturerate", 0, 48000, 0);
	if (c.max_capture_rate_hz && c.max_capture_rate_hz < 8000)
		c.max_capture_rate_hz = 8000;
	if (c.max_average_bitrate && c.max_average_bitrate < 6000)
		c.max_average_bitrate = 6000;
	codec_opus_configure(&c);
}
static int opus_load(void)
{
	role_assert_ctl();
	opus_read(NULL);
	return config_on_swap(opus_read, NULL);
}
static int opus_unload(void)
{
	role_assert_ctl();
	config_on_swap_del(opus_read, NULL);
	return ST_OK;
}
static const struct name_desc opus_names[] = {{"codec", "OPUS (STANDARD)"}, {NULL}};
static const struct conf_desc opus_confs[] = {
    {"opus.conf", "use-vbr", "boolean", NULL, "true", "variable bit rate; off: cbr=1 is offered, too"},
    {"opus.conf", "use-dtx", "boolean", NULL, "false", "nothing is sent while nobody speaks; usedtx=1 is offered"},
    {"opus.conf", "complexity", "number", NULL, "5", "how hard the encoder tries: 0 to 10"},
    {"opus.conf", "keep-fec-enabled", "boolean", NULL, "true",
        "the bit rate is at least what the recovery of lost packets needs, where the far side says useinbandfec=1"},
    {"opus.conf", "advertise-useinbandfec", "boolean", NULL, "true", "useinbandfec=1 is offered"},
    {"opus.conf", "mono", "boolean", NULL, "false",
        "one channel is coded and decoded, also where the far side says stereo=1 or sprop-stereo=1"},
    {"opus.conf", "packet-loss-percent", "number", "percent", "10", "for how much loss that is made"},
    {"opus.conf", "maxaveragebitrate", "number", "bit/s", "0", "of what is sent and offered; 0: by the sampling rate"},
    {"opus.conf", "maxplaybackrate", "number", "Hz", "0",
        "offered: more than this would be lost on us; 0: nothing is said"},
    {"opus.conf", "sprop-maxcapturerate", "number", "Hz", "0",
        "offered, and kept to: what is sent has no higher sounds than that, from 8000; 0: nothing is said"},
    {NULL}};
const struct module mod_opus = {.abi = MODULE_ABI,
    .name = "mod_opus",
    .load = opus_load,
    .unload = opus_unload,
    .names = opus_names,
    .confs = opus_confs};

/* ---- mod_amr, mod_amrwb ---- */

static ON_CTL void amr_settings_read(bool is_wide)
{
	const char *f = is_wide ? "amrwb.conf" : "amr.conf";
	uint8_t most = is_wide ? 8 : 7;
	struct codec_amr_conf c = {.default_mode = (uint8_t)number_of(f, "default-bitrate", 0, most, most),
	    .forces_octet_aligned = flag_of(f, "force-oa", false)};
	codec_amr_configure(is_wide, &c);
}
static void amr_read(void *arg)
{
	role_assert_ctl();
	amr_settings_read(false);
}
static void amrwb_read(void *arg)
{
	role_assert_ctl();
	amr_settings_read(true);
}
static int amr_load(void)
{
	role_assert_ctl();
	amr_settings_read(false);
	return config_on_swap(amr_read, NULL);
}
static int amr_unload(void)
{
	role_assert_ctl();
	config_on_swap_del(amr_read, NULL);
	return ST_OK;
}
static int amrwb_load(void)
{
	role_assert_ctl();
	amr_settings_read(true);
	return config_on_swap(amrwb_read, NULL);
}
static int amrwb_unload(void)
{
	role_assert_ctl();
	config_on_swap_del(amrwb_read, NULL);
	return ST_OK;
}
static const struct name_desc amr_names[] = {{"codec", "AMR / Bandwidth Efficient"}, {NULL}};
static const struct name_desc amrwb_names[] = {{"codec", "AMR-WB / Bandwidth Efficient"}, {NULL}};
static const struct conf_desc amr_confs[] = {{"amr.conf", "default-bitrate", "number", NULL, "7",
                                                 "the mode that is sent until the far side asks for another: 0 to 7"},
    {"amr.conf", "force-oa", "boolean", NULL, "false", "offers say octet-align=1"}, {NULL}};
static const struct conf_desc amrwb_confs[] = {{"amrwb.conf", "default-bitrate", "number", NULL, "8",
                                                   "the mode that is sent until the far side asks for another: 0 to 8"},
    {"amrwb.conf", "force-oa", "boolean", NULL, "false", "offers say octet-align=1"}, {NULL}};
const struct module mod_amr = {.abi = MODULE_ABI,
    .name = "mod_amr",
    .load = amr_load,
    .unload = amr_unload,
    .names = amr_names,
    .confs = amr_confs};
const struct module mod_amrwb = {.abi = MODULE_ABI,
    .name = "mod_amrwb",
    .load = amrwb_load,
    .unload = amrwb_unload,
    .names = amrwb_names,
    .confs = amrwb_confs};

/* ---- the others have no settings ---- */

static const struct name_desc spandsp_names[] = {{"codec", "ADPCM (IMA)"}, {"codec", "G.722"}, {"codec", "G.726 16k"},
    {"codec", "G.726 16k (AAL2)"}, {"codec", "G.726 24k"}, {"codec", "G.726 24k (AAL2)"}, {"codec", "G.726 32k"},
    {"codec", "G.726 32k (AAL2)"}, {"codec", "G.726 40k"}, {"codec", "G.726 40k (AAL2)"}, {"codec", "GSM"},
    {"codec", "LPC-10"}, {NULL}};
static const struct name_desc codec2_names[] = {{"codec", "CODEC2 2400bps"}, {NULL}};
static const struct name_desc speex_names[] = {{"codec", "Speex"}, {NULL}};
static const struct name_desc g723_names[] = {{"codec", "G.723.1 6.3k"}, {NULL}};
static const struct name_desc ilbc_names[] = {{"codec", "iLBC"}, {NULL}};
static const struct name_desc siren_names[] = {{"codec", "Polycom(R) G722.1/G722.1C"}, {NULL}};
const struct module codecs_in_spandsp = {.abi = MODULE_ABI, .name = "mod_spandsp", .names = spandsp_names};
const struct module mod_codec2 = {.abi = MODULE_ABI, .name = "mod_codec2", .names = codec2_names};
const struct module core_speex = {.abi = MODULE_ABI, .name = "CORE_SPEEX_MODULE", .names = speex_names};
const struct module mod_g723_1 = {.abi = MODULE_ABI, .name = "mod_g723_1", .names = g723_names};
const struct module mod_ilbc = {.abi = MODULE_ABI, .name = "mod_ilbc", .names = ilbc_names};
const struct module mod_siren = {.abi = MODULE_ABI, .name = "mod_siren", .names = siren_names};
