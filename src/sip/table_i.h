/* An intrusive table by 64-bit keyed hashes (base/hash.h's SipHash: outsiders cannot choose collisions, so equal keys
 * are taken as equal things for transactions; dialogs and connections compare what they are as well). */
#pragma once
#include "base/str.h"
#include <stddef.h>
#include <stdint.h>

struct sip_node {
	struct sip_node *next;
	uint64_t key;
	bool is_linked;
};
struct sip_table {
	struct sip_node **slots;
	size_t mask, count;
};
int sip_table_init(struct sip_table *t);
void sip_table_fini(struct sip_table *t);
void sip_table_add(struct sip_table *t, struct sip_node *n, uint64_t key);
void sip_table_del(struct sip_table *t, struct sip_node *n);
struct sip_node *sip_table_first(const struct sip_table *t, uint64_t key);
struct sip_node *sip_node_next(const struct sip_node *n); /* with the same key */
uint64_t sip_key(struct sv a, struct sv b, struct sv c, uint64_t salt);
