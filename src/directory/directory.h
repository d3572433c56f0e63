/* The user directory of the configuration: <section name="directory"> behind core/conf/dir.h. */
#pragma once
#include "base/role.h"

/* Adds the configuration stage that indexes the directory, and becomes core's directory provider. Once, at start. */
ON_CTL int directory_start(void);
ON_CTL void directory_stop(void);
