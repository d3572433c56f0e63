/* The table of metric tables, and the walk over it: family by family in order of first appearance, each family's rows
 * from all tables together, as the Prometheus text wants them. What core itself tells is in metrics.c. */
#include "core/registry/metrics.h"
#include "base/status.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TABLES_MAX = 64 };
static const struct metric_desc *tables[TABLES_MAX];
static size_t table_count;

struct metric_out {
	const struct metric_desc *metric;
	metric_fn fn;
	void *arg;
};

int metrics_add(const struct metric_desc *table)
{
	if (table_count == TABLES_MAX)
		return ST_FULL;
	tables[table_count++] = table;
	return ST_OK;
}

void metrics_del(const struct metric_desc *table)
{
	for (size_t i = 0; i < table_count; i++) {
		if (tables[i] != table)
			continue;
		memmove(&tables[i], &tables[i + 1], (table_count - i - 1) * sizeof(tables[0]));
		table_count--;
		return;
	}
}

static void labels_read(struct metric_sample *s, va_list ap)
{
	const char *name;
	while (s->label_count < METRIC_LABELS_MAX && (name = va_arg(ap, const char *))) {
		const char *value = va_arg(ap, const char *);
		s->labels[2 * s->label_count] = name;
		s->labels[2 * s->label_count++ + 1] = value ? value : "";
	}
}

void metric_put(struct metric_out *out, double value, ...)
{
	struct metric_sample s = {.metric = out->metric, .value = value};
	va_list ap;
	va_start(ap, value);
	labels_read(&s, ap);
	va_end(ap);
	out->fn(&s, out->arg);
}

void metric_put_histogram(struct metric_out *out, const struct metric_histogram *h, ...)
{
	struct metric_sample s = {.metric = out->metric, .histogram = h};
	va_list ap;
	va_start(ap, h);
	labels_read(&s, ap);
	va_end(ap);
	out->fn(&s, out->arg);
}

/* True when a row before (table, row) has the same name: the family was done there. */
static bool is_repeated(size_t table, const struct metric_desc *row)
{
	for (size_t t = 0; t <= table; t++)
		for (const struct metric_desc *m = tables[t]; m->name && m != row; m++)
			if (!strcmp(m->name, row->name))
				return true;
	return false;
}

/* All samples of the family that row begins. */
static ON_CTL void family_each(size_t table, const struct metric_desc *row, metric_fn fn, void *arg)
{
	struct metric_out out = {row, fn, arg};
	for (size_t t = table; t < table_count; t++)
		for (const struct metric_desc *m = t == table ? row : tables[t]; m->name; m++)
			if (!strcmp(m->name, row->name))
				m->fill(&out, m->which);
}

void metrics_each(const char *prefix, metric_fn fn, void *arg)
{
	size_t n = strlen(prefix);
	for (size_t t = 0; t < table_count; t++)
		for (const struct metric_desc *m = tables[t]; m->name; m++)
			if (!strncmp(m->name, prefix, n) && !is_repeated(t, m))
				family_each(t, m, fn, arg);
}

const char *metric_label(const struct metric_sample *s, const char *name)
{
	for (size_t i = 0; i < s->label_count; i++)
		if (!strcmp(s->labels[2 * i], name))
			return s->labels[2 * i + 1];
	return NULL;
}

/* ---- the Prometheus text ---- */
/* Label values: backslash, quote and newline are escaped; other control bytes and what is no UTF-8 never get here from
 * names of ours, and are left as they are. */
static void label_put(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, "%s=\"", name);
	for (; *value; value++) {
		if (*value == '\n')
			buf_adds(out, "\\n");
		else if (*value == '\\' || *value == '"')
			buf_printf(out, "\\%c", *value);
		else
			buf_addc(out, *value);
	}
	buf_addc(out, '"');
}

static void labels_put(struct buf *out, const struct metric_sample *s, const char *le)
{
	if (!s->label_count && !le)
		return;
	buf_addc(out, '{');
	for (size_t i = 0; i < s->label_count; i++) {
		if (i)
			buf_addc(out, ',');
		label_put(out, s->labels[2 * i], s->labels[2 * i + 1]);
	}
	if (le) {
		if (s->label_count)
			buf_addc(out, ',');
		label_put(out, "le", le);
	}
	buf_addc(out, '}');
}

static void value_put(struct buf *out, double v)
{
	if (v == floor(v) && fabs(v) < 1e15)
		buf_printf(out, " %.0f\n", v);
	else
		buf_printf(out, " %.9g\n", v);
}

static void histogram_put(struct buf *out, const struct metric_sample *s)
{
	const struct metric_histogram *h = s->histogram;
	const char *name = s->metric->name;
	char le[32];
	uint64_t count = 0;
	for (size_t i = 0; i <= h->bound_count; i++) {
		count += h->counts[i];
		if (i < h->bound_count)
			snprintf(le, sizeof(le), "%g", h->bounds[i]);
		buf_printf(out, "%s_bucket", name);
		labels_put(out, s, i < h->bound_count ? le : "+Inf");
		value_put(out, (double)count);
	}
	buf_printf(out, "%s_sum", name);
	labels_put(out, s, NULL);
	value_put(out, h->sum);
	buf_printf(out, "%s_count", name);
	labels_put(out, s, NULL);
	value_put(out, (double)count);
}

static void sample_put(const struct metric_sample *s, void *arg)
{
	struct buf *out = arg;
	if (s->histogram) {
		histogram_put(out, s);
		return;
	}
	buf_adds(out, s->metric->name);
	labels_put(out, s, NULL);
	value_put(out, s->value);
}

void metrics_render(struct buf *out)
{
	static const char *const kinds[] = {"untyped", "counter", "gauge", "histogram"};
	for (size_t t = 0; t < table_count; t++)
		for (const struct metric_desc *m = tables[t]; m->name; m++) {
			if (m->flags & METRIC_INSIDE || is_repeated(t, m))
				continue;
			buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name, kinds[m->kind]);
			family_each(t, m, sample_put, out);
		}
}
