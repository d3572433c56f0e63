/* One call for a watcher: the uuids of its legs and the Call-IDs of their dialogs, learned from notes. Bounded; pure.
 */
#include "trace/trace.h"

#include <stdio.h>
#include <string.h>

void trace_calls_uuid_add(struct trace_calls *c, const char *uuid)
{
	if (uuid && *uuid && c->uuid_count < TRACE_CALLS_MAX && !trace_calls_has_uuid(c, uuid))
		snprintf(c->uuids[c->uuid_count++], sizeof(c->uuids[0]), "%.39s", uuid);
}

void trace_calls_id_add(struct trace_calls *c, struct sv call_id)
{
	if (!call_id.n || call_id.n >= TRACE_CALL_ID_CHARS || c->call_id_count == TRACE_CALLS_MAX)
		return;
	for (size_t i = 0; i < c->call_id_count; i++)
		if (sv_is(call_id, c->call_ids[i]))
			return;
	snprintf(c->call_ids[c->call_id_count++], TRACE_CALL_ID_CHARS, "%.*s", SVF(call_id));
}

bool trace_calls_has_uuid(const struct trace_calls *c, const char *uuid)
{
	for (size_t i = 0; uuid && *uuid && i < c->uuid_count; i++)
		if (!strcmp(c->uuids[i], uuid))
			return true;
	return false;
}

static bool has_id(const struct trace_calls *c, struct sv call_id)
{
	for (size_t i = 0; call_id.n && i < c->call_id_count; i++)
		if (sv_is(call_id, c->call_ids[i]))
			return true;
	return false;
}

bool trace_calls_note(struct trace_calls *c, struct sv call_id, const char *uuid, const char *other)
{
	if (!trace_calls_has_uuid(c, uuid) && !trace_calls_has_uuid(c, other) && !has_id(c, call_id))
		return false;
	trace_calls_uuid_add(c, uuid);
	trace_calls_uuid_add(c, other);
	trace_calls_id_add(c, call_id);
	return true;
}

bool trace_calls_fit(const struct trace_calls *c, struct sv message)
{
	return has_id(c, trace_call_id(message));
}
