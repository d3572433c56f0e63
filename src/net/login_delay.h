/* Failed logins by address, and how long the next answer is held back for it: nothing for the first few, then twice as
 * long each time up to a bound. Attempts of one address take their turns, however many connections they come on. A
 * failure is forgotten after a while; right passwords forget nothing, for one account must not hide the guessing at
 * another. Fixed memory: of more addresses than fit, the one that failed longest ago is forgotten. */
#pragma once
#include "base/role.h"
#include "net/addr.h"

struct login_delay;
struct login_delay_counts {
	uint64_t failed, refused;
	size_t address_count;
};
ON_CTL int login_delay_new(struct login_delay **out);
ON_CTL void login_delay_free(struct login_delay *d); /* NULL is fine */
/* An attempt of peer: how long to wait before it is looked at (or answered); it takes its turn by asking. ST_LIMIT: so
 * many wait their turn already that it is to be refused unseen. */
ON_CTL int login_delay_turn(struct login_delay *d, const struct addr *peer, int64_t *wait_us);
ON_CTL void login_delay_failed(struct login_delay *d, const struct addr *peer);
ON_CTL void login_delay_counts(const struct login_delay *d, struct login_delay_counts *out);
