/* Dialling: dial strings to answered legs. Grammar: <vars>{vars}[vars]endpoint/data with ',' (at once), '|' (in turn)
 * and ":_:" (threads of their own; the first that succeeds wins). */
#pragma once
#include "core/leg/leg.h"

struct dial;
/* By it dialling can be ended from outside; zeroed before the first use. */
struct originate_ticket {
	struct originate *of; /* while it dials */
};
struct originate_conf {
	struct leg *originator;                        /* NULL for commands */
	const char *dialstring;                        /* text with marks; or */
	const struct dial *targets;                    /* core/dial/targets.h; copied */
	const struct vars *vars;                       /* extra, or NULL */
	const char *caller_id_name, *caller_id_number; /* NULL = from originator or "" */
	unsigned timeout_s;                            /* 0 = 60 */
	char *error_out; /* NULL, or gets which part of a bad dial string is wrong; untouched otherwise */
	size_t error_size;
	/* When the originator hangs up, dialling goes on for this leg, which hears the ringback then; NULL: it ends. */
	struct leg *heir;
	/* The two are bridged as soon as this succeeds: where nothing is to run before (execute_on_*, api_on_*), their
	 * sound is joined before the caller's phone is told of the answer, so that its first packets are heard. */
	bool is_bridged_next;
	bool *key_cancelled_out;         /* NULL, or set when the originator gave up by origination_cancel_key */
	struct originate_ticket *ticket; /* NULL, or what originate_stop takes; it must outlive originate_run */
};
/* Waits until one leg answers, or gives early media that counts as an answer (it does unless ignore_early_media or
 * bridge_early_media say otherwise, or there are several threads): is_answered tells which. Or until all fail, or the
 * originator hangs up (and no heir is up). The originator answers (or gets early media) with the winner, and hears
 * ringing and ringback until then. Losers are cancelled with LOSE_RACE. *leg_out is a counted reference the caller
 * owns. *cause_out says why on failure. Runs what the originator is asked to run meanwhile. */
CO int originate_run(const struct originate_conf *conf, struct leg **leg_out, enum cause *cause_out);

/* Ends the dialling of that ticket: legs get the cause, originate_run returns ST_CANCELLED. Fine when it is over. */
ON_CTL void originate_stop(struct originate_ticket *t, enum cause cause);

/* Early media counts as an answer from now on, whatever ignore_early_media says; leg: one that is being dialled. */
ON_CTL void leg_early_ok(struct leg *leg);

/* The whole of the bridge application: originate, answer, join, after-bridge variables. Returns APP_DETACHED or a
 * failure. */
CO int bridge_app(struct leg *leg, const char *data);
