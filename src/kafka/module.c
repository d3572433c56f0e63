/* mod_kafka: call records to Kafka, by librdkafka, whose threads do the work. A profile of kafka.conf is a producer and
 * a target of the journal (cdr/target.h):
 *
 *   target -> rd_kafka_producev (copies into its queue, never waits)      control
 *   its threads -> broker -> delivery report -> event descriptor
 *   descriptor -> rd_kafka_poll -> on_report -> cdr_target_done           control
 *
 * A record is counted off when the broker's replicas have it (acks=all); what it did not take within message-timeout-ms
 * is sent again. Key and header "id" are the leg's uuid, which tells the second time. What may wait (reading
 * certificates, ending the producer) runs on a worker. */
#include "core/registry/module.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cdr/feed.h"
#include "core/conf/config.h"
#include "core/registry/api.h"
#include "loop/loop.h"
#include "loop/work.h"
#include "text/xml.h"

#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { PROFILES_MAX = 8, RECORDS_MAX = 256, RECORDS_MAX_BYTES = 4 << 20, PAUSE_US = 1000000, WATCH_US = 1000000 };

struct producer { /* the worker's while it is made or ended */
	rd_kafka_conf_t *conf;
	rd_kafka_t *rk;
	rd_kafka_queue_t *queue;
	int fd; /* readable when there are reports */
	char error[256];
};
struct profile {
	char *name, *topic;
	struct producer *producer; /* NULL until it is made */
	struct lpoll *poll;
	struct ltimer watch; /* while records are out, should the descriptor have missed one */
	struct cdr_feed feed;
	size_t out_count;
	uint64_t sent, failed;
};
static struct profile *profiles[PROFILES_MAX];
static size_t profile_count;

/* ---- on a worker ---- */

static void make_run(void *arg)
{
	static const uint64_t one = 1;
	struct producer *m = arg;

	role_assert_work();
	m->rk = rd_kafka_new(RD_KAFKA_PRODUCER, m->conf, m->error, sizeof(m->error));
	if (!m->rk)
		return;
	m->conf = NULL;
	m->queue = rd_kafka_queue_get_main(m->rk);
	(void)rd_kafka_set_log_queue(m->rk, NULL); /* log lines come by rd_kafka_poll, too */
	rd_kafka_queue_io_event_enable(m->queue, m->fd, &one, sizeof(one));
}

static void end_run(void *arg)
{
	struct producer *m = arg;

	role_assert_work();
	if (m->queue) {
		rd_kafka_queue_io_event_enable(m->queue, -1, NULL, 0);
		rd_kafka_queue_destroy(m->queue);
	}
	if (m->rk)
		rd_kafka_destroy_flags(m->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	if (m->conf)
		rd_kafka_conf_destroy(m->conf);
	close(m->fd);
	mem_free(m);
}

static ON_CTL void producer_end(struct producer *m)
{
	if (m && work_submit(WORK_NET, "kafka end", end_run, NULL, m))
		log_error("kafka: a producer cannot be ended");
}

/* ---- control ---- */

static void on_report(rd_kafka_t *rk, const rd_kafka_message_t *m, void *arg)
{
	struct profile *p = arg;
	struct cdr_entry *e = m->_private;
	bool is_refused =
	    m->err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE || m->err == RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE;

	role_assert_ctl();
	p->out_count--;
	p->sent += !m->err, p->failed += m->err != 0;
	if (is_refused)
		cdr_feed_refused(&p->feed, e, rd_kafka_err2str(m->err));
	else
		cdr_target_done(p->feed.target, e, m->err ? ST_IO : ST_OK, rd_kafka_err2str(m->err));
}

static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
	log_debug("kafka: %s: %s", facility, text);
}

static ON_CTL void reports_take(struct profile *p)
{
	rd_kafka_poll(p->producer->rk, 0);
}

static void on_readable(int events, void *arg)
{
	struct profile *p = arg;
	uint64_t count;

	role_assert_ctl();
	(void)!read(p->producer->fd, &count, sizeof(count));
	reports_take(p);
}

static void on_watch(void *arg)
{
	struct profile *p = arg;

	role_assert_ctl();
	reports_take(p);
	if (p->out_count)
		loop_timer_set(&p->watch, WATCH_US, "kafka watch", on_watch, p);
}

static ON_CTL int record_send(struct profile *p, struct cdr_entry *e)
{
	struct sv id = cdr_entry_id(e), body = cdr_entry_body(e);
	rd_kafka_resp_err_t err =
	    rd_kafka_producev(p->producer->rk, RD_KAFKA_V_TOPIC(p->topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
	        RD_KAFKA_V_KEY((void *)id.p, id.n), RD_KAFKA_V_VALUE((void *)body.p, body.n),
	        RD_KAFKA_V_HEADER("id", id.p, (ssize_t)id.n), RD_KAFKA_V_OPAQUE(e), RD_KAFKA_V_END);

	if (!err)
		return ST_OK;
	return err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ? ST_LIMIT : ST_FULL;
}

static void records_take(void *arg, struct cdr_entry *const *entries, size_t count)
{
	struct profile *p = arg;
	struct cdr_entry *mine[RECORDS_MAX];

	role_assert_ctl();
	memcpy(mine, entries, count * sizeof(mine[0]));
	for (size_t i = 0; i < count; i++) {
		int st = p->producer ? record_send(p, mine[i]) : ST_CLOSED;
		if (!st) {
			p->out_count++;
			continue;
		}
		if (st == ST_LIMIT)
			cdr_feed_refused(&p->feed, mine[i], "longer than message.max.bytes");
		else
			cdr_target_done(p->feed.target, mine[i], st,
			    p->producer ? "its queue is full" : "the producer is not ready");
	}
	if (p->out_count && !loop_timer_is_set(&p->watch))
		loop_timer_set(&p->watch, WATCH_US, "kafka watch", on_watch, p);
}

static const struct cdr_target_ops ops = {RECORDS_MAX, RECORDS_MAX_BYTES, PAUSE_US, records_take};

/* ---- configuration ---- */

static ON_CTL int property_set(rd_kafka_conf_t *conf, const struct xml_node *at, const char *name, const char *value)
{
	char error[256];

	if (rd_kafka_conf_set(conf, name, value, error, sizeof(error)) == RD_KAFKA_CONF_OK)
		return ST_OK;
	log_error("%s:%u: kafka: %s", at->file, at->line, error);
	return ST_INVAL;
}

/* Our parameters are a few of librdkafka's; <librdkafka> has any of them by its own name. */
static ON_CTL int properties_set(rd_kafka_conf_t *conf, const struct xml_node *n)
{
	static const char *const names[][3] = {
	    {"bootstrap-servers", "bootstrap.servers", "127.0.0.1:9092"},
	    {"compression", "compression.codec", NULL},
	    {"message-timeout-ms", "message.timeout.ms", "10000"},
	    {"security-protocol", "security.protocol", NULL},
	    {"sasl-mechanism", "sasl.mechanisms", NULL},
	    {"username", "sasl.username", NULL},
	    {"password", "sasl.password", NULL},
	    {"ssl-cacert-file", "ssl.ca.location", NULL},
	};
	static const char *const ours[][2] = {{"client.id", "tandem"}, {"acks", "all"}, {"linger.ms", "20"},
	    {"reconnect.backoff.max.ms", "2000"}, {"log.queue", "true"}};
	int st = ST_OK;

	for (size_t i = 0; !st && i < sizeof(ours) / sizeof(ours[0]); i++)
		st = property_set(conf, n, ours[i][0], ours[i][1]);
	for (size_t i = 0; !st && i < sizeof(names) / sizeof(names[0]); i++) {
		const char *value = config_param(n, names[i][0], names[i][2]);
		if (value && *value)
			st = property_set(conf, n, names[i][1], value);
	}
	xml_each(xml_child(n, "librdkafka"), "param", x)
	{
		if (!st)
			st = property_set(conf, x, xml_attr_or(x, "name", ""), xml_attr_or(x, "value", ""));
	}
	return st;
}

/* ---- life ---- */

struct making {
	struct producer *producer;
	struct profile *profile; /* NULL: it went meanwhile */
};
static struct making *makings[PROFILES_MAX];

static void make_done(int status, void *arg)
{
	struct making *k = arg;
	struct profile *p = k->profile;
	struct producer *m = k->producer;

	role_assert_ctl();
	for (size_t i = 0; i < PROFILES_MAX; i++)
		if (makings[i] == k)
			makings[i] = NULL;
	mem_free(k);
	if (p && !status && m->rk && !loop_poll_open(&p->poll, m->fd, "kafka", on_readable, p)) {
		loop_poll_set(p->poll, LOOP_READ);
		p->producer = m;
		return;
	}
	if (p && *m->error)
		log_error("kafka: %s: %s; its records wait in the journal", p->name, m->error);
	producer_end(m);
}

static void make_work(void *arg)
{
	make_run(((struct making *)arg)->producer);
}

static ON_CTL int producer_make(struct profile *p, rd_kafka_conf_t *conf)
{
	struct making *k = mem_zalloc(sizeof(*k));
	size_t i = 0;

	k->profile = p;
	k->producer = mem_zalloc(sizeof(*k->producer));
	k->producer->conf = conf;
	k->producer->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	while (i < PROFILES_MAX && makings[i])
		i++;
	if (i == PROFILES_MAX || k->producer->fd < 0 || work_submit(WORK_NET, "kafka", make_work, make_done, k)) {
		if (k->producer->fd >= 0)
			close(k->producer->fd);
		mem_free(k->producer);
		mem_free(k);
		return ST_LIMIT;
	}
	makings[i] = k;
	return ST_OK;
}

static ON_CTL void profile_free(struct profile *p)
{
	for (size_t i = 0; i < PROFILES_MAX; i++)
		if (makings[i] && makings[i]->profile == p)
			makings[i]->profile = NULL;
	loop_timer_cancel(&p->watch);
	loop_poll_close(p->poll); /* no report comes after this */
	cdr_feed_close(&p->feed);
	producer_end(p->producer);
	mem_free(p->name), mem_free(p->topic);
	mem_free(p);
}

static ON_CTL int profile_open(const struct xml_node *n)
{
	struct profile *p = mem_zalloc(sizeof(*p));
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	struct buf name;
	int st;

	buf_init(&name);
	buf_printf(&name, "kafka/%s", xml_attr_or(n, "name", "default"));
	p->name = buf_take(&name);
	p->topic = mem_strdup(config_param(n, "topic", "cdr"));
	rd_kafka_conf_set_opaque(conf, p);
	rd_kafka_conf_set_dr_msg_cb(conf, on_report);
	rd_kafka_conf_set_log_cb(conf, on_log);
	st = properties_set(conf, n);
	if (!st)
		st = cdr_feed_open(&p->feed, p->name, n, &ops, p);
	if (!st && !(st = producer_make(p, conf)))
		conf = NULL;
	if (conf)
		rd_kafka_conf_destroy(conf);
	if (st)
		profile_free(p);
	else
		profiles[profile_count++] = p;
	return st;
}

static int load(void)
{
	role_assert_ctl();
	xml_each(xml_child(config_conf("kafka.conf"), "profiles"), "profile", n)
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

static int api_kafka(struct api_call *c)
{
	role_assert_ctl();
	buf_adds(c->out, "profile,topic,out,sent,failed\n");
	for (size_t i = 0; i < profile_count; i++)
		buf_printf(c->out, "%s,%s,%zu,%llu,%llu\n", profiles[i]->name, profiles[i]->topic,
		    profiles[i]->out_count, (unsigned long long)profiles[i]->sent,
		    (unsigned long long)profiles[i]->failed);
	return ST_OK;
}

static const struct api_desc apis[] = {
    {"kafka", "profiles of kafka.conf: records on their way, sent and failed", "", 0, api_kafka, NULL},
    {NULL},
};
static const struct conf_desc confs[] = {
    {"kafka.conf", "bootstrap-servers", "list", "", "127.0.0.1:9092", "host:port of some brokers, by comma"},
    {"kafka.conf", "topic", "text", "", "cdr", "of records"},
    CDR_FEED_CONFS("kafka.conf"),
    {"kafka.conf", "message-timeout-ms", "number", "ms", "10000", "a record not taken by then is sent again"},
    {"kafka.conf", "compression", "none|gzip|snappy|lz4|zstd", "", "none", "of messages"},
    {"kafka.conf", "security-protocol", "plaintext|ssl|sasl_plaintext|sasl_ssl", "", "plaintext", ""},
    {"kafka.conf", "sasl-mechanism", "PLAIN|SCRAM-SHA-256|SCRAM-SHA-512", "", "", "of the login"},
    {"kafka.conf", "username", "text", "", "", "of the login"},
    {"kafka.conf", "password", "text", "", "", "of the login"},
    {"kafka.conf", "ssl-cacert-file", "path", "", "the system's", "whose signatures count"},
    {NULL},
};

extern const struct module mod_kafka;
const struct module mod_kafka = {
    .abi = MODULE_ABI, .name = "mod_kafka", .load = load, .unload = unload, .apis = apis, .confs = confs};
