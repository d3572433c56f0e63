/* The inside of billing: the ledger (SQL), the decks in memory, the calls that run, the commands. */
#pragma once
#include "base/role.h"
#include "billing/rate.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "store/store.h"

struct billing_counts {
	uint64_t reserved, extended, settled, refused, failed, recovered, fees;
};
extern struct billing_counts billing_counts;
/* Waits until the tables are made and the decks are read, or that failed, or for some seconds. */
CO void billing_wait_ready(void);
ON_CTL const char *billing_param(const char *name);
ON_CTL void billing_event(
    const char *action, const char *account, const char *uuid, const char *call_id, int64_t amount, const char *why);

/* ---- groups.c: destinations that cost more, or are called by who steals ---- */
struct billing_group {
	char name[RATE_NAME_MAX + 1];                /* "": none */
	int64_t max_hour, max_calls, max_calls_hour; /* of an account: 0: no bound */
	bool is_forbidden;                           /* but to whom it is open */
};
ON_CTL int groups_load(void); /* the configuration's; again at each swap */
ON_CTL void groups_unload(void);
/* Of the longest prefix that has one. */
ON_CTL struct billing_group groups_find(const char *number);
ON_CTL void groups_show(struct buf *out);
/* Is the group in the list "one,two"? */
ANY bool groups_has(const char *list, const char *name);

/* ---- lines.c: the connections ---- */
struct ledger_line {
	struct store *store; /* NULL: there is none */
	size_t at;
	unsigned generation;
};
/* As store_open; what cannot be reached shows in the statements. */
ON_CTL int lines_open(const char *dsn, const char *folder);
ON_CTL void lines_close(void);
ON_CTL bool lines_are_open(void);
ON_CTL int64_t lines_since_us(void); /* wall: when they were opened */
/* The one with the least to do; to be given back, also when it was closed meanwhile. */
ON_CTL struct ledger_line line_take(void);
ON_CTL void line_give(struct ledger_line l);
ON_CTL bool line_is_open(struct ledger_line l);
CO int line_sql(struct ledger_line l, const char *text, const struct sv *params, size_t count, struct store_rows *rows);
/* A statement on the line with the least to do. */
CO int ledger_sql(const char *text, const struct sv *params, size_t count, struct store_rows *rows);
/* A transaction; what a failure left open is closed, whoever it was that failed. */
CO int ledger_transact(const char *text, const struct sv *params, size_t count, struct store_rows *rows);

/* ---- ledger.c: each is one transaction, and may be sent again: it counts once ---- */
struct ledger_call { /* of a reservation */
	const char *id, *account, *leg, *number, *deck;
	const struct rate_found *found;
	const struct billing_group *group;
	int64_t amount; /* to be reserved in all */
};
struct ledger_more { /* of an extension */
	const char *id, *account;
	const struct billing_group *group;
	int64_t amount, used_s, used; /* to be reserved in all; what is used */
};
struct ledger_state { /* of an account after it */
	int64_t balance, credit_limit, reserved, max_hour, hour;
	int64_t open_calls, max_calls;
	int64_t group_hour, group_open, group_begun; /* its calls to the group: money and number of an hour, and now */
	bool exists, is_enabled, is_granted;
	char deck[RATE_NAME_MAX + 1], currency[8], open_groups[256];
};
struct ledger_fee {
	const char *account, *name;
	int64_t amount, period;
};
/* schema.c: the tables, by numbered migrations. */
CO int ledger_open(void);
/* group may be NULL or "": then nothing of a group is filled in; hour is when it is wanted (and there is no group), or
 * bounded. */
CO int ledger_account(const char *account, const char *group, bool wants_hour, struct ledger_state *out);
CO int ledger_reserve(const struct ledger_call *c, struct ledger_state *out);
/* is_granted: amount is reserved. */
CO int ledger_extend(const struct ledger_more *m, struct ledger_state *out);
/* is_unsure: the answer of its reservation was lost; one that is still on its way finds its place taken. */
CO int ledger_settle(const char *id, const char *account, int64_t seconds, int64_t cost, bool is_unsure);

/* ---- money.c ---- */
/* A call that is over costs this in place of old; nothing changes when it no longer cost old. */
CO int ledger_rerate(const char *id, const char *account, int64_t old, int64_t cost, const struct rate_found *found);
/* ref: of whoever pays, counts once; ST_EXISTS: it was there; ST_NOTFOUND. */
CO int ledger_topup(const char *account, const char *ref, int64_t amount, const char *kind, int64_t *balance);
/* ST_NOTFOUND: no such voucher, used, or of another currency. */
CO int ledger_voucher(const char *account, const char *code, int64_t *balance);
/* A period of a fee, entry is its name. ST_EXISTS: it was booked before, or there is no money for it. */
CO int ledger_fee(const struct ledger_fee *f, const char *entry, int64_t *balance);

/* ---- fees.c: what an account pays a day, week or month ---- */
/* Charges what is due: of one account, or of all (NULL). *charged is added to; may be NULL. */
CO int fees_run(const char *account, size_t *charged);
ON_CTL void fees_start(void); /* now, and every fee-seconds */
ON_CTL void fees_stop(void);
CO int fees_command(struct api_call *c, int n, const char *const *words); /* billing fee ... */
CO int fees_show(struct api_call *c, const char *account);                /* NULL: all */

/* ---- audit.c ---- */
CO int reconcile_command(struct api_call *c);
CO int rerate_command(struct api_call *c, const char *day); /* YYYY-MM-DD, UTC */

/* ---- hold.c: the money that a call holds ---- */
struct hold {
	char id[UUID_CHARS + 1];
	struct rate rate;
	struct billing_group group;
	int64_t reserved, paid_s; /* what is reserved is enough for so long */
	int64_t most_s;           /* of hold_open: how long the account's money would last */
	bool is_unsure;           /* it failed, and may be reserved all the same: to be settled with nothing */
};
/* Reserves for at most piece_s seconds of a call to number. NULL: it is reserved; else why not (a constant). */
CO const char *hold_open(struct hold *h, const char *account, const char *leg, const char *number, int64_t piece_s);
ON_CTL void holds_forget(void); /* at the end */
/* Reserves up to target_s seconds, or what the account still has, and notes what is used. *is_last: no more is to be
 * had. */
CO int hold_extend(struct hold *h, const char *account, int64_t used_s, int64_t target_s, bool *is_last);

/* ---- decks.c ---- */
CO int decks_load(void); /* the table into memory, then in place of what was there */
ON_CTL int decks_find(const char *deck, const char *number, int64_t wall_s, struct rate_found *out);
ON_CTL size_t decks_count(void);
ON_CTL void decks_free(void);
/* The file's lines into the deck, then decks_load. Says in out how many, and each bad line. */
CO int decks_import(const char *deck, const char *path, struct buf *out);

/* ---- call.c ---- */
ON_CTL int calls_load(void);
ON_CTL void calls_unload(void); /* what is not settled stays open in the ledger */
ON_CTL bool calls_are_up(void); /* some leg is charged */
ON_CTL bool calls_has(const char *id);
ON_CTL void calls_refresh(const char *account);
ON_CTL void calls_show(struct buf *out);

/* ---- recover.c ---- */
CO int calls_recover(void);      /* settles what is open and nobody's, with what was noted of it */
ON_CTL void recover_start(void); /* from now on, once a minute */
ON_CTL void recover_stop(void);

CO int app_billing(struct leg *leg, const char *data);
CO int api_billing(struct api_call *c);
