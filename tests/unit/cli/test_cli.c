/* Replies as the console reads them, at every split, their bounds; its options and profiles. */
#include "base/mem.h"
#include "cli/conf.h"
#include "harness.h"
#include "text/stanza.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char stream[] = "Content-Type: auth/request\n\n"
                             "Content-Type: command/reply\nReply-Text: +OK accepted\n\n"
                             "Content-Type: api/response\nContent-Length: 5\n\nfalse"
                             "Content-Length: 12\nContent-Type: text/event-plain\n\nA: b\n\nC: d\n\n"
                             "Content-Type: log/data\nContent-Length: 3\nLog-Level: 7\n\nhi\n";

/* Counts the frames and joins their bodies. */
static int read_all(struct stanza_reader *r, unsigned *count, struct buf *bodies)
{
	struct stanza f;
	int st;
	while (!(st = stanza_reader_next(r, &f))) {
		(*count)++;
		buf_addv(bodies, f.body);
		stanza_fini(&f);
	}
	return st;
}

static int test_every_split(void)
{
	size_t n = sizeof(stream) - 1;
	for (size_t cut = 0; cut <= n; cut++) {
		struct stanza_reader r;
		struct buf bodies;
		unsigned count = 0;
		stanza_reader_init(&r, STANZA_REPLY);
		buf_init(&bodies);
		stanza_reader_feed(&r, stream, cut);
		EXPECT_INT(read_all(&r, &count, &bodies), ST_AGAIN);
		stanza_reader_feed(&r, stream + cut, n - cut);
		EXPECT_INT(read_all(&r, &count, &bodies), ST_AGAIN);
		EXPECT_INT(count, 5);
		EXPECT_STR(bodies.p, "falseA: b\n\nC: d\n\nhi\n");
		buf_fini(&bodies);
		stanza_reader_fini(&r);
	}
	return 0;
}

static int test_bounds(void)
{
	static const char *const bad[] = {"Content-Length: 16777217\n\n", "Content-Length: -1\n\n",
	    "Content-Length: 99999999999999999999\n\n", "Content-Length: 0x10\n\n"};
	struct stanza f;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct stanza_reader r;
		stanza_reader_init(&r, STANZA_REPLY);
		stanza_reader_feed(&r, bad[i], strlen(bad[i]));
		EXPECT_INT(stanza_reader_next(&r, &f), ST_PARSE);
		EXPECT_INT(stanza_reader_next(&r, &f), ST_PARSE);
		stanza_reader_fini(&r);
	}
	struct stanza_reader r;
	stanza_reader_init(&r, STANZA_REPLY);
	for (int i = 0; i < 70; i++) {
		char line[1024];
		memset(line, 'x', sizeof(line));
		line[sizeof(line) - 1] = '\n';
		stanza_reader_feed(&r, line, sizeof(line));
	}
	EXPECT_INT(stanza_reader_next(&r, &f), ST_PARSE);
	stanza_reader_fini(&r);
	return 0;
}

static int read_conf(struct cli_conf *c, const char *const *args)
{
	char *argv[16];
	int argc = 0;
	while (args[argc]) {
		argv[argc] = (char *)(size_t)args[argc];
		argc++;
	}
	argv[argc] = NULL;
	extern int optind;
	optind = 0;
	return cli_conf_read(c, argc, argv);
}

static int test_options(void)
{
	static struct cli_conf c;
	setenv("HOME", "/nonexistent", 1);
	EXPECT_INT(read_conf(&c, (const char *const[]){"tandem-cli", "-H", "h", "-P", "99", "-p", "pw", "-x", "status",
	                             "-t", "500", "-l", "info", NULL}),
	    0);
	EXPECT_STR(c.host, "h");
	EXPECT_INT(c.port, 99);
	EXPECT_STR(c.password, "pw");
	EXPECT_STR(c.command, "status");
	EXPECT_INT(c.timeout_ms, 500);
	EXPECT_INT(c.loglevel, LOG_INFO);
	EXPECT(read_conf(&c, (const char *const[]){"tandem-cli", "-P", "70000", NULL}) < 0);
	EXPECT(read_conf(&c, (const char *const[]){"tandem-cli", "-l", "nosuch", NULL}) < 0);
	EXPECT(read_conf(&c, (const char *const[]){"tandem-cli", "nosuchprofile", NULL}) < 0);
	return 0;
}

static int test_profiles(void)
{
	static struct cli_conf c;
	char dir[] = "/var/tmp/tandem-cli-test-XXXXXX", path[128];
	EXPECT(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/.fs_cli_conf", dir);
	FILE *f = fopen(path, "w");
	EXPECT(f != NULL);
	fputs("; comment\n[default]\nhost => one\npassword => a b\nkey_f3 => show calls\n\n[other]\nhost     => "
	      "two\nport => 5\nquiet => true\n",
	    f);
	fclose(f);
	setenv("HOME", dir, 1);
	EXPECT_INT(read_conf(&c, (const char *const[]){"tandem-cli", "other", NULL}), 0);
	EXPECT_STR(c.host, "two");
	EXPECT_INT(c.port, 5);
	EXPECT(c.is_quiet);
	EXPECT_STR(c.keys[2], "show channels");
	EXPECT_INT(read_conf(&c, (const char *const[]){"tandem-cli", "-p", "x", NULL}), 0);
	EXPECT_STR(c.host, "one");
	EXPECT_STR(c.password, "x");
	EXPECT_STR(c.keys[2], "show calls");
	/* a run directory wins over the home directory's file, unless told otherwise */
	snprintf(path, sizeof(path), "%s/console.conf", dir);
	f = fopen(path, "w");
	EXPECT(f != NULL);
	fputs("[instance]\nhost => 127.0.0.1\nport => 8099\npassword => secret\n", f);
	fclose(f);
	setenv("TANDEM_RUN", dir, 1);
	EXPECT_INT(read_conf(&c, (const char *const[]){"tandem-cli", NULL}), 0);
	EXPECT_INT(c.port, 8099);
	EXPECT_STR(c.password, "secret");
	unlink(path);
	snprintf(path, sizeof(path), "%s/.fs_cli_conf", dir);
	unlink(path);
	rmdir(dir);
	return 0;
}

TEST_MAIN({"every split", test_every_split, 0}, {"bounds", test_bounds, 0}, {"options", test_options, 0},
    {"profiles", test_profiles, 0})
