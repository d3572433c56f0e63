/* Line editing without threads: libedit asks us for each character, and while we wait for one we also watch the
 * connection and print what comes, taking the line away before and having it drawn again after. */
#include "cli/term.h"

#include <errno.h>
#include <histedit.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

struct term {
	struct session *session;
	EditLine *edit;
	History *history;
	char history_path[1024];
	mbstate_t decoding;
	bool is_editing, is_toggled[CLI_KEY_COUNT];
};
static struct term *the_term; /* libedit's callbacks have no argument of ours */
static volatile sig_atomic_t was_interrupted, was_resized;

static void on_signal(int signum)
{
	if (signum == SIGWINCH)
		was_resized = 1;
	else if (signum == SIGQUIT)
		_exit(0);
	else
		was_interrupted = 1;
}

static void before_output(void *arg)
{
	struct term *t = arg;
	if (t->is_editing)
		fputs("\r\033[K", stdout);
}

static void after_output(void *arg)
{
	struct term *t = arg;
	if (t->is_editing)
		el_set(t->edit, EL_REFRESH);
}

static char *prompt(EditLine *edit)
{
	return the_term->session->prompt;
}

/* Waits for input, serving the connection meanwhile. 1: input is there; 0: the session ended. */
static int wait_input(struct term *t)
{
	struct session *s = t->session;
	while (!s->is_lost && !s->is_over) {
		struct pollfd p[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = s->link.fd, .events = POLLIN}};
		int n = poll(p, 2, -1);
		if (n < 0 && errno != EINTR)
			return 0;
		if (was_resized && t->edit)
			el_resize(t->edit);
		was_resized = 0;
		if (was_interrupted) {
			was_interrupted = 0;
			if (s->conf->may_interrupt) {
				s->is_over = true;
				return 0;
			}
			before_output(t);
			printf("Type control-D or /exit or /quit or /bye to exit.\n");
			fflush(stdout);
			after_output(t);
		}
		if (n > 0 && p[1].revents)
			session_read(s);
		if (n > 0 && p[0].revents)
			return 1;
	}
	return 0;
}

static int get_char(EditLine *edit, wchar_t *out)
{
	struct term *t = the_term;
	char byte;
	while (wait_input(t)) {
		ssize_t n = read(STDIN_FILENO, &byte, 1);
		if (n == 0)
			return 0;
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		size_t used = n < 0 ? (size_t)-1 : mbrtowc(out, &byte, 1, &t->decoding);
		if (used == (size_t)-2)
			continue;
		if (used == (size_t)-1) {
			memset(&t->decoding, 0, sizeof(t->decoding));
			*out = (unsigned char)byte;
		}
		return n < 0 ? -1 : 1;
	}
	return 0;
}

/* ---- keys ------------------------------------------------------------------------------------------------------ */
static unsigned char press(int i)
{
	struct term *t = the_term;
	const struct cli_conf *c = t->session->conf;
	const char *line = c->keys[i];
	if (*c->key_toggles[i]) {
		line = t->is_toggled[i] ? c->key_toggles[i] : c->keys[i];
		t->is_toggled[i] = !t->is_toggled[i];
	}
	printf("%s\n", line);
	session_line(t->session, line);
	return t->session->is_over || t->session->is_lost ? CC_EOF : CC_REDISPLAY;
}

#define KEY(n) \
	static unsigned char key_##n(EditLine *edit, int ch) \
	{ \
		return press(n - 1); \
	}
/* clang-format off */
KEY(1) KEY(2) KEY(3) KEY(4) KEY(5) KEY(6) KEY(7) KEY(8) KEY(9) KEY(10) KEY(11) KEY(12)
    /* clang-format on */

    static unsigned char complete(EditLine *edit, int ch)
{
	const LineInfo *line = el_line(edit);
	char text[1024], insert[512];
	unsigned drop_count = 0;
	size_t n = (size_t)(line->lastchar - line->buffer), cursor = (size_t)(line->cursor - line->buffer);
	if (n >= sizeof(text))
		return CC_ERROR;
	memcpy(text, line->buffer, n);
	text[n] = 0;
	if (session_complete(the_term->session, text, cursor, &drop_count, insert, sizeof(insert)))
		return CC_REDISPLAY;
	if (drop_count <= cursor)
		el_deletestr(edit, (int)drop_count);
	el_insertstr(edit, insert);
	return CC_REDISPLAY;
}

static unsigned char end_of_file(EditLine *edit, int ch)
{
	const LineInfo *line = el_line(edit);
	if (line->lastchar == line->buffer)
		return CC_EOF;
	if (line->cursor < line->lastchar) {
		el_cursor(edit, 1);
		el_deletestr(edit, 1);
	}
	return CC_REFRESH;
}

static void bind_keys(EditLine *edit)
{
	static const struct {
		const char *name;
		unsigned char (*fn)(EditLine *, int);
		const char *sequences[3];
	} keys[] = {{"f1-key", key_1, {"\033OP", "\033[11~", NULL}}, {"f2-key", key_2, {"\033OQ", "\033[12~", NULL}},
	    {"f3-key", key_3, {"\033OR", "\033[13~", NULL}}, {"f4-key", key_4, {"\033OS", "\033[14~", NULL}},
	    {"f5-key", key_5, {"\033[15~", NULL}}, {"f6-key", key_6, {"\033[17~", NULL}},
	    {"f7-key", key_7, {"\033[18~", NULL}}, {"f8-key", key_8, {"\033[19~", NULL}},
	    {"f9-key", key_9, {"\033[20~", NULL}}, {"f10-key", key_10, {"\033[21~", NULL}},
	    {"f11-key", key_11, {"\033[23~", NULL}}, {"f12-key", key_12, {"\033[24~", NULL}},
	    {"ed-complete", complete, {"\t", NULL}}, {"eof-key", end_of_file, {"\004", NULL}}};
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		el_set(edit, EL_ADDFN, keys[i].name, "", keys[i].fn);
		for (size_t k = 0; keys[i].sequences[k]; k++)
			el_set(edit, EL_BIND, keys[i].sequences[k], keys[i].name, NULL);
	}
	el_set(edit, EL_BIND, "\033[3~", "ed-delete-next-char", NULL);
}

/* ---- history --------------------------------------------------------------------------------------------------- */
static void history_open(struct term *t)
{
	HistEvent e;
	const char *home = getenv("HOME");
	t->history = history_init();
	if (!t->history)
		return;
	history(t->history, &e, H_SETSIZE, 800);
	history(t->history, &e, H_SETUNIQUE, 1);
	el_set(t->edit, EL_HIST, history, t->history);
	if (t->session->conf->has_no_history || !home)
		return;
	snprintf(t->history_path, sizeof(t->history_path), "%s/.tandem_cli_history", home);
	history(t->history, &e, H_LOAD, t->history_path);
}

static void history_close(struct term *t)
{
	HistEvent e;
	if (!t->history)
		return;
	if (*t->history_path)
		history(t->history, &e, H_SAVE, t->history_path);
	history_end(t->history);
}

static int term_open(struct term *t)
{
	setlocale(LC_CTYPE, "");
	the_term = t;
	t->edit = el_init("tandem-cli", stdin, stdout, stderr);
	if (!t->edit)
		return ST_IO;
	el_set(t->edit, EL_PROMPT, prompt);
	el_set(t->edit, EL_EDITOR, "emacs");
	el_set(t->edit, EL_GETCFN, get_char);
	history_open(t);
	bind_keys(t->edit);
	t->session->before_output = before_output;
	t->session->after_output = after_output;
	t->session->term = t;
	return ST_OK;
}

static void edit_lines(struct term *t)
{
	struct session *s = t->session;
	int n = 0;
	while (!s->is_over && !s->is_lost) {
		t->is_editing = true;
		const char *line = el_gets(t->edit, &n);
		t->is_editing = false;
		if (s->is_lost)
			return;
		if (!line || n <= 0) {
			if (!s->is_over)
				session_line(s, "/exit");
			return;
		}
		struct sv text = sv_trim((struct sv){line, (size_t)n});
		HistEvent e;
		if (text.n && t->history)
			history(t->history, &e, H_ENTER, line);
		session_line(s, line);
	}
}

/* Lines from a pipe or in batch mode: no prompt, no editing. */
static void plain_lines(struct term *t)
{
	struct session *s = t->session;
	struct buf in;
	char bytes[4096];
	buf_init(&in);
	while (wait_input(t)) {
		ssize_t n = read(STDIN_FILENO, bytes, sizeof(bytes));
		if (n <= 0)
			break;
		buf_add(&in, bytes, (size_t)n);
		for (size_t at; !s->is_over && !s->is_lost && (at = sv_find(buf_sv(&in), '\n')) < in.n;) {
			in.p[at] = 0;
			session_line(s, in.p);
			buf_drop(&in, at + 1);
		}
	}
	if (in.n && !s->is_over && !s->is_lost)
		session_line(s, in.p);
	buf_fini(&in);
	s->is_over = s->is_over || !s->is_lost;
}

int term_run(struct session *s)
{
	struct term t = {.session = s};
	struct sigaction action = {.sa_handler = on_signal};
	static const int signals[] = {SIGINT, SIGTSTP, SIGQUIT, SIGWINCH};
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
	bool is_plain = s->conf->is_batch || !isatty(STDIN_FILENO);
	if (is_plain)
		setvbuf(stdout, NULL, _IONBF, 0);
	else if (term_open(&t))
		return 255;
	for (;;) {
		if (is_plain)
			plain_lines(&t);
		else
			edit_lines(&t);
		if (!s->is_lost || s->is_over)
			break;
		printf("\nSocket interrupted, bye!\n");
		link_close(&s->link);
		if (!s->conf->reconnects || session_open(s) || session_greet(s))
			break;
	}
	if (t.edit) {
		history_close(&t);
		el_end(t.edit);
	}
	return 0;
}
