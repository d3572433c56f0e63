/* The one table of what legs are made of (core/leg/part.h), bottom to top: beginnings run down this list, endings up.
 */
#include "core/host/parts.h"
#include "core/bridge/bridge_core.h"
#include "core/dial/dial_core.h"
#include "core/keys/keys_core.h"
#include "core/leg/part.h"
#include "core/run/run_core.h"
#include "core/sound/sound_core.h"
#include <stddef.h>

struct leg_part *const core_leg_parts[] = {
    &run_part,
    &sound_part,
    &keys_part,
    &bridge_part,
    &dial_part,
    NULL,
};
