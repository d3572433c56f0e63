/* Private to the room. */
#pragma once
#include "base/list.h"
#include "endpoint/sip/stir/attest.h"

extern struct stir_counts stir_counts;

/* ---- cert_store.c: certificates by their URL ---- */
struct cert_wait { /* embedded in who waits */
	struct lnode link;
	void (*fn)(struct stir_cert *cert /* a reference, or NULL */, const char *error, void *arg);
	void *arg;
};
/* ST_OK: *out is a reference. ST_AGAIN: fn is called later. Else it cannot be had: error. */
ON_CTL int cert_get(struct stir_cert **out, const char *url, struct cert_wait *w, char error[STIR_ERROR_CHARS]);
ON_CTL void cert_wait_cancel(struct cert_wait *w);
ON_CTL int certs_start(void);
ON_CTL void certs_stop(void);

/* ---- replay.c ---- */
/* A token that passed, of a call to that number: it did so in another call, too, which came from another host. */
ON_CTL bool stir_is_replayed(
    struct sv token, const char *called, struct sv call_id, struct sv host, int64_t now_s, unsigned fresh_s);
ON_CTL void stir_replay_stop(void);
