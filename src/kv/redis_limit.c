/* limit's backend hiredis: counters that several switches share. The realm is a profile, the id is the key, as in
 * FreeSWITCH, so both may count on one server: a number that is held, id_<now / interval> with an expiry that is a
 * rate.
 *
 * One script counts and looks at the bound at once, and does nothing when it is run later than we wait for it (a server
 * that was stopped for a while runs what had been sent to it): what nobody waited for is not counted. What is to be
 * given back while no server answers waits here, a number by key, and is tried each second. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/leg/leg.h"
#include "core/registry/limits.h"
#include "kv/redis_i.h"
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { AGAIN_US = 1000000, KEYS_MAX = 10000, KEY_MAX_BYTES = 1024 };

#define IS_LATE \
	"local t=redis.call('TIME') if ARGV[1]~='0' and t[1]+t[2]/1e6>tonumber(ARGV[1])/1e3 then " \
	"return redis.error_reply('LATE nobody waits for it') end "
/* KEYS: the counter; ARGV: until when, bound ("": none), seconds of an interval or 0, whether zero is deleted */
static const char take_script[] = IS_LATE
    "local n=redis.call('INCR',KEYS[1]) local is_over=ARGV[2]~='' and n>tonumber(ARGV[2]) "
    "if ARGV[3]~='0' then if n==1 then redis.call('EXPIRE',KEYS[1],ARGV[3]) end "
    "elseif is_over then if redis.call('DECR',KEYS[1])==0 and ARGV[4]=='1' then redis.call('DEL',KEYS[1]) end end "
    "return {n,is_over and 1 or 0}";
/* KEYS: the counter; ARGV: until when, how many, whether zero is deleted. It does not fall below nothing. */
static const char give_script[] =
    IS_LATE "local n=math.min(tonumber(redis.call('GET',KEYS[1]) or '0'),tonumber(ARGV[2])) if n>0 then "
            "if redis.call('DECRBY',KEYS[1],n)==0 and ARGV[3]=='1' then redis.call('DEL',KEYS[1]) end end return n";

struct answer {
	int64_t count;
	bool is_pair, is_over;     /* of take_script */
	char error[REDIS_WHY_MAX]; /* the server's, "": none */
};

static int on_reply(const redisReply *r, void *arg)
{
	struct answer *a = arg;

	if (r->type == REDIS_REPLY_ERROR)
		snprintf(a->error, sizeof(a->error), "%s", r->str);
	else if (r->type == REDIS_REPLY_ARRAY && r->elements == 2 && r->element[0]->type == REDIS_REPLY_INTEGER &&
	         r->element[1]->type == REDIS_REPLY_INTEGER)
		a->is_pair = true, a->count = r->element[0]->integer, a->is_over = r->element[1]->integer;
	else if (r->type == REDIS_REPLY_INTEGER)
		a->count = r->integer;
	else if (r->type == REDIS_REPLY_STRING)
		a->count = str_number(r->str, INT64_MIN, INT64_MAX);
	else if (r->type != REDIS_REPLY_NIL)
		snprintf(a->error, sizeof(a->error), "no number");
	return ST_OK;
}

/* args: up to five, NULL as redis_link_ask has it. */
static CO int ask(struct redis_profile *p, int count, const char *const *args, struct answer *out)
{
	size_t sizes[8];

	*out = (struct answer){0};
	for (int i = 0; i < count; i++)
		sizes[i] = args[i] ? strlen(args[i]) : 0;
	return redis_ask(p, count, args, sizes, on_reply, out);
}

static uint32_t shown(int64_t count)
{
	return count < 0 ? 0 : count > UINT32_MAX ? UINT32_MAX : (uint32_t)count;
}

static int limit_find(const char *realm, const char *id, uint32_t *count)
{
	const char *args[] = {"GET", id};
	struct redis_profile *p;
	struct answer a;
	int st;

	role_assert_co();
	p = redis_profile_find(realm);
	st = p ? ask(p, 2, args, &a) : ST_NOTFOUND;
	if (!st && *a.error)
		st = ST_IO;
	if (!st)
		*count = shown(a.count);
	return st;
}

/* Nobody knows whether there is room. */
static CO int unknown(struct leg *leg, struct redis_profile *p, const char *id, int st, const char *error)
{
	bool is_let = st ? p->ignores_failures || p->ignores_errors : p->ignores_errors;

	leg_log(leg, is_let ? LOG_WARNING : LOG_ERR, "limit: %s of profile %s: %s%s", id, p->name,
	    st ? *p->link.why ? p->link.why : status_text(st) : error, is_let ? "; let through, not counted" : "");
	leg_var_set(leg, "hiredis_raw_response", st ? "" : error);
	return is_let ? ST_OK : st ? st : ST_IO;
}

static int limit_take(struct leg *leg, const char *realm, const char *id, const struct limit_far_ask *q,
    uint32_t *count, bool *is_counted)
{
	char key[KEY_MAX_BYTES + 32], max[24] = "", interval[24];
	const char *args[] = {"EVAL", take_script, "1", key, NULL, max, interval, "0"};
	struct redis_profile *p;
	struct answer a;
	int st;

	role_assert_co();
	p = redis_profile_find(realm);
	*is_counted = false;
	if (!p)
		leg_log(leg, LOG_ERR, "limit: hiredis.conf has no profile '%s'", realm);
	if (!p || strlen(id) > KEY_MAX_BYTES || !*id)
		return p ? ST_INVAL : ST_NOTFOUND;
	if (q->is_held && !q->interval_s) {
		(void)limit_find(realm, id, count);
		return ST_OK;
	}
	snprintf(key, sizeof(key), q->interval_s ? "%s_%" PRIi64 : "%s", id,
	    q->interval_s ? clock_wall_us() / clock_us_of_s(q->interval_s) : 0);
	if (q->max >= 0)
		snprintf(max, sizeof(max), "%" PRIi64, q->max);
	if (p->deletes_zeros)
		args[7] = "1";
	snprintf(interval, sizeof(interval), "%" PRIi64, q->interval_s);
	mem_ref(p);
	st = ask(p, 8, args, &a);
	if (!st && !*a.error && !a.is_pair)
		snprintf(a.error, sizeof(a.error), "no answer of the script");
	if (st || *a.error) {
		st = unknown(leg, p, id, st, a.error);
	} else {
		leg_var_setf(leg, "hiredis_raw_response", "%" PRIi64, a.count);
		*count = shown(a.count);
		*is_counted = !a.is_over && !q->interval_s;
		if (a.is_over)
			leg_var_set(leg, "hiredis_limit_exceeded", "true");
		st = a.is_over ? ST_LIMIT : ST_OK;
	}
	mem_unref(p);
	return st;
}

/* ---- what is given back ---- */

static void give_run(void *arg)
{
	struct redis_profile *p = arg;
	struct hash_it it = {0};

	role_assert_co();
	while (!p->is_ending && hash_next(p->gives, &it)) {
		char key[KEY_MAX_BYTES + 1], number[24];
		const char *args[] = {"EVAL", give_script, "1", key, NULL, number, p->deletes_zeros ? "1" : "0"};
		uintptr_t n = (uintptr_t)it.value;
		struct answer a;
		int st;

		snprintf(key, sizeof(key), "%.*s", (int)it.key.n, it.key.p);
		snprintf(number, sizeof(number), "%" PRIuPTR, n);
		(void)hash_take(p->gives, sv_of(key));
		st = ask(p, 7, args, &a);
		if (!p->is_ending && (st || !strncmp(a.error, "LATE", 4))) {
			n += (uintptr_t)hash_get(p->gives, sv_of(key));
			(void)hash_set(p->gives, sv_of(key), (void *)n);
			if (co_wait_or_stop(&p->give_wait, AGAIN_US) == ST_CANCELLED)
				break;
		} else if (!st && *a.error) {
			log_error("hiredis: profile %s: %s is not given back: %s", p->name, key, a.error);
		}
		it = (struct hash_it){0};
	}
	p->is_giving = false;
	mem_unref(p);
}

static void limit_give(struct sv realm, struct sv id)
{
	char *name = sv_dup(realm);
	struct redis_profile *p;
	uintptr_t n;

	role_assert_ctl();
	p = name ? redis_profile_find(name) : NULL;
	mem_free(name);
	if (!p || (!p->gives && hash_new(&p->gives, 0, NULL)))
		return;
	n = (uintptr_t)hash_get(p->gives, id) + 1;
	if (n == 1 && hash_count(p->gives) >= KEYS_MAX) {
		log_error("hiredis: profile %s: %.*s is not given back: too many keys wait", p->name, (int)id.n, id.p);
		return;
	}
	if (hash_set(p->gives, id, (void *)n) || p->is_giving)
		return;
	p->is_giving = true;
	mem_ref(p);
	if (co_spawn("redis give", give_run, p, NULL)) {
		p->is_giving = false;
		mem_unref(p);
	}
}

void redis_limit_end(struct redis_profile *p)
{
	p->is_ending = true;
	if (p->is_giving)
		co_signal(&p->give_wait, ST_CANCELLED);
	else
		hash_free(p->gives), p->gives = NULL;
}

static const struct limit_far backend = {.name = "hiredis", .take = limit_take, .give = limit_give, .find = limit_find};

int redis_limit_load(void)
{
	return limits_far_add(&backend);
}

void redis_limit_unload(void)
{
	limits_far_del(&backend);
}
