/* The event socket's commands: one table, one small function each. A request's first word picks the row; rows that do
 * not say BEFORE_LOGIN answer "command not found" to strangers. An api that may wait runs on a coroutine of its own and
 * marks the client busy until it is done; others answer at once. Events and messages to legs are in events.c,
 * sendmsg.c. */
#include "base/mem.h"
#include "base/rand.h"
#include "core/conf/dir.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "core/registry/principal.h"
#include "core/run/api.h"
#include "esl/cmd/cmd_i.h"
#include "guard/guard.h"
#include "text/digest.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* NEEDS_FULL: an outbound socket without `full` may not. */
enum { BEFORE_LOGIN = 1, NEEDS_ARGS = 2, NEEDS_FULL = 4 };
struct cmd {
	const char *name;
	unsigned flags;
	void (*fn)(struct esl_client *c, const struct stanza *r, const char *args);
};

/* ---- login --------------------------------------------------------------------------------------------------- */
static bool is_same_secret(const char *given, const char *secret)
{
	uint8_t a[DIGEST_SHA256_BYTES], b[DIGEST_SHA256_BYTES];
	digest_sha256(given, strlen(given), a);
	digest_sha256(secret, strlen(secret), b);
	return digest_equal(a, b, sizeof(a));
}

static ON_CTL void login_failed(struct esl_client *c)
{
	login_delay_failed(esl_login_delay, tcp_conn_peer(c->conn));
	guard_failed(&(struct guard_failure){.door = "event_socket", .src = tcp_conn_peer(c->conn), .is_proved = true});
	log_warning("Event socket: wrong password from %s", c->id);
	esl_client_reply(c, "-ERR invalid");
	esl_client_end(c);
}

static ON_CTL void login_done(struct esl_client *c)
{
	c->is_authed = true;
	conn_guard_trust(&c->guard);
	loop_timer_cancel(&c->timer);
	stanza_reader_trust(&c->reader);
}

static ON_CTL void auth_run(struct esl_client *c, const char *args)
{
	if (!is_same_secret(args, esl_conf.password)) {
		login_failed(c);
		return;
	}
	login_done(c);
	esl_client_reply(c, "+OK accepted");
}

/* "user@domain:password" or "user:password@domain". */
static bool split_user(const char *args, struct sv *user, struct sv *domain, struct sv *password)
{
	struct sv a, b;
	if (!sv_split(sv_of(args), ':', &a, &b))
		return false;
	if (sv_split(a, '@', user, domain)) {
		*password = b;
		return true;
	}
	size_t at = b.n;
	while (at && b.p[at - 1] != '@')
		at--;
	if (!at)
		return false;
	*user = a;
	*password = sv_sub(b, 0, at - 1);
	*domain = sv_sub(b, at, b.n);
	return true;
}

static ON_CTL void userauth_run(struct esl_client *c, const char *args)
{
	struct sv user, domain, given;
	struct dir_user *u = NULL;
	char *password = NULL;
	const char *secret = NULL;
	if (split_user(args, &user, &domain, &given) && !dir_user_find(user, domain, &u))
		secret = esl_user_param(u, domain, "esl-password");
	password = secret && *secret ? sv_dup(given) : NULL;
	if (!password || !is_same_secret(password, secret)) {
		login_failed(c);
		goto out;
	}
	struct esl_rights *rights = esl_rights_new(u, user, domain);
	if (!rights) {
		login_failed(c);
		goto out;
	}
	mem_unref(c->rights);
	c->rights = rights;
	login_done(c);
	const char *log = esl_user_param(u, domain, "esl-allowed-log");
	esl_client_reply(c, "+OK accepted\nAllowed-Events: %s\nAllowed-API: %s%s", rights->events, rights->api,
	    log ? (rights->has_log ? "\nAllowed-LOG: true" : "\nAllowed-LOG: false") : "");
out:
	mem_free(password);
	mem_unref(u);
}

static void on_login_turn(void *arg)
{
	role_assert_ctl();
	struct esl_client *c = mem_ref(arg);
	char *args = c->login_args;
	c->login_args = NULL;
	if (!c->is_ending && c->is_login_of_user)
		userauth_run(c, args);
	else if (!c->is_ending)
		auth_run(c, args);
	mem_free(args);
	esl_client_resume(c);
	mem_unref(c);
}

/* Where this address has failed before, the password is looked at later: right or wrong, so that nothing is told by the
 * time it takes. Meanwhile only this connection waits. */
static ON_CTL void login_begin(struct esl_client *c, const char *args, bool is_of_user)
{
	const struct addr *peer = tcp_conn_peer(c->conn);
	int64_t wait_us = 0;
	if (c->is_authed && !c->guard.limit)
		wait_us = 0; /* an outbound socket's server, whom we called */
	else if (login_delay_turn(esl_login_delay, peer, &wait_us)) {
		if (conn_limit_may_tell(esl_limit, peer))
			log_warning("Event socket: too many wrong passwords from %s: logins are refused unseen", c->id);
		esl_client_reply(c, "-ERR invalid");
		esl_client_end(c);
		return;
	}
	c->is_login_of_user = is_of_user;
	if (!wait_us && is_of_user) {
		userauth_run(c, args);
	} else if (!wait_us) {
		auth_run(c, args);
	} else if ((c->login_args = mem_strdup(args))) {
		c->is_busy = true;
		loop_timer_set(&c->login_timer, wait_us, "esl.login turn", on_login_turn, c);
	}
}

static ON_CTL void cmd_auth(struct esl_client *c, const struct stanza *r, const char *args)
{
	login_begin(c, args, false);
}

static ON_CTL void cmd_userauth(struct esl_client *c, const struct stanza *r, const char *args)
{
	login_begin(c, args, true);
}

static ON_CTL void cmd_exit(struct esl_client *c, const struct stanza *r, const char *args)
{
	esl_client_reply(c, "+OK bye");
	esl_client_end(c);
}

/* ---- api ----------------------------------------------------------------------------------------------------- */
/* "CMD ARGS" to CMD (copied) and the arguments: at the first blank, wherever it is. */
static char *split_api(const char *line, const char **args)
{
	size_t n = strcspn(line, " ");
	*args = line + n + strspn(line + n, " \t");
	return mem_strndup(line, n);
}

static ON_CTL const struct principal *who(const struct esl_client *c)
{
	return c->rights ? c->rights->who : NULL;
}

/* Commands that run the command in their arguments, which must be allowed too; sched_api has two words before it. Core
 * asks again for each command that is run (struct api_call's who); this is to say it at once. */
static bool is_line_allowed(const char *list, const char *cmd, const char *args)
{
	static const struct {
		const char *name;
		unsigned words_before;
	} nesting[] = {
	    {"bgapi", 0}, {"eval", 0}, {"expand", 0}, {"xml_wrap", 0}, {"console_execute", 0}, {"sched_api", 2}};
	struct sv word = sv_of(cmd), rest = sv_of(args);
	for (unsigned depth = 0; depth < 16; depth++) {
		unsigned skip = 0;
		size_t i = 0, count = sizeof(nesting) / sizeof(nesting[0]);
		if (!esl_list_has(list, word))
			return false;
		while (i < count && !sv_isi(word, nesting[i].name))
			i++;
		if (i == count)
			return true;
		for (skip = nesting[i].words_before + 1; skip && rest.n; skip--) {
			sv_split(sv_trim(rest), ' ', &word, &rest);
			rest = sv_trim(rest);
		}
		if (skip)
			return true; /* nothing is run */
	}
	return false;
}

static ON_CTL bool is_api_allowed(struct esl_client *c, const char *cmd, const char *args)
{
	if (!who(c) || is_line_allowed(c->rights->api, cmd, args))
		return true;
	esl_client_reply(c, "-ERR permission denied");
	return false;
}

struct api_wait {
	struct esl_client *client; /* a reference */
	char *cmd;
};

static ON_CTL void api_answer(struct esl_client *c, int status, const char *cmd, struct sv reply)
{
	struct buf b;
	if (status != ST_NOTFOUND) {
		esl_client_api_response(c, reply);
		return;
	}
	buf_init(&b);
	buf_printf(&b, "-ERR %s Command not found!\n", cmd);
	esl_client_api_response(c, buf_sv(&b));
	buf_fini(&b);
}

static void on_api_done(int status, struct sv reply, void *arg)
{
	role_assert_ctl();
	struct api_wait *w = arg;
	struct esl_client *c = w->client;
	api_answer(c, status, w->cmd, reply);
	esl_client_resume(c);
	mem_unref(c);
	mem_free(w->cmd);
	mem_free(w);
}

static ON_CTL void api_wait_start(struct esl_client *c, const char *cmd, const char *args)
{
	struct api_wait *w = mem_zalloc(sizeof(*w));
	char *copy = mem_strdup(cmd);
	if (!w || !copy)
		goto fail;
	*w = (struct api_wait){mem_ref(c), copy};
	c->is_busy = true;
	if (!api_spawn_for(who(c), cmd, args, NULL, on_api_done, w))
		return;
	c->is_busy = false;
	mem_unref(c);
fail:
	mem_free(copy);
	mem_free(w);
	esl_client_api_response(c, SV("-ERR out of resources\n"));
}

static ON_CTL void api_now(struct esl_client *c, const char *cmd, const char *args)
{
	struct buf out;
	buf_init(&out);
	int st = api_run_for(who(c), cmd, args, NULL, &out);
	api_answer(c, st, cmd, buf_sv(&out));
	buf_fini(&out);
}

/* A client that has a call says again what it was told of it, in commands that do not name it, too. NULL: nothing is
 * found. To be freed. */
static ON_CTL char *trace_by_call(const struct esl_client *c, const char *text)
{
	return c->leg ? leg_text_traced(c->leg, text) : NULL;
}

static ON_CTL void cmd_api(struct esl_client *c, const struct stanza *r, const char *line)
{
	const char *args, *console = stanza_get(r, "console_execute");
	char *traced = trace_by_call(c, line), *cmd = split_api(traced ? traced : line, &args);
	if (!cmd || !is_api_allowed(c, cmd, args))
		goto out;
	/* aliases are for who may do everything */
	if (console && str_is_true(console) && !who(c) && api_find("console_execute")) {
		api_wait_start(c, "console_execute", traced ? traced : line);
		goto out;
	}
	const struct api_desc *d = api_find(cmd);
	if (d && (d->flags & (API_MAY_WAIT | API_CAN_WAIT)))
		api_wait_start(c, cmd, args);
	else
		api_now(c, cmd, args);
out:
	mem_free(cmd);
	mem_free(traced);
}

struct job {
	char uuid[128];
	char owner[UUID_CHARS + 1]; /* of an outbound socket: its call */
	char *cmd, *args;
};

static void job_free(struct job *j)
{
	mem_free(j->cmd);
	mem_free(j->args);
	mem_free(j);
}

static void on_job_done(int status, struct sv reply, void *arg)
{
	role_assert_ctl();
	struct job *j = arg;
	api_job_event_of(*j->owner ? j->owner : NULL, j->uuid, j->cmd, j->args, status, reply);
	job_free(j);
}

static ON_CTL void cmd_bgapi(struct esl_client *c, const struct stanza *r, const char *line)
{
	const char *args, *wanted = stanza_get(r, "job-uuid");
	struct job *j = mem_zalloc(sizeof(*j));
	if (!j)
		return;
	j->cmd = split_api(line, &args);
	j->args = *args ? mem_strdup(args) : NULL;
	if (!j->cmd || !is_api_allowed(c, j->cmd, args)) {
		job_free(j);
		return;
	}
	if (wanted && *wanted)
		strncat(j->uuid, wanted, sizeof(j->uuid) - 1);
	else
		uuid_make(j->uuid);
	if (c->is_outbound)
		snprintf(j->owner, sizeof(j->owner), "%s", c->leg_uuid);
	esl_client_reply(c, "+OK Job-UUID: %s\nJob-UUID: %s", j->uuid, j->uuid);
	char *traced = trace_by_call(c, args);
	int st = api_spawn_for(who(c), j->cmd, traced ? traced : args, j->uuid, on_job_done, j);
	mem_free(traced);
	if (st) {
		log_error("Event socket: no room to run %s in the background", j->cmd);
		on_job_done(ST_NOMEM, SV("-ERR out of resources\n"), j);
	}
}

/* ---- log lines ----------------------------------------------------------------------------------------------- */
static ON_CTL void cmd_log(struct esl_client *c, const struct stanza *r, const char *args)
{
	enum log_level level = LOG_DEBUG;
	if (c->rights && !c->rights->has_log) {
		esl_client_denied(c);
	} else if (*args && (log_level_parse(args, &level) || level == LOG_DISABLE)) {
		esl_client_reply(c, "-ERR invalid log level");
	} else {
		if (c->log_level == LOG_DISABLE)
			c->log_from = log_next_number();
		c->log_level = level;
		esl_logs_update();
		esl_client_reply(c, "+OK log level %s [%d]", args, (int)level);
	}
}

static ON_CTL void cmd_nolog(struct esl_client *c, const struct stanza *r, const char *args)
{
	if (c->log_level == LOG_DISABLE) {
		esl_client_reply(c, "-ERR not loging");
		return;
	}
	c->log_level = LOG_DISABLE;
	esl_logs_update();
	esl_client_reply(c, "+OK no longer logging");
}

static const struct cmd cmds[] = {
    {"auth", BEFORE_LOGIN | NEEDS_ARGS, cmd_auth},
    {"userauth", BEFORE_LOGIN | NEEDS_ARGS, cmd_userauth},
    {"exit", BEFORE_LOGIN, cmd_exit},
    {"...", BEFORE_LOGIN, cmd_exit},
    {"connect", 0, esl_cmd_connect},
    {"getvar", NEEDS_ARGS, esl_cmd_getvar},
    {"resume", 0, esl_cmd_resume},
    {"api", NEEDS_ARGS | NEEDS_FULL, cmd_api},
    {"bgapi", NEEDS_ARGS | NEEDS_FULL, cmd_bgapi},
    {"event", NEEDS_FULL, esl_cmd_event},
    {"nixevent", NEEDS_FULL, esl_cmd_nixevent},
    {"noevents", NEEDS_FULL, esl_cmd_noevents},
    {"myevents", 0, esl_cmd_myevents},
    {"filter", NEEDS_ARGS, esl_cmd_filter},
    {"sendmsg", 0, esl_cmd_sendmsg},
    {"sendevent", NEEDS_FULL, esl_cmd_sendevent},
    {"log", NEEDS_FULL, cmd_log},
    {"nolog", NEEDS_FULL, cmd_nolog},
    {"linger", 0, esl_cmd_linger},
    {"nolinger", 0, esl_cmd_nolinger},
    {"divert_events", 0, esl_cmd_divert},
};

void esl_cmd_run(struct esl_client *c, struct stanza *r)
{
	const char *line = r->command ? r->command : "";
	struct sv word = {line, strcspn(line, " \t")};
	const char *args = line + word.n + strspn(line + word.n, " \t");
	for (size_t i = 0; i < sizeof(cmds) / sizeof(cmds[0]); i++) {
		const struct cmd *k = &cmds[i];
		if (!sv_isi(word, k->name))
			continue;
		if ((!c->is_authed && !(k->flags & BEFORE_LOGIN)) || ((k->flags & NEEDS_ARGS) && !*args) ||
		    ((k->flags & NEEDS_FULL) && c->is_outbound && !c->is_full))
			break;
		k->fn(c, r, args);
		return;
	}
	esl_client_reply(c, "-ERR command not found");
}
