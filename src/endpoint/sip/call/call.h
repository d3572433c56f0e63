/* Calls: the endpoint that core dials and that INVITEs come in by. What stands between a leg (core) and a dialog
 * (src/sip).
 *
 *   in:   request.c -> invite_in (call_in.c): who it is (call_caller.c), the leg -> core
 *         inside the call: sip_call_handlers (call_in.c, call_out.c) -> call_dialog.c, refer.c, call_end.c -> core
 *   out:  core -> sofia_ops (call_out.c): dial string, gateway or registered contact -> call_invite.c ->
 * sip_call_invite
 *
 * Control thread. */
#pragma once
#include "endpoint/sip/profile/profile.h"

struct call;
struct endpoint_ops;
extern const struct endpoint_ops sofia_ops, sip_ops;
extern const struct profile_part call_part;
ON_CTL void calls_init(void); /* at load */

/* The calls of a profile; fields are for reading. */
struct profile_calls {
	struct list list; /* struct call's */
	size_t count;
	uint64_t in, failed_in, out, failed_out;
};
ANY struct profile_calls *profile_calls_of(const struct profile *p);

/* An INVITE outside of dialogs. */
ON_CTL void invite_in(struct profile *p, struct sip_stx *tx, const struct sip_msg *msg);
/* A REFER outside of calls (refer_outside.c). */
ON_CTL void refer_outside_in(struct profile *p, struct sip_stx *tx, const struct sip_msg *msg);
/* By leg; by Call-ID among a profile's. Borrowed, NULL when there is none. */
ON_CTL struct call *call_by_uuid(const char *uuid);
ON_CTL struct call *call_by_id(const struct profile *p, const char *call_id);
/* A request inside the call, whose answer nobody waits for; ST_CLOSED when it is over. */
ON_CTL int call_request(struct call *c, const struct profile_request *r);

/* ---- applications ---- */
int call_stir_app(struct leg *leg, const char *data); /* sofia_stir_shaken_vs */
