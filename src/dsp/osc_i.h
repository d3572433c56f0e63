/* A sine by the two-term recursion y(n) = 2 cos(w) y(n-1) - y(n-2): one multiplication a sample; in double precision
 * the amplitude of an hours-long tone stays within a millionth. */
#pragma once
#include "base/role.h"
#include <math.h>
#include <stdint.h>

#define DSP_PI 3.14159265358979323846
/* Peak of a sine of 0 dBm0 in 16-bit samples: full scale is +3.14 dBm0. */
#define DSP_PEAK_0DBM0 22826.0

struct osc {
	double c, y1, y2;
};
static inline void osc_start(struct osc *o, double hz, uint32_t rate_hz, double peak)
{
	double w = 2 * DSP_PI * hz / rate_hz;
	if (hz <= 0 || hz * 2 >= rate_hz)
		peak = 0;
	o->c = 2 * cos(w);
	o->y1 = peak * sin(-w);
	o->y2 = peak * sin(-2 * w);
}
static inline double osc_next(struct osc *o)
{
	double y = o->c * o->y1 - o->y2;
	o->y2 = o->y1;
	o->y1 = y;
	return y;
}
static inline int16_t osc_clip(double v)
{
	return v > 32767 ? 32767 : v < -32768 ? -32768 : (int16_t)lrint(v);
}
