/* Connections are evicted, not refused, where that can be: an honest client is silent for one round trip, so the oldest
 * silent connection is never its own. A guard is in the list of its class twice (its host's and its door's), oldest
 * first; one that has spoken moves to the end with each message. While it holds bytes it is in two more lists, by when
 * it began to: over a budget the oldest half message goes, not the one that came last. The account of time has windows
 * of a second: what a stranger uses, and what anybody uses without finishing a message, may not be over a share of the
 * thread for three windows in a row. Nothing here knows sockets: the owner closes what it is told to. */
#include "net/conn_limit.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"

#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum {
	WINDOW_US = 1000000,
	SHARE_PERCENT = 50, /* of the control thread, by one that has not logged in */
	WASTE_PERCENT = 20, /* by anybody, without a whole message */
	GREEDY_WINDOWS_MAX = 3,
	TOLD_MAX_COUNT = 1024,
	TOLD_PER_MINUTE = 60,
	MINUTE_US = 60000000
};

struct conn_host {
	uint8_t key[8];
	size_t key_bytes, count, bytes;
	struct list classes[CONN_TRUSTED]; /* silent, spoken */
	struct list holders[2];            /* strangers, trusted */
};
struct conn_limit {
	struct conn_limit_conf conf;
	struct hash *hosts, *told;
	struct list classes[CONN_TRUSTED];
	struct list holders[2];
	struct conn_limit_counts counts;
	int64_t told_minute;
	unsigned told_count;
};

/* Of every door: strangers by class, and how many connections there are beside how many descriptors. */
static struct list any[CONN_TRUSTED] = {{{&any[0].head, &any[0].head}}, {{&any[1].head, &any[1].head}}};
static size_t any_count, any_max;

const char *conn_end_text(enum conn_end why)
{
	static const char *const texts[] = {[CONN_END_NONE] = "",
	    [CONN_END_ROOM] = "it said nothing and made room for another",
	    [CONN_END_LATE] = "no whole message in time",
	    [CONN_END_BYTES] = "too many bytes of unfinished messages",
	    [CONN_END_SHARE] = "it used more than its share of the control thread"};
	return texts[why];
}

int conn_limit_new(struct conn_limit **out, const struct conn_limit_conf *conf)
{
	struct conn_limit *l = mem_zalloc(sizeof(*l));
	struct rlimit files;
	if (!l || hash_new(&l->hosts, 0, mem_free) || hash_new(&l->told, 0, NULL)) {
		if (l)
			hash_free(l->hosts);
		mem_free(l);
		return ST_NOMEM;
	}
	for (int i = 0; i < CONN_TRUSTED; i++)
		list_init(&l->classes[i]);
	for (int i = 0; i < 2; i++)
		list_init(&l->holders[i]);
	l->conf = *conf;
	any_max =
	    getrlimit(RLIMIT_NOFILE, &files) || files.rlim_cur == RLIM_INFINITY ? SIZE_MAX : files.rlim_cur / 4 * 3;
	*out = l;
	return ST_OK;
}

void conn_limit_free(struct conn_limit *l)
{
	if (!l)
		return;
	hash_free(l->hosts);
	hash_free(l->told);
	mem_free(l);
}

void conn_limit_set(struct conn_limit *l, const struct conn_limit_conf *conf)
{
	l->conf = *conf;
}

void conn_limit_counts(const struct conn_limit *l, struct conn_limit_counts *out)
{
	*out = l->counts;
}

bool conn_limit_may_tell(struct conn_limit *l, const struct addr *peer)
{
	struct sv key = addr_host_key(peer);
	int64_t now_us = clock_mono_us(), minute = now_us / MINUTE_US;
	int64_t last_us = (int64_t)(intptr_t)hash_get(l->told, key);
	if (minute != l->told_minute)
		l->told_minute = minute, l->told_count = 0;
	if ((last_us && now_us - last_us < MINUTE_US) || l->told_count >= TOLD_PER_MINUTE)
		return false;
	l->told_count++;
	hash_take(l->told, key); /* so that the table stays in the order of time */
	struct hash_it it = {0};
	if (hash_count(l->told) >= TOLD_MAX_COUNT && hash_next(l->told, &it))
		hash_take(l->told, it.key);
	hash_set(l->told, key, (void *)(intptr_t)(now_us | 1));
	return true;
}

/* ---- lists ------------------------------------------------------------------------------------------------------ */

static ON_CTL struct conn_host *host_get(struct conn_limit *l, const struct addr *peer)
{
	struct sv key = addr_host_key(peer);
	struct conn_host *h = hash_get(l->hosts, key);
	if (h || !(h = mem_zalloc(sizeof(*h))))
		return h;
	memcpy(h->key, key.p, key.n);
	h->key_bytes = key.n;
	for (int i = 0; i < CONN_TRUSTED; i++)
		list_init(&h->classes[i]);
	for (int i = 0; i < 2; i++)
		list_init(&h->holders[i]);
	if (hash_set(l->hosts, key, h)) {
		mem_free(h);
		return NULL;
	}
	return h;
}

static ON_CTL void host_put(struct conn_limit *l, struct conn_host *h)
{
	if (!h->count)
		hash_del(l->hosts, (struct sv){(const char *)h->key, h->key_bytes});
}

static ON_CTL void class_leave(struct conn_guard *g)
{
	list_remove(&g->all_link);
	list_remove(&g->host_link);
	list_remove(&g->any_link);
	g->limit->counts.silent_count -= g->class == CONN_SILENT;
}

static ON_CTL void class_enter(struct conn_guard *g, enum conn_class class)
{
	g->class = (uint8_t) class;
	g->limit->counts.silent_count += class == CONN_SILENT;
	if (class == CONN_TRUSTED)
		return;
	list_push(&g->limit->classes[class], &g->all_link);
	list_push(&g->host->classes[class], &g->host_link);
	list_push(&any[class], &g->any_link);
}

static ON_CTL void hold_leave(struct conn_guard *g)
{
	list_remove(&g->hold_all_link);
	list_remove(&g->hold_host_link);
}

static ON_CTL void hold_enter(struct conn_guard *g)
{
	bool is_trusted = g->class == CONN_TRUSTED;
	list_push(&g->limit->holders[is_trusted], &g->hold_all_link);
	list_push(&g->host->holders[is_trusted], &g->hold_host_link);
}

static ON_CTL void bytes_set(struct conn_guard *g, size_t bytes)
{
	g->host->bytes += bytes - g->bytes;
	g->limit->counts.bytes += bytes - g->bytes;
	if (!bytes)
		hold_leave(g);
	else if (!g->bytes)
		hold_enter(g);
	g->bytes = bytes;
}

/* ---- ends ------------------------------------------------------------------------------------------------------- */

void conn_guard_leave(struct conn_guard *g)
{
	struct conn_limit *l = g->limit;
	if (!l)
		return;
	loop_timer_cancel(&g->timer);
	bytes_set(g, 0);
	class_leave(g);
	g->host->count--;
	l->counts.count--;
	any_count--;
	host_put(l, g->host);
	g->limit = NULL;
	g->host = NULL;
}

/* An address of the host's. */
static struct addr host_addr(const struct conn_host *h)
{
	struct addr a = {0};
	a.sa.sa_family = h->key_bytes == 4 ? AF_INET : AF_INET6;
	memcpy(h->key_bytes == 4 ? (void *)&a.in4.sin_addr : (void *)&a.in6.sin6_addr, h->key, h->key_bytes);
	return a;
}

static ON_CTL void guard_end(struct conn_guard *g, enum conn_end why)
{
	struct conn_limit *l = g->limit;
	char text[ADDR_TEXT_MAX];
	if (!l)
		return; /* it has left already */
	l->counts.made_room += why == CONN_END_ROOM;
	l->counts.late += why == CONN_END_LATE;
	l->counts.starved += why == CONN_END_BYTES;
	l->counts.greedy += why == CONN_END_SHARE;
	const struct addr peer = host_addr(g->host);
	if (conn_limit_may_tell(l, &peer)) {
		log_warning("%s: a connection of %s is closed: %s (%zu of that address, %zu in all)", l->conf.name,
		    addr_host(&peer, text), conn_end_text(why), g->host->count, l->counts.count);
	}
	conn_end_fn fn = g->fn;
	void *arg = g->arg;
	conn_guard_leave(g);
	fn(why, arg);
}

static void on_late(void *arg)
{
	role_assert_ctl();
	guard_end(arg, CONN_END_LATE);
}

/* ---- room ------------------------------------------------------------------------------------------------------- */

static ON_CTL struct conn_guard *first_of_host(struct conn_host *h, bool keeps_spoken)
{
	struct lnode *n = list_first(&h->classes[CONN_SILENT]);
	if (!n && !keeps_spoken)
		n = list_first(&h->classes[CONN_SPOKEN]);
	return n ? list_entry(n, struct conn_guard, host_link) : NULL;
}

static ON_CTL struct conn_guard *first_of_all(struct conn_limit *l)
{
	struct lnode *n = list_first(&l->classes[CONN_SILENT]);
	if (!n)
		n = list_first(&l->classes[CONN_SPOKEN]);
	return n ? list_entry(n, struct conn_guard, all_link) : NULL;
}

bool conn_limit_relieve(void)
{
	struct lnode *n = list_first(&any[CONN_SILENT]);
	if (!n)
		n = list_first(&any[CONN_SPOKEN]);
	if (n)
		guard_end(list_entry(n, struct conn_guard, any_link), CONN_END_ROOM);
	return n != NULL;
}

/* False: at a bound, and nobody makes room. */
static ON_CTL bool room_make(struct conn_limit *l, struct conn_host *h)
{
	struct conn_guard *g = NULL;
	h->count++; /* so that the host stays while its connections go */
	bool is_full = h->count > l->conf.max_count_per_host;
	if (is_full && (g = first_of_host(h, l->conf.keeps_spoken)))
		guard_end(g, CONN_END_ROOM), is_full = false;
	if (!is_full && l->counts.count >= l->conf.max_count) {
		g = first_of_all(l);
		is_full = !g;
		if (g)
			guard_end(g, CONN_END_ROOM);
	}
	if (!is_full && any_count >= any_max)
		conn_limit_relieve(); /* calls need descriptors, too */
	h->count--;
	return !is_full;
}

int conn_guard_enter(
    struct conn_guard *g, struct conn_limit *l, const struct addr *peer, bool is_trusted, conn_end_fn fn, void *arg)
{
	char text[ADDR_TEXT_MAX];
	struct conn_host *h = host_get(l, peer);
	if (!h)
		return ST_NOMEM;
	if (!is_trusted && !room_make(l, h)) {
		l->counts.refused++;
		if (conn_limit_may_tell(l, peer))
			log_warning("%s: too many connections (%zu of %s, %zu in all): refused", l->conf.name, h->count,
			    addr_host(peer, text), l->counts.count);
		host_put(l, h);
		return ST_LIMIT;
	}
	*g = (struct conn_guard){.limit = l, .host = h, .fn = fn, .arg = arg};
	h->count++;
	l->counts.count++;
	any_count++;
	class_enter(g, is_trusted ? CONN_TRUSTED : CONN_SILENT);
	if (!is_trusted && l->conf.first_us)
		loop_timer_set(&g->timer, l->conf.first_us, "conn first", on_late, g);
	return ST_OK;
}

void conn_guard_message(struct conn_guard *g)
{
	if (!g->limit)
		return;
	g->has_progress = true;
	g->is_in_message = false;
	loop_timer_cancel(&g->timer);
	if (g->class == CONN_TRUSTED)
		return;
	class_leave(g);
	class_enter(g, CONN_SPOKEN);
}

void conn_guard_trust(struct conn_guard *g)
{
	if (!g->limit || g->class == CONN_TRUSTED)
		return;
	size_t bytes = g->bytes;
	bytes_set(g, 0);
	class_leave(g);
	class_enter(g, CONN_TRUSTED);
	if (!g->is_in_message)
		loop_timer_cancel(&g->timer);
	bytes_set(g, g->limit->conf.is_trusted_free ? 0 : bytes);
}

bool conn_guard_is_trusted(const struct conn_guard *g)
{
	return g->class == CONN_TRUSTED;
}

/* ---- bytes ------------------------------------------------------------------------------------------------------ */

static ON_CTL struct conn_guard *oldest_holder(struct list holders[2], bool is_of_host)
{
	struct lnode *n = list_first(&holders[0]);
	if (!n)
		n = list_first(&holders[1]);
	if (!n)
		return NULL;
	return is_of_host ? list_entry(n, struct conn_guard, hold_host_link)
	                  : list_entry(n, struct conn_guard, hold_all_link);
}

int conn_guard_hold(struct conn_guard *g, size_t bytes, bool is_in_message)
{
	struct conn_limit *l = g->limit;
	struct conn_guard *oldest;
	if (!l)
		return ST_OK;
	bool is_free = g->class == CONN_TRUSTED && l->conf.is_trusted_free;
	bytes_set(g, is_free ? 0 : bytes);
	if (is_in_message && !g->is_in_message && g->class != CONN_SILENT && l->conf.message_us && !is_free)
		loop_timer_set(&g->timer, l->conf.message_us, "conn message", on_late, g);
	else if (!is_in_message && g->class != CONN_SILENT)
		loop_timer_cancel(&g->timer);
	g->is_in_message = is_in_message;
	/* its owner may free it as it ends: then nothing of it is looked at any more */
	while (g->host->bytes > l->conf.max_bytes_per_host && (oldest = oldest_holder(g->host->holders, true))) {
		guard_end(oldest, CONN_END_BYTES);
		if (oldest == g)
			return ST_CLOSED;
	}
	while (l->counts.bytes > l->conf.max_bytes && (oldest = oldest_holder(l->holders, false))) {
		guard_end(oldest, CONN_END_BYTES);
		if (oldest == g)
			return ST_CLOSED;
	}
	return ST_OK;
}

/* ---- time ------------------------------------------------------------------------------------------------------- */

/* A window is over: was it more than a share? */
static ON_CTL void window_judge(struct conn_guard *g, int64_t elapsed_us)
{
	char text[ADDR_TEXT_MAX];
	struct conn_limit *l = g->limit;
	int64_t used = g->used_ns / (10 * elapsed_us), wasted = g->wasted_ns / (10 * elapsed_us);
	bool is_greedy = wasted >= WASTE_PERCENT || (g->class != CONN_TRUSTED && used >= SHARE_PERCENT);
	const struct addr peer = host_addr(g->host);
	if ((is_greedy || used >= SHARE_PERCENT) && conn_limit_may_tell(l, &peer)) {
		log_warning("%s: a connection of %s uses %d %% of the control thread, %d %% without a whole message",
		    l->conf.name, addr_host(&peer, text), (int)used, (int)wasted);
	}
	g->greedy_windows = is_greedy && elapsed_us < 2 * WINDOW_US ? g->greedy_windows + 1 : is_greedy;
}

int64_t conn_cpu_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void conn_guard_used(struct conn_guard *g, int64_t ns)
{
	int64_t now_us = clock_mono_us();
	if (!g->limit)
		return;
	if (!g->window_us)
		g->window_us = now_us;
	g->used_ns += ns;
	g->wasted_ns += g->has_progress ? 0 : ns;
	g->has_progress = false;
	int64_t elapsed_us = now_us - g->window_us;
	if (elapsed_us < WINDOW_US)
		return;
	window_judge(g, elapsed_us);
	g->window_us = now_us;
	g->used_ns = g->wasted_ns = 0;
	if (g->greedy_windows >= GREEDY_WINDOWS_MAX)
		guard_end(g, CONN_END_SHARE);
}
