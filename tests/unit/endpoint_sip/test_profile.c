/* A profile's parts: opened before it listens, started after, stopped in the opposite order while its stack still
 * stands; one that cannot be opened keeps the profile down; each finds its own zeroed block. And the list of profiles.
 */
#include "base/mem.h"
#include "core/conf/acl.h"
#include "endpoint/sip/profile/profile.h"
#include "harness.h"
#include "text/xml.h"

#include <stdio.h>
#include <string.h>

struct first {
	int opened;
	char tail;
};
struct second {
	int64_t wide;
};
static const struct profile_slot first_slot = {"first", sizeof(struct first)},
                                 second_slot = {"second", sizeof(struct second)}, empty_slot = {"empty", 0};
static char order[64];
static bool has_stack[8];
static bool is_refusing;

static void note(const struct profile *p, const char *what)
{
	has_stack[strlen(order) / 2] = p->stack != NULL;
	snprintf(order + strlen(order), sizeof(order) - strlen(order), "%s", what);
}

static int first_open(struct profile *p, void *mine)
{
	struct first *f = mine;
	if (f->opened || f->tail || mine != profile_slot_of(p, &first_slot))
		return ST_INVAL;
	f->opened = 1;
	note(p, "o1");
	return ST_OK;
}
static int second_open(struct profile *p, void *mine)
{
	struct second *s = mine;
	if (s->wide || (uintptr_t)mine % 8 || is_refusing)
		return ST_LIMIT;
	s->wide = -1;
	note(p, "o2");
	return ST_OK;
}
static void first_start(struct profile *p, void *mine)
{
	note(p, "s1");
}
static void second_start(struct profile *p, void *mine)
{
	note(p, "s2");
}
static void first_stop(struct profile *p, void *mine)
{
	note(p, "x1");
}
static void second_stop(struct profile *p, void *mine)
{
	note(p, "x2");
}

static const struct profile_part first = {
    .slot = &first_slot, .open = first_open, .start = first_start, .stop = first_stop};
static const struct profile_part empty = {.slot = &empty_slot};
static const struct profile_part second = {
    .slot = &second_slot, .open = second_open, .start = second_start, .stop = second_stop};
static const struct profile_part *const parts[] = {&first, &empty, &second, NULL};
static const struct profile_hooks hooks = {.parts = parts};

static int start(const char *name, struct profile **out) NO_ROLE_CHECK;
static int start(const char *name, struct profile **out)
{
	struct xml_doc *doc;
	struct profile_conf c;
	char text[256];
	snprintf(text, sizeof(text),
	    "<profile name='%s'><settings><param name='sip-ip' value='127.0.0.1'/>"
	    "<param name='sip-port' value='auto'/></settings></profile>",
	    name);
	EXPECT_INT(xml_parse(&doc, text, strlen(text), "t.xml", NULL, 0, NULL), ST_OK);
	const struct xml_node *node =
	    !strcmp(xml_root(doc)->name, "profile") ? xml_root(doc) : xml_child(xml_root(doc), "profile");
	EXPECT_INT(profile_conf_parse(&c, node), ST_OK);
	mem_unref(doc);
	return profile_start(&c, out);
}

static int test_parts(void) NO_ROLE_CHECK;
static int test_parts(void)
{
	struct profile *p;
	profiles_init(&hooks);
	EXPECT_INT(acl_start(), ST_OK);
	EXPECT_INT(start("a", &p), ST_OK);
	EXPECT_STR(order, "o1o2s1s2");
	EXPECT(!has_stack[0] && !has_stack[1] && has_stack[2] && has_stack[3]);
	EXPECT_INT(((struct second *)profile_slot_of(p, &second_slot))->wide, -1);
	EXPECT_INT(((struct first *)profile_slot_of(p, &first_slot))->opened, 1);
	*order = 0;
	profile_stop(p);
	EXPECT_STR(order, "x2x1");
	EXPECT(has_stack[0] && has_stack[1]);
	/* no part, no profile; nothing is left behind */
	*order = 0;
	is_refusing = true;
	EXPECT_INT(start("a", &p), ST_LIMIT);
	EXPECT_STR(order, "o1x2x1"); /* one whose open failed, too */
	EXPECT(!profile_next(NULL));
	is_refusing = false;
	acl_stop();
	return 0;
}

static int test_list(void) NO_ROLE_CHECK;
static int test_list(void)
{
	struct profile *a, *b, *c;
	profiles_init(&hooks);
	EXPECT_INT(acl_start(), ST_OK);
	EXPECT(!profile_first() && !profile_next(NULL));
	EXPECT_INT(start("m", &b), ST_OK);
	EXPECT(profile_first() == b);
	*order = 0;
	EXPECT_INT(start("internal", &a), ST_OK);
	*order = 0;
	EXPECT_INT(start("z", &c), ST_OK);
	EXPECT(profile_first() == a);
	EXPECT(profile_next(NULL) == a && profile_next(a) == b && profile_next(b) == c && !profile_next(c));
	EXPECT(profile_find(SV("M")) == b && profile_find_exact(SV("z")) == c && !profile_find_exact(SV("y")));
	*order = 0;
	profiles_stop_all();
	EXPECT(!profile_next(NULL));
	acl_stop();
	return 0;
}

TEST_MAIN({"parts", test_parts, TEST_LOOP}, {"list", test_list, TEST_LOOP})
