/* Message waiting: what a box holds is told when it changes, and when somebody asks (MESSAGE_QUERY: a phone subscribed
 * or registered), from memory; whoever asked before the boxes have been counted is told when they have. */
#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "voicemail/vm_i.h"
#include <strings.h>

enum { EARLY_MAX = 200000 }; /* more phones than ask within the moment that counting takes */
static struct event_sub *sub;
static struct event **early; /* questions that wait */
static unsigned early_count, early_cap;

static ON_CTL char *account_dup(const char *user, const char *domain)
{
	struct dir_user *u;
	struct buf b;
	buf_init(&b);
	if (!dir_user_find(sv_of(user), sv_of(domain), &u)) {
		const char *other = dir_user_param(u, "mwi-account");
		buf_adds(&b, other && *other ? other : "");
		mem_unref(u);
	}
	if (!b.n)
		buf_printf(&b, "%s@%s", user, domain);
	else if (!strchr(b.p, '@'))
		buf_printf(&b, "@%s", domain);
	return buf_take(&b);
}

void vm_mwi_update(struct vm_db *db, const char *user, const char *domain, const char *reason)
{
	struct vm_counts c;
	struct event *e;
	vm_db_count(db, user, domain, &c);
	if (event_is_wanted(EVENT_MESSAGE_WAITING, NULL) && (e = event_new(EVENT_MESSAGE_WAITING, NULL))) {
		char *account = account_dup(user, domain);
		event_add(e, "MWI-Messages-Waiting", c.new_count ? "yes" : "no");
		event_add(e, "Update-Reason", reason);
		event_add(e, "MWI-Message-Account", account ? account : "");
		event_addf(e, "MWI-Voice-Message", "%u/%u", c.new_count, c.saved_count);
		event_fire(e);
		mem_free(account);
	}
	if (!(e = vm_event_new(NULL, "mwi-update")))
		return;
	event_add(e, "VM-User", user);
	event_add(e, "VM-Domain", domain);
	event_addf(e, "VM-Total-New", "%u", c.new_count);
	event_addf(e, "VM-Total-Saved", "%u", c.saved_count);
	event_addf(e, "VM-Total-New-Urgent", "%u", c.new_urgent);
	event_addf(e, "VM-Total-Saved-Urgent", "%u", c.saved_urgent);
	event_fire(e);
}

struct sum {
	const char *user, *domain;
	struct vm_counts c;
	bool is_known; /* it had messages since the start */
};
static void sum_add(const struct vm_db *db, void *arg)
{
	struct sum *s = arg;
	struct vm_counts c;
	role_assert_ctl();
	s->is_known |= vm_db_counts_peek(db, s->user, s->domain, &c);
	s->c.new_count += c.new_count, s->c.saved_count += c.saved_count;
	s->c.new_urgent += c.new_urgent, s->c.saved_urgent += c.saved_urgent;
}

static ON_CTL void answer(const struct event *q, const char *account, const struct sum *s)
{
	struct event *e = event_new(EVENT_MESSAGE_WAITING, NULL);
	if (!e)
		return;
	event_add(e, "MWI-Messages-Waiting", s->c.new_count ? "yes" : "no");
	event_add(e, "MWI-Message-Account", account);
	event_addf(e, "MWI-Voice-Message", "%u/%u (%u/%u)", s->c.new_count, s->c.saved_count, s->c.new_urgent,
	    s->c.saved_urgent);
	for (size_t i = 0; i < event_header_count(q); i++) {
		const char *name, *value;
		event_header_at(q, i, &name, &value);
		if (!strncasecmp(name, "VM-", 3) && name[3])
			event_add(e, name + 3, value); /* whose question it was */
	}
	event_fire(e);
}

static void not_counted(const struct vm_db *db, void *arg)
{
	if (!db->is_counted)
		*(bool *)arg = true;
}

static ON_CTL int early_put(struct event *q)
{
	if (early_count == early_cap) {
		unsigned cap = early_cap ? 2 * early_cap : 256;
		struct event **grown = early_cap < EARLY_MAX ? mem_realloc(early, cap * sizeof(struct event *)) : NULL;
		if (!grown)
			return ST_FULL;
		early = grown, early_cap = cap;
	}
	early[early_count++] = mem_ref(q);
	return ST_OK;
}

static ON_CTL bool is_too_early(struct event *q)
{
	bool is_early = false;
	vm_db_each(not_counted, &is_early);
	if (is_early && early_put(q))
		log_warning("voicemail: a question for messages waiting is not answered: too many before the boxes are "
		            "counted");
	return is_early;
}

static void on_query(struct event *q, void *arg)
{
	const char *account;
	struct sv user, domain, v;
	struct dir_user *u;
	(void)arg;
	role_assert_ctl();
	account = event_get(q, "Message-Account");
	v = sv_of(account);
	if (is_too_early(q))
		return;
	if (sv_startsi(v, SV("sip:")))
		v = sv_sub(v, 4, v.n);
	if (v.n > 512 || !sv_split(v, '@', &user, &domain) || dir_user_find(user, domain, &u))
		return;
	struct sum s = {.user = dir_user_id(u), .domain = dir_user_domain(u)};
	const char *enabled = dir_user_param(u, "vm-enabled");
	if (!enabled || str_is_true(enabled)) {
		vm_db_each(sum_add, &s);
		if (s.is_known || !event_get(q, "VM-Call-ID")) /* a phone that registers need not hear of nothing */
			answer(q, account, &s);
	}
	mem_unref(u);
}

void vm_mwi_counted(void)
{
	unsigned n = early_count;
	early_count = 0;
	for (unsigned i = 0; i < n; i++) {
		struct event *q = early[i];
		on_query(q, NULL); /* may wait again, behind those seen */
		mem_unref(q);
	}
	if (!early_count) {
		mem_free(early);
		early = NULL, early_cap = 0;
	}
}

int vm_mwi_start(void)
{
	role_assert_ctl();
	int st = event_sub_new(&sub, on_query, NULL);
	if (!st)
		event_sub_want(sub, EVENT_MESSAGE_QUERY, true);
	return st;
}

void vm_mwi_stop(void)
{
	if (sub)
		event_sub_free(sub);
	sub = NULL;
	while (early_count)
		mem_unref(early[--early_count]);
	mem_free(early);
	early = NULL, early_cap = 0;
}
