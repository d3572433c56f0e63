/* Legs: making them, the table by uuid and by age, variables, and starting them off. What happens afterwards is in
 * state.c, exec.c and teardown.c. */
#include "core/leg/leg.h"
#include "base/clock.h"
#include "base/fmt.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/conf/config.h"
#include "core/event/event.h"
#include "core/leg/leg_core.h"
#include "core/leg/leg_i.h"
#include "core/registry/endpoint.h"
#include "core/registry/limits.h"
#include "core/value/cause.h"
#include "core/value/vars.h"
#include "text/mark.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

static struct hash *by_uuid;
static struct list by_age = {{&by_age.head, &by_age.head}};

static void leg_dtor(void *obj)
{
	struct leg *leg = obj;
	role_assert_ctl();
	LEG_PARTS_DOWN(fini, leg);
	vars_free(leg->vars);
	leg_profile_free(leg->profile);
	leg_profile_free(leg->other);
	str_share_end(leg->name);
	str_share_end(leg->last_app_data);
	mem_free(leg_i(leg)->digits);
	buf_fini(&leg_i(leg)->digits_dialed);
	mem_free(leg_i(leg)->held);
	str_share_end(leg_i(leg)->initial_cid_name);
	str_share_end(leg_i(leg)->initial_cid_number);
}

static ON_CTL int leg_vars_first(struct leg *leg)
{
	int st = vars_new(&leg->vars);
	if (st)
		return st;
	leg_var_set(leg, "direction", leg->is_outbound ? "outbound" : "inbound");
	if (leg->is_outbound)
		leg_var_set(leg, "is_outbound", "true");
	leg_var_set(leg, "uuid", leg->uuid);
	leg_var_setf(leg, "session_id", "%llu", (unsigned long long)leg->serial);
	return ST_OK;
}

static ON_CTL int parts_init(struct leg *leg)
{
	int st = ST_OK;

	for (unsigned i = 0; i < leg_part_count() && !st; i++)
		if (leg_part_at(i)->init)
			st = leg_part_at(i)->init(leg);
	return st;
}

/* It names files, and is pasted into commands' lines and records: whoever asks for it, it has no sign of theirs. */
static bool is_id(const char *uuid)
{
	static const char plain[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.:@+";
	size_t n = strspn(uuid, plain);

	return !uuid[n] && n <= UUID_CHARS;
}

int leg_new(struct leg **out, const struct endpoint_ops *ops, bool is_outbound, const char *uuid)
{
	struct leg *leg = NULL;
	int st;

	if (uuid && *uuid && !is_id(uuid)) {
		log_notice(
		    "a leg's id is at most %d letters, digits and -_.:@+; there is no leg of another", UUID_CHARS);
		return ST_INVAL;
	}
	if (uuid && *uuid && leg_find(uuid))
		return ST_EXISTS;
	if (!by_uuid && hash_new(&by_uuid, 0, NULL))
		return ST_NOMEM;
	st = limits_session_begin(is_outbound);
	if (st)
		return st;
	st = ST_NOMEM;
	leg = mem_new(leg_full_bytes(), leg_dtor, "core.leg");
	if (!leg)
		goto fail;
	if (uuid && *uuid)
		snprintf(leg->uuid, sizeof(leg->uuid), "%s", uuid);
	else
		uuid_make(leg->uuid);
	memcpy(leg->call_uuid, leg->uuid, sizeof(leg->call_uuid));
	leg->ops = ops;
	leg->is_outbound = is_outbound;
	leg->hit_dialplan = !is_outbound;
	leg->state = CS_NEW;
	leg->running_state = is_outbound ? CS_NONE : CS_NEW;
	leg->loglevel = LOG_DISABLE;
	leg->serial = limits_serial();
	buf_init(&leg_i(leg)->digits_dialed);
	if (parts_init(leg) || leg_vars_first(leg) || hash_set(by_uuid, sv_of(leg->uuid), leg))
		goto fail;
	list_push(&by_age, &leg->all_link);
	*out = leg;
	return ST_OK;
fail:
	mem_unref(leg);
	limits_session_end();
	return st;
}

void leg_table_remove(struct leg *leg)
{
	hash_take(by_uuid, sv_of(leg->uuid));
	list_remove(&leg->all_link);
	limits_session_end();
	if (!hash_count(by_uuid)) {
		hash_free(by_uuid);
		by_uuid = NULL;
	}
}

struct leg *leg_find(const char *uuid)
{
	return by_uuid && uuid ? hash_get(by_uuid, sv_of(uuid)) : NULL;
}
size_t leg_count(void)
{
	return by_uuid ? hash_count(by_uuid) : 0;
}
bool leg_is_up(const struct leg *leg)
{
	return leg->state < CS_HANGUP;
}

void leg_each(bool (*fn)(struct leg *leg, void *arg), void *arg)
{
	struct lnode *it = by_age.head.next;
	bool goes_on = true;

	while (it != &by_age.head && goes_on) {
		struct leg *leg = mem_ref(list_entry(it, struct leg, all_link));
		goes_on = fn(leg, arg);
		it = lnode_is_linked(&leg->all_link) ? leg->all_link.next : &by_age.head;
		mem_unref(leg);
	}
}

struct hangup_all {
	enum cause cause;
	const char *var, *value;
	size_t count;
};

static bool hangup_one(struct leg *leg, void *arg)
{
	struct hangup_all *h = arg;
	const char *value;

	role_assert_ctl();
	if (!leg_is_up(leg))
		return true;
	value = h->var ? leg_var(leg, h->var) : NULL;
	if (h->var && (!value || !h->value || strcmp(value, h->value)))
		return true;
	leg_hangup(leg, h->cause);
	h->count++;
	return true;
}

size_t leg_hangup_all(enum cause cause, const char *var, const char *value)
{
	struct hangup_all h = {cause, var, value, 0};
	leg_each(hangup_one, &h);
	return h.count;
}

void leg_set_name(struct leg *leg, const char *name)
{
	leg_profile_set(&leg->name, name);
	leg_var_set(leg, "channel_name", name);
	if (leg->profile)
		leg_profile_share(&leg->profile->chan_name, leg->name);
}

void leg_set_profile(struct leg *leg, struct leg_profile *profile)
{
	struct leg_profile *old = leg->profile;

	profile->is_outbound = leg->is_outbound;
	profile->is_originator_side = !leg->is_outbound;
	leg_profile_set(&profile->uuid, leg->uuid);
	leg_profile_share(&profile->chan_name, leg->name);
	if (!profile->orig_caller_id_name)
		leg_profile_share(&profile->orig_caller_id_name, profile->caller_id_name);
	if (!profile->orig_caller_id_number)
		leg_profile_share(&profile->orig_caller_id_number, profile->caller_id_number);
	if (old)
		profile->times = old->times;
	else
		memset(&profile->times, 0, sizeof(profile->times));
	profile->times.profile_created = clock_wall_us();
	if (!profile->times.created)
		profile->times.created = profile->times.profile_created;
	profile->index = old ? old->index + 1 : 1;
	profile->older = old;
	leg->profile = profile;
}

/* An outbound leg that goes on alone is its own caller: the ids change sides (FreeSWITCH's flip_cid). */
void leg_flip_cid(struct leg *leg)
{
	struct leg_profile *p = leg->profile;
	char *name, *number;
	struct event *e;

	if (!p || !leg->is_outbound || leg_i(leg)->is_cid_flipped)
		return;
	leg_i(leg)->is_cid_flipped = true;
	leg_profile_share(&leg_i(leg)->initial_cid_name, p->caller_id_name);
	leg_profile_share(&leg_i(leg)->initial_cid_number, p->caller_id_number);
	name = p->caller_id_name, number = p->caller_id_number;
	p->caller_id_name = p->callee_id_name, p->caller_id_number = p->callee_id_number;
	p->callee_id_name = name, p->callee_id_number = number;
	if (event_is_wanted(EVENT_CALL_UPDATE, NULL) && (e = event_new(EVENT_CALL_UPDATE, NULL))) {
		event_add(e, "Direction", "RECV");
		leg_event_headers(leg, e);
		event_fire(e);
	}
}

bool leg_is_cid_flipped(const struct leg *leg)
{
	return leg_i(leg)->is_cid_flipped;
}

void leg_initial_cid(const struct leg *leg, const char **name, const char **number)
{
	const struct leg_profile *first = leg->profile;

	while (first && first->older)
		first = first->older;
	*name = first ? first->caller_id_name : NULL, *number = first ? first->caller_id_number : NULL;
	if (leg_i(leg)->is_cid_flipped)
		*name = leg_i(leg)->initial_cid_name, *number = leg_i(leg)->initial_cid_number;
}

void leg_show_callee(struct leg *a, const struct leg *b)
{
	if (!a->profile || !b->profile)
		return;
	leg_profile_share(&a->profile->callee_id_name, b->profile->callee_id_name);
	leg_profile_share(&a->profile->callee_id_number, b->profile->callee_id_number);
	if (b->other) {
		leg_profile_share(&b->other->callee_id_name, b->profile->callee_id_name);
		leg_profile_share(&b->other->callee_id_number, b->profile->callee_id_number);
	}
}

static bool is_text(const char *a, const char *b)
{
	return a && b && !strcmp(a, b);
}

bool leg_own_id_set(struct leg *leg, const char *name, const char *number)
{
	struct leg_profile *p = leg->profile;
	bool is_callee = leg->is_outbound && !leg_i(leg)->is_cid_flipped;

	if (!p)
		return false;
	char **own_name = is_callee ? &p->callee_id_name : &p->caller_id_name,
	     **own_number = is_callee ? &p->callee_id_number : &p->caller_id_number;
	if (is_text(*own_name, name) && is_text(*own_number, number))
		return false;
	leg_profile_set(own_name, name);
	leg_profile_set(own_number, number);
	return true;
}

int leg_display(struct leg *leg, const char *name, const char *number)
{
	struct event *e;
	int st;

	if (!leg->ops || !leg->ops->display)
		return ST_UNSUPPORTED;
	st = leg->ops->display(leg, name, number);
	if (st && st != ST_UNSUPPORTED)
		return st;
	if (!event_is_wanted(EVENT_CALL_UPDATE, NULL) || !(e = event_new(EVENT_CALL_UPDATE, NULL)))
		return st;
	event_add(e, "Direction", "SEND");
	event_add(e, "Sent-Callee-ID-Name", name && *name ? name : number);
	event_add(e, "Sent-Callee-ID-Number", number);
	if (leg->peer)
		event_add(e, "Bridged-To", leg->peer->uuid);
	leg_event_headers(leg, e);
	event_fire(e);
	return st;
}

static ON_CTL int start_outbound(struct leg *leg)
{
	int st;
	leg_state_run(leg);
	leg_state_input(leg, IN_ROUTE);
	st = leg->ops->on_init ? leg->ops->on_init(leg) : ST_OK;
	if (st)
		return st;
	leg_event(leg, EVENT_CHANNEL_CREATE);
	leg_event(leg, EVENT_CHANNEL_ORIGINATE);
	if (!leg_is_up(leg))
		return ST_OK; /* the endpoint reported the end from within */
	leg_state_run(leg);
	leg_state_input(leg, IN_CONSUME);
	leg_state_run(leg);
	return ST_OK;
}

int leg_start(struct leg *leg)
{
	int st = ST_OK;

	if (leg->state > CS_INIT || leg_i(leg)->is_started)
		return ST_INVAL;
	leg_i(leg)->is_started = true;
	if (!leg->profile) {
		struct leg_profile *p = leg_profile_new();
		if (!p)
			return ST_NOMEM;
		leg_set_profile(leg, p);
	}
	leg_log(leg, LOG_NOTICE, "New Channel %s [%s]", leg->name, leg->uuid);
	if (!leg->is_outbound)
		leg_state_run(leg);
	if (leg->state == CS_NEW)
		leg_state_input(leg, IN_INIT);
	if (leg->is_outbound) {
		st = start_outbound(leg);
	} else {
		leg_state_run(leg);
		leg_state_input(leg, IN_ROUTE);
		leg_var_set(leg, "call_uuid", leg->call_uuid);
		leg_event(leg, EVENT_CHANNEL_CREATE);
		LEG_PARTS(on_start, leg);
	}
	if (st)
		leg_hangup(leg, cause_of_media(st, CAUSE_DESTINATION_OUT_OF_ORDER));
	return st;
}

/* ---- variables ---- */

static ON_CTL void var_was_set(struct leg *leg, const char *name, int st)
{
	if (st)
		leg_log(leg, LOG_WARNING, "variable %s was not set: too many or too long", name);
}

/* No byte of it begins a mark or "${": nothing needs a second look. Eight at a time; a byte that only looks so says no.
 */
static bool is_plain(const char *p, size_t n)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), tops = UINT64_C(0x8080808080808080);
	uint64_t w, odd = 0;

	for (size_t i = 0; i + 8 <= n; i += 8) {
		memcpy(&w, p + i, 8);
		odd |= (w - ones * 0x20) | ((w ^ ones * '$') - ones);
	}
	if (n >= 8) { /* the last eight, some of them for the second time */
		memcpy(&w, p + n - 8, 8);
		odd |= (w - ones * 0x20) | ((w ^ ones * '$') - ones);
		return !(odd & tops);
	}
	for (; n; n--, p++)
		odd |= (unsigned char)*p < 0x20 || *p == '$' ? tops : 0;
	return !(odd & tops);
}

static bool has_reference(struct sv v)
{
	for (size_t at; (at = sv_find(v, '$')) + 1 < v.n; v = sv_sub(v, at + 1, v.n))
		if (v.p[at + 1] == '{')
			return true;
	return false;
}

void leg_var_put(struct leg *leg, struct sv name, struct sv value)
{
	char *plain = NULL;

	if (!is_plain(value.p, value.n)) {
		if (mark_has(value)) {
			plain = mark_strip_dup(value);
			value = sv_of(plain);
		}
		if (has_reference(value)) {
			leg_log(leg, LOG_CRIT, "Invalid data (${%.*s} contains a variable)", SVF(name));
			mem_free(plain);
			return;
		}
	}
	var_was_set(leg, name.p, vars_put_outside(leg->vars, name, value));
	mem_free(plain);
}

void leg_var_share(struct leg *leg, const char *name, char *shared)
{
	if (shared && !mark_has(sv_of(shared)) && !has_reference(sv_of(shared)))
		var_was_set(leg, name, vars_share(leg->vars, name, shared));
	else
		leg_var_set(leg, name, shared);
}

void leg_var_set_sv(struct leg *leg, const char *name, struct sv value)
{
	leg_var_put(leg, sv_of(name), sv_sub(value, 0, value.n ? strnlen(value.p, value.n) : 0));
}

void leg_var_set_int(struct leg *leg, const char *name, int64_t value)
{
	char text[24], *p = text;

	if (value < 0)
		*p++ = '-';
	p += fmt_u64(p, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
	var_was_set(leg, name, vars_set_outside_sv(leg->vars, name, (struct sv){text, (size_t)(p - text)}));
}

void leg_var_set_text(struct leg *leg, const char *name, const char *text)
{
	var_was_set(leg, name, vars_set(leg->vars, name, text));
}

void leg_var_copy(struct leg *to, const char *to_name, const struct leg *from, const char *name)
{
	var_was_set(to, to_name, vars_copy_one(to->vars, to_name, from->vars, name));
}

void leg_var_setf(struct leg *leg, const char *name, const char *fmt, ...)
{
	char text[256];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = fmt_vprint(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(text)) {
		leg_var_put(leg, sv_of(name), (struct sv){text, (size_t)n});
	} else if (n > 0) {
		struct buf b;
		buf_init(&b);
		va_start(ap, fmt);
		buf_vprintf(&b, fmt, ap);
		va_end(ap);
		leg_var_set(leg, name, b.p);
		buf_fini(&b);
	}
}

/* aleg_NAME and bleg_NAME: the field of who called this leg, or of whom it called. */
static ON_CTL const char *profile_var(const struct leg *leg, struct sv name)
{
	if (name.n > 5 && (name.p[0] == 'a' || name.p[0] == 'b') && !memcmp(name.p + 1, "leg_", 4))
		return (name.p[0] == 'a') == leg->other_is_originator
		           ? leg_profile_field_sv(leg->other, sv_sub(name, 5, name.n))
		           : NULL;
	return leg_profile_field_sv(leg->profile, name);
}

const char *leg_text(struct leg *leg, const char *name, struct buf *scratch)
{
	return leg_text_at(leg, name, -1, scratch);
}

const char *leg_text_at(struct leg *leg, const char *name, long index, struct buf *scratch)
{
	const char *text = index < 0 ? vars_text(leg->vars, name, scratch)
	                             : vars_element(leg->vars, name, (size_t)index, scratch),
	           *value;

	if (text)
		return text;
	if (leg->profile && leg->profile->destination_text && !strcasecmp(name, "destination_number"))
		return leg->profile->destination_text;
	value = profile_var(leg, sv_of(name));
	if (!value)
		return globals_text(name);
	if (!strcasecmp(name, "context") || !strcasecmp(name, "dialplan") || !strcasecmp(name, "source"))
		return value; /* never named from outside */
	buf_clear(scratch);
	mark_put(scratch, sv_of(value));
	return scratch->failed ? "" : scratch->p;
}

char *leg_text_dup(struct leg *leg, const char *name)
{
	struct buf scratch;
	const char *text;
	char *copy;

	buf_init(&scratch);
	text = leg_text(leg, name, &scratch);
	copy = text ? mem_strdup(text) : NULL;
	buf_fini(&scratch);
	return copy;
}

char *leg_path_dup(struct leg *leg, const char *text)
{
	struct buf path;
	int st;

	buf_init(&path);
	st = mark_strip_path(&path, sv_of(text));
	if (!st)
		return buf_take(&path);
	buf_clear(&path);
	mark_strip(&path, sv_of(text));
	leg_log(
	    leg, LOG_WARNING, "what comes from outside leads elsewhere, file refused: %.200s", path.p ? path.p : "");
	buf_fini(&path);
	return NULL;
}

const char *leg_var_beyond(struct leg *leg, const char *name)
{
	struct sv key = sv_of(name);
	const char *value = profile_var(leg, key);

	return value ? value : globals_get_sv(key);
}

bool leg_var_is_true(struct leg *leg, const char *name)
{
	return str_is_true(leg_var(leg, name));
}
