/* The preprocessor as a table of text in and text out; loading, errors with their place, reload on a worker, globals,
 * checking; and the stock configuration where it is at hand. */
#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/slurp.h"
#include "core/conf/check.h"
#include "core/conf/config.h"
#include "core/conf/config_i.h"
#include "harness.h"
#include "loop/loop.h"
#include "proc/shell.h"
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

static int write_file(const char *name, const char *text)
{
	char path[200];
	FILE *f;

	if (!*dir) {
		const char *tmp = getenv("TMPDIR");
		snprintf(dir, sizeof dir, "%.30s/tandem-config-XXXXXX", tmp ? tmp : "/tmp");
		if (!mkdtemp(dir))
			return -1;
	}
	snprintf(path, sizeof path, "%s/%s", dir, name);
	f = fopen(path, "w");
	if (!f)
		return -1;
	fputs(text, f);
	return fclose(f);
}

static void remove_dir(void)
{
	char command[100];
	snprintf(command, sizeof command, "rm -rf '%s'", dir);
	if (*dir && system(command))
		fprintf(stderr, "# %s stays\n", dir);
	*dir = 0;
}

static struct hash *some_vars(void)
{
	struct hash *vars = NULL;
	if (hash_new(&vars, HASH_NOCASE, mem_free) == ST_OK)
		hash_set(vars, SV("base_dir"), mem_strdup("/base"));
	return vars;
}

static int test_pre(void)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
	    {"a $${base_dir}/x ${y} $${BASE_DIR} [$${nosuch}] $${open\n", "a /base/x ${y} /base [] $${open\n"},
	    {"<X-PRE-PROCESS cmd=\"set\" data=\"k=v\"/>\n$${k}\n", "v\n"},
	    {"<x-pre-process CMD=\"set\" DATA=\"k = $${base_dir}/v w\"/>\n$${k}\n", "/base/v w\n"},
	    {"<!-- <X-PRE-PROCESS cmd=\"set\" data=\"k=v\"/> -->\n$${k}\n", "v\n"},
	    {"<!--<Z-PRE-PROCESS cmd=\"set\" data=\"k=v\"/> -->\n$${k}\n",
	        "<!--<Z-PRE-PROCESS cmd=\"set\" data=\"k=v\"/> -->\n\n"},
	    {"<X-NO-PRE-PROCESS cmd=\"set\" data=\"k=v\"/>\n$${k}\n",
	        "<X-NO-PRE-PROCESS cmd=\"set\" data=\"k=v\"/>\n\n"},
	    {"<XX-PRE-PROCESS cmd=\"set\" data=\"k=v\"/>\n$${k}\n", "\n"},
	    {"<X-PRE-PROCESS cmd=\"set\" data=\"k=a=b=c\"/>\n$${k}\n", "a=b=c\n"},
	    {"<!--#set \"k=v\"-->\n$${k}\n", "v\n"},
	    {"<?xml version=\"1.0\"?>\n<include>\n<a/>\n</include>\n", "<a/>\n"},
	    {"<a> <include> </a>\nb\n", "<a>  </a>\nb\n"},
	    {"<include><a/></include>\n", "<a/>\n"},
	    {"<?xml version=\"1.0\"?><include><a/><b/>\n</include><c/>", "<a/><b/>\n<c/>\n"},
	    {"<!--#comment\n hidden $${base_dir}\n--> shown\n", " shown\n"},
	    {"<X-PRE-PROCESS cmd=\"exec\" data=\"printf 'a\\n$${base_dir}\\n'\"/>\nb\n", "a\n/base\nb\n"},
	    {"<X-PRE-PROCESS cmd=\"exec-set\" data=\"k=printf 'x y \\n\\n'\"/>\n[$${k}]\n", "[x y]\n"},
	    {"<!--#exec-set \"k=echo hi\"-->\n[$${k}]\n", "[hi]\n"},
	    {"<X-PRE-PROCESS cmd=\"env-set\" data=\"k=$TANDEM_TEST\"/>\n[$${k}]\n", "[from env]\n"},
	    {"<X-PRE-PROCESS cmd=\"env-set\" data=\"k=$TANDEM_NOT\"/>\n[$${k}]\n", "[]\n"},
	    {"<X-PRE-PROCESS cmd=\"stun-set\" data=\"k=10.1.2.3\"/>\n[$${k}]\n", "[10.1.2.3]\n"},
	    {"<X-PRE-PROCESS cmd=\"stun-set\" data=\"k=host:127.0.0.9\"/>\n[$${k}]\n", "[127.0.0.9]\n"},
	    {"a\r\nb", "a\nb\n"},
	    {"", ""},
	};

	setenv("TANDEM_TEST", "from env", 1);
	unsetenv("TANDEM_NOT");
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct pre p;
		EXPECT_INT(pre_init(&p, some_vars()), ST_OK);
		EXPECT_INT(pre_text(&p, "f.xml", sv_of(rows[i].in), 0), ST_OK);
		if (!sv_is(buf_sv(&p.out), rows[i].want))
			test_fail(__FILE__, __LINE__, "row %zu: \"%s\", not \"%s\"", i, p.out.p, rows[i].want);
		EXPECT(sv_is(buf_sv(&p.out), rows[i].want));
		pre_fini(&p);
	}
	return 0;
}

static int test_command_bound(void)
{
	struct buf out;
	int64_t start = clock_mono_us();

	buf_init(&out);
	EXPECT_INT(shell_output("echo before; sleep 20", 100, 1 << 20, &out), ST_TIMEOUT);
	EXPECT(clock_mono_us() - start < 5000000);
	EXPECT_INT(out.n, 0);
	EXPECT_INT(shell_output("exit 3", 1000, 1 << 20, &out), ST_OK);
	buf_fini(&out);
	return 0;
}

/* Answers one binding request with 203.0.113.7, XOR-ed or plain. */
static void *stun_server(void *arg)
{
	const int *fd_and_kind = arg;
	uint8_t in[100], out[32] = {1, 1, 0, 12};
	struct sockaddr_in from;
	socklen_t n = sizeof from;
	static const uint8_t address[4] = {203, 0, 113, 7}, cookie[4] = {0x21, 0x12, 0xa4, 0x42};

	if (recvfrom(fd_and_kind[0], in, sizeof in, 0, (struct sockaddr *)&from, &n) != 20)
		return NULL;
	memcpy(out + 4, in + 4, 16);
	out[21] = fd_and_kind[1] ? 0x20 : 0x01, out[23] = 8, out[25] = 1;
	for (int i = 0; i < 4; i++)
		out[28 + i] = (uint8_t)(address[i] ^ (fd_and_kind[1] ? cookie[i] : 0));
	if (sendto(fd_and_kind[0], out, sizeof out, 0, (struct sockaddr *)&from, n) < 0)
		return NULL;
	return NULL;
}

static int test_stun(void)
{
	for (int kind = 0; kind < 2; kind++) {
		struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		socklen_t n = sizeof own;
		int arg[2] = {socket(AF_INET, SOCK_DGRAM, 0), kind};
		char what[60], got[64] = "";
		pthread_t thread;

		EXPECT(!bind(arg[0], (struct sockaddr *)&own, n) && !getsockname(arg[0], (struct sockaddr *)&own, &n));
		EXPECT(!pthread_create(&thread, NULL, stun_server, arg));
		snprintf(what, sizeof what, "stun:127.0.0.1:%u", ntohs(own.sin_port));
		EXPECT_INT(config_public_address(sv_of(what), 5000, got), ST_OK);
		EXPECT_STR(got, "203.0.113.7");
		pthread_join(thread, NULL);
		EXPECT_INT(config_public_address(sv_of(what), 300, got), ST_TIMEOUT); /* nobody answers any more */
		close(arg[0]);
	}
	return 0;
}

static int load_here(struct config **cfg, char error[CONFIG_ERROR_CHARS])
{
	static const struct config_global builtins[] = {{"base_dir", "/base"}, {"sounds_dir", "/sounds"}};
	char fsxml[100];

	role_assert_ctl();
	snprintf(fsxml, sizeof fsxml, "%s/out.fsxml", dir);
	if (config_init(&(struct config_source){.conf_dir = dir, .fsxml_file = fsxml}, builtins, ARRAY_COUNT(builtins)))
		return ST_NOMEM;
	return config_load(cfg, error);
}

static int write_tree(const char *acl)
{
	char path[100];

	if (write_file("freeswitch.xml",
	        "<?xml version=\"1.0\"?>\n<document>\n<X-PRE-PROCESS cmd=\"include\" data=\"vars.xml\"/>\n"
	        "<section name=\"configuration\">\n<X-PRE-PROCESS cmd=\"include\" data=\"conf/*.xml\"/>\n</section>\n"
	        "<section name=\"phrases\"><X/></section>\n</document>\n"))
		return -1;
	snprintf(path, sizeof path, "%s/conf", dir);
	mkdir(path, 0700);
	return write_file("vars.xml", "<include>\n<X-PRE-PROCESS cmd=\"set\" data=\"domain=example.org\"/>\n"
	                              "<X-PRE-PROCESS cmd=\"set\" data=\"sounds_dir=/other\"/>\n</include>\n") ||
	       write_file("conf/b.xml",
	           "<configuration name=\"b.conf\"><settings><param name=\"x\" value=\"$${domain}\"/>\n"
	           "<param name=\"X\" value=\"$${sounds_dir}\"/></settings></configuration>\n") ||
	       write_file("conf/a.xml", acl);
}

static int test_load(void)
{
	char error[CONFIG_ERROR_CHARS], path[100];
	struct config *cfg = NULL;
	struct stat st;

	role_assert_ctl();
	EXPECT(!write_tree("<include>\n<configuration name=\"a.conf\">\n  <node/>\n</configuration>\n</include>\n"));
	EXPECT_INT(load_here(&cfg, error), ST_OK);
	EXPECT(globals_get("domain") == NULL);
	config_swap(cfg);
	EXPECT_STR(globals_get("domain"), "example.org");
	EXPECT_STR(globals_get("sounds_dir"), "/other");
	EXPECT_STR(globals_get("base_dir"), "/base");
	const struct xml_node *node = xml_child(config_conf("A.conf"), "node");
	EXPECT(node && strstr(node->file, "/conf/a.xml"));
	EXPECT_INT(node->line, 3);
	EXPECT_INT(node->column, 3);
	const struct xml_node *settings = xml_child(config_conf("b.conf"), "settings");
	EXPECT_STR(config_param(settings, "x", "-"), "/other");
	EXPECT_STR(config_param(settings, "y", "-"), "-");
	EXPECT(config_section("languages") && config_section("languages") == config_section("phrases"));
	EXPECT(config_section("dialplan") == NULL);
	/* alphabetical order of includes */
	EXPECT_STR(xml_attr(xml_child(config_section("configuration"), "configuration"), "name"), "a.conf");
	snprintf(path, sizeof path, "%s/out.fsxml", dir);
	EXPECT(stat(path, &st) == 0 && st.st_size > 100);
	config_fini();
	remove_dir();
	return 0;
}

static int test_error_place(void)
{
	char error[CONFIG_ERROR_CHARS], want[200];
	struct config *cfg = NULL;

	role_assert_ctl();
	EXPECT(!write_tree("<include>\n<configuration name=\"a.conf\">\n  <node>\n</configuration>\n</include>\n"));
	EXPECT_INT(load_here(&cfg, error), ST_PARSE);
	snprintf(want, sizeof want, "%s/conf/a.xml:4:3: mismatched tag", dir);
	EXPECT_STR(error, want);
	EXPECT(cfg == NULL);
	config_fini();
	remove_dir();
	return 0;
}

struct reload {
	int status, swaps;
	char message[CONFIG_ERROR_CHARS];
};

static void on_reload(int status, const char *message, void *arg)
{
	struct reload *r = arg;
	role_assert_ctl();
	r->status = status;
	snprintf(r->message, sizeof r->message, "%s", message);
	loop_stop();
}

static void on_swap(void *arg)
{
	((struct reload *)arg)->swaps++;
}

static int test_reload(void)
{
	struct reload r = {.status = 1};
	struct config *cfg = NULL;

	role_assert_ctl();
	EXPECT(!write_tree("<configuration name=\"a.conf\" v=\"1\"/>\n"));
	EXPECT_INT(load_here(&cfg, NULL), ST_OK);
	config_swap(cfg);
	globals_set("domain", "changed.example.org");
	globals_set("mine", "kept");
	EXPECT_INT(config_on_swap(on_swap, &r), ST_OK);
	EXPECT(!write_file("conf/a.xml", "<configuration name=\"a.conf\" v=\"2\"/>\n"));
	EXPECT_INT(config_reload(on_reload, &r), ST_OK);
	EXPECT_INT(config_reload(on_reload, &r), ST_BUSY);
	loop_run();
	EXPECT_INT(r.status, ST_OK);
	EXPECT_STR(r.message, "Success");
	EXPECT_INT(r.swaps, 1);
	EXPECT_STR(xml_attr(config_conf("a.conf"), "v"), "2");
	EXPECT_STR(globals_get("domain"), "example.org");
	EXPECT_STR(globals_get("mine"), "kept");
	EXPECT(!write_file("conf/a.xml", "<configuration>\n"));
	EXPECT_INT(config_reload(on_reload, &r), ST_OK);
	loop_run();
	EXPECT_INT(r.status, ST_PARSE);
	EXPECT(strstr(r.message, "conf/a.xml:2:")); /* not where the end was missed */
	EXPECT_INT(r.swaps, 1);
	EXPECT_STR(xml_attr(config_conf("a.conf"), "v"), "2");
	config_fini();
	remove_dir();
	return 0;
}

static void collect(const char *problem, void *arg)
{
	buf_printf(arg, "%s\n", problem);
}

static int test_check(void)
{
	struct buf found;
	struct config *cfg = NULL;

	role_assert_ctl();
	buf_init(&found);
	EXPECT(!write_tree("<configuration name=\"a.conf\">\n  <open>\n</configuration>\n"));
	EXPECT(!write_file("conf/c.xml", "<x>\n<X-PRE-PROCESS cmd=\"include\" data=\"nothing.xml\"/>\n<X-PRE-PROCESS "
	                                 "cmd=\"include\" data=\"no/*.xml\"/>\n</y>\n"));
	EXPECT(!write_file("conf/d.xml", "<X-PRE-PROCESS cmd=\"nosuch\" data=\"1\"/>\n"));
	EXPECT_INT(load_here(&cfg, NULL), ST_PARSE);
	EXPECT_INT(config_check(collect, &found, NULL), 4);
	EXPECT(strstr(found.p, "conf/a.xml:3:3: mismatched tag"));
	EXPECT(strstr(found.p, "conf/c.xml:4:3: mismatched tag"));
	EXPECT(strstr(found.p, "conf/c.xml:2:1: nothing matches include"));
	EXPECT(!strstr(found.p, "conf/c.xml:3:"));
	EXPECT(strstr(found.p, "conf/d.xml:1:1: unknown X-PRE-PROCESS command 'nosuch'"));
	buf_fini(&found);
	config_fini();
	remove_dir();
	return 0;
}

static int test_include_loop(void)
{
	char error[CONFIG_ERROR_CHARS];
	struct config *cfg = NULL;

	role_assert_ctl();
	EXPECT(!write_file(
	    "freeswitch.xml", "<document>\n<X-PRE-PROCESS cmd=\"include\" data=\"self.xml\"/>\n</document>\n"));
	EXPECT(!write_file("self.xml", "<X-PRE-PROCESS cmd=\"include\" data=\"self.xml\"/>\n<a/>\n"));
	EXPECT_INT(load_here(&cfg, error), ST_OK);
	mem_unref(cfg);
	config_fini();
	remove_dir();
	return 0;
}

/* A recorded reply: a line with the command, the reply, and the newline that fs_cli adds. */
static int compare_golden(const char *name, const struct xml_node *node)
{
	struct buf want, got;
	char path[300];

	buf_init(&want);
	buf_init(&got);
	snprintf(path, sizeof path, "%s/golden/api/%s", test_shared_dir(), name);
	EXPECT_INT(slurp(path, 1 << 20, &want, NULL), ST_OK);
	buf_drop(&want, sv_find(buf_sv(&want), '\n') + 1);
	while (want.n && want.p[want.n - 1] == '\n')
		want.p[--want.n] = 0;
	EXPECT_INT(xml_write(node, &got), ST_OK);
	while (got.n && got.p[got.n - 1] == '\n')
		got.p[--got.n] = 0;
	EXPECT_STR(got.p, want.p);
	buf_fini(&want);
	buf_fini(&got);
	return 0;
}

static int test_vanilla(void)
{
	static const struct config_global builtins[] = {
	    {"local_ip_v4", "127.0.0.1"}, {"sounds_dir", "/s"}, {"conf_dir", "/c"}};
	char error[CONFIG_ERROR_CHARS], path[300];
	struct config *cfg = NULL;
	int64_t start, best_us = INT64_MAX;

	role_assert_ctl();
	if (!test_shared_dir()) {
		test_skip(TEST_NO_SHARED);
		return 0;
	}
	snprintf(path, sizeof path, "%s/vanilla", test_shared_dir());
	EXPECT_INT(config_init(&(struct config_source){.conf_dir = path}, builtins, ARRAY_COUNT(builtins)), ST_OK);
	for (int i = 0; i < 3; i++) {
		mem_unref(cfg);
		start = clock_mono_us();
		EXPECT_INT(config_load(&cfg, error), ST_OK);
		best_us = clock_mono_us() - start < best_us ? clock_mono_us() - start : best_us;
	}
	config_swap(cfg);
	fprintf(stderr, "# vanilla: %lld us, %zu blocks live\n", (long long)best_us, mem_live_blocks());
	EXPECT_STR(globals_get("domain"), "127.0.0.1");
	EXPECT_STR(globals_get("us-ring"), "%(2000,4000,440,480)");
	EXPECT(config_conf("sofia.conf") && config_conf("switch.conf"));
	EXPECT(xml_child_with(config_section("dialplan"), "context", "name", "default"));
	EXPECT(xml_child_with(config_section("directory"), "domain", "name", "127.0.0.1"));
	EXPECT(!compare_golden("xml-locate-configuration-configuration-name-acl-conf.txt", config_conf("acl.conf")));
	config_fini();
	return 0;
}

TEST_MAIN({"preprocessor", test_pre, 0}, {"command bound", test_command_bound, 0}, {"stun", test_stun, 0},
    {"load", test_load, TEST_LOOP}, {"error place", test_error_place, TEST_LOOP}, {"reload", test_reload, TEST_LOOP},
    {"check", test_check, TEST_LOOP}, {"include loop", test_include_loop, TEST_LOOP},
    {"vanilla", test_vanilla, TEST_LOOP})
