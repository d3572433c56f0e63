/* What this room's files share. */
#pragma once
#include "esl/outbound/outbound.h"

struct addr;
struct leg;
/* Numeric or a name, which may wait a few seconds. */
CO int esl_lookup(struct leg *leg, const char *host, uint16_t port, struct addr *out);
