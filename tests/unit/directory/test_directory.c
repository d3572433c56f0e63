/* The directory through core/conf/dir.h: inheritance, aliases, groups with pointers, several domains, users held across
 * a reload. */
#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/conf/dir.h"
#include "directory/directory.h"
#include "harness.h"
#include "text/xml.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char sample[] =
    "<document><section name='directory'>\n"
    "<domain name='one.example'>\n"
    "<params><param name='dial-string' value='domain'/><param name='level' value='domain'/></params>\n"
    "<variables><variable name='v' value='domain'/><variable name='w' value='domain'/></variables>\n"
    "<groups>\n"
    "<group name='default'><params><param name='level' value='group'/></params><variables><variable name='w' "
    "value='group'/></variables>\n"
    "<users><user id='1000' number-alias='5000' cidr='10.0.0.0/8'><params><param name='password' "
    "value='p1'/></params>\n"
    "<variables><variable name='V' value='user'/></variables></user>\n"
    "<user id='1001'><params><param name='Level' value='user'/></params></user></users></group>\n"
    "<group name='sales'><users><user id='1001' type='pointer'/><user id='1000' type='pointer'/><user id='nobody' "
    "type='pointer'/>\n"
    "<user id='1002'/></users></group>\n"
    "</groups>\n"
    "<users><user id='direct'/></users><user id='bare'/>\n"
    "</domain>\n"
    "<domain name='two.example'><params><param name='level' value='two'/></params><user id='1000'/></domain>\n"
    "</section></document>\n";

static char dir[64], path[100];

static int load(const char *text)
{
	struct config *cfg = NULL;
	FILE *f;
	int st;

	role_assert_ctl();
	if (!*dir) {
		const char *tmp = getenv("TMPDIR");
		snprintf(dir, sizeof dir, "%.30s/tandem-dir-XXXXXX", tmp ? tmp : "/tmp");
		if (!mkdtemp(dir))
			return ST_IO;
		snprintf(path, sizeof path, "%s/freeswitch.xml", dir);
		st = config_init(&(struct config_source){.conf_dir = dir}, NULL, 0);
		if (st)
			return st;
	}
	f = fopen(path, "w");
	if (!f)
		return ST_IO;
	fputs(text, f);
	fclose(f);
	st = config_load(&cfg, NULL);
	if (!st)
		config_swap(cfg);
	return st;
}

static void done(void)
{
	role_assert_ctl();
	directory_stop();
	config_fini();
	unlink(path);
	rmdir(dir);
}

static bool join(struct dir_user *u, void *arg)
{
	role_assert_ctl();
	buf_printf(arg, "%s ", dir_user_id(u));
	return true;
}

static bool first_only(struct dir_user *u, void *arg)
{
	++*(int *)arg;
	return false;
}

static void join_pair(const char *name, const char *value, void *arg)
{
	buf_printf(arg, "%s=%s ", name, value);
}

static void join_domain(const char *name, void *arg)
{
	buf_printf(arg, "%s ", name);
}

static int test_lookup(void)
{
	struct dir_user *u = NULL, *again = NULL;
	struct buf b;

	role_assert_ctl();
	EXPECT_INT(directory_start(), ST_OK);
	EXPECT_INT(dir_user_find(SV("1000"), SV("one.example"), &u), ST_NOTFOUND);
	EXPECT_INT(load(sample), ST_OK);
	EXPECT_INT(dir_user_find(SV("1000"), SV("ONE.example"), &u), ST_OK);
	EXPECT_STR(dir_user_id(u), "1000");
	EXPECT_STR(dir_user_domain(u), "one.example");
	EXPECT_STR(dir_user_group(u), "default");
	EXPECT_STR(dir_user_param(u, "password"), "p1");
	EXPECT_STR(dir_user_param(u, "dial-string"), "domain");
	EXPECT_STR(dir_user_param(u, "LEVEL"), "group");
	EXPECT_STR(dir_user_var(u, "v"), "user");
	EXPECT_STR(dir_user_var(u, "w"), "group");
	EXPECT(dir_user_var(u, "x") == NULL && dir_user_param(u, "v") == NULL);
	EXPECT_STR(dir_user_attr(u, "cidr"), "10.0.0.0/8");
	EXPECT(dir_user_xml(u) && xml_child(dir_user_xml(u), "params"));
	EXPECT_INT(dir_user_find(SV("5000"), SV("one.example"), &again), ST_OK);
	EXPECT(again == u);
	mem_unref(again);
	buf_init(&b);
	dir_user_each_param(u, join_pair, &b);
	EXPECT_STR(b.p, "dial-string=domain level=group password=p1 ");
	buf_clear(&b);
	dir_user_each_var(u, join_pair, &b);
	EXPECT_STR(b.p, "v=user w=group ");
	buf_fini(&b);
	mem_unref(u);
	EXPECT_INT(dir_user_find(SV("1001"), SV("one.example"), &u), ST_OK);
	EXPECT_STR(dir_user_param(u, "level"), "user");
	mem_unref(u);
	EXPECT_INT(dir_user_find(SV("1000"), SV("two.example"), &u), ST_OK);
	EXPECT_STR(dir_user_param(u, "level"), "two");
	EXPECT(dir_user_group(u) == NULL && dir_user_param(u, "password") == NULL);
	mem_unref(u);
	EXPECT_INT(dir_user_find(SV("nobody"), SV("one.example"), &u), ST_NOTFOUND);
	EXPECT_INT(dir_user_find(SV("1000"), SV("three.example"), &u), ST_NOTFOUND);
	done();
	return 0;
}

static int test_lists(void)
{
	struct buf b;
	int calls = 0;

	role_assert_ctl();
	EXPECT_INT(directory_start(), ST_OK);
	EXPECT_INT(load(sample), ST_OK);
	buf_init(&b);
	dir_each_domain(join_domain, &b);
	EXPECT_STR(b.p, "one.example two.example ");
	buf_clear(&b);
	dir_each_user(SV("one.example"), NULL, join, &b);
	EXPECT_STR(b.p, "1000 1001 1002 direct bare ");
	buf_clear(&b);
	dir_each_user(SV("one.example"), "sales", join, &b);
	EXPECT_STR(b.p, "1001 1000 1002 ");
	buf_clear(&b);
	dir_each_user(SV("one.example"), "nosuch", join, &b);
	EXPECT_INT(b.n, 0);
	dir_each_user(SV("one.example"), NULL, first_only, &calls);
	EXPECT_INT(calls, 1);
	EXPECT(dir_domain_exists(SV("two.example")) && !dir_domain_exists(SV("three.example")));
	EXPECT(dir_group_exists(SV("one.example"), "Sales") && !dir_group_exists(SV("two.example"), "sales"));
	EXPECT_STR(dir_domain_param(SV("one.example"), "level"), "domain");
	EXPECT_STR(dir_domain_var(SV("one.example"), "v"), "domain");
	EXPECT(dir_domain_param(SV("one.example"), "v") == NULL);
	buf_fini(&b);
	done();
	return 0;
}

static int test_reload(void)
{
	struct dir_user *u = NULL, *fresh = NULL;

	role_assert_ctl();
	EXPECT_INT(directory_start(), ST_OK);
	EXPECT_INT(load(sample), ST_OK);
	EXPECT_INT(dir_user_find(SV("1000"), SV("one.example"), &u), ST_OK);
	EXPECT_INT(load("<document><section name='directory'><domain name='one.example'><user "
	                "id='1000'/></domain></section></document>"),
	    ST_OK);
	EXPECT_STR(dir_user_param(u, "password"), "p1");
	EXPECT_STR(dir_user_attr(u, "number-alias"), "5000");
	EXPECT_INT(dir_user_find(SV("1000"), SV("one.example"), &fresh), ST_OK);
	EXPECT(dir_user_param(fresh, "password") == NULL);
	mem_unref(u);
	mem_unref(fresh);
	done();
	return 0;
}

static int test_big(void)
{
	struct buf text;
	int64_t start;

	role_assert_ctl();
	buf_init(&text);
	buf_adds(&text, "<document><section name='directory'><domain name='d'>");
	for (int i = 0; i < 20000; i++)
		buf_printf(&text, "<user id='%d'><params><param name='password' value='p%d'/></params></user>\n", i, i);
	buf_adds(&text, "</domain></section></document>");
	EXPECT_INT(directory_start(), ST_OK);
	EXPECT_INT(load(text.p), ST_OK);
	start = clock_mono_us();
	for (int i = 0; i < 20000; i++) {
		struct dir_user *u = NULL;
		char id[12];
		snprintf(id, sizeof id, "%d", (i * 7919) % 20000);
		EXPECT_INT(dir_user_find(sv_of(id), SV("d"), &u), ST_OK);
		EXPECT(strcmp(dir_user_param(u, "password") + 1, id) == 0);
		mem_unref(u);
	}
	fprintf(stderr, "# %lld ns a lookup\n", (long long)(clock_mono_us() - start) * 1000 / 20000);
	EXPECT(clock_mono_us() - start < 2000000);
	buf_fini(&text);
	done();
	return 0;
}

static int test_vanilla(void)
{
	static const struct config_global builtins[] = {{"local_ip_v4", "10.1.1.1"}};
	char conf[300];
	struct config *cfg = NULL;
	struct dir_user *u = NULL;
	struct buf b;

	role_assert_ctl();
	if (!test_shared_dir()) {
		test_skip(TEST_NO_SHARED);
		return 0;
	}
	snprintf(conf, sizeof conf, "%s/vanilla", test_shared_dir());
	EXPECT_INT(config_init(&(struct config_source){.conf_dir = conf}, builtins, 1), ST_OK);
	EXPECT_INT(directory_start(), ST_OK);
	EXPECT_INT(config_load(&cfg, NULL), ST_OK);
	config_swap(cfg);
	EXPECT_INT(dir_user_find(SV("1007"), SV("10.1.1.1"), &u), ST_OK);
	EXPECT_STR(dir_user_param(u, "password"), "1234");
	EXPECT_STR(dir_user_param(u, "vm-password"), "1007");
	EXPECT_STR(dir_user_var(u, "user_context"), "default");
	EXPECT_STR(dir_user_var(u, "record_stereo"), "true");
	EXPECT(strstr(dir_user_param(u, "dial-string"), "sofia_contact"));
	mem_unref(u);
	buf_init(&b);
	dir_each_user(SV("10.1.1.1"), "support", join, &b);
	EXPECT_STR(b.p, "1010 1011 1012 1013 1014 ");
	buf_fini(&b);
	directory_stop();
	config_fini();
	return 0;
}

TEST_MAIN({"lookup", test_lookup, TEST_LOOP}, {"lists", test_lists, TEST_LOOP}, {"reload", test_reload, TEST_LOOP},
    {"big", test_big, TEST_LOOP}, {"vanilla", test_vanilla, TEST_LOOP})
