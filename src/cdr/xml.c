/* mod_xml_cdr: one XML file per leg, LOG/xml_cdr/[a_]UUID.cdr.xml, in FreeSWITCH's layout: channel data, call
 * statistics, variables (url-encoded), applications run, caller profiles newest first, times. */
#include "text/xml.h"
#include "base/mem.h"
#include "cdr/cdr_i.h"
#include "core/conf/config.h"
#include "core/leg/leg.h"
#include "core/registry/module.h"
#include "core/run/exec.h"
#include "core/value/self.h"
#include "core/value/vars.h"
#include "text/url.h"
#include <stdio.h>
#include <string.h>

static struct {
	char *dir;
	bool has_b_leg, prefixes_a_leg, is_encoded;
	struct buf text; /* of the record being made; kept, as it has its full size already */
} conf_now;

static void put_element(struct buf *out, const char *indent, const char *name, const char *value)
{
	buf_adds(out, indent);
	buf_addc(out, '<');
	buf_adds(out, name);
	buf_addc(out, '>');
	xml_escape(out, sv_of(value), false);
	buf_adds(out, "</");
	buf_adds(out, name);
	buf_adds(out, ">\n");
}

static void put_int(struct buf *out, const char *indent, const char *name, int64_t value)
{
	buf_printf(out, "%s<%s>%lld</%s>\n", indent, name, (long long)value, name);
}

/* The statistics stand in variables already; the file repeats them as a tree. */
static void put_stats(struct leg *leg, struct buf *out) ON_CTL
{
	static const char *const in[] = {"raw_bytes", "media_bytes", "packet_count", "media_packet_count",
	    "skip_packet_count", "jitter_packet_count", "dtmf_packet_count", "cng_packet_count", "flush_packet_count",
	    "largest_jb_size", "jitter_min_variance", "jitter_max_variance", "jitter_loss_rate", "jitter_burst_rate",
	    "mean_interval", "flaw_total", "quality_percentage", "mos", NULL};
	static const char *const sent[] = {"raw_bytes", "media_bytes", "packet_count", "media_packet_count",
	    "skip_packet_count", "dtmf_packet_count", "cng_packet_count", NULL};
	static const struct {
		const char *element, *prefix;
		const char *const *names;
	} parts[] = {{"inbound", "rtp_audio_in_", in}, {"outbound", "rtp_audio_out_", sent}};
	char variable[64];
	const char *value;
	size_t i, k;

	buf_adds(out, "  <call-stats>\n    <audio>\n");
	for (i = 0; i < 2; i++) {
		buf_printf(out, "      <%s>\n", parts[i].element);
		for (k = 0; parts[i].names[k]; k++) {
			snprintf(variable, sizeof(variable), "%s%s", parts[i].prefix, parts[i].names[k]);
			value = vars_get(leg->vars, variable);
			if (value)
				put_element(out, "        ", parts[i].names[k], value);
		}
		buf_printf(out, "      </%s>\n", parts[i].element);
	}
	buf_adds(out, "    </audio>\n  </call-stats>\n");
}

/* A variable's name as an element: what XML does not allow there becomes '_'. */
static void put_name(struct buf *out, const char *name)
{
	size_t from = 0, i;

	for (i = 0; name[i]; i++) {
		char low = (char)(name[i] | 0x20);
		if ((low >= 'a' && low <= 'z') || name[i] == '_' ||
		    (i && ((name[i] >= '0' && name[i] <= '9') || name[i] == '-' || name[i] == '.')))
			continue;
		buf_add(out, name + from, i - from);
		buf_addc(out, '_');
		from = i + 1;
	}
	buf_add(out, name + from, i - from);
}

static void put_variable(struct buf *out, const char *name, struct sv value, bool is_encoded)
{
	buf_adds(out, "    <");
	put_name(out, name);
	buf_addc(out, '>');
	if (is_encoded)
		url_encode(out, value, 0);
	else
		xml_escape(out, value, false);
	buf_adds(out, "</");
	put_name(out, name);
	buf_adds(out, ">\n");
}

/* A list (ARRAY::a|:b) is an element for each of its values. */
static void put_variables(struct leg *leg, struct buf *out, bool is_encoded)
{
	static const char list_mark[] = "ARRAY::", between[] = "|:";
	const char *name, *value, *end;

	buf_adds(out, "  <variables>\n");
	for (size_t i = 0; i < vars_count(leg->vars); i++) {
		vars_at(leg->vars, i, &name, &value);
		if (strncmp(value, list_mark, sizeof(list_mark) - 1)) {
			put_variable(out, name, sv_of(value), is_encoded);
			continue;
		}
		value += sizeof(list_mark) - 1;
		for (; (end = strstr(value, between)); value = end + sizeof(between) - 1)
			put_variable(out, name, (struct sv){value, (size_t)(end - value)}, is_encoded);
		put_variable(out, name, sv_of(value), is_encoded);
	}
	buf_adds(out, "  </variables>\n");
}

static void put_app(const char *app, const char *data, int64_t wall_us, void *arg)
{
	struct buf *out = arg;

	buf_adds(out, "    <application app_name=\"");
	xml_escape(out, sv_of(app), true);
	buf_adds(out, "\" app_data=\"");
	xml_escape(out, sv_of(data ? data : ""), true);
	buf_printf(out, "\" app_stamp=\"%lld\"></application>\n", (long long)wall_us);
}

static void put_profile(struct buf *out, const char *indent, const struct leg_profile *p) ON_CTL
{
	static const char *const fields[] = {"username", "dialplan", "caller_id_name", "caller_id_number",
	    "callee_id_name", "callee_id_number", "ani", "aniii", "network_addr", "rdnis", "destination_number", "uuid",
	    "source", "transfer_source", "context", "chan_name"};
	const char *value;
	size_t i;

	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		value = leg_profile_field(p, fields[i]);
		if (value || strcmp(fields[i], "transfer_source"))
			put_element(out, indent, fields[i], value ? value : "");
	}
}

struct list_text {
	struct buf text;
	char *extension, *current;
};

static void put_listed(const char *app, const char *data, const char *extension, bool is_next, void *arg)
{
	struct list_text *l = arg;

	if (!l->extension)
		l->extension = mem_strdup(extension ? extension : "");
	if (is_next)
		l->current = mem_strdup(app);
	buf_adds(&l->text, "      <application");
	buf_adds(&l->text, is_next ? " last_executed=\"true\" app_name=\"" : " app_name=\"");
	xml_escape(&l->text, sv_of(app), true);
	buf_adds(&l->text, "\" app_data=\"");
	xml_escape(&l->text, sv_of(data ? data : ""), true);
	buf_adds(&l->text, "\"></application>\n");
}

/* What the dialplan found. FreeSWITCH marks the application it would go on with, not the one that ended the call. */
static void put_extension(struct leg *leg, const struct leg_profile *p, struct buf *out) ON_CTL
{
	struct list_text l = {.extension = NULL};

	buf_init(&l.text);
	leg_exec_list_each(leg, put_listed, &l);
	if (l.text.n) {
		buf_adds(out, "    <extension name=\"");
		xml_escape(out, sv_of(l.extension ? l.extension : ""), true);
		buf_adds(out, "\" number=\"");
		xml_escape(out, sv_of(p->destination_number ? p->destination_number : ""), true);
		if (l.current) {
			buf_adds(out, "\" current_app=\"");
			xml_escape(out, sv_of(l.current), true);
		}
		buf_adds(out, "\">\n");
		buf_addv(out, buf_sv(&l.text));
		buf_adds(out, "    </extension>\n");
	}
	buf_fini(&l.text);
	mem_free(l.extension);
	mem_free(l.current);
}

/* The profiles of one kind of other leg, the newest first. */
static void put_others(struct buf *out, const char *kind, const struct leg_profile *first, bool is_list) ON_CTL
{
	if (!first)
		return;
	buf_printf(out, "      <%s>\n", kind);
	for (const struct leg_profile *p = first; p; p = is_list ? p->older : NULL) {
		buf_printf(out, "        <%s_caller_profile>\n", kind);
		put_profile(out, "          ", p);
		buf_printf(out, "        </%s_caller_profile>\n", kind);
	}
	buf_printf(out, "      </%s>\n", kind);
}

static void put_hold(int64_t on_us, int64_t off_us, const char *peer, void *arg)
{
	struct buf *out = arg;

	buf_printf(out, "    <hold on=\"%lld\" off=\"%lld\"", (long long)on_us, (long long)off_us);
	if (*peer)
		buf_printf(out, " bridged-to=\"%s\"", peer);
	buf_adds(out, "></hold>\n");
}

static ON_CTL void put_holds(struct leg *leg, struct buf *out)
{
	size_t before;

	buf_adds(out, "  <hold-record>\n");
	before = out->n;
	leg_held_each(leg, put_hold, out);
	if (out->n == before) /* it was never held */
		out->n -= strlen("  <hold-record>\n"), out->p[out->n] = 0;
	else
		buf_adds(out, "  </hold-record>\n");
}

static void put_callflow(struct leg *leg, const struct leg_profile *p, struct buf *out) ON_CTL
{
	const struct leg_times *t = &p->times;
	const char *cloned_from = leg->is_outbound ? vars_get(leg->vars, "originating_leg_uuid") : NULL;

	buf_adds(out, "  <callflow dialplan=\"");
	xml_escape(out, sv_of(p->dialplan ? p->dialplan : ""), true);
	buf_printf(out, "\" unique-id=\"%s\"", p->uuid ? p->uuid : leg->uuid);
	if (p->older ||
	    cloned_from) /* a transfer's profile is made of the one before, a called leg's of its caller's */
		buf_printf(out, " clone-of=\"%s\"", p->older ? leg->uuid : cloned_from);
	buf_printf(out, " profile_index=\"%u\">\n", p->index);
	if (p == leg->profile)
		put_extension(leg, p, out);
	buf_adds(out, "    <caller_profile>\n");
	put_profile(out, "      ", p);
	if (p == leg->profile && leg->other && leg->other_is_originator) {
		put_others(out, "originator", leg->other, false);
	} else {
		put_others(out, "origination", p->dialled, true);
		put_others(out, "originatee", p->reached, true);
	}
	buf_adds(out, "    </caller_profile>\n    <times>\n");
	put_int(out, "      ", "created_time", t->created);
	put_int(out, "      ", "profile_created_time", t->profile_created);
	put_int(out, "      ", "progress_time", t->progress);
	put_int(out, "      ", "progress_media_time", t->progress_media);
	put_int(out, "      ", "answered_time", t->answered);
	put_int(out, "      ", "bridged_time", t->bridged);
	put_int(out, "      ", "last_hold_time", t->last_hold);
	put_int(out, "      ", "hold_accum_time", t->hold_accum);
	put_int(out, "      ", "hangup_time", t->hungup);
	put_int(out, "      ", "resurrect_time", t->resurrected);
	put_int(out, "      ", "transfer_time", t->transferred);
	buf_adds(out, "    </times>\n  </callflow>\n");
}

static void write_record(struct leg *leg, struct buf *out, bool is_encoded) ON_CTL
{
	const struct leg_profile *p;

	buf_printf(out, "<?xml version=\"1.0\"?>\n<cdr core-uuid=\"%s\" switchname=\"", core_uuid());
	xml_escape(out, sv_of(core_switchname()), true);
	buf_printf(out,
	    "\">\n  <channel_data>\n    <state>%s</state>\n    <direction>%s</direction>\n"
	    "    <state_number>%d</state_number>\n  </channel_data>\n",
	    leg_state_name(leg->state), leg->is_outbound ? "outbound" : "inbound", (int)leg->state);
	put_stats(leg, out);
	put_variables(leg, out, is_encoded);
	buf_adds(out, "  <app_log>\n");
	leg_exec_log_each(leg, put_app, out);
	buf_adds(out, "  </app_log>\n");
	put_holds(leg, out);
	for (p = leg->profile; p; p = p->older)
		put_callflow(leg, p, out);
	buf_adds(out, "</cdr>\n");
}

void cdr_xml_write(struct leg *leg, struct buf *out)
{
	write_record(leg, out, true);
}

static void on_reporting(struct leg *leg, void *arg)
{
	bool is_b = cdr_is_b(leg);
	struct buf path;

	role_assert_ctl();
	if (!cdr_is_wanted(leg, true, conf_now.has_b_leg))
		return;
	buf_init(&path);
	buf_printf(&path, "%s/%s%s.cdr.xml", conf_now.dir, !is_b && conf_now.prefixes_a_leg ? "a_" : "", leg->uuid);
	buf_clear(&conf_now.text);
	write_record(leg, &conf_now.text, conf_now.is_encoded);
	cdr_spool_put(CDR_CREATE, path.p, buf_sv(&conf_now.text));
	buf_fini(&path);
}

static int xml_load(void) ON_CTL
{
	const struct xml_node *conf = config_conf("xml_cdr.conf");
	const char *dir = "";
	struct buf path;
	int st;

	role_assert_ctl();
	conf_now.has_b_leg = conf_now.is_encoded = true;
	xml_each(xml_child(conf, "settings"), "param", p)
	{
		const char *name = xml_attr_or(p, "name", ""), *value = xml_attr_or(p, "value", "");

		if (!strcmp(name, "log-dir"))
			dir = value;
		else if (!strcmp(name, "log-b-leg"))
			conf_now.has_b_leg = str_is_true(value);
		else if (!strcmp(name, "prefix-a-leg"))
			conf_now.prefixes_a_leg = str_is_true(value);
		else if (!strcmp(name, "encode"))
			conf_now.is_encoded = strcmp(value, "textxml") && strcmp(value, "false");
		else if (!strcmp(name, "url") && *value)
			log_warning(
			    "%s:%u: records over HTTP (url) are not supported; files are written", p->file, p->line);
	}
	buf_init(&path);
	if (*dir == '/')
		buf_adds(&path, dir);
	else
		buf_printf(&path, "%s/%s", core_dirs()->log, *dir ? dir : "xml_cdr");
	conf_now.dir = buf_take(&path);
	leg_exec_keep_list(true);
	leg_keep_dialled(true);
	st = cdr_spool_open();
	if (st == ST_OK)
		st = leg_hook_add(LEG_HOOK_REPORTING, on_reporting, NULL);
	return st;
}

static int xml_unload(void) ON_CTL
{
	role_assert_ctl();
	leg_hook_del(LEG_HOOK_REPORTING, on_reporting, NULL);
	leg_exec_keep_list(false);
	leg_keep_dialled(false);
	cdr_spool_close();
	mem_free(conf_now.dir);
	buf_fini(&conf_now.text);
	memset(&conf_now, 0, sizeof(conf_now));
	return ST_OK;
}

static const struct conf_desc confs[] = {
    {"xml_cdr.conf", "log-dir", "path", "", "xml_cdr below the log directory", "where the files go"},
    {"xml_cdr.conf", "log-b-leg", "bool", "", "true", "the called leg has a file too"},
    {"xml_cdr.conf", "prefix-a-leg", "bool", "", "false", "a_ in front of the calling leg's file name"},
    {"xml_cdr.conf", "encode", "true|false|textxml", "", "true", "variables url-encoded"},
    {NULL},
};
const struct module mod_xml_cdr = {
    .abi = MODULE_ABI, .name = "mod_xml_cdr", .load = xml_load, .unload = xml_unload, .confs = confs};
