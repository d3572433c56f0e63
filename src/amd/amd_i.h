/* Answering machines: who answered (mod_amd), and the beep after a greeting (mod_avmd, mod_vmd). What listens is an ear
 * on the leg's sound (core/sound/tap.h); here are names, parameters, variables and events. docs/amd.md. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"
#include "core/sound/tap.h"

struct api_call;
struct leg;

/* module.c */
ON_CTL const char *amd_param(const char *file, const char *name); /* of <settings>, else its fallback */
ANY const char *amd_param_default(const char *file, const char *name);
/* "a=b" of cut words; value NULL: there is no '='. */
ANY const char *amd_word_value(char *word);

/* who.c */
CO int app_amd(struct leg *leg, const char *data);
CO int app_waitforresult(struct leg *leg, const char *data);
ON_CTL int api_amd_detect(struct api_call *c);

/* avmd_conf.c */
enum avmd_key {
	AVMD_DEBUG,
	AVMD_REPORT_STATUS,
	AVMD_FAST_MATH,
	AVMD_STREAK,
	AVMD_STREAK_N,
	AVMD_SKIP_N,
	AVMD_STREAK_AMP,
	AVMD_STREAK_AMP_N,
	AVMD_SIMPLIFIED,
	AVMD_INBOUND,
	AVMD_OUTBOUND,
	AVMD_MODE,
	AVMD_DETECTORS,
	AVMD_LAGGED,
	AVMD_MIN_HZ,
	AVMD_MAX_HZ,
	AVMD_MIN_MS,
	AVMD_SIDE, /* 0: by the call's direction; 1 read, 2 write, 3 both */
	AVMD_KEY_COUNT
};
struct avmd_settings {
	int v[AVMD_KEY_COUNT];
};
ON_CTL int avmd_conf_start(void); /* reads avmd.conf, and again when it changes */
ON_CTL void avmd_conf_stop(void);
ON_CTL const struct avmd_settings *avmd_settings(void); /* those of all starts */
/* False: no such setting, or a value it cannot have; nothing is changed then. */
ANY bool avmd_setting_read(struct avmd_settings *s, const char *name, const char *value);
/* show, reload, set, load: their reply. False: it is another word. */
ON_CTL bool avmd_conf_command(struct buf *out, const char *verb, const char *word);
ON_CTL void avmd_settings_tell(struct leg *leg, const struct avmd_settings *s); /* in the log */

/* beep.c */
extern struct leg_part avmd_part;
ON_CTL unsigned avmd_sessions(void); /* that listen now */
CO int app_avmd(struct leg *leg, const char *data);
CO int app_avmd_start(struct leg *leg, const char *data);
CO int app_avmd_stop(struct leg *leg, const char *data);
CO int app_vmd(struct leg *leg, const char *data);
ON_CTL int api_avmd(struct api_call *c);
ON_CTL int api_vmd(struct api_call *c);
