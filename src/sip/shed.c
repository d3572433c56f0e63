/* Overload: how long messages waited until they were read, and what is refused then. A datagram tells when the kernel
 * got it; what waits on a stream has waited about as long as the loop's last iteration took. A queue that stands (every
 * message of a tenth of a second waited longer than the bound) is overload; a burst is none, as it drains. From then on
 * new calls are let in at a rate that goes down by a tenth while messages wait too long and up by a little while they
 * do not; the others, and those that waited longer than the bound, get a 503 that keeps nothing and costs a twentieth
 * of a call. So the queue stays short, and what is accepted is set up as quickly as ever. (Refusing by the wait alone
 * swings: a call's later messages stand in the queue behind hundreds that were let in together.) At twice the bound
 * strangers' other requests are refused, too: who has shown his address, or answers a challenge, is served, and half of
 * the rate's burst is kept for him. A flood that even refusals cannot keep up with is met before a byte is parsed:
 * requests of an address that has shown nothing and asks over and over, and at four times the bound of any such
 * address, are dropped, so that the socket does not overflow and what known phones send is read. Nothing inside a
 * dialog is ever refused here, no ACK, no CANCEL, no repetition of what is being answered. The loop is one, so its
 * state is one for all stacks; the bound is each stack's. */
#include "base/clock.h"
#include "sip/sip_i.h"
#include <stdio.h>

enum {
	SECOND_US = 1000000,
	STANDING_US = 100000,   /* a queue stands when it does so long */
	STANDING_MESSAGES = 64, /* and over so many messages */
	CALM_US = 5000000,      /* overload is over so long after the last refusal */
	STEP_US = 50000,        /* the rate is looked at so often */
	RATE_MIN = 50,          /* calls a second that are let in whatever the wait */
	BURST_MS = 10,          /* of the rate, at once */
	BURST_MIN = 4,          /* calls at once, whatever the rate */
	STRANGER_PER_S = 50,    /* requests of an address that has shown nothing, before they are dropped unread */
	RETRY_S = 2,            /* Retry-After: from this on, spread over RETRY_SPREAD_S */
	RETRY_SPREAD_S = 9
};

static struct {
	int64_t above_since_us; /* 0: the last message had not waited too long */
	unsigned above_count;
	int64_t above_last_us;
	bool is_on;
	int64_t refused_last_us;
	double rate, tokens; /* calls a second; what of it may be used now */
	int64_t tokens_us, step_us;
	int64_t second_us; /* while it is off: calls let in since then */
	unsigned let_in;
	int64_t waited_us; /* the last message, for whoever asks */
	int64_t peak_us;
} load;

static ON_CTL void rate_begin(int64_t now_us)
{
	int64_t us = now_us - load.second_us;
	load.rate = us > STANDING_US ? load.let_in * 0.8 / ((double)us / SECOND_US) : RATE_MIN;
	load.tokens = 0;
	load.tokens_us = load.step_us = now_us;
}

static ON_CTL void rate_step(int64_t bound_us, int64_t now_us)
{
	if (now_us - load.step_us < STEP_US)
		return;
	load.step_us = now_us;
	load.rate *= load.waited_us > bound_us / 2 ? 0.9 : 1.03;
	if (load.rate < RATE_MIN)
		load.rate = RATE_MIN;
	if (load.rate > 1e6)
		load.rate = 1e6;
}

/* One more call: is there room for it in the rate? Strangers leave half of the burst to others. */
static ON_CTL bool rate_takes(int64_t now_us, bool is_stranger)
{
	double most = load.rate * BURST_MS / 1000;
	if (most < BURST_MIN)
		most = BURST_MIN;
	load.tokens += load.rate * (double)(now_us - load.tokens_us) / SECOND_US;
	load.tokens_us = now_us;
	if (load.tokens > most)
		load.tokens = most;
	if (load.tokens < (is_stranger ? most / 2 + 1 : 1))
		return false;
	load.tokens -= 1;
	return true;
}

/* While there is no overload it is only counted what is let in: that is where the rate begins. */
static ON_CTL void let_in_count(int64_t now_us)
{
	if (now_us - load.second_us > SECOND_US)
		load.second_us = now_us, load.let_in = 0;
	load.let_in++;
}

static ON_CTL void tell(struct sip_stack *s, bool is_on)
{
	load.is_on = is_on;
	if (is_on)
		rate_begin(clock_mono_us());
	if (is_on)
		log_warning(
		    "SIP: overload: messages wait over %d ms to be read; new calls beyond what can be done get 503",
		    s->cfg.overload_ms);
	else
		log_notice("SIP: the overload is over; messages waited up to %lld ms", (long long)load.peak_us / 1000);
	if (!is_on)
		load.peak_us = 0;
	if (s->h.on_overload)
		s->h.on_overload(s, is_on, s->arg);
}

void sip_shed_note(struct sip_stack *s, int64_t waited_us)
{
	int64_t bound_us = clock_us_of_ms(s->cfg.overload_ms), now_us = clock_mono_us();
	load.waited_us = waited_us;
	if (s->cfg.overload_ms <= 0)
		return;
	if (load.is_on)
		rate_step(bound_us, now_us);
	if (waited_us <= bound_us) {
		load.above_since_us = 0;
		load.above_count = 0;
		if (load.is_on && now_us - load.above_last_us > CALM_US && now_us - load.refused_last_us > CALM_US)
			tell(s, false);
		return;
	}
	if (!load.above_since_us)
		load.above_since_us = now_us;
	load.above_count++;
	load.above_last_us = now_us;
	if (waited_us > load.peak_us)
		load.peak_us = waited_us;
	bool is_standing = now_us - load.above_since_us >= STANDING_US || waited_us > 2 * bound_us;
	if (!load.is_on && load.above_count >= STANDING_MESSAGES && is_standing)
		tell(s, true);
}

/* What a stranger may be refused when refusing calls alone does not do. */
static ON_CTL bool is_strangers(const struct sip_source *src, const struct sip_msg *m)
{
	return !sip_sender_is_known(src->sender) && !sip_msg_hdr(m, SIP_HDR_AUTHORIZATION) &&
	       !sip_msg_hdr(m, SIP_HDR_PROXY_AUTHORIZATION);
}

bool sip_shed_refuses(struct sip_stack *s, const struct sip_source *src, const struct sip_msg *m)
{
	int64_t bound_us = clock_us_of_ms(s->cfg.overload_ms);
	char line[32];
	int64_t now_us = clock_mono_us();
	if (s->cfg.overload_ms <= 0 || m->to_tag.n || m->method == SIP_CANCEL)
		return false;
	if (!load.is_on) {
		if (m->method == SIP_INVITE)
			let_in_count(now_us);
		return false;
	}
	if (m->method == SIP_INVITE ? src->waited_us <= bound_us && rate_takes(now_us, is_strangers(src, m))
	                            : src->waited_us <= 2 * bound_us || !is_strangers(src, m))
		return false;
	load.refused_last_us = now_us;
	s->stats.shed++;
	s->stats.overload_shed++;
	snprintf(line, sizeof(line), "Retry-After: %u\r\n", RETRY_S + rand_below(RETRY_SPREAD_S));
	sip_stateless_reply(s, src, m, 503, "Overload", line);
	return true;
}

/* What may begin something; the others belong to what stands, or are answers. */
static bool is_new(const char *p, size_t n)
{
	static const char *const others[] = {"SIP/2.0 ", "ACK ", "BYE ", "CANCEL ", "PRACK ", "UPDATE ", "INFO "};
	for (size_t i = 0; i < ARRAY_COUNT(others); i++)
		if (n >= strlen(others[i]) && !memcmp(p, others[i], strlen(others[i])))
			return false;
	return true;
}

bool sip_shed_drops(struct sip_stack *s, const struct sip_source *src, const char *p, size_t n)
{
	int64_t bound_us = clock_us_of_ms(s->cfg.overload_ms);
	if (!load.is_on || s->cfg.overload_ms <= 0 || src->waited_us <= bound_us || sip_flow_is_reliable(&src->flow) ||
	    !is_new(p, n))
		return false;
	const struct sip_sender *d = sip_sender_find(s, &src->flow.peer);
	if (sip_sender_is_known(d))
		return false;
	bool asks_over_and_over = d && d->second == loop_now_us() / SECOND_US && d->second_count > STRANGER_PER_S;
	if (!asks_over_and_over && src->waited_us <= 4 * bound_us)
		return false;
	load.refused_last_us = clock_mono_us();
	s->stats.dropped++;
	return true;
}

int64_t sip_shed_waited_us(void)
{
	return load.waited_us;
}

bool sip_shed_is_on(void)
{
	return load.is_on;
}
