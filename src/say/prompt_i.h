/* Recorded prompts by name, and what stands in for one that is missing. */
#pragma once
#include "base/role.h"
#include "base/str.h"
#include "speech/speech.h"

/* A prompt by its last two names: "digits", "20". */
struct prompt_name {
	struct sv dir, base;
};
/* The name at the end of a path, without a directory of a rate and without an extension; root_bytes is where it begins.
 * False: no prompt (its directory is none of FreeSWITCH's). */
ANY bool prompt_name_of(const char *path, struct prompt_name *out, size_t *root_bytes);
/* The name of the same words in Debian's asterisk-core-sounds (English): "letters/a". False: there is none. */
ANY bool prompt_asterisk_name(const struct prompt_name *name, struct buf *out);
/* English words for it. Appends; false: none (a signal, not words). */
ANY bool prompt_words_en(const struct prompt_name *name, struct buf *out);
/* Words in Chinese characters; false: none are known. */
ANY bool prompt_words_zh(const struct prompt_name *name, struct buf *out);

/* What may be played for one name, best first. All strings owned. */
enum { PROMPT_FILES_MAX = 8 };
enum prompt_engine { PROMPT_FLITE, PROMPT_ESPEAK, PROMPT_COMMAND, PROMPT_HTTP };
struct prompt_plan {
	char *name; /* as asked */
	char *files[PROMPT_FILES_MAX];
	size_t file_count;
	/* spoken if there is none of them */
	enum prompt_engine engine;
	char *voice, *text;
	/* what is spoken by flite when the engine is not installed; NULL = the same */
	char *other_text;
	/* PROMPT_COMMAND: the line for the shell, ${text} ${voice} ${rate} ${file} in it; PROMPT_HTTP: the URL */
	char *command;
	char *language; /* PROMPT_HTTP: told to the server, "" when it is not known; NULL else */
	bool is_prompt; /* a recording is missing, not a text of its own */
};
ON_CTL void prompt_plan_fini(struct prompt_plan *p);
/* ST_NOTFOUND: neither a stock prompt below the sounds' directories nor "tts://engine|voice|text". */
ON_CTL int prompt_plan_make(const char *name, struct prompt_plan *out);

/* synth.c: finds or makes the file of a plan. One job a name, however many wait for it. */
typedef void (*synth_done_fn)(int status, const char *path, void *arg);
/* Takes the plan. done once, later, on the control loop. */
ON_CTL int synth_start(struct prompt_plan *plan, synth_done_fn done, void *arg);
ON_CTL int synth_open(void);
ON_CTL void synth_close(void); /* what waits gets ST_CANCELLED; jobs end by themselves */

/* http.c: the sound of a text by a web server. said once, on the control loop; from inside when nobody can be asked.
 * The plan stays the caller's and must live until then. ext: "wav", "mp3" or "ogg"; sound is valid during the call. */
typedef void (*http_said_fn)(int status, const char *ext, struct sv sound, const char *err, void *arg);
ON_CTL void http_say(const struct prompt_plan *plan, http_said_fn said, void *arg);
ON_CTL void http_say_close(void);                /* what waits gets ST_CANCELLED */
ON_CTL const char *http_param(const char *name); /* of tts_http.conf, or its default */

/* cache.c: the directory of spoken texts. */
ON_WORK bool cache_is_file(const char *path); /* a sound file, not an empty one */
ON_WORK void cache_touch(const char *path);   /* it was used: its time moves on, once an hour at most */
ON_WORK bool cache_dir_make(const char *dir); /* with the one it lies in; false: errno */
/* Over max_files or max_bytes: removes what was not used for longest, down to three quarters. Half-made files
 * (".new...") of an hour ago go always. */
ON_WORK void cache_trim(const char *dir, size_t max_files, uint64_t max_bytes);
