/* PUBLISH (RFC 3903): a phone says how its user is. Digest always, and only of oneself. Each publication has an ETag,
 * by which it is refreshed, changed and removed; a new answer has a new one. The one that came last is what counts;
 * when it ends, nothing is published any more. Bounded: a few for each account, a time for each. */
#include "base/rand.h"
#include "endpoint/sip/presence/watch_i.h"
#include <stdio.h>

enum { ETAG_CHARS = 8, OF_ACCOUNT_MAX = 4, PUBLICATIONS_MAX = 100000, EXPIRES_DEFAULT_S = 3600, EXPIRES_MAX_S = 86400 };
struct publication {
	struct profile *p;                                    /* borrowed: they go before it */
	char etag[ETAG_CHARS + 1], last_etag[ETAG_CHARS + 1]; /* last: before a refresh; its answer may be lost */
	char *owner, *user, *host;
	bool is_presence;
	struct ltimer timer;
	struct lnode link; /* in its account's */
	struct publisher *by;
};
struct publisher {       /* an account that has some */
	struct list all; /* the oldest first */
	size_t count;
};

struct asked {
	struct profile *p;
	struct sip_stx *tx;
	const struct sip_msg *m;
	struct auth auth;
	struct sv event;
	bool is_presence;
	struct buf owner;
	struct publication *old;
	int64_t expires_s;
};

static ON_CTL bool refuse(struct asked *a, int code, const char *phrase, const char *headers)
{
	sip_stx_reply_once(a->tx, code, phrase, headers);
	return false;
}

static ON_CTL bool publisher_enter(struct publication *x)
{
	struct hash *all = watch_profile_of(x->p)->publishers;
	struct publisher *by = hash_get(all, sv_of(x->owner));
	if (!by && (by = mem_zalloc(sizeof(*by)))) {
		list_init(&by->all);
		if (hash_set(all, sv_of(x->owner), by) < 0) {
			mem_free(by);
			by = NULL;
		}
	}
	if (!by)
		return false;
	list_push(&by->all, &x->link);
	by->count++;
	x->by = by;
	return true;
}

static ON_CTL void publisher_leave(struct publication *x)
{
	if (!x->by)
		return;
	list_remove(&x->link);
	if (!--x->by->count)
		hash_del(watch_profile_of(x->p)->publishers, sv_of(x->owner));
	x->by = NULL;
}

static ON_CTL void publication_free(struct publication *x)
{
	publisher_leave(x);
	loop_timer_cancel(&x->timer);
	mem_free(x->owner), mem_free(x->user), mem_free(x->host);
	mem_free(x);
}

void publications_free(struct watch_profile *wp)
{
	struct hash_it it = {0};
	while (hash_next(wp->publications, &it)) {
		struct publication *x = it.value;
		if (sv_is(it.key, x->etag)) /* the last tag's entry came before it */
			publication_free(x);
	}
}

static ON_CTL void tags_forget(struct publication *x)
{
	struct hash *all = watch_profile_of(x->p)->publications;
	if (*x->etag)
		hash_take(all, sv_of(x->etag));
	if (*x->last_etag)
		hash_take(all, sv_of(x->last_etag));
	*x->last_etag = 0;
}

static ON_CTL void publication_end(struct publication *x)
{
	tags_forget(x);
	if (x->is_presence)
		presence_publish(
		    &(struct presence_words){.user = sv_of(x->user), .host = sv_of(x->host), .is_gone = true});
	publication_free(x);
}

static void on_expired(void *arg)
{
	role_assert_ctl();
	publication_end(arg);
}

static ON_CTL void etag_new(char out[ETAG_CHARS + 1])
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	for (int i = 0; i < ETAG_CHARS; i++)
		out[i] = letters[rand_below(sizeof(letters) - 1)];
	out[ETAG_CHARS] = 0;
}

/* Beyond an account's bound its oldest makes room. */
static ON_CTL void room_make(struct watch_profile *wp, const char *owner)
{
	struct publisher *by = hash_get(wp->publishers, sv_of(owner));
	if (!by || by->count < OF_ACCOUNT_MAX)
		return;
	struct publication *oldest = list_entry(list_first(&by->all), struct publication, link);
	tags_forget(oldest);
	publication_free(oldest);
}

/* ---- the request ---- */

static ON_CTL bool is_of_himself(struct asked *a)
{
	const struct dir_user *u = a->auth.user;
	struct sv user = a->m->to.uri.user, host = a->m->to.uri.host;
	if (!u)
		return refuse(a, 403, NULL, NULL);
	const char *alias = dir_user_attr(u, "number-alias");
	bool is_he = sv_is(user, dir_user_id(u)) || (alias && sv_is(user, alias));
	if (!is_he || (dir_domain_exists(host) && !sv_isi(host, dir_user_domain(u))))
		return refuse(a, 403, "Not Your State", NULL);
	buf_printf(&a->owner, "%s@%s", dir_user_id(u), dir_user_domain(u));
	return !a->owner.failed;
}

static ON_CTL bool is_matched(struct asked *a)
{
	struct sv tag = sip_msg_value_named(a->m, "SIP-If-Match");
	if (!tag.n)
		return a->m->body.n || refuse(a, 400, "Missing Body", NULL);
	a->old = hash_get(watch_profile_of(a->p)->publications, tag);
	/* his own, and of this event: what is read of the body is what the publication takes */
	if (!a->old || !sv_isi(buf_sv(&a->owner), a->old->owner) || a->old->is_presence != a->is_presence)
		return refuse(a, 412, "Conditional Request Failed", NULL);
	return true;
}

static ON_CTL int64_t granted_s(const struct asked *a)
{
	int64_t s = a->m->expires_s < 0 ? EXPIRES_DEFAULT_S : a->m->expires_s;
	if (s && a->p->conf.force_publish_expires_s)
		s = a->p->conf.force_publish_expires_s;
	return s < EXPIRES_MAX_S ? s : EXPIRES_MAX_S;
}

static ON_CTL void answer(struct asked *a, const char *etag)
{
	struct buf headers;
	buf_init(&headers);
	buf_printf(&headers, "Expires: %lld\r\nSIP-ETag: %s\r\n", (long long)a->expires_s, etag);
	sip_stx_reply(a->tx, 200, NULL, headers.p, NULL, SV_NONE);
	buf_fini(&headers);
}

static ON_CTL struct publication *publication_new(struct asked *a)
{
	struct watch_profile *wp = watch_profile_of(a->p);
	const struct dir_user *u = a->auth.user;
	room_make(wp, a->owner.p);
	struct publication *x = hash_count(wp->publications) < PUBLICATIONS_MAX ? mem_zalloc(sizeof(*x)) : NULL;
	if (!x)
		return NULL;
	x->p = a->p;
	x->is_presence = a->is_presence;
	x->owner = mem_strdup(a->owner.p);
	x->user = sv_dup(a->m->to.uri.user);
	x->host = mem_strdup(dir_user_domain(u));
	if (x->owner && x->user && x->host && publisher_enter(x))
		return x;
	publication_free(x);
	return NULL;
}

/* Under a new tag. */
static ON_CTL bool publication_enter(struct asked *a, struct publication *x)
{
	struct watch_profile *wp = watch_profile_of(a->p);
	char old[ETAG_CHARS + 1];
	memcpy(old, x->etag, sizeof(old));
	tags_forget(x);
	if (*old && !a->m->body.n && hash_set(wp->publications, sv_of(old), x) == ST_OK)
		memcpy(x->last_etag, old, sizeof(old));
	etag_new(x->etag);
	if (hash_set(wp->publications, sv_of(x->etag), x) < 0) {
		*x->etag = 0;
		tags_forget(x);
		publication_free(x);
		return false;
	}
	loop_timer_set(&x->timer, clock_us_of_s(a->expires_s), "sip.publication", on_expired, x);
	return true;
}

static ON_CTL void state_take(struct asked *a, struct publication *x, const struct pidf *pidf)
{
	struct buf from;
	buf_init(&from);
	buf_printf(&from, "%s@%.*s", x->user, SVF(a->m->to.uri.host));
	published_event(
	    a->p, buf_sv(&from), x->is_presence ? pidf : NULL, a->event, sip_msg_value(a->m, SIP_HDR_USER_AGENT));
	buf_fini(&from);
	if (x->is_presence)
		presence_publish(&(struct presence_words){.user = sv_of(x->user),
		    .host = sv_of(x->host),
		    .rpid = sv_of(pidf->rpid),
		    .note = sv_of(pidf->note),
		    .is_closed = pidf->is_closed});
}

static ON_CTL void publish(struct asked *a)
{
	struct pidf pidf;
	char etag[ETAG_CHARS + 1];
	a->expires_s = granted_s(a);
	if (!a->expires_s) {
		if (a->old)
			publication_end(a->old);
		etag_new(etag);
		answer(a, etag);
		return;
	}
	if (a->is_presence && a->m->body.n && !sv_isi(a->m->content_type, "application/pidf+xml")) {
		refuse(a, 415, NULL, "Accept: application/pidf+xml\r\n");
		return;
	}
	if (a->is_presence && a->m->body.n && pidf_read(&pidf, a->m->body)) {
		refuse(a, 400, "Bad Presence Document", NULL);
		return;
	}
	struct publication *x = a->old ? a->old : publication_new(a);
	if (!x || !publication_enter(a, x)) {
		refuse(a, 503, NULL, "Retry-After: 60\r\n");
		return;
	}
	answer(a, x->etag);
	if (a->m->body.n)
		state_take(a, x, &pidf);
}

void publish_in(struct profile *p, struct sip_stx *tx, const struct sip_msg *m)
{
	struct asked a = {.p = p, .tx = tx, .m = m};
	struct sv params;
	buf_init(&a.owner);
	sv_split(sip_msg_value(m, SIP_HDR_EVENT), ';', &a.event, &params);
	a.event = sv_trim(a.event);
	a.is_presence = sv_isi(a.event, "presence");
	if (auth_check(p, tx, m, &a.auth) != AUTH_OK)
		goto out;
	if (!profile_conf_has_presence(&p->conf) || (!a.is_presence && !sv_isi(a.event, "dialog")))
		refuse(&a, 489, NULL, NULL);
	else if (is_of_himself(&a) && is_matched(&a))
		publish(&a);
out:
	auth_fini(&a.auth);
	buf_fini(&a.owner);
}
