/* Our public address as the configuration asks for it (stun-set, ext-rtp-ip). */
#include "base/clock.h"
#include "base/status.h"
#include "core/conf/config.h"
#include "net/stun.h"
#include <arpa/inet.h>
#include <string.h>

int config_public_address(struct sv what, int timeout_ms, char out[64])
{
	struct sockaddr_in address;
	uint16_t port;
	int st;

	if (sv_startsi(what, SV("stun:")))
		return stun_public_address(sv_sub(what, 5, what.n), timeout_ms, out, &port);
	if (!sv_startsi(what, SV("host:"))) {
		if (!what.n || what.n >= 64)
			return ST_INVAL;
		memcpy(out, what.p, what.n);
		out[what.n] = 0;
		return ST_OK;
	}
	st = stun_host(sv_sub(what, 5, what.n), SV("3478"), clock_mono_us() + clock_us_of_ms(timeout_ms), &address);
	if (st)
		return st;
	return inet_ntop(AF_INET, &address.sin_addr, out, 64) ? ST_OK : ST_IO;
}
