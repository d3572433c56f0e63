/* The table of sound file formats by extension: names for `show file`, and libsndfile's number for each. */
#include "file/file_i.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { HEADERLESS = 1, ONLY_8K_MONO = 2, NATIVE = 4 };

/* One row makes both tables, so that they cannot differ. ext, title, reads, writes, libsndfile format, flags */
#define FORMATS(X) \
	X("wav", "Microsoft WAV, 16 bit", true, true, SF_FORMAT_WAV | SF_FORMAT_PCM_16, 0) \
	X("raw", "headerless 16 bit, 8000 Hz", true, true, SF_FORMAT_RAW | SF_FORMAT_PCM_16, HEADERLESS) \
	X("r16", "headerless 16 bit, 8000 Hz", true, true, SF_FORMAT_RAW | SF_FORMAT_PCM_16, HEADERLESS) \
	X("r8", "headerless 8 bit, 8000 Hz", true, true, SF_FORMAT_RAW | SF_FORMAT_PCM_S8, HEADERLESS) \
	X("r24", "headerless 24 bit, 8000 Hz", true, true, SF_FORMAT_RAW | SF_FORMAT_PCM_24, HEADERLESS) \
	X("r32", "headerless 32 bit, 8000 Hz", true, true, SF_FORMAT_RAW | SF_FORMAT_PCM_32, HEADERLESS) \
	X("ul", "headerless mu-law", true, true, SF_FORMAT_RAW | SF_FORMAT_ULAW, HEADERLESS | ONLY_8K_MONO) \
	X("ulaw", "headerless mu-law", true, true, SF_FORMAT_RAW | SF_FORMAT_ULAW, HEADERLESS | ONLY_8K_MONO) \
	X("PCMU", "headerless mu-law", true, true, SF_FORMAT_RAW | SF_FORMAT_ULAW, HEADERLESS | ONLY_8K_MONO) \
	X("al", "headerless A-law", true, true, SF_FORMAT_RAW | SF_FORMAT_ALAW, HEADERLESS | ONLY_8K_MONO) \
	X("alaw", "headerless A-law", true, true, SF_FORMAT_RAW | SF_FORMAT_ALAW, HEADERLESS | ONLY_8K_MONO) \
	X("PCMA", "headerless A-law", true, true, SF_FORMAT_RAW | SF_FORMAT_ALAW, HEADERLESS | ONLY_8K_MONO) \
	X("gsm", "GSM 6.10, 13 kbit/s", true, true, SF_FORMAT_RAW | SF_FORMAT_GSM610, HEADERLESS | ONLY_8K_MONO) \
	X("vox", "OKI ADPCM", true, true, SF_FORMAT_RAW | SF_FORMAT_VOX_ADPCM, HEADERLESS | ONLY_8K_MONO) \
	X("adpcm", "WAV, Microsoft ADPCM", true, true, SF_FORMAT_WAV | SF_FORMAT_MS_ADPCM, 0) \
	X("au", "Sun/NeXT audio", true, true, SF_FORMAT_AU | SF_FORMAT_PCM_16, 0) \
	X("aiff", "Apple AIFF", true, true, SF_FORMAT_AIFF | SF_FORMAT_PCM_16, 0) \
	X("caf", "Apple Core Audio", true, true, SF_FORMAT_CAF | SF_FORMAT_PCM_16, 0) \
	X("w64", "Sony Wave64", true, true, SF_FORMAT_W64 | SF_FORMAT_PCM_16, 0) \
	X("rf64", "RF64, WAV over 4 GB", true, true, SF_FORMAT_RF64 | SF_FORMAT_PCM_16, 0) \
	X("flac", "FLAC, lossless", true, true, SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 0) \
	X("ogg", "Ogg Vorbis", true, true, SF_FORMAT_OGG | SF_FORMAT_VORBIS, 0) \
	X("oga", "Ogg Vorbis", true, true, SF_FORMAT_OGG | SF_FORMAT_VORBIS, 0) \
	X("opus", "Ogg Opus", true, true, SF_FORMAT_OGG | SF_FORMAT_OPUS, 0) \
	X("mp3", "MPEG layer III", true, true, SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, 0) \
	X("voc", "Creative Labs VOC", true, true, SF_FORMAT_VOC | SF_FORMAT_PCM_16, 0) \
	X("avr", "Audio Visual Research", true, true, SF_FORMAT_AVR | SF_FORMAT_PCM_16, 0) \
	X("pvf", "Portable Voice Format", true, true, SF_FORMAT_PVF | SF_FORMAT_PCM_16, 0) \
	X("paf", "Ensoniq PARIS", true, true, SF_FORMAT_PAF | SF_FORMAT_PCM_16, 0) \
	X("iff", "Amiga IFF/8SVX", true, true, SF_FORMAT_SVX | SF_FORMAT_PCM_16, 0) \
	X("sf", "Berkeley/IRCAM", true, true, SF_FORMAT_IRCAM | SF_FORMAT_PCM_16, 0) \
	X("G722", "frames of G.722", true, true, 0, NATIVE) \
	X("G729", "frames of G.729 (mod_g729)", true, true, 0, NATIVE) \
	X("G726-16", "frames of G.726, 16 kbit/s", true, true, 0, NATIVE) \
	X("G726-24", "frames of G.726, 24 kbit/s", true, true, 0, NATIVE) \
	X("G726-32", "frames of G.726, 32 kbit/s", true, true, 0, NATIVE) \
	X("G726-40", "frames of G.726, 40 kbit/s", true, true, 0, NATIVE) \
	X("AAL2-G726-16", "frames of G.726, 16 kbit/s, packed as AAL2", true, true, 0, NATIVE) \
	X("AAL2-G726-24", "frames of G.726, 24 kbit/s, packed as AAL2", true, true, 0, NATIVE) \
	X("AAL2-G726-32", "frames of G.726, 32 kbit/s, packed as AAL2", true, true, 0, NATIVE) \
	X("AAL2-G726-40", "frames of G.726, 40 kbit/s, packed as AAL2", true, true, 0, NATIVE) \
	X("DVI4", "frames of DVI4, 8000 Hz or as it is played", true, true, 0, NATIVE) \
	X("L16", "frames of L16, at the rate that it is played at", true, true, 0, NATIVE) \
	X("LPC", "frames of LPC-10", true, true, 0, NATIVE)

#define PUBLIC_ROW(ext, title, reads, writes, format, flags) {ext, title, reads, writes},
#define PRIVATE_ROW(ext, title, reads, writes, format, flags) {format, flags},

const struct file_format file_formats[] = {FORMATS(PUBLIC_ROW)};
const size_t file_format_count = sizeof(file_formats) / sizeof(file_formats[0]);
static const struct row {
	int format, flags;
} rows[] = {FORMATS(PRIVATE_ROW)};

const int file_sf_tags[FILE_TAG_COUNT] = {
    SF_STR_TITLE, SF_STR_COPYRIGHT, SF_STR_SOFTWARE, SF_STR_ARTIST, SF_STR_COMMENT, SF_STR_DATE};

const struct file_format *file_format_of(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL, *dot = path ? strrchr(slash ? slash : path, '.') : NULL;
	for (size_t i = 0; dot && i < file_format_count; i++)
		if (!strcasecmp(file_formats[i].ext, dot + 1))
			return &file_formats[i];
	return NULL;
}
bool file_sf_kind_of(const char *path, struct file_sf_kind *out)
{
	const struct file_format *f = file_format_of(path);
	const struct row *r = f ? &rows[f - file_formats] : NULL;
	*out = (struct file_sf_kind){r ? r->format : 0, r && r->flags & HEADERLESS, r && r->flags & ONLY_8K_MONO,
	    r && r->flags & NATIVE ? f->ext : NULL};
	return r != NULL;
}

void file_say(char *err, const char *fmt, ...)
{
	va_list ap;
	if (!err)
		return;
	va_start(ap, fmt);
	vsnprintf(err, FILE_ERR_MAX, fmt, ap);
	va_end(ap);
}
int file_status_of_errno(int e)
{
	switch (e) {
	case ENOENT:
	case ENOTDIR:
		return ST_NOTFOUND;
	case EACCES:
	case EPERM:
	case EISDIR:
	case ELOOP:
	case ENXIO:
		return ST_DENIED;
	case ENOMEM:
		return ST_NOMEM;
	default:
		return ST_IO;
	}
}
int file_path_check(const char *path, char *err)
{
	if (!path || !*path) {
		file_say(err, "the path is empty");
		return ST_INVAL;
	}
	if (strnlen(path, FILE_PATH_MAX) >= FILE_PATH_MAX) {
		file_say(err, "the path is too long");
		return ST_INVAL;
	}
	return ST_OK;
}
