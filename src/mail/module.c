/* The room as a module: settings, and the command mail. It is always there. */
#include "core/registry/module.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "mail/mail_i.h"
#include <strings.h>

static const struct conf_desc confs[] = {
    {"mail.conf", "smtp-host", "text", NULL, NULL,
        "the server that takes mail; none: the program mailer-app of switch.conf"},
    {"mail.conf", "smtp-port", "number", NULL, "25", "its port; 465 with smtp-tls tls, 587 with starttls"},
    {"mail.conf", "smtp-tls", "text", NULL, "none", "none, starttls (required then), or tls"},
    {"mail.conf", "smtp-tls-verify", "boolean", NULL, "true", "its certificate must be valid"},
    {"mail.conf", "smtp-ca-file", "path", NULL, NULL, "whose signatures count, in place of the system's"},
    {"mail.conf", "smtp-user", "text", NULL, NULL, "log in as"},
    {"mail.conf", "smtp-password", "text", NULL, NULL, "its password"},
    {"mail.conf", "smtp-helo", "text", NULL, "the machine's name", "what we say we are"},
    {"mail.conf", "retry-interval", "number", "s", "30", "until the second try; each later wait is twice as long"},
    {"mail.conf", "retry-interval-max", "number", "s", "3600", "but not longer than this"},
    {"mail.conf", "keep-days", "number", NULL, "5", "then a message is given up and lies in storage/mail/dead"},
    {"switch.conf", "mailer-app", "text", NULL, "sendmail", "program that takes mail at its standard input"},
    {"switch.conf", "mailer-app-args", "text", NULL, "-t", "its arguments, behind -f FROM and before the recipient"},
    {NULL},
};

static unsigned number(const struct xml_node *s, const char *name, unsigned otherwise, unsigned low, unsigned high)
{
	const char *v = config_param(s, name, NULL);
	char at[CONFIG_AT_CHARS];
	uint32_t n;
	if (!v || !*v)
		return otherwise;
	if (!sv_u32(sv_of(v), &n) && n >= low && n <= high)
		return n;
	log_error("%smail.conf: %s '%s' is no number from %u to %u", config_param_at(s, name, at), name, v, low, high);
	return otherwise;
}

static char *text(const struct xml_node *s, const char *name, const char *otherwise)
{
	return mem_strdup(config_param(s, name, otherwise));
}

int mail_conf_read(struct mail_conf *out)
{
	const struct xml_node *m = config_conf("mail.conf"), *w = config_conf("switch.conf");
	const struct xml_node *s = m ? xml_child(m, "settings") : NULL,
	                      *of_switch = w ? xml_child(w, "settings") : NULL;
	const char *tls = config_param(s, "smtp-tls", "none");
	char at[CONFIG_AT_CHARS];
	struct mail_conf c = {.host = text(s, "smtp-host", ""),
	    .user = text(s, "smtp-user", ""),
	    .password = text(s, "smtp-password", ""),
	    .helo = text(s, "smtp-helo", ""),
	    .ca_file = text(s, "smtp-ca-file", ""),
	    .app = text(of_switch, "mailer-app", "sendmail"),
	    .app_args = text(of_switch, "mailer-app-args", "-t")};
	c.tls = !strcasecmp(tls, "starttls") ? MAIL_TLS_STARTTLS
	        : !strcasecmp(tls, "tls")    ? MAIL_TLS_WHOLE
	                                     : MAIL_TLS_NONE;
	if (c.tls == MAIL_TLS_NONE && strcasecmp(tls, "none")) {
		log_error("%smail.conf: smtp-tls '%s' is none of none, starttls, tls",
		    config_param_at(s, "smtp-tls", at), tls);
		c.tls = MAIL_TLS_STARTTLS; /* never weaker than somebody meant */
	}
	c.port = number(s, "smtp-port",
	    c.tls == MAIL_TLS_WHOLE      ? 465
	    : c.tls == MAIL_TLS_STARTTLS ? 587
	                                 : 25,
	    1, 65535);
	c.retry_s = number(s, "retry-interval", 30, 1, 86400);
	c.retry_max_s = number(s, "retry-interval-max", 3600, 1, 86400);
	c.keep_days = number(s, "keep-days", 5, 0, 365);
	c.skips_verify = !str_is_true(config_param(s, "smtp-tls-verify", "true"));
	*out = c;
	if (c.host && c.user && c.password && c.helo && c.ca_file && c.app && c.app_args)
		return ST_OK;
	return ST_NOMEM;
}

void mail_conf_fini(struct mail_conf *c)
{
	mem_free(c->host), mem_free(c->user), mem_free(c->password), mem_free(c->helo), mem_free(c->ca_file);
	mem_free(c->app), mem_free(c->app_args);
}

static int api_mail(struct api_call *c)
{
	role_assert_ctl();
	if (!strcasecmp(c->args, "status")) {
		mail_queue_status(c->out);
	} else if (!strcasecmp(c->args, "flush")) {
		size_t n = mail_queue_count();
		mail_queue_flush();
		buf_printf(c->out, "+OK %zu are tried now\n", n);
	} else {
		buf_adds(c->out, "-USAGE: status|flush\n");
	}
	return ST_OK;
}

static const char *const complete[] = {"add mail status", "add mail flush", NULL};
static const struct api_desc apis[] = {
    {"mail", "The queue of outgoing mail", "status|flush", 0, api_mail, complete, NULL, NULL},
    {NULL},
};

static int load(void)
{
	role_assert_ctl();
	return mail_queue_start();
}

static int unload(void)
{
	role_assert_ctl();
	return mail_queue_stop();
}

extern const struct module mod_mail;
const struct module mod_mail = {
    .abi = MODULE_ABI, .name = "mod_mail", .load = load, .unload = unload, .apis = apis, .confs = confs};
