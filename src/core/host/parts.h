/* What legs are made of. */
#pragma once

struct leg_part;
extern struct leg_part *const core_leg_parts[]; /* NULL at the end; for leg_parts_set */
