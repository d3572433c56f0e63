/* Text from outside, by tables: « begins and » ends what a caller wrote, in what goes in and in what comes out. */
#include "base/check.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/dial/dialstring.h"
#include "core/dial/targets.h"
#include "core/registry/app_words.h"
#include "core/run/expand.h"
#include "core/value/vars.h"
#include "fake.h"
#include "mark_text.h"
#include <stdio.h>
#include <string.h>

/* ---- variables ---- */

static int expect_text(const struct vars *v, const char *name, const char *want)
{
	struct buf scratch, shown;
	const char *text;

	buf_init(&scratch);
	buf_init(&shown);
	text = vars_text(v, name, &scratch);
	EXPECT(text);
	mark_text_show(&shown, sv_of(text));
	EXPECT_STR(shown.p ? shown.p : "", want);
	buf_fini(&shown);
	buf_fini(&scratch);
	return 0;
}

static int test_vars(void)
{
	struct vars *v = NULL, *w = NULL;
	struct buf t;

	buf_init(&t);
	EXPECT_INT(vars_new(&v), 0);
	EXPECT_INT(vars_new(&w), 0);
	vars_set_outside(v, "all", "a,b");
	mark_text_make(&t, "x«y»z");
	vars_set(v, "some", t.p);
	vars_set(v, "none", "abc");
	EXPECT_STR(vars_get(v, "some"), "xyz"); /* what people see */
	EXPECT_INT(expect_text(v, "all", "«a,b»"), 0);
	EXPECT_INT(expect_text(v, "some", "x«y»z"), 0);
	EXPECT_INT(expect_text(v, "none", "abc"), 0);
	/* a zero byte from outside ends a value: what follows it is not read as the text with marks */
	buf_clear(&t);
	buf_adds(&t, "x");
	mark_put(&t, (struct sv){"\0inline", 7});
	vars_set(v, "zero", t.p);
	EXPECT_STR(vars_get(v, "zero"), "x");
	EXPECT_INT(expect_text(v, "zero", "x"), 0);
	vars_set_outside_sv(v, "zero", (struct sv){"a\0b", 3});
	EXPECT_INT(expect_text(v, "zero", "«a»"), 0);
	vars_set(v, "zero", NULL);
	EXPECT_INT(vars_copy(w, v), 0);
	EXPECT_INT(vars_copy_one(w, "copy", v, "some"), 0);
	EXPECT_INT(vars_copy_one(w, "copy", v, "nosuch"), 0); /* nothing changes */
	EXPECT_INT(expect_text(w, "all", "«a,b»"), 0);
	EXPECT_INT(expect_text(w, "copy", "x«y»z"), 0);
	EXPECT_INT(vars_copy_one(w, "all", w, "copy"), 0); /* within one set */
	EXPECT_INT(expect_text(w, "all", "x«y»z"), 0);
	mark_text_make(&t, "«p|:q»");
	vars_push(v, "list", "a");
	vars_push(v, "list", t.p);
	EXPECT_INT(expect_text(v, "list", "ARRAY::a|:«p|:q»"), 0);
	mark_text_make(&t, "a='«x',api_on_answer='y»',b=«1,c=2»,n«am»e=1");
	EXPECT_INT(vars_parse(w, buf_sv(&t)), 0);
	EXPECT_INT(expect_text(w, "a", "«x',api_on_answer='y»"), 0);
	EXPECT_INT(expect_text(w, "b", "«1,c=2»"), 0);
	EXPECT_STR(vars_get(w, "name"), "1");
	EXPECT(!vars_get(w, "api_on_answer") && !vars_get(w, "c"));
	mark_text_make(&t, "«api_on_answer»=1");
	EXPECT_INT(vars_parse(w, buf_sv(&t)), ST_PARSE); /* a name from outside could be any */
	mark_text_make(&t, "^^«;»a=1;b=2");
	EXPECT_INT(vars_parse(w, buf_sv(&t)), 0); /* nor does it choose the separator */
	EXPECT(!vars_get(w, "b") || strcmp(vars_get(w, "b"), "2"));
	vars_free(v);
	vars_free(w);
	buf_fini(&t);
	return 0;
}

/* ---- expansion ---- */

static const struct {
	const char *name, *value;
} values[] = {{"x", "«${upper(hit)}»"}, {"q", "«$\\'{upper(hit)}»"}, {"dollar", "«$»"}, {"brace", "«{upper(hit)}»"},
    {"cfg", "<${x}>"}, {"cmd", "«upper»"}, {"num", "«0123456789»"}, {"mix", "a«b,c»d"}, {"n", "«um»"},
    {"arr", "ARRAY::one|:«t|:wo»|:three"}, {"fake_arr", "«ARRAY::one|:two»"}, {"back", "«\\\\»"}, {NULL, NULL}};

static const char *lookup(const char *name, void *arg)
{
	struct buf *scratch = arg;

	for (int i = 0; values[i].name; i++)
		if (!strcmp(values[i].name, name)) {
			mark_text_make(scratch, values[i].value);
			return scratch->p;
		}
	return NULL;
}

static NO_ROLE_CHECK int test_expand(void)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
	    {"${x}", "«${upper(hit)}»"}, {"${q}", "«$\\'{upper(hit)}»"}, {"${dollar}${brace}", "«${upper(hit)}»"},
	    {"${dollar}{upper(hit)}", "«$»{upper(hit)}"}, {"\\${dollar}", "${dollar}"},
	    {"${back}${brace}", "«\\\\{upper(hit)}»"},
	    {"${cfg}", "<«${upper(hit)}»>"}, /* the configuration's reference in a value is followed */
	    {"${num:2:3}", "«234»"}, {"${num:-3}", "«789»"}, {"${mix:0:2}", "a«b»"},
	    {"${x:0:2}{upper(hit)}", "«${»{upper(hit)}"},
	    {"${n${n}}", "«0123456789»"}, /* which variable is read may depend on it */
	    {"${arr[1]}", "«t|:wo»"}, {"${fake_arr[1]}", ""}, {"${fake_arr[0]}", ""},
	    {"${upper(${x})}", "«${UPPER(HIT)}»"},            /* a reply is as its arguments were */
	    {"${tell(abc)}", "«ABC»"},                        /* whose row does not say that it is ours */
	    {"${upper(abc)}", "ABC"}, {"${${cmd}(abc)}", ""}, /* a command is named by the configuration only */
	};
	struct buf t, shown, scratch;
	char *out = NULL;

	buf_init(&t);
	buf_init(&shown);
	buf_init(&scratch);
	EXPECT_INT(fake_start(), 0);
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		EXPECT_INT(expand_with(NULL, lookup, &scratch, rows[i].text, &out), 0);
		mark_text_show(&shown, sv_of(out));
		EXPECT_STR(shown.p ? shown.p : "", rows[i].want);
		mem_free(out);
	}
	/* text that has marks already: of a list of actions with captures, of a hook */
	mark_text_make(&t, "a«${upper(hit)}»b${num:0:1}");
	EXPECT_INT(expand_with(NULL, lookup, &scratch, t.p, &out), 0);
	mark_text_show(&shown, sv_of(out));
	EXPECT_STR(shown.p, "a«${upper(hit)}»b«0»");
	mem_free(out);
	fake_stop();
	buf_fini(&t);
	buf_fini(&shown);
	buf_fini(&scratch);
	return 0;
}

/* ---- dial strings ---- */

/* "GROUP:endpoint/text{name=text,...} ...", or the error. */
static void dial_show(const struct dial *d, int st, struct buf *out)
{
	struct buf piece, scratch;

	buf_init(&piece);
	buf_init(&scratch);
	buf_clear(out);
	if (st)
		buf_adds(out, d->error);
	for (size_t p = 0; !st && p < d->count; p++)
		for (size_t i = 0; i < d->parts[p].count; i++) {
			const struct dial_leg *leg = &d->parts[p].legs[i];
			mark_text_show(&piece, sv_of(leg->text));
			buf_printf(
			    out, "%s%u:%s/%s{", out->n ? " " : "", leg->group, leg->endpoint, piece.p ? piece.p : "");
			for (size_t k = 0; k < vars_count(leg->vars); k++) {
				const char *name, *value;
				vars_at(leg->vars, k, &name, &value);
				mark_text_show(&piece, sv_of(vars_text(leg->vars, name, &scratch)));
				buf_printf(out, "%s%s=%s", k ? "," : "", name, piece.p ? piece.p : "");
			}
			buf_addc(out, '}');
		}
	buf_fini(&piece);
	buf_fini(&scratch);
}

static int test_dial(void)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
	    {"sofia/external/«1,sofia/external/2»@h", "0:sofia/external/«1,sofia/external/2»@h{}"},
	    {"sofia/external/«1|x/2:_:y/3»@h", "0:sofia/external/«1|x/2:_:y/3»@h{}"},
	    {"«[api_on_answer=x]»user/1", "an endpoint named from outside at character 1: '[api_on_answer=x]user/1'"},
	    {"«loopback/app=socket:1.2.3.4»",
	        "an endpoint named from outside at character 1: 'loopback/app=socket:1.2.3.4'"},
	    {"«user»/1", "an endpoint named from outside at character 1: 'user/1'"},
	    {"user/1«,user/2»", "0:user/1«,user/2»{}"},
	    {"{a='«x',api_on_answer='y»'}user/1", "0:user/1{a=«x',api_on_answer='y»}"},
	    {"{a=«1}user/2»}user/1", "0:user/1{a=«1}user/2»}"},
	    {"[a=«]»]user/1", "0:user/1{a=«]»}"},
	    {"<a=«>»>user/1", "0:user/1{a=«>»}"},
	    {"user/1,user/«2»", "0:user/1{} 0:user/«2»{}"},
	    {"user/«1», user/2", "0:user/«1»{} 0:user/2{}"},
	    {"«sip:1@h»", "an endpoint named from outside at character 1: 'sip:1@h'"},
	};
	struct buf t, shown;
	struct dial d;
	int st;

	buf_init(&t);
	buf_init(&shown);
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		mark_text_make(&t, rows[i].text);
		st = dial_parse(&d, t.p);
		dial_show(&d, st, &shown);
		EXPECT_STR(shown.p ? shown.p : "", rows[i].want);
		dial_free(&d);
	}
	buf_fini(&t);
	buf_fini(&shown);
	return 0;
}

/* ---- words of applications ---- */

static int test_words(void)
{
	struct app_words w;
	struct buf t, shown;

	buf_init(&t);
	buf_init(&shown);
	mark_text_make(&t, "«1000 inline»  XML 'a «' »b' «last one»");
	EXPECT_INT(app_words_init(&w, t.p, 4), 0);
	EXPECT_INT(w.n, 4);
	EXPECT_STR(w.w[0], "1000 inline");
	EXPECT_STR(w.w[1], "XML");
	EXPECT_STR(w.w[2], "a ' b");
	EXPECT_STR(w.w[3], "last one");
	EXPECT(!w.w[4] && !w.m[4]);
	mark_text_show(&shown, sv_of(w.m[2]));
	EXPECT_STR(shown.p, "a «' »b");
	app_words_fini(&w);
	buf_fini(&t);
	buf_fini(&shown);
	return 0;
}

TEST_MAIN({"variables", test_vars, TEST_OOM}, {"expansion", test_expand, TEST_LOOP}, {"dial strings", test_dial, 0},
    {"words", test_words, TEST_OOM})
