/* SUBSCRIBE (RFC 6665), outside of dialogs and inside: who asks (the digest of a call, auth-subscriptions), for what
 * (the package, a domain of his own), how long (force-subscription-expires, min-expires), how many he has already. Then
 * a watcher is made, answered and told at once. With Expires: 0 it hears once how things are. What a phone may see is
 * what is of its own domain: another domain of the directory is refused, an address of this switch means its own. */
#include "base/rand.h"
#include "endpoint/sip/presence/watch_i.h"
#include <inttypes.h>
#include <stdio.h>

enum { EXPIRES_DEFAULT_S = 3600, EXPIRES_MAX_S = 86400, FETCH_LIFE_S = 40 };
static watch_waits_fn may_wait;

struct asked {
	struct profile *p;
	struct sip_stx *tx;
	const struct sip_msg *m;
	struct auth auth;
	const struct package *package;
	struct sv package_text, params;
	int64_t expires_s;
	struct buf owner, from, host; /* host: the domain in which the state is looked for */
};

static ON_CTL void asked_init(struct asked *a, struct profile *p, struct sip_stx *tx, const struct sip_msg *m)
{
	*a = (struct asked){.p = p, .tx = tx, .m = m};
	buf_init(&a->owner), buf_init(&a->from), buf_init(&a->host);
	sv_split(sip_msg_value(m, SIP_HDR_EVENT), ';', &a->package_text, &a->params);
	a->package_text = sv_trim(a->package_text);
}

static ON_CTL void asked_fini(struct asked *a)
{
	auth_fini(&a->auth);
	buf_fini(&a->owner), buf_fini(&a->from), buf_fini(&a->host);
}

static ON_CTL bool refuse(struct asked *a, int code, const char *phrase, const char *headers)
{
	sip_stx_reply_once(a->tx, code, phrase, headers);
	return false;
}

static ON_CTL bool is_package(struct asked *a)
{
	const struct profile_conf *c = &a->p->conf;
	a->package = package_find(a->package_text);
	/* a refer subscription begins with a REFER only */
	if (sv_isi(a->package_text, "refer"))
		return refuse(a, 403, NULL, NULL);
	if (!profile_conf_has_presence(c) || !a->package || (a->package->is_shared && !c->has_shared_lines))
		return refuse(a, 489, NULL, NULL);
	return true;
}

static ON_CTL bool is_identified(struct asked *a)
{
	if (a->p->conf.auths_subscriptions && auth_check(a->p, a->tx, a->m, &a->auth) != AUTH_OK)
		return false;
	const struct dir_user *u = a->auth.user;
	if (u)
		buf_printf(&a->owner, "%s@%s", dir_user_id(u), dir_user_domain(u));
	else
		buf_printf(&a->owner, "%.*s@%.*s", SVF(a->m->from.uri.user), SVF(a->m->from.uri.host));
	buf_printf(&a->from, "%.*s@%.*s", SVF(a->m->from.uri.user), SVF(a->m->from.uri.host));
	return true;
}

/* Whose state: force-subscription-domain, or the host that was said when it is no domain of somebody else. */
static ON_CTL bool is_own_domain(struct asked *a)
{
	struct sv host = a->m->to.uri.host;
	const struct dir_user *u = a->auth.user;
	if (*a->p->conf.force_subscription_domain)
		host = sv_of(a->p->conf.force_subscription_domain);
	else if (u && !sv_isi(host, dir_user_domain(u))) {
		if (dir_domain_exists(host))
			return refuse(a, 403, "Another Domain", NULL);
		host = sv_of(dir_user_domain(u));
	}
	buf_addv(&a->host, host);
	if (!a->m->to.uri.user.n || a->m->to.uri.user.n > 128 || host.n > 128 || a->host.failed)
		return refuse(a, 404, NULL, NULL);
	return true;
}

static ON_CTL bool is_long_enough(struct asked *a)
{
	const struct profile_conf *c = &a->p->conf;
	int64_t s = a->m->expires_s < 0 ? EXPIRES_DEFAULT_S : a->m->expires_s;
	bool is_seizure = a->package->id == PKG_LINE_SEIZE;
	char line[48];
	if (s && c->force_sub_expires_s && !is_seizure)
		s = c->force_sub_expires_s;
	if (s && s < (int64_t)c->min_expires_s && !is_seizure) {
		snprintf(line, sizeof(line), "Min-Expires: %u\r\n", c->min_expires_s);
		return refuse(a, 423, NULL, line);
	}
	if (s > EXPIRES_MAX_S)
		s = EXPIRES_MAX_S;
	if (c->sub_max_deviation_s && s > (int64_t)c->sub_max_deviation_s)
		s += (int64_t)rand_below(2 * c->sub_max_deviation_s + 1) - (int64_t)c->sub_max_deviation_s;
	a->expires_s = s;
	return true;
}

static ON_CTL int answer(struct watcher *w, const struct asked *a)
{
	char headers[160];
	int64_t expires_s = a->expires_s;
	const char *list = w->members ? "Require: eventlist\r\n" : ""; /* RFC 4662 4.5 */
	if (expires_s)
		snprintf(headers, sizeof(headers),
		    "Expires: %" PRId64 "\r\nSubscription-State: active;expires=%" PRId64 "\r\n%s", expires_s,
		    expires_s, list);
	else
		snprintf(headers, sizeof(headers),
		    "Expires: 0\r\nSubscription-State: terminated;reason=noresource\r\n%s", list);
	int st = sip_sub_answer(w->sub, a->tx, a->m, 202, headers);
	flow_enter(w, a->tx);
	return st;
}

/* Which appearance it seizes. */
static ON_CTL bool is_free_line(struct asked *a, struct watcher *w)
{
	return a->package->id != PKG_LINE_SEIZE || (w->appearance && !shared_is_taken(w, w->appearance));
}

static ON_CTL int watcher_make(struct asked *a, struct watcher **out)
{
	const struct sip_msg *m = a->m;
	struct sip_nameaddr contact;
	struct watch_put put = {.package = a->package,
	    .user = m->to.uri.user,
	    .host = m->to.uri.host,
	    .entity_host = buf_sv(&a->host),
	    .from = buf_sv(&a->from),
	    .owner = buf_sv(&a->owner),
	    .agent = sip_msg_value(m, SIP_HDR_USER_AGENT),
	    .has_details = sip_param_get(a->params, ';', "sla", NULL) ||
	                   sip_param_get(a->params, ';', "include-session-description", NULL),
	    .appearance = shared_appearance_of(sip_msg_value(m, SIP_HDR_CALL_INFO))};
	struct sv id;
	char id_text[32] = "";
	if (sip_param_get(a->params, ';', "id", &id) && id.n < sizeof(id_text))
		snprintf(id_text, sizeof(id_text), "%.*s", SVF(id));
	int st = watcher_new(out, a->p, &put);
	if (st)
		return st;
	struct sip_sub_params sp = {.event = a->package->event, .id = *id_text ? id_text : NULL, .is_notifier = true};
	if ((st = sip_sub_accept(&(*out)->sub, a->tx, m, &sp, m->to.uri.user, &watcher_handlers, *out)) == ST_OK &&
	    !sip_msg_contact(m, &contact))
		sip_sub_set_use_source_address((*out)->sub,
		    nat_is_behind(a->p, &contact.uri, &m->via, sip_stx_peer(a->tx), sip_stx_transport(a->tx)));
	if (st)
		watcher_free(*out);
	return st;
}

static ON_CTL void begin(struct asked *a)
{
	struct watcher *w;
	const char *why;
	struct sip_sub_saved saved;
	if (!watcher_may_begin(a->p, buf_sv(&a->owner), &why)) {
		log_notice("sofia: %s: %.*s: %s", a->p->conf.name, SVF(buf_sv(&a->owner)), why);
		refuse(a, 503, why, "Retry-After: 60\r\n");
		return;
	}
	int st = watcher_make(a, &w);
	if (st == ST_NOTFOUND || st == ST_INVAL || st == ST_LIMIT) {
		refuse(a, st == ST_LIMIT ? 503 : st == ST_NOTFOUND ? 404 : 400, NULL, NULL);
		return;
	}
	if (st) {
		refuse(a, 500, NULL, NULL);
		return;
	}
	if (!is_free_line(a, w)) {
		watcher_free(w);
		refuse(a, 480, "Appearance Not Free", NULL);
		return;
	}
	sip_sub_save(w->sub, &saved);
	w->first_cseq = saved.local_cseq;
	watcher_set_expires(w, a->expires_s ? a->expires_s : FETCH_LIFE_S);
	if (a->expires_s)
		home_write(w);
	answer(w, a);
	probe_event(w, a->expires_s, a->m->call_id);
	if (a->package->id == PKG_MWI)
		mwi_query(w, a->m->call_id);
	if (a->package->id == PKG_LINE_SEIZE)
		presence_touch(sv_of(w->user), buf_sv(&a->host));
	if (!a->expires_s)
		notify_last(w, "timeout", true);
	else if (sip_sub_is_told(w->sub))
		notify_now(w);
}

void subscribe_in(struct profile *p, struct sip_stx *tx, const struct sip_msg *m)
{
	struct asked a;
	asked_init(&a, p, tx, m);
	if (m->to_tag.n) /* its dialog is none of ours any more */
		sip_stx_reply_once(tx, 481, "Subscription Does Not Exist", NULL);
	else if (is_package(&a) && is_identified(&a) && is_own_domain(&a) && is_long_enough(&a))
		begin(&a);
	asked_fini(&a);
}

/* ---- inside its dialog ---- */

static ON_CTL void again(struct asked *a, struct watcher *w)
{
	struct sip_nameaddr contact;
	if (!is_identified(a))
		return;
	if (!sv_isi(buf_sv(&a->owner), w->owner)) {
		refuse(a, 403, NULL, NULL);
		return;
	}
	a->package = w->package;
	if (!is_long_enough(a))
		return;
	if (!sip_msg_contact(a->m, &contact))
		sip_sub_set_use_source_address(w->sub,
		    nat_is_behind(a->p, &contact.uri, &a->m->via, sip_stx_peer(a->tx), sip_stx_transport(a->tx)));
	answer(w, a);
	probe_event(w, a->expires_s, a->m->call_id);
	if (!a->expires_s) {
		watcher_end(w, "noresource");
		return;
	}
	watcher_set_expires(w, a->expires_s);
	home_write(w);
	notify_now(w);
}

/* It has waited for its user: the watcher may have gone meanwhile. */
static void again_go(struct profile *p, struct sip_stx *tx, const struct sip_msg *m)
{
	struct asked a;
	role_assert_ctl();
	struct watcher *w = p->stack ? sip_sub_find(p->stack, m, &watcher_handlers) : NULL;
	asked_init(&a, p, tx, m);
	if (w && !w->is_over)
		again(&a, w);
	else
		refuse(&a, 481, "Subscription Does Not Exist", NULL);
	asked_fini(&a);
}

void subscribe_again(struct watcher *w, struct sip_stx *tx, const struct sip_msg *m)
{
	struct asked a;
	if (w->p->conf.auths_subscriptions && may_wait && may_wait(w->p, tx, m, again_go))
		return;
	asked_init(&a, w->p, tx, m);
	if (w->is_over)
		refuse(&a, 481, "Subscription Does Not Exist", NULL);
	else
		again(&a, w);
	asked_fini(&a);
}

int watch_start(watch_waits_fn waits)
{
	may_wait = waits;
	return mwi_start();
}

void watch_stop(void)
{
	mwi_stop();
	notify_stop();
	may_wait = NULL;
}
