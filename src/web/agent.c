/* An agent of mod_callcenter at his own page: which one he is, and his status. He is the agent whose name is his user
 * (1002 or 1002@domain), else the one whose contact rings his phone (user/1002). The words of the commands are ours; of
 * his, a pause's reason and a wrap-up's note go as one word each. */
#include "base/mem.h"
#include "web/web_i.h"

#include <stdio.h>
#include <string.h>

enum { AGENT_NAME_MAX = 128, AGENT_WORD_MAX = 64, AGENT_NOTE_MAX = 500 };

struct agent_ask {
	char user[SESSION_USER_MAX], domain[SESSION_USER_MAX];
	char verb[16], reason[AGENT_WORD_MAX + 1], note[3 * AGENT_NOTE_MAX + 1]; /* verb "": it is only looked at */
};

/* user/1002 or user/1002@domain, behind what {...} and [...] set. */
static bool is_contact_of(struct sv contact, const struct agent_ask *a)
{
	struct sv user, domain;
	while (contact.n && (contact.p[0] == '{' || contact.p[0] == '[')) {
		const char *end = memchr(contact.p, contact.p[0] == '{' ? '}' : ']', contact.n);
		if (!end)
			return false;
		contact = sv_sub(contact, (size_t)(end - contact.p) + 1, contact.n);
	}
	if (!sv_startsi(contact, SV("user/")))
		return false;
	sv_split(sv_sub(contact, 5, contact.n), '@', &user, &domain);
	return sv_is(user, a->user) && (!domain.n || sv_isi(domain, a->domain));
}

static bool is_name_of(struct sv name, const struct agent_ask *a)
{
	struct sv user, domain;
	sv_split(name, '@', &user, &domain);
	return sv_is(user, a->user) && (!domain.n || sv_isi(domain, a->domain) || sv_is(domain, "default"));
}

static struct sv cell_of(struct sv names, struct sv cells, const char *wanted)
{
	struct sv name, value = SV_NONE;
	bool more = true, has_value = true;
	while (more) {
		more = sv_split(names, '|', &name, &names);
		value = SV_NONE;
		if (has_value)
			has_value = sv_split(cells, '|', &value, &cells);
		if (sv_is(name, wanted))
			return value;
	}
	return SV_NONE;
}

/* His row of `agent list`, and the line of names. */
static bool row_find(struct sv reply, const struct agent_ask *a, struct sv *names, struct sv *row)
{
	struct sv line;
	*names = *row = SV_NONE;
	bool is_by_name = false;
	for (bool more = reply.n > 0; more;) {
		more = sv_split(reply, '\n', &line, &reply);
		line = sv_trim(line);
		if (!line.n || line.p[0] == '+' || line.p[0] == '-')
			continue;
		if (!names->n) {
			*names = line;
		} else if (!is_by_name && is_name_of(cell_of(*names, line, "name"), a)) {
			*row = line;
			is_by_name = true;
		} else if (!row->n && is_contact_of(cell_of(*names, line, "contact"), a)) {
			*row = line;
		}
	}
	return row->n > 0;
}

static bool is_plain_name(struct sv name)
{
	static const char plain[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.-@+";
	for (size_t i = 0; i < name.n; i++)
		if (!name.p[i] || !strchr(plain, name.p[i]))
			return false;
	return name.n > 0 && name.n < AGENT_NAME_MAX;
}

static void status_done(struct http_exchange *x, int status, struct sv reply, void *arg)
{
	struct sv error;
	role_assert_ctl();
	if (!http_exchange_is_open(x))
		return;
	if (web_reply_is_error(reply, &error))
		web_problem(x, 422, "%.*s", SVF(error));
	else
		http_exchange_reply(x, 204, NULL, SV_NONE);
}

static ON_CTL void status_set(struct http_exchange *x, const struct agent_ask *a, struct sv name)
{
	static const struct {
		const char *verb, *status;
	} known[] = {{"available", "Available"}, {"break", "On Break"}, {"on-demand", "Available (On Demand)"},
	    {"logout", "Logged Out"}};
	struct buf args;
	buf_init(&args);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(a->verb, known[i].verb))
			buf_printf(&args, "agent set status %.*s '%s'", SVF(name), known[i].status);
	if (*a->reason && !strcmp(a->verb, "break")) {
		buf_clear(&args);
		buf_printf(&args, "agent pause %.*s '%s'", SVF(name), a->reason);
	} else if (!strcmp(a->verb, "wrapup")) {
		buf_printf(&args, "agent wrapup %.*s '%s'%s%s", SVF(name), a->reason, *a->note ? " " : "", a->note);
	}
	if (args.n && !args.failed)
		web_command_run(x, NULL, "callcenter_config", args.p, status_done, NULL);
	else
		web_problem(x, args.failed ? 503 : 400,
		    args.failed ? "out of memory" : "action must be available, on-demand, break, logout or wrapup");
	buf_fini(&args);
}

static void list_done(struct http_exchange *x, int status, struct sv reply, void *arg)
{
	static const char *const shown[] = {"name", "status", "state", "contact", "calls_answered", "no_answer_count",
	    "talk_time", "last_status_change", "wrap_up_time"};
	struct agent_ask *a = arg;
	struct sv names, row;
	struct json_writer w;
	struct buf b;
	role_assert_ctl();
	if (!http_exchange_is_open(x)) {
		mem_free(a);
		return;
	}
	if (status == ST_NOTFOUND) {
		web_problem(x, 503, "mod_callcenter is not loaded");
	} else if (!row_find(reply, a, &names, &row)) {
		web_problem(x, 404, "%s is no agent", a->user);
	} else if (*a->verb) {
		struct sv name = cell_of(names, row, "name");
		if (is_plain_name(name))
			status_set(x, a, name);
		else
			web_problem(x, 422, "the agent's name has more than letters, digits and _ . - @ +");
	} else {
		buf_init(&b);
		jw_init(&w, &b, false);
		jw_begin_object(&w);
		for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
			jw_key(&w, shown[i]);
			jw_sv(&w, cell_of(names, row, shown[i]));
		}
		jw_end_object(&w);
		web_reply_json(x, 200, &b);
	}
	mem_free(a);
}

static ON_CTL struct agent_ask *ask_new(struct web_call *c)
{
	if (!c->session || !*c->session->user) {
		web_problem(c->x, 403, "an agent is a user: sign in as one");
		return NULL;
	}
	struct agent_ask *a = mem_zalloc(sizeof(*a));
	if (!a) {
		web_problem(c->x, 503, "out of memory");
		return NULL;
	}
	memcpy(a->user, c->session->user, sizeof(a->user));
	memcpy(a->domain, c->session->domain, sizeof(a->domain));
	return a;
}

void web_agent(struct web_call *c)
{
	struct agent_ask *a = ask_new(c);
	if (a)
		web_command_run(c->x, NULL, "callcenter_config", "agent list", list_done, a);
}

/* A note in the commands' own form: each byte that is no letter or digit as %XX, so that it is one word. */
static bool note_put(char *out, const char *text)
{
	size_t n = strlen(text);
	if (n > AGENT_NOTE_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		unsigned char ch = (unsigned char)text[i];
		bool is_plain = (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z');
		out += is_plain ? (*out = (char)ch, 1) : snprintf(out, 4, "%%%02X", ch);
	}
	*out = 0;
	return true;
}

void web_agent_set(struct web_call *c)
{
	const char *action = json_string_value(json_object_get(c->body, "action")),
	           *reason = json_string_value(json_object_get(c->body, "reason")),
	           *note = json_string_value(json_object_get(c->body, "note"));
	struct agent_ask *a = ask_new(c);
	if (!a)
		return;
	/* one word of a command in quotes: nothing that ends it, parts columns or lines, or escapes */
	bool is_good = action && strlen(action) < sizeof(a->verb) &&
	               (!reason || (strlen(reason) <= AGENT_WORD_MAX && !strpbrk(reason, "'\"\\|\r\n\t`$"))) &&
	               note_put(a->note, note ? note : "");
	if (!is_good) {
		mem_free(a);
		web_problem(c->x, 400, "action is needed; a reason has at most %d characters and no quotes, a note %d",
		    AGENT_WORD_MAX, AGENT_NOTE_MAX);
		return;
	}
	snprintf(a->verb, sizeof(a->verb), "%s", action);
	snprintf(a->reason, sizeof(a->reason), "%s", reason ? reason : "");
	web_command_run(c->x, NULL, "callcenter_config", "agent list", list_done, a);
}
