/* What a recording is called, and what its name says of the file beside. */
#pragma once
#include "base/role.h"
#include "media/ctl/mctl.h"

struct leg;
struct vars;

struct record_name {
	char *path;          /* the file: absolute, without marks (text/mark.h); or a URL with its parameters */
	char *told;          /* what events tell: the path behind its parameters, as they were given */
	struct vars *params; /* of "{a=b,...}" before the path; NULL: there were none */
	bool is_native;      /* the extension is the codec's name, because there was none */
};
/* Reads "[{a=b,...}...]path", text with marks; a relative path is put under dir. Without an extension the name of the
 * leg's codec becomes it, as in FreeSWITCH: frames as they are in packets; no packet of such a codec may be of another
 * length than the others. What is wrong is logged: ST_DENIED (outside bytes lead elsewhere), ST_UNSUPPORTED (a format
 * that is not written, a scheme), ST_PARSE (parameters), ST_NOMEM. Then nothing is to be freed. */
ON_CTL int record_name_read(struct record_name *out, struct leg *leg, const char *text, const char *dir);
/* Of a native recording of both ways, that of one: what and where n is, with "-in" or "-out" before the extension.
 * ST_NOMEM. */
ON_CTL int record_name_side(struct record_name *out, const struct record_name *n, const char *side);
ON_CTL void record_name_fini(struct record_name *n);

/* samplerate (8000 to 48000 Hz), force_channels (1, 2), ab (kbit/s) and cbr, of what a recording says for itself, into
 * conf, and the tags by the names RECORD_TITLE and so on, which live as long as params. NULL: nothing. */
ON_CTL void record_params_read(const struct vars *params, struct media_record_conf *conf);
/* The variable of a tag. */
ON_CTL const char *record_tag_variable(enum media_tag tag);
