/* The parts of endpoint/sip that stand alone: the registration table under a fake clock, what follows "sofia/" in dial
 * strings, a profile's parameters, access lists. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/acl.h"
#include "endpoint/sip/profile/profile.h"
#include "endpoint/sip/reg/reg_table.h"
#include "endpoint/sip/uri/uri.h"
#include "harness.h"
#include "text/xml.h"

#include <stdio.h>
#include <string.h>

/* ---- registrations ---- */

struct changes {
	unsigned count[REG_EXPIRED + 1];
};

static void on_change(const struct reg *r, enum reg_change change, void *arg)
{
	((struct changes *)arg)->count[change]++;
}

static struct reg_put put_of(const char *user, const char *uri, const char *call_id, uint32_t cseq, int64_t expires_s)
{
	return (struct reg_put){.user = sv_of(user),
	    .host = SV("Example.com"),
	    .contact_uri = sv_of(uri),
	    .target = sv_of(uri),
	    .call_id = sv_of(call_id),
	    .proto = "udp",
	    .q_milli = 1000,
	    .cseq = cseq,
	    .expires_s = expires_s};
}

static size_t find(struct reg_table *t, const char *user, const struct reg **out) NO_ROLE_CHECK;
static size_t find(struct reg_table *t, const char *user, const struct reg **out)
{
	return reg_table_find(t, sv_of(user), SV("example.COM"), out, REG_CONTACTS_MAX);
}

static void advance(int64_t s) NO_ROLE_CHECK;
static void advance(int64_t s)
{
	clock_fake_advance(s * 1000000);
	loop_run_nowait();
}

static int test_expiry(void) NO_ROLE_CHECK;
static int test_expiry(void)
{
	struct reg_table *t;
	struct changes ch = {0};
	const struct reg *r[REG_CONTACTS_MAX];
	clock_fake_start(1000000000);
	EXPECT_INT(reg_table_new(&t, on_change, &ch), ST_OK);
	struct reg_put p = put_of("1000", "sip:1000@10.0.0.1", "a", 1, 100);
	p.late_margin_s = 60;
	EXPECT_INT(reg_table_put(t, REG_BY_CONTACT, &p, &r[0]), ST_OK);
	EXPECT_INT(r[0]->expires_epoch_s, 1000 + 160);
	advance(150);
	EXPECT_INT(find(t, "1000", r), 1);
	p.cseq = 2;
	EXPECT_INT(reg_table_put(t, REG_BY_CONTACT, &p, NULL), ST_OK);
	advance(150);
	EXPECT_INT(find(t, "1000", r), 1);
	advance(11);
	EXPECT_INT(find(t, "1000", r), 0);
	EXPECT_INT(reg_table_count(t), 0);
	EXPECT_INT(ch.count[REG_ADDED], 1);
	EXPECT_INT(ch.count[REG_REFRESHED], 1);
	EXPECT_INT(ch.count[REG_EXPIRED], 1);
	EXPECT_INT(ch.count[REG_REMOVED], 0);
	reg_table_free(t);
	clock_fake_stop();
	return 0;
}

static int test_modes(void) NO_ROLE_CHECK;
static int test_modes(void)
{
	struct reg_table *t;
	const struct reg *r[REG_CONTACTS_MAX];
	EXPECT_INT(reg_table_new(&t, NULL, NULL), ST_OK);
	struct reg_put a = put_of("1000", "sip:1000@10.0.0.1", "a", 1, 100),
	               b = put_of("1000", "sip:1000@10.0.0.2", "b", 1, 100);
	EXPECT_INT(reg_table_put(t, REG_SINGLE, &a, NULL), ST_OK);
	EXPECT_INT(reg_table_put(t, REG_SINGLE, &b, NULL), ST_OK);
	EXPECT_INT(find(t, "1000", r), 1);
	EXPECT_STR(r[0]->contact_uri, "sip:1000@10.0.0.2");
	/* two contacts of one request stay together even in single mode */
	struct reg_put b2 = put_of("1000", "sip:1000@10.0.0.3", "b", 2, 100);
	b.cseq = 2;
	EXPECT_INT(reg_table_put(t, REG_SINGLE, &b, NULL), ST_OK);
	EXPECT_INT(reg_table_put(t, REG_SINGLE, &b2, NULL), ST_OK);
	EXPECT_INT(find(t, "1000", r), 2);
	a.cseq = 2;
	EXPECT_INT(reg_table_put(t, REG_SINGLE, &a, NULL), ST_OK);
	EXPECT_INT(find(t, "1000", r), 1);
	/* by call-id: the same phone with a new address */
	struct reg_put moved = put_of("1000", "sip:1000@10.9.9.9", "a", 3, 100);
	EXPECT_INT(reg_table_put(t, REG_BY_CALL_ID, &moved, NULL), ST_OK);
	EXPECT_INT(find(t, "1000", r), 1);
	EXPECT_INT(reg_table_put(t, REG_BY_CALL_ID, &b, NULL), ST_OK);
	EXPECT_INT(find(t, "1000", r), 2);
	EXPECT_INT(reg_table_find(t, SV("1000"), SV("other.com"), r, 1), 0);
	EXPECT_INT(reg_table_find(t, SV("1000"), SV_NONE, r, REG_CONTACTS_MAX), 2);
	reg_table_free(t);
	return 0;
}

static void flow_over(struct reg_table *t, struct reg *r, void *arg)
{
	++*(int *)arg;
	reg_table_drop(t, r, REG_EXPIRED);
}

/* RFC 5626: the flows of an instance replace themselves, not one another; a stream's end is that of all on it. */
static int test_flows(void) NO_ROLE_CHECK;
static int test_flows(void)
{
	struct reg_table *t;
	const struct reg *r[REG_CONTACTS_MAX];
	int over = 0;
	EXPECT_INT(reg_table_new(&t, NULL, NULL), ST_OK);
	struct reg_put one = put_of("1000", "sip:1000@10.0.0.1:1", "a", 1, 100), two = put_of("1000", "sip:1000@10.0.0.1:2", "b", 1, 100);
	one.instance = two.instance = SV("urn:uuid:1");
	one.reg_id = 1, two.reg_id = 2;
	one.proto = two.proto = "tcp";
	one.network_ip = two.network_ip = SV("10.0.0.1");
	one.network_port = 1, two.network_port = 2;
	EXPECT_INT(reg_table_put(t, REG_SINGLE, &one, NULL), ST_OK);
	EXPECT_INT(reg_table_put(t, REG_SINGLE, &two, NULL), ST_OK);
	EXPECT_INT(find(t, "1000", r), 2);
	struct reg_put moved = one; /* the phone was restarted: another port, another Call-ID */
	moved.contact_uri = SV("sip:1000@10.0.0.1:7"), moved.call_id = SV("c"), moved.network_port = 7;
	EXPECT_INT(reg_table_put(t, REG_BY_CONTACT, &moved, NULL), ST_OK);
	EXPECT_INT(find(t, "1000", r), 2);
	EXPECT_STR(r[0]->contact_uri, "sip:1000@10.0.0.1:7");
	struct reg_put other = moved; /* not the owner's to take */
	other.auth_user = SV("mallory"), other.contact_uri = SV("sip:m@10.0.0.9"), other.cseq = 5;
	EXPECT_INT(reg_table_put(t, REG_BY_CONTACT, &other, NULL), ST_DENIED);
	EXPECT_INT(reg_table_each_of_flow(t, "tcp", "10.0.0.1", 1, flow_over, &over), 0); /* it moved */
	EXPECT_INT(reg_table_each_of_flow(t, "udp", "10.0.0.1", 7, flow_over, &over), 0);
	EXPECT_INT(reg_table_each_of_flow(t, "tcp", "10.0.0.1", 7, flow_over, &over), 1);
	EXPECT_INT(over, 1);
	EXPECT_INT(find(t, "1000", r), 1);
	EXPECT_INT(r[0]->reg_id, 2);
	reg_table_free(t);
	return 0;
}

static int test_order_and_limits(void) NO_ROLE_CHECK;
static int test_order_and_limits(void)
{
	struct reg_table *t;
	const struct reg *r[REG_CONTACTS_MAX];
	char uri[40];
	EXPECT_INT(reg_table_new(&t, NULL, NULL), ST_OK);
	static const unsigned q[] = {500, 1000, 100, 700};
	for (unsigned i = 0; i < 4; i++) {
		snprintf(uri, sizeof(uri), "sip:1000@10.0.0.%u", i);
		struct reg_put p = put_of("1000", uri, uri, 1, 100);
		p.q_milli = q[i];
		EXPECT_INT(reg_table_put(t, REG_BY_CONTACT, &p, NULL), ST_OK);
	}
	EXPECT_INT(find(t, "1000", r), 4);
	for (unsigned i = 0; i + 1 < 4; i++)
		EXPECT(r[i]->q_milli > r[i + 1]->q_milli);
	struct reg_put p = put_of("1000", "sip:1000@10.0.0.99", "x", 1, 100);
	p.max_contacts = 4;
	EXPECT_INT(reg_table_put(t, REG_BY_CONTACT, &p, NULL), ST_LIMIT);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(uri, sizeof(uri), "sip:1001@10.0.0.%u", i);
		struct reg_put more = put_of("1001", uri, uri, 1, 100);
		EXPECT_INT(reg_table_put(t, REG_BY_CONTACT, &more, NULL), i < REG_CONTACTS_MAX ? ST_OK : ST_LIMIT);
	}
	/* a restarted phone replaces what it left behind, and only that */
	struct reg_put first = put_of("1002", "sip:1002@10.0.0.1:1", "f1", 1, 100),
	               second = put_of("1002", "sip:1002@10.0.0.2:1", "f2", 1, 100);
	first.network_ip = SV("10.0.0.1"), first.agent = SV("phone"), second.network_ip = SV("10.0.0.2"),
	second.agent = SV("phone");
	first.max_contacts = second.max_contacts = 2;
	EXPECT_INT(reg_table_put(t, REG_BY_CONTACT, &first, NULL), ST_OK);
	EXPECT_INT(reg_table_put(t, REG_BY_CONTACT, &second, NULL), ST_OK);
	first.contact_uri = first.target = SV("sip:1002@10.0.0.1:2"), first.call_id = SV("f3");
	EXPECT_INT(reg_table_put(t, REG_BY_CONTACT, &first, NULL), ST_OK);
	EXPECT_INT(find(t, "1002", r), 2);
	EXPECT_STR(r[0]->contact_uri, "sip:1002@10.0.0.1:2");
	EXPECT_STR(r[1]->contact_uri, "sip:1002@10.0.0.2:1");
	first.network_ip = SV("10.0.0.3"), first.contact_uri = SV("sip:1002@10.0.0.3"), first.call_id = SV("f4");
	EXPECT_INT(reg_table_put(t, REG_BY_CONTACT, &first, NULL), ST_LIMIT);
	EXPECT_INT(reg_table_flush(t, SV("1002@example.com")), 2);
	/* a refresh is no new contact */
	struct reg_put again = put_of("1001", "sip:1001@10.0.0.5", "sip:1001@10.0.0.5", 2, 100);
	EXPECT_INT(reg_table_put(t, REG_BY_CONTACT, &again, NULL), ST_OK);
	EXPECT_INT(reg_table_put(t, REG_BY_CONTACT, &again, NULL), ST_EXISTS);
	EXPECT_INT(reg_table_flush(t, SV("x")), 0);
	EXPECT_INT(reg_table_flush(t, SV("1000@example.com")), 4);
	EXPECT_INT(reg_table_flush(t, SV("@example.com")), REG_CONTACTS_MAX);
	reg_table_free(t);
	return 0;
}

/* Two accounts, one address of record: neither takes the other's contact away, nor its room. */
static int test_owners(void) NO_ROLE_CHECK;
static int test_owners(void)
{
	struct reg_table *t;
	struct changes ch = {0};
	const struct reg *r[REG_CONTACTS_MAX];
	clock_fake_start(5000000000);
	EXPECT_INT(reg_table_new(&t, on_change, &ch), ST_OK);
	struct reg_put p = put_of("2000", "sip:a@10.0.0.1", "a", 1, 100),
	               q = put_of("2000", "sip:b@10.0.0.2", "b", 1, 100);
	p.auth_user = q.auth_user = SV("2000");
	p.auth_realm = SV("a.example"), q.auth_realm = SV("B.example");
	p.max_contacts = q.max_contacts = 1;
	const struct reg_owner a = {SV("2000"), SV("a.example"), false}, b = {SV("2000"), SV("b.example"), false},
	                       any = {SV("2000"), SV("c.example"), true}, other = {SV("2001"), SV("a.example"), true};
	EXPECT_INT(reg_table_put(t, REG_SINGLE, &p, NULL), ST_OK);
	EXPECT_INT(reg_table_put(t, REG_SINGLE, &q, NULL), ST_OK); /* beside it */
	EXPECT_INT(find(t, "2000", r), 2);
	q.contact_uri = p.contact_uri, q.cseq = 2;
	EXPECT_INT(reg_table_put(t, REG_BY_CONTACT, &q, NULL), ST_DENIED);
	EXPECT_INT(reg_table_del(t, p.user, p.host, &b, p.contact_uri, SV("x"), 9), ST_NOTFOUND);
	EXPECT_INT(reg_table_del(t, p.user, p.host, &b, SV("sip:none"), SV("a"), 9), ST_NOTFOUND);
	EXPECT_INT(reg_table_del_all(t, p.user, p.host, &other), 0);
	EXPECT_INT(reg_table_del_all(t, p.user, p.host, &b), 1);
	EXPECT_INT(find(t, "2000", r), 1);
	EXPECT_STR(r[0]->contact_uri, "sip:a@10.0.0.1");
	EXPECT_INT(reg_table_del(t, p.user, p.host, &a, p.contact_uri, SV("a"), 2), ST_OK);
	p.cseq = 3;
	EXPECT_INT(reg_table_put(t, REG_SINGLE, &p, NULL), ST_OK);
	EXPECT_INT(reg_table_del_all(t, p.user, p.host, &any), 1);
	EXPECT_INT(reg_table_count(t), 0);
	reg_table_free(t);
	clock_fake_stop();
	return 0;
}

static int test_contact_render(void)
{
	static const struct {
		const char *uri, *rendered; /* NULL = refused */
	} cases[] = {
	    {"sip:1000@10.0.0.5:5060;ob", "sip:1000@10.0.0.5:5060;ob"},
	    {"SIP:1000@[2001:db8::1]:5060;transport=tcp", "sip:1000@[2001:db8::1]:5060;transport=tcp"},
	    {"sip:10.0.0.5", "sip:10.0.0.5"},
	    {"sips:a:b@h", "sips:a:b@h"},
	    {"sip:q,sofia/external/victim@10.0.0.5", "sip:q%2Csofia/external/victim@10.0.0.5"},
	    {"sip:a;b=c@h", "sip:a;b=c@h"},
	    {"sip:a$'#%7b\xc3\xa9@h", "sip:a%24%27%23%7b%C3%A9@h"},
	    {"sip:a@h;fs_path=sip%3Aevil;fs_nat=yes;x=1", "sip:a@h;x=1"},
	    {"sip:a@h?X-A=1", "sip:a@h"},
	    {"sip:a@h;x=$y", NULL},
	    {"sip:a@h;x='y", NULL},
	    {"sip:a@h;x=[y]", NULL},
	    {"sip:a@h;x=:_:y", NULL},
	    {"sip:_:5060", NULL},
	    {"sip:_:x@h", NULL},
	    {"tel:+123", NULL},
	    {"urn:x", NULL},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sip_uri u;
		struct buf b;
		const char *why = NULL;
		buf_init(&b);
		EXPECT_INT(sip_uri_parse(&u, sv_of(cases[i].uri)), ST_OK);
		int st = contact_render(&u, false, &b, &why);
		if (cases[i].rendered)
			EXPECT_STR(b.p, cases[i].rendered);
		else
			EXPECT_INT(st == ST_INVAL && why && !b.n, 1);
		if (cases[i].rendered)
			EXPECT_INT(contact_is_rendered(buf_sv(&b)), 1);
		buf_fini(&b);
	}
	EXPECT_INT(contact_is_rendered(SV("sip:a@h;fs_nat=yes;fs_path=sip%3Aa%2C%27%40h")), 1);
	EXPECT_INT(contact_is_rendered(SV("sip:a,b@h")), 0);
	EXPECT_INT(contact_is_rendered(SV("sip:a@h,b")), 0);
	struct buf b;
	buf_init(&b);
	contact_escape(&b, SV("sip:a,'$b@[::1]:5060;transport=tcp"));
	EXPECT_STR(b.p, "sip%3Aa%2C%27%24b%40%5B%3A%3A1%5D%3A5060%3Btransport%3Dtcp");
	buf_fini(&b);
	return 0;
}

static int test_remove_and_restore(void) NO_ROLE_CHECK;
static int test_remove_and_restore(void)
{
	struct reg_table *t;
	struct changes ch = {0};
	const struct reg *r[REG_CONTACTS_MAX];
	clock_fake_start(5000000000);
	EXPECT_INT(reg_table_new(&t, on_change, &ch), ST_OK);
	struct reg_put p = put_of("1000", "sip:1000@10.0.0.1", "a", 5, 100);
	EXPECT_INT(reg_table_restore(t, &p, 5000 + 30), ST_OK);
	EXPECT_INT(reg_table_restore(t, &p, 5000 + 90), ST_NOTFOUND);
	struct reg_put old = put_of("1001", "sip:1001@10.0.0.1", "b", 5, 100);
	const struct reg_owner owner = {.has_any_realm = false};
	EXPECT_INT(reg_table_restore(t, &old, 4999), ST_NOTFOUND);
	EXPECT_INT(find(t, "1000", r), 1);
	EXPECT_INT(reg_table_del(t, p.user, p.host, &owner, p.contact_uri, SV("a"), 5), ST_EXISTS);
	EXPECT_INT(reg_table_del(t, p.user, p.host, &owner, SV("sip:other"), SV("zz"), 9), ST_NOTFOUND);
	advance(29);
	EXPECT_INT(find(t, "1000", r), 1);
	advance(2);
	EXPECT_INT(find(t, "1000", r), 0);
	EXPECT_INT(ch.count[REG_EXPIRED], 1);
	EXPECT_INT(ch.count[REG_ADDED], 0);
	EXPECT_INT(reg_table_put(t, REG_SINGLE, &p, NULL), ST_OK);
	EXPECT_INT(reg_table_del(t, p.user, p.host, &owner, SV("sip:moved"), SV("a"), 6), ST_OK);
	EXPECT_INT(reg_table_count(t), 0);
	reg_table_free(t);
	clock_fake_stop();
	return 0;
}

/* ---- dial strings ---- */

struct dial {
	const char *text, *profile, *gateway, *uri, *path, *user, *host;
	bool is_nat, needs_lookup;
	enum sip_transport transport;
};
static const struct dial dials[] = {
    {"internal/1001@10.0.0.1:5070", "internal", "", "sip:1001@10.0.0.1:5070", NULL, "1001", "10.0.0.1:5070",
        .transport = 0},
    {"internal/sip:1000@127.0.0.1:6000", "internal", "", "sip:1000@127.0.0.1:6000", NULL, "1000", "127.0.0.1:6000"},
    {"internal/sip:1000@10.0.0.5;transport=tcp;ob;fs_nat=yes;fs_path=sip%3A1000%401.2.3.4%3A5060%3Btransport%3Dtcp",
        "internal", "", "sip:1000@10.0.0.5;transport=tcp;ob", "sip:1000@1.2.3.4:5060;transport=tcp", "1000", "10.0.0.5",
        .is_nat = true, .transport = SIP_TCP},
    {"example.com/1001%example.com", "example.com", "", NULL, NULL, "1001", "example.com", .needs_lookup = true},
    {"internal/1001", "internal", "", NULL, NULL, "1001", "", .needs_lookup = true},
    {"internal/", "internal", "", NULL, NULL, "", "", .needs_lookup = true},
    {"gateway/trunk/004930123", "", "trunk", NULL, NULL, "004930123", ""},
    {"internal/sip:[2001:db8::1]:5060", "internal", "", "sip:[2001:db8::1]:5060", NULL, "", "[2001:db8::1]:5060"},
    {"sip:1001@10.0.0.1", "", "", "sip:1001@10.0.0.1", NULL, "1001", "10.0.0.1"},
    {"1001@10.0.0.1", "", "", "sip:1001@10.0.0.1", NULL, "1001", "10.0.0.1"},
};

static int test_dialstrings(void)
{
	for (size_t i = 0; i < sizeof(dials) / sizeof(dials[0]); i++) {
		const struct dial *d = &dials[i];
		struct sofia_target t;
		if (sofia_target_parse(&t, sv_of(d->text)) < 0) {
			test_fail(__FILE__, __LINE__, "%s does not parse", d->text);
			return -1;
		}
		EXPECT(sv_is(t.profile, d->profile));
		EXPECT(sv_is(t.gateway, d->gateway));
		if (d->uri)
			EXPECT_STR(t.uri, d->uri);
		else
			EXPECT(!t.uri);
		if (d->path)
			EXPECT_STR(t.fs_path, d->path);
		else
			EXPECT(!t.fs_path);
		EXPECT_STR(t.user, d->user);
		EXPECT_STR(t.host, d->host);
		EXPECT_INT(t.is_nat, d->is_nat);
		EXPECT_INT(t.needs_lookup, d->needs_lookup);
		EXPECT_INT(t.transport, d->transport);
		sofia_target_fini(&t);
	}
	static const char *const bad[] = {"", "internal/sip:", "gateway/x", "gateway//1", "internal/a@b\r\nX: y",
	    "internal/%d", "internal/1001@[::1"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct sofia_target t;
		if (sofia_target_parse(&t, sv_of(bad[i])) >= 0) {
			test_fail(__FILE__, __LINE__, "\"%s\" parses", bad[i]);
			sofia_target_fini(&t);
			return -1;
		}
	}
	return 0;
}

/* ---- profile parameters ---- */

static const char profile_xml[] =
    "<profile name='internal'>\n"
    " <aliases><alias name='default'/></aliases>\n"
    " <domains><domain name='all' alias='true' parse='false'/><domain name='x.org' alias='true'/></domains>\n"
    " <settings>\n"
    "  <param name='sip-ip' value='127.0.0.1'/><param name='sip-port' value='5070'/><param name='auth-calls' "
    "value='yes'/>\n"
    "  <param name='apply-inbound-acl' value='domains'/><param name='apply-inbound-acl' value='lan'/>\n"
    "  <param name='multiple-registrations' value='call-id'/><param name='nonce-ttl' value='5'/>\n"
    "  <param name='disable-auth-messages' value='true'/><param name='inbound-codec-prefs' value='PCMU'/>\n"
    "  <param name='no-such-thing' value='1'/><param name='rfc2833-pt' value='96'/>"
    "  <param name='inbound-bypass-media' value='true'/><param name='inbound-late-negotiation' value='false'/>\n"
    " </settings>\n</profile>";

static int test_profile(void)
{
	struct xml_doc *doc;
	struct profile_conf c;
	EXPECT_INT(xml_parse(&doc, profile_xml, strlen(profile_xml), "t.xml", NULL, 0, NULL), ST_OK);
	/* xml_root stands above the document's element in some layouts: find it either way */
	const struct xml_node *node =
	    !strcmp(xml_root(doc)->name, "profile") ? xml_root(doc) : xml_child(xml_root(doc), "profile");
	EXPECT_INT(profile_conf_parse(&c, node), ST_OK);
	EXPECT_STR(c.name, "internal");
	EXPECT_STR(c.sip_ip, "127.0.0.1");
	EXPECT_INT(c.sip_port, 5070);
	EXPECT(c.auths_calls && !c.auths_messages && c.auths_subscriptions && !c.allows_default_passwords);
	EXPECT_STR(c.inbound_acl, "domains,lan");
	EXPECT_INT(profile_conf_multi_reg(&c), MULTI_REG_CALL_ID);
	EXPECT_INT(c.nonce_ttl_s, 60);
	EXPECT(c.is_nomedia && c.is_late_negotiation);
	EXPECT_STR(c.outbound_codecs, "PCMU");
	EXPECT_INT(c.rfc2833_pt, 96);
	EXPECT_INT(c.t1_ms, 500);
	EXPECT(c.aliases_all_domains);
	EXPECT_INT(c.alias_count, 2);
	EXPECT_STR(c.aliases[0], "default");
	EXPECT_STR(c.challenge_realm, "auto_to");
	EXPECT(!profile_conf_set(&c, "nonsense", "1"));
	profile_conf_fini(&c);
	mem_unref(doc);
	return 0;
}

TEST_MAIN({"expiry", test_expiry, TEST_LOOP}, {"modes", test_modes, TEST_LOOP},
    {"flows", test_flows, TEST_LOOP}, {"order_and_limits", test_order_and_limits, TEST_LOOP}, {"owners", test_owners, TEST_LOOP},
    {"contacts in dial strings", test_contact_render}, {"remove_and_restore", test_remove_and_restore, TEST_LOOP},
    {"dialstrings", test_dialstrings}, {"profile", test_profile})
