/* Failures are counted twice: by (address, user), and by address. Many sit behind one address, and a phone with a wrong
 * password tries it all day: that bans this user there, and nobody else. Only an address that fails for several users
 * (a scanner's way) or very often is banned as a whole, and where right passwords come from as well it takes many times
 * more. Each ban of the same lasts twice as long as the one before. Addresses of IPv6 count by /64. Both tables are
 * bounded; of those watched the one that failed longest ago gives way, so a flood of names takes memory from nobody. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "guard/ban_i.h"

#include <stdio.h>
#include <string.h>

enum { USERS_SEEN = 8 };
#define KNOWN_US (3600 * 1000000LL)

struct watched {
	unsigned failures, bans;
	int64_t first_us;           /* of this window */
	int64_t known_us;           /* a right password came; 0 = never */
	uint64_t users[USERS_SEEN]; /* hashes of different names */
	unsigned user_count;
};
struct ban_table {
	struct hash *watched, *bans;
};

static void plain_free(void *p)
{
	mem_free(p);
}

int ban_table_new(struct ban_table **out)
{
	struct ban_table *t = mem_zalloc(sizeof(*t));
	if (!t || hash_new(&t->watched, 0, plain_free) || hash_new(&t->bans, 0, plain_free)) {
		ban_table_free(t);
		return ST_NOMEM;
	}
	*out = t;
	return ST_OK;
}

void ban_table_free(struct ban_table *t)
{
	if (!t)
		return;
	hash_free(t->watched);
	hash_free(t->bans);
	mem_free(t);
}

/* The host, then the user in small letters: one name is one row however it is written. */
static struct sv key_of(const struct addr *src, struct sv user, char out[BAN_KEY_MAX])
{
	struct sv host = addr_host_key(src);
	size_t n = user.n < BAN_USER_MAX ? user.n : BAN_USER_MAX;
	memcpy(out, host.p, host.n);
	for (size_t i = 0; i < n; i++)
		out[host.n + i] = user.p[i] >= 'A' && user.p[i] <= 'Z' ? (char)(user.p[i] | 0x20) : user.p[i];
	return (struct sv){out, host.n + n};
}

/* Its row, as the youngest; made when there is none. */
static struct watched *watch(struct ban_table *t, struct sv key)
{
	struct watched *w = hash_take(t->watched, key);
	struct hash_it it = {0};
	if (!w && !(w = mem_zalloc(sizeof(*w))))
		return NULL;
	if (hash_count(t->watched) >= BAN_ROWS_MAX && hash_next(t->watched, &it))
		hash_del(t->watched, it.key);
	if (hash_set(t->watched, key, w)) {
		mem_free(w);
		return NULL;
	}
	return w;
}

static void fail_count(struct watched *w, const struct ban_conf *c, struct sv user, int64_t now_us)
{
	if (!w->failures || now_us - w->first_us > clock_us_of_s(c->window_s))
		w->failures = w->user_count = 0, w->first_us = now_us;
	w->failures++;
	uint64_t h = hash_bytes(user.p ? user.p : "", user.n);
	for (unsigned i = 0; i < w->user_count; i++)
		if (w->users[i] == h)
			return;
	if (w->user_count < USERS_SEEN)
		w->users[w->user_count++] = h;
}

static const struct ban *begin(struct ban_table *t, const struct ban_conf *c, struct watched *w, const struct addr *src,
    struct sv user, unsigned first_s, int64_t now_us)
{
	char reason[BAN_REASON_MAX];
	const struct ban *b = NULL;
	uint64_t s = first_s;
	for (unsigned i = 0; i < w->bans && s < c->max_ban_s; i++)
		s *= 2;
	if (s > c->max_ban_s)
		s = c->max_ban_s;
	snprintf(reason, sizeof(reason), "%u wrong passwords, %u users", w->failures, w->user_count);
	if (ban_put(t, src, user, reason, now_us, now_us + clock_us_of_s((int64_t)s), &b))
		return NULL;
	w->bans += w->bans < 32;
	w->failures = 0;
	return b;
}

const struct ban *ban_failed(
    struct ban_table *t, const struct ban_conf *c, const struct addr *src, struct sv user, int64_t now_us)
{
	char key[BAN_KEY_MAX], user_key[BAN_KEY_MAX];
	const struct ban *b;
	struct sv pair = key_of(src, user, user_key), name = sv_sub(pair, addr_host_key(src).n, SIZE_MAX);
	struct watched *w = watch(t, key_of(src, SV_NONE, key));
	if (!w)
		return NULL;
	fail_count(w, c, name, now_us);
	uint64_t factor = w->known_us && now_us - w->known_us < KNOWN_US && c->known_factor ? c->known_factor : 1;
	/* very often counts even of one name: a list of passwords, or a door without names */
	uint64_t most = c->address_failures * factor;
	bool is_many = w->user_count >= c->address_users || !user.n || w->failures >= 5 * most;
	if (c->address_failures && w->failures >= most && is_many &&
	    (b = begin(t, c, w, src, SV_NONE, c->address_ban_s, now_us)))
		return b;
	if (!user.n || !c->user_failures || !(w = watch(t, pair)))
		return NULL;
	fail_count(w, c, name, now_us);
	return w->failures >= c->user_failures ? begin(t, c, w, src, user, c->user_ban_s, now_us) : NULL;
}

void ban_succeeded(struct ban_table *t, const struct addr *src, int64_t now_us)
{
	char key[BAN_KEY_MAX];
	struct sv k = key_of(src, SV_NONE, key);
	struct watched *w = hash_get(t->watched, k);
	if (w || (w = watch(t, k)))
		w->known_us = now_us;
}

struct ban *ban_of(struct ban_table *t, const struct addr *src, struct sv user, int64_t now_us)
{
	char key[BAN_KEY_MAX];
	if (!hash_count(t->bans))
		return NULL;
	struct ban *b = hash_get(t->bans, key_of(src, user, key));
	return b && b->until_us > now_us ? b : NULL;
}

int ban_put(struct ban_table *t, const struct addr *src, struct sv user, const char *reason, int64_t since_us,
    int64_t until_us, const struct ban **out)
{
	char key[BAN_KEY_MAX];
	struct sv k = key_of(src, user, key);
	if (!hash_get(t->bans, k) && hash_count(t->bans) >= BAN_ROWS_MAX)
		return ST_FULL;
	struct ban *b = mem_zalloc(sizeof(*b));
	if (!b)
		return ST_NOMEM;
	guard_address_text(src, b->address);
	snprintf(b->user, sizeof(b->user), "%.*s", SVF(user));
	snprintf(b->reason, sizeof(b->reason), "%s", reason ? reason : "");
	b->since_us = since_us;
	b->until_us = until_us;
	if (hash_set(t->bans, k, b)) {
		mem_free(b);
		return ST_NOMEM;
	}
	if (out)
		*out = b;
	return ST_OK;
}

bool ban_remove(struct ban_table *t, const struct addr *src, struct sv user)
{
	char key[BAN_KEY_MAX];
	struct sv k = key_of(src, user, key);
	struct watched *w = hash_get(t->watched, k);
	if (w)
		w->failures = w->bans = 0;
	return hash_del(t->bans, k);
}

void ban_each(struct ban_table *t, bool (*fn)(const struct ban *b, void *arg), void *arg)
{
	struct hash_it it = {0};
	while (hash_next(t->bans, &it))
		if (fn(it.value, arg))
			hash_del(t->bans, it.key);
}

size_t ban_count(const struct ban_table *t)
{
	return hash_count(t->bans);
}

size_t ban_watched_count(const struct ban_table *t)
{
	return hash_count(t->watched);
}

int ban_spec_parse(struct sv text, struct addr *src, struct sv *user)
{
	struct sv host = sv_trim(text), who = SV_NONE;
	for (size_t i = host.n; i-- > 0;)
		if (host.p[i] == '@') {
			who = sv_sub(host, 0, i);
			host = sv_sub(host, i + 1, SIZE_MAX);
			break;
		}
	if (host.n > 3 && !memcmp(host.p + host.n - 3, "/64", 3) && sv_find(host, ':') < host.n)
		host.n -= 3;
	struct addr a = {0};
	if (who.n > BAN_USER_MAX)
		return ST_LIMIT;
	for (size_t i = 0; i < who.n; i++)
		if ((unsigned char)who.p[i] <= ' ' || who.p[i] == 0x7f)
			return ST_PARSE;
	if (addr_parse(&a, host, 0))
		return ST_PARSE;
	*src = a;
	*user = who;
	return ST_OK;
}

const char *guard_address_text(const struct addr *src, char out[GUARD_ADDRESS_MAX])
{
	char text[ADDR_TEXT_MAX];
	struct addr net = *src;
	struct sv key = addr_host_key(src);
	if (key.n == 8) {
		memset(net.in6.sin6_addr.s6_addr + 8, 0, 8);
		snprintf(out, GUARD_ADDRESS_MAX, "%s/64", addr_host(&net, text));
	} else if (src->sa.sa_family == AF_INET6) { /* a mapped one */
		struct addr plain = {0};
		plain.in4.sin_family = AF_INET;
		memcpy(&plain.in4.sin_addr, key.p, 4);
		snprintf(out, GUARD_ADDRESS_MAX, "%s", addr_host(&plain, text));
	} else {
		snprintf(out, GUARD_ADDRESS_MAX, "%s", addr_host(src, text));
	}
	return out;
}
