/* What a program composes of a leg's values: a script or a client of the event socket asks for a header, builds a dial
 * string of it and has it run. In the program's hands the value was plain text. Here it is found again: wherever a
 * value from outside that could mean something to a language stands in what the program gives back, it is marked.
 * Values of letters and digits mean nothing and are not looked for. */
#include "base/mem.h"
#include "core/leg/leg.h"
#include "core/leg/leg_i.h"
#include "core/value/vars.h"
#include "text/mark.h"
#include <string.h>

enum { TEXT_MAX_BYTES = 64 << 10, VALUE_MIN_BYTES = 2 };

struct trace {
	struct sv text;
	bool *is_outside; /* for each byte of text; NULL until something was found */
	bool has_failed;
};

static bool means_something(struct sv value)
{
	for (size_t i = 0; i < value.n; i++)
		if (strchr("${}\\[]<>,|^'`%", value.p[i]) && value.p[i])
			return true;
	return false;
}

static void look_for(struct sv value, void *arg)
{
	struct trace *t = arg;
	const char *at = t->text.p, *end = t->text.p + t->text.n;

	if (value.n < VALUE_MIN_BYTES || !means_something(value))
		return;
	while (at < end && (at = memmem(at, (size_t)(end - at), value.p, value.n))) {
		if (!t->is_outside && !(t->is_outside = mem_zalloc(t->text.n))) {
			t->has_failed = true;
			return;
		}
		memset(t->is_outside + (at - t->text.p), true, value.n);
		at++;
	}
}

static ON_CTL void look_in_profile(struct trace *t, const struct leg_profile *p)
{
	const char *const fields[] = {p->caller_id_name, p->caller_id_number, p->ani, p->rdnis, p->username,
	    p->destination_text ? NULL : p->destination_number, p->callee_id_name, p->callee_id_number};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		look_for(sv_of(fields[i]), t);
}

char *leg_text_traced(struct leg *leg, const char *text)
{
	struct trace t = {.text = sv_of(text)};
	struct buf out;
	char *marked;

	if (!means_something(t.text) || mark_has(t.text))
		return NULL;
	buf_init(&out);
	if (t.text.n > TEXT_MAX_BYTES) {
		mark_put(&out, t.text); /* nobody composes that much: data */
		return buf_take(&out);
	}
	vars_each_outside(leg->vars, look_for, &t);
	if (leg->profile)
		look_in_profile(&t, leg->profile);
	if (t.has_failed) {
		mark_put(&out, t.text);
		return buf_take(&out);
	}
	for (size_t i = 0; t.is_outside && i < t.text.n; i++) {
		if (t.is_outside[i])
			mark_put(&out, sv_sub(t.text, i, 1));
		else
			buf_addc(&out, t.text.p[i]);
	}
	marked = t.is_outside ? buf_take(&out) : NULL;
	buf_fini(&out);
	mem_free(t.is_outside);
	return marked;
}
