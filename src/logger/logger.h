/* Where log lines go: the terminal (mod_console) and files (mod_logfile). Sinks run on the log's writer thread. */
#pragma once
#include "base/log.h"
#include "core/registry/module.h"

extern const struct module mod_console, mod_logfile;
/* HUP: closes and reopens every file, moving the old one aside when rotate-on-hup says so. */
ON_CTL void logger_rotate(void);
/* Before the configuration is read: lines of at most this level go to stdout; off in the background. */
ON_CTL void logger_console_enable(bool is_enabled);
ON_CTL int logger_console_set_level(enum log_level level); /* `console loglevel`; LOG_DISABLE: nothing */
ON_CTL enum log_level logger_console_level(void);
