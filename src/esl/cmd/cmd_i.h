/* What this room's files share. Arrows: cmd -> events, sendmsg, logs -> rights. */
#pragma once
#include "core/registry/principal.h"
#include "esl/cmd/cmd.h"
#include "esl/outbound/outbound.h"

struct dir_user;

/* ---- rights.c: what a user of the directory may do (userauth) ---- */
struct esl_rights { /* counted */
	/* Lists of words, "all" stands for everything: commands; events he gets; what he may ask a leg by sendmsg, with
	 * which applications; subclasses of CUSTOM he may send. */
	char *api, *events, *sendmsg, *applications, *sendevent;
	char *user, *domain;
	enum { ESL_LEGS_OWN, ESL_LEGS_DOMAIN, ESL_LEGS_ALL } legs; /* whose calls sendmsg reaches */
	bool has_log;
	struct principal *who; /* NULL: every command is allowed */
};
/* Reads them from the user's parameters, or else the domain's; what is not there is not allowed (but events, and the
 * command show, as in FreeSWITCH). NULL: no memory. */
ON_CTL struct esl_rights *esl_rights_new(const struct dir_user *u, struct sv user, struct sv domain);
/* Each is true for a client without such rights. */
ON_CTL bool esl_may_tell(const struct esl_client *c, const struct leg *leg, const char *verb);
/* The data of an application for a leg, with marks, to be freed with mem_free; NULL, after the reply: refused. */
ON_CTL char *esl_app_data(struct esl_client *c, const char *app, const char *data);
/* That event, with those headers; false, after the reply: refused. */
ON_CTL bool esl_may_send(struct esl_client *c, enum event_id id, const char *subclass, const struct stanza *r);
ON_CTL void esl_client_denied(struct esl_client *c); /* the reply */
/* Is name in a list of words separated by spaces or commas ("all": yes)? NULL list: yes. */
ANY bool esl_list_has(const char *list, struct sv name);
ANY bool esl_list_names(const char *list, struct sv name); /* the word itself, "all" is none */
/* A parameter of the user, or else of his domain. */
ON_CTL const char *esl_user_param(const struct dir_user *u, struct sv domain, const char *name);

/* ---- sendmsg.c ---- */
ON_CTL void esl_cmd_sendmsg(struct esl_client *c, const struct stanza *r, const char *args);
ON_CTL void esl_cmd_sendevent(struct esl_client *c, const struct stanza *r, const char *args);
/* ---- events.c ---- */
ON_CTL void esl_cmd_event(struct esl_client *c, const struct stanza *r, const char *args);
ON_CTL void esl_cmd_nixevent(struct esl_client *c, const struct stanza *r, const char *args);
ON_CTL void esl_cmd_noevents(struct esl_client *c, const struct stanza *r, const char *args);
ON_CTL void esl_cmd_myevents(struct esl_client *c, const struct stanza *r, const char *args);
ON_CTL void esl_cmd_filter(struct esl_client *c, const struct stanza *r, const char *args);
