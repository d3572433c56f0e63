/* The resolver of the control loop.
 *
 *   dns_ask -> numbers, hosts ---------------------------------> answer at once
 *           -> cache (answers, refusals, silence) -------------> answer at once
 *           -> question under way for the same name? wait too
 *           -> new question: a c-ares channel, its sockets in the loop
 *                 packet, time-out -> dns_lookup -> cache -> everybody who waits, from a deferred call
 *
 * Who waits has a deadline of his own; the question goes on without him, so that the next one finds its answer. A
 * question ends after QUESTION_MAX_US whatever servers do. What strangers' doings make us ask (behalf) may fill half of
 * the table, one address a small part of it, and the rest stays ours. */
#include "net/dns.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "loop/work.h"
#include "net/dns_i.h"

#include <stdio.h>
#include <string.h>

enum {
	QUESTIONS_MAX = 256,
	ASKS_MAX = 4096,
	BEHALF_MAX = 16,
	CACHE_MAX = 4096,
	SOCKETS_MAX = 16,
	KEY_CHARS = DNS_NAME_MAX + DNS_SERVERS_CHARS + 16
};
static const int64_t question_max_us = 15 * 1000000LL, files_look_us = 5 * 1000000LL;

struct question {
	struct dns_lookup lookup; /* first */
	char key[KEY_CHARS];
	char behalf[ADDR_TEXT_MAX]; /* whose doing it is; "" = ours */
	struct list asks;
	struct {
		int fd;
		struct lpoll *poll;
	} sockets[SOCKETS_MAX];
	size_t socket_count;
	struct ltimer timer, deadline;
	struct ldefer end;
};
struct dns_ask {
	struct lnode link;
	struct ltimer timer;
	dns_fn fn;
	void *arg;
};
struct kept {
	int64_t until_us;
	struct dns_answer answer; /* cut short: answer_bytes */
};

static struct {
	struct dns_conf *conf;
	struct hash *cache, *questions; /* key -> struct kept, struct question */
	struct hash *behalves;          /* address -> size_t: its questions under way */
	size_t behalf_question_count;
	int64_t looked_us;
	bool is_looking;
	struct dns_stats stats;
} dns;

/* ---- the files ---- */

struct look {
	struct dns_conf *old, *fresh;
};

static void files_look(void *arg)
{
	struct look *k = arg;
	role_assert_work();
	if (dns_conf_is_stale(k->old) && dns_conf_read(&k->fresh))
		k->fresh = NULL;
}

static void files_looked(int status, void *arg)
{
	struct look *k = arg;
	role_assert_ctl();
	dns.is_looking = false;
	if (!status && k->fresh && dns.conf) {
		log_notice("dns: hosts or resolv.conf have changed and are read again");
		mem_unref(dns.conf);
		dns.conf = mem_ref(k->fresh);
		struct hash_it it = {0};
		while (hash_next(dns.cache, &it))
			hash_del(dns.cache, it.key);
	}
	mem_unref(k->fresh);
	mem_unref(k->old);
	mem_free(k);
}

static ON_CTL void files_check(void)
{
	int64_t now_us = clock_mono_us();
	if (dns.is_looking || now_us - dns.looked_us < files_look_us)
		return;
	struct look *k = mem_zalloc(sizeof(*k));
	if (!k)
		return;
	dns.looked_us = now_us;
	k->old = mem_ref(dns.conf);
	dns.is_looking = !work_submit(WORK_FILE, "dns files", files_look, files_looked, k);
	if (dns.is_looking)
		return;
	mem_unref(k->old);
	mem_free(k);
}

/* ---- the cache ---- */

/* Of an answer: without the text that it does not use. */
static size_t answer_bytes(const struct dns_answer *a)
{
	return offsetof(struct dns_answer, text) + a->text_n;
}

static ON_CTL void keep(const char *key, const struct dns_answer *a, unsigned ttl_s)
{
	size_t n = answer_bytes(a);
	struct kept *k = mem_alloc(offsetof(struct kept, answer) + n);
	struct hash_it it = {0};
	if (!k)
		return;
	k->until_us = clock_mono_us() + clock_us_of_s(ttl_s);
	memcpy(&k->answer, a, n);
	if (hash_count(dns.cache) >= CACHE_MAX && hash_next(dns.cache, &it))
		hash_del(dns.cache, it.key); /* the oldest */
	if (hash_set(dns.cache, sv_of(key), k))
		mem_free(k);
}

static ON_CTL bool cached(const char *key, struct dns_answer *a)
{
	const struct kept *k = hash_get(dns.cache, sv_of(key));
	if (!k)
		return false;
	if (k->until_us <= clock_mono_us()) {
		hash_del(dns.cache, sv_of(key));
		return false;
	}
	memcpy(a, &k->answer, answer_bytes(&k->answer));
	return true;
}

/* ---- whose questions ---- */

static ON_CTL bool behalf_may_ask(const char *behalf)
{
	const size_t *count = *behalf ? hash_get(dns.behalves, sv_of(behalf)) : NULL;
	return !*behalf || (dns.behalf_question_count < QUESTIONS_MAX / 2 && (!count || *count < BEHALF_MAX));
}

static ON_CTL void behalf_count(const char *behalf, int by)
{
	size_t *count = *behalf ? hash_get(dns.behalves, sv_of(behalf)) : NULL;
	if (!*behalf)
		return;
	if (!count) {
		if (by < 0 || !(count = mem_zalloc(sizeof(*count))))
			return;
		if (hash_set(dns.behalves, sv_of(behalf), count)) {
			mem_free(count);
			return;
		}
	}
	*count += (size_t)by;
	dns.behalf_question_count += (size_t)by;
	if (!*count)
		hash_del(dns.behalves, sv_of(behalf));
}

/* ---- who waits ---- */

static ON_CTL void ask_free(struct dns_ask *ask)
{
	loop_timer_cancel(&ask->timer);
	list_remove(&ask->link);
	dns.stats.waiting_count--;
	mem_free(ask);
}

static ON_CTL void ask_tell(struct dns_ask *ask, const struct dns_answer *a)
{
	dns_fn fn = ask->fn;
	void *arg = ask->arg;
	ask_free(ask);
	fn(a, arg);
}

static void ask_late(void *arg)
{
	static const struct dns_answer late = {.status = ST_TIMEOUT};
	role_assert_ctl();
	dns.stats.timeouts++;
	ask_tell(arg, &late);
}

void dns_cancel(struct dns_ask *ask)
{
	if (ask)
		ask_free(ask);
}

/* ---- questions ---- */

static ON_CTL void timer_arm(struct question *q);

static void on_timer(void *arg)
{
	struct question *q = arg;
	role_assert_ctl();
	ares_process_fd(q->lookup.channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	timer_arm(q);
}

static void timer_arm(struct question *q)
{
	struct timeval tv;
	if (q->lookup.is_done)
		return;
	const struct timeval *t = ares_timeout(q->lookup.channel, NULL, &tv);
	if (t)
		loop_timer_set(&q->timer, t->tv_sec * 1000000 + t->tv_usec, "dns", on_timer, q);
}

static void on_socket(int events, void *arg)
{
	struct question *q = arg;
	role_assert_ctl();
	/* which of its sockets: c-ares asks each it has; they are two or three */
	for (size_t i = 0; i < q->socket_count && !q->lookup.is_done; i++) {
		int fd = q->sockets[i].fd;
		ares_process_fd(q->lookup.channel, events & LOOP_READ ? fd : ARES_SOCKET_BAD,
		    events & LOOP_WRITE ? fd : ARES_SOCKET_BAD);
	}
	timer_arm(q);
}

/* c-ares opens, closes or wants something of a socket. */
static void socket_state(void *arg, ares_socket_t fd, int is_read, int is_write)
{
	struct question *q = arg;
	size_t i = 0;
	role_assert_ctl();
	while (i < q->socket_count && q->sockets[i].fd != fd)
		i++;
	if (!is_read && !is_write) {
		if (i < q->socket_count) {
			loop_poll_close(q->sockets[i].poll);
			q->sockets[i] = q->sockets[--q->socket_count];
		}
		return;
	}
	if (i == q->socket_count) {
		/* one that cannot be watched is served by the time-outs */
		if (i == SOCKETS_MAX || loop_poll_open(&q->sockets[i].poll, fd, "dns", on_socket, q))
			return;
		q->sockets[i].fd = fd;
		q->socket_count++;
	}
	loop_poll_set(q->sockets[i].poll, (is_read ? LOOP_READ : 0) | (is_write ? LOOP_WRITE : 0));
}

static ON_CTL void question_free(struct question *q)
{
	q->lookup.is_done = true;
	if (q->lookup.channel)
		ares_destroy(q->lookup.channel); /* closes the sockets, which socket_state hears */
	while (q->socket_count)
		loop_poll_close(q->sockets[--q->socket_count].poll);
	loop_timer_cancel(&q->timer);
	loop_timer_cancel(&q->deadline);
	loop_defer_cancel(&q->end);
	behalf_count(q->behalf, -1);
	mem_free(q);
}

/* Answered: kept, told, gone. Whoever is told may ask again or cancel others. */
static void question_end(void *arg)
{
	struct question *q = arg;
	struct lnode *n;
	role_assert_ctl();
	struct dns_answer a;
	memcpy(&a, &q->lookup.answer, answer_bytes(&q->lookup.answer));
	hash_take(dns.questions, sv_of(q->key));
	keep(q->key, &a, q->lookup.ttl_s);
	dns.stats.failures += a.status && a.status != ST_NOTFOUND;
	while ((n = list_first(&q->asks)))
		ask_tell(list_entry(n, struct dns_ask, link), &a);
	question_free(q);
}

/* Called from inside c-ares, where its channel must not end. */
static void lookup_over(struct dns_lookup *l)
{
	struct question *q = (struct question *)l;
	role_assert_ctl();
	loop_timer_cancel(&q->timer);
	loop_timer_cancel(&q->deadline);
	loop_defer(&q->end, "dns", question_end, q);
}

static void question_late(void *arg)
{
	struct question *q = arg;
	role_assert_ctl();
	q->lookup.is_done = true;
	q->lookup.answer.status = ST_TIMEOUT;
	q->lookup.answer.count = q->lookup.answer.text_n = 0;
	q->lookup.ttl_s = 5;
	question_end(q);
}

/* What is asked, and of whom. */
struct wanted {
	const char *key;
	enum dns_kind kind;
	struct sv name;
	const struct dns_servers *at; /* NULL: the machine's */
};

static ON_CTL int question_new(struct question **out, const struct wanted *w, const char *behalf)
{
	if (hash_count(dns.questions) >= QUESTIONS_MAX || !behalf_may_ask(behalf))
		return ST_FULL;
	struct question *q = mem_zalloc(sizeof(*q));
	if (!q)
		return ST_NOMEM;
	list_init(&q->asks);
	snprintf(q->key, sizeof(q->key), "%s", w->key);
	memcpy(q->lookup.name, w->name.p, w->name.n);
	q->lookup.kind = w->kind, q->lookup.on_done = lookup_over;
	snprintf(q->behalf, sizeof(q->behalf), "%s", behalf);
	behalf_count(behalf, 1);
	int st = dns_conf_channel(dns.conf, w->at, socket_state, q, &q->lookup.channel);
	if (!st)
		st = hash_set(dns.questions, sv_of(w->key), q);
	if (st) {
		question_free(q);
		return st;
	}
	dns.stats.sent++;
	loop_timer_set(&q->deadline, question_max_us, "dns", question_late, q);
	dns_lookup_begin(&q->lookup);
	timer_arm(q);
	*out = q;
	return ST_OK;
}

static ON_CTL int ask_new(
    struct dns_ask **out, const struct wanted *w, const struct addr *behalf, int64_t timeout_us, dns_fn fn, void *arg)
{
	char host[ADDR_TEXT_MAX] = "";
	struct question *q = hash_get(dns.questions, sv_of(w->key));
	if (behalf)
		addr_host(behalf, host);
	if (dns.stats.waiting_count >= ASKS_MAX)
		return ST_FULL;
	struct dns_ask *ask = mem_zalloc(sizeof(*ask));
	if (!ask)
		return ST_NOMEM;
	int st = q ? ST_OK : question_new(&q, w, host);
	if (st) {
		mem_free(ask);
		return st;
	}
	dns.stats.waiting_count++;
	ask->fn = fn, ask->arg = arg;
	list_push(&q->asks, &ask->link);
	loop_timer_set(&ask->timer, timeout_us, "dns", ask_late, ask);
	*out = ask;
	return ST_AGAIN;
}

bool dns_servers_are(struct sv list)
{
	struct sv one;
	struct addr addr;
	bool is_good = list.n > 0 && list.n < DNS_SERVERS_CHARS;
	while (is_good && list.n) {
		sv_split(list, ',', &one, &list);
		is_good = !addr_parse_hostport(&addr, one, 53) && addr_port(&addr);
	}
	return is_good;
}

int dns_ask(struct dns_ask **out, enum dns_kind kind, struct sv name, const struct addr *behalf, int64_t timeout_us,
    struct dns_answer *a, dns_fn fn, void *arg)
{
	return dns_ask_at(out, NULL, kind, name, behalf, timeout_us, a, fn, arg);
}

int dns_ask_at(struct dns_ask **out, const struct dns_servers *at, enum dns_kind kind, struct sv name,
    const struct addr *behalf, int64_t timeout_us, struct dns_answer *a, dns_fn fn, void *arg)
{
	char key[KEY_CHARS];
	a->count = a->text_n = 0;
	if (!dns.conf)
		return a->status = ST_CANCELLED;
	if (at && !dns_servers_are(sv_of(at->list)))
		return a->status = ST_INVAL;
	dns.stats.asked++;
	if (dns_known(dns.conf, kind, name, a))
		return a->status;
	snprintf(key, sizeof(key), "%d %.*s%s%s", (int)kind, SVF(name), at ? " " : "", at ? at->list : "");
	if (cached(key, a)) {
		dns.stats.from_cache++;
		return a->status;
	}
	files_check();
	const struct wanted w = {key, kind, name, at};
	a->status = ask_new(out, &w, behalf, timeout_us, fn, arg);
	dns.stats.refused += a->status == ST_FULL;
	return a->status;
}

/* ---- start, end ---- */

int dns_start(void)
{
	memset(&dns, 0, sizeof(dns));
	int st = dns_conf_read(&dns.conf);
	if (!st)
		st = hash_new(&dns.cache, HASH_NOCASE, mem_free);
	if (!st)
		st = hash_new(&dns.questions, HASH_NOCASE, NULL);
	if (!st)
		st = hash_new(&dns.behalves, 0, mem_free);
	if (st)
		dns_stop();
	dns.looked_us = clock_mono_us();
	return st;
}

void dns_stop(void)
{
	static const struct dns_answer cancelled = {.status = ST_CANCELLED};
	struct hash_it it = {0};
	struct lnode *n;
	dns.conf = mem_unref(dns.conf); /* who is told can ask nothing any more */
	while (dns.questions && hash_next(dns.questions, &it)) {
		struct question *q = it.value;
		hash_take(dns.questions, it.key);
		while ((n = list_first(&q->asks)))
			ask_tell(list_entry(n, struct dns_ask, link), &cancelled);
		question_free(q);
	}
	hash_free(dns.questions);
	hash_free(dns.cache);
	hash_free(dns.behalves);
	dns.questions = dns.cache = dns.behalves = NULL;
}

void dns_stats_get(struct dns_stats *out)
{
	*out = dns.stats;
	out->question_count = dns.questions ? hash_count(dns.questions) : 0;
	out->cache_count = dns.cache ? hash_count(dns.cache) : 0;
}
