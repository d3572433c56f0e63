/* Who knows whether a digest answer is right, when it is not the directory: a RADIUS server, say. A module adds an
 * authenticator by its name; a SIP profile or a directory user names it (parameter "authenticator"). The endpoint has
 * given the nonce out itself and looks after its age and its counts; the authenticator is asked only whether the
 * response fits the user's password. It is asked on a coroutine and may take its time, up to a deadline of its own.
 */
#pragma once
#include "base/role.h"
#include "base/str.h"

struct vars;
struct authenticator_question { /* borrowed; all of it is from outside but the profile, the domain and the realm */
	struct sv username, realm, nonce, method, uri, response;
	struct sv qop, cnonce, nc, algorithm, opaque; /* may be empty */
	struct sv user, host;                         /* whom To (REGISTER) or From names */
	const char *domain, *profile, *network_addr, *call_id;
};
/* ST_OK: it is he; ST_DENIED: it is not; anything else: nobody can say. vars: what becomes of the call that he makes.
 */
typedef int (*authenticator_fn)(const struct authenticator_question *q, struct vars *vars, void *arg); /* CO */

/* ST_EXISTS, ST_FULL. name: static. */
ON_CTL int authenticator_add(const char *name, authenticator_fn fn, void *arg);
ON_CTL void authenticator_del(const char *name); /* not while it is asked: authenticator_is_busy */
ON_CTL bool authenticator_is_busy(const char *name);
ON_CTL bool authenticator_is_any(void); /* there is one */
/* ST_NOTFOUND: nobody of that name. */
CO int authenticator_ask(const char *name, const struct authenticator_question *q, struct vars *vars);
