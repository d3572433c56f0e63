/* The variables about time that a finished call carries, in FreeSWITCH's order (the records are made from them). */
#include "base/clock.h"
#include "core/leg/leg.h"
#include "core/leg/leg_i.h"
#include "core/value/vars.h"

static ON_CTL void set_stamp(struct leg *leg, const char *name, int64_t us)
{
	char text[CLOCK_STAMP_CHARS];

	if (us)
		leg_var_set(leg, name, clock_stamp(us / 1000000, text));
}

static ON_CTL void set_epoch(struct leg *leg, const char *s_name, const char *us_name, int64_t us)
{
	leg_var_set_int(leg, s_name, us / 1000000);
	leg_var_set_int(leg, us_name, us);
}

/* From one instant to another in whole units as the clock shows them; 0 when either has not been. */
static int64_t span(const int64_t pair[2], int64_t unit_us)
{
	return pair[0] && pair[1] > pair[0] ? pair[1] / unit_us - pair[0] / unit_us : 0;
}

void leg_vars_cdr_set(struct leg *leg)
{
	static const char *const names[3][7] = {
	    {"duration", "billsec", "progresssec", "answersec", "waitsec", "progress_mediasec", "flow_billsec"},
	    {"mduration", "billmsec", "progressmsec", "answermsec", "waitmsec", "progress_mediamsec", "flow_billmsec"},
	    {"uduration", "billusec", "progressusec", "answerusec", "waitusec", "progress_mediausec", "flow_billusec"},
	};
	static const int64_t unit_us[3] = {1000000, 1000, 1};
	const struct leg_profile *p = leg->profile;
	const struct leg_times *t;
	int64_t first, end;

	if (!p)
		return;
	for (first = p->times.profile_created; p->older; p = p->older)
		first = p->older->times.profile_created;
	p = leg->profile;
	t = &p->times;
	end = t->hungup ? t->hungup : clock_wall_us();
	set_stamp(leg, "start_stamp", t->created);
	set_stamp(leg, "profile_start_stamp", t->profile_created);
	set_stamp(leg, "answer_stamp", t->answered);
	set_stamp(leg, "bridge_stamp", t->bridged);
	set_stamp(leg, "hold_stamp", t->last_hold);
	set_stamp(leg, "resurrect_stamp", t->resurrected);
	set_stamp(leg, "progress_stamp", t->progress);
	set_stamp(leg, "progress_media_stamp", t->progress_media);
	set_stamp(leg, "end_stamp", end);
	set_epoch(leg, "start_epoch", "start_uepoch", t->created);
	set_epoch(leg, "profile_start_epoch", "profile_start_uepoch", t->profile_created);
	set_epoch(leg, "answer_epoch", "answer_uepoch", t->answered);
	set_epoch(leg, "bridge_epoch", "bridge_uepoch", t->bridged);
	set_epoch(leg, "last_hold_epoch", "last_hold_uepoch", t->last_hold);
	leg_held_last(leg);
	leg_var_set_int(leg, "hold_accum_seconds", t->hold_accum / 1000000);
	leg_var_set_int(leg, "hold_accum_usec", t->hold_accum);
	leg_var_set_int(leg, "hold_accum_ms", t->hold_accum / 1000);
	set_epoch(leg, "resurrect_epoch", "resurrect_uepoch", t->resurrected);
	set_epoch(leg, "progress_epoch", "progress_uepoch", t->progress);
	set_epoch(leg, "progress_media_epoch", "progress_media_uepoch", t->progress_media);
	set_epoch(leg, "end_epoch", "end_uepoch", end);
	if (leg->last_app[0]) {
		leg_var_set(leg, "last_app", leg->last_app);
		vars_set_outside(leg->vars, "last_arg", leg->last_app_data);
	}
	leg_var_setf(leg, "caller_id", "\"%s\" <%s>", p->caller_id_name ? p->caller_id_name : "",
	    p->caller_id_number ? p->caller_id_number : "");
	int64_t pairs[7][2] = {{t->created, end}, {t->answered, end}, {t->created, t->progress},
	    {t->created, t->answered}, {first, t->bridged ? t->bridged : t->answered}, {t->created, t->progress_media},
	    {first, end}};
	for (int u = 0; u < 3; u++)
		for (int i = 0; i < 7; i++)
			leg_var_set_int(leg, names[u][i], span(pairs[i], unit_us[u]));
}
