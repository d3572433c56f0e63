/* The reference of everything the modules bring, as Markdown on standard output (tandem -reference). Modules must be
 * registered; none needs to be loaded. */
#pragma once
#include "base/role.h"

ON_CTL void reference_print(void);
