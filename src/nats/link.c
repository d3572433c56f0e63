/* The thread of a link. It takes what has come as a batch, publishes it with the leg's uuid as Nats-Msg-Id (the stream
 * drops the second of one id), and waits for the stream's answers (JetStream's acknowledgement, JSON) to its own inbox;
 * whatever has none by the deadline, or when the connection goes, is to come again. libnats connects, and again after a
 * loss, by itself. Waits are cut into pieces, so that the thread ends soon when it shall. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/side.h"
#include "nats/nats_i.h"
#include "text/json.h"

#include <nats/nats.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECT_MS = 2000, RECONNECT_MS = 500, WRITE_MS = 2000, PING_MS = 10000, PIECE_MS = 200, ACK_MAX_BYTES = 4096 };

struct message {
	uint32_t number;
	char *id, *body;
	size_t n;
};
struct outcome { /* to control */
	uint32_t number;
	int status;
	char why[NATS_WHY_MAX];
};
_Static_assert(sizeof(struct outcome) <= MAILBOX_MSG_BYTES, "an outcome is one message");
struct nats_link {
	struct nats_settings s;
	nats_done_fn done;
	void *arg;
	struct side *side;
	atomic_bool is_up;
	_Atomic uint64_t sent, failed;
	/* the thread's */
	natsConnection *conn;
	natsSubscription *answers;
	char *inbox;
	uint32_t batch_number;
	struct message *batch[NATS_BATCH_MAX]; /* NULL: answered */
	size_t batch_count, open_count;
};

static void message_free(struct message *m)
{
	if (!m)
		return;
	mem_free(m->id), mem_free(m->body);
	mem_free(m);
}

void nats_settings_fini(struct nats_settings *s)
{
	for (int i = 0; i < s->server_count; i++)
		mem_free(s->servers[i]);
	mem_free(s->name), mem_free(s->subject), mem_free(s->user), mem_free(s->password), mem_free(s->token);
	mem_free(s->credentials), mem_free(s->ca_file);
	memset(s, 0, sizeof(*s));
}

/* ---- the connection ---- */

/* With a callback natsConnection_Connect does not wait for a server that is away. */
static void on_connected(natsConnection *conn, void *arg) {}

static natsStatus options_set(struct nats_link *l, natsOptions *o)
{
	const struct nats_settings *s = &l->s;
	natsStatus st = natsOptions_SetServers(o, (const char **)s->servers, s->server_count);

	if (st == NATS_OK)
		st = natsOptions_SetName(o, "tandem");
	if (st == NATS_OK)
		st = natsOptions_SetTimeout(o, CONNECT_MS);
	if (st == NATS_OK)
		st = natsOptions_SetMaxReconnect(o, -1);
	if (st == NATS_OK)
		st = natsOptions_SetReconnectWait(o, RECONNECT_MS);
	if (st == NATS_OK)
		st = natsOptions_SetRetryOnFailedConnect(o, true, on_connected, NULL);
	if (st == NATS_OK)
		st = natsOptions_SetWriteDeadline(o, WRITE_MS);
	if (st == NATS_OK)
		st = natsOptions_SetPingInterval(o, PING_MS);
	if (st == NATS_OK && s->user)
		st = natsOptions_SetUserInfo(o, s->user, s->password ? s->password : "");
	if (st == NATS_OK && s->token)
		st = natsOptions_SetToken(o, s->token);
	if (st == NATS_OK && s->credentials)
		st = natsOptions_SetUserCredentialsFromFiles(o, s->credentials, NULL);
	if (st == NATS_OK && s->ca_file)
		st = natsOptions_LoadCATrustedCertificates(o, s->ca_file);
	return st;
}

static void hang_up(struct nats_link *l)
{
	atomic_store(&l->is_up, false);
	natsSubscription_Destroy(l->answers);
	natsConnection_Destroy(l->conn);
	natsInbox_Destroy(l->inbox);
	l->answers = NULL, l->conn = NULL, l->inbox = NULL;
}

/* Once: from here on libnats keeps it up. */
static natsStatus connect_to(struct nats_link *l)
{
	char subject[200];
	natsOptions *o = NULL;
	natsStatus st = natsOptions_Create(&o);

	if (st == NATS_OK)
		st = options_set(l, o);
	if (st == NATS_OK)
		st = natsConnection_Connect(&l->conn, o);
	if (st == NATS_NOT_YET_CONNECTED)
		st = NATS_OK;
	natsOptions_Destroy(o);
	if (st == NATS_OK)
		st = natsInbox_Create(&l->inbox);
	if (st == NATS_OK) {
		snprintf(subject, sizeof(subject), "%s.*", l->inbox);
		st = natsConnection_SubscribeSync(&l->answers, l->conn, subject);
	}
	if (st != NATS_OK)
		hang_up(l);
	return st;
}

/* ---- a batch ---- */

static void answer(struct nats_link *l, size_t i, int status, const char *why)
{
	struct outcome o = {.number = l->batch[i]->number, .status = status};

	snprintf(o.why, sizeof(o.why), "%s", why);
	atomic_fetch_add(status ? &l->failed : &l->sent, 1);
	message_free(l->batch[i]);
	l->batch[i] = NULL;
	l->open_count--;
	(void)mailbox_post(side_out(l->side), &o, sizeof(o)); /* it has room for all that can be out */
}

static void answer_all(struct nats_link *l, int status, const char *why)
{
	for (size_t i = 0; i < l->batch_count; i++)
		if (l->batch[i])
			answer(l, i, status, why);
	l->batch_count = 0;
}

static void publish(struct nats_link *l, size_t i)
{
	const struct message *m = l->batch[i];
	char reply[200];
	natsMsg *msg = NULL;
	natsStatus st;

	snprintf(reply, sizeof(reply), "%s.%u-%zu", l->inbox, l->batch_number, i);
	st = natsMsg_Create(&msg, l->s.subject, reply, m->body, (int)m->n);
	if (st == NATS_OK)
		st = natsMsgHeader_Set(msg, "Nats-Msg-Id", m->id);
	if (st == NATS_OK)
		st = natsConnection_PublishMsg(l->conn, msg);
	natsMsg_Destroy(msg);
	if (st != NATS_OK)
		answer(l, i, st == NATS_MAX_PAYLOAD ? ST_LIMIT : ST_CLOSED, natsStatus_GetText(st));
}

/* {"stream":"CDR","seq":7} or {"error":{"description":"..."}} */
static void ack_read(struct nats_link *l, size_t i, natsMsg *msg)
{
	struct sv text = {natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg)};
	char wrong[JSON_ERROR_CHARS];
	json_t *ack = NULL, *error;

	if (!text.p || json_parse(&ack, text, ACK_MAX_BYTES, wrong))
		ack = NULL;
	error = json_object_get(ack, "error");
	const char *why = json_string_value(json_object_get(error, "description"));
	if (json_is_string(json_object_get(ack, "stream")) && !error)
		answer(l, i, ST_OK, "");
	else
		answer(l, i, ST_IO, why ? why : "its answer cannot be read");
	json_decref(ack);
}

/* Which of the batch it answers; batch_count: none, or one of a batch before. */
static size_t answered_of(const struct nats_link *l, const natsMsg *msg)
{
	const char *subject = natsMsg_GetSubject(msg), *dot = subject ? strrchr(subject, '.') : NULL;
	unsigned batch;
	size_t i;

	if (!dot || sscanf(dot + 1, "%u-%zu", &batch, &i) != 2 || batch != l->batch_number || i >= l->batch_count ||
	    !l->batch[i])
		return l->batch_count;
	return i;
}

static void answers_await(struct nats_link *l)
{
	int64_t end_us = clock_mono_us() + clock_us_of_ms(l->s.timeout_ms);

	while (l->open_count && !side_is_ending(l->side)) {
		natsMsg *msg = NULL;
		natsStatus st = natsSubscription_NextMsg(&msg, l->answers, PIECE_MS);
		size_t i = st == NATS_OK ? answered_of(l, msg) : l->batch_count;
		if (i < l->batch_count)
			ack_read(l, i, msg);
		natsMsg_Destroy(msg);
		if (st == NATS_NO_RESPONDERS)
			answer_all(l, ST_NOTFOUND, "no stream takes its subject");
		else if (st != NATS_OK && st != NATS_TIMEOUT)
			answer_all(l, ST_CLOSED, natsStatus_GetText(st));
		else if (st == NATS_TIMEOUT && natsConnection_Status(l->conn) != NATS_CONN_STATUS_CONNECTED)
			answer_all(l, ST_CLOSED, "the connection is lost");
		else if (clock_mono_us() > end_us)
			answer_all(l, ST_TIMEOUT, "no answer");
	}
}

static void batch_run(struct nats_link *l)
{
	struct message *m;
	size_t n;

	l->batch_count = l->open_count = 0;
	while (l->batch_count < NATS_BATCH_MAX && mailbox_take(side_in(l->side), &m, &n))
		l->batch[l->batch_count++] = m, l->open_count++;
	l->batch_number++;
	atomic_store(&l->is_up, l->conn && natsConnection_Status(l->conn) == NATS_CONN_STATUS_CONNECTED);
	if (!atomic_load(&l->is_up)) {
		answer_all(l, ST_CLOSED, "not connected");
		return;
	}
	for (size_t i = 0; i < l->batch_count; i++)
		publish(l, i);
	answers_await(l);
	atomic_store(&l->is_up, natsConnection_Status(l->conn) == NATS_CONN_STATUS_CONNECTED);
}

/* ---- the thread ---- */

static void run(struct side *side, void *arg)
{
	struct nats_link *l = arg;
	struct pollfd fds[2] = {
	    {.fd = side_end_fd(l->side), .events = POLLIN}, {.fd = mailbox_fd(side_in(l->side)), .events = POLLIN}};
	bool is_told = false;

	while (!side_is_ending(side)) {
		natsStatus st = l->conn ? NATS_OK : connect_to(l);
		if (st != NATS_OK && !is_told)
			log_error("nats: %s: %s; it is tried again", l->s.name, natsStatus_GetText(st));
		is_told = st != NATS_OK;
		batch_run(l);
		if (l->conn && natsConnection_Status(l->conn) == NATS_CONN_STATUS_CLOSED)
			hang_up(l);
		(void)poll(fds, 2, l->conn ? -1 : CONNECT_MS);
	}
	hang_up(l);
	nats_ReleaseThreadMemory();
}

/* ---- control ---- */

static void on_outcome(const void *msg, size_t n, void *arg)
{
	struct nats_link *l = arg;
	struct outcome o;

	role_assert_ctl();
	memcpy(&o, msg, sizeof(o));
	if (l->done)
		l->done(o.number, o.status, o.why, l->arg);
}

static void destroy(struct side *side, void *arg)
{
	struct nats_link *l = arg;
	struct message *m;
	size_t n;
	role_assert_ctl();
	for (size_t i = 0; i < l->batch_count; i++)
		message_free(l->batch[i]);
	while (mailbox_take(side_in(side), &m, &n))
		message_free(m);
	nats_settings_fini(&l->s);
	mem_free(l);
}

int nats_link_new(struct nats_link **out, struct nats_settings *s, nats_done_fn done, void *arg)
{
	static const struct side_ops ops = {"nats", run, on_outcome, destroy};
	struct nats_link *l = mem_zalloc(sizeof(*l));
	if (!l)
		return ST_NOMEM;
	l->s = *s, l->done = done, l->arg = arg;
	memset(s, 0, sizeof(*s));
	int st = side_new(&l->side, &ops, NATS_BATCH_MAX, NATS_BATCH_MAX, l);
	if (!st) {
		*out = l;
		return ST_OK;
	}
	nats_settings_fini(&l->s);
	mem_free(l);
	return st;
}

void nats_link_free(struct nats_link *l)
{
	if (!l)
		return;
	l->done = NULL;
	side_free(l->side);
}

int nats_link_post(struct nats_link *l, uint32_t number, struct sv id, struct sv body)
{
	struct message *m = mem_zalloc(sizeof(*m));
	int st;

	if (!m)
		return ST_NOMEM;
	m->number = number, m->id = sv_dup(id), m->body = sv_dup(body), m->n = body.n;
	if ((st = mailbox_post(side_in(l->side), &m, sizeof(m))))
		message_free(m);
	return st;
}

void nats_link_counts(const struct nats_link *l, struct nats_counts *out)
{
	*out = (struct nats_counts){
	    .sent = atomic_load(&l->sent), .failed = atomic_load(&l->failed), .is_up = atomic_load(&l->is_up)};
}
