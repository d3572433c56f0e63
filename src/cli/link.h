/* The connection to the switch: connect, log in, ask and wait, hand over what comes unasked. One thread. */
#pragma once
#include "text/stanza.h"

typedef void (*link_async_fn)(const struct stanza *f, void *arg); /* log lines, events, the disconnect notice */
struct link {
	int fd; /* -1: closed */
	struct stanza_reader reader;
	link_async_fn on_async;
	void *arg;
	char why[256]; /* of the last failure */
};
ANY void link_init(struct link *l, link_async_fn fn, void *arg);
/* timeout_ms <= 0: the system's. user NULL: auth, else userauth. ST_IO, ST_TIMEOUT, ST_DENIED; l->why says more. */
ANY int link_open(
    struct link *l, const char *host, unsigned port, const char *user, const char *password, int timeout_ms);
ANY void link_close(struct link *l);
/* Sends the lines (an empty one is added) and waits for the reply; what else arrives goes to on_async. timeout_ms <= 0:
 * none. */
ANY int link_ask(struct link *l, const char *lines, struct stanza *reply, int timeout_ms);
/* Whether its Content-Type is this one, in any case. */
ANY bool link_is(const struct stanza *f, const char *content_type);
ANY int link_send(struct link *l, const char *lines);
/* Hands over what came together with a reply. */
ANY int link_dispatch(struct link *l);
/* Reads what is there and hands it over; ST_CLOSED when the switch is gone. */
ANY int link_read(struct link *l);
