/* Text to speech in this process, by flite (English). It blocks for as long as it computes: workers only, and one at a
 * time, since flite keeps state of its own: the caller sees to that (a serial queue). */
#pragma once
#include "base/role.h"
#include <stdbool.h>
#include <stddef.h>

enum { SPEECH_ERR_MAX = 160 };
#define SPEECH_FLITE_DEFAULT_VOICE "slt"
/* "slt", "rms", "awb", "kal" (FreeSWITCH's names). */
ANY bool speech_flite_has_voice(const char *name);
/* Speaks text (what is not ASCII is left out) into a wav file of the voice's own rate. err gets an English sentence.
 * ST_INVAL: nothing to speak; ST_NOTFOUND: no such voice; ST_IO. */
ON_WORK int speech_flite(const char *voice, const char *text, const char *path, char err[SPEECH_ERR_MAX]);
