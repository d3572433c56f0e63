/* config check: a configuration looked over by a worker, beside the one that runs. */
#include "api/api_i.h"
#include "base/mem.h"
#include "core/conf/check.h"
#include "core/registry/api.h"
#include "loop/co.h"
#include <string.h>

struct look {
	struct config_check *check;
	struct buf text;
	size_t count, warnings;
};

static void tell(const char *problem, void *arg)
{
	struct look *l = arg;
	buf_printf(&l->text, "%s\n", problem);
	l->warnings += strstr(problem, ": warning: ") != NULL;
}

static void look(void *arg)
{
	struct look *l = arg;
	role_assert_work();
	l->count = config_check_run(l->check, tell, l);
}

int api_config(struct api_call *c)
{
	struct sv verb, path;
	struct look l = {0};
	char *where;
	int st;

	role_assert_co();
	if (api_is_outside(c, c->text))
		return ST_OK;
	sv_split(sv_trim(sv_of(c->args)), ' ', &verb, &path);
	if (!sv_isi(verb, "check"))
		return api_usage(c, "config");
	where = sv_dup(sv_trim(path));
	l.check = where ? config_check_new(where) : NULL;
	buf_init(&l.text);
	st = l.check ? co_work(WORK_CONFIG, "config check", look, &l) : ST_NOMEM;
	if (st) {
		buf_printf(c->out, "-ERR %s\n", status_text(st));
	} else {
		buf_addv(c->out, buf_sv(&l.text));
		if (l.count)
			buf_printf(c->out, "-ERR %zu problem%s, %zu warning%s\n", l.count, l.count == 1 ? "" : "s",
			    l.warnings, l.warnings == 1 ? "" : "s");
		else
			buf_printf(c->out, "+OK no problems, %zu warning%s\n", l.warnings, l.warnings == 1 ? "" : "s");
	}
	config_check_free(l.check);
	buf_fini(&l.text);
	mem_free(where);
	return ST_OK;
}
