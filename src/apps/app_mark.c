/* Small applications that mark the leg or ask one thing of it: heartbeats, presence, codecs, what outlives the hang-up.
 */
#include "apps/apps_i.h"
#include "base/clock.h"
#include "base/mem.h"
#include "core/leg/leg.h"
#include "core/registry/app_words.h"
#include "core/run/api.h"
#include "core/run/exec.h"
#include "core/run/transfer.h"
#include "core/sound/media.h"
#include "core/value/vars.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static ON_CTL int seconds_of(struct leg *leg, const char *app, const char *data)
{
	int64_t s;

	if (data && *data && !sv_i64(sv_trim(sv_of(data)), &s) && s >= 0 && s <= 86400)
		return (int)s;
	leg_log(leg, LOG_ERR, "%s: usage: [0|<seconds>]", app);
	return -1;
}

/* seconds; 0 = no more. A heartbeat here is always a task of the loop: both names do the same. */
int app_enable_heartbeat(struct leg *leg, const char *data)
{
	int s;

	role_assert_co();
	s = seconds_of(leg, "enable_heartbeat", data);
	if (s >= 0)
		leg_heartbeat(leg, s);
	return s < 0 ? ST_INVAL : ST_OK;
}

int app_enable_keepalive(struct leg *leg, const char *data)
{
	int s;

	role_assert_co();
	s = seconds_of(leg, "enable_keepalive", data);
	if (s >= 0)
		leg_keepalive(leg, s);
	return s < 0 ? ST_INVAL : ST_OK;
}

/* rpid status [id] */
int app_presence(struct leg *leg, const char *data)
{
	struct app_words w;
	int st = app_words_init(&w, leg_exec_text(leg, data), 3);

	role_assert_co();
	if (st || w.n < 2) {
		leg_log(leg, LOG_ERR, "presence: usage: <rpid> <status> [<id>]");
		st = ST_INVAL;
	} else {
		leg_presence_tell(leg, w.w[0], w.w[1], w.w[2]);
	}
	app_words_fini(&w);
	return st;
}

/* path [leg]: uuid_broadcast of this leg */
int app_broadcast(struct leg *leg, const char *data)
{
	struct buf args, reply;
	int st;

	role_assert_co();
	if (!data || !*data) {
		leg_log(leg, LOG_ERR, "broadcast: usage: <path> [aleg|bleg|holdb|both]");
		return ST_INVAL;
	}
	buf_init(&args);
	buf_init(&reply);
	buf_printf(&args, "%s %s", leg->uuid, leg_exec_text(leg, data));
	st = api_run("uuid_broadcast", args.p, leg, &reply);
	if (st || !sv_starts(buf_sv(&reply), SV("+OK")))
		leg_log(leg, LOG_ERR, "broadcast: %s", st ? status_text(st) : reply.p ? reply.p : "no reply");
	buf_fini(&args);
	buf_fini(&reply);
	return st;
}

/* [all]: what the leg was asked for besides goes too when anything else than "all" is given, as in FreeSWITCH */
int app_break(struct leg *leg, const char *data)
{
	role_assert_co();
	if (data && *data && strcasecmp(data, "all") != 0)
		leg_break(leg, true);
	leg_exec_break_around(leg);
	return ST_OK;
}

int app_park_state(struct leg *leg, const char *data)
{
	role_assert_co();
	leg_exec_park(leg);
	return ST_OK;
}

int app_set_zombie_exec(struct leg *leg, const char *data)
{
	role_assert_co();
	leg_exec_outlive(leg);
	return ST_OK;
}

int app_set_media_stats(struct leg *leg, const char *data)
{
	int st;

	role_assert_co();
	st = leg_media_stats_wait(leg);
	return st == ST_HANGUP ? st : ST_OK;
}

int app_reuse_caller_profile(struct leg *leg, const char *data)
{
	role_assert_co();
	leg_reuse_profile(leg);
	return ST_OK;
}

/* Clears what would send the media past us; too late once it flows. */
int app_media_reset(struct leg *leg, const char *data)
{
	role_assert_co();
	if (leg_media_is_ready(leg)) {
		leg_log(leg, LOG_WARNING, "%s This function does not work once media has been established.", leg->name);
		return ST_OK;
	}
	leg_var_set(leg, "bypass_media", NULL);
	leg_var_set(leg, "proxy_media", NULL);
	return ST_OK;
}

/* Those of the caller's codecs that the list names, in the list's order, are what the answer and the next leg may use.
 */
int app_filter_codecs(struct leg *leg, const char *data)
{
	const char *offered = vars_get(leg->vars, "ep_codec_string");
	struct sv rest = sv_of(data), wanted, theirs, one, name;
	struct buf kept;

	role_assert_co();
	if (!rest.n || !offered) {
		leg_log(leg, LOG_ERR, "filter_codecs: usage: <codec string>%s", rest.n ? "; there is no offer" : "");
		return ST_INVAL;
	}
	buf_init(&kept);
	while (rest.n) {
		sv_split(rest, ',', &wanted, &rest);
		sv_split(sv_trim(wanted), '@', &wanted, &name);
		for (theirs = sv_of(offered); theirs.n;) {
			sv_split(theirs, ',', &one, &theirs);
			name = one;
			if (sv_starts(one, SV("CORE_PCM_MODULE.")))
				name = sv_sub(one, 16, one.n);
			sv_split(name, '@', &name, &(struct sv){0});
			if (sv_eqi(name, wanted))
				buf_printf(&kept, "%s%.*s", kept.n ? "," : "", SVF(one));
		}
	}
	if (kept.n) {
		leg_var_set(leg, "ep_codec_string", kept.p);
		leg_var_set(leg, "codec_string", kept.p);
	} else {
		leg_log(leg, LOG_WARNING, "filter_codecs: none of %s was offered", data);
	}
	buf_fini(&kept);
	return ST_OK;
}

/* len[:max[:drift]] | pause | resume | debug:file. */
int app_jitterbuffer(struct leg *leg, const char *data)
{
	struct sv text = sv_trim(sv_of(data));

	role_assert_co();
	if (sv_isi(text, "pause") || sv_isi(text, "resume"))
		return leg_jitter_pause(leg, sv_isi(text, "pause"));
	if (sv_startsi(text, SV("debug:"))) {
		leg_log(leg, LOG_INFO, "jitterbuffer: what it does is in the variables rtp_jb_...");
		return ST_OK;
	}
	return leg_jitter_set(leg, data);
}

enum { REFER_WAIT_US = 60 * 1000000 };

/* uri or number: the far side is asked to call there. Once it has, this call ends. */
int app_deflect(struct leg *leg, const char *data)
{
	struct buf uri;
	int st;

	role_assert_co();
	if (!data || !*data || !leg->ops->redirect) {
		leg_log(leg, LOG_ERR, "deflect: usage: <deflect_data>");
		return ST_INVAL;
	}
	buf_init(&uri);
	if (strstr(data, "sip:") || strstr(data, "sips:")) {
		buf_adds(&uri, data);
	} else {
		const char *host = leg_var(leg, "sip_local_network_addr");
		buf_printf(&uri, "sip:%s@%s", data, host ? host : leg_var(leg, "domain"));
	}
	bool is_asked = leg->is_answered; /* by REFER: its answer is waited for */
	st = leg->ops->redirect(leg, uri.p);
	buf_fini(&uri);
	if (st || !is_asked)
		return st;
	for (int64_t end = clock_mono_us() + REFER_WAIT_US; !st && !leg_var(leg, "sip_refer_reply");) {
		int64_t left = end - clock_mono_us();
		st = left > 0 ? leg_wait(leg, left) : ST_TIMEOUT;
	}
	return st == ST_HANGUP || st == ST_CANCELLED ? st : ST_OK;
}

/* Nothing to do: said once in the log where somebody may wonder. */
static ON_CTL int nothing(struct leg *leg, const char *why)
{
	leg_log(leg, LOG_DEBUG, "%s", why);
	return ST_OK;
}

int app_novideo(struct leg *leg, const char *data)
{
	role_assert_co();
	leg_video_refuse(leg);
	return ST_OK;
}

int app_early_hangup(struct leg *leg, const char *data)
{
	role_assert_co();
	return nothing(leg, "early_hangup: an early leg ends at once in any case");
}

int app_recovery_refresh(struct leg *leg, const char *data)
{
	role_assert_co();
	return nothing(leg, "recovery_refresh: calls are not recovered after a crash");
}

/* true|false */
int app_blind_transfer_ack(struct leg *leg, const char *data)
{
	role_assert_co();
	if (!leg_transfer_told(leg, str_is_true(data)))
		leg_log(leg, LOG_DEBUG, "blind_transfer_ack: nobody waits to hear of a transfer of this leg");
	return ST_OK;
}

int app_unloop(struct leg *leg, const char *data)
{
	role_assert_co();
	leg_var_set(leg, "loopback_bowout", "true");
	return ST_OK;
}
