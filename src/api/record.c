/* uuid_record and uuid_buglist: recordings started from outside. A recording taps the leg's stream beside whatever it
 * does; which path has which number in the stream is kept here until it is stopped or the leg goes. */
#include "api/api_i.h"
#include "base/list.h"
#include "core/leg_media.h"

#include <stdlib.h>

struct recording {
	struct lnode link;
	char uuid[UUID_CHARS + 1];
	char *path;
	uint32_t id;
};
static struct list recordings = {{&recordings.head, &recordings.head}};

static ON_CTL void fire(struct leg *leg, enum event_id id, const char *path)
{
	if (!event_is_wanted(id, NULL))
		return;
	struct event *e = event_new(id, NULL);
	if (!e)
		return;
	leg_event_headers(leg, e);
	event_add(e, "Record-File-Path", path);
	event_fire(e);
}

static void recording_free(struct recording *r)
{
	list_remove(&r->link);
	mem_free(r->path);
	mem_free(r);
}

static ON_CTL int record_start(struct leg *leg, const char *path, const char *limit)
{
	struct media_record_conf conf = {.has_read = true,
	    .has_write = true,
	    .is_stereo = leg_var_is_true(leg, "RECORD_STEREO"),
	    .is_append = leg_var_is_true(leg, "RECORD_APPEND"),
	    .limit_ms = limit ? (uint32_t)atoi(limit) * 1000 : 0};
	struct mstream *s = leg_media_stream(leg);
	struct recording *r = s ? mem_zalloc(sizeof(*r)) : NULL;
	if (!r)
		return ST_NOTFOUND;
	r->path = mem_strdup(path);
	if (!r->path || mstream_record(s, path, &conf, &r->id)) {
		mem_free(r->path);
		mem_free(r);
		return ST_IO;
	}
	memcpy(r->uuid, leg->uuid, sizeof(r->uuid));
	list_push(&recordings, &r->link);
	fire(leg, EVENT_RECORD_START, path);
	return ST_OK;
}

static ON_CTL int record_stop(struct leg *leg, const char *path)
{
	struct lnode *it, *tmp;
	unsigned count = 0;
	struct mstream *s = leg_media_stream(leg);
	list_each (&recordings, it, tmp) {
		struct recording *r = list_entry(it, struct recording, link);
		if (strcmp(r->uuid, leg->uuid) || (strcasecmp(path, "all") && strcmp(path, r->path)))
			continue;
		if (s)
			mstream_record_stop(s, r->id);
		fire(leg, EVENT_RECORD_STOP, r->path);
		recording_free(r);
		count++;
	}
	return count ? ST_OK : ST_NOTFOUND;
}

static bool is_recording(const struct leg *leg, const char *path)
{
	struct lnode *it, *tmp;
	list_each (&recordings, it, tmp) {
		struct recording *r = list_entry(it, struct recording, link);
		if (!strcmp(r->uuid, leg->uuid) && !strcmp(path, r->path))
			return true;
	}
	return false;
}

int api_uuid_record(struct api_call *c)
{
	struct api_words w;
	role_assert_ctl();
	int st = api_words_init(&w, c->args, 5);
	if (st)
		goto out;
	struct leg *leg = w.n >= 3 ? leg_find(w.w[0]) : NULL;
	if (w.n < 3) {
		api_usage(c, "uuid_record");
	} else if (!leg) {
		buf_adds(c->out, "-ERR Cannot locate session!\n");
	} else if (!strcasecmp(w.w[1], "start")) {
		buf_adds(c->out, is_recording(leg, w.w[2]) || record_start(leg, w.w[2], w.n > 3 ? w.w[3] : NULL)
		                     ? "-ERR Cannot record session!\n"
		                     : "+OK Success\n");
	} else if (!strcasecmp(w.w[1], "stop")) {
		buf_adds(c->out, record_stop(leg, w.w[2]) ? "-ERR Cannot stop record session!\n" : "+OK Success\n");
	} else if (!strcasecmp(w.w[1], "mask") || !strcasecmp(w.w[1], "unmask")) {
		buf_printf(c->out, "-ERR Cannot %s record session!\n", w.w[1]);
	} else {
		api_usage(c, "uuid_record");
	}
out:
	api_words_fini(&w);
	return st;
}

int api_uuid_buglist(struct api_call *c)
{
	struct lnode *it, *tmp;
	role_assert_ctl();
	if (!*c->args)
		return api_usage(c, "uuid_buglist");
	struct leg *leg = leg_find(c->args);
	if (!leg)
		return ST_OK;
	buf_adds(c->out, "<media-bugs>\n");
	list_each (&recordings, it, tmp) {
		struct recording *r = list_entry(it, struct recording, link);
		if (!strcmp(r->uuid, leg->uuid))
			buf_printf(c->out,
			    " <media-bug>\n  <function>session_record</function>\n  <target>%s</target>\n"
			    "  <thread-locked>0</thread-locked>\n </media-bug>\n",
			    r->path);
	}
	return api_text(c, "</media-bugs>\n");
}

static void on_destroy(struct leg *leg, void *arg)
{
	role_assert_ctl();
	struct lnode *it, *tmp;
	list_each (&recordings, it, tmp) {
		struct recording *r = list_entry(it, struct recording, link);
		if (strcmp(r->uuid, leg->uuid))
			continue;
		fire(leg, EVENT_RECORD_STOP, r->path);
		recording_free(r);
	}
}

void api_record_start(void)
{
	leg_hook_add(LEG_HOOK_HANGUP, on_destroy, NULL);
}

void api_record_fini(void)
{
	struct lnode *it, *tmp;
	leg_hook_del(LEG_HOOK_HANGUP, on_destroy, NULL);
	list_each (&recordings, it, tmp)
		recording_free(list_entry(it, struct recording, link));
}
