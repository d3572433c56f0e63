/* Where numbers go: the look-ups of carriers' switches, each a FreeSWITCH module of its own. What they share is how a
 * template of the configuration becomes a question, and how an answer's rows are read. */
#pragma once
#include "base/role.h"
#include "base/str.h"
#include "store/store.h"

struct leg;
struct xml_node;
struct routing_word { /* what a template may name besides the leg's variables */
	const char *name;
	const char *text; /* with its marks (text/mark.h) */
};

/* Appends the template with ${name} filled in, as SQL (mark_strip_sql). words end with a name of NULL. leg may be NULL.
 * ST_DENIED, told in the log as what: a value from outside may not stand where the template has it. */
ON_CTL int routing_sql(
    struct leg *leg, const char *what, const char *template, const struct routing_word *words, struct buf *out);
/* The same as text, with its marks; *out to be freed with mem_free. */
ON_CTL int routing_expand(struct leg *leg, const char *template, const struct routing_word *words, char **out);

/* Asks a database, waiting. Told in the log as what when it fails. store_rows_fini rows in any case. */
CO int routing_ask(struct store *s, const char *what, const char *sql, struct store_rows *rows);

/* A row of an answer; the names of the columns are its first row. */
struct routing_row {
	const struct store_rows *rows;
	size_t row, at; /* at: behind the row, for store_rows_next */
	struct sv cells[STORE_COLUMNS_MAX];
};
ANY void routing_rows_begin(struct routing_row *r, const struct store_rows *rows);
ANY bool routing_row_next(struct routing_row *r); /* false: none is left */
ANY struct sv routing_row_name(const struct routing_row *r, size_t column);

/* A database of odbc-dsn or the like; *out is NULL with none said. Told in the log when it can be none. */
ON_CTL void routing_store_open(struct store **out, const char *file, const char *key, const char *dsn);

/* ---- tables of numbers, each a file that is read as a whole (blacklist, prefix) ---- */

enum routing_format {
	ROUTING_LINES, /* one number a line */
	ROUTING_JSON,  /* {"number": "value"} */
};
struct routing_table {
	struct routing_table *next;
	char *name, *path;
	struct hash *items; /* number -> value (a mem_alloc string, "" of lines) */
	size_t longest;     /* of its numbers, in bytes */
};
enum { ROUTING_TABLE_BYTES_MAX = 64 << 20, ROUTING_NUMBER_MAX = 128 };
/* Reads a file; told in the log when it cannot be. NULL then. Blocks on the disk. */
ANY struct routing_table *routing_table_read(const char *name, const char *path, enum routing_format format);
ANY void routing_table_free(struct routing_table *t);
ANY int routing_table_add(struct routing_table *t, struct sv number, struct sv value);
/* The value of the longest number that the text begins with; NULL: none. */
ANY const char *routing_table_longest(const struct routing_table *t, struct sv text);
ANY struct routing_table *routing_table_find(struct routing_table *list, const char *name);
ANY void routing_tables_free(struct routing_table **list);
/* Puts t in the place of the one of its name, or at the end. */
ANY void routing_table_put(struct routing_table **list, struct routing_table *t);

/* NAPTR records of a name, waiting: of servers ("" : the machine's). ST_NOTFOUND, ST_TIMEOUT and the like: answer's
 * status. *out is the caller's, large. */
struct dns_answer;
struct dns_servers;
CO int routing_naptr(struct sv name, const struct dns_servers *at, int64_t timeout_us, struct dns_answer *out);
/* The servers that a configuration names, as a list for net/dns.h: <param name="nameserver"/> (or use-server), each an
 * address with or without a port. false: it names none; what is no address is told in the log. */
ON_CTL bool routing_servers(const struct xml_node *settings, struct buf *out);
/* The digits of number backwards, each with its dot, then domain (may be "") and root. ST_LIMIT: it is no name. */
ANY int routing_enum_name(struct buf *out, const char *number, const char *domain, const char *root);

/* Appends what a record's "!regex!replacement!flags" makes of a number, plain. ST_NOTFOUND: it does not fit; ST_PARSE:
 * it is none. */
ANY int routing_enum_uri(const char *regexp, const char *number, struct buf *out);
