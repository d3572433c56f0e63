/* Intrusive doubly linked list. A node is in at most one list. All ANY: the owner thread decides. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct lnode {
	struct lnode *prev, *next;
};
struct list {
	struct lnode head;
};
#define list_entry(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))
/* Safe against removal of the current node. */
#define list_each(l, it, tmp) \
	for ((it) = (l)->head.next, (tmp) = (it)->next; (it) != &(l)->head; (it) = (tmp), (tmp) = (it)->next)

static inline void list_init(struct list *l)
{
	l->head.prev = l->head.next = &l->head;
}
static inline bool list_empty(const struct list *l)
{
	return l->head.next == &l->head;
}
static inline bool lnode_is_linked(const struct lnode *n)
{
	return n->next != NULL;
}
static inline void list_insert(struct lnode *n, struct lnode *prev, struct lnode *next)
{
	n->prev = prev, n->next = next, prev->next = n, next->prev = n;
}
static inline void list_push(struct list *l, struct lnode *n)
{
	list_insert(n, l->head.prev, &l->head);
}
static inline void list_unshift(struct list *l, struct lnode *n)
{
	list_insert(n, &l->head, l->head.next);
}
static inline void list_remove(struct lnode *n)
{
	if (!n->next)
		return;
	n->prev->next = n->next, n->next->prev = n->prev, n->next = n->prev = NULL;
}
/* All of from, in its order, to the empty list to. */
static inline void list_take(struct list *to, struct list *from)
{
	if (list_empty(from))
		return;
	to->head = from->head;
	to->head.next->prev = to->head.prev->next = &to->head;
	list_init(from);
}
static inline struct lnode *list_first(struct list *l)
{
	return list_empty(l) ? NULL : l->head.next;
}
