/* What this room's files share, and its tests. */
#pragma once
#include "endpoint/sip/reg/reg.h"

/* ---- outbound.c ---- */
struct reg_outbound {
	struct sv instance; /* empty = none told */
	unsigned reg_id;    /* 0 = no flow */
};
/* What a Contact of m says; 0, or the code it is refused with. */
ANY int outbound_read(const struct sip_msg *m, const struct sip_nameaddr *contact, struct reg_outbound *out);
ANY struct sv outbound_instance(struct sv value); /* of +sip.instance's value, unquoted */
/* The addresses of Path as "<a>,<b>", and how many; ST_INVAL: none of the grammar, or too many. */
ANY int outbound_path_put(const struct sip_msg *m, struct buf *out, size_t *count);
#define FLOW_TIMER_S 120

/* ---- gruu.c ---- */
/* ";pub-gruu=...;temp-gruu=..." behind the contact, when it has an instance. */
ON_CTL void gruu_put(const struct reg *r, struct buf *b);
