/* Recognisers of speech of modules from files. What the public header calls one is put into a row as the registry has
 * them, with the module's function as it is: it runs on a worker, which holds pointers into the module's code for as
 * long as it computes, and nobody counts them. So row and code stay until the program ends, and a module that brought a
 * recogniser is not unloaded (module.c). */
#include "base/log.h"
#include "core/host/module_i.h"
#include "core/registry/recogniser.h"

enum { ROWS_MAX = 8 /* of all modules, as the registry has room for */ };
static struct recogniser rows[ROWS_MAX];
static unsigned row_count;

/* What is wrong with r; NULL: nothing. */
static const char *flaw_of(const struct tandem_recogniser *r)
{
	if (!r || r->bytes < sizeof(*r))
		return "struct tandem_recogniser is too small";
	if (!r->name || !module_name_is_good(r->name))
		return "a name is letters, digits, _ and -";
	if (r->rate_hz != 8000 && r->rate_hz != 16000)
		return "rate_hz is 8000 or 16000";
	if (!r->recognise)
		return "a function is missing";
	return NULL;
}

int module_recogniser_add(struct tandem_self *m, const struct tandem_recogniser *r)
{
	const char *flaw = flaw_of(r);
	int st;

	role_assert_ctl();
	if (!m || flaw) {
		log_error("module %s: recogniser %s: %s", m ? m->name : "", r && r->name ? r->name : "",
		    flaw ? flaw : "no module");
		return ST_INVAL;
	}
	if (m->brought_count == MODULE_BROUGHT_MAX || row_count == ROWS_MAX)
		return ST_FULL;
	rows[row_count] =
	    (struct recogniser){.name = r->name, .rate_hz = (uint32_t)r->rate_hz, .recognise = r->recognise};
	st = recogniser_add(&rows[row_count]);
	if (st)
		return st;
	row_count++;
	m->brought[m->brought_count++] = (struct name_desc){"asr", r->name};
	m->module.names = m->brought;
	return ST_OK;
}
