/* SQL as text, as far as it has to be known: where one statement ends, and where values stand in it. Pure. The reader
 * knows strings, quoted names, comments and PostgreSQL's dollar quotes; it judges nothing, what is open at the end runs
 * to the end. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"

enum sql_dialect {
	SQL_STANDARD,  /* values stay $1, $2 ..., numbered anew; a backslash is one, but in E'...' */
	SQL_QUESTIONS, /* ODBC: each value is a ? */
	SQL_BACKSLASH, /* MariaDB: each is a byte 1, a backslash escapes in every string, # begins a comment */
};
enum { SQL_VALUES_MAX = 1000 };
struct sql_values { /* which of the given values each place takes: 0 is the first */
	uint16_t at[SQL_VALUES_MAX];
	size_t count;
};

/* The next statement of *rest, which moves behind it: trimmed, without its ';', never empty; what is only comment is
 * none. false: there is none left. A view. */
ANY bool sql_next(struct sv *rest, enum sql_dialect d, struct sv *statement);
/* A transaction of its own: "BEGIN;" and what follows. */
ANY bool sql_is_transaction(const char *text);
/* Appends the statement as the dialect writes its values, and says which it takes. ST_INVAL: it names one that is not
 * among value_count (error says which); ST_LIMIT: over SQL_VALUES_MAX places. */
ANY int sql_bind(struct sv statement, enum sql_dialect d, size_t value_count, struct buf *out,
    struct sql_values *values, struct buf *error);
/* Appends text as UTF-8 without zero bytes, as databases want it: each wrong byte is U+FFFD. */
ANY void sql_utf8_put(struct buf *out, struct sv text);
ANY bool sql_is_utf8(struct sv text);
