/* Messages that nobody speaks: a file copied into one box, a group's or a domain's. Files that cannot be read are told
 * in the log, box by box. */
#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "loop/co.h"
#include "voicemail/vm_i.h"

enum { BOXES_MAX = 100000 };

struct names {
	struct buf list; /* zero-ended ids */
	unsigned count;
};
static bool name_add(struct dir_user *u, void *arg)
{
	struct names *n = arg;
	role_assert_ctl();
	const char *id = dir_user_id(u);
	buf_add(&n->list, id, strlen(id) + 1);
	return ++n->count < BOXES_MAX && !n->list.failed;
}

static CO int inject_one(const struct vm_profile *p, struct sv id, struct sv domain, const struct vm_injection *i)
{
	char uuid[UUID_CHARS + 1];
	const char *slash = strrchr(i->file, '/');
	struct vm_box b;
	struct vm_delivery d = {.cid_name = i->cid_name,
	    .cid_number = i->cid_number,
	    .read_flags = i->read_flags ? i->read_flags : vm_normal,
	    .forwarded_by = i->forwarded_by ? i->forwarded_by : "",
	    .uuid = uuid,
	    .leg = NULL};
	int st = vm_box_find(&b, p, id, domain);
	if (st)
		return st;
	uuid_make(uuid);
	const char *base = slash ? slash + 1 : i->file;
	while (*base == '.')
		base++;
	for (const char *more; (more = strstr(base, "_broadcast_")) && more[11];) /* forwarded before */
		base = more + 11;
	char *path = vm_box_path(&b, "msg_%s_broadcast_%s", uuid, base);
	d.path = path;
	st = strlen(base) > 150 ? ST_LIMIT : vm_file_box_make(b.dir);
	if (!st)
		st = vm_file_seconds(i->file, &d.length_s);
	if (!st)
		st = vm_file_copy(i->file, path);
	if (!st && (st = vm_deliver(&b, &d)) && !vm_may_be_written(st))
		vm_file_remove(path);
	if (st)
		log_error(
		    "voicemail: %s cannot be put into the box %s@%s: %s", i->file, b.id, b.domain, status_text(st));
	mem_free(path);
	vm_box_fini(&b);
	return st == ST_NOTFOUND ? ST_IO : st; /* ST_NOTFOUND: there is no such box */
}

static CO int inject_all(const struct vm_profile *p, struct sv domain, const char *group, const struct vm_injection *i)
{
	struct names n = {.count = 0};
	buf_init(&n.list);
	if (!dir_domain_exists(domain) || !domain.n)
		return ST_NOTFOUND;
	char *own = sv_dup(domain);
	dir_each_user(sv_of(own), group, name_add, &n);
	for (const char *at = n.list.p, *end = at ? at + n.list.n : NULL; at && at < end; at += strlen(at) + 1)
		inject_one(p, sv_of(at), sv_of(own), i);
	mem_free(own);
	int st = n.count ? ST_OK : ST_NOTFOUND;
	buf_fini(&n.list);
	return st;
}

/* A domain that is not named is the switch's own. */
static ON_CTL struct sv domain_or(struct sv domain)
{
	return domain.n ? domain : sv_of(globals_get("domain"));
}

bool vm_is_one_box(struct sv to)
{
	return !sv_starts(to, SV("group=")) && !sv_starts(to, SV("domain=")); /* a marked byte is none of these */
}

int vm_inject(const struct vm_injection *i)
{
	const struct vm_confs *set = vm_confs_now();
	struct sv to = sv_of(i->to), who, domain, profile = sv_of(i->profile);
	struct vm_profile p;
	if (!profile.n)
		profile = set && set->count == 1 ? sv_of(set->list[0]->name) : SV("default");
	int st = vm_profile_get(profile, &p);
	if (st)
		return st;
	if (!i->is_one_box && sv_starts(to, SV("group="))) {
		sv_split(sv_sub(to, 6, to.n), '@', &who, &domain);
		char *group = sv_dup(who);
		st = group && *group ? inject_all(&p, domain_or(domain), group, i) : ST_NOTFOUND;
		mem_free(group);
	} else if (!i->is_one_box && sv_starts(to, SV("domain="))) {
		st = inject_all(&p, sv_sub(to, 7, to.n), NULL, i);
	} else {
		sv_split(to, '@', &who, &domain);
		st = inject_one(&p, who, domain_or(domain), i);
	}
	vm_profile_put(&p);
	return st;
}
