/* The media thread's part of DTLS-SRTP: it thinks nothing. A datagram that the finder vouches for is written into the
 * ring as it is, or dropped when control is behind (the far side sends it again), and control is told. Before there are
 * keys packets of either direction are refused: nothing goes in the clear for as long as a handshake takes, or for
 * ever if it fails. */
#include "base/mem.h"
#include "media/rt/crypt.h"
#include "media/rt/dtls.h"
#include "media/rt/rt_i.h"

#include <string.h>

struct crypt_dtls {
	struct rt_crypt base;
	struct rt_crypt *keys;
	struct rt_ring *in; /* NULL: nothing is to be heard any more */
	bool is_settled;    /* only alerts are */
	struct addr from;   /* of the last datagram */
};
struct dtls_out {
	struct rt_told base;
	struct rt_ring *settled, *late; /* that gives way to the other; then without bytes */
	size_t n;
	uint8_t bytes[];
};

static struct crypt_dtls *of(struct rt_crypt *c)
{
	return (struct crypt_dtls *)c;
}

static int dtls_protect(struct rt_crypt *c, bool is_rtcp, uint8_t *p, size_t n)
{
	struct rt_crypt *k = of(c)->keys;
	return k ? k->ops->protect(k, is_rtcp, p, n) : ST_DENIED;
}

static int dtls_unprotect(struct rt_crypt *c, bool is_rtcp, uint8_t *p, size_t n)
{
	struct rt_crypt *k = of(c)->keys;
	return k ? k->ops->unprotect(k, is_rtcp, p, n) : ST_DENIED;
}

static void dtls_fetch(const struct rt_crypt *c, bool is_out)
{
	const struct rt_crypt *k = ((const struct crypt_dtls *)c)->keys;
	if (k && k->ops->fetch)
		k->ops->fetch(k, is_out);
}

/* A record: the length, then the bytes up to the next word. */
static size_t record_bytes(size_t n)
{
	return 8 + ((n + 7) & ~(size_t)7);
}

static size_t room_left(struct rt_ring *r)
{
	uint64_t written = atomic_load_explicit(&r->written, memory_order_relaxed);
	return r->cap - (size_t)(written - atomic_load_explicit(&r->read, memory_order_acquire));
}

/* Alert, version, epoch 1: what is not one is not worth a worker's turn. Who sends it is proven there. */
static bool may_be_alert(const uint8_t *p, size_t n)
{
	enum { HEADER_BYTES = 13, ALERT_MAX = 64, TYPE_ALERT = 21 };
	return n > HEADER_BYTES && n <= ALERT_MAX && p[0] == TYPE_ALERT && !p[3] && p[4] == 1;
}

static void dtls_packet(struct rt_crypt *c, struct rt_stream *s, const struct addr *from, const uint8_t *p, size_t n)
{
	struct crypt_dtls *d = of(c);
	uint64_t record[RT_DTLS_RECORD_MAX / 8];
	size_t bytes = record_bytes(n);

	role_assert_media();
	if (!n || bytes > sizeof(record) || !d->in || room_left(d->in) < bytes ||
	    (d->is_settled && !may_be_alert(p, n))) {
		s->in_wrong++, s->t->dropped++;
		return;
	}
	d->from = *from;
	record[0] = n;
	record[bytes / 8 - 1] = 0;
	memcpy(record + 1, p, n);
	rt_ring_write(d->in, record, bytes);
	rt_stream_plug_tell(s, MEDIA_PLUG_CRYPT);
}

static void dtls_told(struct rt_crypt *c, struct rt_stream *s, const struct rt_told *told)
{
	const struct dtls_out *o = (const struct dtls_out *)told;
	const struct addr *to = addr_is_set(&of(c)->from) ? &of(c)->from : &s->remote_rtp;

	role_assert_media();
	if (o->settled && o->settled == of(c)->in) {
		mem_unref(of(c)->in);
		of(c)->in = o->late ? mem_ref(o->late) : NULL;
		of(c)->is_settled = true;
	}
	if (!addr_is_set(to))
		return;
	for (size_t at = 0; o->n - at >= 2;) {
		size_t n = (size_t)o->bytes[at] << 8 | o->bytes[at + 1];
		at += 2;
		if (n > o->n - at)
			break;
		rt_stream_send(s, to, o->bytes + at, n);
		at += n;
	}
}

static void dtls_follow(struct rt_crypt *c, struct rt_crypt *before);
static void dtls_free_crypt(struct rt_crypt *c)
{
	rt_crypt_free(of(c)->keys);
	mem_unref(of(c)->in);
	mem_free(c);
}

static const struct rt_crypt_ops dtls_ops = {.name = "dtls",
    .protect = dtls_protect,
    .unprotect = dtls_unprotect,
    .fetch = dtls_fetch,
    .packet = dtls_packet,
    .told = dtls_told,
    .follow = dtls_follow,
    .free = dtls_free_crypt};

static void dtls_follow(struct rt_crypt *c, struct rt_crypt *before)
{
	role_assert_media();
	if (before->ops == &dtls_ops && of(c)->in && of(before)->in == of(c)->in)
		of(c)->from = of(before)->from;
}

int rt_crypt_dtls_new(struct rt_crypt **out, struct rt_ring *datagrams, struct rt_crypt *keys)
{
	struct crypt_dtls *d = mem_zalloc(sizeof(*d));
	if (!d)
		return ST_NOMEM;
	d->base.ops = &dtls_ops;
	d->in = mem_ref(datagrams);
	d->keys = keys;
	*out = &d->base;
	return ST_OK;
}

/* ---- control's end ---- */

static void out_free(struct rt_told *t)
{
	mem_unref(((struct dtls_out *)t)->settled);
	mem_unref(((struct dtls_out *)t)->late);
	mem_free(t);
}

int rt_dtls_out_new(struct rt_told **out, struct sv datagrams)
{
	struct dtls_out *o = mem_zalloc(sizeof(*o) + datagrams.n);
	if (!o)
		return ST_NOMEM;
	o->base.free = out_free;
	o->n = datagrams.n;
	memcpy(o->bytes, datagrams.p, datagrams.n);
	*out = &o->base;
	return ST_OK;
}

int rt_dtls_settled_new(struct rt_told **out, struct rt_ring *datagrams, struct rt_ring *late)
{
	int st = rt_dtls_out_new(out, SV(""));
	if (st)
		return st;
	((struct dtls_out *)*out)->settled = mem_ref(datagrams);
	((struct dtls_out *)*out)->late = late ? mem_ref(late) : NULL;
	return ST_OK;
}

size_t rt_dtls_take(struct rt_ring *r, uint8_t *p)
{
	uint64_t read = atomic_load_explicit(&r->read, memory_order_relaxed), n = 0;

	if (read == atomic_load_explicit(&r->written, memory_order_acquire))
		return 0;
	rt_ring_copy(r, read, &n, sizeof(n));
	rt_ring_copy(r, read + 8, p, (size_t)n);
	atomic_store_explicit(&r->read, read + record_bytes((size_t)n), memory_order_release);
	return (size_t)n;
}
