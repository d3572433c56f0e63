/* The table behind `show registrations`: endpoints put in and take out, keyed by user, realm and token. */
#include "core/registry/registrations.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/status.h"
#include <string.h>

static struct hash *table;

static int make_key(struct buf *key, const char *user, const char *realm, const char *token)
{
	buf_init(key);
	return buf_printf(key, "%s\n%s\n%s", user ? user : "", realm ? realm : "", token ? token : "");
}

/* The row and its strings in one block. */
int core_registration_set(const struct core_registration *r)
{
	const char *in[8] = {
	    r->user, r->realm, r->token, r->url, r->network_ip, r->network_port, r->network_proto, r->metadata};
	const char *out[8];
	size_t bytes = sizeof(struct core_registration);
	struct core_registration *row;
	struct buf key;
	char *p;
	int st;

	for (int i = 0; i < 8; i++)
		bytes += (in[i] ? strlen(in[i]) : 0) + 1;
	if (!table && hash_new(&table, HASH_NOCASE, mem_free))
		return ST_NOMEM;
	row = mem_alloc(bytes);
	if (!row)
		return ST_NOMEM;
	p = (char *)(row + 1);
	for (int i = 0; i < 8; i++) {
		size_t n = (in[i] ? strlen(in[i]) : 0) + 1;
		out[i] = memcpy(p, in[i] ? in[i] : "", n);
		p += n;
	}
	*row = (struct core_registration){
	    out[0], out[1], out[2], out[3], out[4], out[5], out[6], out[7], r->expires_epoch};
	st = make_key(&key, r->user, r->realm, r->token);
	if (!st)
		st = hash_set(table, buf_sv(&key), row);
	buf_fini(&key);
	if (st)
		mem_free(row);
	return st;
}

void core_registration_del(const char *user, const char *realm, const char *token)
{
	struct buf key;

	if (table && !make_key(&key, user, realm, token)) {
		hash_del(table, buf_sv(&key));
		buf_fini(&key);
	}
}

void core_registration_each(void (*fn)(const struct core_registration *r, void *arg), void *arg)
{
	struct hash_it it = {0};
	while (table && hash_next(table, &it))
		fn(it.value, arg);
}

size_t core_registration_count(void)
{
	return table ? hash_count(table) : 0;
}

void registrations_clear(void)
{
	hash_free(table);
	table = NULL;
}
