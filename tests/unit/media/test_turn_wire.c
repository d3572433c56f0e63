/* A stream to a TURN server whose far side does not read: packets are dropped and counted, and what is held stays
 * bounded; requests find room for a while; when it reads again what it gets are whole messages, and the way is free. A
 * far side that closes is told of once. */
#include "harness.h"
#include "ice/turn_frames.h"
#include "media/rt/turn_wire.h"
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PACKET = 1200, WAIT_MS = 8000 };
static struct turn_wire *w;
static int far;

static bool is_ready(int fd, short events)
{
	struct pollfd p = {.fd = fd, .events = events};
	return poll(&p, 1, WAIT_MS) == 1;
}

static int joined(void)
{
	struct addr at;
	socklen_t n = sizeof(at);
	unsigned want;
	struct dial_conn *dial;
	int st, l = socket(AF_INET, SOCK_STREAM, 0);

	EXPECT(!addr_parse(&at, SV("127.0.0.1"), 0) && !bind(l, &at.sa, addr_len(&at)) && !listen(l, 1));
	EXPECT(!getsockname(l, &at.sa, &n) && !dial_open(&dial, NULL, &at, NULL, "127.0.0.1", 0));
	far = accept(l, NULL, NULL);
	while ((st = dial_step(dial, &want)) == ST_AGAIN)
		EXPECT(is_ready(dial_fd(dial), POLLOUT));
	EXPECT(far >= 0 && !st && !turn_wire_new(&w, dial));
	close(l);
	return 0;
}

/* ChannelData, or the head of a STUN message. */
static bool send_one(bool is_request)
{
	uint8_t head[20] = {is_request ? 0 : 0x40, 0, PACKET >> 8, PACKET & 255}, body[PACKET];
	memset(body, 'x', sizeof(body));
	struct iovec v[] = {{head, is_request ? 20 : 4}, {body, sizeof(body)}};
	return turn_wire_send(w, v, 2, is_request);
}

/* Whole messages that the far side gets until there is nothing more. */
static int got_count(unsigned sent)
{
	static struct turn_frames f;
	unsigned count = 0;
	memset(&f, 0, sizeof(f));
	while (count < sent) {
		struct sv m;
		size_t room;
		uint8_t *p = turn_frames_room(&f, &room);
		turn_wire_flush(w);
		if (!is_ready(far, POLLIN))
			break;
		ssize_t n = recv(far, p, room, 0);
		EXPECT(n > 0);
		turn_frames_put(&f, (size_t)n);
		int st;
		while (!(st = turn_frames_next(&f, &m)))
			count += m.n == PACKET + 4 || m.n == PACKET + 20;
		EXPECT_INT(st, ST_AGAIN);
	}
	return (int)count;
}

static int test_nobody_reads(void)
{
	unsigned sent = 0, dropped = 0;

	EXPECT(!joined());
	for (int i = 0; i < 20000; i++) {
		bool is_sent = send_one(false);
		sent += is_sent, dropped += !is_sent;
	}
	EXPECT(sent < 19000 && dropped > 1000); /* the kernel takes megabytes, over the loopback */
	EXPECT_INT(turn_wire_dropped(w), dropped);
	bool is_room = send_one(true);
	EXPECT(is_room);
	sent++;
	for (int i = 0; i < 20000; i++) /* and their room has an end */
		sent += is_room = send_one(true);
	EXPECT(!is_room && turn_wire_is_full(w));
	EXPECT_INT(got_count(sent), sent);
	EXPECT(!turn_wire_is_full(w) && send_one(false));
	turn_wire_free(w);
	close(far);
	return 0;
}

static int test_closed(void)
{
	const char *why = NULL;
	struct sv m;

	EXPECT(!joined());
	EXPECT_INT(turn_wire_read(w, &why), ST_AGAIN);
	EXPECT(send(far,
	           "\x40\x00\x00\x01"
	           "a\0\0\0"
	           "\x40\x00\x00\x02",
	           12, 0) == 12);
	EXPECT(is_ready(turn_wire_fd(w), POLLIN) && !turn_wire_read(w, &why));
	EXPECT(!turn_wire_next(w, &m, &why) && m.n == 5 && m.p[4] == 'a');
	EXPECT_INT(turn_wire_next(w, &m, &why), ST_AGAIN);
	close(far);
	EXPECT(is_ready(turn_wire_fd(w), POLLIN));
	EXPECT_INT(turn_wire_read(w, &why), ST_CLOSED);
	EXPECT(why && !strcmp(why, "it closed the connection"));
	EXPECT(!send_one(false) && !turn_wire_is_full(w));
	EXPECT_INT(turn_wire_read(w, &why), ST_CLOSED);
	turn_wire_free(w);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct test_case cases[] = {{"nobody-reads", test_nobody_reads}, {"closed", test_closed}};
	return test_main(argc, argv, cases, sizeof(cases) / sizeof(cases[0]));
}
