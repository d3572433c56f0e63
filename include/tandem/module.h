/* Tandem's interface for modules built outside of its tree. C11 or C++11; this header needs nothing but the standard
 * library.
 *
 * A module is a shared object NAME.so in the module directory that exports one object, `tandem_module`
 * (TANDEM_MODULE_EXPORT). The program hands it a table of functions; nothing else of the program may be used.
 *
 * Stability: TANDEM_MODULE_ABI changes when something here changes its meaning or place. A program loads modules of its
 * own number only. New functions are added at the end of struct tandem_host without a new number: compare host->bytes
 * with offsetof before calling one that is younger than your minimum.
 *
 * Threads: everything runs on the control thread, which must never block: no files, no sockets, no locks, no sleeping
 * but by this table. What blocks goes through host->work. Functions marked WAITS may only be called within an
 * application's or a command's `run` (elsewhere they return TANDEM_INVAL); they suspend the caller, other calls go on
 * meanwhile, and after them every pointer that was not said to stay valid may be gone. C++ exceptions must not leave a
 * function of the module.
 *
 * Texts are UTF-8 and NUL-terminated. Texts that are handed out stay valid until control returns to the program or a
 * WAITS function is called; those handed in are copied. */
#ifndef TANDEM_MODULE_H
#define TANDEM_MODULE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TANDEM_MODULE_ABI 1u

/* 0 is success. Others than these exist; all are negative. */
enum {
	TANDEM_OK = 0,
	TANDEM_NOMEM = -1,
	TANDEM_INVAL = -2, /* an argument is wrong, or a WAITS function was called where nothing may wait */
	TANDEM_PARSE = -3, /* bytes from outside are damaged */
	TANDEM_NOTFOUND = -4,
	TANDEM_EXISTS = -5,
	TANDEM_FULL = -6, /* there is no room */
	TANDEM_TIMEOUT = -8,
	TANDEM_CANCELLED = -9, /* broken off, or the call is sent elsewhere: the application should return */
	TANDEM_HANGUP = -10,   /* the call is over: the application should return */
	TANDEM_UNSUPPORTED = -14,
	TANDEM_BUSY = -16
};

enum {
	TANDEM_LOG_CRIT = 2,
	TANDEM_LOG_ERR = 3,
	TANDEM_LOG_WARNING = 4,
	TANDEM_LOG_NOTICE = 5,
	TANDEM_LOG_INFO = 6,
	TANDEM_LOG_DEBUG = 7
};

struct tandem_self;         /* the module, for what belongs to it */
struct tandem_leg;          /* one side of a call */
struct tandem_command;      /* a running command */
struct tandem_event;        /* named texts and a body */
struct tandem_subscription; /* to events */
struct tandem_timer;

/* Flags of an application. */
enum {
	TANDEM_APP_ROUTING = 1, /* may run inline while the dialplan is searched; must not wait then */
	TANDEM_APP_ZOMBIE = 2,  /* may run on a call that is hung up */
	TANDEM_APP_NO_MEDIA = 4 /* needs no sound */
};

/* Tables end with a row of zeros. Their texts stay in place while the module is loaded. */
struct tandem_app {
	const char *name, *description, *syntax;
	unsigned flags;
	/* Runs on the call's coroutine with a stack of 1 MiB. data is never NULL. The call is up at the beginning. */
	int (*run)(struct tandem_leg *leg, const char *data);
};
struct tandem_api {
	const char *name, *description, *syntax;
	/* Runs on a coroutine with a stack of 1 MiB. args is never NULL. The reply is what it says by host->reply. */
	int (*run)(struct tandem_command *command, const char *args);
};

/* A codec of one channel, samples of int16_t. State is one direction of one stream: open and close may take memory, on
 * any thread; encode, decode and conceal run on media threads, many at once but one at a time for one state, and must
 * not block, lock or take memory. */
struct tandem_codec {
	uint32_t bytes;                                /* sizeof */
	const char *name;                              /* as in SDP, compared regardless of case: "G729" */
	const char *title;                             /* in `show codec`: "G.729" */
	int payload_type;                              /* RFC 3551's number, -1: dynamic */
	unsigned clock_hz;                             /* of RTP's timestamps */
	unsigned rate_hz;                              /* of samples */
	unsigned ptime_ms, ptime_min_ms, ptime_max_ms; /* usual, least and most length of a packet, at most 120 */
	unsigned bitrate;                              /* bit/s, by which a packet's bytes are known */
	unsigned frame_samples;                        /* what is encoded is a multiple of these */
	/* fmtp: the far side's format parameters, NULL: none. NULL: no memory, or parameters that cannot be. */
	void *(*encoder_open)(const char *fmtp);
	void *(*decoder_open)(const char *fmtp);
	void (*encoder_close)(void *encoder);
	void (*decoder_close)(void *decoder);
	/* count samples to bytes. Bytes written; 0: nothing is sent for them; TANDEM_FULL: capacity is too small;
	 * TANDEM_INVAL: count is no whole frames. */
	int (*encode)(void *encoder, const int16_t *in, size_t count, uint8_t *out, size_t capacity);
	/* bytes to samples. Samples written, TANDEM_FULL, TANDEM_PARSE. bytes come from outside. */
	int (*decode)(void *decoder, const uint8_t *in, size_t bytes, int16_t *out, size_t capacity);
	/* Makes up count samples that were lost. Samples written, or TANDEM_UNSUPPORTED: the program does. NULL: it
	 * always does. */
	int (*conceal)(void *decoder, int16_t *out, size_t count);
};

/* A recogniser of speech, for detect_speech NAME and play_and_detect_speech's detect:NAME. It is given one utterance as
 * a whole, on a worker thread, where it may block and take memory, and nothing of the table may be used but log without
 * a leg; one call at a time for all recognisers. */
struct tandem_recogniser {
	uint32_t bytes;   /* sizeof */
	const char *name; /* of letters, digits, _ and -, compared regardless of case: "pocketsphinx" */
	unsigned rate_hz; /* of the samples it takes: 8000 or 16000 */
	/* count samples of one channel. grammar: what the dialplan names, printable ASCII from outside, never NULL.
	 * text gets at most capacity - 1 bytes of UTF-8: what was said; empty: nothing that it knows. confidence: 0 to
	 * 1. Other than TANDEM_OK: it failed, and has logged why. */
	int (*recognise)(
	    const char *grammar, const int16_t *samples, size_t count, char *text, size_t capacity, double *confidence);
};

struct tandem_host {
	uint32_t abi, bytes; /* TANDEM_MODULE_ABI, sizeof */
	const char *version; /* the program's */

	/* ---- log, configuration -------------------------------------------------------------------------------- */
	/* leg may be NULL; then it may be called on every thread but media threads. Needs no newline. */
	void (*log)(struct tandem_leg *leg, int level, const char *format, ...)
#ifdef __GNUC__
	    __attribute__((format(printf, 3, 4)))
#endif
	    ;
	/* The parameter of <configuration name="FILE"><settings>, or otherwise. */
	const char *(*config_param)(const char *file, const char *name, const char *otherwise);
	const char *(*global_get)(const char *name); /* NULL when unset */

	/* ---- a leg --------------------------------------------------------------------------------------------- */
	const char *(*leg_uuid)(struct tandem_leg *leg);
	struct tandem_leg *(*leg_find)(const char *uuid); /* NULL; valid as texts are; leg_ref keeps it */
	struct tandem_leg *(*leg_ref)(struct tandem_leg *leg);
	void (*leg_unref)(struct tandem_leg *leg); /* each leg_ref wants one, before the module is unloaded */
	int (*leg_is_up)(struct tandem_leg *leg);
	const char *(*leg_get)(struct tandem_leg *leg, const char *variable); /* NULL when unset */
	void (*leg_set)(struct tandem_leg *leg, const char *variable, const char *value /* NULL unsets */);
	int (*leg_answer)(struct tandem_leg *leg);
	int (*leg_pre_answer)(struct tandem_leg *leg);
	void (*leg_hangup)(struct tandem_leg *leg, const char *cause /* a name such as USER_BUSY, or a number */);
	/* dialplan, context: NULL keeps. The application should return. */
	int (*leg_transfer)(struct tandem_leg *leg, const char *extension, const char *dialplan, const char *context);
	int (*leg_send_digits)(struct tandem_leg *leg, const char *digits);
	/* WAITS. On the leg whose application runs. source: a file, "tone_stream://...", "silence_stream://ms" ...;
	 * terminators: keys that end it, NULL the call's own; digit (may be NULL) gets the key or 0. */
	int (*leg_play)(struct tandem_leg *leg, const char *source, const char *terminators, char *digit);
	/* WAITS. Asks for digits: prompt may be NULL; keys until max, a terminator or the timeout. digits gets at most
	 * cap - 1 of them. TANDEM_OK with at least min, else a failure with what there is. */
	int (*leg_read)(struct tandem_leg *leg, unsigned min, unsigned max, const char *prompt, unsigned timeout_ms,
	    const char *terminators, char *digits, size_t cap);
	int (*leg_record)(
	    struct tandem_leg *leg, const char *path, unsigned limit_s, const char *terminators); /* WAITS */
	int (*leg_sleep)(struct tandem_leg *leg, unsigned ms);                                    /* WAITS */
	int (*leg_execute)(struct tandem_leg *leg, const char *app, const char *data);            /* WAITS */

	/* ---- commands ------------------------------------------------------------------------------------------ */
	void (*reply)(struct tandem_command *command, const char *format, ...)
#ifdef __GNUC__
	    __attribute__((format(printf, 2, 3)))
#endif
	    ;
	/* WAITS. Runs a command; out (may be NULL) gets at most cap - 1 bytes of its reply. */
	int (*command_run)(const char *name, const char *args, char *out, size_t cap);
	int (*sleep)(unsigned ms); /* WAITS. TANDEM_CANCELLED when the program ends */
	/* WAITS. Runs function(argument) on a worker thread, where it may block, and nothing of this table may be used
	 * but log without a leg. */
	int (*work)(struct tandem_self *self, void (*function)(void *argument), void *argument);

	/* ---- events -------------------------------------------------------------------------------------------- */
	/* name as on the event socket ("CUSTOM", "CHANNEL_ANSWER"); subclass with CUSTOM, else NULL. NULL: no such. */
	struct tandem_event *(*event_new)(const char *name, const char *subclass);
	void (*event_add)(struct tandem_event *event, const char *name, const char *value);
	void (*event_add_leg)(struct tandem_event *event, struct tandem_leg *leg); /* the call's usual headers */
	void (*event_set_body)(struct tandem_event *event, const char *body);
	void (*event_fire)(struct tandem_event *event); /* takes it */
	void (*event_drop)(struct tandem_event *event); /* takes one that is not fired */
	const char *(*event_name)(const struct tandem_event *event);
	const char *(*event_get)(const struct tandem_event *event, const char *name); /* NULL when absent */
	const char *(*event_body)(const struct tandem_event *event);                  /* "" when there is none */
	/* function is called for each, on the stack of whoever fired it (a few kB are left), and must not wait; it may
	 * unsubscribe. name "ALL": every event. NULL: no such.
	 */
	struct tandem_subscription *(*subscribe)(struct tandem_self *self, const char *name, const char *subclass,
	    void (*function)(const struct tandem_event *event, void *argument), void *argument);
	void (*unsubscribe)(struct tandem_subscription *subscription);

	/* ---- timers -------------------------------------------------------------------------------------------- */
	/* Calls function after ms, and again every ms when is_repeated; it must not wait. NULL: no memory. A timer that
	 * is not repeated is gone when function is called. */
	struct tandem_timer *(*timer_new)(
	    struct tandem_self *self, unsigned ms, int is_repeated, void (*function)(void *argument), void *argument);
	void (*timer_cancel)(struct tandem_timer *timer);

	/* ---- codecs -------------------------------------------------------------------------------------------- */
	/* In load only. From then on calls in it are decoded and encoded where something needs their samples. codec
	 * stays in place. The module cannot be unloaded any more: streams keep its functions. TANDEM_EXISTS: the
	 * program or another module has that name; TANDEM_FULL; TANDEM_INVAL: a field is wrong. */
	int (*codec_add)(struct tandem_self *self, const struct tandem_codec *codec);

	/* ---- recognisers of speech ----------------------------------------------------------------------------- */
	/* In load only. recogniser stays in place. The module cannot be unloaded any more: a worker may be within it.
	 * TANDEM_EXISTS: another module has that name; TANDEM_FULL; TANDEM_INVAL: a field is wrong. */
	int (*recogniser_add)(struct tandem_self *self, const struct tandem_recogniser *recogniser);
};

struct tandem_module {
	uint32_t abi, bytes; /* TANDEM_MODULE_ABI, sizeof: TANDEM_MODULE_HEAD */
	const char *name;    /* "mod_x", the file's name without .so */
	const char *version; /* the module's own, for people */
	/* Called once, before its tables are registered. Keeps host and self. Must not wait; a stack of 1 MiB. A
	 * failure: it is not loaded. */
	int (*load)(const struct tandem_host *host, struct tandem_self *self);
	/* May be NULL. Called when nothing of the module runs, as load is; TANDEM_BUSY keeps it loaded. Afterwards the
	 * program drops the subscriptions and timers that are left. At the end of the program the result counts for
	 * nothing. */
	int (*unload)(void);
	const struct tandem_app *apps; /* NULL: none */
	const struct tandem_api *apis;
};
#define TANDEM_MODULE_HEAD TANDEM_MODULE_ABI, (uint32_t)sizeof(struct tandem_module)

#ifdef __cplusplus
#define TANDEM_MODULE_EXPORT extern "C" __attribute__((visibility("default"))) const struct tandem_module tandem_module
#else
#define TANDEM_MODULE_EXPORT __attribute__((visibility("default"))) const struct tandem_module tandem_module
#endif

#ifdef __cplusplus
}
#endif
#endif
