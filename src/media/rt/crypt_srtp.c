/* Each direction has a context of its own (srtp.h), made by control with all it needs; the media thread only turns
 * packets. A new agreement is a new object: counters and windows never outlive the keys they belong to. What has no
 * keys refuses, so that a stream that is to be secure is silent until it is. Handshakes (packet) are not for this one:
 * who agrees on keys by DTLS puts this in its place when it has them. */
#include "media/rt/crypt_srtp.h"
#include "base/mem.h"
#include "media/rt/rt.h"

#include <string.h>

_Static_assert((int)SRTP_TAIL_MAX <= (int)RT_CRYPT_TAIL, "room behind a packet");

struct crypt_srtp {
	struct rt_crypt base;
	struct srtp *out, *in; /* NULL: no keys */
};

static int crypt_srtp_protect(struct rt_crypt *c, bool is_rtcp, uint8_t *p, size_t n)
{
	struct srtp *out = ((struct crypt_srtp *)c)->out;
	if (!out)
		return ST_DENIED;
	return is_rtcp ? srtp_seal_rtcp(out, p, n) : srtp_seal(out, p, n);
}

static int crypt_srtp_unprotect(struct rt_crypt *c, bool is_rtcp, uint8_t *p, size_t n)
{
	struct srtp *in = ((struct crypt_srtp *)c)->in;
	if (!in)
		return ST_DENIED;
	return is_rtcp ? srtp_open_rtcp(in, p, n) : srtp_open(in, p, n);
}

static void crypt_srtp_free(struct rt_crypt *c)
{
	struct crypt_srtp *k = (struct crypt_srtp *)c;
	srtp_free(k->out);
	srtp_free(k->in);
	mem_free(k);
}

static const struct rt_crypt_ops crypt_srtp_ops = {
    .name = "srtp", .protect = crypt_srtp_protect, .unprotect = crypt_srtp_unprotect, .free = crypt_srtp_free};

static int half_new(struct srtp **out, enum srtp_suite s, const uint8_t *key)
{
	return s == SRTP_NONE ? ST_OK : srtp_new(out, s, key);
}

int rt_crypt_srtp_new(struct rt_crypt **out, const struct rt_srtp_conf *conf)
{
	if (conf->out_suite != SRTP_NONE && conf->out_suite == conf->in_suite &&
	    memcmp(conf->out_key, conf->in_key, srtp_key_bytes(conf->out_suite)) == 0)
		return ST_INVAL;
	struct crypt_srtp *k = mem_zalloc(sizeof(*k));
	if (!k)
		return ST_NOMEM;
	k->base.ops = &crypt_srtp_ops;
	int st = half_new(&k->out, conf->out_suite, conf->out_key);
	if (st == ST_OK)
		st = half_new(&k->in, conf->in_suite, conf->in_key);
	if (st != ST_OK) {
		crypt_srtp_free(&k->base);
		return st;
	}
	*out = &k->base;
	return ST_OK;
}
