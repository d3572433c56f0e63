/* libbpf's names, for the relay programs as a part of fuzz_relay.c. (arpa/inet.h and linux/in.h exclude each other.) */
#pragma once
#include <asm/byteorder.h>
#define bpf_htons(x) ((__u16)__cpu_to_be16(x))
#define bpf_ntohs(x) ((__u16)__be16_to_cpu(x))
#define bpf_htonl(x) ((__u32)__cpu_to_be32(x))
#define bpf_ntohl(x) ((__u32)__be32_to_cpu(x))
