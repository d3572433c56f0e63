/* Private to the room. A profile of amqp.conf is a link: a thread of the worker kind with one connection to one broker.
 *
 *   control: link_post -> mailbox -> thread: publish                        events, log lines, call records
 *   thread: consume, confirm -> mailbox -> control: on_command, on_done     commands, what the broker has
 */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"
#include <stdbool.h>
#include <stdint.h>

enum { AMQP_SERVERS_MAX = 8, AMQP_KEY_MAX = 255, AMQP_COMMAND_MAX_BYTES = 65536 };

struct xml_node;
struct amqp_server {
	char *host, *vhost, *user, *password;
	uint16_t port;
	int heartbeat_s;
};
struct amqp_settings { /* read by the thread, not changed once it runs */
	char *name;    /* "producer/default" */
	struct amqp_server servers[AMQP_SERVERS_MAX];
	size_t server_count;
	char *exchange, *exchange_type;
	bool exchange_is_durable, exchange_is_passive;
	int delivery_mode; /* 1, 2; 0: not said */
	bool has_timestamp;
	int64_t pause_us; /* between two tries */
	size_t queue_max;
	bool confirms;
	const char *content_type;
	/* of who takes commands */
	bool consumes;
	char *queue, *binding_key;
	bool queue_is_passive, queue_is_durable, queue_is_exclusive, queue_is_auto_delete;
};
struct amqp_command { /* from a broker: data */
	char *text, *reply_exchange, *reply_key, *reply_to, *correlation;
};
struct amqp_callbacks {
	void (*on_command)(struct amqp_command *c, void *arg); /* takes c */
	void (*on_done)(uint32_t id, int status, void *arg);   /* of what was posted with confirms */
};
struct amqp_link;
ON_CTL int amqp_link_new(
    struct amqp_link **out, struct amqp_settings *s /* moved */, const struct amqp_callbacks *callbacks, void *arg);
ON_CTL void amqp_link_free(struct amqp_link *l); /* ends the thread; NULL is fine */
/* Copied. exchange NULL: the profile's. ANY thread. ST_FULL: the broker does not keep up, or is away. */
ANY int amqp_link_post(struct amqp_link *l, const char *exchange, const char *key, struct sv body,
    const char *message_id, const char *correlation, uint32_t id);
struct amqp_counts {
	uint64_t sent, dropped;
	bool is_up;
	size_t waiting;
};
ANY void amqp_link_counts(const struct amqp_link *l, struct amqp_counts *out);
ANY void amqp_settings_fini(struct amqp_settings *s);
ANY void amqp_command_free(struct amqp_command *c);

/* key.c: "#FreeSWITCH,FreeSWITCH-Hostname|#Unknown,Event-Name": fields parted by commas, what to take where there is
 * none by bars. lookup returns a header's value or NULL. At most AMQP_KEY_MAX bytes. Pure. */
typedef const char *(*amqp_lookup_fn)(const char *name, const void *arg);
ANY void amqp_key_make(
    char out[AMQP_KEY_MAX + 1], const char *format, bool has_fallbacks, amqp_lookup_fn lookup, const void *arg);
