/* When a leg was held by its far side, and with whom it was bridged then: kept for the records (FreeSWITCH's
 * hold_events and hold-record). Bounded: of a phone that holds more often than that, the first times count. */
#include "base/clock.h"
#include "base/mem.h"
#include "core/leg/leg.h"
#include "core/leg/leg_i.h"
#include <stdio.h>

void leg_held_begin(struct leg *leg)
{
	struct leg_full *full = leg_i(leg);
	struct leg_held *grown;

	if (full->held_count == HELD_MAX)
		return;
	grown = mem_realloc(full->held, (full->held_count + 1) * sizeof(*grown));
	if (!grown)
		return;
	full->held = grown;
	grown += full->held_count++;
	*grown = (struct leg_held){.on_us = clock_wall_us()};
	if (leg->peer)
		snprintf(grown->peer, sizeof(grown->peer), "%s", leg->peer->uuid);
}

void leg_held_end(struct leg *leg)
{
	struct leg_full *full = leg_i(leg);

	if (full->held_count && !full->held[full->held_count - 1].off_us)
		full->held[full->held_count - 1].off_us = clock_wall_us();
}

void leg_held_last(struct leg *leg)
{
	const struct leg_full *full = leg_i(leg);
	struct buf b;

	if (!full->held_count)
		return;
	buf_init(&b);
	for (unsigned i = 0; i < full->held_count; i++)
		buf_printf(&b, "%s{%lld,%lld}", i ? "," : "{", (long long)full->held[i].on_us,
		    (long long)full->held[i].off_us);
	buf_addc(&b, '}');
	if (!b.failed)
		leg_var_set(leg, "hold_events", b.p);
	buf_fini(&b);
}

void leg_held_each(
    const struct leg *leg, void (*fn)(int64_t on_us, int64_t off_us, const char *peer, void *arg), void *arg)
{
	const struct leg_full *full = leg_i(leg);

	for (unsigned i = 0; i < full->held_count; i++)
		fn(full->held[i].on_us, full->held[i].off_us, full->held[i].peer, arg);
}
