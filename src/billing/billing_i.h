/* The inside of billing: the ledger (SQL), the decks in memory, the calls that run, the commands. */
#pragma once
#include "base/role.h"
#include "billing/rate.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "store/store.h"

struct billing_counts {
	uint64_t reserved, extended, settled, refused, failed, recovered;
};
extern struct billing_counts billing_counts;
extern struct store *billing_store; /* NULL: there is none */
ON_CTL const char *billing_param(const char *name);
ON_CTL void billing_event(
    const char *action, const char *account, const char *uuid, const char *call_id, int64_t amount, const char *why);

/* ---- ledger.c: each is one transaction, and may be sent again: it counts once ---- */
struct ledger_call { /* of a reservation */
	const char *id, *account, *leg, *number, *deck;
	const struct rate_found *found;
	int64_t amount; /* to be reserved in all */
};
struct ledger_state { /* of an account after it */
	int64_t balance, credit_limit, reserved, max_hour, hour;
	int64_t open_calls, max_calls;
	bool exists, is_enabled, is_granted;
	char deck[RATE_NAME_MAX + 1], currency[8];
};
/* The tables, by numbered migrations. */
CO int ledger_open(void);
CO int ledger_account(const char *account, struct ledger_state *out);
CO int ledger_reserve(const struct ledger_call *c, struct ledger_state *out);
/* Reserves up to amount in all, and says what is used. is_granted: amount is reserved. */
CO int ledger_extend(
    const char *id, const char *account, int64_t amount, int64_t used_s, int64_t used, struct ledger_state *out);
CO int ledger_settle(const char *id, const char *account, int64_t seconds, int64_t cost);
/* A call that is over costs this in place of old; nothing changes when it no longer cost old. */
CO int ledger_rerate(const char *id, const char *account, int64_t old, int64_t cost, const struct rate_found *found);
/* ref: of whoever pays, counts once; ST_EXISTS: it was there; ST_NOTFOUND. */
CO int ledger_topup(const char *account, const char *ref, int64_t amount, const char *kind, int64_t *balance);
/* ST_NOTFOUND: no such voucher, used, or of another currency. */
CO int ledger_voucher(const char *account, const char *code, int64_t *balance);
CO int ledger_sql(const char *text, const struct sv *params, size_t count, struct store_rows *rows);
/* The cells of the next row, at most max; false: none. *at 0: the names are passed over. */
ANY bool ledger_row(const struct store_rows *r, size_t *at, struct sv *cells, size_t max);
ANY int64_t ledger_int(struct sv cell);
/* Text of a number, in place. */
struct ledger_number {
	char text[24];
};
ANY struct sv ledger_put(struct ledger_number *n, int64_t v);

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
CO int calls_recover(void); /* settles what a dead process of this name left open, with what it had noted */
CO int app_billing(struct leg *leg, const char *data);
CO int api_billing(struct api_call *c);
