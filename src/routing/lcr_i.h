/* Between the files of mod_lcr.
 *
 *   number, caller, profile -> digits and their prefixes -> the profile's SQL -> rows -> struct lcr_route, in order
 *        lcr_ask (lcr_look.c)                                                 '-> variables, dialplan, endpoint (lcr.c)
 *                                                                             '-> the command's table (lcr_show.c) */
#pragma once
#include "base/str.h"
#include "routing/portability_i.h"
#include "routing/routing_i.h"
#include <stdbool.h>
#include <stdint.h>

struct event;
struct api_call;
struct deck;
enum { LCR_ROUTES_MAX = 500, LCR_FIELDS_MAX = 50 };

/* What the database has, found out at the first look-up. */
struct lcr_database {
	struct store *store;
	bool is_known, has_intrastate, has_intralata, has_npanxx, has_codec, has_cid, has_lrn;
	const char *random; /* its function, or NULL */
};
struct lcr_profile { /* counted: a look-up holds it across its waits */
	struct lcr_profile *next;
	char *name, *order_by, *custom_sql, *export_fields, *limit_type;
	char *failover; /* causes after which the next carrier is tried, of the dialplan; NULL: any */
	uint32_t id;
	char *order; /* order_by as it stands there, for decks */
	bool is_reordered, is_quoted, is_single, has_info_headers, is_redirect;
	bool is_memory; /* by the deck, not by a query */
	bool asks_portability;
};
extern struct lcr_database lcr_db;
extern struct lcr_profile *lcr_profiles;

struct lcr_quality { /* means of the last calls */
	uint64_t calls, answered, rung;
	double asr, acd_s, pdd_s; /* share that was answered; how long; until something rang */
};
enum lcr_field { LCR_RATE, LCR_INTRASTATE, LCR_INTRALATA };
struct lcr_offer { /* one carrier's price for a number: a row of a query, or of a deck; borrowed */
	struct sv digits, carrier, gw_prefix, gw_suffix, codec, prefix, suffix, cid, user_rate, limit_realm, limit_id;
	double price; /* < 0: there is none */
	size_t lead_strip, trail_strip;
	int limit_max;
	struct event *fields; /* every column of the row; NULL: made */
	const struct lcr_quality *quality;
	bool is_measured; /* its calls count for the carrier's quality */
};
struct lcr_route {
	char *digits, *carrier, *rate, *codec, *cid, *limit_realm, *limit_id, *key;
	char *dialstring; /* with marks */
	double rate_value;
	int limit_max;
	struct event *fields;       /* every column of its row */
	struct lcr_quality quality; /* as it was; no calls: nothing is known */
};
struct lcr_ask {
	struct leg *leg;             /* or NULL */
	const char *number, *cid;    /* with marks */
	const char *lrn;             /* digits, or NULL */
	struct lcr_profile *profile; /* a reference */
	struct portability ported;   /* what was said of the number; its source NULL: nobody was asked */
	bool is_intrastate, is_intralata;
	struct buf *why; /* not NULL: a line for each offer that is left out */
	/* found */
	struct lcr_route *routes; /* the caller frees them: lcr_ask_fini */
	size_t count;
};
/* A reference; NULL: there is none of that name. NULL, "": "default". */
ON_CTL struct lcr_profile *lcr_profile_find(const char *name);
CO void lcr_probe(void); /* finds out what the database has, once */
/* The SQL of a profile, ${lcr_...} not yet filled in. After lcr_probe. */
ON_CTL int lcr_template(const struct lcr_profile *p, struct buf *out);
CO int lcr_look(struct lcr_ask *a);
/* One more route, unless it is left out: too dear, or its gateway (its carrier, with single_bridge) is there. */
ON_CTL int lcr_offer_use(struct lcr_ask *a, const struct lcr_offer *o, double max_rate);

/* lcr_deck.c. digits, lrn: digits only. */
CO int lcr_deck_look(struct lcr_ask *a, const char *digits, const char *lrn, enum lcr_field field, double max_rate);
CO int lcr_deck_reload(void);                   /* who comes while one is under way gets its end */
CO const struct deck *lcr_deck(int64_t *age_s); /* read first where there is none; NULL: it cannot be */
ON_CTL void lcr_deck_stop(void);

/* lcr_quality.c. NULL: nothing is known; borrowed until control returns to the loop. */
ON_CTL const struct lcr_quality *lcr_quality_of(const char *carrier, const char *prefix);
ON_CTL void lcr_quality_print(struct buf *out);
ON_CTL int lcr_quality_start(void);
ON_CTL void lcr_quality_stop(void);
int api_route(struct api_call *c);
ON_CTL void lcr_ask_fini(struct lcr_ask *a);
int api_lcr(struct api_call *c);
int api_lcr_admin(struct api_call *c);
