/* Dialling as the rooms of core see it. */
#pragma once
#include "core/leg/part.h"

extern struct leg_part dial_part;
