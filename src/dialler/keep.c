/* The database: numbers, calls, answers, do-not-call lists, what campaigns do. Statements are those that sqlite and
 * PostgreSQL both understand; nothing of a list is ever in their text.
 *
 *   dialler_numbers   a row a number and campaign: new -> dialling -> retry | done; next_s: not before; place: its
 * list's order (microseconds since 1970 of the import, and the line) dialler_calls     a row a call, made when it is
 * claimed, completed at its end
 *
 * A call is dialled only after its claim is committed: the row is `dialling` then, and next_s is already as far away as
 * the longest retry rule says. Whoever dies leaves rows that he finds again by the switch's name at his next start;
 * they wait until next_s. So no number is called twice because of a restart. A claim takes the row by one UPDATE, which
 * also looks into the do-not-call lists: several switches may share a campaign. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/dsn.h"
#include "core/value/self.h"
#include "dialler/dialler_i.h"
#include "loop/co.h"

#include <stdio.h>
#include <string.h>

#define NUM(p) "CAST(" p " AS BIGINT)"
#define TEXT(p) "CAST(" p " AS VARCHAR(255))"

/* Each may run twice. Only ever add at the end. */
static const char *const steps[] = {
    "CREATE TABLE IF NOT EXISTS dialler_campaigns (name VARCHAR(64) NOT NULL PRIMARY KEY, state VARCHAR(16) NOT NULL)",
    "CREATE TABLE IF NOT EXISTS dialler_numbers (campaign VARCHAR(64) NOT NULL, number VARCHAR(32) NOT NULL, list "
    "VARCHAR(255) NOT NULL, name VARCHAR(1000) NOT NULL, zone VARCHAR(64) NOT NULL, fields TEXT NOT NULL, priority "
    "BIGINT "
    "NOT NULL, state VARCHAR(16) NOT NULL, result VARCHAR(32) NOT NULL, tries BIGINT NOT NULL, next_s BIGINT NOT NULL, "
    "place BIGINT NOT NULL, node VARCHAR(255) NOT NULL, call_id VARCHAR(64) NOT NULL, PRIMARY KEY (campaign, number));"
    "CREATE INDEX IF NOT EXISTS dialler_numbers_due ON dialler_numbers (campaign, state, next_s);"
    "CREATE INDEX IF NOT EXISTS dialler_numbers_node ON dialler_numbers (node, state)",
    "CREATE TABLE IF NOT EXISTS dialler_calls (id VARCHAR(64) NOT NULL PRIMARY KEY, campaign VARCHAR(64) NOT NULL, "
    "number "
    "VARCHAR(32) NOT NULL, attempt BIGINT NOT NULL, node VARCHAR(255) NOT NULL, agent VARCHAR(64) NOT NULL, trunk "
    "VARCHAR(64) NOT NULL, caller_id VARCHAR(64) NOT NULL, leg VARCHAR(64) NOT NULL, started_us BIGINT NOT NULL, "
    "answered_us BIGINT NOT NULL, connected_us BIGINT NOT NULL, ended_us BIGINT NOT NULL, live BIGINT NOT NULL, "
    "abandoned "
    "BIGINT NOT NULL, result VARCHAR(32) NOT NULL, cause VARCHAR(64) NOT NULL);"
    "CREATE INDEX IF NOT EXISTS dialler_calls_time ON dialler_calls (campaign, started_us);"
    "CREATE INDEX IF NOT EXISTS dialler_calls_open ON dialler_calls (node, ended_us)",
    "CREATE TABLE IF NOT EXISTS dialler_answers (call_id VARCHAR(64) NOT NULL, question VARCHAR(64) NOT NULL, campaign "
    "VARCHAR(64) NOT NULL, number VARCHAR(32) NOT NULL, answer VARCHAR(255) NOT NULL, at_us BIGINT NOT NULL, PRIMARY "
    "KEY "
    "(call_id, question));"
    "CREATE INDEX IF NOT EXISTS dialler_answers_campaign ON dialler_answers (campaign, question, answer)",
    "CREATE TABLE IF NOT EXISTS dialler_dnc (number VARCHAR(32) NOT NULL, campaign VARCHAR(64) NOT NULL, reason "
    "VARCHAR(255) NOT NULL, added_s BIGINT NOT NULL, PRIMARY KEY (number, campaign))",
    NULL};

struct store *dl_store;
static bool is_ready;
enum { READY_US = 5000000 };
struct waiter { /* for the tables, right after the start */
	struct lnode link;
	struct co_wait ready;
};
static struct list waiters = {{&waiters.head, &waiters.head}};

static void migrated(int status, void *arg)
{
	role_assert_ctl();
	struct lnode *it, *tmp;
	is_ready = !status && dl_store == arg;
	list_each (&waiters, it, tmp)
		co_signal(&list_entry(it, struct waiter, link)->ready, ST_OK);
	dl_recovered();
	list_each (dl_campaigns(), it, tmp)
		dl_campaign_kick(list_entry(it, struct dl_campaign, link));
}

int dl_keep_open(void)
{
	is_ready = false;
	if (!core_dirs() || !core_dirs()->db)
		return ST_UNSUPPORTED;
	int st = store_open(&dl_store, config_dsn(dl_param("dsn"), "dialler"), core_dirs()->db, STORE_KEEPS, NULL);
	if (!st)
		st = store_migrate(dl_store, "dialler", steps, migrated, dl_store);
	if (st)
		log_error("dialler.conf: dsn: no such database; nobody is called");
	return st;
}

void dl_keep_close(void)
{
	struct store *s = dl_store;
	is_ready = false;
	dl_store = NULL;
	store_close(s);
}

bool dl_keep_is_ready(void)
{
	return is_ready;
}

static CO void ready_wait(void)
{
	struct waiter w = {.link = {0}};
	if (!dl_store || is_ready)
		return;
	list_push(&waiters, &w.link);
	(void)co_wait_or_stop(&w.ready, READY_US);
	list_remove(&w.link);
}

int dl_sql(const char *text, const struct sv *params, size_t count, struct store_rows *rows)
{
	static bool is_failing;
	*rows = (struct store_rows){0};
	ready_wait();
	int st = !dl_store ? ST_UNSUPPORTED : !is_ready ? ST_AGAIN : store_sql_run(dl_store, text, params, count, rows);
	if (st && !is_failing && st != ST_CANCELLED && st != ST_UNSUPPORTED && st != ST_AGAIN)
		log_error("dialler: the database: %s; told once until it answers again",
		    rows->error.n ? rows->error.p : status_text(st));
	else if (!st && is_failing)
		log_notice("dialler: the database answers again");
	if (st != ST_UNSUPPORTED && st != ST_AGAIN)
		is_failing = st != ST_OK;
	return st;
}

const char *dl_why(int st)
{
	return st == ST_AGAIN ? "the database is not there yet" : status_text(st);
}

int dl_run(const char *text, const struct sv *params, size_t count, int64_t *changed)
{
	struct store_rows rows;
	int st = dl_sql(text, params, count, &rows);
	if (!st && changed)
		*changed = rows.change_count;
	store_rows_fini(&rows);
	return st;
}

int dl_keep_state(const struct dl_campaign *c)
{
	struct sv p[] = {sv_of(c->name), sv_of(dl_state_name(c->state))};
	return dl_run("INSERT INTO dialler_campaigns (name,state) VALUES ($1,$2) ON CONFLICT (name) DO UPDATE SET "
	              "state=excluded.state",
	    p, 2, NULL);
}

/* What was begun by a process of this name and has no end. The numbers last: who dies in the middle begins again. A
 * claim is two statements, so a number may have no call. */
static CO int interrupted_end(const struct dl_campaign *c)
{
	struct store_number d[2];
	struct sv p[] = {sv_of(core_switchname()), sv_of(c->name), store_number_put(&d[0], clock_wall_us())},
	          q[] = {p[0], p[1], store_number_put(&d[1], c->s.tries_max)};
	int st = dl_run(
	    "INSERT INTO dialler_calls (id,campaign,number,attempt,node,agent,trunk,caller_id,leg,started_us,"
	    "answered_us,connected_us,ended_us,live,abandoned,result,cause) SELECT call_id,campaign,number,tries,node,"
	    "'','','',''," NUM("$3") ",0,0,0,0,0,'','' FROM dialler_numbers WHERE node=$1 AND campaign=$2 AND "
	                             "state='dialling' AND NOT EXISTS (SELECT 1 FROM dialler_calls k WHERE "
	                             "k.id=dialler_numbers.call_id);"
	                             "UPDATE dialler_calls SET result='interrupted',ended_us=" NUM(
	                                 "$3") " WHERE node=$1 AND campaign=$2 AND ended_us=0",
	    p, 3, NULL);
	return st ? st
	          : dl_run("UPDATE dialler_numbers SET state=CASE WHEN tries>=" NUM(
	                       "$3") " THEN 'done' ELSE 'retry' END,result='interrupted' WHERE node=$1 AND campaign=$2 "
	                             "AND "
	                             "state='dialling'",
	                q, 3, NULL);
}

int dl_keep_sweep(struct dl_campaign *c)
{
	struct store_number d[2];
	struct sv p[] = {sv_of(core_switchname()), sv_of(c->name)}, v[2] = {{0}};
	struct store_rows rows;
	size_t at = 0;
	int st = dl_sql("SELECT number,call_id FROM dialler_numbers WHERE node=$1 AND campaign=$2 AND state='dialling'",
	    p, 2, &rows);
	while (!st && store_rows_row(&rows, &at, v, 2)) {
		/* of a call that ends right now the row is not `dialling` any more when the statement runs */
		struct sv q[] = {
		    v[1], p[1], store_number_put(&d[0], c->s.tries_max), store_number_put(&d[1], clock_wall_us())};
		if (!hash_get(c->taken, v[0]))
			st = dl_run(
			    "INSERT INTO dialler_calls "
			    "(id,campaign,number,attempt,node,agent,trunk,caller_id,leg,started_us,"
			    "answered_us,connected_us,ended_us,live,abandoned,result,cause) SELECT "
			    "call_id,campaign,number,tries,"
			    "node,'','','',''," NUM(
			        "$4") ",0,0,0,0,0,'','' FROM dialler_numbers WHERE campaign=$2 AND call_id=$1 AND "
			              "state='dialling' AND NOT EXISTS (SELECT 1 FROM dialler_calls k WHERE k.id=$1);"
			              "UPDATE dialler_calls SET result='interrupted',ended_us=" NUM(
			                  "$4") " WHERE id=$1 AND ended_us=0;UPDATE dialler_numbers SET state=CASE "
			                        "WHEN tries>=" NUM("$3") " THEN 'done' ELSE 'retry' "
			                                                 "END,result='interrupted' WHERE campaign=$2 "
			                                                 "AND "
			                                                 "call_id=$1 AND state='dialling'",
			    q, 4, NULL);
	}
	store_rows_fini(&rows);
	return st;
}

/* The figures of the last day, hour by hour. */
static CO int figures_read(struct dl_campaign *c)
{
	struct store_number d;
	struct sv p[] = {sv_of(c->name), store_number_put(&d, clock_wall_us() - clock_us_of_s(86400))}, v[4] = {{0}};
	struct store_rows rows;
	size_t at = 0;
	int st = dl_sql(
	    "SELECT started_us/3600000000,COUNT(*),SUM(live),SUM(abandoned) FROM dialler_calls WHERE campaign=$1 "
	    "AND started_us>" NUM("$2") " GROUP BY 1 ORDER BY 1",
	    p, 2, &rows);
	unsigned dialled = 0, answered = 0;
	while (!st && store_rows_row(&rows, &at, v, 4)) {
		struct dl_hour *h = dl_hour_of(c, clock_us_of_s(store_number(v[0]) * 3600));
		h->dialled = (unsigned)store_number(v[1]);
		h->answered = (unsigned)store_number(v[2]);
		h->abandoned = (unsigned)store_number(v[3]);
		dialled += h->dialled;
		answered += h->answered;
	}
	store_rows_fini(&rows);
	if (!st && dialled) {
		c->answers.share = (double)answered / dialled;
		c->answers.samples = dialled;
	}
	return st;
}

int dl_keep_recover(struct dl_campaign *c)
{
	struct sv p[] = {sv_of(c->name)}, v = SV_NONE;
	struct store_rows rows;
	size_t at = 0;
	int st = interrupted_end(c);
	if (!st)
		st = figures_read(c);
	if (st)
		return st;
	st = dl_sql("SELECT state FROM dialler_campaigns WHERE name=$1", p, 1, &rows);
	if (!st && store_rows_row(&rows, &at, &v, 1))
		c->state = sv_is(v, "running") ? DL_RUNNING : sv_is(v, "paused") ? DL_PAUSED : DL_STOPPED;
	store_rows_fini(&rows);
	return st;
}

int dl_keep_claim(const struct dl_call *k, int64_t next_s)
{
	struct store_number d[3];
	struct sv p[] = {sv_of(k->c->name), sv_of(k->n->number), store_number_put(&d[0], next_s),
	    sv_of(core_switchname()), sv_of(k->id), store_number_put(&d[1], k->started_us / 1000000), sv_of(k->trunk),
	    sv_of(k->caller_id_text), store_number_put(&d[2], k->started_us), sv_of(k->agent ? k->agent->name : "")};
	int64_t changed = 0;
	int st = dl_run(
	    "UPDATE dialler_numbers SET state='dialling',tries=tries+1,next_s=" NUM(
	        "$3") ",node=$4,call_id=$5 WHERE campaign=$1 AND number=$2 AND state IN ('new','retry') AND "
	              "next_s<=" NUM("$6") " AND NOT EXISTS (SELECT 1 FROM dialler_dnc d WHERE "
	                                   "d.number=dialler_numbers.number AND "
	                                   "(d.campaign='' OR d.campaign=dialler_numbers.campaign));"
	                                   "INSERT INTO dialler_calls "
	                                   "(id,campaign,number,attempt,node,agent,trunk,caller_id,leg,started_us,"
	                                   "answered_us,connected_us,ended_us,live,abandoned,result,cause) "
	                                   "SELECT " TEXT("$5") ",campaign,number,tries,node," TEXT("$10") "," TEXT(
	                                       "$7") "," TEXT("$8") ",''," NUM("$9") ",0,0,0,0,0,'','' FROM "
	                                                                             "dialler_numbers WHERE "
	                                                                             "campaign=$1 "
	                                                                             "AND number=$2 AND call_id=$5 AND "
	                                                                             "state='dialling'",
	    p, 10, &changed);
	if (st || changed)
		return st;
	st = dl_run("UPDATE dialler_numbers SET state='done',result='dnc' WHERE campaign=$1 AND number=$2 AND state IN "
	            "('new','retry') AND EXISTS (SELECT 1 FROM dialler_dnc d WHERE d.number=dialler_numbers.number AND "
	            "(d.campaign='' OR d.campaign=dialler_numbers.campaign))",
	    p, 2, &changed);
	return st ? st : changed ? ST_DENIED : ST_EXISTS;
}

int dl_keep_end(const struct dl_call *k, const char *state, int64_t next_s)
{
	struct store_number d[6];
	struct sv p[] = {sv_of(k->id), sv_of(k->c->name), sv_of(k->n->number), sv_of(state), sv_of(k->result),
	    store_number_put(&d[0], next_s), store_number_put(&d[1], k->answered_us),
	    store_number_put(&d[2], k->connected_us), store_number_put(&d[3], k->ended_us),
	    store_number_put(&d[4], k->is_live), store_number_put(&d[5], k->is_abandoned), sv_of(cause_name(k->cause)),
	    sv_of(k->uuid), sv_of(k->agent ? k->agent->name : "")};
	return dl_run(
	    "UPDATE dialler_calls SET result=$5,answered_us=" NUM("$7") ",connected_us=" NUM("$8") ",ended_us=" NUM(
	        "$9") ",live=" NUM("$10") ",abandoned=" NUM("$11") ",cause=$12,leg=$13,agent=$14 WHERE id=$1;"
	                                                           "UPDATE dialler_numbers SET "
	                                                           "state=$4,result=$5,next_s=" NUM(
	                                                               "$6") " WHERE campaign=$2 AND number=$3 AND "
	                                                                     "call_id=$1",
	    p, 14, NULL);
}

int dl_keep_answer(const struct dl_call *k, const char *question, const char *answer)
{
	struct store_number d;
	struct sv p[] = {sv_of(k->id), sv_of(question), sv_of(k->c->name), sv_of(k->n->number), sv_of(answer),
	    store_number_put(&d, clock_wall_us())};
	return dl_run("INSERT INTO dialler_answers (call_id,question,campaign,number,answer,at_us) VALUES "
	              "($1,$2,$3,$4,$5," NUM("$6") ") ON CONFLICT (call_id,question) DO UPDATE SET "
	                                           "answer=excluded.answer,at_us=excluded.at_us",
	    p, 6, NULL);
}

int dl_keep_add(const struct dl_campaign *c, const char *number, const char *name, int64_t *changed)
{
	struct store_number d;
	struct sv p[] = {sv_of(c->name), sv_of(number), sv_of(name), store_number_put(&d, clock_wall_us())};
	return dl_run(
	    "INSERT INTO dialler_numbers "
	    "(campaign,number,list,name,zone,fields,priority,state,result,tries,next_s,place,node,call_id) VALUES "
	    "($1,$2,'add',$3,'','{}',0,'new','',0,0," NUM(
	        "$4") ",'','') ON CONFLICT (campaign,number) DO UPDATE SET "
	              "state='new',tries=0,name=excluded.name WHERE dialler_numbers.state='done'",
	    p, 4, changed);
}

int dl_keep_later(const struct dl_campaign *c, const char *number, int64_t next_s)
{
	struct store_number d;
	struct sv p[] = {sv_of(c->name), sv_of(number), store_number_put(&d, next_s)};
	return dl_run("UPDATE dialler_numbers SET next_s=" NUM("$3") " WHERE campaign=$1 AND number=$2 AND state IN "
	                                                             "('new','retry')",
	    p, 3, NULL);
}
