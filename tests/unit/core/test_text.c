/* Causes, variables, expansion, dial strings and the renderings of events. */
#include "base/check.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/conf/config.h"
#include "core/conf/config_i.h"
#include "core/dial/dial_core.h"
#include "core/dial/dialstring.h"
#include "core/dial/targets.h"
#include "core/event/event.h"
#include "core/registry/limits.h"
#include "core/run/expand.h"
#include "core/value/cause.h"
#include "core/value/vars.h"
#include "fake.h"
#include "text/mark.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int test_causes(void)
{
	EXPECT_STR(cause_name(CAUSE_NORMAL_CLEARING), "NORMAL_CLEARING");
	EXPECT_STR(cause_name((enum cause)9999), "UNKNOWN");
	EXPECT_INT(cause_parse("999"), 999);
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

/* A thousand sets and removals, long values and marked ones among them, against a plain list of strings. */
enum { MODEL_NAMES = 150, MODEL_STEPS = 6000 };
static struct {
	char *value;
	unsigned since;
} model[MODEL_NAMES];

static unsigned model_random(void)
{
	static unsigned state = 12345;
	state = state * 1664525 + 1013904223;
	return state >> 8;
}

static int model_check(struct vars *v)
{
	struct buf scratch;
	const char *name, *value, *text;
	size_t count = 0;
	unsigned last = 0;
	char own[32];

	buf_init(&scratch);
	for (unsigned i = 0; i < MODEL_NAMES; i++) {
		snprintf(own, sizeof(own), "variable_NUMBER_%u", i);
		value = vars_get(v, own);
		EXPECT(model[i].value ? value && !strcmp(value, model[i].value) : !value);
		count += model[i].value != NULL;
		text = vars_text(v, own, &scratch);
		EXPECT(!text || mark_length(sv_of(text)) == strlen(value));
	}
	buf_fini(&scratch);
	EXPECT_INT(vars_count(v), count);
	for (size_t i = 0; i < count; i++) {
		vars_at(v, i, &name, &value);
		unsigned k = (unsigned)atoi(name + strlen("variable_number_"));
		EXPECT(model[k].since > last && !strcmp(model[k].value, value)); /* in the order they were set */
		last = model[k].since;
	}
	return 0;
}

static int test_vars_many(void)
{
	struct vars *v = NULL;
	char name[32], value[3000];

	EXPECT_INT(vars_new(&v), 0);
	for (unsigned step = 1; step <= MODEL_STEPS; step++) {
		unsigned k = model_random() % MODEL_NAMES, how = model_random() % 16;
		size_t n = how == 0 ? 0 : how == 1 ? model_random() % 2999 : model_random() % 40;
		const char *old = model[k].value;

		snprintf(name, sizeof(name), step % 2 ? "variable_number_%u" : "Variable_Number_%u", k);
		memset(value, 'a' + (int)(step % 26), n);
		value[n] = 0;
		if (how == 2 && n) { /* some of it is from outside */
			struct buf b;
			buf_init(&b);
			buf_adds(&b, "x");
			mark_put(&b, (struct sv){value, n});
			EXPECT_INT(vars_set(v, name, b.p), 0);
			buf_fini(&b);
			memmove(value + 1, value, n + 1);
			value[0] = 'x';
		} else if (how == 3 && old && strlen(old) > 2) { /* a view into what is replaced */
			EXPECT_INT(vars_set(v, name, vars_get(v, name) + 1), 0);
			snprintf(value, sizeof(value), "%s", old + 1);
		} else {
			EXPECT_INT(how & 1 ? vars_set(v, name, value) : vars_set_outside(v, name, value), 0);
		}
		mem_free(model[k].value);
		model[k].value = *value ? mem_strdup(value) : NULL;
		model[k].since = step;
		if (step % 50 == 0)
			EXPECT(!model_check(v));
	}
	size_t at = 0, found = 0;
	const char *n, *x;
	while (vars_next_named(v, SV("VARIABLE_number_1"), &at, &n, &x))
		found++;
	for (unsigned i = 10; i < MODEL_NAMES; i++)
		found -= model[i].value && (i / 10 == 1 || i >= 100);
	EXPECT_INT(found, 0);
	vars_free(v);
	for (unsigned i = 0; i < MODEL_NAMES; i++)
		mem_free(model[i].value);
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
	    {"plain", "plain"}, {"${a}", "alpha"}, {"x${a}y${a}", "xalphayalpha"}, {"${nosuch}", ""},
	    {"${outer}", "<alpha>"}, {"${x_${n}}", "found"}, {"$1 and $", "$1 and $"}, {"\\${a}", "${a}"},
	    {"it\\'s", "its"}, {"${num:2}", "23456789"}, {"${num:2:3}", "234"}, {"${num:-3}", "789"},
	    {"${num:-3:2}", "78"}, {"${outer:0:3}", "<al"}, {"${arr[1]}", "two"}, {"${arr[9]}", ""},
	    {"${upper(abc)}", "ABC"}, {"${upper abc}", "ABC"}, {"${upper(${a})}", "ALPHA"}, {"${nosuchapi(x)}", ""},
	    {"${open", ""}, {"x${a", "xalpha"}, {"${upper(ab)cd}", "AB"}, {"${upper(ab}", "AB"},
	    {"${arr[-1]}${arr[1]", "ARRAY::one|:two|:threetwo"}, {"a\\\\b", "a\\b"}, {"${}", ""},
	    {"$${nosuchglobal}x", "x"}, {"$${glob}-$${glob:1:2}-$${glob:-1}", "global-lo-l"},
	    {"$$ ${a}$$", "$ alpha$"}, /* two dollars are one where something is expanded, and stay elsewhere */
	    {"$$ and $$", "$$ and $$"}, {"\\$${a}", "${a}"}, {"\\${a}${a}", "${a}alpha"}, {"\\$5", "\\$5"},
	    {"a\\d\\.${n}", "a\\d\\.b"}, {"${num:2:0}", "23456789"},
	    {"${num:0:-2}", "0123456789"}, /* a negative length counts for nothing */
	    {"${num:-20}", "0123456789"}, {"${num:20}", ""}, {"${arr:-5}", "three"}, {"${arr[2]:1:3}", "hre"},
	    {"${arr[0]}${arr}", "oneARRAY::one|:two|:three"}, {"${a[0]}${a[1]}", ""}, {"${nosuch:0:3}", ""},
	    {"${x_${n}:0:2}", "fo"}, {"${upper(${outer})}", "<ALPHA>"}, {"${upper(a(b)c)}", "A(B)C"},
	    {"${A}", ""}, /* the lookup of this test minds case */
	};
	char *out = NULL;

	EXPECT_INT(fake_start(), 0);
	globals_set("glob", "global");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		EXPECT_INT(expect_expanded(cases[i].text, cases[i].want), 0);
	EXPECT_INT(expand_with(NULL, lookup, NULL, "${self}", &out), ST_LIMIT);
	core_limits()->is_api_expansion_off = true;
	EXPECT_INT(expect_expanded("${upper(abc)}", "<API Execute Permission Denied>"), 0);
	core_limits()->is_api_expansion_off = false;
	EXPECT_INT(expand(NULL, "${slow()}", &out), 0); /* may wait, and nobody can wait here */
	EXPECT_STR(out, "");
	mem_free(out);
	globals_fini();
	fake_stop();
	return 0;
}

/* A dial string taken apart, as text: each part "(vars) G:endpoint/data{vars} ...". */
static void dial_render(const struct dial *d, struct buf *out)
{
	const char *name, *value;

	for (size_t p = 0; p < d->count; p++) {
		const struct dial_part *part = &d->parts[p];
		buf_adds(out, p ? " & (" : "(");
		for (size_t i = 0; i < vars_count(part->vars); i++) {
			vars_at(part->vars, i, &name, &value);
			buf_printf(out, "%s%s=%s", i ? "," : "", name, value);
		}
		buf_addc(out, ')');
		for (size_t k = 0; k < part->count; k++) {
			const struct dial_leg *leg = &part->legs[k];
			buf_printf(out, " %u:%s/%s{", leg->group, leg->endpoint, leg->data);
			for (size_t i = 0; i < vars_count(leg->vars); i++) {
				vars_at(leg->vars, i, &name, &value);
				buf_printf(out, "%s%s=%s", i ? "," : "", name, value);
			}
			buf_addc(out, '}');
		}
	}
}

static const struct {
	const char *text, *want; /* want: what it is, or "!" and what is wrong with it */
} dial_cases[] = {
    {"user/1", "() 0:user/1{}"},
    {"user/1,user/2|user/3", "() 0:user/1{} 0:user/2{} 1:user/3{}"},
    {"<e=0>{a=1,b=2}{c=3}[b=9,d=4]sofia/internal/1@x,user/2|[^^:d=5,6:z=1]user/3",
        "(e=0,a=1,b=2,c=3) 0:sofia/internal/1@x{d=4,e=0,a=1,b=2,c=3} 0:user/2{e=0,a=1,b=2,c=3} "
        "1:user/3{d=5,6,z=1,e=0,a=1,b=2,c=3}"},
    {"{local_var_clobber=true,a=1}[a=2]user/1", "(local_var_clobber=true,a=1) 0:user/1{local_var_clobber=true,a=2}"},
    {"{a=1}[local_var_clobber=true,a=2]user/1", "(a=1) 0:user/1{local_var_clobber=true,a=2}"},
    {"user/1:_:user/2|user/3", "() 0:user/1{} & () 0:user/2{} 1:user/3{}"},
    {"<x=1>{y=2}user/1:_:{y=3}user/2", "(x=1,y=2) 0:user/1{x=1,y=2} & (x=1,y=3) 0:user/2{x=1,y=3}"},
    {"^^", "() 0:^^/{}"},
    {"{a={b}c}user/1", "(a={b}c) 0:user/1{a={b}c}"},
    {"[a=[b],c=d]user/1", "() 0:user/1{a=[b],c=d}"},
    {"[a=b]{c=d}user/1", "() 0:{c=d}user/1{a=b}"},
    {"user/1,{c=d}user/2", "() 0:user/1{} 0:{c=d}user/2{}"},
    {"{a,b=,c=1}user/1", "(c=1) 0:user/1{c=1}"},
    {"user", "() 0:user/{}"},
    {"{^^;a=1,2;b=3}user/1", "(a=1,2,b=3) 0:user/1{a=1,2,b=3}"},
    {"<^^;a=1,2;b=3>user/1", "(a=1,2,b=3) 0:user/1{a=1,2,b=3}"},
    {"{a='x,y',b=p\\,q}user/1", "(a=x,y,b=p,q) 0:user/1{a=x,y,b=p,q}"},
    {"[a='x,y|z',b=2]user/1", "() 0:user/1{a=x,b=2}"},
    {" { a = 1 } user/1 , user/2", "(a=1) 0:user/1{a=1} 0:user/2{a=1}"},
    {"[a=1][b=2]user/1", "() 0:user/1{a=1,b=2}"},
    {"sip:1@example.com,sips:2@x", "() 0:sip/sip:1@example.com{} 0:sip/sips:2@x{}"},
    {"loopback/app=playback:/a/b.wav", "() 0:loopback/app=playback:/a/b.wav{}"},
    {"user/1,,user/2", "() 0:user/1{} 0:/{} 0:user/2{}"},
    {"", "!nothing to dial at character 1: ''"},
    {"   ", "!nothing to dial"},
    {"{a=1}", "!nothing to dial at character 6: ''"},
    {"{unclosed user/1", "!{ without its } at character 1: '{unclosed user/1'"},
    {"user/1,[a='x]user/2", "() 0:user/1{} 0:user/2{a='x}"},
    {"user/1|[a=1 user/2", "![ without its ] at character 8: '[a=1 user/2'"},
    {"<a=1 user/2", "!< without its > at character 1: '<a=1 user/2'"},
    {"user/1,nonsense|user/2", "() 0:user/1{} 0:nonsense/{} 1:user/2{}"},
    {"user/1:_:", "() 0:user/1{}"},
    {"user/1:_: :_:user/2", "!nothing to dial at character 11: ''"},
    {"/1", "() 0:/1{}"},
};

static int test_dial(void)
{
	for (size_t i = 0; i < ARRAY_COUNT(dial_cases); i++) {
		const char *want = dial_cases[i].want;
		struct dial d;
		struct buf got;
		int st = dial_parse(&d, dial_cases[i].text);
		buf_init(&got);
		if (st)
			buf_printf(&got, "!%s", d.error);
		else
			dial_render(&d, &got);
		EXPECT(got.p && (!st || st == ST_PARSE));
		if (want[0] == '!') {
			EXPECT(!strncmp(got.p, want, strlen(want)) || (fprintf(stderr, "# is %s\n", got.p), false));
		} else {
			EXPECT_STR(got.p, want);
		}
		buf_fini(&got);
		dial_free(&d);
	}
	return 0;
}

static int test_dial_many(void)
{
	struct dial d;
	struct buf text;

	buf_init(&text);
	for (int i = 0; i < DIAL_LEGS_MAX; i++)
		buf_printf(&text, "%suser/%d", i ? "," : "", i);
	EXPECT_INT(dial_parse(&d, text.p), ST_OK);
	EXPECT_INT(d.parts[0].count, DIAL_LEGS_MAX);
	dial_free(&d);
	buf_adds(&text, ",user/last");
	EXPECT_INT(dial_parse(&d, text.p), ST_LIMIT);
	EXPECT(!strncmp(d.error, "more than 128 legs", 18));
	dial_free(&d);
	buf_fini(&text);
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

TEST_MAIN({"causes", test_causes, 0}, {"variables", test_vars, TEST_OOM}, {"many variables", test_vars_many, 0},
    {"expansion", test_expand, TEST_LOOP}, {"dial strings", test_dial, TEST_OOM}, {"many legs", test_dial_many, 0},
    {"events", test_events, TEST_LOOP})
