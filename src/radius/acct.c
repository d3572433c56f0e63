/* Accounting: what happens to a leg becomes Start, Interim-Update and Stop records (RFC 2866) in its session, which is
 * the leg's uuid; the call's is Acct-Multi-Session-Id. A record is made in full when it happens and goes to the spool,
 * which sees to it that it arrives. Also here, as it is of the leg's life: the end of the time that a server granted.
 *
 *   begins / rings / is answered -> Start     every so often -> Interim-Update     CS_REPORTING -> Stop
 *
 * Vendors' attributes as their dictionaries have them: Cisco's h323-*, Asterisk's (22736), FreeSWITCH's (27880). */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "cdr/cdr.h"
#include "core/leg/part.h"
#include "core/value/self.h"
#include "loop/work.h"
#include "radius/radius_i.h"
#include "text/mark.h"

#include <ctype.h>
#include <stdio.h>
#include <time.h>

enum { STATUS_START = 1, STATUS_STOP = 2, STATUS_INTERIM = 3, STATUS_ON = 7, STATUS_OFF = 8 };
enum { CLASSES_MAX_BYTES = 1024 };
enum {
	TERMINATE_USER = 1,
	TERMINATE_LOST = 2,
	TERMINATE_TIME = 5,
	TERMINATE_ADMIN = 6,
	TERMINATE_REBOOT = 7,
	TERMINATE_NAS = 9,
	TERMINATE_UNAVAILABLE = 15
};

struct rad_of_leg {
	struct co_wait *asking; /* rad_auth waits there */
	struct ltimer limit, interim;
	uint32_t limit_s, interim_s; /* 0: none */
	bool is_started, is_stopped;
	uint32_t ended_by; /* TERMINATE_, when it was us */
	char *user;
	struct buf classes; /* whole attributes */
};
static bool is_on;

static struct rad_of_leg *of(const struct leg *leg)
{
	return leg_part_of(leg, &rad_part);
}

/* ---- what a record says --------------------------------------------------------------------------------------- */
static ON_CTL void put_text(struct buf *b, uint8_t type, const char *text)
{
	(void)rad_put(b, type, sv_of(text));
}

static ON_CTL const char *first_of(struct leg *leg, const char *const *names)
{
	for (; *names; names++) {
		const char *v = leg_var(leg, *names);
		if (v && *v)
			return v;
	}
	return NULL;
}

const char *rad_leg_user_name(struct leg *leg)
{
	static const char *const inbound[] = {
	    "radius_user", "sip_auth_username", "user_name", "caller_id_number", NULL};
	static const char *const outbound[] = {"radius_user", "dialed_user", "destination_number", NULL};
	return of(leg)->user ? of(leg)->user : first_of(leg, leg->is_outbound ? outbound : inbound);
}

static ON_CTL int64_t ended_us(const struct leg *leg)
{
	int64_t us = leg->profile->times.hungup;
	return us ? us : clock_wall_us();
}

static ON_CTL uint32_t billed_s(const struct leg *leg)
{
	int64_t answered = leg->profile->times.answered;
	int64_t s = answered ? (ended_us(leg) - answered) / 1000000 : 0;
	return s < 0 ? 0 : s > UINT32_MAX ? UINT32_MAX : (uint32_t)s;
}

static ON_CTL uint32_t terminate_cause(const struct leg *leg)
{
	if (of(leg)->ended_by)
		return of(leg)->ended_by;
	switch ((int)leg->cause) {
	case CAUSE_NORMAL_CLEARING:
	case CAUSE_ORIGINATOR_CANCEL:
		return TERMINATE_USER;
	case CAUSE_SYSTEM_SHUTDOWN:
		return TERMINATE_REBOOT;
	case CAUSE_DESTINATION_OUT_OF_ORDER:
	case CAUSE_RECOVERY_ON_TIMER_EXPIRE:
	case CAUSE_MEDIA_TIMEOUT:
		return TERMINATE_LOST;
	case CAUSE_NORMAL_CIRCUIT_CONGESTION:
	case CAUSE_NETWORK_OUT_OF_ORDER:
	case CAUSE_NORMAL_TEMPORARY_FAILURE:
	case CAUSE_SWITCH_CONGESTION:
		return TERMINATE_NAS;
	default:
		return leg->is_answered ? TERMINATE_USER : TERMINATE_UNAVAILABLE;
	}
}

/* A count that the media left in a variable. */
static ON_CTL void put_count(struct buf *b, struct leg *leg, uint8_t type, const char *var)
{
	uint64_t n;
	const char *text = leg_var(leg, var);
	if (text && !sv_u64(sv_of(text), &n))
		(void)rad_put_u32(b, type, (uint32_t)n); /* it wraps, as RFC 2866 has it */
}

static void cisco_put(struct buf *b, uint8_t type, const char *name, const char *value)
{
	char text[RAD_VALUE_MAX_BYTES];
	if (!value || !*value)
		return;
	int n = snprintf(text, sizeof(text), "%s=%s", name, value);
	if (n > 0)
		(void)rad_put_vendor(b, RAD_VENDOR_CISCO, type, sv_of(text));
}

/* "05:35:33.123 UTC Fri Nov 27 2026" */
static void cisco_time_put(struct buf *b, uint8_t type, const char *name, int64_t us)
{
	static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t s = (time_t)(us / 1000000);
	struct tm tm;
	char text[64];
	if (!us || !gmtime_r(&s, &tm))
		return;
	snprintf(text, sizeof(text), "%02d:%02d:%02d.%03d UTC %.3s %.3s %d %d", tm.tm_hour, tm.tm_min, tm.tm_sec,
	    (int)(us / 1000 % 1000), days + 3 * tm.tm_wday, months + 3 * tm.tm_mon, tm.tm_mday, tm.tm_year + 1900);
	cisco_put(b, type, name, text);
}

static void conf_id_put(struct buf *b, const char *uuid)
{
	char text[40];
	size_t n = 0, digits = 0;
	for (; *uuid && digits < 32; uuid++) {
		if (!isxdigit((unsigned char)*uuid))
			continue;
		if (digits && digits % 8 == 0)
			text[n++] = ' ';
		text[n++] = (char)toupper((unsigned char)*uuid);
		digits++;
	}
	text[n] = 0;
	if (digits == 32)
		cisco_put(b, 24, "h323-conf-id", text);
}

static ON_CTL void cisco_all(struct buf *b, struct leg *leg, bool is_stop)
{
	const struct leg_times *t = &leg->profile->times;
	char text[60] = "record-id=";
	uuid_make(text + 10);
	(void)rad_put_vendor(b, RAD_VENDOR_CISCO, 1, sv_of(text));
	cisco_put(b, 33, "h323-gw-id", rad_conf.nas_identifier);
	conf_id_put(b, *leg->call_uuid ? leg->call_uuid : leg->uuid);
	cisco_put(b, 26, "h323-call-origin", leg->is_outbound ? "originate" : "answer");
	cisco_put(b, 27, "h323-call-type", "VoIP");
	cisco_put(b, 23, "h323-remote-address", leg->profile->network_addr);
	cisco_time_put(b, 25, "h323-setup-time", t->created);
	cisco_time_put(b, 28, "h323-connect-time", t->answered);
	if (!is_stop)
		return;
	cisco_time_put(b, 29, "h323-disconnect-time", ended_us(leg));
	snprintf(text, sizeof(text), "%x", leg->cause > 0 && leg->cause <= 127 ? (unsigned)leg->cause : 0x1fU);
	cisco_put(b, 30, "h323-disconnect-cause", text);
}

static void vendor_time_put(struct buf *b, uint32_t vendor, uint8_t type, int64_t us)
{
	time_t s = (time_t)(us / 1000000);
	struct tm tm;
	char text[48];
	if (!us || !gmtime_r(&s, &tm))
		return;
	size_t n = strftime(text, sizeof(text), vendor == RAD_VENDOR_ASTERISK ? "%F %T +0000" : "%FT%T", &tm);
	if (vendor != RAD_VENDOR_ASTERISK)
		snprintf(text + n, sizeof(text) - n, ".%06d+0000", (int)(us % 1000000));
	(void)rad_put_vendor(b, vendor, type, sv_of(text));
}

static ON_CTL void last_data_put(struct buf *b, uint32_t vendor, uint8_t type, const struct leg *leg)
{
	char *plain = leg->last_app_data ? mark_strip_dup(sv_of(leg->last_app_data)) : NULL;
	(void)rad_put_vendor(b, vendor, type, sv_of(plain));
	mem_free(plain);
}

static ON_CTL const char *disposition(const struct leg *leg)
{
	return leg->is_answered                ? "ANSWERED"
	       : leg->cause == CAUSE_USER_BUSY ? "BUSY"
	       : leg->cause == CAUSE_NO_ANSWER || leg->cause == CAUSE_NO_USER_RESPONSE ||
	               leg->cause == CAUSE_ORIGINATOR_CANCEL
	           ? "NO ANSWER"
	           : "FAILED";
}

/* Asterisk sends one record a call, at its end; so are these. */
static ON_CTL void asterisk_all(struct buf *b, struct leg *leg)
{
	const struct leg_profile *p = leg->profile;
	const struct leg_times *t = &p->times;
	const uint32_t v = RAD_VENDOR_ASTERISK;
	char text[300];
	int64_t whole_s = t->created ? (ended_us(leg) - t->created) / 1000000 : 0;
	(void)rad_put_vendor(b, v, 101, sv_of(leg_var(leg, "accountcode")));
	(void)rad_put_vendor(b, v, 102, sv_of(p->caller_id_number));
	(void)rad_put_vendor(b, v, 103, sv_of(p->destination_number));
	(void)rad_put_vendor(b, v, 104, sv_of(p->context));
	snprintf(text, sizeof(text), "\"%s\" <%s>", p->caller_id_name ? p->caller_id_name : "",
	    p->caller_id_number ? p->caller_id_number : "");
	(void)rad_put_vendor(b, v, 105, sv_of(text));
	(void)rad_put_vendor(b, v, 106, sv_of(leg->name));
	(void)rad_put_vendor(b, v, 107, sv_of(leg_var(leg, "bridge_channel")));
	(void)rad_put_vendor(b, v, 108, sv_of(leg->last_app));
	last_data_put(b, v, 109, leg);
	vendor_time_put(b, v, 110, t->created);
	vendor_time_put(b, v, 111, t->answered);
	vendor_time_put(b, v, 112, ended_us(leg));
	(void)rad_put_vendor_u32(b, v, 113, whole_s > 0 ? (uint32_t)whole_s : 0);
	(void)rad_put_vendor_u32(b, v, 114, billed_s(leg));
	(void)rad_put_vendor(b, v, 115, sv_of(disposition(leg)));
	(void)rad_put_vendor(b, v, 116, SV("DOCUMENTATION"));
	(void)rad_put_vendor(b, v, 117, sv_of(leg->uuid));
	(void)rad_put_vendor(b, v, 118, sv_of(leg_var(leg, "userfield")));
}

static ON_CTL void freeswitch_all(struct buf *b, struct leg *leg, bool is_stop)
{
	const struct leg_profile *p = leg->profile;
	const struct leg_times *t = &p->times;
	const uint32_t v = RAD_VENDOR_FREESWITCH;
	(void)rad_put_vendor(b, v, 2, sv_of(p->caller_id_name));
	(void)rad_put_vendor(b, v, 3, sv_of(p->dialplan));
	(void)rad_put_vendor(b, v, 4, sv_of(p->caller_id_number));
	(void)rad_put_vendor(b, v, 5, sv_of(p->destination_number));
	(void)rad_put_vendor(b, v, 6, sv_of(leg->name));
	(void)rad_put_vendor(b, v, 7, sv_of(leg_var(leg, "bridge_channel")));
	(void)rad_put_vendor(b, v, 8, sv_of(p->ani));
	(void)rad_put_vendor(b, v, 9, sv_of(p->aniii));
	(void)rad_put_vendor(b, v, 17, sv_of(p->rdnis));
	(void)rad_put_vendor(b, v, 18, sv_of(p->context));
	(void)rad_put_vendor(b, v, 19, sv_of(p->source));
	vendor_time_put(b, v, 20, t->created);
	vendor_time_put(b, v, 21, t->answered);
	vendor_time_put(b, v, 22, t->transferred);
	if (!is_stop)
		return;
	(void)rad_put_vendor(b, v, 10, sv_of(leg->last_app));
	last_data_put(b, v, 11, leg);
	(void)rad_put_vendor(b, v, 12, sv_of(disposition(leg)));
	(void)rad_put_vendor_u32(b, v, 13, (uint32_t)leg->cause);
	int64_t billed_us = t->answered ? ended_us(leg) - t->answered : 0;
	(void)rad_put_vendor_u32(b, v, 15,
	    billed_us > UINT32_MAX ? UINT32_MAX
	    : billed_us > 0        ? (uint32_t)billed_us
	                           : 0);
	vendor_time_put(b, v, 23, ended_us(leg));
}

static ON_CTL void record_put(struct leg *leg, uint32_t status)
{
	const struct leg_profile *p = leg->profile;
	int64_t now_us = status == STATUS_STOP ? ended_us(leg) : clock_wall_us();
	struct rad_of_leg *of_leg = of(leg);
	bool is_stop = status == STATUS_STOP;
	struct buf b;
	buf_init(&b);
	(void)rad_put_u32(&b, RAD_ACCT_STATUS_TYPE, status);
	put_text(&b, RAD_ACCT_SESSION_ID, leg->uuid);
	put_text(&b, RAD_ACCT_MULTI_SESSION_ID, *leg->call_uuid ? leg->call_uuid : leg->uuid);
	put_text(&b, RAD_USER_NAME, rad_leg_user_name(leg));
	(void)rad_nas_put(&b);
	(void)rad_put_u32(&b, RAD_SERVICE_TYPE, 1);
	put_text(&b, RAD_CALLING_STATION_ID, p->caller_id_number);
	put_text(&b, RAD_CALLED_STATION_ID, p->destination_number);
	(void)rad_put_u32(&b, RAD_EVENT_TIMESTAMP, (uint32_t)(now_us / 1000000));
	buf_addv(&b, buf_sv(&of_leg->classes));
	if (status != STATUS_START) {
		(void)rad_put_u32(&b, RAD_ACCT_SESSION_TIME, billed_s(leg));
		put_count(&b, leg, RAD_ACCT_INPUT_OCTETS, "rtp_audio_in_media_bytes");
		put_count(&b, leg, RAD_ACCT_OUTPUT_OCTETS, "rtp_audio_out_media_bytes");
		put_count(&b, leg, RAD_ACCT_INPUT_PACKETS, "rtp_audio_in_packet_count");
		put_count(&b, leg, RAD_ACCT_OUTPUT_PACKETS, "rtp_audio_out_packet_count");
	}
	if (is_stop)
		(void)rad_put_u32(&b, RAD_ACCT_TERMINATE_CAUSE, terminate_cause(leg));
	if (rad_conf.vendors & RAD_VSA_CISCO)
		cisco_all(&b, leg, is_stop);
	if (rad_conf.vendors & RAD_VSA_ASTERISK && is_stop)
		asterisk_all(&b, leg);
	if (rad_conf.vendors & RAD_VSA_FREESWITCH)
		freeswitch_all(&b, leg, is_stop);
	(void)rad_fields_put(&b, &rad_conf.accounting, leg);
	if (!b.failed)
		rad_spool_put(leg->uuid, now_us, buf_sv(&b));
	buf_fini(&b);
}

/* ---- the leg's life ------------------------------------------------------------------------------------------- */
static void on_interim(void *arg)
{
	struct leg *leg = arg;
	role_assert_ctl();
	loop_timer_set(&of(leg)->interim, clock_us_of_s(of(leg)->interim_s), "radius interim", on_interim, leg);
	if (is_on)
		record_put(leg, STATUS_INTERIM);
}

static ON_CTL void interim_arm(struct leg *leg)
{
	struct rad_of_leg *l = of(leg);
	uint32_t s = l->interim_s ? l->interim_s : rad_conf.interim_s;
	if (!s || !leg->is_answered || !l->is_started || l->is_stopped)
		return;
	l->interim_s = s;
	loop_timer_set(&l->interim, clock_us_of_s(s), "radius interim", on_interim, leg);
}

static ON_CTL void start(struct leg *leg)
{
	struct rad_of_leg *l = of(leg);
	if (!is_on || l->is_started || l->is_stopped || !leg->profile || !rad_is_served(RAD_ACCT) ||
	    !cdr_is_wanted(leg, rad_conf.has_a, rad_conf.has_b))
		return;
	l->is_started = true;
	record_put(leg, STATUS_START);
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
	of(leg)->ended_by = TERMINATE_TIME;
	leg_hangup(leg, CAUSE_ALLOTTED_TIMEOUT);
}

static ON_CTL void limit_arm(struct leg *leg)
{
	struct rad_of_leg *l = of(leg);
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
	struct rad_of_leg *l = of(leg);
	loop_timer_cancel(&l->limit);
	loop_timer_cancel(&l->interim);
	if (l->asking)
		co_signal(l->asking, ST_HANGUP);
}

static void on_reporting(struct leg *leg, void *arg)
{
	role_assert_ctl();
	struct rad_of_leg *l = of(leg);
	bool is_wanted = l->is_started || ((leg->is_answered || rad_conf.has_unanswered) && rad_is_served(RAD_ACCT) &&
	                                      cdr_is_wanted(leg, rad_conf.has_a, rad_conf.has_b));
	if (is_wanted && !l->is_stopped)
		record_put(leg, STATUS_STOP);
	l->is_stopped = true;
}

static void part_fini(struct leg *leg)
{
	struct rad_of_leg *l = of(leg);
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
	of(leg)->limit_s = seconds ? seconds : 1; /* no time at all */
	limit_arm(leg);
}

void rad_leg_interim(struct leg *leg, uint32_t seconds)
{
	if (seconds)
		of(leg)->interim_s = seconds < rad_conf.interim_min_s ? rad_conf.interim_min_s : seconds;
	interim_arm(leg);
}

void rad_leg_class(struct leg *leg, struct sv value)
{
	struct buf *b = &of(leg)->classes;
	if (b->n + value.n + 2 <= CLASSES_MAX_BYTES)
		(void)rad_put(b, RAD_CLASS, value);
}

void rad_leg_class_clear(struct leg *leg)
{
	buf_clear(&of(leg)->classes);
}

void rad_leg_user(struct leg *leg, struct sv name)
{
	char *copy = sv_dup(name);
	mem_free(of(leg)->user);
	of(leg)->user = copy;
}

void rad_leg_asking_set(struct leg *leg, struct co_wait *wait)
{
	of(leg)->asking = wait;
}

void rad_leg_end(struct leg *leg)
{
	of(leg)->ended_by = TERMINATE_ADMIN;
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
	put_text(&b, RAD_ACCT_SESSION_ID, core_uuid());
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
	loop_timer_cancel(&of(leg)->interim);
	loop_timer_cancel(&of(leg)->limit);
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
