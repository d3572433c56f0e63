/* What the modules of this room share: the hunt's view of a leg, and files. */
#pragma once
#include "core/leg/leg.h"
#include "core/registry/module.h"
#include "dialplan/dialplan.h"

ON_CTL void dp_env_of_leg(struct dp_env *env, struct leg *leg);
ON_CTL int dp_actions_to_leg(struct leg *leg, const struct dp_actions *found); /* onto its list */
ON_CTL int dp_ast_stage_init(void);
CO int api_dialplan(struct api_call *c);
ON_CTL const struct dialplan *dp_current(void); /* of the running configuration; NULL = none */
/* A whole file, of 8 MiB at most. Blocks. */
ANY int dp_file_read(const char *path, struct buf *text);
ANY const char *dp_or_empty(const char *s);
