/* Phones over kept TLS connections (streams.c) and the calls between them (stream_calls.c). Times are monotonic
 * microseconds. */
#pragma once
#include "clock.h"
#include "load.h"
#include <openssl/ssl.h>

enum phase { P_NONE, P_CONNECT, P_SHAKE, P_IDLE, P_FIRST, P_SECOND, P_DEAD };
struct phone {
	int fd;
	SSL *ssl;
	enum phase phase;
	bool was_registered, is_subscribed;
	uint32_t cseq, id;
	int64_t begin_us;
	size_t in_n;
	char in[8192];
};
struct stream_counts {
	uint64_t started, ok, failed, seen_count, codes[CODE_MAX];
	unsigned under_way;
	uint32_t *seen;
};
extern struct stream_counts n_;

void phone_seen(int64_t us);
void phone_put(struct phone *p, const char *text, int n); /* the phone is dead afterwards when that fails */

/* stream_calls.c */
void stream_call_start(struct phone *from, int port, unsigned to_user, int64_t due_us);
void stream_call_message(struct phone *p, const struct message *m); /* an answer to INVITE or BYE, or a request */
