/* Opening sockets, shared by udp.c and tcp.c. */
#pragma once
#include "base/role.h"
#include "net/addr.h"

/* Opens a non-blocking socket of type, bound to a when a is not NULL. *fd is -1 on failure. ST_EXISTS when the port is
 * in use, else ST_IO; the reason is logged. Of IPv6 sockets only IPv6 is taken. */
ANY int sock_open(int *fd, int type, const struct addr *a);
ANY void sock_local(int fd, struct addr *out);
