/* The steps of a hunt in the words of FreeSWITCH's log. */
#include "base/str.h"
#include "dialplan/dialplan.h"

static void step_text(const struct dp_trace *t, const char *channel, struct buf *out)
{
	switch (t->kind) {
	case DP_TRACE_EXTENSION:
		buf_printf(out, "Dialplan: %s parsing [%s->%s] continue=%s", channel, t->context, t->extension,
		    t->is_continue ? "true" : "false");
		break;
	case DP_TRACE_TIME:
		buf_printf(out, "Dialplan: %s Date/Time%s [%s]", channel, t->is_pass ? " Match (PASS)" : "Match (FAIL)",
		    t->extension);
		if (!t->is_rule)
			buf_printf(out, " break=%s", t->brk);
		break;
	case DP_TRACE_FIELD:
		buf_printf(out, "Dialplan: %s Regex (%s) [%s] %s(%s) =~ /%s/ %s=%s", channel,
		    t->is_pass ? "PASS" : "FAIL", t->extension, t->field, t->value, t->expression,
		    t->is_rule ? "match" : "break", t->brk);
		break;
	case DP_TRACE_ALWAYS:
		buf_printf(out, "Dialplan: %s Absolute Condition [%s]", channel, t->extension);
		if (t->is_rule)
			buf_printf(out, " match=%s", t->brk);
		break;
	case DP_TRACE_NESTED:
		buf_printf(out, "Dialplan: Processing recursive conditions level:%u [%s] require-nested=%s", t->level,
		    t->extension, t->is_required ? "TRUE" : "FALSE");
		break;
	case DP_TRACE_ACTION:
		buf_printf(out, "Dialplan: %s %s %s(%s) %s", channel, t->is_anti ? "ANTI-Action" : "Action", t->app,
		    t->data, t->is_inline ? "INLINE" : "");
		break;
	}
}

int dp_trace_line(const struct dp_trace *t, const char *channel_name, struct buf *out)
{
	if (t->level) {
		buf_addc(out, '|');
		for (unsigned i = 1; i < 4 * t->level; i++)
			buf_addc(out, '-');
		buf_addc(out, ' ');
	}
	step_text(t, channel_name, out);
	return out->failed ? ST_NOMEM : ST_OK;
}
