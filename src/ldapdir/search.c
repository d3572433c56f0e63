/* One search by libldap, which blocks: on a worker, with a deadline for each step. The first entry that fits becomes
 * the XML of a user. A connection that worked is given back for the next search. */
#include "base/status.h"
#include "ldapdir/ldapdir_i.h"
#include "text/xml.h"
#include <ldap.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

enum { DOCUMENT_MAX_BYTES = 1 << 20, VALUES_MAX = 16 };

void ld_connection_close(void *connection)
{
	if (connection)
		ldap_unbind_ext_s(connection, NULL, NULL);
}

static struct timeval timeval_of(int64_t ms)
{
	return (struct timeval){.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
}

static int fail(struct ld_search *s, int rc, const char *step)
{
	snprintf(s->error, sizeof(s->error), "%s: %s", step, ldap_err2string(rc));
	return rc == LDAP_TIMEOUT || rc == LDAP_TIMELIMIT_EXCEEDED ? ST_TIMEOUT
	       : rc == LDAP_INVALID_CREDENTIALS                    ? ST_DENIED
	                                                           : ST_IO;
}

static int options_set(LDAP *l, const struct ld_binding *b)
{
	struct timeval t = timeval_of(b->timeout_ms);
	int version = LDAP_VERSION3, demand = b->skips_verify ? LDAP_OPT_X_TLS_NEVER : LDAP_OPT_X_TLS_DEMAND, zero = 0;
	int rc = ldap_set_option(l, LDAP_OPT_PROTOCOL_VERSION, &version);

	ldap_set_option(l, LDAP_OPT_NETWORK_TIMEOUT, &t);
	ldap_set_option(l, LDAP_OPT_TIMEOUT, &t);
	ldap_set_option(l, LDAP_OPT_REFERRALS, LDAP_OPT_OFF); /* it goes where the configuration says, nowhere else */
	ldap_set_option(l, LDAP_OPT_RESTART, LDAP_OPT_ON);
	ldap_set_option(l, LDAP_OPT_X_TLS_REQUIRE_CERT, &demand);
	if (b->ca_file)
		ldap_set_option(l, LDAP_OPT_X_TLS_CACERTFILE, b->ca_file);
	ldap_set_option(l, LDAP_OPT_X_TLS_NEWCTX, &zero);
	return rc;
}

static int connect_to(struct ld_search *s, LDAP **out)
{
	const struct ld_binding *b = s->b;
	struct berval password = {
	    .bv_val = b->password ? b->password : (char *)"", .bv_len = b->password ? strlen(b->password) : 0};
	LDAP *l = NULL;
	const char *step = "connect";
	int rc = ldap_initialize(&l, b->url);

	if (!rc)
		rc = options_set(l, b);
	if (!rc && b->starts_tls) {
		step = "start-tls";
		rc = ldap_start_tls_s(l, NULL, NULL);
	}
	if (!rc) {
		step = "bind";
		rc = ldap_sasl_bind_s(l, b->user ? b->user : "", LDAP_SASL_SIMPLE, &password, NULL, NULL, NULL);
	}
	if (rc) {
		ld_connection_close(l);
		return fail(s, rc, step);
	}
	*out = l;
	return ST_OK;
}

/* ---- an entry as XML ---- */

static void attr_put(struct buf *out, const char *name, struct sv value)
{
	buf_printf(out, " %s=\"", name);
	xml_escape(out, value, true);
	buf_addc(out, '"');
}

static void values_put(struct ld_search *s, LDAP *l, LDAPMessage *entry, const struct ld_tran *t)
{
	struct berval **values = ldap_get_values_len(l, entry, t->from);

	for (int i = 0; values && values[i] && i < (t->kind == LD_ATTRIBUTE ? 1 : VALUES_MAX); i++) {
		struct sv value = {values[i]->bv_val, values[i]->bv_len};
		if (memchr(value.p, 0, value.n))
			continue;
		if (t->kind == LD_ATTRIBUTE) {
			attr_put(&s->out, t->name, value);
			continue;
		}
		buf_printf(&s->out, "<%s", t->kind == LD_PARAM ? "param" : "variable");
		attr_put(&s->out, "name", sv_of(t->name));
		attr_put(&s->out, "value", value);
		buf_adds(&s->out, "/>");
	}
	if (values)
		ldap_value_free_len(values);
}

static void kind_put(struct ld_search *s, LDAP *l, LDAPMessage *entry, enum ld_kind kind)
{
	for (size_t i = 0; i < s->b->tran_count; i++)
		if (s->b->trans[i].kind == kind && (kind != LD_ATTRIBUTE || strcmp(s->b->trans[i].name, "id") != 0))
			values_put(s, l, entry, &s->b->trans[i]);
}

static const struct ld_tran *id_tran(const struct ld_binding *b)
{
	for (size_t i = 0; i < b->tran_count; i++)
		if (b->trans[i].kind == LD_ATTRIBUTE && !strcmp(b->trans[i].name, "id"))
			return &b->trans[i];
	return NULL;
}

static void entry_put(struct ld_search *s, LDAP *l, LDAPMessage *entry)
{
	const struct ld_tran *id = id_tran(s->b);

	buf_adds(&s->out, "<document type=\"freeswitch/xml\"><section name=\"directory\"><domain");
	attr_put(&s->out, "name", sv_of(s->domain));
	buf_adds(&s->out, "><groups><group name=\"default\"><users><user");
	if (id)
		values_put(s, l, entry, id);
	else
		attr_put(&s->out, "id", sv_of(s->user));
	kind_put(s, l, entry, LD_ATTRIBUTE);
	buf_adds(&s->out, "><params>");
	kind_put(s, l, entry, LD_PARAM);
	buf_adds(&s->out, "</params><variables>");
	kind_put(s, l, entry, LD_VARIABLE);
	buf_adds(&s->out, "</variables></user></users></group></groups></domain></section></document>");
}

static int search(struct ld_search *s, LDAP *l, int *rc)
{
	struct timeval t = timeval_of(s->b->timeout_ms);
	LDAPMessage *result = NULL, *entry;
	int st = ST_OK;

	*rc = ldap_search_ext_s(l, s->base.p, LDAP_SCOPE_SUBTREE, s->filter.p, NULL, 0, NULL, NULL, &t, 2, &result);
	if (*rc == LDAP_NO_SUCH_OBJECT)
		st = ST_NOTFOUND;
	else if (*rc && *rc != LDAP_SIZELIMIT_EXCEEDED)
		st = fail(s, *rc, "search");
	entry = st ? NULL : ldap_first_entry(l, result);
	if (!st && !entry)
		st = ST_NOTFOUND;
	if (!st)
		entry_put(s, l, entry);
	if (!st && s->out.failed)
		st = ST_LIMIT;
	ldap_msgfree(result);
	return st;
}

void ld_search_run(struct ld_search *s)
{
	LDAP *l = s->connection;
	bool was_used = l != NULL;
	int rc = 0;

	s->out.max = DOCUMENT_MAX_BYTES;
	s->connection = NULL;
	s->status = l ? ST_OK : connect_to(s, &l);
	if (!s->status)
		s->status = search(s, l, &rc);
	if (was_used && (rc == LDAP_SERVER_DOWN || rc == LDAP_CONNECT_ERROR)) { /* it had been closed meanwhile */
		ld_connection_close(l);
		l = NULL;
		s->status = connect_to(s, &l);
		if (!s->status)
			s->status = search(s, l, &rc);
	}
	if (!s->status || s->status == ST_NOTFOUND)
		s->connection = l;
	else
		ld_connection_close(l);
}
