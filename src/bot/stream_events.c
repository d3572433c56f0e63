/* What listeners are told of a stream. */
#include "bot/stream_i.h"
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "text/json.h"

#include <stdio.h>
#include <string.h>

void bot_tell(struct bot *b, const char *what, struct sv body)
{
	char subclass[64];
	struct event *e;
	role_assert_ctl();
	if (!b->leg || b->ear)
		return;
	snprintf(subclass, sizeof(subclass), "%s::%s", b->events, what);
	if (!event_is_wanted(EVENT_CUSTOM, subclass) || !(e = event_new(EVENT_CUSTOM, subclass)))
		return;
	leg_event_headers(b->leg, e);
	event_add(e, "Audio-Stream-Name", b->name);
	event_set_body(e, body);
	event_fire(e);
}

void bot_tell_status(struct bot *b, const char *what, const char *status, int code, const char *reason)
{
	struct json_writer w;
	struct buf out;
	role_assert_ctl();
	buf_init(&out);
	jw_init(&w, &out, false);
	jw_begin_object(&w);
	jw_kv_str(&w, "status", status);
	if (reason) {
		jw_key(&w, "message");
		jw_begin_object(&w);
		jw_kv_int(&w, "code", code);
		jw_kv_str(&w, !strcmp(status, "error") ? "error" : "reason", reason);
		jw_end_object(&w);
	}
	jw_end_object(&w);
	bot_tell(b, what, buf_sv(&out));
	buf_fini(&out);
}
