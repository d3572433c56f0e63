/* The PostgreSQL driver's stores. What is taken waits in its store's list until a connection is ready; one batch of a
 * store is on its way at a time. A store that keeps has a connection of its own. Those that ask are lent one, from the
 * first statement to the close (transactions and temporary tables are nobody else's), out of a pool with a bound; what
 * comes back is cleaned and waits there for the next. Statements are not kept for a database that is away: they fail at
 * once. Rows of tables are, for a minute, and the front tries them again. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/driver_i.h"
#include "store/pgsql_i.h"

#include <stdio.h>
#include <string.h>

enum { IDLE_US = 60 * 1000 * 1000, CLOSE_US = 3 * 1000 * 1000 };

/* ---- jobs ---- */

void pg_job_end(struct pg_job *j, int status, const char *why)
{
	struct store_batch *b = j->batch;
	list_remove(&j->link);
	if (j->is_sql && why)
		buf_adds(&list_entry(list_first(&b->ops), struct store_op, link)->rows.error, why);
	mem_free(j);
	store_batch_end(b, status);
}

static ON_CTL struct pg_job *job_first(struct pg_conn *c)
{
	struct lnode *n = list_first(&c->jobs);
	return n ? list_entry(n, struct pg_job, link) : NULL;
}

static ON_CTL void jobs_end(struct pg_conn *c, int status, const char *why)
{
	struct pg_job *j;
	while ((j = job_first(c)))
		pg_job_end(j, status, why);
}

static ON_CTL struct pg_job *job_new(struct store_batch *b)
{
	struct pg_job *j = mem_zalloc(sizeof(*j));
	struct lnode *it, *tmp;
	if (!j)
		return NULL;
	j->batch = b;
	list_each (&b->ops, it, tmp) {
		const struct store_op *op = list_entry(it, struct store_op, link);
		j->is_sql |= op->kind == STORE_OP_SQL;
		j->reads |= op->kind == STORE_OP_EACH;
		j->end_us = op->end_us;
	}
	if (!j->is_sql)
		j->end_us = clock_mono_us() + (j->reads ? PG_BATCH_US : PG_WAIT_US);
	return j;
}

/* ---- who has a connection ---- */

static ON_CTL void conn_has_link(struct pg_conn *c, struct pg_link *l)
{
	c->link = l, l->conn = c;
	list_remove(&l->idle);
	loop_timer_cancel(&l->retry);
	list_remove(&c->waiting);
	if (l->state == PG_OFF)
		pg_link_start(l);
}

/* Whoever opens the database that another store is still writing to reads what that wrote. */
static ON_CTL bool others_are_closing(const struct pg_conn *c)
{
	struct lnode *it, *tmp;
	list_each (&c->name->links, it, tmp) {
		const struct pg_link *l = list_entry(it, struct pg_link, link);
		if (l->conn && l->conn != c && l->conn->is_closed && l->conn->use == STORE_KEEPS)
			return true;
	}
	return false;
}

static ON_CTL void link_get(struct pg_conn *c)
{
	struct pg_name *n = c->name;
	struct lnode *idle = list_empty(&n->idle) ? NULL : n->idle.head.prev; /* the last that came back */
	struct pg_link *l = NULL;

	if (c->use == STORE_KEEPS && !others_are_closing(c))
		l = pg_link_new(n, false);
	else if (c->use == STORE_ASKS && idle)
		l = list_entry(idle, struct pg_link, idle);
	else if (c->use == STORE_ASKS && n->asks_count < PG_POOL_MAX)
		l = pg_link_new(n, true);
	if (l)
		conn_has_link(c, l);
	else if (!lnode_is_linked(&c->waiting))
		list_push(&n->waiting, &c->waiting);
}

static ON_CTL void waiting_kick(struct pg_name *n)
{
	struct lnode *it, *tmp;
	list_each (&n->waiting, it, tmp)
		pg_conn_kick(list_entry(it, struct pg_conn, waiting));
}

static void idle_over(void *arg)
{
	role_assert_ctl();
	pg_link_free(arg);
}

void pg_link_is_ready(struct pg_link *l)
{
	if (l->conn) {
		pg_conn_kick(l->conn);
		return;
	}
	list_push(&l->name->idle, &l->idle);
	loop_timer_set(&l->retry, IDLE_US, "pgsql idle", idle_over, l);
	waiting_kick(l->name);
}

/* Back to the pool, or away with it. */
static ON_CTL void link_give(struct pg_conn *c)
{
	struct pg_link *l = c->link;
	if (!l)
		return;
	c->link = NULL, l->conn = NULL;
	if (l->is_asks && l->state == PG_READY)
		pg_link_clean(l);
	else
		pg_link_free(l);
}

static ON_CTL void conn_end(struct pg_conn *c)
{
	struct pg_name *n = c->name;
	link_give(c);
	loop_timer_cancel(&c->late);
	loop_timer_cancel(&c->turn);
	list_remove(&c->waiting);
	waiting_kick(n);
	pg_name_put(n);
	mem_free(c);
}

/* ---- the next job ---- */

/* Somebody else finds out whether the database is there again, or nobody does yet. */
static ON_CTL bool is_hopeless(const struct pg_conn *c)
{
	const struct pg_name *n = c->name;
	struct lnode *it, *tmp;
	if (!n->is_down || (c->link && c->link->state != PG_OFF))
		return false;
	if (clock_mono_us() < n->retry_us)
		return true;
	list_each (&n->links, it, tmp) {
		const struct pg_link *l = list_entry(it, struct pg_link, link);
		if (l->state > PG_OFF && l->state < PG_READY)
			return true;
	}
	return false;
}

static ON_CTL void away_text(const struct pg_name *n, char out[320])
{
	snprintf(out, 320, "the database is away: %s", n->why);
}

static void job_is_late(void *arg)
{
	struct pg_conn *c = arg;
	struct pg_job *j;
	role_assert_ctl();
	j = job_first(c);
	if (j && !(c->link && c->link->job == j))
		pg_job_end(j, ST_TIMEOUT, c->link ? "no connection in time" : "all connections are in use");
	pg_conn_kick(c);
}

static void conn_turn(void *arg)
{
	struct pg_conn *c = arg;
	struct pg_job *j;
	char why[320];

	role_assert_ctl();
	loop_timer_cancel(&c->late);
	while ((j = job_first(c)) && j->is_sql && (c->is_torn || is_hopeless(c))) {
		away_text(c->name, why);
		pg_job_end(j, ST_CLOSED, c->is_torn ? "the connection was lost within a transaction" : why);
		c->is_torn = false;
	}
	if (!j && c->is_closed) {
		conn_end(c);
		return;
	}
	if (!j)
		return;
	if (!c->link)
		link_get(c);
	if (c->link && c->link->job == j)
		return;
	if (c->link && c->link->state == PG_OFF)
		pg_link_start(c->link);
	if (c->link && c->link->state == PG_READY)
		pg_run(c->link, j);
	else
		loop_timer_set(&c->late, j->end_us - clock_mono_us(), "pgsql late", job_is_late, c);
}

void pg_conn_kick(struct pg_conn *c)
{
	if (!loop_timer_is_set(&c->turn))
		loop_timer_set(&c->turn, 0, "pgsql turn", conn_turn, c);
}

void pg_run_done(struct pg_link *l, int status)
{
	struct pg_conn *c = l->conn;
	struct pg_job *j = l->job;
	l->job = NULL;
	loop_timer_cancel(&l->deadline);
	if (l->state == PG_RUNNING) {
		PGTransactionStatusType t = PQtransactionStatus(l->pg);
		l->is_in_transaction = t == PQTRANS_INTRANS || t == PQTRANS_INERROR;
		l->state = PG_READY;
	}
	pg_job_end(j, status, NULL);
	pg_conn_kick(c);
}

void pg_link_is_lost(struct pg_link *l, int status, const char *why)
{
	struct pg_conn *c = l->conn;
	struct pg_job *j = l->job;
	if (!c) {
		pg_link_free(l);
		return;
	}
	l->job = NULL;
	if (j) {
		c->is_torn = false; /* it is told now */
		pg_job_end(j, status, why);
	} else if ((j = job_first(c)) && j->is_sql) { /* it waited for this connection */
		pg_job_end(j, status, why);
	}
	if (c->is_closed)
		jobs_end(c, ST_CLOSED, why);
	if (c->use == STORE_ASKS) {
		c->link = NULL;
		l->conn = NULL;
		pg_link_free(l);
		waiting_kick(c->name);
	} else if (!c->is_closed && (c->name->is_down || !list_empty(&c->jobs))) {
		pg_link_start(l);
	}
	pg_conn_kick(c);
}

/* ---- what the front calls ---- */

static int pg_open_as(const struct store_driver *d, struct store_conn **out, const char *rest, enum store_use use,
    struct buf *error) ON_CTL
{
	struct pg_name *n;
	int st = pg_name_get(&n, rest, error);
	if (st < 0)
		return st;
	struct pg_conn *c = mem_zalloc(sizeof(*c));
	c->base.driver = d, c->name = n, c->use = use;
	list_init(&c->jobs);
	*out = &c->base;
	return ST_OK;
}

static int pg_submit(struct store_conn *conn, struct store_batch *b)
{
	struct pg_conn *c = (struct pg_conn *)conn;
	struct pg_job *j;
	role_assert_ctl();
	j = job_new(b);
	if (!j)
		return ST_NOMEM;
	list_push(&c->jobs, &j->link);
	pg_conn_kick(c);
	return ST_OK;
}

/* Nobody is left who asked: what runs is cut off, and the connection with it. */
static ON_CTL void asks_close(struct pg_conn *c)
{
	struct pg_link *l = c->link;
	if (l && l->job) {
		l->job = NULL;
		c->link = NULL, l->conn = NULL;
		pg_link_free(l);
	}
	jobs_end(c, ST_CANCELLED, NULL);
}

static ON_CTL void keeps_close(struct pg_conn *c)
{
	int64_t end_us = clock_mono_us() + CLOSE_US;
	if (c->name->is_down) {
		jobs_end(c, ST_CLOSED, c->name->why);
		return;
	}
	if (loop_depth())
		return;
	while (!list_empty(&c->jobs) && !c->name->is_down && clock_mono_us() < end_us) {
		if (!loop_timer_is_set(&c->late))
			loop_timer_set(&c->late, end_us - clock_mono_us(), "pgsql late", job_is_late, c);
		loop_run_once();
	}
	if (c->link)
		c->link->job = NULL;
	jobs_end(c, ST_TIMEOUT, NULL);
}

static void pg_close(struct store_conn *conn)
{
	struct pg_conn *c = (struct pg_conn *)conn;
	role_assert_ctl();
	if (c->use == STORE_ASKS) {
		asks_close(c);
		c->is_closed = true;
	} else {
		keeps_close(c);
		c->is_closed = true;
	}
	if (list_empty(&c->jobs))
		conn_end(c);
	else
		pg_conn_kick(c);
}

/* The scheme has two names, and URIs a third. */
#define KIND(name) \
	static int name##_open( \
	    struct store_conn **out, const char *rest, const char *folder, enum store_use use, struct buf *error) \
	{ \
		role_assert_ctl(); \
		return pg_open_as(&store_##name, out, rest, use, error); \
	} \
	const struct store_driver store_##name = {.scheme = #name, \
	    .row_order = "ctid", \
	    .is_side_by_side = true, \
	    .open = name##_open, \
	    .submit = pg_submit, \
	    .close = pg_close}
KIND(pgsql);
KIND(postgresql);
KIND(postgres);
