/* The preprocessor: FreeSWITCH's, line by line, before any XML is looked at. Directives inside ordinary XML comments
 * are obeyed, a line with a directive goes as a whole; <include> and <?...?> are cut out. Each line put out is noted
 * in the line map, so that the parser can name the file a person edits. Problems that FreeSWITCH only logs are only
 * reported. */
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/slurp.h"
#include "core/conf/config.h"
#include "core/conf/config_i.h"
#include "proc/shell.h"
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int pre_init(struct pre *p, struct hash *vars)
{
	memset(p, 0, sizeof *p);
	buf_init(&p->out);
	p->out.max = XML_MAX_BYTES;
	p->vars = vars;
	p->may_run = true;
	p->deadline_us = clock_mono_us() + (int64_t)PRE_LOAD_MS * 1000;
	return hash_new(&p->stun, HASH_NOCASE, mem_free);
}

void pre_fini(struct pre *p)
{
	buf_fini(&p->out);
	for (size_t i = 0; i < p->set_count; i++) {
		mem_free(p->sets[i].name);
		mem_free(p->sets[i].value);
	}
	for (size_t i = 0; i < p->file_count; i++)
		mem_free(p->files[i]);
	mem_free(p->sets);
	mem_free(p->files);
	mem_free(p->map);
	mem_free(p->spans);
	hash_free(p->vars);
	hash_free(p->stun);
}

void pre_problem(struct pre *p, const char *file, unsigned line, const char *fmt, ...)
{
	char text[CONFIG_ERROR_CHARS];
	int n = snprintf(text, sizeof text, "%s:%u:1: ", file, line);
	va_list ap;

	if (n < 0 || (size_t)n >= sizeof text)
		return;
	va_start(ap, fmt);
	vsnprintf(text + n, sizeof text - (size_t)n, fmt, ap);
	va_end(ap);
	if (p->report)
		p->report(text, p->report_arg);
	else
		log_error("%s", text);
}

/* Grows an array of elements of size bytes by one. */
static int pre_grow(void **list, size_t count, size_t *cap, size_t size)
{
	size_t more = *cap ? *cap * 2 : 64;
	void *bigger;

	if (count < *cap)
		return ST_OK;
	bigger = mem_realloc(*list, more * size);
	if (!bigger)
		return ST_NOMEM;
	*list = bigger, *cap = more;
	return ST_OK;
}

static void pre_note_line(struct pre *p, const char *file, unsigned line)
{
	if (p->map_file == file && p->map_next == line)
		return;
	if (pre_grow((void **)&p->map, p->map_count, &p->map_cap, sizeof *p->map)) {
		p->status = ST_NOMEM;
		return;
	}
	p->map[p->map_count++] = (struct xml_line_map){.from_line = p->out_line + 1, .file = file, .first_line = line};
	p->map_file = file;
}

static void pre_put_line(struct pre *p, const char *file, unsigned line, struct sv text)
{
	pre_note_line(p, file, line);
	buf_addv(&p->out, text);
	if (buf_addc(&p->out, '\n'))
		p->status = ST_NOMEM;
	p->out_line++;
	p->map_next = line + 1;
}

static void pre_set_var(struct pre *p, struct sv name, struct sv value)
{
	struct pre_set made = {sv_dup(name), sv_dup(value)};
	char *current = sv_dup(value);

	if (!made.name || !made.value || !current ||
	    pre_grow((void **)&p->sets, p->set_count, &p->set_cap, sizeof *p->sets) ||
	    hash_set(p->vars, name, current)) {
		mem_free(made.name);
		mem_free(made.value);
		mem_free(current);
		p->status = ST_NOMEM;
		return;
	}
	p->sets[p->set_count++] = made;
}

/* The line with every $${name} replaced. */
static void pre_expand(struct pre *p, const char *file, unsigned line, struct sv text, struct buf *out)
{
	for (size_t i = 0; i < text.n;) {
		struct sv rest = sv_sub(text, i, text.n);
		size_t end;
		if (!sv_starts(rest, SV("$${")) || (end = sv_find(rest, '}')) == rest.n) {
			buf_addc(out, text.p[i++]);
			continue;
		}
		struct sv name = sv_sub(rest, 3, end - 3);
		const char *value = hash_get(p->vars, name);
		if (value)
			buf_adds(out, value);
		else
			log_debug("%s:%u: $${%.*s} is not set", file, line, SVF(name));
		i += end + 1;
	}
	if (out->failed)
		p->status = ST_NOMEM;
}

/* What follows word="..." in text: *value gets the quoted part, *rest what is behind it. */
static bool pre_quoted(struct sv text, const char *word, struct sv *value, struct sv *rest)
{
	size_t n = strlen(word), i = 0;

	while (i + n <= text.n && strncasecmp(text.p + i, word, n))
		i++;
	if (i + n > text.n)
		return false;
	struct sv tail = sv_sub(text, i + n, text.n), after, before;
	return sv_split(tail, '=', &before, &after) && sv_split(after, '"', &before, &tail) &&
	       (sv_split(tail, '"', value, rest) || tail.n);
}

static bool pre_name_value(struct sv data, struct sv *name, struct sv *value)
{
	if (!sv_split(data, '=', name, value))
		return false;
	*name = sv_trim(*name);
	while (value->n && *value->p == ' ')
		*value = sv_sub(*value, 1, value->n);
	return name->n > 0;
}

static void pre_do_set(struct pre *p, const char *file, unsigned line, struct sv data, unsigned depth)
{
	struct sv name, value;
	if (pre_name_value(data, &name, &value))
		pre_set_var(p, name, value);
	else
		pre_problem(p, file, line, "set wants name=value");
}

static void pre_do_env_set(struct pre *p, const char *file, unsigned line, struct sv data, unsigned depth)
{
	struct sv name, value;
	char *env_name;

	if (!pre_name_value(data, &name, &value) || value.n < 2 || *value.p != '$') {
		pre_problem(p, file, line, "env-set wants name=$VARIABLE");
		return;
	}
	env_name = sv_dup(sv_sub(value, 1, value.n));
	const char *env = env_name ? getenv(env_name) : NULL;
	if (env)
		pre_set_var(p, name, sv_of(env));
	mem_free(env_name);
}

/* What may be waited for, at most max_ms: the load as a whole has an end. */
static int pre_wait_ms(struct pre *p, int max_ms)
{
	int64_t left_ms = (p->deadline_us - clock_mono_us()) / 1000;
	if (left_ms <= 0)
		p->status = ST_TIMEOUT, left_ms = 1;
	return left_ms < max_ms ? (int)left_ms : max_ms;
}

static int pre_run(struct pre *p, const char *file, unsigned line, struct sv command, struct buf *out)
{
	char *text = sv_dup(command);
	int st = text ? ST_OK : ST_NOMEM;

	if (!st && p->may_run && !p->runs_nothing)
		st = shell_output(text, pre_wait_ms(p, PRE_COMMAND_MS), PRE_COMMAND_MAX_BYTES, out);
	if (st)
		pre_problem(p, file, line, "command '%.*s' failed: %s", (int)(command.n < 200 ? command.n : 200),
		    command.p, status_text(st));
	mem_free(text);
	return st;
}

static void pre_do_exec_set(struct pre *p, const char *file, unsigned line, struct sv data, unsigned depth)
{
	struct sv name, value;
	struct buf out;

	if (!pre_name_value(data, &name, &value)) {
		pre_problem(p, file, line, "exec-set wants name=command");
		return;
	}
	buf_init(&out);
	if (pre_run(p, file, line, value, &out) == ST_OK) {
		while (out.n && strchr(" \t\r\n", out.p[out.n - 1]))
			out.n--;
		pre_set_var(p, name, buf_sv(&out));
	}
	buf_fini(&out);
}

static void pre_do_exec(struct pre *p, const char *file, unsigned line, struct sv data, unsigned depth)
{
	struct buf out;
	struct sv rest, head;

	buf_init(&out);
	out.max = PRE_COMMAND_MAX_BYTES;
	if (pre_run(p, file, line, data, &out) == ST_OK) {
		for (rest = buf_sv(&out); rest.n && !p->status;) {
			sv_split(rest, '\n', &head, &rest);
			p->map_file = NULL; /* every line of the output is the directive's line */
			pre_put_line(p, file, line, head);
		}
	}
	buf_fini(&out);
}

static void pre_do_stun_set(struct pre *p, const char *file, unsigned line, struct sv data, unsigned depth)
{
	struct sv name, value;
	char address[64] = "", *known;

	if (!pre_name_value(data, &name, &value)) {
		pre_problem(p, file, line, "stun-set wants name=stun:host");
		return;
	}
	known = hash_get(p->stun, value);
	if (!known && p->may_run && !p->runs_nothing) {
		int st = config_public_address(value, pre_wait_ms(p, PRE_STUN_MS), address);
		if (st) /* the network's fault, not the configuration's */
			log_warning("%s:%u: no address from %.*s: %s", file, line, SVF(value), status_text(st));
		known = mem_strdup(st ? "" : address);
		if (!known || hash_set(p->stun, value, known)) {
			mem_free(known);
			p->status = ST_NOMEM;
			return;
		}
	}
	if (known && *known)
		pre_set_var(p, name, sv_of(known));
}

static void pre_do_include(struct pre *p, const char *file, unsigned line, struct sv data, unsigned depth)
{
	const char *slash = strrchr(file, '/');
	struct buf pattern;
	glob_t found;
	int rc;

	if (!p->may_run)
		return;
	buf_init(&pattern);
	if (data.n && *data.p != '/' && slash)
		buf_add(&pattern, file, (size_t)(slash - file) + 1);
	buf_addv(&pattern, data);
	memset(&found, 0, sizeof found);
	rc = pattern.p && !pattern.failed ? glob(pattern.p, 0, NULL, &found) : GLOB_NOSPACE;
	if (rc == GLOB_NOMATCH) {
		/* a folder to drop files into may be empty; a file that is named must be there */
		if (p->report && !strpbrk(pattern.p, "*?["))
			pre_problem(p, file, line, "nothing matches include %s", pattern.p);
		else
			log_info("%s:%u: nothing matches include %s", file, line, pattern.p);
	} else if (rc) {
		pre_problem(p, file, line, "include %s: %s", pattern.p ? pattern.p : "",
		    rc == GLOB_NOSPACE ? "out of memory" : strerror(errno));
	}
	for (size_t i = 0; !rc && i < found.gl_pathc && !p->status; i++) {
		if (depth + 1 > PRE_MAX_DEPTH) {
			pre_problem(
			    p, file, line, "including %s: files include each other too deep", found.gl_pathv[i]);
			break;
		}
		int st = pre_file(p, found.gl_pathv[i], depth + 1);
		if (st && (!p->status || p->why))
			pre_problem(
			    p, file, line, "including %s: %s", found.gl_pathv[i], p->why ? p->why : status_text(st));
		p->why = NULL; /* told where it is included first */
	}
	globfree(&found);
	buf_fini(&pattern);
}

static const struct {
	const char *name;
	void (*run)(struct pre *p, const char *file, unsigned line, struct sv data, unsigned depth);
	bool is_comment_form; /* exists as <!--#name too */
} directives[] = {
    {"set", pre_do_set, true},
    {"include", pre_do_include, true},
    {"exec", pre_do_exec, true},
    {"exec-set", pre_do_exec_set, true},
    {"env-set", pre_do_env_set, false},
    {"stun-set", pre_do_stun_set, true},
};

static void pre_run_directive(
    struct pre *p, const char *file, unsigned line, struct sv name, struct sv data, unsigned depth, bool is_comment)
{
	for (size_t i = 0; i < ARRAY_COUNT(directives); i++)
		if (sv_isi(name, directives[i].name) && (!is_comment || directives[i].is_comment_form)) {
			directives[i].run(p, file, line, data, depth);
			return;
		}
	if (!is_comment)
		pre_problem(p, file, line, "unknown X-PRE-PROCESS command '%.*s'", SVF(name));
}

static size_t pre_find(struct sv text, const char *what)
{
	size_t n = strlen(what);
	for (size_t i = 0; i + n <= text.n; i++)
		if (((text.p[i] ^ *what) & ~0x20) == 0 && !strncasecmp(text.p + i, what, n))
			return i;
	return text.n;
}

/* <X-PRE-PROCESS cmd="" data=""/>: true when the line is used up by it. */
static bool pre_tag(struct pre *p, const char *file, unsigned line, struct sv text, unsigned depth)
{
	size_t at = pre_find(text, "X-PRE-PROCESS");
	struct sv rest, cmd, data;

	if (at == text.n)
		return false;
	if (at == 0 || text.p[at - 1] != '<')
		return true; /* XX-PRE-PROCESS: switched off, and gone */
	rest = sv_sub(text, at, text.n);
	if (pre_quoted(rest, "cmd", &cmd, &rest) && pre_quoted(rest, "data", &data, &rest))
		pre_run_directive(p, file, line, cmd, data, depth, false);
	return true;
}

/* <!--#name "data"-->: true when the line is used up by it; *in_block when the comment goes on. */
static bool pre_comment(struct pre *p, const char *file, unsigned line, struct sv text, unsigned depth, bool *in_block)
{
	size_t at = pre_find(text, "<!--#"), end;
	struct sv body, name, data, before, quoted;

	if (at == text.n)
		return false;
	body = sv_sub(text, at + 5, text.n);
	end = pre_find(body, "-->");
	*in_block = end == body.n;
	body = sv_sub(body, 0, end);
	if (sv_split(body, ' ', &name, &data)) {
		if (sv_split(data, '"', &before, &quoted)) {
			sv_split(quoted, '"', &data, &before);
		}
		pre_run_directive(p, file, line, name, sv_trim(data), depth, true);
	}
	return true;
}

/* The line without <include>, </include> and <?...?>: those are of the file, what stands beside them is of the document
 * (FreeSWITCH drops the whole line). */
static void pre_cut(struct sv text, struct buf *out)
{
	static const char *const tags[] = {"<include>", "</include>"};

	while (text.n) {
		size_t at = text.n, skip = 0;
		for (size_t i = 0; i < ARRAY_COUNT(tags); i++)
			if (pre_find(text, tags[i]) < at)
				at = pre_find(text, tags[i]), skip = strlen(tags[i]);
		size_t pi = pre_find(text, "<?"), end = pre_find(text, "?>");
		if (pi < at)
			at = pi, skip = end < text.n && end > pi ? end + 2 - pi : text.n - pi;
		buf_addv(out, sv_sub(text, 0, at));
		text = sv_sub(text, at + skip, text.n);
	}
}

static void pre_line(struct pre *p, const char *file, unsigned line, struct sv text, unsigned depth, bool *in_block)
{
	if (*in_block) {
		size_t end = pre_find(text, "-->");
		if (end == text.n) {
			pre_tag(p, file, line, text, depth);
			return;
		}
		*in_block = false;
		text = sv_sub(text, end + 3, text.n);
	}
	bool was_cut = pre_find(text, "<include>") < text.n || pre_find(text, "</include>") < text.n ||
	               pre_find(text, "<?") < text.n;
	struct buf kept;
	buf_init(&kept);
	if (was_cut) {
		pre_cut(text, &kept);
		text = buf_sv(&kept);
	}
	if (!(was_cut && !sv_trim(text).n) && !pre_tag(p, file, line, text, depth) &&
	    !pre_comment(p, file, line, text, depth, in_block))
		pre_put_line(p, file, line, text);
	buf_fini(&kept);
}

/* The map's lines are counted from the span's first. */
bool pre_span_is_good(const struct pre *p, const struct pre_span *span, char error[XML_ERROR_CHARS])
{
	size_t count = span->to_map - span->from_map;
	struct xml_line_map *map = mem_alloc((count + 1) * sizeof *map);
	struct xml_doc *doc = NULL;
	struct buf text;
	int st = ST_NOMEM;

	buf_init(&text);
	buf_adds(&text, "<x>");
	buf_add(&text, p->out.p ? p->out.p + span->from : "", span->to - span->from);
	buf_adds(&text, "</x>");
	for (size_t i = 0; map && i < count; i++) {
		map[i] = p->map[span->from_map + i];
		map[i].from_line -= span->from_line;
	}
	if (map && !text.failed)
		st = xml_parse_lenient(
		    &doc, text.p, text.n, count ? map[0].file : span->file, map, count, NULL, NULL, error);
	mem_unref(doc);
	mem_free(map);
	buf_fini(&text);
	return st != ST_PARSE;
}

bool pre_blame(const struct pre *p, char error[XML_ERROR_CHARS])
{
	for (size_t i = 0; i < p->span_count; i++)
		if (!pre_span_is_good(p, &p->spans[i], error))
			return true;
	return false;
}

/* Notes what a file put out. When checking, a file that is not well-formed is reported and cut out, so that the others
 * can be judged. */
static void pre_end_file(struct pre *p, struct pre_span span)
{
	char error[XML_ERROR_CHARS];

	span.to = p->out.n;
	span.to_map = p->map_count;
	if (!p->cuts_broken) {
		if (pre_grow((void **)&p->spans, p->span_count, &p->span_cap, sizeof *p->spans))
			p->status = ST_NOMEM;
		else
			p->spans[p->span_count++] = span;
	} else if (!pre_span_is_good(p, &span, error)) {
		if (pre_span_is_foreign(p, &span))
			pre_span_blank(p, &span, error);
		else
			p->report_stop(error, p->report_arg);
		p->out.n = span.from;
		if (p->out.p)
			p->out.p[span.from] = 0;
		p->out_line = span.from_line;
		p->map_count = span.from_map;
	}
	p->map_file = NULL;
}

int pre_text(struct pre *p, const char *path, struct sv text, unsigned depth)
{
	struct pre_span span = {.from = p->out.n, .from_map = p->map_count, .from_line = p->out_line};
	unsigned line = 0;
	bool in_block = false;
	struct sv head, rest = text;
	struct buf expanded;
	char *name = mem_strdup(path);

	if (!name || p->file_count >= PRE_MAX_FILES ||
	    pre_grow((void **)&p->files, p->file_count, &p->file_cap, sizeof *p->files)) {
		mem_free(name);
		return p->status = name && p->file_count >= PRE_MAX_FILES ? ST_LIMIT : ST_NOMEM;
	}
	p->files[p->file_count++] = name;
	span.file = name;
	p->map_file = NULL; /* a new run starts here */
	buf_init(&expanded);
	while (rest.n && !p->status) {
		sv_split(rest, '\n', &head, &rest);
		buf_clear(&expanded);
		line++;
		if (head.n && head.p[head.n - 1] == '\r')
			head.n--;
		pre_expand(p, name, line, head, &expanded);
		pre_line(p, name, line, buf_sv(&expanded), depth, &in_block);
	}
	buf_fini(&expanded);
	if (depth > 0 && !p->status)
		pre_end_file(p, span);
	p->map_file = NULL;
	return p->status;
}

int pre_file(struct pre *p, const char *path, unsigned depth)
{
	struct buf text;
	int st;

	p->why = NULL;
	buf_init(&text);
	st = slurp(path, XML_MAX_BYTES, &text, &p->why);
	p->read_bytes += text.n;
	if (!st && p->read_bytes > PRE_READ_MAX_BYTES) {
		p->why = "all files together are too large";
		st = p->status = ST_LIMIT;
	} else if (!st && clock_mono_us() > p->deadline_us) {
		p->why = "loading the configuration takes too long";
		st = p->status = ST_TIMEOUT;
	}
	if (!st)
		st = pre_text(p, path, buf_sv(&text), depth);
	buf_fini(&text);
	return st;
}
