/* The load of bench_room: phones in a process of their own, pinned to a core. All talk through a few sockets, by
 * sendmmsg and recvmmsg, so that a thousand of them cost less than the switch that is measured. */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { MEMBERS_MAX = 8000, PHONE_SOCKETS = 16 };
enum phone_kind { PHONE_QUIET, PHONE_SILENT, PHONE_TALKS }; /* sends nothing, sends silence, sends a voice */

struct phones_shared {
	_Atomic int count; /* phones that run; 0: none */
	_Atomic int seen;  /* the count that the load works with */
	atomic_bool is_over;
	uint16_t phone_port[PHONE_SOCKETS]; /* of phone i: i % PHONE_SOCKETS */
	uint16_t stream_port[MEMBERS_MAX];
	uint8_t kind[MEMBERS_MAX];
	_Atomic uint64_t sent, received, cpu_ns;
};
/* Never returns. */
void phones_main(struct phones_shared *sh, int core);
void pin(int core);
int64_t clock_ns(int id);
