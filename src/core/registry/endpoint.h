/* Endpoints: what makes legs and speaks for them to the far side (SIP, loopback). Core calls them by this table and
 * knows no protocol. */
#pragma once
#include "base/role.h"
#include "base/str.h"
#include "core/value/cause.h"

struct dial;
struct leg;
struct leg_profile;
struct vars;

/* An endpoint names what dial strings may start with. */
struct originate_target {
	struct leg *originator;  /* or NULL */
	const char *data;        /* after "name/"; plain */
	const char *text;        /* the same, what came from outside marked (text/mark.h): to be taken apart by this */
	const struct vars *vars; /* merged for this leg */
	struct leg_profile *profile; /* template: caller id, source; borrowed, dup it */
};
/* What stands behind the slash, for whoever may run certain commands only (core/registry/principal.h). */
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
	/* Or: the targets it stands for (user/, group/), into an empty list (core/dial/targets.h), which the caller
	 * frees whatever comes back. A failure whose text is in out->error is the fault of a dial string within. */
	int (*expand)(const struct originate_target *t, struct dial *out, enum cause *cause);
	int (*on_init)(struct leg *leg);    /* outbound: dial now (send INVITE) */
	int (*ring_ready)(struct leg *leg); /* inbound: 180 */
	/* near: whom it is going to be joined with, or NULL: for leg_media_answer */
	int (*pre_answer)(struct leg *leg, struct leg *near); /* inbound: 183 with leg_media_answer */
	int (*answer)(struct leg *leg, struct leg *near);     /* inbound: 200 with leg_media_answer */
	void (*on_hangup)(struct leg *leg);                   /* tell the far side, by leg->cause */
	void (*on_destroy)(struct leg *leg);                  /* free leg->endpoint */
	/* A re-INVITE. ST_BUSY: not now, leg_hold_owed is called when it can be sent. */
	int (*hold)(struct leg *leg, bool is_hold);
	/* A re-INVITE with this SDP (empty: theirs is asked for); its end comes by leg_media_reinvite_done. ST_BUSY
	 * while another is under way. */
	int (*reinvite)(struct leg *leg, struct sv sdp);
	/* True: an INVITE of the dialog is under way, and leg_media_owed is called when it is over. May be NULL. */
	bool (*await_free)(struct leg *leg);
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
	/* The outcome of a blind transfer this leg's phone asked for and waits to hear of: other was transferred. After
	 * a failure the two are joined again. ST_NOTFOUND: it does not wait. */
	int (*transfer_told)(struct leg *leg, struct leg *other, bool is_good);
	void (*on_bridge)(struct leg *leg); /* it is bridged now; may not end the bridge from within */
};

ON_CTL const struct endpoint_ops *endpoint_find(struct sv name);
