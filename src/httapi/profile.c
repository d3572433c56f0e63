/* Profiles of httapi.conf: permissions as a table of FreeSWITCH's names (and record, sms, voicemail, which it always
 * allows), lists of variables and applications that are allowed or not, and the parameters of the requests. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "fetch/fetch.h"
#include "httapi/httapi_i.h"
#include <string.h>
#include <strings.h>

static const struct {
	const char *name;
	bool is_allowed;
} perms[HA_PERM_COUNT] = {
    [HA_SET_PARAMS] = {"set-params", true},
    [HA_SET_VARS] = {"set-vars", false},
    [HA_GET_VARS] = {"get-vars", false},
    [HA_EXTENDED_DATA] = {"extended-data", false},
    [HA_EXECUTE_APPS] = {"execute-apps", false},
    [HA_EXPAND_VARS] = {"expand-vars-in-tag-body", false},
    [HA_DIAL] = {"dial", true},
    [HA_DIAL_CONTEXT] = {"dial-set-context", false},
    [HA_DIAL_DIALPLAN] = {"dial-set-dialplan", false},
    [HA_DIAL_CID_NAME] = {"dial-set-cid-name", false},
    [HA_DIAL_CID_NUMBER] = {"dial-set-cid-number", false},
    [HA_DIAL_FULL] = {"dial-full-originate", false},
    [HA_CONFERENCE] = {"conference", true},
    [HA_CONFERENCE_PROFILE] = {"conference-set-profile", false},
    [HA_RECORD] = {"record", true},
    [HA_SMS] = {"sms", true},
    [HA_VOICEMAIL] = {"voicemail", true},
};

static void list_fini(struct ha_list *l)
{
	hash_free(l->names);
}

static void profile_free(void *obj)
{
	struct ha_profile *p = obj;
	char *texts[] = {p->name, p->url, p->user, p->password, p->agent, p->method, p->ca_file, p->cert_file,
	    p->key_file, p->key_password, p->cookie_file, p->bind_local, p->conference_profile, p->dial_context,
	    p->dial_dialplan};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		mem_free(texts[i]);
	list_fini(&p->set_vars), list_fini(&p->get_vars), list_fini(&p->apps);
	hash_free(p->post_vars);
}

bool ha_list_allows(const struct ha_list *l, const char *name)
{
	bool is_named = l->names && hash_get(l->names, sv_of(name));
	return is_named != l->allows_others;
}

/* <variable-list default="deny|allow"><variable name= type="deny|allow"/>: a name without a type is the other way than
 * the default. No list: all are allowed. */
static ON_CTL int list_read(struct ha_list *l, const struct xml_node *perm, const char *list, const char *item)
{
	const struct xml_node *node = xml_child(perm, list);
	int st = ST_OK;

	l->allows_others = !node || sv_isi(sv_of(xml_attr(node, "default")), "allow");
	for (const struct xml_node *it = xml_child(node, item); it && !st; it = xml_next(it, item)) {
		const char *name = xml_attr(it, "name"), *type = xml_attr(it, "type");
		bool is_allowed = type && *type ? sv_isi(sv_of(type), "allow") : !l->allows_others;
		if (!name || is_allowed == l->allows_others)
			continue;
		if (!l->names)
			st = hash_new(&l->names, HASH_NOCASE, NULL);
		if (!st)
			st = hash_set(l->names, sv_of(name), l);
	}
	return st;
}

static ON_CTL int perms_read(struct ha_profile *p, const struct xml_node *node)
{
	int st = ST_OK;

	for (int i = 0; i < HA_PERM_COUNT; i++)
		p->may[i] = perms[i].is_allowed;
	p->set_vars.allows_others = p->get_vars.allows_others = p->apps.allows_others = true;
	for (const struct xml_node *it = xml_child(node, "permission"); it && !st; it = xml_next(it, "permission")) {
		const char *name = xml_attr_or(it, "name", "");
		bool is_on = str_is_true(xml_attr(it, "value"));
		int i = 0;
		if (!strcasecmp(name, "all") || !strcasecmp(name, "none")) {
			for (i = 0; i < HA_PERM_COUNT && is_on; i++)
				p->may[i] = !strcasecmp(name, "all");
			continue;
		}
		while (i < HA_PERM_COUNT && strcasecmp(name, perms[i].name) != 0)
			i++;
		if (!strcasecmp(name, "expand-vars"))
			i = HA_EXPAND_VARS;
		if (i == HA_PERM_COUNT) {
			log_warning("%s:%u: httapi: there is no permission \"%s\"", it->file, it->line, name);
			continue;
		}
		p->may[i] = is_on;
		if (i == HA_SET_VARS)
			st = list_read(&p->set_vars, it, "variable-list", "variable");
		else if (i == HA_GET_VARS)
			st = list_read(&p->get_vars, it, "variable-list", "variable");
		else if (i == HA_EXECUTE_APPS)
			st = list_read(&p->apps, it, "application-list", "application");
		else if (i == HA_EXPAND_VARS && is_on &&
		         (xml_child(it, "variable-list") || xml_child(it, "api-list"))) {
			log_warning("%s:%u: httapi: lists within %s are not available here; it is off", it->file,
			    it->line, perms[i].name);
			p->may[i] = false;
		}
	}
	return st;
}

static ON_CTL char *text(const struct xml_node *node, const char *name, const char *otherwise)
{
	const char *value = config_param(node, name, NULL);
	value = value && *value ? value : otherwise;
	return value ? mem_strdup(value) : NULL;
}

static ON_CTL int64_t seconds_ms(const struct xml_node *node, const char *name, int64_t otherwise_ms)
{
	int64_t s = str_number(config_param(node, name, "0"), 0, 300);
	return s ? clock_ms_of_s((uint64_t)s) : otherwise_ms;
}

static ON_CTL int params_read(struct ha_profile *p, const struct xml_node *node)
{
	const char *both = config_param(node, "gateway-credentials", NULL);
	struct sv user, password;
	int st = ST_OK;

	p->url = text(node, "gateway-url", NULL);
	p->agent = text(node, "user-agent", "mod_httapi/1.0");
	p->method = text(node, "method", NULL);
	p->ca_file = text(node, "ssl-cacert-file", NULL);
	p->cert_file = text(node, "ssl-cert-path", NULL);
	p->key_file = text(node, "ssl-key-path", NULL);
	p->key_password = text(node, "ssl-key-password", NULL);
	p->cookie_file = text(node, "cookie-file", NULL);
	p->bind_local = text(node, "bind-local", NULL);
	p->skips_verify = !str_is_true(config_param(node, "enable-cacert-check", "true"));
	p->skips_verify_host = !str_is_true(config_param(node, "enable-ssl-verifyhost", "true"));
	p->auth = fetch_auth_parse(config_param(node, "auth-scheme", "basic"));
	p->timeout_ms = seconds_ms(node, "timeout", 10000);
	p->connect_ms = seconds_ms(node, "connect-timeout", 0);
	if (both && *both) {
		sv_split(sv_of(both), ':', &user, &password);
		p->user = sv_dup(user), p->password = sv_dup(password);
	}
	xml_each(node, "param", it)
	{
		if (st || !sv_isi(sv_of(xml_attr(it, "name")), "enable-post-var") || !xml_attr(it, "value"))
			continue;
		if (!p->post_vars)
			st = hash_new(&p->post_vars, HASH_NOCASE, NULL);
		if (!st)
			st = hash_set(p->post_vars, sv_of(xml_attr(it, "value")), p);
	}
	return st;
}

int ha_profile_new(struct ha_profile **out, const struct xml_node *node, bool tells)
{
	struct ha_profile *p = mem_new(sizeof(*p), profile_free, "httapi.profile");
	int st;

	if (!p)
		return ST_NOMEM;
	p->name = mem_strdup(xml_attr_or(node, "name", ""));
	p->tells = tells;
	p->conference_profile = text(xml_child(node, "conference"), "default-profile", "default");
	p->dial_context = text(xml_child(node, "dial"), "context", NULL);
	p->dial_dialplan = text(xml_child(node, "dial"), "dialplan", NULL);
	st = perms_read(p, xml_child(node, "permissions"));
	if (!st)
		st = params_read(p, xml_child(node, "params"));
	if (st)
		mem_unref(p);
	else
		*out = p;
	return st;
}
