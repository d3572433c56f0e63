/* The table behind `show registrations`. */
#pragma once
#include "base/role.h"
#include "base/str.h"

/* Registrations as core's `show registrations` table sees them; endpoints keep it up to date. */
struct core_registration {
	const char *user, *realm, *token, *url, *network_ip, *network_port, *network_proto, *metadata;
	int64_t expires_epoch;
};
ON_CTL int core_registration_set(const struct core_registration *r); /* keyed by token (call-id) + user + realm */
ON_CTL void core_registration_del(const char *user, const char *realm, const char *token);
ON_CTL void core_registration_each(void (*fn)(const struct core_registration *r, void *arg), void *arg);
ON_CTL size_t core_registration_count(void);
ON_CTL void registrations_clear(void);
