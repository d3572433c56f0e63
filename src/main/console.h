/* The console of `tandem -c`: lines from the terminal are commands, as in tandem-cli but without line editing. */
#pragma once
#include "base/role.h"

ON_CTL int console_start(void); /* nothing happens when standard input is no terminal */
ON_CTL void console_stop(void);
