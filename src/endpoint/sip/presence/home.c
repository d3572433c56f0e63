/* Subscriptions on disk, beside the registrations: a row each, written when it begins and with each refresh, gone with
 * its end. A profile that starts reads its rows back and makes their dialogs anew; each is told at once how things are
 * now. CSeq and version go on by the clock (src/sip/sub_accept.c), so that nothing is written for a NOTIFY. */
#include "endpoint/sip/presence/watch_i.h"
#include "store/store.h"
#include <inttypes.h>
#include <stdio.h>

enum {
	COL_PROFILE,
	COL_CALL_ID,
	COL_LOCAL_TAG,
	COL_REMOTE_TAG,
	COL_LOCAL_URI,
	COL_REMOTE_URI,
	COL_TARGET,
	COL_ROUTE_SET,
	COL_PROTO,
	COL_IP,
	COL_PORT,
	COL_REMOTE_CSEQ,
	COL_FIRST_CSEQ,
	COL_IS_NAT,
	COL_EVENT,
	COL_USER,
	COL_HOST,
	COL_DOMAIN,
	COL_FROM,
	COL_OWNER,
	COL_AGENT,
	COL_DETAILS,
	COL_APPEARANCE,
	COL_EXPIRES,
	COL_COUNT
};
static const char *const columns[] = {"profile", "call_id", "full_to_tag", "full_from_tag", "full_to", "full_from",
    "contact", "route_set", "network_proto", "network_ip", "network_port", "cseq", "first_cseq", "is_nat", "event",
    "sub_to_user", "sub_to_host", "domain", "sub_from", "owner", "user_agent", "details", "appearance", "expires",
    NULL};
static const struct store_table table = {"sip_subscriptions", columns, 3, "expires"};

static struct sv number(char out[24], int64_t n)
{
	return (struct sv){out, (size_t)snprintf(out, 24, "%" PRId64, n)};
}

void home_write(const struct watcher *w)
{
	struct sip_sub_saved s;
	char port[24], cseq[24], first[24], appearance[24], expires[24], ip[ADDR_TEXT_MAX];
	if (!reg_home_store() || !w->sub)
		return;
	sip_sub_save(w->sub, &s);
	const char *domain = w->watch.entity ? w->watch.entity->host : w->host;
	struct sv v[COL_COUNT] = {[COL_PROFILE] = sv_of(w->p->conf.name),
	    [COL_CALL_ID] = s.call_id,
	    [COL_LOCAL_TAG] = s.local_tag,
	    [COL_REMOTE_TAG] = s.remote_tag,
	    [COL_LOCAL_URI] = s.local_uri,
	    [COL_REMOTE_URI] = s.remote_uri,
	    [COL_TARGET] = s.target,
	    [COL_ROUTE_SET] = s.route_set,
	    [COL_PROTO] = sv_of(sip_transport_facts(s.transport)->param),
	    [COL_IP] = sv_of(addr_host(&s.remote, ip)),
	    [COL_PORT] = number(port, addr_port(&s.remote)),
	    [COL_REMOTE_CSEQ] = number(cseq, s.remote_cseq),
	    [COL_FIRST_CSEQ] = number(first, w->first_cseq),
	    [COL_IS_NAT] = sv_of(s.uses_source_address ? "1" : "0"),
	    [COL_EVENT] = sv_of(w->package->event),
	    [COL_USER] = sv_of(w->user),
	    [COL_HOST] = sv_of(w->host),
	    [COL_DOMAIN] = sv_of(domain),
	    [COL_FROM] = sv_of(w->from),
	    [COL_OWNER] = sv_of(w->owner),
	    [COL_AGENT] = sv_of(w->agent),
	    [COL_DETAILS] = sv_of(w->has_details ? "1" : "0"),
	    [COL_APPEARANCE] = number(appearance, w->appearance),
	    [COL_EXPIRES] = number(expires, w->expires_epoch_s)};
	store_put(reg_home_store(), &table, v);
}

void home_del(const struct watcher *w)
{
	struct sip_sub_saved s;
	if (!reg_home_store() || !w->sub)
		return;
	sip_sub_save(w->sub, &s);
	store_del(reg_home_store(), &table, (struct sv[]){sv_of(w->p->conf.name), s.call_id, s.local_tag});
}

/* ---- back ---- */

static int64_t num(struct sv v)
{
	int64_t n = 0;
	sv_i64(v, &n);
	return n;
}

static ON_CTL int restore(struct profile *p, const struct sv *v)
{
	struct watcher *w;
	const char *why;
	struct sip_sub_saved s = {.call_id = v[COL_CALL_ID],
	    .local_tag = v[COL_LOCAL_TAG],
	    .remote_tag = v[COL_REMOTE_TAG],
	    .local_uri = v[COL_LOCAL_URI],
	    .remote_uri = v[COL_REMOTE_URI],
	    .target = v[COL_TARGET],
	    .route_set = v[COL_ROUTE_SET],
	    .transport = sip_transport_of(v[COL_PROTO]),
	    .remote_cseq = (uint32_t)num(v[COL_REMOTE_CSEQ]),
	    .uses_source_address = sv_is(v[COL_IS_NAT], "1")};
	struct watch_put put = {.package = package_find(v[COL_EVENT]),
	    .user = v[COL_USER],
	    .host = v[COL_HOST],
	    .entity_host = v[COL_DOMAIN],
	    .from = v[COL_FROM],
	    .owner = v[COL_OWNER],
	    .agent = v[COL_AGENT],
	    .has_details = sv_is(v[COL_DETAILS], "1"),
	    .appearance = (unsigned)num(v[COL_APPEARANCE])};
	int64_t left = num(v[COL_EXPIRES]) - clock_wall_us() / 1000000;
	if (!put.package || left <= 0 || put.appearance > APPEARANCES_MAX ||
	    (put.package->id == PKG_LINE_SEIZE && !put.appearance) ||
	    addr_parse(&s.remote, v[COL_IP], (uint16_t)num(v[COL_PORT])) < 0 ||
	    !sip_stack_has_transport(p->stack, s.transport))
		return ST_NOTFOUND;
	if (!watcher_may_begin(p, put.owner, &why))
		return ST_LIMIT;
	int st = watcher_new(&w, p, &put);
	if (st)
		return st;
	struct sip_sub_params sp = {.event = put.package->event, .is_notifier = true};
	st = sip_sub_restore(&w->sub, p->stack, &s, &sp, put.user, &watcher_handlers, w);
	if (st) {
		watcher_free(w);
		return st;
	}
	sip_sub_save(w->sub, &s);
	w->first_cseq = (uint32_t)num(v[COL_FIRST_CSEQ]);
	w->version = s.local_cseq - w->first_cseq; /* above all that were told: one a NOTIFY at most */
	watcher_set_expires(w, left);
	w->is_full = true;
	notify_due(w);
	return ST_OK;
}

struct restoring {
	char *profile;
	size_t count;
};

static void on_row(const struct sv *v, size_t count, void *arg)
{
	struct restoring *r = arg;
	role_assert_ctl();
	struct profile *p = profile_find_exact(sv_of(r->profile)); /* it may have been stopped meanwhile */
	if (!p || count != COL_COUNT)
		return;
	int st = restore(p, v);
	r->count += st == ST_OK;
	if (st && st != ST_EXISTS)
		store_del(reg_home_store(), &table, v);
}

static void on_restored(int status, void *arg)
{
	struct restoring *r = arg;
	role_assert_ctl();
	if (status == ST_OK && r->count)
		log_info("sofia: %s: %zu subscriptions are back", r->profile, r->count);
	else if (status < 0 && status != ST_CANCELLED)
		log_error("sofia: %s: the subscriptions of the last run cannot be read", r->profile);
	mem_free(r->profile);
	mem_free(r);
}

void home_restore(struct profile *p)
{
	struct restoring *r = reg_home_store() ? mem_zalloc(sizeof(*r)) : NULL;
	if (!r)
		return;
	if (!(r->profile = mem_strdup(p->conf.name)) ||
	    store_each(reg_home_store(), &table, (struct sv[]){sv_of(p->conf.name)}, 1, on_row, on_restored, r) < 0) {
		mem_free(r->profile);
		mem_free(r);
	}
}
