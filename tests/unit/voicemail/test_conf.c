/* Profiles: what is set, what is not, and what is told of what is wrong. */
#include "base/mem.h"
#include "harness.h"
#include "voicemail/vm_i.h"

#include <string.h>

static unsigned told_count;
static void told(const char *problem, void *arg)
{
	told_count += strstr(problem, (const char *)arg) != NULL;
}

static int read_text(struct vm_confs **out, const char *text, const char *about)
{
	struct xml_doc *doc;
	told_count = 0;
	if (xml_parse(&doc, text, strlen(text), "v.xml", NULL, 0, NULL) || vm_confs_new(out))
		return -1;
	int st = vm_confs_read(*out, xml_root(doc), told, (void *)(intptr_t)about);
	mem_unref(doc);
	return st;
}

static int test_defaults(void)
{
	struct vm_confs *set;
	EXPECT(!read_text(&set, "<profiles><profile name='default'/></profiles>", "v.xml"));
	const struct vm_conf *c = vm_conf_find(set, SV("default"));
	EXPECT(c && !vm_conf_find(set, SV("other")));
	EXPECT_INT(told_count, 0);
	EXPECT_STR(c->terminator, "#");
	EXPECT_STR(c->delete_file, "7");
	EXPECT_STR(c->operator_key, "");
	EXPECT_STR(c->email_from, "${voicemail_account}@${voicemail_domain}");
	EXPECT_INT(c->min_record_s, 3);
	EXPECT_INT(c->max_record_s, 300);
	EXPECT_INT(c->digit_timeout_ms, 10000);
	EXPECT_INT(c->empty_password_auth, 1);
	EXPECT_INT(c->date, VM_DATE_FIRST);
	mem_unref(set);
	return 0;
}

static int test_values(void)
{
	struct vm_confs *set;
	EXPECT(!read_text(&set,
	    "<profiles><profile name='a'><param name='urgent-key' value='9'/><param name='play-date-announcement' "
	    "value='Never'/>"
	    "<param name='max-record-len' value='60'/><param name='body' value='not here'/>"
	    "<email><param name='body' value='text'/></email></profile><profile name='b'/></profiles>",
	    "v.xml"));
	const struct vm_conf *c = vm_conf_find(set, SV("a"));
	EXPECT(c && vm_conf_find(set, SV("b")));
	EXPECT_STR(c->urgent, "9");
	EXPECT_INT(c->date, VM_DATE_NEVER);
	EXPECT_INT(c->max_record_s, 60);
	EXPECT_STR(c->email_body, "text");
	mem_unref(set);
	return 0;
}

static int test_wrong(void)
{
	struct vm_confs *set;
	EXPECT(!read_text(&set,
	    "<profiles><profile name='../a'/><profile name='a'>\n<param name='urgent-key' value='10'/>"
	    "<param name='digit-timeout' value='soon'/><param name='max-login-attempts' value='0'/></profile>"
	    "<profile name='a'/></profiles>",
	    "v.xml:"));
	EXPECT_INT(set->count, 1);
	EXPECT_INT(told_count, 5);
	EXPECT_STR(set->list[0]->urgent, "*");
	EXPECT_INT(set->list[0]->digit_timeout_ms, 10000);
	EXPECT_INT(set->list[0]->max_login_attempts, 3);
	mem_unref(set);
	return 0;
}

static int test_keys(void)
{
	EXPECT(vm_is_key("1", "1") && vm_is_key("1", "12"));
	EXPECT(!vm_is_key("1", "2") && !vm_is_key("", "") && !vm_is_key("", "1") && !vm_is_key("1", ""));
	return 0;
}

TEST_MAIN({"defaults", test_defaults, 0}, {"values", test_values, 0}, {"wrong", test_wrong, 0}, {"keys", test_keys, 0},
    {"out of memory", test_values, TEST_OOM})
