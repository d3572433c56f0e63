/* One run of the console: what it prints, what its lines mean. The terminal (term.c) feeds it lines and draws its
 * prompt. */
#pragma once
#include "cli/conf.h"
#include "cli/link.h"

struct session {
	struct cli_conf *conf;
	struct link link;
	char switchname[CLI_TEXT_MAX], hostname[CLI_TEXT_MAX], prompt[CLI_TEXT_MAX * 2];
	char filter_uuid[64], filter_text[CLI_TEXT_MAX];
	bool is_over, is_lost; /* the user left; the switch went */
	bool has_color;
	void (*before_output)(void *arg); /* the terminal takes its line away, and draws it again after */
	void (*after_output)(void *arg);
	void *term;
};
ANY void session_init(struct session *s, struct cli_conf *conf);
/* Connects with the retries the options ask for; prints the reason on failure. */
ANY int session_open(struct session *s);
ANY void session_close(struct session *s);
/* -x: one command. Returns the exit code. */
ANY int session_execute(struct session *s, const char *command);
/* Greets: names, log level, banner. */
ANY int session_greet(struct session *s);
/* One line as typed. */
ANY void session_line(struct session *s, const char *line);
/* Reads what the switch sent; sets is_lost. */
ANY void session_read(struct session *s);
/* Completion of the text before the cursor: prints candidates; *drop_count characters are replaced by insert.
 * ST_NOTFOUND. */
ANY int session_complete(
    struct session *s, const char *line, size_t cursor, unsigned *drop_count, char *insert, size_t size);
