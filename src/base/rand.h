/* Random bytes from the kernel, buffered per thread; and version 4 uuids. */
#pragma once
#include <stddef.h>
#include <stdint.h>

void rand_bytes(void *p, size_t n);
uint32_t rand_u32(void);
uint64_t rand_u64(void);
uint32_t rand_below(uint32_t bound); /* uniform in [0, bound), bound > 0 */
/* n characters of [A-Za-z0-9] and a NUL: out holds n + 1 bytes. */
void rand_token(char *out, size_t n);

#define UUID_CHARS 36
/* Lower-case text form of a uuid of version 4, or of what was set: out holds 37 bytes. */
void uuid_make(char out[UUID_CHARS + 1]);
void uuid_set_version(unsigned version); /* 4 (random) or 7 (RFC 9562: they sort by time); any thread */
