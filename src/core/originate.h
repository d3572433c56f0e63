/* Dialling: dial strings to answered legs. Grammar: <vars>{vars}[vars]endpoint/data with ',' (at once), '|' (in turn)
 * and ":_:" (threads of their own; the first that succeeds wins). */
#pragma once
#include "core/leg.h"

struct originate_conf {
	struct leg *originator;                        /* NULL for commands */
	const char *dialstring;                        /* text with marks */
	const struct vars *vars;                       /* extra, or NULL */
	const char *caller_id_name, *caller_id_number; /* NULL = from originator or "" */
	unsigned timeout_s;                            /* 0 = 60 */
	char *error_out; /* NULL, or gets which part of a bad dial string is wrong; untouched otherwise */
	size_t error_size;
	/* When the originator hangs up, dialling goes on for this leg, which hears the ringback then; NULL: it ends. */
	struct leg *heir;
};
/* Waits until one leg answers, or gives early media that counts as an answer (it does unless ignore_early_media or
 * bridge_early_media say otherwise, or there are several threads): is_answered tells which. Or until all fail, or the
 * originator hangs up (and no heir is up). The originator answers (or gets early media) with the winner, and hears
 * ringing and ringback until then. Losers are cancelled with LOSE_RACE. *leg_out is a counted reference the caller
 * owns. *cause_out says why on failure. Runs what the originator is asked to run meanwhile. */
CO int originate_run(const struct originate_conf *conf, struct leg **leg_out, enum cause *cause_out);

/* Early media counts as an answer from now on, whatever ignore_early_media says; leg: one that is being dialled. */
ON_CTL void leg_early_ok(struct leg *leg);

/* An endpoint names what dial strings may start with. */
struct originate_target {
	struct leg *originator;  /* or NULL */
	const char *data;        /* after "name/"; plain */
	const char *text;        /* the same, what came from outside marked (text/mark.h): to be taken apart by this */
	const struct vars *vars; /* merged for this leg */
	struct leg_profile *profile; /* template: caller id, source; borrowed, dup it */
};
/* What stands behind the slash, for whoever may run certain commands only (core/principal.h). */
enum operator_dials {
	OPERATOR_DIALS_NOT, /* the endpoint is not for him */
	OPERATOR_DIALS_DATA,
	OPERATOR_DIALS_EXTENSION, /* EXTEN[/CONTEXT[/DIALPLAN]] */
	OPERATOR_DIALS_ADDRESS    /* a SIP address, PROFILE/ or gateway/NAME/ in front */
};
struct endpoint_ops {
	const char *name; /* "sofia" */
	enum operator_dials operator_dials;
	/* Makes an outbound leg in CS_NEW (name, profile, variables set), not yet dialled. */
	int (*outgoing)(const struct originate_target *t, struct leg **out, enum cause *cause);
	/* Or: gives another dial string to use in its place (user/, group/), as a mem_alloc string with marks. */
	int (*expand)(const struct originate_target *t, char **dialstring, enum cause *cause);
	int (*on_init)(struct leg *leg);            /* outbound: dial now (send INVITE) */
	int (*ring_ready)(struct leg *leg);         /* inbound: 180 */
	int (*pre_answer)(struct leg *leg);         /* inbound: 183 with leg_media_answer */
	int (*answer)(struct leg *leg);             /* inbound: 200 with leg_media_answer */
	void (*on_hangup)(struct leg *leg);         /* tell the far side, by leg->cause */
	void (*on_destroy)(struct leg *leg);        /* free leg->endpoint */
	int (*hold)(struct leg *leg, bool is_hold); /* re-INVITE */
	/* A re-INVITE with this SDP (empty: theirs is asked for); its end comes by leg_media_reinvite_done. ST_BUSY
	 * while another is under way. */
	int (*reinvite)(struct leg *leg, struct sv sdp);
	/* Answers the far side's re-INVITE that leg_media_reoffer left open with ST_AGAIN. */
	void (*reinvite_reply)(struct leg *leg, int code, struct sv sdp);
	/* The answer to the offer that a re-INVITE of ours without SDP brought: leg_media_reinvite_done said that it
	 * comes. */
	int (*reinvite_ack)(struct leg *leg, struct sv sdp);
	/* The endpoint's own way, where the far side takes it (leg_dtmf_own_taken); with w and W for pauses. NULL:
	 * none. */
	int (*send_dtmf)(struct leg *leg, const char *digits, unsigned duration_ms);
	int (*send_info)(struct leg *leg, const char *ctype, struct sv body);
	int (*send_message)(struct leg *leg, const char *ctype, struct sv body); /* text inside the call */
	int (*phone_event)(struct leg *leg, const char *event); /* "talk", "hold": what a phone is to do */
	int (*display)(struct leg *leg, const char *name, const char *number); /* callee id update */
	int (*redirect)(struct leg *leg, const char *uris);                    /* 302, or REFER when answered */
	int (*respond)(struct leg *leg, int code, const char *phrase); /* at once; 300 and over: the leg is hung up */
	void (*on_bridge)(struct leg *leg); /* it is bridged now; may not end the bridge from within */
};

/* Two legs that hear each other. Wakes by reports, holds no coroutine. Fires CHANNEL_BRIDGE/UNBRIDGE, sets bridge
 * variables. done is called once when it ends (either side hung up, broke or was transferred). ST_UNSUPPORTED: codecs
 * cannot be joined. */
typedef void (*bridge_done_fn)(struct leg *a, struct leg *b, void *arg);
ON_CTL int bridge_join(struct leg *a, struct leg *b, bridge_done_fn done, void *arg);
ON_CTL void bridge_leave(struct leg *leg);             /* ends its bridge; NULL bridge is fine */
ON_CTL struct leg *bridge_peer(const struct leg *leg); /* borrowed or NULL */
/* Its peer, or whom it dials, or whom it talked to last (variable signal_bond); borrowed; NULL when there is none. */
ON_CTL struct leg *leg_partner(const struct leg *leg);
/* Joins two legs that the running coroutine has (leg_exec_adopt, or its own) and waits until the bridge ends; b is
 * answered as far as a is. ST_OK when it was joined, however it ended. */
CO int bridge_wait(struct leg *a, struct leg *b);
/* The whole of the bridge application: originate, answer, join, after-bridge variables. Returns APP_DETACHED or a
 * failure. */
CO int bridge_app(struct leg *leg, const char *data);
/* uuid_bridge: two existing legs leave what they do and are joined. */
ON_CTL int bridge_two(struct leg *a, struct leg *b);
/* leg takes target over: both are answered, whom target talked to is hung up with PICKED_OFF (so are the legs it was
 * still dialling), and the two are bridged as by bridge_two. An unanswered leg that is being dialled stands for its
 * caller. From leg's own application; ST_NOTFOUND when there is nobody to take, ST_HANGUP. */
ON_CTL int bridge_intercept(struct leg *leg, struct leg *target);
