/* mod_nats: call records to streams of NATS (JetStream, which answers when it has a message; plain NATS forgets what
 * nobody listens to). A profile of nats.conf is a link (nats_i.h) and a target of the journal (cdr/target.h). */
#include "core/registry/module.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cdr/feed.h"
#include "core/conf/config.h"
#include "core/registry/api.h"
#include "nats/nats_i.h"
#include "text/xml.h"

#include <string.h>

enum { PROFILES_MAX = 8, RECORDS_MAX_BYTES = 4 << 20, PAUSE_US = 1000000 };
struct profile {
	char *name, *subject;
	struct nats_link *link;
	struct cdr_feed feed;
	struct cdr_entry *records[NATS_BATCH_MAX];
};
static struct profile *profiles[PROFILES_MAX];
static size_t profile_count;

static void records_take(void *arg, struct cdr_entry *const *entries, size_t count)
{
	struct profile *p = arg;

	role_assert_ctl();
	memcpy(p->records, entries, count * sizeof(entries[0]));
	for (size_t i = 0; i < count; i++) {
		struct cdr_entry *e = p->records[i];
		if (!nats_link_post(p->link, (uint32_t)i, cdr_entry_id(e), cdr_entry_body(e)))
			continue;
		p->records[i] = NULL;
		cdr_target_done(p->feed.target, e, ST_FULL, "its queue is full");
	}
}

static void on_done(uint32_t number, int status, const char *why, void *arg)
{
	struct profile *p = arg;
	struct cdr_entry *e = p->records[number];

	role_assert_ctl();
	p->records[number] = NULL;
	if (status == ST_LIMIT)
		cdr_feed_refused(&p->feed, e, why);
	else
		cdr_target_done(p->feed.target, e, status, why);
}

static const struct cdr_target_ops ops = {NATS_BATCH_MAX, RECORDS_MAX_BYTES, PAUSE_US, records_take};

/* ---- configuration ---- */

static char *text_of(const struct xml_node *n, const char *name)
{
	const char *value = config_param(n, name, NULL);
	return value && *value ? mem_strdup(value) : NULL;
}

static ON_CTL void settings_read(struct nats_settings *s, const struct profile *p, const struct xml_node *n)
{
	struct sv rest = sv_of(config_param(n, "servers", "nats://127.0.0.1:4222")), one;
	int64_t ms = str_number(config_param(n, "timeout-ms", "5000"), 100, 60000);

	s->name = mem_strdup(p->name), s->subject = mem_strdup(p->subject);
	while (rest.n && s->server_count < NATS_SERVERS_MAX) {
		sv_split(rest, ',', &one, &rest);
		if (sv_trim(one).n)
			s->servers[s->server_count++] = sv_dup(sv_trim(one));
	}
	s->user = text_of(n, "username"), s->password = text_of(n, "password"), s->token = text_of(n, "token");
	s->credentials = text_of(n, "credentials-file"), s->ca_file = text_of(n, "ssl-cacert-file");
	s->timeout_ms = ms > 0 ? ms : 5000;
}

static ON_CTL void profile_free(struct profile *p)
{
	nats_link_free(p->link);
	cdr_feed_close(&p->feed);
	mem_free(p->name), mem_free(p->subject);
	mem_free(p);
}

static ON_CTL int profile_open(const struct xml_node *n)
{
	struct profile *p = mem_zalloc(sizeof(*p));
	struct nats_settings s = {.name = NULL};
	struct buf name;
	int st;

	buf_init(&name);
	buf_printf(&name, "nats/%s", xml_attr_or(n, "name", "default"));
	p->name = buf_take(&name);
	p->subject = mem_strdup(config_param(n, "subject", "cdr"));
	settings_read(&s, p, n);
	st = s.server_count ? nats_link_new(&p->link, &s, on_done, p) : ST_INVAL;
	if (st)
		nats_settings_fini(&s);
	if (!st)
		st = cdr_feed_open(&p->feed, p->name, n, &ops, p);
	if (st)
		profile_free(p);
	else
		profiles[profile_count++] = p;
	return st;
}

/* ---- life ---- */

static int load(void)
{
	role_assert_ctl();
	xml_each(xml_child(config_conf("nats.conf"), "profiles"), "profile", n)
	{
		if (profile_count == PROFILES_MAX)
			log_warning(
			    "%s:%u: there are over %d profiles; this one is left out", n->file, n->line, PROFILES_MAX);
		else if (profile_open(n))
			log_error("%s:%u: this profile does not work", n->file, n->line);
	}
	return ST_OK;
}

static int unload(void)
{
	role_assert_ctl();
	while (profile_count)
		profile_free(profiles[--profile_count]);
	return ST_OK;
}

static int api_nats(struct api_call *c)
{
	struct nats_counts n;

	role_assert_ctl();
	buf_adds(c->out, "profile,subject,state,sent,failed\n");
	for (size_t i = 0; i < profile_count; i++) {
		nats_link_counts(profiles[i]->link, &n);
		buf_printf(c->out, "%s,%s,%s,%llu,%llu\n", profiles[i]->name, profiles[i]->subject,
		    n.is_up ? "up" : "away", (unsigned long long)n.sent, (unsigned long long)n.failed);
	}
	return ST_OK;
}

static const struct api_desc apis[] = {
    {"nats", "profiles of nats.conf: connected or not, records sent and failed", "", 0, api_nats, NULL},
    {NULL},
};
static const struct conf_desc confs[] = {
    {"nats.conf", "servers", "list", "", "nats://127.0.0.1:4222", "URLs of servers, by comma; tls:// for TLS"},
    {"nats.conf", "subject", "text", "", "cdr", "of records; a stream has to take it"},
    CDR_FEED_CONFS("nats.conf"),
    {"nats.conf", "timeout-ms", "number", "ms", "5000", "a record not answered by then is sent again"},
    {"nats.conf", "username", "text", "", "", "of the login"},
    {"nats.conf", "password", "text", "", "", "of the login"},
    {"nats.conf", "token", "text", "", "", "instead of both"},
    {"nats.conf", "credentials-file", "path", "", "", "instead: a JWT and its seed, as nsc writes them"},
    {"nats.conf", "ssl-cacert-file", "path", "", "the system's", "whose signatures count"},
    {NULL},
};

extern const struct module mod_nats;
const struct module mod_nats = {
    .abi = MODULE_ABI, .name = "mod_nats", .load = load, .unload = unload, .apis = apis, .confs = confs};
