/* A message goes on to another box, with a spoken introduction in front when its owner wants one. */
#include "base/mem.h"
#include "base/status.h"
#include "core/run/exec.h"
#include "voicemail/vm_i.h"

enum { TRIES = 3 };

/* *joined: introduction and message as one file, hidden in the box; NULL: without. Owned. */
static CO int introduce(struct vm_call *c, const struct vm_msg *m, char **joined)
{
	char token[13];
	struct vm_keys k;
	int st;
	struct buf keys;
	*joined = NULL;
	buf_init(&keys);
	buf_printf(&keys, "%s:%s", c->conf->prepend, c->conf->forward);
	st = vm_ask(c->leg, c->conf, "voicemail_forward_prepend", keys.p, 1, "", &k);
	buf_fini(&keys);
	if (st || !vm_is_key(c->conf->prepend, k.text))
		return st;
	rand_token(token, 12);
	char *path = vm_box_path(&c->box, ".msg_%s_intro.%s", token, c->box.ext);
	struct vm_recording r = {.macro = "voicemail_record_message", .path = path};
	st = vm_record(c, &r);
	if (!st && r.is_whole) {
		*joined = vm_box_path(&c->box, ".msg_%s.%s", token, c->box.ext);
		int made = vm_file_join(r.aside, m->path, *joined);
		if (made) {
			leg_log(c->leg, LOG_ERR, "voicemail: an introduction cannot be put before %s: %s", m->path,
			    status_text(made));
			mem_free(*joined);
			*joined = NULL;
			st = ST_IO;
		}
	}
	vm_recording_drop(&r);
	mem_free(path);
	return st;
}

static CO int send_to(struct vm_call *c, const struct vm_msg *m, const char *file)
{
	struct buf by, to;
	struct vm_keys k;
	int st = ST_NOTFOUND;
	buf_init(&by), buf_init(&to);
	buf_printf(&by, "%s@%s", c->box.id, c->box.domain);
	for (int i = 0; i < TRIES && st == ST_NOTFOUND; i++) {
		st = vm_ask(c->leg, c->conf, "voicemail_forward_message_enter_extension", c->conf->terminator,
		    VM_KEYS_MAX, c->conf->terminator, &k);
		if (st || !k.text[0])
			break;
		buf_clear(&to);
		buf_printf(&to, "%s@%s", k.text, c->box.domain);
		st = vm_inject(&(struct vm_injection){.profile = c->conf->name,
		    .to = to.p,
		    .is_one_box = true,
		    .file = file,
		    .cid_name = m->cid_name,
		    .cid_number = m->cid_number,
		    .read_flags = m->read_flags,
		    .forwarded_by = by.p});
		if (st == ST_NOTFOUND) {
			int said = vm_say(c->leg, "voicemail_invalid_extension", NULL, NULL);
			st = said ? said : ST_NOTFOUND;
		}
	}
	if (!st && k.text[0])
		st = vm_say(c->leg, "voicemail_ack", "saved", NULL);
	buf_fini(&by), buf_fini(&to);
	return st;
}

int vm_forward(struct vm_call *c, const struct vm_msg *m)
{
	char *joined;
	int st = introduce(c, m, &joined);
	if (!st)
		st = send_to(c, m, joined ? joined : m->path);
	if (joined)
		vm_file_remove(joined);
	mem_free(joined);
	return st == ST_HANGUP || st == ST_CANCELLED ? st : ST_OK;
}
