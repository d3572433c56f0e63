/* The outbound event socket: the application `socket` and what its server may say. Control thread.
 *
 *   dialplan -> app_socket, on the leg's coroutine: lookup.c -> esl_client_connect -> detaches; the server controls the
 * leg the connection ends -> esl_outbound_release: the leg hangs up or goes on;  the leg ends -> the notice */
#pragma once
#include "core/registry/app.h"
#include "esl/client/client.h"

extern const struct app_desc esl_apps[];
ON_CTL int esl_outbound_start(void);
ON_CTL void esl_outbound_stop(void);
/* The client ends: its leg hangs up, or goes on. Does nothing the second time. */
ON_CTL void esl_outbound_release(struct esl_client *c);
/* Hands e to the servers that asked for the leg's events; false: nobody did. */
ON_CTL bool esl_outbound_divert(const struct leg *leg, struct event *e);

/* ---- commands of its server ---- */
ON_CTL void esl_cmd_connect(struct esl_client *c, const struct stanza *r, const char *args);
ON_CTL void esl_cmd_getvar(struct esl_client *c, const struct stanza *r, const char *args);
ON_CTL void esl_cmd_resume(struct esl_client *c, const struct stanza *r, const char *args);
ON_CTL void esl_cmd_linger(struct esl_client *c, const struct stanza *r, const char *args);
ON_CTL void esl_cmd_nolinger(struct esl_client *c, const struct stanza *r, const char *args);
ON_CTL void esl_cmd_divert(struct esl_client *c, const struct stanza *r, const char *args);
