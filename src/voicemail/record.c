/* Recording what a caller says: prompt, tone, recording, and his review of it (listen, keep, again). It goes to a
 * hidden file beside its place; vm_recording_keep gives it its name when there is something to keep. */
#include "core/sound/record.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/run/exec.h"
#include "voicemail/vm_i.h"

enum { TRIES_MAX = 10, REVIEWS_MAX = 50 };

static ON_CTL void tags_set(struct vm_call *c)
{
	const struct leg_profile *p = c->leg->profile;
	const char *name = leg_var(c->leg, "effective_caller_id_name"),
	           *number = leg_var(c->leg, "effective_caller_id_number");
	char stamp[CLOCK_STAMP_CHARS];
	struct buf artist;
	if (!name)
		name = p->caller_id_name ? p->caller_id_name : "";
	if (!number)
		number = p->caller_id_number ? p->caller_id_number : "";
	buf_init(&artist);
	buf_printf(&artist, "%s (%s)", name, number);
	leg_var_set(c->leg, "RECORD_TITLE", c->conf->record_title);
	leg_var_set(c->leg, "RECORD_COPYRIGHT", c->conf->record_copyright);
	leg_var_set(c->leg, "RECORD_SOFTWARE", "Tandem");
	leg_var_set(c->leg, "RECORD_ARTIST", artist.p);
	leg_var_set(c->leg, "RECORD_COMMENT", c->conf->record_comment);
	leg_var_set(c->leg, "RECORD_DATE", clock_stamp(clock_wall_us() / 1000000, stamp));
	buf_fini(&artist);
}

static ON_CTL void tags_clear(struct leg *leg)
{
	static const char *const names[] = {
	    "RECORD_TITLE", "RECORD_COPYRIGHT", "RECORD_SOFTWARE", "RECORD_ARTIST", "RECORD_COMMENT", "RECORD_DATE"};
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		leg_var_set(leg, names[i], NULL);
}

static ON_CTL void keys_flush(struct leg *leg)
{
	char digit;
	while (leg_dtmf_take(leg, &digit, NULL))
		;
}

/* One recording. ST_IO: it could not be written. */
static CO int record_once(struct vm_call *c, struct vm_recording *r, char *key)
{
	const struct vm_conf *conf = c->conf;
	struct media_record_conf m = {.has_read = true,
	    .limit_ms = clock_ms_of_s(conf->max_record_s),
	    .silence_level = conf->silence_s ? conf->silence_threshold : 0,
	    .silence_ms = clock_ms_of_s(conf->silence_s),
	    .rate_hz = conf->sample_rate};
	tags_set(c);
	leg_var_set(c->leg, "playback_terminator_used", NULL);
	leg_var_set(c->leg, "record_ms", NULL);
	for (int i = 0; i < MEDIA_TAG_COUNT; i++)
		m.tags[i] = leg_var(c->leg, record_tag_variable((enum media_tag)i)); /* until a variable changes */
	int st = leg_record(c->leg, r->aside, &m, "any");
	tags_clear(c->leg);
	const char *ms = leg_var(c->leg, "record_ms"), *used = leg_var(c->leg, "playback_terminator_used");
	const char *cause = leg_var(c->leg, "record_completion_cause");
	r->length_s = ms ? (unsigned)(str_number(ms, 0, INT32_MAX) / 1000) : 0;
	*key = used ? *used : 0;
	return st == ST_NOTFOUND || (cause && !strcmp(cause, "failure")) ? ST_IO : st;
}

static CO int sound(struct vm_call *c, const char *path)
{
	struct leg_play_end end = {.terminators = "any"};
	int st = leg_play_until(c->leg, path, &end);
	return st == ST_HANGUP || st == ST_CANCELLED ? st : ST_OK;
}

/* ST_AGAIN: he wants another go. */
static CO int review(struct vm_call *c, struct vm_recording *r)
{
	const struct vm_conf *conf = c->conf;
	bool listens = conf->auto_playback;
	struct vm_keys k;
	struct buf keys;
	int st = ST_OK;
	buf_init(&keys);
	buf_printf(&keys, "%s:%s:%s", conf->listen_file, conf->save_file, conf->record_file);
	for (int i = 0; i < REVIEWS_MAX && !st; i++) {
		if (listens && (st = sound(c, r->aside)))
			break;
		st = vm_ask(c->leg, conf, "voicemail_record_file_check", keys.p, 1, "", &k);
		listens = !st && vm_is_key(conf->listen_file, k.text);
		if (!st && !listens) {
			st = vm_is_key(conf->record_file, k.text) ? ST_AGAIN
			                                          : vm_say(c->leg, "voicemail_ack", "saved", NULL);
			break;
		}
	}
	buf_fini(&keys);
	return st;
}

static CO int attempt(struct vm_call *c, struct vm_recording *r, bool *is_again)
{
	char key = 0;
	*is_again = false;
	keys_flush(c->leg);
	int st = r->macro && !r->is_told ? vm_say(c->leg, r->macro, NULL, &key) : ST_OK;
	r->is_told = false;
	if (!st)
		st = vm_beep(c->leg, c->conf->tone_spec);
	if (st)
		return st;
	keys_flush(c->leg);
	st = record_once(c, r, &key);
	if (st == ST_IO)
		return st;
	bool is_enough = !r->has_limits || r->length_s >= c->conf->min_record_s;
	if (key && r->exit_keys && strchr(r->exit_keys, key)) {
		r->key = key, r->is_whole = is_enough;
		return ST_OK;
	}
	if (!leg_is_up(c->leg)) {
		r->is_whole = r->has_limits && is_enough; /* of a greeting he took none */
		return ST_HANGUP;
	}
	if (st)
		return st;
	if (!is_enough) {
		*is_again = true;
		return vm_say(c->leg, "voicemail_ack", "too-small", NULL);
	}
	r->is_whole = r->has_limits;
	st = review(c, r);
	*is_again = st == ST_AGAIN;
	r->is_whole = !*is_again && (r->has_limits || !st);
	return *is_again ? ST_OK : st;
}

int vm_record(struct vm_call *c, struct vm_recording *r)
{
	const char *slash = strrchr(r->path, '/');
	struct buf aside;
	bool is_again = true;
	int st = ST_OK;
	buf_init(&aside);
	char token[13];
	rand_token(token, 12);
	buf_printf(&aside, "%.*s/.msg_%s_%s", (int)(slash - r->path), r->path, token, slash + 1);
	r->aside = buf_take(&aside);
	for (int i = 0; i < TRIES_MAX && is_again && !st; i++)
		st = attempt(c, r, &is_again);
	if (!st && is_again) /* he said nothing, ten times */
		st = vm_say(c->leg, "voicemail_abort", NULL, NULL);
	if (st == ST_IO) {
		leg_log(c->leg, LOG_ERR, "voicemail: %s cannot be written", r->path);
		vm_recording_drop(r);
		vm_say(c->leg, "voicemail_disk_quota_exceeded", NULL, NULL);
	}
	return st;
}

int vm_recording_keep(struct vm_recording *r)
{
	int st = vm_file_rename(r->aside, r->path);
	if (!st) {
		mem_free(r->aside);
		r->aside = NULL;
	}
	return st;
}

void vm_recording_drop(struct vm_recording *r)
{
	if (r->aside)
		vm_file_remove(r->aside);
	mem_free(r->aside);
	r->aside = NULL, r->is_whole = false;
}
