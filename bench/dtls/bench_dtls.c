/* What DTLS-SRTP costs us: handshakes between our own two ends (each side's CPU apart), by role; and what an
 * association that is up holds in memory, at first and when it is settled. One thread; as JSON. */
#include "base/mem.h"
#include "dtls/dtls.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { HANDSHAKES = 400, STEPS_MAX = 20 };
struct end {
	struct dtls *d;
	struct buf out;
	enum dtls_state state;
	double used_s;
};

static double cpu_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void step(struct end *e, const uint8_t *p, size_t n)
{
	double at = cpu_s();
	e->state = dtls_step(e->d, p, n, &e->out);
	e->used_s += cpu_s() - at;
}

static void give(struct end *from, struct end *to)
{
	struct buf taken = from->out;
	struct sv rest = buf_sv(&taken), one;
	buf_init(&from->out);
	while (dtls_out_next(&rest, &one))
		step(to, (const uint8_t *)one.p, one.n);
	buf_fini(&taken);
}

static bool ident_make(struct dtls_ident **out, struct dtls_print *print)
{
	char folder[] = "/tmp/bench_dtls.XXXXXX", path[64];
	struct buf why;
	if (!mkdtemp(folder))
		return false;
	snprintf(path, sizeof(path), "%s/x.pem", folder);
	buf_init(&why);
	int st = dtls_ident_new(out, path, &why);
	buf_fini(&why);
	unlink(path);
	rmdir(folder);
	if (st)
		return false;
	const char *text = strchr(dtls_ident_print(*out), ' ') + 1;
	print->hash = DTLS_SHA256;
	for (size_t k = 0; k < 32; k++)
		print->bytes[k] = (uint8_t)strtoul(text + 3 * k, NULL, 16);
	return true;
}

static struct end client[HANDSHAKES], server[HANDSHAKES];

static bool shake(struct end *c, struct end *s, struct dtls_conf *conf)
{
	conf->is_client = true;
	bool ok = !dtls_new(&c->d, conf);
	conf->is_client = false;
	ok = ok && !dtls_new(&s->d, conf);
	if (!ok)
		return false;
	buf_init(&c->out);
	buf_init(&s->out);
	for (int i = 0; i < STEPS_MAX && (c->state != DTLS_UP || s->state != DTLS_UP); i++) {
		if (!i)
			step(c, NULL, 0);
		give(c, s);
		give(s, c);
	}
	return c->state == DTLS_UP && s->state == DTLS_UP;
}

int main(void)
{
	struct dtls_conf conf = {.print_count = 1};
	double client_s = 0, server_s = 0;

	if (!ident_make(&conf.ident, &conf.prints[0]))
		return 1;
	size_t before = mallinfo2().uordblks;
	for (int i = 0; i < HANDSHAKES; i++) {
		if (!shake(&client[i], &server[i], &conf))
			return 1;
		client_s += client[i].used_s, server_s += server[i].used_s;
	}
	size_t held = mallinfo2().uordblks - before;
	for (int i = 0; i < HANDSHAKES; i++)
		if (!dtls_settle(client[i].d) || !dtls_settle(server[i].d))
			return 1;
	size_t settled = mallinfo2().uordblks - before;
	printf("{\"client_per_s\": %.0f, \"server_per_s\": %.0f, \"bytes_up\": %zu, \"bytes_settled\": %zu}\n",
	    HANDSHAKES / client_s, HANDSHAKES / server_s, held / (2 * HANDSHAKES), settled / (2 * HANDSHAKES));
	return 0;
}
