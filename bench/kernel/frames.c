/* `./dev bench kernel`: what arrives at interface FROM goes, as it is, to interface TO: as a frame in a page, as a
 * network card's driver has it, not as a socket buffer. The program stays on FROM until that is gone. usage: frames
 * FROM TO */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
	int from = argc == 3 ? (int)if_nametoindex(argv[1]) : 0, to = argc == 3 ? (int)if_nametoindex(argv[2]) : 0;
	const struct bpf_insn redirect[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_1, .imm = to},
	    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = 0},
	    {.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect}, {.code = BPF_JMP | BPF_EXIT}};
	int fd =
	    bpf_prog_load(BPF_PROG_TYPE_XDP, "frames", "GPL", redirect, sizeof(redirect) / sizeof(redirect[0]), NULL);
	int e = !from || !to || fd < 0 ? -1 : bpf_xdp_attach(from, fd, XDP_FLAGS_DRV_MODE, NULL);
	if (e)
		fprintf(stderr, "frames: %d %d %d %s\n", from, to, fd, strerror(-e));
	return e ? 1 : 0;
}
