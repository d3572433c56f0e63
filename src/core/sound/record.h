/* Recording a leg from an application. */
#pragma once
#include "core/sound/play.h"
#include "core/sound/record_name.h"
#include "media/ctl/mctl.h"

/* Records until the limit, silence, a terminator digit (NULL: playback_terminators, default *), break or hang-up. The
 * path is read as in record_name.h, a relative one lies under recordings_dir; what stands before it in braces
 * (record_params_read, RECORD_APPEND, record_sample_rate) comes before what conf says. Fires RECORD_START/RECORD_STOP;
 * sets record_ms, record_seconds, record_samples, record_completion_cause, silence_hits_exhausted,
 * playback_terminator_used. ST_NOTFOUND when the file cannot be made, ST_IO when the disk refuses later, or the
 * errors of record_name_read. */
CO int leg_record(struct leg *leg, const char *path, const struct media_record_conf *conf, const char *terminators);
/* Keys end nothing; the watch may. */
CO int leg_record_watched(
    struct leg *leg, const char *path, const struct media_record_conf *conf, const struct leg_watch *watch);
/* An application records now; "pause" (and once more: goes on), "stop", "truncate" (what there is is thrown away).
 * ST_NOTFOUND; ST_INVAL. */
ON_CTL bool leg_record_is_on(const struct leg *leg);
ON_CTL int leg_record_steer(struct leg *leg, const char *what);
