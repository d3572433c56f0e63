/* A stream's packets under SRTP (src/srtp): two contexts, one each way, used by the media thread alone. What a context
 * refuses is counted there where the stream counts what nobody vouches for. */
#include "base/mem.h"
#include "media/rt/crypt.h"

#include <string.h>

_Static_assert((int)SRTP_TAIL_MAX <= (int)RT_CRYPT_TAIL, "a tag fits behind a packet");
struct crypt_srtp {
	struct rt_crypt base;
	struct srtp *out, *in;
	bool is_next; /* what is missing is taken over */
};

static int crypt_protect(struct rt_crypt *c, bool is_rtcp, uint8_t *p, size_t n)
{
	struct crypt_srtp *k = (struct crypt_srtp *)c;
	role_assert_media();
	if (!k->out)
		return ST_DENIED;
	return is_rtcp ? srtp_seal_rtcp(k->out, p, n) : srtp_seal(k->out, p, n);
}

static int crypt_unprotect(struct rt_crypt *c, bool is_rtcp, uint8_t *p, size_t n)
{
	struct crypt_srtp *k = (struct crypt_srtp *)c;
	role_assert_media();
	if (!k->in)
		return ST_DENIED;
	return is_rtcp ? srtp_open_rtcp(k->in, p, n) : srtp_open(k->in, p, n);
}

static void crypt_fetch(const struct rt_crypt *c, bool is_out)
{
	const struct crypt_srtp *k = (const struct crypt_srtp *)c;
	const struct srtp *way = is_out ? k->out : k->in;
	role_assert_media();
	if (way)
		srtp_fetch(way);
}

static void crypt_free(struct rt_crypt *c)
{
	struct crypt_srtp *k = (struct crypt_srtp *)c;
	srtp_free(k->out);
	srtp_free(k->in);
	mem_free(k);
}

static void crypt_follow(struct rt_crypt *c, struct rt_crypt *before);

static const struct rt_crypt_ops srtp_ops = {.name = "srtp",
    .protect = crypt_protect,
    .unprotect = crypt_unprotect,
    .fetch = crypt_fetch,
    .follow = crypt_follow,
    .free = crypt_free};

static void crypt_follow(struct rt_crypt *c, struct rt_crypt *before)
{
	struct crypt_srtp *k = (struct crypt_srtp *)c, *old = (struct crypt_srtp *)before;
	role_assert_media();
	if (!k->is_next || before->ops != &srtp_ops)
		return;
	if (!k->out)
		k->out = old->out, old->out = NULL;
	if (!k->in)
		k->in = old->in, old->in = NULL;
}

int rt_crypt_srtp_new(struct rt_crypt **out, enum srtp_suite s, const uint8_t *key_out, const uint8_t *key_in)
{
	struct crypt_srtp *k;
	if (key_out && key_in && !memcmp(key_out, key_in, srtp_key_bytes(s)))
		return ST_INVAL;
	if (!(k = mem_zalloc(sizeof(*k))))
		return ST_NOMEM;
	k->base.ops = &srtp_ops;
	int st = key_out ? srtp_new(&k->out, s, key_out) : ST_OK;
	if (!st && key_in)
		st = srtp_new(&k->in, s, key_in);
	if (st)
		crypt_free(&k->base);
	else
		*out = &k->base;
	return st;
}

int rt_crypt_srtp_next(struct rt_crypt **out, enum srtp_suite s, const uint8_t *key_out, const uint8_t *key_in)
{
	int st = rt_crypt_srtp_new(out, s, key_out, key_in);
	if (!st)
		((struct crypt_srtp *)*out)->is_next = true;
	return st;
}

void rt_crypt_free(struct rt_crypt *c)
{
	if (c)
		c->ops->free(c);
}
