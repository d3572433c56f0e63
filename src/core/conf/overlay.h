/* Configuration files that somebody else has (core/conf/source.h, section "configuration"): each time a snapshot is
 * made they are asked for by name and lie over those of the files. What is not known now, since its server fails, stays
 * what it is in the running snapshot. */
#pragma once
#include "base/role.h"

/* Who knows which files modules read; once, at the start. fn gets "x.conf", some more than once. */
typedef void (*overlay_names_fn)(void (*fn)(const char *conf, void *arg), void *arg);
ON_CTL void overlay_names_set(overlay_names_fn each);
/* At the start, outside of the loop, which it runs meanwhile: a snapshot with what the bindings have is made current.
 * Harmless when nobody answers for configuration. */
ON_CTL void overlay_load_now(void);
