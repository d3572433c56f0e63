/* Any XML as profiles, and any keys against their keys: numbers stay within bounds, keys are single ones, and every
 * text is there. Input: keys, a line feed, the profiles. Parser: voicemail/conf.c */
#include "base/check.h"
#include "base/mem.h"
#include "text/xml.h"
#include "voicemail/vm_i.h"

#include <string.h>

static void told(const char *problem, void *arg)
{
	(void)arg;
	CHECK(problem && *problem);
}

static void key_try(const char *key, const char *pressed)
{
	CHECK(key && strlen(key) <= 1);
	CHECK(vm_is_key(key, pressed) == (*key && *key == *pressed));
}

static void conf_try(const struct vm_conf *c, const char *pressed)
{
	key_try(c->terminator, pressed), key_try(c->login, pressed), key_try(c->operator_key, pressed);
	key_try(c->vmain_key, pressed), key_try(c->delete_file, pressed), key_try(c->undelete_file, pressed);
	key_try(c->prepend, pressed), key_try(c->urgent, pressed), key_try(c->skip_info, pressed);
	CHECK(c->name && *c->name && *c->name != '.' && !strchr(c->name, '/'));
	CHECK(c->operator_extension && c->tone_spec && c->email_from && c->date_fmt && c->odbc_dsn && c->convert_ext);
	CHECK(c->max_login_attempts >= 1 && c->max_login_attempts <= 20 && c->digit_timeout_ms >= 100);
	CHECK(c->min_record_s >= 1 && c->max_record_s <= 36000 && c->date <= VM_DATE_NEVER && c->new_lifo <= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char keys[65] = "";
	const uint8_t *end = memchr(data, '\n', n);
	size_t len = end ? (size_t)(end - data) : 0;
	struct xml_doc *doc;
	struct vm_confs *set;
	if (!end || len >= sizeof(keys) || memchr(data, 0, len))
		return 0;
	memcpy(keys, data, len);
	if (xml_parse(&doc, (const char *)end + 1, n - len - 1, "v.xml", NULL, 0, NULL))
		return 0;
	if (!vm_confs_new(&set)) {
		vm_confs_read(set, xml_root(doc), told, NULL);
		for (unsigned i = 0; i < set->count; i++)
			conf_try(set->list[i], keys);
		mem_unref(set);
	}
	mem_unref(doc);
	return 0;
}
