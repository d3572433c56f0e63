/* All profiles, started and stopped. A profile whose port somebody still holds (the instance before, an old FreeSWITCH)
 * is started again later, as often and at such times as it says (bind-attempts, bind-attempt-interval). Only its name
 * waits: each attempt reads the running configuration. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "endpoint/sip/profile/profile_i.h"
#include "loop/loop.h"
#include "text/xml.h"

#include <string.h>

enum { INTERVAL_MAX_S = 3600 };

struct retry {
	struct lnode link;
	struct ltimer timer;
	char *name;
	unsigned done; /* attempts */
};
static struct list waiting = {{&waiting.head, &waiting.head}};

static ON_CTL void retry_free(struct retry *r)
{
	loop_timer_cancel(&r->timer);
	list_remove(&r->link);
	mem_free(r->name);
	mem_free(r);
}

static struct retry *retry_find(struct sv name)
{
	struct lnode *it, *tmp;
	list_each (&waiting, it, tmp)
		if (sv_isi(name, list_entry(it, struct retry, link)->name))
			return list_entry(it, struct retry, link);
	return NULL;
}

static void on_retry(void *arg)
{
	struct retry *r = arg;
	struct profile_conf c;
	role_assert_ctl();

	const struct xml_node *node = profile_conf_node(sv_of(r->name));
	if (!node || profile_find_exact(sv_of(r->name)))
		retry_free(r); /* it is gone, or runs */
	else if (profile_conf_parse(&c, node))
		retry_free(r);
	else
		profile_start_or_wait(&c);
}

/* After attempt number done has failed. False: that was the last. */
static ON_CTL bool retry_later(const char *name, unsigned attempts, unsigned interval_s)
{
	struct retry *r = retry_find(sv_of(name));

	if (!r) {
		r = mem_zalloc(sizeof(*r));
		if (!r || !(r->name = mem_strdup(name))) {
			mem_free(r);
			return false;
		}
		list_push(&waiting, &r->link);
	}
	if (++r->done >= attempts) {
		retry_free(r);
		return false;
	}
	if (interval_s < 1 || interval_s > INTERVAL_MAX_S)
		interval_s = interval_s ? INTERVAL_MAX_S : 1;
	log_warning(
	    "sofia: profile %s: attempt %u of %u to listen; the next in %u s", name, r->done, attempts, interval_s);
	loop_timer_set(&r->timer, clock_us_of_s(interval_s), "sofia profile", on_retry, r);
	return true;
}

int profile_start_or_wait(struct profile_conf *conf)
{
	char *name = mem_strdup(conf->name);
	unsigned attempts = conf->bind_attempts, interval_s = conf->bind_interval_s;
	int st = profile_start(conf, NULL);

	if (st == ST_EXISTS && name && retry_later(name, attempts, interval_s))
		st = ST_OK;
	else if (name)
		profile_retry_cancel(sv_of(name));
	mem_free(name);
	return st;
}

void profile_retry_cancel(struct sv name)
{
	struct retry *r = retry_find(name);
	if (r)
		retry_free(r);
}

void profile_retry_cancel_all(void)
{
	while (!list_empty(&waiting))
		retry_free(list_entry(list_first(&waiting), struct retry, link));
}

/* ---- all of them ---- */

const struct xml_node *profile_conf_node(struct sv name)
{
	xml_each(xml_child(config_conf("sofia.conf"), "profiles"), "profile",
	    node) if (xml_attr(node, "name") && sv_isi(name, xml_attr(node, "name"))) return node;
	return NULL;
}

int profiles_start_all(const struct xml_node *conf)
{
	size_t started = 0;
	xml_each(xml_child(conf, "profiles"), "profile", node)
	{
		struct profile_conf c;
		const char *name = xml_attr(node, "name");
		if (!name || profile_find_exact(sv_of(name))) {
			log_warning("sofia: %s:%u: a profile without a name of its own is left out",
			    node->file ? node->file : "sofia.conf", node->line);
			continue;
		}
		if (profile_conf_parse(&c, node) == ST_OK && profile_start_or_wait(&c) == ST_OK)
			started++;
	}
	return started ? ST_OK : ST_NOTFOUND;
}

void profiles_stop_all(void)
{
	struct profile *p;
	profile_retry_cancel_all();
	while ((p = profile_next(NULL)))
		profile_stop(p);
}
