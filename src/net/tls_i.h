/* What connections (tls_conn_i.h) and tls_ctx.c share. A context's parts: one SSL_CTX each way, those for other names,
 * ticket keys, sessions to go on with. Workers read the SSL_CTXs only; keys and sessions are the control thread's, and
 * a connection takes its keys along. */
#pragma once
#include "base/role.h"
#include "net/addr.h"
#include "net/tls_ctx.h"
#include <openssl/ssl.h>

struct tls_tickets; /* counted; the keys that a handshake makes and takes tickets with */
/* What a callback of OpenSSL's needs of the connection: SSL_get_app_data. Whoever has the SSL has it. */
struct tls_side {
	struct tls_ctx *ctx;
	struct tls_tickets *tickets;
	SSL_SESSION *session; /* came with the connection: to be kept; owned */
};
ANY SSL *tls_ctx_ssl_new(struct tls_ctx *c, bool is_server, struct tls_side *side);
/* After the handshake: is it one of those that the policy asks for? *why gets a text when not. */
ANY bool tls_ctx_accepts(const struct tls_ctx *c, SSL *ssl, bool is_server, const char **why);
ANY bool tls_ctx_checks_name(const struct tls_ctx *c); /* of whom we connect to */
/* A reference to the keys of now. */
ON_CTL struct tls_tickets *tls_ctx_tickets(struct tls_ctx *c);
/* A session to go on with (a reference), or NULL; and to keep one (takes it). */
ON_CTL SSL_SESSION *tls_ctx_session_get(struct tls_ctx *c, const struct addr *peer, const char *name);
ON_CTL void tls_ctx_session_put(struct tls_ctx *c, const struct addr *peer, const char *name, SSL_SESSION *session);
