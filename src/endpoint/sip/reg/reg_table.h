/* The registrations of one profile: address of record -> contacts, in memory, with expiry timers; what changes is told
 * to a listener, which keeps the copy on disk. Control thread. No SIP in here. */
#pragma once
#include "base/list.h"
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"
#include "loop/loop.h"

struct reg_table;
struct reg_aor;
/* One contact. All strings owned, never NULL. Fields are for reading. */
struct reg {
	const char *user, *host; /* the address of record, borrowed from it */
	char *contact_uri;       /* as the phone gave it: "sip:1000@10.0.0.5:5060;ob" */
	char *target;            /* where calls go: the same plus fs_nat and fs_path when needed */
	char *display, *call_id, *agent, *network_ip, *auth_user, *auth_realm, *path;
	char *instance;       /* +sip.instance without quotes and brackets; "" = none told */
	uint64_t gruu_number; /* by which its temporary GRUU finds it; 0 = none */
	unsigned reg_id;      /* RFC 5626: one of the flows of that instance; 0 = no flow */
	const char *proto;    /* "udp", "tcp" ... static */
	unsigned network_port;
	bool is_nat;
	unsigned q_milli; /* 1000 = first */
	uint32_t cseq;
	int64_t expires_s;       /* as granted */
	int64_t expires_epoch_s; /* wall clock, with the late margin */
	int64_t due_us;          /* the same on the monotonic clock */
	int64_t registered_epoch_s;
	/* OPTIONS that it answers, or not (reg_ping.c) */
	int64_t ping_due_us, ping_us; /* ping_us: how long the last answer took */
	unsigned ping_count;
	bool is_unreachable, is_pinged;
	struct reg_aor *aor;
	struct lnode aor_link, all_link;
	struct lnode flow_link; /* those of one connection */
	struct ltimer timer;
};

enum reg_change { REG_ADDED, REG_REFRESHED, REG_REMOVED, REG_EXPIRED };
typedef void (*reg_change_fn)(const struct reg *r, enum reg_change change, void *arg);

#define REG_CONTACTS_MAX 32
ON_CTL int reg_table_new(struct reg_table **out, reg_change_fn fn, void *arg);
ON_CTL void reg_table_free(struct reg_table *t); /* tells nobody */

/* How a new contact meets those of the same user. */
enum reg_mode { REG_SINGLE /* replaces all of other requests */, REG_BY_CONTACT, REG_BY_CALL_ID };
/* Whose a contact is: another account may neither replace nor remove it, whatever address of record it registers. */
struct reg_owner {
	struct sv user, realm;
	bool has_any_realm; /* the profile looks all accounts up in one domain */
};
ANY bool reg_is_owned(const struct reg *r, const struct reg_owner *o);
struct reg_put { /* copied; auth_user and auth_realm are its owner */
	struct sv user, host, contact_uri, target, display, call_id, agent, network_ip, auth_user, auth_realm, path,
	    instance;
	unsigned reg_id;
	bool has_any_realm;
	const char *proto;
	unsigned network_port, q_milli;
	bool is_nat;
	uint32_t cseq;
	int64_t expires_s, late_margin_s;
	size_t max_contacts; /* 0 = REG_CONTACTS_MAX */
};
/* With an instance and a reg_id it takes the place of the one that had them, whatever that one's URI (RFC 5626 section
 * 6). ST_LIMIT: the user has max_contacts other ones of this owner, none of them of the same phone (source host and
 * User-Agent), which would make room; ST_EXISTS: same call-id and a CSeq not above the last (RFC 3261 10.3 7);
 * ST_DENIED: the contact is another owner's. */
ON_CTL int reg_table_put(struct reg_table *t, enum reg_mode mode, const struct reg_put *p, const struct reg **out);
/* Brings one back from disk: nothing happens when the contact is there already or its time is over (ST_NOTFOUND). */
ON_CTL int reg_table_restore(struct reg_table *t, const struct reg_put *p, int64_t expires_epoch_s);
/* Removes the owner's by contact URI or, when none is equal, by call-id. ST_NOTFOUND; ST_EXISTS as above. */
ON_CTL int reg_table_del(struct reg_table *t, struct sv user, struct sv host, const struct reg_owner *owner,
    struct sv contact_uri, struct sv call_id, uint32_t cseq);
/* All of a user that are the owner's; how many. */
ON_CTL size_t reg_table_del_all(struct reg_table *t, struct sv user, struct sv host, const struct reg_owner *owner);
/* Does what (a call-id, "user@host", "@host", or nothing: everything) mean this one? */
ANY bool reg_is_meant(const struct reg *r, struct sv what);
/* One contact, by what it is; borrowed until the table changes. NULL: gone. */
ON_CTL struct reg *reg_table_get(struct reg_table *t, struct sv user, struct sv host, struct sv contact_uri);
/* The one of that gruu_number; NULL. */
ON_CTL const struct reg *reg_table_by_gruu(struct reg_table *t, uint64_t number);
/* It is there no more (change: REG_EXPIRED or REG_REMOVED). */
ON_CTL void reg_table_drop(struct reg_table *t, struct reg *r, enum reg_change change);
/* All that came by that stream; how many fn was given. It may drop the one it is given. */
ON_CTL size_t reg_table_each_of_flow(struct reg_table *t, const char *proto, const char *ip, unsigned port,
    void (*fn)(struct reg_table *t, struct reg *r, void *arg), void *arg);
/* By call-id (any user), or "user@host", or "@host"; how many. Empty = everything. */
ON_CTL size_t reg_table_flush(struct reg_table *t, struct sv what);
ANY size_t reg_table_count(const struct reg_table *t);
/* Contacts of a user by falling q, newest first among equals. Fills up to max, returns how many there are. host empty =
 * any host. */
ON_CTL size_t reg_table_find(struct reg_table *t, struct sv user, struct sv host, const struct reg **out, size_t max);
/* In order of registration; fn must not change the table. */
ON_CTL void reg_table_each(struct reg_table *t, void (*fn)(const struct reg *r, void *arg), void *arg);
/* The same for who keeps marks in them; fn must not change the table. */
ON_CTL void reg_table_each_mut(struct reg_table *t, void (*fn)(struct reg *r, void *arg), void *arg);
