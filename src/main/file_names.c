/* What `show file` lists, from the tables that decide it: the formats of the room file, the schemes of sources in
 * media/ctl. The rows are of the modules that FreeSWITCH has them of; that a source is read does not depend on them,
 * but for what a module brings itself. */
#include "base/check.h"
#include "core/registry/module.h"
#include "file/file.h"
#include "main/modules.h"
#include "media/ctl/mctl.h"

enum { NAMES_MAX = 64 };
struct names {
	struct name_desc row[NAMES_MAX]; /* zero behind the last */
	size_t count;
};
static struct names formats, tones, local, rows, urls;

static void add(struct names *to, const char *name)
{
	CHECK(to->count + 1 < NAMES_MAX);
	to->row[to->count++] = (struct name_desc){"file", name};
}

/* Built-in or not, what plays and records is told by the room; these are names only. */
static const char *const sndfile_also[] = {"mod_native_file", "mod_opusfile", "mod_shout", NULL};
static const struct module mod_sndfile = {
    .abi = MODULE_ABI, .name = "mod_sndfile", .also = sndfile_also, .names = formats.row};
static const struct module mod_tone_stream = {.abi = MODULE_ABI, .name = "mod_tone_stream", .names = tones.row};
static const struct module local_names = {.abi = MODULE_ABI, .name = "mod_local_stream", .names = local.row};
static const struct module row_names = {.abi = MODULE_ABI, .name = "mod_dptools", .names = rows.row};
static const struct module url_names = {.abi = MODULE_ABI, .name = "mod_http_cache", .names = urls.row};
static const struct module *const all[] = {&mod_sndfile, &mod_tone_stream, &local_names, &row_names, &url_names};

static struct names *names_of(enum src_kind kind)
{
	switch (kind) {
	case SRC_TONE:
	case SRC_SILENCE:
		return &tones;
	case SRC_LOCAL:
		return &local;
	case SRC_URL:
		return &urls;
	case SRC_ROW:
	case SRC_NAME:
	case SRC_FILE: /* has no scheme */
		break;
	}
	return &rows;
}

int file_names_register(void)
{
	enum src_kind kind;
	const char *name;
	int st = ST_OK;

	role_assert_ctl();
	for (size_t i = 0; i < file_format_count; i++)
		add(&formats, file_formats[i].ext);
	for (size_t i = 0; (name = mctl_source_scheme(i, &kind)); i++)
		add(names_of(kind), name);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]) && !st; i++)
		st = module_register(all[i]);
	return st;
}
