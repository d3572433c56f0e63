/* What the files of the standard applications share. */
#pragma once
#include "core/exec.h"
#include "core/leg.h"
#include "core/leg_media.h"
#include "core/module.h"

/* calls (app_call.c) */
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
int app_bind_meta_app(struct leg *leg, const char *data);
int app_unbind_meta_app(struct leg *leg, const char *data);

/* variables and text (app_var.c) */
int app_set(struct leg *leg, const char *data);
int app_unset(struct leg *leg, const char *data);
int app_multiset(struct leg *leg, const char *data);
int app_export(struct leg *leg, const char *data);
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
int app_gentones(struct leg *leg, const char *data);
int app_record(struct leg *leg, const char *data);
int app_send_dtmf(struct leg *leg, const char *data);
int app_flush_dtmf(struct leg *leg, const char *data);
