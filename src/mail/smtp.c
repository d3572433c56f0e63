/* One try to hand a message over: to an SMTP server by libcurl on a worker, or to a program like sendmail. Each has a
 * deadline; a silent server holds one worker of the network's lane, and the queue, nobody else. */
#include "base/mem.h"
#include "base/slurp.h"
#include "base/status.h"
#include "loop/co.h"
#include "mail/mail_i.h"
#include "proc/shell.h"
#include "text/words.h"
#include <curl/curl.h>
#include <poll.h>

enum { CONNECT_S = 15, WHOLE_S = 120, APP_S = 60, MESSAGE_MAX = 100 << 20 };

struct job {
	const struct mail_conf *c;
	const struct mail_envelope *e;
	const char *file;
	struct buf text; /* with CRLF */
	size_t at;
	struct buf *why;
	int st;
};

static int crlf_read(struct job *j)
{
	struct buf raw;
	buf_init(&raw);
	const char *why = NULL;
	int st = slurp(j->file, MESSAGE_MAX, &raw, &why);
	struct sv rest = buf_sv(&raw), line;
	while (!st && rest.n) {
		sv_split(rest, '\n', &line, &rest);
		buf_addv(&j->text, line);
		if (buf_adds(&j->text, "\r\n"))
			st = ST_NOMEM;
	}
	if (st)
		buf_printf(j->why, "the queue's file cannot be read: %s", why ? why : status_text(st));
	buf_fini(&raw);
	return st;
}

static size_t give(char *out, size_t size, size_t n, void *arg)
{
	struct job *j = arg;
	struct sv part = sv_sub(buf_sv(&j->text), j->at, size * n);
	if (part.n)
		memcpy(out, part.p, part.n);
	j->at += part.n;
	return part.n;
}

static int is_ending(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	struct pollfd p = {.fd = work_end_fd(), .events = POLLIN};
	(void)arg, (void)a, (void)b, (void)c, (void)d;
	return p.fd >= 0 && poll(&p, 1, 0) > 0;
}

static void options_set(CURL *h, struct job *j, const char *url, struct curl_slist *to, char *error)
{
	const struct mail_conf *c = j->c;
	curl_easy_setopt(h, CURLOPT_URL, url);
	curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h, CURLOPT_PROXY, "");
	curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
	curl_easy_setopt(h, CURLOPT_TIMEOUT, (long)WHOLE_S);
	curl_easy_setopt(h, CURLOPT_SERVER_RESPONSE_TIMEOUT, (long)WHOLE_S / 4);
	curl_easy_setopt(h, CURLOPT_ERRORBUFFER, error);
	curl_easy_setopt(h, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(h, CURLOPT_XFERINFOFUNCTION, is_ending);
	curl_easy_setopt(h, CURLOPT_MAIL_FROM, j->e->from);
	curl_easy_setopt(h, CURLOPT_MAIL_RCPT, to);
	curl_easy_setopt(h, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(h, CURLOPT_READFUNCTION, give);
	curl_easy_setopt(h, CURLOPT_READDATA, j);
	curl_easy_setopt(h, CURLOPT_INFILESIZE_LARGE, (curl_off_t)j->text.n);
	if (c->tls == MAIL_TLS_STARTTLS)
		curl_easy_setopt(h, CURLOPT_USE_SSL, (long)CURLUSESSL_ALL);
	if (*c->ca_file)
		curl_easy_setopt(h, CURLOPT_CAINFO, c->ca_file);
	if (c->skips_verify) {
		curl_easy_setopt(h, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(h, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	if (*c->user) {
		curl_easy_setopt(h, CURLOPT_USERNAME, c->user);
		curl_easy_setopt(h, CURLOPT_PASSWORD, c->password);
	}
}

static void smtp_work(void *arg)
{
	struct job *j = arg;
	struct curl_slist *to = curl_slist_append(NULL, j->e->to);
	char error[CURL_ERROR_SIZE] = "";
	struct buf url;
	long code = 0;
	CURL *h = curl_easy_init();
	role_assert_work();
	buf_init(&url);
	buf_printf(
	    &url, "%s://%s:%u/%s", j->c->tls == MAIL_TLS_WHOLE ? "smtps" : "smtp", j->c->host, j->c->port, j->c->helo);
	j->st = h && to && !url.failed ? crlf_read(j) : ST_NOMEM;
	if (!j->st) {
		options_set(h, j, url.p, to, error);
		CURLcode rc = curl_easy_perform(h);
		curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &code);
		j->st = rc == CURLE_OK ? ST_OK : rc == CURLE_OPERATION_TIMEDOUT ? ST_TIMEOUT : ST_IO;
		if (rc != CURLE_OK)
			buf_printf(j->why, "%s%s(%ld)", error[0] ? error : curl_easy_strerror(rc), " ", code);
	}
	if (h)
		curl_easy_cleanup(h);
	curl_slist_free_all(to);
	buf_fini(&url);
	buf_fini(&j->text);
}

int mail_smtp_try(const struct mail_conf *c, const struct mail_envelope *e, const char *file, struct buf *why)
{
	struct job j = {.c = c, .e = e, .file = file, .why = why};
	int st = co_work(WORK_NET, "mail by smtp", smtp_work, &j);
	return st ? st : j.st;
}

int mail_app_try(const struct mail_conf *c, const struct mail_envelope *e, const char *file, struct buf *why)
{
	enum { WORDS = 12 };
	char *words[WORDS], *own = mem_strdup(c->app_args);
	const char *argv[WORDS + 10] = {
	    "/bin/sh", "-c", "f=$1; shift; exec \"$@\" <\"$f\"", "sh", file, c->app, "-f", e->from};
	int n = 8, code = 0, word_count = own ? words_split(own, ' ', words, WORDS) : 0;
	for (int i = 0; i < word_count; i++)
		if (*words[i])
			argv[n++] = words[i];
	argv[n++] = e->to;
	argv[n] = NULL;
	struct shell_conf s = {.argv = argv, .output_max_bytes = 4096, .timeout_s = APP_S, .is_ours = true};
	struct buf out;
	buf_init(&out);
	int st = shell_run(&s, &out, &code);
	if (!st && code) {
		struct sv said = sv_trim(sv_sub(buf_sv(&out), 0, 200));
		buf_printf(why, "%s ended with %d%s%.*s", c->app, code, said.n ? ": " : "", SVF(said));
		st = ST_IO;
	} else if (st) {
		buf_printf(why, "%s: %s", c->app, status_text(st));
	}
	buf_fini(&out);
	mem_free(own);
	return st;
}
