/* Where the values of an expansion come from: what the caller looks up itself, else the leg (its variables and caller
 * profile), else the globals; and commands, unless they are switched off, asked of somebody else, or named from
 * outside. */
#include "core/run/expand.h"
#include "core/conf/config.h"
#include "core/leg/leg.h"
#include "core/registry/limits.h"
#include "core/run/api.h"
#include "core/value/expand.h"
#include "core/value/vars.h"
#include "text/mark.h"

struct source {
	struct leg *leg;
	expand_lookup_fn fn;
	expand_api_fn api; /* NULL: commands run */
	void *arg;
};

static const char *look_up(const char *name, long index, struct buf *scratch, void *arg)
{
	const struct source *s = arg;
	const char *text = s->fn ? s->fn(name, s->arg) : NULL;
	struct sv one;

	role_assert_ctl();
	if (text && index < 0)
		return text;
	if (text && sv_starts(sv_of(text), SV("ARRAY::"))) {
		buf_clear(scratch);
		if (vars_element_of(sv_of(text), (size_t)index, &one))
			buf_addv(scratch, one);
		return scratch->p ? scratch->p : "";
	}
	return s->leg ? leg_text_at(s->leg, name, index, scratch) : globals_text(name);
}

static const char *look_up_global(const char *name, struct buf *scratch, void *arg)
{
	role_assert_ctl();
	return globals_text(name);
}

static int run_command(const char *cmd, const char *args, struct buf *out, void *arg)
{
	const struct source *s = arg;
	int st;

	role_assert_ctl();
	if (core_limits()->is_api_expansion_off)
		return buf_adds(out, "<API Execute Permission Denied>");
	if (s->api && s->api(cmd, args, out, s->arg) != ST_NOTFOUND)
		return ST_OK;
	if (mark_has(sv_of(cmd))) {
		log_warning("a command's name from outside is not expanded: %.80s", cmd);
		return ST_DENIED;
	}
	st = api_run_text(cmd, args, s->leg, out);
	if (st == ST_DENIED)
		log_warning("the command '%s' may wait and cannot be expanded here", cmd);
	return st;
}

static ON_CTL int expand_from(const struct source *s, const char *text, char **out)
{
	struct expand_resolver r = {look_up, look_up_global, run_command, (void *)(uintptr_t)s};
	int st = expand_text(&r, text, out);

	if (st && s->leg)
		leg_log(s->leg, LOG_WARNING, "expansion goes too deep or gets too long: %.80s", text);
	return st;
}

int expand_with(struct leg *leg, expand_lookup_fn fn, void *arg, const char *text, char **out)
{
	return expand_from(&(struct source){.leg = leg, .fn = fn, .arg = arg}, text, out);
}

int expand_aside(expand_lookup_fn fn, expand_api_fn api, void *arg, const char *text, char **out)
{
	return expand_from(&(struct source){.fn = fn, .api = api, .arg = arg}, text, out);
}

static int keep_command(const char *cmd, const char *args, struct buf *out, void *arg)
{
	return buf_printf(out, "${%s(%s)}", cmd, args);
}

int expand_variables(struct leg *leg, const char *text, char **out)
{
	return expand_from(&(struct source){.leg = leg, .api = keep_command}, text, out);
}

int expand(struct leg *leg, const char *text, char **out)
{
	return expand_from(&(struct source){.leg = leg}, text, out);
}
