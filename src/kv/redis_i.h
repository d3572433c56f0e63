/* A line to one of a profile's Redis servers, and what is asked over it (redis_link.c); the profiles (redis.c); the
 * backend of limit (redis_limit.c). Private to the room; all of it is the control thread's. */
#pragma once
#include "base/hash.h"
#include "base/list.h"
#include "base/role.h"
#include "loop/co.h"
#include "loop/loop.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { REDIS_SERVERS_MAX = 8, REDIS_WHY_MAX = 200 };

struct lpoll;
struct dns_ask;
struct redisContext;
struct redisReply;

struct redis_server {
	char *host, *password; /* password: NULL: none */
	uint16_t port;
	int64_t timeout_us; /* to connect, and for each answer */
	int64_t left_alone_until_us;
};
struct redis_link {
	struct redis_server servers[REDIS_SERVERS_MAX];
	unsigned server_count, place;
	enum { REDIS_AWAY, REDIS_NAME, REDIS_DIALLING, REDIS_HELLO, REDIS_UP } step;
	struct dns_ask *name;
	struct redisContext *c;
	struct lpoll *poll;
	struct ltimer timer;  /* of all that comes before REDIS_UP */
	unsigned hello_count; /* answers that are still to come before it */
	bool is_time_known;   /* of the server: clock_mono_us() + ahead_us */
	int64_t ahead_us;
	struct list queued, sent; /* of struct ask */
	unsigned ask_count;
	size_t reply_bytes, element_count; /* of the answer that is coming in */
	char why[REDIS_WHY_MAX];           /* of the last failure */
};

ON_CTL void redis_link_init(struct redis_link *l);  /* then its servers are filled in */
ON_CTL void redis_link_close(struct redis_link *l); /* whoever waits hears ST_CLOSED */
ON_CTL void redis_link_fini(struct redis_link *l);  /* nobody waits any more */
/* Reads an answer, which is not kept; what it returns goes to who asked. */
typedef int (*redis_reply_fn)(const struct redisReply *r, void *arg);
/* Asks and waits: up to the server's timeout for each connection that has to be tried and for the answer. An argument
 * that is NULL becomes the moment from which the answer is not waited for, in milliseconds of the server's clock; "0":
 * it does not tell the time. What was sent and not answered is not sent again. ST_LIMIT: too many wait; ST_TIMEOUT,
 * ST_CLOSED, ST_PARSE (no Redis), ST_DENIED: why tells. */
CO int redis_link_ask(
    struct redis_link *l, int count, const char *const *args, const size_t *sizes, redis_reply_fn fn, void *arg);

struct redis_profile { /* counted: whoever asks holds it */
	char *name;
	struct redis_link link;
	bool is_failing, ignores_failures, ignores_errors, deletes_zeros, is_ending;
	uint64_t asked, failed;
	/* what limit is to give back */
	struct hash *gives; /* key -> how many, as a pointer */
	bool is_giving;
	struct co_wait give_wait;
};
ON_CTL struct redis_profile *redis_profile_find(const char *name); /* borrowed; NULL */
/* As redis_link_ask; a failure is told once. */
CO int redis_ask(
    struct redis_profile *p, int count, const char *const *args, const size_t *sizes, redis_reply_fn fn, void *arg);

ON_CTL int redis_limit_load(void);
ON_CTL void redis_limit_unload(void);
ON_CTL void redis_limit_end(struct redis_profile *p); /* what is to be given back is forgotten */
