/* The terminal: libedit for line editing, history, TAB, function keys; a plain reader where there is no terminal. */
#pragma once
#include "cli/session.h"

/* Reads lines until the user leaves or the switch goes; with -R connects again. Returns the exit code. */
ANY int term_run(struct session *s);
