/* The watchers of a profile: one for each subscription, with its dialog (src/sip/sub.h), its time and who it belongs
 * to. Bounded for each account and in all. They outlive a restart of the profile and of the program by their rows
 * (home.c): whoever stops the profile lets them go without a word. */
#include "core/conf/config.h"
#include "endpoint/sip/presence/watch_i.h"
#include "text/re.h"
#include "text/xml.h"
#include <stdint.h>

static const struct package packages[] = {
    {"presence", PKG_PRESENCE, "application/pidf+xml", NULL, false, false},
    {"dialog", PKG_DIALOG, "application/dialog-info+xml", NULL, false, false},
    {"message-summary", PKG_MWI, "application/simple-message-summary", "mwi", false, false},
    {"call-info", PKG_CALL_INFO, NULL, NULL, true, false},
    {"line-seize", PKG_LINE_SEIZE, NULL, NULL, true, false},
    {"sla", PKG_DIALOG, "application/dialog-info+xml", NULL, false, true},
};

const struct package *package_find(struct sv event)
{
	for (size_t i = 0; i < sizeof(packages) / sizeof(packages[0]); i++)
		if (sv_isi(event, packages[i].event))
			return &packages[i];
	return NULL;
}

static int part_open(struct profile *p, void *mine)
{
	struct watch_profile *wp = mine;
	role_assert_ctl();
	list_init(&wp->watchers);
	int st = hash_new(&wp->owners, HASH_NOCASE, NULL);
	if (!st)
		st = hash_new(&wp->flows, 0, mem_free);
	if (!st)
		st = hash_new(&wp->publishers, HASH_NOCASE, mem_free);
	return st ? st : hash_new(&wp->publications, 0, NULL);
}

static void part_start(struct profile *p, void *mine)
{
	role_assert_ctl();
	if (profile_conf_has_presence(&p->conf))
		home_restore(p);
}

static void part_stop(struct profile *p, void *mine)
{
	struct watch_profile *wp = mine;
	struct lnode *n;
	role_assert_ctl();
	while ((n = list_first(&wp->watchers)))
		watcher_free(list_entry(n, struct watcher, link));
	publications_free(wp);
	hash_free(wp->owners), hash_free(wp->publications), hash_free(wp->publishers), hash_free(wp->flows);
	wp->owners = wp->publications = wp->publishers = wp->flows = NULL;
}

static const struct profile_slot slot = {"watchers", sizeof(struct watch_profile)};
const struct profile_part watch_part = {.slot = &slot, .open = part_open, .start = part_start, .stop = part_stop};

struct watch_profile *watch_profile_of(const struct profile *p)
{
	return profile_slot_of(p, &slot);
}

void watch_counts_get(const struct profile *p, struct watch_counts *out)
{
	const struct watch_profile *wp = watch_profile_of(p);
	*out = (struct watch_counts){.watchers = wp->count,
	    .publications = wp->publications ? hash_count(wp->publications) : 0,
	    .notifies = wp->notifies,
	    .failed = wp->failed,
	    .merged = wp->merged};
}

/* ---- bounds ---- */

static ON_CTL size_t owner_count(const struct watch_profile *wp, struct sv owner)
{
	return (size_t)(uintptr_t)hash_get(wp->owners, owner);
}

static ON_CTL void owner_add(struct watch_profile *wp, const char *owner, int change)
{
	size_t n = owner_count(wp, sv_of(owner)) + (size_t)change;
	if (n)
		hash_set(wp->owners, sv_of(owner), (void *)(uintptr_t)n);
	else
		hash_take(wp->owners, sv_of(owner));
}

bool watcher_may_begin(const struct profile *p, struct sv owner, const char **why)
{
	const struct watch_profile *wp = watch_profile_of(p);
	*why = wp->count >= p->conf.max_subscriptions                         ? "Too Many Subscriptions"
	       : owner_count(wp, owner) >= p->conf.max_subscriptions_per_user ? "Too Many Subscriptions Of This Account"
	                                                                      : NULL;
	return !*why;
}

/* ---- life ---- */

static void on_expired(void *arg)
{
	role_assert_ctl();
	watcher_end(arg, "timeout");
}

int64_t watcher_left_s(const struct watcher *w)
{
	int64_t left = w->expires_epoch_s - clock_wall_us() / 1000000;
	return left > 0 ? left : 0;
}

void watcher_set_expires(struct watcher *w, int64_t expires_s)
{
	w->expires_epoch_s = clock_wall_us() / 1000000 + expires_s;
	loop_timer_set(&w->timer, clock_us_of_s(expires_s), "sip.watcher", on_expired, w);
}

/* presence-proto-lookup: a number that is a room or a lot, by presence_map.conf's patterns. */
static ON_CTL const char *map_kind(const struct profile *p, struct sv user, struct sv host)
{
	const char *kind;
	if (!p->conf.looks_presence_up)
		return NULL;
	xml_each(xml_child(config_conf("presence_map.conf"), "domains"), "domain", d)
	{
		if (!sv_isi(host, xml_attr_or(d, "name", "")))
			continue;
		xml_each(d, "exten", x)
		{
			kind = presence_kind_of(sv_of(xml_attr(x, "proto")));
			if (kind && re_match_once(sv_of(xml_attr_or(x, "regex", "")), user, NULL) == 1)
				return kind;
		}
	}
	return NULL;
}

int watcher_new(struct watcher **out, struct profile *p, const struct watch_put *put)
{
	struct watch_profile *wp = watch_profile_of(p);
	struct watcher *w = mem_zalloc(sizeof(*w));
	int st = ST_NOMEM;
	struct sv kind = sv_of(put->package->kind), head, name;
	if (!w)
		return ST_NOMEM;
	w->p = p;
	w->package = put->package;
	w->has_details = put->has_details || put->package->has_details;
	w->appearance = put->appearance;
	w->is_new = true;
	w->user = sv_dup(put->user), w->host = sv_dup(put->host);
	w->from = sv_dup(put->from), w->owner = sv_dup(put->owner), w->agent = sv_dup(put->agent);
	if (!w->user || !w->host || !w->from || !w->owner || !w->agent)
		goto failed;
	list_push(&wp->watchers, &w->link);
	wp->count++;
	owner_add(wp, w->owner, 1);
	if (sv_split(put->user, '+', &head, &name) && sv_isi(head, "list"))
		st = rlmi_members_make(w, name, put->entity_host);
	else {
		const char *mapped = kind.n ? NULL : map_kind(p, put->user, put->entity_host);
		w->is_mapped = mapped;
		st = presence_watch_add(
		    &w->watch, mapped ? sv_of(mapped) : kind, put->user, put->entity_host, watcher_changed);
	}
	if (st) {
		watcher_free(w);
		return st;
	}
	*out = w;
	return ST_OK;
failed:
	mem_free(w->user), mem_free(w->host), mem_free(w->from), mem_free(w->owner), mem_free(w->agent);
	mem_free(w);
	return st;
}

void watcher_free(struct watcher *w)
{
	struct watch_profile *wp = watch_profile_of(w->p);
	if (w->sub)
		sip_sub_end(w->sub);
	flow_leave(w);
	mem_free(w->flow_key);
	notify_forget(w);
	loop_timer_cancel(&w->timer);
	presence_watch_del(&w->watch);
	rlmi_members_free(w);
	list_remove(&w->link);
	wp->count--;
	owner_add(wp, w->owner, -1);
	mem_free(w->user), mem_free(w->host), mem_free(w->from), mem_free(w->owner), mem_free(w->agent);
	mem_free(w->list_name);
	mem_free(w);
}

void watcher_gone(struct watcher *w)
{
	struct presence_entity *line = w->package->id == PKG_LINE_SEIZE ? w->watch.entity : NULL;
	struct sv user = line ? sv_of(w->user) : SV_NONE, host = line ? sv_of(line->host) : SV_NONE;
	char *u = line ? sv_dup(user) : NULL, *h = line ? sv_dup(host) : NULL;
	home_del(w);
	watcher_free(w);
	if (u && h)
		presence_touch(sv_of(u), sv_of(h)); /* the line is free again */
	mem_free(u), mem_free(h);
}

void watcher_end(struct watcher *w, const char *reason)
{
	home_del(w);
	/* Whose seizure became a call hears what the line shows. */
	notify_last(w, reason, w->package->id == PKG_LINE_SEIZE && shared_seizure_is_over(w));
}

/* ---- what its dialog tells ---- */

static void on_ended(struct sip_sub *u, int code, void *arg)
{
	struct watcher *w = arg;
	role_assert_ctl();
	w->sub = NULL;
	watch_profile_of(w->p)->failed += code >= 300;
	watcher_gone(w);
}

static void on_told(struct sip_sub *u, void *arg)
{
	struct watcher *w = arg;
	role_assert_ctl();
	if (w->is_due)
		notify_due(w);
}

static void on_subscribe(struct sip_sub *u, struct sip_stx *tx, const struct sip_msg *m, void *arg)
{
	role_assert_ctl();
	subscribe_again(arg, tx, m);
}

const struct sip_sub_handlers watcher_handlers = {
    .on_subscribe = on_subscribe, .on_told = on_told, .on_ended = on_ended};

void watcher_changed(struct presence_watch *watch)
{
	struct watcher *w = list_entry(watch, struct watcher, watch);
	role_assert_ctl();
	notify_due(w);
}

void member_changed(struct presence_watch *watch)
{
	struct member *m = list_entry(watch, struct member, watch);
	role_assert_ctl();
	m->is_changed = true;
	notify_due(m->watcher);
}
