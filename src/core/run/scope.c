/* "%[a=1,b=2]data": variables that are there for one application only. They stand among the leg's own while it runs, in
 * whatever it runs too; what they hid comes back with its end. */
#include "base/mem.h"
#include "core/leg/leg.h"
#include "core/run/exec_i.h"
#include "core/value/vars.h"
#include <string.h>

struct exec_scope {
	struct vars *set, *hidden;
};

/* The ']' that closes the bracket before from; NULL when there is none. Quotes and brackets within count. */
static const char *scope_end(const char *from)
{
	bool is_quoted = false;
	unsigned open = 1;

	for (; *from; from++) {
		if (*from == '\\' && from[1])
			from++;
		else if (*from == '\'')
			is_quoted = !is_quoted;
		else if (*from == '[' && !is_quoted)
			open++;
		else if (*from == ']' && !is_quoted && !--open)
			return from;
	}
	return NULL;
}

void exec_scope_free(struct exec_scope *s)
{
	if (s) {
		vars_free(s->set);
		vars_free(s->hidden);
		mem_free(s);
	}
}

struct exec_scope *exec_scope_open(struct leg *leg, const char **data)
{
	const char *text = *data, *end, *name, *value;
	struct exec_scope *s = NULL;

	while (text && text[0] == '%' && text[1] == '[' && (end = scope_end(text + 2))) {
		if (!s)
			s = mem_zalloc(sizeof(*s));
		if (!s || (!s->set && vars_new(&s->set)) || (!s->hidden && vars_new(&s->hidden)) ||
		    vars_parse(s->set, (struct sv){text + 2, (size_t)(end - text - 2)})) {
			leg_log(leg, LOG_ERR, "variables in %%[] cannot be read: %.80s", text);
			break;
		}
		text = end + 1;
	}
	for (size_t i = 0; s && i < vars_count(s->set); i++) {
		vars_at(s->set, i, &name, &value);
		vars_copy_one(s->hidden, name, leg->vars, name);
		vars_copy_one(leg->vars, name, s->set, name);
	}
	*data = text;
	return s;
}

void exec_scope_close(struct leg *leg, struct exec_scope *s)
{
	const char *name, *value, *now;

	for (size_t i = 0; s && i < vars_count(s->set); i++) {
		vars_at(s->set, i, &name, &value);
		now = vars_get(leg->vars, name);
		if (!now || strcmp(now, value)) /* the application set it: that stays */
			continue;
		leg_var_set(leg, name, NULL);
		vars_copy_one(leg->vars, name, s->hidden, name);
	}
	exec_scope_free(s);
}
