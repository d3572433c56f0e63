/* Hearing messages, one after another: number, date, the message with its keys (pause, back, forward, again), then what
 * to do with it. What was deleted stays until the pass is over, so that it can be taken back; then rows and files go.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/run/exec.h"
#include "core/sound/media.h"
#include "core/sound/play.h"
#include "core/sound/say.h"
#include "media/ctl/mctl.h"
#include "text/mark.h"
#include "voicemail/vm_i.h"
#include <stdio.h>
#include <string.h>

enum { STEP_MS = 5000, PASSES_MAX = 100000 };

enum move { MOVE_NEXT, MOVE_SAME, MOVE_PREVIOUS, MOVE_OUT };
struct hearing { /* one message that is heard */
	struct vm_call *c;
	const struct vm_msg *m;
	unsigned index;
	bool is_new;
	char flags[8]; /* as they are now: "", "save", "delete" */
	char key;      /* pressed while it was said */
};

/* Keys that do something to what plays; the others end it. */
static bool on_keys(struct leg *leg, void *arg)
{
	struct hearing *h = arg;
	const struct vm_conf *k = h->c->conf;
	char pressed[2] = {0};
	role_assert_co();
	while (leg_dtmf_take(leg, pressed, NULL)) {
		struct mstream *s = leg_media_stream(leg);
		const char *const ends[] = {k->delete_file, k->save_file, k->previous, k->next, k->repeat,
		    k->terminator, k->skip_info, k->forward, k->email_key, k->callback, k->undelete_file, k->main_menu};
		bool is_end = false;
		for (unsigned i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
			is_end |= vm_is_key(ends[i], pressed) &&
			          !(ends[i] == k->email_key && vm_is_key(k->rew, pressed)) &&
			          !(ends[i] == k->main_menu && vm_is_key(k->pause, pressed));
		if (is_end) {
			h->key = *pressed;
			return false;
		}
		if (s && vm_is_key(k->pause, pressed))
			mstream_play_set(s, MEDIA_PLAY_PAUSE, -1);
		else if (s && vm_is_key(k->restart, pressed))
			mstream_play_set(s, MEDIA_PLAY_RESTART, 0);
		else if (s && vm_is_key(k->ff, pressed))
			mstream_play_set(s, MEDIA_PLAY_SEEK_BY, STEP_MS);
		else if (s && vm_is_key(k->rew, pressed))
			mstream_play_set(s, MEDIA_PLAY_SEEK_BY, -STEP_MS);
	}
	return true;
}

static bool is_over(int st)
{
	return st == ST_HANGUP || st == ST_CANCELLED;
}

static CO int info_say(struct hearing *h, const char *macro, const char *data)
{
	const struct leg_watch watch = {on_keys, h, .is_prompt = true};
	struct leg_play_end end = {.watch = &watch};
	if (h->key || !leg_is_ready(h->c->leg))
		return leg_is_up(h->c->leg) ? ST_OK : ST_HANGUP;
	int st = leg_phrase(h->c->leg, macro, data, NULL, &end);
	if (vm_is_key(h->c->conf->skip_info, &h->key)) /* on to the message itself */
		h->key = 0;
	return is_over(st) ? st : ST_OK;
}

static CO int date_say(struct hearing *h)
{
	char text[24];
	snprintf(text, sizeof(text), "%lld", (long long)h->m->created_s);
	return info_say(h, "voicemail_say_date", text);
}

static CO int message_play(struct hearing *h)
{
	const struct leg_watch watch = {on_keys, h, .is_prompt = true};
	struct leg *leg = h->c->leg;
	if (h->key || !leg_is_ready(leg))
		return leg_is_up(leg) ? ST_OK : ST_HANGUP;
	int st = vm_file_exists(h->m->path) ? leg_play_watched(leg, h->m->path, &watch) : ST_NOTFOUND;
	if (is_over(st) || !st)
		return st;
	leg_log(leg, LOG_ERR, "voicemail: the message %s of %s@%s cannot be played: %s", h->m->path, h->c->box.id,
	    h->c->box.domain, status_text(st));
	return vm_say(leg, "voicemail_invalid_extension", NULL, NULL);
}

static CO int number_say(struct hearing *h)
{
	char text[32];
	snprintf(text, sizeof(text), "%s:%u", h->is_new ? "new" : "saved", h->index + 1);
	return info_say(h, "voicemail_say_message_number", text);
}

/* His phone shows who left it. */
static ON_CTL void caller_show(struct leg *leg, const struct vm_msg *m)
{
	const char *shown = leg_var(leg, "last_sent_callee_id_number");
	const char *name = m->cid_name && *m->cid_name ? m->cid_name : m->cid_number;
	if (!m->cid_number || !*m->cid_number || (shown && !strcmp(shown, m->cid_number)))
		return;
	int st = leg_display(leg, name, m->cid_number);
	if (st && st != ST_UNSUPPORTED) /* a phone that cannot show it: programs are told */
		return;
	leg_var_set(leg, "last_sent_callee_id_name", name);
	leg_var_set(leg, "last_sent_callee_id_number", m->cid_number);
}

static CO int hear(struct hearing *h)
{
	struct leg *leg = h->c->leg;
	const struct vm_conf *conf = h->c->conf;
	caller_show(leg, h->m);
	int st = number_say(h);
	if (!st && conf->date == VM_DATE_FIRST)
		st = date_say(h);
	if (!st && leg_var_is_true(leg, "vm_announce_cid")) {
		char *number = mark_dup(h->m->cid_number);
		st = info_say(h, "voicemail_say_phone_number", number ? number : "");
		mem_free(number);
	}
	if (!st)
		st = message_play(h);
	return !st && conf->date == VM_DATE_LAST ? date_say(h) : st;
}

static CO int flag(struct hearing *h, const char *flags, const char *ack)
{
	char set[32];
	snprintf(set, sizeof(set), "flags='%s'", flags);
	int st = vm_db_update(h->c->box.p.db, h->c->box.id, h->c->box.domain, h->m->uuid, set, NULL);
	if (st)
		return vm_say(h->c->leg, "voicemail_invalid_extension", NULL, NULL);
	snprintf(h->flags, sizeof(h->flags), "%s", flags);
	return vm_say(h->c->leg, "voicemail_ack", ack, NULL);
}

static CO int email(struct hearing *h, const char *to)
{
	struct vm_counts counts;
	vm_db_counts_peek(h->c->box.p.db, h->c->box.id, h->c->box.domain, &counts);
	int st = vm_mail_send(
	    &(struct vm_mail){.box = &h->c->box, .msg = h->m, .counts = &counts, .leg = h->c->leg, .to = to},
	    &(bool){false});
	if (st)
		return vm_say(h->c->leg, "voicemail_invalid_extension", NULL, NULL);
	return flag(h, "delete", "emailed");
}

/* The one who left it is called, as the profile's dialplan does it; the number is data. */
static CO int call_back(struct hearing *h)
{
	char *context = leg_text_dup(h->c->leg, "voicemail_callback_context"); /* with its marks */
	char *number = mark_dup(h->m->cid_number),
	     *own = mem_strdup(context && *context ? context : h->c->conf->callback_context);
	mem_free(context);
	leg_var_set(h->c->leg, "voicemail_callback", "true");
	int st = number && own ? leg_exec_extension(h->c->leg, number, h->c->conf->callback_dialplan, own) : ST_NOMEM;
	mem_free(number), mem_free(own);
	return is_over(st) ? st : ST_OK;
}

static CO int asked(struct hearing *h, struct vm_keys *k, const char *to)
{
	const struct vm_conf *conf = h->c->conf;
	struct buf keys;
	if (h->key) {
		k->text[0] = h->key, k->text[1] = 0;
		return ST_OK;
	}
	buf_init(&keys);
	buf_printf(&keys, "%s:%s:%s:%s:%s:%s%s%s", conf->repeat, conf->save_file, conf->delete_file, conf->email_key,
	    conf->callback, conf->forward, to ? ":" : "", to ? to : "");
	int st = vm_ask(h->c->leg, conf, "voicemail_listen_file_check", keys.p, 1, "", k);
	buf_fini(&keys);
	return st;
}

static CO int decide(struct hearing *h, enum move *move)
{
	const struct vm_conf *conf = h->c->conf;
	const char *to = vm_box_param(&h->c->box, "vm-mailto");
	struct vm_keys k = {0};
	int st = asked(h, &k, to);
	*move = MOVE_NEXT;
	if (st)
		return st;
	if (!strcmp(h->flags, "delete") && vm_is_key(conf->undelete_file, k.text)) {
		*move = MOVE_SAME;
		return flag(h, "save", "saved");
	}
	if (vm_is_key(conf->previous, k.text))
		*move = MOVE_PREVIOUS;
	else if (vm_is_key(conf->next, k.text))
		*move = MOVE_NEXT;
	else if (vm_is_key(conf->repeat, k.text))
		*move = MOVE_SAME;
	else if (vm_is_key(conf->terminator, k.text) || vm_is_key(conf->main_menu, k.text))
		*move = MOVE_OUT;
	else if (vm_is_key(conf->forward, k.text)) {
		*move = MOVE_SAME;
		return vm_forward(h->c, h->m);
	} else if (vm_is_key(conf->delete_file, k.text))
		return flag(h, "delete", "deleted");
	else if (vm_is_key(conf->email_key, k.text) && to)
		return email(h, to);
	else if (vm_is_key(conf->callback, k.text)) {
		*move = MOVE_SAME;
		return call_back(h);
	} else if (vm_is_key(conf->save_file, k.text))
		return flag(h, "save", "saved");
	else if (!k.text[0]) /* he is silent: it counts as heard, and is kept */
		return flag(h, "save", "saved");
	return ST_OK;
}

static CO int pass(struct vm_call *c, struct vm_msgs *all, bool is_new)
{
	int st = ST_OK;
	char(*flags)[8] = all->count ? mem_zalloc(all->count * sizeof(*flags)) : NULL;
	unsigned at = 0;
	for (int i = 0; flags && !st && at < all->count && i < PASSES_MAX && leg_is_ready(c->leg); i++) {
		struct hearing h = {.c = c, .m = &all->list[at], .index = at, .is_new = is_new};
		enum move move = MOVE_NEXT;
		memcpy(h.flags, flags[at], sizeof(h.flags));
		st = hear(&h);
		if (!st && leg_is_ready(c->leg))
			st = decide(&h, &move);
		memcpy(flags[at], h.flags, sizeof(h.flags));
		if (move == MOVE_OUT)
			break;
		at = move == MOVE_NEXT ? at + 1 : move == MOVE_PREVIOUS && at ? at - 1 : at;
	}
	mem_free(flags);
	return st;
}

int vm_listen(struct vm_call *c, enum vm_which which, const char *uuid)
{
	const struct vm_box *b = &c->box;
	struct vm_msgs all;
	char set[40];
	bool is_newest_first = which == VM_NEW ? c->conf->new_lifo : c->conf->saved_lifo;
	int st = vm_db_list(b->p.db, b->id, b->domain, which, is_newest_first, uuid, &all);
	if (!st)
		st = pass(c, &all, which == VM_NEW);
	vm_msgs_fini(&all);
	snprintf(set, sizeof(set), "read_epoch=%lld", (long long)(clock_wall_us() / 1000000));
	vm_db_update(b->p.db, b->id, b->domain, NULL, set, "coalesce(read_epoch,0)=0 AND flags='save'");
	vm_db_delete(b->p.db, b->id, b->domain, NULL, true);
	vm_mwi_update(b->p.db, b->id, b->domain, "PURGE");
	return st;
}
