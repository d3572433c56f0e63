/* A message that is whole gets its row, is told as an event, lights lamps, and goes out as mail where the box wants it.
 * Mail first lies in the queue on the disk (room mail); only then is a message that is not kept removed. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "voicemail/vm_i.h"

const char vm_urgent[] = "A_URGENT", vm_normal[] = "B_NORMAL";

struct event *vm_event_new(struct leg *leg, const char *action)
{
	struct event *e = event_is_wanted(EVENT_CUSTOM, VM_EVENT) ? event_new(EVENT_CUSTOM, VM_EVENT) : NULL;
	if (!e)
		return NULL;
	if (leg)
		leg_event_headers(leg, e);
	event_add(e, "VM-Action", action);
	return e;
}

static ON_CTL void tell(const struct vm_box *b, const struct vm_msg *m, struct leg *leg)
{
	struct event *e = vm_event_new(leg, "leave-message");
	if (!e)
		return;
	event_add(e, "VM-User", b->id);
	event_add(e, "VM-Domain", b->domain);
	event_add(e, "VM-Caller-ID-Name", m->cid_name);
	event_add(e, "VM-Caller-ID-Number", m->cid_number);
	event_add(e, "VM-File-Path", m->path);
	event_add(e, "VM-Flags", m->read_flags);
	event_add(e, "VM-Folder", m->folder);
	event_add(e, "VM-UUID", m->uuid);
	event_addf(e, "VM-Message-Len", "%u", m->length_s);
	event_addf(e, "VM-Timestamp", "%lld", (long long)m->created_s);
	event_fire(e);
}

static CO int list_it(struct vm_box *b, const struct vm_msg *m, struct leg *leg)
{
	int st = vm_db_insert(b->p.db, m);
	if (st)
		return st;
	tell(b, m, leg);
	vm_mwi_update(b->p.db, b->id, b->domain, "NEW");
	return ST_OK;
}

int vm_deliver(struct vm_box *b, const struct vm_delivery *d)
{
	char uuid[UUID_CHARS + 1];
	struct vm_msg m = {.uuid = d->uuid,
	    .user = b->id,
	    .domain = b->domain,
	    .cid_name = d->cid_name,
	    .cid_number = d->cid_number,
	    .folder = "inbox",
	    .path = d->path,
	    .flags = "",
	    .read_flags = d->read_flags,
	    .forwarded_by = d->forwarded_by,
	    .created_s = d->created_s ? d->created_s : clock_wall_us() / 1000000,
	    .length_s = d->length_s};
	struct vm_counts counts;
	bool keeps = vm_mail_keeps(b), is_listed = keeps;
	int st = ST_OK;
	if (vm_db_has_uuid(b->p.db, b->id, b->domain, d->uuid)) { /* one call may leave two */
		uuid_make(uuid);
		m.uuid = uuid;
	}
	if (keeps && (st = list_it(b, &m, d->leg)))
		return st;
	vm_db_counts_peek(b->p.db, b->id, b->domain, &counts);
	st = vm_mail_send(&(struct vm_mail){.box = b, .msg = &m, .counts = &counts, .leg = d->leg}, &keeps);
	if (!is_listed && st) /* the mail is not even queued: the box keeps it */
		return list_it(b, &m, d->leg);
	if (!is_listed)
		vm_file_remove(d->path);
	return ST_OK;
}
