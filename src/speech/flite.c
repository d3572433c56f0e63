/* flite: text in, a wav file out. A voice is some megabytes of tables that the loader relocates, so its library is
 * opened when it speaks for the first time, on the worker that speaks, and stays. */
#include "base/mem.h"
#include "base/status.h"
#include "file/file.h"
#include "speech/speech.h"
#include <ctype.h>
#include <dlfcn.h>
#include <flite/flite.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct {
	const char *name, *library;
} voices[] = {{"slt", "cmu_us_slt"}, {"rms", "cmu_us_rms"}, {"awb", "cmu_us_awb"}, {"kal", "cmu_us_kal16"},
    {"kal16", "cmu_us_kal16"}};

/* NULL: its library is not there. */
static cst_voice *voice_make(size_t i)
{
	cst_voice *(*make)(const char *dir) = NULL;
	char name[64];
	void *library;

	snprintf(name, sizeof(name), "libflite_%s.so.1", voices[i].library);
	library = dlopen(name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (library) {
		snprintf(name, sizeof(name), "register_%s", voices[i].library);
		*(void **)(void *)&make = dlsym(library, name);
		dlclose(library); /* it stays: what it made lives in it */
	}
	return make ? make(NULL) : NULL;
}

static int voice_index(const char *name)
{
	for (size_t i = 0; i < sizeof(voices) / sizeof(voices[0]); i++)
		if (!strcasecmp(voices[i].name, name))
			return (int)i;
	return -1;
}

bool speech_flite_has_voice(const char *name)
{
	return voice_index(name) >= 0;
}

/* NULL: nothing that could be spoken. */
static char *ascii_of(const char *text)
{
	size_t n = strlen(text);
	char *out = mem_strdup(text);
	bool has_word = false;

	for (size_t i = 0; out && i < n; i++) {
		unsigned char c = (unsigned char)out[i];
		if (c < ' ' || c >= 127)
			out[i] = ' ';
		has_word = has_word || isalnum((unsigned char)out[i]);
	}
	if (out && !has_word) {
		mem_free(out);
		out = NULL;
	}
	return out;
}

ON_WORK static int write_wave(const cst_wave *w, const char *path, char err[SPEECH_ERR_MAX])
{
	struct file_writer_conf conf = {.rate_hz = (uint32_t)w->sample_rate, .channels = 1};
	struct file_writer *out = NULL;
	int st = file_writer_open(&out, path, &conf, err), end;

	if (!st)
		st = file_writer_write(out, w->samples, (size_t)w->num_samples);
	end = file_writer_close(out, st ? NULL : err);
	return st ? st : end;
}

int speech_flite(const char *voice, const char *text, const char *path, char err[SPEECH_ERR_MAX])
{
	static bool is_on;
	int i = voice_index(voice), st = ST_OK;
	char *ascii;
	cst_voice *v;
	cst_wave *w;

	if (i < 0) {
		snprintf(err, SPEECH_ERR_MAX, "flite has no voice %.60s", voice);
		return ST_NOTFOUND;
	}
	ascii = ascii_of(text);
	if (!ascii) {
		snprintf(err, SPEECH_ERR_MAX, "flite speaks English only");
		return ST_INVAL;
	}
	if (!is_on)
		flite_init();
	is_on = true;
	v = voice_make((size_t)i);
	w = v ? flite_text_to_wave(ascii, v) : NULL;
	if (!w || w->num_samples <= 0 || w->num_channels != 1) {
		snprintf(err, SPEECH_ERR_MAX, "flite made no sound");
		st = ST_IO;
	} else {
		st = write_wave(w, path, err);
	}
	if (w)
		delete_wave(w);
	mem_free(ascii);
	return st;
}
