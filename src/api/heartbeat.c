/* uuid_session_heartbeat: SESSION_HEARTBEAT of one leg every so many seconds. */
#include "api/api_i.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include <stdlib.h>

enum { SECONDS_DEFAULT = 60 };

void on_session_heartbeat(struct api_call *c, struct leg *leg, struct api_words *w)
{
	const char *text = w->n > 1 && !strcasecmp(w->w[1], "sched") ? (w->n > 2 ? w->w[2] : NULL)
	                   : w->n > 1                                ? w->w[1]
	                                                             : NULL;
	role_assert_ctl();
	leg_heartbeat(leg, text && !(str_is_true(text) && !atoi(text)) ? atoi(text) : SECONDS_DEFAULT);
	buf_adds(c->out, "+OK\n");
}
