/* mod_xml_cdr: one XML file per leg, LOG/xml_cdr/[a_]UUID.cdr.xml, in FreeSWITCH's layout: channel data, call
 * statistics, variables (url-encoded), applications run, caller profiles newest first, times. */
#include "text/xml.h"
#include "base/fmt.h"
#include "base/mem.h"
#include "base/scan.h"
#include "cdr/cdr_i.h"
#include "cdr/post.h"
#include "core/conf/config.h"
#include "core/leg/leg.h"
#include "core/registry/module.h"
#include "core/run/exec.h"
#include "core/value/self.h"
#include "core/value/vars.h"
#include "text/url.h"
#include <stddef.h>
#include <string.h>

static struct cdr_post post;

static void put_element(struct buf *out, struct sv indent, struct sv name, struct sv value)
{
	buf_addv(out, indent);
	buf_addc(out, '<');
	buf_addv(out, name);
	buf_addc(out, '>');
	xml_escape(out, value, false);
	buf_addv(out, SV("</"));
	buf_addv(out, name);
	buf_addv(out, SV(">\n"));
}

static void put_int(struct buf *out, const char *indent, const char *name, int64_t value)
{
	char text[24], *p = text;

	if (value < 0)
		*p++ = '-';
	p += fmt_u64(p, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
	put_element(out, sv_of(indent), sv_of(name), (struct sv){text, (size_t)(p - text)});
}

/* The statistics stand in variables already; the file repeats them as a tree. */
static ON_CTL void put_stats(struct leg *leg, struct buf *out)
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
			stpcpy(stpcpy(variable, parts[i].prefix), parts[i].names[k]);
			value = vars_get(leg->vars, variable);
			if (value)
				put_element(out, SV("        "), sv_of(parts[i].names[k]), sv_of(value));
		}
		buf_printf(out, "      </%s>\n", parts[i].element);
	}
	buf_adds(out, "    </audio>\n  </call-stats>\n");
}

/* A variable's name as an element: what XML does not allow there becomes '_'. There is room for SCAN_STEP bytes more.
 */
static char *put_name(char *to, const char *name, size_t n)
{
	for (size_t i = scan_copy_word(to, name, n); i < n; i += 1 + scan_word(name + i + 1, n - i - 1))
		to[i] = '_';
	if (n && *to < 'A') /* a digit, a dash or a dot may not be the first */
		*to = '_';
	return to + n;
}

static void put_variable(struct buf *out, const char *name, struct sv value, bool is_encoded)
{
	size_t n = strlen(name), before = out->n;
	char *to = buf_room(out, 2 * n + (is_encoded ? 3 * value.n : 0) + 16 + SCAN_STEP), *name_at;

	if (!to)
		return;
	to = mempcpy(to, "    <", 5);
	name_at = to;
	to = put_name(to, name, n);
	*to++ = '>';
	if (is_encoded) {
		to = url_encode_to(to, value);
	} else {
		buf_end(out, to);
		xml_escape(out, value, false);
		to = buf_room(out, n + 8);
		if (!to)
			return;
		name_at = out->p + before + 5;
	}
	to = mempcpy(to, "</", 2);
	to = mempcpy(to, name_at, n);
	buf_end(out, mempcpy(to, ">\n", 2));
}

/* A list (ARRAY::a|:b) is an element for each of its values. */
static void put_variables(struct leg *leg, struct buf *out, bool is_encoded)
{
	static const char list_mark[] = "ARRAY::", between[] = "|:";
	const char *name, *value, *end;

	buf_adds(out, "  <variables>\n");
	for (size_t i = 0; i < vars_count(leg->vars); i++) {
		vars_at(leg->vars, i, &name, &value);
		if (*value != *list_mark || strncmp(value, list_mark, sizeof(list_mark) - 1)) {
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

void cdr_profile_each(
    const struct leg_profile *p, void (*fn)(const char *name, const char *value, void *arg), void *arg)
{
	static const struct {
		const char *name;
		size_t offset;
	} fields[] = {
#define FIELD(name) {#name, offsetof(struct leg_profile, name)}
	    FIELD(username),
	    FIELD(dialplan),
	    FIELD(caller_id_name),
	    FIELD(caller_id_number),
	    FIELD(callee_id_name),
	    FIELD(callee_id_number),
	    FIELD(ani),
	    FIELD(aniii),
	    FIELD(network_addr),
	    FIELD(rdnis),
	    FIELD(destination_number),
	    FIELD(uuid),
	    FIELD(source),
	    FIELD(transfer_source),
	    FIELD(context),
	    FIELD(chan_name),
#undef FIELD
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		const char *value = *(char *const *)(const void *)((const char *)p + fields[i].offset);
		if (value || fields[i].offset != offsetof(struct leg_profile, transfer_source))
			fn(fields[i].name, value, arg);
	}
}

struct profile_out {
	struct buf *out;
	const char *indent;
};

static void put_field(const char *name, const char *value, void *arg)
{
	const struct profile_out *o = arg;
	put_element(o->out, sv_of(o->indent), sv_of(name), sv_of(value));
}

static ON_CTL void put_profile(struct buf *out, const char *indent, const struct leg_profile *p)
{
	struct profile_out o = {out, indent};
	cdr_profile_each(p, put_field, &o);
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
static ON_CTL void put_extension(struct leg *leg, const struct leg_profile *p, struct buf *out)
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
static ON_CTL void put_others(struct buf *out, const char *kind, const struct leg_profile *first, bool is_list)
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

struct holds {
	struct buf *out;
	bool is_open;
};

static void put_hold(int64_t on_us, int64_t off_us, const char *peer, void *arg)
{
	struct holds *h = arg;

	if (!h->is_open)
		buf_adds(h->out, "  <hold-record>\n");
	h->is_open = true;
	buf_printf(h->out, "    <hold on=\"%lld\" off=\"%lld\"", (long long)on_us, (long long)off_us);
	if (*peer)
		buf_printf(h->out, " bridged-to=\"%s\"", peer);
	buf_adds(h->out, "></hold>\n");
}

/* A leg that was never held has no element. */
static ON_CTL void put_holds(struct leg *leg, struct buf *out)
{
	struct holds h = {.out = out};

	leg_held_each(leg, put_hold, &h);
	if (h.is_open)
		buf_adds(out, "  </hold-record>\n");
}

static ON_CTL void put_callflow(struct leg *leg, const struct leg_profile *p, struct buf *out)
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

void cdr_xml_put(struct leg *leg, struct buf *out, bool is_encoded)
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
	cdr_xml_put(leg, out, true);
}

static void on_reporting(struct leg *leg, void *arg)
{
	struct buf text;

	role_assert_ctl();
	if (!cdr_is_wanted(leg, true, post.logs_b_leg))
		return;
	buf_init(&text);
	buf_grow(&text, post.usual_bytes);
	cdr_xml_put(leg, &text, post.encodes_values);
	cdr_post_record(&post, leg, &text);
}

static ON_CTL int xml_load(void)
{
	const struct xml_node *conf = config_conf("xml_cdr.conf");
	int st;

	role_assert_ctl();
	post = (struct cdr_post){.module = "xml_cdr", .extension = "xml", .agent = "freeswitch-xml/1.0"};
	cdr_post_init(&post);
	xml_each(xml_child(conf, "settings"), "param", p) cdr_post_setting(&post, p);
	post.encodes_values = post.encode != CDR_ENCODE_TEXT;
	leg_exec_keep_list(true);
	leg_keep_dialled(true);
	st = cdr_post_open(&post, "xml_cdr");
	if (st == ST_OK)
		st = leg_hook_add(LEG_HOOK_REPORTING, on_reporting, NULL);
	return st;
}

static ON_CTL int xml_unload(void)
{
	role_assert_ctl();
	leg_hook_del(LEG_HOOK_REPORTING, on_reporting, NULL);
	leg_exec_keep_list(false);
	leg_keep_dialled(false);
	cdr_post_close(&post);
	return ST_OK;
}

static const struct conf_desc confs[] = {
    CDR_POST_CONFS("xml_cdr.conf", "xml_cdr"),
    {NULL},
};
const struct module mod_xml_cdr = {
    .abi = MODULE_ABI, .name = "mod_xml_cdr", .load = xml_load, .unload = xml_unload, .confs = confs};
