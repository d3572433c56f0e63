/* Private to the room. A profile of nats.conf is a link: a thread of the worker kind with a connection of libnats,
 * which has threads of its own for its sockets.
 *
 *   control: nats_link_post -> mailbox -> thread: publish, each with an inbox for its answer
 *   thread: the stream's answers, by their deadline -> mailbox -> control: on_done
 *
 * libnats is called on the thread only, and its callbacks are not used: what it holds ends with its connection. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"
#include <stdbool.h>
#include <stdint.h>

enum { NATS_SERVERS_MAX = 16, NATS_BATCH_MAX = 256, NATS_WHY_MAX = 100 };
struct nats_settings { /* strings owned; read by the thread, not changed once it runs */
	char *name, *servers[NATS_SERVERS_MAX], *subject, *user, *password, *token, *credentials, *ca_file;
	int server_count;
	int64_t timeout_ms; /* of an answer */
};
struct nats_link;
/* status: ST_OK, ST_LIMIT: it is longer than the server takes; any other: once more. */
typedef void (*nats_done_fn)(uint32_t number, int status, const char *why, void *arg);
ON_CTL int nats_link_new(struct nats_link **out, struct nats_settings *s /* moved */, nats_done_fn done, void *arg);
ON_CTL void nats_link_free(struct nats_link *l); /* done is not called any more; NULL is fine */
/* Copied; done follows. At most NATS_BATCH_MAX without their done. number: below that. */
ON_CTL int nats_link_post(struct nats_link *l, uint32_t number, struct sv id, struct sv body);
struct nats_counts {
	uint64_t sent, failed;
	bool is_up;
};
ANY void nats_link_counts(const struct nats_link *l, struct nats_counts *out);
ANY void nats_settings_fini(struct nats_settings *s);
