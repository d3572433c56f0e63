/* mod_httapi: the application, the command, httapi.conf. */
#include "core/registry/module.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/event/event.h"
#include "core/registry/api.h"
#include "core/registry/app.h"
#include "core/run/exec.h"
#include "httapi/httapi_i.h"
#include "text/mark.h"
#include <string.h>
#include <strings.h>

enum { PARAMS_MAX = 64, DOCUMENTS_MAX = 10000 };

static struct hash *profiles; /* name -> struct ha_profile */
static bool tells;

struct ha_profile *ha_profile_find(const char *name)
{
	return mem_ref(hash_get(profiles, sv_of(name)));
}

static void profile_unref(void *p)
{
	mem_unref(p);
}

static ON_CTL int profiles_read(void)
{
	const struct xml_node *conf = config_conf("httapi.conf");
	struct hash *fresh = NULL;
	int st = hash_new(&fresh, HASH_NOCASE, profile_unref);

	if (st)
		return st;
	tells = str_is_true(config_param(xml_child(conf, "settings"), "debug", "false"));
	xml_each(xml_child(conf, "profiles"), "profile", node)
	{
		struct ha_profile *p = NULL;
		if (ha_profile_new(&p, node, tells) || hash_set(fresh, sv_of(p->name), p))
			mem_unref(p);
	}
	hash_free(profiles);
	profiles = fresh;
	return ST_OK;
}

static void on_swap(void *arg)
{
	role_assert_ctl();
	profiles_read();
}

/* ---- the application ---- */

static ON_CTL void param_put(struct ha_session *s, struct sv name, struct sv value)
{
	char *n = mark_strip_dup(sv_trim(name)), *v = mark_strip_dup(value);
	if (n && *n && v)
		ha_param_set(s->params, n, v);
	mem_free(n), mem_free(v);
}

/* "{name=value,...}url": what the configuration wrote parts it. */
static ON_CTL void data_read(struct ha_session *s, const char *text)
{
	struct sv all = sv_trim(sv_of(text)), rest, one, name, value;
	size_t close;

	if (all.n && *all.p == '{' && (close = sv_find(all, '}')) < all.n) {
		rest = sv_sub(all, 1, close - 1);
		all = sv_trim(sv_sub(all, close + 1, all.n));
		for (int i = 0; i < PARAMS_MAX && rest.n; i++) {
			sv_split(rest, ',', &one, &rest);
			if (sv_split(one, '=', &name, &value))
				param_put(s, name, value);
		}
	}
	if (all.n)
		param_put(s, SV("url"), all);
}

/* "Caller-...", or with that permission all there is to say of the call. */
static ON_CTL void leg_put(struct ha_session *s, struct leg *leg)
{
	struct event *e = event_new_plain(EVENT_REQUEST_PARAMS);
	const char *name, *value;

	if (!e)
		return;
	leg_event_all(leg, e);
	for (size_t i = 0; i < event_header_count(e); i++) {
		event_header_at(e, i, &name, &value);
		if (s->profile->may[HA_EXTENDED_DATA] || !strncmp(name, "Caller-", 7))
			ha_param_set(s->params, name, value);
	}
	mem_unref(e);
}

static ON_CTL void origin_set(struct ha_session *s)
{
	struct buf url, user, password, origin;
	const char *own = event_get(s->params, "url");

	buf_init(&url), buf_init(&user), buf_init(&password), buf_init(&origin);
	if (own && !ha_url_split(own, &url, &user, &password)) {
		ha_origin(url.p, &origin);
		mem_free(s->first_origin);
		s->first_origin = buf_take(&origin);
	}
	buf_fini(&url), buf_fini(&user), buf_fini(&password), buf_fini(&origin);
}

static int app_httapi(struct leg *leg, const char *data)
{
	struct ha_session *s = NULL;
	struct xml_doc *doc;
	char *profile = NULL;
	const char *in_data;
	int st;

	role_assert_co();
	in_data = data ? strstr(data, "httapi_profile=") : NULL;
	if (in_data)
		profile = mem_strndup(in_data + 15, strcspn(in_data + 15, ",}"));
	else
		profile = mem_strdup(leg_var(leg, "httapi_profile"));
	st = ha_session_get(leg, profile, &s);
	mem_free(profile);
	if (st)
		return st;
	data_read(s, data ? leg_exec_text(leg, data) : "");
	event_set(s->params, "hostname", event_identity.switchname);
	leg_put(s, leg);
	if (!event_get(s->params, "url") && s->profile->url)
		event_set(s->params, "url", s->profile->url);
	origin_set(s);
	for (int i = 0; i < DOCUMENTS_MAX && leg_is_ready(leg); i++) {
		doc = NULL;
		st = ha_request(s, leg, &doc);
		if (!st)
			st = ha_work(s, leg, doc);
		mem_unref(doc);
		if (st)
			break;
	}
	ha_session_tell_end(s, false);
	return leg_is_up(leg) ? ST_OK : ST_HANGUP;
}

static int api_httapi(struct api_call *c)
{
	role_assert_ctl();
	if (!strcasecmp(c->args, "debug_on"))
		tells = true;
	else if (!strcasecmp(c->args, "debug_off"))
		tells = false;
	else
		return buf_adds(c->out, "-USAGE: [debug_on|debug_off]\n");
	struct hash_it it = {0};
	while (hash_next(profiles, &it))
		((struct ha_profile *)it.value)->tells = tells;
	return buf_adds(c->out, "OK\n");
}

static int load(void)
{
	int st;

	role_assert_ctl();
	if (!config_conf("httapi.conf")) {
		log_error("httapi: open of httapi.conf failed");
		return ST_NOTFOUND;
	}
	st = profiles_read();
	if (!st)
		st = ha_sessions_start();
	if (!st)
		st = config_on_swap(on_swap, NULL);
	return st;
}

static int unload(void)
{
	role_assert_ctl();
	if (ha_sessions_count())
		return ST_BUSY;
	config_on_swap_del(on_swap, NULL);
	ha_sessions_stop();
	hash_free(profiles);
	profiles = NULL;
	return ST_OK;
}

static const struct app_desc apps[] = {
    {"httapi", "HT-TAPI Hypertext Telephony API", "{<param1>=<val1>}<url>", 0, app_httapi},
    {NULL},
};
static const char *const words[] = {"httapi debug_on", "httapi debug_off", NULL};
static const struct api_desc apis[] = {
    {"httapi", "HT-TAPI Hypertext Telephony API", "[debug_on|debug_off]", 0, api_httapi, words},
    {NULL},
};
static const struct var_desc vars[] = {
    {"httapi_profile", "text", "the profile of httapi.conf of a call's httapi", .is_read = true},
    {"caller_id_name", "text", "of the call, when a page dials and gives none", .is_read = true},
    {"caller_id_number", "text", "of the call, when a page dials or sends a message", .is_read = true},
    {"effective_caller_id_name", "text", "set by a page that dials, when it may", .is_written = true},
    {"effective_caller_id_number", "text", "set by a page that dials, when it may", .is_written = true},
    {NULL},
};
static const struct conf_desc confs[] = {
    {"httapi.conf", "debug", "boolean", NULL, "false", "documents are told in the log"},
    {"httapi.conf", "permission", "boolean", NULL, NULL, "profile: what a page may do, by name"},
    {"httapi.conf", "default-profile", "text", NULL, "default", "profile, conference: the conference profile"},
    {"httapi.conf", "context", "text", NULL, NULL, "profile, dial: where a page's number is looked for"},
    {"httapi.conf", "dialplan", "text", NULL, NULL, "profile, dial: in which dialplan"},
    {"httapi.conf", "gateway-url", "url", NULL, NULL, "profile: the page, when the dialplan names none"},
    {"httapi.conf", "gateway-credentials", "text", NULL, "",
        "profile: user:password, for the first page's server only"},
    {"httapi.conf", "auth-scheme", "list", NULL, "basic", "profile: basic, digest, ntlm, any, anysafe"},
    {"httapi.conf", "user-agent", "text", NULL, "mod_httapi/1.0", "profile: how it calls itself"},
    {"httapi.conf", "method", "text", NULL, "GET", "profile: post sends the parameters as a form"},
    {"httapi.conf", "timeout", "number", "s", "10", "profile: for all of an answer"},
    {"httapi.conf", "connect-timeout", "number", "s", "timeout", "profile: for the connection"},
    {"httapi.conf", "enable-cacert-check", "boolean", NULL, "true", "profile: the server's certificate is checked"},
    {"httapi.conf", "enable-ssl-verifyhost", "boolean", NULL, "true", "profile: and its name"},
    {"httapi.conf", "ssl-cacert-file", "path", NULL, "", "profile: authorities; none: the system's"},
    {"httapi.conf", "ssl-cert-path", "path", NULL, "", "profile: our certificate"},
    {"httapi.conf", "ssl-key-path", "path", NULL, "", "profile: our key"},
    {"httapi.conf", "ssl-key-password", "text", NULL, "", "profile: of that key"},
    {"httapi.conf", "cookie-file", "path", NULL, "", "profile: cookies are kept there"},
    {"httapi.conf", "bind-local", "text", NULL, "", "profile: address or interface to come from"},
    {"httapi.conf", "enable-post-var", "text", NULL, NULL,
        "profile: a parameter that is sent; may repeat; none: all are"},
    {NULL},
};

extern const struct module mod_httapi;
const struct module mod_httapi = {.abi = MODULE_ABI,
    .name = "mod_httapi",
    .load = load,
    .unload = unload,
    .apps = apps,
    .apis = apis,
    .vars = vars,
    .confs = confs};
