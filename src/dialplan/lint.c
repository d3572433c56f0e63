/* What is no mistake of the language and most likely not what was meant: attributes that nobody reads (a condition
 * whose expression is misspelt matches everything), a field without an expression, times that never come. Told as
 * warnings: FreeSWITCH takes them all. */
#include "base/check.h"
#include "dialplan/dialplan_i.h"
#include <stdio.h>
#include <string.h>

static bool is_one_of(const char *name, const char *const *list)
{
	for (; *list; list++)
		if (!strcmp(name, *list))
			return true;
	return false;
}

/* Close enough to be meant: one letter more, less, other, or two swapped. */
static bool is_near(const char *a, const char *b)
{
	size_t na = strlen(a), nb = strlen(b), i = 0;

	while (a[i] && a[i] == b[i])
		i++;
	if (na == nb)
		return !strcmp(a + i + (na > i), b + i + (nb > i)) ||
		       (i + 1 < na && a[i] == b[i + 1] && a[i + 1] == b[i] && !strcmp(a + i + 2, b + i + 2));
	if (na == nb + 1)
		return !strcmp(a + i + 1, b + i);
	return nb == na + 1 && !strcmp(a + i, b + i + 1);
}

static const char *nearest(const char *name, const char *const *list)
{
	for (; *list; list++)
		if (is_near(name, *list))
			return *list;
	return NULL;
}

static void lint_attrs(const struct xml_node *node, const char *const *own, bool has_times, dp_lint_fn fn, void *arg)
{
	char detail[160];

	for (unsigned i = 0; i < node->attr_count; i++) {
		const char *name = node->attrs[i].name, *meant;
		if (is_one_of(name, own) || (has_times && is_one_of(name, dp_time_names())))
			continue;
		meant = nearest(name, own);
		if (!meant && has_times)
			meant = nearest(name, dp_time_names());
		snprintf(detail, sizeof detail, "<%.40s> has no attribute '%.40s'%s%s%s", node->name, name,
		    meant ? " (meant: " : "", meant ? meant : "", meant ? ")" : "");
		fn(node, detail, arg);
	}
}

static void lint_test(const struct xml_node *node, bool is_rule, dp_lint_fn fn, void *arg)
{
	static const char *const own[] = {
	    "field", "expression", "break", "regex", "require-nested", "disabled", "name", NULL};
	char detail[160], value[60];
	const char *attr;

	lint_attrs(node, own, true, fn, arg);
	if (!is_rule && xml_attr(node, "field") && !xml_attr(node, "expression") && !xml_child(node, "expression"))
		fn(node, "a field without an expression matches everything", arg);
	if (!is_rule && !xml_attr(node, "field") && xml_attr(node, "expression"))
		fn(node, "an expression without a field is not looked at, and matches everything", arg);
	if ((attr = dp_time_impossible(node, value)) != NULL) {
		snprintf(detail, sizeof detail, "%s=\"%s\" is no time that ever comes", attr, value);
		fn(node, detail, arg);
	}
}

void dp_lint_condition(const struct xml_node *node, dp_lint_fn fn, void *arg)
{
	static const char *const own[] = {"application", "data", "inline", "loop", NULL};

	lint_test(node, xml_attr(node, "regex") != NULL, fn, arg);
	if (xml_attr(node, "regex"))
		xml_each(node, "regex", it) lint_test(it, false, fn, arg);
	xml_each(node, "action", it) lint_attrs(it, own, false, fn, arg);
	xml_each(node, "anti-action", it) lint_attrs(it, own, false, fn, arg);
}
