/* mod_recordings: the store of recordings. The tables, and the application that records to where the layout says. */
#include "core/registry/module.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/conf/config.h"
#include "core/conf/dsn.h"
#include "core/leg/leg.h"
#include "core/run/exec.h"
#include "core/sound/tap.h"
#include "core/value/self.h"
#include "file/file.h"
#include "recordings/recordings_i.h"
#include "store/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { MEGABYTE = 1000000 };
struct rec_conf rec_conf;

const char *rec_below(const char *path)
{
	size_t n = rec_conf.dir ? strlen(rec_conf.dir) : 0;
	if (!n || strncmp(path, rec_conf.dir, n) != 0 || path[n] != '/' || strlen(path) >= REC_PATH_MAX ||
	    strstr(path, "/../"))
		return NULL;
	return path + n + 1;
}

static bool is_plain(const char *t)
{
	return t && *t && strlen(t) <= 40 &&
	       strspn(t, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+_-") == strlen(t);
}

int rec_path_make(struct leg *leg, struct buf *out)
{
	time_t now = (time_t)(clock_wall_us() / 1000000);
	const char *caller = leg_profile_field(leg->profile, "caller_id_number");
	char folder[128];
	struct tm tm;
	localtime_r(&now, &tm);
	if (!strftime(folder, sizeof(folder), rec_conf.layout, &tm))
		return ST_INVAL;
	buf_printf(out, "%s/%s/%02d%02d%02d-%s-%s.wav", rec_conf.dir, folder, tm.tm_hour, tm.tm_min, tm.tm_sec,
	    is_plain(caller) ? caller : "unknown", leg->uuid);
	return out->failed ? ST_NOMEM : ST_OK;
}

/* [stereo] */
static int app_record_store(struct leg *leg, const char *data)
{
	struct buf path;
	role_assert_co();
	buf_init(&path);
	if (!strcasecmp(data, "stereo"))
		leg_var_set(leg, "RECORD_STEREO", "true");
	else if (*data)
		leg_log(leg, LOG_WARNING, "record_store: \"%s\" is not \"stereo\"", data);
	int st = rec_path_make(leg, &path);
	if (!st)
		st = leg_record_start(leg, path.p, 0, "");
	if (!st)
		leg_var_set(leg, "recording_path", path.p);
	else
		leg_log(leg, LOG_ERR, "record_store: %s", status_text(st));
	buf_fini(&path);
	return ST_OK;
}

/* ---- configuration ---- */

static const struct conf_desc confs[] = {
    {"recordings.conf", "convert", "text", NULL, "",
        "what recordings become after their call: mp3, opus, ogg, flac; none: they stay"},
    {"recordings.conf", "convert-after", "number", "s", "60", "so long after their end"},
    {"recordings.conf", "dir", "path", NULL, "recordings_dir",
        "where they lie; what lies elsewhere is not indexed and never deleted"},
    {"recordings.conf", "dsn", "text", NULL, "core-db-dsn, else recordings", "the index's database"},
    {"recordings.conf", "keep-days", "number", "d", "0", "older ones are deleted; 0: none"},
    {"recordings.conf", "layout", "text", NULL, "%Y/%m/%d",
        "folder of a new one (record_store), as strftime writes it"},
    {"recordings.conf", "max-size", "number", "MB", "0", "all together; the oldest beyond it are deleted; 0: no bound"},
    {NULL},
};

static ON_CTL void conf_free(void)
{
	mem_free(rec_conf.dir);
	mem_free(rec_conf.layout);
	mem_free(rec_conf.convert_ext);
	rec_conf = (struct rec_conf){0};
}

static ON_CTL uint32_t number(const struct xml_node *s, const char *name, uint32_t otherwise)
{
	const char *v = config_param(s, name, "");
	uint32_t n;
	if (!*v)
		return otherwise;
	if (!sv_u32(sv_of(v), &n))
		return n;
	log_error("recordings.conf: %s: \"%s\" is no number, %u is taken", name, v, (unsigned)otherwise);
	return otherwise;
}

static ON_CTL void conf_read(void *arg)
{
	const struct xml_node *s = xml_child(config_conf("recordings.conf"), "settings");
	const char *dir = config_param(s, "dir", core_dirs() ? core_dirs()->recordings : ""),
	           *ext = config_param(s, "convert", "");
	char name[16];
	const struct file_format *f;
	conf_free();
	rec_conf.dir = mem_strdup(dir);
	rec_conf.layout = mem_strdup(config_param(s, "layout", "%Y/%m/%d"));
	for (size_t n = rec_conf.dir ? strlen(rec_conf.dir) : 0; n > 1 && rec_conf.dir[n - 1] == '/'; n--)
		rec_conf.dir[n - 1] = 0;
	snprintf(name, sizeof(name), "x.%.12s", ext);
	f = *ext ? file_format_of(name) : NULL;
	if (*ext && (!f || !f->can_write))
		log_error("recordings.conf: convert: \"%s\" is no format that can be written (show file); recordings "
		          "stay as they are",
		    ext);
	else if (*ext)
		rec_conf.convert_ext = mem_strdup(ext);
	rec_conf.convert_after_s = number(s, "convert-after", 60);
	rec_conf.keep_days = number(s, "keep-days", 0);
	rec_conf.max_bytes = (uint64_t)number(s, "max-size", 0) * MEGABYTE;
	if (rec_conf.dir && *rec_conf.dir != '/') {
		log_error("recordings.conf: dir: \"%s\" is not absolute; nothing is indexed", rec_conf.dir);
		*rec_conf.dir = 0;
	}
}

/* ---- life ---- */

static int load(void)
{
	role_assert_ctl();
	conf_read(NULL);
	const char *dsn = config_param(xml_child(config_conf("recordings.conf"), "settings"), "dsn", "");
	if (core_dirs() && core_dirs()->db &&
	    store_open(&rec_store, config_dsn(dsn, "recordings"), core_dirs()->db, STORE_KEEPS, NULL)) {
		log_error("recordings: there is no index");
		rec_store = NULL;
	}
	int st = rec_index_start();
	if (!st)
		st = rec_keep_start();
	if (!st)
		st = config_on_swap(conf_read, NULL);
	return st;
}

static int unload(void)
{
	role_assert_ctl();
	config_on_swap_del(conf_read, NULL);
	rec_keep_stop();
	rec_convert_stop();
	rec_index_stop();
	store_close(rec_store);
	rec_store = NULL;
	conf_free();
	return ST_OK;
}

static const struct app_desc apps[] = {
    {"record_store", "Record the call to the store of recordings", "[stereo]", APP_NO_MEDIA, app_record_store},
    {NULL},
};
static const char *const complete[] = {
    "recordings search", "recordings delete", "recordings clean", "recordings status", NULL};
static const struct api_desc apis[] = {
    {"recordings", "the store of recordings",
        "search [from=] [to=] [number=] [queue=] [uuid=] [limit=] [offset=] [json] | delete <path> | clean | status",
        API_MAY_WAIT, api_recordings, complete},
    {NULL},
};
static const struct var_desc vars[] = {
    {"recording_path", "path", "where record_store records to", false, true},
    {NULL},
};

extern const struct module mod_recordings;
const struct module mod_recordings = {.abi = MODULE_ABI,
    .name = "mod_recordings",
    .load = load,
    .unload = unload,
    .apps = apps,
    .apis = apis,
    .vars = vars,
    .confs = confs};
