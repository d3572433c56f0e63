/* What `show` shows, for who keeps a copy elsewhere: the columns of a leg, the two sorts of rows made of them, and the
 * rows of the other reports. */
#pragma once
#include "base/role.h"
#include <stdbool.h>
#include <stddef.h>

struct leg;
/* One leg's columns, in the order of `show channels`; the views pick from them by index. */
enum api_leg_col {
	L_UUID,
	L_DIRECTION,
	L_CREATED,
	L_CREATED_EPOCH,
	L_NAME,
	L_STATE,
	L_CID_NAME,
	L_CID_NUM,
	L_IP_ADDR,
	L_DEST,
	L_APPLICATION,
	L_APPLICATION_DATA,
	L_DIALPLAN,
	L_CONTEXT,
	L_READ_CODEC,
	L_READ_RATE,
	L_READ_BIT_RATE,
	L_WRITE_CODEC,
	L_WRITE_RATE,
	L_WRITE_BIT_RATE,
	L_SECURE,
	L_HOSTNAME,
	L_PRESENCE_ID,
	L_PRESENCE_DATA,
	L_ACCOUNTCODE,
	L_CALLSTATE,
	L_CALLEE_NAME,
	L_CALLEE_NUM,
	L_CALLEE_DIRECTION,
	L_CALL_UUID,
	L_SENT_CALLEE_NAME,
	L_SENT_CALLEE_NUM,
	L_INITIAL_CID_NAME,
	L_INITIAL_CID_NUM,
	L_INITIAL_IP_ADDR,
	L_INITIAL_DEST,
	L_INITIAL_DIALPLAN,
	L_INITIAL_CONTEXT,
	L_CALL_EPOCH /* not of the leg: of its call */
};
enum { LEG_COLS = L_CALL_EPOCH, LEG_NUMBER_CHARS = 24 };
extern const char *const api_leg_cols[]; /* their names, NULL-ended */

/* Values of one leg: pointers into the leg, or into the numbers here; NULL is empty. Valid until something waits. */
struct api_leg_values {
	const char *v[LEG_COLS];
	char created[LEG_NUMBER_CHARS], epoch[LEG_NUMBER_CHARS], rate[LEG_NUMBER_CHARS], bit_rate[LEG_NUMBER_CHARS];
};
ON_CTL void api_leg_values(struct leg *leg, struct api_leg_values *out);
/* Of two bridged legs the one that runs the bridge is the caller; two alike: the older one. */
ON_CTL bool api_leg_is_callee(const struct leg *leg, const struct leg *peer);
/* A call in one row: columns of A, then columns of B (their names get b_); returns how many of B. Each has room for
 * LEG_COLS. */
ANY size_t api_call_columns(bool is_detailed, unsigned char *a, size_t *a_count, unsigned char *b);
/* The rows of a report that is not of legs ("tasks", "aliases", "complete", "nat_map"), in the order of its columns;
 * NULL is empty. */
ON_CTL void api_show_each(const char *report, void (*fn)(const char *const *values, void *arg), void *arg);
