/* Codecs by their libraries alone, to compare with. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct bare {
	const char *name;
	uint32_t rate_hz;
	void *(*enc)(uint32_t rate_hz);
	void *(*dec)(uint32_t rate_hz);
	/* n samples; bytes */
	int (*encode)(void *s, const int16_t *in, int n, uint8_t *out);
	void (*decode)(void *s, const uint8_t *in, int n, int16_t *out);
};
const struct bare *bare_of(const char *name, uint32_t rate_hz); /* NULL: not here */
/* Speech-like sound: pulses through a resonance that moves, so that encoders that look for speech find some. */
void bare_speech(int16_t *out, size_t n, uint32_t rate_hz);
