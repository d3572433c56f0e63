/* Addresses as text: what follows "sofia/" in a dial string, and Contacts as phones give them, which become part of
 * one. Pure: no profile, no clock, no I/O. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"
#include "sip/sip.h"

/* ---- what phones give (contact.c) ---- */
/* An address that phones give (Contact), as it may stand in a dial string: whatever there means something is escaped in
 * its user part; without URI headers, and without fs_ parameters unless keeps_ours. ST_INVAL and *why: elsewhere it
 * cannot be. */
ANY int contact_render(const struct sip_uri *u, bool keeps_ours, struct buf *out, const char **why);
ANY bool contact_is_rendered(struct sv target); /* it was made so */
ANY void contact_escape(
    struct buf *out, struct sv text); /* all but letters, digits and "-._~" as %XX: values of fs_path */

/* ---- dial strings (dialstring.c) ---- */
struct sofia_target {
	struct sv profile;                /* "" = none named */
	struct sv gateway;                /* of sofia/gateway/NAME/... */
	char *name;                       /* owned: what profile or gateway is a view of */
	char *uri;                        /* request URI without fs_* parameters, owned */
	char *fs_path;                    /* decoded, owned; NULL when absent; a URI, or a list: <a>,<b> */
	char *user, *host;                /* owned; host with port */
	char *looked_up, *looked_up_host; /* owned: the registered user it was found by; NULL = none was looked for */
	char *registered;                 /* owned: the registrar's text of it; NULL unless looked up */
	bool is_nat;
	bool needs_lookup; /* user%domain: a registered user */
	enum sip_transport transport;
};
/* data: text with marks (text/mark.h). ST_PARSE also when what is from outside would be more than a user or a host. */
ANY int sofia_target_parse(struct sofia_target *out, struct sv data);
/* Appends user@host:port as text: what the address holds is from outside, its form is not. */
ANY void sofia_uri_put_text(struct buf *out, const struct sip_uri *u);
ANY void sofia_target_fini(struct sofia_target *t);
/* Where its fs_path sends it: a Route (owned by the caller, lr) or an address. Leaves both alone without one. */
ANY void sofia_target_route(const struct sofia_target *t, char **route, struct sip_dst *dst);

/* ---- what requests name (names.c) ---- */
struct dialog_name { /* of Replaces and Join: views; the tags as the side that receives it sees them */
	struct sv call_id, to_tag, from_tag;
	bool is_early_only;
};
ANY bool dialog_name_parse(struct dialog_name *out, struct sv text);   /* Replaces, Join */
ANY bool dialog_target_parse(struct dialog_name *out, struct sv text); /* Target-Dialog */
struct refer_to {
	struct sv host;
	char *exten, *replaces; /* owned, plain, fit for headers; replaces NULL without */
};
ANY bool refer_to_parse(struct refer_to *out, struct sv value); /* out is to be finished in any case */
ANY void refer_to_fini(struct refer_to *r);
/* application/dtmf-relay has lines "Signal=5" and "Duration=160" (milliseconds); application/dtmf is the digit alone.
 * The duration (in samples at 8 kHz) is left as it is where none is said. */
ANY bool info_digit_parse(struct sv ctype, struct sv body, char *digit, unsigned *duration_samples);
