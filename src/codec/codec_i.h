/* Private: the entry functions the table in codec.c names. */
#pragma once
#include "codec/codec.h"

int g711_ulaw_encode_frame(void *state, const int16_t *in, size_t n, uint8_t *out, size_t cap);
int g711_alaw_encode_frame(void *state, const int16_t *in, size_t n, uint8_t *out, size_t cap);
int g711_ulaw_decode_frame(void *state, const uint8_t *in, size_t n, int16_t *out, size_t cap);
int g711_alaw_decode_frame(void *state, const uint8_t *in, size_t n, int16_t *out, size_t cap);
int l16_encode_frame(void *state, const int16_t *in, size_t n, uint8_t *out, size_t cap);
int l16_decode_frame(void *state, const uint8_t *in, size_t n, int16_t *out, size_t cap);
