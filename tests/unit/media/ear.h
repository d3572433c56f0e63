/* Every phone says a tone of its own; who hears which is measured where it arrives. */
#pragma once
#include "peer.h"

enum { HZ_A = 450, HZ_B = 700, HZ_C = 1000, HZ_D = 1300, HZ_SOURCE = 1750 };
extern const int hz_all[];
/* The newest packets as samples, a tenth of a second; 0 when there are fewer. */
size_t newest(const struct peer *p, int16_t *out);
double level_of(const struct peer *p, int hz);
/* Until p hears exactly the tones of the phones (and the source, S) named in who, each at a phone's level. */
ON_CTL int hears(struct peer *p, const char *who);
ON_CTL bool hears_level(struct peer *p, int hz, double level); /* that one alone, at that level */
