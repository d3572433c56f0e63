/* A report must never be lost, and a media thread never waits: so a stream keeps what is to be told (flags, digits,
 * plays and records that go back) and stands in its thread's list; at the end of a turn as much as fits is posted, the
 * rest stays for the next turn. A full ring delays a report. CLOSED is always a stream's last; after it the stream is
 * control's. */
#include "base/check.h"
#include "loop/mailbox.h"
#include "media/rt/tap_i.h"

#include <string.h>

void report_wanted(struct rt_stream *s)
{
	if (s->t && !lnode_is_linked(&s->pend.link))
		list_push(&s->t->reporting, &s->pend.link);
}

void report_flag(struct rt_stream *s, enum pend_flag flag)
{
	s->pend.flags |= flag;
	report_wanted(s);
}

void report_digit(struct rt_stream *s, const struct rt_digit *d)
{
	struct rt_pending *p = &s->pend;
	if (p->digit_count == PEND_DIGITS_MAX) /* control has not looked for seconds */
		return;
	p->digits[p->digit_count++] = *d;
	report_wanted(s);
}

void report_play(struct rt_stream *s, struct rt_play *p)
{
	struct rt_play **at = &s->pend.plays;
	while (*at)
		at = &(*at)->next;
	p->next = NULL;
	*at = p;
	report_wanted(s);
}

void report_tap(struct rt_stream *s, struct rt_tap *tap)
{
	struct rt_tap **at = &s->pend.taps;
	while (*at)
		at = &(*at)->next;
	tap->next = NULL;
	*at = tap;
	report_wanted(s);
}

void report_record(struct rt_stream *s, struct rt_record *r)
{
	struct rt_record **at = &s->pend.records;
	while (*at)
		at = &(*at)->next;
	r->next = NULL;
	*at = r;
	report_wanted(s);
}

void report_stats(struct rt_stream *s, struct rt_stats *st)
{
	st->next = s->pend.stats;
	s->pend.stats = st;
	report_wanted(s);
}

_Static_assert(sizeof(struct rt_report) <= MAILBOX_MSG_BYTES, "a report is one message");

static bool report_post(struct rt_thread *t, struct rt_stream *s, struct rt_report *r)
{
	r->s = s;
	r->owner = s->owner;
	return mailbox_post(t->reports, r, sizeof(*r)) == ST_OK;
}

void rt_stream_plug_tell(struct rt_stream *s, uint32_t bits)
{
	role_assert_media();
	s->pend.plug_bits |= bits;
	report_wanted(s);
}

static const struct {
	enum pend_flag flag;
	enum rt_report_kind kind;
	enum media_report_kind event;
} flag_table[] = {
    {PEND_MOVED, RT_R_MOVED, MEDIA_R_NONE},
    {PEND_LEARNED, RT_R_EVENT, MEDIA_R_LEARNED},
    {PEND_FIRST, RT_R_EVENT, MEDIA_R_FIRST_PACKET},
    {PEND_TIMEOUT, RT_R_EVENT, MEDIA_R_TIMEOUT},
    {PEND_TALK, RT_R_EVENT, MEDIA_R_TALK},
    {PEND_NOTALK, RT_R_EVENT, MEDIA_R_NOTALK},
    {PEND_DTMF_SENT, RT_R_EVENT, MEDIA_R_DTMF_SENT},
    {PEND_KEY, RT_R_EVENT, MEDIA_R_KEY_FRAME},
    {PEND_JITTER, RT_R_EVENT, MEDIA_R_JITTER},
    {PEND_CODEC, RT_R_EVENT, MEDIA_R_CODEC},
};

ON_MEDIA static bool flush_flags(struct rt_thread *t, struct rt_stream *s)
{
	for (size_t i = 0; i < ARRAY_COUNT(flag_table); i++) {
		if (!(s->pend.flags & flag_table[i].flag))
			continue;
		struct rt_report r = {.kind = flag_table[i].kind, .event = flag_table[i].event};
		if (flag_table[i].flag == PEND_LEARNED || flag_table[i].flag == PEND_FIRST)
			r.addr = s->remote_rtp;
		if (flag_table[i].flag == PEND_CODEC)
			r.number = s->also_pt;
		if (!report_post(t, s, &r))
			return false;
		s->pend.flags &= ~(unsigned)flag_table[i].flag;
	}
	return true;
}

static bool flush_plugs(struct rt_thread *t, struct rt_stream *s)
{
	struct rt_report r = {.kind = RT_R_EVENT, .event = MEDIA_R_PLUG, .number = s->pend.plug_bits};
	if (r.number && !report_post(t, s, &r))
		return false;
	s->pend.plug_bits = 0;
	return true;
}

static bool flush_digits(struct rt_thread *t, struct rt_stream *s)
{
	struct rt_pending *p = &s->pend;
	unsigned done = 0;
	while (done < p->digit_count) {
		struct rt_report r = {.kind = RT_R_EVENT,
		    .event = MEDIA_R_DTMF,
		    .digit = p->digits[done].digit,
		    .duration = p->digits[done].duration,
		    .is_captured = p->digits[done].is_captured,
		    .is_inband = p->digits[done].is_inband};
		if (!report_post(t, s, &r))
			break;
		done++;
	}
	p->digit_count = (uint8_t)(p->digit_count - done);
	memmove(p->digits, p->digits + done, p->digit_count * sizeof(p->digits[0]));
	return !p->digit_count;
}

ON_MEDIA static bool flush_rtcp(struct rt_thread *t, struct rt_stream *s)
{
	struct rt_pending *p = &s->pend;
	while (p->rtcp_count) {
		struct rt_report r = {.kind = RT_R_RTCP, .addr = s->remote_rtcp};
		r.rtcp = p->rtcp[0];
		if (!report_post(t, s, &r))
			return false;
		memmove(p->rtcp, p->rtcp + 1, --p->rtcp_count * sizeof(p->rtcp[0]));
	}
	return true;
}

ON_MEDIA static bool flush_refill(struct rt_thread *t, struct rt_stream *s, struct rt_play *p)
{
	struct rt_report r = {.kind = RT_R_PLAY_REFILL, .number = p ? p->id : 0};
	if (!p || !p->is_refill_due)
		return true;
	if (!report_post(t, s, &r))
		return false;
	p->is_refill_due = false;
	return true;
}

ON_MEDIA static bool flush_taps(struct rt_thread *t, struct rt_stream *s)
{
	for (struct rt_tap *d = s->taps; d; d = d->next) {
		struct rt_report r = {.kind = RT_R_TAP_EVENT, .number = d->id, .duration = d->event};
		if (d->is_event_due && !report_post(t, s, &r))
			return false;
		d->is_event_due = false;
		if (d->ops->play && !flush_refill(t, s, d->ops->play(d)))
			return false;
	}
	while (s->pend.taps) {
		struct rt_tap *d = s->pend.taps, *next = d->next;
		struct rt_report e = {.kind = RT_R_TAP_EVENT, .number = d->id, .duration = d->event};
		struct rt_report r = {.kind = RT_R_TAP_DONE, .number = d->id, .ptr = d};
		if (d->is_event_due && !report_post(t, s, &e))
			return false;
		d->is_event_due = false;
		if (!report_post(t, s, &r))
			return false;
		s->pend.taps = next;
	}
	return true;
}

ON_MEDIA static bool flush_objects(struct rt_thread *t, struct rt_stream *s)
{
	struct rt_pending *p = &s->pend;
	if (!flush_refill(t, s, s->play) || !flush_taps(t, s))
		return false;
	for (struct rt_record *d = s->records; d; d = d->next) {
		struct rt_report r = {.kind = RT_R_RECORD_DRAIN, .number = d->id};
		if (d->is_drain_due && !report_post(t, s, &r))
			return false;
		d->is_drain_due = false;
	}
	while (p->records) {
		struct rt_record *d = p->records, *next = d->next;
		struct rt_report r = {.kind = RT_R_RECORD_DONE, .number = d->id, .ptr = d};
		if (!report_post(t, s, &r))
			return false;
		p->records = next;
	}
	while (p->plays) {
		struct rt_play *d = p->plays, *next = d->next;
		struct rt_report r = {.kind = RT_R_PLAY_DONE, .number = d->id, .ptr = d};
		if (!report_post(t, s, &r))
			return false;
		p->plays = next;
	}
	while (p->stats) {
		struct rt_stats *d = p->stats, *next = d->next;
		struct rt_report r = {.kind = RT_R_STATS, .ptr = d};
		if (!report_post(t, s, &r))
			return false;
		p->stats = next;
	}
	return true;
}

void reports_flush(struct rt_thread *t)
{
	struct lnode *n;
	while ((n = list_first(&t->reporting))) {
		struct rt_stream *s = list_entry(n, struct rt_stream, pend.link);
		if (!flush_flags(t, s) || !flush_plugs(t, s) || !flush_digits(t, s) || !flush_rtcp(t, s) ||
		    !flush_objects(t, s))
			return;
		list_remove(n);
		struct rt_report closed = {.kind = RT_R_CLOSED};
		if (s->pend.flags & PEND_CLOSED && !report_post(t, s, &closed)) {
			list_unshift(&t->reporting, n);
			return;
		}
	}
}
