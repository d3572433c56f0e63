/* Tones by TGML, the language of FreeSWITCH's tone_stream:// and gentones, as a source of samples.
 *
 *   script  = item { (";" | white space) item } [ ";loops=" n ]     (loops: times the script runs, -1 = for ever)
 *   item    = "%(" on_ms "," off_ms "," hz { "," hz } ")"     hz may have decimals; 0 = silence
 *           | digit [ "(" on_ms "," off_ms ")" ]              0-9 * # a-d: the DTMF pair; else d= and w= rule
 *           | "v=" dBm0 of each frequency (-63..0, default -7) | "d=" ms (250) | "w=" ms (50)
 *           | "l=" times the next tone is repeated | "L=" times the script is
 *           | ">=" ms per step of falling volume | "<=" of rising | "+=" dB per step (0.1); 0 ends it
 *           | "r=" Hz and "c=" n: read and passed over, the caller's rate rules and tones are mono
 * "@" is taken as a separator.
 *
 * Pure; ANY; one owner. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tone; /* counted: mem_unref */
enum { TONE_TEXT_MAX = 8192, TONE_ITEMS_MAX = 512, TONE_FREQS_MAX = 18 };

/* Compiles TGML ("tone_stream://" is not part of it). loops: 0 = what the script says, else overrides ";loops=";
 * err (may be NULL) gets static English text. ST_PARSE, ST_NOMEM. */
ANY int tone_new(struct tone **out, const char *tgml, uint32_t rate_hz, int loops, const char **err);
/* Checks only. */
ANY int tone_check(const char *tgml, const char **err);
/* The next n samples, mono. Fewer than n only at the end; 0 afterwards. Never blocks, never allocates. */
ANY size_t tone_read(struct tone *t, int16_t *out, size_t n);
ANY void tone_rewind(struct tone *t);
ANY bool tone_is_endless(const struct tone *t);
/* Samples of all loops; 0 when endless. */
ANY uint64_t tone_samples(const struct tone *t);
