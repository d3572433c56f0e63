/* What the files of the subscription usage share. */
#pragma once
#include "sip/sip_i.h"
#include "sip/sub.h"

struct sip_sub {
	struct sip_usage usage;
	const struct sip_sub_handlers *h;
	void *arg;
	bool is_notifier, is_last_sent;
	char event[32], id[32];
	struct sip_ctx *ctx; /* the latest NOTIFY, not finally answered */
	/* Of a dialog of its own: where the far side was when it was last believed. Who only knows the dialog's
	 * identifiers does not draw the NOTIFYs to himself. */
	bool has_where;
	uint8_t transport;
	struct addr remote, local;
};
ON_CTL void sip_sub_where_set(struct sip_sub *u); /* the dialog goes there */
extern const struct sip_usage_ops sip_sub_ops;
/* Of no dialog yet. ST_INVAL: event or id is no token, or too long. */
ON_CTL int sip_sub_make(
    struct sip_sub **out, const struct sip_sub_params *p, const struct sip_sub_handlers *h, void *arg);
