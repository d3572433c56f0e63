/* Answering machines: who answered (mod_amd), and the beep after a greeting (mod_avmd, mod_vmd). What listens is an ear
 * on the leg's sound (core/sound/tap.h); here are names, parameters, variables and events. docs/amd.md. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "core/sound/tap.h"

struct api_call;
struct leg;

/* module.c */
ON_CTL const char *amd_param(const char *file, const char *name); /* of <settings>, else its fallback */
/* "a=b" of cut words; value NULL: there is no '='. */
ANY const char *amd_word_value(char *word);

/* who.c */
CO int app_amd(struct leg *leg, const char *data);
CO int app_waitforresult(struct leg *leg, const char *data);
ON_CTL int api_amd_detect(struct api_call *c);

/* beep.c */
CO int app_avmd(struct leg *leg, const char *data);
CO int app_avmd_start(struct leg *leg, const char *data);
CO int app_avmd_stop(struct leg *leg, const char *data);
CO int app_vmd(struct leg *leg, const char *data);
ON_CTL int api_avmd(struct api_call *c);
ON_CTL int api_vmd(struct api_call *c);
