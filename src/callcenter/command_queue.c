/* callcenter_config queue ... */
#include "callcenter/callcenter_i.h"
#include "core/registry/api.h"
#include "core/registry/app_words.h"

#include <string.h>
#include <strings.h>

#define INVALID "-ERR Invalid!\n"

/* list, count: of all queues, or what one of them has. */
static ON_CTL const char *report(struct buf *out, const struct app_words *w, bool is_count)
{
	if (w->n > 2) {
		const struct cc_queue *q = w->n > 3 ? cc_queue_find(w->w[3]) : NULL;
		return cc_list_of(out, w->w[2], q, w->n > 4 ? w->w[4] : NULL, w->n > 5 ? w->w[5] : NULL, is_count)
		           ? INVALID
		           : "";
	}
	if (is_count)
		buf_printf(out, "%zu\n", cc_queue_count());
	else
		cc_list_queues(out);
	return "";
}

void cc_command_queue(struct api_call *c, const struct app_words *w)
{
	const char *verb = w->w[1], *reply = "", *name = w->n > 2 ? w->w[2] : NULL;
	if (!strcasecmp(verb, "load") || !strcasecmp(verb, "reload")) {
		bool is_load = !strcasecmp(verb, "load");
		if (!name)
			reply = INVALID;
		else
			reply = (is_load ? cc_queue_get(name) : cc_queue_reload(name))
			            ? "+OK\n"
			            : "-ERR Invalid Queue not found!\n";
	} else if (!strcasecmp(verb, "unload")) {
		struct cc_queue *q = name ? cc_queue_find(name) : NULL;
		if (q)
			cc_queue_del(q);
		reply = name ? "+OK\n" : INVALID;
	} else if (!strcasecmp(verb, "list") || !strcasecmp(verb, "count")) {
		reply = report(c->out, w, strcasecmp(verb, "list") != 0);
	} else {
		(void)cc_command_queue_plus(c, w, &reply);
	}
	buf_adds(c->out, reply);
}
