/* What the files of the standard applications share. */
#pragma once
#include "core/leg/leg.h"
#include "core/registry/app_words.h"
#include "core/registry/module.h"
#include "core/run/exec.h"
#include "core/sound/media.h"

/* calls (app_call.c) */
int app_acknowledge_call(struct leg *leg, const char *data);
int app_answer(struct leg *leg, const char *data);
int app_pre_answer(struct leg *leg, const char *data);
int app_ring_ready(struct leg *leg, const char *data);
int app_hangup(struct leg *leg, const char *data);
int app_transfer(struct leg *leg, const char *data);
int app_park(struct leg *leg, const char *data);
int app_respond(struct leg *leg, const char *data);
int app_redirect(struct leg *leg, const char *data);
int app_bridge(struct leg *leg, const char *data);
int app_wait_for_answer(struct leg *leg, const char *data);

/* variables and text (app_var.c) */
int app_set(struct leg *leg, const char *data);
int app_unset(struct leg *leg, const char *data);
int app_multiset(struct leg *leg, const char *data);
int app_export(struct leg *leg, const char *data);
int app_bridge_export(struct leg *leg, const char *data);
int app_multiunset(struct leg *leg, const char *data);
int app_push(struct leg *leg, const char *data);
int app_unshift(struct leg *leg, const char *data);
int app_set_global(struct leg *leg, const char *data);
int app_eval(struct leg *leg, const char *data);
int app_log(struct leg *leg, const char *data);
int app_info(struct leg *leg, const char *data);
int app_set_profile_var(struct leg *leg, const char *data);
int app_set_name(struct leg *leg, const char *data);
int app_event(struct leg *leg, const char *data);

/* sound (app_media.c) */
int app_sleep(struct leg *leg, const char *data);
int app_echo(struct leg *leg, const char *data);
int app_delay_echo(struct leg *leg, const char *data);
int app_playback(struct leg *leg, const char *data);
int app_endless_playback(struct leg *leg, const char *data);
int app_loop_playback(struct leg *leg, const char *data);
int app_gentones(struct leg *leg, const char *data);
int app_record(struct leg *leg, const char *data);
int app_send_dtmf(struct leg *leg, const char *data);
int app_flush_dtmf(struct leg *leg, const char *data);

/* what listens in or changes sound (app_tap.c) */
int app_block_dtmf(struct leg *leg, const char *data);
int app_clear_speech_cache(struct leg *leg, const char *data);
int app_cng_plc(struct leg *leg, const char *data);
int app_detect_audio(struct leg *leg, const char *data);
int app_detect_silence(struct leg *leg, const char *data);
int app_displace_session(struct leg *leg, const char *data);
int app_fax_detect(struct leg *leg, const char *data);
int app_record_session(struct leg *leg, const char *data);
int app_record_session_mask(struct leg *leg, const char *data);
int app_record_session_pause(struct leg *leg, const char *data);
int app_record_session_resume(struct leg *leg, const char *data);
int app_record_session_unmask(struct leg *leg, const char *data);
int app_preprocess(struct leg *leg, const char *data);
int app_remove_bugs(struct leg *leg, const char *data);
int app_set_audio_level(struct leg *leg, const char *data);
int app_set_mute(struct leg *leg, const char *data);
int app_start_dtmf(struct leg *leg, const char *data);
int app_start_dtmf_generate(struct leg *leg, const char *data);
int app_stop_displace_session(struct leg *leg, const char *data);
int app_stop_dtmf(struct leg *leg, const char *data);
int app_stop_dtmf_generate(struct leg *leg, const char *data);
int app_stop_record_session(struct leg *leg, const char *data);
int app_stop_tone_detect(struct leg *leg, const char *data);
int app_tone_detect(struct leg *leg, const char *data);
int app_unblock_dtmf(struct leg *leg, const char *data);
int app_video_refresh(struct leg *leg, const char *data);
int app_wait_for_silence(struct leg *leg, const char *data);
/* app_eavesdrop.c */
int app_eavesdrop(struct leg *leg, const char *data);
int app_native_eavesdrop(struct leg *leg, const char *data);
int app_three_way(struct leg *leg, const char *data);

/* digits (app_digits.c) */
int app_read(struct leg *leg, const char *data);
int app_play_and_get_digits(struct leg *leg, const char *data);
int app_queue_dtmf(struct leg *leg, const char *data);

/* other things run (app_exec.c) */
int app_execute_extension(struct leg *leg, const char *data);
int app_sched_hangup(struct leg *leg, const char *data);
int app_sched_transfer(struct leg *leg, const char *data);
int app_sched_broadcast(struct leg *leg, const char *data);
int app_sched_cancel(struct leg *leg, const char *data);

/* who calls (app_user.c) */
int app_set_user(struct leg *leg, const char *data);
int app_check_acl(struct leg *leg, const char *data);
int app_privacy(struct leg *leg, const char *data);
int app_verbose_events(struct leg *leg, const char *data);
int app_strftime(struct leg *leg, const char *data);
int app_send_display(struct leg *leg, const char *data);
int app_send_info(struct leg *leg, const char *data);
int app_session_loglevel(struct leg *leg, const char *data);
int app_transfer_vars(struct leg *leg, const char *data);
int app_capture(struct leg *leg, const char *data);
int app_hold(struct leg *leg, const char *data);
int app_unhold(struct leg *leg, const char *data);

/* the operating system (app_system.c) */
int app_system(struct leg *leg, const char *data);
int app_bgsystem(struct leg *leg, const char *data);
int app_mkdir(struct leg *leg, const char *data);
int app_rename(struct leg *leg, const char *data);

/* keys that do something (app_bind.c) */
int app_bind_meta_app(struct leg *leg, const char *data);
int app_unbind_meta_app(struct leg *leg, const char *data);
int app_bind_digit_action(struct leg *leg, const char *data);
int app_clear_digit_action(struct leg *leg, const char *data);
int app_digit_action_set_realm(struct leg *leg, const char *data);
int app_deduplicate_dtmf(struct leg *leg, const char *data);

/* marks and small questions (app_mark.c) */
int app_enable_heartbeat(struct leg *leg, const char *data);
int app_enable_keepalive(struct leg *leg, const char *data);
int app_presence(struct leg *leg, const char *data);
int app_broadcast(struct leg *leg, const char *data);
int app_break(struct leg *leg, const char *data);
int app_park_state(struct leg *leg, const char *data);
int app_set_zombie_exec(struct leg *leg, const char *data);
int app_set_media_stats(struct leg *leg, const char *data);
int app_reuse_caller_profile(struct leg *leg, const char *data);
int app_media_reset(struct leg *leg, const char *data);
int app_filter_codecs(struct leg *leg, const char *data);
int app_jitterbuffer(struct leg *leg, const char *data);
int app_deflect(struct leg *leg, const char *data);
int app_novideo(struct leg *leg, const char *data);
int app_early_hangup(struct leg *leg, const char *data);
int app_recovery_refresh(struct leg *leg, const char *data);
int app_blind_transfer_ack(struct leg *leg, const char *data);
int app_unloop(struct leg *leg, const char *data);

/* one after another (app_mutex.c) */
int app_mutex(struct leg *leg, const char *data);
ON_CTL int mutex_load(void);
ON_CTL void mutex_unload(void);

/* calls taken over and passed on (app_intercept.c, app_xfer.c) */
int app_intercept(struct leg *leg, const char *data);
int app_pickup(struct leg *leg, const char *data);
int app_att_xfer(struct leg *leg, const char *data);
int app_soft_hold(struct leg *leg, const char *data);

/* counted resources (limit.c) */
int app_limit(struct leg *leg, const char *data);
int app_limit_hash(struct leg *leg, const char *data);
int app_limit_execute(struct leg *leg, const char *data);
int app_limit_hash_execute(struct leg *leg, const char *data);
int api_limit_usage(struct api_call *c);
int api_chat(struct api_call *c); /* api_page.c */
int api_page(struct api_call *c);
int api_presence(struct api_call *c);
int api_limit_hash_usage(struct api_call *c);
int api_limit_reset(struct api_call *c);
int api_limit_interval_reset(struct api_call *c);
int api_limit_status(struct api_call *c);
int api_uuid_limit(struct api_call *c);
int api_uuid_limit_release(struct api_call *c);
ON_CTL int limit_load(void);
ON_CTL void limit_unload(void);

/* ---- null.c ---- */
extern const struct endpoint_ops null_ops;
