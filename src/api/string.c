/* Text in, text out: what dialplans use inside ${...}. No state, nothing waits but eval, expand and file_exists. */
#include "api/api_i.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "core/run/api.h"
#include "core/run/expand.h"
#include "text/digest.h"
#include "text/mark.h"
#include "text/re.h"
#include "text/url.h"

#include <ctype.h>
#include <stdlib.h>
#include <unistd.h>

int api_echo(struct api_call *c)
{
	role_assert_ctl();
	c->is_reply_text = true;
	return api_text(c, c->text);
}

int api_toupper(struct api_call *c)
{
	role_assert_ctl();
	for (const char *p = c->args; *p; p++)
		buf_addc(c->out, (char)toupper((unsigned char)*p));
	return ST_OK;
}

int api_tolower(struct api_call *c)
{
	role_assert_ctl();
	for (const char *p = c->args; *p; p++)
		buf_addc(c->out, (char)tolower((unsigned char)*p));
	return ST_OK;
}

int api_url_encode(struct api_call *c)
{
	role_assert_ctl();
	return url_encode(c->out, sv_of(c->args), 0);
}

int api_url_decode(struct api_call *c)
{
	role_assert_ctl();
	return url_decode(c->out, sv_of(c->args));
}

int api_md5(struct api_call *c)
{
	uint8_t digest[DIGEST_MD5_BYTES];
	char hex[2 * DIGEST_MD5_BYTES + 1];
	role_assert_ctl();
	if (!*c->args)
		return api_text(c, "!err!");
	digest_md5(c->args, strlen(c->args), digest);
	digest_hex(digest, sizeof(digest), hex);
	return api_text(c, hex);
}

int api_sha256(struct api_call *c)
{
	uint8_t digest[DIGEST_SHA256_BYTES];
	char hex[DIGEST_HEX_CHARS(DIGEST_SHA256_BYTES) + 1];
	role_assert_ctl();
	if (!*c->args)
		return api_text(c, "!err!");
	digest_sha256(c->args, strlen(c->args), digest);
	digest_hex(digest, sizeof(digest), hex);
	return api_text(c, hex);
}

/* Backslashes before what would end a quoted text or begin a new line. */
int api_escape(struct api_call *c)
{
	static const char from[] = "\r\n\t\\$";
	static const char to[] = "rnt\\$";
	role_assert_ctl();
	for (const char *p = c->args; *p; p++) {
		const char *k = strchr(from, *p);
		if (k)
			buf_addc(c->out, '\\');
		buf_addc(c->out, k ? to[k - from] : *p);
	}
	return ST_OK;
}

int api_sql_escape(struct api_call *c)
{
	role_assert_ctl();
	for (const char *p = c->args; *p; p++) {
		if (*p == '\'')
			buf_addc(c->out, '\'');
		buf_addc(c->out, *p);
	}
	return ST_OK;
}

int api_quote_shell_arg(struct api_call *c)
{
	role_assert_ctl();
	if (!*c->args)
		return ST_OK;
	c->is_reply_text = true;
	buf_addc(c->out, '\'');
	for (const char *p = c->text; *p; p++) {
		if (*p == '\'') /* a marked one is escaped when it comes before the shell (mark_strip_shell) */
			buf_adds(c->out, "'\\''");
		else
			buf_addc(c->out, *p);
	}
	buf_addc(c->out, '\'');
	return ST_OK;
}

/* "a|b|c", or "m:~a~b~c" with another separator, cut in place into at most max parts; marked text has no separator. */
static int split_parts(char *text, char **parts, int max)
{
	char sep = '|';
	int n = 0;
	if (text[0] == 'm' && text[1] == ':' && text[2] && !mark_has(sv_sub(sv_of(text), 2, 2))) {
		sep = text[2];
		text += 3;
	}
	while (n < max) {
		parts[n++] = text;
		char *next = n < max ? strchr(text, sep) : NULL;
		if (!next)
			break;
		*next = 0;
		text = next + 1;
	}
	return n;
}

int api_replace(struct api_call *c)
{
	char *part[3], *text;
	role_assert_ctl();
	text = mem_strdup(api_own_text(c));
	if (!text || split_parts(text, part, 3) < 3 || !*part[1]) {
		mem_free(text);
		return api_text(c, "-ERR");
	}
	for (int i = 0; i < 3; i++)
		mark_strip_in_place(part[i]);
	size_t n = strlen(part[1]);
	const char *p = part[0];
	for (const char *hit; (hit = strstr(p, part[1])); p = hit + n) {
		buf_add(c->out, p, (size_t)(hit - p));
		buf_adds(c->out, part[2]);
	}
	buf_adds(c->out, p);
	mem_free(text);
	return ST_OK;
}

/* regex data|pattern: true or false. data|pattern|text: text with groups put in; without a match the data, or with a
 * fourth part n nothing, with b "false". */
int api_regex(struct api_call *c)
{
	char *part[4], *text;
	static struct re_match m;
	struct buf pattern, data;
	role_assert_ctl();
	text = mem_strdup(api_own_text(c));
	int n = text ? split_parts(text, part, 4) : 0;
	if (n < 2) {
		mem_free(text);
		return api_text(c, "-ERR");
	}
	c->is_reply_text = true;
	buf_init(&pattern);
	buf_init(&data);
	mark_strip_regex(&pattern, sv_of(part[1]));
	mark_strip(&data, sv_of(part[0]));
	bool is_match = re_match_once(buf_sv(&pattern), buf_sv(&data), &m) == 1;
	if (is_match)
		re_match_mark(&m, buf_sv(&data), sv_of(part[0]));
	const char *mode = n > 3 ? part[3] : "";
	if (n == 2)
		buf_adds(c->out, is_match ? "true" : "false");
	else if (is_match)
		re_substitute(c->out, sv_of(part[2]), strchr(part[2], '%') ? '%' : '$', &m);
	else if (*mode == 'b')
		buf_adds(c->out, "false");
	else if (*mode != 'n')
		buf_adds(c->out, part[0]);
	buf_fini(&pattern);
	buf_fini(&data);
	mem_free(text);
	return ST_OK;
}

static bool is_number(const char *s, double *out)
{
	char *end;
	*out = strtod(s, &end);
	return *s && !*end;
}

/* 1, 0, or -1 for an unknown operator. */
static int compare(const char *a, const char *op, const char *b)
{
	double x, y;
	double diff = is_number(a, &x) && is_number(b, &y) ? x - y : (double)strcmp(a, b);
	if (!strcmp(op, "=="))
		return diff == 0;
	if (!strcmp(op, "!="))
		return diff != 0;
	if (!strcmp(op, ">"))
		return diff > 0;
	if (!strcmp(op, ">="))
		return diff >= 0;
	if (!strcmp(op, "<"))
		return diff < 0;
	return !strcmp(op, "<=") ? diff <= 0 : -1;
}

int api_cond(struct api_call *c)
{
	char *word[8], *text, *yes, *no = NULL;
	role_assert_ctl();
	text = mem_strdup(api_own_text(c));
	c->is_reply_text = true;
	yes = text ? strchr(text, '?') : NULL;
	if (yes) {
		*yes++ = 0;
		no = strchr(yes, ':');
	}
	int n = no ? api_split(text, ' ', word, 8) : 0;
	for (int i = 0; i < n; i++)
		mark_strip_in_place(word[i]);
	int result = n == 3 ? compare(word[0], word[1], word[2]) : -1;
	if (result < 0) {
		buf_adds(c->out, "-ERR");
	} else {
		*no++ = 0;
		buf_addv(c->out, sv_trim(sv_of(result ? yes : no)));
	}
	mem_free(text);
	return ST_OK;
}

int api_coalesce(struct api_call *c)
{
	const char *p = api_own_text(c);
	char sep = ',';
	role_assert_ctl();
	if (!*p)
		return api_usage(c, "coalesce");
	c->is_reply_text = true;
	if (!strncmp(p, "^^", 2) && p[2] && !mark_has(sv_sub(sv_of(p), 2, 2))) {
		sep = p[2];
		p += 3;
	}
	struct sv rest = sv_of(p), head;
	do {
		sv_split(rest, sep, &head, &rest);
		if (head.n)
			return buf_addv(c->out, head);
	} while (rest.n);
	return ST_OK;
}

/* Takes "uuid:U " off the front; the leg or the one the command runs on. False: there is such a prefix, but no leg. */
static ON_CTL bool leg_prefix(struct api_call *c, const char **rest, struct leg **leg)
{
	*rest = c->text;
	*leg = c->leg;
	if (strncasecmp(c->text, "uuid:", 5))
		return true;
	char uuid[3 * UUID_CHARS] = "";
	size_t n = strcspn(c->text + 5, " ");
	if (n >= sizeof(uuid))
		return false;
	memcpy(uuid, c->text + 5, n);
	mark_strip_in_place(uuid);
	*rest = c->text + 5 + n + strspn(c->text + 5 + n, " ");
	*leg = leg_find(uuid);
	return *leg != NULL;
}

int api_eval(struct api_call *c)
{
	const char *rest;
	struct leg *leg;
	char *out = NULL;
	role_assert_co();
	if (!leg_prefix(c, &rest, &leg))
		return ST_OK;
	c->is_reply_text = true;
	int st = expand(leg, rest, &out);
	if (!st)
		buf_adds(c->out, out);
	mem_free(out);
	return st;
}

/* The line of who may not do everything: nothing in it is expanded, only his own command is run. */
static int line_own(const struct api_call *c, char **line)
{
	const char *args = c->args;
	if (!strncasecmp(args, "uuid:", 5))
		args += strcspn(args, " "), args += strspn(args, " ");
	*line = mem_strdup(args);
	return *line ? ST_OK : ST_NOMEM;
}

int api_expand(struct api_call *c)
{
	const char *rest;
	struct leg *leg;
	char *line = NULL;
	role_assert_co();
	if (!*c->args)
		return api_text(c, "-ERR No input\n");
	if (!leg_prefix(c, &rest, &leg))
		return ST_OK;
	mem_ref(leg);
	int st = c->who ? line_own(c, &line) : expand(leg, rest, &line);
	if (!st) {
		size_t n = strcspn(line, " ");
		const char *args = line + n + strspn(line + n, " ");
		line[n] = 0;
		c->is_reply_text = true;
		st = c->who ? api_run_for(c->who, line, args, leg, c->out) : api_run_text(line, args, leg, c->out);
		if (st == ST_NOTFOUND) {
			buf_printf(c->out, "-ERR %s Command not found!\n", line);
			st = ST_OK;
		}
	}
	mem_free(line);
	mem_unref(leg);
	return st;
}

struct exists_ask {
	const char *path;
	bool is_there;
};

static void exists_work(void *arg)
{
	role_assert_work();
	struct exists_ask *q = arg;
	q->is_there = *q->path && !access(q->path, F_OK);
}

int api_file_exists(struct api_call *c)
{
	role_assert_co();
	struct buf path;
	buf_init(&path);
	struct exists_ask q = {.path = mark_strip_path(&path, sv_of(c->text)) ? "" : path.p ? path.p : ""};
	co_work(WORK_FILE, "api.file_exists", exists_work, &q);
	buf_fini(&path);
	return api_text(c, q.is_there ? "true" : "false");
}

int api_getenv(struct api_call *c)
{
	role_assert_ctl();
	const char *v = *c->args ? getenv(c->args) : NULL;
	return api_text(c, v ? v : "_undef_");
}
