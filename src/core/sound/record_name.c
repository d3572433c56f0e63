/* A recording's name is read once, at its start: parameters in braces are the configuration's only (a brace from
 * outside is marked, and so is no brace), what is left is a path, and a path that could not be written is refused
 * before a file of some odd name is made. */
#include "core/sound/record_name.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/leg/leg.h"
#include "core/sound/sound_i.h"
#include "core/value/vars.h"
#include "text/mark.h"
#include <stdlib.h>
#include <string.h>

/* Takes the parameters off; the rest begins at the return value. NULL: a brace is open. */
static ON_CTL const char *params_take(const char *text, struct vars **params, int *st)
{
	*st = ST_OK;
	while (*text == ' ')
		text++;
	while (*text == '{') {
		const char *end = strchr(text, '}');
		if (!end) {
			*st = ST_PARSE;
			return NULL;
		}
		if (!*params && (*st = vars_new(params)))
			return NULL;
		if ((*st = vars_parse(*params, sv_sub(sv_of(text), 1, (size_t)(end - text - 1)))))
			return NULL;
		for (text = end + 1; *text == ' '; text++)
			;
	}
	return text;
}

/* The leg's codec as an extension; ST_UNSUPPORTED: its packets vary in length. */
static ON_CTL int codec_extension(struct leg *leg, struct buf *path)
{
	const char *name = leg->codec ? mctl_native_extension(leg->codec) : NULL;

	if (name)
		buf_printf(path, ".%s", name);
	return name ? ST_OK : ST_UNSUPPORTED;
}

static ON_CTL int path_check(struct leg *leg, struct buf *path, bool *is_native)
{
	const char *slash = strrchr(path->p, '/'), *scheme = strstr(path->p, "://");

	if (scheme) {
		leg_log(leg, LOG_ERR, "cannot record to %.200s: no such stream to write to", path->p);
		return ST_UNSUPPORTED;
	}
	*is_native = !strchr(slash ? slash : path->p, '.');
	if (*is_native && codec_extension(leg, path)) {
		leg_log(leg, LOG_ERR,
		    "cannot record %.200s: a name without an extension is for packets as they are, and those of %s "
		    "vary "
		    "in length",
		    path->p, leg->codec ? leg->codec->name : "no codec");
		return ST_UNSUPPORTED;
	}
	if (!mctl_can_record(path->p)) {
		leg_log(
		    leg, LOG_ERR, "cannot record %.200s: no file format has this extension (see show file)", path->p);
		return ST_UNSUPPORTED;
	}
	return path->failed ? ST_NOMEM : ST_OK;
}

/* By what stands before a query. */
static ON_CTL bool url_has_format(const char *url)
{
	struct sv text = sv_of(url);
	char *path = sv_dup(sv_sub(text, 0, sv_find(text, '?')));
	bool has = path && mctl_can_record(path);

	mem_free(path);
	return has;
}

/* A URL keeps its parameters: they are for who sends it there. */
static ON_CTL int url_read(struct record_name *out, struct leg *leg, const char *text)
{
	struct record_name n = {.path = leg_url_dup(leg, text)};
	const char *url;
	int st = n.path ? ST_OK : ST_DENIED;

	if (!st)
		n.told = mem_strdup(n.path);
	if (!st && !n.told)
		st = ST_NOMEM;
	if (!st)
		url = params_take(n.path, &n.params, &st);
	if (!st && !url_has_format(url)) {
		leg_log(
		    leg, LOG_ERR, "cannot record to %.200s: no file format has this extension (see show file)", url);
		st = ST_UNSUPPORTED;
	}
	if (st)
		record_name_fini(&n);
	else
		*out = n;
	return st;
}

int record_name_read(struct record_name *out, struct leg *leg, const char *text, const char *dir)
{
	struct record_name n = {0};
	struct buf b, told;
	const char *path;
	int st;

	if (mctl_is_url(text))
		return url_read(out, leg, text);
	buf_init(&b);
	buf_init(&told);
	path = params_take(text, &n.params, &st);
	if (st) {
		leg_log(leg, LOG_ERR, "cannot record: what stands in braces before the path is wrong: %.200s", text);
		goto out;
	}
	if (path[0] != '/' && !strstr(path, "://"))
		buf_printf(&b, "%s/", dir);
	buf_adds(&b, path);
	n.path = b.failed ? NULL : leg_path_dup(leg, b.p);
	if (!n.path) {
		st = ST_DENIED;
		goto out;
	}
	buf_clear(&b);
	buf_adds(&b, n.path);
	if ((st = b.failed ? ST_NOMEM : path_check(leg, &b, &n.is_native)))
		goto out;
	mark_strip(&told, sv_sub(sv_of(text), 0, (size_t)(path - text)));
	buf_adds(&told, b.p);
	mem_free(n.path);
	n.path = buf_take(&b), n.told = buf_take(&told);
	st = n.path && n.told ? ST_OK : ST_NOMEM;
out:
	buf_fini(&b);
	buf_fini(&told);
	if (st)
		record_name_fini(&n);
	else
		*out = n;
	return st;
}

static ON_CTL char *side_of(const char *path, const char *side)
{
	const char *dot = strrchr(path, '.');
	struct buf b;

	buf_init(&b);
	buf_printf(&b, "%.*s-%s%s", (int)(dot - path), path, side, dot);
	return buf_take(&b);
}

int record_name_side(struct record_name *out, const struct record_name *n, const char *side)
{
	*out = (struct record_name){
	    .path = side_of(n->path, side), .told = side_of(n->told, side), .is_native = n->is_native};
	if (out->path && out->told)
		return ST_OK;
	record_name_fini(out);
	return ST_NOMEM;
}

void record_name_fini(struct record_name *n)
{
	mem_free(n->path);
	mem_free(n->told);
	vars_free(n->params);
	*n = (struct record_name){0};
}

const char *record_tag_variable(enum media_tag tag)
{
	static const char *const names[MEDIA_TAG_COUNT] = {
	    "RECORD_TITLE", "RECORD_COPYRIGHT", "RECORD_SOFTWARE", "RECORD_ARTIST", "RECORD_COMMENT", "RECORD_DATE"};
	return names[tag];
}

static ON_CTL uint32_t number(const struct vars *params, const char *name, uint32_t min, uint32_t max)
{
	const char *text = vars_get(params, name);
	int64_t n = text ? str_number(text, -1, INT32_MAX) : -1;

	return n >= min && n <= max ? (uint32_t)n : 0;
}

static ON_CTL bool is_on(const struct vars *params, const char *name)
{
	return str_is_true(vars_get(params, name));
}

void record_params_read(const struct vars *params, struct media_record_conf *conf)
{
	if (!params)
		return;
	conf->file_rate_hz = number(params, "samplerate", 8000, 48000);
	conf->file_channels = number(params, "force_channels", 1, 2);
	conf->is_constant_rate = is_on(params, "cbr");
	conf->bit_rate_kbps = number(params, "ab", 6, 512);
	for (int i = 0; i < MEDIA_TAG_COUNT; i++) {
		const char *text = vars_get(params, record_tag_variable((enum media_tag)i));
		if (text)
			conf->tags[i] = text;
	}
}
