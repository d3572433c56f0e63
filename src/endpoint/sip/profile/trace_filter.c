/* What `sofia trace` asked to see in the log beside whole profiles: messages of an address or network, of one call with
 * all its legs, of a gateway. A call's filter learns the dialogs of its legs as they are made. */
#include "base/log.h"
#include "endpoint/sip/profile/profile_i.h"
#include "trace/trace.h"

#include <stdio.h>
#include <string.h>

static struct {
	struct trace_filter v[TRACE_FILTERS_MAX];
	size_t count;
	unsigned last_id;
	bool (*is_gateway)(struct sv name, const struct addr *a);
	struct trace_watch watch;
} filters;

void trace_filter_gateway_set(bool (*fn)(struct sv name, const struct addr *a))
{
	filters.is_gateway = fn;
}

const struct trace_filter *trace_filter_at(size_t i)
{
	return i < filters.count ? &filters.v[i] : NULL;
}

static void on_note(struct sv call_id, const char *uuid, const char *other, void *arg)
{
	role_assert_ctl();
	for (size_t i = 0; i < filters.count; i++)
		if (filters.v[i].kind == TRACE_F_CALL)
			trace_calls_note(&filters.v[i].calls, call_id, uuid, other);
}

int trace_filter_add(enum trace_filter_kind kind, struct sv text, const char *call_id, unsigned *id)
{
	struct addr any;
	if (!text.n || text.n >= TRACE_FILTER_CHARS)
		return ST_INVAL;
	addr_parse(&any, SV("127.0.0.1"), 0);
	if (kind == TRACE_F_ADDRESS && addr_in_cidr(&any, text) < 0)
		return ST_PARSE;
	if (filters.count == TRACE_FILTERS_MAX)
		return ST_FULL;
	struct trace_filter *f = &filters.v[filters.count++];
	memset(f, 0, sizeof(*f));
	f->kind = kind;
	f->id = *id = ++filters.last_id;
	snprintf(f->text, sizeof(f->text), "%.*s", SVF(text));
	if (kind == TRACE_F_CALL) {
		trace_calls_uuid_add(&f->calls, f->text);
		trace_calls_id_add(&f->calls, call_id ? sv_of(call_id) : text);
	}
	if (!lnode_is_linked(&filters.watch.link)) {
		filters.watch.on_note = on_note;
		trace_watch_add(&filters.watch);
	}
	profiles_trace_update();
	return ST_OK;
}

bool trace_filter_del(unsigned id)
{
	size_t before = filters.count;
	for (size_t i = filters.count; i--;)
		if (!id || filters.v[i].id == id)
			memmove(&filters.v[i], &filters.v[i + 1], (--filters.count - i) * sizeof(filters.v[0]));
	if (!filters.count)
		trace_watch_del(&filters.watch);
	profiles_trace_update();
	return filters.count < before;
}

bool trace_filters_match(const struct trace_msg *m)
{
	bool fits = false;
	for (size_t i = 0; i < filters.count; i++) {
		struct trace_filter *f = &filters.v[i];
		bool is_one = f->kind == TRACE_F_ADDRESS ? addr_in_cidr(&m->remote, sv_of(f->text)) == 1
		              : f->kind == TRACE_F_CALL
		                  ? trace_calls_fit(&f->calls, m->data)
		                  : filters.is_gateway && filters.is_gateway(sv_of(f->text), &m->remote);
		f->hits += is_one;
		fits |= is_one;
	}
	return fits;
}
