/* Opening and binding sockets. */
#include "base/log.h"
#include "base/status.h"
#include "net/sock_i.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

int sock_open(int *fd_out, int type, const struct addr *a)
{
	char text[ADDR_TEXT_MAX] = "";
	int one = 1, rc = ST_IO, family = a ? a->sa.sa_family : AF_INET;
	const char *what = type == SOCK_DGRAM ? "udp" : "tcp";
	*fd_out = -1;
	int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		log_error("no %s socket: %s", what, strerror(errno));
		return ST_IO;
	}
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	/* For TCP it lets a restarted server bind while old connections time out; for UDP it would let two servers
	 * share. */
	if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (a && bind(fd, &a->sa, addr_len(a))) {
		rc = errno == EADDRINUSE ? ST_EXISTS : ST_IO;
		log_error("cannot bind %s %s: %s", what, addr_text(a, text), strerror(errno));
		close(fd);
		return rc;
	}
	*fd_out = fd;
	return ST_OK;
}

void sock_local(int fd, struct addr *out)
{
	socklen_t n = sizeof(*out);
	memset(out, 0, sizeof(*out));
	getsockname(fd, &out->sa, &n);
}
