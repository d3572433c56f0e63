/* Registrations of a profile's users: REGISTER becomes contacts in memory (reg_table.h), on disk and in core's table;
 * calls and commands look them up.
 *
 *   REGISTER -> register.c: digest, owner, contacts -> reg_table.c -> reg_home.c: disk, core's table, events
 *   dial string, sofia_contact -> lookup.c -> reg_table.c
 *
 * Control thread. */
#pragma once
#include "core/registry/api.h"
#include "endpoint/sip/profile/profile.h"
#include "endpoint/sip/reg/reg_table.h"

extern const struct profile_part reg_part, reg_ping_part;
ANY struct reg_table *reg_table_of(const struct profile *p);
/* Opens the store (a plain name lies in folder) and brings registrations back as they arrive. */
ON_CTL int reg_store_open(const char *folder);
ON_CTL void reg_store_close(void); /* and lets all of them go; once no profile runs */

struct store;
/* The database of registrations, for what else is kept of phones; NULL: nothing is kept on disk. */
ON_CTL struct store *reg_home_store(void);

ON_CTL void register_in(struct profile *p, struct sip_stx *tx, const struct sip_msg *msg);
/* A stream has ended: flows that came by it do too (outbound.c). */
ON_CTL void reg_conn_closed(struct sip_stack *s, enum sip_transport t, const struct addr *peer, void *profile);
/* A call could not go by the flow of this target: it is forgotten. Another flow of the same phone, or NULL; also when
 * the target is no flow's. */
ON_CTL const struct reg *reg_flow_failed(struct profile *p, struct sv target);
/* Whom u, a GRUU (RFC 5627), means: one of its registrations, borrowed. ST_INVAL: it is no GRUU of ours; ST_NOTFOUND:
 * it is, and nobody is there. */
ON_CTL int gruu_find(const struct sip_uri *u, const struct reg **out);
/* NOTIFY of check-sync to each contact that what means (reg_is_meant); how many. */
ON_CTL size_t reg_sync(struct profile *p, struct sv what, bool is_reboot);
ON_CTL void reg_contact_text(const struct reg *r, struct buf *out); /* "\"\" <sip:...>" as FreeSWITCH keeps it */
/* "sofia/PROFILE/URI" of each contact, comma-separated. */
ON_CTL size_t contact_lookup(struct profile *p /* NULL = all */, struct sv user, struct sv host, struct buf *out);

/* ---- commands (lookup.c) ---- */
int contact_cmd(struct api_call *c);
int count_cmd(struct api_call *c);
int username_cmd(struct api_call *c);
