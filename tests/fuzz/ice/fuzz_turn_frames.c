/* Arbitrary bytes of a TURN server's stream, in pieces of changing length (the first byte says which): each message
 * lies within what is held, has the length it names, and there is room for more whenever more is asked for. What comes
 * out goes on to the client. Parsers: ice/turn_frames.c, ice/turn.c */
#include "ice/turn.h"
#include "ice/turn_frames.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void to_server(const uint8_t *p, size_t n, void *arg)
{
	struct stun_msg m;
	if (stun_parse(p, n, &m))
		abort(); /* what we send is always one */
}
static void random_same(void *p, size_t n)
{
	memset(p, 7, n);
}

static void look(struct turn_client *c, const struct turn_frames *f, struct sv m)
{
	const uint8_t *p = (const uint8_t *)m.p;
	struct addr from;
	struct sv got;
	if (p < f->p || p + m.n > f->p + f->n || f->at > f->n || m.n > TURN_FRAME_MAX ||
	    m.n != ((size_t)p[2] << 8 | p[3]) + (p[0] >> 6 ? 4 : 20))
		abort();
	if (turn_packet(c, p, m.n, 1000000, &from, &got) && (got.p < m.p || got.p + got.n > m.p + m.n))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct turn_frames f;
	static struct turn_client c;
	struct turn_conf conf = {
	    .username = "u", .password = "p", .send = to_server, .random = random_same, .is_stream = true};
	unsigned step;
	int st = ST_AGAIN;

	if (!size || turn_begin(&c, &conf, 1000000))
		return 0;
	memset(&f, 0, sizeof(f));
	step = data[0];
	data++, size--;
	while (size && st == ST_AGAIN) {
		struct sv m;
		size_t room, n = 1 + step % 700;
		uint8_t *p = turn_frames_room(&f, &room);
		if (!room)
			abort();
		n = n < size ? n : size;
		n = n < room ? n : room;
		memcpy(p, data, n);
		turn_frames_put(&f, n);
		data += n, size -= n, step = step * 5 + 3;
		while (!(st = turn_frames_next(&f, &m)))
			look(&c, &f, m);
	}
	turn_end(&c, 2000000);
	return 0;
}
