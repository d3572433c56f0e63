/* Whom a stream believes, as tables of steps: at a time a packet from somewhere (so many in a row, so many ms apart),
 * or new parameters; then who was taken, and where media goes.
 *
 * S, T: addresses that are signalled; N: another port of S's host; P, Q: two ports of the host that signalling came
 * from; V: a host that signalling names; X, Y: strangers' hosts. */
#include "harness.h"
#include "media/rt/source.h"

#include <stdio.h>
#include <string.h>

static const char *const names = "STNPQVXY-";
static const char *const texts[] = {"198.51.100.1:4000", "198.51.100.1:4002", "198.51.100.1:5000", "203.0.113.9:6000",
    "203.0.113.9:6002", "192.0.2.7:7000", "192.0.2.66:8000", "192.0.2.67:9000"};

static struct addr at(char who)
{
	struct addr a = {0};
	const char *found = strchr(names, who);
	if (found && who != '-')
		(void)addr_parse_hostport(&a, sv_of(texts[found - names]), 0);
	return a;
}

enum kind { END, SIGNAL, RTP };
struct step {
	enum kind kind;
	char who; /* sender, or what is signalled ('-': nowhere) */
	int count, every_ms;
	int taken;   /* how many of count */
	char target; /* afterwards */
	enum media_source_mode mode;
	bool is_hidden;
	int pt_wrong; /* 1: another payload type, 2: our own SSRC, 3: every second packet is missing */
};
#define NAT(who_, target_) \
	{ \
		.kind = SIGNAL, .who = who_, .target = target_, .mode = MEDIA_SOURCE_NAT \
	}
#define HIDDEN(who_, target_) \
	{ \
		.kind = SIGNAL, .who = who_, .target = target_, .mode = MEDIA_SOURCE_NAT, .is_hidden = true \
	}
#define STRICT(who_, target_) \
	{ \
		.kind = SIGNAL, .who = who_, .target = target_, .mode = MEDIA_SOURCE_STRICT \
	}
#define OFF(who_, target_) \
	{ \
		.kind = SIGNAL, .who = who_, .target = target_, .mode = MEDIA_SOURCE_OFF \
	}
#define IN(who_, count_, every_, taken_, target_) \
	{ \
		.kind = RTP, .who = who_, .count = count_, .every_ms = every_, .taken = taken_, .target = target_ \
	}
#define BAD(who_, count_, how_, target_) \
	{ \
		.kind = RTP, .who = who_, .count = count_, .every_ms = 20, .taken = 0, .target = target_, \
		.pt_wrong = how_ \
	}
#define QUIET(ms_) \
	{ \
		.kind = RTP, .who = 'Y', .count = 0, .every_ms = 0, .taken = ms_ \
	}

static const struct tale {
	const char *name;
	struct step steps[12];
} tales[] = {
    {"the signalled address is taken at once", {NAT('S', 'S'), IN('S', 1, 20, 1, 'S'), IN('X', 500, 1, 0, 'S'),
                                                   IN('N', 500, 1, 0, 'S'), IN('S', 5, 20, 5, 'S')}},
    {"a stranger's host is never learned where the phone can be reached",
        {NAT('S', 'S'), IN('X', 500, 5, 0, 'S'), IN('Y', 5, 20, 0, 'S'), IN('S', 3, 20, 3, 'S')}},
    {"another port of the phone's host has to go on for half a second",
        {NAT('S', 'S'), IN('N', 50, 5, 0, 'S'), IN('S', 1, 20, 1, 'S')}},
    {"then it is learned, and the signalled one wins back whenever it speaks",
        {NAT('S', 'S'), IN('N', 30, 20, 5, 'N'), IN('N', 1000, 20, 1000, 'N'), IN('S', 1, 20, 1, 'S'),
            IN('N', 500, 20, 0, 'S'), IN('S', 1, 20, 1, 'S')}},
    {"a host that signalling came from or names",
        {NAT('S', 'S'), IN('P', 30, 20, 5, 'P'), IN('X', 100, 20, 0, 'P'), IN('S', 1, 20, 1, 'S')}},
    {"one that is named", {NAT('S', 'S'), IN('V', 30, 20, 5, 'V')}},
    {"a phone behind a translator: five packets of where its signalling came from",
        {HIDDEN('S', 'S'), IN('P', 5, 20, 1, 'P'), IN('P', 5, 20, 5, 'P')}},
    {"from a host that nobody named: five packets, a better one takes its place at once",
        {HIDDEN('S', 'S'), IN('X', 50, 5, 46, 'X'), IN('P', 5, 20, 1, 'P'), IN('X', 500, 5, 0, 'P'),
            IN('P', 1, 20, 1, 'P')}},
    {"five packets of a stranger do not lock anybody out",
        {HIDDEN('S', 'S'), IN('X', 5, 5, 1, 'X'), IN('Y', 24, 20, 0, 'X'), IN('Y', 5, 20, 5, 'Y'),
            IN('X', 90, 5, 0, 'Y')}},
    {"nor do five hundred", {HIDDEN('S', 'S'), IN('X', 500, 5, 496, 'X'), QUIET(400), IN('Y', 10, 20, 6, 'Y')}},
    {"who has spoken for ten seconds stays, also through a hold",
        {HIDDEN('S', 'S'), IN('X', 600, 20, 596, 'X'), QUIET(60000), IN('Y', 500, 20, 0, 'X'), IN('X', 1, 20, 1, 'X'),
            IN('S', 1, 20, 1, 'S')}},
    {"but not against a better one", {HIDDEN('S', 'S'), IN('X', 600, 20, 596, 'X'), IN('P', 5, 20, 1, 'P')}},
    {"one that was silent for long has to settle anew",
        {HIDDEN('S', 'S'), IN('X', 300, 20, 296, 'X'), QUIET(20000), IN('X', 1, 20, 1, 'X'), QUIET(600),
            IN('Y', 5, 20, 1, 'Y')}},
    {"another payload type teaches nothing", {HIDDEN('S', 'S'), BAD('X', 500, 1, 'S'), BAD('P', 500, 1, 'S')}},
    {"our own packets, sent back", {HIDDEN('S', 'S'), BAD('P', 500, 2, 'S')}},
    {"packets out of order", {HIDDEN('S', 'S'), BAD('P', 500, 3, 'S')}},
    {"strict: only the signalled one", {STRICT('S', 'S'), IN('N', 500, 5, 0, 'S'), IN('P', 500, 5, 0, 'S'),
                                           IN('X', 500, 5, 0, 'S'), IN('S', 1, 20, 1, 'S')}},
    {"off: any host, as soon as it has gone on for half a second",
        {OFF('S', 'S'), IN('X', 30, 20, 5, 'X'), IN('S', 1, 20, 1, 'S')}},
    {"a phone that moves is heard from the old port until the new one speaks, and followed at once",
        {NAT('S', 'S'), IN('S', 50, 20, 50, 'S'), NAT('T', 'T'), IN('S', 50, 20, 50, 'T'), IN('T', 1, 20, 1, 'T'),
            IN('S', 50, 20, 0, 'T')}},
    {"the old one is not learned however long it goes on",
        {NAT('S', 'S'), IN('S', 50, 20, 50, 'S'), NAT('T', 'T'), IN('S', 1000, 20, 149, 'T'), IN('T', 1, 20, 1, 'T')}},
    {"nor where the new one cannot be reached",
        {NAT('S', 'S'), IN('S', 5, 20, 5, 'S'), HIDDEN('T', 'T'), IN('S', 1000, 20, 149, 'T'), IN('P', 5, 20, 1, 'P')}},
    {"it may be signalled again",
        {NAT('S', 'S'), IN('S', 5, 20, 5, 'S'), NAT('T', 'T'), IN('T', 5, 20, 5, 'T'), NAT('S', 'S'),
            IN('T', 5, 20, 5, 'S'), IN('S', 1, 20, 1, 'S'), IN('T', 5, 20, 0, 'S')}},
    {"early media from one place, the answer from another",
        {NAT('X', 'X'), IN('X', 30, 20, 30, 'X'), NAT('S', 'S'), IN('X', 20, 20, 20, 'S'), IN('S', 1, 20, 1, 'S'),
            IN('X', 20, 20, 0, 'S')}},
    {"a learned phone moves: its old port goes on for a moment, the new one is learned",
        {HIDDEN('S', 'S'), IN('P', 1000, 20, 996, 'P'), HIDDEN('T', 'T'), IN('P', 20, 20, 20, 'T'),
            IN('Q', 10, 20, 6, 'Q'), IN('P', 20, 20, 0, 'Q')}},
    {"what was learned just now is not heard after a move",
        {HIDDEN('S', 'S'), IN('X', 20, 20, 16, 'X'), NAT('T', 'T'), IN('X', 50, 20, 0, 'T'), IN('T', 1, 20, 1, 'T')}},
    {"the phone tells the address that was learned",
        {HIDDEN('S', 'S'), IN('P', 20, 20, 16, 'P'), NAT('P', 'P'), IN('P', 20, 20, 20, 'P'), IN('S', 20, 20, 0, 'P')}},
    {"equal parameters change nothing", {HIDDEN('S', 'S'), IN('P', 20, 20, 16, 'P'), HIDDEN('S', 'P'),
                                            IN('X', 20, 20, 0, 'P'), IN('P', 1, 20, 1, 'P')}},
    {"a hold that says nowhere changes nothing either",
        {HIDDEN('S', 'S'), IN('P', 20, 20, 16, 'P'), HIDDEN('-', 'P'), IN('X', 50, 20, 0, 'P'), HIDDEN('S', 'P'),
            IN('P', 1, 20, 1, 'P')}},
    {"nowhere from the start: learned from signalling's host",
        {NAT('-', '-'), IN('X', 50, 20, 0, '-'), IN('P', 5, 20, 1, 'P'), NAT('S', 'S'), IN('S', 1, 20, 1, 'S')}},
    {"parameters while a port is being learned begin anew",
        {HIDDEN('S', 'S'), IN('P', 4, 20, 0, 'S'), HIDDEN('T', 'T'), IN('P', 1, 20, 0, 'T'), IN('P', 4, 20, 1, 'P')}},
};

struct run {
	struct media_params p;
	struct rt_source s;
	int64_t now_us;
	uint16_t seqs[8];
};

static int packets(struct run *r, const struct step *st)
{
	int taken = 0;
	struct addr from = at(st->who);
	size_t who = (size_t)(strchr(names, st->who) - names);
	for (int i = 0; i < st->count; i++) {
		r->seqs[who] = (uint16_t)(r->seqs[who] + (st->pt_wrong == 3 ? 2 : 1));
		struct rt_source_packet k = {.from = &from,
		    .ssrc = 7, /* everybody has the phone's */
		    .seq = r->seqs[who],
		    .is_media = st->pt_wrong != 1,
		    .has_own_ssrc = st->pt_wrong == 2};
		r->now_us += st->every_ms * 1000;
		taken += rt_source_decide(&r->s, &k, r->now_us) != RT_SOURCE_DROP;
	}
	return taken;
}

static int step_run(struct run *r, const struct step *st)
{
	if (st->kind == SIGNAL) {
		r->p = (struct media_params){
		    .remote_rtp = at(st->who), .source_mode = st->mode, .is_remote_hidden = st->is_hidden};
		r->p.signal_hosts[0] = at('P'), r->p.signal_hosts[1] = at('V');
		rt_source_signal(&r->s, &r->p, r->now_us);
	} else if (!st->count) { /* QUIET */
		r->now_us += st->taken * INT64_C(1000);
		return 0;
	} else {
		EXPECT_INT(packets(r, st), st->taken);
	}
	const struct addr *target = rt_source_target(&r->s);
	struct addr want = at(st->target);
	EXPECT_INT(addr_is_set(target), st->target != '-');
	EXPECT(st->target == '-' || addr_eq(target, &want));
	return 0;
}

static int test_tales(void)
{
	for (size_t i = 0; i < sizeof(tales) / sizeof(tales[0]); i++) {
		struct run r = {.now_us = 1000000};
		for (int n = 0; tales[i].steps[n].kind != END; n++) {
			if (step_run(&r, &tales[i].steps[n])) {
				printf("# in \"%s\", step %d\n", tales[i].name, n + 1);
				return -1;
			}
		}
	}
	return 0;
}

static int test_socket(void)
{
	struct run r = {.now_us = 1000000};
	struct addr out[RT_SOURCE_ALLOWED_MAX], p = at('P'), s = at('S');
	struct step strict = STRICT('S', 'S'), nat = NAT('S', 'S'), hidden = HIDDEN('S', 'S');
	EXPECT_INT(step_run(&r, &strict), 0);
	EXPECT(rt_source_only(&r.s) && addr_eq(rt_source_only(&r.s), &s)); /* connected before anybody speaks */
	EXPECT_INT(step_run(&r, &nat), 0);
	EXPECT(!rt_source_only(&r.s));
	EXPECT_INT(rt_source_allowed(&r.s, r.now_us, out), 3); /* three hosts, every port */
	for (int i = 0; i < 3; i++)
		EXPECT_INT(addr_port(&out[i]), 0);
	EXPECT_INT(step_run(&r, &hidden), 0);
	EXPECT_INT(rt_source_allowed(&r.s, r.now_us, out), -1);
	EXPECT_INT(step_run(&r, &(struct step)IN('P', 1000, 20, 996, 'P')), 0);
	EXPECT(!rt_source_only(&r.s)); /* the signalled one may come back */
	EXPECT_INT(rt_source_allowed(&r.s, r.now_us, out), 2);
	EXPECT(addr_eq(&out[0], &s) && addr_eq(&out[1], &p));
	EXPECT_INT(step_run(&r, &(struct step)IN('S', 1, 20, 1, 'S')), 0);
	EXPECT(rt_source_only(&r.s) && addr_eq(rt_source_only(&r.s), &s));
	return 0;
}

/* RTCP: from the signalled address, or from the host that speaks with the SSRC it speaks with. */
static int test_rtcp(void)
{
	struct run r = {.now_us = 1000000};
	struct addr signalled = at('T'), n = at('N'), q = at('Q'), x = at('X');
	struct step hidden = HIDDEN('S', 'S');
	EXPECT_INT(step_run(&r, &hidden), 0);
	EXPECT(rt_source_takes_rtcp(&r.s, &signalled, &signalled, false, 0, 5));
	EXPECT(!rt_source_takes_rtcp(&r.s, &n, &signalled, false, 0, 5));
	EXPECT_INT(step_run(&r, &(struct step)IN('P', 10, 20, 6, 'P')), 0);
	EXPECT(rt_source_takes_rtcp(&r.s, &q, &signalled, true, 7, 7)); /* a port of its own */
	EXPECT(!rt_source_takes_rtcp(&r.s, &q, &signalled, true, 7, 8));
	EXPECT(!rt_source_takes_rtcp(&r.s, &x, &signalled, true, 7, 7));
	EXPECT(!rt_source_takes_rtcp(&r.s, &n, &signalled, true, 7, 7));
	EXPECT(rt_source_takes_rtcp(&r.s, &signalled, &signalled, true, 7, 8));
	return 0;
}

TEST_MAIN({"who is taken, and where media goes", test_tales, 0}, {"what the kernel may drop", test_socket, 0},
    {"RTCP", test_rtcp, 0})
