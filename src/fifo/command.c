/* The commands of queues: fifo (reports as XML, counts, importance), fifo_member, fifo_add_outbound, fifo_check_bridge;
 * replies as FreeSWITCH's. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/door/door.h"
#include "core/registry/api.h"
#include "core/registry/app_words.h"
#include "core/registry/principal.h"
#include "core/value/vars.h"
#include "fifo/fifo_i.h"
#include "text/mark.h"
#include "text/url.h"
#include "text/xml.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FIFO_USAGE "list|list_verbose|count|debug|status|has_outbound|importance [<fifo name>]|reparse [del_all]"
static int debug_level;

/* ---- the report ---- */

static ON_CTL void attr(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, " %s=\"", name);
	(void)xml_escape(out, sv_of(value), true);
	buf_addc(out, '"');
}

static ON_CTL void attr_url(struct buf *out, const char *name, const char *value)
{
	struct buf b;
	buf_init(&b);
	(void)url_encode(&b, sv_of(value), 0);
	attr(out, name, b.p);
	buf_fini(&b);
}

static ON_CTL void attr_time(struct buf *out, const char *name, int64_t s, const char *never)
{
	char stamp[CLOCK_STAMP_CHARS];
	attr(out, name, s ? clock_stamp(s, stamp) : never);
}

static ON_CTL void attr_u(struct buf *out, const char *name, unsigned n)
{
	buf_printf(out, " %s=\"%u\"", name, n);
}

static ON_CTL void member_put(struct buf *out, const struct fifo_member *m)
{
	char *plain = mark_strip_dup(sv_of(m->target));
	buf_adds(out, "      <member");
	attr_u(out, "simo", m->simo);
	attr_u(out, "use_count", fifo_use_count(m->uuid));
	attr_u(out, "timeout", m->timeout_s);
	attr_u(out, "lag", m->lag_s);
	attr_u(out, "outbound-call-count", m->call_count);
	attr_u(out, "outbound-fail-count", m->fail_count);
	buf_printf(out, " taking-calls=\"%d\"", m->taking_calls);
	attr(out, "status", "");
	attr_u(out, "outbound-call-total-count", m->call_total);
	attr_u(out, "outbound-fail-total-count", m->fail_total);
	attr_time(out, "logged-on-since", m->since_s, "never");
	attr_u(out, "manual-calls-out-count", m->manual_out);
	attr_u(out, "manual-calls-in-count", m->manual_in);
	attr_u(out, "manual-calls-out-total-count", m->manual_out);
	attr_u(out, "manual-calls-in-total-count", m->manual_in);
	attr_u(out, "ring-count", m->ring_count);
	attr_time(out, "start-time", m->start_s, "never");
	attr_time(out, "stop-time", m->stop_s, "never");
	attr_time(out, "next-available", m->next_us > clock_mono_us() ? m->next_s : 0, "now");
	buf_addc(out, '>');
	(void)xml_escape(out, sv_of(plain), false);
	buf_adds(out, "</member>\n");
	mem_free(plain);
}

/* The lines of a leg's record, indented by so many blanks. */
static ON_CTL void record_lines(struct buf *out, struct leg *leg, int indent)
{
	struct buf b;
	struct sv rest, line;
	buf_init(&b);
	leg_record_write(leg, &b);
	for (rest = buf_sv(&b); rest.n;) {
		sv_split(rest, '\n', &line, &rest);
		if (line.n && !sv_starts(line, SV("<?xml")))
			buf_printf(out, "%*s%.*s\n", indent, "", SVF(line));
	}
	buf_fini(&b);
}

/* The record of a leg within its element at that indentation, and the element's end. */
static ON_CTL void record_put(struct buf *out, struct leg *leg, bool is_verbose, int indent, const char *end)
{
	if (is_verbose) {
		buf_addc(out, '\n');
		record_lines(out, leg, indent + 2);
		buf_printf(out, "%*s", indent, "");
	}
	buf_adds(out, end);
}

static ON_CTL void callers_put(struct buf *out, const struct fifo *f, bool is_verbose)
{
	unsigned position = 0;
	for (const struct lnode *it = f->callers.head.next; it != &f->callers.head; it = it->next) {
		const struct fifo_caller *c = list_entry(it, struct fifo_caller, link);
		buf_printf(out, "      <caller uuid=\"%s\" status=\"WAITING\"", c->leg->uuid);
		attr(out, "caller_id_name", c->leg->profile->caller_id_name);
		attr(out, "caller_id_number", c->leg->profile->caller_id_number);
		attr_time(out, "timestamp", c->since_us / 1000000, "");
		attr_u(out, "position", ++position);
		attr_u(out, "slot", c->slot);
		buf_addc(out, '>');
		record_put(out, c->leg, is_verbose, 6, "</caller>\n");
	}
}

static ON_CTL void consumers_put(struct buf *out, const struct fifo *f, bool is_verbose)
{
	for (const struct lnode *it = f->consumers.head.next; it != &f->consumers.head; it = it->next) {
		const struct fifo_consumer *c = list_entry(it, struct fifo_consumer, link);
		buf_printf(out, "      <consumer uuid=\"%s\" status=\"%s\"", c->leg->uuid, c->status);
		attr(out, "caller_id_name", c->leg->profile->caller_id_name);
		attr(out, "caller_id_number", c->leg->profile->caller_id_number);
		attr_time(out, "timestamp", c->since_us / 1000000, "");
		if (c->target[0])
			attr(out, "target", c->target);
		buf_addc(out, '>');
		record_put(out, c->leg, is_verbose, 6, "</consumer>\n");
	}
}

static ON_CTL void bridges_put(struct buf *out, const struct fifo *f, bool is_verbose)
{
	for (const struct lnode *it = f->bridges.head.next; it != &f->bridges.head; it = it->next) {
		const struct fifo_bridge *b = list_entry(it, struct fifo_bridge, link);
		const char *member = vars_get(b->consumer->vars, "fifo_outbound_uuid");
		buf_adds(out, "      <bridge");
		attr(out, "fifo_name", f->name);
		attr_time(out, "bridge_start", b->start_us / 1000000, "");
		buf_printf(out, " bridge_start_epoch=\"%" PRId64 "\">\n        <caller uuid=\"%s\"",
		    b->start_us / 1000000, b->caller->uuid);
		attr_url(out, "caller_id_name", b->caller->profile->callee_id_name);
		attr_url(out, "caller_id_number", b->caller->profile->callee_id_number);
		buf_addc(out, '>');
		record_put(out, b->caller, is_verbose, 8, "</caller>\n");
		buf_printf(out, "        <consumer>\n          <uuid>%s</uuid>\n", b->consumer->uuid);
		if (is_verbose)
			record_lines(out, b->consumer, 10);
		buf_printf(out, "          <outgoing_uuid>%s</outgoing_uuid>\n        </consumer>\n      </bridge>\n",
		    member ? member : "");
	}
}

static ON_CTL const char *strategy_name(const struct fifo *f)
{
	return f->strategy == FIFO_ENTERPRISE ? "enterprise" : "ringall";
}

/* Opens the element; closed by its second call. */
static ON_CTL void section(struct buf *out, const char *name, size_t at, bool is_end)
{
	if (!is_end)
		buf_printf(out, "    <%s>\n", name);
	else if (out->n == at) {
		out->n--; /* empty: on one line */
		buf_printf(out, "</%s>\n", name);
	} else {
		buf_printf(out, "    </%s>\n", name);
	}
}

static ON_CTL void fifo_put(struct buf *out, const struct fifo *f, bool is_verbose)
{
	unsigned waiting = f->caller_count + f->added_count;
	size_t at;
	buf_adds(out, "  <fifo");
	attr(out, "name", f->name);
	attr_u(out, "consumer_count", f->consumer_count);
	attr_u(out, "caller_count", waiting);
	attr_u(out, "waiting_count", waiting);
	buf_printf(out, " importance=\"%d\"", f->importance);
	attr_u(out, "outbound_per_cycle", f->outbound_per_cycle);
	attr_u(out, "outbound_per_cycle_min", f->outbound_per_cycle_min);
	attr_u(out, "ring_timeout", f->ring_timeout_s);
	attr_u(out, "default_lag", f->default_lag_s);
	attr_u(out, "outbound_priority", f->outbound_priority);
	attr(out, "outbound_strategy", strategy_name(f));
	buf_adds(out, ">\n");
	section(out, "outbound", 0, false);
	at = out->n;
	for (const struct lnode *it = f->members.head.next; it != &f->members.head; it = it->next)
		member_put(out, list_entry(it, const struct fifo_member, link));
	section(out, "outbound", at, true);
	section(out, "callers", 0, false);
	at = out->n;
	callers_put(out, f, is_verbose);
	section(out, "callers", at, true);
	section(out, "consumers", 0, false);
	at = out->n;
	consumers_put(out, f, is_verbose);
	section(out, "consumers", at, true);
	section(out, "bridges", 0, false);
	at = out->n;
	bridges_put(out, f, is_verbose);
	section(out, "bridges", at, true);
	buf_adds(out, "  </fifo>\n");
}

static ON_CTL void report(struct buf *out, const char *name, bool is_verbose)
{
	size_t at;
	buf_adds(out, "<fifo_report>\n");
	at = out->n;
	for (const struct lnode *it = fifo_all()->head.next; it != &fifo_all()->head; it = it->next) {
		const struct fifo *f = list_entry(it, struct fifo, link);
		if (!name || !strcmp(name, f->name))
			fifo_put(out, f, is_verbose);
	}
	if (out->n == at)
		out->n--;
	buf_adds(out, "</fifo_report>\n\n");
}

/* ---- the rest of fifo ---- */

static ON_CTL void count_put(struct buf *out, const struct fifo *f)
{
	unsigned ringing = 0;
	for (const struct lnode *it = f->members.head.next; it != &f->members.head; it = it->next)
		ringing += list_entry(it, const struct fifo_member, link)->ring_count;
	buf_printf(out, "%s:%u:%u:%u:%u:%u\n", f->name, f->consumer_count, f->caller_count + f->added_count,
	    f->member_count, ringing, fifo_idle_count(f));
}

static ON_CTL void has_outbound_put(struct buf *out, const struct fifo *f)
{
	buf_printf(out, "%s:%d\n", f->name, f->member_count > 0);
}

static ON_CTL void status_put(struct buf *out, const struct fifo *f)
{
	unsigned busy = 0;
	for (const struct lnode *it = f->bridges.head.next; it != &f->bridges.head; it = it->next)
		busy++;
	buf_printf(out,
	    "node: %s\n outbound_name: %s\n outbound_per_cycle: %u outbound_per_cycle_min: %u outbound_priority: %u "
	    "outbound_strategy: %s\n has_outbound: %d\n outbound_priority: %u\n busy: %u\n ready: 1\n waiting: %u\n",
	    f->name, f->outbound_name ? f->outbound_name : "", f->outbound_per_cycle, f->outbound_per_cycle_min,
	    f->outbound_priority, strategy_name(f), f->member_count > 0, f->outbound_priority, busy,
	    f->caller_count + f->added_count);
}

/* Each, or the one of that name; "none" when there is no such one. */
static ON_CTL void each(struct buf *out, const char *name, void (*put)(struct buf *out, const struct fifo *f))
{
	const struct fifo *f = name ? fifo_find(name) : NULL;
	if (f)
		put(out, f);
	else if (name)
		buf_adds(out, "none\n");
	for (const struct lnode *it = fifo_all()->head.next; !name && it != &fifo_all()->head; it = it->next)
		put(out, list_entry(it, struct fifo, link));
}

static ON_CTL void importance(struct buf *out, const struct app_words *w)
{
	struct fifo *f = w->n > 1 ? fifo_find(w->w[1]) : NULL;
	if (f && w->n > 2)
		f->importance = (int)str_number(w->w[2], 0, 1000000);
	if (f)
		buf_printf(out, "importance: %d\n", f->importance);
	else
		buf_adds(out, "no fifo by that name\n");
}

static ON_CTL void fifo_run(struct buf *out, const struct app_words *w)
{
	const char *verb = w->n ? w->w[0] : "", *name = w->n > 1 ? w->w[1] : NULL;
	if (!strcasecmp(verb, "list") || !strcasecmp(verb, "list_verbose")) {
		report(out, name, verb[4] != 0);
	} else if (!strcasecmp(verb, "count")) {
		each(out, name, count_put);
	} else if (!strcasecmp(verb, "has_outbound")) {
		each(out, name, has_outbound_put);
	} else if (!strcasecmp(verb, "importance")) {
		importance(out, w);
	} else if (!strcasecmp(verb, "debug")) {
		if (name)
			debug_level = (int)str_number(name, 0, 10);
		buf_printf(out, "debug %d\n", debug_level);
	} else if (!strcasecmp(verb, "status")) {
		each(out, NULL, status_put);
		buf_adds(out, " caller_orig:\n consumer_orig:\n bridge:\n");
	} else if (!strcasecmp(verb, "reparse")) {
		fifo_configure(name && !strcasecmp(name, "del_all"));
		buf_adds(out, "+OK\n");
	} else {
		buf_adds(out, w->n ? "-ERR Usage: " FIFO_USAGE "\n" : FIFO_USAGE "\n");
	}
}

int api_fifo(struct api_call *c)
{
	struct app_words w;
	role_assert_ctl();
	int st = app_words_init(&w, c->args, 4);
	if (!st)
		fifo_run(c->out, &w);
	app_words_fini(&w);
	return st;
}

/* ---- members ---- */

static ON_CTL int64_t number_at(const struct app_words *w, int i, int64_t otherwise, int64_t max)
{
	return w->n > i ? str_number(w->w[i], 0, max) : otherwise;
}

/* add FIFO TARGET [SIMO] [TIMEOUT] [LAG] [EXPIRES] [TAKING_CALLS] | del FIFO TARGET */
static ON_CTL int member_run(struct api_call *c, const struct app_words *w)
{
	bool is_add = w->n > 2 && !strcasecmp(w->w[0], "add"), is_del = w->n > 2 && !strcasecmp(w->w[0], "del");
	const char *target = w->n > 2 ? w->m[2] : "", *why = "";
	struct buf checked;
	struct fifo *f;
	int st = ST_OK;
	if (!is_add && !is_del) {
		buf_adds(c->out, "-ERR Invalid!\n");
		return ST_OK;
	}
	buf_init(&checked);
	if (c->who && principal_put_dial(&checked, w->w[2], &why)) {
		buf_printf(c->out, "-ERR %s\n", why);
		buf_fini(&checked);
		return ST_OK;
	}
	target = c->who ? checked.p : target;
	if (is_del) {
		f = fifo_find(w->w[1]);
		if (f)
			(void)fifo_member_del(f, target);
	} else if (!(st = fifo_get(w->w[1], &f))) {
		int64_t expires = number_at(w, 6, 0, UINT32_MAX);
		struct fifo_member_conf conf = {.target = target,
		    .simo = (unsigned)number_at(w, 3, 1, 10000),
		    .timeout_s = (unsigned)number_at(w, 4, f->ring_timeout_s ? f->ring_timeout_s : 60, 86400),
		    .lag_s = (unsigned)number_at(w, 5, f->default_lag_s ? f->default_lag_s : 5, 864000),
		    .expires_s = expires ? clock_wall_us() / 1000000 + expires : 0,
		    .taking_calls = (int)number_at(w, 7, 1, INT32_MAX)};
		st = fifo_member_add(f, &conf);
	}
	buf_adds(c->out, st == ST_FULL ? "-ERR too many\n" : st ? "-ERR Invalid!\n" : "+OK\n");
	fifo_dial_kick();
	buf_fini(&checked);
	return ST_OK;
}

int api_fifo_member(struct api_call *c)
{
	struct app_words w;
	role_assert_ctl();
	if (!*c->args) {
		buf_adds(c->out,
		    "-USAGE: [add <fifo_name> <originate_string> [<simo_count>] [<timeout>] [<lag>] [<expires>] "
		    "[<taking_calls>] | del <fifo_name> <originate_string>]\n");
		return ST_OK;
	}
	int st = app_words_init(&w, c->who ? c->args : c->text, 9);
	if (!st)
		st = member_run(c, &w);
	app_words_fini(&w);
	return st;
}

/* FIFO URL [PRIORITY]: how many are counted there then. */
int api_fifo_add_outbound(struct api_call *c)
{
	struct app_words w;
	struct fifo *f;
	unsigned n = 0;
	role_assert_ctl();
	int st = app_words_init(&w, c->args, 4);
	if (!st && w.n > 1 && !fifo_get(w.w[0], &f) && f->added_count < 100000)
		n = ++f->added_count + f->caller_count;
	buf_printf(c->out, "%u", n);
	app_words_fini(&w);
	return st;
}

int api_fifo_check_bridge(struct api_call *c)
{
	bool is_bridged = false;
	role_assert_ctl();
	for (const struct lnode *at = fifo_all()->head.next; at != &fifo_all()->head; at = at->next) {
		const struct fifo *f = list_entry(at, struct fifo, link);
		for (const struct lnode *it = f->bridges.head.next; it != &f->bridges.head; it = it->next) {
			const struct fifo_bridge *b = list_entry(it, struct fifo_bridge, link);
			is_bridged |= !strcmp(b->caller->uuid, c->args) || !strcmp(b->consumer->uuid, c->args);
		}
	}
	buf_adds(c->out, is_bridged ? "true" : "false");
	return ST_OK;
}
