/* Who is registered, whoever keeps it: nothing is kept here. Each registrar (an endpoint; shared by several machines
 * one day) answers for its own:
 *
 *   show registrations, /metrics, the console   core_registration_each, _count    every registrar in turn
 *   reg_url                                     core_registration_find            the same, by user and realm
 */
#pragma once
#include "base/role.h"
#include "base/str.h"

/* One registration; the texts are valid during the call that gives it. */
struct core_registration {
	const char *user, *realm, *token /* call-id */, *url, *network_ip, *network_port, *network_proto, *metadata;
	int64_t expires_epoch;
};
typedef void (*core_registration_fn)(const struct core_registration *r, void *arg);
/* A constant. Answers from memory, at once, on control (each begins with role_assert_ctl()); fn must not change what is
 * registered. */
struct core_registrar {
	const char *name;
	void (*each)(core_registration_fn fn, void *arg);
	/* Of a user in a realm, the one to be tried first first. */
	void (*find)(struct sv user, struct sv realm, core_registration_fn fn, void *arg);
	size_t (*count)(void);
};
ON_CTL int core_registrar_add(const struct core_registrar *r); /* ST_EXISTS, ST_FULL */
ON_CTL void core_registrar_del(const struct core_registrar *r);

ON_CTL void core_registration_each(core_registration_fn fn, void *arg);
ON_CTL void core_registration_find(struct sv user, struct sv realm, core_registration_fn fn, void *arg);
ON_CTL size_t core_registration_count(void);

/* Who keeps a copy elsewhere is told whose registrations have changed (how, he asks with core_registration_find). One
 * at a time; NULL: nobody. fn must not change what is registered. */
typedef void (*core_registration_changed_fn)(struct sv user, struct sv realm);
ON_CTL void core_registration_watch(core_registration_changed_fn fn);
ON_CTL void core_registration_changed(struct sv user, struct sv realm); /* by registrars, after the change */
