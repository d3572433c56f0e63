/* Inside the store room: a store's tables that are being made; one at a time a store. */
#pragma once
#include "loop/loop.h"
#include "store/store.h"

struct store_migration;
ON_CTL void store_migration_set(struct store *s, struct store_migration *m);
ON_CTL void store_migration_cancel(struct store_migration *m); /* NULL is fine */
