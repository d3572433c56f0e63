/* Messages that are whole and in no list: the process died after the recording had its name and before the row was
 * written. They are found when their box is opened for the first time (its owner logs in, or somebody leaves another
 * one), and delivered then as if they had been left now, with the time at which they were written. Only files from
 * before this process began, so that nothing under way is taken for one, and not older than a week: what lies about
 * for longer (in a box that another program kept) is not news. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/co.h"
#include "voicemail/vm_i.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

enum { ADOPT_MAX = 100, ADOPT_S = 7 * 86400, MSG_CHARS = 4 };
struct found {
	char name[256];
	int64_t written_s;
};
struct look {
	const char *dir;
	int64_t from_s, to_s;
	struct found *list;
	unsigned count;
};
static int64_t started_s;
static struct hash *looked; /* profile/user@domain */

void vm_adopt_start(void)
{
	started_s = clock_wall_us() / 1000000;
}

void vm_adopt_stop(void)
{
	hash_free(looked);
	looked = NULL;
}

static void look_work(void *arg)
{
	struct look *l = arg;
	role_assert_work();
	DIR *d = opendir(l->dir);
	struct stat s;
	for (struct dirent *e = d ? readdir(d) : NULL; e && l->count < ADOPT_MAX; e = readdir(d))
		if (!strncmp(e->d_name, "msg_", MSG_CHARS) && strlen(e->d_name) < sizeof(l->list->name) &&
		    !fstatat(dirfd(d), e->d_name, &s, AT_SYMLINK_NOFOLLOW) && S_ISREG(s.st_mode) && s.st_size > 0 &&
		    s.st_mtime >= l->from_s && s.st_mtime < l->to_s) {
			snprintf(l->list[l->count].name, sizeof(l->list->name), "%s", e->d_name);
			l->list[l->count++].written_s = s.st_mtime;
		}
	if (d)
		closedir(d);
}

/* By the file's name: the row may say another way to it. */
static bool is_listed(const struct vm_msgs *all, const char *name)
{
	for (unsigned i = 0; i < all->count; i++) {
		const char *slash = strrchr(all->list[i].path, '/');
		if (!strcmp(slash ? slash + 1 : all->list[i].path, name))
			return true;
	}
	return false;
}

static CO void adopt(struct vm_box *b, const struct found *f)
{
	char uuid[UUID_CHARS + 1];
	char *path = vm_box_path(b, "%s", f->name);
	struct vm_delivery d = {.path = path,
	    .cid_name = "Unknown",
	    .cid_number = "0000000000",
	    .read_flags = vm_normal,
	    .forwarded_by = "",
	    .uuid = uuid,
	    .created_s = f->written_s};
	uuid_make(uuid);
	int st = path ? vm_file_seconds(path, &d.length_s) : ST_NOMEM;
	if (!st)
		st = vm_deliver(b, &d);
	log_warning("voicemail: %s was in no list when the last process died: %s", path ? path : f->name,
	    st ? status_text(st) : "it is a new message now");
	mem_free(path);
}

/* The first time since the start? */
static ON_CTL bool is_first(const struct vm_box *b)
{
	struct buf key;
	buf_init(&key);
	buf_printf(&key, "%s/%s@%s", b->p.conf->name, b->id, b->domain);
	bool is_new = !key.failed && (looked || !hash_new(&looked, HASH_NOCASE, NULL)) &&
	              !hash_get(looked, buf_sv(&key)) && !hash_set(looked, buf_sv(&key), &looked);
	buf_fini(&key);
	return is_new;
}

void vm_box_adopt(struct vm_box *b)
{
	struct look l = {.dir = b->dir, .from_s = started_s - ADOPT_S, .to_s = started_s};
	struct vm_msgs all;
	if (!is_first(b) || !(l.list = mem_zalloc(ADOPT_MAX * sizeof(*l.list))))
		return;
	int st = co_work(WORK_FILE, "voicemail files", look_work, &l);
	if (!st && l.count && !vm_db_list(b->p.db, b->id, b->domain, VM_ALL, false, NULL, &all)) {
		for (unsigned i = 0; all.count < VM_LIST_MAX && i < l.count; i++)
			if (!is_listed(&all, l.list[i].name))
				adopt(b, &l.list[i]);
		vm_msgs_fini(&all);
	}
	mem_free(l.list);
}
