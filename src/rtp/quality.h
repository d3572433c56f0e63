/* How a call sounds, estimated from what is counted: the E-model of ITU-T G.107 with the usual defaults. ANY; pure. */
#pragma once
#include "base/role.h"

struct quality_in {
	const char *codec; /* as in SDP; unknown ones are rated as G.711 */
	double loss;       /* 0..1, of the packets expected */
	double burst;      /* mean length of a loss over that of random loss; less than 1: 1 */
	double delay_ms;   /* mouth to ear, one way, as far as it is known */
	int is_concealed;  /* what is lost is made up */
};
struct quality_out {
	double r;   /* 0..93.2 */
	double mos; /* 1..4.41, of narrowband */
};
/* R = 93.2 - Id - Ie-eff; MOS by annex B. */
ANY void quality_rate(const struct quality_in *in, struct quality_out *out);
