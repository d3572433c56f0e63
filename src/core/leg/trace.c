/* What a program composes of a leg's values, and of those of whom it talks to (its events tell both): a script or a
 * client of the event socket asks for a header, builds a dial string of it and has it run. In the program's hands the
 * value was plain text. Here the leg's values from outside are found again in what the program gives back
 * (text/mark_find.h). */
#include "core/leg/leg.h"
#include "core/leg/leg_i.h"
#include "core/value/vars.h"
#include "text/mark_find.h"
#include <string.h>

static void look_for(struct sv value, void *arg)
{
	mark_find_value(arg, value);
}

/* It was dialled before, by an operator or a dialplan. */
static bool is_rdnis_own(const struct leg_profile *p)
{
	const struct leg_profile *older = p->older;

	return p->rdnis && older && older->destination_text && older->destination_number &&
	       !strcmp(p->rdnis, older->destination_number);
}

static ON_CTL void look_in_profile(
    const struct leg_profile *p, void (*fn)(struct sv value, void *arg), struct mark_find *f)
{
	const char *const fields[] = {p->caller_id_name, p->caller_id_number, p->ani, is_rdnis_own(p) ? NULL : p->rdnis,
	    p->username, p->destination_text ? NULL : p->destination_number, p->callee_id_name, p->callee_id_number};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		fn(sv_of(fields[i]), f);
}

static ON_CTL void look_in(const struct leg *leg, void (*fn)(struct sv value, void *arg), struct mark_find *f)
{
	vars_each_outside(leg->vars, fn, f);
	if (leg->profile)
		look_in_profile(leg->profile, fn, f);
}

char *leg_text_traced(struct leg *leg, const char *text)
{
	struct mark_find f;

	if (!mark_means_something(sv_of(text)))
		return NULL;
	mark_find_begin(&f, sv_of(text));
	look_in(leg, look_for, &f);
	if (leg->peer)
		look_in(leg->peer, look_for, &f);
	if (leg->other)
		look_in_profile(leg->other, look_for, &f);
	return mark_find_end(&f);
}

/* A whole "${command(...)}": who calls cannot spoil what programs say of others by a mere "${", or by the beginning of
 * something that they are likely to say. */
static bool has_command(struct sv text)
{
	const char *end = text.p + text.n, *at = text.n ? memmem(text.p, text.n, "${", 2) : NULL;

	at = at ? memchr(at, '(', (size_t)(end - at)) : NULL;
	return at && memchr(at, '}', (size_t)(end - at));
}

static void look_for_command(struct sv value, void *arg)
{
	if (has_command(value))
		mark_find_whole(arg, value);
}

static bool look_in_each(struct leg *leg, void *arg)
{
	role_assert_ctl();
	look_in(leg, look_for_command, arg);
	return true;
}

char *leg_text_traced_any(const char *text)
{
	struct mark_find f;

	if (!has_command(sv_of(text)))
		return NULL;
	mark_find_begin(&f, sv_of(text));
	leg_each(look_in_each, &f);
	return mark_find_end(&f);
}
