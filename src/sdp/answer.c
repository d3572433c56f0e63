/* An answer takes what the offer says and we can do, line by line and with the offerer's numbers (RFC 3264 section 6):
 * made to the far side's offer, planned only (what would it be?), or taken, when it is the far side's to ours. Which
 * codec is taken is decided in match.c; here its result becomes a plan, text (text.c), and the dialog's memory. Work is
 * done on copies: a failed call changes nothing. */
#include "base/mem.h"
#include "sdp/offer_i.h"
#include <string.h>

static void remember_lines(struct sdp_running *r, const struct sdp *s)
{
	r->line_count = (uint8_t)s->media_count;
	for (size_t i = 0; i < s->media_count; i++) {
		r->lines[i].is_open = false;
		sdp_copy(r->lines[i].kind, sizeof(r->lines[i].kind), s->media[i].kind);
		sdp_copy(r->lines[i].proto, sizeof(r->lines[i].proto), s->media[i].proto);
	}
}
static void remember_helper(struct sdp_running *r, const char *name, uint32_t clock_hz, int pt_recv, int pt_send)
{
	struct sdp_codec c = sdp_helper_codec(name, clock_hz);
	if (pt_recv >= 0)
		sdp_run_set(r, &c, pt_recv, pt_send);
}
static void remember_answer(struct sdp_running *r, const struct sdp_plan *plan)
{
	r->line = plan->line;
	r->is_agreed = true;
	sdp_run_unuse(r);
	for (size_t i = 0; i < plan->codecs.count; i++)
		sdp_run_set(r, &plan->codecs.v[i], plan->codecs.v[i].pt_recv, plan->codecs.v[i].pt_send);
	remember_helper(r, "telephone-event", plan->dtmf_clock_hz, plan->dtmf_recv_pt, plan->dtmf_send_pt);
	remember_helper(r, "CN", 8000, plan->cn_pt, plan->cn_pt);
	remember_helper(r, "red", plan->send.clock_hz, plan->red_recv, plan->red_send);
	remember_helper(r, "ulpfec", plan->send.clock_hz, plan->fec_recv, plan->fec_send);
	sdp_run_choose(r, &plan->recv);
}
static void put_answered(struct buf *b, const struct sdp *s, const struct sdp_policy *p, const struct sdp_plan *plan)
{
	struct sdp_codecs list = plan->codecs;
	struct sdp_dtls theirs;
	struct sdp_line_text t = {.codecs = &list,
	    .cn_pt = plan->cn_pt,
	    .red_pt = plan->red_recv,
	    .fec_pt = plan->fec_recv,
	    .dir = plan->local_dir,
	    .ptime_ms = p->kind ? 0 : plan->recv.ptime_ms,
	    .is_rtcp_mux = plan->is_rtcp_mux,
	    .is_rsize = plan->is_rsize,
	    .fb = plan->fb,
	    .proto = s->media[plan->line].proto,
	    .answer = plan};

	memcpy(t.exts, plan->exts, sizeof(t.exts));
	if (!p->is_all_answered)
		list.count = 1;
	for (size_t i = 0; i < list.count; i++)
		sdp_answer_fmtp(p, &plan->codecs.v[i], list.v[i].fmtp);
	if (plan->dtmf_recv_pt >= 0) {
		t.te_count = 1;
		t.te[0].pt = plan->dtmf_recv_pt;
		t.te[0].clock_hz = plan->dtmf_clock_hz;
	}
	if (plan->is_dtls && sdp_dtls_read(s, plan->line, &theirs, NULL))
		t.setup = sdp_setup_answer(theirs.setup, p->dtls->setup_now);
	sdp_put_line(b, p, &t);
}
static void put_answer(struct buf *b, const struct sdp *s, const struct sdp_policy *p, const struct sdp_plan *plan)
{
	sdp_put_session(b, p);
	for (size_t i = 0; i < s->media_count; i++) {
		const struct sdp_media *m = &s->media[i];
		const struct sdp_part *part = NULL;
		for (size_t k = 0; k < p->part_count; k++)
			if (p->parts[k].is_taken && p->parts[k].plan->line == i)
				part = &p->parts[k];
		if (i == plan->line)
			put_answered(b, s, p, plan);
		else if (part)
			put_answered(b, s, part->p, part->plan);
		else
			sdp_put_refused(
			    b, m->kind, m->proto, m->format_count ? s->formats[m->format_first].text : SV_NONE);
	}
}
/* The plan without what a failure must not leave in it. */
static int give_up(struct sdp_plan *plan, int st, const char *why)
{
	memset(plan, 0, sizeof(*plan));
	plan->why = why;
	return st;
}
/* A plan without anything in it; the list of codecs is as long as it says, and needs no zeros. */
static struct sdp_plan *plan_new(void)
{
	const size_t from = offsetof(struct sdp_plan, codecs.v), to = from + sizeof(((struct sdp_plan *)0)->codecs.v);
	struct sdp_plan *plan = mem_alloc(sizeof(*plan));

	if (plan) {
		memset(plan, 0, from);
		memset((char *)plan + to, 0, sizeof(*plan) - to);
	}
	return plan;
}
static int answer(
    struct sv offer, const struct sdp_policy *p, struct sdp_running *r, struct sdp_plan *plan, struct buf *out)
{
	struct sdp_running now = *r;
	struct sdp_plan *found = NULL;
	struct sdp *s = NULL;
	struct buf body;
	int st;

	if (!sdp_policy_is_usable(p))
		return give_up(plan, ST_INVAL, "the policy lacks codecs, address or port");
	if ((st = sdp_parse_new(offer, &s)))
		return give_up(plan, st, st == ST_PARSE ? "not a session description" : "out of memory");
	buf_init(&body);
	found = plan_new();
	if (!found) {
		st = give_up(plan, ST_NOMEM, "out of memory");
		goto out;
	}
	if ((st = sdp_match_offer(s, p, r, found))) {
		give_up(plan, st, found->why);
		goto out;
	}
	for (size_t i = 0; i < p->part_count; i++) {
		struct sdp_part *part = &p->parts[i];
		part->is_taken = sdp_policy_is_usable(part->p) && !sdp_match_offer(s, part->p, part->r, part->plan);
	}
	if (out) {
		put_answer(&body, s, p, found);
		remember_lines(&now, s);
		remember_answer(&now, found);
		st = sdp_put_whole(p, &now, &body, out);
	}
	if (st) {
		give_up(plan, st, "out of memory");
		goto out;
	}
	*plan = *found;
	*r = now;
	for (size_t i = 0; out && i < p->part_count; i++)
		if (p->parts[i].is_taken)
			remember_answer(p->parts[i].r, p->parts[i].plan);
out:
	buf_fini(&body);
	mem_free(found);
	mem_free(s);
	return st;
}
int sdp_answer_make(
    struct sv offer, const struct sdp_policy *p, struct sdp_running *r, struct sdp_plan *plan, struct buf *out)
{
	return answer(offer, p, r, plan, out);
}
int sdp_answer_plan(struct sv offer, const struct sdp_policy *p, const struct sdp_running *r, struct sdp_plan *plan)
{
	struct sdp_running copy = *r;
	return answer(offer, p, &copy, plan, NULL);
}

static void accept_answer(struct sdp_running *dialog, struct sdp_running *r, const struct sdp_plan *found)
{
	for (size_t i = 0; i < found->codecs.count; i++)
		sdp_run_answered(r, &found->codecs.v[i]);
	sdp_run_choose(r, &found->recv);
	if (r->line != found->line)
		dialog->lines[r->line].is_open = true; /* a later answer to the same offer may take it */
	r->line = found->line;
	r->is_agreed = true;
}

int sdp_answer_accept(struct sv text, const struct sdp_policy *p, struct sdp_running *r, struct sdp_plan *plan)
{
	struct sdp_plan *found = NULL;
	struct sdp *s = NULL;
	int st;

	if ((st = sdp_parse_new(text, &s)))
		return give_up(plan, st, st == ST_PARSE ? "not a session description" : "out of memory");
	found = plan_new();
	if (!found) {
		st = give_up(plan, ST_NOMEM, "out of memory");
		goto out;
	}
	if ((st = sdp_match_answer(s, p, r, r, found))) {
		give_up(plan, st, found->why);
		goto out;
	}
	for (size_t i = 0; i < p->part_count; i++) {
		struct sdp_part *part = &p->parts[i];
		part->is_taken = part->r->line < r->line_count && part->r->line != r->line &&
		                 !sdp_match_answer(s, part->p, r, part->r, part->plan);
		if (part->is_taken)
			accept_answer(r, part->r, part->plan);
	}
	accept_answer(r, r, found);
	*plan = *found;
out:
	mem_free(found);
	mem_free(s);
	return st;
}
