/* The registrar over a real socket: challenge, right and wrong passwords, unknown users, stale answers, several
 * contacts, 423, fetch, removal, NAT, what comes back from disk; and the texts of `sofia status` against the
 * recordings. The directory is a table here. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/acl.h"
#include "core/conf/dir.h"
#include "core/registry/api.h"
#include "endpoint/sip/module_i.h"
#include "endpoint/sip/reg/reg_i.h"
#include "harness.h"
#include "loop/co.h"
#include "net/udp.h"
#include "store/store.h"
#include "text/xml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- a directory of three users ---- */

struct dir_user {
	const char *id, *password, *vars;
};
static const struct dir_user users[] = {{"1000", "secret", NULL}, {"1001", "1234", NULL}, {"1002", "other", NULL}};

static int user_find(struct sv user, struct sv domain, struct dir_user **out)
{
	for (size_t i = 0; i < 3; i++)
		if (sv_is(user, users[i].id) && sv_is(domain, "example.com")) {
			struct dir_user *u = mem_new(sizeof(*u), NULL, "test.user");
			*u = users[i];
			*out = u;
			return ST_OK;
		}
	return ST_NOTFOUND;
}
static const char *user_get(const struct dir_user *u, int what)
{
	return what == 0 ? u->id : what == 1 ? "example.com" : NULL;
}
static const char *user_value(const struct dir_user *u, int what, const char *name)
{
	return what == 0 && !strcmp(name, "password") ? u->password : NULL;
}
static void user_each(const struct dir_user *u, int what, void (*fn)(const char *, const char *, void *), void *arg) {}
static const struct xml_node *user_xml(const struct dir_user *u)
{
	return NULL;
}
static bool domain_exists(struct sv domain)
{
	return sv_is(domain, "example.com");
}
static const char *domain_value(struct sv domain, int what, const char *name)
{
	return NULL;
}
static void each_domain(void (*fn)(const char *, void *), void *arg)
{
	fn("example.com", arg);
}
static void each_user(struct sv domain, const char *group, bool (*fn)(struct dir_user *, void *), void *arg) {}
static bool group_exists(struct sv domain, const char *group)
{
	return false;
}
static const struct dir_provider provider = {user_find, user_get, user_value, user_each, user_xml, domain_exists,
    domain_value, each_domain, each_user, group_exists};

/* ---- a profile and a phone ---- */

struct rig {
	struct profile *p;
	struct udp *phone;
	struct addr phone_addr;
	char reply[4096];
	char nonce[128];
	unsigned nc, cseq;
};
static struct rig rig;

static void on_reply(const char *data, size_t n, const struct addr *src, void *arg)
{
	role_assert_ctl();
	snprintf(rig.reply, sizeof(rig.reply), "%.*s", (int)n, data);
	loop_stop();
}

static int rig_up(const char *more) NO_ROLE_CHECK;
static int rig_up(const char *more)
{
	struct xml_doc *doc;
	struct profile_conf c;
	struct addr any;
	char text[2048];
	memset(&rig, 0, sizeof(rig));
	profiles_init(&sofia_hooks);
	dir_provider_set(&provider);
	EXPECT_INT(acl_start(), ST_OK);
	snprintf(text, sizeof(text),
	    "<profile name='internal'><domains><domain name='all' alias='true'/></domains><settings>"
	    "<param name='sip-ip' value='127.0.0.1'/><param name='sip-port' value='auto'/>"
	    "<param name='challenge-realm' value='example.com'/><param name='force-register-domain' "
	    "value='example.com'/>%s</settings></profile>",
	    more);
	EXPECT_INT(xml_parse(&doc, text, strlen(text), "t.xml", NULL, 0, NULL), ST_OK);
	const struct xml_node *node =
	    !strcmp(xml_root(doc)->name, "profile") ? xml_root(doc) : xml_child(xml_root(doc), "profile");
	EXPECT_INT(profile_conf_parse(&c, node), ST_OK);
	mem_unref(doc);
	EXPECT_INT(profile_start(&c, &rig.p), ST_OK);
	EXPECT_INT(addr_parse(&any, SV("127.0.0.1"), 0), ST_OK);
	EXPECT_INT(udp_open(&rig.phone, &any, 0, on_reply, NULL), ST_OK);
	udp_local(rig.phone, &rig.phone_addr);
	return 0;
}

static void rig_down(void) NO_ROLE_CHECK;
static void rig_down(void)
{
	profiles_stop_all();
	udp_close(rig.phone);
	reg_store_close();
	acl_stop();
	dir_provider_set(NULL);
	for (int i = 0; i < 5; i++)
		loop_run_nowait();
}

static void give_up(void *arg)
{
	role_assert_ctl();
	loop_stop();
}

/* Sends one REGISTER and waits for the answer; its code, 0 for none. contact: whole header lines. */
static int ask(const char *user, const char *password, const char *contact) NO_ROLE_CHECK;
static int ask(const char *user, const char *password, const char *contact)
{
	struct buf b;
	struct ltimer timer = {0};
	char host[ADDR_TEXT_MAX], auth[512] = "", ha1[65], response[65], nc[9];
	addr_text(&rig.phone_addr, host);
	if (password && *rig.nonce) {
		snprintf(nc, sizeof(nc), "%08x", ++rig.nc);
		digest_ha1(DIGEST_MD5, sv_of(user), SV("example.com"), sv_of(password), ha1);
		digest_response(DIGEST_MD5, ha1, sv_of(rig.nonce), sv_of(nc), SV("abc"), SV("auth"), SV("REGISTER"),
		    SV("sip:example.com"), response);
		snprintf(auth, sizeof(auth),
		    "Authorization: Digest username=\"%s\", realm=\"example.com\", nonce=\"%s\", "
		    "uri=\"sip:example.com\", response=\"%s\", "
		    "algorithm=MD5, qop=auth, nc=%s, cnonce=\"abc\"\r\n",
		    user, rig.nonce, response, nc);
	}
	buf_init(&b);
	buf_printf(&b,
	    "REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP %s;rport;branch=z9hG4bK%u\r\nMax-Forwards: 70\r\n"
	    "From: <sip:%s@example.com>;tag=t\r\nTo: <sip:%s@example.com>\r\nCall-ID: call-%s\r\nCSeq: %u REGISTER\r\n"
	    "User-Agent: test-phone\r\n%s%sContent-Length: 0\r\n\r\n",
	    host, rig.cseq + 1, user, user, user, rig.cseq + 1, contact, auth);
	rig.cseq++;
	rig.reply[0] = 0;
	udp_send(rig.phone, &rig.p->sip_addr, b.p, b.n);
	buf_fini(&b);
	loop_timer_set(&timer, 3000000, "give_up", give_up, NULL);
	loop_run();
	loop_timer_cancel(&timer);
	const char *n = strstr(rig.reply, "nonce=\"");
	if (n) {
		snprintf(rig.nonce, sizeof(rig.nonce), "%.*s", (int)strcspn(n + 7, "\""), n + 7);
		rig.nc = 0;
	}
	return !strncmp(rig.reply, "SIP/2.0 ", 8) ? atoi(rig.reply + 8) : 0;
}

static size_t bound(const char *user, const struct reg **out) NO_ROLE_CHECK;
static size_t bound(const char *user, const struct reg **out)
{
	return reg_table_find(reg_table_of(rig.p), sv_of(user), SV("example.com"), out, REG_CONTACTS_MAX);
}

static int test_digest(void) NO_ROLE_CHECK;
static int test_digest(void)
{
	const struct reg *r[REG_CONTACTS_MAX];
	static const char contact[] = "Contact: <sip:1000@127.0.0.1:9>\r\nExpires: 600\r\n";
	if (rig_up(""))
		return -1;
	EXPECT_INT(ask("1000", NULL, contact), 401);
	EXPECT(strstr(rig.reply, "WWW-Authenticate: Digest realm=\"example.com\""));
	EXPECT_INT(auth_failures_of(rig.p, &rig.phone_addr), 0);
	EXPECT_INT(ask("1000", "secret", contact), 200);
	EXPECT(strstr(rig.reply, "Contact: <sip:1000@127.0.0.1:9>;expires=600\r\n"));
	EXPECT(strstr(rig.reply, "\r\nDate: "));
	EXPECT_INT(bound("1000", r), 1);
	EXPECT_STR(r[0]->agent, "test-phone");
	EXPECT_STR(r[0]->auth_user, "1000");
	/* the same nonce again, counted on */
	EXPECT_INT(ask("1000", "secret", contact), 200);
	/* a count that was used is challenged, not accepted */
	rig.nc--;
	EXPECT_INT(ask("1000", "secret", contact), 401);
	EXPECT(strstr(rig.reply, "stale=true"));
	uint64_t computed = digest_computed_count(rig.p->digest);
	EXPECT_INT(ask("1000", "wrong", contact), 403);
	EXPECT_INT((int)(digest_computed_count(rig.p->digest) - computed), 1);
	EXPECT_INT(auth_failures_of(rig.p, &rig.phone_addr), 1);
	EXPECT_INT(ask("4711", NULL, contact), 401);
	/* an unknown user is the same answer after the same work */
	computed = digest_computed_count(rig.p->digest);
	EXPECT_INT(ask("4711", "x", contact), 403);
	EXPECT_INT((int)(digest_computed_count(rig.p->digest) - computed), 1);
	EXPECT_INT(auth_failures_of(rig.p, &rig.phone_addr), 2);
	/* 1001 still has 1234, and this is the loopback: served */
	EXPECT_INT(ask("1001", NULL, "Contact: <sip:1001@127.0.0.1:9>\r\n"), 401);
	EXPECT_INT(ask("1001", "1234", "Contact: <sip:1001@127.0.0.1:9>\r\n"), 200);
	EXPECT(strstr(rig.reply, ";expires=300")); /* it said none */
	/* fetch, then unregister */
	EXPECT_INT(ask("1000", NULL, ""), 401);
	EXPECT_INT(ask("1000", "secret", ""), 200);
	EXPECT(strstr(rig.reply, "Contact: <sip:1000@127.0.0.1:9>"));
	EXPECT_INT(ask("1000", "secret", "Contact: <sip:1000@127.0.0.1:9>\r\nExpires: 0\r\n"), 200);
	EXPECT(!strstr(rig.reply, "Contact:"));
	EXPECT_INT(bound("1000", r), 0);
	rig_down();
	return 0;
}

static int test_contacts(void) NO_ROLE_CHECK;
static int test_contacts(void)
{
	const struct reg *r[REG_CONTACTS_MAX];
	if (rig_up("<param name='multiple-registrations' value='true'/><param name='min-expires' value='60'/>"
	           "<param name='max-registrations-per-extension' value='3'/><param name='apply-nat-acl' "
	           "value='rfc1918.auto'/><param name='local-network-acl' value='none'/>"))
		return -1;
	EXPECT_INT(ask("1000", NULL, ""), 401);
	EXPECT_INT(
	    ask("1000", "secret",
	        "Contact: <sip:a@127.0.0.1:9>;q=0.2, \"B, b\" <sip:b@127.0.0.1:10>;expires=120\r\nExpires: 300\r\n"),
	    200);
	EXPECT_INT(bound("1000", r), 2);
	EXPECT_STR(r[0]->contact_uri, "sip:b@127.0.0.1:10");
	EXPECT_INT(r[0]->expires_s, 120);
	EXPECT_INT(r[1]->expires_s, 300);
	EXPECT(strstr(rig.reply, ";expires=300;q=0.200"));
	/* nothing is bound when one of them is refused */
	EXPECT_INT(
	    ask("1000", "secret", "Contact: <sip:c@127.0.0.1:11>;expires=900, <sip:d@127.0.0.1:12>;expires=30\r\n"),
	    423);
	EXPECT(strstr(rig.reply, "Min-Expires: 60\r\n"));
	EXPECT_INT(bound("1000", r), 2);
	EXPECT_INT(ask("1000", "secret", "Contact: *\r\nExpires: 5\r\n"), 400);
	EXPECT_INT(ask("1000", "secret", "Contact: <sip:e@10.1.2.3:5062;ob>\r\n"), 200);
	EXPECT_INT(bound("1000", r), 3);
	char want[160];
	snprintf(want, sizeof(want), "sip:e@10.1.2.3:5062;ob;fs_nat=yes;fs_path=sip%%3Ae%%40127.0.0.1%%3A%u",
	    addr_port(&rig.phone_addr));
	size_t at = 0;
	while (at < 3 && strcmp(r[at]->contact_uri, "sip:e@10.1.2.3:5062;ob"))
		at++;
	EXPECT(at < 3);
	EXPECT_STR(r[at]->target, want);
	EXPECT_INT(ask("1000", "secret", "User-Agent: other\r\nContact: <sip:f@127.0.0.1:13>\r\n"), 200);
	EXPECT_INT(bound("1000", r), 3);
	EXPECT_INT(ask("1000", "secret", "Contact: *\r\nExpires: 0\r\n"), 200);
	EXPECT_INT(bound("1000", r), 0);
	rig_down();
	return 0;
}

static void on_synced(int status, void *arg)
{
	role_assert_ctl();
	loop_stop();
}

static int test_restore(void) NO_ROLE_CHECK;
static int test_restore(void)
{
	const struct reg *r[REG_CONTACTS_MAX];
	char dir[] = "/tmp/tandem-reg-XXXXXX", path[64];
	EXPECT(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/sofia_reg.db", dir);
	if (rig_up(""))
		return -1;
	EXPECT_INT(reg_store_open(dir), ST_OK);
	EXPECT_INT(ask("1000", NULL, ""), 401);
	EXPECT_INT(ask("1000", "secret", "Contact: \"Me\" <sip:1000@127.0.0.1:9;x=1>;q=0.5\r\nExpires: 600\r\n"), 200);
	EXPECT_INT(store_sync(reg_home_store(), on_synced, NULL), ST_OK);
	loop_run();
	rig_down();
	if (rig_up(""))
		return -1;
	EXPECT_INT(bound("1000", r), 0);
	EXPECT_INT(reg_store_open(dir), ST_OK);
	EXPECT_INT(store_sync(reg_home_store(), on_synced, NULL), ST_OK);
	loop_run();
	for (int i = 0; i < 3; i++)
		loop_run_nowait();
	EXPECT_INT(bound("1000", r), 1);
	EXPECT_STR(r[0]->contact_uri, "sip:1000@127.0.0.1:9;x=1");
	EXPECT_STR(r[0]->display, "Me");
	EXPECT_INT(r[0]->q_milli, 500);
	EXPECT_INT(r[0]->expires_s, 600);
	EXPECT(r[0]->expires_epoch_s > clock_wall_us() / 1000000 + 550);
	rig_down();
	char name[80];
	static const char *const tails[] = {"", "-wal", "-shm"};
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "%s%s", path, tails[i]);
		unlink(name);
	}
	rmdir(dir);
	return 0;
}

/* ---- status texts ---- */

static bool golden(const char *name, char *out, size_t size)
{
	char path[512];
	const char *dir = test_shared_dir();
	if (!dir)
		return false;
	snprintf(path, sizeof(path), "%s/golden/api/%s", dir, name);
	FILE *f = fopen(path, "r");
	if (!f)
		return false;
	size_t n = fread(out, 1, size - 1, f);
	fclose(f);
	out[n] = 0;
	char *body = strchr(out, '\n'); /* the first line is the command */
	memmove(out, body + 1, strlen(body + 1) + 1);
	n = strlen(out);
	if (n)
		out[n - 1] = 0; /* what the console adds */
	return true;
}

struct running {
	struct api_call c;
	bool is_done;
};

static void run_co(void *arg) NO_ROLE_CHECK;
static void run_co(void *arg)
{
	struct running *r = arg;
	sofia_apis[0].fn(&r->c);
	r->is_done = true;
}

/* The command may wait (for a reload), so it runs on a coroutine as everywhere. */
static void run(const char *args, struct buf *out) NO_ROLE_CHECK;
static void run(const char *args, struct buf *out)
{
	struct running r = {.c = {.args = args, .out = out}};
	buf_clear(out);
	co_spawn("test", run_co, &r, NULL);
	while (!r.is_done)
		loop_run_once();
}

/* The shape of a text: runs of digits and dots become one 0, and the values after the labels of interest go. */
static void mask(char *s)
{
	char *o = s;
	while (*s) {
		if ((*s >= '0' && *s <= '9') || (*s == '.' && s[1] >= '0' && s[1] <= '9')) {
			while ((*s >= '0' && *s <= '9') || *s == '.' || *s == '-' || *s == ':' ||
			       (*s == ' ' && s[1] >= '0' && s[1] <= '9'))
				s++;
			*o++ = '0';
			continue;
		}
		*o++ = *s++;
	}
	*o = 0;
}

struct same {
	const char *args, *file;
};
static const struct same sames[] = {
    {"", "sofia.txt"},
    {"help", "sofia-help.txt"},
    {"nosuch", "sofia-nosuch.txt"},
    {"status profile nosuch", "sofia-status-profile-nosuch.txt"},
    {"status gateway nosuch", "sofia-status-gateway-nosuch.txt"},
    {"profile", "sofia-profile.txt"},
    {"profile internal", "sofia-profile-internal.txt"},
    {"loglevel", "sofia-loglevel.txt"},
    {"loglevel all 0", "sofia-loglevel-all-0.txt"},
    {"tracelevel", "sofia-tracelevel.txt"},
    {"global", "sofia-global.txt"},
    {"global siptrace on", "sofia-global-siptrace-on.txt"},
    {"global siptrace off", "sofia-global-siptrace-off.txt"},
    {"profile internal siptrace on", "sofia-profile-internal-siptrace-on.txt"},
    {"profile internal siptrace off", "sofia-profile-internal-siptrace-off.txt"},
    {"recover", "sofia-recover.txt"},
};

static int test_texts(void) NO_ROLE_CHECK;
static int test_texts(void)
{
	static char want[16384];
	struct buf out;
	if (!golden("sofia.txt", want, sizeof(want))) {
		test_skip(TEST_NO_SHARED);
		return 0;
	}
	if (rig_up("<param name='presence-hosts' value='127.0.0.1,127.0.0.1'/>"
	           "<param name='ext-sip-ip' value='127.0.0.1'/><param name='ext-rtp-ip' value='127.0.0.1'/>"))
		return -1;
	buf_init(&out);
	for (size_t i = 0; i < sizeof(sames) / sizeof(sames[0]); i++) {
		EXPECT(golden(sames[i].file, want, sizeof(want)));
		run(sames[i].args, &out);
		/* the console adds its newline only where the reply has none of its own */
		size_t n = strlen(want);
		if (n && out.n && out.p[out.n - 1] == '\n' && want[n - 1] != '\n')
			want[n] = '\n', want[n + 1] = 0;
		EXPECT_STR(out.p, want);
	}
	/* a registration as `reg` prints it */
	EXPECT_INT(ask("1000", NULL, ""), 401);
	EXPECT_INT(ask("1000", "secret", "Contact: <sip:1000@127.0.0.1:6000>\r\nExpires: 3600\r\n"), 200);
	EXPECT(golden("reg-sofia-status-profile-internal-reg-1000-127-0-0-1.txt", want, sizeof(want)));
	run("status profile internal reg 1000@example.com", &out);
	EXPECT(strstr(out.p, "\nRegistrations:\n====="));
	EXPECT(strstr(out.p,
	    "Call-ID:    \tcall-1000\nUser:       \t1000@example.com\nContact:    \t\"\" <sip:1000@127.0.0.1:6000>\n"
	    "Agent:      \ttest-phone\nStatus:     \tRegistered(UDP)(unknown) EXP("));
	EXPECT(strstr(out.p, ") EXPSECS(36"));
	EXPECT(strstr(out.p, "\nTotal items returned: 1\n====="));
	/* line by line the same labels as recorded */
	char *a = want, *b = out.p;
	while (a && b && *a) {
		size_t la = strcspn(a, "\t\n"), lb = strcspn(b, "\t\n");
		EXPECT(la == lb && !memcmp(a, b, la));
		a = strchr(a, '\n'), b = strchr(b, '\n');
		EXPECT(!a == !b);
		if (a)
			a++, b++;
	}
	/* the profile's rows: FreeSWITCH's labels in its order, but for those of sockets we have not */
	EXPECT(golden("sofia-status-profile-external.txt", want, sizeof(want)));
	run("status profile internal", &out);
	a = want, b = out.p;
	while (*a && *b) {
		size_t la = strcspn(a, "\t\n"), lb = strcspn(b, "\t\n");
		EXPECT(la == lb && !memcmp(a, b, la));
		a += strcspn(a, "\n"), b += strcspn(b, "\n");
		a += *a == '\n', b += *b == '\n';
	}
	EXPECT(!*a && !*b);
	run("status", &out);
	EXPECT(
	    strstr(out.p, "              example.com\t  alias\t                                  internal\tALIASED\n"));
	EXPECT(strstr(out.p, "                 internal\tprofile\t"));
	EXPECT(strstr(out.p, "\tRUNNING (0)\n"));
	EXPECT(strstr(out.p, "\n1 profile 1 alias\n"));
	EXPECT(golden("sofia-status.txt", want, sizeof(want)));
	mask(want);
	EXPECT(!strncmp(want, out.p, strcspn(want, "\n")));
	buf_fini(&out);
	rig_down();
	return 0;
}

TEST_MAIN({"digest", test_digest, TEST_LOOP}, {"contacts", test_contacts, TEST_LOOP},
    {"restore", test_restore, TEST_LOOP}, {"texts", test_texts, TEST_LOOP})
