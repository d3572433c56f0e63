/* Members: who is rung for a queue's callers. Those of fifo.conf come and go with it; those of the command fifo_member
 * are kept in a store and come back at the next start. What a member does now (calls he has) is counted by his uuid, a
 * digest of queue and dial string; for how long he rests after a call his lag says. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/conf/dir.h"
#include "core/conf/dsn.h"
#include "core/registry/ready.h"
#include "core/value/self.h"
#include "fifo/fifo_i.h"
#include "store/store.h"
#include "text/digest.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TARGET_MAX = 4096 };
static struct hash *uses; /* uuid -> struct use *: calls that members have */
static struct store *store;
static const char *const columns[] = {
    "fifo_name", "originate_string", "simo_count", "timeout", "lag", "expires", "taking_calls", NULL};
static const struct store_table table = {"fifo_members", columns, 2, NULL};

struct use {
	unsigned count;
};

static void use_free(void *p)
{
	mem_free(p);
}

unsigned fifo_use_count(const char *uuid)
{
	const struct use *u = uuid ? hash_get(uses, sv_of(uuid)) : NULL;
	return u ? u->count : 0;
}

void fifo_use_add(const char *uuid, int n)
{
	struct use *u = uuid ? hash_get(uses, sv_of(uuid)) : NULL;
	if (!uuid || (!u && n < 0))
		return;
	if (!u) {
		u = mem_zalloc(sizeof(*u));
		if (!u || hash_set(uses, sv_of(uuid), u)) {
			mem_free(u);
			return;
		}
	}
	u->count += (unsigned)n;
	if (!u->count)
		hash_del(uses, sv_of(uuid));
}

static ON_CTL void member_free(struct fifo_member *m)
{
	list_remove(&m->link);
	m->fifo->member_count--;
	mem_free(m->target);
	mem_free(m);
}

static void uuid_put(const char *fifo, const char *target, char out[33])
{
	struct digest_piece pieces[] = {{fifo, strlen(fifo)}, {"\n", 1}, {target, strlen(target)}};
	uint8_t md5[DIGEST_MD5_BYTES];
	digest_md5_pieces(pieces, 3, md5);
	digest_hex(md5, sizeof(md5), out);
}

static ON_CTL struct fifo_member *by_target(const struct fifo *f, const char *target)
{
	for (const struct lnode *it = f->members.head.next; it != &f->members.head; it = it->next) {
		struct fifo_member *m = list_entry(it, struct fifo_member, link);
		if (!strcmp(m->target, target))
			return m;
	}
	return NULL;
}

struct fifo_member *fifo_member_find(const struct fifo *f, const char *uuid)
{
	struct lnode *at, *next, *it, *tmp;
	list_each (fifo_all(), at, next) {
		struct fifo *one = list_entry(at, struct fifo, link);
		if (f && f != one)
			continue;
		list_each (&one->members, it, tmp) {
			struct fifo_member *m = list_entry(it, struct fifo_member, link);
			if (!strcmp(m->uuid, uuid))
				return m;
		}
	}
	return NULL;
}

static ON_CTL void keep(const struct fifo_member *m)
{
	char simo[16], timeout[16], lag[16], expires[24], taking[16];
	if (!store || m->is_configured)
		return;
	snprintf(simo, sizeof(simo), "%u", m->simo);
	snprintf(timeout, sizeof(timeout), "%u", m->timeout_s);
	snprintf(lag, sizeof(lag), "%u", m->lag_s);
	snprintf(expires, sizeof(expires), "%" PRId64, m->expires_s);
	snprintf(taking, sizeof(taking), "%d", m->taking_calls);
	const struct sv row[] = {sv_of(m->fifo->name), sv_of(m->target), sv_of(simo), sv_of(timeout), sv_of(lag),
	    sv_of(expires), sv_of(taking)};
	(void)store_put(store, &table, row);
}

static ON_CTL void forget(const struct fifo_member *m)
{
	const struct sv keys[] = {sv_of(m->fifo->name), sv_of(m->target)};
	if (store && !m->is_configured)
		(void)store_del(store, &table, keys);
}

static ON_CTL unsigned stale_count(const struct fifo *f)
{
	unsigned n = 0;
	for (const struct lnode *it = f->members.head.next; it != &f->members.head; it = it->next)
		n += list_entry(it, struct fifo_member, link)->is_stale;
	return n;
}

static ON_CTL int add(struct fifo *f, const struct fifo_member_conf *conf)
{
	struct fifo_member *old, *m;
	if (!*conf->target || strlen(conf->target) > TARGET_MAX)
		return ST_INVAL;
	old = by_target(f, conf->target);
	if (!old && f->member_count - stale_count(f) >= FIFO_MEMBERS_MAX)
		return ST_FULL;
	m = mem_zalloc(sizeof(*m));
	if (!m || !(m->target = mem_strdup(conf->target))) {
		mem_free(m);
		return ST_NOMEM;
	}
	if (old && old->is_stale) { /* who he is now stays; what he is to be follows */
		char *target = m->target;
		*m = *old;
		m->target = target, m->link = (struct lnode){NULL, NULL}, m->is_stale = false;
	}
	m->fifo = f;
	m->simo = conf->simo ? conf->simo : 1;
	m->timeout_s = conf->timeout_s ? conf->timeout_s : 60;
	m->lag_s = conf->lag_s;
	m->expires_s = conf->expires_s;
	m->taking_calls = conf->taking_calls;
	m->is_configured = conf->is_configured;
	if (!m->since_s)
		m->since_s = clock_wall_us() / 1000000;
	uuid_put(f->name, m->target, m->uuid);
	if (old) {
		m->ring_count = old->ring_count;
		member_free(old);
	}
	list_push(&f->members, &m->link);
	f->member_count++;
	return ST_OK;
}

int fifo_member_add(struct fifo *f, const struct fifo_member_conf *conf)
{
	int st = add(f, conf);
	if (!st)
		keep(by_target(f, conf->target));
	return st;
}

bool fifo_member_del(struct fifo *f, const char *target)
{
	struct fifo_member *m = by_target(f, target);
	if (!m)
		return false;
	forget(m);
	member_free(m);
	return true;
}

void fifo_members_clear(struct fifo *f)
{
	struct lnode *it, *tmp;
	list_each (&f->members, it, tmp)
		member_free(list_entry(it, struct fifo_member, link));
}

void fifo_members_mark(struct fifo *f, bool only_configured)
{
	struct lnode *it, *tmp;
	list_each (&f->members, it, tmp) {
		struct fifo_member *m = list_entry(it, struct fifo_member, link);
		m->is_stale = m->is_configured || !only_configured;
		if (m->is_stale)
			forget(m);
	}
}

void fifo_members_sweep(struct fifo *f)
{
	struct lnode *it, *tmp;
	list_each (&f->members, it, tmp) {
		struct fifo_member *m = list_entry(it, struct fifo_member, link);
		if (m->is_stale)
			member_free(m);
	}
}

bool fifo_member_is_free(const struct fifo_member *m, int64_t now_us)
{
	if (m->expires_s && m->expires_s <= clock_wall_us() / 1000000)
		return false;
	return m->taking_calls > 0 && m->next_us <= now_us && m->ring_count + fifo_use_count(m->uuid) < m->simo;
}

void fifo_member_rest(struct fifo_member *m, bool has_failed)
{
	int64_t now_s = clock_wall_us() / 1000000;
	unsigned rest_s = (unsigned)m->lag_s + has_failed; /* a phone that is not there is not tried without end */
	if (has_failed) {
		m->fail_count++;
		m->fail_total++;
	} else {
		m->call_count++;
		m->call_total++;
		m->stop_s = now_s;
	}
	m->next_us = clock_mono_us() + clock_us_of_s(rest_s);
	m->next_s = now_s + rest_s;
	fifo_dial_kick();
}

/* ---- what is kept ---- */

static void on_row(const struct sv *v, size_t count, void *arg)
{
	struct fifo *f;
	role_assert_ctl();
	if (count < 7)
		return;
	int64_t n[5];
	for (int i = 0; i < 5; i++)
		if (sv_i64(v[2 + i], &n[i]))
			return;
	char *name = sv_dup(v[0]), *target = sv_dup(v[1]);
	struct fifo_member_conf conf = {.target = target,
	    .simo = (unsigned)n[0],
	    .timeout_s = (unsigned)n[1],
	    .lag_s = (unsigned)n[2],
	    .expires_s = n[3],
	    .taking_calls = (int)n[4]};
	if (name && target && !fifo_get(name, &f) && !by_target(f, target))
		(void)add(f, &conf);
	mem_free(name);
	mem_free(target);
}

static void on_rows(int status, void *arg)
{
	role_assert_ctl();
	if (status == ST_CANCELLED)
		return;
	if (status)
		log_error("fifo: its members cannot be read: %s", status_text(status));
	core_ready_release("fifo");
	fifo_dial_kick();
}

static void on_forgotten(int status, struct store_rows *rows, void *arg)
{
	role_assert_ctl();
	if (status && status != ST_CANCELLED)
		log_warning("fifo: members of the last run cannot be deleted: %s", rows->error.p ? rows->error.p : "");
}

int fifo_members_start(void)
{
	const char *dsn = fifo_param("odbc-dsn"), *name = fifo_param("dbname"),
	           *forgets = fifo_param("delete-all-outbound-member-on-startup");
	int st = hash_new(&uses, 0, use_free);
	if (st || !core_dirs() || !core_dirs()->db)
		return st;
	dsn = dsn && *dsn ? dsn : name;
	if (store_open(&store, config_dsn(dsn, "fifo"), core_dirs()->db, STORE_KEEPS, NULL)) {
		log_error("fifo: members of the command fifo_member are not kept over a restart");
		store = NULL;
	} else if (str_is_true(forgets)) {
		(void)store_sql(store, "DELETE FROM fifo_members", NULL, 0, NULL, on_forgotten, NULL);
	} else if (!store_each(store, &table, NULL, 0, on_row, on_rows, NULL)) {
		core_ready_hold("fifo");
	}
	return ST_OK;
}

void fifo_members_stop(void)
{
	store_close(store);
	store = NULL;
	hash_free(uses);
	uses = NULL;
}
