/* What a record says of a leg: the attributes of RFC 2866, and vendors' as their dictionaries have them: Cisco's
 * h323-*, Asterisk's (22736), FreeSWITCH's (27880). Everything is a value of one attribute, cut to what it holds. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "radius/acct_i.h"
#include "text/mark.h"

#include <ctype.h>
#include <stdio.h>
#include <time.h>

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
	return rad_of(leg)->user ? rad_of(leg)->user : first_of(leg, leg->is_outbound ? outbound : inbound);
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
	if (rad_of(leg)->ended_by)
		return rad_of(leg)->ended_by;
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

void rad_record_put(struct leg *leg, uint32_t status)
{
	const struct leg_profile *p = leg->profile;
	int64_t now_us = status == STATUS_STOP ? ended_us(leg) : clock_wall_us();
	struct rad_of_leg *of_leg = rad_of(leg);
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
