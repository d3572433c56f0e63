/* A box: a user of the directory in a profile. Where its files lie is what the profile and the user's parameters say;
 * the user's id and domain are the directory's words, never the caller's. */
#include "base/mem.h"
#include "base/status.h"
#include "core/value/self.h"
#include "voicemail/vm_i.h"

const char *vm_box_param(const struct vm_box *b, const char *name)
{
	const char *v = dir_user_param(b->user, name);
	if (!v || !*v)
		v = dir_user_var(b->user, name);
	return v && *v ? v : NULL;
}

char *vm_box_path(const struct vm_box *b, const char *fmt, ...)
{
	struct buf out;
	va_list ap;
	buf_init(&out);
	buf_printf(&out, "%s/", b->dir);
	va_start(ap, fmt);
	buf_vprintf(&out, fmt, ap);
	va_end(ap);
	return buf_take(&out);
}

/* It is one folder's name. */
static bool is_folder(const char *v)
{
	return *v && *v != '.' && !strchr(v, '/');
}

static ON_CTL char *dir_dup(const struct vm_box *b)
{
	const char *own = vm_box_param(b, "vm-storage-dir"), *of_domain = vm_box_param(b, "vm-domain-storage-dir"),
	           *storage = vm_box_param(b, "storage-dir");
	const struct vm_conf *c = b->p.conf;
	struct buf out;
	buf_init(&out);
	if (own)
		buf_adds(&out, own);
	else if (of_domain)
		buf_printf(&out, "%s/%s", of_domain, b->id);
	else if (storage)
		buf_adds(&out, storage);
	else if (*c->storage_dir && c->shared_storage)
		buf_printf(&out, "%s/%s/voicemail/%s", c->storage_dir, b->domain, b->id);
	else if (*c->storage_dir)
		buf_printf(&out, "%s/%s/%s", c->storage_dir, b->domain, b->id);
	else
		buf_printf(&out, "%s/voicemail/%s/%s/%s", core_dirs()->storage, c->name, b->domain, b->id);
	return buf_take(&out);
}

int vm_box_find(struct vm_box *b, const struct vm_profile *p, struct sv id, struct sv domain)
{
	struct vm_box box = {0};
	int st = id.n && domain.n ? dir_user_get(id, domain, "voicemail-lookup", &box.user) : ST_NOTFOUND;
	if (st)
		return ST_NOTFOUND;
	box.p = (struct vm_profile){mem_ref(p->set), p->conf, mem_ref(p->db)};
	box.id = mem_strdup(dir_user_id(box.user)), box.domain = mem_strdup(dir_user_domain(box.user));
	const char *enabled = vm_box_param(&box, "vm-enabled"), *ext = vm_box_param(&box, "vm-message-ext");
	if (!box.id || !box.domain || !is_folder(box.id) || !is_folder(box.domain) ||
	    (enabled && !str_is_true(enabled)))
		st = ST_NOTFOUND;
	if (!st) {
		box.dir = dir_dup(&box);
		box.ext = mem_strdup(ext && is_folder(ext) ? ext : p->conf->file_extension);
	}
	if (st)
		vm_box_fini(&box);
	else
		*b = box;
	return st;
}

void vm_box_fini(struct vm_box *b)
{
	mem_unref(b->user);
	mem_free(b->id), mem_free(b->domain), mem_free(b->dir), mem_free(b->ext);
	vm_profile_put(&b->p);
	*b = (struct vm_box){0};
}
