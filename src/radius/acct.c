/* Accounting: what happens to a leg becomes Start, Interim-Update and Stop records (RFC 2866) in its session, which is
 * the leg's uuid; the call's is Acct-Multi-Session-Id. A record is made in full when it happens and goes to the spool,
 * which sees to it that it arrives. Also here, as it is of the leg's life: the end of the time that a server granted.
 *
 *   begins / rings / is answered -> Start     every so often -> Interim-Update     CS_REPORTING -> Stop */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cdr/cdr.h"
#include "core/value/self.h"
#include "loop/work.h"
#include "radius/acct_i.h"

enum { CLASSES_MAX_BYTES = 1024 };
static bool is_on;

/* ---- the leg's life ------------------------------------------------------------------------------------------- */
static void on_interim(void *arg)
{
	struct leg *leg = arg;
	role_assert_ctl();
	loop_timer_set(&rad_of(leg)->interim, clock_us_of_s(rad_of(leg)->interim_s), "radius interim", on_interim, leg);
	if (is_on)
		rad_record_put(leg, STATUS_INTERIM);
}

static ON_CTL void interim_arm(struct leg *leg)
{
	struct rad_of_leg *l = rad_of(leg);
	uint32_t s = l->interim_s ? l->interim_s : rad_conf.interim_s;
	if (!s || !leg->is_answered || !l->is_started || l->is_stopped)
		return;
	l->interim_s = s;
	loop_timer_set(&l->interim, clock_us_of_s(s), "radius interim", on_interim, leg);
}

static ON_CTL void start(struct leg *leg)
{
	struct rad_of_leg *l = rad_of(leg);
	if (!is_on || l->is_started || l->is_stopped || !leg->profile || !rad_is_served(RAD_ACCT) ||
	    !cdr_is_wanted(leg, rad_conf.has_a, rad_conf.has_b))
		return;
	l->is_started = true;
	rad_record_put(leg, STATUS_START);
}

static ON_CTL void start_at_setup(struct leg *leg)
{
	role_assert_ctl();
	if (is_on && rad_conf.starts_at_setup)
		start(leg);
}

static void on_limit(void *arg)
{
	struct leg *leg = arg;
	role_assert_ctl();
	leg_log(leg, LOG_NOTICE, "radius: the time that the server granted is over");
	rad_of(leg)->ended_by = TERMINATE_TIME;
	leg_hangup(leg, CAUSE_ALLOTTED_TIMEOUT);
}

static ON_CTL void limit_arm(struct leg *leg)
{
	struct rad_of_leg *l = rad_of(leg);
	if (l->limit_s && leg->is_answered && leg_is_up(leg))
		loop_timer_set(&l->limit, clock_us_of_s(l->limit_s), "radius limit", on_limit, leg);
}

static void part_answer(struct leg *leg)
{
	role_assert_ctl();
	if (!is_on)
		return;
	start(leg);
	limit_arm(leg);
	interim_arm(leg);
}

static void part_hangup(struct leg *leg)
{
	role_assert_ctl();
	struct rad_of_leg *l = rad_of(leg);
	loop_timer_cancel(&l->limit);
	loop_timer_cancel(&l->interim);
	if (l->asking)
		co_signal(l->asking, ST_HANGUP);
}

static void on_reporting(struct leg *leg, void *arg)
{
	role_assert_ctl();
	struct rad_of_leg *l = rad_of(leg);
	bool is_wanted = l->is_started || ((leg->is_answered || rad_conf.has_unanswered) && rad_is_served(RAD_ACCT) &&
	                                      cdr_is_wanted(leg, rad_conf.has_a, rad_conf.has_b));
	if (is_wanted && !l->is_stopped)
		rad_record_put(leg, STATUS_STOP);
	l->is_stopped = true;
}

static void part_fini(struct leg *leg)
{
	struct rad_of_leg *l = rad_of(leg);
	role_assert_ctl();
	loop_timer_cancel(&l->limit);
	loop_timer_cancel(&l->interim);
	mem_free(l->user);
	buf_fini(&l->classes);
}

/* What the authenticator was told when the caller logged in stands in variables: it counts as rad_auth's. */
static ON_CTL void login_read(struct leg *leg)
{
	static const char *const times[] = {"radius_session_timeout", "radius_credit_time"};
	const struct rad_dict class_ = {"Class", 0, RAD_CLASS, RAD_BYTES};
	struct sv rest = sv_of(leg_var(leg, "radius_class")), one;
	uint32_t s, limit = UINT32_MAX;
	struct buf value;
	for (size_t i = 0; i < 2; i++) {
		const char *text = leg_var(leg, times[i]);
		if (text && !sv_u32(sv_of(text), &s) && s < limit)
			limit = s;
	}
	if (limit != UINT32_MAX)
		rad_leg_limit(leg, limit);
	buf_init(&value);
	while (rest.n) {
		sv_split(rest, ',', &one, &rest);
		buf_clear(&value);
		if (!rad_value_make(&class_, one, &value))
			rad_leg_class(leg, buf_sv(&value));
	}
	buf_fini(&value);
}

static void part_start(struct leg *leg)
{
	role_assert_ctl();
	if (!is_on)
		return;
	login_read(leg);
	start_at_setup(leg);
}

struct leg_part rad_part = {.name = "radius",
    .bytes = sizeof(struct rad_of_leg),
    .on_start = part_start,
    .on_ring = start_at_setup,
    .on_early = start_at_setup,
    .on_answer = part_answer,
    .on_hangup = part_hangup,
    .fini = part_fini};

/* ---- what servers say of a leg -------------------------------------------------------------------------------- */
void rad_leg_limit(struct leg *leg, uint32_t seconds)
{
	rad_of(leg)->limit_s = seconds ? seconds : 1; /* no time at all */
	limit_arm(leg);
}

void rad_leg_interim(struct leg *leg, uint32_t seconds)
{
	if (seconds)
		rad_of(leg)->interim_s = seconds < rad_conf.interim_min_s ? rad_conf.interim_min_s : seconds;
	interim_arm(leg);
}

void rad_leg_class(struct leg *leg, struct sv value)
{
	struct buf *b = &rad_of(leg)->classes;
	if (b->n + value.n + 2 <= CLASSES_MAX_BYTES)
		(void)rad_put(b, RAD_CLASS, value);
}

void rad_leg_class_clear(struct leg *leg)
{
	buf_clear(&rad_of(leg)->classes);
}

void rad_leg_user(struct leg *leg, struct sv name)
{
	char *copy = sv_dup(name);
	mem_free(rad_of(leg)->user);
	rad_of(leg)->user = copy;
}

void rad_leg_asking_set(struct leg *leg, struct co_wait *wait)
{
	rad_of(leg)->asking = wait;
}

void rad_leg_end(struct leg *leg)
{
	rad_of(leg)->ended_by = TERMINATE_ADMIN;
	leg_hangup(leg, CAUSE_MANAGER_REQUEST);
}

/* The switch itself begins or ends (RFC 2866 section 5.1): what a server still holds open of it is over. */
static ON_CTL void switch_put(uint32_t status)
{
	int64_t now_us = clock_wall_us();
	struct buf b;
	if (!rad_conf.tells_switch || !rad_is_served(RAD_ACCT))
		return;
	buf_init(&b);
	(void)rad_put_u32(&b, RAD_ACCT_STATUS_TYPE, status);
	(void)rad_put(&b, RAD_ACCT_SESSION_ID, sv_of(core_uuid()));
	(void)rad_nas_put(&b);
	(void)rad_put_u32(&b, RAD_EVENT_TIMESTAMP, (uint32_t)(now_us / 1000000));
	if (!b.failed)
		rad_spool_put(core_uuid(), now_us, buf_sv(&b));
	buf_fini(&b);
}

int rad_acct_start(void)
{
	int st = leg_hook_add(LEG_HOOK_REPORTING, on_reporting, NULL);
	is_on = !st;
	if (is_on)
		switch_put(STATUS_ON);
	return st;
}

static ON_CTL bool timers_cancel(struct leg *leg, void *arg)
{
	loop_timer_cancel(&rad_of(leg)->interim);
	loop_timer_cancel(&rad_of(leg)->limit);
	return true;
}

void rad_acct_stop(void)
{
	leg_hook_del(LEG_HOOK_REPORTING, on_reporting, NULL);
	leg_each(timers_cancel, NULL);
	if (is_on && work_may_wait())
		switch_put(STATUS_OFF); /* it is in the spool's file: the next start sends it */
	is_on = false;
}
