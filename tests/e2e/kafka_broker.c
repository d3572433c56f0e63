/* A Kafka broker for a test: librdkafka's mock cluster of one, which speaks the real protocol, on the port that is
 * given. It reads its own topic as a consumer and writes each message as a line: key, value of the header "id", length,
 * hash of the body's bytes. Usage: kafka_broker PORT TOPIC. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int wanted_port;

/* The mock listens on any port: this one instead. */
int bind(int fd, const struct sockaddr *at, socklen_t n)
{
	struct sockaddr_in in;
	if (at->sa_family == AF_INET && n == sizeof(in)) {
		memcpy(&in, at, sizeof(in));
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
		in.sin_port = htons((unsigned short)wanted_port);
		return (int)syscall(SYS_bind, fd, &in, sizeof(in));
	}
	return (int)syscall(SYS_bind, fd, at, n);
}

static void line_put(const rd_kafka_message_t *m)
{
	rd_kafka_headers_t *headers;
	const void *id = "";
	size_t n = 0;
	if (!rd_kafka_message_headers(m, &headers))
		(void)rd_kafka_header_get_last(headers, "id", &id, &n);
	printf("%.*s %.*s ", (int)m->key_len, (const char *)m->key, (int)n, (const char *)id);
	for (size_t i = 0; i < m->len; i++)
		putchar(((const char *)m->payload)[i] == '\n' ? ' ' : ((const char *)m->payload)[i]);
	putchar('\n');
	fflush(stdout);
}

int main(int argc, char **argv)
{
	char error[256];
	wanted_port = argc > 2 ? atoi(argv[1]) : 0;
	if (!wanted_port)
		return 2;
	rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), error, sizeof(error));
	rd_kafka_mock_cluster_t *cluster = rk ? rd_kafka_mock_cluster_new(rk, 1) : NULL;
	if (!cluster || rd_kafka_mock_topic_create(cluster, argv[2], 1, 1))
		return 1;
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_conf_set(conf, "bootstrap.servers", rd_kafka_mock_cluster_bootstraps(cluster), error, sizeof(error));
	rd_kafka_conf_set(conf, "group.id", "test", error, sizeof(error));
	rd_kafka_t *reader = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof(error));
	rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(topics, argv[2], 0)->offset = RD_KAFKA_OFFSET_BEGINNING;
	if (!reader || rd_kafka_assign(reader, topics))
		return 1;
	setvbuf(stdout, NULL, _IOFBF, 1 << 20); /* a line is one write: whoever reads meanwhile, or kills, finds it whole */
	fprintf(stderr, "ready\n");
	for (;;) {
		rd_kafka_message_t *m = rd_kafka_consumer_poll(reader, 1000);
		if (m && !m->err)
			line_put(m);
		if (m)
			rd_kafka_message_destroy(m);
	}
}
