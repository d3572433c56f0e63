/* Sub-commands that call somebody into a room or send members to another. */
#include "base/mem.h"
#include "conference/command_i.h"
#include "core/door/door.h"
#include "text/mark.h"
#include <stdlib.h>

/* The dial string, for who may not do everything by his door; NULL after saying why not. */
static ON_CTL char *dialstring_of(struct conf_call *x)
{
	const char *why = "";
	struct buf b;
	if (!x->n) {
		buf_adds(x->out, "-ERR Bad Args\n");
		conf_usage(x);
		return NULL;
	}
	buf_init(&b);
	if (x->api->who ? principal_put_dial(&b, x->w[0], &why) : buf_adds(&b, x->m[0])) {
		buf_printf(x->out, "-ERR %s\n", why);
		buf_fini(&b);
		return NULL;
	}
	return buf_take(&b);
}

/* name[@profile] as text: whoever may not do everything names a room, no profile. */
static ON_CTL char *name_of(const struct conf_call *x)
{
	return x->api->who ? mark_dup(x->room_name) : mem_strdup(x->room_text);
}

static ON_CTL struct conf_outcall outcall_of(const struct conf_call *x, const char *dialstring, const char *name)
{
	struct conf_outcall o = {.room = x->room, .name = name, .dialstring = dialstring, .flags = "", .timeout_s = 60};
	o.cid_number = x->n > 1 ? x->w[1] : x->room ? x->room->caller_id_number : NULL;
	o.cid_name = x->n > 2 ? x->w[2] : x->room ? x->room->caller_id_name : NULL;
	return o;
}

void cmd_dial(struct conf_call *x)
{
	char *dialstring = dialstring_of(x), *name = dialstring ? name_of(x) : NULL, uuid[UUID_CHARS + 1];
	enum cause cause = CAUSE_NONE;
	if (name) {
		struct conf_outcall o = outcall_of(x, dialstring, name);
		conf_outcall(&o, &cause, uuid);
		buf_printf(x->out, "+OK Call Requested: result: [%s]\n", cause_name(cause));
	}
	mem_free(dialstring);
	mem_free(name);
}

void cmd_bgdial(struct conf_call *x)
{
	char *dialstring = dialstring_of(x), *name = dialstring ? name_of(x) : NULL, uuid[UUID_CHARS + 1];
	if (name) {
		struct conf_outcall o = outcall_of(x, dialstring, name);
		uuid_make(uuid);
		o.job_uuid = uuid;
		if (conf_outcall_spawn(&o))
			buf_adds(x->out, "-ERR out of memory\n");
		else
			buf_printf(x->out, "+OK Job-UUID: %s\n", uuid);
	}
	mem_free(dialstring);
	mem_free(name);
}

static ON_CTL void tell_transfer(struct conf_member *m, const char *to)
{
	struct event *e = conf_event_new(m->room, "transfer");
	if (!e)
		return;
	conf_event_member_add(e, m);
	event_add(e, "Old-Conference-Name", m->room->name);
	event_add(e, "New-Conference-Name", to);
	event_add(e, "Action", "transfer");
	event_fire(e);
}

void cmd_transfer(struct conf_call *x)
{
	struct conf_words w;
	if (conf_words_parse(sv_of(x->m[0]), &w) || w.is_bridge || w.name.n > CONF_NAME_MAX) {
		buf_adds(x->out, "-ERR not a name of a conference\n");
		return;
	}
	for (int i = 1; i < x->n; i++) {
		struct conf_member *m = conf_member_find(x->room, (unsigned)strtoul(x->w[i], NULL, 10));
		if (!m || m->leave != CONF_STAYS) {
			buf_printf(x->out, "-ERR No Member %s in conference %s.\n", x->w[i], x->room->name);
			continue;
		}
		mem_free(m->goes_to);
		m->goes_to = x->api->who ? mark_dup(x->w[0]) : mem_strdup(x->m[0]);
		tell_transfer(m, x->w[0]);
		conf_member_leave(m, CONF_TRANSFERRED);
		buf_printf(x->out, "+OK Member '%u' sent to conference %s.\n", m->id, x->w[0]);
	}
}
