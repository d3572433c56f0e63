/* A scripted far side for the stack's tests: a raw UDP socket on loopback and a fake clock. What it sends is text with
 * @L (the stack's port) and @P (its own) replaced; what it gets is looked at as text. */
#pragma once
#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "harness.h"
#include "loop/loop.h"
#include "sip/digest.h"
#include "sip/sip.h"
#include <string.h>

struct peer {
	int fd;
	uint16_t port, stack_port;
	char in[70000]; /* the last message received, NUL-terminated */
	size_t n;
};
/* The stack under test and what its callbacks saw. */
struct rig {
	struct sip_stack *s;
	struct addr addr;
	struct peer p;
	struct sip_stx *tx; /* the last request given to on_request, with a reference when is_kept */
	bool is_kept;
	int request_count, malformed_count, trace_count;
	char method[32];
	/* for calls */
	struct sip_call *call;
	bool is_accepting; /* on_request accepts INVITEs */
	int progress, answer, ack, reinvite, reinvite_done, reinvite_code, update, update_done, request, cancel, closed;
	struct sip_close close;
	char close_reason[80], body[512];
	struct sip_stx *call_tx;
	int response_code, response_count;
	int (*on_request)(struct rig *r, struct sip_stx *tx, const struct sip_msg *m);
	int (*on_answer)(struct rig *r, const struct sip_msg *m);
};
extern const struct sip_call_handlers rig_handlers;
ON_CTL int rig_open(struct rig *r, const struct sip_stack_config *cfg);
ON_CTL void rig_close(struct rig *r);
ON_CTL void rig_pump(void);
ON_CTL void rig_advance_ms(struct rig *r, int ms); /* in steps of 10 ms, pumping */
int peer_open(struct peer *p, uint16_t stack_port);
void peer_close(struct peer *p);
ON_CTL int peer_send(struct peer *p, const char *text);
/* true when a message came; it is in p->in. */
ON_CTL bool peer_recv(struct peer *p);
/* Receives and compares the start of the message. */
ON_CTL bool peer_expect(struct peer *p, const char *start);
bool peer_has(const struct peer *p, const char *text);
/* Value of the first header line of that name in p->in, in a static buffer. */
const char *peer_header(const struct peer *p, const char *name);
void rig_response(struct sip_ctx *c, int code, const struct sip_msg *resp, void *arg);
/* Answers the last received request; tag NULL = none; extra = more lines or "". */
ON_CTL int peer_reply(struct peer *p, int code, const char *tag, const char *extra, const char *sdp);
