/* What clients of the event socket say: commands, what they may (rights of directory users), lines of the log. Control
 * thread. */
#pragma once
#include "esl/client/client.h"

ON_CTL void esl_cmd_run(struct esl_client *c, struct stanza *r); /* ops.on_request */
/* True for a client without rights of a user. */
ON_CTL bool esl_may_hear(const struct esl_client *c, const char *event);

/* ---- logs.c: lines of the log to clients that asked ---- */
ON_CTL int esl_logs_start(void);
ON_CTL void esl_logs_stop(void);
ON_CTL void esl_logs_update(void); /* a client's level changed, or a client left */
