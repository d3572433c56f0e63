/* Inside the store room: the PostgreSQL driver.
 *
 *   pgsql.c        stores: the batches each has taken, who is lent a connection, the pool of those that ask
 *   pgsql_link.c   one connection: names looked up, connected, set up, lost, tried again
 *   pgsql_run.c    one batch on a connection that is ready: what is sent, what comes back
 *   pgsql_table.c  the statements of a table
 *   pgsql_text.c   others' transactions, in one go
 *
 * All on the control loop, no call of libpq waits. */
#pragma once
#include "store/driver.h"
#include "store/sql_text.h"

#include <libpq-fe.h>

enum { PG_TABLES_MAX = 32, PG_HOSTS_MAX = 8, PG_POOL_MAX = 64 };
enum { PG_CONNECT_US = 5 * 1000 * 1000, PG_BATCH_US = 10 * 1000 * 1000, PG_WAIT_US = 60 * 1000 * 1000 };
enum pg_kind { PG_PUT, PG_DEL, PG_OVER, PG_EACH, PG_KIND_COUNT = PG_EACH + STORE_KEYS_MAX + 1 };

struct dns_ask;
struct lpoll;
struct pg_sent;
struct pg_texts;

/* One database as DSNs name it; known while somebody uses it. */
struct pg_name {
	struct lnode link;
	unsigned use_count;
	char *rest, *shown; /* shown: "host:port/database", what logs tell */
	PQconninfoOption *options;
	struct list links;   /* all of this name */
	struct list idle;    /* of these, lent to nobody */
	struct list waiting; /* stores (struct pg_conn) that ask, of which none has a connection */
	size_t asks_count;   /* links of stores that ask, idle ones too */
	bool is_down;        /* the last try failed */
	int64_t down_us, retry_us, pause_us;
	unsigned tries;
	char why[256];
};

struct pg_job { /* a batch on its way */
	struct lnode link;
	struct store_batch *batch;
	int64_t end_us;
	bool is_sql, reads;
	bool is_single; /* each op for itself, as one of them is wrong */
};

/* Of a store. */
struct pg_conn {
	struct store_conn base; /* first */
	struct pg_name *name;
	enum store_use use;
	struct pg_link *link; /* NULL: none (yet) */
	struct list jobs;
	struct lnode waiting;
	struct ltimer late, turn;
	bool is_closed;
	bool is_torn; /* the connection went with a transaction open: the next statement has to know */
};

struct pg_table {
	const struct store_table *t;
	size_t column_count;
	bool is_made;
	bool is_ready[PG_KIND_COUNT]; /* prepared */
	bool is_sent[PG_KIND_COUNT];  /* in this batch */
};

enum pg_state { PG_OFF, PG_RESOLVING, PG_CONNECTING, PG_SETTING_UP, PG_READY, PG_RUNNING, PG_CLEANING };

/* A connection. */
struct pg_link {
	struct lnode link, idle;
	struct pg_name *name;
	struct pg_conn *conn; /* to whom it is lent */
	enum pg_state state;
	bool is_asks;
	PGconn *pg;
	struct lpoll *poll;
	int fd;
	struct ltimer deadline, retry;
	/* looking up */
	struct dns_ask *ask;
	size_t host_at, host_count;
	char *hosts[PG_HOSTS_MAX], *addresses[PG_HOSTS_MAX];
	/* running */
	struct pg_job *job;
	bool is_making;         /* a table; cleaning: more is to come */
	bool is_in_transaction; /* after the last batch */
	bool is_renewed;        /* the connection has to be made anew */
	bool has_columns;       /* of the result that comes */
	struct pg_table *making;
	struct sv rest; /* of statements: those still to come */
	int status;
	size_t sync_count, failed_count;
	bool may_single;
	char why[256];
	struct pg_sent *sent; /* of a batch: what results are of, in order */
	size_t sent_count, sent_cap, sent_at;
	struct pg_table tables[PG_TABLES_MAX];
	size_t table_count;
	struct pg_texts *texts; /* prepared statements of others' own */
};

/* pgsql.c */
ON_CTL void pg_conn_kick(struct pg_conn *c); /* the next job, soon */
/* Frees j. why: what a statement's user is told; NULL: he is told already. */
ON_CTL void pg_job_end(struct pg_job *j, int status, const char *why);
ON_CTL void pg_run_done(struct pg_link *l, int status); /* of the job that ran */
ON_CTL void pg_link_is_ready(struct pg_link *l);
ON_CTL void pg_link_is_lost(struct pg_link *l, int status, const char *why); /* it is off; its job is not ended yet */

/* pgsql_link.c */
ON_CTL struct pg_link *pg_link_new(struct pg_name *n, bool is_asks);
ON_CTL void pg_link_free(struct pg_link *l);
ON_CTL void pg_link_start(struct pg_link *l); /* of one that is off: connects, or waits for the time to try again */
ON_CTL void pg_link_fail(struct pg_link *l, int status, const char *why); /* off; told */
ON_CTL void pg_link_watch(struct pg_link *l);                             /* after something was sent */
ON_CTL void pg_link_clean(struct pg_link *l); /* forgets what its user did, then pg_link_is_ready */
ON_CTL int pg_name_get(struct pg_name **out, const char *rest, struct buf *error);
ON_CTL void pg_name_put(struct pg_name *n);

/* pgsql_run.c */
ON_CTL void pg_run(struct pg_link *l, struct pg_job *j);
ON_CTL void pg_run_input(struct pg_link *l); /* something came */
ON_CTL void pg_run_forget(struct pg_link *l);
struct pg_values { /* as libpq wants them */
	struct buf text;
	size_t offsets[SQL_VALUES_MAX];
	const char *p[SQL_VALUES_MAX];
	size_t count;
};
ON_CTL void pg_values_start(struct pg_values *v);
ON_CTL void pg_value_add(struct pg_values *v, struct sv value, bool may_be_null);
ON_CTL bool pg_values_point(struct pg_values *v); /* p is good until the next start; false: no memory */

/* pgsql_text.c */
ANY bool pg_text_is_one_go(const struct store_op *op);
ON_CTL bool pg_text_send(struct pg_link *l, struct store_op *op);   /* false: the connection is no good */
ON_CTL void pg_text_next(struct pg_link *l);                        /* the results of one statement are at their end */
ON_CTL bool pg_text_prepared(struct pg_link *l, const PGresult *r); /* r is a preparation's, and no more */
ON_CTL void pg_texts_forget(struct pg_link *l);

/* pgsql_table.c */
ON_CTL struct pg_table *pg_table_get(struct pg_link *l, const struct store_table *t); /* NULL: too many */
ON_CTL void pg_table_make_put(struct buf *sql, const struct store_table *t);
ON_CTL void pg_table_sql_put(struct buf *sql, const struct pg_table *t, unsigned kind);
