/* screen-pop: the page that the agent's browser is to show for a caller, from a template:
 *
 *   https://crm.example/find?tel={number}&name={name}&queue={queue}&agent={agent}&call={uuid}&case={var:case_id}
 *
 * What stands for a name is percent-coded, every byte but letters, digits, '-', '.', '_' and '~' (RFC 3986
 * section 2.3), so that no caller changes the page that is asked for. Events are another matter: their plain form, as
 * FreeSWITCH writes it, codes no escape twice, so who reads it takes ours away. There what parts an address is '_'. */
#include "base/mem.h"
#include "callcenter/callcenter_i.h"
#include "core/value/vars.h"

#include <ctype.h>
#include <string.h>

static void value_put(struct buf *out, const char *text, bool is_event)
{
	for (const unsigned char *p = (const unsigned char *)(text ? text : ""); *p; p++) {
		if (*p < 128 && (isalnum(*p) || strchr("-._~", *p)))
			buf_addc(out, (char)*p);
		else if (is_event && *p < 128 && !strchr(" +@*,()!", *p))
			buf_addc(out, '_');
		else
			buf_printf(out, "%%%02X", *p);
	}
}

static ON_CTL const char *value_of(const struct cc_offer *o, struct sv name)
{
	const struct cc_member *m = o->member;
	if (sv_is(name, "number"))
		return m->cid_number;
	if (sv_is(name, "name"))
		return m->cid_name;
	if (sv_is(name, "queue"))
		return o->queue->name;
	if (sv_is(name, "agent"))
		return o->agent->name;
	if (sv_is(name, "uuid"))
		return o->session;
	if (sv_starts(name, SV("var:")) && m->leg) {
		char *variable = sv_dup(sv_sub(name, 4, name.n));
		const char *value = variable ? vars_get(m->leg->vars, variable) : NULL;
		mem_free(variable);
		return value;
	}
	return NULL;
}

char *cc_pop_make(const struct cc_offer *o, bool is_event)
{
	const char *p = o->queue->s.screen_pop, *end;
	struct buf out;
	if (!p)
		return NULL;
	buf_init(&out);
	while (*p) {
		if (*p != '{' || !(end = strchr(p, '}'))) {
			buf_addc(&out, *p++);
			continue;
		}
		value_put(&out, value_of(o, (struct sv){p + 1, (size_t)(end - p - 1)}), is_event);
		p = end + 1;
	}
	return buf_take(&out);
}
