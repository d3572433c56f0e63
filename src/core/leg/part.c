/* The table of parts, and where each has its block: behind the leg, in the order of the table. */
#include "core/leg/part.h"
#include "base/check.h"
#include "base/status.h"
#include "core/leg/leg.h"
#include "core/leg/leg_i.h"

enum { PARTS_MAX = 32, BLOCK_ALIGN = 16 };

static struct leg_part *table[PARTS_MAX];
static size_t end = sizeof(struct leg_full);
static unsigned count;

static size_t aligned(size_t n)
{
	return (n + BLOCK_ALIGN - 1) & ~(size_t)(BLOCK_ALIGN - 1);
}

void leg_parts_set(struct leg_part *const *parts)
{
	CHECK(!leg_count());
	end = aligned(sizeof(struct leg_full));
	for (count = 0; *parts; parts++)
		CHECK(!leg_parts_add(*parts));
}

int leg_parts_add(struct leg_part *part)
{
	for (unsigned i = 0; i < count; i++)
		if (table[i] == part)
			return ST_OK;
	if (leg_count())
		return ST_BUSY;
	if (count == PARTS_MAX)
		return ST_FULL;
	table[count++] = part;
	part->at = end;
	end += aligned(part->bytes);
	return ST_OK;
}

size_t leg_full_bytes(void)
{
	return end;
}

unsigned leg_part_count(void)
{
	return count;
}

const struct leg_part *leg_part_at(unsigned i)
{
	return table[i];
}
