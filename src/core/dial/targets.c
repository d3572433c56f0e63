/* The list of targets: building, copying, freeing. A leg's variables are merged when it is added, so that whoever dials
 * it looks at one set. */
#include "core/dial/targets.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/dial/dial_core.h"
#include "core/value/vars.h"
#include "text/mark.h"
#include <string.h>

int dial_init(struct dial *d)
{
	memset(d, 0, sizeof(*d));
	return vars_new(&d->vars);
}

int dial_part_add(struct dial *d, const struct vars *more)
{
	struct dial_part *parts, *part;
	int st;

	if (d->count == DIAL_PARTS_MAX)
		return ST_LIMIT;
	parts = mem_realloc(d->parts, (d->count + 1) * sizeof(*parts));
	if (!parts)
		return ST_NOMEM;
	d->parts = parts;
	part = &parts[d->count++];
	memset(part, 0, sizeof(*part));
	part->group_count = 1;
	st = vars_new(&part->vars);
	if (!st)
		st = vars_copy(part->vars, d->vars);
	return st || !more ? st : vars_copy(part->vars, more);
}

/* [] loses to {} unless local_var_clobber is set in either. */
static int leg_vars_merge(struct dial_leg *leg, const struct vars *all, const struct vars *own)
{
	bool is_clobber =
	    own && (str_is_true(vars_get(own, "local_var_clobber")) || str_is_true(vars_get(all, "local_var_clobber")));
	int st = vars_new(&leg->vars);

	if (!st && own && !is_clobber)
		st = vars_copy(leg->vars, own);
	if (!st)
		st = vars_copy(leg->vars, all);
	if (!st && own && is_clobber)
		st = vars_copy(leg->vars, own);
	return st;
}

static struct dial_leg *part_leg_new(struct dial_part *part)
{
	struct dial_leg *legs = mem_realloc(part->legs, (part->count + 1) * sizeof(*legs));

	if (!legs)
		return NULL;
	part->legs = legs;
	memset(&legs[part->count], 0, sizeof(*legs));
	return &legs[part->count++];
}

int dial_leg_add(struct dial *d, struct sv endpoint, struct sv text, unsigned group, const struct vars *own)
{
	struct dial_part *part = &d->parts[d->count - 1];
	struct dial_leg *leg;

	if (part->count == DIAL_LEGS_MAX)
		return ST_LIMIT;
	leg = part_leg_new(part);
	if (!leg)
		return ST_NOMEM;
	leg->group = group;
	if (group >= part->group_count)
		part->group_count = group + 1;
	leg->endpoint = sv_dup(sv_trim(endpoint));
	leg->data = mark_strip_dup(text);
	leg->text = sv_dup(text);
	return leg->endpoint && leg->data && leg->text ? leg_vars_merge(leg, part->vars, own) : ST_NOMEM;
}

static int part_copy(struct dial *to, const struct dial_part *from)
{
	int st = dial_part_add(to, from->vars);

	for (size_t i = 0; i < from->count && !st; i++) {
		const struct dial_leg *leg = &from->legs[i];
		st = dial_leg_add(to, sv_of(leg->endpoint), sv_of(leg->text), leg->group, NULL);
		if (!st) { /* merged already */
			struct dial_leg *copy = &to->parts[to->count - 1].legs[i];
			vars_free(copy->vars);
			copy->vars = NULL;
			st = vars_new(&copy->vars);
			if (!st)
				st = vars_copy(copy->vars, leg->vars);
		}
	}
	return st;
}

int dial_copy(struct dial *to, const struct dial *from)
{
	int st = dial_init(to);

	if (!st)
		st = vars_copy(to->vars, from->vars);
	for (size_t i = 0; i < from->count && !st; i++)
		st = part_copy(to, &from->parts[i]);
	return st;
}

void dial_free(struct dial *d)
{
	for (size_t i = 0; i < d->count; i++) {
		struct dial_part *part = &d->parts[i];
		for (size_t k = 0; k < part->count; k++) {
			vars_free(part->legs[k].vars);
			mem_free(part->legs[k].endpoint);
			mem_free(part->legs[k].data);
			mem_free(part->legs[k].text);
		}
		mem_free(part->legs);
		vars_free(part->vars);
	}
	mem_free(d->parts);
	vars_free(d->vars);
	d->parts = NULL, d->vars = NULL, d->count = 0;
}
