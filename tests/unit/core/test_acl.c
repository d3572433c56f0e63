/* Access lists: which prefix decides, the built-in lists, users' networks from the directory, and that a swapped
 * configuration brings its lists with it. */
#include "base/mem.h"
#include "base/status.h"
#include "core/conf/acl.h"
#include "core/conf/acl_i.h"
#include "core/conf/config.h"
#include "core/conf/dir.h"
#include "harness.h"
#include "net/addr.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- a directory of one domain with two users ---- */
struct dir_user {
	const char *id, *cidr;
};
static struct dir_user users[] = {{"1000", "198.51.100.7/32,2001:db8:1::/48"}, {"1001", NULL}};

static const char *user_get(const struct dir_user *u, int what)
{
	return what == 0 ? u->id : what == 1 ? "example.com" : NULL;
}
static const char *user_value(const struct dir_user *u, int what, const char *name)
{
	return what == 2 && !strcmp(name, "cidr") ? u->cidr : NULL;
}
static void each_user(struct sv domain, const char *group, bool (*fn)(struct dir_user *, void *), void *arg)
{
	for (size_t i = 0; sv_is(domain, "example.com") && i < sizeof(users) / sizeof(users[0]); i++)
		if (!fn(&users[i], arg))
			return;
}
static const struct dir_provider provider = {.user_get = user_get, .user_value = user_value, .each_user = each_user};

static const char lists_xml[] =
    "<configuration name='acl.conf'><network-lists>"
    "<list name='lan' default='allow'><node type='deny' cidr='192.168.42.0/24'/>"
    "<node type='allow' cidr='192.168.42.42/32'/></list>"
    "<list name='turned' default='deny'><node type='allow' cidr='192.168.42.42/32'/>"
    "<node type='deny' cidr='192.168.42.0/24'/></list>"
    "<list name='v6' default='deny'><node type='allow' cidr='2001:db8::/33'/></list>"
    "<list name='several'><node type='allow' cidr='10.1.0.0/16,10.2.0.0/16'/><node type='allow' host='10.3.0.1'/>"
    "<node type='allow' cidr='nonsense/8'/><node type='allow' cidr='10.4.0.0/33'/></list>"
    "<list name='domains' default='deny'><node type='allow' domain='example.com'/></list>"
    "</network-lists></configuration>";

static const struct row {
	const char *lists, *host;
	bool is_allowed;
} rows[] = {
    {"lan", "10.0.0.1", true}, /* the list's default */
    {"lan", "192.168.42.41", false},
    {"lan", "192.168.42.42", true}, /* the longer prefix wins, whatever the order */
    {"turned", "192.168.42.42", true},
    {"turned", "192.168.42.41", false},
    {"lan:context:other", "192.168.42.42", true},
    {"v6", "2001:db8:7fff::1", true},
    {"v6", "2001:db8:8000::1", false},
    {"v6", "10.0.0.1", false},
    {"several", "10.1.9.9", true},
    {"several", "10.2.9.9", true},
    {"several", "10.3.0.1", true},
    {"several", "10.3.0.2", false},
    {"several", "10.4.0.0", false}, /* a prefix that is none never fits */
    {"domains", "198.51.100.7", true},
    {"domains", "198.51.100.8", false},
    {"domains", "2001:db8:1:ffff::1", true},
    {"loopback.auto", "127.1.2.3", true},
    {"loopback.auto", "::1", true},
    {"loopback.auto", "::ffff:127.0.0.1", true}, /* IPv4 that came in on an IPv6 socket */
    {"loopback.auto", "10.0.0.1", false},
    {"rfc1918.auto", "172.31.255.255", true},
    {"rfc1918.auto", "172.32.0.0", false},
    {"rfc6598.auto", "100.127.255.255", true},
    {"rfc6598.auto", "100.128.0.0", false},
    {"wan.auto", "8.8.8.8", true},
    {"wan.auto", "10.1.1.1", false},
    {"wan.auto", "127.0.0.1", false},
    {"wan_v4.auto", "8.8.8.8", true},
    {"wan_v4.auto", "2001:db8::1", false},
    {"wan_v6.auto", "2001:db8::1", true},
    {"wan_v6.auto", "fe80::1", false},
    {"wan_v6.auto", "8.8.8.8", false},
    {"any_v4.auto", "8.8.8.8", true},
    {"any_v4.auto", "::1", false},
    {"any_v6.auto", "::1", true},
    {"localnet.auto", "127.9.9.9", true}, /* no address of its own: its loopback network */
    {"localnet.auto", "10.0.0.1", false},
    {"nat.auto", "10.0.0.1", true},
    {"nat.auto", "8.8.8.8", false},
    {"10.0.0.0/8", "10.1.1.1", true}, /* a plain network is a list of its own */
    {"10.0.0.0/8", "11.1.1.1", false},
    {"10.1.1.1", "10.1.1.1", true},
    {"nosuch,v6,lan", "10.0.0.1", true},
    {"nosuch", "10.0.0.1", false},
    {"", "10.0.0.1", false},
};

static int test_rows(void) NO_ROLE_CHECK;
static int test_rows(void)
{
	struct xml_doc *doc;
	struct acl_set *s;
	const char *token;
	struct addr a;
	struct sv which;
	dir_provider_set(&provider);
	EXPECT_INT(xml_parse(&doc, lists_xml, strlen(lists_xml), "acl.xml", NULL, 0, NULL), ST_OK);
	EXPECT_INT(acl_set_new(&s, xml_root(doc), NULL), ST_OK);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		EXPECT_INT(addr_parse(&a, sv_of(rows[i].host), 5060), ST_OK);
		if (acl_set_allows(s, sv_of(rows[i].lists), &a, NULL, NULL) != rows[i].is_allowed) {
			test_fail(__FILE__, __LINE__, "%s: %s is %s", rows[i].lists, rows[i].host,
			    rows[i].is_allowed ? "refused" : "let in");
			return -1;
		}
	}
	EXPECT_INT(addr_parse(&a, SV("198.51.100.7"), 0), ST_OK);
	EXPECT(acl_set_allows(s, SV("v6,domains:x"), &a, &token, &which));
	EXPECT_STR(token, "1000@example.com");
	EXPECT(sv_is(which, "domains"));
	EXPECT(acl_set_allows(s, SV("lan"), &a, &token, &which) && !token && sv_is(which, "lan"));
	acl_set_free(s);
	mem_unref(doc);
	dir_provider_set(NULL);
	return 0;
}

/* ---- the running configuration's ---- */

static int write_lists(const char *dir, const char *cidr)
{
	char path[100];
	FILE *f;
	snprintf(path, sizeof(path), "%s/freeswitch.xml", dir);
	f = fopen(path, "w");
	if (!f)
		return -1;
	fprintf(f,
	    "<document><section name='configuration'><configuration name='acl.conf'><network-lists><list name='mine'>"
	    "<node type='allow' cidr='%s'/></list></network-lists></configuration></section></document>\n",
	    cidr);
	return fclose(f);
}

static int test_swap(void) NO_ROLE_CHECK;
static int test_swap(void)
{
	char dir[64], path[100], error[CONFIG_ERROR_CHARS];
	const char *tmp = getenv("TMPDIR");
	struct config *cfg;
	snprintf(dir, sizeof(dir), "%.30s/tandem-acl-XXXXXX", tmp ? tmp : "/tmp");
	EXPECT(mkdtemp(dir));
	EXPECT(!acl_allows_host(SV("any_v4.auto"), SV("10.0.0.1"))); /* not started: nobody */
	EXPECT_INT(config_init(&(struct config_source){.conf_dir = dir}, NULL, 0), ST_OK);
	EXPECT(!write_lists(dir, "10.0.0.0/8"));
	EXPECT_INT(config_load(&cfg, error), ST_OK);
	config_swap(cfg);
	EXPECT_INT(acl_start(), ST_OK);
	EXPECT(acl_allows_host(SV("mine"), SV("10.0.0.1")) && !acl_allows_host(SV("mine"), SV("11.0.0.1")));
	EXPECT(!acl_allows_host(SV("mine"), SV("no address")));
	EXPECT(!write_lists(dir, "11.0.0.0/8"));
	EXPECT_INT(config_load(&cfg, error), ST_OK);
	EXPECT(acl_allows_host(SV("mine"), SV("10.0.0.1")));
	config_swap(cfg);
	EXPECT(!acl_allows_host(SV("mine"), SV("10.0.0.1")) && acl_allows_host(SV("mine"), SV("11.0.0.1")));
	acl_stop();
	config_fini();
	snprintf(path, sizeof(path), "%s/freeswitch.xml", dir);
	unlink(path);
	rmdir(dir);
	return 0;
}

static int test_lan(void)
{
	EXPECT(acl_is_lan(SV("10.0.0.1")) && acl_is_lan(SV("127.0.0.1")) && acl_is_lan(SV("fe80::1")));
	EXPECT(!acl_is_lan(SV("8.8.8.8")) && !acl_is_lan(SV("")) && !acl_is_lan(SV("host.example")));
	return 0;
}

TEST_MAIN({"rows", test_rows, TEST_LOOP}, {"swap", test_swap, TEST_LOOP}, {"lan", test_lan})
