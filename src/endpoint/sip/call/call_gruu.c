/* Calls to a GRUU (reg/gruu.c). The dialplan sees the user's number, as of any other call; of the contacts of that user
 * which it then dials only those of the instance are called, the others fail as not registered. A phone that gives its
 * GRUU as Contact is reached where it is, not where the address leads: to us. */
#include "base/log.h"
#include "base/mem.h"
#include "endpoint/sip/call/call_i.h"
#include "text/mark.h"

#include <string.h>
#include <strings.h>

bool gruu_refused(struct profile *p, struct sip_stx *tx, const struct sip_msg *m)
{
	const struct reg *r;
	if (gruu_find(&m->ruri, &r) != ST_NOTFOUND)
		return false;
	bool is_temporary = sv_starts(m->ruri.user, SV("tgruu.")); /* RFC 5627 5.1 */
	sip_stx_reply_once(tx, is_temporary ? 404 : 480, NULL, NULL);
	return true;
}

void gruu_invite_in(struct call *c, const struct sip_msg *m)
{
	const struct reg *r;
	if (gruu_find(&m->ruri, &r) != ST_OK)
		return;
	c->gruu.user = mem_strdup(r->user);
	c->gruu.host = mem_strdup(r->host);
	c->gruu.instance = mem_strdup(r->instance);
}

void gruu_fini(struct gruu_called *g)
{
	mem_free(g->user), mem_free(g->host), mem_free(g->instance);
}

void gruu_contact_take(struct call *c, const struct sip_msg *m)
{
	struct sip_nameaddr contact;
	const struct reg *r;
	if (sip_msg_contact(m, &contact) == ST_OK && !contact.is_star && gruu_find(&contact.uri, &r) != ST_INVAL)
		sip_call_set_use_source_address(c->sip, true);
}

bool gruu_is_for(const struct call *a, const struct reg *r)
{
	const struct gruu_called *g = a ? &a->gruu : NULL;
	return !g || !g->instance || strcmp(g->user, r->user) != 0 || strcasecmp(g->host, r->host) != 0 ||
	       !strcmp(g->instance, r->instance);
}

bool gruu_excludes(const struct call *a, struct profile *p, const char *dialled)
{
	const struct reg *regs[REG_CONTACTS_MAX];
	const char *slash = strchr(dialled, '/');
	bool is_excluded = false;
	if (!a || !a->gruu.instance || !slash)
		return false;
	char *target = mark_strip_dup(sv_of(slash + 1));
	size_t n = reg_table_find(reg_table_of(p), sv_of(a->gruu.user), sv_of(a->gruu.host), regs, REG_CONTACTS_MAX);
	for (size_t i = 0; target && i < n && i < REG_CONTACTS_MAX; i++)
		is_excluded |= !strcmp(regs[i]->target, target) && !gruu_is_for(a, regs[i]);
	mem_free(target);
	return is_excluded;
}
