/* Format parameters as codecs read them: "name=value; flag; name=value", names in any case. The text is the far side's:
 * what is no number counts as absent, and what a number means the codec checks. */
#include "codec/codec_i.h"

bool codec_fmtp_get(const char *fmtp, const char *name, struct sv *value)
{
	struct sv rest = sv_of(fmtp ? fmtp : "");
	while (rest.n) {
		struct sv one, key, v;
		sv_split(rest, ';', &one, &rest);
		sv_split(sv_trim(one), '=', &key, &v);
		if (sv_isi(sv_trim(key), name)) {
			*value = sv_trim(v);
			return true;
		}
	}
	return false;
}

uint32_t codec_fmtp_u32(const char *fmtp, const char *name, uint32_t otherwise)
{
	struct sv v;
	uint32_t n;
	return codec_fmtp_get(fmtp, name, &v) && !sv_u32(v, &n) ? n : otherwise;
}
