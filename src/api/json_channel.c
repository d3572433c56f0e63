/* A leg as one JSON object, in the layout of FreeSWITCH's JSON records: what the leg is, its statistics, variables,
 * applications run, and its caller profiles, newest first, with what the dialplan found. */
#include "api/api_i.h"
#include "core/leg/leg.h"
#include "core/run/exec.h"
#include "core/value/self.h"
#include "core/value/vars.h"
#include "text/json.h"

#include <stdio.h>
#include <stdlib.h>

static ON_CTL void put_stats(struct json_writer *w, const struct leg *leg, const char *name, const char *prefix)
{
	size_t skip = strlen(prefix);
	jw_key(w, name);
	jw_begin_object(w);
	for (size_t i = 0; i < vars_count(leg->vars); i++) {
		const char *variable, *value;
		vars_at(leg->vars, i, &variable, &value);
		if (strncmp(variable, prefix, skip))
			continue;
		jw_key(w, variable + skip);
		if (strchr(value, '.'))
			jw_real(w, atof(value));
		else
			jw_int(w, atoll(value));
	}
	jw_end_object(w);
}

static ON_CTL void put_variables(struct json_writer *w, const struct leg *leg)
{
	jw_key(w, "variables");
	jw_begin_object(w);
	for (size_t i = 0; i < vars_count(leg->vars); i++) {
		const char *name, *value;
		vars_at(leg->vars, i, &name, &value);
		jw_kv_str(w, name, value);
	}
	jw_end_object(w);
}

static void put_run(const char *app, const char *data, int64_t wall_us, void *arg)
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

static ON_CTL void put_profile_fields(struct json_writer *w, const struct leg_profile *p)
{
	static const char *const fields[] = {"username", "dialplan", "caller_id_name", "ani", "aniii",
	    "caller_id_number", "network_addr", "rdnis", "destination_number", "uuid", "source", "context",
	    "chan_name"};
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		const char *value = leg_profile_field(p, fields[i]);
		jw_kv_str(w, fields[i], value ? value : "");
	}
}

/* Of the list the dialplan gave. */
struct listed {
	struct json_writer *w;
	const char *number;
	char *current;
	bool is_begun;
};

static void put_listed(const char *app, const char *data, const char *extension, bool is_next, void *arg)
{
	struct listed *l = arg;
	if (!l->is_begun) {
		l->is_begun = true;
		jw_key(l->w, "extension");
		jw_begin_object(l->w);
		jw_kv_str(l->w, "name", extension ? extension : "");
		jw_kv_str(l->w, "number", l->number);
		jw_key(l->w, "applications");
		jw_begin_array(l->w);
	}
	jw_begin_object(l->w);
	if (is_next) {
		mem_free(l->current);
		l->current = mem_strdup(app);
		jw_kv_str(l->w, "last_executed", "true");
	}
	jw_kv_str(l->w, "app_name", app);
	jw_kv_str(l->w, "app_data", data ? data : "");
	jw_end_object(l->w);
}

static ON_CTL void put_extension(struct json_writer *w, struct leg *leg)
{
	struct listed l = {.w = w, .number = leg->profile->destination_number};
	leg_exec_list_each(leg, put_listed, &l);
	if (l.is_begun) {
		jw_end_array(w);
		if (l.current)
			jw_kv_str(w, "current_app", l.current);
		jw_end_object(w);
	}
	mem_free(l.current);
}

static void put_times(struct json_writer *w, const struct leg_times *t)
{
	const struct {
		const char *name;
		int64_t us;
	} rows[] = {{"created_time", t->created}, {"profile_created_time", t->profile_created},
	    {"progress_time", t->progress}, {"progress_media_time", t->progress_media}, {"answered_time", t->answered},
	    {"bridged_time", t->bridged}, {"last_hold_time", t->last_hold}, {"hold_accum_time", t->hold_accum},
	    {"hangup_time", t->hungup}, {"resurrect_time", t->resurrected}, {"transfer_time", t->transferred}};
	jw_key(w, "times");
	jw_begin_object(w);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[24];
		snprintf(text, sizeof(text), "%lld", (long long)rows[i].us);
		jw_kv_str(w, rows[i].name, text);
	}
	jw_end_object(w);
}

static ON_CTL void put_callflow(struct json_writer *w, struct leg *leg, const struct leg_profile *p)
{
	char index[12];
	bool is_newest = p == leg->profile;
	snprintf(index, sizeof(index), "%u", p->index);
	jw_begin_object(w);
	jw_kv_str(w, "dialplan", p->dialplan ? p->dialplan : "");
	jw_kv_str(w, "profile_index", index);
	if (is_newest)
		put_extension(w, leg);
	jw_key(w, "caller_profile");
	jw_begin_object(w);
	put_profile_fields(w, p);
	if (is_newest && leg->other) {
		const char *kind = leg->other_is_originator ? "originator" : "originatee";
		char list[40];
		snprintf(list, sizeof(list), "%s_caller_profiles", kind);
		jw_key(w, kind);
		jw_begin_object(w);
		jw_key(w, list);
		jw_begin_array(w);
		for (int i = 0; i < 2; i++) { /* FreeSWITCH lists it twice */
			jw_begin_object(w);
			put_profile_fields(w, leg->other);
			jw_end_object(w);
		}
		jw_end_array(w);
		jw_end_object(w);
	}
	jw_end_object(w);
	put_times(w, &p->times);
	jw_end_object(w);
}

void api_json_channel(struct json_writer *w, struct leg *leg)
{
	char number[12];
	snprintf(number, sizeof(number), "%d", (int)leg->state);
	jw_begin_object(w);
	jw_kv_str(w, "core-uuid", core_uuid());
	jw_kv_str(w, "switchname", core_switchname());
	jw_key(w, "channel_data");
	jw_begin_object(w);
	jw_kv_str(w, "state", leg_state_name(leg->running_state));
	jw_kv_str(w, "direction", leg->is_outbound ? "outbound" : "inbound");
	jw_kv_str(w, "state_number", number);
	jw_end_object(w);
	jw_key(w, "callStats");
	jw_begin_object(w);
	jw_key(w, "audio");
	jw_begin_object(w);
	put_stats(w, leg, "inbound", "rtp_audio_in_");
	put_stats(w, leg, "outbound", "rtp_audio_out_");
	jw_end_object(w);
	jw_end_object(w);
	put_variables(w, leg);
	jw_key(w, "app_log");
	jw_begin_object(w);
	jw_key(w, "applications");
	jw_begin_array(w);
	leg_exec_log_each(leg, put_run, w);
	jw_end_array(w);
	jw_end_object(w);
	jw_key(w, "callflow");
	jw_begin_array(w);
	for (const struct leg_profile *p = leg->profile; p; p = p->older)
		put_callflow(w, leg, p);
	jw_end_array(w);
	jw_end_object(w);
}
