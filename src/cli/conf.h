/* Options of tandem-cli: built in, from the configuration files, from the command line, in this order. */
#pragma once
#include "base/log.h"
#include "base/role.h"
#include "base/status.h"

enum { CLI_KEY_COUNT = 12, CLI_TEXT_MAX = 256 };

struct cli_conf {
	char name[CLI_TEXT_MAX], host[CLI_TEXT_MAX], user[CLI_TEXT_MAX], password[CLI_TEXT_MAX];
	char command[4096], set_uuid[64], prompt[CLI_TEXT_MAX];
	unsigned port;
	char keys[CLI_KEY_COUNT][CLI_TEXT_MAX], key_toggles[CLI_KEY_COUNT][CLI_TEXT_MAX];
	const char *prompt_color, *input_color, *output_color; /* escape sequences, "" = none */
	int debug, uuid_chars;                                 /* uuid_chars: 0 = no call uuid before log lines */
	enum log_level loglevel;
	int timeout_ms, connect_timeout_ms;
	bool is_loglevel_set, is_batch, is_quiet, has_no_history, retries, reconnects, may_interrupt, has_no_color,
	    has_command;
};
/* 0 go on; 1 leave with success (help was printed); negative: leave with failure (the reason was printed). */
ANY int cli_conf_read(struct cli_conf *c, int argc, char **argv);
ANY void cli_usage(const char *program);
