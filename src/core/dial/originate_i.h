/* The inside of dialling: a dial string taken apart (parse.c), what its variables ask for (opts.c),
 * the legs (attempt.c), one thread's course (part.c), what the originator hears (ring.c),
 * what is listened for in early media (monitor.c), confirmation by key (confirm.c), and the whole
 * (originate.c). */
#pragma once
#include "core/dial/dial_core.h"
#include "core/dial/dialstring.h"
#include "core/dial/originate.h"
#include "core/leg/hold.h"
#include "core/leg/leg_core.h"
#include "core/leg/part.h"

/* ---- opts.c ---- */
enum early_mode {
	EARLY_WINS,   /* early media is as good as an answer */
	EARLY_IGNORE, /* only an answer counts: ignore_early_media=true, consume */
	EARLY_RING,   /* the same, and the originator rings by it */
	EARLY_PASS    /* the originator hears it, only an answer counts: bridge_early_media */
};
struct originate_opts { /* read once; times are 0 when not asked for */
	int64_t timeout_us, progress_us, delay_us;
	enum early_mode early;
	bool ignores_ring, returns_ringing, rings_at_once, continues_on_timeout, hangs_up_on_reject, is_forked;
	bool monitors_fail, monitors_ring, wins_by_ring_tone; /* the last: early media wins once it was heard */
	char *fatal; /* fail_on_single_reject: NULL, "true", or (part of) the names of causes, "!" in front of all
	                others */
	char cancel_key;
	unsigned tries;
	int64_t retry_sleep_us, retry_period_us, retry_limit_us;
	struct originate_confirm {
		char *key, *file, *error_file; /* the latter two are text with marks */
		int64_t timeout_us, read_timeout_us;
		bool ends_timeout;
	} confirm;
};
/* vars: of the part; a: the originator or NULL; fallback_s: the time to answer when nothing says it. */
ON_CTL int opts_read(struct originate_opts *opts, const struct vars *vars, struct leg *a, unsigned fallback_s);
ON_CTL void opts_fini(struct originate_opts *opts);
/* Adds to vars what dialling reads from the originator's variables and the dial string does not say. */
ON_CTL int opts_inherit(struct vars *vars, struct leg *a);
/* A failure with that cause ends all attempts. */
ANY bool opts_is_fatal(const struct originate_opts *opts, enum cause cause);
/* Seconds of a variable as microseconds; 0 when it says none. */
ANY int64_t opts_seconds(const struct vars *vars, const char *name);

/* ---- attempts and threads ---- */
struct attempt {
	struct leg *leg;      /* reference; NULL before it is made and when it could not be */
	struct dial_leg spec; /* owned */
	unsigned turn;        /* sub-groups of an expanded dial string go in turn */
	int64_t start_us, deadline_us, progress_deadline_us; /* 0 = none */
	enum cause deadline_cause;
	bool is_started, is_failed, has_rung, has_media, has_ring_tone;
	unsigned ring_tones; /* heard so far */
	bool is_confirming, is_confirmed;
	bool is_waiting;  /* pickup/: may wait for ever, but not alone once the others failed */
	bool is_required; /* its failure is everybody's */
	bool is_inner;    /* of a dial string that user/ or group/ stood for */
	bool is_nested;   /* user/ or group/ on its own: the time limit is a call's within the call */
};
struct enterprise {            /* the threads of a dial string with ":_:" */
	struct originate *top; /* has the originator and waits for them */
	struct originate_slot *slots;
	size_t count, running;
};
struct originate {
	const struct originate_conf *conf;
	struct leg *a;      /* who is passed ringing and media, or NULL */
	struct leg *caller; /* on whose behalf: a, or the originator of the whole enterprise */
	struct originate_opts opts;
	const struct dial_part *part;
	struct co_wait wait;
	struct attempt *attempts;
	size_t count;
	int64_t begin_us, deadline_us; /* of the group that is dialled */
	bool is_cancelled, is_timed_out, is_stalled, is_key_cancelled, is_rejected;
	bool is_ring_passed, is_ringback_on, had_early;
	enum cause cancel_cause;
	uint32_t ringback_id;
	struct leg *early; /* whose early media the originator hears; borrowed */
	struct leg *winner;
	enum cause cause;         /* of what failed so far in this group, reduced */
	bool has_proto;           /* it is a leg's own */
	char proto[40];           /* proto_specific_hangup_cause of it */
	struct enterprise *whole; /* of whose threads this is one, or NULL */
};
/* Dials the part with its retries. winner stays NULL when none answered; then cause says why. */
CO void part_run(struct originate *o);
/* Ends it from outside: legs get the cause. */
ON_CTL void part_cancel(struct originate *o, enum cause cause);
ON_CTL void part_fini(struct originate *o);
/* The originator remembers how each leg of the group ended (originate_causes). */
ON_CTL void part_tell_causes(struct originate *o);
/* Keys of the originator, and what it was asked to run meanwhile. */
CO void serve_originator(struct originate *o);
ON_CTL void part_note_failure(struct originate *o, enum cause cause, struct leg *leg);

/* ---- attempt.c ---- */
/* Makes the leg of the attempt and lets it dial; on failure notes why. */
ON_CTL void attempt_start(struct originate *o, struct attempt *t);
ON_CTL void attempts_clear(struct originate *o);
/* Adds the attempts of one leg of the dial string, or of the dial string it stands for (user/, group/). */
ON_CTL int attempts_add(struct originate *o, const struct dial_leg *spec);
ON_CTL struct attempt *attempt_of(struct originate *o, const struct leg *leg);
/* A user's variables come to its leg; true: b was dialled by user/. */
ON_CTL bool attempt_tell_user(struct originate *o, struct leg *b);

/* ---- ring.c ---- */
ON_CTL void ring_pass(struct originate *o);
/* Early media that does not count: ringback when the originator wants one, else ringing if is_ring. */
ON_CTL void ring_pass_ignored(struct originate *o, bool is_ring);
ON_CTL void ring_pass_early(struct originate *o, struct leg *b);
ON_CTL void ring_stop(struct originate *o);
/* The caller of an enterprise hears ringback (or silence) from its start. */
ON_CTL void ring_begin(struct originate *o);

/* ---- monitor.c ---- */
/* b has early media from here on. */
ON_CTL void monitor_start(struct originate *o, struct leg *b);

/* ---- confirm.c ---- */
ON_CTL bool confirm_is_wanted(const struct originate *o, const struct leg *b);
ON_CTL void confirm_start(struct originate *o, struct attempt *t);

/* ---- originate.c ---- */
/* What the legs are given when the originator goes. */
ON_CTL enum cause originate_cancel_cause(struct leg *originator);
/* The leg `by` takes the place of the one that is dialled: a pickup. ST_NOTFOUND: nobody dials it. */
ON_CTL int originate_swap(struct leg *dialled, struct leg *by);

/* What a leg knows of dialling, on either side. */
struct leg_dialling {
	struct originate *of; /* it is being dialled by this */
	struct leg_hold dialled_hold;
	struct originate *dialling; /* as originator: the innermost; another may wait around it */
	enum cause end;             /* what the legs it dials are given when it is taken away; 0 = ORIGINATOR_CANCEL */
	struct leg_hold hold;
};
static inline struct leg_dialling *dialling_of(const struct leg *leg)
{
	return leg_part_of(leg, &dial_part);
}
/* Leg is dialled by o, or (NULL) no longer. */
ON_CTL void dialled_set(struct leg *leg, struct originate *o);
ON_CTL void originate_cancel(struct leg *originator); /* it hung up or was sent elsewhere */

/* ---- campon.c ---- */
/* Does a caller whose bridge failed for that cause wait for another try? */
ON_CTL bool campon_is_wanted(struct leg *leg, enum cause cause);
/* Tries on, as originate_run; when it failed the caller may have been sent to campon_fallback_exten. */
CO int campon_run(struct leg *leg, const struct originate_conf *conf, struct leg **b, enum cause *cause);
