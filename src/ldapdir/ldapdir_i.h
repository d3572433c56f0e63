/* mod_xml_ldap: users in an LDAP directory (docs/directories.md). Private to the room. */
#pragma once
#include "base/list.h"
#include "base/role.h"
#include "core/conf/source.h"
#include <stdint.h>

enum ld_kind { LD_PARAM, LD_VARIABLE, LD_ATTRIBUTE };
struct ld_tran { /* an attribute of LDAP and what it is here */
	char *name, *from;
	enum ld_kind kind;
};
struct ld_binding { /* counted; read-only but for what control keeps */
	char *name, *url, *base, *filter, *user, *password, *ca_file;
	bool starts_tls, skips_verify;
	int64_t timeout_ms;
	struct ld_tran *trans;
	size_t tran_count;
	/* control's */
	struct source_binding *bound;
	void *idle; /* a connection nobody uses, or NULL */
	unsigned running, max_running, failures;
	int64_t left_alone_until_us;
	bool is_failing;
	uint64_t asked, found, failed, refused;
	struct lnode link;
};
ANY int ld_tran_read(struct ld_tran *out, const char *name, const char *from, const char *type);

/* ---- text.c: pure ---- */
/* pattern with each %s replaced by value, escaped for a filter (RFC 4515) or a name (RFC 4514). */
ANY int ld_filter_put(struct buf *out, const char *pattern, struct sv value);
ANY int ld_name_put(struct buf *out, const char *pattern, struct sv value);

/* ---- search.c: on a worker ---- */
struct ld_search {
	const struct ld_binding *b;
	struct buf base, filter, out; /* out: the document */
	const char *user, *domain;
	void *connection; /* in: one to use, or NULL; out: one that may be used again, or NULL */
	int status;
	char error[200];
};
ON_WORK void ld_search_run(struct ld_search *s);
ANY void ld_connection_close(void *connection);
