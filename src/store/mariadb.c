/* MariaDB and MySQL by libmariadb, on workers: mariadb://Server=...;Database=...;Uid=...;Pwd=...; as FreeSWITCH writes
 * it. Values become literals by the library's own escaping, which knows the server's mode; rows come one by one, so
 * that the bound on a result holds. Every read and write of the socket has a deadline. */
#include "base/log.h"
#include "base/mem.h"
#include "store/driver_i.h"
#include "store/far.h"

#include <errmsg.h>
#include <mysql.h>
#include <mysqld_error.h>
#include <string.h>
#include <sys/socket.h>

enum { CONNECT_S = 5, ANSWER_S = 10 };
struct far_db {
	char *server, *user, *password, *database, *socket;
	uint32_t port;
	MYSQL *my;
};

static void db_free(struct far_db *db)
{
	char *texts[] = {db->server, db->user, db->password, db->database, db->socket};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		mem_free(texts[i]);
	mem_free(db);
}

static char **text_of(struct far_db *db, struct sv key)
{
	static const struct {
		const char *key;
		size_t offset;
	} keys[] = {{"server", offsetof(struct far_db, server)}, {"host", offsetof(struct far_db, server)},
	    {"database", offsetof(struct far_db, database)}, {"db", offsetof(struct far_db, database)},
	    {"uid", offsetof(struct far_db, user)}, {"user", offsetof(struct far_db, user)},
	    {"pwd", offsetof(struct far_db, password)}, {"password", offsetof(struct far_db, password)},
	    {"socket", offsetof(struct far_db, socket)}, {"unix_socket", offsetof(struct far_db, socket)}};
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (sv_isi(key, keys[i].key))
			return (char **)(void *)((char *)db + keys[i].offset);
	return NULL;
}

static int db_make(struct far_db **out, const char *rest, struct buf *error)
{
	struct far_db *db = mem_zalloc(sizeof(*db));
	struct sv left = sv_of(rest), pair, key, value;
	int st = ST_OK;
	db->port = 3306;
	while (left.n && !st) {
		sv_split(left, ';', &pair, &left);
		if (!sv_trim(pair).n)
			continue;
		if (!sv_split(pair, '=', &key, &value)) {
			st = ST_INVAL;
			break;
		}
		key = sv_trim(key), value = sv_trim(value);
		char **text = text_of(db, key);
		if (text)
			mem_free(*text), *text = sv_dup(value);
		else if (sv_isi(key, "port"))
			st = sv_u32(value, &db->port) || db->port > 65535 ? ST_INVAL : ST_OK;
	}
	if (st || !db->database) {
		buf_adds(error, "mariadb: \"Server=...;Database=...;Uid=...;Pwd=...;\" is wanted");
		db_free(db);
		return ST_INVAL;
	}
	*out = db;
	return ST_OK;
}

static int db_connect(struct far_db *db, struct buf *error)
{
	unsigned connect_s = CONNECT_S, answer_s = ANSWER_S;
	db->my = mysql_init(NULL);
	if (!db->my)
		return ST_NOMEM;
	mysql_options(db->my, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s);
	mysql_options(db->my, MYSQL_OPT_READ_TIMEOUT, &answer_s);
	mysql_options(db->my, MYSQL_OPT_WRITE_TIMEOUT, &answer_s);
	mysql_options(db->my, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	if (mysql_real_connect(db->my, db->server, db->user, db->password, db->database, db->port, db->socket, 0))
		return ST_OK;
	buf_printf(error, "%s", mysql_error(db->my));
	mysql_close(db->my);
	db->my = NULL;
	return ST_CLOSED;
}

static void db_disconnect(struct far_db *db)
{
	mysql_close(db->my);
	db->my = NULL;
}

static int fail(struct far_db *db, struct buf *error)
{
	unsigned code = mysql_errno(db->my);
	buf_printf(error, "%s", mysql_error(db->my));
	if (code == CR_SERVER_LOST || code == CR_SERVER_GONE_ERROR || code == ER_SERVER_SHUTDOWN ||
	    code == ER_CONNECTION_KILLED || code == CR_MALFORMED_PACKET || code == CR_COMMANDS_OUT_OF_SYNC ||
	    code == CR_UNKNOWN_ERROR)
		return ST_CLOSED;
	return ST_IO;
}

static void literal_put(struct far_db *db, struct buf *sql, struct sv value)
{
	struct buf clean;
	char *room;
	if (!value.p) {
		buf_adds(sql, "NULL");
		return;
	}
	buf_init(&clean);
	sql_utf8_put(&clean, value);
	buf_addc(sql, '\'');
	if (clean.n && (room = buf_room(sql, 2 * clean.n + 1)))
		buf_end(sql, room + mysql_real_escape_string(db->my, room, clean.p, clean.n));
	buf_addc(sql, '\'');
	buf_fini(&clean);
}

/* The text with its values written in, where the reader put a byte 1 for each; the text may have none of its own. */
static int text_put(
    struct far_db *db, struct sv sql, const struct sv *values, size_t count, struct buf *out, struct buf *error)
{
	struct sql_values *places = mem_zalloc(sizeof(*places));
	struct sv rest, head;
	struct buf marked;
	int st;

	buf_init(&marked);
	st = sql.n && memchr(sql.p, '\1', sql.n) ? ST_INVAL
	                                         : sql_bind(sql, SQL_BACKSLASH, count, &marked, places, error);
	rest = buf_sv(&marked);
	for (size_t i = 0; !st && i < places->count; i++) {
		sv_split(rest, '\1', &head, &rest);
		buf_addv(out, head);
		literal_put(db, out, values[places->at[i]]);
	}
	buf_addv(out, rest);
	buf_fini(&marked);
	mem_free(places);
	return st ? st : out->failed ? ST_NOMEM : ST_OK;
}

static int result_read(struct far_db *db, MYSQL_RES *r, struct store_rows *rows, size_t max_bytes, struct buf *error)
{
	unsigned columns = mysql_num_fields(r);
	MYSQL_FIELD *fields = mysql_fetch_fields(r);
	MYSQL_ROW row;
	rows->column_count = columns;
	for (unsigned i = 0; i < columns; i++)
		store_rows_add(rows, fields[i].name, strlen(fields[i].name));
	while ((row = mysql_fetch_row(r))) {
		unsigned long *n = mysql_fetch_lengths(r);
		for (unsigned i = 0; i < columns; i++)
			store_rows_add(rows, row[i], row[i] ? n[i] : 0);
		rows->row_count++;
		if (rows->cells.n > max_bytes || rows->cells.failed) {
			buf_printf(error, "the result is over %zu MiB", max_bytes >> 20);
			return ST_LIMIT;
		}
	}
	return mysql_errno(db->my) ? fail(db, error) : ST_OK;
}

static int db_run(struct far_db *db, struct sv sql, const struct sv *values, size_t count, struct store_rows *rows,
    size_t max_bytes, struct buf *error)
{
	struct store_rows none = {0};
	struct buf text;
	int st;

	buf_init(&text);
	st = text_put(db, sql, values, count, &text, error);
	if (!st && mysql_real_query(db->my, text.p, text.n))
		st = fail(db, error);
	buf_fini(&text);
	if (st)
		return st;
	MYSQL_RES *r = mysql_use_result(db->my);
	if (r) {
		st = result_read(db, r, rows ? rows : &none, max_bytes, error);
		if (st == ST_LIMIT) /* the rest would have to be read: the connection goes */
			shutdown(mysql_get_socket(db->my), SHUT_RDWR);
		mysql_free_result(r);
	} else if (mysql_field_count(db->my)) {
		st = fail(db, error);
	} else if (rows) {
		rows->change_count = (int64_t)mysql_affected_rows(db->my);
	}
	store_rows_fini(&none);
	return st;
}

static const struct far_ops ops = {.dialect = SQL_BACKSLASH,
    .make = db_make,
    .free = db_free,
    .connect = db_connect,
    .disconnect = db_disconnect,
    .run = db_run};

static int mariadb_open(
    struct store_conn **out, const char *rest, const char *folder, enum store_use use, struct buf *error)
{
	role_assert_ctl();
	return far_open(out, &store_mariadb, &ops, rest, use, error);
}

const struct store_driver store_mariadb = {
    .scheme = "mariadb", .open = mariadb_open, .submit = far_submit, .close = far_close};
