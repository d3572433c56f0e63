/* Digits: those that come in (queued for an application, or passed to the other leg of a bridge) and those sent out. */
#include "core/keys/dtmf.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/keys/keys_core.h"
#include "core/keys/keys_i.h"
#include "core/keys/meta.h"
#include "core/leg/leg.h"
#include "core/leg/leg_core.h"
#include "core/leg/part.h"
#include "core/registry/limits.h"
#include "core/run/exec.h"
#include "core/run/run_core.h"
#include "core/sound/media.h"
#include "core/sound/sound_core.h"
#include <ctype.h>
#include <string.h>

enum { SAMPLES_PER_MS = 8, GROUP_MAX = 256, DUPLICATE_US = 1000000, MASK_MAX = 16 };

static bool is_digit(char c)
{
	return c && strchr("0123456789*#ABCD", toupper((unsigned char)c));
}

/* ---- keys that the leg's phone is not told (drop_dtmf) ---- */

static ON_CTL bool is_deaf(struct leg *leg)
{
	return leg_var_is_true(leg, "drop_dtmf");
}

static void mask_played(void *arg)
{
	struct leg *leg = arg;
	role_assert_ctl();
	keys_of(leg)->is_mask_playing = false;
	mem_unref(leg);
}

/* As uuid_broadcast does; not again while it plays: whoever presses keys quickly does not make it last for ever. */
static ON_CTL void mask_play(struct leg *leg)
{
	struct buf scratch;

	buf_init(&scratch);
	const struct leg_exec_request q = {.app = "playback",
	    .data = leg_text(leg, "drop_dtmf_masking_file", &scratch),
	    .done = mask_played,
	    .done_arg = leg};
	if (q.data && *q.data && !keys_of(leg)->is_mask_playing) {
		keys_of(leg)->is_mask_playing = true;
		mem_ref(leg);
		if (leg_exec_request(leg, &q))
			mask_played(leg);
	}
	buf_fini(&scratch);
}

/* What stands in for one key, or nothing. */
static ON_CTL void mask(struct leg *leg, unsigned duration_ms, bool is_tone)
{
	const char *digits = leg_var(leg, "drop_dtmf_masking_digits");
	char only[MASK_MAX + 1];
	size_t n = 0;

	for (; digits && *digits && n < MASK_MAX; digits++)
		if (is_digit(*digits))
			only[n++] = *digits;
	only[n] = 0;
	if (n && is_tone && leg_media_stream(leg))
		mstream_send_tones(leg_media_stream(leg), only, duration_ms);
	else if (n && !is_tone)
		(void)leg_dtmf_put(leg, only, duration_ms);
	mask_play(leg);
}

/* ---- in, and on to the other leg ---- */

static ON_CTL void check_one(struct leg *leg, struct leg *peer)
{
	struct mstream *s = leg_media_stream(leg);
	bool is_told_apart = peer && leg_dtmf_way(peer) == DTMF_WAY_OWN;

	if (!s)
		return;
	mstream_capture_dtmf(s, keys_of(leg)->capture_count || keys_of(leg)->is_dtmf_blocked || is_told_apart ||
	                            (peer && keys_of(leg)->is_dtmf_filtered) ||
	                            (peer && (keys_of(peer)->is_dtmf_blocked || is_deaf(peer))) ||
	                            leg_meta_listens(leg) || digit_actions_listen(leg));
	media_digits_listen(leg, peer);
}

void leg_dtmf_capture_check(struct leg *leg)
{
	check_one(leg, leg->peer);
	if (leg->peer)
		check_one(leg->peer, leg);
}

void leg_dtmf_capture(struct leg *leg, bool is_held)
{
	keys_of(leg)->capture_count += is_held ? 1 : keys_of(leg)->capture_count ? -1u : 0;
	leg_dtmf_capture_check(leg);
}

void leg_dtmf_bridged(struct leg *leg)
{
	keys_of(leg)->is_dtmf_filtered = leg_var_is_true(leg, "bridge_filter_dtmf");
	leg_dtmf_capture_check(leg);
}

void leg_dtmf_block(struct leg *leg, bool is_blocked)
{
	keys_of(leg)->is_dtmf_blocked = is_blocked;
	leg_dtmf_capture_check(leg);
}

/* On to the other leg of the bridge, as its phone is told digits. Tones it has heard already are not made again. */
static ON_CTL void pass_on(struct leg *peer, char digit, unsigned duration, enum dtmf_source source, bool is_tone)
{
	char text[2] = {digit, 0};
	bool are_tones_heard = source == DTMF_INBAND && leg_dtmf_way(peer) == DTMF_WAY_TONES;

	if (keys_of(peer)->is_dtmf_blocked)
		return;
	if (is_deaf(peer))
		mask(peer, duration / SAMPLES_PER_MS, is_tone);
	else if (are_tones_heard)
		return;
	else if (!is_tone)
		(void)leg_dtmf_put(peer, text, duration / SAMPLES_PER_MS);
	else if (leg_media_stream(peer))
		mstream_send_tones(leg_media_stream(peer), text, duration / SAMPLES_PER_MS);
}

void leg_dtmf_deduplicate(struct leg *leg, enum dtmf_dedup how)
{
	keys_of(leg)->dedup = how;
}

/* The same key told twice, by telephone-event and by its tones: the second is dropped. */
static ON_CTL bool is_duplicate(struct leg *leg, char digit, enum dtmf_source source)
{
	struct leg_keys *k = keys_of(leg);
	bool is_rtp = source == DTMF_RTP || source == DTMF_RTP_CAPTURED;
	int64_t now = clock_mono_us();
	bool is_again;

	if (!k->dedup || source == DTMF_APP)
		return false;
	if (k->dedup == DTMF_DEDUP_ONLY_RTP && !is_rtp && source != DTMF_ENDPOINT)
		return true;
	is_again = k->last_digit == digit && k->last_is_rtp != is_rtp && now - k->last_digit_us < DUPLICATE_US;
	if (!is_again)
		k->last_digit = digit, k->last_is_rtp = is_rtp, k->last_digit_us = now;
	return is_again;
}

void leg_dtmf_received(struct leg *leg, char digit, unsigned duration, enum dtmf_source source)
{
	digit = (char)toupper((unsigned char)digit);
	if (!leg_is_up(leg) || !is_digit(digit) || keys_of(leg)->is_dtmf_blocked || is_duplicate(leg, digit, source) ||
	    digit_actions_take(leg, digit, false))
		return;
	const struct core_limits *limits = core_limits();
	if (duration > limits->max_dtmf)
		duration = limits->max_dtmf;
	else if (duration < limits->min_dtmf)
		duration = duration ? limits->min_dtmf : limits->default_dtmf;
	leg_parts_digit(leg, digit);
	leg_dtmf_deliver(leg, digit, duration, source);
}

void leg_dtmf_deliver(struct leg *leg, char digit, unsigned duration, enum dtmf_source source)
{
	struct leg *peer = leg->peer;

	if (peer && !exec_takes_digits(leg)) {
		leg_digit_tell(leg, digit, duration, source);
		/* DTMF_RTP: media has relayed it itself */
		if (!leg_meta_digit(leg, digit) && source != DTMF_RTP && !keys_of(leg)->is_dtmf_filtered)
			pass_on(peer, digit, duration, source, leg_read_digits_are_tones(leg));
		return;
	}
	if (!peer && leg_meta_digit(leg, digit)) { /* in a conference, say; of nobody else's concern */
		leg_digit_tell(leg, digit, duration, source);
		return;
	}
	/* parked, or in an application that detached (echo): nobody collects digits, but whoever controls the leg hears
	 * of them */
	if (!exec_is_running(leg) && !exec_is_asked(leg) && (leg->state == CS_PARK || leg->state == CS_EXECUTE)) {
		leg_digit_tell(leg, digit, duration, source);
		return;
	}
	if (leg_digit_push(leg, digit, duration, source))
		leg_wake(leg);
}

/* "[~]digits[@ms][+digits[@ms]...]": the next group off *rest. ST_INVAL for a length that is no number. */
static ON_CTL int group_take(struct sv *rest, struct sv *digits, uint32_t *ms)
{
	struct sv group, length;

	sv_split(*rest, '+', &group, rest);
	sv_split(group, '@', digits, &length);
	*ms = core_limits()->default_dtmf / SAMPLES_PER_MS;
	if (length.n && sv_u32(length, ms))
		return ST_INVAL;
	if (*ms > 60000)
		*ms = 60000;
	return digits->n <= GROUP_MAX ? ST_OK : ST_INVAL;
}

static struct sv groups_of(const char *text)
{
	struct sv all = sv_of(text);
	return all.n && all.p[0] == '~' ? sv_sub(all, 1, all.n) : all;
}

int leg_dtmf_queue(struct leg *leg, const char *text)
{
	struct sv rest = groups_of(text), digits;
	uint32_t ms;
	int st = rest.n ? ST_OK : ST_INVAL;

	while (!st && rest.n && leg_is_up(leg)) {
		st = group_take(&rest, &digits, &ms);
		for (size_t i = 0; !st && i < digits.n; i++)
			leg_dtmf_received(leg, digits.p[i], ms * SAMPLES_PER_MS, DTMF_APP);
	}
	return st;
}

static ON_CTL int send_group(struct leg *leg, struct sv digits, uint32_t ms)
{
	char *only = sv_dup(digits);
	int st = only ? ST_OK : ST_NOMEM;

	if (is_deaf(leg)) {
		for (size_t i = 0; i < digits.n; i++)
			if (is_digit(digits.p[i]))
				mask(leg, ms, false);
	} else if (!st && digits.n)
		st = leg_dtmf_put(leg, only, ms);
	mem_free(only);
	return st;
}

int leg_dtmf_send(struct leg *leg, const char *text)
{
	struct sv rest = groups_of(text), digits;
	uint32_t ms;
	int st = rest.n ? ST_OK : ST_INVAL;

	if (!leg_is_up(leg))
		return ST_HANGUP;
	while (!st && rest.n && !keys_of(leg)->is_dtmf_blocked) {
		st = group_take(&rest, &digits, &ms);
		if (!st)
			st = send_group(leg, digits, ms);
	}
	return st;
}

/* ---- the part ---- */

static void part_init_stream(struct leg *leg)
{
	role_assert_ctl();
	leg_dtmf_capture_check(leg);
}

static bool part_report(struct leg *leg, const struct media_report *r)
{
	role_assert_ctl();
	if (r->kind != MEDIA_R_DTMF)
		return false;
	leg_dtmf_received(leg, r->digit, r->duration,
	    r->is_inband     ? DTMF_INBAND
	    : r->is_captured ? DTMF_RTP_CAPTURED
	                     : DTMF_RTP);
	return true;
}

static void part_destroy(struct leg *leg)
{
	role_assert_ctl();
	leg_meta_fini(leg);
	digit_actions_fini(leg);
}

struct leg_part keys_part = {
    .name = "keys",
    .bytes = sizeof(struct leg_keys),
    .on_stream = part_init_stream,
    .on_report = part_report,
    .on_destroy = part_destroy,
};
