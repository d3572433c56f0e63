/* Filters, the bounded queue, and the whole server over a socket: log in, commands, events in each format, a client
 * that does not read, what the recordings say byte for byte. */
#include "base/mem.h"
#include "core/event/event.h"
#include "esl/cmd/cmd_i.h"
#include "esl/outbound/outbound.h"
#include "harness.h"
#include "net/tcp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- filters --------------------------------------------------------------------------------------------------- */
struct filter_row {
	const char *filters; /* "header value;header value" */
	const char *name, *header, *value;
	bool passes;
};
static const struct filter_row filter_rows[] = {
    {"", "x", "X-Kind", "a", true},
    {"X-Kind a", "one positive, matching", "X-Kind", "a", true},
    {"X-Kind a", "without case", "x-kind", "A", true},
    {"X-Kind a", "one positive, other value", "X-Kind", "b", false},
    {"X-Kind a", "header absent: default is drop", "X-Other", "a", false},
    {"X-Kind a;X-Kind b", "positives are or-ed", "X-Kind", "b", true},
    {"X-Kind +a", "explicit plus", "X-Kind", "a", true},
    {"X-Kind -a", "a negative drops", "X-Kind", "a", false},
    {"X-Kind -a", "only a negative, no match: still dropped", "X-Kind", "b", false},
    {"X-Kind /^a/;X-Kind -ab", "a negative wins over a positive", "X-Kind", "ab", false},
    {"X-Kind -ab;X-Kind /^a/", "in any order", "X-Kind", "ab", false},
    {"X-Kind /^a/;X-Kind -ab", "the others pass", "X-Kind", "ac", true},
    {"X-Kind /^SIP.*9$/i", "expression with options", "X-Kind", "sip:x9", true},
    {"X-Kind /^a/", "expression that does not match", "X-Kind", "ba", false},
};

static NO_ROLE_CHECK int test_filters(void)
{
	for (size_t i = 0; i < sizeof(filter_rows) / sizeof(filter_rows[0]); i++) {
		const struct filter_row *row = &filter_rows[i];
		struct esl_filters f = {0};
		char text[256], *save = NULL;
		snprintf(text, sizeof(text), "%s", row->filters);
		for (char *one = strtok_r(text, ";", &save); one; one = strtok_r(NULL, ";", &save)) {
			char *value = strchr(one, ' ');
			*value++ = 0;
			EXPECT_INT(esl_filters_add(&f, one, value), ST_OK);
		}
		struct event *e = event_new_plain(EVENT_CUSTOM);
		event_add(e, row->header, row->value);
		if (esl_filters_pass(&f, e) != row->passes) {
			test_fail(__FILE__, __LINE__, "%s", row->name);
			return -1;
		}
		mem_unref(e);
		esl_filters_fini(&f);
	}
	return 0;
}

static NO_ROLE_CHECK int test_filter_delete(void)
{
	struct esl_filters f = {0};
	EXPECT_INT(esl_filters_add(&f, "A", "1"), ST_OK);
	EXPECT_INT(esl_filters_add(&f, "A", "2"), ST_OK);
	EXPECT_INT(esl_filters_add(&f, "B", "1"), ST_OK);
	EXPECT_INT(esl_filters_add(&f, "B", "/[/"), ST_PARSE);
	esl_filters_del(&f, "a", "2");
	EXPECT_INT(f.count, 2);
	esl_filters_del(&f, "A", "");
	EXPECT_INT(f.count, 1);
	esl_filters_del(&f, "all", NULL);
	EXPECT_INT(f.count, 0);
	esl_filters_fini(&f);
	return 0;
}

/* ---- the queue ------------------------------------------------------------------------------------------------- */
static NO_ROLE_CHECK int test_queue(void)
{
	struct esl_queue q;
	struct buf out;
	void *ref = mem_new(8, NULL, "test.ref");
	buf_init(&out);
	esl_queue_init(&q, 10000);
	unsigned taken = 0;
	while (esl_queue_push(&q, ref, SV("0123456789"), "text/event-plain"))
		taken++;
	EXPECT(taken > 10 && taken < 100);
	EXPECT_INT(q.dropped_now, 1);
	EXPECT_INT(mem_refs(ref), taken + 1);
	/* once something is lost nothing is taken until the gap was told, even when there is room */
	EXPECT(esl_queue_render(&q, &out, 200) > 0);
	EXPECT(!esl_queue_push(&q, ref, SV("x"), NULL));
	EXPECT(!esl_queue_needs_gap(&q, 0));
	buf_clear(&out);
	while (esl_queue_render(&q, &out, 1 << 20))
		;
	EXPECT(esl_queue_needs_gap(&q, 0));
	EXPECT_INT(q.dropped_now, 2);
	esl_queue_gap_done(&q);
	EXPECT(esl_queue_push(&q, ref, SV("whole frame"), NULL));
	buf_clear(&out);
	esl_queue_render(&q, &out, 1 << 20);
	EXPECT_STR(out.p, "whole frame");
	EXPECT_INT(q.bytes, 0);
	EXPECT_INT(q.dropped_count, 2);
	esl_queue_push(&q, ref, SV("left"), NULL);
	esl_queue_fini(&q);
	EXPECT_INT(mem_refs(ref), 1);
	mem_unref(ref);
	buf_fini(&out);
	return 0;
}

/* ---- the server ------------------------------------------------------------------------------------------------ */
struct peer {
	struct tcp_conn *conn;
	struct buf in;
	bool is_closed;
};

static void peer_data(struct tcp_conn *c, const char *data, size_t n, void *arg)
{
	buf_add(&((struct peer *)arg)->in, data, n);
}
static void peer_close(struct tcp_conn *c, int status, void *arg)
{
	((struct peer *)arg)->is_closed = true;
}
static void peer_connect(struct tcp_conn *c, int status, void *arg) {}
static const struct tcp_handlers peer_handlers = {
    .on_data = peer_data, .on_close = peer_close, .on_connect = peer_connect};

static struct tcp_listener *listener;

static void on_accept(struct tcp_conn *conn, void *arg)
{
	role_assert_ctl();
	esl_client_accept(conn);
}

static NO_ROLE_CHECK int server_start(void)
{
	struct addr any;
	esl_conf = (struct esl_conf){.password = "secret",
	    .max_queue_bytes = 64 << 10,
	    .max_clients = 3,
	    .max_clients_per_host = 3,
	    .login_timeout_us = 60000000,
	    .first_us = 60000000};
	static const struct esl_client_ops ops = {.on_request = esl_cmd_run,
	    .on_gone = esl_outbound_release,
	    .on_log_level = esl_logs_update,
	    .may_hear = esl_may_hear};
	esl_clients_init(&ops);
	EXPECT_INT(esl_limits_open(), ST_OK);
	EXPECT_INT(addr_parse(&any, SV("127.0.0.1"), 0), ST_OK);
	EXPECT_INT(tcp_listen(&listener, &any, on_accept, NULL), ST_OK);
	return esl_logs_start();
}

static NO_ROLE_CHECK void server_stop(void)
{
	esl_client_end_all();
	esl_logs_stop();
	tcp_listener_close(listener);
	esl_limits_close();
}

static NO_ROLE_CHECK int peer_open(struct peer *p)
{
	struct addr to;
	*p = (struct peer){0};
	buf_init(&p->in);
	tcp_listener_local(listener, &to);
	return tcp_connect(&p->conn, &to, 5000000, &peer_handlers, p);
}

static NO_ROLE_CHECK void peer_fini(struct peer *p)
{
	tcp_conn_close(p->conn);
	mem_unref(p->conn);
	buf_fini(&p->in);
}

/* Runs the loop until the peer has got text (or closed); then everything up to its end is dropped. */
static NO_ROLE_CHECK bool wait_text(struct peer *p, const char *text)
{
	for (;;) {
		char *at = p->in.p ? strstr(p->in.p, text) : NULL;
		if (at) {
			buf_drop(&p->in, (size_t)(at - p->in.p) + strlen(text));
			return true;
		}
		if (p->is_closed)
			return false;
		loop_run_once();
	}
}

static NO_ROLE_CHECK void say(struct peer *p, const char *text)
{
	tcp_conn_send(p->conn, text, strlen(text));
}

static void login(struct peer *p)
{
	wait_text(p, "Content-Type: auth/request\n\n");
	say(p, "auth secret\n\n");
	wait_text(p, "Content-Type: command/reply\nReply-Text: +OK accepted\n\n");
}

/* What a command answers, byte for byte (the recordings' texts). */
static const struct {
	const char *command, *reply;
} replies[] = {
    {"api", "-ERR command not found"},
    {"foo", "-ERR command not found"},
    {"event", "-ERR no keywords supplied"},
    {"event plain", "-ERR no keywords supplied"},
    {"event plain nosuch", "-ERR no keywords supplied"},
    {"noevents", "-ERR not listening for events"},
    {"event nosuch HEARTBEAT", "+OK event listener enabled plain"},
    {"event plain CUSTOM lab::test", "+OK event listener enabled plain"},
    {"event json HEARTBEAT", "+OK event listener enabled json"},
    {"event xml HEARTBEAT", "+OK event listener enabled xml"},
    {"nixevent HEARTBEAT", "+OK events nixed"},
    {"nixevent", "-ERR no keywords supplied"},
    {"nixevent all", "+OK events nixed"},
    {"noevents", "+OK no longer listening for events"},
    {"filter", "-ERR command not found"},
    {"filter Event-Name HEARTBEAT", "+OK filter added. [Event-Name]=[HEARTBEAT]"},
    {"filter delete", "-ERR invalid syntax"},
    {"filter delete Event-Name", "+OK filter deleted. [Event-Name][]"},
    {"filter delete all", "+OK filter deleted. [all][]"},
    {"filter Foo bar", "+OK filter added. [Foo]=[bar]"},
    {"filter delete Foo bar", "+OK filter deleted. [Foo][bar]"},
    {"log", "+OK log level  [7]"},
    {"log 7", "+OK log level 7 [7]"},
    {"log debug", "+OK log level debug [7]"},
    {"log nosuch", "-ERR invalid log level"},
    {"nolog", "+OK no longer logging"},
    {"nolog", "-ERR not loging"},
    {"linger", "-ERR not controlling a session"},
    {"nolinger", "-ERR not controlling a session"},
    {"divert_events on", "-ERR not controlling a session."},
    {"myevents", "-ERR command not found"},
    {"myevents nosuch", "+OK Events Enabled"},
    {"getvar foo", "-ERR command not found"},
    {"connect", "-ERR command not found"},
    {"resume", "-ERR command not found"},
    {"tick", "-ERR command not found"},
    {"sendmsg", "-ERR invalid session id []"},
    {"sendmsg nosuch", "-ERR invalid session id [nosuch]"},
    {"sendmsg nosuch\ncall-command: hangup", "-ERR invalid session id [nosuch]"},
};

static int test_replies(void)
{
	struct peer p;
	char text[256];
	EXPECT_INT(server_start(), ST_OK);
	EXPECT_INT(peer_open(&p), ST_OK);
	login(&p);
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		snprintf(text, sizeof(text), "%s\n\n", replies[i].command);
		say(&p, text);
		EXPECT(wait_text(&p, "Content-Type: command/reply\nReply-Text: "));
		snprintf(text, sizeof(text), "%s\n\n", replies[i].reply);
		if (strncmp(p.in.p ? p.in.p : "", text, strlen(text))) {
			test_fail(__FILE__, __LINE__, "%s answers %s", replies[i].command, p.in.p ? p.in.p : "nothing");
			return -1;
		}
		EXPECT(wait_text(&p, text));
	}
	say(&p, "api nosuchcmd with args\n\n");
	EXPECT(wait_text(&p, "Content-Type: api/response\nContent-Length: 34\n\n-ERR nosuchcmd Command not found!\n"));
	say(&p, "exit\n\n");
	EXPECT(wait_text(&p, "Content-Type: command/reply\nReply-Text: +OK bye\n\nContent-Type: "
	                     "text/disconnect-notice\nContent-Length: 67\n\n"
	                     "Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n"));
	while (!p.is_closed)
		EXPECT(!wait_text(&p, "never"));
	peer_fini(&p);
	server_stop();
	return 0;
}

static int test_login(void)
{
	struct peer p;
	EXPECT_INT(server_start(), ST_OK);
	EXPECT_INT(peer_open(&p), ST_OK);
	say(&p, "api status\n\n");
	EXPECT(wait_text(
	    &p, "Content-Type: auth/request\n\nContent-Type: command/reply\nReply-Text: -ERR command not found\n\n"));
	say(&p, "auth\n\n");
	EXPECT(wait_text(&p, "-ERR command not found\n\n"));
	say(&p, "auth secre\n\nauth secret\n\n"); /* what follows a wrong password is not read */
	EXPECT(wait_text(&p, "Reply-Text: -ERR invalid\n\nContent-Type: text/disconnect-notice\n"));
	EXPECT(!wait_text(&p, "accepted"));
	peer_fini(&p);
	/* a body before login */
	EXPECT_INT(peer_open(&p), ST_OK);
	say(&p, "auth secret\nContent-Length: 5\n\nhello");
	EXPECT(wait_text(&p, "-ERR bad request\n\n"));
	EXPECT(!wait_text(&p, "accepted"));
	peer_fini(&p);
	/* one client too many: a silent one makes room, the oldest first; those that have logged in stay */
	struct peer q[4];
	for (int i = 0; i < 4; i++) {
		EXPECT_INT(peer_open(&q[i]), ST_OK);
		EXPECT(wait_text(&q[i], "Content-Type: auth/request"));
	}
	EXPECT(!wait_text(&q[0], "never") && q[0].is_closed);
	peer_fini(&q[0]);
	for (int i = 1; i < 4; i++) {
		say(&q[i], "auth secret\n\n");
		EXPECT(wait_text(&q[i], "+OK accepted"));
	}
	EXPECT_INT(peer_open(&q[0]), ST_OK);
	EXPECT(wait_text(&q[0], "Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n"));
	for (int i = 0; i < 4; i++)
		peer_fini(&q[i]);
	server_stop();
	return 0;
}

static NO_ROLE_CHECK void fire(const char *kind, const char *body)
{
	struct event *e = event_new(EVENT_CUSTOM, "test::kind");
	event_add(e, "Kind", kind);
	if (body)
		event_set_body(e, sv_of(body));
	event_fire(e);
}

static int test_events(void)
{
	struct peer plain, json, xml;
	EXPECT_INT(server_start(), ST_OK);
	EXPECT_INT(peer_open(&plain), ST_OK);
	EXPECT_INT(peer_open(&json), ST_OK);
	EXPECT_INT(peer_open(&xml), ST_OK);
	login(&plain), login(&json), login(&xml);
	say(&plain, "event plain CUSTOM test::kind other::kind\n\n");
	say(&json, "event json ALL\n\nfilter Kind json one\n\n");
	say(&xml, "event xml CUSTOM other::kind\n\nnixevent CUSTOM other::kind\n\nevent xml CUSTOM test::kind\n\n");
	EXPECT(wait_text(&plain, "enabled plain\n\n"));
	EXPECT(wait_text(&json, "filter added. [Kind]=[json one]\n\n"));
	EXPECT(wait_text(&xml, "enabled xml\n\n") && wait_text(&xml, "enabled xml\n\n"));
	fire("a b", "the body");
	fire("json one", NULL);
	EXPECT(wait_text(&plain, "Content-Length: "));
	EXPECT(wait_text(
	    &plain, "\nContent-Type: text/event-plain\n\nEvent-Subclass: test%3A%3Akind\nEvent-Name: CUSTOM\n"));
	EXPECT(wait_text(&plain, "Kind: a%20b\nContent-Length: 8\n\nthe bodyContent-Length: "));
	EXPECT(wait_text(&plain, "Kind: json%20one\n\n"));
	EXPECT(wait_text(
	    &json, "Content-Type: text/event-json\n\n{\"Event-Subclass\":\"test::kind\",\"Event-Name\":\"CUSTOM\""));
	EXPECT(wait_text(&json, "\"Kind\":\"json one\""));
	EXPECT(wait_text(&xml, "Content-Type: text/event-xml\n\n<event>"));
	EXPECT(wait_text(&xml, "the body"));
	peer_fini(&plain), peer_fini(&json), peer_fini(&xml);
	server_stop();
	return 0;
}

/* A client that does not read loses events and is told how many; another client loses none. */
static NO_ROLE_CHECK int test_slow_client(void)
{
	struct peer slow, good;
	char kind[1024];
	enum { COUNT = 20000 };
	EXPECT_INT(server_start(), ST_OK);
	EXPECT_INT(peer_open(&slow), ST_OK);
	EXPECT_INT(peer_open(&good), ST_OK);
	login(&slow), login(&good);
	say(&slow, "event plain CUSTOM test::kind\n\n");
	say(&good, "event plain CUSTOM test::kind\n\n");
	EXPECT(wait_text(&slow, "enabled plain\n\n") && wait_text(&good, "enabled plain\n\n"));
	tcp_conn_pause(slow.conn, true);
	memset(kind, 'x', sizeof(kind));
	for (int i = 0; i < COUNT; i++) {
		snprintf(kind + 1000, 20, "-%d-", i);
		fire(kind, NULL);
		snprintf(kind, sizeof(kind), "x-%d-", i);
		if (i % 10 == 9 || i == COUNT - 1)
			EXPECT(wait_text(&good, kind + 1));
		memset(kind, 'x', 1000);
	}
	tcp_conn_pause(slow.conn, false);
	EXPECT(wait_text(&slow, "Event-Subclass: tandem%3A%3Agap"));
	EXPECT(wait_text(&slow, "Missed-Count: "));
	int missed = atoi(slow.in.p);
	EXPECT(missed > 0 && missed < COUNT);
	fire("after", NULL);
	EXPECT(wait_text(&slow, "Kind: after"));
	peer_fini(&slow), peer_fini(&good);
	server_stop();
	return 0;
}

static NO_ROLE_CHECK int test_log_lines(void)
{
	struct peer p;
	EXPECT_INT(log_start(), ST_OK);
	EXPECT_INT(server_start(), ST_OK);
	EXPECT_INT(peer_open(&p), ST_OK);
	login(&p);
	say(&p, "log notice\n\n");
	EXPECT(wait_text(&p, "+OK log level notice [5]\n\n"));
	log_uuid(LOG_INFO, NULL, "not this one");
	log_uuid(LOG_WARNING, "1111", "this one");
	EXPECT(wait_text(&p, "Content-Type: log/data\nContent-Length: "));
	EXPECT(wait_text(
	    &p, "\nLog-Level: 4\nText-Channel: 0\nLog-File: test_esl.c\nLog-Func: test_log_lines\nLog-Line: "));
	EXPECT(wait_text(&p, "\nUser-Data: 1111\n\n"));
	EXPECT(wait_text(&p, "[WARNING] test_esl.c:"));
	EXPECT(wait_text(&p, " this one\n"));
	peer_fini(&p);
	server_stop();
	log_stop();
	return 0;
}

TEST_MAIN({"filters", test_filters, TEST_LOOP}, {"filter delete", test_filter_delete, TEST_LOOP},
    {"queue", test_queue, TEST_LOOP}, {"replies", test_replies, TEST_LOOP}, {"login", test_login, TEST_LOOP},
    {"events", test_events, TEST_LOOP}, {"slow client", test_slow_client, TEST_LOOP},
    {"log lines", test_log_lines, TEST_LOOP})
