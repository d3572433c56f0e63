/* The table of codecs this switch can encode and decode. Anything else is relayed as it comes. */
#include "codec/codec_i.h"
#include <strings.h>

static size_t frame_bytes_by_rate(const struct codec_ops *c, unsigned ptime_ms)
{
	return (size_t)((uint64_t)c->bitrate * ptime_ms / 8000);
}

#define G711(name_, title_, pt_, law_) \
	{ \
		.name = name_, .title = title_, .pt = pt_, .clock_hz = 8000, .rate_hz = 8000, .channels = 1, \
		.ptime_ms = 20, .ptime_min_ms = 10, .ptime_max_ms = 120, .bitrate = 64000, \
		.frame_bytes = frame_bytes_by_rate, .encode = g711_##law_##_encode_frame, \
		.decode = g711_##law_##_decode_frame \
	}
#define L16(hz_, pt_) \
	{ \
		.name = "L16", .title = "RAW Signed Linear (16 bit)", .pt = pt_, .clock_hz = hz_, .rate_hz = hz_, \
		.channels = 1, .ptime_ms = 20, .ptime_min_ms = 10, .ptime_max_ms = 120, .bitrate = 16 * hz_, \
		.frame_bytes = frame_bytes_by_rate, .encode = l16_encode_frame, .decode = l16_decode_frame \
	}

static const struct codec_ops codecs[] = {
    G711("PCMU", "G.711 ulaw", 0, ulaw),
    G711("PCMA", "G.711 alaw", 8, alaw),
    L16(8000, -1),
    L16(16000, -1),
    L16(32000, -1),
    L16(48000, -1),
    L16(12000, -1),
    L16(24000, -1),
    L16(44100, 11),
};
enum { CODEC_COUNT = sizeof(codecs) / sizeof(codecs[0]) };

const struct codec_ops *codec_find(const char *name, uint32_t clock_hz, unsigned channels)
{
	for (size_t i = 0; name && i < CODEC_COUNT; i++)
		if (!strcasecmp(codecs[i].name, name) && (!clock_hz || clock_hz == codecs[i].clock_hz) &&
		    (!channels || channels == codecs[i].channels))
			return &codecs[i];
	return NULL;
}
const struct codec_ops *codec_at(size_t i)
{
	return i < CODEC_COUNT ? &codecs[i] : NULL;
}
