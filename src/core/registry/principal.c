/* Who may run certain commands only: the object that goes with his commands, and making his text data. What his words
 * may become beyond data is decided by the doors (core/door/door.h). */
#include "core/registry/principal.h"
#include "base/mem.h"
#include "base/status.h"
#include "text/mark.h"
#include <string.h>

static void principal_free(void *obj)
{
	struct principal *p = obj;
	mem_free(p->name);
	mem_free(p->list);
}

struct principal *principal_new(
    const char *name, const char *list, bool (*may_run)(const struct principal *p, const char *command))
{
	struct principal *p = mem_new(sizeof(*p), principal_free, "principal");

	if (!p)
		return NULL;
	p->name = mem_strdup(name), p->list = mem_strdup(list), p->may_run = may_run;
	return p->name && p->list ? p : mem_unref(p);
}

bool principal_may_run(const struct principal *p, const char *command)
{
	return !p || p->may_run(p, command);
}

int principal_put_sv(struct buf *out, struct sv text, const char *separators)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] && strchr(separators, text.p[i]))
			buf_addc(out, text.p[i]);
		else
			mark_put(out, sv_sub(text, i, 1));
	}
	return out->failed ? ST_NOMEM : ST_OK;
}

int principal_put_data(struct buf *out, const char *text, const char *separators)
{
	return principal_put_sv(out, sv_of(text), separators);
}

char *principal_data_dup(const char *text, const char *separators)
{
	struct buf b;

	buf_init(&b);
	buf_adds(&b, "");
	if (!principal_put_sv(&b, sv_of(text), separators))
		return buf_take(&b);
	buf_fini(&b);
	return NULL;
}
