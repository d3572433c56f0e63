/* mod_cdr_csv: one line per leg from a template of ${variables}, in LOG/cdr-csv/Master.csv and, by the leg's account
 * code, in CODE.csv. Templates: cdr_csv.conf; the variable cdr_template or the account code may name one. */
#include "base/mem.h"
#include "cdr/cdr_i.h"
#include "core/conf/config.h"
#include "core/leg/leg.h"
#include "core/registry/module.h"
#include "core/run/expand.h"
#include "core/value/self.h"
#include "core/value/vars.h"
#include "text/mark.h"
#include <ctype.h>
#include <string.h>
#include <time.h>

static struct {
	char *dir, *default_template;
	struct vars *templates;
	bool has_a, has_b, is_rotated_on_hup, is_master_only, is_loaded;
} csv;

static const char fallback_template[] =
    "\"${caller_id_name}\",\"${caller_id_number}\",\"${destination_number}\",\"${context}\",\"${start_stamp}\","
    "\"${answer_stamp}\",\"${end_stamp}\",\"${duration}\",\"${billsec}\",\"${hangup_cause}\",\"${uuid}\",\"${bleg_uuid}"
    "\","
    "\"${accountcode}\"\n";

bool cdr_is_wanted(struct leg *leg, bool has_a, bool has_b)
{
	const char *policy = leg_var(leg, "process_cdr");

	if (policy && !strcasecmp(policy, "a_only"))
		has_a = true, has_b = false;
	else if (policy && !strcasecmp(policy, "b_only"))
		has_a = false, has_b = true;
	else if (policy && *policy && !str_is_true(policy))
		return false;
	return cdr_is_b(leg) ? has_b : has_a;
}

bool cdr_is_b(const struct leg *leg)
{
	return leg->is_outbound && leg->other && leg->other_is_originator &&
	       !(leg->profile && leg->profile->times.transferred);
}

/* "dir/NAME.csv" with everything in NAME that could leave the directory replaced. */
static void csv_path(struct buf *out, const char *name)
{
	buf_printf(out, "%s/", csv.dir);
	for (; *name; name++)
		buf_addc(out, isalnum((unsigned char)*name) || strchr("-_@+", *name) ? *name : '_');
	buf_adds(out, ".csv");
}

static ON_CTL void put_line(const char *name, struct sv line)
{
	struct buf path;

	buf_init(&path);
	csv_path(&path, name);
	cdr_spool_put(CDR_APPEND, path.p, line);
	buf_fini(&path);
}

/* A record is one line and has the template's fields, whatever a caller put into his name: breaks are blanks, and
 * within the template's quotes a quote from outside is doubled (RFC 4180). */
static void put_record(struct buf *line, const char *text)
{
	struct mark_it it = {.rest = sv_of(text)};
	bool is_quoted = false;
	char *to = buf_room(line, it.rest.n); /* a byte from outside is two of the text */

	while (to && mark_next(&it)) {
		if (it.byte == '"' && !it.is_outside)
			is_quoted = !is_quoted;
		if (it.byte == '"' && it.is_outside && is_quoted)
			*to++ = '"';
		*to++ = it.byte == '\n' || it.byte == '\r' ? ' ' : it.byte;
	}
	if (to)
		buf_end(line, to);
}

static void on_reporting(struct leg *leg, void *arg)
{
	const char *code, *name, *text;
	char *expanded = NULL;
	struct buf line;

	role_assert_ctl();
	if (!cdr_is_wanted(leg, csv.has_a, csv.has_b))
		return;
	code = leg_var(leg, "accountcode");
	name = leg_var(leg, "cdr_template");
	text = name ? vars_get(csv.templates, name) : NULL;
	if (!text && code)
		text = vars_get(csv.templates, code);
	if (!text && csv.default_template)
		text = vars_get(csv.templates, csv.default_template);
	if (expand(leg, text ? text : fallback_template, &expanded)) {
		leg_log(leg, LOG_ERR, "cdr_csv: the template cannot be expanded; no line for this call");
		return;
	}
	buf_init(&line);
	put_record(&line, expanded);
	while (line.n && line.p[line.n - 1] == ' ')
		line.p[--line.n] = 0;
	buf_addc(&line, '\n');
	put_line("Master", buf_sv(&line));
	code = leg_var(leg, "accountcode");
	if (code && *code && !csv.is_master_only)
		put_line(code, buf_sv(&line));
	buf_fini(&line);
	mem_free(expanded);
}

static void read_setting(const char *name, const char *value)
{
	struct buf dir;

	if (!strcmp(name, "legs")) {
		csv.has_a = strchr(value, 'a');
		csv.has_b = strchr(value, 'b');
	} else if (!strcmp(name, "rotate-on-hup")) {
		csv.is_rotated_on_hup = str_is_true(value);
	} else if (!strcmp(name, "master-file-only")) {
		csv.is_master_only = str_is_true(value);
	} else if (!strcmp(name, "default-template")) {
		mem_free(csv.default_template);
		csv.default_template = mem_strdup(value);
	} else if (!strcmp(name, "log-base") && *value) {
		buf_init(&dir);
		buf_printf(&dir, "%s/cdr-csv", value);
		mem_free(csv.dir);
		csv.dir = buf_take(&dir);
	}
}

static ON_CTL int csv_load(void)
{
	const struct xml_node *conf = config_conf("cdr_csv.conf");
	int st;

	role_assert_ctl();
	csv.has_a = true;
	csv.is_rotated_on_hup = true;
	read_setting("log-base", core_dirs()->log);
	st = vars_new(&csv.templates);
	if (st)
		return st;
	xml_each(xml_child(conf, "settings"), "param", p)
	    read_setting(xml_attr_or(p, "name", ""), xml_attr_or(p, "value", ""));
	xml_each(xml_child(conf, "templates"), "template", t) if (xml_attr(t, "name") && *t->text)
	    vars_set(csv.templates, xml_attr(t, "name"), t->text);
	st = cdr_spool_open();
	if (st == ST_OK)
		st = leg_hook_add(LEG_HOOK_REPORTING, on_reporting, NULL);
	csv.is_loaded = st == ST_OK;
	return st;
}

static ON_CTL int csv_unload(void)
{
	role_assert_ctl();
	leg_hook_del(LEG_HOOK_REPORTING, on_reporting, NULL);
	cdr_spool_close();
	vars_free(csv.templates);
	mem_free(csv.dir);
	mem_free(csv.default_template);
	memset(&csv, 0, sizeof(csv));
	return ST_OK;
}

void cdr_rotate(void)
{
	time_t now = time(NULL);
	struct buf from, to;
	struct tm tm;

	cdr_sql_rotate();
	if (!csv.is_loaded || !csv.is_rotated_on_hup)
		return;
	localtime_r(&now, &tm);
	buf_init(&from);
	buf_init(&to);
	csv_path(&from, "Master");
	buf_printf(&to, "%s.%04d-%02d-%02d-%02d-%02d-%02d", from.p, tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
	    tm.tm_hour, tm.tm_min, tm.tm_sec);
	cdr_spool_rename(from.p, to.p);
	buf_fini(&from);
	buf_fini(&to);
}

static const struct var_desc vars_read[] = {
    {"process_cdr", "true|false|a_only|b_only", "which legs are recorded", true, false},
    {"accountcode", "text", "names the account's own CSV file", true, false},
    {"cdr_template", "text", "name of the template for this leg", true, false},
    {NULL},
};
static const struct conf_desc confs[] = {
    {"cdr_csv.conf", "legs", "a|b|ab", "", "a", "whose legs are recorded"},
    {"cdr_csv.conf", "log-base", "path", "", "the log directory", "cdr-csv/ is made below it"},
    {"cdr_csv.conf", "default-template", "text", "", "", "template where the leg names none"},
    {"cdr_csv.conf", "rotate-on-hup", "bool", "", "true", "HUP moves Master.csv aside"},
    {"cdr_csv.conf", "master-file-only", "bool", "", "false", "no files by account"},
    {NULL},
};
const struct module mod_cdr_csv = {
    .abi = MODULE_ABI,
    .name = "mod_cdr_csv",
    .load = csv_load,
    .unload = csv_unload,
    .vars = vars_read,
    .confs = confs,
};
