/* Tokens that passed, for as long as they are fresh: one that comes again in another call and from another host was
 * copied. Another call from the same host is a carrier who tries again, the same call from another host came by another
 * way; to another number (a diverted call that forks) it is another call. What is signed is remembered, not the
 * signature, of which there are two for each text. One fixed table; only what an authority's certificate signed gets
 * in; where a row is full the oldest gives way. */
#include "base/hash.h"
#include "base/mem.h"
#include "endpoint/sip/stir/attest_i.h"

#include <string.h>

enum { ROWS = 4096, WAYS = 4 };
struct seen {
	uint64_t token, call, host;
	int64_t until_s;
};
static struct seen (*table)[WAYS];

bool stir_is_replayed(
    struct sv token, const char *called, struct sv call_id, struct sv host, int64_t now_s, unsigned fresh_s)
{
	struct seen new = {.token = hash_bytes(token.p, token.n) ^ 3 * hash_bytes(called, strlen(called)),
	    .call = hash_bytes(call_id.p, call_id.n),
	    .host = hash_bytes(host.p, host.n),
	    .until_s = now_s + 2 * (int64_t)fresh_s}; /* its time may lie ahead by as much */
	role_assert_ctl();
	if (!table && !(table = mem_zalloc(sizeof(*table) * ROWS)))
		return false;
	struct seen *row = table[new.token % ROWS], *oldest = row;
	for (size_t i = 0; i < WAYS; i++) {
		if (row[i].token == new.token && row[i].until_s >= now_s)
			return row[i].call != new.call &&row[i].host != new.host;
		if (row[i].until_s < oldest->until_s)
			oldest = &row[i];
	}
	*oldest = new;
	return false;
}

void stir_replay_stop(void)
{
	mem_free(table);
	table = NULL;
}
