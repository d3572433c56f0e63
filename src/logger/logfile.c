/* Log files (mod_logfile): one sink a profile, written on the log's writer thread, rolled over by size and on HUP. A
 * disk that refuses costs the lines of that file; it is told once on the terminal. */
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/registry/module.h"
#include "core/value/self.h"
#include "logger/logger_i.h"
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct logfile {
	struct lnode link;
	char *name, *path;
	int fd, sink_id;
	bool has_sink, has_uuid, is_rotated_on_hup, is_failing;
	uint64_t bytes, rollover_bytes;
	unsigned rotate_max, rotate_next;
	struct logger_map map;
	struct buf text; /* what is to be written: lines of one batch are one write */
	/* wall time of the order, 0 = none: lines logged before it still go to the old file */
	_Atomic int64_t rotate_us, reopen_us;
};
enum { WRITE_BYTES = 32768 };
static struct list files = {{&files.head, &files.head}};

static void file_open(struct logfile *f)
{
	struct stat info;

	f->fd = open(f->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
	if (f->fd < 0) {
		if (!f->is_failing)
			fprintf(stderr, "tandem: cannot open the log file %s: %s\n", f->path, strerror(errno));
		f->is_failing = true;
		return;
	}
	f->is_failing = false;
	f->bytes = fstat(f->fd, &info) == 0 ? (uint64_t)info.st_size : 0;
}

/* Moves the file aside: path.1 .. path.N in turn, or with a time when no number is set. */
static void file_rotate(struct logfile *f)
{
	struct buf to;
	time_t now = time(NULL);
	struct tm tm;

	buf_init(&to);
	if (f->rotate_max) {
		f->rotate_next = f->rotate_next % f->rotate_max + 1;
		buf_printf(&to, "%s.%u", f->path, f->rotate_next);
	} else {
		localtime_r(&now, &tm);
		buf_printf(&to, "%s.%04d-%02d-%02d-%02d-%02d-%02d", f->path, tm.tm_year + 1900, tm.tm_mon + 1,
		    tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
	}
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
	if (rename(f->path, to.p) && errno != ENOENT)
		fprintf(stderr, "tandem: cannot move the log file %s to %s: %s\n", f->path, to.p, strerror(errno));
	buf_fini(&to);
	file_open(f);
}

static bool is_due(_Atomic int64_t *at_us, const struct log_line *line)
{
	int64_t at = atomic_load(at_us);

	return at && line->wall_us >= at && atomic_compare_exchange_strong(at_us, &at, 0);
}

static void file_write(struct logfile *f)
{
	size_t done = 0;
	ssize_t n;

	while (f->fd >= 0 && done < f->text.n) {
		n = write(f->fd, f->text.p + done, f->text.n - done);
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	buf_clear(&f->text);
	f->bytes += done;
}

static void file_flush(void *arg)
{
	struct logfile *f = arg;

	file_write(f);
	if (f->rollover_bytes && f->bytes >= f->rollover_bytes)
		file_rotate(f);
}

static void file_sink(const struct log_line *line, void *arg)
{
	struct logfile *f = arg;

	if (is_due(&f->rotate_us, line)) {
		file_write(f);
		file_rotate(f);
	}
	if (is_due(&f->reopen_us, line)) {
		file_write(f);
		if (f->fd >= 0)
			close(f->fd);
		file_open(f);
	}
	if (!logger_map_passes(&f->map, line))
		return;
	if (f->fd < 0)
		file_open(f);
	if (f->fd < 0)
		return;
	logger_line_text(&f->text, line, f->has_uuid);
	if (f->text.n >= WRITE_BYTES || (f->rollover_bytes && f->bytes + f->text.n >= f->rollover_bytes))
		file_flush(f);
}

static void file_free(struct logfile *f)
{
	if (f->has_sink)
		log_sink_del(f->sink_id);
	file_write(f);
	if (f->fd >= 0)
		close(f->fd);
	logger_map_fini(&f->map);
	buf_fini(&f->text);
	mem_free(f->name);
	mem_free(f->path);
	mem_free(f);
}

static void file_param(struct logfile *f, const struct xml_node *p)
{
	const char *name = xml_attr_or(p, "name", ""), *value = xml_attr_or(p, "value", "");

	if (!strcmp(name, "logfile") && *value) {
		mem_free(f->path);
		f->path = mem_strdup(value);
	} else if (!strcmp(name, "rollover")) {
		f->rollover_bytes = strtoull(value, NULL, 10);
	} else if (!strcmp(name, "maximum-rotate")) {
		f->rotate_max = (unsigned)strtoul(value, NULL, 10);
	} else if (!strcmp(name, "uuid")) {
		f->has_uuid = str_is_true(value);
	}
}

static ON_CTL void file_new(const struct xml_node *profile, bool is_rotated_on_hup)
{
	struct logfile *f = mem_zalloc(sizeof(*f));
	struct buf path;

	f->fd = -1;
	f->is_rotated_on_hup = is_rotated_on_hup;
	f->name = mem_strdup(xml_attr_or(profile, "name", ""));
	buf_init(&f->text);
	xml_each(xml_child(profile, "settings"), "param", p) file_param(f, p);
	if (!f->path) {
		buf_init(&path);
		buf_printf(&path, "%s/freeswitch.log", core_dirs()->log);
		f->path = buf_take(&path);
	}
	logger_map_init(&f->map, xml_child(profile, "mappings"));
	file_open(f);
	f->has_sink = log_sink_add(LOG_DEBUG, file_sink, f, &f->sink_id) == ST_OK;
	if (f->has_sink)
		log_sink_set_flush(f->sink_id, file_flush);
	list_push(&files, &f->link);
}

static ON_CTL int logfile_load(void)
{
	const struct xml_node *conf = config_conf("logfile.conf");
	bool is_rotated_on_hup = true;

	role_assert_ctl();
	xml_each(xml_child(conf, "settings"), "param", p) if (!strcmp(xml_attr_or(p, "name", ""), "rotate-on-hup"))
	    is_rotated_on_hup = str_is_true(xml_attr(p, "value"));
	xml_each(xml_child(conf, "profiles"), "profile", profile) file_new(profile, is_rotated_on_hup);
	return ST_OK;
}

static ON_CTL int logfile_unload(void)
{
	struct lnode *it, *tmp;

	log_flush(); /* what was said before still belongs in the files */
	list_each (&files, it, tmp) {
		list_remove(it);
		file_free(list_entry(it, struct logfile, link));
	}
	return ST_OK;
}

void logger_rotate(void)
{
	int64_t now_us = clock_wall_us();
	struct lnode *it, *tmp;
	struct logfile *f;

	list_each (&files, it, tmp) {
		f = list_entry(it, struct logfile, link);
		atomic_store(f->is_rotated_on_hup ? &f->rotate_us : &f->reopen_us, now_us);
	}
	log_notice("log files rotated"); /* the line that makes every sink look at its flags */
}

const struct module mod_logfile = {
    .abi = MODULE_ABI, .name = "mod_logfile", .load = logfile_load, .unload = logfile_unload};
