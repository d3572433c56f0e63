/* Any database by unixODBC, on workers: odbc://DSN:USER:PASSWORD and DSN:USER:PASSWORD as FreeSWITCH writes them, or
 * odbc://Driver=...;Server=...;. Values are bound as text, cells are read as text, in pieces. What an ODBC driver does
 * not tell (a timeout) is asked of it where it can. */
#include "base/log.h"
#include "base/mem.h"
#include "store/driver_i.h"
#include "store/far.h"

#include <sql.h>
#include <sqlext.h>
#include <stdio.h>
#include <string.h>

enum { CONNECT_S = 5, ANSWER_S = 10, PIECE_BYTES = 4096 };
struct far_db {
	char *dsn, *user, *password;
	bool is_whole; /* dsn is a connection string */
	SQLHENV env;
	SQLHDBC dbc;
};

static void db_free(struct far_db *db)
{
	mem_free(db->dsn), mem_free(db->user), mem_free(db->password);
	mem_free(db);
}

static int db_make(struct far_db **out, const char *rest, struct buf *error)
{
	struct far_db *db;
	struct sv dsn, user, password, more;
	if (!*rest) {
		buf_adds(error, "odbc: \"DSN:USER:PASSWORD\" is wanted");
		return ST_INVAL;
	}
	db = mem_zalloc(sizeof(*db));
	db->is_whole = strchr(rest, '=') != NULL && (!strchr(rest, ':') || strchr(rest, '=') < strchr(rest, ':'));
	if (db->is_whole) {
		db->dsn = mem_strdup(rest);
	} else {
		sv_split(sv_of(rest), ':', &dsn, &more);
		sv_split(more, ':', &user, &password);
		db->dsn = sv_dup(dsn), db->user = sv_dup(user), db->password = sv_dup(password);
	}
	*out = db;
	return ST_OK;
}

/* What the library says of a handle; whether the connection is gone (08...), or too slow (HYT..). */
static int diag(SQLSMALLINT kind, SQLHANDLE handle, struct buf *error)
{
	SQLCHAR state[6] = "", text[512] = "";
	SQLINTEGER native;
	SQLSMALLINT n;
	if (SQL_SUCCEEDED(SQLGetDiagRec(kind, handle, 1, state, &native, text, sizeof(text), &n)))
		buf_printf(error, "%s (%s)", (char *)text, (char *)state);
	return !memcmp(state, "08", 2) || !memcmp(state, "57P0", 4) ? ST_CLOSED
	       : !memcmp(state, "HYT", 3)                           ? ST_TIMEOUT
	                                                            : ST_IO;
}

static void db_disconnect(struct far_db *db)
{
	if (db->dbc) {
		SQLDisconnect(db->dbc);
		SQLFreeHandle(SQL_HANDLE_DBC, db->dbc);
	}
	if (db->env)
		SQLFreeHandle(SQL_HANDLE_ENV, db->env);
	db->dbc = NULL, db->env = NULL;
}

static SQLRETURN dial(struct far_db *db)
{
	if (db->is_whole)
		return SQLDriverConnect(db->dbc, NULL, (SQLCHAR *)db->dsn, SQL_NTS, NULL, 0, NULL, SQL_DRIVER_NOPROMPT);
	return SQLConnect(db->dbc, (SQLCHAR *)db->dsn, SQL_NTS, *db->user ? (SQLCHAR *)db->user : NULL, SQL_NTS,
	    *db->user ? (SQLCHAR *)db->password : NULL, SQL_NTS);
}

static int db_connect(struct far_db *db, struct buf *error)
{
	if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_ENV, SQL_NULL_HANDLE, &db->env)))
		return ST_NOMEM;
	SQLSetEnvAttr(db->env, SQL_ATTR_ODBC_VERSION, (void *)(uintptr_t)SQL_OV_ODBC3, 0);
	if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_DBC, db->env, &db->dbc))) {
		db_disconnect(db);
		return ST_NOMEM;
	}
	SQLSetConnectAttr(db->dbc, SQL_ATTR_LOGIN_TIMEOUT, (void *)(uintptr_t)CONNECT_S, 0);
	SQLSetConnectAttr(db->dbc, SQL_ATTR_CONNECTION_TIMEOUT, (void *)(uintptr_t)ANSWER_S, 0);
	if (SQL_SUCCEEDED(dial(db)))
		return ST_OK;
	(void)diag(SQL_HANDLE_DBC, db->dbc, error);
	db_disconnect(db);
	return ST_CLOSED;
}

/* One cell as text. */
static int cell_read(SQLHSTMT s, SQLUSMALLINT column, struct store_rows *rows, size_t max_bytes)
{
	char piece[PIECE_BYTES];
	struct buf cell;
	SQLLEN n = 0;
	SQLRETURN rc;
	bool is_null = false;

	buf_init(&cell);
	buf_adds(&cell, "");
	while ((rc = SQLGetData(s, column, SQL_C_CHAR, piece, sizeof(piece), &n)) != SQL_NO_DATA && SQL_SUCCEEDED(rc)) {
		if (n == SQL_NULL_DATA) {
			is_null = true;
			break;
		}
		buf_add(&cell, piece, strnlen(piece, sizeof(piece)));
		if (rc == SQL_SUCCESS || cell.n > max_bytes)
			break;
	}
	store_rows_add(rows, is_null ? NULL : cell.p ? cell.p : "", cell.n);
	buf_fini(&cell);
	return rows->cells.n > max_bytes || rows->cells.failed ? ST_LIMIT : ST_OK;
}

static int result_read(SQLHSTMT s, SQLSMALLINT columns, struct store_rows *rows, size_t max_bytes, struct buf *error)
{
	SQLCHAR name[256];
	SQLSMALLINT n;
	SQLRETURN rc;
	int st = ST_OK;

	rows->column_count = (size_t)columns;
	for (SQLUSMALLINT i = 1; i <= (SQLUSMALLINT)columns; i++) {
		*name = 0;
		SQLDescribeCol(s, i, name, sizeof(name), &n, NULL, NULL, NULL, NULL);
		store_rows_add(rows, (char *)name, strlen((char *)name));
	}
	while (!st && SQL_SUCCEEDED(rc = SQLFetch(s))) {
		for (SQLUSMALLINT i = 1; !st && i <= (SQLUSMALLINT)columns; i++)
			st = cell_read(s, i, rows, max_bytes);
		rows->row_count++;
	}
	if (st == ST_LIMIT)
		buf_printf(error, "the result is over %zu MiB", max_bytes >> 20);
	return st ? st : rc == SQL_NO_DATA ? ST_OK : diag(SQL_HANDLE_STMT, s, error);
}

struct bound {
	struct buf texts;
	size_t offsets[SQL_VALUES_MAX];
	SQLLEN lengths[SQL_VALUES_MAX];
};

static int values_bind(SQLHSTMT s, const struct sql_values *places, const struct sv *values, struct bound *b)
{
	for (size_t i = 0; i < places->count; i++) {
		struct sv v = values[places->at[i]];
		b->offsets[i] = b->texts.n;
		sql_utf8_put(&b->texts, v);
		b->lengths[i] = v.p ? (SQLLEN)(b->texts.n - b->offsets[i]) : SQL_NULL_DATA;
		buf_addc(&b->texts, 0);
	}
	if (b->texts.failed)
		return ST_NOMEM;
	for (size_t i = 0; i < places->count; i++) {
		SQLULEN size = b->lengths[i] > 0 ? (SQLULEN)b->lengths[i] : 1;
		if (!SQL_SUCCEEDED(SQLBindParameter(s, (SQLUSMALLINT)(i + 1), SQL_PARAM_INPUT, SQL_C_CHAR, SQL_VARCHAR,
		        size, 0, b->texts.p + b->offsets[i], 0, &b->lengths[i])))
			return ST_IO;
	}
	return ST_OK;
}

static int statement_run(SQLHSTMT s, struct sv sql, const struct sv *values, size_t count, struct store_rows *rows,
    size_t max_bytes, struct buf *error)
{
	struct sql_values *places = mem_zalloc(sizeof(*places));
	struct bound *b = mem_zalloc(sizeof(*b));
	struct store_rows none = {0};
	SQLSMALLINT columns = 0;
	SQLLEN changed = 0;
	struct buf text;
	SQLRETURN rc;

	buf_init(&text);
	int st = sql_bind(sql, SQL_QUESTIONS, count, &text, places, error);
	if (!st)
		st = values_bind(s, places, values, b);
	if (!st) {
		rc = SQLExecDirect(s, (SQLCHAR *)text.p, (SQLINTEGER)text.n);
		if (!SQL_SUCCEEDED(rc) && rc != SQL_NO_DATA)
			st = diag(SQL_HANDLE_STMT, s, error);
	}
	if (!st && SQL_SUCCEEDED(SQLNumResultCols(s, &columns)) && columns)
		st = result_read(s, columns, rows ? rows : &none, max_bytes, error);
	else if (!st && rows && SQL_SUCCEEDED(SQLRowCount(s, &changed)))
		rows->change_count = changed > 0 ? changed : 0;
	store_rows_fini(&none);
	buf_fini(&text), buf_fini(&b->texts);
	mem_free(places), mem_free(b);
	return st;
}

static int db_run(struct far_db *db, struct sv sql, const struct sv *values, size_t count, struct store_rows *rows,
    size_t max_bytes, struct buf *error)
{
	SQLHSTMT s;
	if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, db->dbc, &s)))
		return ST_CLOSED;
	SQLSetStmtAttr(s, SQL_ATTR_QUERY_TIMEOUT, (void *)(uintptr_t)ANSWER_S, 0);
	int st = statement_run(s, sql, values, count, rows, max_bytes, error);
	SQLFreeHandle(SQL_HANDLE_STMT, s);
	return st;
}

static const struct far_ops ops = {.dialect = SQL_QUESTIONS,
    .is_generic = true,
    .make = db_make,
    .free = db_free,
    .connect = db_connect,
    .disconnect = db_disconnect,
    .run = db_run};

static int odbc_open(
    struct store_conn **out, const char *rest, const char *folder, enum store_use use, struct buf *error)
{
	role_assert_ctl();
	return far_open(out, &store_odbc, &ops, rest, use, error);
}

const struct store_driver store_odbc = {.scheme = "odbc", .open = odbc_open, .submit = far_submit, .close = far_close};
