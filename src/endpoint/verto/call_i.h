/* A call of a session, within the room. */
#pragma once
#include "core/leg/leg.h"
#include "endpoint/verto/verto_i.h"
#include "loop/loop.h"

struct verto_call {
	struct leg *leg; /* borrowed: the leg's endpoint */
	char sessid[VERTO_SESSID_CHARS + 1], uuid[UUID_CHARS + 1], originator[UUID_CHARS + 1];
	char *user, *domain; /* whose session it is: its id alone is nobody's right */
	struct ltimer detached;
	bool has_sdp;      /* our answer or early media went to the client */
	bool is_said_over; /* the client ended it: it is told nothing */
	bool is_held;
	bool is_offered_again; /* by verto.attach, and the answer is awaited */
};
/* The leg's endpoint from now on; freed with it. NULL: no memory. */
ON_CTL struct verto_call *verto_call_new(struct leg *leg, const struct verto_line *l);
ON_CTL int verto_call_media_init(struct leg *leg, const struct verto_line *l);
ON_CTL size_t verto_calls_of(const struct verto_line *l);
