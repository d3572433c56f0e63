/* Causes, variables, expansion, dial strings and the renderings of events. */
#include "base/mem.h"
#include "base/status.h"
#include "core/event.h"
#include "core/originate_i.h"
#include "fake.h"
#include <stdio.h>
#include <string.h>

static int test_causes(void)
{
	EXPECT_STR(cause_name(CAUSE_NORMAL_CLEARING), "NORMAL_CLEARING");
	EXPECT_STR(cause_name((enum cause)9999), "NONE");
	EXPECT_INT(cause_parse("user_busy"), CAUSE_USER_BUSY);
	EXPECT_INT(cause_parse("19"), CAUSE_NO_ANSWER);
	EXPECT_INT(cause_parse("nonsense"), CAUSE_NORMAL_CLEARING);
	EXPECT_INT(cause_to_sip(CAUSE_USER_BUSY), 486);
	EXPECT_INT(cause_to_sip(CAUSE_NO_USER_RESPONSE), 408);
	EXPECT_INT(cause_from_sip(480), CAUSE_NO_USER_RESPONSE); /* not symmetric */
	EXPECT_INT(cause_from_sip(404), CAUSE_UNALLOCATED_NUMBER);
	EXPECT_INT(cause_from_sip(699), CAUSE_NORMAL_UNSPECIFIED);
	return 0;
}

static int test_vars(void)
{
	struct vars *v = NULL;
	const char *name, *value;

	EXPECT_INT(vars_new(&v), 0);
	vars_set(v, "One", "1");
	vars_set(v, "two", "2");
	vars_set(v, "one", "again"); /* names have no case; what is set again moves to the end */
	EXPECT_INT(vars_count(v), 2);
	vars_at(v, 1, &name, &value);
	EXPECT_STR(value, "again");
	vars_set(v, "two", "");
	EXPECT(!vars_get(v, "two"));
	vars_push(v, "list", "a");
	EXPECT_STR(vars_get(v, "list"), "a");
	vars_push(v, "list", "b");
	vars_push(v, "list", "c");
	EXPECT_STR(vars_get(v, "list"), "ARRAY::a|:b|:c");
	EXPECT_INT(vars_parse(v, SV("x=1, y='a,b' ,z=a\\,b,empty=")), 0);
	EXPECT_STR(vars_get(v, "x"), "1");
	EXPECT_STR(vars_get(v, "y"), "a,b");
	EXPECT_STR(vars_get(v, "z"), "a,b");
	EXPECT_INT(vars_parse(v, SV("^^:k=1,2:m=3")), 0);
	EXPECT_STR(vars_get(v, "k"), "1,2");
	EXPECT_STR(vars_get(v, "m"), "3");
	vars_setf(v, "long", "%0300d", 7);
	EXPECT(vars_get(v, "long") && strlen(vars_get(v, "long")) == 300);
	vars_free(v);
	return 0;
}

static const char *lookup(const char *name, void *arg)
{
	static const struct {
		const char *name, *value;
	} all[] = {{"a", "alpha"}, {"n", "b"}, {"x_b", "found"}, {"outer", "<${a}>"}, {"self", "${self}"},
	    {"num", "0123456789"}, {"arr", "ARRAY::one|:two|:three"}, {NULL, NULL}};
	for (int i = 0; all[i].name; i++)
		if (!strcmp(all[i].name, name))
			return all[i].value;
	return NULL;
}

static NO_ROLE_CHECK int expect_expanded(const char *text, const char *want)
{
	char *out = NULL;
	EXPECT_INT(expand_with(NULL, lookup, NULL, text, &out), 0);
	EXPECT_STR(out, want);
	mem_free(out);
	return 0;
}

static NO_ROLE_CHECK int test_expand(void)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
	    {"plain", "plain"},
	    {"${a}", "alpha"},
	    {"x${a}y${a}", "xalphayalpha"},
	    {"${nosuch}", ""},
	    {"${outer}", "<alpha>"},
	    {"${x_${n}}", "found"},
	    {"$1 and $", "$1 and $"},
	    {"\\${a}", "${a}"},
	    {"it\\'s", "its"},
	    {"${num:2}", "23456789"},
	    {"${num:2:3}", "234"},
	    {"${num:-3}", "789"},
	    {"${num:-3:2}", "78"},
	    {"${outer:0:3}", "<al"},
	    {"${arr[1]}", "two"},
	    {"${arr[9]}", ""},
	    {"${upper(abc)}", "ABC"},
	    {"${upper abc}", "ABC"},
	    {"${upper(${a})}", "ALPHA"},
	    {"${nosuchapi(x)}", ""},
	    {"${open", "${open"},
	    {"a\\\\b", "a\\b"},
	    {"${}", ""},
	    {"$${nosuchglobal}x", "x"},
	};
	char *out = NULL;

	EXPECT_INT(fake_start(), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		EXPECT_INT(expect_expanded(cases[i].text, cases[i].want), 0);
	EXPECT_INT(expand_with(NULL, lookup, NULL, "${self}", &out), ST_LIMIT);
	core_limits()->is_api_expansion_off = true;
	EXPECT_INT(expect_expanded("${upper(abc)}", "<API Execute Permission Denied>"), 0);
	core_limits()->is_api_expansion_off = false;
	EXPECT_INT(expand(NULL, "${slow()}", &out), 0); /* may wait, and nobody can wait here */
	EXPECT_STR(out, "");
	mem_free(out);
	fake_stop();
	return 0;
}

static int test_dial(void)
{
	struct dial d;

	EXPECT_INT(dial_parse(&d, "<e=0>{a=1,b=2}{c=3}[b=9,d=4]sofia/internal/1@x,user/2|[^^:d=5,6:z=1]user/3"), 0);
	EXPECT_INT(d.count, 3);
	EXPECT_INT(d.group_count, 2);
	EXPECT_STR(d.legs[0].endpoint, "sofia");
	EXPECT_STR(d.legs[0].data, "internal/1@x");
	EXPECT_STR(vars_get(d.legs[0].vars, "b"), "2"); /* {} beats [] */
	EXPECT_STR(vars_get(d.legs[0].vars, "e"), "0");
	EXPECT_STR(vars_get(d.legs[2].vars, "d"), "5,6");
	EXPECT_INT(d.legs[1].group, 0);
	EXPECT_INT(d.legs[2].group, 1);
	dial_free(&d);
	EXPECT_INT(dial_parse(&d, "{local_var_clobber=true,a=1}[a=2]user/1"), 0);
	EXPECT_STR(vars_get(d.legs[0].vars, "a"), "2");
	dial_free(&d);
	EXPECT_INT(dial_parse(&d, "user/1:_:user/2|user/3"), 0);
	EXPECT_INT(d.count, 3);
	EXPECT_INT(d.legs[1].group, 0);
	dial_free(&d);
	EXPECT_INT(dial_parse(&d, "sip:1@example.com"), 0);
	EXPECT_STR(d.legs[0].endpoint, "sip");
	dial_free(&d);
	EXPECT_INT(dial_parse(&d, ""), ST_PARSE);
	dial_free(&d);
	EXPECT_INT(dial_parse(&d, "{unclosed user/1"), ST_PARSE);
	dial_free(&d);
	return 0;
}

static int seen_count;
static void on_event(struct event *e, void *arg)
{
	seen_count++;
}
static NO_ROLE_CHECK void on_event_free_self(struct event *e, void *arg)
{
	struct event_sub **s = arg;
	event_sub_free(*s);
	*s = NULL;
}

static NO_ROLE_CHECK int test_events(void)
{
	struct event_sub *s = NULL, *self = NULL;
	struct event *e;
	enum event_id id;

	EXPECT_INT(event_id_parse(SV("switch_event_heartbeat"), &id), 0);
	EXPECT_INT(id, EVENT_HEARTBEAT);
	EXPECT(!event_is_wanted(EVENT_HEARTBEAT, NULL));
	event_sub_new(&s, on_event, NULL);
	event_sub_new(&self, on_event_free_self, &self);
	event_sub_want(s, EVENT_HEARTBEAT, true);
	event_sub_want(self, EVENT_HEARTBEAT, true);
	event_sub_want_subclass(s, "sofia::register", true);
	EXPECT(event_is_wanted(EVENT_HEARTBEAT, NULL) && event_is_wanted(EVENT_CUSTOM, "sofia::register"));
	EXPECT(!event_is_wanted(EVENT_CUSTOM, "sofia::expire") && !event_is_wanted(EVENT_API, NULL));
	event_fire(event_new(EVENT_HEARTBEAT, NULL));
	event_fire(event_new(EVENT_HEARTBEAT, NULL));
	event_fire(event_new(EVENT_CUSTOM, "sofia::register"));
	event_fire(event_new(EVENT_CUSTOM, "sofia::expire"));
	EXPECT_INT(seen_count, 3);
	EXPECT(!self);
	event_sub_free(s);
	EXPECT(!event_is_wanted(EVENT_HEARTBEAT, NULL) && !event_is_wanted(EVENT_CUSTOM, "sofia::register"));

	e = event_new_plain(EVENT_GENERAL);
	event_add(e, "Name", "a b&c");
	event_add(e, "Empty", "");
	event_add(e, "List", "ARRAY::1|:2");
	EXPECT_STR(event_render(e, EVENT_PLAIN).p, "Name: a%20b%26c\nEmpty: _undef_\nList: ARRAY%3A%3A1%7C%3A2\n\n");
	EXPECT_STR(event_render(e, EVENT_JSON).p, "{\"Name\":\"a b&c\",\"Empty\":\"\",\"List\":[\"1\",\"2\"]}");
	event_set_body(e, SV("hi<"));
	EXPECT_STR(event_render(e, EVENT_PLAIN_RAW).p,
	    "Name: a b&c\nEmpty: _undef_\nList: ARRAY::1|:2\nContent-Length: 3\n\nhi<");
	EXPECT(strstr(event_render(e, EVENT_XML).p, "<body>hi&lt;</body>"));
	event_unshift(e, "First", "1");
	event_set(e, "name", "new");
	event_del(e, "List");
	EXPECT_STR(event_get(e, "NAME"), "new");
	EXPECT_STR(event_render(e, EVENT_JSON).p,
	    "{\"First\":\"1\",\"Name\":\"new\",\"Empty\":\"\",\"Content-Length\":\"3\",\"_body\":\"hi<\"}");
	mem_unref(e);
	return 0;
}

TEST_MAIN({"causes", test_causes, 0}, {"variables", test_vars, TEST_OOM}, {"expansion", test_expand, TEST_LOOP},
    {"dial strings", test_dial, TEST_OOM}, {"events", test_events, TEST_LOOP})
