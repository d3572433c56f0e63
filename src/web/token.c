/* Tokens: names, roles and SHA-256 sums, kept in one JSON file of mode 0600; only who makes a token ever sees its text.
 * At the first start an admin token is made and written to http_admin_token beside the file. A presented token is
 * hashed and compared with every sum, so that neither the count nor the place of a match shows in the time. Changes
 * are written by a worker (new file, fsync, rename) before they count. */
#include "base/clock.h"
#include "base/disk.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/slurp.h"
#include "loop/co.h"
#include "text/digest.h"
#include "web/web_i.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { TOKENS_MAX = 256, TOKEN_CHARS = 40, FILE_MAX_BYTES = 1 << 20 };
struct token {
	char name[TOKEN_NAME_MAX];
	enum web_role role;
	uint8_t sum[DIGEST_SHA256_BYTES];
	int64_t created_s;
};
struct tokens {
	size_t count;
	struct token list[TOKENS_MAX];
};
static struct tokens tokens;
static bool is_changing; /* one change at a time: it waits for the disk */

static const char *const role_names[] = {"none", "read", "agent", "operator", "admin"};

const char *web_role_name(enum web_role r)
{
	return role_names[r];
}

int web_role_parse(const char *text, enum web_role *out)
{
	if (text && !strcasecmp(text, "read-only"))
		text = "read";
	if (text && !strcasecmp(text, "supervisor"))
		text = "operator";
	for (int r = WEB_READ; text && r <= WEB_ADMIN; r++)
		if (!strcasecmp(text, role_names[r])) {
			*out = (enum web_role)r;
			return ST_OK;
		}
	return ST_PARSE;
}

enum web_role web_token_check(struct sv token, const char **name)
{
	uint8_t sum[DIGEST_SHA256_BYTES];
	const struct token *found = NULL;
	digest_sha256(token.p, token.n, sum);
	for (size_t i = 0; i < tokens.count; i++)
		if (digest_equal(sum, tokens.list[i].sum, sizeof(sum)))
			found = &tokens.list[i];
	*name = found ? found->name : "";
	return found ? found->role : WEB_NOBODY;
}

enum web_role web_token_role(const char *name)
{
	if (*name == '@')
		return web_session_role(name);
	for (size_t i = 0; i < tokens.count; i++)
		if (!strcmp(tokens.list[i].name, name))
			return tokens.list[i].role;
	return WEB_NOBODY;
}

/* ---- the file ---- */
static int tokens_write(const char *path, const struct tokens *t)
{
	struct json_writer w;
	struct buf b;
	char hex[DIGEST_HEX_CHARS(DIGEST_SHA256_BYTES) + 1];
	buf_init(&b);
	jw_init(&w, &b, true);
	jw_begin_object(&w);
	jw_key(&w, "tokens");
	jw_begin_array(&w);
	for (size_t i = 0; i < t->count; i++) {
		digest_hex(t->list[i].sum, sizeof(t->list[i].sum), hex);
		jw_begin_object(&w);
		jw_kv_str(&w, "name", t->list[i].name);
		jw_kv_str(&w, "role", web_role_name(t->list[i].role));
		jw_kv_str(&w, "sha256", hex);
		jw_kv_int(&w, "created", t->list[i].created_s);
		jw_end_object(&w);
	}
	jw_end_array(&w);
	jw_end_object(&w);
	buf_addc(&b, '\n');
	int st = b.failed ? ST_NOMEM : disk_replace(path, buf_sv(&b), 0600, true);
	buf_fini(&b);
	return st;
}

static int hex_parse(const char *hex, uint8_t *out, size_t n)
{
	if (!hex || strlen(hex) != 2 * n || strspn(hex, "0123456789abcdefABCDEF") != 2 * n)
		return ST_PARSE;
	for (size_t i = 0; i < n; i++) {
		unsigned v;
		if (sscanf(hex + 2 * i, "%2x", &v) != 1)
			return ST_PARSE;
		out[i] = (uint8_t)v;
	}
	return ST_OK;
}

static int token_read(struct token *t, const json_t *from)
{
	const char *name = json_string_value(json_object_get(from, "name"));
	if (!name || !*name || *name == '@' || strlen(name) >= TOKEN_NAME_MAX ||
	    web_role_parse(json_string_value(json_object_get(from, "role")), &t->role))
		return ST_PARSE;
	snprintf(t->name, sizeof(t->name), "%s", name);
	t->created_s = json_integer_value(json_object_get(from, "created"));
	return hex_parse(json_string_value(json_object_get(from, "sha256")), t->sum, sizeof(t->sum));
}

static int tokens_parse(struct sv text, const char *path)
{
	char error[JSON_ERROR_CHARS];
	json_t *root = NULL;
	if (json_parse(&root, text, FILE_MAX_BYTES, error)) {
		log_error("http: %s: %s", path, error);
		return ST_PARSE;
	}
	const json_t *list = json_object_get(root, "tokens");
	size_t n = json_array_size(list);
	int st = json_is_array(list) && n <= TOKENS_MAX ? ST_OK : ST_PARSE;
	for (size_t i = 0; i < n && !st; i++)
		st = token_read(&tokens.list[tokens.count++], json_array_get(list, i));
	json_decref(root);
	if (st) {
		log_error("http: %s: token %zu cannot be read", path, tokens.count);
		tokens.count = 0;
	}
	return st;
}

static void token_fill(struct token *t, const char *name, enum web_role role, const char *text)
{
	*t = (struct token){.role = role, .created_s = clock_wall_us() / 1000000};
	snprintf(t->name, sizeof(t->name), "%s", name);
	digest_sha256(text, strlen(text), t->sum);
}

static int tokens_make(const char *path)
{
	char text[TOKEN_CHARS + 2], plain[4096];
	const char *slash = strrchr(path, '/');
	int dir = slash ? (int)(slash - path) : 0;
	rand_token(text, TOKEN_CHARS);
	token_fill(&tokens.list[0], "admin", WEB_ADMIN, text);
	tokens.count = 1;
	strcat(text, "\n");
	snprintf(plain, sizeof(plain), "%.*s/http_admin_token", dir, path);
	int st = disk_replace(plain, sv_of(text), 0600, true);
	if (!st)
		st = tokens_write(path, &tokens);
	if (st)
		log_error("http: %s cannot be written: %s", path, strerror(errno));
	else
		log_notice("http: made an admin token: %s", plain);
	return st;
}

int web_tokens_load(const char *path)
{
	struct stat info;
	struct buf b;
	const char *why;
	tokens.count = 0;
	buf_init(&b);
	int st = slurp(path, FILE_MAX_BYTES, &b, &why);
	if (st == ST_NOTFOUND) {
		buf_fini(&b);
		return tokens_make(path);
	}
	if (st)
		log_error("http: %s cannot be read: %s", path, why);
	else if (!stat(path, &info) && info.st_mode & 077)
		log_warning("http: %s can be read by others; its mode should be 0600", path);
	st = st ? ST_IO : tokens_parse(buf_sv(&b), path);
	buf_fini(&b);
	return st;
}

void web_tokens_fini(void)
{
	memset(&tokens, 0, sizeof(tokens));
}

/* ---- the command `http` ---- */
struct change {
	struct tokens next;
	char *path;
	int status;
};

static void change_write(void *arg)
{
	struct change *k = arg;
	role_assert_work();
	k->status = tokens_write(k->path, &k->next);
}

/* Writes what k holds; on success it counts. */
static CO int change_do(struct change *k)
{
	is_changing = true;
	int st = co_work(WORK_FILE, "http tokens", change_write, k);
	is_changing = false;
	if (!st)
		st = k->status;
	if (!st)
		tokens = k->next;
	return st;
}

static CO struct change *change_new(struct api_call *c)
{
	struct change *k = is_changing ? NULL : mem_zalloc(sizeof(*k));
	if (!k) {
		buf_adds(c->out, "-ERR another change is being written\n");
		return NULL;
	}
	k->next = tokens;
	k->path = mem_strdup(web_conf.token_file);
	return k;
}

static void change_free(struct change *k)
{
	mem_free(k->path);
	mem_free(k);
}

static struct token *token_named(struct tokens *t, const char *name)
{
	for (size_t i = 0; i < t->count; i++)
		if (!strcmp(t->list[i].name, name))
			return &t->list[i];
	return NULL;
}

static CO void token_add(struct api_call *c, const char *name, const char *role_text)
{
	char text[TOKEN_CHARS + 1];
	enum web_role role;
	if (web_role_parse(role_text, &role) || !*name || *name == '@' || strlen(name) >= TOKEN_NAME_MAX) {
		buf_adds(c->out, "-ERR a name of up to 63 characters and a role (admin, operator, agent, read), "
		                 "without @ in front, are needed\n");
		return;
	}
	if (token_named(&tokens, name) || tokens.count == TOKENS_MAX) {
		buf_printf(c->out, "-ERR %s\n", tokens.count == TOKENS_MAX ? "too many tokens" : "that name is taken");
		return;
	}
	if (c->job_uuid) { /* BACKGROUND_JOB and /v1/jobs would tell it to every reader */
		buf_adds(c->out, "-ERR not in the background: the reply would be told to all\n");
		return;
	}
	struct change *k = change_new(c);
	if (!k)
		return;
	rand_token(text, TOKEN_CHARS);
	token_fill(&k->next.list[k->next.count++], name, role, text);
	int st = change_do(k);
	if (st)
		buf_printf(c->out, "-ERR the token file cannot be written: %s\n", status_text(st));
	else
		buf_printf(c->out, "+OK %s\n", text);
	change_free(k);
}

static CO void token_revoke(struct api_call *c, const char *name)
{
	if (!token_named(&tokens, name)) {
		buf_adds(c->out, "-ERR no such token\n");
		return;
	}
	struct change *k = change_new(c);
	if (!k)
		return;
	struct token *t = token_named(&k->next, name);
	memmove(t, t + 1, (size_t)(&k->next.list[k->next.count] - (t + 1)) * sizeof(*t));
	k->next.count--;
	int st = change_do(k);
	if (st) {
		buf_printf(c->out, "-ERR the token file cannot be written: %s\n", status_text(st));
	} else {
		web_readers_end(name);
		web_sessions_end(name);
		buf_adds(c->out, "+OK\n");
	}
	change_free(k);
}

static ON_CTL void token_list(struct api_call *c)
{
	buf_adds(c->out, "name,role,created\n");
	for (size_t i = 0; i < tokens.count; i++)
		buf_printf(c->out, "%s,%s,%lld\n", tokens.list[i].name, web_role_name(tokens.list[i].role),
		    (long long)tokens.list[i].created_s);
	buf_printf(c->out, "\n%zu total.\n", tokens.count);
}

static ON_CTL void status_put(struct api_call *c)
{
	struct http_server_counts n = {0};
	struct addr local;
	char text[ADDR_TEXT_MAX];
	if (!web_server()) {
		buf_adds(c->out, "-ERR not listening\n");
		return;
	}
	http_server_counts(web_server(), &n);
	http_server_local(web_server(), &local);
	buf_printf(c->out, "listening on %s\n%zu connection(s), %llu accepted, %llu refused\n", addr_text(&local, text),
	    n.conns, (unsigned long long)n.accepted, (unsigned long long)n.refused);
	buf_printf(c->out, "%llu request(s), %llu in error, %llu timed out, %zu command(s) running\n",
	    (unsigned long long)n.requests, (unsigned long long)n.errors, (unsigned long long)n.timeouts,
	    web_running_count());
	size_t files, file_bytes;
	web_files_counts(&files, &file_bytes);
	buf_printf(c->out, "%zu session(s), console: %zu file(s), %zu bytes\n", web_session_count(), files, file_bytes);
	buf_printf(c->out, "%zu event reader(s), ring of %llu events, %zu bytes\n", web_reader_count(),
	    (unsigned long long)(web_ring_end() - web_ring_begin()), web_ring_bytes());
}

struct console_read {
	char *dir;
	struct web_files *files;
};

static void console_read(void *arg)
{
	struct console_read *r = arg;
	r->files = web_files_read(r->dir);
}

static CO void console_reload(struct api_call *c)
{
	struct console_read r = {.dir = mem_strdup(web_conf.console_dir)};
	size_t count, bytes;
	int st = r.dir ? co_work(WORK_FILE, "http console", console_read, &r) : ST_NOMEM;
	mem_free(r.dir);
	if (st || !web_server()) { /* unloaded meanwhile */
		mem_unref(r.files);
		buf_printf(c->out, "-ERR %s\n", status_text(st ? st : ST_CLOSED));
		return;
	}
	web_files_use(r.files);
	web_files_counts(&count, &bytes);
	buf_printf(c->out, "+OK %zu file(s), %zu bytes\n", count, bytes);
}

int web_api_http(struct api_call *c)
{
	char verb[16] = "", what[16] = "", name[256] = "", role[32] = "";
	role_assert_co();
	sscanf(c->args, "%15s %15s %255s %31s", verb, what, name, role);
	bool is_token = !strcasecmp(verb, "token");
	if (!strcasecmp(verb, "status"))
		status_put(c);
	else if (!strcasecmp(verb, "console") && !strcasecmp(what, "reload"))
		console_reload(c);
	else if (is_token && !strcasecmp(what, "list"))
		token_list(c);
	else if (is_token && !strcasecmp(what, "add"))
		token_add(c, name, role);
	else if (is_token && !strcasecmp(what, "revoke"))
		token_revoke(c, name);
	else
		buf_printf(c->out, "-USAGE: %s\n",
		    "status|console reload|token list|token add <name> admin|operator|agent|read|token revoke <name>");
	return ST_OK;
}
