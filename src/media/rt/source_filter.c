/* A stranger's flood is the kernel's to drop. A connected socket does that by itself; one that may still hear several
 * addresses gets a filter when strangers' packets pile up, made of rt_source_allowed, so that they do not push the
 * phone's packets out of the socket's buffer. Ordinary calls never have one: making it costs more than a call's other
 * system calls together. Classic BPF: at a UDP socket offset 0 is the UDP header, SKF_NET_OFF the IP header. */
#include "media/rt/rt_i.h"

#include <linux/filter.h>
#include <string.h>

enum { WORDS_V6 = 4, STEPS_PER_ADDR = 2 * WORDS_V6 + 3, SRC_V4_AT = 12, SRC_V6_AT = 8 };

struct program {
	struct sock_filter steps[RT_SOURCE_ALLOWED_MAX * STEPS_PER_ADDR + 1];
	unsigned short n;
};

static void step(struct program *b, uint16_t code, uint8_t on_false, uint32_t k)
{
	b->steps[b->n++] = (struct sock_filter){.code = code, .jf = on_false, .k = k};
}

/* Accepts what comes from a; goes on behind it otherwise. */
static void allow(struct program *b, const struct addr *a)
{
	uint32_t words[WORDS_V6];
	bool is_v6 = a->sa.sa_family == AF_INET6;
	unsigned count = is_v6 ? WORDS_V6 : 1;
	unsigned port = addr_port(a);
	unsigned left = 2 * count + (port ? 2 : 0) + 1;
	memcpy(
	    words, is_v6 ? (const void *)&a->in6.sin6_addr : (const void *)&a->in4.sin_addr, count * sizeof(words[0]));
	for (unsigned i = 0; i < count; i++) {
		left -= 2;
		step(b, BPF_LD | BPF_W | BPF_ABS, 0,
		    (uint32_t)SKF_NET_OFF + (is_v6 ? SRC_V6_AT : SRC_V4_AT) + i * (unsigned)sizeof(words[0]));
		step(b, BPF_JMP | BPF_JEQ | BPF_K, (uint8_t)left, ntohl(words[i]));
	}
	if (port) {
		step(b, BPF_LD | BPF_H | BPF_ABS, 0, 0);
		step(b, BPF_JMP | BPF_JEQ | BPF_K, 1, port);
	}
	step(b, BPF_RET | BPF_K, 0, UINT32_MAX);
}

static bool filter_set(int fd, const struct addr *addrs, int count)
{
	struct program b = {.n = 0};
	for (int i = 0; i < count; i++)
		allow(&b, &addrs[i]);
	step(&b, BPF_RET | BPF_K, 0, 0);
	struct sock_fprog prog = {.len = b.n, .filter = b.steps};
	return !setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog));
}

static void filter_clear(int fd, bool *is_on)
{
	int none = 0;
	if (*is_on)
		(void)setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof(none));
	*is_on = false;
}

void source_filter_reset(struct rt_stream *s)
{
	filter_clear(s->f->fd, &s->is_filtered);
	filter_clear(s->rtcp_fd, &s->rtcp.is_filtered);
	s->wrong_run = s->rtcp.wrong_run = 0;
}

/* Once in so many packets of strangers; what the stream would hear may have become less since the last time. */
void source_wrong(struct rt_stream *s)
{
	struct addr allowed[RT_SOURCE_ALLOWED_MAX];
	s->in_wrong++, s->t->dropped++;
	if (s->f->is_connected || ++s->wrong_run % FILTER_AFTER)
		return;
	int n = rt_source_allowed(&s->source, s->t->now_us, allowed);
	if (n < 0)
		filter_clear(s->f->fd, &s->is_filtered);
	else
		s->is_filtered = filter_set(s->f->fd, allowed, n);
}

void source_wrong_rtcp(struct rt_stream *s)
{
	struct addr allowed[RT_SOURCE_ALLOWED_MAX];
	s->in_wrong++, s->t->dropped++;
	if (++s->rtcp.wrong_run % FILTER_AFTER)
		return;
	int n = 0;
	if (addr_is_set(&s->params.remote_rtcp))
		allowed[n++] = s->params.remote_rtcp;
	if (addr_is_set(&s->remote_rtcp))
		allowed[n++] = s->remote_rtcp;
	if (s->seq.is_started && addr_is_set(rt_source_target(&s->source))) {
		allowed[n] = *rt_source_target(&s->source);
		addr_set_port(&allowed[n++], 0);
	}
	s->rtcp.is_filtered = filter_set(s->rtcp_fd, allowed, n);
}
