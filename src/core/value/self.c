/* What this switch is: its directories, names and addresses. Found out once, at first use, and the same ever after:
 * what records and events say of us must not change while they are written. */
#include "core/value/self.h"
#include "base/rand.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct core_dirs *dirs;
static char uuid[UUID_CHARS + 1], hostname[256], switchname[256], ip4[INET_ADDRSTRLEN], ip6[INET6_ADDRSTRLEN];

void core_dirs_set(const struct core_dirs *d)
{
	dirs = d;
}

const struct core_dirs *core_dirs(void)
{
	return dirs;
}

const char *core_uuid(void)
{
	if (!uuid[0])
		uuid_make(uuid);
	return uuid;
}

const char *core_hostname(void)
{
	if (!hostname[0] && gethostname(hostname, sizeof(hostname) - 1))
		snprintf(hostname, sizeof(hostname), "localhost");
	return hostname;
}

const char *core_switchname(void)
{
	if (!switchname[0])
		snprintf(switchname, sizeof(switchname), "%s", core_hostname());
	return switchname;
}

const char *core_version_text(void)
{
	return "1.11.3-dev~64bit";
}

/* The address a packet to the outside would leave from; connecting a datagram socket sends nothing. */
static void default_address(int family, const char *target, const char *fallback, char *out, socklen_t out_n)
{
	struct sockaddr_storage to = {0}, from = {0};
	struct sockaddr_in *t4 = (struct sockaddr_in *)&to, *f4 = (struct sockaddr_in *)&from;
	struct sockaddr_in6 *t6 = (struct sockaddr_in6 *)&to, *f6 = (struct sockaddr_in6 *)&from;
	socklen_t n = sizeof(from);
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(out, out_n, "%s", fallback);
	if (fd < 0)
		return;
	to.ss_family = (sa_family_t)family;
	if (family == AF_INET)
		inet_pton(family, target, &t4->sin_addr), t4->sin_port = htons(9);
	else
		inet_pton(family, target, &t6->sin6_addr), t6->sin6_port = htons(9);
	if (!connect(fd, (struct sockaddr *)&to, family == AF_INET ? sizeof(*t4) : sizeof(*t6)) &&
	    !getsockname(fd, (struct sockaddr *)&from, &n))
		inet_ntop(family, family == AF_INET ? (void *)&f4->sin_addr : (void *)&f6->sin6_addr, out, out_n);
	close(fd);
}

const char *core_local_ip4(void)
{
	if (!ip4[0])
		default_address(AF_INET, "192.0.2.1", "127.0.0.1", ip4, sizeof(ip4));
	return ip4;
}

const char *core_local_ip6(void)
{
	if (!ip6[0])
		default_address(AF_INET6, "2001:db8::1", "::1", ip6, sizeof(ip6));
	return ip6;
}

void core_switchname_set(const char *name)
{
	snprintf(switchname, sizeof(switchname), "%s", name);
}
