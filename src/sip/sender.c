/* Who sends requests, by host (IPv6: by /64): how many server transactions are his, and how many bytes may still go to
 * his address. A datagram's source can be forged, so an address that has not shown that it receives our answers is sent
 * at most three times what came from it (as RFC 9000, 8.1, has it): every request adds to its credit, every response is
 * taken off. An ACK or an Authorization that repeats what only our answer said is the proof, and worth a large credit.
 * Repetitions beyond that come out of one small bucket for all, so that a lost packet costs no call. The table is
 * bounded: of those without transactions the one heard longest ago is forgotten. */
#include "sip/sip_i.h"

enum {
	SENDERS_MAX = 16384,
	CREDIT_FACTOR = 3,
	CREDIT_MAX_BYTES = 1 << 20,
	CREDIT_PROOF_BYTES = 64 << 10,
	BUCKET_BYTES = 128 << 10, /* of repetitions to anybody */
	BUCKET_BYTES_PER_S = 32 << 10,
	SECOND_US = 1000000
};
#define KNOWN_US (600 * 1000000LL)

static uint64_t sender_key(const struct addr *a)
{
	if (a->sa.sa_family == AF_INET6)
		return sip_key((struct sv){(const char *)&a->in6.sin6_addr, 8}, SV_NONE, SV_NONE, 4);
	return sip_key((struct sv){(const char *)&a->in4.sin_addr, 4}, SV_NONE, SV_NONE, 4);
}

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

struct sip_sender *sip_sender_heard(struct sip_stack *s, const struct sip_source *src, size_t n)
{
	uint64_t key = sender_key(&src->peer);
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
	if (src->transport == SIP_UDP)
		d->credit_bytes += (int64_t)n * CREDIT_FACTOR;
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

bool sip_sender_pays(struct sip_stack *s, struct sip_sender *d, size_t n, enum sip_pay how)
{
	int64_t now = loop_now_us(), bytes = (int64_t)n;
	if (!d)
		return how == SIP_PAY_MUST;
	if (how == SIP_PAY_MUST || d->credit_bytes >= bytes) {
		d->credit_bytes -= bytes;
		if (d->credit_bytes < -CREDIT_MAX_BYTES)
			d->credit_bytes = -CREDIT_MAX_BYTES;
		return true;
	}
	if (how == SIP_PAY_REPEAT) {
		s->bucket_bytes += (now - s->bucket_us) * BUCKET_BYTES_PER_S / SECOND_US;
		s->bucket_us = now;
		if (s->bucket_bytes > BUCKET_BYTES)
			s->bucket_bytes = BUCKET_BYTES;
		if (s->bucket_bytes >= bytes) {
			s->bucket_bytes -= bytes;
			return true;
		}
	}
	return false;
}

void sip_senders_init(struct sip_stack *s)
{
	s->bucket_bytes = BUCKET_BYTES;
	s->bucket_us = loop_now_us();
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
	if (tx->src.conn)
		sip_conn_trust(tx->src.conn);
}
