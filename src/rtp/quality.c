/* R starts at 93.2, what nothing disturbs. The delay costs Id (the simplification of G.107 that R. Cole and J.
 * Rosenbluth published), codec and loss cost Ie-eff: Ie of the codec alone, and how fast loss spoils it (Bpl), from
 * appendix I of G.113. */
#include "rtp/quality.h"
#include <stddef.h>
#include <strings.h>

static const struct {
	const char *codec;
	double ie, bpl;
} codecs[] = {
    {"G729", 11, 19},
    {"G723", 15, 16.1},
    {"GSM", 20, 10},
    {"iLBC", 11, 32},
    {"AMR", 5, 10},
    {"G726-32", 7, 10},
    {"speex", 11, 19},
    {"opus", 0, 20},
};
enum { BPL_PLAIN_X10 = 43, BPL_CONCEALED_X10 = 251 }; /* of G.711 */

void quality_rate(const struct quality_in *in, struct quality_out *out)
{
	double ie = 0, bpl = (in->is_concealed ? BPL_CONCEALED_X10 : BPL_PLAIN_X10) / 10.0;
	double loss = in->loss < 0 ? 0 : in->loss > 1 ? 100 : in->loss * 100, burst = in->burst < 1 ? 1 : in->burst;
	double d = in->delay_ms < 0 ? 0 : in->delay_ms;
	for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++)
		if (in->codec && !strcasecmp(in->codec, codecs[i].codec))
			ie = codecs[i].ie, bpl = codecs[i].bpl;
	double id = 0.024 * d + (d > 177.3 ? 0.11 * (d - 177.3) : 0);
	double r = 93.2 - id - (ie + (95 - ie) * loss / (loss / burst + bpl));
	r = r < 0 ? 0 : r > 100 ? 100 : r;
	double mos = 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6;
	out->r = r;
	out->mos = mos < 1 ? 1 : mos > 4.5 ? 4.5 : mos;
}
