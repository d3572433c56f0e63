/* Sessions: one a call that has met httapi, kept until the call ends, so that a later httapi of the same call goes on
 * with its parameters. The last request of a call is made on a coroutine of its own: the call's end waits for nobody.
 */
#include "base/log.h"
#include "base/mem.h"
#include "core/event/event.h"
#include "httapi/httapi_i.h"
#include "loop/co.h"
#include <string.h>
#include <strings.h>

static struct hash *sessions; /* uuid -> struct ha_session */
static size_t ending;

void ha_param_set(struct event *to, const char *name, const char *value)
{
	if (strncasecmp(name, "attach_file:", 12) != 0)
		event_set(to, name, value);
}

void ha_attach(struct ha_session *s, const char *name, const char *path)
{
	struct buf key;

	buf_init(&key);
	buf_printf(&key, "attach_file:%s:", name);
	if (!key.failed)
		event_set(s->once, key.p, path);
	buf_fini(&key);
}

void ha_session_free(struct ha_session *s)
{
	if (!s)
		return;
	mem_unref(s->profile);
	mem_unref(s->params);
	mem_unref(s->once);
	mem_free(s->uuid);
	mem_free(s->record_file);
	mem_free(s->record_name);
	mem_free(s->first_origin);
	mem_free(s);
}

static ON_CTL int session_new(struct ha_session **out, const char *uuid, struct ha_profile *profile)
{
	struct ha_session *s = mem_zalloc(sizeof(*s));

	if (!s)
		return ST_NOMEM;
	s->uuid = mem_strdup(uuid);
	s->profile = mem_ref(profile);
	s->params = event_new_plain(EVENT_CLONE);
	s->once = event_new_plain(EVENT_CLONE);
	if (!s->uuid || !s->params || !s->once) {
		ha_session_free(s);
		return ST_NOMEM;
	}
	*out = s;
	return ST_OK;
}

int ha_session_get(struct leg *leg, const char *profile, struct ha_session **out)
{
	struct ha_session *s = hash_get(sessions, sv_of(leg->uuid));
	struct ha_profile *p;
	int st;

	if (s) {
		*out = s;
		return ST_OK;
	}
	p = ha_profile_find(profile && *profile ? profile : "default");
	if (!p) {
		leg_log(leg, LOG_ERR, "httapi: Cannot find profile [%s]", profile && *profile ? profile : "default");
		return ST_NOTFOUND;
	}
	st = session_new(&s, leg->uuid, p);
	mem_unref(p);
	if (!st && (st = hash_set(sessions, sv_of(s->uuid), s)))
		ha_session_free(s);
	if (!st)
		*out = s;
	return st;
}

static void end_main(void *arg)
{
	struct ha_session *s = arg;
	role_assert_co();
	(void)ha_request(s, NULL, NULL);
	ha_session_free(s);
	ending--;
}

void ha_session_tell_end(struct ha_session *s, bool has_record)
{
	struct ha_session *copy = NULL;
	const char *name, *value;

	if (session_new(&copy, s->uuid, s->profile))
		return;
	mem_unref(copy->params);
	copy->params = event_dup(s->params);
	copy->first_origin = mem_strdup(s->first_origin);
	if (!copy->params) {
		ha_session_free(copy);
		return;
	}
	for (size_t i = 0; i < event_header_count(s->once); i++) {
		event_header_at(s->once, i, &name, &value);
		event_set(copy->once, name, value);
	}
	if (has_record && s->record_file) {
		ha_attach(copy, s->record_name, s->record_file);
		mem_free(s->record_file);
		s->record_file = NULL;
	}
	event_set(copy->once, "exiting", "true");
	ending++;
	if (co_spawn("httapi end", end_main, copy, NULL)) {
		ha_session_free(copy);
		ending--;
	}
}

/* A recording of the call that nobody has posted yet goes now. */
static void on_destroy(struct leg *leg, void *arg)
{
	struct ha_session *s = hash_take(sessions, sv_of(leg->uuid));
	role_assert_ctl();
	if (s && s->record_file)
		ha_session_tell_end(s, true);
	ha_session_free(s);
}

int ha_sessions_start(void)
{
	int st = hash_new(&sessions, 0, NULL);
	return st ? st : leg_hook_add(LEG_HOOK_DESTROY, on_destroy, NULL);
}

size_t ha_sessions_count(void)
{
	return (sessions ? hash_count(sessions) : 0) + ending;
}

void ha_sessions_stop(void)
{
	struct hash_it it = {0};
	leg_hook_del(LEG_HOOK_DESTROY, on_destroy, NULL);
	while (sessions && hash_next(sessions, &it))
		ha_session_free(it.value);
	hash_free(sessions);
	sessions = NULL;
}
