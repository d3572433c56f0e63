/* What one flow sends: a packet for which the socket has no room was not sent, and counts only as dropped. */
#include "harness.h"
#include "media/rt/rt_i.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct rt_thread thread;
static struct rt_stream stream;
static struct rt_flow flow;

/* A local socket holds a few datagrams; who reads one makes room for one. */
static int test_full_buffer(void)
{
	enum { PAYLOAD = 160, TRIES = 2000 };
	uint8_t packet[RTP_HEADER_BYTES + PAYLOAD] = {0x80}, got[2 * sizeof(packet)];
	int fd[2];
	uint64_t sent = 0, taken = 0;

	role_set(ROLE_MEDIA);
	role_assert_media();
	EXPECT_INT(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
	stream.t = &thread, stream.f = &flow;
	flow.s = &stream, flow.fd = fd[0], flow.is_connected = true;
	while (sent < TRIES && !thread.dropped) {
		flow_put(&thread, &flow, packet, sizeof(packet));
		sent += !thread.dropped;
	}
	EXPECT(sent > 0 && sent < TRIES);
	EXPECT_INT(flow.out.packets, sent);
	EXPECT_INT(flow.out.bytes, sent * PAYLOAD);
	EXPECT_INT(thread.packets_out, sent);
	flow_put(&thread, &flow, packet, sizeof(packet));
	EXPECT_INT(thread.dropped, 2);
	EXPECT_INT(flow.out.packets, sent);
	while (recv(fd[1], got, sizeof(got), 0) == (ssize_t)sizeof(packet))
		taken++;
	EXPECT_INT(taken, sent); /* what was counted did arrive */
	flow_put(&thread, &flow, packet, sizeof(packet));
	EXPECT_INT(flow.out.packets, sent + 1);
	EXPECT_INT(thread.dropped, 2);
	close(fd[1]);
	flow_put(&thread, &flow, packet, sizeof(packet)); /* nobody is there any more */
	EXPECT_INT(flow.out.packets, sent + 1);
	EXPECT_INT(thread.dropped, 3);
	close(fd[0]);
	return 0;
}

TEST_MAIN({"a full buffer", test_full_buffer})
