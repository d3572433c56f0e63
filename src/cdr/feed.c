/* A leg that is over becomes a record at once, in the form its broker wants; from there on it is the journal's. */
#include "cdr/feed.h"
#include "base/log.h"
#include "base/mem.h"
#include "cdr/post.h"
#include "core/conf/config.h"
#include "core/leg/leg.h"
#include "core/run/exec.h"
#include "core/value/self.h"

#include <string.h>

static void on_reporting(struct leg *leg, void *arg)
{
	struct cdr_feed *f = arg;
	struct buf text;
	role_assert_ctl();
	if (!cdr_is_wanted(leg, true, f->logs_b_leg))
		return;
	buf_init(&text);
	if (f->is_json)
		cdr_json_put(leg, &text, false);
	else
		cdr_xml_put(leg, &text, true);
	if (!text.failed)
		cdr_target_put(f->target, leg->uuid, buf_sv(&text));
	buf_fini(&text);
}

int cdr_feed_open(
    struct cdr_feed *f, const char *name, const struct xml_node *params, const struct cdr_target_ops *ops, void *arg)
{
	int st = cdr_spool_open();
	if (st)
		return st;
	f->is_json = strcmp(config_param(params, "format", "json"), "xml") != 0;
	f->logs_b_leg = str_is_true(config_param(params, "log-b-leg", "true"));
	if ((st = cdr_target_open(&f->target, name, ops, arg))) {
		cdr_spool_close();
		return st;
	}
	f->name = mem_strdup(name);
	leg_exec_keep_list(true);
	leg_keep_dialled(true);
	if ((st = leg_hook_add(LEG_HOOK_REPORTING, on_reporting, f)))
		cdr_feed_close(f);
	return st;
}

void cdr_feed_close(struct cdr_feed *f)
{
	if (!f->target)
		return;
	leg_hook_del(LEG_HOOK_REPORTING, on_reporting, f);
	leg_exec_keep_list(false);
	leg_keep_dialled(false);
	cdr_target_close(f->target);
	f->target = NULL;
	mem_free(f->name);
	f->name = NULL;
	cdr_spool_close();
}

void cdr_feed_refused(struct cdr_feed *f, struct cdr_entry *e, const char *why)
{
	struct buf path, line;
	buf_init(&path), buf_init(&line);
	buf_printf(&path, "%s/%s/refused.%s", core_dirs()->log, f->name, f->is_json ? "json" : "xml");
	buf_addv(&line, cdr_entry_body(e));
	buf_addc(&line, '\n');
	log_error("cdr: %s refuses the record %.*s (%s); it stands in %s", f->name, SVF(cdr_entry_id(e)), why, path.p);
	if (!path.failed && !line.failed)
		(void)cdr_spool_put(CDR_APPEND, path.p, buf_sv(&line));
	buf_fini(&path), buf_fini(&line);
	cdr_target_done(f->target, e, ST_OK, NULL);
}
