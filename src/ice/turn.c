/* One request is out at a time; when it is answered the next that is due follows: the allocation first and its refresh,
 * then permissions, then channels. Every answer may say that the nonce is old (438): asked again with the new one. A
 * permission that is refused is the end of that peer only; an allocation that is lost is the end of all. A peer's row
 * is its channel's number, which the server keeps for it for a quarter of an hour: so a row with one is left last. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "ice/turn.h"
#include <openssl/crypto.h>
#include <openssl/md5.h>
#include <string.h>

enum {
	RTO_US = 500000,
	RTO_MAX_US = 8000000,
	TRIES_MAX = 6,        /* some 23 s */
	STREAM_US = 39500000, /* RFC 8489 section 6.2.2: Ti */
	NONCES_MAX = 3,
	LIFETIME_S = 600,
	LIFETIME_MAX_S = 3600,
	PERMIT_US = 240000000,  /* of the 300 s that a permission lasts */
	CHANNEL_US = 540000000, /* of 600 s */
	SLACK_US = 60000000,    /* so much sooner than it ends, both */
	CHANNEL_FIRST = 0x4000,
	UDP = 17
};

static void fail(struct turn_client *c, const char *why, unsigned error)
{
	c->state = TURN_FAILED, c->why = why, c->error = error, c->ask = TURN_ASK_NONE;
	memset(&c->relayed, 0, sizeof(c->relayed));
}

int turn_begin(struct turn_client *c, const struct turn_conf *conf, int64_t now_us)
{
	size_t user = strlen(conf->username), password = strlen(conf->password);
	if (!user || user > TURN_USER_MAX || !password || password > TURN_PASSWORD_MAX)
		return ST_INVAL;
	*c = (struct turn_client){
	    .send = conf->send, .random = conf->random, .arg = conf->arg, .is_stream = conf->is_stream};
	memcpy(c->username, conf->username, user);
	memcpy(c->password, conf->password, password);
	(void)turn_run(c, now_us);
	return ST_OK;
}

/* ---- requests ---- */

static unsigned method_of(enum turn_ask ask)
{
	static const unsigned methods[] = {[TURN_ASK_ALLOCATE] = STUN_ALLOCATE,
	    [TURN_ASK_REFRESH] = STUN_REFRESH,
	    [TURN_ASK_PERMISSION] = STUN_PERMISSION,
	    [TURN_ASK_CHANNEL] = STUN_CHANNEL};
	return methods[ask];
}

static void put_credentials(struct turn_client *c, struct stun_out *o)
{
	if (c->has_key) {
		stun_put(o, STUN_A_USERNAME, c->username, strlen(c->username));
		stun_put(o, STUN_A_REALM, c->realm, strlen(c->realm));
		stun_put(o, STUN_A_NONCE, c->nonce, strlen(c->nonce));
	}
	stun_end(o, c->has_key ? &c->key : NULL, true);
}

static void ask_send(struct turn_client *c)
{
	int64_t rto_us = (int64_t)RTO_US << (c->tries < 4 ? c->tries : 4);
	struct stun_out o;

	stun_begin(&o, STUN_REQUEST, method_of(c->ask), c->txid);
	if (c->ask == TURN_ASK_ALLOCATE)
		stun_put_u32(&o, STUN_A_TRANSPORT, (uint32_t)UDP << 24);
	if (c->ask == TURN_ASK_ALLOCATE || c->ask == TURN_ASK_REFRESH)
		stun_put_u32(&o, STUN_A_LIFETIME, LIFETIME_S);
	if (c->ask == TURN_ASK_CHANNEL)
		stun_put_u32(&o, STUN_A_CHANNEL_NUMBER, (uint32_t)(CHANNEL_FIRST + c->ask_peer) << 16);
	if (c->ask == TURN_ASK_CHANNEL || c->ask == TURN_ASK_PERMISSION)
		stun_put_addr(&o, STUN_A_XOR_PEER, &c->peers[c->ask_peer].addr);
	put_credentials(c, &o);
	c->tries++;
	c->due_us = c->now_us + (c->is_stream ? STREAM_US : rto_us < RTO_MAX_US ? rto_us : RTO_MAX_US);
	if (!o.failed)
		c->send(o.p, o.n, c->arg);
}

static void ask_begin(struct turn_client *c, enum turn_ask ask, size_t peer)
{
	c->ask = ask, c->ask_peer = peer, c->tries = 0;
	c->random(c->txid, sizeof(c->txid));
	ask_send(c);
}

static bool is_wanted(const struct turn_peer *p)
{
	return addr_is_set(&p->addr) && !p->is_left;
}

static void ask_next(struct turn_client *c)
{
	c->nonces = 0;
	if (c->state == TURN_ASKING) {
		ask_begin(c, TURN_ASK_ALLOCATE, 0);
		return;
	}
	if (c->now_us >= c->refresh_us) {
		ask_begin(c, TURN_ASK_REFRESH, 0);
		return;
	}
	for (size_t i = 0; i < TURN_PEERS_MAX; i++) {
		struct turn_peer *p = &c->peers[i];
		if (!is_wanted(p) || p->is_refused)
			continue;
		if (c->now_us >= p->permit_us) {
			ask_begin(c, TURN_ASK_PERMISSION, i);
			return;
		}
		if (p->wants_channel && p->is_permitted && c->now_us >= p->channel_us) {
			ask_begin(c, TURN_ASK_CHANNEL, i);
			return;
		}
	}
}

/* Nobody answers: of a peer's the peer is without it, and it is asked for again in its time. */
static void ask_lost(struct turn_client *c)
{
	struct turn_peer *p = &c->peers[c->ask_peer];
	enum turn_ask ask = c->ask;

	c->ask = TURN_ASK_NONE;
	if (ask == TURN_ASK_ALLOCATE || ask == TURN_ASK_REFRESH)
		fail(c, "it does not answer", 0);
	else if (ask == TURN_ASK_PERMISSION)
		p->is_permitted = false, p->permit_us = c->now_us + RTO_MAX_US;
	else
		p->has_channel = false, p->channel_us = c->now_us + RTO_MAX_US;
}

int64_t turn_run(struct turn_client *c, int64_t now_us)
{
	int64_t due_us;

	c->now_us = now_us;
	if (c->state == TURN_FAILED)
		return INT64_MAX;
	if (c->ask && now_us >= c->due_us) {
		if (c->tries < TRIES_MAX && !c->is_stream)
			ask_send(c);
		else
			ask_lost(c);
	}
	if (!c->ask && c->state != TURN_FAILED)
		ask_next(c);
	if (c->ask)
		return c->due_us;
	if (c->state == TURN_FAILED)
		return INT64_MAX;
	due_us = c->refresh_us;
	for (size_t i = 0; i < TURN_PEERS_MAX; i++) {
		const struct turn_peer *p = &c->peers[i];
		if (!is_wanted(p) || p->is_refused)
			continue;
		if (p->permit_us < due_us)
			due_us = p->permit_us;
		if (p->wants_channel && p->is_permitted && p->channel_us < due_us)
			due_us = p->channel_us;
	}
	return due_us;
}

void turn_lost(struct turn_client *c, const char *why)
{
	if (c->state != TURN_FAILED)
		fail(c, why, 0);
}

void turn_end(struct turn_client *c, int64_t now_us)
{
	struct stun_out o;

	if (c->state == TURN_UP && c->has_key) {
		c->random(c->txid, sizeof(c->txid));
		stun_begin(&o, STUN_REQUEST, STUN_REFRESH, c->txid);
		stun_put_u32(&o, STUN_A_LIFETIME, 0);
		put_credentials(c, &o);
		if (!o.failed)
			c->send(o.p, o.n, c->arg);
	}
	fail(c, "it is given back", 0);
	OPENSSL_cleanse(c->password, sizeof(c->password));
	OPENSSL_cleanse(&c->key, sizeof(c->key));
}

/* ---- answers ---- */

static bool copy(char *out, size_t max, struct sv v)
{
	if (!v.n || v.n > max || memchr(v.p, 0, v.n))
		return false;
	memcpy(out, v.p, v.n);
	out[v.n] = 0;
	return true;
}

/* RFC 8489 section 9.2.2: MD5 of user:realm:password. */
static void key_make(struct turn_client *c)
{
	uint8_t digest[MD5_DIGEST_LENGTH];
	MD5_CTX m;

	MD5_Init(&m);
	MD5_Update(&m, c->username, strlen(c->username));
	MD5_Update(&m, ":", 1);
	MD5_Update(&m, c->realm, strlen(c->realm));
	MD5_Update(&m, ":", 1);
	MD5_Update(&m, c->password, strlen(c->password));
	MD5_Final(digest, &m);
	stun_key_set(&c->key, digest, sizeof(digest));
	OPENSSL_cleanse(digest, sizeof(digest));
	OPENSSL_cleanse(&m, sizeof(m));
	c->has_key = true;
}

/* 401 is only the first word; 438 may come with any. True: asked again. */
static bool is_asked_again(struct turn_client *c, const struct stun_msg *m)
{
	bool is_first = m->error == 401 && !c->has_key, is_stale = m->error == 438 && c->has_key;

	if ((!is_first && !is_stale) || ++c->nonces > NONCES_MAX || !copy(c->nonce, TURN_NONCE_MAX, m->nonce))
		return false;
	if (is_first && !copy(c->realm, TURN_REALM_MAX, m->realm))
		return false;
	if (is_first)
		key_make(c);
	ask_begin(c, c->ask, c->ask_peer);
	return true;
}

static void refused(struct turn_client *c, const struct stun_msg *m)
{
	struct turn_peer *p = &c->peers[c->ask_peer];
	enum turn_ask ask = c->ask;

	c->ask = TURN_ASK_NONE;
	if (ask == TURN_ASK_ALLOCATE)
		fail(c, m->error == 401 ? "user name or password are wrong" : "it refuses", m->error);
	else if (ask == TURN_ASK_REFRESH || m->error == 437)
		fail(c, "the allocation is lost", m->error);
	else if (ask == TURN_ASK_PERMISSION)
		p->is_refused = true, p->is_permitted = p->has_channel = false;
	else
		p->has_channel = p->wants_channel = false; /* by indications, then */
}

static void granted(struct turn_client *c, const struct stun_msg *m)
{
	struct turn_peer *p = &c->peers[c->ask_peer];
	enum turn_ask ask = c->ask;
	uint32_t s = m->has_lifetime ? m->lifetime_s : LIFETIME_S;

	c->ask = TURN_ASK_NONE;
	s = s < 5 ? 5 : s > LIFETIME_MAX_S ? LIFETIME_MAX_S : s;
	switch (ask) {
	case TURN_ASK_ALLOCATE:
		if (!addr_is_set(&m->relayed)) {
			fail(c, "it names no address", 0);
			return;
		}
		c->relayed = m->relayed;
		c->state = TURN_UP;
		c->refresh_us = c->now_us + (int64_t)s * 800000;
		break;
	case TURN_ASK_REFRESH:
		c->refresh_us = c->now_us + (int64_t)s * 800000;
		break;
	case TURN_ASK_PERMISSION:
		p->is_permitted = true;
		p->permit_us = c->now_us + PERMIT_US;
		break;
	case TURN_ASK_CHANNEL:
		p->has_channel = true;
		p->channel_us = c->now_us + CHANNEL_US;
		break;
	case TURN_ASK_NONE:
		break;
	}
}

static void answer_in(struct turn_client *c, const struct stun_msg *m)
{
	if (!c->ask || m->method != method_of(c->ask) || memcmp(m->txid, c->txid, sizeof(c->txid)))
		return;
	if (m->class == STUN_ERROR) {
		/* those of credentials are not signed; others are, by servers that know the key */
		if (!is_asked_again(c, m))
			refused(c, m);
	} else if (c->has_key && stun_is_signed(m, &c->key)) {
		granted(c, m);
	} else {
		return;
	}
	(void)turn_run(c, c->now_us);
}

static struct turn_peer *peer_of(struct turn_client *c, const struct addr *at)
{
	for (size_t i = 0; i < TURN_PEERS_MAX; i++)
		if (addr_is_set(&c->peers[i].addr) && addr_eq(&c->peers[i].addr, at))
			return &c->peers[i];
	return NULL;
}

/* The channel's number, the length, the bytes. */
static bool channel_in(struct turn_client *c, const uint8_t *p, size_t n, struct addr *from, struct sv *data)
{
	size_t i = ((size_t)p[0] << 8 | p[1]) - CHANNEL_FIRST, len = (size_t)p[2] << 8 | p[3];
	if (i >= TURN_PEERS_MAX || len > n - 4 || !c->peers[i].has_channel)
		return false;
	*from = c->peers[i].addr;
	*data = (struct sv){(const char *)p + 4, len};
	return true;
}

/* ---- rows of peers ---- */

/* What is asked for it is not asked any more. */
static void row_free(struct turn_client *c, struct turn_peer *p)
{
	if ((c->ask == TURN_ASK_PERMISSION || c->ask == TURN_ASK_CHANNEL) && &c->peers[c->ask_peer] == p)
		c->ask = TURN_ASK_NONE;
	memset(p, 0, sizeof(*p));
}

/* A free one, else the one left whose channel is the oldest: the server may refuse its number to another peer, which is
 * then spoken to by indications. NULL: all are wanted. */
static struct turn_peer *row_take(struct turn_client *c)
{
	struct turn_peer *oldest = NULL;

	for (size_t i = 0; i < TURN_PEERS_MAX; i++) {
		struct turn_peer *p = &c->peers[i];
		if (!addr_is_set(&p->addr))
			return p;
		if (p->is_left && (!oldest || p->channel_us < oldest->channel_us))
			oldest = p;
	}
	if (oldest)
		row_free(c, oldest);
	return oldest;
}

/* Of those learned the oldest gives way, but not the one in use: whoever has the host has all its ports. */
static struct turn_peer *row_take_learned(struct turn_client *c)
{
	struct turn_peer *oldest = NULL;
	size_t count = 0;

	for (size_t i = 0; i < TURN_PEERS_MAX; i++) {
		struct turn_peer *p = &c->peers[i];
		if (!is_wanted(p) || !p->learned_us)
			continue;
		count++;
		if (!p->wants_channel && (!oldest || p->learned_us < oldest->learned_us))
			oldest = p;
	}
	if (count < TURN_LEARNED_MAX)
		return row_take(c);
	if (oldest)
		row_free(c, oldest);
	return oldest;
}

/* It is wanted again: what it has of the server holds for a while, and is asked for anew. */
static void row_revive(struct turn_client *c, struct turn_peer *p)
{
	p->is_permitted = p->is_permitted && c->now_us < p->permit_us + SLACK_US;
	p->has_channel = p->wants_channel = p->has_channel && c->now_us < p->channel_us + SLACK_US;
	p->permit_us = p->channel_us = 0;
	p->is_left = false;
}

/* A permission is of a host: another port of one that has it is a peer as well, found behind a translator. */
static void learn(struct turn_client *c, const struct addr *from)
{
	const struct turn_peer *host = NULL;
	struct turn_peer *p = peer_of(c, from);

	if (p && !p->is_left)
		return;
	for (size_t i = 0; i < TURN_PEERS_MAX && !host; i++)
		if (is_wanted(&c->peers[i]) && c->peers[i].is_permitted && addr_eq_host(&c->peers[i].addr, from))
			host = &c->peers[i];
	if (!host)
		return;
	struct turn_peer learned = {
	    .addr = *from, .is_permitted = true, .permit_us = host->permit_us, .learned_us = c->now_us};
	if (p)
		row_revive(c, p), p->learned_us = c->now_us;
	else if ((p = row_take_learned(c)))
		*p = learned;
}

bool turn_packet(struct turn_client *c, const uint8_t *p, size_t n, int64_t now_us, struct addr *from, struct sv *data)
{
	struct stun_msg m;

	c->now_us = now_us;
	if (n < 4 || c->state == TURN_FAILED)
		return false;
	if (p[0] >> 6 == 1)
		return c->state == TURN_UP && channel_in(c, p, n, from, data);
	if (stun_parse(p, n, &m))
		return false;
	if (m.class == STUN_SUCCESS || m.class == STUN_ERROR) {
		answer_in(c, &m);
		return false;
	}
	if (m.class != STUN_INDICATION || m.method != STUN_DATA || !addr_is_set(&m.peer) || !m.data.n)
		return false;
	learn(c, &m.peer);
	*from = m.peer;
	*data = m.data;
	return true;
}

/* ---- peers ---- */

int turn_peer_add(struct turn_client *c, const struct addr *peer)
{
	struct turn_peer *p = peer_of(c, peer);

	if (!p && peer->sa.sa_family != c->relayed.sa.sa_family)
		return ST_INVAL;
	if (p && p->is_left)
		row_revive(c, p);
	else if (!p && (p = row_take(c)))
		p->addr = *peer;
	if (!p)
		return ST_FULL;
	p->learned_us = 0;
	return ST_OK;
}

void turn_peers_leave(struct turn_client *c, const struct addr *keep)
{
	for (size_t i = 0; i < TURN_PEERS_MAX; i++) {
		struct turn_peer *p = &c->peers[i];
		if (!addr_is_set(&p->addr) || (keep && addr_eq(&p->addr, keep)))
			continue;
		if (p->has_channel)
			p->is_left = true;
		else
			row_free(c, p);
	}
}

void turn_channel_want(struct turn_client *c, const struct addr *peer)
{
	struct turn_peer *p = peer_of(c, peer);
	if (p)
		p->wants_channel = true;
}

size_t turn_head(struct turn_client *c, const struct addr *peer, size_t n, uint8_t head[TURN_HEAD_BYTES], size_t *pad)
{
	const struct turn_peer *p = peer_of(c, peer);
	struct stun_out o;
	uint8_t txid[STUN_TXID_BYTES];

	if (!p || c->state != TURN_UP || !p->is_permitted || n > STUN_BYTES_MAX)
		return 0;
	*pad = (4 - n % 4) % 4;
	if (p->has_channel) {
		*pad = c->is_stream ? *pad : 0; /* section 12.5 */
		unsigned number = CHANNEL_FIRST + (unsigned)(p - c->peers);
		head[0] = (uint8_t)(number >> 8), head[1] = (uint8_t)number;
		head[2] = (uint8_t)(n >> 8), head[3] = (uint8_t)n;
		return 4;
	}
	c->random(txid, sizeof(txid));
	stun_begin(&o, STUN_INDICATION, STUN_SEND, txid);
	stun_put_addr(&o, STUN_A_XOR_PEER, &p->addr);
	size_t body = o.n - STUN_HEADER_BYTES + 4 + n + *pad;
	memcpy(head, o.p, o.n);
	head[2] = (uint8_t)(body >> 8), head[3] = (uint8_t)body;
	head[o.n] = STUN_A_DATA >> 8, head[o.n + 1] = STUN_A_DATA & 255;
	head[o.n + 2] = (uint8_t)(n >> 8), head[o.n + 3] = (uint8_t)n;
	return o.n + 4;
}
