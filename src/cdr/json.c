/* Call records as JSON, in FreeSWITCH's layout (mod_json_cdr), and mod_format_cdr: several profiles, each of them XML
 * or JSON with files, servers and options of its own. */
#include "text/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "cdr/post.h"
#include "core/conf/config.h"
#include "core/leg/leg.h"
#include "core/registry/module.h"
#include "core/run/exec.h"
#include "core/value/self.h"
#include "core/value/vars.h"
#include "text/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROFILES_MAX = 16 };

/* ---- the record ---- */

static ON_CTL void put_stats(struct leg *leg, struct json_writer *w)
{
	static const char *const in[] = {"raw_bytes", "media_bytes", "packet_count", "media_packet_count",
	    "skip_packet_count", "jitter_packet_count", "dtmf_packet_count", "cng_packet_count", "flush_packet_count",
	    "largest_jb_size", "jitter_min_variance", "jitter_max_variance", "jitter_loss_rate", "jitter_burst_rate",
	    "mean_interval", "flaw_total", "quality_percentage", "mos", NULL};
	static const char *const sent[] = {"raw_bytes", "media_bytes", "packet_count", "media_packet_count",
	    "skip_packet_count", "dtmf_packet_count", "cng_packet_count", "rtcp_packet_count", "rtcp_octet_count",
	    NULL};
	static const struct {
		const char *key, *prefix;
		const char *const *names;
	} parts[] = {{"inbound", "rtp_audio_in_", in}, {"outbound", "rtp_audio_out_", sent}};
	char variable[64];

	jw_key(w, "callStats");
	jw_begin_object(w);
	jw_key(w, "audio");
	jw_begin_object(w);
	for (size_t i = 0; i < 2; i++) {
		jw_key(w, parts[i].key);
		jw_begin_object(w);
		for (size_t k = 0; parts[i].names[k]; k++) {
			bool is_rtcp = !strncmp(parts[i].names[k], "rtcp_", 5);
			stpcpy(stpcpy(variable, is_rtcp ? "rtp_audio_" : parts[i].prefix), parts[i].names[k]);
			const char *value = vars_get(leg->vars, variable);
			if (!value)
				continue;
			jw_key(w, parts[i].names[k]);
			if (strchr(value, '.'))
				jw_real(w, strtod(value, NULL));
			else
				jw_int(w, strtoll(value, NULL, 10));
		}
		jw_end_object(w);
	}
	jw_end_object(w);
	jw_end_object(w);
}

static ON_CTL void put_variables(struct leg *leg, struct json_writer *w, bool is_encoded)
{
	const char *name, *value;
	struct buf coded;
	buf_init(&coded);
	jw_key(w, "variables");
	jw_begin_object(w);
	for (size_t i = 0; i < vars_count(leg->vars); i++) {
		vars_at(leg->vars, i, &name, &value);
		jw_key(w, name);
		if (is_encoded) {
			buf_clear(&coded);
			url_encode(&coded, sv_of(value), 0);
			jw_sv(w, buf_sv(&coded));
		} else {
			jw_str(w, value);
		}
	}
	jw_end_object(w);
	buf_fini(&coded);
}

static void put_app(const char *app, const char *data, int64_t wall_us, void *arg)
{
	struct json_writer *w = arg;
	char stamp[24];
	snprintf(stamp, sizeof(stamp), "%lld", (long long)wall_us);
	jw_begin_object(w);
	jw_kv_str(w, "app_name", app);
	jw_kv_str(w, "app_data", data ? data : "");
	jw_kv_str(w, "app_stamp", stamp);
	jw_end_object(w);
}

static void put_hold(int64_t on_us, int64_t off_us, const char *peer, void *arg)
{
	struct json_writer *w = arg;
	char text[24];
	jw_begin_object(w);
	snprintf(text, sizeof(text), "%lld", (long long)on_us);
	jw_kv_str(w, "on", text);
	snprintf(text, sizeof(text), "%lld", (long long)off_us);
	jw_kv_str(w, "off", text);
	if (*peer)
		jw_kv_str(w, "bridged-to", peer);
	jw_end_object(w);
}

static void put_field(const char *name, const char *value, void *arg)
{
	jw_kv_str(arg, name, value ? value : "");
}

struct listed {
	struct json_writer *w;
	char *extension, *current;
	size_t count;
};

static void extension_begin(struct listed *l, const char *extension)
{
	jw_key(l->w, "extension");
	jw_begin_object(l->w);
	jw_kv_str(l->w, "name", extension ? extension : "");
	jw_key(l->w, "applications");
	jw_begin_array(l->w);
}

static void put_listed(const char *app, const char *data, const char *extension, bool is_next, void *arg)
{
	struct listed *l = arg;
	if (!l->count++)
		extension_begin(l, extension);
	if (is_next && !l->current)
		l->current = mem_strdup(app);
	jw_begin_object(l->w);
	if (is_next)
		jw_kv_str(l->w, "last_executed", "true");
	jw_kv_str(l->w, "app_name", app);
	jw_kv_str(l->w, "app_data", data ? data : "");
	jw_end_object(l->w);
}

static ON_CTL void put_extension(struct leg *leg, const struct leg_profile *p, struct json_writer *w)
{
	struct listed l = {.w = w};
	leg_exec_list_each(leg, put_listed, &l);
	if (l.count) {
		jw_end_array(w);
		jw_kv_str(w, "number", p->destination_number ? p->destination_number : "");
		if (l.current)
			jw_kv_str(w, "current_app", l.current);
		jw_end_object(w);
	}
	mem_free(l.current);
}

static ON_CTL void put_others(struct json_writer *w, const char *kind, const struct leg_profile *first, bool is_list)
{
	char key[64];
	if (!first)
		return;
	snprintf(key, sizeof(key), "%s_caller_profiles", kind);
	jw_key(w, kind);
	jw_begin_object(w);
	jw_key(w, key);
	jw_begin_array(w);
	for (const struct leg_profile *p = first; p; p = is_list ? p->older : NULL) {
		jw_begin_object(w);
		cdr_profile_each(p, put_field, w);
		jw_end_object(w);
	}
	jw_end_array(w);
	jw_end_object(w);
}

static ON_CTL void put_time(struct json_writer *w, const char *name, int64_t us)
{
	char text[24];
	snprintf(text, sizeof(text), "%lld", (long long)us);
	jw_kv_str(w, name, text);
}

static ON_CTL void put_times(struct json_writer *w, const struct leg_times *t)
{
	jw_key(w, "times");
	jw_begin_object(w);
	put_time(w, "created_time", t->created);
	put_time(w, "profile_created_time", t->profile_created);
	put_time(w, "progress_time", t->progress);
	put_time(w, "progress_media_time", t->progress_media);
	put_time(w, "answered_time", t->answered);
	put_time(w, "bridged_time", t->bridged);
	put_time(w, "last_hold_time", t->last_hold);
	put_time(w, "hold_accum_time", t->hold_accum);
	put_time(w, "hangup_time", t->hungup);
	put_time(w, "resurrect_time", t->resurrected);
	put_time(w, "transfer_time", t->transferred);
	jw_end_object(w);
}

static ON_CTL void put_callflow(struct leg *leg, const struct leg_profile *p, struct json_writer *w)
{
	char index[16];
	snprintf(index, sizeof(index), "%u", p->index);
	jw_begin_object(w);
	jw_kv_str(w, "dialplan", p->dialplan ? p->dialplan : "");
	jw_kv_str(w, "unique-id", p->uuid ? p->uuid : leg->uuid);
	jw_kv_str(w, "profile_index", index);
	if (p == leg->profile)
		put_extension(leg, p, w);
	jw_key(w, "caller_profile");
	jw_begin_object(w);
	cdr_profile_each(p, put_field, w);
	if (p == leg->profile && leg->other && leg->other_is_originator) {
		put_others(w, "originator", leg->other, false);
	} else {
		put_others(w, "origination", p->dialled, true);
		put_others(w, "originatee", p->reached, true);
	}
	jw_end_object(w);
	put_times(w, &p->times);
	jw_end_object(w);
}

void cdr_json_put(struct leg *leg, struct buf *out, bool encodes_values)
{
	struct json_writer w;
	char number[16];

	jw_init(&w, out, false);
	jw_begin_object(&w);
	jw_kv_str(&w, "core-uuid", core_uuid());
	jw_kv_str(&w, "switchname", core_switchname());
	jw_key(&w, "channel_data");
	jw_begin_object(&w);
	jw_kv_str(&w, "state", leg_state_name(leg->state));
	jw_kv_str(&w, "direction", leg->is_outbound ? "outbound" : "inbound");
	snprintf(number, sizeof(number), "%d", (int)leg->state);
	jw_kv_str(&w, "state_number", number);
	jw_end_object(&w);
	put_stats(leg, &w);
	put_variables(leg, &w, encodes_values);
	jw_key(&w, "app_log");
	jw_begin_object(&w);
	jw_key(&w, "applications");
	jw_begin_array(&w);
	leg_exec_log_each(leg, put_app, &w);
	jw_end_array(&w);
	jw_end_object(&w);
	jw_key(&w, "hold_record");
	jw_begin_array(&w);
	leg_held_each(leg, put_hold, &w);
	jw_end_array(&w);
	jw_key(&w, "callflow");
	jw_begin_array(&w);
	for (const struct leg_profile *p = leg->profile; p; p = p->older)
		put_callflow(leg, p, &w);
	jw_end_array(&w);
	jw_end_object(&w);
}

/* ---- mod_json_cdr ---- */

static struct cdr_post json_post;

static ON_CTL void record(struct cdr_post *p, struct leg *leg)
{
	struct buf text;
	if (!cdr_is_wanted(leg, true, p->logs_b_leg))
		return;
	buf_init(&text);
	buf_grow(&text, p->usual_bytes);
	if (p->is_json)
		cdr_json_put(leg, &text, p->encodes_values);
	else
		cdr_xml_put(leg, &text, p->encodes_values);
	if (text.failed)
		leg_log(leg, LOG_ERR, "%s: the record has no room", p->module);
	else
		cdr_post_record(p, leg, &text);
	buf_fini(&text);
}

static void json_reporting(struct leg *leg, void *arg)
{
	role_assert_ctl();
	record(&json_post, leg);
}

static ON_CTL int json_load(void)
{
	int st;
	role_assert_ctl();
	json_post = (struct cdr_post){
	    .module = "json_cdr", .extension = "json", .agent = "freeswitch-json/1.0", .is_json = true};
	cdr_post_init(&json_post);
	xml_each(xml_child(config_conf("json_cdr.conf"), "settings"), "param", p) cdr_post_setting(&json_post, p);
	leg_exec_keep_list(true);
	leg_keep_dialled(true);
	st = cdr_post_open(&json_post, "json_cdr");
	return st ? st : leg_hook_add(LEG_HOOK_REPORTING, json_reporting, NULL);
}

static ON_CTL int json_unload(void)
{
	role_assert_ctl();
	leg_hook_del(LEG_HOOK_REPORTING, json_reporting, NULL);
	leg_exec_keep_list(false);
	leg_keep_dialled(false);
	cdr_post_close(&json_post);
	return ST_OK;
}

/* ---- mod_format_cdr ---- */

static struct cdr_post *profiles[PROFILES_MAX];
static size_t profile_count;

static void format_reporting(struct leg *leg, void *arg)
{
	role_assert_ctl();
	for (size_t i = 0; i < profile_count; i++)
		record(profiles[i], leg);
}

static ON_CTL int profile_open(const struct xml_node *n)
{
	struct cdr_post *p = mem_zalloc(sizeof(*p));
	struct buf name;
	int st;

	*p = (struct cdr_post){.module = "format_cdr", .extension = "xml", .agent = "freeswitch-format/1.0"};
	cdr_post_init(p);
	xml_each(xml_child(n, "settings"), "param", x)
	{
		if (!strcmp(xml_attr_or(x, "name", ""), "format")) {
			p->is_json = !strcmp(xml_attr_or(x, "value", ""), "json");
			p->extension = p->is_json ? "json" : "xml";
		} else {
			cdr_post_setting(p, x);
		}
	}
	if (!p->is_json)
		p->encodes_values = p->encode != CDR_ENCODE_TEXT;
	buf_init(&name);
	buf_printf(&name, "format_cdr/%s", xml_attr_or(n, "name", "default"));
	st = cdr_post_open(p, name.p);
	if (st) {
		log_error("%s:%u: the profile %s: %s", n->file, n->line, name.p, status_text(st));
		mem_free(p);
	} else {
		profiles[profile_count++] = p;
	}
	buf_fini(&name);
	return st;
}

static ON_CTL int format_load(void)
{
	role_assert_ctl();
	leg_exec_keep_list(true);
	leg_keep_dialled(true);
	xml_each(xml_child(config_conf("format_cdr.conf"), "profiles"), "profile", n)
	{
		if (profile_count == PROFILES_MAX)
			log_warning(
			    "%s:%u: there are over %d profiles; this one is left out", n->file, n->line, PROFILES_MAX);
		else
			(void)profile_open(n);
	}
	return leg_hook_add(LEG_HOOK_REPORTING, format_reporting, NULL);
}

static ON_CTL int format_unload(void)
{
	role_assert_ctl();
	leg_hook_del(LEG_HOOK_REPORTING, format_reporting, NULL);
	leg_exec_keep_list(false);
	leg_keep_dialled(false);
	while (profile_count) {
		struct cdr_post *p = profiles[--profile_count];
		cdr_post_close(p);
		mem_free(p);
	}
	return ST_OK;
}

/* ---- cdr status ---- */

static int api_cdr(struct api_call *c)
{
	struct sv word, rest;
	sv_split(sv_trim(sv_of(c->args)), ' ', &word, &rest);
	role_assert_ctl();
	if (!sv_is(word, "status")) {
		buf_adds(c->out, "-USAGE: cdr status [json]\n");
		return ST_OK;
	}
	cdr_spool_status(c->out, sv_is(sv_trim(rest), "json"));
	return ST_OK;
}

static const char *const cdr_words[] = {"cdr status", NULL};
static const struct api_desc cdr_apis[] = {
    {"cdr", "Call records: what waits, for how long, by target", "status [json]", 0, api_cdr, cdr_words},
    {NULL},
};
const struct module cdr_in_commands = {.abi = MODULE_ABI, .name = "mod_commands", .apis = cdr_apis};

static const struct conf_desc json_confs[] = {
    CDR_POST_CONFS("json_cdr.conf", "json_cdr"),
    {NULL},
};
static const struct conf_desc format_confs[] = {
    {"format_cdr.conf", "format", "xml|json", "", "xml", "of the profile's records"},
    CDR_POST_CONFS("format_cdr.conf", "format_cdr"),
    {NULL},
};
const struct module mod_json_cdr = {
    .abi = MODULE_ABI, .name = "mod_json_cdr", .load = json_load, .unload = json_unload, .confs = json_confs};
const struct module mod_format_cdr = {
    .abi = MODULE_ABI, .name = "mod_format_cdr", .load = format_load, .unload = format_unload, .confs = format_confs};
