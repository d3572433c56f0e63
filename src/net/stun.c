/* What our address looks like from outside: a binding request to a STUN server (RFC 8489), sent again at doubling times
 * until the answer or the deadline; an answer counts when it comes from there with our transaction id. Blocking, for
 * workers; the end of the program ends the wait. */
#include "net/stun.h"
#include "base/clock.h"
#include "base/rand.h"
#include "base/status.h"
#include "loop/work.h"
#include "net/dns.h"
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Waits until fd is readable: ST_TIMEOUT at the deadline, ST_CANCELLED at the end of the program. */
static int wait_readable(int fd, int64_t deadline_us)
{
	for (;;) {
		int64_t left_us = deadline_us - clock_mono_us();
		struct pollfd p[] = {{.fd = fd, .events = POLLIN}, {.fd = work_end_fd(), .events = POLLIN}};
		int rc = left_us <= 0 ? 0 : poll(p, 2, (int)((left_us + 999) / 1000));
		if (rc >= 0 || errno != EINTR)
			return rc <= 0 ? ST_TIMEOUT : p[0].revents ? ST_OK : ST_CANCELLED;
	}
}

/* host and port as an IPv4 address. */
int stun_host(struct sv host, struct sv port_text, int64_t deadline_us, struct sockaddr_in *out)
{
	struct dns_answer a;
	uint32_t port;

	if (sv_u32(port_text, &port) || !port || port > 65535)
		return ST_PARSE;
	int st = dns_lookup_blocking(DNS_A, host, deadline_us - clock_mono_us(), work_end_fd(), &a);
	if (st)
		return st;
	*out = a.records[0].addr.in4;
	out->sin_port = htons((uint16_t)port);
	return ST_OK;
}

#define STUN_COOKIE 0x2112a442u
#define STUN_HEADER_BYTES 20u

static uint32_t get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The mapped IPv4 address and port of a binding success response (RFC 8489 section 14.1, 14.2). */
static int stun_read(const uint8_t *p, size_t n, const uint8_t *request, char out[64], uint16_t *port)
{
	bool is_found = false;

	if (n < STUN_HEADER_BYTES || p[0] != 0x01 || p[1] != 0x01 || memcmp(p + 4, request + 4, 16))
		return ST_PARSE;
	for (size_t at = STUN_HEADER_BYTES; at + 4 <= n;) {
		unsigned type = (unsigned)p[at] << 8 | p[at + 1], len = (unsigned)p[at + 2] << 8 | p[at + 3];
		if (len > n - at - 4)
			break;
		if ((type == 0x0020 || (type == 0x0001 && !is_found)) && len >= 8 && p[at + 5] == 1) {
			struct in_addr a = {htonl(get_u32(p + at + 8) ^ (type == 0x0020 ? STUN_COOKIE : 0))};
			inet_ntop(AF_INET, &a, out, 64);
			*port = (uint16_t)((p[at + 6] << 8 | p[at + 7]) ^ (type == 0x0020 ? STUN_COOKIE >> 16 : 0));
			is_found = true;
		}
		at += 4 + (len + 3) / 4 * 4;
	}
	return is_found ? ST_OK : ST_NOTFOUND;
}

/* Until our answer comes; others neither count nor make us ask again. */
static int reply_await(int fd, int64_t until_us, const uint8_t *request, char out[64], uint16_t *port)
{
	uint8_t reply[600];
	for (;;) {
		int st = wait_readable(fd, until_us);
		if (st)
			return st;
		ssize_t n = recv(fd, reply, sizeof reply, 0);
		if (n < 0)
			return ST_IO;
		if (stun_read(reply, (size_t)n, request, out, port) == ST_OK)
			return ST_OK;
	}
}

static int stun_ask(const struct sockaddr_in *server, int64_t deadline_us, char out[64], uint16_t *port)
{
	uint8_t request[STUN_HEADER_BYTES] = {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42};
	int64_t again_us = 250000;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), st = ST_TIMEOUT;

	if (fd < 0)
		return ST_IO;
	rand_bytes(request + 8, 12);
	if (connect(fd, (const struct sockaddr *)server, sizeof *server)) {
		close(fd);
		return ST_IO;
	}
	while (st == ST_TIMEOUT && clock_mono_us() < deadline_us) {
		int64_t until_us = clock_mono_us() + again_us;
		if (send(fd, request, sizeof request, 0) < 0) {
			st = ST_IO;
			break;
		}
		again_us *= 2;
		st = reply_await(fd, until_us < deadline_us ? until_us : deadline_us, request, out, port);
	}
	close(fd);
	return st;
}

int stun_public_address(struct sv server, int timeout_ms, char out[64], uint16_t *port)
{
	int64_t deadline_us = clock_mono_us() + clock_us_of_ms(timeout_ms);
	struct sv host = server, service = SV("3478"), head, rest;
	struct sockaddr_in address;

	if (sv_split(host, ':', &head, &rest))
		host = head, service = rest;
	int st = stun_host(host, service, deadline_us, &address);
	return st ? st : stun_ask(&address, deadline_us, out, port);
}
