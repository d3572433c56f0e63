/* What this switch is: directories, names, addresses. Set once by core_start; read by whoever names files, writes
 * events or answers `status`. */
#pragma once
#include "base/role.h"

struct core_dirs { /* absolute, no trailing slash; strings live as long as the program */
	const char *base, *conf, *log, *run, *db, *mod, *scripts, *temp, *certs, *recordings, *storage, *cache, *sounds,
	    *htdocs, *grammar, *data;
};
ON_CTL const struct core_dirs *core_dirs(void);
ON_CTL const char *core_uuid(void);
ON_CTL const char *core_hostname(void);
ON_CTL const char *core_switchname(void);
ON_CTL const char *core_local_ip4(void); /* the address of the default route, "127.0.0.1" without one */
ON_CTL const char *core_local_ip6(void);
#define TANDEM_VERSION "0.1.0"
/* What FreeSWITCH-Version headers and `version` say: clients compare it with FreeSWITCH's. */
ON_CTL const char *core_version_text(void);

/* By core_start: d lives as long as the program; NULL: it has stopped. The name is copied. */
ON_CTL void core_dirs_set(const struct core_dirs *d);
ON_CTL void core_switchname_set(const char *name);
