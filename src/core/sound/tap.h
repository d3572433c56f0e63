/* What listens in on a leg or changes its sound: FreeSWITCH's media bugs, by their names and with their semantics. Each
 * stays with the leg, whatever it does and whoever it is bridged to, until it is stopped, has done its work, or the leg
 * goes. MEDIA_BUG_START and _STOP are fired for each. The read side is what comes from the leg's phone. A leg that has
 * no sound yet is pre-answered. */
#pragma once
#include "core/leg/leg.h"
#include "media/ctl/mctl.h"

/* For `uuid_buglist`. */
ON_CTL void leg_tap_each(struct leg *leg, void (*fn)(const char *function, const char *target, void *arg), void *arg);
/* Stops all, or those of a function (NULL = all); how many. */
ON_CTL size_t leg_tap_remove(struct leg *leg, const char *function);

/* ---- levels ---- */
enum leg_level { LEG_LEVEL_STEPS /* -4..4 */, LEG_LEVEL_MUTE /* 0 off, 1 silence, more: noise of that divisor */ };
/* side: read, write or both. ST_INVAL: no such side. */
ON_CTL int leg_level_set(struct leg *leg, const char *side, enum leg_level what, int value);
ON_CTL int leg_level_stop(struct leg *leg); /* ST_NOTFOUND */

/* ---- displaced sound ---- */
/* flags as FreeSWITCH's: m mixed in, l over and over, r on the read side, rw the same on both; else on the write side.
 * Unless mixed the other side is silent meanwhile. limit_s 0 = none. ST_EXISTS: it plays already. */
/* path: a source as leg_play's, text with marks. */
ON_CTL int leg_displace(struct leg *leg, const char *path, unsigned limit_s, const char *flags);
ON_CTL int leg_displace_stop(struct leg *leg, const char *path); /* ST_NOTFOUND */

/* ---- watches ---- */
struct leg_tone {
	const char *key;   /* Detected-Tone */
	const char *freqs; /* "440,480": all at once */
	const char *flags; /* r read (the default), w write, o stop after the first */
	unsigned timeout_s, hits;
	bool is_fax;            /* told as a fax tone, by its own function and hooks */
	const char *app, *data; /* run when it is heard, or NULL */
	/* Instead: called with data on the control thread; it may hang the leg up. True: listens again. */
	bool (*heard)(struct leg *leg, const char *data);
};
/* Fires DETECTED_TONE, runs execute_on_tone_detect and the application. A key that was heard listens again. ST_INVAL:
 * no frequencies. */
ON_CTL int leg_tone_detect(struct leg *leg, const struct leg_tone *tone);
ON_CTL int leg_tone_detect_stop(struct leg *leg);                 /* ST_NOTFOUND */
ON_CTL int leg_tone_detect_end(struct leg *leg, const char *key); /* that one; ST_NOTFOUND */
/* Tones with a rhythm (dsp/cadence.h), told by DETECTED_TONE each time one is recognised. Counted. */
struct leg_cadence {
	char *names[CADENCE_TONES_MAX]; /* owned */
	struct media_cadence_conf conf;
};
ON_CTL struct leg_cadence *leg_cadence_new(void); /* empty; mem_unref */
/* One of a leg at a time (ST_EXISTS); takes a reference. */
ON_CTL int leg_cadence_detect(struct leg *leg, struct leg_cadence *c);
ON_CTL int leg_cadence_stop(struct leg *leg); /* ST_NOTFOUND */
/* An ear (media.h) of a module: it listens until it knows, is stopped, or the leg goes. Constant, the module's. */
struct leg_ear {
	const char *function; /* Media-Bug-Function; one of a leg at a time */
	/* It is over; heard NULL: stopped before it knew; the leg may be hung up. Returns HOOK, whose execute_on_HOOK
	 * and api_on_HOOK run then, or NULL. */
	const char *(*over)(struct leg *leg, const struct media_heard *heard);
};
/* ST_EXISTS: it listens already. */
ON_CTL int leg_ear_start(struct leg *leg, const struct leg_ear *ear, const struct media_ear_conf *conf);
ON_CTL int leg_ear_stop(struct leg *leg, const struct leg_ear *ear); /* ST_NOTFOUND */
ON_CTL bool leg_ear_is_on(struct leg *leg, const struct leg_ear *ear);
/* Keys heard in the sound: leg_dtmf_received. */
ON_CTL int leg_dtmf_detect(struct leg *leg, bool is_on);
/* Keys that come as telephone-events go on as tones (read), or those that go to the phone do (write). */
ON_CTL int leg_dtmf_generate(struct leg *leg, bool is_read, bool is_on);
/* Waits for sound, or for silence (media.h), playing a file meanwhile when it is not NULL. ST_OK: it came; ST_TIMEOUT
 * (0: none); ST_NOTFOUND: the file ended or is not there; ST_CANCELLED; ST_HANGUP. heard: frames with sound, hits:
 * those in a row at the end; may be NULL. */
CO int leg_wait_energy(struct leg *leg, const struct media_energy_conf *conf, unsigned timeout_ms, const char *file,
    unsigned *heard, unsigned *hits);

/* ---- a better voice ---- */
/* FreeSWITCH's words: "r.agc=true,r_noise_suppress=-20,r.echo_cancel=1024 (samples),w.echo_suppress=-40"; r: of what
 * comes from the phone, also without it; w: of what goes to it; NAME=false: not. They are added to those before; "stop"
 * ends it. Words that cannot be are told in the log and passed over; *wrong (in words) is the first of them, NULL: all
 * are good. ST_PARSE: none was. */
ON_CTL int leg_preprocess(struct leg *leg, char *words, const char **wrong);

/* ---- listening in ---- */
/* listener hears target and may whisper (enum media_spy_flag); both must have sound. One target at a time. ST_BUSY: the
 * listener is bridged or listens already; ST_UNSUPPORTED: a codec the engine does not know. */
ON_CTL int leg_spy_start(struct leg *listener, struct leg *target, unsigned flags);
ON_CTL void leg_spy_set(struct leg *listener, unsigned flags);
ON_CTL bool leg_spy_is_on(const struct leg *listener); /* false when the target has gone; the listener is woken then */
ON_CTL void leg_spy_stop(struct leg *listener);

/* ---- recordings ---- */
/* vars: "{a=b,c=d}" or NULL; they are looked at before the leg's own RECORD_... variables, and told in the events as
 * Recording-Variable-... path and vars are text with marks (text/mark.h); ST_DENIED: what is from outside leads
 * elsewhere. A relative path lies under sound_prefix, or the base directory. A path that is recorded
 * already is left alone, or with RECORD_TOGGLE_ON_REPEAT stopped: ST_OK. */
ON_CTL int leg_record_start(struct leg *leg, const char *path, unsigned limit_s, const char *vars);
/* The recordings of from, whose leg leaves a call, go on with to: each ends there and begins here behind what it has.
 */
ON_CTL void leg_record_follow(struct leg *from, struct leg *to);
ON_CTL int leg_record_stop(struct leg *leg, const char *path); /* "all"; ST_NOTFOUND */
enum leg_record_what { LEG_RECORD_MASK, LEG_RECORD_PAUSE };
ON_CTL int leg_record_set(struct leg *leg, const char *path, enum leg_record_what what, bool is_on); /* ST_NOTFOUND */
