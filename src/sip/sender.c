/* Who sends requests, by host (IPv6: by /64): how many server transactions are his, and how many bytes may still go to
 * his address. A datagram's source can be forged, so an address that has not shown that it receives our answers is sent
 * at most so many times what came from it (answer_factor; RFC 9000, 8.1, has three): every request adds to its credit,
 * every response is taken off. An ACK or an Authorization that repeats what only our answer said is the proof, and
 * worth a large credit. A provisional answer leaves enough for the final one, or is held back: who hears nothing
 * repeats his request, which pays. Only a final answer to who has heard a provisional one goes out in any case. The
 * table is bounded: of those without transactions the one heard longest ago is forgotten. */
#include "sip/sip_i.h"

enum {
	SENDERS_MAX = 16384,
	CREDIT_MAX_BYTES = 1 << 20,
	CREDIT_PROOF_BYTES = 64 << 10,
	CREDIT_RESERVE_BYTES = 800, /* for each final answer to come: one with SDP, in its shortest form */
	SECOND_US = 1000000
};
#define KNOWN_US (600 * 1000000LL)

static ON_CTL void sender_forget(struct sip_stack *s, struct sip_sender *d)
{
	list_remove(&d->link);
	sip_table_del(&s->sender_table, &d->node);
	mem_free(d);
}

/* The one heard longest ago that has no transaction; those with some go to the end on the way. */
static ON_CTL void room_make(struct sip_stack *s)
{
	for (int i = 0; i < 8 && s->sender_table.count >= SENDERS_MAX; i++) {
		struct sip_sender *d = list_entry(list_first(&s->senders), struct sip_sender, link);
		if (!d->refs) {
			sender_forget(s, d);
			continue;
		}
		list_remove(&d->link);
		list_push(&s->senders, &d->link);
	}
}

const struct sip_sender *sip_sender_find(const struct sip_stack *s, const struct addr *a)
{
	struct sip_node *node = sip_table_first(&s->sender_table, sip_key(addr_host_key(a), SV_NONE, SV_NONE, 4));
	return node ? list_entry(node, struct sip_sender, node) : NULL;
}

struct sip_sender *sip_sender_heard(struct sip_stack *s, const struct sip_source *src, size_t n)
{
	uint64_t key = sip_key(addr_host_key(&src->flow.peer), SV_NONE, SV_NONE, 4);
	struct sip_node *node = sip_table_first(&s->sender_table, key);
	struct sip_sender *d = node ? list_entry(node, struct sip_sender, node) : NULL;
	int64_t second = loop_now_us() / SECOND_US;
	if (!d) {
		room_make(s);
		d = mem_zalloc(sizeof(*d));
		if (!d)
			return NULL;
		sip_table_add(&s->sender_table, &d->node, key);
	}
	list_remove(&d->link);
	list_push(&s->senders, &d->link);
	if (!sip_flow_is_reliable(&src->flow))
		d->credit_bytes += (int64_t)n * s->cfg.answer_factor;
	if (d->credit_bytes > CREDIT_MAX_BYTES)
		d->credit_bytes = CREDIT_MAX_BYTES;
	if (d->second != second)
		d->second = second, d->second_count = 0;
	d->second_count++;
	return d;
}

void sip_sender_proved(struct sip_sender *d)
{
	if (!d)
		return;
	d->known_until_us = loop_now_us() + KNOWN_US;
	d->credit_bytes += CREDIT_PROOF_BYTES;
	if (d->credit_bytes > CREDIT_MAX_BYTES)
		d->credit_bytes = CREDIT_MAX_BYTES;
}

bool sip_sender_is_known(const struct sip_sender *d)
{
	return d && d->known_until_us > loop_now_us();
}

bool sip_sender_pays(const struct sip_stack *s, struct sip_sender *d, size_t n, enum sip_pay how, size_t final_n)
{
	int64_t bytes = (int64_t)n, reserve = 0;
	if (!s->cfg.answer_factor)
		return true;
	if (!d)
		return how == SIP_PAY_DUE;
	if (how == SIP_PAY_EARLY || how == SIP_PAY_REPEAT)
		reserve = (int64_t)CREDIT_RESERVE_BYTES * (d->active_count - d->unacked_count);
	if (final_n && reserve >= CREDIT_RESERVE_BYTES)
		reserve += (int64_t)final_n - CREDIT_RESERVE_BYTES;
	if (how != SIP_PAY_DUE && d->credit_bytes < bytes + reserve)
		return false;
	d->credit_bytes -= bytes;
	if (d->credit_bytes < -CREDIT_MAX_BYTES)
		d->credit_bytes = -CREDIT_MAX_BYTES;
	return true;
}

void sip_senders_free(struct sip_stack *s)
{
	struct lnode *n;
	while ((n = list_first(&s->senders)))
		sender_forget(s, list_entry(n, struct sip_sender, link));
}

/* ---- for users ---- */

bool sip_stx_is_known(const struct sip_stx *tx)
{
	return sip_sender_is_known(tx->src.sender);
}

unsigned sip_stx_sender_rate(const struct sip_stx *tx)
{
	return tx->src.sender ? tx->src.sender->second_count : 0;
}

void sip_stx_trust(struct sip_stx *tx)
{
	sip_sender_proved(tx->src.sender);
	if (tx->src.flow.conn)
		sip_conn_trust(tx->src.flow.conn);
}
