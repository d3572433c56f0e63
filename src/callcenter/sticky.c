/* Which agent a number had last, by queue: in memory, the newest so many, and written behind into the table cc_sticky.
 * What is too old counts no longer and goes when it is met. */
#include "base/hash.h"
#include "base/mem.h"
#include "base/status.h"
#include "callcenter/callcenter_i.h"

#include <string.h>

enum { STICKY_MAX = 200000 };
struct sticky {
	struct lnode link; /* the oldest first */
	char *key, *agent;
	int64_t until_s;
};
static struct hash *by_key; /* "QUEUE\nNUMBER" */
static struct list by_age;

static void sticky_free(void *value)
{
	struct sticky *s = value;
	list_remove(&s->link);
	mem_free(s->key);
	mem_free(s->agent);
	mem_free(s);
}

int cc_sticky_start(void)
{
	list_init(&by_age);
	return hash_new(&by_key, 0, sticky_free);
}

void cc_sticky_stop(void)
{
	hash_free(by_key);
	by_key = NULL;
}

/* Somebody: anonymous callers have a number too, of no digits. */
static bool is_number(const char *number)
{
	return number && strpbrk(number, "0123456789") && strlen(number) <= CC_NAME_MAX;
}

static char *key_make(const char *queue, const char *number)
{
	struct buf key;
	buf_init(&key);
	buf_printf(&key, "%s\n%s", queue, number);
	return buf_take(&key);
}

static ON_CTL void put(const char *queue, const char *number, const char *agent, int64_t until_s)
{
	char *key = key_make(queue, number);
	struct sticky *s = key ? hash_get(by_key, sv_of(key)) : NULL;
	char *copy = key ? mem_strdup(agent) : NULL;
	if (!s && copy && (s = mem_zalloc(sizeof(*s)))) {
		s->key = key;
		if (hash_set(by_key, sv_of(key), s)) {
			mem_free(s);
			s = NULL;
		} else {
			key = NULL;
		}
	}
	if (s && copy) {
		list_remove(&s->link);
		list_push(&by_age, &s->link);
		mem_free(s->agent);
		s->agent = copy;
		s->until_s = until_s;
		copy = NULL;
	}
	mem_free(copy);
	mem_free(key);
	if (hash_count(by_key) > STICKY_MAX) {
		struct sticky *oldest = list_entry(list_first(&by_age), struct sticky, link);
		(void)hash_del(by_key, sv_of(oldest->key));
	}
}

void cc_sticky_restore(const char *queue, const char *number, const char *agent, int64_t until_s)
{
	char *key = key_make(queue, number);
	bool is_known = key && hash_get(by_key, sv_of(key)); /* of this run: newer */
	if (until_s > cc_now_s() && is_number(number) && !is_known)
		put(queue, number, agent, until_s);
	mem_free(key);
}

void cc_sticky_note(const struct cc_queue *q, const char *number, const char *agent)
{
	int64_t until_s = cc_now_s() + q->s.sticky_keep_s;
	if (!q->s.is_sticky || !is_number(number))
		return;
	put(q->name, number, agent, until_s);
	cc_plus_keep_sticky(q->name, number, agent, until_s);
}

const char *cc_sticky_find(const struct cc_queue *q, const char *number)
{
	char *key = is_number(number) ? key_make(q->name, number) : NULL;
	struct sticky *s = key ? hash_get(by_key, sv_of(key)) : NULL;
	if (s && s->until_s <= cc_now_s()) {
		(void)hash_del(by_key, sv_of(key));
		s = NULL;
	}
	mem_free(key);
	return s ? s->agent : NULL;
}
