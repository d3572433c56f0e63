/* Text in, text out: what dialplans use inside ${...}. No state, nothing waits but eval, expand and file_exists. */
#include "api/api_i.h"
#include "base/scan.h"
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "core/run/api.h"
#include "core/run/expand.h"
#include "core/value/vars.h"
#include "text/digest.h"
#include "text/mark.h"
#include "text/re.h"
#include "text/url.h"
#include "text/words.h"

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

/* What is coded is a value of a URL from there on: the percent signs are ours, so that they are not coded once more
 * where the value is put into one. */
int api_url_encode(struct api_call *c)
{
	struct mark_it it = {.rest = sv_of(c->text)};

	role_assert_ctl();
	c->is_reply_text = true;
	while (mark_next(&it)) {
		char coded[3 + SCAN_STEP + 3];
		size_t n = (size_t)(url_encode_to(coded, (struct sv){&it.byte, 1}) - coded);
		struct sv own = sv_sub((struct sv){coded, n}, 0, n > 1 ? 1 : 0),
		          rest = sv_sub((struct sv){coded, n}, own.n, n);

		buf_addv(c->out, own);
		if (it.is_outside)
			mark_put(c->out, rest);
		else
			buf_addv(c->out, rest);
	}
	return c->out->failed ? ST_LIMIT : ST_OK;
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

/* Newlines, tabs, blanks and dollars as FreeSWITCH's lists have them: "\n", "\s" ... A backslash stays as it is. */
int api_escape(struct api_call *c)
{
	static const char from[] = "\r\n\t $";
	static const char to[] = "rnts$";
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

/* "a|b|c", or "m:~a~b~c" with another separator (| ~ /), cut in place into at most max parts. */
static int split_parts(char *text, char **parts, int max)
{
	bool has_sep = text[0] == 'm' && text[1] == ':' && text[2] && strchr("|~/", text[2]);
	return words_split(has_sep ? text + 3 : text, has_sep ? text[2] : '|', parts, max);
}

int api_replace(struct api_call *c)
{
	char *part[3], *text;
	role_assert_ctl();
	text = mem_strdup(api_own_text(c));
	if (!text || split_parts(text, part, 3) < 3) {
		mem_free(text);
		return api_text(c, "-ERR");
	}
	for (int i = 0; i < 3; i++)
		mark_strip_in_place(part[i]);
	size_t n = strlen(part[1]);
	const char *p = part[0];
	for (const char *hit; n && (hit = strstr(p, part[1])); p = hit + n) {
		buf_add(c->out, p, (size_t)(hit - p));
		buf_adds(c->out, part[2]);
	}
	buf_adds(c->out, p);
	mem_free(text);
	return ST_OK;
}

static void put_groups(struct buf *out, char *text, const struct re_match *m)
{
	for (char *p = text; (p = strchr(p, '%')); p++)
		*p = '$';
	re_substitute(out, sv_of(text), '$', m);
}

/* regex data|pattern: true or false. data|pattern|text: text with groups put in ($1, ${1}, and a % is a $); without a
 * match the data, or with an n in the fourth part nothing, with a b "false". */
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
		put_groups(c->out, part[2], &m);
	else if (strchr(mode, 'n'))
		;
	else if (strchr(mode, 'b'))
		buf_adds(c->out, "false");
	else
		buf_adds(c->out, part[0]);
	buf_fini(&pattern);
	buf_fini(&data);
	mem_free(text);
	return ST_OK;
}

int api_coalesce(struct api_call *c)
{
	enum { PARTS_MAX = 256 };
	char *part[PARTS_MAX], *text = mem_strdup(api_own_text(c)), *begin = text;
	char sep = ',';
	role_assert_ctl();
	c->is_reply_text = true;
	if (text && !strncmp(text, "^^", 2) && text[2] && !mark_has(sv_sub(sv_of(text), 2, 2))) {
		sep = text[2];
		begin = text + 3;
	}
	int n = text ? words_split(begin, sep, part, PARTS_MAX) : 0, i = 0;
	while (i < n && !*part[i])
		i++;
	if (i < n)
		buf_adds(c->out, part[i]);
	else if (!n)
		api_usage(c, "coalesce");
	mem_free(text);
	return ST_OK;
}

/* Takes "uuid:U " off the front: the rest, and the leg (or NULL, when there is none of that name). */
static ON_CTL const char *leg_prefix(struct api_call *c, struct leg **leg)
{
	const char *blank = strchr(c->text, ' ');
	char uuid[3 * UUID_CHARS] = "";
	*leg = NULL;
	if (strncasecmp(c->text, "uuid:", 5))
		return c->text;
	if (!blank)
		return "";
	size_t n = (size_t)(blank - c->text) - 5;
	if (n < sizeof(uuid)) {
		memcpy(uuid, c->text + 5, n);
		mark_strip_in_place(uuid);
		*leg = leg_find(uuid);
	}
	return blank + 1;
}

/* What eval and expand know of a leg: not its variables by their names, but the headers of its events, in which the
 * variable x is variable_x. */
struct headers {
	struct leg *leg;
	struct event *event; /* made when it is first asked for */
	struct buf value;
};

static ON_CTL const char *header_value(const char *name, void *arg)
{
	struct headers *h = arg;
	if (!h->leg)
		return NULL;
	if (!strncasecmp(name, "variable_", 9))
		return vars_text(h->leg->vars, name + 9, &h->value);
	if (!h->event && (h->event = event_new_plain(EVENT_CHANNEL_DATA)))
		leg_event_headers(h->leg, h->event);
	const char *value = h->event ? event_get(h->event, name) : NULL;
	if (!value)
		return NULL;
	buf_clear(&h->value);
	mark_put(&h->value, sv_of(value)); /* what a caller's profile says is his */
	return h->value.p ? h->value.p : "";
}

static CO int expand_headers(struct leg *leg, const char *text, char **out)
{
	struct headers h = {.leg = leg};
	buf_init(&h.value);
	int st = expand_with(NULL, header_value, &h, text, out);
	buf_fini(&h.value);
	mem_unref(h.event);
	return st;
}

int api_eval(struct api_call *c)
{
	struct leg *leg;
	char *out = NULL;
	role_assert_co();
	const char *rest = leg_prefix(c, &leg);
	c->is_reply_text = true;
	mem_ref(leg);
	int st = expand_headers(leg, rest, &out);
	if (!st)
		buf_adds(c->out, out);
	mem_free(out);
	mem_unref(leg);
	return st;
}

/* [uuid:U ]COMMAND ARGUMENTS, of which the arguments are expanded; not for who may not do everything: nothing in his
 * line is expanded, only his own command is run. */
int api_expand(struct api_call *c)
{
	struct leg *leg;
	char *args = NULL, *cmd;
	role_assert_co();
	const char *rest = leg_prefix(c, &leg);
	if (c->who)
		rest = c->args + (strncasecmp(c->args, "uuid:", 5) ? 0 : strcspn(c->args, " "));
	rest += c->who ? strspn(rest, " ") : 0;
	if (!*rest)
		return api_text(c, "-ERR No input\n");
	size_t n = strcspn(rest, " ");
	cmd = mem_strndup(rest, n);
	if (!cmd)
		return ST_NOMEM;
	const char *given = rest[n] ? rest + n + 1 : "";
	mem_ref(leg);
	c->is_reply_text = true;
	int st = c->who ? ST_OK : expand_headers(leg, given, &args);
	if (!st)
		st = c->who ? api_run_for(c->who, cmd, given, leg, c->out) : api_run_text(cmd, args, c->leg, c->out);
	if (st == ST_NOTFOUND) {
		buf_adds(c->out, "INVALID COMMAND!\n-ERR Cannot execute command\n");
		st = ST_OK;
	}
	mem_free(args);
	mem_free(cmd);
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
