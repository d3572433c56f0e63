/* What this room's files share, and its tests. */
#pragma once
#include "endpoint/sip/reg/reg.h"
