/* A hash table from byte strings to pointers; grows; keyed SipHash so that outsiders cannot choose collisions.
 * Keys are copied. Iteration is in insertion order. Removing the current entry while iterating is allowed. */
#pragma once
#include "base/str.h"

struct hash;
enum { HASH_NOCASE = 1 };
typedef void (*hash_free_fn)(void *value);

/* free_fn (may be NULL) is called for a value that is replaced, removed or left at hash_free. */
int hash_new(struct hash **out, unsigned flags, hash_free_fn free_fn);
void hash_free(struct hash *h);                           /* NULL is fine */
int hash_set(struct hash *h, struct sv key, void *value); /* replaces; value must not be NULL */
void *hash_get(const struct hash *h, struct sv key);      /* borrowed; NULL when absent */
bool hash_del(struct hash *h, struct sv key);             /* frees the value; false when absent */
void *hash_take(struct hash *h, struct sv key);           /* moves the value out */
size_t hash_count(const struct hash *h);
struct hash_it {
	size_t i;
	struct sv key;
	void *value;
};
/* struct hash_it it = {0}; while (hash_next(h, &it)) ... */
bool hash_next(const struct hash *h, struct hash_it *it);
uint64_t hash_bytes(const void *p, size_t n); /* the keyed SipHash-1-3 */
