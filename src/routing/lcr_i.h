/* Between the files of mod_lcr.
 *
 *   number, caller, profile -> digits and their prefixes -> the profile's SQL -> rows -> struct lcr_route, in order
 *        lcr_ask (lcr_look.c)                                                 '-> variables, dialplan, endpoint (lcr.c)
 *                                                                             '-> the command's table (lcr_show.c) */
#pragma once
#include "base/str.h"
#include "routing/routing_i.h"
#include <stdbool.h>
#include <stdint.h>

struct event;
struct api_call;
enum { LCR_ROUTES_MAX = 500, LCR_FIELDS_MAX = 50 };

/* What the database has, found out at the first look-up. */
struct lcr_database {
	struct store *store;
	bool is_known, has_intrastate, has_intralata, has_npanxx, has_codec, has_cid, has_lrn;
	const char *random; /* its function, or NULL */
};
struct lcr_profile {
	struct lcr_profile *next;
	char *name, *order_by, *custom_sql, *export_fields, *limit_type;
	uint32_t id;
	bool is_reordered, is_quoted, is_single, has_info_headers, is_redirect;
};
extern struct lcr_database lcr_db;
extern struct lcr_profile *lcr_profiles;

struct lcr_route {
	char *digits, *carrier, *rate, *codec, *cid, *limit_realm, *limit_id, *key;
	char *dialstring; /* with marks */
	double rate_value;
	int limit_max;
	struct event *fields; /* every column of its row */
};
struct lcr_ask {
	struct leg *leg;          /* or NULL */
	const char *number, *cid; /* with marks */
	const char *lrn;          /* digits, or NULL */
	const struct lcr_profile *profile;
	bool is_intrastate, is_intralata;
	/* found */
	struct lcr_route *routes; /* the caller frees them: lcr_ask_fini */
	size_t count;
};
ON_CTL const struct lcr_profile *lcr_profile_find(const char *name); /* NULL, "": the default one */
CO void lcr_probe(void);                                             /* finds out what the database has, once */
/* The SQL of a profile, ${lcr_...} not yet filled in. After lcr_probe. */
ON_CTL int lcr_template(const struct lcr_profile *p, struct buf *out);
CO int lcr_look(struct lcr_ask *a);
ON_CTL void lcr_ask_fini(struct lcr_ask *a);
int api_lcr(struct api_call *c);
int api_lcr_admin(struct api_call *c);
