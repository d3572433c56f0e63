/* What this room's files share, and its tests. */
#pragma once
#include "endpoint/sip/reg/reg.h"

struct store;
ON_CTL struct store *reg_home_store(void); /* NULL: nothing is kept on disk */
