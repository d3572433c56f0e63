/* Private to tx_server.c, tx_server_in.c and tx_server_text.c: a transaction made by the request that came in, and the
 * text of its responses. What the rest of the room needs of it is in sip_i.h. */
#pragma once
#include "sip/sip_i.h"

/* ---- tx_server.c ---- */
/* A transaction for m under that key of the table; NULL: out of memory. Borrowed: it lives until it is killed. */
ON_CTL struct sip_stx *sip_stx_new(
    struct sip_stack *s, const struct sip_source *src, const struct sip_msg *m, uint64_t key);
/* A new INVITE: 100 at once, or when nothing else was said for a while (trying_delay_ms). */
ON_CTL void sip_stx_trying(struct sip_stx *tx);
ON_CTL void sip_stx_confirm(struct sip_stx *tx); /* the ACK for its 3xx to 6xx came; tx may be gone */

/* ---- tx_server_text.c ---- */
struct stx_response {
	int code;
	const char *phrase, *headers, *ctype;
	struct sv body;
	const char *contact;
	bool has_record_route, is_short /* without what only describes us */;
};
/* What every response to m begins with: Via, From, Call-ID, CSeq and Timestamp (*head_n bytes), To without its end
 * (*to_n), Record-Route (*rr_n). What m lacks is not made up: only a 400 answers such a request. */
ANY void sip_stx_put_head(struct buf *b, const struct sip_msg *m, const struct sip_source *src, uint32_t *head_n,
    uint32_t *to_n, uint32_t *rr_n);
/* The whole response to the stack's scratch. to_tag: NULL = none is added. */
ON_CTL void sip_stx_put_response(struct sip_stx *tx, const struct stx_response *r, const char *to_tag);
/* The To tag of answers that are not kept: from the request and our key, so the same for each retransmission, and
 * nobody knows it who did not get the answer. */
ANY uint64_t sip_stx_once_tag(const struct sip_msg *m);
ANY void sip_stx_once_tag_text(uint64_t tag, char out[SIP_TAG_CHARS + 1]);
