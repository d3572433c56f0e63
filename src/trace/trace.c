/* Where messages come in and are handed on. The Call-ID is found in the raw text: what cannot be parsed is traced, too.
 */
#include "trace/trace.h"
#include "trace/trace_i.h"

#include <string.h>

static struct list watches = {{&watches.head, &watches.head}};
static void (*on_change)(void);

void trace_on_change(void (*fn)(void))
{
	on_change = fn;
}

bool trace_wants_messages(void)
{
	return ring_is_on() || !list_empty(&watches);
}

/* The value of a header line "NAME : value"; false: it is another one. */
static bool line_is(struct sv line, const char *name, struct sv *value)
{
	size_t n = strlen(name), at;
	if (line.n <= n || !sv_startsi(line, (struct sv){name, n}))
		return false;
	for (at = n; at < line.n && (line.p[at] == ' ' || line.p[at] == '\t'); at++)
		;
	if (at == line.n || line.p[at] != ':')
		return false;
	*value = sv_trim(sv_sub(line, at + 1, SIZE_MAX));
	return true;
}

struct sv trace_call_id(struct sv data)
{
	static const char usual[] = "Call-ID: ";
	struct sv rest = data, line, value;
	const char *at = data.p, *end = data.p + data.n, *nl;
	while (data.n && (nl = memchr(at, '\n', (size_t)(end - at))) && end - nl > (ptrdiff_t)sizeof(usual)) {
		at = nl + 1;
		if (*at == '\r' || *at == '\n')
			break;
		if (*at == 'C' && !memcmp(at, usual, sizeof(usual) - 1)) {
			rest = (struct sv){at + sizeof(usual) - 1, (size_t)(end - at) - (sizeof(usual) - 1)};
			sv_split(rest, '\n', &line, &rest);
			return sv_trim(line);
		}
	}
	while (rest.n) {
		sv_split(rest, '\n', &line, &rest);
		if (!sv_trim(line).n)
			break;
		if (line_is(line, "Call-ID", &value) || line_is(line, "i", &value))
			return value;
	}
	return SV_NONE;
}

void trace_message(const struct trace_msg *m)
{
	struct lnode *it, *tmp;
	if (ring_is_on())
		ring_put(TRACE_MESSAGE, m, trace_call_id(m->data), m->data);
	if (m->is_captured)
		collector_message(m);
	list_each (&watches, it, tmp) {
		struct trace_watch *w = list_entry(it, struct trace_watch, link);
		if (w->on_message)
			w->on_message(m, w->arg);
	}
}

void trace_call_note(struct sv call_id, const char *uuid, const char *other)
{
	char text[700];
	struct lnode *it, *tmp;
	size_t n = strlen(uuid) + 1, k = other ? strlen(other) : 0;
	if (ring_is_on() && call_id.n && call_id.n + n + k + 2 < sizeof(text)) {
		memcpy(text, call_id.p, call_id.n);
		text[call_id.n] = 0;
		memcpy(text + call_id.n + 1, uuid, n);
		memcpy(text + call_id.n + 1 + n, other ? other : "", k + 1);
		ring_put(TRACE_NOTE, NULL, call_id, (struct sv){text, call_id.n + n + k + 2});
	}
	list_each (&watches, it, tmp) {
		struct trace_watch *w = list_entry(it, struct trace_watch, link);
		if (w->on_note)
			w->on_note(call_id, uuid, other, w->arg);
	}
}

void trace_watch_add(struct trace_watch *w)
{
	list_push(&watches, &w->link);
	if (on_change)
		on_change();
}

void trace_watch_del(struct trace_watch *w)
{
	if (!lnode_is_linked(&w->link))
		return;
	list_remove(&w->link);
	if (on_change)
		on_change();
}

void trace_counts_get(struct trace_counts *out)
{
	memset(out, 0, sizeof(*out));
	ring_counts(out);
	collector_counts(out);
}
