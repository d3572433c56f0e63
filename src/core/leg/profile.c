/* Caller profiles: who calls whom, as a leg sees it. A table gives each field FreeSWITCH's name. */
#include "base/check.h"
#include "base/fmt.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/leg/leg.h"
#include "core/leg/leg_i.h"
#include "text/mark.h"
#include <stddef.h>
#include <string.h>

static const struct {
	const char *name;
	uint16_t n, offset;
} fields[] = {
#define FIELD(n) \
	{ \
#n, sizeof(#n) - 1, offsetof(struct leg_profile, n) \
	}
    FIELD(username),
    FIELD(dialplan),
    FIELD(caller_id_name),
    FIELD(caller_id_number),
    FIELD(orig_caller_id_name),
    FIELD(orig_caller_id_number),
    FIELD(callee_id_name),
    FIELD(callee_id_number),
    FIELD(network_addr),
    FIELD(ani),
    FIELD(aniii),
    FIELD(rdnis),
    FIELD(destination_number),
    FIELD(source),
    FIELD(transfer_source),
    FIELD(context),
    FIELD(chan_name),
    FIELD(uuid),
#undef FIELD
};

/* The field's place in the table by length and first letter; most names that are asked for are no field at all. */
static char **field_find(const struct leg_profile *p, struct sv name)
{
	for (size_t i = 0; i < ARRAY_COUNT(fields); i++)
		if (fields[i].n == name.n && ((fields[i].name[0] ^ name.p[0]) & 0xdf) == 0 &&
		    sv_eqi((struct sv){fields[i].name, fields[i].n}, name))
			return (char **)(void *)((char *)(uintptr_t)p + fields[i].offset);
	return NULL;
}

struct leg_profile *leg_profile_new(void)
{
	struct leg_profile *p = mem_zalloc(sizeof(*p));
	if (p)
		p->has_screen = true, p->index = 1;
	return p;
}

struct leg_profile *leg_profile_dup(const struct leg_profile *p)
{
	struct leg_profile *d = leg_profile_new();
	if (!d)
		return NULL;
	*d = *p;
	d->older = d->dialled = d->reached = NULL;
	for (size_t i = 0; i < ARRAY_COUNT(fields); i++)
		str_share_again(*(char **)(void *)((char *)d + fields[i].offset));
	str_share_again(d->destination_text);
	return d;
}

void leg_profile_free(struct leg_profile *p)
{
	while (p) {
		struct leg_profile *older = p->older;
		for (size_t i = 0; i < ARRAY_COUNT(fields); i++)
			str_share_end(*(char **)(void *)((char *)p + fields[i].offset));
		str_share_end(p->destination_text);
		leg_profile_free(p->dialled);
		leg_profile_free(p->reached);
		mem_free(p);
		p = older;
	}
}

void leg_profile_set(char **field, const char *value)
{
	char *copy;

	if (*field && value && !strcmp(*field, value))
		return;
	copy = sv_share(sv_of(value));
	str_share_end(*field);
	*field = copy;
}

void leg_profile_share(char **field, char *shared)
{
	str_share_again(shared);
	str_share_end(*field);
	*field = shared;
}

/* SIP has neither type of number nor numbering plan. */
static const struct sv zero[] = {SV("caller_ton"), SV("caller_numplan"), SV("destination_number_ton"),
    SV("destination_number_numplan"), SV("ani_ton"), SV("ani_numplan"), SV("rdnis_ton"), SV("rdnis_numplan")};

/* Fields that are no text. */
static ON_CTL const char *field_made(const struct leg_profile *p, struct sv name)
{
	static char number[12];

	if (sv_isi(name, "profile_index")) {
		fmt_print(number, sizeof(number), "%u", p->index);
		return number;
	}
	if (sv_isi(name, "screen_bit"))
		return p->has_screen ? "true" : "false";
	if (sv_isi(name, "privacy_hide_name"))
		return p->hides_name ? "true" : "false";
	if (sv_isi(name, "privacy_hide_number"))
		return p->hides_number ? "true" : "false";
	for (size_t i = 0; i < ARRAY_COUNT(zero); i++)
		if (sv_eqi(name, zero[i]))
			return "0";
	return NULL;
}

/* By length the first letters of all that there is: most variables that are asked for have no such name. */
static ON_CTL bool is_shape_known(struct sv name)
{
	static uint32_t letters[32];
	if (!letters[4]) {
		static const struct sv made[] = {SV("ani2"), SV("profile_index"), SV("screen_bit"),
		    SV("privacy_hide_name"), SV("privacy_hide_number")};
		for (size_t i = 0; i < ARRAY_COUNT(fields); i++)
			letters[fields[i].n] |= 1u << (fields[i].name[0] & 31);
		for (size_t i = 0; i < ARRAY_COUNT(zero); i++)
			letters[zero[i].n] |= 1u << (zero[i].p[0] & 31);
		for (size_t i = 0; i < ARRAY_COUNT(made); i++)
			letters[made[i].n] |= 1u << (made[i].p[0] & 31);
	}
	return name.n < ARRAY_COUNT(letters) && letters[name.n] >> (name.p[0] & 31) & 1;
}

const char *leg_profile_field_sv(const struct leg_profile *p, struct sv wanted)
{
	char **field;
	if (!p || !wanted.n || !is_shape_known(wanted))
		return NULL;
	if (sv_isi(wanted, "ani2"))
		wanted = SV("aniii");
	field = field_find(p, wanted);
	return field ? *field : field_made(p, wanted);
}

int leg_profile_field_set(struct leg_profile *p, const char *name, const char *value)
{
	char **field = *name ? field_find(p, sv_of(name)) : NULL;
	if (!field)
		return ST_NOTFOUND;
	if (field == &p->destination_number)
		leg_profile_destination_set(p, value);
	else
		leg_profile_set(field, value);
	return ST_OK;
}

void leg_profile_destination_outside(struct leg_profile *p, const char *number)
{
	leg_profile_set(&p->destination_text, NULL);
	leg_profile_set(&p->destination_number, number);
}

char *leg_profile_destination_dup(const struct leg_profile *p)
{
	if (p->destination_text)
		return mem_strdup(p->destination_text);
	return p->destination_number ? mark_dup(p->destination_number) : NULL;
}

void leg_profile_destination_set(struct leg_profile *p, const char *text)
{
	char *number = text ? mark_strip_dup(sv_of(text)) : NULL;

	leg_profile_set(&p->destination_text, text);
	leg_profile_set(&p->destination_number, number);
	mem_free(number);
}

/* ---- whom it called ---- */

enum { CALLED_MAX = 128 };
static bool is_dialled_kept;

void leg_keep_dialled(bool is_kept)
{
	is_dialled_kept = is_kept;
}

static ON_CTL void called_note(struct leg_profile **list, const struct leg *called)
{
	unsigned count = 0;
	struct leg_profile *p;

	for (p = *list; p; p = p->older)
		count++;
	if (!is_dialled_kept || !called->profile || count >= CALLED_MAX || !(p = leg_profile_dup(called->profile)))
		return;
	p->older = *list;
	*list = p;
}

void leg_note_dialled(struct leg *leg, const struct leg *called)
{
	if (leg->profile)
		called_note(&leg->profile->dialled, called);
}

void leg_note_reached(struct leg *leg, const struct leg *called)
{
	if (leg->profile)
		called_note(&leg->profile->reached, called);
}
