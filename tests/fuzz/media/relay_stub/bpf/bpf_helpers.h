/* libbpf's names, for the relay programs as a part of fuzz_relay.c, which has the functions. */
#pragma once
#include <linux/bpf.h>
#define SEC(name)
#define __uint(name, value) int(*name)[value]
#define __type(name, type) type *name

void *bpf_map_lookup_elem(void *map, const void *key);
__u64 bpf_ktime_get_ns(void);
long bpf_skb_load_bytes(const void *skb, __u32 at, void *to, __u32 bytes);
long bpf_skb_store_bytes(struct __sk_buff *skb, __u32 at, const void *from, __u32 bytes, __u64 flags);
long bpf_l4_csum_replace(struct __sk_buff *skb, __u32 at, __u64 from, __u64 to, __u64 flags);
__s64 bpf_csum_diff(__be32 *from, __u32 from_bytes, __be32 *to, __u32 to_bytes, __u32 seed);
long bpf_redirect(__u32 ifindex, __u64 flags);
long bpf_redirect_neigh(__u32 ifindex, void *params, int params_bytes, __u64 flags);
