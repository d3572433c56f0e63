/* SRTP of the phones, for bench_load --srtp. side: 0 calling, 1 called. */
#pragma once
#include "load.h"

enum { PHONE_TAG = 10 };
void phone_keys_init(void);
/* The phone's a=crypto line, and its key from then on. */
int phone_key_line(char *out, size_t size, unsigned side, uint32_t slot, unsigned tag);
/* The switch's key towards that phone, of its SDP; the tag of the line taken, 0: there is none that we speak. */
unsigned phone_key_take(unsigned side, uint32_t slot, struct span body);
int phone_seal(unsigned side, uint32_t slot, uint8_t *p, int n);  /* room for PHONE_TAG behind; the new length */
bool phone_open(unsigned side, uint32_t slot, uint8_t *p, int n); /* false: forged, or not ours */
