/* Where a leg goes: the hunt through its dialplans, another extension's actions run in place, and transfers. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/leg/leg.h"
#include "core/leg/leg_core.h"
#include "core/registry/dialplan.h"
#include "core/run/exec.h"
#include "core/run/exec_i.h"
#include "core/run/run_core.h"
#include "core/value/cause.h"
#include "core/value/vars.h"
#include "text/mark.h"
#include <string.h>

/* The next item of a list, in place: up to the first ',' outside of single quotes, which go; NULL at the end. */
static char *item_take(char **rest)
{
	char *item = *rest, *to = item;
	bool is_quoted = false;

	if (!item)
		return NULL;
	for (char *p = item;; p++) {
		if (*p == '\'') {
			is_quoted = !is_quoted;
		} else if (*p && (is_quoted || *p != ',')) {
			*to++ = *p;
		} else {
			*rest = *p ? p + 1 : NULL;
			*to = 0;
			return item + strspn(item, " ");
		}
	}
}

/* Tries the profile's dialplans ("XML,'inline:set:a=1,park:'") in turn. */
static CO int hunt(struct leg *leg)
{
	char *list = mem_strdup(leg->profile->dialplan && *leg->profile->dialplan ? leg->profile->dialplan : "XML");
	char *rest = list, *name;
	int st = ST_NOTFOUND;

	if (!list)
		return ST_NOMEM;
	while (st == ST_NOTFOUND && leg_is_up(leg) && (name = item_take(&rest))) {
		if (!*name)
			continue;
		char *args = strchr(name, ':');
		const struct dialplan_desc *d;
		if (args)
			*args++ = 0;
		d = dialplan_find(sv_of(name));
		if (!d) {
			leg_log(leg, LOG_WARNING, "no dialplan is called '%s'", name);
			continue;
		}
		st = d->hunt(leg, args && *args ? args : NULL);
	}
	mem_free(list);
	return st;
}

/* Hunts with a profile that lasts only for it; what inline actions and a transfer do to the leg stays. */
static CO int hunt_aside(struct leg *leg, const char *exten, const char *dialplan, const char *context)
{
	struct leg_profile *old = leg->profile, *p = leg_profile_dup(old);
	int st;

	if (!p)
		return ST_NOMEM;
	p->times = old->times, p->index = old->index;
	leg_profile_set(&p->rdnis, leg->profile->destination_number);
	leg_profile_destination_set(p, exten);
	if (dialplan && *dialplan)
		leg_profile_set(&p->dialplan, dialplan);
	if (context && *context)
		leg_profile_set(&p->context, context);
	leg->profile = p;
	exec_of(leg)->is_hunting = true;
	st = hunt(leg);
	exec_of(leg)->is_hunting = false;
	if (leg->profile == p)
		leg->profile = old;
	else
		for (struct leg_profile *q = leg->profile; q; q = q->older)
			if (q->older == p)
				q->older = old;
	p->older = NULL;
	leg_profile_free(p);
	return st;
}

/* The configuration names dialplans and contexts, nobody else. */
static ON_CTL bool is_named_outside(struct leg *leg, const char *dialplan, const char *context)
{
	if ((!dialplan || !mark_has(sv_of(dialplan))) && (!context || !mark_has(sv_of(context))))
		return false;
	leg_log(leg, LOG_WARNING, "a dialplan or context named from outside is refused");
	return true;
}

int leg_exec_extension(struct leg *leg, const char *exten, const char *dialplan, const char *context)
{
	struct leg_exec *x = exec_of(leg);
	struct exec_items saved;
	struct exec_item *item;
	int st;

	if (x->depth >= NESTING_MAX)
		return ST_LIMIT;
	if (is_named_outside(leg, dialplan, context))
		return ST_DENIED;
	exec_items_init(&saved);
	exec_items_move(&saved, &x->list);
	st = hunt_aside(leg, exten, dialplan, context);
	if (!st && !x->list.first)
		st = ST_NOTFOUND;
	while (leg_is_up(leg) && !x->is_rerouted && (item = exec_items_pop(&x->list))) {
		exec_run_app(leg, item->app, item->data, NULL, true);
		mem_free(item);
	}
	if (x->is_rerouted) { /* the list is what comes next; what was left of the old one is given up */
		exec_items_clear(&saved);
		return leg_is_up(leg) ? ST_CANCELLED : ST_HANGUP;
	}
	exec_items_clear(&x->list);
	exec_items_move(&x->list, &saved);
	return leg_is_up(leg) ? st : ST_HANGUP;
}

static ON_CTL void pass(struct leg *leg, enum leg_input in)
{
	leg_state_input(leg, in);
	leg_state_run(leg);
}

void exec_route(struct leg *leg)
{
	struct leg_exec *x = exec_of(leg);
	bool passes_reset = x->passes_reset;
	int st;

	x->passes_reset = false;

	if (x->is_park_next) {
		x->is_park_next = false;
		exec_of(leg)->is_parked = false;
		leg_state_input(leg, IN_PARK);
		leg_state_run(leg);
		leg_park(leg);
		return;
	}
	if (x->is_hibernate_next) {
		x->is_hibernate_next = false;
		if (!leg->peer) { /* the other leg may have been faster */
			pass(leg, IN_HIBERNATE);
			if (passes_reset)
				pass(leg, IN_RESET);
		}
		return;
	}
	if (x->is_soft_next) {
		x->is_soft_next = false;
		if (passes_reset) {
			pass(leg, IN_HIBERNATE);
			pass(leg, IN_RESET);
		}
		pass(leg, IN_SOFT_EXECUTE);
		return;
	}
	leg_state_input(leg, IN_ROUTE);
	leg_state_run(leg);
	leg_hooks_run(leg, LEG_HOOK_ROUTING);
	leg->hit_dialplan = true;
	x->is_hunting = true;
	st = hunt(leg);
	x->is_hunting = false;
	if (!leg_is_up(leg) || x->is_rerouted)
		return;
	if (st || !x->list.first) {
		leg_log(leg, LOG_INFO, "No Route, Aborting");
		leg_hangup(leg, CAUSE_NO_ROUTE_DESTINATION);
		return;
	}
	leg_flip_cid(leg); /* it hunted as it was dialled; from here on it is its own caller */
	leg_state_input(leg, IN_EXECUTE);
	leg_state_run(leg);
}

/* A list of applications was for that time only: who is transferred to a number goes where it would have gone before.
 */
static const char *dialplan_before_inline(const struct leg_profile *p)
{
	while (p && (!p->dialplan || sv_startsi(sv_of(p->dialplan), SV("inline"))))
		p = p->older;
	return p ? p->dialplan : "XML";
}

void leg_note_transfer(struct leg *leg, const char *fmt, ...)
{
	struct leg_profile *p = leg->profile;
	char id[UUID_CHARS + 1];
	struct buf b, plain;
	va_list ap;

	if (!p)
		return;
	uuid_make(id);
	buf_init(&b);
	buf_init(&plain);
	buf_printf(&b, "%lld:%s:", (long long)(clock_wall_us() / 1000000), id);
	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	mark_strip(&plain, buf_sv(&b));
	if (!b.failed && !plain.failed) {
		leg_profile_set(&p->transfer_source, plain.p);
		vars_push(leg->vars, "transfer_history", b.p);
		leg_var_set_text(leg, "transfer_source", b.p);
	}
	buf_fini(&plain);
	buf_fini(&b);
}

/* The profile that hunts at the new place. */
static ON_CTL int transfer(struct leg *leg, const char *exten, const char *dialplan, const char *context)
{
	struct leg_profile *p;

	if (is_named_outside(leg, dialplan, context))
		return ST_DENIED;
	p = exec_of(leg)->reuses_profile ? leg->profile : leg_profile_dup(leg->profile);
	if (!p)
		return ST_NOMEM;
	if (p != leg->profile)
		leg_profile_set(&p->rdnis, leg->profile->destination_number); /* it was redirected from there */
	leg_profile_destination_set(p, exten);
	if (dialplan && *dialplan)
		leg_profile_set(&p->dialplan, dialplan);
	else if (!p->dialplan || sv_startsi(sv_of(p->dialplan), SV("inline")))
		leg_profile_set(&p->dialplan, dialplan_before_inline(leg->profile));
	if (context && *context)
		leg_profile_set(&p->context, context);
	else if (!p->context)
		leg_profile_set(&p->context, "default");
	if (p != leg->profile)
		leg_set_profile(leg, p);
	exec_of(leg)->reuses_profile = false;
	p->times.transferred = clock_wall_us();
	char *to = leg_profile_destination_dup(p);
	leg_note_transfer(leg, "bl_xfer:%s/%s/%s", to ? to : "", p->context, p->dialplan);
	mem_free(to);
	leg_log(leg, LOG_NOTICE, "Transfer %s to %s[%s@%s]", leg->name, p->dialplan, p->destination_number, p->context);
	if (exec_of(leg)->is_hunting)
		exec_items_clear(&exec_of(leg)->list);
	exec_reroute(leg);
	return ST_OK;
}

int leg_transfer(struct leg *leg, const char *exten, const char *dialplan, const char *context)
{
	char *forced[2];
	int st;

	if (!leg_is_up(leg))
		return ST_HANGUP;
	if (!exten || !*exten || !leg->profile)
		return ST_INVAL;
	if (++exec_of(leg)->transfer_count > TRANSFERS_MAX) {
		leg_log(leg, LOG_ERR, "transferred %d times: a loop", TRANSFERS_MAX);
		leg_hangup(leg, CAUSE_EXCHANGE_ROUTING_ERROR);
		return ST_LIMIT;
	}
	forced[0] = leg_text_dup(leg, "force_transfer_dialplan");
	forced[1] = leg_text_dup(leg, "force_transfer_context");
	st = transfer(leg, exten, forced[0] ? forced[0] : dialplan, forced[1] ? forced[1] : context);
	mem_free(forced[0]);
	mem_free(forced[1]);
	return st;
}

void leg_reuse_profile(struct leg *leg)
{
	exec_of(leg)->reuses_profile = true;
}
