/* See machine.h. Realms and bindings are short lists; each key walks the active realm once. */
#include "core/keys/machine.h"
#include "base/mem.h"
#include "base/status.h"
#include "text/re.h"
#include <string.h>

enum { BINDINGS_MAX = 256, REALMS_MAX = 64 };

struct binding {
	struct binding *next;
	char *digits; /* without the ~ */
	struct re *re;
	void *data;
};
struct realm {
	struct realm *next;
	char *name, *terminators;
	struct binding *first, **end;
};
struct digit_machine {
	struct realm *realms, *active;
	digit_free_fn free_fn;
	unsigned binding_count, realm_count, longest;
	char digits[DIGITS_BOUND_MAX + 1];
	unsigned count;
};

int digit_machine_new(struct digit_machine **out, digit_free_fn free_fn)
{
	struct digit_machine *m = mem_zalloc(sizeof(*m));
	if (!m)
		return ST_NOMEM;
	m->free_fn = free_fn;
	*out = m;
	return ST_OK;
}

static void binding_free(struct digit_machine *m, struct binding *b)
{
	if (m->free_fn && b->data)
		m->free_fn(b->data);
	mem_unref(b->re);
	mem_free(b->digits);
	mem_free(b);
	m->binding_count--;
}

static void realm_free(struct digit_machine *m, struct realm *r)
{
	while (r->first) {
		struct binding *b = r->first;
		r->first = b->next;
		binding_free(m, b);
	}
	mem_free(r->name);
	mem_free(r->terminators);
	mem_free(r);
	m->realm_count--;
}

void digit_machine_free(struct digit_machine *m)
{
	if (!m)
		return;
	while (m->realms) {
		struct realm *r = m->realms;
		m->realms = r->next;
		realm_free(m, r);
	}
	mem_free(m);
}

static struct realm *realm_find(const struct digit_machine *m, const char *name)
{
	struct realm *r = m->realms;
	while (r && strcmp(r->name, name) != 0)
		r = r->next;
	return r;
}

static struct realm *realm_get(struct digit_machine *m, const char *name)
{
	struct realm *r = realm_find(m, name);

	if (r || m->realm_count == REALMS_MAX)
		return r;
	r = mem_zalloc(sizeof(*r));
	if (!r || !(r->name = mem_strdup(name))) {
		mem_free(r);
		return NULL;
	}
	r->end = &r->first;
	r->next = m->realms;
	m->realms = r;
	m->realm_count++;
	return r;
}

static int binding_new(struct digit_machine *m, const char *digits, struct binding **out)
{
	struct binding *b = mem_zalloc(sizeof(*b));
	bool is_re = digits[0] == '~';
	int st = b ? ST_OK : ST_NOMEM;

	if (!st && !(b->digits = mem_strdup(digits + is_re)))
		st = ST_NOMEM;
	if (!st && is_re)
		st = re_new(&b->re, sv_of(b->digits), 0, NULL) ? ST_PARSE : ST_OK;
	if (st) {
		if (b)
			mem_free(b->digits);
		mem_free(b);
		return st;
	}
	m->binding_count++;
	*out = b;
	return ST_OK;
}

int digit_machine_bind(struct digit_machine *m, const char *realm, const char *digits, void *data)
{
	bool is_re = digits[0] == '~';
	size_t n = strlen(digits);
	struct realm *r;
	struct binding *b;
	int st;

	if (n <= is_re || n > DIGITS_BOUND_MAX)
		return ST_INVAL;
	if (m->binding_count == BINDINGS_MAX || !(r = realm_get(m, realm && *realm ? realm : "default")))
		return ST_LIMIT;
	for (b = r->first; b; b = b->next)
		if ((b->re != NULL) == is_re && !strcmp(b->digits, digits + is_re)) {
			if (m->free_fn && b->data)
				m->free_fn(b->data);
			b->data = data;
			return ST_OK;
		}
	st = binding_new(m, digits, &b);
	if (st)
		return st;
	b->data = data;
	*r->end = b;
	r->end = &b->next;
	m->active = r;
	if (is_re)
		m->longest = DIGITS_BOUND_MAX;
	else if (n > m->longest)
		m->longest = (unsigned)n;
	return ST_OK;
}

int digit_machine_set_realm(struct digit_machine *m, const char *realm)
{
	struct realm *r = realm_find(m, realm);
	if (!r)
		return ST_NOTFOUND;
	m->active = r;
	return ST_OK;
}

int digit_machine_set_terminators(struct digit_machine *m, const char *keys)
{
	char *copy;

	if (!m->active)
		return ST_NOTFOUND;
	copy = mem_strdup(keys);
	if (!copy)
		return ST_NOMEM;
	mem_free(m->active->terminators);
	m->active->terminators = copy;
	return ST_OK;
}

void digit_machine_clear_realm(struct digit_machine *m, const char *realm)
{
	for (struct realm **at = &m->realms; *at; at = &(*at)->next) {
		struct realm *r = *at;
		if (strcmp(r->name, realm) != 0)
			continue;
		*at = r->next;
		if (m->active == r)
			m->active = NULL;
		realm_free(m, r);
		return;
	}
}

bool digit_machine_has_realm(const struct digit_machine *m)
{
	return m->active != NULL;
}
bool digit_machine_has_digits(const struct digit_machine *m)
{
	return m->count > 0;
}

/* The binding the keys mean. *may_go_on: a longer one begins with them; *has_hope: one may still come of them. */
static struct binding *look(const struct digit_machine *m, bool is_final, bool *may_go_on, bool *has_hope)
{
	const struct realm *r = m->active;
	struct binding *exact = NULL, *matching = NULL;
	bool has_re = false;

	*may_go_on = *has_hope = false;
	for (struct binding *b = r->first; b; b = b->next) {
		if (b->re) {
			has_re = *has_hope = true;
			if (!matching && re_match(b->re, sv_of(m->digits), NULL) > 0)
				matching = b;
		} else if (!strncmp(m->digits, b->digits, m->count)) {
			*has_hope = true;
			if (b->digits[m->count])
				*may_go_on = true;
			else if (!exact)
				exact = b;
		}
	}
	if (is_final) { /* the first in order of binding */
		for (struct binding *b = r->first; b; b = b->next)
			if (b == exact || b == matching)
				return b;
		return NULL;
	}
	if (matching && matching == r->first && !matching->next)
		return matching;
	*may_go_on |= has_re;
	return exact;
}

static void give_back(struct digit_machine *m, struct digit_found *found, void *data)
{
	memcpy(found->digits, m->digits, sizeof(found->digits));
	found->data = data;
	memset(m->digits, 0, sizeof(m->digits));
	m->count = 0;
}

static enum digit_verdict judge(struct digit_machine *m, bool is_final, struct digit_found *found)
{
	bool may_go_on = false, has_hope = false;
	struct binding *b = m->active && m->count ? look(m, is_final, &may_go_on, &has_hope) : NULL;

	if (b && (is_final || !may_go_on)) {
		give_back(m, found, b->data);
		return DIGITS_MATCH;
	}
	if (is_final || !has_hope || m->count >= m->longest) {
		give_back(m, found, NULL);
		return DIGITS_NO_MATCH;
	}
	return DIGITS_WAIT;
}

enum digit_verdict digit_machine_feed(struct digit_machine *m, char digit, struct digit_found *found)
{
	const char *ends = m->active ? m->active->terminators : NULL;

	if (ends && digit && strchr(ends, digit) && m->count)
		return judge(m, true, found);
	if (m->count < DIGITS_BOUND_MAX)
		m->digits[m->count++] = digit;
	return judge(m, false, found);
}

enum digit_verdict digit_machine_timeout(struct digit_machine *m, struct digit_found *found)
{
	return judge(m, true, found);
}
