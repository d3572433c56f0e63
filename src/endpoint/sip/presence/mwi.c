/* Message waiting (RFC 3842). Whoever keeps mailboxes fires MESSAGE_WAITING; its words are kept in the presence table
 * by account, told to who subscribed, and sent unasked to the account's phones that are registered, as FreeSWITCH does.
 * sub-call-id names the one subscription that asked (MESSAGE_QUERY), Call-ID the one registration. What is known when a
 * phone subscribes is told at once. */
#include "endpoint/sip/presence/watch_i.h"

static struct event_sub *sub;

enum { VOICE_MAX = 64 };
/* "yes 1/0 (0/0)" in the entity's note; its account as the event said it */
static ON_CTL void words_of(const struct presence_entity *e, struct sv *waiting, struct sv *voice)
{
	*waiting = SV("no"), *voice = SV_NONE;
	if (e && e->has_note && e->note)
		sv_split(sv_of(e->note), ' ', waiting, voice);
}

static ON_CTL void summary_put(const struct presence_entity *e, struct sv account, struct buf *out)
{
	struct sv waiting, voice;
	words_of(e, &waiting, &voice);
	buf_printf(out, "Messages-Waiting: %.*s\r\nMessage-Account: sip:%.*s\r\n", SVF(waiting), SVF(account));
	if (voice.n)
		buf_printf(out, "Voice-Message: %.*s\r\n", SVF(voice));
}

static ON_CTL void account_put(struct buf *out, const char *user, struct sv host)
{
	sip_escape_user(out, sv_of(user));
	buf_addc(out, '@');
	buf_addv(out, host);
}

void body_mwi_put(const struct watcher *w, struct buf *out)
{
	struct buf account;
	buf_init(&account);
	account_put(&account, w->user, sv_of(w->host));
	summary_put(w->watch.entity, buf_sv(&account), out);
	buf_fini(&account);
}

/* "1/0 (0/0)": digits and what stands between them. */
static bool is_voice(struct sv v)
{
	for (size_t i = 0; i < v.n; i++)
		if (!strchr("0123456789/() ", v.p[i]))
			return false;
	return v.n < VOICE_MAX;
}

/* ---- phones that did not subscribe ---- */

static ON_CTL void notify_phone(struct profile *p, const struct reg *r, const struct presence_entity *e)
{
	struct buf body, to;
	buf_init(&body), buf_init(&to);
	account_put(&to, r->user, sv_of(r->host));
	summary_put(e, buf_sv(&to), &body);
	char *from = NULL;
	struct buf address;
	buf_init(&address);
	buf_printf(&address, "<sip:%.*s>", SVF(buf_sv(&to)));
	from = buf_take(&address);
	if (from && !body.failed)
		profile_request_send(p, &(struct profile_request){.method = "NOTIFY",
		                            .target = r->target,
		                            .from = from,
		                            .to = from,
		                            .headers = "Event: message-summary\r\nSubscription-State: "
		                                       "terminated;reason=noresource\r\n",
		                            .ctype = "application/simple-message-summary",
		                            .body = buf_sv(&body)});
	mem_free(from);
	buf_fini(&body), buf_fini(&to);
}

static ON_CTL void notify_phones(
    struct profile *only, struct sv user, struct sv host, const char *call_id, const struct presence_entity *e)
{
	const struct reg *regs[REG_CONTACTS_MAX];
	for (struct profile *p = profile_next(NULL); p; p = profile_next(p)) {
		if ((only && p != only) || !profile_conf_has_presence(&p->conf))
			continue;
		size_t n = reg_table_find(reg_table_of(p), user, host, regs, REG_CONTACTS_MAX);
		for (size_t i = 0; i < n && i < REG_CONTACTS_MAX; i++)
			if (!call_id || !strcmp(call_id, regs[i]->call_id))
				notify_phone(p, regs[i], e);
	}
}

/* ---- events ---- */

/* "sip:1000@host" or "1000@host" */
static bool account_parse(const char *text, struct sv *user, struct sv *host)
{
	struct sv v = sv_of(text);
	if (sv_startsi(v, SV("sip:")))
		v = sv_sub(v, 4, v.n);
	return v.n && v.n <= 256 && sv_split(v, '@', user, host) && user->n && sip_is_host(*host);
}

static ON_CTL void waiting_in(const struct event *e)
{
	const char *account = event_get(e, "MWI-Message-Account"), *waiting = event_get(e, "MWI-Messages-Waiting"),
	           *voice = event_get(e, "MWI-Voice-Message"), *profile = event_get(e, "Sofia-Profile"),
	           *call_id = event_get(e, "Call-ID"), *sub_call_id = event_get(e, "sub-call-id");
	struct sv user, host;
	struct buf note;
	if (!account_parse(account, &user, &host) || !waiting || (voice && !is_voice(sv_of(voice)))) {
		log_error("sofia: MESSAGE_WAITING: MWI-Message-Account, MWI-Messages-Waiting or MWI-Voice-Message is "
		          "missing or no such thing");
		return;
	}
	buf_init(&note);
	buf_printf(&note, "%s%s%s", str_is_true(waiting) ? "yes" : "no", voice ? " " : "", voice ? voice : "");
	presence_publish(
	    &(struct presence_words){.kind = SV("mwi"), .user = user, .host = host, .note = buf_sv(&note)});
	buf_fini(&note);
	if (!sub_call_id)
		notify_phones(profile ? profile_find(sv_of(profile)) : NULL, user, host, call_id,
		    presence_entity_peek(SV("mwi"), user, host));
}

/* A phone has registered: it hears what is known of its box. */
static ON_CTL void query_in(const struct event *e)
{
	const char *call_id = event_get(e, "VM-Call-ID"), *profile = event_get(e, "VM-Sofia-Profile");
	struct sv user, host;
	if (!call_id || !account_parse(event_get(e, "Message-Account"), &user, &host))
		return;
	const struct presence_entity *box = presence_entity_peek(SV("mwi"), user, host);
	if (box && box->has_note)
		notify_phones(profile ? profile_find(sv_of(profile)) : NULL, user, host, call_id, box);
}

static void on_event(struct event *e, void *arg)
{
	role_assert_ctl();
	if (event_id(e) == EVENT_MESSAGE_WAITING)
		waiting_in(e);
	else if (event_id(e) == EVENT_MESSAGE_QUERY)
		query_in(e);
}

void mwi_query(const struct watcher *w, struct sv call_id)
{
	struct event *e;
	if (!event_is_wanted(EVENT_MESSAGE_QUERY, NULL) || !(e = event_new(EVENT_MESSAGE_QUERY, NULL)))
		return;
	event_addf(e, "Message-Account", "sip:%s@%s", w->user, w->host);
	event_add(e, "VM-Sofia-Profile", w->p->conf.name);
	event_addf(e, "VM-sub-call-id", "%.*s", SVF(call_id));
	event_fire(e);
}

int mwi_start(void)
{
	int st = event_sub_new(&sub, on_event, NULL);
	if (st)
		return st;
	event_sub_want(sub, EVENT_MESSAGE_WAITING, true);
	event_sub_want(sub, EVENT_MESSAGE_QUERY, true);
	return ST_OK;
}

void mwi_stop(void)
{
	if (sub)
		event_sub_free(sub);
	sub = NULL;
}
