/* Built without -Dbpf: nothing is ever handed over. */
#include "base/log.h"
#include "media/rt/kernel.h"
#include "media/rt/rt_i.h"

bool rt_kernel_start(const struct rt_kernel_conf *conf)
{
	log_warning("media: no relay in the kernel, packets are relayed by sockets: built without -Dbpf=true");
	return false;
}
void rt_kernel_stop(void) {}
void kernel_pull(struct rt_flow *f) {}
void kernel_push(struct rt_flow *f) {}
void kernel_take_back(struct rt_flow *f) {}
void kernel_fold(struct rt_stream *s) {}
void kernel_house(struct rt_stream *s) {}
void kernel_turn(struct rt_thread *t, unsigned of) {}
